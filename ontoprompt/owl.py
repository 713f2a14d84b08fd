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

import datetime
import io
from typing import Any

from ontoprompt.vocabulary import (
    CHAIN,
    DOMAIN,
    OWL,
    RANGE,
    RDF,
    SAME_CLASS,
    SUB_CLASS,
    TYPE,
    XSD,
    Facts,
    is_built_in,
)

_PROPERTY_TYPES = (OWL + "ObjectProperty", OWL + "DatatypeProperty")
# The axioms through which an anonymous class says something about a named one.
_ENTRIES = {DOMAIN, RANGE, SUB_CLASS, SAME_CLASS, OWL + "unionOf", OWL + "intersectionOf"}
_CLASS_FILLERS = {OWL + "someValuesFrom", OWL + "allValuesFrom", OWL + "onClass", OWL + "complementOf"}
_MEMBER_LISTS = {OWL + "unionOf", OWL + "intersectionOf"}
_NIL = f"<{RDF}nil>"
# owlready2 gives the common datatypes as Python types.
_DATATYPES = {
    bool: XSD + "boolean",
    int: XSD + "integer",
    float: XSD + "decimal",
    str: XSD + "string",
    datetime.datetime: XSD + "dateTime",
    datetime.date: XSD + "date",
    datetime.time: XSD + "time",
}


def add_expressions(facts: Facts) -> None:
    """Bring what class expressions say into `facts.links` and `facts.implied`; `facts.axioms` is used up."""
    axioms = facts.axioms
    if not axioms:
        return
    _add_chains(facts)
    world = _world(_needed(axioms, facts))
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


def _needed(axioms: list[tuple[str, str, str]], facts: Facts) -> list[tuple[str, str, str]]:
    """The axioms with anonymous parts, and a declaration for every named thing in them.

    A class of an import that is not at hand is declared nowhere, and owlready2 drops what it does not know.
    """
    kept: list[tuple[str, str, str]] = []
    first: dict[str, str] = {}
    rest: dict[str, str] = {}
    member_heads: list[str] = []
    classes: set[str] = set()
    properties: dict[str, str] = {}
    for subject, predicate, value in axioms:
        anonymous = subject.startswith("_:")
        if predicate == RDF + "first":
            first[subject] = value
        elif predicate == RDF + "rest":
            rest[subject] = value
        elif predicate in _MEMBER_LISTS:
            member_heads.append(value)
        if anonymous or (predicate in _ENTRIES and value.startswith("_:")):
            kept.append((subject, predicate, value))
            if not anonymous:
                if predicate in (DOMAIN, RANGE):
                    properties[subject] = _property_type(subject, facts)
                else:
                    classes.add(subject)
            if predicate in _CLASS_FILLERS or (predicate in (SUB_CLASS, SAME_CLASS)):
                classes.add(value)
            elif predicate == OWL + "onProperty":
                properties[value] = _property_type(value, facts)
    for head in member_heads:
        seen = set()
        while head in first and head not in seen:
            seen.add(head)
            classes.add(first[head])
            head = rest.get(head, _NIL)
    for iri in classes:
        if iri.startswith("<") and not is_built_in(iri[1:-1]):
            kept.append((iri, TYPE, f"<{OWL}Class>"))
    kept.extend((iri, TYPE, f"<{kind}>") for iri, kind in properties.items() if iri.startswith("<"))
    return kept


def _property_type(node: str, facts: Facts) -> str:
    """One kind per property; without a declaration it is taken for an object property."""
    own = facts.types.get(node[1:-1], set())
    return next((kind for kind in _PROPERTY_TYPES if kind in own), _PROPERTY_TYPES[0])


def _world(axioms: list[tuple[str, str, str]]) -> Any:
    import owlready2

    lines = "".join(f"{subject} <{predicate}> {value} .\n" for subject, predicate, value in axioms)
    world = owlready2.World()
    ontology = world.get_ontology("urn:ontoprompt:axioms#")
    # `only_local` keeps owlready2 from fetching; `owl:imports` is never among the axioms either.
    ontology.load(fileobj=io.BytesIO(lines.encode("utf-8")), only_local=True)
    return world


def _names(construct: Any) -> list[str]:
    """The named classes, or the datatypes, that an expression in a domain or range comes down to."""
    import owlready2

    if isinstance(construct, (owlready2.And, owlready2.Or)):
        return [name for member in construct.Classes for name in _names(member)]
    if isinstance(construct, owlready2.ConstrainedDatatype):
        return _names(construct.base_datatype)
    if isinstance(construct, owlready2.OneOf):
        values = [value for value in construct.instances if type(value) in _DATATYPES]
        return [_DATATYPES[type(value)] for value in values]
    if isinstance(construct, type) and construct in _DATATYPES:
        return [_DATATYPES[construct]]
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
            _add(facts.implied[DOMAIN], prop.iri, [iri])
            if construct.type != owlready2.VALUE and construct.value is not None:
                _add(facts.implied[RANGE], prop.iri, _names(construct.value))


def _add_chains(facts: Facts) -> None:
    """Domain and range that a chain of properties gives to its super-property."""
    first = {subject: value for subject, predicate, value in facts.axioms if predicate == RDF + "first"}
    rest = {subject: value for subject, predicate, value in facts.axioms if predicate == RDF + "rest"}
    for subject, predicate, head in facts.axioms:
        if predicate != CHAIN:
            continue
        links: list[str] = []
        while head in first and len(links) < 100:
            links.append(first[head][1:-1])
            head = rest.get(head, _NIL)
        if links:
            _add(facts.implied[DOMAIN], subject[1:-1], facts.links[DOMAIN].get(links[0], []))
            _add(facts.implied[RANGE], subject[1:-1], facts.links[RANGE].get(links[-1], []))


def _add(known: dict[str, list[str]], iri: str, values: list[str]) -> None:
    known.setdefault(iri, [])
    known[iri].extend(value for value in dict.fromkeys(values) if value not in known[iri])
