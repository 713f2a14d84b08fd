"""Training of the reranker: questions, their gold terms, and what retrieval finds beside them.

Each gold term is told from the others of its list alone (softmax over itself and what is wrong): several right terms
do not compete. The wrong ones come from the search that the reranker will follow (hard negatives).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from .embedding import packaged_model
from .errors import UsageError
from .index import OntologyIndex
from .ontology import Term
from .pairs import read_pairs, term_pairs
from .reranking import Listed, Pieces, Reranker, network, padded, save_reranker
from .term_search import TermSearch

_SEARCHED = 80
_CHUNK = 256
_SAVE_MINUTES = 5.0


@dataclass(frozen=True, slots=True)
class RerankConfig:
    """How to train. `hard` negatives come from the first 30 that search finds, `soft` ones from further down;
    `batch`: questions a step; `lower`: the share of questions in small letters; `dropout`: see `reranking.network`; `rate` falls evenly to nothing over
    `minutes`, which are counted over resumes."""

    minutes: float = 60.0
    rate: float = 1e-3
    batch: int = 12
    warmup: int = 1500
    hard: int = 17
    soft: int = 3
    lower: float = 0.15
    dropout: float = 0.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Reading:
    """A question with its gold terms and the terms that search finds for it, best first, without them."""

    question: str
    gold: tuple[Term, ...]
    found: tuple[Term, ...]


def readings(pairs: Iterable[tuple[str, Sequence[str]]], search: TermSearch) -> list[Reading]:
    """Questions and IRIs of gold terms, as `adapting.train_adapter` takes them → readings over one index. Gold terms
    outside the index are passed over, and questions that have none inside."""
    known = {term.iri: term for term in search.index.terms}
    usable = [(q, tuple(known[iri] for iri in iris if iri in known)) for q, iris in pairs]
    usable = [(q, gold) for q, gold in usable if gold and q.strip()]
    out = []
    for start in range(0, len(usable), _CHUNK):
        part = usable[start : start + _CHUNK]
        for (question, gold), hits in zip(
            part, search.search_each([q for q, _ in part], _SEARCHED), strict=True
        ):
            right = {term.iri for term in gold}
            found = tuple(hit.term for hit in hits if hit.term.iri not in right)
            out.append(Reading(question, gold, found))
    return out


def train_reranker(
    sets: Sequence[tuple[float, Sequence[Reading]]],
    out: Path,
    config: RerankConfig | None = None,
    *,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> dict[str, Any]:
    """Train on weighted sets of readings and write the reranker to `out`; returns what the last steps cost.

    State is kept beside `out` every five minutes, and training goes on from there. AdamW, bfloat16 autocast, one
    thread. Raises UsageError when there is nothing to train on.
    """
    config = config or RerankConfig()
    sets = [(weight, some) for weight, some in sets if some]
    if not sets:
        raise UsageError(
            "None of the pairs uses a term of the index.", "Give pairs whose queries are about it."
        )
    pieces = Pieces(packaged_model())
    return fit(lambda rng: _batches(sets, pieces, rng, config), out, config, progress=progress)


def fit(
    draw: Callable[[Random], Iterable[tuple[list[Listed], list[int]]]],
    out: Path,
    config: RerankConfig,
    *,
    start: Path | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> dict[str, Any]:
    """Train a cross-encoder on what `draw` gives again and again, batches of lists and how many of the first of each are
    right, and write it to `out`; see `train_reranker`. `start`: the file of another one, to begin from."""
    import torch

    torch.manual_seed(config.seed)
    model: Any = network(packaged_model(), dropout=config.dropout)
    if start is not None:
        model.load_state_dict(Reranker.load(start).weights)
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}],
        lr=config.rate,
        betas=(0.9, 0.98),
    )
    state = out.with_suffix(".state")
    spent, seen = 0.0, 0
    if state.is_file():
        kept = torch.load(state, weights_only=True)
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        spent, seen = kept["spent"], kept["seen"]
    rng = Random(config.seed + seen)
    losses: list[float] = []
    last = saved = time.monotonic()
    while spent < config.minutes:
        for listed, right in draw(rng):
            seen += len(listed)
            rate = config.rate * min(1.0, seen / config.warmup) * max(0.0, 1 - spent / config.minutes)
            for group in optimizer.param_groups:
                group["lr"] = rate
            losses.append(_step(model, optimizer, listed, right))
            now = time.monotonic()
            spent, last = spent + (now - last) / 60, now
        if progress is not None:
            progress("train", int(60 * spent), int(60 * config.minutes))
        if last - saved > 60 * _SAVE_MINUTES:
            saved = last
            _keep(state, model, optimizer, spent, seen)
    _keep(state, model, optimizer, spent, seen)
    save_reranker(model, out)
    recent = losses[-100:]
    return {"seen": seen, "minutes": round(spent, 2), "loss": round(sum(recent) / max(1, len(recent)), 4)}


def train_from_pairs(
    files: Sequence[Path],
    out: Path,
    indexes: Sequence[Path],
    config: RerankConfig,
    *,
    weights: Sequence[float] = (),
    progress: Callable[[str, int, int | None], None] | None = None,
) -> dict[str, Any]:
    """`train_reranker` on files of pairs, each searched in the index that knows most of its terms; `weights`: how often
    each file is drawn from. The reranker is `out`/reranker.safetensors."""
    if not indexes:
        raise UsageError("A reranker is trained on what search finds.", "Name an index with --index.")
    if weights and len(weights) != len(files):
        raise UsageError(
            f"{len(files)} files, but {len(weights)} weights.",
            "Give --weight once for each file, or not at all.",
        )
    # The questions trained on may be neighbours of themselves.
    searches = [TermSearch(OntologyIndex.load(folder), asked=0.0) for folder in indexes]
    sets = []
    for number, file in enumerate(files):
        pairs = list(read_pairs(file))
        named = [list(term_pairs(pairs, {t.iri for t in s.index.terms})) for s in searches]
        best = max(range(len(searches)), key=lambda n: len(named[n]))
        if progress is not None:
            progress(f"searching for terms of {file.name}", 0, None)
        found = readings(named[best], searches[best])
        sets.append((weights[number] if weights else math.sqrt(len(found)), found))
    out.mkdir(parents=True, exist_ok=True)
    path = out / "reranker.safetensors"
    return {"file": path, **train_reranker(sets, path, config, progress=progress)}


def _batches(
    sets: Sequence[tuple[float, Sequence[Reading]]], pieces: Pieces, rng: Random, config: RerankConfig
) -> Iterable[tuple[list[Listed], list[int]]]:
    """Four batches of similar length, each with how many of the first terms of every list are right."""
    drawn = []
    for _ in range(4 * config.batch):
        readings_of = rng.choices([some for _, some in sets], [weight for weight, _ in sets])[0]
        reading = readings_of[rng.randrange(len(readings_of))]
        hard, soft = list(reading.found[:30]), list(reading.found[30:])
        rng.shuffle(hard)
        rng.shuffle(soft)
        question = reading.question.lower() if rng.random() < config.lower else reading.question
        terms = [*reading.gold, *hard[: config.hard], *soft[: config.soft]]
        drawn.append((pieces.listed(question, terms), len(reading.gold)))
    yield from in_batches(drawn, config.batch)


def in_batches(drawn: Sequence[tuple[Listed, int]], size: int) -> Iterable[tuple[list[Listed], list[int]]]:
    """Lists of similar length together, to spare padding."""
    ordered = sorted(drawn, key=lambda d: len(d[0].question) + max(len(ids) for ids in d[0].terms))
    for start in range(0, len(ordered), size):
        part = ordered[start : start + size]
        yield [listed for listed, _ in part], [right for _, right in part]


def _step(model: Any, optimizer: Any, listed: Sequence[Listed], right: Sequence[int]) -> float:
    import torch

    from .query_loss import half_where_fast

    questions, terms, facts, there = padded(listed)
    with half_where_fast():
        scores = model(questions, terms, facts)
    scores = scores.float().masked_fill(~there, -1e4)
    parts = []
    for row, count in zip(scores, right, strict=True):
        wrong = torch.logsumexp(row[count:], 0)
        parts.append(torch.logaddexp(row[:count], wrong) - row[:count])
    loss = torch.cat(parts).mean()
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


def _keep(state: Path, model: Any, optimizer: Any, spent: float, seen: int) -> None:
    """Write the state beside and rename it, so that a kill leaves the one before."""
    import torch

    kept = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "spent": spent,
        "seen": seen,
    }
    temporary = state.with_suffix(".part")
    torch.save(kept, temporary)
    temporary.replace(state)
