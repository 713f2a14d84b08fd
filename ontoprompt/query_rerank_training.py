"""Training of the query reranker: each question's gold query is told from near misses of it.

It begins from the reranker of terms, which has learned which words ask for which property (bench/LOG.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from .embedding import packaged_model
from .errors import UsageError
from .near_misses import NearMisses, Shaped
from .rerank_training import RerankConfig, fit, in_batches
from .reranking import Listed, Pieces

# Draws without a near miss before training is given up.
_PATIENCE = 500


@dataclass(frozen=True, slots=True)
class QueryRerankConfig(RerankConfig):
    """As `RerankConfig`; `misses`: wrong queries beside each gold one."""

    rate: float = 4e-4
    batch: int = 8
    warmup: int = 800
    misses: int = 13


def train_query_reranker(
    sets: Sequence[tuple[float, Sequence[Shaped]]],
    out: Path,
    config: QueryRerankConfig | None = None,
    *,
    start: Path | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> dict[str, Any]:
    """Train on weighted sets of pairs and write the query reranker to `out`; see `rerank_training.fit`. `start`: the
    reranker to begin from. Raises UsageError when there is nothing to train on."""
    config = config or QueryRerankConfig()
    sets = [(weight, some) for weight, some in sets if some]
    if not sets:
        raise UsageError(
            "There is no pair to train on.", "Give a file of JSON lines with `question` and `sparql`."
        )
    misses = NearMisses(pair for _, some in sets for pair in some)
    pieces = Pieces(packaged_model())

    def draw(rng: Random) -> Iterable[tuple[list[Listed], list[int]]]:
        drawn: list[tuple[Listed, int]] = []
        for _ in range(_PATIENCE + 4 * config.batch):
            if len(drawn) == 4 * config.batch:
                break
            some = rng.choices([pairs for _, pairs in sets], [weight for weight, _ in sets])[0]
            pair = some[rng.randrange(len(some))]
            gold, others = misses.draw(pair, rng, config.misses)
            if others:
                question = pair.question.lower() if rng.random() < config.lower else pair.question
                drawn.append((pieces.texts(question, [gold, *others]), 1))
        if not drawn:
            raise UsageError(
                "Nothing stands beside the right queries: no near miss could be made of any pair.",
                "Give pairs over more than one property.",
            )
        return in_batches(drawn, config.batch)

    return fit(draw, out, config, start=start, progress=progress)
