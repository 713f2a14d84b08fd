"""Training of the adapter: questions and the terms that their queries use → matrices over a frozen encoder.

The loss is the softmax over *all* terms of the vocabulary, the gold terms of a question sharing the target:
with some ten thousand terms and vectors computed once that is a matter of minutes on one core, and every term
is a negative at every step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from ontoprompt.embedding import Adapter, Encoder, Progress, Vectors
from ontoprompt.errors import UsageError
from ontoprompt.index import term_features
from ontoprompt.ontology import Term
from ontoprompt.query_loss import half_is_fast
from ontoprompt.question_words import without_names

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train. `scale`: logits per unit of score at the start; `input_dropout`: share of a question
    vector's numbers blanked; `word_dropout`: share of words left out of its third form; `bias_decay` holds
    down what a term earns by its frequency in the pairs."""

    epochs: int = 20
    batch: int = 256
    rate: float = 2e-3
    bias_rate: float = 2e-2
    scale: float = 20.0
    input_dropout: float = 0.1
    word_dropout: float = 0.15
    bias_decay: float = 1e-3
    seed: int = 0


def train_adapter(
    pairs: Iterable[tuple[str, Sequence[str]]],
    index_terms: Sequence[Term],
    encoder: Encoder,
    *,
    recipe: Recipe | None = None,
    progress: Progress | None = None,
) -> Adapter:
    """An adapter for `encoder` from (question, IRIs of its gold terms) pairs over the terms of an index.

    Gold terms outside the vocabulary are passed over. Every question is learned from in three forms: as it
    is; without its names (the capitalised words after the first), as retrieval also asks; without some words.
    Runs on one thread, so that the same pairs give the same adapter. Raises UsageError when no pair names
    a term of the vocabulary.
    """
    recipe = recipe or Recipe()
    questions, gold = _usable(pairs, index_terms)
    texts = list(dict.fromkeys(term.label for term in index_terms))
    vectors = dict(zip(texts, encoder.encode(texts, progress=progress), strict=True))
    terms = np.stack([vectors[term.label] for term in index_terms])
    random = Random(recipe.seed)
    forms = (
        questions,
        [without_names(question) for question in questions],
        [_thinned(question, recipe.word_dropout, random) for question in questions],
    )
    encoded = np.stack([encoder.encode(form, progress=progress) for form in forms])
    return _fit(encoded, gold, terms, index_terms, recipe, progress)


def _thinned(question: str, share: float, random: Random) -> str:
    """The question without that share of its words, whichever they are."""
    return " ".join(word for word in question.split() if random.random() >= share) or question


def _usable(
    pairs: Iterable[tuple[str, Sequence[str]]], terms: Sequence[Term]
) -> tuple[list[str], list[list[int]]]:
    """Questions, and the places of their gold terms in the vocabulary; those without any left out."""
    places = {term.iri: place for place, term in enumerate(terms)}
    questions, gold = [], []
    for question, iris in pairs:
        known = sorted({places[iri] for iri in iris if iri in places})
        if known and question.strip():
            questions.append(question)
            gold.append(known)
    if not questions:
        raise UsageError(
            "None of the pairs uses a term of this vocabulary.", "Give pairs whose queries are about it."
        )
    return questions, gold


class _Parameters:
    """What is learned, and the scores that it gives."""

    def __init__(
        self, terms: Vectors, features: Vectors, gold: Sequence[Sequence[int]], recipe: Recipe
    ) -> None:
        import torch

        self.terms, self.features = torch.from_numpy(terms), torch.from_numpy(features)
        # Half precision costs a third of the time where the processor has it, and no accuracy that shows.
        self.dtype = torch.bfloat16 if half_is_fast() else torch.float32
        count, width = terms.shape
        self.question = torch.eye(width, requires_grad=True)
        self.term = torch.eye(width, requires_grad=True)
        self.prior = torch.zeros(width + 1, features.shape[1], requires_grad=True)
        self.bias = torch.zeros(count, requires_grad=True)
        self.scale = torch.tensor(math.log(recipe.scale), requires_grad=True)
        # Only a term that some pair asks for may earn a bias: the others are not known to be rare.
        self.seen = torch.zeros(count)
        self.seen[[place for places in gold for place in places]] = 1.0
        rate, bias_rate = recipe.rate, recipe.bias_rate
        self.groups = [
            {"params": [self.question, self.term, self.scale], "lr": rate, "base": rate},
            {"params": [self.prior], "lr": 3 * rate, "base": 3 * rate},
            {"params": [self.bias], "lr": bias_rate, "base": bias_rate},
        ]

    def logits(self, whole: torch.Tensor, blanked: torch.Tensor) -> torch.Tensor:
        """(batch, d) question vectors, without and with numbers blanked → (batch, terms)."""
        words = (blanked @ self.question).to(self.dtype) @ (self.terms @ self.term).to(self.dtype).T
        prior = (whole @ self.prior[:-1] + self.prior[-1]) @ self.features.T
        scores: torch.Tensor = (words.float() + prior + self.bias * self.seen) * self.scale.exp()
        return scores

    def adapter(self, terms: Sequence[Term]) -> Adapter:
        bias = (self.bias * self.seen).detach().numpy()
        return Adapter(
            self.question.detach().numpy().copy(),
            self.term.detach().numpy().copy(),
            self.prior.detach().numpy().copy(),
            {terms[place].iri: float(bias[place]) for place in np.flatnonzero(bias).tolist()},
        )


def _fit(
    forms: Vectors,
    gold: Sequence[Sequence[int]],
    vectors: Vectors,
    terms: Sequence[Term],
    recipe: Recipe,
    progress: Progress | None,
) -> Adapter:
    """`forms`: (forms of a question, questions, d), one of them drawn at each step; `vectors`: (terms, d)."""
    import torch
    import torch.nn.functional as F

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        random = torch.Generator().manual_seed(recipe.seed)
        learned = _Parameters(vectors, term_features(terms)[:, :-1], gold, recipe)
        optimizer = torch.optim.AdamW(learned.groups, betas=(0.9, 0.98), weight_decay=0.0)
        questions = torch.from_numpy(forms)
        steps = recipe.epochs * math.ceil(len(gold) / recipe.batch)
        keep = 1.0 - recipe.input_dropout
        step = 0
        for _ in range(recipe.epochs):
            order = torch.randperm(len(gold), generator=random)
            for start in range(0, len(gold), recipe.batch):
                batch = order[start : start + recipe.batch]
                for group in optimizer.param_groups:
                    group["lr"] = group["base"] * min(1.0, (step + 1) / 20) * (1.0 - step / steps)
                form = torch.randint(len(forms), (len(batch),), generator=random)
                whole = questions[form, batch]
                blanked = whole * (torch.rand(whole.shape, generator=random) < keep) / keep
                target = torch.zeros(len(batch), len(vectors))
                for row, question in enumerate(batch.tolist()):
                    target[row, list(gold[question])] = 1.0 / len(gold[question])
                loss = -(target * F.log_softmax(learned.logits(whole, blanked), 1)).sum(1).mean()
                loss = loss + recipe.bias_decay * learned.bias.square().sum()
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                step += 1
                if progress is not None:
                    progress("train", step, steps)
        return learned.adapter(terms)
    finally:
        torch.set_num_threads(threads)
