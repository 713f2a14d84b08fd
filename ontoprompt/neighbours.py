"""Terms of questions asked before: those most like a new question speak for the terms that their queries named.

Nearest neighbours as a leg of retrieval, after Khandelwal et al. 2020 ("Generalization through Memorization"), with
questions for contexts and terms for words. Vectors are the encoder's own: an adapter has learned to look away from
names, and it is the names that a neighbour shares. Nothing of the questions is kept but their vectors.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .embedding import Encoder, Vectors
from .errors import ArtifactError
from .minilm import first_line

FILE = "neighbours.safetensors"
# Chosen on training questions held out (bench/LOG.md). `_NEAR`: the cosine at which one neighbour speaks as loudly as
# nobody; `_SHARP`: how fast that grows with the cosine.
_COUNT, _SHARP, _NEAR = 50, 0.04, 0.65
# The same for how a term was used among those called alike, where farther questions say something too.
_WIDE = 0.1


@dataclass(frozen=True)
class Neighbours:
    """Questions and the terms of their queries. `vectors`: (questions, d) of length 1; `iris`: the terms, each once;
    `starts`: (questions + 1), where the terms of a question begin in `terms`, numbers in `iris`."""

    vectors: Vectors
    iris: tuple[str, ...]
    starts: np.ndarray[tuple[int], np.dtype[np.int32]]
    terms: np.ndarray[tuple[int], np.dtype[np.int32]]

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, Sequence[str]]], encoder: Encoder) -> Neighbours:
        """From questions and the IRIs of their terms."""
        iris = tuple(dict.fromkeys(iri for _, some in pairs for iri in some))
        number = {iri: n for n, iri in enumerate(iris)}
        starts = np.cumsum([0, *(len(some) for _, some in pairs)]).astype(np.int32)
        terms = np.array([number[iri] for _, some in pairs for iri in some], np.int32)
        return cls(encoder.encode([question for question, _ in pairs]), iris, starts, terms)

    def votes(self, vectors: Vectors) -> list[dict[str, float]]:
        """For each row of encoded questions, (n, d): IRI → the share of the neighbours' votes that it has, 0 to 1. The
        shares add up to less than the terms of a question the farther the neighbours are."""
        likeness = vectors @ self.vectors.T
        count = min(_COUNT, likeness.shape[1])
        out: list[dict[str, float]] = []
        for row in likeness:
            nearest = np.argpartition(-row, count - 1)[:count]
            loud = np.exp((row[nearest] - _NEAR) / _SHARP)
            loud /= 1.0 + loud.sum()
            votes: dict[str, float] = {}
            for question, share in zip(nearest.tolist(), loud.tolist(), strict=True):
                for term in self.terms[self.starts[question] : self.starts[question + 1]].tolist():
                    votes[self.iris[term]] = votes.get(self.iris[term], 0.0) + share
            out.append(votes)
        return out

    def kernel_sums(self, vectors: Vectors) -> list[dict[str, float]]:
        """For each row of encoded questions, (n, d): IRI → how much questions like it have used the term, a kernel's
        sum over all of them (Nadaraya and Watson 1964). It tells which of several terms that are called alike is meant."""
        weights = np.exp((vectors @ self.vectors.T - _NEAR) / _WIDE)
        lengths = np.diff(self.starts)
        out: list[dict[str, float]] = []
        for row in weights:
            sums = np.bincount(self.terms, weights=np.repeat(row, lengths), minlength=len(self.iris))
            out.append(dict(zip(self.iris, sums.tolist(), strict=True)))
        return out

    def save(self, path: Path) -> None:
        """One safetensors file, vectors in half precision; the IRIs stand in its header."""
        from safetensors.numpy import save_file

        arrays = {"vectors": self.vectors.astype(np.float16), "starts": self.starts, "terms": self.terms}
        save_file(arrays, path, metadata={"iris": json.dumps(self.iris, ensure_ascii=False)})

    @classmethod
    def load(cls, path: Path) -> Neighbours:
        """Raises ArtifactError when the file is missing, or its parts do not fit together."""
        from safetensors import SafetensorError, safe_open

        hint = "Build the index again."
        try:
            with safe_open(path, framework="numpy") as file:
                vectors, starts, terms = (file.get_tensor(name) for name in ("vectors", "starts", "terms"))
                iris = tuple(json.loads((file.metadata() or {})["iris"]))
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise ArtifactError(f"The neighbours {path} cannot be read: {first_line(error)}", hint) from error
        fits = (
            vectors.ndim == 2
            and len(vectors) > 0
            and len(starts) == len(vectors) + 1
            and starts[0] == 0
            and starts[-1] == len(terms)
            and bool((np.diff(starts) >= 0).all())
            and (not len(terms) or (terms.min() >= 0 and terms.max() < len(iris)))
        )
        if not fits:
            raise ArtifactError(f"The neighbours {path} do not fit together.", hint)
        return cls(vectors.astype(np.float32), iris, starts, terms)
