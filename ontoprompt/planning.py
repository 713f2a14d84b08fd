"""Plan where a causal LM would go on GPUs that need not be here: sizes from its configuration alone.

The split is accelerate's (`infer_auto_device_map` on a model without weights). Sizes are of the weights;
activations and cache come on top, for which a tenth of each card is left free.
"""

from __future__ import annotations

import re

from .errors import ArtifactError, UsageError

_BYTES = {"4bit": 0.5, "8bit": 1.0, None: 2.0}


def plan(name: str, gpus: str, quantize: str | None = None) -> list[str]:
    """Lines that say how `name` would be spread over `gpus` (for example "2x24GiB").

    Raises UsageError for a malformed `gpus`, ArtifactError when the configuration cannot be had.
    """
    match = re.fullmatch(r"(\d{1,3})x(\d+(?:\.\d+)?)\s*(GiB|GB|G)", gpus.strip(), re.I)
    if not match or int(match[1]) < 1 or float(match[2]) <= 0:
        raise UsageError(
            f"'{gpus}' does not say how many GPUs of which size.", "Write for example --gpus 2x24GiB."
        )
    count, size = int(match[1]), float(match[2]) * (1024**3 if match[3].lower() == "gib" else 1000**3)
    import torch
    from accelerate import infer_auto_device_map, init_empty_weights
    from transformers import AutoConfig, AutoModelForCausalLM

    from .generation import resolve_model

    path, shown = resolve_model(name)
    try:
        config = AutoConfig.from_pretrained(path)
        with init_empty_weights():
            model = AutoModelForCausalLM.from_config(config)
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"The configuration of '{name}' could not be had: {str(error).splitlines()[0][:160]}",
            "Check the name; a hub name needs the network once.",
        ) from error
    model.tie_weights()
    quantized = (
        {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Linear)} if quantize else set()
    )
    head = model.get_output_embeddings()
    if head is not None:
        # bitsandbytes keeps the head in half precision.
        quantized.discard(id(head.weight))
    special = {
        n: (torch.int8 if quantize == "8bit" else torch.float16)
        for n, p in model.named_parameters()
        if id(p) in quantized
    }
    total = sum(p.numel() * (_BYTES[quantize] if id(p) in quantized else 2.0) for p in model.parameters())
    # accelerate has no half-byte type: a 4-bit weight is planned as an eighth of float32 through the memory it is given.
    scale = 1.0 if quantize != "4bit" else sum(p.numel() * 2.0 for p in model.parameters()) / total
    memory_all: dict[int | str, int] = {i: int(size * 0.9 * scale) for i in range(count)}
    memory_all["cpu"] = 10**13
    device_map = infer_auto_device_map(
        model,
        max_memory=memory_all,
        no_split_module_classes=list(model._no_split_modules or []),
        dtype=torch.float16,
        special_dtypes=special if quantize == "8bit" else None,
    )
    loads: dict[str, float] = {}
    for n, p in model.named_parameters():
        where = next(
            (
                str(device_map[k])
                for k in sorted(device_map, key=len, reverse=True)
                if n == k or n.startswith(f"{k}.") or k == ""
            ),
            "cpu",
        )
        loads[where] = loads.get(where, 0.0) + p.numel() * (_BYTES[quantize] if id(p) in quantized else 2.0)
    lines = [
        f"{shown}: {sum(p.numel() for p in model.parameters()) / 1e6:,.0f} M parameters, {total / 1024**3:.2f} GiB of weights in {quantize or 'float16'}"
    ]
    for where, amount in sorted(loads.items()):
        lines.append(
            f"  {'GPU ' + where if where.isdigit() else where}: {amount / 1024**3:.2f} GiB"
            + (f" of {size / 1024**3:.1f}" if where.isdigit() else "")
        )
    fits = not any(k in ("cpu", "disk") for k in loads)
    lines.append(
        "Fits on the GPUs."
        if fits
        else "Does not fit: what is listed under cpu would be offloaded, which is slow."
    )
    return lines
