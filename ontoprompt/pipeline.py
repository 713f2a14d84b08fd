"""`Engine.ask`: a question through every stage to an `Answer`.

Candidates are tried best first; the first that validates and returns something wins. When none
does, one repair round asks again with a wider fragment. An empty answer is reported as empty.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from . import sparql
from .alignment import Heard
from .entities import EntityLink
from .errors import GraphError, NoQueryError, QueryError, QueryTimeoutError, UsageError
from .evidence import unlikely_pairs
from .execution import ResultSet, Store
from .expectation import expected_answer, fits
from .fragment import Fragment, ScoredTerm
from .generation import Candidate, Generator, Request, term_weights
from .grammar import Form, Vocabulary, build_grammar
from .prompts import Example, Prompt, build_prompt
from .query_reranking import QueryReranker
from .ranking import Cost, TriedCandidate, denies_unasked, judge, leaves_out, nothing, rank, rows, with_turned
from .restating import restate
from .retrieval import Pins, Retriever, prefer_specific_types
from .validation import validate

MAX_QUESTION = 2_000
STAGES = ("link", "retrieve", "prompt", "generate", "validate", "execute")
_DOUBT = 0.5
_NAME = re.compile(r"\b[A-Z][^\W\d_]")
_COMPARED_TO = re.compile(
    r"\b(?:than|over|above|below|under|after|before|since|until|in|from|to|least|exceeding)\s*$"
)


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
    candidates: int = 8
    timeout: float = 30.0
    limit: int = 100
    execute: bool = True
    pins: Pins = field(default_factory=lambda: Pins({}))
    examples: Sequence[Example] = ()


_GOOD, _DEAF, _OTHER_KIND, _NOTHING = 3, 2, 1, 0
_NOTES = {
    _GOOD: "chosen",
    _DEAF: "leaves out a name",
    _OTHER_KIND: "another kind of answer",
    _NOTHING: "nothing found",
}


@dataclass(frozen=True, slots=True)
class _Choice:
    """The best candidate so far, with what it returned, the prompt it answered and what had been retrieved."""

    entry: TriedCandidate
    result: ResultSet | None
    quality: int
    prompt: Prompt
    fragment: Fragment
    words: Heard


def _quality(question: str, result: ResultSet | None) -> int:
    if result is None:
        return _GOOD
    if nothing(result):
        return _NOTHING
    return _GOOD if fits(expected_answer(question), result) else _OTHER_KIND


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
        query_reranker: QueryReranker | None = None,
    ) -> None:
        self.retriever = retriever
        self.generator = generator
        self.store = store
        self.index_name = index_name
        self.kg_name = kg_name
        self.labels = labels
        self.query_reranker = query_reranker

    def fragment(
        self,
        question: str,
        options: AskOptions,
        *,
        widen: bool = False,
        links: Sequence[EntityLink] | None = None,
    ) -> Fragment:
        """The fragment of a question; `widen` takes twice the terms and more rivals for each mention."""
        if links is None:
            links = self.retriever.link(question, options.pins, rivals=4)
        links = prefer_specific_types(links, self.retriever.terms)
        return self.retriever.retrieve(
            question,
            top_k=options.top_k * (2 if widen else 1),
            links=links,
            rivals=4 if widen else 1,
            pins=options.pins,
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
        best: _Choice | None = None
        for used, prompts in self._rounds(question, options, fragment, timings):
            with _timed(timings, "generate"):
                words = self.retriever.heard(used)
                cost = Cost(question, used, words, options.pins.iris)
                candidates = self._candidates(prompts, cost, options)
            choice = self._choose(question, candidates, used, words, options, tried, timings)
            if choice is not None and (best is None or choice.quality > best.quality):
                best = choice
            if best is not None and best.quality == _GOOD:
                break
        if best is None:
            raise NoQueryError(
                "No valid query could be written for this question.",
                "Word it differently, or pin a choice with --entity or --term.",
            )
        timings["total"] = time.monotonic() - began
        return self._answer(question, best, tried, options, timings)

    def _rounds(
        self, question: str, options: AskOptions, given: Fragment | None, timings: dict[str, float]
    ) -> Iterator[tuple[Fragment, list[Prompt]]]:
        """What is tried, one after the other while nothing is found: a fragment and the prompts made of it.

        A small model that is shown a dozen terms uses more of them than are meant. A graph tells which of its queries
        find something; without one, or when none does that hears every name, the model is shown the best few terms alone.
        """
        if given is None:
            with _timed(timings, "link"):
                links = self.retriever.link(question, options.pins, rivals=4)
            with _timed(timings, "retrieve"):
                used = self.fragment(question, options, links=links)
        else:
            used = _for_question(given, question)
        with _timed(timings, "prompt"):
            whole = self.prompt(used, options)
        if not options.execute or self.store is None:
            with _timed(timings, "prompt"):
                few = self._few(used, whole, options)
            yield used, few or [whole]
            return
        yield used, [whole]
        if given is None:
            with _timed(timings, "prompt"):
                few = self._few(used, whole, options)
            with _timed(timings, "retrieve"):
                used = self.fragment(question, options, widen=True, links=links)
            with _timed(timings, "prompt"):
                whole = self.prompt(used, options)
            yield used, [*few, whole]

    def _few(self, fragment: Fragment, whole: Prompt, options: AskOptions) -> list[Prompt]:
        """Prompts of the best terms alone, for a model that writes in symbols, as the small ones do."""
        if not whole.symbolic:
            return []
        fewer = [n for n in self.retriever.widths(fragment) if len(options.pins.terms) <= n]
        return [self.prompt(self.retriever.narrowed(fragment, n), options) for n in fewer]

    def _candidates(
        self, prompts: Sequence[Prompt], cost: Cost, options: AskOptions
    ) -> list[tuple[Candidate, Prompt]]:
        """What the generator writes to the prompts, best first, each with the prompt that it answers."""
        written = self.generator.generate(
            [self.request(prompt, cost) for prompt in prompts], candidates=options.candidates
        )
        found: dict[str, tuple[Candidate, Prompt]] = {}
        for prompt, candidates in zip(prompts, written, strict=True):
            for candidate in with_turned(candidates, prompt, self.retriever.surroundings):
                kept = found.get(candidate.sparql)
                if kept is None or kept[0].score < candidate.score:
                    found[candidate.sparql] = candidate, prompt
        prompt_of = {id(candidate): prompt for candidate, prompt in found.values()}
        ordered = rank([c for c, _ in found.values()], cost, self.query_reranker)
        return [(c, prompt_of[id(c)]) for c in ordered]

    def request(self, prompt: Prompt, cost: Callable[[str], float] | None = None) -> Request:
        """The generation request of a prompt: its grammar, retrieval's scores as weights on the terms, what the
        graph speaks against, and what whole queries `cost`."""
        vocabulary = Vocabulary(
            classes=prompt.of("class"),
            properties=prompt.of("property", "statement"),
            entities=prompt.of("entity"),
            literals=prompt.of("literal"),
            strings=prompt.of("string"),
            counts=_counts(prompt),
        )
        wanted = expected_answer(prompt.fragment.question)
        form: Form = "ask" if wanted == "yes-no" else "select" if wanted else ""
        unlikely = unlikely_pairs(prompt, self.retriever.surroundings) if prompt.symbolic else frozenset()
        return Request(prompt, build_grammar(vocabulary, form), term_weights(prompt), unlikely, cost)

    def _choose(
        self,
        question: str,
        candidates: Sequence[tuple[Candidate, Prompt]],
        fragment: Fragment,
        words: Heard,
        options: AskOptions,
        tried: list[TriedCandidate],
        timings: dict[str, float],
    ) -> _Choice | None:
        """The first candidate that validates and returns something of the kind that the question asks for; else
        the first that returns something; else the first that validates. Raises GraphError when the graph
        answers none of them."""
        best: _Choice | None = None
        refusal: GraphError | None = None
        known = {s.term.iri: s.term for s in fragment.terms}
        entities = [e.iri for e in fragment.entities]
        for candidate, prompt in candidates:
            if best is not None and best.quality == _GOOD:
                tried.append(TriedCandidate(candidate, (), None, "not needed"))
                continue
            with _timed(timings, "validate"):
                issues = validate(
                    candidate.sparql,
                    terms=self.retriever.terms,
                    allowed=[*known, *_statement_iris(prompt)],
                    entities=entities,
                )
            beside = _beside_the_point(question, candidate.sparql, fragment)
            if candidate.truncated or beside or any(i.severity == "error" for i in issues):
                note = "cut off" if candidate.truncated else "beside the point" if beside else "refused"
                tried.append(TriedCandidate(candidate, tuple(issues), None, note))
                continue
            result: ResultSet | None = None
            if options.execute and self.store is not None:
                # One row more than is shown tells whether there are more.
                limited = sparql.with_limit(sparql.parse(candidate.sparql), options.limit + 1)
                # One budget for all candidates of both rounds.
                left = options.timeout - timings["execute"]
                try:
                    with _timed(timings, "execute"):
                        result = self.store.query(
                            limited.text(),
                            timeout=max(0.1, left),
                            max_rows=options.limit,
                        )
                except QueryTimeoutError as error:
                    if best is None and timings["execute"] >= options.timeout:
                        # The last candidate had what the others left of the time.
                        given = re.sub(r"[\d.]+ seconds", f"{options.timeout:g} seconds", error.message)
                        raise QueryTimeoutError(given, error.hint) from error
                    tried.append(TriedCandidate(candidate, tuple(issues), None, "took too long"))
                    continue
                except GraphError as error:
                    # An endpoint may refuse one query and answer the next.
                    refusal = refusal or error
                    tried.append(TriedCandidate(candidate, tuple(issues), None, "refused by the graph"))
                    continue
            quality = _quality(question, result)
            if quality == _GOOD and leaves_out(candidate.sparql, fragment):
                quality = _DEAF
            entry = TriedCandidate(
                candidate, tuple(issues), None if result is None else rows(result), _NOTES[quality]
            )
            tried.append(entry)
            if best is None or quality > best.quality:
                best = _Choice(entry, result, quality, prompt, fragment, words)
        if best is None and refusal is not None:
            raise refusal
        return best

    def _answer(
        self,
        question: str,
        best: _Choice,
        tried: Sequence[TriedCandidate],
        options: AskOptions,
        timings: Mapping[str, float],
    ) -> Answer:
        chosen, result, fragment = best.entry, best.result, best.fragment
        query = sparql.parse(chosen.candidate.sparql)
        iris = query.iris()
        used_entities = tuple(e for e in fragment.entities if e.iri in iris)
        labels = self._labels(iris, result)
        confidence, doubts = judge(question, fragment, best.words, query, chosen, tried, result)
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
            prompt=best.prompt.text,
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


def _for_question(fragment: Fragment, question: str) -> Fragment:
    """A fragment that was given, for this question: where names stand in another question means nothing here."""
    if fragment.question == question:
        return fragment
    unplaced = tuple(replace(e, start=-1, end=-1) for e in fragment.entities)
    return replace(fragment, question=question, entities=unplaced, literals=(), hints=())


def _counts(prompt: Prompt) -> list[str]:
    """The numbers of the question that may say how many answers are wanted: not those that something is compared to."""
    surfaces = [s for s in prompt.surfaces if s.role == "literal"]
    return [
        surface.text
        for surface, literal in zip(surfaces, prompt.fragment.literals, strict=False)
        if surface.sparql.isdigit()
        and not _COMPARED_TO.search(prompt.fragment.question[: literal.start].lower())
    ]


def _beside_the_point(question: str, query: str, fragment: Fragment) -> bool:
    """Whether a query says yes or no to a question that names things, without any of them, or takes away what no word of
    the question denies: whatever it says looks like an answer and is none."""
    if denies_unasked(query, question):
        return True
    if expected_answer(question) != "yes-no" or not _NAME.search(question[1:]):
        return False
    try:
        iris = sparql.parse(query).iris()
    except QueryError:
        return False
    return not any(e.start >= 0 and e.iri in iris for e in fragment.entities)


def _statement_iris(prompt: Prompt) -> list[str]:
    return [s.iri for s in prompt.surfaces if s.role == "statement"]


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    finally:
        timings[stage] = timings.get(stage, 0.0) + time.monotonic() - began
