"""A question → the `Fragment` of ontology and graph that it needs.

Search over the index proposes terms, by meaning and by words; a graph at hand says which of them it uses at all and
which occur at the entities that the question mentions; a reranker reads the best again with the question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .alignment import Heard, WordScorer, content_words, fit_of, heard, hints, said_stems, stem
from .entities import EntityLink, Linker
from .errors import GraphError, QueryError, UsageError
from .fragment import Fragment, ScoredTerm
from .index import TermHit
from .literals import QuestionLiteral, find_literals
from .ontology import Term
from .sparql import PREFIXES
from .term_search import TermSearch, name_key

if TYPE_CHECKING:
    from .execution import Store
    from .index import OntologyIndex
    from .reranking import Reranker

_LINK_FLOOR = 0.3
_RIVAL = 0.6
_TOLD = 0.4
_INCIDENT = 0.10
_LEXICAL = 0.12
_SEARCH = 200
# How many of the best terms a small generator is shown: few where the search has learned what is asked for, which was
# chosen on training questions held out; more where it has not (bench/LOG.md).
NARROW, UNLEARNT = (1, 2, 4, 8), (4, 8, 12)
# Properties that play the part of `rdf:type`.
KINDS = (PREFIXES["wdt"] + "P31",)
_EXTREME = re.compile(
    r"\b(?:most|least|fewest|highest|lowest|longest|shortest|tallest|largest|smallest|biggest|greatest|oldest|youngest|heaviest"
    r"|lightest|fastest|maxim\w+|minim\w+)\b",
    re.IGNORECASE,
)
_USE_SECONDS = 8.0
_EVIDENCE_SECONDS = 3.0
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_STOP = frozenset(
    [
        "of",
        "the",
        "a",
        "an",
        "in",
        "on",
        "at",
        "by",
        "for",
        "to",
        "is",
        "are",
        "was",
        "were",
        "do",
        "does",
        "did",
        "has",
        "have",
        "had",
        "and",
        "or",
        "with",
        "from",
        "how",
        "many",
        "what",
        "which",
        "who",
        "whom",
        "whose",
        "where",
        "when",
    ]
)


@dataclass(frozen=True, slots=True)
class Pins:
    """What the user has fixed: mention → entity IRI, and terms that must be in the fragment."""

    entities: Mapping[str, str]
    terms: tuple[str, ...] = ()

    @property
    def iris(self) -> frozenset[str]:
        """All that is fixed."""
        return frozenset((*self.entities.values(), *self.terms))


@dataclass(frozen=True, slots=True)
class VocabularyInUse:
    """Properties and classes that a graph uses, with how often."""

    properties: Mapping[str, int]
    classes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The predicates that leave an entity and those that arrive at it; None where the graph did not say."""

    leaving: frozenset[str] | None
    arriving: frozenset[str] | None

    @property
    def either(self) -> frozenset[str]:
        """Predicates known to occur at the entity, in whichever direction."""
        return (self.leaving or frozenset()) | (self.arriving or frozenset())


def vocabulary_in_use(store: Store) -> VocabularyInUse | None:
    """What a graph uses, by two grouped queries; None when it does not answer in time, which is no evidence."""
    try:
        properties = store.query(
            "SELECT ?p (COUNT(*) AS ?n) WHERE { ?s ?p ?o } GROUP BY ?p LIMIT 20000",
            timeout=_USE_SECONDS,
            max_rows=20_000,
        )
        classes = store.query(
            "SELECT ?c (COUNT(*) AS ?n) WHERE { ?s a ?c } GROUP BY ?c LIMIT 20000",
            timeout=_USE_SECONDS,
            max_rows=20_000,
        )
    except (GraphError, QueryError):
        return None
    counts = [
        {row[0].value: int(float(row[1].value)) for row in r.rows if row[0] and row[1]}
        for r in (properties, classes)
    ]
    return VocabularyInUse(counts[0], counts[1])


class Retriever:
    """Retrieves fragments from one index, and a linker and a graph where there are any."""

    def __init__(
        self,
        index: OntologyIndex,
        linker: Linker | None = None,
        store: Store | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        self.index = index
        self.search = TermSearch(index, reranker)
        self.linker = linker
        self.store = store
        self._scorer = WordScorer(index)
        self.terms: dict[str, Term] = {t.iri: t for t in index.terms}
        self._use: VocabularyInUse | None = None
        self._asked = False
        self._around: dict[str, Surroundings] = {}

    @property
    def in_use(self) -> VocabularyInUse | None:
        """The vocabulary that the graph uses, asked once."""
        if not self._asked and self.store is not None:
            self._use = vocabulary_in_use(self.store)
        self._asked = True
        return self._use

    def link(self, question: str, pins: Pins | None = None, *, rivals: int = 2) -> tuple[EntityLink, ...]:
        """The entities mentioned, best first: for each stretch of the question the best link, and rivals that
        score nearly as well. Pinned mentions come first and shut out what overlaps them."""
        pinned = self._pinned(question, pins)
        found = self.linker.link(question, k=5) if self.linker is not None else ()
        return (*pinned, *_settled(found, rivals, [(p.start, p.end) for p in pinned]))[:8]

    def _pinned(self, question: str, pins: Pins | None) -> list[EntityLink]:
        out = []
        for mention, iri in (pins.entities if pins else {}).items():
            found = re.search(rf"(?<!\w){re.escape(mention)}(?!\w)", question, re.IGNORECASE)
            if found is None:
                raise UsageError(
                    f"The question does not hold the words '{mention}'.",
                    "Give --entity MENTION=IRI with words of the question.",
                )
            out.append(EntityLink(iri, mention, found.group(), found.start(), found.end(), 1.0))
        return out

    def retrieve(
        self,
        question: str,
        *,
        top_k: int = 12,
        links: Sequence[EntityLink] | None = None,
        rivals: int = 1,
        pins: Pins | None = None,
    ) -> Fragment:
        """The fragment of a question: at most `top_k` terms, best first, with entities and literals.

        Of several links for one mention, those stay that fit best with the terms, `rivals` of them.
        """
        links = self.link(question, pins) if links is None else links
        spans = [(link.start, link.end) for link in links if link.start >= 0]
        literals = _free_literals(question, spans)
        masked = _masked(question, links, self.terms)
        scores = self._scores(question, masked)
        links = self._fitting(question, links, rivals)
        incident = frozenset[str]().union(*(self.surroundings(link.iri).either for link in links))
        words = _stems(masked)
        found = [
            TermHit(
                self.terms[iri],
                score + _INCIDENT * (iri in incident) + _LEXICAL * _lexical(self.terms[iri], words),
            )
            for iri, score in scores.items()
        ]
        found.sort(key=lambda hit: (-hit.score, hit.term.iri))
        read = self.search.read_again(question, found, incident)[:top_k]
        chosen = [ScoredTerm(hit.term, hit.score) for hit in read]
        for iri in pins.terms if pins else ():
            if iri not in self.terms:
                raise UsageError(
                    f"The index holds no term {iri}.", "Give --term an IRI that `ontoprompt search` shows."
                )
            chosen = [ScoredTerm(self.terms[iri], 2.0), *(s for s in chosen if s.term.iri != iri)]
        labels = self._labels([s.term for s in chosen], links)
        fragment = Fragment(question, tuple(chosen), tuple(links), literals, labels)
        return replace(fragment, hints=hints(question, fragment, *self._word_scores(fragment)))

    def narrowed(self, fragment: Fragment, count: int) -> Fragment:
        """The fragment with its `count` best terms alone, and with one reading of each word, the best. Where questions asked
        before, and no graph, tell terms apart that are called alike, the best of them alone."""
        links = tuple(_settled(fragment.entities, 1))
        terms = fragment.terms
        if self.store is None and self.index.neighbours is not None:
            first: dict[tuple[str, bool], ScoredTerm] = {}
            for scored in terms:
                first.setdefault(name_key(scored.term), scored)
            terms = tuple(first.values())
        few = replace(fragment, terms=self._with_kinds(fragment, terms[:count]), entities=links, hints=())
        return replace(few, hints=hints(few.question, few, *self._word_scores(few)))

    def _with_kinds(self, fragment: Fragment, terms: tuple[ScoredTerm, ...]) -> tuple[ScoredTerm, ...]:
        """The terms; where a question sorts all things of a kind or looks for a name among them, also the property that says
        of what kind a thing is. No word asks for it, so search finds it late; RDF's own needs no finding."""
        named = any(x.kind == "string" for x in fragment.literals)
        if not named and not _EXTREME.search(fragment.question):
            return terms
        kinds = [iri for iri in KINDS if iri in self.terms and all(s.term.iri != iri for s in terms)]
        best = max((s.score for s in terms), default=0.0)
        return (*terms, *(ScoredTerm(self.terms[iri], best) for iri in kinds))

    def widths(self, fragment: Fragment) -> list[int]:
        """How many of its best terms a small model is shown of a fragment, in prompts of their own; empty: show all."""
        count = len(fragment.terms)
        if self.index.adapter is not None:
            return [n for n in NARROW if n < max(count, min(NARROW) + 1)]
        return [n for n in UNLEARNT if n < count] + [count] if count > min(UNLEARNT) else []

    def heard(self, fragment: Fragment) -> Heard:
        """How far the terms of a fragment stand for the words of its question, and, where no graph tells it, which way
        questions asked before went their properties."""
        words = content_words(fragment.question, fragment)
        found = heard(words, *self._word_scores(fragment), fragment.question, fragment)
        if self.store is not None or self.index.neighbours is None:
            return found
        vector, iris = self.search.vector(fragment.question), [s.term.iri for s in fragment.terms]
        return replace(found, directions=self.index.neighbours.directions(vector, iris))

    def _word_scores(self, fragment: Fragment) -> tuple[list[dict[str, float]], list[float]]:
        words = content_words(fragment.question, fragment)
        return self._scorer.scores(words, [s.term.iri for s in fragment.terms])

    def _scores(self, question: str, masked: str) -> dict[str, float]:
        use = self.in_use
        if use is not None:
            iris = [
                iri
                for iri in (*use.properties, *use.classes)
                if iri in self.terms and not iri.startswith(_RDF)
            ]
            if iris:
                return self.search.scores(question, iris, masked)
        return {hit.term.iri: hit.score for hit in self.search.search(question, _SEARCH, masked)}

    def _fitting(self, question: str, links: Sequence[EntityLink], rivals: int) -> tuple[EntityLink, ...]:
        """The best links of each mention: by link score, and by how many of the question's words the terms stand for
        that the graph has at the entity (joint disambiguation of names and terms)."""
        groups: dict[tuple[int, int], list[EntityLink]] = {}
        for link in links:
            groups.setdefault((link.start, link.end), []).append(link)
        words = content_words(question, Fragment(question, entities=tuple(links)))
        kept: set[str] = set()
        for group in groups.values():
            if len(group) > rivals and group[0].start >= 0:
                worth = {link.iri: link.score + _TOLD * self._told(link.iri, words) for link in group}
                kept.update(sorted(worth, key=lambda iri: -worth[iri])[:rivals])
            else:
                kept.update(link.iri for link in group)
        return tuple(link for link in links if link.iri in kept)

    def _told(self, iri: str, words: Sequence[str]) -> float:
        """The share of the words that a term at an entity stands for; each word counts as far as it is stood for."""
        around = [p for p in self.surroundings(iri).either if p in self.terms]
        if not words or not around:
            return 0.0
        tables, highest = self._scorer.scores(words, around)
        told = [
            max(fit_of(self.terms[p], word, table.get(p, 0.0), top) for p in around)
            for word, table, top in zip(words, tables, highest, strict=True)
        ]
        return sum(told) / len(told)

    def surroundings(self, iri: str) -> Surroundings:
        """The predicates at an entity in the graph, by direction; asked once for each entity, time-boxed."""
        if iri not in self._around:
            self._around[iri] = Surroundings(
                self._predicates(f"<{iri}> ?p ?o"), self._predicates(f"?s ?p <{iri}>")
            )
        return self._around[iri]

    def _predicates(self, pattern: str) -> frozenset[str] | None:
        if self.store is None:
            return None
        try:
            result = self.store.query(
                f"SELECT DISTINCT ?p WHERE {{ {pattern} }} LIMIT 1000",
                timeout=_EVIDENCE_SECONDS,
                max_rows=1000,
            )
        except (GraphError, QueryError):
            return None
        return frozenset(row[0].value for row in result.rows if row[0])

    def _labels(self, terms: Sequence[Term], links: Sequence[EntityLink]) -> dict[str, str]:
        named = [iri for t in terms for iri in (t.iri, *t.domain, *t.range)] + [
            iri for link in links for iri in link.types
        ]
        return {iri: self.terms[iri].label for iri in named if iri in self.terms}


def _settled(
    links: Sequence[EntityLink], rivals: int, taken: Sequence[tuple[int, int]] = ()
) -> list[EntityLink]:
    """Of links, best first, those that go together: for each stretch of the question the best, and `rivals` that score
    nearly as well; nothing that overlaps a better one or a stretch that is taken."""
    kept: list[EntityLink] = []
    best: dict[tuple[int, int], float] = {}
    count: dict[tuple[int, int], int] = {}
    for link in links:
        span = (link.start, link.end)
        letter = len(link.mention) == 1 and link.mention.islower()  # a unit, not the film "M"
        if letter or link.score < _LINK_FLOOR or any(_overlap(span, other) for other in taken):
            continue
        top = best.get(span)
        if top is None and any(_overlap(span, other) for other in best):
            continue
        if top is None or (link.score >= _RIVAL * top and count[span] < rivals):
            best.setdefault(span, link.score)
            count[span] = count.get(span, 0) + 1
            kept.append(link)
    return kept


def prefer_specific_types(links: Sequence[EntityLink], terms: Mapping[str, Term]) -> tuple[EntityLink, ...]:
    """Links with the most specific of their types first: `River` before `Place`."""
    out = []
    for link in links:
        above = {parent for t in link.types if t in terms for parent in terms[t].parents}
        known = [t for t in link.types if t in terms] or list(link.types)
        out.append(replace(link, types=tuple(sorted(known, key=lambda t: (t in above, t)))))
    return tuple(out)


def _free_literals(question: str, spans: Sequence[tuple[int, int]]) -> tuple[QuestionLiteral, ...]:
    return tuple(
        x for x in find_literals(question) if not any(_overlap((x.start, x.end), span) for span in spans)
    )


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def _masked(question: str, links: Sequence[EntityLink], terms: Mapping[str, Term]) -> str:
    """The question with mentions replaced by their type, so that names do not attract terms."""
    for start, end, iri in sorted(
        {(x.start, x.end, x.types[0] if x.types else "") for x in links if x.start >= 0}, reverse=True
    ):
        word = terms[iri].label if iri in terms else "it"
        question = f"{question[:start]}{word}{question[end:]}"
    return question


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(w) for w in re.findall(r"[a-z]+", text.lower()) if w not in _STOP)


def _lexical(term: Term, words: frozenset[str]) -> float:
    """The share of a term's label (or best alias) whose word stems occur in the question."""
    best = 0.0
    for name in (term.label, *term.aliases[:5]):
        stems = _stems(name)
        if stems:
            best = max(best, len(stems & words) / len(stems))
    # Known phrases hold many words; one of them says less than the label itself.
    return max(best, 0.75) if said_stems(term) & words else best
