"""Statements → `Facts`: what a graph says about its vocabulary, and how its data uses it.

Two passes over the files, in memory that grows with the number of typed resources (about 120 bytes each) and
not with the number of statements. The first collects declarations and the classes of every resource, the
second labels of terms, usage, and which classes stand on both sides of each property: it has to know the
classes of a resource before it meets its uses.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ontoprompt.statements import Progress, RdfFile, read_statements

if TYPE_CHECKING:
    from ontoprompt.statements import Statement

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
OWL = "http://www.w3.org/2002/07/owl#"
XSD = "http://www.w3.org/2001/XMLSchema#"
SKOS = "http://www.w3.org/2004/02/skos/core#"
DCT = "http://purl.org/dc/terms/"
# How a vocabulary file states how often its graph uses a term.
USAGE = "https://ontoprompt.org/ns#usage"
TYPE = RDF + "type"
BUILT_IN = (RDF, RDFS, OWL, XSD, "https://ontoprompt.org/ns#")

SUB_CLASS, SUB_PROPERTY = RDFS + "subClassOf", RDFS + "subPropertyOf"
DOMAIN, RANGE = RDFS + "domain", RDFS + "range"
INVERSE = OWL + "inverseOf"
SAME_CLASS, SAME_PROPERTY = OWL + "equivalentClass", OWL + "equivalentProperty"
CHAIN = OWL + "propertyChainAxiom"
# Predicates of other vocabularies that say the same.
LINKS = {
    **{iri: iri for iri in (SUB_CLASS, SUB_PROPERTY, DOMAIN, RANGE, INVERSE, SAME_CLASS, SAME_PROPERTY)},
    "http://schema.org/domainIncludes": DOMAIN,
    "http://schema.org/rangeIncludes": RANGE,
    "https://schema.org/domainIncludes": DOMAIN,
    "https://schema.org/rangeIncludes": RANGE,
}
# Label predicate -> rank; the lowest that a term has in the best language gives its label.
LABELS = {
    RDFS + "label": 0,
    SKOS + "prefLabel": 1,
    DCT + "title": 2,
    "http://purl.org/dc/elements/1.1/title": 2,
    "http://schema.org/name": 3,
    "https://schema.org/name": 3,
    SKOS + "altLabel": 9,
}
ALIAS_RANK = 9
# Of OWL's own predicates, those that say nothing about what a term is.
_NOT_SCHEMA = {
    OWL + "sameAs",
    OWL + "differentFrom",
    OWL + "imports",
    OWL + "versionInfo",
    OWL + "versionIRI",
}
_LITERAL_RANGES = {RDFS + "Literal", RDF + "langString", RDF + "HTML", RDF + "XMLLiteral"}
_NAMEABLE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>\"{}|^`\\]*")
_LIST = (RDF + "first", RDF + "rest")

TypeSet = tuple[str, ...]


@dataclass(slots=True)
class Facts:
    """What is known of a vocabulary, keyed by IRI.

    `types`: built-in types (owl:Class, ...) that a term is declared to have. `links`: LINKS predicate -> term
    -> IRIs. `implied`: the same in ordered sets, from restrictions and chains; weaker than what is stated.
    `names`: (rank, language, text). `subjects` and `objects`: property -> classes (or the datatype) of a
    resource on that side -> how often. `axioms`: (subject, predicate, object), subject and object in
    N-Triples notation, only when the source holds class expressions.
    """

    types: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    links: dict[str, dict[str, list[str]]] = field(
        default_factory=lambda: {iri: defaultdict(list) for iri in LINKS.values()}
    )
    implied: dict[str, dict[str, dict[str, None]]] = field(
        default_factory=lambda: {iri: defaultdict(dict) for iri in (DOMAIN, RANGE)}
    )
    names: dict[str, list[tuple[int, str, str]]] = field(default_factory=lambda: defaultdict(list))
    stated_usage: Counter[str] = field(default_factory=Counter)
    deprecated: set[str] = field(default_factory=set)
    classes: Counter[str] = field(default_factory=Counter)
    properties: Counter[str] = field(default_factory=Counter)
    subjects: dict[str, Counter[TypeSet]] = field(default_factory=lambda: defaultdict(Counter))
    objects: dict[str, Counter[TypeSet]] = field(default_factory=lambda: defaultdict(Counter))
    literals: Counter[str] = field(default_factory=Counter)
    resources: Counter[str] = field(default_factory=Counter)
    axioms: list[tuple[str, str, str]] = field(default_factory=list)
    prefixes: dict[str, str] = field(default_factory=dict)

    def state(self, subject: str, predicate: str, value: str) -> None:
        """Take in one statement about a term whose object is an IRI or the text of a literal."""
        if predicate == TYPE:
            if is_built_in(value):
                self.types[subject].add(value)
            if value.startswith(OWL + "Deprecated"):
                self.deprecated.add(subject)
        elif predicate == USAGE:
            self.stated_usage[subject] += int(value) if value.isdecimal() else 0
        elif predicate == OWL + "deprecated":
            if value in ("true", "1"):
                self.deprecated.add(subject)
        elif value not in self.links[LINKS[predicate]][subject]:
            self.links[LINKS[predicate]][subject].append(value)


def is_built_in(iri: str) -> bool:
    """Whether an IRI belongs to RDF, RDFS, OWL or XSD themselves: never a term of a vocabulary."""
    return iri.startswith(BUILT_IN)


def is_nameable(iri: str) -> bool:
    """Whether a query can and may name an IRI: it is absolute, without what would need escaping, no code."""
    return _NAMEABLE.fullmatch(iri) is not None and not iri.lower().startswith(("bif:", "sql:", "java:"))


def is_literal_range(iri: str) -> bool:
    """Whether an IRI in a range names a datatype; DBpedia has its own, for units."""
    return iri.startswith(XSD) or iri in _LITERAL_RANGES or "/datatype/" in iri


class _TypeSets:
    """Which classes each resource has, as a number per distinct set of classes."""

    def __init__(self) -> None:
        self.sets: list[TypeSet] = [()]
        self._ids: dict[TypeSet, int] = {(): 0}
        self._grown: dict[tuple[int, str], int] = {}
        # Keyed by hash: the IRIs of all resources would not fit, and one collision in 10^7 changes no count
        # that anybody would notice.
        self.of: dict[int, int] = {}

    def grow(self, number: int, cls: str) -> int:
        """The set that `number` stands for, with one more class."""
        key = (number, cls)
        if key not in self._grown:
            bigger = tuple(sorted({*self.sets[number], cls}))
            if bigger not in self._ids:
                self._ids[bigger] = len(self.sets)
                self.sets.append(bigger)
            self._grown[key] = self._ids[bigger]
        return self._grown[key]

    def add(self, resource: str, cls: str) -> None:
        key = hash(resource)
        self.of[key] = self.grow(self.of.get(key, 0), cls)


def gather(files: Sequence[RdfFile], progress: Progress | None = None) -> Facts:
    """The facts of some RDF files taken as one graph. Raises SourceError as `read_statements` does."""
    facts, type_sets = Facts(), _TypeSets()
    total = 2 * sum(file.size for file in files)
    done = 0
    for scan in (_scan_declarations, _scan_usage):
        for file in files:
            statements = read_statements(file, _ticker(progress, done, total), facts.prefixes)
            scan(statements, facts, type_sets)
            done += file.size
            if progress is not None:
                progress("read", done, total)
    return facts


def _ticker(progress: Progress | None, before: int, total: int) -> Callable[[int], None] | None:
    """Turns bytes of one file into progress over all of them."""
    if progress is None:
        return None
    report = progress
    return lambda read: report("read", before + read, total)


def _scan_declarations(statements: Iterable[Statement], facts: Facts, type_sets: _TypeSets) -> None:
    import pyoxigraph

    named_node, blank_node, literal_type = pyoxigraph.NamedNode, pyoxigraph.BlankNode, pyoxigraph.Literal
    axioms: list[tuple[str, str, str]] = []
    expressions = False
    role_of: dict[str, int] = {}
    for subject, predicate, value in statements:
        role = role_of.get(predicate)
        if role is None:
            role = role_of[predicate] = _role(predicate)
        if role == _DATA:
            facts.properties[predicate] += 1
            continue
        if role == _IGNORED:
            continue
        named = not isinstance(subject, blank_node)
        if role == _TYPES and isinstance(value, named_node) and not is_built_in(value.value):
            facts.classes[value.value] += 1
            if named:
                type_sets.add(subject.value, value.value)
            continue
        # From here on a statement of RDFS or OWL about the vocabulary.
        if named and role != _AXIOM and isinstance(value, literal_type if role == _ATTRIBUTE else named_node):
            facts.state(subject.value, predicate, value.value)
        axioms.append((str(subject), predicate, str(value)))
        expressions = expressions or isinstance(value, blank_node)
    if expressions:
        facts.axioms.extend(axioms)


_DATA, _TYPES, _LINK, _ATTRIBUTE, _AXIOM, _IGNORED = range(6)


def _role(predicate: str) -> int:
    """What statements with a predicate tell about a vocabulary."""
    if predicate == TYPE:
        return _TYPES
    if predicate in LINKS:
        return _LINK
    if predicate in (USAGE, OWL + "deprecated"):
        return _ATTRIBUTE
    if predicate in _LIST or (predicate.startswith(OWL) and predicate not in _NOT_SCHEMA):
        return _AXIOM
    return _IGNORED if is_built_in(predicate) else _DATA


def _scan_usage(statements: Iterable[Statement], facts: Facts, type_sets: _TypeSets) -> None:
    import pyoxigraph

    blank_node, literal_type = pyoxigraph.BlankNode, pyoxigraph.Literal
    declared = _declared(facts)
    named_terms = declared | facts.classes.keys() | facts.properties.keys()
    about_terms: Counter[str] = Counter()
    blanks = _Blanks(type_sets)
    subjects: dict[str, Counter[int]] = defaultdict(Counter)
    objects: dict[str, Counter[int]] = defaultdict(Counter)
    type_of = type_sets.of
    for subject, predicate, value in statements:
        if predicate in LABELS and isinstance(value, literal_type) and subject.value in named_terms:
            facts.names[subject.value].append((LABELS[predicate], value.language or "", value.value))
        if predicate not in facts.properties:
            if predicate == TYPE and isinstance(subject, blank_node):
                blanks.add_type(subject.value, value.value)
            elif predicate == TYPE and OWL + "Ontology" in facts.types.get(subject.value, ()):
                facts.classes[value.value] -= value.value in facts.classes
            continue
        if isinstance(subject, blank_node):
            blanks.subjects[subject.value, predicate] += 1
        else:
            about_terms[predicate] += subject.value in declared
            if number := type_of.get(hash(subject.value)):
                subjects[predicate][number] += 1
        if isinstance(value, literal_type):
            facts.literals[predicate] += 1
            facts.objects[predicate][(value.datatype.value,)] += 1
            continue
        facts.resources[predicate] += 1
        if isinstance(value, blank_node):
            blanks.objects[value.value, predicate] += 1
        elif number := type_of.get(hash(value.value)):
            objects[predicate][number] += 1
    about_terms += blanks.resolve(subjects, objects)
    for counted, kept in ((subjects, facts.subjects), (objects, facts.objects)):
        for predicate, numbers in counted.items():
            for number, times in numbers.items():
                kept[predicate][type_sets.sets[number]] += times
    facts.classes += Counter()  # drops what is left at 0
    _drop_annotations(facts, about_terms)


class _Blanks:
    """Blank nodes of one file: their classes are known only at its end, and their names only within it."""

    def __init__(self, type_sets: _TypeSets) -> None:
        self._type_sets = type_sets
        self._types: dict[str, int] = {}
        self._annotations: set[str] = set()
        self.subjects: Counter[tuple[str, str]] = Counter()
        self.objects: Counter[tuple[str, str]] = Counter()

    def add_type(self, node: str, cls: str) -> None:
        if cls in (OWL + "Axiom", OWL + "Annotation"):
            self._annotations.add(node)
        elif not is_built_in(cls):
            self._types[node] = self._type_sets.grow(self._types.get(node, 0), cls)

    def resolve(self, subjects: dict[str, Counter[int]], objects: dict[str, Counter[int]]) -> Counter[str]:
        """Add what was counted to the named resources' counts; return the uses that annotate axioms."""
        about_terms: Counter[str] = Counter()
        for (node, predicate), times in self.subjects.items():
            if node in self._annotations:
                about_terms[predicate] += times
            elif number := self._types.get(node):
                subjects[predicate][number] += times
        for (node, predicate), times in self.objects.items():
            if number := self._types.get(node):
                objects[predicate][number] += times
        return about_terms


def _declared(facts: Facts) -> set[str]:
    """Subjects that are part of the vocabulary, or its header, and not data."""
    data_types = {OWL + "NamedIndividual", OWL + "Thing", RDFS + "Resource"}
    declared = {iri for iri, types in facts.types.items() if types - data_types}
    for by_term in facts.links.values():
        declared.update(by_term)
    return declared


def _drop_annotations(facts: Facts, about_terms: Counter[str]) -> None:
    """Take uses of a property that only describes terms out of the counts of data."""
    for predicate, times in about_terms.items():
        own = facts.types.get(predicate, set())
        if own & {OWL + "ObjectProperty", OWL + "DatatypeProperty"}:
            continue
        facts.properties[predicate] -= times
        if facts.properties[predicate] <= 0:
            del facts.properties[predicate]
