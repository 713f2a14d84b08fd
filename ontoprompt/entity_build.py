"""A graph → the file of an `EntityIndex`: entities, names, types and how connected each entity is.

What a graph says is staged in the database itself, so memory does not grow with the graph. The same graph
always gives the same rows, whatever the order of its triples.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from ontoprompt import names
from ontoprompt.entity_index import FORMAT, INDEXES, SCHEMA, deletion_hash
from ontoprompt.errors import ArtifactError, QueryTimeoutError, SourceError
from ontoprompt.execution import Store, Value

Progress = Callable[[str, int, int | None], None]
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_RDFS = "http://www.w3.org/2000/01/rdf-schema#"
_OWL = "http://www.w3.org/2002/07/owl#"
_SKOS = "http://www.w3.org/2004/02/skos/core#"
_TYPE = _RDF + "type"
# Property → rank: the label of the lowest rank is the one shown, from _ALIAS on a name is an alias.
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
_ALIAS = 5
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
_STAGING = """
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


def build_entity_index(
    source: Path | str | Sequence[Path | str] | Store, out: Path, *, progress: Progress | None = None
) -> None:
    """Write the entity index of RDF files, folders of them, or a store to `out`, whole or not at all.

    Entities are the IRIs that stand as subject or object and are neither class nor property. Raises
    SourceError when the source cannot be read or holds no entity, GraphError when a store does not answer.
    """
    out = Path(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
        os.close(handle)
    except OSError as error:
        raise ArtifactError(f"{out} cannot be written: {error.strerror}.", "Choose another place.") from error
    temporary = Path(name)
    try:
        connection = sqlite3.connect(temporary, isolation_level=None)
        try:
            _write(connection, source, progress or _silent)
        finally:
            connection.close()
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(out)
    except (sqlite3.Error, OSError) as error:
        raise ArtifactError(f"{out} could not be written: {error}.", "Is the disk full?") from error
    finally:
        temporary.unlink(missing_ok=True)


def _silent(stage: str, done: int, total: int | None) -> None:
    """Progress that nobody asked for."""


def _write(
    connection: sqlite3.Connection, source: Path | str | Sequence[Path | str] | Store, progress: Progress
) -> None:
    connection.executescript(SCHEMA + _STAGING)
    connection.execute("BEGIN")
    stage = _Stage(connection)
    if isinstance(source, str | Path):
        _read_files(stage, [source], progress)
    elif isinstance(source, Sequence):
        _read_files(stage, source, progress)
    else:
        _read_store(stage, source, progress)
    stage.flush()
    count = _write_entities(connection)
    if count == 0:
        raise SourceError("The graph holds no entity.", "Give the graph's data, not its vocabulary alone.")
    _write_names(connection, count, progress)
    _write_words(connection)
    connection.executemany(
        "INSERT INTO meta VALUES (?, ?)", [("entities", str(count)), ("format", str(FORMAT))]
    )
    for statement in INDEXES.strip().split(";\n"):
        connection.execute(statement)
    connection.execute("COMMIT")
    # Packs the file and makes its bytes independent of how the rows came in.
    connection.execute("VACUUM")


class _Stage:
    """Takes triples and keeps what they say in the staging tables."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._uses: Counter[str] = Counter()
        self._names: list[tuple[str, int, str]] = []
        self._types: list[tuple[str, str]] = []
        self._terms: set[str] = set()
        self.aliases = _ALIAS

    def link(self, subject: str | None, predicate: str, target: str | None) -> None:
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
            self._uses[subject] += 1
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
            self._names.append((iri, rank if language.partition("-")[0] in _ENGLISH else _ALIAS + 1, value))

    def count(self, iri: str, uses: int) -> None:
        """An entity that `uses` triples mention."""
        self._uses[iri] += uses
        self._bound()

    def _bound(self) -> None:
        if len(self._uses) + len(self._names) + len(self._types) > _FLUSH:
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


def _read_files(stage: _Stage, sources: Sequence[str | Path], progress: Progress) -> None:
    import pyoxigraph as ox

    from ontoprompt.statements import find_files, read_statements

    files = find_files(sources)
    total, before = sum(file.size for file in files), 0
    for file in files:

        def tick(done: int, before: int = before) -> None:
            progress("reading the graph", before + done, total)

        for source, predicate, target in read_statements(file, tick):
            subject = source.value if isinstance(source, ox.NamedNode) else None
            if isinstance(target, ox.Literal):
                stage.literal(subject, predicate, target.value, target.language or "")
            else:
                stage.link(subject, predicate, target.value if isinstance(target, ox.NamedNode) else None)
        before += file.size


def _write_entities(connection: sqlite3.Connection) -> int:
    """Number the entities, the most connected first, and store their types. Returns how many there are."""
    run = connection.execute
    run("CREATE TEMP TABLE ranked (id INTEGER PRIMARY KEY, iri TEXT, degree INTEGER)")
    run(
        "INSERT INTO ranked (iri, degree) SELECT iri, sum(uses) AS degree FROM seen "
        "WHERE iri NOT IN (SELECT iri FROM terms) GROUP BY iri ORDER BY degree DESC, iri"
    )
    run("CREATE UNIQUE INDEX temp.ranked_iri ON ranked (iri)")
    run(
        "INSERT INTO classes (iri) SELECT DISTINCT class FROM typed "
        "WHERE iri IN (SELECT iri FROM ranked) ORDER BY class"
    )
    run(
        "INSERT OR IGNORE INTO types SELECT r.id, c.id FROM typed t JOIN ranked r ON r.iri = t.iri "
        "JOIN classes c ON c.iri = t.class ORDER BY r.id, c.id"
    )
    (count,) = run("SELECT count(*) FROM ranked").fetchone()
    return int(count)


def _write_names(connection: sqlite3.Connection, count: int, progress: Progress) -> None:
    connection.execute("CREATE INDEX temp.said_iri ON said (iri, rank, name)")
    spoken = connection.execute(
        "SELECT r.id, r.iri, r.degree, s.rank, s.name FROM ranked r LEFT JOIN said s ON s.iri = r.iri "
        "ORDER BY r.id, s.rank, length(s.name), s.name"
    )
    number = 0
    for entity, iri, degree, said in _grouped(spoken):
        label, found = _names_of(iri, said)
        connection.execute("INSERT INTO entities VALUES (?, ?, ?, ?)", (entity, iri, label, degree))
        for key, name, kind in found:
            number += 1
            connection.execute("INSERT INTO names VALUES (?, ?, ?, ?, ?)", (number, key, name, entity, kind))
            if kind != "short":
                connection.execute("INSERT INTO name_words (rowid, key) VALUES (?, ?)", (number, key))
        if entity % 50_000 == 0:
            progress("indexing names", entity, count)
    progress("indexing names", count, count)


def _grouped(
    rows: Iterable[tuple[int, str, int, int | None, str]],
) -> Iterator[tuple[int, str, int, list[tuple[int, str]]]]:
    """Rows of one entity in one: its number, IRI, degree, and (rank, name) in order."""
    current: tuple[int, str, int] | None = None
    said: list[tuple[int, str]] = []
    for entity, iri, degree, rank, name in rows:
        if current is None or current[0] != entity:
            if current is not None:
                yield (*current, said)
            current, said = (entity, iri, degree), []
        if rank is not None:
            said.append((rank, name))
    if current is not None:
        yield (*current, said)


def _names_of(iri: str, said: Sequence[tuple[int, str]]) -> tuple[str, list[tuple[str, str, str]]]:
    """The label to show and all (key, name, kind), none twice, the best first."""
    local = names.local_name(iri)
    label = said[0][1] if said else local or iri
    found: dict[str, tuple[str, str]] = {}
    for rank, name in said:
        found.setdefault(names.key_of(name), (name, "label" if rank < _ALIAS else "alias"))
    if local:
        found.setdefault(names.key_of(local), (local, "local-name"))
    for name, _ in list(found.values()):
        short = names.unqualified(name)
        if short:
            found.setdefault(names.key_of(short[0]), (name, "short"))
    found.pop("", None)
    return label, [(key, name, kind) for key, (name, kind) in found.items()]


def _write_words(connection: sqlite3.Connection) -> None:
    """The words of all names with their deletions, and the words of the vocabulary."""
    uses: Counter[str] = Counter()
    for (key,) in connection.execute("SELECT key FROM names"):
        uses.update(key.split())
    rows = [(number, word, uses[word]) for number, word in enumerate(sorted(uses), 1)]
    connection.executemany("INSERT INTO words VALUES (?, ?, ?)", rows)
    connection.execute("CREATE TEMP TABLE parts (hash INTEGER, word INTEGER)")
    connection.executemany(
        "INSERT INTO parts VALUES (?, ?)",
        (
            (deletion_hash(part), number)
            for number, word, _ in rows
            if len(word) >= names.MIN_FUZZY - 1 and word.isalpha()
            for part in names.deletions(word)
        ),
    )
    connection.execute("INSERT INTO deletions SELECT DISTINCT hash, word FROM parts ORDER BY hash, word")
    terms: set[str] = set()
    said = "SELECT s.name FROM terms t JOIN said s ON s.iri = t.iri WHERE s.rank < ?"
    for (name,) in connection.execute(said, (_ALIAS,)):
        terms.update(names.key_of(name).split())
    for (iri,) in connection.execute("SELECT iri FROM terms"):
        terms.update(names.key_of(names.local_name(iri)).split())
    connection.executemany("INSERT INTO vocabulary VALUES (?)", [(word,) for word in sorted(terms)])


def _read_store(stage: _Stage, store: Store, progress: Progress) -> None:
    """Names, types, vocabulary and degrees, asked for page by page.

    Degrees come last and may be missing: counting over everything is what endpoints refuse first.
    """
    for link in sorted(_VOCABULARY_LINKS):
        for subject, target in _pages(store, f"SELECT ?s ?o WHERE {{ ?s <{link}> ?o }}"):
            stage.link(_iri(subject), link, _iri(target))
    for subject, target in _pages(store, f"SELECT ?s ?o WHERE {{ ?s <{_TYPE}> ?o }}", progress):
        stage.link(_iri(subject), _TYPE, _iri(target))
    for label, rank in LABELS.items():
        for subject, value in _pages(store, f"SELECT ?s ?o WHERE {{ ?s <{label}> ?o }}", progress):
            iri = _iri(subject)
            if iri and value and value.type == "literal":
                stage.name(iri, rank, value.value, value.lang or "")
                stage.count(iri, 1)
    with contextlib.suppress(QueryTimeoutError):
        for predicate, _ in _pages(store, "SELECT DISTINCT ?p WHERE { ?s ?p ?o }"):
            stage.link(None, _iri(predicate) or _TYPE, None)
    for side in ("?e ?p ?x", "?x ?p ?e FILTER isIRI(?e)"):
        counting = f"SELECT ?e (COUNT(*) AS ?n) WHERE {{ {side} }} GROUP BY ?e"
        with contextlib.suppress(QueryTimeoutError):
            for entity, number in _pages(store, counting, progress):
                iri = _iri(entity)
                if iri and number and number.value.isdigit():
                    stage.count(iri, int(number.value))


def _iri(value: Value | None) -> str | None:
    return value.value if value is not None and value.type == "uri" else None


def _pages(
    store: Store, query: str, progress: Progress = _silent
) -> Iterator[tuple[Value | None, Value | None]]:
    """The rows of a query of two columns, a page at a time; ends with the first page that is not full."""
    for start in range(0, _MAX_ROWS, _PAGE):
        rows = store.query(
            f"{query} LIMIT {_PAGE} OFFSET {start}", timeout=_PAGE_SECONDS, max_rows=_PAGE
        ).rows
        for row in rows:
            yield row[0], row[-1]
        progress("reading the graph", start + len(rows), None)
        if len(rows) < _PAGE:
            return
