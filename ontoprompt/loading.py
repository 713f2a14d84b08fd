"""Any causal model of transformers, by folder or hub name, spread over devices by accelerate.

Without a word on it a model goes over the GPUs that are there, and to the processor where there are none. Weights in
8 or 4 bits are bitsandbytes' (LLM.int8(), Dettmers et al. 2022; NF4, Dettmers et al. 2023), on both.
"""

from __future__ import annotations

import json
import logging
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ArtifactError
from .known_models import BLOCKS, CODEGEN2_BLOCKS, in_eight_blocks

if TYPE_CHECKING:
    from .generation import LoadOptions


def load(path: str, options: LoadOptions) -> tuple[Any, Any]:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    local = Path(path).is_dir()
    dtype: Any = options.dtype
    if dtype == "auto":
        # Half precision is slow or unsupported in many CPU kernels.
        dtype = torch.float32 if not torch.cuda.is_available() else torch.float16
    else:
        dtype = getattr(torch, dtype)
    offline = local or os.environ.get("HF_HUB_OFFLINE") == "1" or not hub_answers()
    common = {"trust_remote_code": options.trust_remote_code, "local_files_only": offline}
    arguments: dict[str, Any] = {"dtype": dtype, **common}
    spread = options.device_map or ("auto" if torch.cuda.is_available() else None)
    if spread is None and (options.max_memory is not None or options.quantize is not None):
        spread = "auto" if options.max_memory is not None else "cpu"
    if spread is not None:
        arguments["device_map"] = spread
    if options.max_memory is not None:
        arguments["max_memory"] = dict(options.max_memory)
    if options.offload_folder is not None:
        arguments["offload_folder"] = options.offload_folder
    if options.quantize is not None:
        arguments["quantization_config"] = _quantization(options.quantize, dtype)
    if local:
        _check_json(Path(path))
    try:
        config = AutoConfig.from_pretrained(path, **common)
        if getattr(config, "activation_function", "") == "gelu_new":
            # The same function in one kernel instead of eight.
            config.activation_function = "gelu_pytorch_tanh"
        tokenizer = AutoTokenizer.from_pretrained(path, **common)
        model, report = AutoModelForCausalLM.from_pretrained(
            path, config=config, output_loading_info=True, **arguments
        )
    # What the libraries raise for a folder that is incomplete, damaged or of another kind.
    except (OSError, ValueError, ImportError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        raise ArtifactError(
            f"The model '{path}' could not be loaded: {_reason(error)}.",
            "Check the name or folder; leave out --model for the one that ships with ontoprompt.",
        ) from error
    if report["missing_keys"]:
        # They would be filled with random numbers.
        raise ArtifactError(
            f"The model '{path}' holds no weights for {len(report['missing_keys'])} parts of a causal language model.",
            "It is of another kind, or its files are incomplete: name another with --model.",
        )
    if not options.trust_remote_code:
        order_heads(model)
    # Nothing that a user writes may stand for a special token.
    tokenizer.split_special_tokens = True
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model.eval(), tokenizer


def _quantization(kind: str, dtype: Any) -> Any:
    """How bitsandbytes is to hold the weights. Raises ArtifactError where it is not installed."""
    from importlib.util import find_spec

    from transformers import BitsAndBytesConfig

    if find_spec("bitsandbytes") is None:
        raise ArtifactError(
            f"Weights in {kind} need the package bitsandbytes, which is not here.",
            "Install it with: pip install 'ontoprompt[quantize]'. Or leave out --quantize.",
        )
    # Its 8-bit product casts to half precision and says so at every layer; its 4-bit one looks for a faster kernel.
    warnings.filterwarnings("ignore", message=".*MatMul8bitLt")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    return BitsAndBytesConfig(
        load_in_4bit=kind == "4bit",
        load_in_8bit=kind == "8bit",
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=dtype,
    )


def order_heads(model: Any) -> None:
    """Make transformers' CodeGen read a CodeGen2 checkpoint, which keeps queries, values and keys in eight blocks where
    CodeGen has four: read as they lie, they give words without sense and no error.

    What a layer's projection gives is put in order, not its rows, so that quantised and spread weights stay as they
    are. Which checkpoints those are is what CTranslate2's converter found out: their configuration names `head_dim`.
    """
    if not in_eight_blocks(model.config.to_dict()):
        return
    order = _order(model.config.n_embd)

    def ordered(module: Any, inputs: Any, given: Any) -> Any:
        return given.index_select(-1, order.to(given.device))

    for layer in model.base_model.h:
        layer.attn.qkv_proj.register_forward_hook(ordered)


def plain_heads(model: Any) -> None:
    """Turn a CodeGen2 checkpoint as it was loaded into a plain CodeGen for good: its rows are put in order, its
    configuration no longer says otherwise. For training; `order_heads` leaves the weights alone."""
    if not in_eight_blocks(model.config.to_dict()):
        return
    order = _order(model.config.n_embd)
    for layer in model.base_model.h:
        weight = layer.attn.qkv_proj.weight
        weight.data = weight.data[order].clone()
    del model.config.head_dim


def _order(width: int) -> Any:
    """Where transformers' rows of queries, values and keys lie in a CodeGen2 checkpoint, [3 x width]."""
    import torch

    # Rows of one block in the file: its queries, then its values, then its keys.
    file = torch.arange(3 * width).view(CODEGEN2_BLOCKS, 3, width // CODEGEN2_BLOCKS)
    return file.view(BLOCKS, CODEGEN2_BLOCKS // BLOCKS, 3, -1).transpose(1, 2).reshape(-1)


def _check_json(folder: Path) -> None:
    """Raises ArtifactError for a file of a model that is cut off: the libraries' own words for it help nobody."""
    for file in sorted(folder.glob("*.json")):
        try:
            json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ArtifactError(
                f"The file {file.name} of the model '{folder}' is damaged: it is not JSON.",
                "Fetch or train the model again, or leave out --model for the one that ships with ontoprompt.",
            ) from error


def _reason(error: Exception) -> str:
    """The first line of what a library says, in one sentence without its full stop."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if "ignore_mismatched_sizes" in lines[0]:
        return "its weights have other shapes than its config.json says"
    return f"it lacks {lines[0]}" if isinstance(error, KeyError) else lines[0][:200].rstrip(".")


def hub_answers() -> bool:
    """Whether the model hub can be reached at all: its client would try for half a minute."""
    import socket
    from urllib.parse import urlsplit
    from urllib.request import getproxies

    if getproxies():
        return True
    hub = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    try:
        socket.create_connection((hub.hostname, hub.port or 443), timeout=3).close()
    except OSError:
        return False
    return True
