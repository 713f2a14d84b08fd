"""The forward pass of a CodeGen (Nijkamp et al. 2023; its layers are those of GPT-J, Wang and Komatsuzaki 2021) as a
graph for ONNX Runtime.

Attention and the feed-forward part of a layer read the same normalised input, so their first products are one, and
their last ones too. What is read is one sequence whose places and whose attention are told, so that beams which grow
out of one prompt are read as a tree over it (Miao et al. 2024, SpecInfer, section 4.2): keys and values lie once and
are never moved. Every weight is handed over when the graph is loaded: no second copy of a checkpoint is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]
_OWN = "com.microsoft"
# CodeGen keeps queries, values and keys in this many blocks, one for each core that it was first trained on.
_BLOCKS = 4
# Where the graph of the generator that ships lies; `bench.engine_graphs` writes it.
STORED = Path(__file__).parent / "data" / "engine" / "codegen.onnx"


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides a graph. `inner`: width between the products of the feed-forward part; `rotary`: how many of a
    head's values turn with the place of a token."""

    layers: int
    width: int
    heads: int
    inner: int
    rotary: int
    epsilon: float

    @property
    def head(self) -> int:
        """Width of a head."""
        return self.width // self.heads

    @property
    def plain(self) -> bool:
        """Whether the graph can be made: heads in whole blocks, and of a size that the operators take."""
        whole = self.heads % _BLOCKS == 0 and self.width % self.heads == 0 and self.head % 8 == 0
        return whole and self.rotary % 16 == 0 and 0 < self.rotary <= self.head


# That of the generator that ships, whose graph lies ready.
SHIPPED = Shape(layers=6, width=384, heads=8, inner=1536, rotary=32, epsilon=1e-5)


def arrays(shape: Shape, weights: Mapping[str, Array]) -> Arrays:
    """The arrays that the graph asks for, by name, float32, from a checkpoint's; matrices are (out, in).

    Raises KeyError for one that is missing, ValueError for one of another shape.
    """
    width, inner = shape.width, shape.inner

    def taken(name: str, *expected: int) -> Array:
        array = weights["transformer." + name]
        if array.shape != expected:
            raise ValueError(f"{name} has the shape {array.shape}, not {expected}")
        return array

    out: Arrays = {}
    rows = _rows(shape)
    for layer in range(shape.layers):
        prefix = f"h.{layer}."
        heads = taken(prefix + "attn.qkv_proj.weight", 3 * width, width)[rows]
        first = np.concatenate([heads, taken(prefix + "mlp.fc_in.weight", inner, width)])
        mixed = taken(prefix + "attn.out_proj.weight", width, width)
        last = np.concatenate([mixed, taken(prefix + "mlp.fc_out.weight", width, inner)], axis=1)
        out[prefix + "first.weight"], out[prefix + "last.weight"] = (
            m.astype(np.float32) for m in (first, last)
        )
        bias = np.zeros(3 * width + inner, np.float32)
        bias[3 * width :] = taken(prefix + "mlp.fc_in.bias", inner)
        out[prefix + "first.bias"] = bias
        out[prefix + "last.bias"] = taken(prefix + "mlp.fc_out.bias", width).astype(np.float32)
    for norm in (*(f"h.{layer}.ln_1." for layer in range(shape.layers)), "ln_f."):
        for name in (norm + "weight", norm + "bias"):
            out[name] = taken(name, width).astype(np.float32)
    return out


def _rows(shape: Shape) -> Array:
    """Rows of the projection in the order queries, keys, values: a checkpoint has them in blocks of queries, values
    and keys."""
    local = shape.width // _BLOCKS
    blocks = np.arange(3 * shape.width).reshape(_BLOCKS, 3, local)
    return np.concatenate([blocks[:, kind].ravel() for kind in (0, 2, 1)])


def turning(shape: Shape, places: int) -> tuple[Array, Array]:
    """Cosines and sines of places 0 to `places`, float32 (places, rotary / 2): Su et al. 2021, RoFormer, section 3.4."""
    exponents = np.arange(0, shape.rotary, 2, dtype=np.float32) / np.float32(shape.rotary)
    # In float32 throughout, as the model was trained.
    angles = np.arange(places, dtype=np.float32)[:, None] * (np.float32(1) / np.float32(10000) ** exponents)
    return np.cos(angles), np.sin(angles)


def graph(shape: Shape) -> bytes:
    """The graph of a shape: the one that lies ready, or made now."""
    return STORED.read_bytes() if shape == SHIPPED else made(shape)


class _Graph:
    """Nodes and arrays of a graph under construction."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.inits: list[Any] = []

    def given(self, name: str, *shape: int, dtype: type = np.float32) -> str:
        """An array that is handed over when the graph is loaded."""
        from onnx import TensorProto, helper

        tensor = TensorProto(
            name=name, dims=shape, data_type=helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        )
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="given")
        self.inits.append(tensor)
        return name

    def constant(self, name: str, value: Any) -> str:
        from onnx import numpy_helper

        self.inits.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(
        self, operator: str, inputs: Sequence[str], *outputs: str, domain: str = "", **options: Any
    ) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, outputs, domain=domain, **options))
        return outputs[0]

    def product(self, x: str, name: str, height: int, width: int) -> str:
        """x Wᵀ + bias, W (height, width)."""
        out = name + ".y"
        bias = self.given(name + ".bias", height)
        matrix = self.given(name + ".weight", height, width)
        y = self.node("FusedMatMul", [x, matrix], name + ".x", domain=_OWN, transB=1)
        return self.node("Add", [y, bias], out)


def made(shape: Shape) -> bytes:
    """The graph.

    In: `x` (1, tokens, width), what is read; `places` (1, tokens), where each stands in its text; `cos`, `sin` (places,
    rotary / 2); `last` (1,), how many tokens have been read with these, less one, and `all`, how many; `bias` (1, 1, tokens,
    all), added to the attention of each to each; for each layer `k`, `v` (1, heads, room, head), where keys and values
    lie and the new ones are put. Out: the last layer, normalised, (1, tokens, width), and keys and values again.
    """
    from onnx import TensorProto, helper

    g = _Graph()
    heads, head, width = shape.heads, shape.head, shape.width
    f, vi = TensorProto.FLOAT, helper.make_tensor_value_info
    ins = [
        vi("x", f, [1, "tokens", width]),
        vi("places", TensorProto.INT64, [1, "tokens"]),
        vi("cos", f, ["most", shape.rotary // 2]),
        vi("sin", f, ["most", shape.rotary // 2]),
        vi("last", TensorProto.INT32, [1]),
        vi("all", TensorProto.INT32, []),
        vi("bias", f, [1, 1, "tokens", "all"]),
    ]
    outs = []
    g.constant("parts", np.array([3 * width, shape.inner]))
    x = "x"
    for layer in range(shape.layers):
        p = f"h.{layer}."
        norm = [g.given(f"{p}ln_1.{n}", width) for n in ("weight", "bias")]
        read = g.node("LayerNormalization", [x, *norm], p + "read", epsilon=shape.epsilon)
        first = g.product(read, p + "first", 3 * width + shape.inner, width)
        g.node("Split", [first, "parts"], p + "qkv", p + "up", axis=-1)
        inputs = [
            p + "qkv",
            "",
            "",
            f"k.{layer}",
            f"v.{layer}",
            "last",
            "all",
            "cos",
            "sin",
            "places",
            "bias",
        ]
        g.node(
            "GroupQueryAttention", inputs, p + "mixed", f"now.k.{layer}", f"now.v.{layer}", domain=_OWN,
            num_heads=heads, kv_num_heads=heads, do_rotary=1, rotary_interleaved=1,
        )  # fmt: skip
        inner = g.node("FastGelu", [p + "up"], p + "inner", domain=_OWN)
        both = g.node("Concat", [p + "mixed", inner], p + "both", axis=-1)
        y = g.product(both, p + "last", width, width + shape.inner)
        x = g.node("Add", [x, y], p + "x")
        for kind in "kv":
            ins.append(vi(f"{kind}.{layer}", f, [1, heads, "room", head]))
            outs.append(vi(f"now.{kind}.{layer}", f, [1, heads, "room", head]))
    norm = [g.given(f"ln_f.{n}", width) for n in ("weight", "bias")]
    x = g.node("LayerNormalization", [x, *norm], "out", epsilon=shape.epsilon)
    outs.insert(0, vi(x, f, [1, "tokens", width]))
    versions = [helper.make_opsetid("", 17), helper.make_opsetid(_OWN, 1)]
    model = helper.make_model(
        helper.make_graph(g.nodes, "codegen", ins, outs, g.inits), opset_imports=versions, ir_version=9
    )
    return bytes(model.SerializeToString(deterministic=True))
