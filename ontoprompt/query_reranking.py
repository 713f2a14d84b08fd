"""Query reranking: a question and the candidates that a generator wrote for it → how well each says what was asked.

A generator that has learned from few questions often writes the right query and puts another first. This reads each
candidate, in words, beside the question with the default encoder's own pretrained weights: a cross-encoder, as the
reranker of terms is (Nogueira and Cho 2019; candidate queries were first chosen so by Kelkar et al. 2020, Bertrand-DR).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from .query_words import query_words
from .reranking import Reranker

# What a unit of log odds counts beside a nat of the generator's (bench/LOG.md).
WEIGHT = 0.7


class QueryReranker:
    """Scores of candidates for a question. The network is made when first asked."""

    def __init__(self, reranker: Reranker, fingerprint: str = "") -> None:
        self._reranker = reranker
        self.fingerprint = fingerprint

    @classmethod
    def load(cls, path: Path) -> QueryReranker:
        """Raises ArtifactError when the file is missing, damaged, or made for other weights of the encoder."""
        reranker = Reranker.load(path)
        return cls(reranker, hashlib.sha256(path.read_bytes()).hexdigest())

    def scores(self, question: str, queries: Sequence[str], names: Mapping[str, str]) -> dict[str, float]:
        """Query → log odds, comparable for one question only. `queries` in plain SPARQL; `names`: IRI → label. What is
        the same in words has the same score."""
        words = {query: query_words(query, names) for query in queries}
        texts = list(dict.fromkeys(words.values()))
        if not texts:
            return {}
        scores = dict(zip(texts, self._reranker.text_scores(question, texts), strict=True))
        return {query: scores[text] for query, text in words.items()}
