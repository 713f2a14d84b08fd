"""Search for terms by meaning and by words: the dense index and the lexical leg, one score."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .index import OntologyIndex, TermHit
from .lexical import Lexicon
from .question_words import without_names

if TYPE_CHECKING:
    from .embedding import Vectors

# What one unit of BM25 counts beside a unit of dense score. Chosen on training questions held out (bench/LOG.md).
LEXICAL = 0.02
_DEPTH = 100


class TermSearch:
    """Search over one index. The lexical leg is made when first asked.

    A question is encoded as it stands and without its names, and both vectors count alike: names attract terms
    that are like them, but tell what the question is about.
    """

    def __init__(self, index: OntologyIndex, *, lexical: float = LEXICAL, nameless: bool = True) -> None:
        self.index = index
        self.lexical, self.nameless = lexical, nameless
        self._lexicon: Lexicon | None = None
        self._places = {term.iri: place for place, term in enumerate(index.terms)}

    def search(self, question: str, k: int, masked: str | None = None) -> list[TermHit]:
        """The `k` terms that fit best, best first. `masked`: the question with its mentions hidden, where they are
        known; otherwise capitalised words are taken for names."""
        return self.search_each([question], k, [masked])[0]

    def search_each(
        self, questions: Sequence[str], k: int, masked: Sequence[str | None] = ()
    ) -> list[list[TermHit]]:
        """For each question the `k` terms that fit it best, best first."""
        if not questions or not self.index.terms:
            return [[] for _ in questions]
        hidden = self._hidden(questions, masked)
        queries = self._queries(questions, hidden)
        out = []
        for row, hits in enumerate(self.index.nearest(queries, k + _DEPTH)):
            said = self._said(hidden[row])
            dense = {hit.term.iri: hit.score for hit in hits}
            missing = [iri for place in said if (iri := self.index.terms[place].iri) not in dense]
            if missing:
                dense |= self.index.scores_of(queries[row : row + 1], missing)[0]
            hits = [self._hit(iri, score, said) for iri, score in dense.items()]
            out.append(sorted(hits, key=lambda hit: (-hit.score, hit.term.iri))[:k])
        return out

    def scores(self, question: str, iris: Collection[str], masked: str | None = None) -> dict[str, float]:
        """IRI → score of the given terms only, as `search` scores them; unknown IRIs are left out."""
        hidden = self._hidden([question], [masked])
        said = self._said(hidden[0])
        table = self.index.scores_of(self._queries([question], hidden), iris)[0]
        return {iri: self._hit(iri, score, said).score for iri, score in table.items()}

    def _hidden(self, questions: Sequence[str], masked: Sequence[str | None]) -> list[str]:
        given = [*masked, *[None] * (len(questions) - len(masked))]
        return [without_names(q) if m is None else m for q, m in zip(questions, given, strict=True)]

    def _queries(self, questions: Sequence[str], hidden: Sequence[str]) -> Vectors:
        if not self.nameless:
            return self.index.query_vectors(questions)
        texts = list(dict.fromkeys([*questions, *hidden]))
        vectors = dict(zip(texts, self.index.query_vectors(texts), strict=True))
        return np.stack([(vectors[q] + vectors[h]) / 2 for q, h in zip(questions, hidden, strict=True)])

    def _said(self, text: str) -> dict[int, float]:
        if not self.lexical:
            return {}
        if self._lexicon is None:
            self._lexicon = Lexicon(self.index.terms)
        return self._lexicon.scores(text)

    def _hit(self, iri: str, dense: float, said: dict[int, float]) -> TermHit:
        place = self._places[iri]
        return TermHit(self.index.terms[place], dense + self.lexical * said.get(place, 0.0))
