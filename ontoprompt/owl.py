"""OWL class expressions → plain facts about named classes and properties, by way of owlready2.

`Term` knows named classes only. What anonymous ones say is brought down to those:

- a union or an intersection in a domain or range counts as its named members, nested ones included; a data
  range as its datatype; complements and enumerations of individuals name no class and count as nothing;
- a class that is, or is equivalent to, an intersection gets its named members as parents; a class that is
  equivalent to a union becomes a parent of its named members;
- a restriction on a class shows that the class has the property: it implies domain and range, which hold
  where none is stated;
- a property chain implies the domain of its first and the range of its last property.

Only axioms with anonymous parts reach owlready2. Named hierarchies are read from the statements themselves:
owlready2 would make Python classes of them, and it repairs what it takes for mistakes.
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from ontoprompt.vocabulary import (
    CHAIN,
    DOMAIN,
    OWL,
    RANGE,
    RDF,
    RDFS,
    SAME_CLASS,
    SUB_CLASS,
    TYPE,
    XSD,
    Facts,
    is_built_in,
    is_literal_range,
)

# Subject, predicate IRI, object; subject and object in N-Triples notation.
Triple = tuple[str, str, str]

_PROPERTY_TYPES = (OWL + "ObjectProperty", OWL + "DatatypeProperty")
_FIRST, _REST = RDF + "first", RDF + "rest"
_UNION, _INTERSECTION, _ONE_OF = OWL + "unionOf", OWL + "intersectionOf", OWL + "oneOf"
_ON_PROPERTY = OWL + "onProperty"
_FILLERS = {OWL + "someValuesFrom", OWL + "allValuesFrom", OWL + "onClass", OWL + "onDataRange"}
_COUNTS = {
    OWL + name
    for name in (
        "cardinality",
        "minCardinality",
        "maxCardinality",
        "qualifiedCardinality",
        "minQualifiedCardinality",
        "maxQualifiedCardinality",
    )
}
# The axioms through which an anonymous class says something about a named one.
_ENTRIES = {DOMAIN, RANGE, SUB_CLASS, SAME_CLASS}
_COUNT = re.compile(r'"\d{1,9}"')
# Deeper nesting is no definition that anybody wrote.
_MAX_DEPTH = 30
_MAX_MEMBERS = 10_000
_NIL = f"<{RDF}nil>"
# What stands for a data range where owlready2 reads: it does not know all datatypes.
_ANY_DATA = f"<{XSD}string>"


def add_expressions(facts: Facts) -> None:
    """Bring what class expressions say into `facts.links` and `facts.implied`; `facts.axioms` is used up."""
    if not facts.axioms:
        return
    _add_chains(facts)
    world = _world(_Expressions(facts).triples())
    for prop in [*world.object_properties(), *world.data_properties()]:
        for side, constructs in ((DOMAIN, prop.domain), (RANGE, prop.range)):
            for construct in constructs:
                _add(facts.links[side], prop.iri, _names(construct))
    for cls in world.classes():
        for construct in cls.is_a:
            _add_class(facts, cls.iri, construct, equivalent=False)
        for construct in cls.equivalent_to:
            _add_class(facts, cls.iri, construct, equivalent=True)
    facts.axioms.clear()


class _Expressions:
    """The axioms with anonymous parts, as far as these are whole, and declarations for what they name.

    owlready2 loops on a cyclic list and fails on a restriction without a property, so those never reach it. A
    class of an import that is not at hand is declared nowhere, and owlready2 drops what it does not know, so
    everything named here is declared, with one kind each.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._about: dict[str, list[tuple[str, str]]] = defaultdict(list)
        # Used as ordered sets.
        self._kept: dict[tuple[str, str, str], None] = {}
        for subject, predicate, value in facts.axioms:
            self._about[subject].append((predicate, value))
        for subject, predicate, value in facts.axioms:
            if subject.startswith("_:"):
                continue
            if predicate in _ENTRIES and value.startswith("_:"):
                self._enter(subject, predicate, value)
            elif predicate in (_UNION, _INTERSECTION) and value.startswith("_:"):
                # A named class defined by a list directly.
                node = f"_:direct{len(self._kept)}"
                self._about[node].append((predicate, value))
                self._enter(subject, SAME_CLASS, node)

    def triples(self) -> list[Triple]:
        """What owlready2 has to read."""
        return list(self._kept)

    def _enter(self, subject: str, predicate: str, node: str) -> None:
        if predicate == RANGE and (datatypes := self._datatypes(node)) is not None:
            _add(self._facts.links[RANGE], subject[1:-1], datatypes)
            return
        found = self._expression(node, ())
        if found is not None:
            declared = self._property(subject) if predicate in (DOMAIN, RANGE) else _class(subject)
            self._kept.update(dict.fromkeys([*declared, (subject, predicate, node), *found]))

    def _expression(self, node: str, path: tuple[str, ...]) -> list[Triple] | None:
        """The triples of a class expression; None when it is not whole."""
        if not node.startswith("_:"):
            return _class(node) if node.startswith("<") else None
        if node in path or len(path) > _MAX_DEPTH:
            return None
        path, said = (*path, node), self._said(node)
        if _ON_PROPERTY in said:
            return self._restriction(node, path)
        parts: list[Triple] | None = None
        for predicate in (_UNION, _INTERSECTION, _ONE_OF):
            if predicate in said:
                parts = self._members(said[predicate], predicate == _ONE_OF, path)
        if OWL + "complementOf" in said:
            parts = self._expression(said[OWL + "complementOf"], path)
        return None if parts is None else [(node, *pair) for pair in said.items()] + parts

    def _restriction(self, node: str, path: tuple[str, ...]) -> list[Triple] | None:
        said = self._said(node)
        prop = said[_ON_PROPERTY]
        counts = [value for predicate, value in said.items() if predicate in _COUNTS]
        value = said.get(OWL + "hasValue", "")
        fillers = {predicate: value for predicate, value in said.items() if predicate in _FILLERS}
        if not (fillers or counts or value) or not all(_COUNT.match(count) for count in counts):
            return None
        if not prop.startswith("<"):
            return None
        parts = self._property(prop)
        if value.startswith("<"):
            parts.append((value, TYPE, f"<{OWL}NamedIndividual>"))
        for predicate, filler in fillers.items():
            if (datatypes := self._datatypes(filler)) is not None:
                self._facts.implied[RANGE][prop[1:-1]].update(dict.fromkeys(datatypes))
                said[predicate] = _ANY_DATA
            elif (found := self._expression(filler, path)) is not None:
                parts += found
            else:
                return None
        return [(node, *pair) for pair in said.items()] + parts

    def _members(self, head: str, values: bool, path: tuple[str, ...]) -> list[Triple] | None:
        """The triples of a list: of class expressions, or of individuals (`values`)."""
        cells = list_cells(self._about, head)
        if not cells:
            return None
        parts: list[Triple] = []
        for cell, member, rest in cells:
            parts += [(cell, _FIRST, member), (cell, _REST, rest)]
            if values and member.startswith("<"):
                parts.append((member, TYPE, f"<{OWL}NamedIndividual>"))
                continue
            found = self._expression(member, path)
            if found is None:
                return None
            parts += found
        return parts

    def _datatypes(self, node: str, depth: int = 0) -> list[str] | None:
        """The datatypes that a data range comes down to; None when it is no data range."""
        if node.startswith("<"):
            iri = node[1:-1]
            known = is_literal_range(iri) or RDFS + "Datatype" in self._facts.types.get(iri, ())
            return [iri] if known else None
        if node.startswith('"'):
            _, separator, datatype = node.rpartition("^^<")
            in_language = node[node.rindex('"') + 1 :].startswith("@")
            return [datatype[:-1] if separator else RDF + "langString" if in_language else XSD + "string"]
        if depth > _MAX_DEPTH:
            return None
        said = self._said(node)
        if OWL + "datatypeComplementOf" in said:
            return []
        if OWL + "onDatatype" in said:
            return self._datatypes(said[OWL + "onDatatype"], depth + 1)
        head = said.get(_UNION) or said.get(_INTERSECTION) or said.get(_ONE_OF)
        cells = list_cells(self._about, head) if head else None
        found = [self._datatypes(member, depth + 1) for _, member, _ in cells or ()]
        if not found or any(each is None for each in found):
            return None
        return [iri for each in found for iri in each or ()]

    def _said(self, node: str) -> dict[str, str]:
        return dict(self._about.get(node, ()))

    def _property(self, node: str) -> list[Triple]:
        """One kind per property; without a declaration it is taken for an object property."""
        own = self._facts.types.get(node[1:-1], set())
        kind = next((kind for kind in _PROPERTY_TYPES if kind in own), _PROPERTY_TYPES[0])
        return [(node, TYPE, f"<{kind}>")]


def _class(node: str) -> list[Triple]:
    return [] if is_built_in(node[1:-1]) else [(node, TYPE, f"<{OWL}Class>")]


def _world(axioms: list[Triple]) -> Any:
    import owlready2

    lines = "".join(f"{subject} <{predicate}> {value} .\n" for subject, predicate, value in axioms)
    world = owlready2.World()
    ontology = world.get_ontology("urn:ontoprompt:axioms#")
    # `only_local` keeps owlready2 from fetching; `owl:imports` is never among the axioms either.
    ontology.load(fileobj=io.BytesIO(lines.encode("utf-8")), only_local=True)
    return world


def list_cells(about: Mapping[str, list[tuple[str, str]]], head: str) -> list[Triple] | None:
    """Cell, member and next cell of an RDF list; None when it is broken, cyclic or endless."""
    cells: dict[str, Triple] = {}
    while head != _NIL:
        said = dict(about.get(head, ()))
        if head in cells or len(cells) > _MAX_MEMBERS or not {_FIRST, _REST} <= said.keys():
            return None
        cells[head] = (head, said[_FIRST], said[_REST])
        head = said[_REST]
    return list(cells.values())


def _names(construct: Any) -> list[str]:
    """The named classes that an expression in a domain, a range or a restriction comes down to."""
    import owlready2

    if isinstance(construct, (owlready2.And, owlready2.Or)):
        return [name for member in construct.Classes for name in _names(member)]
    if isinstance(construct, owlready2.ThingClass):
        return [] if is_built_in(construct.iri) else [construct.iri]
    return []


def _add_class(facts: Facts, iri: str, construct: Any, *, equivalent: bool) -> None:
    """What one superclass or equivalent of a class says."""
    import owlready2

    if isinstance(construct, owlready2.And):
        for member in construct.Classes:
            if isinstance(member, owlready2.ThingClass):
                _add(facts.links[SUB_CLASS], iri, _names(member))
            else:
                _add_class(facts, iri, member, equivalent=False)
    elif isinstance(construct, owlready2.Or):
        if equivalent:
            for member in construct.Classes:
                if isinstance(member, owlready2.ThingClass):
                    _add(facts.links[SUB_CLASS], member.iri, [iri])
    elif isinstance(construct, owlready2.Restriction):
        prop = construct.property
        forbids = construct.type in (owlready2.MAX, owlready2.EXACTLY) and construct.cardinality == 0
        if isinstance(prop, owlready2.PropertyClass) and not forbids:
            facts.implied[DOMAIN][prop.iri][iri] = None
            if construct.type != owlready2.VALUE and construct.value is not None:
                facts.implied[RANGE][prop.iri].update(dict.fromkeys(_names(construct.value)))


def _add_chains(facts: Facts) -> None:
    """Domain and range that a chain of properties gives to its super-property."""
    about: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for subject, predicate, value in facts.axioms:
        about[subject].append((predicate, value))
    for subject, predicate, head in facts.axioms:
        cells = list_cells(about, head) if predicate == CHAIN else None
        if cells:
            first, last = cells[0][1][1:-1], cells[-1][1][1:-1]
            facts.implied[DOMAIN][subject[1:-1]].update(dict.fromkeys(facts.links[DOMAIN].get(first, ())))
            facts.implied[RANGE][subject[1:-1]].update(dict.fromkeys(facts.links[RANGE].get(last, ())))


def _add(known: dict[str, list[str]], iri: str, values: list[str]) -> None:
    known.setdefault(iri, [])
    known[iri].extend(value for value in dict.fromkeys(values) if value not in known[iri])
