"""Search for terms by meaning, by words and by questions asked before: dense index, lexical leg, neighbours, one score."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .index import OntologyIndex, TermHit
from .lexical import Lexicon
from .question_words import without_names

if TYPE_CHECKING:
    from .embedding import Vectors
    from .ontology import Term
    from .reranking import Reranker

# What one unit of BM25 counts beside a unit of dense score. Chosen on training questions held out (bench/LOG.md).
LEXICAL = 0.02
# What one unit of the reranker's log odds counts, and how many terms it reads.
REREAD = 0.06
READ_AGAIN = 24
# What all votes of the neighbours count.
ASKED = 1.0
# Terms that are called alike: what questions asked before are taken to have used each, before any did, and how far that
# grows with its use in the graph; and what one unit of log odds counts. Chosen by leaving one training question out (bench/LOG.md).
_UNASKED, _USED = 0.1, 0.2
HOMONYM = 0.05
_DEPTH = 100


class TermSearch:
    """Search over one index. The lexical leg is made when first asked.

    A question is encoded as it stands and without its names, and both vectors count alike: names attract terms
    that are like them, but tell what the question is about.
    """

    def __init__(
        self,
        index: OntologyIndex,
        reranker: Reranker | None = None,
        *,
        lexical: float = LEXICAL,
        nameless: bool = True,
        asked: float = ASKED,
    ) -> None:
        self.index = index
        self.reranker = reranker
        self.lexical, self.nameless, self.asked = lexical, nameless, asked
        # The vectors of the questions last searched for, which are read again.
        self._searched: Mapping[str, Vectors] = {}
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
        queries, votes = self._queries(questions, hidden)
        told = self._told(questions, masked)
        out = []
        for row, hits in enumerate(self.index.nearest(queries, k + _DEPTH)):
            said = self._said(told[row])
            dense = {hit.term.iri: hit.score for hit in hits}
            elsewhere = [*(self.index.terms[place].iri for place in said), *votes[row]]
            if missing := [iri for iri in elsewhere if iri not in dense]:
                dense |= self.index.scores_of(queries[row : row + 1], missing)[0]
            hits = [self._hit(iri, score, said, votes[row]) for iri, score in dense.items()]
            hits.sort(key=lambda hit: (-hit.score, hit.term.iri))
            out.append(self.read_again(questions[row], hits[: max(k, READ_AGAIN)])[:k])
        return out

    def read_again(
        self, question: str, hits: Sequence[TermHit], there: Collection[str] = ()
    ) -> list[TermHit]:
        """The first of the hits, best first, in the order that the reranker and their scores give together; the rest
        as they were; of terms that are called alike the likeliest first. Without a reranker, that alone. `there`: IRIs of
        terms that a graph has at what the question names; these are not told apart from others, the graph has done it."""
        return self._disambiguated(question, self._read(question, hits), there)

    def _read(self, question: str, hits: Sequence[TermHit]) -> list[TermHit]:
        if self.reranker is None:
            return list(hits)
        first, rest = hits[:READ_AGAIN], hits[READ_AGAIN:]
        read = self.reranker.scores(question, [hit.term for hit in first])
        both = [TermHit(hit.term, hit.score + REREAD * more) for hit, more in zip(first, read, strict=True)]
        both.sort(key=lambda hit: (-hit.score, hit.term.iri))
        # The rest stay below the last of the first, whatever scale the reranker has.
        floor = min((hit.score for hit in both), default=0.0)
        over = max(0.0, rest[0].score - floor) if rest else 0.0
        return [*both, *(TermHit(hit.term, hit.score - over) for hit in rest)]

    def _disambiguated(self, question: str, hits: list[TermHit], there: Collection[str]) -> list[TermHit]:
        """Of terms that are called alike the one that the question most likely means has the best score of them: by
        which of them questions like it have used, and by how much the graph uses each. Where no question was asked
        before, as they were."""
        alike: dict[tuple[tuple[str, bool], bool], list[TermHit]] = {}
        for hit in hits:
            alike.setdefault((name_key(hit.term), hit.term.iri in there), []).append(hit)
        neighbours = self.index.neighbours if self.asked else None
        if neighbours is None or len(alike) == len(hits):
            return hits
        (used,) = neighbours.kernel_sums(self.vector(question)[None])
        scores = {hit.term.iri: hit.score for hit in hits}
        for group in alike.values():
            if len(group) > 1:
                usage = np.array([1.0 + hit.term.usage for hit in group]) ** _USED
                before = np.array([used.get(hit.term.iri, 0.0) for hit in group])
                share = before + _UNASKED * usage * len(group) / usage.sum()
                best = max(hit.score for hit in group)
                less = HOMONYM * (np.log(share) - np.log(share.max()))
                scores.update((h.term.iri, best + x) for h, x in zip(group, less.tolist(), strict=True))
        out = [TermHit(hit.term, scores[hit.term.iri]) for hit in hits]
        out.sort(key=lambda hit: -hit.score)
        return out

    def vector(self, question: str) -> Vectors:
        """The question as the encoder has it, (d,), without the adapter; those last searched for are at hand."""
        found = self._searched.get(question)
        return self.index.encoder.encode([question])[0] if found is None else found

    def scores(self, question: str, iris: Collection[str], masked: str | None = None) -> dict[str, float]:
        """IRI → score of the given terms only, as `search` scores them; unknown IRIs are left out."""
        hidden = self._hidden([question], [masked])
        said = self._said(self._told([question], [masked])[0])
        queries, (votes,) = self._queries([question], hidden)
        table = self.index.scores_of(queries, iris)[0]
        return {iri: self._hit(iri, score, said, votes).score for iri, score in table.items()}

    def _told(self, questions: Sequence[str], masked: Sequence[str | None]) -> list[str]:
        """What the lexical leg reads: all words, unless it is known which are names. Capitals may be a term's too."""
        given = _each(questions, masked)
        return [q if m is None else m for q, m in zip(questions, given, strict=True)]

    def _hidden(self, questions: Sequence[str], masked: Sequence[str | None]) -> list[str]:
        given = _each(questions, masked)
        return [without_names(q) if m is None else m for q, m in zip(questions, given, strict=True)]

    def _queries(
        self, questions: Sequence[str], hidden: Sequence[str]
    ) -> tuple[Vectors, list[dict[str, float]]]:
        """Rows to search with, and what the neighbours of each question vote for."""
        texts = list(dict.fromkeys([*questions, *hidden])) if self.nameless else list(questions)
        encoded = self.index.encoder.encode(texts)
        number = {text: n for n, text in enumerate(texts)}
        whole = encoded[[number[q] for q in questions]]
        self._searched = dict(zip(questions, whole, strict=True))
        means: Vectors = whole
        if self.nameless:
            means = (whole + encoded[[number[h] for h in hidden]]) * np.float32(0.5)
        neighbours = self.index.neighbours if self.asked else None
        votes = neighbours.votes(whole) if neighbours is not None else [{} for _ in questions]
        return self.index.projected(means), votes

    def _said(self, text: str) -> dict[int, float]:
        if not self.lexical:
            return {}
        if self._lexicon is None:
            self._lexicon = Lexicon(self.index.terms)
        return self._lexicon.scores(text)

    def _hit(self, iri: str, dense: float, said: Mapping[int, float], votes: Mapping[str, float]) -> TermHit:
        place = self._places[iri]
        more = self.lexical * said.get(place, 0.0) + self.asked * votes.get(iri, 0.0)
        return TermHit(self.index.terms[place], dense + more)


def name_key(term: Term) -> tuple[str, bool]:
    """What a term is called, however its words are joined, and whether it is a class: two that have this in common are told
    apart by nothing that a question says."""
    return re.sub(r"[\s_-]+", "", term.label.lower()), term.kind == "class"


def _each(questions: Sequence[str], masked: Sequence[str | None]) -> list[str | None]:
    return [*masked, *[None] * (len(questions) - len(masked))]
