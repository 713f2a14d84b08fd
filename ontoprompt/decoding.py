"""Search for the best continuations of prompts under a causal language model, or sample them.

A prompt runs through the model once, however many beams grow out of it; a beam that has ended, and a
request that is done, take no part in the next step. What may come next is masked token by token by
a compiled grammar. Nothing here knows SPARQL.

The search is beam search without length normalisation; it stops when as many hypotheses as wanted
have ended, as `early_stopping` of transformers' `generate` does.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .evidence import TokenEvidence

_NOTHING = float("-inf")


@dataclass(frozen=True, slots=True)
class Guide:
    """What steers one request. `matcher`: a compiled grammar at its start, None for free text; `weights`: token →
    what is added to its logit; `budget`: new tokens at most, the end token included."""

    matcher: Any
    budget: int
    weights: Mapping[int, float] = field(default_factory=dict)
    evidence: TokenEvidence | None = None


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One continuation: its tokens, their log-probabilities (one more when it `ended`, for the end token)."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    score: float
    ended: bool


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


def decode(
    model: Any,
    input_ids: Any,
    attention_mask: Any,
    guides: Sequence[Guide],
    *,
    count: int,
    end: int,
    sampling: Sampling | None = None,
) -> list[list[Hypothesis]]:
    """Up to `count` continuations of each prompt, best first.

    `input_ids`, `attention_mask`: [prompts, tokens], padded on the left, on the device of the model's input.
    """
    import torch

    random = torch.Generator()
    found: list[list[Hypothesis]] = [[] for _ in guides]
    grown: _Grown = [(i, _Beam(i, guide.matcher)) for i, guide in enumerate(guides)]
    if sampling:
        random.manual_seed(sampling.seed)
        grown = [pair for pair in grown for _ in range(count)]
    with torch.inference_mode():
        runner = _Runner(model, input_ids, attention_mask)
        while grown:
            beams = [beam for _, beam in grown]
            logits = runner.step([parent for parent, _ in grown], [beam.ids[-1:] for beam in beams])
            scores = _log_probabilities(beams, guides, logits, end)
            if sampling:
                grown = _sample(beams, guides, scores, end, found, sampling.temperature, random)
            else:
                grown = _search(beams, guides, scores, end, found, count)
    return [sorted(hypotheses, key=lambda h: -h.score) for hypotheses in found]


class _Runner:
    """A model with the keys and values of what it has read: a row for each prompt at first, then for each beam."""

    def __init__(self, model: Any, input_ids: Any, attention_mask: Any) -> None:
        self.model = model
        self.prompts = input_ids
        self.attention = attention_mask
        self.cache: Any = None
        accepted = inspect.signature(model.forward).parameters
        self.positions = "position_ids" in accepted
        # Only the last place of a prompt is continued: the head need not see the others.
        self.options = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}

    def step(self, rows: Sequence[int], tokens: Sequence[tuple[int, ...]]) -> Any:
        """Logits [beams, vocabulary], float32 on the CPU, of beams that grew out of `rows` by one token each.

        The first step reads the prompts, which are its rows, and no tokens.
        """
        import torch

        device = self.prompts.device
        order = torch.tensor(rows, device=device)
        if self.cache is None:
            logits = self._read(self.prompts)[order]
            self._select(order)
            return logits
        self._select(order)
        last = torch.tensor(tokens, device=device)
        self.attention = torch.cat([self.attention, torch.ones_like(last)], dim=1)
        return self._read(last)

    def _select(self, order: Any) -> None:
        if order.tolist() != list(range(len(self.attention))):
            self.attention = self.attention[order]
            self.cache.reorder_cache(order)

    def _read(self, ids: Any) -> Any:
        options: dict[str, Any] = dict(self.options)
        if self.positions:
            # Padding on the left takes no place.
            places = self.attention.cumsum(1) - 1
            options["position_ids"] = places.clamp(min=0)[:, -ids.shape[1] :]
        out = self.model(
            input_ids=ids,
            attention_mask=self.attention,
            past_key_values=self.cache,
            use_cache=True,
            **options,
        )
        self.cache = out.past_key_values
        return out.logits[:, -1].float().cpu()


def _log_probabilities(beams: Sequence[_Beam], guides: Sequence[Guide], logits: Any, end: int) -> Any:
    """Of every next token, [beams, vocabulary]: weighed, masked, then normalised; what the evidence speaks against
    is lowered last, so that it costs the whole candidate."""
    import torch

    for number, guide in enumerate(guides):
        rows = [i for i, beam in enumerate(beams) if beam.request == number]
        if rows and guide.weights:
            columns = torch.tensor(list(guide.weights))
            logits[torch.tensor(rows)[:, None], columns] += torch.tensor(list(guide.weights.values()))
    refused = _refused(beams, logits.shape[1], end)
    if refused is not None:
        logits.masked_fill_(refused, _NOTHING)
    scores = torch.log_softmax(logits, dim=-1)
    for row, beam in enumerate(beams):
        evidence = guides[beam.request].evidence
        if evidence is not None:
            evidence.apply(beam.ids, scores[row])
    return scores


def _refused(beams: Sequence[_Beam], vocabulary: int, end: int) -> Any:
    """Which tokens no grammar admits next, [beams, vocabulary]; None when no beam has a grammar."""
    import numpy as np
    import torch
    from llguidance.numpy import fill_next_token_bitmask

    held = [(row, beam.matcher) for row, beam in enumerate(beams) if beam.matcher is not None]
    if not held:
        return None
    # A set bit admits a token; llguidance fills 32 of them at a time.
    bits = np.full((len(beams), -(-vocabulary // 32)), -1, dtype=np.int32)
    for row, matcher in held:
        if matcher.is_stopped():
            bits[row] = 0
            bits[row, end // 32] = np.int32(1) << (end % 32) if end % 32 < 31 else np.iinfo(np.int32).min
        else:
            fill_next_token_bitmask(matcher, bits, row)
    admitted = np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little", count=vocabulary)
    return torch.from_numpy(admitted == 0)


def _search(
    beams: Sequence[_Beam],
    guides: Sequence[Guide],
    scores: Any,
    end: int,
    found: list[list[Hypothesis]],
    count: int,
) -> _Grown:
    """One step of beam search: what ended goes to `found`, the best of the rest comes back."""
    grown: _Grown = []
    vocabulary = scores.shape[1]
    for number, guide in enumerate(guides):
        rows = [i for i, beam in enumerate(beams) if beam.request == number]
        if not rows:
            continue
        so_far = scores.new_tensor([beams[i].score for i in rows])
        # Twice as many as wanted, for half of them may be ends.
        totals = (so_far[:, None] + scores[rows]).flatten()
        best = totals.topk(min(2 * count, len(totals)))
        done = found[number]
        going: _Grown = []
        for rank, (total, place) in enumerate(zip(best.values.tolist(), best.indices.tolist(), strict=True)):
            row, token = rows[place // vocabulary], place % vocabulary
            if total == _NOTHING or len(going) == count:
                break
            logprob = float(scores[row, token])
            if token != end:
                going.append((row, beams[row].grown(token, logprob)))
            elif rank < count:
                done.append(beams[row].closed(logprob))
        if going and len(going[0][1].ids) == guide.budget:
            done.extend(beam.closed() for _, beam in going)
            going = []
        found[number] = sorted(done, key=lambda h: -h.score)[:count]
        if len(done) < count:
            grown.extend(going)
    return grown


def _sample(
    beams: Sequence[_Beam],
    guides: Sequence[Guide],
    scores: Any,
    end: int,
    found: list[list[Hypothesis]],
    temperature: float,
    random: Any,
) -> _Grown:
    """One step of sampling, each beam on its own."""
    import torch

    drawn = torch.multinomial(torch.softmax(scores / temperature, dim=-1), 1, generator=random)
    grown: _Grown = []
    for row, token in enumerate(drawn[:, 0].tolist()):
        beam, logprob = beams[row], float(scores[row, token])
        if token == end:
            found[beam.request].append(beam.closed(logprob))
            continue
        longer = beam.grown(token, logprob)
        if len(longer.ids) == guides[beam.request].budget:
            found[beam.request].append(longer.closed())
        else:
            grown.append((row, longer))
    return grown
