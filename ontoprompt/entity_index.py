"""A graph's entities and their names in one SQLite file: built in one pass, opened read-only.

Tables: `entities` (the most connected first, so that row order is rank), `names` (one row per name, looked up
by its folded key), `name_words` (FTS5 over the keys: names that hold given words), `words` and `deletions`
(words one edit apart share a deletion), `vocabulary` (words of class and property names), `meta`.
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

FORMAT = 1
NameKind = Literal["label", "alias", "local-name", "short", "initials"]
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entities (id INTEGER PRIMARY KEY, iri TEXT NOT NULL, label TEXT NOT NULL,
                       degree INTEGER NOT NULL);
CREATE TABLE classes (id INTEGER PRIMARY KEY, iri TEXT NOT NULL);
CREATE TABLE types (entity INTEGER, class INTEGER, PRIMARY KEY (entity, class)) WITHOUT ROWID;
CREATE TABLE names (id INTEGER PRIMARY KEY, key TEXT NOT NULL, name TEXT NOT NULL, entity INTEGER NOT NULL,
                    kind TEXT NOT NULL);
CREATE VIRTUAL TABLE name_words USING fts5(key, content='', detail=none,
                    tokenize="unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc'");
CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT NOT NULL, uses INTEGER NOT NULL);
CREATE TABLE deletions (hash INTEGER, word INTEGER, PRIMARY KEY (hash, word)) WITHOUT ROWID;
CREATE TABLE vocabulary (word TEXT PRIMARY KEY) WITHOUT ROWID;
"""
INDEXES = """
CREATE UNIQUE INDEX entities_iri ON entities (iri);
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
    """What stands for a word without one letter in the `deletions` table; collisions are sorted out later."""
    return zlib.crc32(part.encode())


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
        rows = self._rows("SELECT label FROM entities WHERE iri = ?", (iri,))
        return rows[0][0] if rows else None

    def labels(self, iris: Collection[str]) -> dict[str, str]:
        """Labels of those of the given entities that the index holds."""
        sql = "SELECT iri, label FROM entities WHERE iri IN ({})"
        return dict(self._among(sql, sorted(set(iris))))

    def degree(self, iri: str) -> int:
        """How many triples mention an entity; 0 when the index does not hold it."""
        rows = self._rows("SELECT degree FROM entities WHERE iri = ?", (iri,))
        return int(rows[0][0]) if rows else 0

    def types(self, iri: str) -> tuple[str, ...]:
        """The classes that the graph states for an entity, sorted."""
        rows = self._rows("SELECT id FROM entities WHERE iri = ?", (iri,))
        return self.types_of([rows[0][0]]).get(rows[0][0], ()) if rows else ()

    def names(self, iri: str) -> tuple[str, ...]:
        """The names of an entity: its label, then labels, aliases and its local name."""
        rows = self._rows(
            "SELECT e.label, n.name FROM entities e LEFT JOIN names n ON n.entity = e.id "
            "WHERE e.iri = ? AND n.kind NOT IN ('short', 'initials') ORDER BY n.id",
            (iri,),
        )
        return tuple(dict.fromkeys([*(row[0] for row in rows[:1]), *(row[1] for row in rows)]))

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
            found[key] = self._named("n.key = ?", key, _PER_KEY)
        return found

    def holding(self, keys: Sequence[str], limit: int = 30) -> list[NamedEntity]:
        """Entities with a name that holds all the given folded words, best connected first."""
        terms = [word for key in keys for word in re.findall(r"[^\W_]+", key)]
        if not terms:
            return []
        match = " ".join(f'"{word}"' for word in terms)
        sql = "n.id IN (SELECT rowid FROM name_words WHERE name_words MATCH ? ORDER BY rowid LIMIT 200)"
        return self._named(sql, match, limit)

    def known_words(self, keys: Collection[str]) -> frozenset[str]:
        """Those of the given folded words that occur in some name."""
        return frozenset(
            word for (word,) in self._among("SELECT word FROM words WHERE word IN ({})", sorted(set(keys)))
        )

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

    def _named(self, condition: str, value: str, limit: int) -> list[NamedEntity]:
        rows = self._rows(
            "SELECT e.id, e.iri, e.label, e.degree, n.key, n.name, n.kind FROM names n "
            f"JOIN entities e ON e.id = n.entity WHERE {condition} ORDER BY n.id LIMIT ?",
            (value, limit),
        )
        return [NamedEntity(*row) for row in rows]

    def _among(self, sql: str, values: Sequence[str] | Sequence[int]) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(values), _BATCH):
            batch = values[start : start + _BATCH]
            yield from self._rows(sql.format(",".join("?" * len(batch))), tuple(batch))

    def _rows(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise ArtifactError(f"The entity index {self.path} is damaged: {error}.", _HINT) from error
