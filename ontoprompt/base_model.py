"""A causal model to train: loaded whole, with an adapter of low rank, or new in a known shape; and its checkpoint.

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", by the library `peft`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ArtifactError, UsageError
from .generation import hub_answers, resolve_model, trained_variant
from .grounding import FILE, Grounding, Meaning, meaning
from .known_models import context_of, in_eight_blocks
from .loading import plain_heads
from .pairs import PreparedPair, to_prompt, to_target
from .prompts import Prompt
from .query_loss import bare
from .sampling import Encoded
from .training_config import TuneConfig

# The products of a layer, by architecture; for others peft knows, or all linear layers are taken.
_LLAMA = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_TARGETS: Mapping[str, tuple[str, ...]] = {
    "codegen": ("qkv_proj", "out_proj", "fc_in", "fc_out"),
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text"), _LLAMA),
}


@dataclass(frozen=True, slots=True)
class Base:
    """A model ready to be trained. `grounding`: what lies beside a checkpoint of ours; `variant`: the prompts it takes;
    `context`: tokens of prompt and query; `dtype`: what its checkpoint is to be written in; `path`: where it came from."""

    model: Any
    tokenizer: Any
    grounding: Grounding | None
    variant: str
    context: int
    dtype: Any
    path: str


def load_base(config: TuneConfig) -> Base:
    """The model that a configuration names. Raises ArtifactError when it cannot be loaded, UsageError when the
    method needs a library that is not there."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    path, _ = resolve_model(config.model)
    local = Path(path).is_dir()
    offline = {"local_files_only": local or os.environ.get("HF_HUB_OFFLINE") == "1" or not hub_answers()}
    scratch, lora = config.method == "scratch", config.method == "lora"
    half = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[config.precision]
    try:
        shape = AutoConfig.from_pretrained(path, **offline)
        tokenizer = AutoTokenizer.from_pretrained(path, **offline)
        dtype = getattr(shape, "dtype", None) or torch.float32
        if scratch:
            torch.manual_seed(config.seed)
            if in_eight_blocks(shape.to_dict()):
                del shape.head_dim
            model = AutoModelForCausalLM.from_config(shape, dtype=torch.float32)
            dtype = half if config.precision == "bf16" else torch.float32
        else:
            # Weights that are not trained need no more than they are computed with.
            model = AutoModelForCausalLM.from_pretrained(
                path, dtype=half if lora else torch.float32, **offline
            )
            plain_heads(model)
    # What the libraries raise for a folder that is incomplete, damaged or of another kind.
    except (OSError, ValueError, ImportError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
        raise ArtifactError(
            f"The model '{config.model}' could not be loaded: {reason}.",
            "Give --model the folder or hub name of a causal language model with its tokenizer.",
        ) from error
    tokenizer.split_special_tokens = True
    if tokenizer.eos_token_id is None or not tokenizer.is_fast:
        raise UsageError(
            f"The tokenizer of '{config.model}' has no end token, or is none of the fast ones.",
            "Give a model whose folder holds a tokenizer.json.",
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.use_cache = False
    if config.checkpointing:
        model.activation_checkpointing_enable()
    context = min(config.context, context_of(shape, config.context))
    grounding = Grounding.load(Path(path)) if local and not scratch else None
    variant = config.variant or trained_variant(path)
    if lora:
        model = with_adapter(model, config)
    return Base(model, tokenizer, grounding, variant, context, dtype, path)


def with_adapter(model: Any, config: TuneConfig) -> Any:
    """The model with an adapter of low rank, the only thing that is trained."""
    import torch

    try:
        from peft import LoraConfig, TaskType, get_peft_model
    except ImportError as error:
        raise UsageError(
            "LoRA needs the library peft.", "Install it with `pip install 'ontoprompt[train]'`."
        ) from error
    torch.manual_seed(config.seed)
    targets = _TARGETS.get(model.config.model_type)

    def options(modules: Any) -> Any:
        return LoraConfig(
            r=config.rank,
            lora_alpha=config.alpha,
            lora_dropout=config.dropout,
            target_modules=modules,
            task_type=TaskType.CAUSAL_LM,
            # Layers that keep their weights in columns (GPT-2's) are read as such.
            fan_in_fan_out=model.config.model_type == "gpt2",
        )

    try:
        return get_peft_model(model, options(list(targets) if targets else None))
    except ValueError:
        # An architecture that peft knows no layers of.
        return get_peft_model(model, options("all-linear"))


class ModelTokens:
    """Prompt and query → ids, by a model's own tokenizer, as the model is asked: without tokens of a start."""

    def __init__(self, base: Base) -> None:
        self.tokenizer = base.tokenizer
        self.grounded = base.grounding is not None
        self.variant, self.context = base.variant, base.context
        self._before = self._ids("x")

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def _behind(self, text: str) -> list[int]:
        # Some tokenizers write the start of a text differently: what stands behind an "x" is no start.
        ids = self._ids("x" + text)
        if ids[: len(self._before)] != self._before:
            raise UsageError(
                f"The tokenizer of this model does not keep {text[:40]!r} apart from what stands before it.",
                "Tune a model with a byte-level tokenizer.",
            )
        return ids[len(self._before) :]

    def __call__(self, prompt: Prompt, target: str) -> Encoded:
        """The example, which ends with the model's end token."""
        head = self.tokenizer(
            prompt.text, add_special_tokens=False, return_offsets_mapping=self.grounded, verbose=False
        )
        ids = list(head["input_ids"])
        meant = Meaning({}, {}, prompt.fragment.question, ())
        if self.grounded:
            meant = meaning(prompt, head["offset_mapping"], self._symbol)
        tail = self._behind(" " + target)
        return Encoded([*ids, *tail, self.tokenizer.eos_token_id], len(ids), meant)

    def _symbol(self, surface: str) -> int | None:
        ids = self._behind(" " + surface)
        return ids[0] if len(ids) == 1 else None

    def fits(self, prepared: PreparedPair) -> bool:
        """Whether the pair with nothing beside its right terms is short enough for the model."""
        prompt = to_prompt(prepared, self.variant)
        return len(self(prompt, to_target(prepared, prompt)).ids) <= self.context


def save_tuned(base: Base, out: Path, *, keep_adapter: bool = False) -> None:
    """A folder that `ontoprompt ask --model` takes, any adapter merged into the weights; with `keep_adapter` the
    adapter is left in `out`/adapter too, in peft's format."""
    model, inner = base.model, bare(base.model)
    inner.config.use_cache = True
    base.tokenizer.save_pretrained(out)
    if model is not inner and keep_adapter:
        local = Path(base.path).is_dir()
        origin = str(Path(base.path).resolve()) if local else base.path
        model.peft_config["default"].base_model_name_or_path = origin
        model.save_pretrained(out / "adapter")
    merged = model.merge_and_unload() if model is not inner else model
    merged.to(base.dtype).save_pretrained(out)
    if base.grounding is not None:
        base.grounding.save(out)
    else:
        (out / FILE).unlink(missing_ok=True)
