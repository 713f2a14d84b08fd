"""Names read beside the question: vectors of what symbols stand for that know what was asked.

The vectors of `grounding` are those of names alone. A reader, which is the cross-encoder of `reranking` with updates of
its own, trained together with the generator, reads the question once and each name beside it: what it makes of a name
says whether this one is meant, and what it makes of a word which name it speaks of. Here is what it is given, and what
of its states is kept; `LightReader` runs it without torch, `TorchReader` where it is trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .embedding import WORD, Vectors, packaged_model
from .minilm import cut_tokens, pieces_of, tokenizer_of, unit

if TYPE_CHECKING:
    from .reading import CrossEncoder

# Tokens of a question and of a name; what is longer is cut.
_QUESTION_TOKENS, _NAME_TOKENS = 64, 20
# Names whose tokens are kept: a server meets new ones all day.
_REMEMBERED = 50_000


@dataclass(frozen=True, slots=True)
class Beside:
    """One prompt as a reader takes it. `question`: token ids; `words`: of each word the places of its tokens among them;
    `names`: token ids of different names; `columns`: of each symbol the number of its name."""

    question: tuple[int, ...]
    words: tuple[tuple[int, ...], ...]
    names: tuple[tuple[int, ...], ...]
    columns: tuple[int, ...]


@lru_cache(_REMEMBERED)
def _pieces(text: str) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """The ids of a text, its marks included, and the characters of each."""
    encoding = tokenizer_of(packaged_model()).encode(text)
    return tuple(encoding.ids), tuple(encoding.offsets)


def beside(question: str, starts: Sequence[int], names: Sequence[str]) -> Beside:
    """A question, of which the words that start at these characters are wanted, and the name of each symbol."""
    ids, offsets = _pieces(question)
    cut = cut_tokens(ids, _QUESTION_TOKENS)
    spans = [match.span() for match in WORD.finditer(question)]
    found = dict(zip((start for start, _ in spans), pieces_of(spans, offsets), strict=True))
    inside = len(cut) if len(cut) == len(ids) else len(cut) - 1
    words = tuple(tuple(place for place in found.get(start, ()) if place < inside) for start in starts)
    unlike = list(dict.fromkeys(names))
    read = tuple(cut_tokens(_pieces(name)[0][1:], _NAME_TOKENS) for name in unlike)
    return Beside(cut, words, read, tuple(unlike.index(name) for name in names))


class LightReader:
    """A reader of saved weights on ONNX Runtime, one prompt at a time."""

    def __init__(self, weights: Mapping[str, Vectors]) -> None:
        """Raises KeyError for weights that are missing, ValueError for some of another shape."""
        from .reading import CrossEncoder

        self._encoder: CrossEncoder = CrossEncoder(weights, packaged_model())
        # The last question, its states, and its names: one value, so that threads never mix two questions.
        self._last: tuple[tuple[int, ...], Vectors | None, dict[tuple[int, ...], Vectors]] = ((), None, {})

    def read(self, one: Beside) -> tuple[Vectors, Vectors]:
        """(symbols, dimension) and (words, dimension), float32, each row of length 1 or zeros.

        A question is asked with several prompts: neither it nor a name sees the other names, so that what was read of the
        last question is not read again.
        """
        question, states, known = self._last
        if question != one.question:
            states, known = None, {}
        new = [name for name in one.names if name not in known]
        if new or states is None:
            states, means = self._encoder.states(one.question, new)
            known = {**known, **dict(zip(new, unit(means), strict=True))}
            self._last = one.question, states, known
        words = np.zeros((len(one.words), states.shape[1]), np.float32)
        for number, places in enumerate(one.words):
            if places:
                words[number] = states[list(places)].mean(0)
        names = np.array([known[name] for name in one.names], np.float32).reshape(-1, states.shape[1])
        return names[list(one.columns)], unit(words)


class TorchReader:
    """A reader whose updates may be trained."""

    def __init__(self, weights: Mapping[str, Vectors] | None = None, dropout: float = 0.0) -> None:
        """`weights`: of a reranker or of a reader that was saved; by default the reranker's that ships. `dropout`: while its
        network is in training mode, which it is not at first."""
        import torch

        from .reranking import network

        self.network: Any = network(packaged_model(), dropout=dropout).eval()
        self.network.load_state_dict(
            {name: torch.from_numpy(np.array(array)) for name, array in (weights or _shipped()).items()}
        )

    def read(self, prompts: Sequence[Beside], symbols: int, words: int) -> tuple[Any, Any]:
        """[prompts, symbols, dimension] and [prompts, words, dimension]; zeros where a prompt has fewer."""
        import torch
        from torch.nn.functional import normalize

        q = max(len(one.question) for one in prompts)
        c = max(1, *(len(one.names) for one in prompts))
        t = max((len(ids) for one in prompts for ids in one.names), default=1)
        questions, names = np.zeros((len(prompts), q), np.int64), np.zeros((len(prompts), c, t), np.int64)
        shares = np.zeros((len(prompts), words, q), np.float32)
        columns = np.full((len(prompts), symbols), c, np.int64)
        for row, one in enumerate(prompts):
            questions[row, : len(one.question)] = one.question
            columns[row, : len(one.columns)] = one.columns
            for place, ids in enumerate(one.names):
                names[row, place, : len(ids)] = ids
            for number, places in enumerate(one.words):
                shares[row, number, list(places)] = 1 / max(1, len(places))
        states, means = self.network.states(torch.from_numpy(questions), torch.from_numpy(names))
        heard = normalize(torch.from_numpy(shares) @ states.float(), dim=-1)
        known = normalize(means.float(), dim=-1)
        known = torch.cat([known, known.new_zeros(len(prompts), 1, known.shape[-1])], dim=1)
        wide = torch.from_numpy(columns)[:, :, None].expand(-1, -1, known.shape[-1])
        return torch.gather(known, 1, wide), heard


def _shipped() -> dict[str, Vectors]:
    from safetensors.numpy import load_file

    path = Path(__file__).parent / "data" / "reranker.safetensors"
    return {name: array.astype(np.float32) for name, array in load_file(path).items()}
