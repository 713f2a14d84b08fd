"""A graph that can be asked → `Facts` about the vocabulary it uses.

Four steps, all with small queries, each with its own time limit, all within one budget: count the classes
and the properties in use (where counting takes too long, count a sample); read what the graph states about
those terms; then, most used properties first, look at some statements of each and at the classes of the
resources in them. What the budget does not reach is left unknown.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from ontoprompt.errors import GraphError, QueryTimeoutError
from ontoprompt.execution import Store, Value
from ontoprompt.statements import Progress
from ontoprompt.vocabulary import LABELS, LINKS, OWL, RDF, RDFS, TYPE, USAGE, Facts, is_built_in, is_nameable

# Seconds for one query; counting may take a larger part of the budget.
_QUERY_SECONDS = 10.0
_COUNT_SHARE = 0.25
_PAGE = 1000
# A graph with more terms than this has a vocabulary that no index over it would help with.
_MAX_TERMS = 20_000
_SAMPLE_ROWS = 10_000
# Statements looked at per property, from its beginning and from its middle.
_STATEMENTS = 60
_MAX_OFFSET = 5_000
_TERMS_PER_QUERY = 40
_RESOURCES_PER_QUERY = 100
# What a freshly installed Virtuoso says about itself.
_SYSTEM = ("http://www.openlinksw.com/", "http://www.w3.org/ns/ldp#", "http://www.w3.org/ns/sparql-service-")
_TERM_TYPES = {
    *(
        OWL + name
        for name in ("Class", "ObjectProperty", "DatatypeProperty", "AnnotationProperty", "Ontology")
    ),
    *(RDFS + name for name in ("Class", "Datatype")),
    RDF + "Property",
}

Row = tuple[Value | None, ...]


def survey(store: Store, time_budget: float, progress: Progress | None = None) -> Facts:
    """The facts about the vocabulary that a graph uses, within `time_budget` seconds.

    Raises GraphError when the graph cannot be asked, QueryTimeoutError when it does not answer in time.
    """
    asked = _Survey(store, time_budget, progress)
    facts = asked.facts
    asked.count(facts.classes, f"?s <{TYPE}> ?t")
    asked.count(facts.properties, "?s ?t ?o")
    terms = [iri for iri, _ in (facts.classes + facts.properties).most_common()]
    asked.describe(terms)
    asked.observe([iri for iri, _ in facts.properties.most_common()])
    return facts


class _Survey:
    """One survey: the store, what is left of the budget, and what is known so far."""

    def __init__(self, store: Store, time_budget: float, progress: Progress | None) -> None:
        self._store, self._progress = store, progress
        self._budget = time_budget
        self._deadline = time.monotonic() + time_budget
        self._types: dict[str, tuple[str, ...]] = {}
        self.facts = Facts()

    def _left(self) -> float:
        return self._deadline - time.monotonic()

    def _ask(self, text: str, seconds: float = _QUERY_SECONDS, rows: int = _SAMPLE_ROWS) -> tuple[Row, ...]:
        """The rows of a query. Raises QueryTimeoutError also when the budget is used up."""
        left = self._left()
        if left <= 0:
            raise QueryTimeoutError(f"{self._store.name} did not answer within {self._budget:g} seconds.")
        return self._store.query(text, timeout=min(seconds, left), max_rows=rows).rows

    def count(self, counts: Counter[str], pattern: str) -> None:
        """Count what `?t` stands for in a pattern, page by page; in a sample where that takes too long."""
        name = "count classes" if counts is self.facts.classes else "count properties"
        head = f"SELECT ?t (COUNT(*) AS ?n) WHERE {{ {pattern} }} GROUP BY ?t ORDER BY DESC(?n) ?t"
        offset = 0
        try:
            while offset < _MAX_TERMS:
                page = f"{head} LIMIT {_PAGE} OFFSET {offset}"
                rows = self._ask(page, max(_COUNT_SHARE * self._budget, 1.0), _PAGE)
                for term, number in rows:
                    if term is not None and number is not None and _is_term(term):
                        counts[term.value] = int(float(number.value))
                offset += len(rows)
                self._report(name, offset, None)
                # A server that caps its answers caps them at a round number.
                if not rows or (len(rows) < _PAGE and len(rows) % 100):
                    return
        except GraphError:
            if counts:
                return
            # Too large to count, or no aggregates: a sample of statements. If that fails too, it is no graph
            # that can be asked, and the error is the user's business.
            sample = self._ask(f"SELECT ?t WHERE {{ {pattern} }} LIMIT {_SAMPLE_ROWS}")
            counts.update(term.value for (term,) in sample if term is not None and _is_term(term))

    def describe(self, terms: Sequence[str]) -> None:
        """Read labels, kinds, hierarchy, domains, ranges and inverses of terms."""
        predicates = ", ".join(f"<{iri}>" for iri in (TYPE, *LINKS, *LABELS, USAGE))
        english = 'LANG(?o) = "" || LANGMATCHES(LANG(?o), "en")'
        done = 0
        for batch in _batches(terms, _TERMS_PER_QUERY):
            values = " ".join(f"<{iri}>" for iri in batch)
            text = (
                f"SELECT ?t ?p ?o WHERE {{ VALUES ?t {{ {values} }} ?t ?p ?o "
                f"FILTER(?p IN ({predicates})) FILTER(!ISLITERAL(?o) || {english}) }}"
            )
            try:
                rows = self._ask(text)
            except GraphError:
                # Descriptions are worth having, not worth failing for: names then come from the IRIs.
                return
            for term, predicate, value in rows:
                if term is not None and predicate is not None and value is not None:
                    self._state(term.value, predicate.value, value)
            done += len(batch)
            self._report("describe terms", done, len(terms))

    def _state(self, term: str, predicate: str, value: Value) -> None:
        if predicate in LABELS:
            if value.type == "literal":
                self.facts.names[term].append((LABELS[predicate], value.lang or "", value.value))
        elif value.type == ("literal" if predicate == USAGE else "uri"):
            self.facts.state(term, predicate, value.value)

    def observe(self, properties: Sequence[str]) -> None:
        """Look at some statements of each property and at the classes on both sides."""
        done = 0
        for batch in _batches(properties, 20):
            try:
                seen = {iri: self._statements(iri) for iri in batch}
                self._look_up(
                    value.value
                    for rows in seen.values()
                    for row in rows
                    for value in row
                    if value is not None and value.type == "uri" and is_nameable(value.value)
                )
            except GraphError:
                return
            for iri, rows in seen.items():
                self._take_in(iri, rows)
            done += len(batch)
            self._report("observe properties", done, len(properties))

    def _statements(self, iri: str) -> list[Row]:
        rows: list[Row] = []
        uses = self.facts.properties[iri]
        # The first statements of an index are often all of one kind; some from the middle even that out.
        for offset in (0, min(uses // 2, _MAX_OFFSET)) if uses > 4 * _STATEMENTS else (0,):
            text = f"SELECT ?s ?o WHERE {{ ?s <{iri}> ?o }} LIMIT {_STATEMENTS} OFFSET {offset}"
            rows.extend(self._ask(text, rows=_STATEMENTS))
        return rows

    def _look_up(self, resources: Iterable[str]) -> None:
        """Learn the classes of resources that have not been met before."""
        new = [iri for iri in dict.fromkeys(resources) if iri not in self._types]
        for batch in _batches(new, _RESOURCES_PER_QUERY):
            found: dict[str, set[str]] = {iri: set() for iri in batch}
            values = " ".join(f"<{iri}>" for iri in batch)
            for resource, cls in self._ask(
                f"SELECT ?x ?c WHERE {{ VALUES ?x {{ {values} }} ?x <{TYPE}> ?c }}"
            ):
                if resource is not None and cls is not None and cls.type == "uri":
                    found.setdefault(resource.value, set()).add(cls.value)
            self._types.update((iri, tuple(sorted(classes))) for iri, classes in found.items())

    def _take_in(self, iri: str, rows: Sequence[Row]) -> None:
        """Count what was seen of one property; forget the property if it only describes the vocabulary."""
        facts = self.facts
        about_terms = 0
        for subject, value in rows:
            if subject is None or value is None:
                continue
            classes = self._types.get(subject.value, ())
            about_terms += not _TERM_TYPES.isdisjoint(classes)
            if own := tuple(cls for cls in classes if not is_built_in(cls)):
                facts.subjects[iri][own] += 1
            if value.type == "literal":
                facts.literals[iri] += 1
                datatype = RDF + "langString" if value.lang else value.datatype
                facts.objects[iri][(datatype or "http://www.w3.org/2001/XMLSchema#string",)] += 1
            else:
                facts.resources[iri] += 1
                if theirs := tuple(cls for cls in self._types.get(value.value, ()) if not is_built_in(cls)):
                    facts.objects[iri][theirs] += 1
        if rows and about_terms == len(rows):
            del facts.properties[iri]
            facts.types.pop(iri, None)
            for by_term in facts.links.values():
                by_term.pop(iri, None)

    def _report(self, stage: str, done: int, total: int | None) -> None:
        if self._progress is not None:
            self._progress(stage, done, total)


def _is_term(value: Value) -> bool:
    iri = value.value
    return value.type == "uri" and is_nameable(iri) and not is_built_in(iri) and not iri.startswith(_SYSTEM)


def _batches(items: Sequence[str], size: int) -> Iterator[list[str]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
