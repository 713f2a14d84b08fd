"""`Engine.ask`: a question through every stage to an `Answer`.

Candidates are tried best first; the first that validates and returns something wins. When none
does, one repair round asks again with a wider fragment. An empty answer is reported as empty.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from . import sparql
from .entities import EntityLink
from .errors import NoQueryError, QueryError, QueryTimeoutError, UsageError
from .evidence import unlikely_pairs
from .execution import ResultSet, Store, Value
from .fragment import Fragment, ScoredTerm
from .generation import Candidate, Generator, Request
from .grammar import Vocabulary, build_grammar
from .prompts import Example, Prompt, build_prompt
from .restating import restate
from .retrieval import Pins, Retriever, prefer_specific_types, said_stems, stem
from .validation import Issue, validate

MAX_QUESTION = 2_000
STAGES = ("link", "retrieve", "prompt", "generate", "validate", "execute")
_BIAS = 2.0
_UNUSED = 4.0
_UNCOVERED = 1.0
_DOUBT = 0.5
_SURE = 0.5
_STOP = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "in",
        "on",
        "at",
        "by",
        "for",
        "to",
        "from",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "do",
        "does",
        "did",
        "has",
        "have",
        "had",
        "and",
        "or",
        "with",
        "as",
        "that",
        "which",
        "what",
        "who",
        "whom",
        "whose",
        "where",
        "when",
        "why",
        "how",
        "many",
        "much",
        "there",
        "it",
        "its",
        "their",
        "his",
        "her",
        "me",
        "my",
        "i",
        "you",
        "us",
        "all",
        "any",
        "some",
        "give",
        "tell",
        "show",
        "list",
        "name",
        "find",
        "please",
        "can",
        "could",
        "say",
        "know",
        "count",
        "number",
        "total",
        "than",
        "most",
        "more",
        "less",
        "least",
        "ever",
        "into",
        "out",
        "up",
        "about",
        "this",
        "these",
        "those",
        "also",
        "only",
        "other",
        "one",
        "people",
        "person",
        "thing",
        "things",
        "s",
        "t",
    ]
)


@dataclass(frozen=True, slots=True)
class TriedCandidate:
    """A candidate and its fate: issues found, rows it returned (None: not executed)."""

    candidate: Candidate
    issues: tuple[Issue, ...]
    rows: int | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question came to. `confidence` is in 0..1; below 0.5 the answer is called doubtful."""

    question: str
    sparql: str
    restated: str
    confidence: float
    result: ResultSet | None
    labels: Mapping[str, str]
    entities: tuple[EntityLink, ...]
    terms: tuple[ScoredTerm, ...]
    prompt: str
    candidates: tuple[TriedCandidate, ...]
    model: str
    index: str
    kg: str
    timings: Mapping[str, float]
    doubts: tuple[str, ...] = ()

    @property
    def doubtful(self) -> bool:
        """Whether the answer must be called doubtful in plain words."""
        return self.confidence < _DOUBT

    @property
    def empty(self) -> bool:
        """Whether the query ran and returned nothing."""
        r = self.result
        return r is not None and r.form == "select" and (not r.rows or all(v is None for v in r.rows[0]))


@dataclass(frozen=True, slots=True)
class AskOptions:
    """Per-question options; see the flags of `ontoprompt ask`."""

    variant: str = ""
    top_k: int = 12
    candidates: int = 6
    timeout: float = 30.0
    limit: int = 100
    execute: bool = True
    pins: Pins = field(default_factory=lambda: Pins({}))
    examples: Sequence[Example] = ()


class Engine:
    """All stages, composed. Holds a retriever, a generator and, where there is one, a store."""

    def __init__(
        self,
        retriever: Retriever,
        generator: Generator,
        store: Store | None = None,
        *,
        index_name: str = "",
        kg_name: str = "",
        labels: Any = None,
    ) -> None:
        self.retriever = retriever
        self.generator = generator
        self.store = store
        self.index_name = index_name
        self.kg_name = kg_name
        self.labels = labels

    def fragment(self, question: str, options: AskOptions, *, widen: bool = False) -> Fragment:
        """The fragment of a question; `widen` takes twice the terms and more rivals for each mention."""
        links = self.retriever.link(question, options.pins, rivals=4 if widen else 1)
        links = prefer_specific_types(links, self.retriever.terms)
        return self.retriever.retrieve(
            question, top_k=options.top_k * (2 if widen else 1), links=links, pins=options.pins
        )

    def prompt(self, fragment: Fragment, options: AskOptions) -> Prompt:
        """The prompt of a fragment in the asked variant, or the one that the generator was trained on."""
        variant = options.variant or self.generator.variant
        context = int(getattr(self.generator, "context", 4096))
        return build_prompt(
            fragment,
            variant,
            examples=options.examples,
            budget=context - 200,
            count_tokens=self.generator.count_tokens,
        )

    def ask(
        self, question: str, options: AskOptions | None = None, *, fragment: Fragment | None = None
    ) -> Answer:
        """Answer one question. Raises UsageError for a question that is none, NoQueryError when no candidate is
        valid, GraphError when the graph does not answer. `fragment` replaces what would be retrieved."""
        options = options or AskOptions()
        question = checked_question(question)
        timings: dict[str, float] = dict.fromkeys(STAGES, 0.0)
        began = time.monotonic()
        tried: list[TriedCandidate] = []
        best: tuple[TriedCandidate, ResultSet | None] | None = None
        used, prompt = fragment, None
        for widen in (False, True):
            if fragment is None:
                with _timed(timings, "retrieve"):
                    used = self.fragment(question, options, widen=widen)
            assert used is not None
            with _timed(timings, "prompt"):
                shown = self.prompt(used, options)
            if prompt is None:
                prompt = shown
            with _timed(timings, "generate"):
                (candidates,) = self.generator.generate([self.request(shown)], candidates=options.candidates)
            candidates = by_coverage(question, candidates, shown.fragment)
            best = self._choose(candidates, shown, options, tried, timings) or best
            if best is not None and (best[1] is None or not _nothing(best[1])):
                prompt = shown
                break
            if fragment is not None or not options.execute or self.store is None:
                break
        if best is None:
            raise NoQueryError(
                "No valid query could be written for this question.",
                "Word it differently, or pin a choice with --entity or --term.",
            )
        timings["total"] = time.monotonic() - began
        assert prompt is not None
        return self._answer(question, best, tried, prompt, options, timings)

    def request(self, prompt: Prompt) -> Request:
        """The generation request of a prompt: its grammar, and retrieval's scores as weights on the terms."""
        vocabulary = Vocabulary(
            classes=prompt.of("class"),
            properties=prompt.of("property", "statement"),
            entities=prompt.of("entity"),
            literals=prompt.of("literal"),
            strings=prompt.of("string"),
            counts=[s.text for s in prompt.surfaces if s.role == "literal" and s.sparql.isdigit()],
        )
        scores = {s.term.iri: s.score for s in prompt.fragment.terms}
        top = max(scores.values(), default=0.0)
        bias = (
            {s.text: max(-2.0, _BIAS * (scores[s.iri] - top)) for s in prompt.surfaces if s.iri in scores}
            if prompt.symbolic
            else {}
        )
        unlikely = unlikely_pairs(prompt, self.retriever.surroundings) if prompt.symbolic else frozenset()
        return Request(prompt, build_grammar(vocabulary), bias, unlikely)

    def _choose(
        self,
        candidates: Sequence[Candidate],
        prompt: Prompt,
        options: AskOptions,
        tried: list[TriedCandidate],
        timings: dict[str, float],
    ) -> tuple[TriedCandidate, ResultSet | None] | None:
        """The first candidate that validates and returns something; else the first that validates."""
        fallback: tuple[TriedCandidate, ResultSet | None] | None = None
        known = {s.term.iri: s.term for s in prompt.fragment.terms}
        entities = [e.iri for e in prompt.fragment.entities]
        winner: tuple[TriedCandidate, ResultSet | None] | None = None
        deadline = time.monotonic() + options.timeout
        for candidate in candidates:
            if winner is not None:
                tried.append(TriedCandidate(candidate, (), None, "not needed"))
                continue
            with _timed(timings, "validate"):
                issues = validate(
                    candidate.sparql,
                    terms=self.retriever.terms,
                    allowed=[*known, *_statement_iris(prompt)],
                    entities=entities,
                )
            if candidate.truncated or any(i.severity == "error" for i in issues):
                tried.append(
                    TriedCandidate(
                        candidate, tuple(issues), None, "cut off" if candidate.truncated else "refused"
                    )
                )
                continue
            result: ResultSet | None = None
            note = ""
            if options.execute and self.store is not None:
                limited = sparql.with_limit(sparql.parse(candidate.sparql), options.limit)
                try:
                    with _timed(timings, "execute"):
                        result = self.store.query(
                            limited.text(),
                            timeout=max(0.1, deadline - time.monotonic()),
                            max_rows=options.limit,
                        )
                except QueryTimeoutError:
                    if fallback is None and time.monotonic() >= deadline:
                        raise
                    tried.append(TriedCandidate(candidate, tuple(issues), None, "took too long"))
                    continue
                note = "nothing found" if _nothing(result) else "chosen"
            entry = TriedCandidate(
                candidate, tuple(issues), None if result is None else _rows(result), note or "chosen"
            )
            tried.append(entry)
            if result is None or not _nothing(result):
                winner = (entry, result)
            elif fallback is None:
                fallback = (entry, result)
        return winner or fallback

    def _answer(
        self,
        question: str,
        best: tuple[TriedCandidate, ResultSet | None],
        tried: Sequence[TriedCandidate],
        prompt: Prompt,
        options: AskOptions,
        timings: Mapping[str, float],
    ) -> Answer:
        chosen, result = best
        query = sparql.parse(chosen.candidate.sparql)
        fragment = prompt.fragment
        iris = query.iris()
        used_entities = tuple(e for e in fragment.entities if e.iri in iris)
        labels = self._labels(iris, result)
        confidence, doubts = judge(question, fragment, query, chosen, tried, result)
        text = sparql.with_limit(query, options.limit) if query.form == "select" else query
        return Answer(
            question=question,
            sparql=sparql.render(text, name=sparql.prefixed, pretty=True),
            restated=restate(query.text(), lambda iri: labels.get(iri) or sparql.prefixed(iri) or iri),
            confidence=confidence,
            result=result,
            labels=labels,
            entities=used_entities,
            terms=fragment.terms,
            prompt=prompt.text,
            candidates=tuple(tried),
            model=self.generator.name,
            index=self.index_name,
            kg=self.kg_name,
            timings=timings,
            doubts=doubts,
        )

    def _labels(self, iris: frozenset[str], result: ResultSet | None) -> dict[str, str]:
        wanted = set(iris)
        if result is not None:
            wanted |= {v.value for row in result.rows for v in row if v is not None and v.type == "uri"}
        out = {iri: self.retriever.terms[iri].label for iri in wanted if iri in self.retriever.terms}
        rest = [iri for iri in wanted if iri not in out]
        if self.labels is not None and rest:
            out.update(self.labels.labels(rest))
        for iri in wanted:
            if iri not in out:
                out[iri] = re.sub(r"_", " ", re.split(r"[#/]", iri)[-1]) or iri
        return out


def checked_question(question: str) -> str:
    """The question without control characters and outer spaces. Raises UsageError when nothing is left to ask."""
    cleaned = re.sub(
        r"\s+", " ", re.sub(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ufeff]+", " ", question)
    ).strip()
    if not cleaned:
        raise UsageError(
            "The question is empty.",
            'Ask something, for example: ontoprompt ask "What is the capital of France?"',
        )
    if len(cleaned) > MAX_QUESTION:
        raise UsageError(
            f"The question has {len(cleaned):,} characters; at most {MAX_QUESTION:,} can be read.",
            "Ask one thing at a time.",
        )
    letters = [c for c in cleaned if c.isalpha()]
    if not letters:
        raise UsageError("The question holds no words.", "Ask in plain English.")
    if sum(c.isascii() or "\u00c0" <= c <= "\u024f" for c in letters) < len(letters) / 2:
        raise UsageError(
            "Only questions in English can be answered; this one is in another script.",
            "Ask in plain English; names may be in any script.",
        )
    return cleaned


def _statement_iris(prompt: Prompt) -> list[str]:
    return [s.iri for s in prompt.surfaces if s.role == "statement"]


def _rows(result: ResultSet) -> int:
    return 1 if result.form == "ask" else len(result.rows)


def _nothing(result: ResultSet) -> bool:
    """No rows, rows without a value, or a lone count of zero."""
    if result.form == "ask":
        return False
    values = [v for row in result.rows for v in row if v is not None]
    return not values or (len(values) == 1 and _is_zero(values[0]))


def _is_zero(value: Value) -> bool:
    return value.type == "literal" and value.value in ("0", "0.0")


def judge(
    question: str,
    fragment: Fragment,
    query: sparql.Query,
    chosen: TriedCandidate,
    tried: Sequence[TriedCandidate],
    result: ResultSet | None,
) -> tuple[float, tuple[str, ...]]:
    """How far an answer can be trusted, 0 to 1, and what speaks against it in words.

    A logistic score of: the model's certainty, the retrieval scores of the terms used, the share of the
    question's content words that a mention, a literal or a used term accounts for, entities that were
    mentioned but not used, rank of the chosen candidate, and whether anything came back.
    """
    iris = query.iris()
    used = [s for s in fragment.terms if s.term.iri in iris]
    doubts: list[str] = []
    fit = min((s.score for s in used), default=0.0)
    unused = [
        e
        for e in fragment.entities
        if e.iri not in iris
        and e.score > 0.5
        and not any(o.iri in iris and (o.start, o.end) == (e.start, e.end) for o in fragment.entities)
    ]
    missing = uncovered(question, fragment, used)
    model = math.exp(chosen.candidate.score / max(1, len(chosen.candidate.token_logprobs)))
    rank = [t for t in tried if t.note != "not needed"].index(chosen) if chosen in tried else 0
    score = (
        1.2 + 3.0 * (model - 0.85) + 4.0 * (fit - 0.45) - 0.9 * len(missing) - 1.2 * len(unused) - 0.35 * rank
    )
    weakest = min((e.score for e in fragment.entities if e.iri in iris), default=0.9)
    score += 2.0 * (weakest - 0.8)
    if missing:
        doubts.append(f"nothing in the query stands for {', '.join(repr(w) for w in missing)}")
    if unused:
        doubts.append(f"the query leaves out {', '.join(repr(e.mention) for e in unused)}")
    if result is not None and _nothing(result):
        score -= 3.0
        doubts.append("nothing was found")
    if not fragment.entities and re.search(r"\b[A-Z][a-z]+\b", question[1:]):
        score -= 1.5
        doubts.append("no name in the question was found in the graph")
    return round(1 / (1 + math.exp(-score)), 3), tuple(doubts)


def by_coverage(question: str, candidates: Sequence[Candidate], fragment: Fragment) -> tuple[Candidate, ...]:
    """Candidates re-ranked: a query that leaves out a mention or a content word of the question did not hear it."""

    def rank(candidate: Candidate) -> float:
        try:
            iris = sparql.parse(candidate.sparql).iris()
        except QueryError:
            return candidate.score - 100.0
        used = [s for s in fragment.terms if s.term.iri in iris]
        mentions = {(e.start, e.end) for e in fragment.entities if e.score > _SURE}
        heard = {(e.start, e.end) for e in fragment.entities if e.iri in iris}
        return (
            candidate.score
            - _UNUSED * len(mentions - heard)
            - _UNCOVERED * len(uncovered(question, fragment, used))
        )

    return tuple(sorted(candidates, key=lambda c: -rank(c)))


def uncovered(question: str, fragment: Fragment, used: Sequence[ScoredTerm]) -> list[str]:
    """Content words of the question that no mention, literal or label of a used term accounts for."""
    spans = [(e.start, e.end) for e in fragment.entities] + [(x.start, x.end) for x in fragment.literals]
    known = {
        stem(w)
        for s in used
        for name in (s.term.label, *s.term.aliases)
        for w in re.findall(r"[a-z]+", name.lower())
    }
    known |= {
        stem(w)
        for s in used
        for iri in (*s.term.domain, *s.term.range)
        for w in re.findall(r"[a-z]+", fragment.labels.get(iri, "").lower())
    }
    known |= {word for s in used for word in said_stems(s.term)}
    out: list[str] = []
    for match in re.finditer(r"[^\W\d_]+", question):
        word = match.group().lower()
        if word in _STOP or len(word) < 3 or any(a < match.end() and match.start() < b for a, b in spans):
            continue
        if stem(word) not in known and word not in out:
            out.append(word)
    return out


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    finally:
        timings[stage] = timings.get(stage, 0.0) + time.monotonic() - began


__all__ = [
    "Answer",
    "AskOptions",
    "Engine",
    "QueryError",
    "checked_question",
    "judge",
    "replace",
    "uncovered",
]
