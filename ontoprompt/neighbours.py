"""Terms of questions asked before: those most like a new question speak for the terms that their queries named.

Nearest neighbours as a leg of retrieval, after Khandelwal et al. 2020 ("Generalization through Memorization"), with
questions for contexts and terms for words. Vectors are the encoder's own: an adapter has learned to look away from
names, and it is the names that a neighbour shares. Nothing of the questions is kept but their vectors, and of their
queries the terms and which way each was gone (`directions`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
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
# The same for the way that a property is gone; `_EITHER`: how loudly nobody speaks for either way.
_NARROW, _EITHER = 0.07, 0.15


def called_alike(iri: str) -> str:
    """What properties share that say the same: the end of the IRI, whatever its case (`dbo:author`, `dbp:author`)."""
    return re.split(r"[#/]", iri)[-1].lower()


@dataclass(frozen=True)
class Neighbours:
    """Questions and the terms of their queries. `vectors`: (questions, d) of length 1; `iris`: the terms, each once;
    `starts`: (questions + 1), where the terms of a question begin in `terms`, numbers in `iris`; `signs`: as long as `terms`,
    1 where the term was gone forward, -1 backward, 0 where nothing is known."""

    vectors: Vectors
    iris: tuple[str, ...]
    starts: np.ndarray[tuple[int], np.dtype[np.int32]]
    terms: np.ndarray[tuple[int], np.dtype[np.int32]]
    signs: np.ndarray[tuple[int], np.dtype[np.int8]] = field(default_factory=lambda: np.zeros(0, np.int8))

    def __post_init__(self) -> None:
        if not len(self.signs):
            object.__setattr__(self, "signs", np.zeros(len(self.terms), np.int8))

    @classmethod
    def of(
        cls, pairs: Sequence[tuple[str, Mapping[str, int] | Sequence[str]]], encoder: Encoder
    ) -> Neighbours:
        """From questions and the IRIs of their terms, with the sign of each where it is known."""
        iris = tuple(dict.fromkeys(iri for _, some in pairs for iri in some))
        number = {iri: n for n, iri in enumerate(iris)}
        starts = np.cumsum([0, *(len(some) for _, some in pairs)]).astype(np.int32)
        terms = np.array([number[iri] for _, some in pairs for iri in some], np.int32)
        signs = [some[iri] if isinstance(some, Mapping) else 0 for _, some in pairs for iri in some]
        vectors = encoder.encode([question for question, _ in pairs])
        return cls(vectors, iris, starts, terms, np.array(signs, np.int8))

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

    def directions(self, vector: Vectors, iris: Collection[str]) -> dict[str, float]:
        """For one encoded question, (d,): of these properties the log odds that it is gone forward, by the questions that
        used it or one that is called alike, the likest loudest (Nadaraya and Watson 1964). What nobody used is left out."""
        names = {iri: called_alike(iri) for iri in iris}
        alike: dict[str, list[int]] = {name: [] for name in names.values()}
        for number, iri in enumerate(self.iris):
            if (name := called_alike(iri)) in alike:
                alike[name].append(number)
        out: dict[str, float] = {}
        for iri, name in names.items():
            places = np.flatnonzero(np.isin(self.terms, alike[name]) & (self.signs != 0))
            if len(places):
                questions = np.searchsorted(self.starts, places, side="right") - 1
                loud = np.exp((self.vectors[questions] @ vector - _NEAR) / _NARROW)
                ways = [float(loud[self.signs[places] == way].sum()) + _EITHER for way in (1, -1)]
                out[iri] = float(np.log(ways[0] / ways[1]))
        return out

    def save(self, path: Path) -> None:
        """One safetensors file, vectors in half precision; the IRIs stand in its header."""
        from safetensors.numpy import save_file

        arrays = {"vectors": self.vectors.astype(np.float16), "starts": self.starts, "terms": self.terms}
        facts = {"iris": json.dumps(self.iris, ensure_ascii=False)}
        save_file({**arrays, "signs": self.signs}, path, metadata=facts)

    @classmethod
    def load(cls, path: Path) -> Neighbours:
        """Raises ArtifactError when the file is missing, or its parts do not fit together."""
        from safetensors import SafetensorError, safe_open

        hint = "Build the index again."
        try:
            with safe_open(path, framework="numpy") as file:
                vectors, starts, terms = (file.get_tensor(name) for name in ("vectors", "starts", "terms"))
                iris = tuple(json.loads((file.metadata() or {})["iris"]))
                # Those of an index made before directions were kept know none.
                signed = "signs" in file.keys()  # noqa: SIM118
                signs = file.get_tensor("signs") if signed else np.zeros(len(terms), np.int8)
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
            and signs.shape == terms.shape
        )
        if not fits:
            raise ArtifactError(f"The neighbours {path} do not fit together.", hint)
        return cls(vectors.astype(np.float32), iris, starts, terms, signs.astype(np.int8))
