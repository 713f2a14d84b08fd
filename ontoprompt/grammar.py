"""Build, per question, the grammar that decoding is held to.

It admits SPARQL queries over the given surfaces only, so what is generated always parses and
never names a term that was not retrieved. Every rule is bounded: no recursion and no open
repetition, so that each derivation ends. What it does not cover: subselects, CONSTRUCT,
DESCRIBE, anything that writes, and federation, which are left out on purpose.

The text is in llguidance's Lark dialect (Microsoft, 2024); compiling and masking happen in
`generation`. One space stands before every token of the query.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

# Projected and joined variables, and (apart, since SPARQL forbids re-binding) those that an AS binds.
VARIABLES = tuple(f"?{letter}" for letter in "abcdefgh")
ALIASES = ("?n", "?m")
_GROUPABLE = 4
_PROJECTED = ("?a", "?b", "?c", "?d", "?m")
_TRIPLES, _INNER_TRIPLES = 5, 3


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The surfaces that a query may hold, by what they may stand for."""

    classes: Sequence[str] = ()
    properties: Sequence[str] = ()
    entities: Sequence[str] = ()
    literals: Sequence[str] = ()
    strings: Sequence[str] = ()
    counts: Sequence[str] = ()


def build_grammar(vocabulary: Vocabulary) -> str:
    """The Lark text of all bounded queries over `vocabulary`.

    Rules that need a kind of surface that is absent are left out, so that no branch is dead.
    """
    v = vocabulary
    rules = _lexicon(v)
    objects = ["var"]
    if v.entities:
        objects.append("entity")
    if v.literals or v.strings:
        objects.append("literal")
    subject = "(var | entity)" if v.entities else "var"
    typed = (
        "("
        + " | ".join(x for x, there in (("class", v.classes), ("entity", v.entities), ("var", True)) if there)
        + ")"
    )
    triple = [f'{subject} " a" {typed}', 'var " rdfs:label" ' + ("(var | string)" if v.strings else "var")]
    if v.properties:
        triple.append(f"{subject} path ({' | '.join([*objects, *(['class'] if v.classes else [])])})")
        rules.append(
            'path: property | " ^" property | property " /" property | property ("*" | "+")'
            # No space before the sign: rdflib's parser refuses one there.
            ' | property " /" property ("*" | "+") | " (" property " |" property " )"'
        )
    rules += [
        f"triple: {' | '.join(triple)}",
        f'triples: triple (" ." triple){{0,{_TRIPLES - 1}}}',
        f'inner: " {{" triple (" ." triple){{0,{_INNER_TRIPLES - 1}}} (" ." filter)? " }}"',
        # OPTIONAL, UNION and negation stand after the triples they add to, each at most twice.
        'extra: " OPTIONAL" inner | inner " UNION" inner | " MINUS" inner | " FILTER NOT EXISTS" inner | " FILTER EXISTS" inner'
        + (' | " VALUES" var " {" entity{1,4} " }"' if v.entities else ""),
        'bind: " BIND (" (arith | " YEAR (" var " )") " AS ?m )"',
        'arith: var (" +" | " -" | " *" | " /") operand',
        'group: " {" (triples | inner " UNION" inner) ((" .")? extra){0,2} (" ." bind)? ((" .")? filter){0,2} (" .")? " }"',
    ]
    rules += _expressions(v)
    rules += _modifiers(v)
    return "\n".join(rules) + "\n"


def _lexicon(v: Vocabulary) -> list[str]:
    def one_of(surfaces: Sequence[str]) -> str:
        return " | ".join(json.dumps(f" {s}") for s in dict.fromkeys(surfaces))

    rules = [f"var: {one_of(VARIABLES)}", 'anyvar: var | " ?m"']
    for name, surfaces in (
        ("class", v.classes),
        ("property", v.properties),
        ("entity", v.entities),
        ("string", v.strings),
    ):
        if surfaces:
            rules.append(f"{name}: {one_of(surfaces)}")
    if v.literals or v.strings:
        rules.append(f"literal: {one_of([*v.literals, *v.strings])}")
    return rules


def _expressions(v: Vocabulary) -> list[str]:
    number = '(" 0" | " 1" | " 2")'
    operand = " | ".join(
        [
            '" YEAR (" anyvar " )"',
            "anyvar",
            number,
            *(["literal"] if v.literals or v.strings else []),
            *(["entity"] if v.entities else []),
        ]
    )
    tests = [
        '(anyvar | " YEAR (" anyvar " )") compare operand',
        '" LANG (" anyvar " ) = \\"en\\""',
    ]
    if v.strings or v.literals:
        text = 'text: anyvar | (" STR (" | " LCASE (" | " YEAR (") anyvar " )" | " LCASE (" " STR (" anyvar " )" " )"'
        tests.append('(" CONTAINS (" | " STRSTARTS (") text " ," literal " )"')
        tests.append('" REGEX (" text " ," literal (" , \\"i\\"")? " )"')
    else:
        text = ""
    return [
        'compare: " =" | " !=" | " <" | " >" | " <=" | " >="',
        f"operand: {operand}",
        f"test: {' | '.join(tests)}",
        'filter: " FILTER (" test ((" &&" | " ||") test){0,1} " )"',
        *([text] if text else []),
    ]


def _modifiers(v: Vocabulary) -> list[str]:
    rules = [
        'digits: " 1" | " 2" | " 3" | " 5" | " 10" | " 25" | " 100" | " 1000"'
        + "".join(f" | {json.dumps(f' {c}')}" for c in v.counts),
        'limit: " LIMIT" digits (" OFFSET" digits)?',
        'aggregate: " COUNT (" (" DISTINCT")? (var | " *") " )" | (" SUM (" | " AVG (" | " MIN (" | " MAX (") (" DISTINCT")? var " )"',
        'agg_as: " (" aggregate " AS ?n )"',
        'order: " ORDER BY" ((" ASC (" | " DESC (") anyvar " )" | anyvar)',
        'order_group: " ORDER BY" (" ASC (" | " DESC (") (aggregate | " ?n") " )"',
        'having: " HAVING (" aggregate compare operand " )"',
    ]
    # A plain variable beside an aggregate must be grouped by: one rule a variable ties the two.
    grouped = []
    for variable in VARIABLES[:_GROUPABLE]:
        name = f"grouped_{variable[1:]}"
        grouped.append(name)
        rules.append(
            f'{name}: " SELECT" (" DISTINCT")? " {variable}" agg_as? " WHERE" group " GROUP BY {variable}" having? '
            f"order_group_{variable[1:]}? limit?"
        )
        # ?n exists only where the projection binds it; ordering by the aggregate itself is always legal.
        rules.append(
            f'order_group_{variable[1:]}: " ORDER BY" (" ASC (" | " DESC (") (aggregate | " {variable}") " )"'
        )
    rules = [r for r in rules if not r.startswith("order_group:")]
    # Projected variables are told apart by position: naming one twice is an error.
    # One lexeme a word: llguidance's lexer takes the longest match and does not step back.
    pairs = [f'" {first}" " {second}"' for first in _PROJECTED for second in _PROJECTED if first != second]
    rules.append(f'projection: anyvar | {" | ".join(pairs)} | " ?a" " ?b" " ?c"')
    rules.append(
        'start: " ASK WHERE" group | " SELECT" (" DISTINCT")? projection " WHERE" group order? limit?'
        f' | " SELECT" (" DISTINCT")? agg_as " WHERE" group | {" | ".join(grouped)}'
    )
    return rules
