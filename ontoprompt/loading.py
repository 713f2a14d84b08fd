"""Any causal model of transformers, by folder or hub name, spread over devices by accelerate where that is asked."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ArtifactError

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
    if options.device_map is not None:
        arguments["device_map"] = options.device_map
    if options.max_memory is not None:
        arguments["max_memory"] = dict(options.max_memory)
    if options.offload_folder is not None:
        arguments["offload_folder"] = options.offload_folder
    if options.quantize is not None:
        from transformers import BitsAndBytesConfig

        arguments["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=options.quantize == "4bit", load_in_8bit=options.quantize == "8bit"
        )
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
    # Nothing that a user writes may stand for a special token.
    tokenizer.split_special_tokens = True
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model.eval(), tokenizer


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
