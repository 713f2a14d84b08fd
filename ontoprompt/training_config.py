"""How a generator is trained: sizes, rates, budgets."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How to train: sizes in tokens, rates per step. `unaligned`: the share of examples whose symbols are numbered
    at random, so that only their names say what they stand for; `other_entities`: the share that shows entities which the
    question does not mean; `pooled`: the share that shows many of the terms and entities most like the right ones.
    `reader`: whether names are read beside the question (`name_reading`); its weights learn at `reader_rate` times the rate, with
    `reader_dropout`.
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
    reader: bool = True
    reader_rate: float = 0.5
    reader_dropout: float = 0.1
    seed: int = 7
    variant: str = "nsql-symbols"


METHODS = ("full", "lora", "scratch")
PRECISIONS = ("no", "bf16", "fp16")
_RATES = {"full": 5e-5, "lora": 2e-4, "scratch": 5e-4}


@dataclass(frozen=True, slots=True)
class TuneConfig:
    """How to tune any causal model. `model`: a folder, a hub name, or "default"; `method`: all weights, an adapter of low
    rank, or new weights in the model's shape; `variant`: of prompts, the model's own when empty.

    `batch`: examples in a step, over all processes; `micro_batch`: of these, how many one process runs at once, the rest
    being accumulated; `context`: tokens of an example at most; `learning_rate`: 0 for the method's own. `rank`, `alpha`,
    `dropout`: of the adapter, and `keep_adapter` leaves it apart instead of merging it. `evaluate_every`: steps;
    `patience`: evaluations without a better one before it ends early, 0 for never.
    """

    model: str
    method: str = "full"
    variant: str = ""
    steps: int = 0
    minutes: float = 40.0
    batch: int = 32
    micro_batch: int = 8
    context: int = 1024
    learning_rate: float = 0.0
    warmup: int = 50
    weight_decay: float = 0.01
    precision: str = "no"
    checkpointing: bool = False
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    keep_adapter: bool = False
    evaluate_every: int = 200
    patience: int = 0
    save_minutes: float = 5.0
    seed: int = 7

    @property
    def rate(self) -> float:
        """The highest learning rate."""
        return self.learning_rate or _RATES[self.method]


def rate_at(highest: float, step: int, warmup: int, done: float) -> float:
    """The learning rate of a step: a linear warm-up under half a cosine over the share `done` of the budget, which
    ends at 3 % (Loshchilov and Hutter 2017)."""
    return (
        highest
        * min(1.0, (step + 1) / warmup)
        * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))
    )
