"""Questions for what LC-QuAD never asks for: groups, sums, what is optional or missing, computed values, paths, lists.

A form has wordings to train with and others that `ontoprompt synth` never writes: these are for measuring
(`bench.constructs`), so that a model is asked in words that no made-up pair of its training had.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .clause_kinds import clause
from .clauses import NUMERIC, Draft, Draw, UnfitError, mark
from .phrases import article, plural


@dataclass(frozen=True, slots=True)
class Wordings:
    """Templates of questions: `kept` to train with, `held` to measure with. A name in braces is a place to fill."""

    kept: tuple[str, ...]
    held: tuple[str, ...]


WORDINGS: Mapping[str, Wordings] = {
    "group": Wordings(
        (
            "tally the {c} by {n}", "break the {c} down by {n}, with counts", "number of {c} grouped by {n}", "for each {n}, the number of {c}",
            "how many {c} are there per {n}?", "how many {c} has each {n}?", "how many {c} per {n}?", "count the {c} by {n}",
            "show the number of {c} for each {n}", "list the {ns} with the number of their {c}", "what is the number of {c} for every {n}?",
            "give the {ns} along with how many {c} each one has", "per {n}, how many {c} exist?", "group the {c} by {n} and count them",
            "count how many {c} there are for each {n}",
        ),
        ("give a count of {c} for every single {n}", "how are the {c} spread over the {ns}? count them", "split up the {c} by {n} and say how many fall to each"),
    ),
    "having": Wordings(
        (
            "which {ns} have more than {k} {c}?", "list every {n} shared by more than {k} {c}", "{ns} with over {k} {c}",
            "which {n} is that of more than {k} {c}?", "find {ns} of more than {k} {c}", "{ns} having more than {k} {c}", "what {ns} are shared by over {k} {c}?",
            "show the {ns} where there are more than {k} {c}", "which {ns} go with more than {k} {c}?", "return the {ns} that more than {k} {c} have",
            "for which {ns} are there more than {k} {c}?", "{ns} that have {c} numbering more than {k}", "what are the {ns} with more than {k} {c}?",
        ),
        ("what {ns} occur with more than {k} different {c}?", "name each {n} that upwards of {k} {c} have", "{ns} found for more than {k} of the {c}"),
    ),
    "optional": Wordings(
        (
            "show the {c} together with the {n} of each, where known", "{c} and, if any, their {n}", "list the {c} with their {n}, if they have one",
            "give me the {c} and their {n}, also those without", "which {c} are there, and what is the {n} of each, if known?",
            "what are the {c} and, where there is one, their {n}?", "return all {c} with their {n} if available", "{c} with {n} (if any)",
            "list all {c}; also show the {n} when it exists", "show all {c} and optionally their {n}", "which {c} are there? include the {n} if there is one",
            "get the {c}, and the {n} if present", "name all {c} and, should it be given, their {n}", "{c} and their {n}, even if the latter is missing",
            "i need all {c}; give the {n} too, if it has been entered",
        ),
        ("list {c}, adding the {n} for those that have one", "all {c}, plus the {n} whenever it is recorded", "i want every one of the {c}, and the {n} too in case there is any"),
    ),
    "minus": Wordings(
        (
            "which {c} have no {n}?", "{c} except those with {a}", "list the {c} without {a}", "what {c} lack {a}?", "find {c} for which no {n} is given",
            "show me {c} that do not have {a}", "which {c} do not have {a}?", "{c} with no {n}", "name the {c} whose {n} is missing",
            "which of the {c} are without {a}?", "{c} that have no known {n}", "exclude {c} with {a} and list the rest", "all {c} but those with {a}",
            "return {c} not having any {n}", "what {c} have no {n} on record?", "drop the {c} that have {a}; what is left?", "which {c} do not have any {ns}?",
        ),
        ("list the {c}, leaving out the ones that have {a}", "all {c} apart from those whose {n} is known", "take away the {c} with {a}: which ones remain?"),
    ),
    "bind-less": Wordings(
        (
            "by how much does the {p} of {x} exceed its {q}?", "what is the {p} of {x} minus its {q}?",
            "what is the difference between the {p} and the {q} of {x}?", "{p} less {q} of {x}?", "how much larger is the {p} of {x} than its {q}?",
            "the {p} of {x} less its {q}, how much is that?", "compute the {p} minus the {q} of {x}", "what remains of the {p} of {x} after deducting its {q}?",
            "how much higher is the {p} of {x} than its {q}?", "calculate the difference between {p} and {q} of {x}", "deduct the {q} of {x} from its {p}",
            "from the {p} of {x}, remove its {q}: what is the result?", "how far does the {q} of {x} fall short of its {p}?",
        ),
        ("subtract the {q} of {x} from its {p}", "how much is left of the {p} of {x} once its {q} is taken off?"),
    ),
    "bind-plus": Wordings(
        (
            "what do the {p} and the {q} of {x} add up to?", "what is the {p} plus the {q} of {x}?", "sum of {p} and {q} for {x}", "compute {p} plus {q} of {x}",
            "how much are the {p} and {q} of {x} combined?", "the {p} and {q} of {x} in total", "total of {p} and {q} of {x}?",
            "calculate the sum of the {p} and {q} for {x}", "what do you get if you sum the {p} and the {q} of {x}?",
            "counted as one figure, how much are {p} and {q} of {x}?", "join the {p} and the {q} of {x} into one sum",
        ),
        ("add the {p} of {x} to its {q}", "taking {p} and {q} together, what number does {x} get?"),
    ),
    "sum": Wordings(
        (
            "what is the total {p} of all {c}?", "total {p} of the {c}", "what is the sum of the {p} of {c}?", "tell me the combined {p} of all {c}",
            "how much {p} do {c} have in total?", "sum of {p} over all {c}", "how much is the {p} of all {c} combined?", "compute the total {p} for {c}",
            "sum up the {p} of the {c}", "what is the overall {p} of the {c}?", "what total {p} do the {c} have?", "find the total of the {p} of all {c}",
            "give the total amount of {p} for {c}", "what is the grand total of {p} among the {c}?", "all {c} counted, how much {p} is it?",
            "what do the {c} amount to in {p}?",
        ),
        ("add up the {p} of all {c}", "what does the {p} of the {c} come to altogether?", "taken together, how much {p} is there among {c}?"),
    ),
    "avg": Wordings(
        (
            "what is the average {p} of {c}?", "mean {p} of the {c}", "on average, what {p} do {c} have?", "give me the average {p} of all {c}",
            "what {p} do {c} have on average?", "average {p} of the {c}?", "compute the mean {p} for all {c}", "what is the {p} of {c} on average?",
            "find the average {p} across {c}", "what is the mean of the {p} of {c}?", "the average of {p} for the {c}", "how much {p} do {c} have on average?",
            "what {p} has one of the {c} on average?", "calculate the average {p} over the {c}", "on the average, how big is the {p} of the {c}?",
        ),
        ("taken over all {c}, how large is the {p} on average?", "what is the mean value of {p} among {c}?", "averaged across the {c}, what {p} results?"),
    ),
    "union": Wordings(
        (
            "which {c} have {x} as {p} or as {q}?", "{c} whose {p} or {q} is {x}", "list {c} that have {x} as {p} or {q}",
            "list the {c} with the {p} {x} or the {q} {x}", "what {c} have {x} for {p} or for {q}?", "which {c} have the {p} {x} or the {q} {x}?",
            "what are the {c} with {p} {x} or {q} {x}?", "name {c} having {x} for {p} or {q}", "{c} linked to {x} by {p} or by {q}",
            "which {c} are connected with {x} through {p} or {q}?", "return {c} whose {p} is {x} or whose {q} is {x}",
            "all {c} such that {x} is their {p} or their {q}", "which {c} have {x} in the role of {p}, or of {q}?", "{c} related to {x}, whether by {p} or by {q}",
        ),
        ("find {c} with {x} as either their {p} or their {q}", "{c} for which {x} is the {p}, or else the {q}", "be it as {p} or as {q}: which {c} are tied to {x}?"),
    ),
    "path-sequence": Wordings(
        (
            "which {c} have {a} whose {q} is {x}?", "{c} whose {p} has {x} as {q}", "list the {c} whose {p} has the {q} {x}",
            "what {c} have {a} with the {q} {x}?", "{c} with {a} that has {x} as {q}", "which {c} have {a} having {x} as its {q}?",
            "which {c} are there whose {p} has {x} for its {q}?", "name {c} such that the {q} of their {p} equals {x}", "{c} with the {q} of their {p} being {x}",
            "what {c} have {x} as the {q} of their {p}?", "{c} where {x} is the {q} of the {p}", "which are the {c} of whose {p} the {q} is {x}?",
            "which {c} go by their {p} to {x} as its {q}?",
        ),
        ("find {c} that lead over their {p} to the {q} {x}", "for which {c} is {x} the {q} of the {p}?"),
    ),
    "path-plus": Wordings(
        (
            "which {c} have {x} as {p}, directly or through others?", "{c} that have {x} as {p}, directly or indirectly",
            "list {c} that lead to {x} by {p}, in any number of steps", "what {c} have {x} among their {ns}, at any remove?",
            "{c} connected to {x} through one or more {ns}", "list all {c} with {x} as direct or indirect {p}",
            "which {c} have {x} as {p}, at once or over others?", "{c} that have {x} somewhere up the chain of {ns}",
            "which {c} come to {x} through a chain of {ns}?", "{c} whose {p} is {x}, or has {x} as {p}, and so on", "which {c} get to {x} going from {p} to {p}?",
            "starting from {c} and going along {p} any number of times, which end at {x}?",
        ),
        ("follow {p} again and again: which {c} arrive at {x}?", "{c} from which {x} can be reached by {p}, in one step or more"),
    ),
    "values": Wordings(
        (
            "what is the {p} of each of {x} and {y}?", "{p} of {x} and of {y}?", "give me the {p} of {x} and the {p} of {y}",
            "what are the {ns} of {x} and {y}, one by one?", "list the {p} for both {x} and {y}", "what is the {p} of {x}, and of {y}?",
            "which {p} do {x} and {y} have?", "list each of {x} and {y} with its {p}", "show {x} and {y} with their {ns}",
            "of {x} and {y}, what is the {p} of each?", "give the {p} of {x} and {y}", "what {ns} do {x} and {y} have, respectively?",
            "tell me the {p} for {x} and for {y}", "{x}, {y}: what {p} have they?", "look up the {p} of both {x} and {y}",
            "the {p} of {x} and the one of {y}, please",
        ),
        ("for {x} as well as {y}, state the {p}", "take {x} and {y}: what {p} does either have?", "i need to know the {p}, once for {x} and once for {y}"),
    ),
}  # fmt: skip


def _worded(d: Draw, key: str, query: str, terms: tuple[str, ...], absent: tuple[str, ...] = (), **words: str) -> Draft:  # fmt: skip
    """A draft in one of the wordings that may be used."""
    wordings = WORDINGS[key].held if d.held else WORDINGS[key].kept
    number = int(d.rng.random() * len(wordings))
    name = f"construct-{key}:{'held' if d.held else 'kept'}-{number}"
    return Draft(f"construct-{key}", name, wordings[number].format(**words), query, terms, absent)


def _things(d: Draw, thing: str, besides: tuple[str, ...] = ()) -> tuple[str, str, tuple[str, ...]]:
    """Things of a class of a witness, in half of the cases those that meet a clause: words, patterns, terms."""
    cls = d.class_of(thing)
    words, where, terms = d.things(cls), d.typed(cls), d.type_terms(cls)
    if d.chance(0.5):
        return words, where, terms
    within = clause(d, thing, (*besides, *terms), {"link": 3, "year": 1})
    return f"{words} {within.mod}", where + within.where, (*terms, *within.terms)


def _linked(d: Draw) -> tuple[str, str]:
    """A thing, and a property of it that leads to a named one and is a noun."""
    w, p, o = d.statement(d.links)
    if not d.filling.named(o) or d.verbal(p):
        raise UnfitError
    return w, p


def ask_group(d: Draw) -> Draft:
    w, p = _linked(d)
    c, where, terms = _things(d, w, (p,))
    query = f"SELECT ?g (COUNT(DISTINCT ?a) AS ?n) WHERE {{ {where}?a <{p}> ?g }} GROUP BY ?g"
    return _worded(d, "group", query, (*terms, p), c=c, n=d.noun(p), ns=d.noun(p, True))


def ask_having(d: Draw) -> Draft:
    w, p, o = d.statement(d.links)
    if not d.filling.named(o) or d.verbal(p):
        raise UnfitError
    cls = d.class_of(w)
    members = set(d.filling.members.get(cls, ()))
    count = len({s for s in d.filling.incoming[o.value].get(p, ()) if s in members})
    if count < 2:
        raise UnfitError
    k = d.rng.randint(1, count - 1)
    query = f"SELECT ?g WHERE {{ {d.typed(cls)}?a <{p}> ?g }} GROUP BY ?g HAVING (COUNT(DISTINCT ?a) > {k})"
    words = {"c": d.things(cls), "n": d.noun(p), "ns": d.noun(p, True), "k": str(k)}
    return _worded(d, "having", query, (*d.type_terms(cls), p), (), **words)


def ask_optional(d: Draw) -> Draft:
    w, _, _ = d.statement(d.properties)
    p = d.nominal(w, ())
    c, where, terms = _things(d, w, (p,))
    query = f"SELECT DISTINCT ?a ?b WHERE {{ {where}OPTIONAL {{ ?a <{p}> ?b }} }}"
    return _worded(d, "optional", query, (*terms, p), c=c, n=d.noun(p))


def ask_minus(d: Draw) -> Draft:
    w, _, _ = d.statement(d.properties)
    c, where, terms = _things(d, w)
    have = d.filling.out[w]
    peers = [s for cls in d.filling.types.get(w, ()) for s in d.filling.members.get(cls, ())[:8]]
    lacked = sorted({p for s in peers for p in d.filling.out.get(s, {}) if p in d.usable and p not in have})
    lacked = [p for p in lacked if not d.verbal(p)]
    if not lacked:
        raise UnfitError
    p = d.pick(lacked)
    n = d.noun(p)
    query = f"SELECT DISTINCT ?a WHERE {{ {where}MINUS {{ ?a <{p}> ?b }} }}"
    return _worded(d, "minus", query, (*terms, p), (p,), c=c, n=n, ns=plural(n), a=article(n))


def ask_bind(d: Draw) -> Draft:
    w, p, _ = d.statement(d.numbers)
    q = d.nominal(w, (p,), "numbers")
    values = [v.value for one in (p, q) for v in d.filling.out[w][one]]
    if d.verbal(p) or not all(NUMERIC.match(v) for v in values):
        raise UnfitError
    key, sign = d.rng.choice((("bind-less", "-"), ("bind-less", "-"), ("bind-plus", "+")))
    query = f"SELECT ?n WHERE {{ <{w}> <{p}> ?a . <{w}> <{q}> ?b . BIND(?a {sign} ?b AS ?n) }}"
    return _worded(d, key, query, (p, q), x=mark(w), p=d.noun(p), q=d.noun(q))


def _aggregate(d: Draw, key: str) -> Draft:
    w, p, _ = d.statement(d.numbers)
    if d.verbal(p):
        raise UnfitError
    c, where, terms = _things(d, w, (p,))
    query = f"SELECT ({key.upper()}(?b) AS ?n) WHERE {{ {where}?a <{p}> ?b }}"
    return _worded(d, key, query, (*terms, p), c=c, p=d.noun(p))


def ask_sum(d: Draw) -> Draft:
    return _aggregate(d, "sum")


def ask_average(d: Draw) -> Draft:
    return _aggregate(d, "avg")


def ask_union(d: Draw) -> Draft:
    w, p = _linked(d)
    e = next(o.value for o in d.filling.out[w][p] if d.filling.named(o))
    q = d.pick([x for x in d.links if x != p] or [p])
    if q == p or d.verbal(q):
        raise UnfitError
    cls = d.class_of(w)
    query = f"SELECT DISTINCT ?a WHERE {{ {d.typed(cls)}{{ ?a <{p}> <{e}> }} UNION {{ ?a <{q}> <{e}> }} }}"
    first, second = d.rng.sample((p, q), 2)
    words = {"c": d.things(cls), "x": mark(e), "p": d.noun(first), "q": d.noun(second)}
    return _worded(d, "union", query, (*d.type_terms(cls), p, q), (), **words)


def ask_path(d: Draw) -> Draft:
    w, p = _linked(d)
    between = next(o.value for o in d.filling.out[w][p] if d.filling.named(o))
    cls = d.class_of(w)
    c, n = d.things(cls), d.noun(p)
    if d.chance(0.5):
        query = f"SELECT DISTINCT ?a WHERE {{ {d.typed(cls)}?a <{p}>+ <{between}> }}"
        words = {"c": c, "x": mark(between), "p": n, "ns": plural(n)}
        return _worded(d, "path-plus", query, (*d.type_terms(cls), p), (), **words)
    q, e = d.link(between, (p,))
    if d.verbal(q):
        raise UnfitError
    query = f"SELECT DISTINCT ?a WHERE {{ {d.typed(cls)}?a <{p}>/<{q}> <{e}> }}"
    words = {"c": c, "x": mark(e), "p": n, "a": article(n), "q": d.noun(q)}
    return _worded(d, "path-sequence", query, (*d.type_terms(cls), p, q), (), **words)


def ask_values(d: Draw) -> Draft:
    w, p, _ = d.statement(d.properties)
    other, _, _ = d.statement([p])
    if other == w or d.verbal(p):
        raise UnfitError
    query = f"SELECT DISTINCT ?a ?b WHERE {{ VALUES ?a {{ <{w}> <{other}> }} ?a <{p}> ?b }}"
    n = d.noun(p)
    return _worded(d, "values", query, (p,), x=mark(w), y=mark(other), p=n, ns=plural(n))


# By the construct that a form is there for, as `bench.constructs` reports them.
CONSTRUCTS: Mapping[str, Callable[[Draw], Draft]] = {
    "GROUP BY": ask_group, "HAVING": ask_having, "OPTIONAL": ask_optional, "MINUS": ask_minus, "BIND": ask_bind, "SUM": ask_sum,
    "AVG": ask_average, "UNION": ask_union, "path": ask_path, "VALUES": ask_values,
}  # fmt: skip
