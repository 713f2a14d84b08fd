"""The rows of an index: term texts → vectors → FAISS, in parts, so that a million terms need no second copy.

The FAISS type follows the number of rows: exact; a byte a value; and for many, half a byte for four values, looked
up in registers (André et al. 2015, PQ fast scan), the best of which are read again with a byte a value.
`bench.term_scale` measures the choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ontoprompt.embedding import Encoder, Progress, Vectors

_EXACT_ROWS = 5_000
_FLAT_ROWS = 30_000
_PART = 131_072  # rows that are encoded and added together
_TAUGHT = 30_000  # rows that an index is trained on, where it is not trained on all
_READ_AGAIN = 6  # rows that are read again for each one wanted


@dataclass(frozen=True, slots=True)
class OldRows:
    """Vectors of an earlier index. `places`: text → row of `rows`, a FAISS index or None."""

    places: dict[str, int]
    rows: Any = None


def make_rows(
    texts: Sequence[str], features: Vectors, encoder: Encoder, old: OldRows, progress: Progress | None
) -> tuple[Any, str, int]:
    """The FAISS index of the texts' vectors followed by their features (n, f), its factory string, and how many
    vectors were taken over from `old`."""
    import faiss

    vectors = _Vectors(texts, encoder, old, progress)
    count, width = len(texts), encoder.dimension + features.shape[1]
    factory = _factory(count, width)
    rows = faiss.index_factory(width, factory, faiss.METRIC_INNER_PRODUCT)
    # Ranges are learned from these rows: without the extremes, what a few terms have alone would be cut off.
    extremes = [features.argmin(0), features.argmax(0)]
    taught = np.unique(np.concatenate([_evenly(count, count if count <= _FLAT_ROWS else _TAUGHT), *extremes]))
    known = vectors.of(taught)
    rows.train(np.concatenate([known, features[taught]], 1))
    if isinstance(rows, faiss.IndexRefine):
        rows.k_factor = _READ_AGAIN
    if 2 * vectors.reused > count:
        _keep_ranges(rows, old.rows, encoder.dimension)
    for start in range(0, count, _PART):
        part = np.arange(start, min(start + _PART, count))
        seen = np.isin(part, taught)
        block = np.empty((len(part), width), np.float32)
        block[:, encoder.dimension :] = features[part]
        block[seen, : encoder.dimension] = known[np.searchsorted(taught, part[seen])]
        block[~seen, : encoder.dimension] = vectors.of(part[~seen])
        rows.add(block)
    return rows, factory, vectors.reused


def read_rows(content: bytes) -> Any:
    """The FAISS index of a file's content, ready to be searched."""
    import faiss

    return faiss.deserialize_index(np.frombuffer(content, np.uint8))


def rows_content(rows: Any) -> memoryview:
    """What `read_rows` reads."""
    import faiss

    content: memoryview = faiss.serialize_index(rows).data
    return content


class _Vectors:
    """Vectors of texts by place, each different text encoded once, or taken over. `reused`: places taken over."""

    def __init__(
        self, texts: Sequence[str], encoder: Encoder, old: OldRows, progress: Progress | None
    ) -> None:
        self._texts, self._encoder, self._old, self._progress = texts, encoder, old, progress
        self.reused = sum(text in old.places for text in texts)
        self._new = len({text for text in texts if text not in old.places})
        self._done = 0

    def of(self, places: np.ndarray[Any, Any]) -> Vectors:
        """(len(places), dimension)"""
        texts = [self._texts[place] for place in places]
        different = sorted(set(texts))
        vectors = np.empty((len(different), self._encoder.dimension), np.float32)
        taken = [number for number, text in enumerate(different) if text in self._old.places]
        if taken:
            rows = np.array([self._old.places[different[number]] for number in taken])
            vectors[taken] = self._old.rows.reconstruct_batch(rows)[:, : self._encoder.dimension]
        new = [number for number, text in enumerate(different) if text not in self._old.places]
        if new:
            vectors[new] = self._encoder.encode([different[number] for number in new], progress=self._told)
            self._done += len(new)
        number_of = {text: number for number, text in enumerate(different)}
        return vectors[[number_of[text] for text in texts]]

    def _told(self, what: str, done: int, _total: int | None) -> None:
        if self._progress is not None:
            # A text that stands in two parts is encoded twice.
            self._progress(what, min(self._done + done, self._new), self._new)


def _factory(count: int, width: int) -> str:
    if count <= _EXACT_ROWS:
        return "Flat"
    if count <= _FLAT_ROWS:
        return "SQ8"
    together = next(number for number in (4, 2, 1) if width % number == 0)
    return f"PQ{width // together}x4fs_64,Refine(SQ8)"


def _evenly(count: int, most: int) -> np.ndarray[Any, Any]:
    """At most that many of `count` places, in order, spread evenly."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def _keep_ranges(rows: Any, old: Any, dimension: int) -> None:
    """One byte a value keeps the ranges that the words had in `old` when that is of the same type: a vector taken
    over then gets the very codes it had, however often the index is rebuilt. Features get ranges of their own."""
    import faiss

    if isinstance(rows, faiss.IndexScalarQuantizer) and type(old) is type(rows) and old.d == rows.d:
        ranges, kept = (faiss.vector_to_array(each.sq.trained).reshape(2, rows.d) for each in (rows, old))
        ranges[:, :dimension] = kept[:, :dimension]
        faiss.copy_array_to_vector(ranges.ravel(), rows.sq.trained)
