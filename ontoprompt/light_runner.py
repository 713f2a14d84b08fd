"""A CodeGen behind `decoding.search` on ONNX Runtime: the one that ships, in tens of milliseconds and without torch.

One request at a time: its beams grow out of one prompt, and are read as a tree over it. A token's keys and values are
put into a pool when it is read; what each beam sees of the pool is a row of flags.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .codegen_graph import Shape, arrays, graph, turning
from .decoding import Guide, Hypothesis, search
from .known_models import in_eight_blocks
from .minilm import session
from .tensors import mapped
from .told import Told

Array = np.ndarray[Any, Any]
# Models of fewer parameters than this are small: cores that wait for each other cost them more than they help.
_SMALL = 50_000_000
# Tokens of each beam for which room is made at once.
_ROOM = 24
# When more choices than this are asked about, the whole head is kept in single precision.
_MANY = 2_000


class Network:
    """The graph of a checkpoint with its weights in it, its table of embeddings and its head.

    Raises OSError, KeyError or ValueError for a folder that holds no plain CodeGen.
    """

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        config = json.loads((folder / "config.json").read_text("utf-8"))
        self.shape = _shape(config)
        self.vocabulary, self.context = int(config["vocab_size"]), int(config["n_positions"])
        weights = mapped(folder / "model.safetensors")
        self.table = weights["transformer.wte.weight"]
        self._head = weights.get("lm_head.weight", self.table)
        self._bias = weights["lm_head.bias"].astype(np.float32)
        size = (self.vocabulary, self.shape.width)
        if self.table.shape != size or self._head.shape != size or self._bias.shape != size[:1]:
            raise ValueError("the head has another shape than config.json says")
        given = arrays(self.shape, weights)
        small = sum(array.size for array in given.values()) < _SMALL
        self.session, self._kept = session(graph(self.shape), given, threads=1 if small else 0)
        self.turning = [
            onnxruntime.OrtValue.ortvalue_from_numpy(a) for a in turning(self.shape, self.context)
        ]

    def logits(self, states: Array, choices: Array) -> Array:
        """(states, width) → (states, choices), of these tokens alone."""
        if len(choices) > _MANY and self._head.dtype != np.float32:
            self._head = self._head.astype(np.float32)
        rows = self._head if len(choices) == len(self._head) else self._head[choices]
        logits: Array = states @ rows.astype(np.float32, copy=False).T + self._bias[choices]
        return logits


def _shape(config: dict[str, Any]) -> Shape:
    """The shape that a config.json tells. Raises ValueError for a model that is no plain CodeGen."""
    width = int(config["n_embd"])
    shape = Shape(
        layers=int(config["n_layer"]),
        width=width,
        heads=int(config["n_head"]),
        inner=int(config.get("n_inner") or 4 * width),
        rotary=int(config.get("rotary_dim") or 0),
        epsilon=float(config["layer_norm_epsilon"]),
    )
    plain = config.get("model_type") == "codegen" and config.get("activation_function") == "gelu_new"
    other = "auto_map" in config or "quantization_config" in config or in_eight_blocks(config)
    if not plain or not shape.plain or other:
        raise ValueError("it is no plain CodeGen")
    return shape


def write(
    network: Network, ids: Sequence[int], guide: Guide, *, count: int, end: int, told: Told | None = None
) -> list[Hypothesis]:
    """Up to `count` continuations of one prompt, best first; `told`: what it means."""
    (found,) = search(LightRunner(network, ids, count, told), [guide], count=count, end=end)
    return found


class LightRunner:
    """A network that reads one prompt and what grows out of it. `most`: beams at most."""

    def __init__(self, network: Network, ids: Sequence[int], most: int, told: Told | None = None) -> None:
        self.vocabulary = network.vocabulary
        self._network = network
        self._prompt = np.array(ids, np.int64)
        self._told = told
        self._more = most * _ROOM
        # Tokens read; of each beam how many it has and which of the pool it sees; and the pool, two arrays a layer.
        self._read = self._depth = 0
        self._sees = np.zeros((1, 0), bool)
        self._pool: list[Array] = []
        self._binding = network.session.io_binding()
        for name, value in zip(("cos", "sin"), network.turning, strict=True):
            self._binding.bind_ortvalue_input(name, value)
        self._make_room(len(ids) + self._more)

    def step(
        self, rows: Sequence[int], tokens: Sequence[tuple[int, ...]], choices: Array, requests: Sequence[int]
    ) -> Array:
        """See `decoding.Runner`."""
        written = np.array(tokens, np.int64).reshape(len(rows), -1)
        if not self._read:
            # Before anything is read all beams are alike.
            states = self._run(np.concatenate([self._prompt, written[0]])[None])
            if self._told is not None:
                self._told.listen(states[: len(self._prompt)])
            states = np.repeat(states[-1:], len(rows), axis=0)
            self._sees = self._sees[np.zeros(len(rows), np.int64)]
        else:
            self._sees = self._sees[list(rows)]
            states = self._run(written)[written.shape[1] - 1 :: written.shape[1]]
        logits = self._network.logits(states, choices)
        if self._told is not None:
            logits += self._told.scores(states, choices)
        return logits

    def _run(self, ids: Array) -> Array:
        """Read (beams, tokens) behind what each beam has: states (beams x tokens, width)."""
        beams, length = ids.shape
        first, end = self._read, self._read + ids.size
        if end > self._sees.shape[1]:
            first = self._compact(ids.size)
            end = first + ids.size
        own = np.arange(first, end).reshape(beams, length)
        sees = np.repeat(self._sees, length, axis=0)
        for place in range(length):
            sees[np.arange(beams)[:, None] * length + np.arange(place, length), own[:, place, None]] = True
        bias = np.where(sees[:, :end], np.float32(0), np.float32(-np.inf))
        flat = ids.ravel()
        if self._told is None:
            embedded = self._network.table[flat].astype(np.float32)
        else:
            embedded = self._told.embeddings(self._network.table, flat, prompt=not self._read)
        places = np.tile(np.arange(self._depth, self._depth + length), beams)
        given = {
            "x": embedded[None],
            "places": places[None],
            "last": np.array([end - 1], np.int32),
            "all": np.array(end, np.int32),
            "bias": bias[None, None],
        }
        for name, array in given.items():
            self._binding.bind_cpu_input(name, array)
        self._binding.bind_output("out")
        self._network.session.run_with_iobinding(self._binding)
        self._sees[np.arange(beams)[:, None], own] = True
        self._read, self._depth = end, self._depth + length
        states: Array = self._binding.get_outputs()[-1].numpy()[0]
        return states

    def _compact(self, more: int) -> int:
        """Drop from the pool what no beam sees any more, and make room for `more` tokens. Returns where they go."""
        kept = np.flatnonzero(self._sees.any(0))
        before = self._pool
        sees = self._sees[:, kept]
        self._make_room(len(kept) + max(more, self._more))
        self._sees = np.zeros((len(sees), self._pool[0].shape[2]), bool)
        self._sees[:, : len(kept)] = sees
        for now, old in zip(self._pool, before, strict=True):
            now[:, :, : len(kept)] = old[:, :, kept]
        self._read = len(kept)
        return self._read

    def _make_room(self, room: int) -> None:
        import onnxruntime

        shape = self._network.shape
        size = (1, shape.heads, room, shape.head)
        self._pool = [np.zeros(size, np.float32) for _ in range(2 * shape.layers)]
        names = [f"{kind}.{layer}" for layer in range(shape.layers) for kind in "kv"]
        self._binding.clear_binding_outputs()
        for name, array in zip(names, self._pool, strict=True):
            # It lies in the array's own memory, and what is new is put there.
            value = onnxruntime.OrtValue.ortvalue_from_numpy(array)
            self._binding.bind_ortvalue_input(name, value)
            self._binding.bind_ortvalue_output("now." + name, value)
        if not self._sees.shape[1]:
            self._sees = np.zeros((1, room), bool)
