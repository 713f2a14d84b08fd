"""The triple patterns of a query tree, one by one, with where they stand.

Sequence paths are taken apart with fresh variables and inverse steps turned round, so that a reader sees
subject, property and object wherever the query fixes them. Paths that match several lengths or several
properties stay whole: their ends are given, and the properties they name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ontoprompt.sparql_tree import XSD, BNode, CompValue, URIRef, Variable, field, walk


@dataclass(frozen=True, slots=True)
class Node:
    """An end or the property of a pattern; a blank node counts as a variable.

    `value`: the IRI, the variable's name or the literal's text; of a path nothing. `datatype` is that of
    a literal, language-tagged ones excepted.
    """

    kind: Literal["iri", "variable", "literal", "path"]
    value: str = ""
    datatype: str | None = None
    lang: str | None = None


@dataclass(frozen=True, slots=True)
class Pattern:
    """One triple pattern. `properties`: the IRIs its path names, or its property's.

    `scope` names the groups around it from the outside in; those of MINUS and NOT EXISTS are negative.
    """

    subject: Node
    predicate: Node
    object: Node
    properties: tuple[str, ...]
    scope: tuple[int, ...]


def patterns(tree: CompValue) -> tuple[Pattern, ...]:
    """All triple patterns of a query, in the order of its text, those of subqueries and filters included."""
    return tuple(_Collector().collect(tree, ()))


class _Collector:
    def __init__(self) -> None:
        self.count = 0

    def fresh(self) -> int:
        self.count += 1
        return self.count

    def collect(self, node: Any, scope: tuple[int, ...]) -> Iterator[Pattern]:
        if isinstance(node, (list, tuple)):
            for item in node:
                yield from self.collect(item, scope)
        elif isinstance(node, CompValue):
            if node.name == "TriplesBlock":
                for s, p, o in node["triples"]:
                    yield from self.triple(_node(s), p, _node(o), scope)
                return
            if node.name == "GroupGraphPatternSub":
                yield from self.collect(field(node, "part", []), scope)
                return
            for value in node.values():
                if node.name in ("MinusGraphPattern", "Builtin_NOTEXISTS"):
                    yield from self.collect(value, (*scope, -self.fresh()))
                elif node.name == "GroupOrUnionGraphPattern":
                    for branch in value:
                        inner = scope if len(value) == 1 else (*scope, self.fresh())
                        yield from self.collect(branch, inner)
                elif node.name in ("OptionalGraphPattern", "Builtin_EXISTS", "SubSelect"):
                    yield from self.collect(value, (*scope, self.fresh()))
                else:
                    yield from self.collect(value, scope)

    def triple(self, s: Node, path: Any, o: Node, scope: tuple[int, ...]) -> Iterator[Pattern]:
        if isinstance(path, CompValue) and path.name == "PathSequence":
            for part in path["part"][:-1]:
                middle = Node("variable", f" {self.fresh()}")
                yield from self.triple(s, part, middle, scope)
                s = middle
            yield from self.triple(s, path["part"][-1], o, scope)
        elif isinstance(path, CompValue) and path.name == "PathEltOrInverse":
            yield from self.triple(o, path["part"], s, scope)
        elif isinstance(path, CompValue):
            named = tuple(dict.fromkeys(str(n) for n in walk(path) if isinstance(n, URIRef)))
            yield Pattern(s, Node("path"), o, named, scope)
        else:
            predicate = _node(path)
            named = (predicate.value,) if predicate.kind == "iri" else ()
            yield Pattern(s, predicate, o, named, scope)


def _node(term: Any) -> Node:
    if isinstance(term, URIRef):
        return Node("iri", str(term))
    if isinstance(term, Variable):
        return Node("variable", str(term))
    if isinstance(term, BNode):
        return Node("variable", f" {term}")
    if "lang" in term:
        return Node("literal", term["string"], lang=term["lang"])
    return Node("literal", term["string"], str(term["datatype"]) if "datatype" in term else XSD + "string")
