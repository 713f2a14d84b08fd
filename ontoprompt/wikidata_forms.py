"""The shapes of Wikidata's templates, with their shares and wordings; `wikidata_templates` fills them.

Shapes and their shares are those of LC-QuAD 2.0's training questions (Dubey et al. 2019). Placeholders: see there.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Template:
    """A weight, a query and the questions that ask for it."""

    weight: float
    query: str
    questions: tuple[str, ...]


_NAMED = "?a rdfs:label ?b . FILTER(%s(LCASE(?b), '{%s}')) FILTER(LANG(?b) = 'en') } LIMIT 25"
_KIND = "?a wdt:P31 {c} . "

TEMPLATES = (
    Template(
        7,
        "SELECT ?a WHERE { {e} wdt:{o} ?b . ?b wdt:{v} ?a }",
        (
            "what is the {v} of the {o} of {e}?",
            "what is the {v} of {e}'s {o}?",
            "who is the {v} of the {o} of {e}?",
            "which {v} does the {o} of {e} have?",
            "tell me the {v} of {e}'s {o}",
            "what is {v} of {o} of {e}?",
            "where is the {v} of the {o} of {e}?",
            "what {v} has the {o} that {e} has?",
            "{e} has a {o}, what is its {v}?",
            "what is the {v} of the one who is {o} of {e}?",
            "the {o} of {e} has which {v}?",
        ),
    ),
    Template(
        5,
        "SELECT DISTINCT ?a WHERE { {e} wdt:{v} ?a }",
        (
            "what is the {v} of {e}?",
            "what is {e}'s {v}?",
            "who is the {v} of {e}?",
            "which is the {v} of {e}?",
            "tell me the {v} for {e}",
            "what is the {v} for {e}?",
            "which {v} does {e} have?",
            "{e} has what {v}?",
            "where is the {v} of {e}?",
            "name the {v} of {e}",
        ),
    ),
    Template(
        1.5,
        "SELECT DISTINCT ?a WHERE { ?a wdt:{o} {e} }",
        (
            "what has {e} as {o}?",
            "whose {o} is {e}?",
            "{e} is the {o} of what?",
            "what is {e} the {o} of?",
            "which has the {o} {e}?",
            "who has {e} for {o}?",
            "{e} is the {o} for which item?",
        ),
    ),
    Template(
        4,
        "SELECT DISTINCT ?a WHERE { {e} wdt:{o} ?a . ?a wdt:P31 {c} }",
        (
            "what {c} is the {o} of {e}?",
            "which {c} is {e}'s {o}?",
            "tell me the {c} that is {o} of {e}",
            "what is the {c} for {o} of {e}?",
            "name the {c} that {e} has as {o}",
            "who is the {c} for {o} of {e}?",
            "which {c} has the {o} of {e}?",
        ),
    ),
    Template(
        4.5,
        "SELECT DISTINCT ?a WHERE { ?a wdt:P31 {c} . ?a wdt:{o} {e} }",
        (
            "which {c} has {e} as {o}?",
            "name a {c} whose {o} is {e}",
            "what {c} has the {o} {e}?",
            "tell me a {c} with {o} {e}",
            "give me a {c} that has {e} for its {o}",
            "what is the {c} for {o} of {e}?",
            "who is the {c} whose {o} is {e}?",
            "list {c} with {e} as {o}",
            "{e} is the {o} of which {c}?",
        ),
    ),
    Template(
        3.5,
        "SELECT ?a WHERE { {e} wdt:{o} ?a . ?a wdt:{u} {f} }",
        (
            "what is the {o} of {e} that has {f} as {u}?",
            "who is the {o} of {e} whose {u} is {f}?",
            "which {o} of {e} has the {u} {f}?",
            "what is {e}'s {o} with {u} {f}?",
            "which is the {o} of {e}, and has {u} {f}?",
            "what is the {o} for {e} and {u} as {f}?",
            "whose {u} is {f} and is the {o} of {e}?",
        ),
    ),
    Template(
        4.5,
        "SELECT ?a WHERE { {e} p:{o} ?b . ?b ps:{o} {f} . ?b pq:{q} ?a }",
        (
            "{when} {did} {e} have {f} as {o}?",
            "{when} was {f} the {o} of {e}?",
            "what is the {q} of {e}'s {o} {f}?",
            "what is {q} for {e} whose {o} is {f}?",
            "{when} did {e} get the {o} {f}?",
            "what was the {q} when {e} had the {o} {f}?",
            "{e} has {o} {f}, what is the {q}?",
            "tell me the {q} of {o} {f} of {e}",
            "for {e} with {o} {f}, {when}?",
            "what is {q} of {e} where {o} is {f}?",
        ),
    ),
    Template(
        2.5,
        "SELECT ?a WHERE { {e} p:{o} ?b . ?b ps:{o} ?a . ?b pq:{t} ?c . FILTER(CONTAINS(YEAR(?c), '{y}')) }",
        (
            "what was the {o} of {e} in {y}?",
            "which {o} did {e} have in {y}?",
            "who was {e}'s {o} at the {t} of {y}?",
            "in {y}, what was the {o} of {e}?",
            "what is {o} of {e} that has {t} {y}?",
            "what {o} was {e} given on {y}-0-0?",
            "what is the {o} for {e} with {t} {y}?",
        ),
    ),
    Template(
        2.2,
        "SELECT ?a WHERE { {e} p:{o} ?b . ?b ps:{o} ?a . ?b pq:{q} {f} }",
        (
            "what is the {o} of {e} with {q} {f}?",
            "what {o} of {e} has {f} as {q}?",
            "which {o} did {e} have for {f}?",
            "what was the {o} of {e} whose {q} is {f}?",
            "who was {o} of {e} at {f}?",
            "what {o} did {e} get with {q} {f}?",
            "where {f} is the {q}, what is the {o} of {e}?",
        ),
    ),
    Template(
        1.4,
        "SELECT ?a ?b WHERE { {e} p:{o} ?c . ?c ps:{o} {f} . ?c pq:{q} ?a . ?c pq:{r} ?b }",
        (
            "{when} and {when2} did {e} have {f} as {o}?",
            "what are {q} and {r} of {e}'s {o} {f}?",
            "what is the {q} and the {r} of {o} {f} of {e}?",
            "{when} and {when2} was {f} the {o} of {e}?",
            "what is {q} and {r} of {e} that has {o} as {f}?",
        ),
    ),
    Template(
        1.2,
        "SELECT ?a ?b WHERE { {e} p:{o} ?c . ?c ps:{o} ?b . ?c pq:{q} ?a }",
        (
            "what is the {o} of {e} and {when}?",
            "which {o} does {e} have, and what is its {q}?",
            "what {o} did {e} have, and {when}?",
            "what is {e}'s {o} and the {q} of it?",
            "who is the {o} of {e} and what is the {q}?",
        ),
    ),
    Template(
        0.6,
        "SELECT ?a WHERE { {e} p:{n} ?b . ?b ps:{n} ?c . FILTER(CONTAINS(?c, '{x}')) ?b pq:{q} ?a }",
        (
            "{when} was the {n} of {e} {x}?",
            "what is the {q} of {e} with {n} {x}?",
            "{when} did {e} have a {n} of {x}?",
            "what is {q} for {e} that has {n} as {x}?",
        ),
    ),
    Template(
        0.4,
        "SELECT ?a WHERE { {e} wdt:{o} ?a . ?a wdt:{n} ?b . FILTER(CONTAINS(?b, '{x}')) }",
        (
            "what is the {o} of {e} with {n} {x}?",
            "which {o} of {e} has a {n} of {x}?",
            "who is {e}'s {o} whose {n} is {x}?",
        ),
    ),
    Template(
        0.3,
        "SELECT ?a WHERE { {e} wdt:{o} ?a . ?a wdt:{t} ?b . FILTER(CONTAINS(YEAR(?b), '{y}')) }",
        (
            "what is the {o} of {e} with {t} {y}?",
            "which {o} of {e} has the {t} {y}-0-0?",
            "who is {e}'s {o} whose {t} is {y}?",
        ),
    ),
    Template(
        1.6,
        "SELECT (COUNT(?a) AS ?n) WHERE { ?a wdt:{o} {e} }",
        (
            "how many things have {e} as {o}?",
            "how many have the {o} {e}?",
            "what is the number of items whose {o} is {e}?",
            "{e} is the {o} of how many?",
            "how many {o} are there for {e}?",
            "how many are the {o} {e}?",
        ),
    ),
    Template(
        1.3,
        "SELECT (COUNT(?a) AS ?n) WHERE { {e} wdt:{v} ?a }",
        (
            "how many {v} does {e} have?",
            "what is the number of {v} of {e}?",
            "how many {v} are there in {e}?",
            "how many {v} are for {e}?",
            "count the {v} of {e}",
            "number of {v} for {e}?",
        ),
    ),
    Template(
        1.5,
        "SELECT ?a ?b WHERE { {e} wdt:{v} ?a . {e} wdt:{w} ?b }",
        (
            "what is the {v} and the {w} of {e}?",
            "what are {e}'s {v} and {w}?",
            "who is the {v} and what is the {w} of {e}?",
            "{e} has what {v} and {w}?",
            "tell me {v} and {w} of {e}",
        ),
    ),
    Template(
        1.6,
        "SELECT DISTINCT ?a ?b WHERE { " + _KIND + _NAMED % ("STRSTARTS", "l"),
        (
            "what is a {c} that starts with the letter {l}?",
            "tell me a {c} which starts with {l}",
            "what are the {c} which start with the letter {l}?",
            "give me {c} that starts with '{l}'",
            "name a {c} starting with the letter '{l}'",
        ),
    ),
    Template(
        1.4,
        "SELECT DISTINCT ?a ?b WHERE { " + _KIND + _NAMED % ("CONTAINS", "s"),
        (
            "tell me a {c} whose name has the word {s} in it",
            "what is the {c} with the word {s} in its name?",
            "give me {c} that contains the word {s}",
            "what are the {c} which contain the word '{s}'?",
        ),
    ),
    Template(
        0.7,
        "SELECT DISTINCT ?a ?b WHERE { " + _KIND + "?a wdt:{o} {e} . " + _NAMED % ("STRSTARTS", "l"),
        (
            "what is the {c} with {o} {e} that starts with the letter {l}?",
            "name a {c} whose {o} is {e} and that starts with {l}",
            "which {c} has {e} as {o} and starts with the letter '{l}'?",
        ),
    ),
    Template(
        0.6,
        "SELECT DISTINCT ?a ?b WHERE { " + _KIND + "?a wdt:{o} {e} . " + _NAMED % ("CONTAINS", "s"),
        (
            "what is the {c} with {o} {e} that contains the word {s} in its name?",
            "tell me a {c} whose {o} is {e} and whose name has the word '{s}'",
            "which {c} has {e} as {o} and the word {s} in the name?",
        ),
    ),
    Template(
        0.9,
        "ASK WHERE { {e} wdt:{n} ?a . FILTER(?a = {x}) }",
        (
            "is the {n} of {e} equal to {x}?",
            "does the {n} of {e} equal {x}?",
            "is it true that the {n} of {e} is equal to {x}?",
            "is {e}'s {n} {x}?",
        ),
    ),
    Template(
        0.4,
        "ASK WHERE { {e} wdt:{n} ?a . FILTER(?a < {x}) }",
        (
            "is the {n} of {e} less than {x}?",
            "does {e} have a {n} below {x}?",
            "is it true that the {n} of {e} is less than {x}?",
            "is {e}'s {n} smaller than {x}?",
        ),
    ),
    Template(
        0.4,
        "ASK WHERE { {e} wdt:{n} ?a . FILTER(?a > {x}) }",
        (
            "is the {n} of {e} greater than {x}?",
            "does {e} have a {n} above {x}?",
            "is it true that the {n} of {e} is more than {x}?",
            "is {e}'s {n} higher than {x}?",
        ),
    ),
    Template(
        0.6,
        "ASK WHERE { {e} wdt:{o} {f} }",
        (
            "is {f} the {o} of {e}?",
            "is {e}'s {o} {f}?",
            "is it true that {f} is the {o} of {e}?",
            "does {e} have {f} as {o}?",
            "was {f} {o} of {e}?",
        ),
    ),
    Template(
        0.5,
        "ASK WHERE { {e} wdt:{o} {f} . {e} wdt:{o} {g} }",
        (
            "did {e} have {f} and {g} as {o}?",
            "are {f} and {g} the {o} of {e}?",
            "is it true that {e}'s {o} are {f} and {g}?",
            "does {e} have the {o} {f} and {g}?",
        ),
    ),
    Template(
        1.2,
        "SELECT ?a WHERE { " + _KIND + "?a wdt:{n} ?b } ORDER BY DESC(?b) LIMIT 5",
        (
            "which {c} has the highest {n}?",
            "what {c} has the most {n}?",
            "what is the {c} with the largest {n}?",
            "name the {c} with the greatest {n}",
            "what are the {c} with the maximum {n}?",
        ),
    ),
    Template(
        1.2,
        "SELECT ?a WHERE { " + _KIND + "?a wdt:{n} ?b } ORDER BY ASC(?b) LIMIT 5",
        (
            "which {c} has the lowest {n}?",
            "what {c} has the least {n}?",
            "what is the {c} with the smallest {n}?",
            "name the {c} with the minimum {n}",
        ),
    ),
    Template(
        0.6,
        "SELECT ?a WHERE { " + _KIND + "?a wdt:{n} ?b . ?a wdt:{o} {e} } ORDER BY DESC(?b) LIMIT 5",
        (
            "which {c} with {o} {e} has the highest {n}?",
            "what is the {c} with the largest {n} whose {o} is {e}?",
            "name the {c} with the greatest {n} that has {e} as {o}",
        ),
    ),
    Template(
        0.7,
        "SELECT ?a WHERE { " + _KIND + "?a wdt:{n} ?b . ?a wdt:{o} {e} } ORDER BY ASC(?b) LIMIT 5",
        (
            "which {c} with {o} {e} has the lowest {n}?",
            "what is the {c} with the smallest {n} whose {o} is {e}?",
            "name the {c} with the least {n} that has {e} as {o}",
        ),
    ),
)
