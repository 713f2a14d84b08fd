"""A graph → the file of an `EntityIndex`: entities, names, types and how connected each entity is.

What a graph says is staged in the database itself, so memory does not grow with the graph. The same graph
always gives the same rows, whatever the order of its triples.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ontoprompt import names
from ontoprompt.entity_index import FORMAT, INDEXES, SCHEMA, deletion_hash
from ontoprompt.entity_source import ALIAS, STAGING, Progress, Stage, read_files, read_store
from ontoprompt.errors import ArtifactError, SourceError
from ontoprompt.execution import Store


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
    number = 0
    for entity, iri, degree, said in _grouped(spoken):
        label, found = _names_of(iri, said)
        connection.execute("INSERT INTO entities VALUES (?, ?, ?, ?)", (entity, iri, label, degree))
        for key, name, kind in found:
            number += 1
            connection.execute("INSERT INTO names VALUES (?, ?, ?, ?, ?)", (number, key, name, entity, kind))
            if kind not in ("short", "initials"):
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
        found.setdefault(names.key_of(name), (name, "label" if rank < ALIAS else "alias"))
    if local and (not said or not local.isdigit()):
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
    uses: Counter[str] = Counter()
    for (key,) in connection.execute("SELECT key FROM names WHERE kind != 'initials'"):
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
    for (name,) in connection.execute(said, (ALIAS,)):
        terms.update(names.key_of(name).split())
    for (iri,) in connection.execute("SELECT iri FROM terms"):
        terms.update(names.key_of(names.local_name(iri)).split())
    connection.executemany("INSERT INTO vocabulary VALUES (?)", [(word,) for word in sorted(terms)])
