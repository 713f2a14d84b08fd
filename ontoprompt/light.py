"""The generator that ships, and any other plain CodeGen in a folder, without torch and transformers.

Its tokenizer is read by the library that transformers wraps, its products are ONNX Runtime's (`light_runner`), the
search is everybody's. What is no plain CodeGen, or is damaged, is left to transformers, which says what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .generation import (
    Candidate,
    ConstrainedGenerator,
    LoadOptions,
    Request,
    resolve_model,
    trained_variant,
)
from .grounding import meaning
from .light_runner import Network, write
from .told import Teller


class LightGenerator(ConstrainedGenerator):
    """A plain CodeGen behind the `Generator` protocol."""

    def __init__(self, folder: Path, name: str, options: LoadOptions) -> None:
        """Raises what `Network` raises, ArtifactError for matrices beside it that cannot be read."""
        from tokenizers import Tokenizer

        self.path, self.name, self.options = str(folder), name, options
        self._text_of_tokenizer = (folder / "tokenizer.json").read_text("utf-8")
        state = json.loads(self._text_of_tokenizer)
        if (state["model"]["type"], state["decoder"]["type"]) != ("BPE", "ByteLevel"):
            raise ValueError("its tokenizer is no byte-level BPE")
        self.network = Network(folder)
        self._end = int(json.loads((folder / "config.json").read_text("utf-8"))["eos_token_id"])
        self._tokenizer = Tokenizer.from_str(self._text_of_tokenizer)
        # Nothing that a user writes may stand for a special token.
        self._tokenizer.encode_special_tokens = True
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.variant = trained_variant(str(folder))
        self._teller = Teller.load(folder)
        self._pieces = {}

    @classmethod
    def open(cls, name: str | Path, options: LoadOptions | None = None) -> LightGenerator | None:
        """The generator of a name; None when transformers must open it. Raises ArtifactError as `resolve_model` does."""
        options = options or LoadOptions()
        path, called = resolve_model(name)
        if not Path(path).is_dir() or not _any_engine(options):
            return None
        try:
            return cls(Path(path), called, options)
        except (OSError, KeyError, TypeError, ValueError):
            return None

    @property
    def context(self) -> int:
        return self.network.context

    @property
    def vocabulary(self) -> int:
        return self.network.vocabulary

    @property
    def end(self) -> int:
        return self._end

    def encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))

    def _tokenizer_json(self) -> str:
        return self._text_of_tokenizer

    def generate(self, requests: Sequence[Request], *, candidates: int = 5) -> list[tuple[Candidate, ...]]:
        """See `Generator`. Raises UsageError for a prompt that leaves no room for a query."""
        return [self._written(request, candidates) for request in requests]

    def _written(self, request: Request, candidates: int) -> tuple[Candidate, ...]:
        encoding: Any = self._tokenizer.encode(request.prompt.text, add_special_tokens=False)
        guide = self._guide(request, self.context - len(encoding.ids), len(encoding.ids))
        told = None
        if self._teller is not None:
            told = self._teller.tell(
                meaning(request.prompt, encoding.offsets, self.token_of), self.vocabulary
            )
        found = write(self.network, encoding.ids, guide, count=candidates, end=self.end, told=told)
        return self._candidates(request, found)


def _any_engine(options: LoadOptions) -> bool:
    """Whether nothing is asked of the engine that only torch does."""
    spread = (options.device_map, options.max_memory, options.offload_folder, options.quantize)
    plain = options.dtype in ("auto", "float32") and not options.sample and not options.trust_remote_code
    return plain and all(value is None for value in spread)
