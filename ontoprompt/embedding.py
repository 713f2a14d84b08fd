"""Text → vectors: the encoders, and the adapter trained on top of a frozen one.

The default encoder stands in `minilm`, because importing sentence-transformers takes longer than everything else
that answering a question does; a test holds both to the same vectors. Every other encoder goes through
sentence-transformers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from ontoprompt.errors import ArtifactError, UsageError
from ontoprompt.minilm import (
    DEFAULT_ENCODER,
    FAST_ENCODER,
    WORD,
    MiniLMEncoder,
    Progress,
    Vectors,
    first_line,
    folder_fingerprint,
    packaged_model,
    word_embeddings,
)

__all__ = [
    "DEFAULT_ENCODER",
    "FAST_ENCODER",
    "WORD",
    "Adapter",
    "Encoder",
    "MiniLMEncoder",
    "Progress",
    "SentenceTransformerEncoder",
    "Vectors",
    "folder_fingerprint",
    "load_encoder",
    "packaged_model",
    "word_embeddings",
]


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
    """The encoder of that name: `default`, `fast` (the same in int8), a local folder, or a model of the Hugging Face hub.

    The first two cost nothing until they encode. Raises ArtifactError when the model is missing or damaged.
    """
    if not name.strip():
        raise UsageError(
            "The name of the encoder is empty.", "Use `default`, `fast`, a folder or a model name."
        )
    if name in (DEFAULT_ENCODER, FAST_ENCODER):
        return MiniLMEncoder(fast=name == FAST_ENCODER)
    return SentenceTransformerEncoder(name)


class SentenceTransformerEncoder:
    """Any model that sentence-transformers loads, by folder or hub name; its weights are hashed in full."""

    def __init__(self, name: str) -> None:
        from sentence_transformers import SentenceTransformer

        self.name = name
        try:
            self._model = SentenceTransformer(name, device="cpu")
        except (OSError, ValueError, KeyError) as error:
            raise ArtifactError(
                f"The encoder {name} cannot be loaded: {first_line(error)}",
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
                f"The adapter {path} cannot be read: {first_line(error)}", "Build the index again."
            ) from error
        width = len(adapter.question)
        if adapter.question.shape != (width, width) or adapter.term.shape != (width, width):
            raise ArtifactError(f"The adapter {path} has no square matrices.", "Build the index again.")
        if adapter.prior.shape[:1] != (width + 1,) or adapter.prior.ndim != 2:
            raise ArtifactError(f"The adapter {path} does not fit together.", "Build the index again.")
        return adapter
