"""A cross-encoder on the default encoder's own weights, run by ONNX Runtime; see `reranking`, which trains one.

A question and all its candidates are one sequence: attention is told who sees whom. The updates of low rank are handed
over with each run, so that every reranker shares the encoder's weights, which lie in memory once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .minilm import GRAPHS, LAYERS, TABLE, packaged_arrays, session

Array = np.ndarray[Any, Any]
# The linear layers of one layer, as the updates of each are named; the first three are one product of the graph.
LINEAR = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
_WIDTH, _INNER = 384, 1536
_PRODUCTS = (LINEAR[:3], LINEAR[3:4], LINEAR[4:5], LINEAR[5:])


def check_weights(weights: Mapping[str, Array]) -> None:
    """Raises KeyError or ValueError for weights that are not those of a cross-encoder, by name and shape."""
    for layer in range(LAYERS):
        for part in LINEAR:
            name = f"updates.{layer}_{part.replace('.', '_')}_"
            down, up = weights[name + "down"], weights[name + "up"]
            inner = part == "intermediate.dense"
            wide = part == "output.dense"
            if down.shape != (len(down), _INNER if wide else _WIDTH) or up.shape != (
                _INNER if inner else _WIDTH,
                len(down),
            ):
                raise ValueError(f"{name} has another shape")
    if weights["segment"].shape != (_WIDTH,) or weights["head.weight"].shape != (1, _WIDTH):
        raise ValueError("its ends have another shape")


@cache
def _session(folder: Path) -> tuple[Any, Any]:
    return session((GRAPHS / "reading.onnx").read_bytes(), _initializers(folder), rarely=True)


def _initializers(folder: Path) -> dict[str, Array]:
    return {name: array for name, array in packaged_arrays(folder).items() if name not in _EMBEDDED}


# What is looked up before the graph runs.
_EMBEDDED = ("places", TABLE)


class CrossEncoder:
    """Scores of candidates for a question, by weights as `reranking.save_reranker` names them.

    Raises KeyError for weights that are missing, ValueError for some of another shape.
    """

    def __init__(self, weights: Mapping[str, Array], folder: Path) -> None:
        self._folder = folder
        self._updates: dict[str, Array] = {}
        for layer in range(LAYERS):
            for parts in _PRODUCTS:
                name = parts[0].removesuffix(".query")
                downs, ups = (
                    [weights[f"updates.{layer}_{part.replace('.', '_')}_{kind}"] for part in parts]
                    for kind in ("down", "up")
                )
                product = f"encoder.layer.{layer}.{name}.weight"
                self._updates[product + ".down"] = np.concatenate(downs)
                self._updates[product + ".up"] = _diagonal(ups)
        self._segment, self._head = weights["segment"], weights["head.weight"][0]
        self._bias, self._facts = weights["head.bias"][0], weights["facts.weight"][0]

    def scores(
        self, question: Sequence[int], candidates: Sequence[Sequence[int]], facts: Array
    ) -> list[float]:
        """Log odds of each candidate; `question`, `candidates`: token ids, `facts`: (candidates, FACTS)."""
        _, means = self.states(question, candidates)
        scores: list[float] = (means @ self._head + self._bias + facts @ self._facts).tolist()
        return scores

    def states(self, question: Sequence[int], candidates: Sequence[Sequence[int]]) -> tuple[Array, Array]:
        """The last layer: the question's tokens (tokens, width), and of each candidate the mean of its own
        (candidates, width)."""
        arrays = packaged_arrays(self._folder)
        words, places = (arrays[name] for name in reversed(_EMBEDDED))
        first = len(question)
        lengths = np.array([len(ids) for ids in candidates], np.int64)
        starts = first + np.concatenate([[0], lengths.cumsum()[:-1]]).astype(np.int64)
        ids = np.array([*question, *(token for some in candidates for token in some)])
        # A candidate's tokens stand behind the question, whatever is beside it.
        own = np.concatenate([[-1] * first, np.repeat(np.arange(len(candidates)), lengths)])
        place = np.arange(len(ids))
        place[first:] += first - np.repeat(starts[: len(lengths)], lengths)
        x = words[ids] + places[place]
        x[first:] += self._segment
        sees = (own[:, None] == own[None]) | (own[None] < 0)
        bias = np.where(sees, np.float32(0), np.float32(-np.inf))
        run, _ = _session(self._folder)
        (states,) = run.run(None, {"x": x[None], "bias": bias[None, None], **self._updates})
        if not candidates:
            return states[0], np.zeros((0, states.shape[-1]), np.float32)
        return states[0, :first], np.add.reduceat(states[0], starts) / lengths[:, None]


def _diagonal(blocks: Sequence[Array]) -> Array:
    """One matrix with these along its diagonal."""
    height, rank = blocks[0].shape
    out = np.zeros((height * len(blocks), rank * len(blocks)), np.float32)
    for number, block in enumerate(blocks):
        out[number * height : (number + 1) * height, number * rank : (number + 1) * rank] = block
    return out
