"""Reranking: a question and the terms that retrieval found for it → how well each fits, words read against words.

A cross-encoder (Nogueira and Cho 2019) on the default encoder's own weights, with low-rank updates to its linear
layers (Hu et al. 2021), which are all that is kept on disk. The question is read once: the tokens of a term see
the question and their own term, the question sees itself alone. That costs a quarter of reading each pair anew and
makes the score of a term the same whatever stands beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ontoprompt.embedding import Vectors, folder_fingerprint, packaged_model
from ontoprompt.errors import ArtifactError
from ontoprompt.minilm import cut_tokens, tokenizer_of
from ontoprompt.ontology import KINDS, Term
from ontoprompt.reading import LINEAR, CrossEncoder

if TYPE_CHECKING:
    import torch

FORMAT = 1
RANK = 32
_RAW = "http://dbpedia.org/property/"
_QUESTION_TOKENS, _TERM_TOKENS, _TEXT_TOKENS = 64, 16, 56


@dataclass(frozen=True, slots=True)
class Listed:
    """A question's token ids, and for each of its candidate terms token ids and `term_facts`."""

    question: list[int]
    terms: list[list[int]]
    facts: Vectors


def term_facts(terms: Sequence[Term]) -> Vectors:
    """(n, FACTS): what is known of terms besides their names: how much they are used, kind, whether raw infobox."""
    usage = np.log1p(np.array([t.usage for t in terms], np.float32)) / 15.0
    kinds = np.array([[t.kind == kind for kind in KINDS] for t in terms], np.float32).reshape(
        len(terms), len(KINDS)
    )
    raw = np.array([t.iri.startswith(_RAW) for t in terms], np.float32)
    return np.column_stack([usage, usage == 0, raw, kinds]).astype(np.float32)


FACTS = 3 + len(KINDS)


class Pieces:
    """Questions and terms as token ids of the encoder's vocabulary."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = tokenizer_of(folder)
        self._known: dict[str, list[int]] = {}

    def listed(self, question: str, terms: Sequence[Term]) -> Listed:
        """A question and its candidates."""
        return Listed(
            self._cut(question, _QUESTION_TOKENS), [self._term(t) for t in terms], term_facts(terms)
        )

    def texts(self, question: str, texts: Sequence[str]) -> Listed:
        """A question and texts, of which no facts are known."""
        ids = [self._cut(text, _TEXT_TOKENS)[1:] for text in texts]
        return Listed(self._cut(question, _QUESTION_TOKENS), ids, np.zeros((len(texts), FACTS), np.float32))

    def _cut(self, text: str, most: int) -> list[int]:
        """The tokens of a text, its end mark kept where it is too long."""
        return list(cut_tokens(self._tokenizer.encode(text).ids, most))

    def _term(self, term: Term) -> list[int]:
        text = term.label if not term.aliases else f"{term.label}, {', '.join(term.aliases[:2])}"
        ids = self._known.get(text)
        if ids is None:
            ids = self._known[text] = self._cut(text, _TERM_TOKENS + 1)[1:]
        return ids


def padded(lists: Sequence[Listed]) -> tuple[Any, Any, Any, Any]:
    """Tensors of several lists: question ids (n, q), term ids (n, c, t), facts (n, c, FACTS), which terms are there
    (n, c); id 0 pads."""
    import torch

    q = max(len(x.question) for x in lists)
    c = max(len(x.terms) for x in lists)
    t = max((len(ids) for x in lists for ids in x.terms), default=1)
    questions, terms = np.zeros((len(lists), q), np.int64), np.zeros((len(lists), c, t), np.int64)
    facts, there = np.zeros((len(lists), c, FACTS), np.float32), np.zeros((len(lists), c), bool)
    for row, x in enumerate(lists):
        questions[row, : len(x.question)] = x.question
        facts[row, : len(x.terms)] = x.facts
        there[row, : len(x.terms)] = True
        for place, ids in enumerate(x.terms):
            terms[row, place, : len(ids)] = ids
    return (
        torch.from_numpy(questions),
        torch.from_numpy(terms),
        torch.from_numpy(facts),
        torch.from_numpy(there),
    )


class Reranker:
    """Scores of terms for a question. The encoder's own weights are read when it is first asked."""

    def __init__(self, weights: Mapping[str, Vectors], folder: Path) -> None:
        self._weights = dict(weights)
        self._folder = folder
        self._encoder = CrossEncoder(weights, folder)
        self._pieces: Pieces | None = None

    @classmethod
    def load(cls, path: Path) -> Reranker:
        """Raises ArtifactError when the file is missing, damaged, or made for other weights than the packaged ones."""
        from safetensors import SafetensorError, safe_open

        folder = packaged_model()
        try:
            with safe_open(path, framework="numpy") as file:
                made = file.metadata() or {}
                weights = {key: file.get_tensor(key).astype(np.float32) for key in file.keys()}  # noqa: SIM118
            if made.get("format") == str(FORMAT) and made.get("encoder") == folder_fingerprint(folder):
                return cls(weights, folder)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise ArtifactError(
                f"The reranker {path} cannot be read: {error}", "Install ontoprompt again."
            ) from error
        raise ArtifactError(
            f"The reranker {path} was made for other weights of the encoder.", "Install ontoprompt again."
        )

    def scores(self, question: str, terms: Sequence[Term]) -> list[float]:
        """How well each term fits, in units of log odds; a term's score does not depend on the others."""
        return self._read(self._ready().listed(question, terms)) if terms else []

    def scores_each(self, questions: Sequence[str], terms: Sequence[Sequence[Term]]) -> list[list[float]]:
        """`scores` of several questions, each with terms of its own."""
        return [self.scores(question, some) for question, some in zip(questions, terms, strict=True)]

    def text_scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """`scores` of texts, by a reranker that was trained on texts."""
        return self._read(self._ready().texts(question, texts)) if texts else []

    def _read(self, listed: Listed) -> list[float]:
        return self._encoder.scores(listed.question, listed.terms, listed.facts)

    @property
    def weights(self) -> dict[str, Any]:
        """What was learned, as it is on disk, tensors of float32."""
        import torch

        return {name: torch.from_numpy(array) for name, array in self._weights.items()}

    def _ready(self) -> Pieces:
        if self._pieces is None:
            self._pieces = Pieces(self._folder)
        return self._pieces


def save_reranker(trained: Any, path: Path) -> None:
    """What was learned, in half precision, as one safetensors file. `trained`: a network."""
    import torch
    from safetensors.torch import save_file

    weights = {key: value.to(torch.float16).contiguous() for key, value in trained.state_dict().items()}
    save_file(
        weights, path, metadata={"format": str(FORMAT), "encoder": folder_fingerprint(packaged_model())}
    )


def network(folder: Path, rank: int = RANK, dropout: float = 0.0) -> torch.nn.Module:
    """The untrained cross-encoder: the encoder's weights, frozen, and updates of that rank that change nothing yet.
    `dropout`: while it is trained, of what a layer's attention adds; half of it of words."""
    made: torch.nn.Module = _network_class()(folder, rank, dropout)
    return made


def _network_class() -> Any:
    import torch
    import torch.nn.functional as F
    from safetensors.torch import load_file

    class Network(torch.nn.Module):
        def __init__(self, folder: Path, rank: int, dropout: float) -> None:
            super().__init__()
            self.dropout = dropout
            config = json.loads((folder / "config.json").read_text("utf-8"))
            self.heads, self.eps = int(config["num_attention_heads"]), float(config["layer_norm_eps"])
            self.layers, self.width = int(config["num_hidden_layers"]), int(config["hidden_size"])
            self.frozen: dict[str, torch.Tensor] = load_file(folder / "model.safetensors")
            self.updates = torch.nn.ParameterDict()
            for layer in range(self.layers):
                for name in LINEAR:
                    weight = self.frozen[f"encoder.layer.{layer}.{name}.weight"]
                    key = f"{layer}.{name}".replace(".", "_")
                    down = torch.randn(rank, weight.shape[1]) / weight.shape[1] ** 0.5
                    self.updates[key + "_down"] = torch.nn.Parameter(down)
                    self.updates[key + "_up"] = torch.nn.Parameter(torch.zeros(weight.shape[0], rank))
            self.segment = torch.nn.Parameter(torch.zeros(self.width))
            self.head = torch.nn.Linear(self.width, 1)
            self.facts = torch.nn.Linear(FACTS, 1, bias=False)
            torch.nn.init.zeros_(self.facts.weight)

        def linear(self, x: torch.Tensor, layer: int, name: str) -> torch.Tensor:
            full = f"encoder.layer.{layer}.{name}"
            out = F.linear(x, self.frozen[full + ".weight"], self.frozen[full + ".bias"])
            key = f"{layer}.{name}".replace(".", "_")
            return out + F.linear(F.linear(x, self.updates[key + "_down"]), self.updates[key + "_up"])

        def dropped(self, x: torch.Tensor, share: float) -> torch.Tensor:
            return F.dropout(x, share, self.training) if share else x

        def norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
            weight, bias = self.frozen[name + ".weight"], self.frozen[name + ".bias"]
            return F.layer_norm(x, (self.width,), weight, bias, self.eps)

        def embedded(self, ids: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
            x = self.frozen["embeddings.word_embeddings.weight"][ids]
            x = x + self.frozen["embeddings.position_embeddings.weight"][places]
            x = x + self.frozen["embeddings.token_type_embeddings.weight"][0]
            return self.dropped(x, self.dropout / 2)

        def split(self, x: torch.Tensor, layer: int) -> list[torch.Tensor]:
            """Queries, keys and values, (..., tokens, heads, d)."""
            names = LINEAR[:3]
            return [self.linear(x, layer, n).view(*x.shape[:-1], self.heads, -1) for n in names]

        def close(self, x: torch.Tensor, mixed: torch.Tensor, layer: int) -> torch.Tensor:
            """The rest of a layer after its attention."""
            prefix = f"encoder.layer.{layer}."
            added = self.dropped(self.linear(mixed, layer, "attention.output.dense"), self.dropout)
            x = self.norm(x + added, prefix + "attention.output.LayerNorm")
            inner = F.gelu(self.linear(x, layer, "intermediate.dense"))
            return self.norm(x + self.linear(inner, layer, "output.dense"), prefix + "output.LayerNorm")

        def states(
            self, questions: torch.Tensor, terms: torch.Tensor, *, whole: bool = True
        ) -> tuple[torch.Tensor, torch.Tensor]:
            """(n, q) and (n, c, t) ids → the question's tokens (n, q, width) and the means of the terms' (n, c, width);
            without `whole` the question stops one layer early, which is all that the terms need."""
            n, c, t = terms.shape
            said, named = questions != 0, terms != 0
            x = self.embedded(questions, torch.arange(questions.shape[1])[None])
            x = self.norm(x, "embeddings.LayerNorm")
            starts = said.sum(1)[:, None, None] + torch.arange(t)
            # Terms differ much in length: only attention, which is cheap, is spent on padding.
            there = named.reshape(-1).nonzero()[:, 0]

            def spread(packed: torch.Tensor) -> torch.Tensor:
                out = packed.new_zeros(n * c * t, *packed.shape[1:]).index_copy(0, there, packed)
                return out.view(n, c, t, *packed.shape[1:])

            y = self.embedded(terms.reshape(-1)[there], starts.expand(n, c, t).reshape(-1)[there])
            y = self.norm(y + self.segment, "embeddings.LayerNorm")
            scale = (self.width // self.heads) ** -0.5
            hidden = torch.where(said, 0.0, -1e4)[:, None, None, :]
            masked = torch.where(named, 0.0, -1e4)[:, :, None, None, :]
            for layer in range(self.layers):
                q, k, v = self.split(x, layer)
                a, b, d = (spread(part) for part in self.split(y, layer))
                to_question = torch.einsum("nctha,nqha->nchtq", a, k) * scale + hidden[:, None]
                to_own = torch.einsum("nctha,ncsha->nchts", a, b) * scale + masked
                weights = torch.cat([to_question, to_own], -1).softmax(-1).to(v.dtype)
                split = questions.shape[1]
                mixed = torch.einsum("nchtq,nqha->nctha", weights[..., :split], v)
                mixed = mixed + torch.einsum("nchts,ncsha->nctha", weights[..., split:], d)
                y = self.close(y, mixed.reshape(n * c * t, -1)[there], layer)
                if whole or layer + 1 < self.layers:
                    own = F.scaled_dot_product_attention(
                        q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=hidden.to(q.dtype)
                    )
                    x = self.close(x, own.transpose(1, 2).flatten(-2), layer)
            share = named[..., None].to(y.dtype)
            return x, spread(y).sum(2) / share.sum(2).clamp(min=1)

        def forward(self, questions: torch.Tensor, terms: torch.Tensor, facts: torch.Tensor) -> torch.Tensor:
            """(n, q) and (n, c, t) ids, (n, c, FACTS) → scores (n, c)."""
            _, mean = self.states(questions, terms, whole=False)
            scores: torch.Tensor = self.head(mean.float()).squeeze(-1) + self.facts(facts).squeeze(-1)
            return scores

    return Network
