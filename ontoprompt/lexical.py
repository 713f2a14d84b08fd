"""The lexical leg of retrieval: which terms share words with a question, by BM25 over their names.

Dense vectors blur rare words (`HDS ID`); these name a term exactly. SQLite's FTS5 does the work: Porter's stemmer
and Okapi BM25 (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75), in memory or in one file, at no cost at start-up.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .index import term_texts
from .question_words import STOP_WORDS

if TYPE_CHECKING:
    from .ontology import Term

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[^\W_]+")
_MOST_WORDS = 64
_ROWS = 400  # a word that more names hold tells few of them apart


class Lexicon:
    """BM25 over the names of terms. A term scores by the best of its names."""

    def __init__(self, terms: Sequence[Term]) -> None:
        self._lock = threading.Lock()
        self._owner: list[int] = []
        self._names = sqlite3.connect(":memory:", check_same_thread=False)
        self._names.execute(
            "CREATE VIRTUAL TABLE names USING fts5(name, content='', tokenize='porter unicode61')"
        )
        rows = []
        for number, term in enumerate(terms):
            for text in term_texts(term):
                self._owner.append(number)
                rows.append((len(self._owner), _with_parts(text)))
        self._names.executemany("INSERT INTO names (rowid, name) VALUES (?, ?)", rows)

    def scores(self, text: str) -> dict[int, float]:
        """Term number → BM25 score, above 0, of the terms that share a content word with the text."""
        words = [w for w in dict.fromkeys(_WORD.findall(_with_parts(text).lower())) if w not in STOP_WORDS]
        if not words:
            return {}
        match = " OR ".join(f'"{word}"' for word in words[:_MOST_WORDS])
        with self._lock:
            found = self._names.execute(
                "SELECT rowid, -bm25(names) FROM names WHERE names MATCH ? ORDER BY 2 DESC LIMIT ?",
                (match, _ROWS),
            ).fetchall()
        best: dict[int, float] = {}
        for row, score in found:
            best.setdefault(self._owner[row - 1], score)
        return best


def _with_parts(text: str) -> str:
    """A text, and once more with its compounds taken apart where it has any: `PermID Perm ID`."""
    text = text.replace("'s", " ").replace("\u2019s", " ")
    parts = _CAMEL.sub(" ", text)
    return text if parts == text else f"{text} {parts}"
