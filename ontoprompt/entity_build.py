"""A graph → the file of an `EntityIndex`: entities, names, types and how connected each entity is.

What a graph says is staged in the database itself, so memory does not grow with the graph. The same graph
always gives the same rows, whatever the order of its triples.
"""

from __future__ import annotations

import os
import re
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ontoprompt import names
from ontoprompt.entity_index import FORMAT, INDEXES, KINDS, SCHEMA, NameKind, deletion_hash, iri_parts
from ontoprompt.entity_source import ALIAS, STAGING, Progress, Stage, read_files, read_store
from ontoprompt.errors import ArtifactError, SourceError
from ontoprompt.execution import Store

_BATCH = 20_000  # entities between two writes
_SPACES = 100_000  # first parts of IRIs that are remembered
_NUMBER = {kind: number for number, kind in enumerate(KINDS)}
_OPAQUE = re.compile(r"\w?\d+")  # identifiers such as Wikidata's, which no question names
_WORDED = ("label", "alias", "local-name")

# What may not stand between the angle brackets of N-Triples.
_NO_IRI = re.compile(r"[\x00-\x20<>\"{}|^`\\]")


def build_entity_index(
    source: Path | str | Sequence[Path | str] | Store,
    out: Path,
    *,
    progress: Progress | None = None,
    time_budget: float = 600.0,
) -> None:
    """Write the entity index of RDF files, folders of them, or a store to `out`, whole or not at all.

    Entities are the IRIs that stand as subject or object and are neither class nor property. Raises
    SourceError when the source cannot be read or holds no entity, GraphError when a store does not answer.
    Of a store only what it tells within `time_budget` seconds is taken; writing it down comes on top.
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
            _write(connection, source, time_budget, progress or _silent)
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


def build_from_names(
    names: Iterable[tuple[str, str]], out: Path, *, progress: Progress | None = None
) -> None:
    """Write the entity index of (IRI, English label) pairs to `out`, whole or not at all, as of a graph of labels. What is
    no IRI is left out."""
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        source = Path(folder) / "names.nt"
        with source.open("w", encoding="utf-8") as file:
            for iri, label in names:
                if _NO_IRI.search(iri):
                    continue
                escaped = (
                    label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ").replace("\r", " ")
                )
                file.write(f'<{iri}> <http://www.w3.org/2000/01/rdf-schema#label> "{escaped}"@en .\n')
        build_entity_index(source, out, progress=progress)


def _silent(stage: str, done: int, total: int | None) -> None:
    """Progress that nobody asked for."""


def _write(
    connection: sqlite3.Connection,
    source: Path | str | Sequence[Path | str] | Store,
    seconds: float,
    progress: Progress,
) -> None:
    connection.executescript(SCHEMA + STAGING)
    connection.execute("BEGIN")
    stage = Stage(connection)
    complete = True
    if isinstance(source, str | Path):
        read_files(stage, [source], progress)
    elif isinstance(source, Sequence):
        read_files(stage, source, progress)
    else:
        complete = read_store(stage, source, seconds, progress)
    stage.flush()
    count = _write_entities(connection)
    if count == 0:
        raise SourceError("The graph holds no entity.", "Give the graph's data, not its vocabulary alone.")
    _write_names(connection, count, progress)
    _write_words(connection)
    connection.executemany(
        "INSERT INTO meta VALUES (?, ?)",
        [("complete", str(int(complete))), ("entities", str(count)), ("format", str(FORMAT))],
    )
    for statement in INDEXES.strip().split(";\n"):
        connection.execute(statement)
    connection.execute("COMMIT")
    # Packs the file and makes its bytes independent of how the rows came in.
    connection.execute("VACUUM")


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
    rows = _Rows(connection)
    for entity, iri, degree, said in _grouped(spoken):
        label, found = _names_of(iri, said)
        rows.entity(entity, iri, label, degree)
        for key, name, kind in found:
            rows.name(entity, key, None if name == label else name, kind)
        if entity % _BATCH == 0:
            rows.flush()
            progress("indexing names", entity, count)
    rows.flush()
    progress("indexing names", count, count)


class _Rows:
    """Rows on their way into the tables of entities and names."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection, self._count = connection, 0
        self._spaces: dict[str, int] = {}
        self._entities: list[tuple[int, int, str, str, int]] = []
        self._names: list[tuple[int, str, str | None, int, int]] = []

    def entity(self, number: int, iri: str, label: str, degree: int) -> None:
        space, local = iri_parts(iri)
        if space not in self._spaces:
            self._spaces[space] = self._space(space)
        self._entities.append((number, self._spaces[space], local, label, degree))

    def _space(self, iri: str) -> int:
        """The number of a first part of IRIs."""
        if len(self._spaces) >= _SPACES:  # a graph of many hosts: those met before are in the table
            self.flush()
            self._spaces.clear()
        self._connection.execute("INSERT OR IGNORE INTO spaces (iri) VALUES (?)", (iri,))
        (number,) = self._connection.execute("SELECT id FROM spaces WHERE iri = ?", (iri,)).fetchone()
        return int(number)

    def name(self, entity: int, key: str, name: str | None, kind: NameKind) -> None:
        self._count += 1
        self._names.append((self._count, key, name, entity, _NUMBER[kind]))

    def flush(self) -> None:
        """Move what is held in memory to the tables."""
        many = self._connection.executemany
        many("INSERT INTO entities VALUES (?, ?, ?, ?, ?)", self._entities)
        many("INSERT INTO names VALUES (?, ?, ?, ?, ?)", self._names)
        # What a name is shortened to holds no other words than the name.
        worded = [(number, key) for number, key, _, _, kind in self._names if KINDS[kind] in _WORDED]
        many("INSERT INTO name_words (rowid, key) VALUES (?, ?)", worded)
        self._entities.clear()
        self._names.clear()


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


def _names_of(iri: str, said: Sequence[tuple[int, str]]) -> tuple[str, list[tuple[str, str, NameKind]]]:
    """The label to show and all (key, name, kind), none twice, the best first."""
    local = names.local_name(iri)
    label = said[0][1] if said else local or iri
    found: dict[str, tuple[str, NameKind]] = {}
    for rank, name in said:
        found.setdefault(names.key_of(name), (name, "label" if rank < ALIAS else "alias"))
    if local and not (said and _OPAQUE.fullmatch(local)):
        found.setdefault(names.key_of(local), (local, "local-name"))
    for name, _ in list(found.values()):
        short = names.unqualified(name)
        if short:
            found.setdefault(names.key_of(short[0]), (name, "short"))
        if bare := names.undesignated(short[0] if short else name):
            found.setdefault(names.key_of(bare), (name, "short"))
    for name, kind in list(found.values()):
        if kind in ("label", "alias") and (letters := names.initials(name)):
            found.setdefault(letters, (name, "initials"))
    found.pop("", None)
    return label, [(key, name, kind) for key, (name, kind) in found.items()]


def _write_words(connection: sqlite3.Connection) -> None:
    """The words of all names with their deletions, and the words of the vocabulary."""
    connection.execute("CREATE VIRTUAL TABLE temp.name_terms USING fts5vocab(main, name_words, row)")
    connection.execute("INSERT INTO words (word, uses) SELECT term, doc FROM name_terms ORDER BY term")
    connection.execute("DROP TABLE temp.name_terms")
    connection.execute("CREATE TEMP TABLE parts (hash INTEGER, word INTEGER)")
    rows = connection.execute("SELECT id, word FROM words WHERE length(word) >= ?", (names.MIN_FUZZY - 1,))
    connection.executemany(
        "INSERT INTO parts VALUES (?, ?)",
        (
            (deletion_hash(part), number)
            for number, word in rows
            if word.isalpha()
            for part in names.deletions(word)
        ),
    )
    connection.execute("INSERT OR IGNORE INTO deletions SELECT hash, word FROM parts ORDER BY hash, word")
    connection.execute("DROP TABLE parts")
    terms: set[str] = set()
    said = "SELECT s.name FROM terms t JOIN said s ON s.iri = t.iri WHERE s.rank < ?"
    for (name,) in connection.execute(said, (ALIAS,)):
        terms.update(names.key_of(name).split())
    for (iri,) in connection.execute("SELECT iri FROM terms"):
        terms.update(names.key_of(names.local_name(iri)).split())
    connection.executemany("INSERT INTO vocabulary VALUES (?)", [(word,) for word in sorted(terms)])
