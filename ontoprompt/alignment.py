"""Which terms stand for which words of a question.

By word stems where they are equal, by what people say of well-known properties, and by the
retrieval score of a term for the word alone, so that paraphrases count (`tall` for elevation).
Alignments are shown in the prompt, tell candidates that hear the question from those that do
not, and say what an answer leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .expectation import expected_answer
from .fragment import Fragment, Hint, ScoredTerm
from .wording import WORDINGS

if TYPE_CHECKING:
    from .embedding import Vectors
    from .index import OntologyIndex
    from .ontology import Term

# How well a term stands for a single word: its score, less what it falls short of the best of all terms. Below
# the first the word means something else, above the second the term means the word.
_NOT_MEANT, _MEANT = 0.1, 0.6
_UNHEARD = 0.4
_HINTED, _HINTED_CLASS = 0.5, 0.8
_HINTS_EACH = 2
_KINDS = {"year": "date", "date": "date", "number": "number"}
# How much it says for a property that it leads to what the question asks for.
_WANTED_SHARE = 0.1
_TIME = re.compile(r"#(?:date|dateTime|gYear|gYearMonth)$")
_NUMBER = re.compile(r"#(?:\w*[iI]nteger|double|float|decimal|int|long|short)$")
# What fits a word less than this share of what fits it best is not shown beside it.
_CLOSE = 0.8
_STOP_TEXT = """
after before since until between over under above below during while same both they them he she we use used
uses using make made makes take takes took get gets got come comes came go goes went stand stands stood run
runs ran appear appears appeared play plays become became lie lies
a about all also an and any are as at be been by can could count did do does ever find for from give had
has have her his how i in into is it its know least less list many me more most much my name number of
on one only or other out people person please s say show some t tell than that the their there these
thing things this those through to total up us was were what when where which who whom whose why with
you
"""
_STOP = frozenset(_STOP_TEXT.split())


@dataclass(frozen=True, slots=True)
class Heard:
    """A question's content words, and how far each term of the fragment stands for each of them, 0 to 1. `directions`: the
    log odds that a property is gone forward in such a question, where something tells."""

    words: tuple[str, ...]
    by_term: Mapping[str, tuple[float, ...]]
    directions: Mapping[str, float] = field(default_factory=dict)

    def best(self, iris: frozenset[str] | None = None) -> list[float]:
        """For each word how well the best of these terms stands for it (None: of all terms)."""
        rows = [row for iri, row in self.by_term.items() if iris is None or iri in iris]
        return [max((row[i] for row in rows), default=0.0) for i in range(len(self.words))]

    def unheard(self, iris: frozenset[str]) -> list[str]:
        """The words that none of these terms stands for."""
        return [w for w, score in zip(self.words, self.best(iris), strict=True) if score < _UNHEARD]


def _content(question: str, fragment: Fragment) -> list[re.Match[str]]:
    spans = [(e.start, e.end) for e in fragment.entities] + [(x.start, x.end) for x in fragment.literals]
    return [
        match
        for match in re.finditer(r"[^\W\d_]+", question)
        if match.group().lower() not in _STOP
        and len(match.group()) >= 3
        and not any(a < match.end() and match.start() < b for a, b in spans)
    ]


def content_words(question: str, fragment: Fragment) -> tuple[str, ...]:
    """Words of the question that say something and stand in no mention and no literal."""
    return tuple(dict.fromkeys(match.group().lower() for match in _content(question, fragment)))


class WordScorer:
    """Scores of single words against the terms of one index; a word is encoded once."""

    def __init__(self, index: OntologyIndex) -> None:
        self.index = index
        self._vectors: dict[str, Vectors] = {}
        self._highest: dict[str, float] = {}

    def prime(self, words: Iterable[str]) -> None:
        """Encode the words that are new, together."""
        new = [w for w in dict.fromkeys(words) if w not in self._vectors]
        if not new:
            return
        queries = self.index.query_vectors(new)
        for word, query, top in zip(new, queries, self.index.highest(queries), strict=True):
            self._vectors[word] = query
            self._highest[word] = top

    def scores(self, words: Sequence[str], iris: Sequence[str]) -> tuple[list[dict[str, float]], list[float]]:
        """For each word the score of each term, and the best score of any term of the index."""
        self.prime(words)
        if not words:
            return [], []
        queries = np.stack([self._vectors[w] for w in words])
        return self.index.scores_of(queries, iris), [self._highest[w] for w in words]


def heard(
    words: Sequence[str],
    scores: Sequence[Mapping[str, float]],
    highest: Sequence[float],
    question: str,
    fragment: Fragment,
) -> Heard:
    """How far terms stand for words: fully where their stems are equal, else by retrieval scores.

    `scores`: for each word the score of each term; `highest`: for each word the best score of any term of the
    index. A name that was not linked is never stood for.
    """
    by_term = {}
    names = set(re.findall(r"(?<=[a-z,] )[A-Z][^\W\d_]+", question))
    unlinked = {name.lower() for name in names}
    for scored in fragment.terms:
        said = _stems_of(scored, fragment)
        shares = []
        for word, table, top in zip(words, scores, highest, strict=True):
            score = table.get(scored.term.iri, 0.0)
            if stem(word) in said:
                shares.append(1.0)
            elif word in unlinked:
                shares.append(0.0)
            else:
                shares.append(_share(score - max(0.0, top - score)))
        by_term[scored.term.iri] = tuple(shares)
    return Heard(tuple(words), by_term)


def _share(score: float) -> float:
    return min(1.0, max(0.0, (score - _NOT_MEANT) / (_MEANT - _NOT_MEANT)))


def _stems_of(scored: ScoredTerm, fragment: Fragment) -> frozenset[str]:
    term = scored.term
    names = [
        term.label,
        *term.aliases,
        *(fragment.labels.get(iri, "") for iri in (*term.domain, *term.range)),
    ]
    return said_stems(term) | {stem(w) for name in names for w in re.findall(r"[a-z]+", name.lower())}


def aligner(scorers: Sequence[WordScorer]) -> Callable[[Fragment], tuple[Hint, ...]]:
    """What finds the hints of fragments whose terms stand in one of the scorers' indexes."""

    def align(fragment: Fragment) -> tuple[Hint, ...]:
        words = content_words(fragment.question, fragment)
        iris = [s.term.iri for s in fragment.terms]
        for scorer in scorers:
            if iris and scorer.index.knows(iris[0]):
                return hints(fragment.question, fragment, *scorer.scores(words, iris))
        return hints(fragment.question, fragment, [{} for _ in words], [0.0] * len(words))

    return align


def fit_of(term: Term, word: str, score: float, top: float, shared: float = 1.0) -> float:
    """How well a term stands for a word, 0 to 1: what is said counts for more than what is like it, and a whole
    name for more than a part. `shared`: the share of the term's name that the question holds."""
    if stem(word) in _name_stems(term):
        return 0.6 + 0.4 * shared
    if stem(word) in said_stems(term):
        return 0.95
    return 0.9 * _share(score - max(0.0, top - score))


def hints(
    question: str, fragment: Fragment, scores: Sequence[Mapping[str, float]], highest: Sequence[float]
) -> tuple[Hint, ...]:
    """Beside which words of the question which terms are to be shown: for each content word at most two
    properties and a class, best first. `scores` and `highest` are those of `content_words`, in order. A term is
    shown once for words in a row.
    """
    words = content_words(question, fragment)
    tables = dict(zip(words, zip(scores, highest, strict=True), strict=True))
    stems = {stem(w) for w in words}
    wanted = {expected_answer(question)} | {_KINDS.get(x.kind, "") for x in fragment.literals}
    names = {s.term.iri: _name_stems(s.term) for s in fragment.terms}
    out: list[Hint] = []
    before: tuple[int, frozenset[str]] = (-1, frozenset())
    for match in _content(question, fragment):
        word = match.group().lower()
        table, top = tables[word]
        found = []
        for place, scored in enumerate(fragment.terms):
            iri = scored.term.iri
            score = table.get(iri, 0.0)
            shared = len(names[iri] & stems) / max(1, len(names[iri]))
            fit = fit_of(scored.term, word, score, top, shared)
            if fit >= (_HINTED_CLASS if scored.term.kind == "class" else _HINTED):
                kind = _WANTED_SHARE * _leads_to(scored.term, wanted)
                found.append((-(fit + 0.3 * shared + kind), place, scored.term))
        found.sort(key=lambda f: f[:2])
        best = [term for fit, _, term in found if fit <= _CLOSE * found[0][0]]
        properties = [t.iri for t in best if t.kind != "class"][:_HINTS_EACH]
        classes = [t.iri for t in best if t.kind == "class"][:1]
        chosen = [t.iri for t in best if t.iri in classes or t.iri in properties]
        gap = question[before[0] : match.start()] if before[0] >= 0 else "."
        shown = [iri for iri in chosen if gap.strip() or iri not in before[1]]
        out.extend(Hint(match.start(), match.end(), iri) for iri in shown)
        before = (match.end(), frozenset(chosen))
    return tuple(out)


def in_question_order(fragment: Fragment) -> tuple[ScoredTerm, ...]:
    """The terms as the question comes to them: those that stand best for a word, in the order of the words, then
    those that come second beside a word, then the rest as they were.

    A symbol's number then says where in the question it belongs, which a small model learns sooner than to
    look it up.
    """
    kinds = {s.term.iri: s.term.kind == "class" for s in fragment.terms}
    seen: dict[tuple[int, bool], int] = {}
    place: dict[str, tuple[int, int]] = {}
    for hint in fragment.hints:
        if hint.iri not in kinds:
            continue
        word = (hint.start, kinds[hint.iri])
        rank = seen[word] = seen.get(word, -1) + 1
        place[hint.iri] = min(place.get(hint.iri, (9, 0)), (rank, hint.start))
    return tuple(sorted(fragment.terms, key=lambda s: place.get(s.term.iri, (9, 0))))


def _leads_to(term: Term, wanted: Set[str]) -> bool:
    """Whether the values of a property are of a kind that the question asks for or gives: `when` a date, `where` a
    thing, with a year a date."""
    return (
        ("thing" in wanted and term.kind == "object_property")
        or ("date" in wanted and any(_TIME.search(iri) for iri in term.range))
        or ("number" in wanted and any(_NUMBER.search(iri) for iri in term.range))
    )


def _name_stems(term: Term) -> frozenset[str]:
    return frozenset(
        stem(w)
        for name in (term.label, *term.aliases[:5])
        for w in re.findall(r"[a-z]+", name.lower())
        if w not in _STOP
    )


def stem(word: str) -> str:
    """A word without its English endings; crude on purpose, it only compares words of a question with labels."""
    for ending, instead in (("ies", "i"), ("sses", "ss"), ("es", ""), ("s", "")):
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= 3:
            word = word[: -len(ending)] + instead
            break
    for ending, instead in (("ing", ""), ("ed", ""), ("or", ""), ("er", ""), ("e", ""), ("y", "i")):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + instead
    return word


def said_stems(term: Term) -> frozenset[str]:
    """Stems of the verbs and adjectives by which people mean a well-known property: `tall` for elevation."""
    wording = WORDINGS.get(re.split(r"[#/]", term.iri)[-1])
    if wording is None:
        return frozenset()
    phrases = (*wording.ask, *wording.have, *wording.most, *wording.least, *wording.over, *wording.under)
    return frozenset(
        stem(w) for w in re.findall(r"[a-z]+", " ".join(phrases)) if w not in _STOP and len(w) > 1
    )
