"""Plan where a causal LM would go on GPUs that need not be here: sizes from its configuration alone.

The split is accelerate's (`infer_auto_device_map` on a model without weights), made for what the weights leave when
the cache and the work on a prompt have their room; a tenth of each card is left free. Time has a floor: every weight
is read once for each token, so no token takes less than the bytes over the bandwidth (Pope et al. 2022, "Efficiently
Scaling Transformer Inference"). Known models (`known_models`) are planned without a network.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cards import Card, parse_cards
from .errors import ArtifactError
from .known_models import context_of, known_model

# A 4-bit weight shares a float32 scale with 63 others (Dettmers et al. 2023, bitsandbytes' default).
_BYTES = {"4bit": 0.5 + 4 / 64, "8bit": 1.0}
_DTYPES = {"float32": 4, "float16": 2, "bfloat16": 2}
_FREE = 0.1
# What is offloaded is moved for each token: no bus that carries it is faster than PCI Express 4.0 with sixteen lanes.
_BUS = 32e9
# Attention that is computed whole holds its scores, their mask and their softmax at once, in float32.
_SCORES = 3


@dataclass(frozen=True, slots=True)
class Place:
    """What lies on one device, in bytes. `size`: of a card, None for the processor's memory."""

    name: str
    size: float | None
    weights: float
    cache: float
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A model over cards. Bytes: `weights`, `cache` (of `sequences` queries of `tokens` tokens, prompts included),
    `working` (on each card, while a prompt is read). `seconds`: the least that a token can take; `places`: loaded
    devices; `device_map`: module → device, as accelerate takes it; `assumed`: cards whose bandwidth was assumed."""

    name: str
    parameters: int
    kind: str
    weights: float
    cache: float
    working: float
    tokens: int
    sequences: int
    places: tuple[Place, ...]
    seconds: float
    device_map: Mapping[str, int | str]
    quirks: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether all of it lies on the cards."""
        return all(place.size is not None for place in self.places)

    def row(self) -> dict[str, Any]:
        """The plan as JSON takes it, sizes in bytes."""
        return {
            "model": self.name, "parameters": self.parameters, "weights_in": self.kind, "weights": round(self.weights), "cache": round(self.cache),
            "working": round(self.working), "tokens": self.tokens, "sequences": self.sequences, "fits": self.fits, "seconds_per_token_at_least": self.seconds,
            "places": [
                {"device": p.name, "size": p.size and round(p.size), "weights": round(p.weights), "cache": round(p.cache), "modules": list(p.modules)}
                for p in self.places
            ],
            "device_map": dict(self.device_map), "quirks": list(self.quirks), "bandwidth_assumed_of": list(self.assumed),
        }  # fmt: skip


def plan(
    name: str,
    gpus: str,
    quantize: str | None = None,
    *,
    dtype: str = "float16",
    tokens: int | None = None,
    sequences: int = 6,
) -> Plan:
    """How `name` would be spread over `gpus` (see `cards.parse_cards`), and whether it fits.

    `tokens`: of a prompt and its query, the model's whole context by default; `sequences`: queries written side by
    side. Raises UsageError for malformed `gpus`, ArtifactError when the configuration cannot be had.
    """
    cards = parse_cards(gpus)
    model, shown = _model_without_weights(name)
    context = context_of(model.config)
    length = min(tokens or context, context)
    sizes = _sizes(model, quantize, _DTYPES[dtype])
    weights = sum(sizes.values())
    cache = _cache(model.config, _DTYPES[dtype]) * length * sequences
    working = _working(model.config, length, _DTYPES[dtype])
    share = weights / (weights + cache)
    rooms = [max(0.0, card.size * (1 - _FREE) - working) * share for card in cards]
    device_map = _spread(model, rooms, quantize, dtype)
    places = _places(device_map, sizes, cards, cache)
    known = known_model(name)
    return Plan(
        shown,
        sum(p.numel() for p in model.parameters()),
        quantize or dtype,
        weights,
        cache,
        working,
        length,
        sequences,
        places,
        _seconds(model, device_map, sizes, places, cards),
        device_map,
        known.quirks if known else (),
        tuple(dict.fromkeys(card.taken_for for card in cards if card.taken_for)),
    )


def lines(plan: Plan) -> list[str]:
    """A plan as it is told."""
    said = [
        f"{plan.name}: {plan.parameters / 1e6:,.0f} M parameters, {_gib(plan.weights)} of weights in {plan.kind}",
        f"  cache of {plan.sequences} queries of {plan.tokens} tokens: {_gib(plan.cache)}; working memory while a prompt is read: {_gib(plan.working)}",
    ]
    for place in plan.places:
        of = f" of {_gib(place.size)}" if place.size is not None else ""
        label = f"GPU {place.name}" if place.name.isdigit() else place.name
        said.append(
            f"  {label}: {_gib(place.weights)}{of}, cache {_gib(place.cache)}: {', '.join(place.modules)}"
        )
    assumed = f" (memory as fast as that of {', '.join(plan.assumed)})" if plan.assumed else ""
    said.append(f"  a token takes at least {plan.seconds * 1000:.1f} ms: every weight is read once{assumed}")
    said += [f"  note: {quirk}" for quirk in plan.quirks]
    if plan.fits:
        return [*said, "Fits on the GPUs."]
    return [*said, "Does not fit: what is listed under cpu would be offloaded, which is slow."]


def _gib(size: float) -> str:
    return f"{size / 1024**3:.2f} GiB"


def _cache(config: Any, width: int) -> float:
    """The bytes of keys and values of one token."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    each = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return float(2 * config.num_hidden_layers * heads * each * width)


def _working(config: Any, tokens: int, width: int) -> float:
    """The bytes that reading one prompt takes beside weights and cache: what a layer holds at once."""
    # CodeGen has no attention but the plain one.
    whole = config.model_type == "codegen"
    scores = _SCORES * config.num_attention_heads * tokens * tokens * 4 if whole else 0
    inner = (
        getattr(config, "intermediate_size", None)
        or getattr(config, "n_inner", None)
        or 4 * config.hidden_size
    )
    return float(scores + 2 * tokens * (inner + 2 * config.hidden_size) * width)


def _model_without_weights(name: str) -> tuple[Any, str]:
    from accelerate import init_empty_weights
    from transformers import AutoModelForCausalLM

    try:
        config, shown = _configuration(name)
        with init_empty_weights():
            # No code of the model's own: a plan is asked for before anything is trusted.
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160].rstrip(".")
        raise ArtifactError(
            f"The configuration of '{name}' could not be had: {reason}.",
            "Check the name (`ontoprompt models list` has those that are known); a hub name needs the network once.",
        ) from error
    model.tie_weights()
    return model, shown


def _configuration(name: str) -> tuple[Any, str]:
    """The configuration of a model, and what to call it."""
    from transformers import AutoConfig

    from .generation import hub_answers, resolve_model

    known = known_model(name)
    if known and not Path(name).exists():
        return AutoConfig.for_model(known.kind, **known.configuration()), name
    path, shown = resolve_model(name)
    offline = Path(path).is_dir() or os.environ.get("HF_HUB_OFFLINE") == "1" or not hub_answers()
    return AutoConfig.from_pretrained(path, trust_remote_code=False, local_files_only=offline), shown


def _quantized(model: Any, quantize: str | None) -> set[int]:
    """The parameters that are quantised: matrices of linear layers but for the head, which stays in half precision."""
    import torch

    if quantize is None:
        return set()
    head = model.get_output_embeddings()
    linear = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Linear)}
    return linear - {id(head.weight) if head is not None else 0}


def _sizes(model: Any, quantize: str | None, width: int) -> dict[str, float]:
    """The bytes that each parameter takes."""
    quantized = _quantized(model, quantize)
    return {
        name: p.numel() * (_BYTES[quantize] if quantize and id(p) in quantized else width)
        for name, p in model.named_parameters()
    }


def _spread(model: Any, rooms: Sequence[float], quantize: str | None, dtype: str) -> Mapping[str, int | str]:
    """accelerate's map from modules to cards with `rooms` bytes, the rest to the processor."""
    import torch
    from accelerate import infer_auto_device_map
    from accelerate.utils import CustomDtype

    quantized = _quantized(model, quantize)
    kind = CustomDtype.INT4 if quantize == "4bit" else torch.int8
    # accelerate knows half a byte a weight, without the scales.
    share = 0.5 / _BYTES["4bit"] if quantize == "4bit" else 1.0
    memory: dict[int | str, int] = {card: int(room * share) for card, room in enumerate(rooms)}
    memory["cpu"] = 10**15
    with _without_warnings():
        places: Mapping[str, int | str] = infer_auto_device_map(
            model,
            max_memory=memory,
            no_split_module_classes=list(model._no_split_modules or []),
            dtype=getattr(torch, dtype),
            special_dtypes={n: kind for n, p in model.named_parameters() if id(p) in quantized},
        )
    return places


def _places(
    device_map: Mapping[str, int | str], sizes: Mapping[str, float], cards: Sequence[Card], cache: float
) -> tuple[Place, ...]:
    """What each device holds; the cache lies where its layers are."""
    weights: dict[str, float] = {}
    for parameter, amount in sizes.items():
        where = _place(device_map, parameter)
        weights[where] = weights.get(where, 0.0) + amount
    total = sum(weights.values())
    modules: dict[str, list[str]] = {}
    for module, device in device_map.items():
        modules.setdefault(str(device), []).append(module)
    return tuple(
        Place(
            where,
            cards[int(where)].size if where.isdigit() else None,
            amount,
            cache * amount / total,
            _in_runs(modules.get(where, [])),
        )
        for where, amount in sorted(
            weights.items(), key=lambda load: (not load[0].isdigit(), load[0].zfill(4))
        )
    )


def _in_runs(modules: Sequence[str]) -> tuple[str, ...]:
    """Names of modules, numbered ones that follow each other as one: `h.0` to `h.15` become `h.0-15`."""
    runs: list[tuple[str, int, int]] = []
    for module in modules:
        stem, _, number = module.rpartition(".")
        if not number.isdigit():
            runs.append((module or "all", -1, -1))
        elif runs and runs[-1][0] == stem and runs[-1][2] == int(number) - 1:
            runs[-1] = (stem, runs[-1][1], int(number))
        else:
            runs.append((stem, int(number), int(number)))
    return tuple(
        stem if first < 0 else f"{stem}.{first}" + (f"-{last}" if last > first else "")
        for stem, first, last in runs
    )


def _seconds(
    model: Any,
    device_map: Mapping[str, int | str],
    sizes: Mapping[str, float],
    places: Sequence[Place],
    cards: Sequence[Card],
) -> float:
    """The floor of a token's time: of the table one row is read, everything else as a whole, one card after another."""
    table = model.get_input_embeddings().weight
    head = model.get_output_embeddings()
    tied = head is not None and head.weight is table
    name = next(n for n, p in model.named_parameters() if p is table)
    unread = {} if tied else {_place(device_map, name): sizes[name]}
    return sum(
        (p.weights - unread.get(p.name, 0.0)) / (cards[int(p.name)].bandwidth if p.size is not None else _BUS)
        for p in places
    )


@contextmanager
def _without_warnings() -> Iterator[None]:
    """accelerate warns of each card that is not in this computer, and of buffers when some weights find no room."""
    logger = logging.getLogger("accelerate.utils.modeling")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        logger.setLevel(level)


def _place(places: Mapping[str, int | str], parameter: str) -> str:
    """Where a parameter goes: by the longest name of a module around it."""
    around = [m for m in places if not m or parameter == m or parameter.startswith(f"{m}.")]
    return str(places[max(around, key=len)]) if around else "cpu"
