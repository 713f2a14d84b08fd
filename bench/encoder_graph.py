"""Make the graphs of operations that the default encoder runs, and the scales of its int8 products.

    python -m bench.encoder_graph --data-folder DIR [--out ontoprompt/data/encoder]

`exact.onnx` is all-MiniLM-L6-v2 in float32, `fast.onnx` the same with most products in int8, `reading.onnx` what the
rerankers run; they hold no weights, which `ontoprompt.minilm` takes from the installed model. `fast.safetensors` holds for each int8 product the width of a step of
each input, from the largest values seen on labels of the DBpedia vocabulary and training questions of LC-QuAD 1.0, shared
between inputs and weights (Xiao et al. 2023, SmoothQuant). The last products of the first four layers stay in float32:
few and very large values in their inputs cost more of the ranking than int8 there saves time.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from ontoprompt.minilm import TABLE, MiniLMEncoder, initializers
from ontoprompt.settings import bundled

HERE = Path(__file__).parent.parent / "ontoprompt" / "data" / "encoder"
LAYERS, WIDTH, INNER, VOCABULARY, PLACES = 6, 384, 1536, 30522, 512
_OWN = "com.microsoft"
_EXACT = {f"encoder.layer.{layer}.output.dense.weight" for layer in range(4)}
# How much of an input's range the weights take over (the exponent in section 4.1 of that paper), by recall of the 20
# nearest of 1,500 labels.
_SHARE = {"self": 0.8, "attention.output": 0.7, "intermediate": 0.75, "output": 0.85}
_SEEN = 1_500


def product_names() -> list[str]:
    """The weights of the four products of each layer."""
    kinds = ("attention.self", "attention.output.dense", "intermediate.dense", "output.dense")
    return [f"encoder.layer.{layer}.{kind}.weight" for layer in range(LAYERS) for kind in kinds]


class _Graph:
    """An ONNX model under construction. `zeros`: weight name → the byte that stands for 0, of each int8 product."""

    def __init__(self, zeros: Mapping[str, int], updated: bool = False) -> None:
        self.updated = updated
        self.nodes: list[Any] = []
        self.inits: list[Any] = []
        self.zeros = zeros
        self.inputs: list[str] = []

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

    def product(self, x: str, name: str, width: int, height: int) -> str:
        """x Wᵀ, W (height, width), without a bias."""
        self.inputs.append(x)
        if name not in self.zeros:
            y = self.node(
                "FusedMatMul", [x, self.given(name, height, width)], name + ".y", domain=_OWN, transB=1
            )
            if not self.updated:
                return y
            low = self.node("FusedMatMul", [x, name + ".down"], name + ".low", domain=_OWN, transB=1)
            change = self.node("FusedMatMul", [low, name + ".up"], name + ".change", domain=_OWN, transB=1)
            return self.node("Add", [y, change], name + ".changed")
        steps = self.node("Mul", [x, self.given(name + ".inverse", width)], name + ".steps")
        zero = self.constant(name + ".zero", np.uint8(self.zeros[name]))
        coded = self.node("QuantizeLinear", [steps, "one", zero], name + ".coded")
        matrix = self.given(name + ".bytes", width, height, dtype=np.int8)
        inputs = [coded, matrix, "one", self.given(name + ".step", height), zero]
        return self.node("MatMulIntegerToFloat", inputs, name + ".y", domain=_OWN)

    def close(self, y: str, x: str, prefix: str) -> str:
        """LayerNorm(x + y + bias)."""
        arrays = [
            self.given(f"{prefix}{n}", WIDTH) for n in ("LayerNorm.weight", "LayerNorm.bias", "dense.bias")
        ]
        return self.node(
            "SkipLayerNormalization", [y, x, *arrays], prefix + "closed", domain=_OWN, epsilon=1e-12
        )


def _layers(g: _Graph, x: str, bias: str = "") -> str:
    """All layers upon the normalised embeddings; `bias`: what is added to attention."""
    more = ["", bias] if bias else []
    thirds = g.constant("thirds", np.array([WIDTH] * 3))
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}."
        y = g.product(x, prefix + "attention.self.weight", WIDTH, 3 * WIDTH)
        parts = [prefix + n for n in ("query", "key", "value")]
        g.node("Split", [y, thirds], *parts, axis=-1)
        inputs = [*parts, g.given(prefix + "attention.self.bias", 3 * WIDTH), *more]
        y = g.node("MultiHeadAttention", inputs, prefix + "mixed", domain=_OWN, num_heads=12)
        y = g.product(y, prefix + "attention.output.dense.weight", WIDTH, WIDTH)
        x = g.close(y, x, prefix + "attention.output.")
        y = g.product(x, prefix + "intermediate.dense.weight", WIDTH, INNER)
        y = g.node(
            "BiasGelu", [y, g.given(prefix + "intermediate.dense.bias", INNER)], prefix + "inner", domain=_OWN
        )
        y = g.product(y, prefix + "output.dense.weight", INNER, WIDTH)
        x = g.close(y, x, prefix + "output.")
    return x


def graph(zeros: Mapping[str, int], *, taps: bool = False) -> bytes:
    """The model: `ids` (texts, tokens) of int64, nothing padded → the last layer (texts, tokens, WIDTH). In float32 the
    table of words is handed over with each run.

    `taps`: the inputs of all products come out too, in the order of `product_names`.
    """
    from onnx import TensorProto, helper

    g = _Graph(zeros)
    g.constant("one", np.float32(1))
    if zeros:
        g.given(TABLE, VOCABULARY, WIDTH)
    words = g.node("Gather", [TABLE, "ids"], "words")
    length = g.node("Shape", ["ids"], "length", start=1, end=2)
    first, axis = g.constant("first", np.array([0])), g.constant("axis", np.array([0]))
    place = g.node("Slice", [g.given("places", PLACES, WIDTH), first, length, axis], "place")
    both = g.node("Add", [words, place], "both")
    norm = [g.given(f"embeddings.LayerNorm.{n}", WIDTH) for n in ("weight", "bias")]
    x = g.node("LayerNormalization", [both, *norm], "embedded", epsilon=1e-12)
    x = _layers(g, x)
    out = [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["texts", "tokens", WIDTH])]
    if taps:
        out += [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in g.inputs]
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["texts", "tokens"])
    # Half of the weights are this table, which is copied when it belongs to the graph.
    table = helper.make_tensor_value_info(TABLE, TensorProto.FLOAT, [VOCABULARY, WIDTH])
    used = [i for i in g.inits if i.name != "one" or zeros]
    return _model(g, [ids] if zeros else [ids, table], out, used)


def _model(g: _Graph, ins: Sequence[Any], outs: Sequence[Any], inits: Sequence[Any]) -> bytes:
    from onnx import helper

    versions = [helper.make_opsetid("", 17), helper.make_opsetid(_OWN, 1)]
    made = helper.make_graph(g.nodes, "all-MiniLM-L6-v2", ins, outs, inits)
    model = helper.make_model(made, opset_imports=versions, ir_version=9)
    return bytes(model.SerializeToString(deterministic=True))


def reading_graph() -> bytes:
    """The same for a cross-encoder: `x` (1, tokens, WIDTH), embedded but not normalised, `bias` (1, 1, tokens, tokens),
    added to the attention of each to each, and for each product an update of low rank, `down` (rank, in) and `up`
    (out, rank) → the last layer."""
    from onnx import TensorProto, helper

    g = _Graph({}, updated=True)
    norm = [g.given(f"embeddings.LayerNorm.{n}", WIDTH) for n in ("weight", "bias")]
    x = g.node("LayerNormalization", ["x", *norm], "embedded", epsilon=1e-12)
    x = _layers(g, x, "bias")
    info, f = helper.make_tensor_value_info, TensorProto.FLOAT
    ins = [info("x", f, [1, "tokens", WIDTH]), info("bias", f, [1, 1, "tokens", "tokens"])]
    for number, name in enumerate(product_names()):
        rank = f"rank{number}"
        ins += [info(name + ".down", f, [rank, None]), info(name + ".up", f, [None, rank])]
    out = [info(x, f, [1, "tokens", WIDTH])]
    return _model(g, ins, out, g.inits)


def scales(texts: Sequence[str], folder: Path) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, int]]:
    """For each int8 product the width of a step of each input, and the byte that stands for 0."""
    import onnxruntime
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    weights = initializers(load_file(folder / "model.safetensors"), {})
    options = onnxruntime.SessionOptions()
    table = weights.pop(TABLE)
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
    options.add_external_initializers(list(weights), values)
    session = onnxruntime.InferenceSession(graph({}, taps=True), options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    names = product_names()
    seen: list[list[np.ndarray[Any, Any]]] = [[] for _ in names]
    for text in texts:
        _, *inputs = session.run(None, {"ids": np.array([tokenizer.encode(text).ids]), TABLE: table})
        for kept, values_seen in zip(seen, inputs, strict=True):
            kept.append(values_seen[0])
    steps, zeros = {}, {}
    for name, kept in zip(names, seen, strict=True):
        if name in _EXACT:
            continue
        x = np.concatenate(kept)
        share = next(value for kind, value in _SHARE.items() if f".{kind}." in name)
        largest = np.maximum(np.abs(x).max(0), 1e-4)
        divisor = largest**share / np.abs(weights[name]).max(0) ** (1 - share)
        low, high = float((x / divisor).min()), float((x / divisor).max())
        step = (high - low) / 255
        steps[name] = np.asarray(divisor * step, np.float32)
        zeros[name] = round(-low / step)
    return steps, zeros


def texts_seen(data: Path) -> list[str]:
    """Labels and questions that the scales are made from."""
    from ontoprompt.ontology import load_ontology

    labels = sorted({term.label for term in load_ontology([bundled("ontology", "dbpedia.ttl")]).terms})
    lines = (data / "lcquad1" / "train.jsonl").read_text("utf-8").splitlines()
    questions = [json.loads(line)["question"] for line in lines]
    draw = Random(1)
    return draw.sample(labels, _SEEN) + draw.sample(questions, _SEEN // 3)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-folder", type=Path, default=Path(os.environ.get("ONTOPROMPT_DATA", "data")))
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()
    from safetensors.numpy import save_file

    steps, zeros = scales(texts_seen(arguments.data_folder), MiniLMEncoder()._folder)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "exact.onnx").write_bytes(graph({}))
    (arguments.out / "reading.onnx").write_bytes(reading_graph())
    (arguments.out / "fast.onnx").write_bytes(graph(zeros))
    save_file(steps, arguments.out / "fast.safetensors", metadata={"made_by": "bench.encoder_graph"})
    print(json.dumps({"int8_products": len(steps), "out": str(arguments.out)}))


if __name__ == "__main__":
    main()
