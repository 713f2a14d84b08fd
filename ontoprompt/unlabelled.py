"""An adapter for a vocabulary without labelled questions: learned from made ones, kept only where it helps.

What is learned (`adapting.train_adapter`, from the identity) is averaged with the adapters that ship, which saw
people's questions about DBpedia and Wikidata: those know how people ask, the new one knows what this vocabulary asks
for. Of the shipped ones only the matrices are taken, not what they know of single terms. A small vocabulary is
learned several times, from different questions, and the average taken: single ones differ much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .adapting import Recipe, train_adapter
from .embedding import DEFAULT_ENCODER, Adapter, Encoder, Progress, Vectors
from .index import term_features, term_texts
from .invention import Invented, invented_questions
from .ontology import Ontology
from .settings import default_index_dir

_PER_TERM = 30
_FEWEST, _MOST = 1800, 4000
_HELD_OUT = 300
_TOO_FEW = 50
_SMALL = 20
_ROUNDS, _ENOUGH = 3, 20  # learned in so many rounds where a term has so many questions
_MOST_TERMS = 50_000
# Words are not left out: another question is worth more than the same one thinned.
_RECIPE = Recipe(epochs=15, batch=128, rate=1e-3, word_dropout=0.0)

Places = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Adaptation:
    """What came of it. `adapter`: None where the plain encoder stays; `before`, `after`: the share of the `held_out`
    made questions, which were not learned from, that have all their terms among the first `k`; `reason`: why nothing was
    trained, if so."""

    adapter: Adapter | None
    questions: int = 0
    held_out: int = 0
    k: int = 0
    before: float = 0.0
    after: float = 0.0
    reason: str = ""

    def __str__(self) -> str:
        """A sentence or two for the user."""
        if self.reason:
            return f"No adapter: {self.reason}. The plain encoder stays."
        found = (
            f"of {self.held_out} more, {self.before:.2f} had all their terms among the first {self.k} before and "
            f"{self.after:.2f} after"
        )
        if self.adapter is None:
            return f"No adapter: {self.questions:,} questions made from the vocabulary did not help; {found}. The plain encoder stays."
        return f"Adapter trained on {self.questions:,} questions made from the vocabulary; {found}."


def adapt(
    ontology: Ontology, encoder: Encoder, *, seed: int = 0, progress: Progress | None = None
) -> Adaptation:
    """Train an adapter for the ontology's terms; the same ontology, encoder and seed give the same one.

    Time grows with the questions made (30 a term, at least 1,800, at most 4,000) and with the terms, all of which
    are compared at every step: above 50,000 none is trained.
    """
    if len(ontology) > _MOST_TERMS:
        return Adaptation(None, reason=f"it is trained for {_MOST_TERMS:,} terms at most")
    count = min(max(_PER_TERM * len(ontology), _FEWEST), _MOST) + _HELD_OUT
    if progress is not None:
        progress("making questions", 0, count)
    made = list(dict.fromkeys(invented_questions(ontology, count, seed=seed)))
    if progress is not None:
        progress("making questions", count, count)
    if len(made) < _TOO_FEW:
        return Adaptation(None, reason="the labels of its terms are not enough to make questions from")
    held = min(_HELD_OUT, len(made) // 4)
    held_out, questions = made[:held], made[held:]
    encoder = _Remembering(encoder)
    rounds = _ROUNDS if len(questions) >= _ENOUGH * len(ontology) else 1
    learned = [
        train_adapter(
            questions[start::rounds],
            ontology.terms,
            encoder,
            recipe=replace(_RECIPE, seed=seed + start),
            progress=progress,
        )
        for start in range(rounds)
    ]
    adapter = _averaged(learned, encoder, _share(len(questions), len(ontology)))
    k = 5 if len(ontology) > _SMALL else 3
    before, after = _found(ontology, encoder, held_out, k, (None, adapter))
    kept = adapter if after > before else None
    return Adaptation(kept, len(questions), len(held_out), k, before, after)


class _Remembering:
    """An encoder that encodes no text twice: the forms of a question that training wants are often the same."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder, self._known = encoder, dict[str, Vectors]()
        self.name, self.dimension, self.fingerprint = encoder.name, encoder.dimension, encoder.fingerprint

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._encoder.encode(new, progress=progress), strict=True))
        return np.stack([self._known[text] for text in texts])


def _share(questions: int, terms: int) -> float:
    """How much the learned adapter counts beside what it is averaged with: the more, the more questions a term was
    asked for in. Chosen on vocabularies from 15 to 9,471 terms (bench/LOG.md)."""
    return min(0.9, max(0.4, 0.6 + 0.18 * math.log10(questions / terms)))


def _averaged(learned: Sequence[Adapter], encoder: Encoder, share: float) -> Adapter:
    """`share` of the average of what was learned; the rest is the shipped adapters, or the identity where they are of
    another encoder. Both matrices of an adapter act on the question, so what is averaged is their product."""
    eye = np.eye(encoder.dimension, dtype=np.float32)
    shipped = _shipped() if encoder.name == DEFAULT_ENCODER else []
    rest = [adapter.question @ adapter.term.T for adapter in shipped] or [eye]
    product = share * np.mean([adapter.question @ adapter.term.T for adapter in learned], axis=0)
    product += (1 - share) * np.mean(rest, axis=0)
    asked = {iri for adapter in learned for iri in adapter.bias}
    return Adapter(
        product.astype(np.float32),
        eye,
        (share * np.mean([adapter.prior for adapter in learned], axis=0)).astype(np.float32),
        {iri: share * float(np.mean([a.bias.get(iri, 0.0) for a in learned])) for iri in sorted(asked)},
    )


def _shipped() -> list[Adapter]:
    """The adapters that lie in the package."""
    places = (
        default_index_dir() / "adapter.safetensors",
        Path(__file__).parent / "data" / "adapters" / "wikidata.safetensors",
    )
    return [Adapter.load(place) for place in places if place.is_file()]


def _found(
    ontology: Ontology,
    encoder: Encoder,
    asked: Sequence[Invented],
    k: int,
    adapters: Sequence[Adapter | None],
) -> list[float]:
    """For each adapter (None: the plain encoder) the share of questions that have all their terms among the first k."""
    texts = [term_texts(term) for term in ontology.terms]
    first = np.cumsum([0] + [len(some) for some in texts[:-1]], dtype=np.int64)
    rows = encoder.encode([text for some in texts for text in some])
    questions = encoder.encode([question for question, _ in asked])
    place = {term.iri: number for number, term in enumerate(ontology.terms)}
    gold = [[place[iri] for iri in iris] for _, iris in asked]
    shares = []
    for adapter in adapters:
        scores = _scores(ontology, questions, rows, first, adapter)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        shares.append(float(np.mean([set(g) <= set(o) for g, o in zip(gold, order.tolist(), strict=True)])))
    return shares


def _scores(
    ontology: Ontology, questions: Vectors, rows: Vectors, first: Places, adapter: Adapter | None
) -> Vectors:
    """(questions, terms), as the index scores: a term by its best text, with what the adapter knows of it."""
    if adapter is None:
        return np.maximum.reduceat(questions @ rows.T, first, axis=1)
    words = np.maximum.reduceat(adapter.apply_question(questions) @ adapter.apply_term(rows).T, first, axis=1)
    features = term_features(ontology.terms, adapter)
    asked = np.concatenate([questions, np.ones((len(questions), 1), np.float32)], 1)
    known = (asked @ adapter.prior) @ features[:, : adapter.prior.shape[1]].T
    scores: Vectors = words + known + features[:, -1]
    return scores
