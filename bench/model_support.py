"""Which model runs how: loaded, right, how much memory, how fast; measured, not assumed.

    python -m bench.model_support --folder DIR [--models codegen-350M-multi,codegen2-1B] [--kinds float32,bfloat16,8bit,4bit] [--places cpu,disk]

Checkpoints have the true shape of a known model (see `ontoprompt models list`) and random weights, which change neither
memory nor speed; `--layers N` cuts them to N layers where memory is short, and the table says so. They are written to
`--folder` once and kept. Each cell is a process of its own that opens the checkpoint as `ontoprompt ask --model` does.
Places: `cpu`, `disk` (half of the layers offloaded), and where there is a GPU `gpu` and `gpu+cpu`. `first`: how many of the
first greedy tokens are those of float32; `memory`: the most that reading a prompt and writing took, weights included, beside
`planned`, what `ontoprompt models plan` says; `ms`: milliseconds a token, the median after the prompt was read.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.arguments import show
from bench.runs import sentences
from ontoprompt.errors import ArtifactError, UsageError
from ontoprompt.known_models import KnownModel, known_model
from ontoprompt.settings import default_model_dir

KINDS = ("float32", "bfloat16", "8bit", "4bit")
PLACES = ("cpu", "disk", "gpu", "gpu+cpu")
_TOKENS, _PROMPT = 16, 256
_SHARD = 1_000_000_000
# The deviation of random weights that CodeGen and Llama begin their training with.
_SPREAD = 0.02
# Seconds between two looks at the memory.
_LOOK = 0.005
_LIMIT = 1800.0


def checkpoint(model: KnownModel, folder: Path, layers: int | None = None) -> Path:
    """A checkpoint of the model's shape in bfloat16 with random weights, written shard by shard; kept where it is whole.

    CodeGen2's are kept in its own order of heads, which its config.json tells.
    """
    import torch
    from accelerate import init_empty_weights
    from safetensors.torch import save_file
    from transformers import AutoConfig, AutoModelForCausalLM

    count = min(layers or model.layers, model.layers)
    out = folder / f"{model.name.rpartition('/')[2]}-{count}"
    if (out / "config.json").is_file():
        return out
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    shape = dict(model.configuration())
    shape["n_layer" if "n_layer" in shape else "num_hidden_layers"] = count
    config = AutoConfig.for_model(model.kind, **shape, bos_token_id=0, eos_token_id=0)
    with init_empty_weights():
        empty = AutoModelForCausalLM.from_config(config)
    generator = torch.Generator().manual_seed(0)
    names: dict[str, str] = {}
    shard: dict[str, Any] = {}
    total = size = 0

    def flush() -> None:
        name = f"model-{len(set(names.values())) + 1:05d}.safetensors"
        save_file(shard, out / name, {"format": "pt"})
        names.update(dict.fromkeys(shard, name))
        shard.clear()

    for name, parameter in empty.named_parameters():
        if parameter.dim() == 1:
            fill = torch.ones if name.endswith("weight") else torch.zeros
            shard[name] = fill(parameter.shape, dtype=torch.bfloat16)
        else:
            drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float32).mul_(_SPREAD)
            shard[name] = drawn.to(torch.bfloat16)
        bytes_now = 2 * parameter.numel()
        total, size = total + bytes_now, size + bytes_now
        if size > _SHARD:
            flush()
            size = 0
    if shard:
        flush()
    index = {"metadata": {"total_size": total}, "weight_map": names}
    (out / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(default_model_dir() / file, out / file)
    told = {**config.to_dict(), "architectures": [type(empty).__name__]}
    if model.quirks and "eight blocks" in model.quirks[0]:
        told["head_dim"] = model.width // model.heads
    # Last: a folder without it is not whole.
    (out / "config.json").write_text(json.dumps(told, default=str), encoding="utf-8")
    return out


def cell(path: str, kind: str, place: str, offload: str) -> dict[str, Any]:
    """One cell, in the process that calls it: memory in bytes, milliseconds, the first greedy tokens."""
    # What the libraries themselves take is not the model's.
    import bitsandbytes  # noqa: F401
    import torch
    import transformers.models.codegen.modeling_codegen
    import transformers.models.llama.modeling_llama  # noqa: F401

    from ontoprompt.generation import LoadOptions
    from ontoprompt.loading import load
    from ontoprompt.planning import plan

    gpu = place.startswith("gpu")
    before = _own_memory()
    quantize = kind if kind.endswith("bit") else None
    # The processor computes in float32 what is not said to be otherwise.
    dtype = kind if quantize is None else ("float16" if gpu else "float32")
    planned = plan(path, "1000GiB", quantize, dtype=dtype, tokens=_PROMPT + _TOKENS, sequences=1)
    options = LoadOptions(
        dtype=dtype, quantize=quantize, device_map=_spread(path, place), offload_folder=offload
    )
    began = time.monotonic()
    model, _ = load(path, options)
    loaded = time.monotonic() - began
    after = _own_memory() - before
    watch = _Watch()
    ids = torch.arange(7, 7 + _PROMPT).unsqueeze(0) * 11 % 11_000
    ids = ids.to(model.get_input_embeddings().weight.device if gpu else "cpu")
    written, times = [], []
    with torch.inference_mode():
        cache, given = None, ids
        for _ in range(_TOKENS):
            began = time.monotonic()
            out = model(given, past_key_values=cache, use_cache=True, logits_to_keep=1)
            cache, given = out.past_key_values, out.logits[:, -1:].argmax(-1)
            written.append(int(given))
            times.append(time.monotonic() - began)
    held = float(torch.cuda.max_memory_allocated()) if gpu else float(watch.most() - before)
    return {
        "loads": True,
        "tokens": written,
        "memory": held,
        "after": after,
        "planned": planned.weights + planned.cache + planned.working,
        "weights": float(model.get_memory_footprint()),
        "planned_weights": planned.weights,
        "load_s": round(loaded, 1),
        "prompt_s": round(times[0], 2),
        "ms": round(1000 * statistics.median(times[1:]), 1),
    }


def _own_memory() -> int:
    """The bytes that this process holds, what it freed given back."""
    import psutil

    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return _resident(psutil.Process())


def _resident(process: Any) -> int:
    found = process.memory_info()
    return int(found.rss)


class _Watch:
    """The most memory that this process holds from now on, looked at from a thread of its own."""

    def __init__(self) -> None:
        import psutil

        self._process, self._ended = psutil.Process(), threading.Event()
        self._highest = _own_memory()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._ended.wait(_LOOK):
            self._highest = max(self._highest, _resident(self._process))

    def most(self) -> int:
        """The bytes, and the end of watching."""
        self._ended.set()
        self._thread.join()
        return self._highest


def _spread(path: str, place: str) -> Any:
    """Where modules go."""
    if place == "cpu":
        return "cpu"
    if place == "gpu":
        return "cuda:0"
    config = json.loads((Path(path) / "config.json").read_text(encoding="utf-8"))
    near, far = ("cpu", "disk") if place == "disk" else (0, "cpu")
    codegen = config["model_type"] == "codegen"
    count = config["n_layer"] if codegen else config["num_hidden_layers"]
    stem = "transformer.h" if codegen else "model.layers"
    layers = {f"{stem}.{i}": near if i < count // 2 else far for i in range(count)}
    others = ("transformer.wte", "transformer.drop", "transformer.ln_f") if codegen else ("model.embed_tokens", "model.norm", "model.rotary_emb")  # fmt: skip
    return {**layers, **dict.fromkeys(others, near), "lm_head": near}


def cells(path: Path, kinds: Sequence[str], places: Sequence[str], offload: Path) -> Iterator[dict[str, Any]]:
    """The cells of one checkpoint, each in a process of its own."""
    right: list[int] = []
    for place in places:
        for kind in kinds:
            command = [
                sys.executable,
                "-m",
                "bench.model_support",
                "--cell",
                str(path),
                kind,
                place,
                str(offload),
            ]
            done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=False)
            row: dict[str, Any] = {"model": path.name, "kind": kind, "place": place, "loads": False}
            if done.returncode == 0:
                row |= json.loads(done.stdout.splitlines()[-1])
                tokens = row.pop("tokens")
                right = right or tokens
                row["first"] = next(
                    (i for i, (a, b) in enumerate(zip(right, tokens, strict=True)) if a != b), len(tokens)
                )
            else:
                row["why"] = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1][:200]
            yield row


def _line(row: dict[str, Any]) -> str:
    head = f"{row['model']:<28} {row['kind']:<9} {row['place']:<8}"
    if not row["loads"]:
        return f"{head} does not load: {row['why']}"
    gib = 1024**3
    return (
        f"{head} first {row['first']:>2} of {_TOKENS}, weights {row['weights'] / gib:.2f} GiB (planned {row['planned_weights'] / gib:.2f}), "
        f"memory {row['memory'] / gib:.2f} GiB (planned {row['planned'] / gib:.2f}), load {row['load_s']} s, prompt {row['prompt_s']} s, {row['ms']} ms a token"
    )


def main() -> None:
    import argparse

    if sys.argv[1:2] == ["--cell"]:
        print(json.dumps(cell(*sys.argv[2:6])))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="where checkpoints are written and kept")
    parser.add_argument("--models", default="codegen-350M-multi,codegen2-1B")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--places", default="cpu,disk", help=f"of {', '.join(PLACES)}")
    parser.add_argument("--layers", type=int, help="cut every model to so many layers")
    parser.add_argument(
        "--json", action="store_true", help="one JSON object on standard output, nothing else"
    )
    arguments = parser.parse_args()
    with sentences():
        kinds, places = _of(arguments.kinds, KINDS), _of(arguments.places, PLACES)
        models = [_model(name) for name in arguments.models.split(",")]
        rows: list[dict[str, Any]] = []
        for model in models:
            path = checkpoint(model, arguments.folder, arguments.layers)
            for row in cells(path, kinds, places, arguments.folder / "offload"):
                rows.append(row)
                if not arguments.json:
                    print(_line(row), flush=True)
        if arguments.json:
            threads = os.environ.get("OMP_NUM_THREADS", "")
            show({"rows": rows, "settings": {"prompt": _PROMPT, "tokens": _TOKENS, "threads": threads}}, True)


def _of(text: str, known: Sequence[str]) -> list[str]:
    found = text.split(",")
    if not set(found) <= set(known):
        raise UsageError(f"'{text}' is not among {', '.join(known)}.", "Separate them by commas.")
    return found


def _model(name: str) -> KnownModel:
    found = known_model(name)
    if found is None:
        raise ArtifactError(f"There is no known model '{name}'.", "`ontoprompt models list` has them.")
    return found


if __name__ == "__main__":
    main()
