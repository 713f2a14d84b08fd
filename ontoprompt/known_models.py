"""Code models that are known by name: their shapes, what they were taught to read, and what is odd about them.

A shape is all that a plan needs, so planning one of these asks nobody. The shapes are those of the published
configurations (CodeGen: Nijkamp et al. 2022; CodeGen2: Nijkamp et al. 2023; CodeGen2.5 and Llama 2: their model cards;
NSQL: Numbers Station 2023, CodeGen and Llama 2 trained further). Any other model is known by its own config.json.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Blocks in which a checkpoint keeps the rows of its queries, values and keys; transformers' CodeGen reads four.
BLOCKS, CODEGEN2_BLOCKS = 4, 8

_EAGER = "attention is computed whole: memory grows with the square of the prompt"
_CODEGEN2 = (
    "its checkpoints keep queries, values and keys in eight blocks where CodeGen has four: they are put in order when it is "
    "loaded, its own code is not run",
    _EAGER,
)
_TOKENIZER = (
    "its tokenizer is code of its own: it is run only with --trust-remote-code, and does not load under the transformers of "
    "today (github.com/salesforce/CodeGen/issues/94); a server that has it is the way (--model completions:URL#NAME)"
)


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model by its hub name. `kind`: transformers' model type; `heads`, `inner`: attention heads, width of the layer
    between; `prompt`: the variant that its training comes nearest to; `start`: it was taught to begin with a token of its own.
    """

    name: str
    kind: str
    layers: int
    width: int
    heads: int
    inner: int
    vocabulary: int
    context: int
    prompt: str = "nsql"
    rotary: int = 0
    start: bool = False
    remote_code: bool = False
    quirks: tuple[str, ...] = ()

    @property
    def parameters(self) -> int:
        """How many weights it has, by its shape."""
        width, inner = self.width, self.inner
        if self.kind == "llama":
            layer = 4 * width * width + 3 * width * inner + 2 * width
            return self.layers * layer + 2 * self.vocabulary * width + width
        layer = 4 * width * width + 2 * width * inner + inner + 3 * width
        return self.layers * layer + 2 * self.vocabulary * width + 2 * width + self.vocabulary

    def configuration(self) -> Mapping[str, Any]:
        """What transformers' configuration of this kind is made with."""
        if self.kind == "llama":
            return {
                "vocab_size": self.vocabulary,
                "num_hidden_layers": self.layers,
                "hidden_size": self.width,
                "num_attention_heads": self.heads,
                "intermediate_size": self.inner,
                "max_position_embeddings": self.context,
                "tie_word_embeddings": False,
            }
        return {
            "vocab_size": self.vocabulary,
            "n_layer": self.layers,
            "n_embd": self.width,
            "n_head": self.heads,
            "n_positions": self.context,
            "rotary_dim": self.rotary,
            "tie_word_embeddings": False,
        }


def _codegen(name: str, layers: int, width: int, heads: int, rotary: int, *quirks: str) -> KnownModel:
    return KnownModel(
        name, "codegen", layers, width, heads, 4 * width, 51_200, 2048, rotary=rotary, quirks=quirks
    )


_FIRST = {
    "350M": (20, 1024, 16, 32),
    "2B": (32, 2560, 32, 64),
    "6B": (33, 4096, 16, 64),
    "16B": (34, 6144, 24, 64),
}
_SECOND = {
    "1B": (16, 2048, 16, 64),
    "3_7B": (16, 4096, 16, 64),
    "7B": (32, 4096, 16, 64),
    "16B": (34, 6144, 24, 64),
}

KNOWN: tuple[KnownModel, ...] = (
    *(_codegen(f"Salesforce/codegen-{size}-multi", *shape, _EAGER) for size, shape in _FIRST.items()),
    *(_codegen(f"Salesforce/codegen2-{size}", *shape, *_CODEGEN2) for size, shape in _SECOND.items()),
    KnownModel(
        "Salesforce/codegen25-7b-multi",
        "llama",
        32,
        4096,
        32,
        11_008,
        51_200,
        2048,
        remote_code=True,
        quirks=(_TOKENIZER,),
    ),
    *(
        _codegen(f"NumbersStation/nsql-{size}", *_FIRST[size], "trained on SQL in the prompt form `nsql`", _EAGER)
        for size in ("350M", "2B", "6B")
    ),
    KnownModel(
        "NumbersStation/nsql-llama-2-7B",
        "llama",
        32,
        4096,
        32,
        11_008,
        32_000,
        4096,
        start=True,
        quirks=("trained on SQL in the prompt form `nsql`", "begins with a token of its own, <s>"),
    ),
)  # fmt: skip

_CODEGEN2_HEADS = (128, 256)
# Tokens of a prompt and its query that a model is taken to have room for whose configuration does not say.
_USUAL_CONTEXT = 2048


def context_of(config: Any, default: int = _USUAL_CONTEXT) -> int:
    """How many tokens a model of a configuration reads and writes at most."""
    sizes = (getattr(config, name, None) for name in ("n_positions", "max_position_embeddings"))
    return int(next((size for size in sizes if size), default))


def in_eight_blocks(config: Mapping[str, Any]) -> bool:
    """Whether a config.json is one of CodeGen2's, whose checkpoints have eight blocks. They name `head_dim`, CodeGen's do
    not: that is how CTranslate2's converter tells them apart."""
    return config.get("model_type") == "codegen" and config.get("head_dim") in _CODEGEN2_HEADS


# What a checkpoint was trained on last changes no shape.
_TRAINING = re.compile(r"-multi$|-nl$|-mono$|-instruct$|_p$")


def known_model(name: str) -> KnownModel | None:
    """The known model of a name, with its owner or without, in any case; `nl` and `mono` have the shape of `multi`."""
    wanted = _family(name)
    return next((model for model in KNOWN if _family(model.name) == wanted), None)


def _family(name: str) -> str:
    return _TRAINING.sub("", name.rpartition("/")[2].lower())
