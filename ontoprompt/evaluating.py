"""How well a model that is being trained writes the queries of held-out pairs: loss, exact match, suite accuracy.

Prompts are drawn once, with distractors as in training and hints as when it is asked; queries are written greedily under the grammar. Exact match:
one canonical form; suite accuracy: no small graph tells the query from the gold one (see `witness.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from . import sparql
from .errors import NoQueryError, QueryError, UsageError
from .generation import LoadOptions, Request, TransformersGenerator, term_weights
from .grammar import Vocabulary, build_grammar
from .grounding import Grounding
from .pairs import PreparedPair, SkippedPairError, to_target
from .prompts import Prompt
from .sampling import Encoded, Sampler
from .training_state import best_facts, keep_best
from .witness import judge

Progress = Callable[[str, int, int | None], None] | None

_BATCH = 8
_WIKIDATA = "http://www.wikidata.org/"


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of `n` held-out pairs. `loss`: mean over all tokens of queries; `exact`, `suite`: shares of `n`;
    `unwritten`: for how many there was no query, which counts as wrong."""

    n: int
    loss: float
    exact: float
    suite: float
    unwritten: int
    seconds: float

    @property
    def rank(self) -> tuple[float, float, float]:
        """What the best of several is found by: suite accuracy, then exact match, then loss."""
        return self.suite, self.exact, -self.loss


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over some of the pairs, from which figures are made when all are counted."""

    n: int = 0
    loss: float = 0.0
    tokens: int = 0
    exact: int = 0
    suite: int = 0
    unwritten: int = 0

    def figures(self, seconds: float) -> Measured:
        """The figures of what was counted."""
        n, tokens = max(1, self.n), max(1, self.tokens)
        return Measured(
            self.n,
            round(self.loss / tokens, 5),
            round(self.exact / n, 4),
            round(self.suite / n, 4),
            self.unwritten,
            round(seconds, 1),
        )


class LiveGenerator(TransformersGenerator):
    """A model that is in memory, behind the same search as one that is opened to answer."""

    def __init__(self, model: Any, tokenizer: Any, variant: str, grounding: Grounding | None) -> None:
        self.options = LoadOptions()
        self.path, self.name = "", "the model in training"
        self.model, self.tokenizer, self.variant, self.grounding = model, tokenizer, variant, grounding
        self._grammar_tokenizer: Any = None
        self._pieces: dict[str, tuple[int, ...]] = {}


class HeldOut:
    """Held-out pairs with the prompts that they are asked by. `dropped`: pairs that cannot be asked in `limit` tokens."""

    def __init__(self, pairs: Sequence[PreparedPair], sampler: Sampler, limit: int, seed: int) -> None:
        self.asked: list[tuple[PreparedPair, Prompt, Encoded]] = []
        self.dropped = 0
        for pair in pairs:
            prompt = sampler.prompt(pair, Random(f"{seed} held {pair.pair.question}"), 1.0, as_asked=True)
            try:
                encoded = sampler.encode(prompt, to_target(pair, prompt))
            except SkippedPairError:
                self.dropped += 1
                continue
            if len(encoded.ids) <= limit:
                self.asked.append((pair, prompt, encoded))
            else:
                self.dropped += 1
        # Prompts of like length run together.
        self.asked.sort(key=lambda a: len(a[2].ids))

    def measure(
        self,
        generator: TransformersGenerator,
        loss: Callable[[Sequence[Encoded]], float],
        *,
        rank: int = 0,
        of: int = 1,
        progress: Progress = None,
    ) -> Totals:
        """Sums over every `of`-th pair from `rank` on. `loss`: examples → the summed loss of their queries."""
        mine = self.asked[rank::of]
        total, tokens, exact, suite, unwritten = 0.0, 0, 0, 0, 0
        for start in range(0, len(mine), _BATCH):
            part = mine[start : start + _BATCH]
            if progress is not None:
                progress("evaluating on held-out pairs", start, len(mine))
            total += loss([encoded for _, _, encoded in part])
            tokens += sum(len(e.ids) - e.start for _, _, e in part)
            for (pair, _, _), query in zip(
                part, _written(generator, [prompt for _, prompt, _ in part]), strict=True
            ):
                same, equal = _right(pair, query)
                unwritten += not query
                exact += same
                suite += equal
        return Totals(len(mine), total, tokens, exact, suite, unwritten)


def _written(generator: TransformersGenerator, prompts: Sequence[Prompt]) -> list[str]:
    """The greedy query of each prompt; empty where there is none."""
    try:
        found = generator.generate([request_of(p) for p in prompts], candidates=1)
    except (UsageError, NoQueryError):
        if len(prompts) == 1:
            return [""]
        return [query for prompt in prompts for query in _written(generator, [prompt])]
    return [candidates[0].sparql if candidates else "" for candidates in found]


def request_of(prompt: Prompt) -> Request:
    """The request that a prompt is asked by: its grammar, and retrieval's scores as weights."""
    vocabulary = Vocabulary(
        classes=prompt.of("class"),
        properties=prompt.of("property", "statement"),
        entities=prompt.of("entity"),
        literals=prompt.of("literal"),
        strings=prompt.of("string"),
        counts=prompt.of("literal"),
    )
    return Request(prompt, build_grammar(vocabulary), term_weights(prompt))


def _right(pair: PreparedPair, query: str) -> tuple[bool, bool]:
    """Whether a query is the gold one in another spelling, and whether it is equivalent to it."""
    try:
        written = sparql.parse(query)
        sparql.check_read_only(written)
    except QueryError:
        return False, False
    wikidata = any(iri.startswith(_WIKIDATA) for iri in pair.query.iris())
    same = sparql.canonical(written) == sparql.canonical(pair.query)
    verdict = judge(pair.query, written, graph="wikidata" if wikidata else "")
    return same, verdict.equivalent


def record(
    out: Path, step: int, minutes: float, figures: Measured, tensors: Mapping[str, Any], progress: Progress
) -> None:
    """Write figures to `out`/evaluations.jsonl, and keep the weights when there are none better."""
    row = {"step": step, "minutes": round(minutes, 2), **asdict(figures)}
    with (out / "evaluations.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    if progress is not None:
        progress(
            f"held-out pairs at step {step:,}: suite accuracy {figures.suite:.3f}, exact match {figures.exact:.3f}, "
            f"loss {figures.loss:.3f}, pairs",
            figures.n,
            figures.n,
        )
    best = best_facts(out)
    if best is None or figures.rank > (best["suite"], best["exact"], -best["loss"]):
        keep_best(out, tensors, row)
