"""A graph's entities and their names in one SQLite file: built in one pass, opened read-only.

Tables: `entities` (the most connected first, so that row order is rank), `names` (one row per name, looked up
by its folded key; `name` is left out where it is the entity's label), `name_words` (FTS5 over the keys: names that
hold given words), `words` and `deletions` (words one edit apart share a deletion), `vocabulary` (words of class and
property names), `meta`. IRIs are kept in two parts, up to the last `/` or `#` and after it, since millions of them
share the first.
"""

from __future__ import annotations

import re
import sqlite3
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from ontoprompt import names
from ontoprompt.errors import ArtifactError

FORMAT = 2
NameKind = Literal["label", "alias", "local-name", "short", "initials"]
KINDS: tuple[NameKind, ...] = ("label", "alias", "local-name", "short", "initials")  # by their number
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE spaces (id INTEGER PRIMARY KEY, iri TEXT NOT NULL);
CREATE TABLE entities (id INTEGER PRIMARY KEY, space INTEGER NOT NULL, local TEXT NOT NULL, label TEXT NOT NULL,
                       degree INTEGER NOT NULL);
CREATE TABLE classes (id INTEGER PRIMARY KEY, iri TEXT NOT NULL);
CREATE TABLE types (entity INTEGER, class INTEGER, PRIMARY KEY (entity, class)) WITHOUT ROWID;
CREATE TABLE names (id INTEGER PRIMARY KEY, key TEXT NOT NULL, name TEXT, entity INTEGER NOT NULL,
                    kind INTEGER NOT NULL);
CREATE VIRTUAL TABLE name_words USING fts5(key, content='', detail=none, columnsize=0,
                    tokenize="unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc'");
CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT NOT NULL, uses INTEGER NOT NULL);
CREATE TABLE deletions (hash INTEGER, word INTEGER, PRIMARY KEY (hash, word)) WITHOUT ROWID;
CREATE TABLE vocabulary (word TEXT PRIMARY KEY) WITHOUT ROWID;
"""
INDEXES = """
CREATE UNIQUE INDEX spaces_iri ON spaces (iri);
CREATE UNIQUE INDEX entities_iri ON entities (local, space);
CREATE INDEX names_key ON names (key);
CREATE INDEX names_entity ON names (entity);
CREATE UNIQUE INDEX words_word ON words (word);
"""
_HINT = "Build it again with `ontoprompt index --entities SOURCE`."
_BATCH = 400  # values bound in one statement; SQLite allows 999 at least
_PER_KEY = 200  # entities of one name that are looked at, the most connected first


@dataclass(frozen=True, slots=True)
class NamedEntity:
    """An entity under one of its names. `key` is the folded name, `kind` where the name comes from (`short`:
    a name without what only tells it from others; `initials`: its abbreviation)."""

    id: int
    iri: str
    label: str
    degree: int
    key: str
    name: str
    kind: NameKind


def deletion_hash(part: str) -> int:
    """What stands for a word without one letter in the `deletions` table; collisions are sorted out later. Signed, as
    SQLite keeps such numbers in four bytes."""
    return zlib.crc32(part.encode()) - 2**31


def iri_parts(iri: str) -> tuple[str, str]:
    """An IRI up to its last `/` or `#`, and the rest."""
    cut = max(iri.rfind("/"), iri.rfind("#")) + 1
    return iri[:cut], iri[cut:]


class EntityIndex:
    """The entity index of one graph. One connection, to be used from one thread at a time."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self.path = connection, path
        meta = dict(self._rows("SELECT key, value FROM meta"))
        if meta.get("format") != str(FORMAT):
            raise ArtifactError(f"The entity index {path} is of another version or unfinished.", _HINT)
        self.count = int(meta["entities"])
        # False when the graph was an endpoint that did not tell all it holds in time.
        self.complete = meta["complete"] == "1"
        self.vocabulary = frozenset(word for (word,) in self._rows("SELECT word FROM vocabulary"))

    @classmethod
    def open(cls, path: str | Path) -> EntityIndex:
        """Open an index file for reading. Raises ArtifactError when it is missing, damaged or no index."""
        path = Path(path)
        if not path.is_file():
            raise ArtifactError(f"There is no entity index at {path}.", _HINT)
        address = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
        try:
            connection = sqlite3.connect(address, uri=True, check_same_thread=False)
        except sqlite3.Error as error:
            raise ArtifactError(f"The entity index {path} cannot be opened: {error}.", _HINT) from error
        try:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            (size,) = connection.execute("PRAGMA page_size").fetchone()
            if pages * size != path.stat().st_size:
                raise ArtifactError(f"The entity index {path} is cut short.", _HINT)
            return cls(connection, path)
        except (sqlite3.Error, KeyError, ValueError) as error:
            connection.close()
            raise ArtifactError(f"The entity index {path} is damaged: {error}.", _HINT) from error
        except ArtifactError:
            connection.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __len__(self) -> int:
        return self.count

    def label(self, iri: str) -> str | None:
        """The label of an entity; None when the index does not hold it."""
        label = self._of(iri, "label")
        return None if label is None else str(label)

    def labels(self, iris: Collection[str]) -> dict[str, str]:
        """Labels of those of the given entities that the index holds."""
        found = ((iri, self.label(iri)) for iri in sorted(set(iris)))
        return {iri: label for iri, label in found if label is not None}

    def degree(self, iri: str) -> int:
        """How many triples mention an entity; 0 when the index does not hold it."""
        return self._of(iri, "degree") or 0

    def types(self, iri: str) -> tuple[str, ...]:
        """The classes that the graph states for an entity, sorted."""
        entity = self._of(iri, "id")
        return self.types_of([entity]).get(entity, ()) if entity is not None else ()

    def names(self, iri: str) -> tuple[str, ...]:
        """The names of an entity: its label, then labels, aliases and its local name."""
        entity = self._of(iri, "id")
        if entity is None:
            return ()
        rows = self._rows(
            "SELECT e.label, coalesce(n.name, e.label) FROM entities e LEFT JOIN names n ON n.entity = e.id "
            "AND n.kind NOT IN (?, ?) WHERE e.id = ? ORDER BY n.id",
            (KINDS.index("short"), KINDS.index("initials"), entity),
        )
        return tuple(dict.fromkeys(name for row in rows for name in row))

    def _of(self, iri: str, column: str) -> Any:
        """What a column of `entities` says of an entity; None when the index does not hold it."""
        space, local = iri_parts(iri)
        sql = f"SELECT e.{column} FROM entities e JOIN spaces s ON s.id = e.space WHERE e.local = ? AND s.iri = ?"
        rows = self._rows(sql, (local, space))
        return rows[0][0] if rows else None

    def types_of(self, ids: Collection[int]) -> dict[int, tuple[str, ...]]:
        """Classes of several entities, by the entity's number."""
        sql = "SELECT t.entity, c.iri FROM types t JOIN classes c ON c.id = t.class WHERE t.entity IN ({})"
        found: dict[int, list[str]] = {}
        for entity, iri in self._among(sql, sorted(set(ids))):
            found.setdefault(entity, []).append(iri)
        return {entity: tuple(sorted(iris)) for entity, iris in found.items()}

    def lookup(self, keys: Collection[str]) -> dict[str, list[NamedEntity]]:
        """The entities that bear one of the given folded names (`names.key_of`), best connected first."""
        found: dict[str, list[NamedEntity]] = {}
        sql = "SELECT DISTINCT key FROM names WHERE key IN ({})"
        for (key,) in self._among(sql, sorted(set(keys))):
            found[key] = self._named("n.key = ?", (key,), _PER_KEY)
        return found

    def starting(self, key: str, limit: int = 30) -> list[NamedEntity]:
        """Entities with a name that goes on after the folded words `key`, those of the shortest keys in its order."""
        # A space is the lowest of all characters in a key, and an exclamation mark the next.
        sql = "n.id IN (SELECT id FROM names WHERE key > ? AND key < ? ORDER BY key LIMIT ?)"
        return self._named(sql, (f"{key} ", f"{key}!", limit), limit)

    def holding(self, keys: Sequence[str], limit: int = 30) -> list[NamedEntity]:
        """Entities with a name that holds all the given folded words, best connected first."""
        terms = [word for key in keys for word in re.findall(r"[^\W_]+", key)]
        if not terms:
            return []
        match = " ".join(f'"{word}"' for word in terms)
        sql = "n.id IN (SELECT rowid FROM name_words WHERE name_words MATCH ? ORDER BY rowid LIMIT 200)"
        return self._named(sql, (match,), limit)

    def uses(self, keys: Collection[str]) -> dict[str, int]:
        """In how many names each of the given folded words occurs, of those that occur in one."""
        return dict(self._among("SELECT word, uses FROM words WHERE word IN ({})", sorted(set(keys))))

    def similar_words(self, keys: Collection[str], limit: int = 16) -> dict[str, list[str]]:
        """For each folded word those of the names' words that are one edit away, the most used first."""
        wanted: dict[int, list[str]] = {}
        for key in sorted(set(keys)):
            for part in names.deletions(key):
                wanted.setdefault(deletion_hash(part), []).append(key)
        sql = "SELECT d.hash, w.word, w.uses FROM deletions d JOIN words w ON w.id = d.word "
        sql += "WHERE d.hash IN ({})"
        found: dict[str, dict[str, int]] = {}
        for number, word, uses in self._among(sql, sorted(wanted)):
            for key in wanted[number]:
                if names.one_edit_apart(key, word):
                    found.setdefault(key, {})[word] = uses
        return {
            key: sorted(near, key=lambda word: (-near[word], word))[:limit] for key, near in found.items()
        }

    def _named(self, condition: str, values: tuple[object, ...], limit: int) -> list[NamedEntity]:
        rows = self._rows(
            "SELECT e.id, s.iri || e.local, e.label, e.degree, n.key, coalesce(n.name, e.label), n.kind "
            "FROM names n JOIN entities e ON e.id = n.entity JOIN spaces s ON s.id = e.space "
            f"WHERE {condition} ORDER BY n.id LIMIT ?",
            (*values, limit),
        )
        try:
            return [
                NamedEntity(n, iri, label, degree, key, name, KINDS[kind])
                for n, iri, label, degree, key, name, kind in rows
            ]
        except (IndexError, TypeError) as error:
            raise ArtifactError(f"The entity index {self.path} is damaged.", _HINT) from error

    def _among(self, sql: str, values: Sequence[str] | Sequence[int]) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(values), _BATCH):
            batch = values[start : start + _BATCH]
            yield from self._rows(sql.format(",".join("?" * len(batch))), tuple(batch))

    def _rows(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise ArtifactError(f"The entity index {self.path} is damaged: {error}.", _HINT) from error
