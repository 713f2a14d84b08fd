"""A graph, in files or in a store → staged rows: what it says about names, types and links of its resources.

Rows are staged in temporary tables of the database that becomes the index, so memory does not grow with the
graph.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ontoprompt.errors import GraphError, QueryTimeoutError
from ontoprompt.execution import Store, Value

Progress = Callable[[str, int, int | None], None]
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_RDFS = "http://www.w3.org/2000/01/rdf-schema#"
_OWL = "http://www.w3.org/2002/07/owl#"
_SKOS = "http://www.w3.org/2004/02/skos/core#"
_TYPE = _RDF + "type"
# Property → rank: the label of the lowest rank is the one shown, from ALIAS on a name is an alias.
LABELS = {
    _RDFS + "label": 0,
    _SKOS + "prefLabel": 1,
    "http://schema.org/name": 2,
    "https://schema.org/name": 2,
    "http://xmlns.com/foaf/0.1/name": 3,
    "http://purl.org/dc/terms/title": 4,
    "http://purl.org/dc/elements/1.1/title": 4,
    _SKOS + "altLabel": 5,
    "http://schema.org/alternateName": 5,
    "https://schema.org/alternateName": 5,
    "http://xmlns.com/foaf/0.1/nick": 5,
    "http://dbpedia.org/ontology/alias": 5,
}
ALIAS = 5
_VOCABULARY_TYPES = frozenset(
    [_RDFS + "Class", _RDFS + "Datatype", _RDF + "Property", _OWL + "DeprecatedClass", _OWL + "Class"]
    + [_OWL + "Restriction", _OWL + "Ontology", _OWL + "AllDisjointClasses", _OWL + "AllDifferent"]
    + [
        f"{_OWL}{kind}Property"
        for kind in ("Object", "Datatype", "Annotation", "Functional", "InverseFunctional", "Transitive")
    ]
    + [
        f"{_OWL}{kind}Property"
        for kind in ("Symmetric", "Asymmetric", "Reflexive", "Irreflexive", "Ontology", "Deprecated")
    ]
)
# Both ends of these are vocabulary.
_VOCABULARY_LINKS = frozenset(
    [_RDFS + "subClassOf", _RDFS + "subPropertyOf", _RDFS + "domain", _RDFS + "range"]
    + [_OWL + name for name in ("equivalentClass", "equivalentProperty", "inverseOf", "disjointWith")]
)
# What these point at are pages, pictures and copies elsewhere: nothing a question names.
_POINTERS = frozenset(
    [
        _OWL + "sameAs",
        _OWL + "imports",
        _RDFS + "seeAlso",
        _RDFS + "isDefinedBy",
        "http://www.w3.org/ns/prov#wasDerivedFrom",
        "http://purl.org/dc/terms/license",
        "http://purl.org/dc/terms/source",
        "http://dbpedia.org/ontology/thumbnail",
        "http://dbpedia.org/ontology/wikiPageExternalLink",
        *(
            f"http://xmlns.com/foaf/0.1/{name}"
            for name in ("homepage", "depiction", "page", "isPrimaryTopicOf", "primaryTopic", "thumbnail")
        ),
    ]
)
STAGING = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA temp_store = FILE;
PRAGMA cache_size = -65536;
CREATE TEMP TABLE seen (iri TEXT, uses INTEGER);
CREATE TEMP TABLE said (iri TEXT, rank INTEGER, name TEXT);
CREATE TEMP TABLE typed (iri TEXT, class TEXT);
CREATE TEMP TABLE terms (iri TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_FLUSH = 200_000
_ENGLISH = ("", "en")
_PAGE = 10_000  # rows; public endpoints give no more at once
_MAX_ROWS = 2_000_000
_PAGE_SECONDS = 60.0
# What of the time for a store may be gone when its vocabulary, the names, and the types have been asked for:
# what comes first in a large graph must not take it all.
_VOCABULARY_SHARE, _NAMES_SHARE, _TYPES_SHARE = 0.2, 0.7, 0.9


class Stage:
    """Takes triples and keeps what they say in the staging tables."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._uses: Counter[str] = Counter()
        self._names: list[tuple[str, int, str]] = []
        self._types: list[tuple[str, str]] = []
        self._terms: set[str] = set()
        self._held = 0  # statements since the last flush
        self.named = False

    def link(self, subject: str | None, predicate: str, target: str | None, counted: bool = True) -> None:
        """A triple between resources; None stands for a blank node."""
        self._terms.add(predicate)
        if predicate == _TYPE:
            if target is None:
                return
            self._terms.add(target)
            if target in _VOCABULARY_TYPES:
                self._terms.update([subject] if subject else ())
            elif subject:
                self._types.append((subject, target))
        elif predicate in _VOCABULARY_LINKS:
            self._terms.update(iri for iri in (subject, target) if iri)
            return
        elif target and predicate not in _POINTERS:
            self._uses[target] += 1
        if subject:
            self._uses[subject] += counted
        self._bound()

    def literal(self, subject: str | None, predicate: str, value: str, language: str) -> None:
        """A triple with a literal."""
        self._terms.add(predicate)
        if subject is None:
            return
        self._uses[subject] += 1
        rank = LABELS.get(predicate)
        if rank is not None:
            self.name(subject, rank, value, language)
        self._bound()

    def name(self, iri: str, rank: int, value: str, language: str) -> None:
        """A name of an entity. Other languages than English are aliases."""
        value = " ".join(value.split())
        if 0 < len(value) <= 200:
            self.named = True
            self._names.append((iri, rank if language.partition("-")[0] in _ENGLISH else ALIAS + 1, value))

    def count(self, iri: str, uses: int) -> None:
        """An entity that `uses` triples mention."""
        self._uses[iri] += uses
        self._bound()

    def _bound(self) -> None:
        self._held += 1
        if self._held > _FLUSH:
            self.flush()

    def flush(self) -> None:
        """Move what is held in memory to the tables."""
        self._connection.executemany("INSERT INTO seen VALUES (?, ?)", self._uses.items())
        self._connection.executemany("INSERT INTO said VALUES (?, ?, ?)", self._names)
        self._connection.executemany("INSERT INTO typed VALUES (?, ?)", self._types)
        self._connection.executemany("INSERT OR IGNORE INTO terms VALUES (?)", [(t,) for t in self._terms])
        for held in (self._uses, self._names, self._types):
            held.clear()
        self._terms.clear()
        self._held = 0


def read_files(stage: Stage, sources: Sequence[str | Path], progress: Progress) -> None:
    from ontoprompt.statements import find_files, read_statements

    files = find_files(sources)
    total, before = sum(file.size for file in files), 0
    for file in files:

        def tick(done: int, before: int = before) -> None:
            progress("reading the graph", before + done, total)

        last, subject = None, None
        for source, predicate, target in read_statements(file, tick):
            if source is not last:
                last, subject = source, source.value if type(source).__name__ == "NamedNode" else None
            kind = type(target).__name__
            if kind == "Literal":
                language: str | None = getattr(target, "language", None)
                stage.literal(subject, predicate, target.value, language or "")
            else:
                stage.link(subject, predicate, target.value if kind == "NamedNode" else None)
        before += file.size


def read_store(stage: Stage, store: Store, seconds: float, progress: Progress) -> bool:
    """Vocabulary, names, types and degrees, asked for page by page, in this order of need.

    Returns whether all was read: what takes longer than `seconds` is left out, and what the server refuses
    once it has answered at all, as long as there are names. Counting over everything, which endpoints refuse
    first, comes last.
    """
    pages = _Pages(store, seconds, progress)
    pages.allow(_VOCABULARY_SHARE)
    kinds = " ".join(f"<{iri}>" for iri in sorted(_VOCABULARY_TYPES))
    for subject, target in pages(f"SELECT ?s ?o WHERE {{ VALUES ?o {{ {kinds} }} ?s <{_TYPE}> ?o }}"):
        stage.link(_iri(subject), _TYPE, _iri(target))
    for link in sorted(_VOCABULARY_LINKS):
        for subject, target in pages(f"SELECT ?s ?o WHERE {{ ?s <{link}> ?o }}"):
            stage.link(_iri(subject), link, _iri(target))
    pages.allow(_NAMES_SHARE)
    for label, rank in LABELS.items():
        for subject, value in pages(f"SELECT ?s ?o WHERE {{ ?s <{label}> ?o }}"):
            iri = _iri(subject)
            if iri and value and value.type == "literal":
                stage.name(iri, rank, value.value, value.lang or "")
                stage.count(iri, 0)
    pages.allow(_TYPES_SHARE)
    for subject, target in pages(f"SELECT ?s ?o WHERE {{ ?s <{_TYPE}> ?o }}"):
        stage.link(_iri(subject), _TYPE, _iri(target), counted=False)
    pages.allow(1.0)
    for predicate, _ in pages("SELECT DISTINCT ?p WHERE { ?s ?p ?o }"):
        stage.link(None, _iri(predicate) or _TYPE, None)
    pointers = ", ".join(f"<{iri}>" for iri in sorted(_POINTERS | _VOCABULARY_LINKS | {_TYPE}))
    for side in ("?e ?p ?x", f"?x ?p ?e FILTER(isIRI(?e) && ?p NOT IN ({pointers}))"):
        for entity, number in pages(f"SELECT ?e (COUNT(*) AS ?n) WHERE {{ {side} }} GROUP BY ?e"):
            iri = _iri(entity)
            if iri and number and number.value.isdigit():
                stage.count(iri, int(number.value))
    if pages.late is not None and not stage.named:
        raise pages.late
    return pages.late is None


def _iri(value: Value | None) -> str | None:
    return value.value if value is not None and value.type == "uri" else None


class _Pages:
    """Reads queries of one or two columns to their end, until the time is up; `late` tells what was left."""

    def __init__(self, store: Store, seconds: float, progress: Progress) -> None:
        self._store, self._seconds, self._progress = store, seconds, progress
        self._started = time.monotonic()
        self._deadline = self._started + seconds
        self._read = 0
        self._answered = False
        self.late: GraphError | None = None

    def allow(self, share: float) -> None:
        """Let the queries that follow run until this share of all the time is gone."""
        self._deadline = self._started + share * self._seconds

    def __call__(self, query: str) -> Iterator[tuple[Value | None, Value | None]]:
        start = 0
        while start < _MAX_ROWS:
            timeout = min(_PAGE_SECONDS, self._deadline - time.monotonic())
            try:
                if timeout <= 0:
                    raise QueryTimeoutError(f"{self._store.name} gave no names in time.", "Allow more time.")
                text = f"{query} LIMIT {_PAGE} OFFSET {start}"
                page = self._store.query(text, timeout=timeout, max_rows=_PAGE)
            except GraphError as error:
                # A server that never answered is no graph; one that did may refuse what is too much for it.
                if not isinstance(error, QueryTimeoutError) and not self._answered:
                    raise
                self.late = error
                return
            self._answered = True
            for row in page.rows:
                yield row[0], row[-1]
            start += len(page.rows)
            self._read += len(page.rows)
            self._progress("reading the graph", self._read, None)
            # A server may give less than a page at once, and then says so.
            if not page.rows or (len(page.rows) < _PAGE and not page.truncated):
                return
