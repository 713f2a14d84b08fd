"""How a generator is trained: sizes, rates, budgets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How to train: sizes in tokens, rates per step. `unaligned`: the share of examples whose symbols are numbered
    at random, so that only their names say what they stand for; `other_entities`: the share that shows entities which the
    question does not mean; `pooled`: the share that shows many of the terms and entities most like the right ones.
    `steps`: the budget in steps in place of minutes (0: minutes); a run of steps that was killed goes on to the same losses.
    `save_minutes`: how much a killed run loses at most. Defaults make the shipped generator."""

    layers: int = 6
    width: int = 384
    heads: int = 8
    vocabulary: int = 12_000
    context: int = 1024
    tokens_per_batch: int = 1800
    learning_rate: float = 1.0e-3
    warmup: int = 150
    minutes: float = 40.0
    steps: int = 0
    save_minutes: float = 2.0
    max_distractors: int = 11
    unaligned: float = 0.5
    other_entities: float = 0.35
    pooled: float = 0.5
    seed: int = 7
    variant: str = "nsql-symbols"
