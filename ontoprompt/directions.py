"""Which way the properties of a query are gone: from what is named to what is asked for, or against it.

A name says little of it (`?team arena ?place` or `?place arena ?team`), questions asked before say much: of the patterns
of LC-QuAD 1.0's training questions a kernel over the other questions tells 0.85 right (bench/LOG.md).
"""

from __future__ import annotations

from .sparql import PREFIXES, Query, property_of
from .sparql_patterns import patterns

FORWARD, BACKWARD = 1, -1
_TYPE = PREFIXES["rdf"] + "type"
# A statement lies between a thing and its value: its forms go the same way whatever is asked.
_STATEMENTS = tuple(PREFIXES[form] for form in ("p", "ps", "pq"))
_FAR = 1_000


def directions(query: Query) -> list[tuple[str, int]]:
    """(property, `FORWARD` or `BACKWARD`) of each pattern whose subject or object is nearer to something named: an entity, a
    literal; what is as near on both sides is left out, as are types and the forms of Wikidata's statements."""
    found = [
        p
        for p in patterns(query.tree)
        if p.predicate.kind != "variable"
        and p.predicate.value != _TYPE
        and not p.predicate.value.startswith(_STATEMENTS)
    ]
    ends = [((p.subject.kind, p.subject.value), (p.object.kind, p.object.value)) for p in found]
    far = {end: 0 for pair in ends for end in pair if end[0] != "variable"}
    for _ in ends:
        for one, other in ends:
            for near, next_to_it in ((one, other), (other, one)):
                if near in far:
                    far[next_to_it] = min(far.get(next_to_it, _FAR), far[near] + 1)
    return [
        (property_of(p.predicate.value), FORWARD if far.get(one, _FAR) < far.get(other, _FAR) else BACKWARD)
        for p, (one, other) in zip(found, ends, strict=True)
        if far.get(one, _FAR) != far.get(other, _FAR)
    ]


def signs(query: Query) -> dict[str, int]:
    """Property → the way that most of its patterns go, 0 where none or as many go each way."""
    sums: dict[str, int] = {}
    for iri, sign in directions(query):
        sums[iri] = sums.get(iri, 0) + sign
    return {iri: (total > 0) - (total < 0) for iri, total in sums.items()}
