"""Search for the best continuations of prompts under a causal language model, or sample them.

A model is whatever can say what a few tokens are worth next (`Runner`); a beam that has ended, and a
request that is done, take no part in the next step. What may come next is masked token by token by
a compiled grammar; while it leaves no beam a choice, the model is not asked, and reads all that was
forced at once. Nothing here knows SPARQL.

The search is beam search without length normalisation; it stops when as many hypotheses as wanted
have ended, as `early_stopping` of transformers' `generate` does. Where whole continuations have a
cost, it goes on while one that is being written may still come first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from .evidence import TokenEvidence

_NOTHING = float("-inf")
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Guide:
    """What steers one request. `matcher`: a compiled grammar at its start, None for free text; `weights`: token →
    what is added to its logit; `budget`: new tokens at most, the end token included; `cost`: what a whole
    continuation costs beyond its log-probability, at least 0."""

    matcher: Any
    budget: int
    weights: Mapping[int, float] = field(default_factory=dict)
    evidence: TokenEvidence | None = None
    cost: Callable[[tuple[int, ...]], float] | None = None


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One continuation: its tokens, their log-probabilities (one more when it `ended`, for the end token), their
    sum, and what it costs beyond that."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    score: float
    ended: bool
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sample instead of searching: each row on its own, at a temperature, repeatable by seed."""

    temperature: float = 0.8
    seed: int = 0


@dataclass(frozen=True, slots=True)
class _Beam:
    """A continuation of request number `request` that is being written, and its matcher so far."""

    request: int
    matcher: Any
    ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    score: float = 0.0

    def grown(self, token: int, logprob: float) -> _Beam:
        """This beam and one more token. Raises RuntimeError when the grammar refuses what its own mask admitted."""
        matcher = self.matcher
        if matcher is not None:
            matcher = matcher.deep_copy()
            if not matcher.consume_token(token) or matcher.is_error():
                raise RuntimeError(f"The grammar refused token {token}, which it had admitted.")
        return _Beam(
            self.request, matcher, (*self.ids, token), (*self.logprobs, logprob), self.score + logprob
        )

    def closed(self, *logprob: float) -> Hypothesis:
        """What was written, done: with the log-probability of the end token, or without when it was cut off."""
        return Hypothesis(self.ids, (*self.logprobs, *logprob), self.score + sum(logprob), bool(logprob))


# Beams of the next step, each with the place of the one that it grew out of.
_Grown = list[tuple[int, _Beam]]


class Runner(Protocol):
    """A model with what it has read: the prompts at first, then a row for each beam."""

    @property
    def vocabulary(self) -> int: ...

    def step(
        self,
        rows: Sequence[int],
        tokens: Sequence[tuple[int, ...]],
        choices: Array,
        requests: Sequence[int],
    ) -> Array:
        """Logits, float32 [beams, choices], of the tokens asked about, after beams that grew out of `rows` by `tokens`.

        All grew by as many; the first step reads the prompts, which are its rows, and may read no tokens. `choices`:
        int64, ascending; `requests`: the prompt of each beam.
        """
        ...


def search(
    runner: Runner, guides: Sequence[Guide], *, count: int, end: int, sampling: Sampling | None = None
) -> list[list[Hypothesis]]:
    """Up to `count` continuations of each prompt, best first; a guide for each prompt of the runner."""
    # Importing numpy.random takes a while, and a search draws nothing.
    draw = _Drawing(sampling) if sampling else None
    found: list[list[Hypothesis]] = [[] for _ in guides]
    grown: _Grown = [(i, _Beam(i, guide.matcher)) for i, guide in enumerate(guides)]
    if sampling:
        grown = [pair for pair in grown for _ in range(count)]
    # Where the runner has each beam of the last step, and how many tokens of each it has not read.
    rows, unread = list(range(len(guides))), 0
    while grown:
        beams = [beam for _, beam in grown]
        rows = [rows[row] for row, _ in grown]
        choices = _choices(beams, runner.vocabulary, end)
        if choices.forced:
            logits = np.zeros(choices.admitted.shape, np.float32)
        else:
            tokens = [beam.ids[len(beam.ids) - unread :] for beam in beams]
            logits = runner.step(rows, tokens, choices.tokens, [beam.request for beam in beams])
            rows, unread = list(range(len(beams))), 0
        scores = _log_probabilities(beams, guides, logits, choices)
        picked = draw(scores) if draw else _best(beams, scores, 2 * count)
        grown = _grow(beams, guides, picked, scores, choices, end=end, found=found, count=count)
        unread += 1
    return found


@dataclass(frozen=True, slots=True)
class _Choices:
    """The tokens that some beam may take next, [choices], and which of them each may, [beams, choices]; None: all."""

    tokens: Array
    admitted: Array

    @property
    def forced(self) -> bool:
        """Whether no beam has a choice."""
        return bool((self.admitted.sum(1) == 1).all())


def _choices(beams: Sequence[_Beam], vocabulary: int, end: int) -> _Choices:
    from llguidance.numpy import fill_next_token_bitmask

    # A set bit admits a token; llguidance fills 32 of them at a time.
    bits = np.full((len(beams), -(-vocabulary // 32)), -1, dtype=np.int32)
    for row, beam in enumerate(beams):
        if beam.matcher is None:
            continue
        if beam.matcher.is_stopped():
            bits[row] = 0
            bits.view(np.uint8)[row, end // 8] = 1 << end % 8
        else:
            fill_next_token_bitmask(beam.matcher, bits, row)
    some = np.bitwise_or.reduce(bits, axis=0)
    tokens = np.flatnonzero(np.unpackbits(some.view(np.uint8), bitorder="little", count=vocabulary))
    admitted = bits[:, tokens // 32] >> (tokens % 32).astype(np.int32) & 1
    return _Choices(tokens, admitted.astype(bool))


def _log_probabilities(
    beams: Sequence[_Beam], guides: Sequence[Guide], logits: Array, choices: _Choices
) -> Array:
    """Of every choice, [beams, choices]: weighed, masked, then normalised; what the evidence speaks against is
    lowered last, so that it costs the whole candidate."""
    logits = logits.astype(np.float32)
    highest = int(choices.tokens[-1]) + 1
    for row, beam in enumerate(beams):
        if weights := {t: w for t, w in guides[beam.request].weights.items() if t < highest}:
            dense = np.zeros(highest, np.float32)
            dense[list(weights)] = list(weights.values())
            logits[row] += dense[choices.tokens]
    logits[~choices.admitted] = _NOTHING
    scores: Array = logits - logits.max(1, keepdims=True)
    scores -= np.log(np.exp(scores).sum(1, keepdims=True))
    for row, beam in enumerate(beams):
        evidence = guides[beam.request].evidence
        if evidence is not None and beam.ids and (unlikely := evidence.after.get(beam.ids[-1])):
            dense = np.zeros(1 + max(highest, *unlikely), np.float32)
            evidence.apply(beam.ids, dense)
            scores[row] += dense[choices.tokens]
    return scores


# A place in the scores, [beams, choices], and how many of the same request came before it.
_Pick = tuple[int, int, int]


def _best(beams: Sequence[_Beam], scores: Array, most: int) -> Iterator[_Pick]:
    """The places at which the beams of each request would be best continued, best first, at most `most` of each."""
    width = scores.shape[1]
    for number in dict.fromkeys(beam.request for beam in beams):
        rows = [i for i, beam in enumerate(beams) if beam.request == number]
        so_far = np.array([beams[i].score for i in rows], np.float32)
        totals = (so_far[:, None] + scores[rows]).ravel()
        best = np.arange(len(totals))
        if len(totals) > most:
            best = np.argpartition(-totals, most - 1)[:most]
        best = best[np.lexsort((best, -totals[best]))]
        for rank, place in enumerate(best.tolist()):
            if totals[place] > _NOTHING:
                yield rows[place // width], place % width, rank


class _Drawing:
    """One place for each beam, at random."""

    def __init__(self, sampling: Sampling) -> None:
        self._temperature = sampling.temperature
        self._random = np.random.default_rng(sampling.seed)

    def __call__(self, scores: Array) -> Iterator[_Pick]:
        weights = scores.astype(np.float64) / self._temperature
        sums = np.exp(weights - weights.max(1, keepdims=True)).cumsum(1)
        drawn = self._random.random(len(scores)) * sums[:, -1]
        for row, (mark, steps) in enumerate(zip(drawn, sums, strict=True)):
            yield row, int(np.searchsorted(steps, mark, side="right")), 0


def _grow(
    beams: Sequence[_Beam],
    guides: Sequence[Guide],
    picks: Iterable[_Pick],
    scores: Array,
    choices: _Choices,
    *,
    end: int,
    found: list[list[Hypothesis]],
    count: int,
) -> _Grown:
    """The beams of the next step; what ends goes to `found`, which keeps the best `count` of each request.

    An end counts when it is among the best `count` places; a request is done when that many have ended and none
    of its beams may still come first.
    """
    tokens = choices.tokens.tolist()
    going: dict[int, _Grown] = {}
    for row, column, rank in picks:
        beam, logprob = beams[row], float(scores[row, column])
        if tokens[column] == end:
            if rank < count:
                ended = beam.closed(logprob)
                cost = guides[beam.request].cost
                found[beam.request].append(replace(ended, cost=cost(beam.ids)) if cost else ended)
        elif len(going.setdefault(beam.request, [])) < count:
            going[beam.request].append((row, beam.grown(tokens[column], logprob)))
    grown: _Grown = []
    for number, pairs in going.items():
        if pairs and len(pairs[0][1].ids) == guides[number].budget:
            found[number].extend(beam.closed() for _, beam in pairs)
        elif len(found[number]) < count or _may_win(guides[number], pairs, found[number]):
            grown.extend(pairs)
    for hypotheses in found:
        hypotheses.sort(key=lambda h: h.cost - h.score)
        del hypotheses[count:]
    return grown


def _may_win(guide: Guide, pairs: _Grown, ended: Sequence[Hypothesis]) -> bool:
    """Whether a beam may still come before all that has ended: it can only lose by what is to come."""
    if guide.cost is None or not pairs:
        return False
    return max(beam.score for _, beam in pairs) > max(h.score - h.cost for h in ended)
