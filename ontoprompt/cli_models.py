"""`ontoprompt models`: which models are known by name, and where one would go; and the flags that say how one is loaded."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from .edge import guarded, print_json
from .errors import UsageError
from .output import Progress

if TYPE_CHECKING:
    from .generation import LoadOptions

_LOADING = ("dtype", "quantize", "device_map", "max_memory", "offload_folder", "trust_remote_code")


def loading_flags(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the flags that say how its model is loaded; see `load_options`."""
    for option in reversed(
        (
            click.option("--dtype", type=click.Choice(["auto", "float32", "bfloat16", "float16"]), help="Numbers of the model. Default: float16 on a GPU, float32 without."),
            click.option("--quantize", type=click.Choice(["8bit", "4bit"]), help="Quantised weights, on a GPU or without."),
            click.option("--device-map", type=click.Choice(["auto", "balanced", "balanced_low_0", "sequential", "cpu"]), help="How accelerate spreads the model. Default: over the GPUs there are."),
            click.option("--max-memory", metavar="DEVICE=SIZE,...", help="What each device may hold, for example 0=20GiB,1=10GiB,cpu=60GiB."),
            click.option("--offload-folder", type=click.Path(file_okay=False), help="Where weights go that fit nowhere else."),
            click.option("--trust-remote-code", is_flag=True, help="Run code that comes with a model. Only for those you trust."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def load_options(flags: dict[str, Any]) -> LoadOptions | None:
    """Takes the flags of `loading_flags` out of `flags`; None when none was given, which loads nothing."""
    given = {name: value for name in _LOADING if (value := flags.pop(name, None))}
    if not given:
        return None
    if "max_memory" in given:
        given["max_memory"] = _memory(given["max_memory"])
    from .generation import LoadOptions

    return LoadOptions(**given)


def _memory(text: str) -> dict[str | int, str]:
    """accelerate's `max_memory`. Raises UsageError for what is none."""
    found: dict[str | int, str] = {}
    for part in text.split(","):
        match = re.fullmatch(
            r"\s*(\d{1,3}|cpu|disk)\s*=\s*(\d{1,6}(?:\.\d{1,3})?)\s*([KMG]i?B)\s*", part, re.IGNORECASE
        )
        if not match:
            raise UsageError(
                f"'{text[:80]}' does not say what each device may hold.",
                "Write for example --max-memory 0=20GiB,1=10GiB,cpu=60GiB.",
            )
        device = match[1].lower()
        unit = match[3][0].upper() + match[3][1:].replace("I", "i").replace("b", "B")
        found[int(device) if device.isdigit() else device] = f"{match[2]}{unit}"
    return found


@click.group()
def models() -> None:
    """List known models; plan where one would go."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a model.")
@guarded
def models_list(progress: Progress, as_json: bool) -> None:
    """Code models known by name: size, context, prompt form, and what is odd about each. Any other causal model of
    transformers is taken by its folder or hub name as well."""
    from .known_models import KNOWN

    if as_json:
        for m in KNOWN:
            print_json({
                "name": m.name, "type": m.kind, "parameters": m.parameters, "layers": m.layers, "width": m.width, "heads": m.heads,
                "vocabulary": m.vocabulary, "context": m.context, "prompt": m.prompt, "remote_code": m.remote_code, "quirks": list(m.quirks),
            })  # fmt: skip
        return
    click.echo(f"{'name':<36} {'parameters':>10} {'float16':>9} {'context':>7}  prompt")
    notes: dict[str, int] = {}
    for m in KNOWN:
        marks = "".join(f" [{notes.setdefault(quirk, len(notes) + 1)}]" for quirk in m.quirks)
        size = m.parameters * 2 / 1024**3
        click.echo(
            f"{m.name:<36} {m.parameters / 1e6:>8,.0f} M {size:>5.1f} GiB {m.context:>7}  {m.prompt}{marks}"
        )
    for quirk, number in notes.items():
        click.echo(f"[{number}] {quirk}")


@models.command("plan")
@click.argument("name")
@click.option("--gpus", required=True, metavar="CARDS", help="For example 2x24GiB, 24GiB,16GiB or 2xRTX3090.")
@click.option("--quantize", type=click.Choice(["4bit", "8bit"]), help="Quantised weights.")
@click.option(
    "--dtype", type=click.Choice(["float16", "bfloat16", "float32"]), default="float16", show_default=True
)
@click.option(
    "--tokens", type=click.IntRange(1), help="Of a prompt and its query. Default: the model's context."
)
@click.option(
    "--beams",
    type=click.IntRange(1, 1000),
    default=6,
    show_default=True,
    help="Queries written side by side.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object, sizes in bytes, with accelerate's map."
)
@guarded
def models_plan(
    progress: Progress,
    name: str,
    gpus: str,
    quantize: str | None,
    dtype: str,
    tokens: int | None,
    beams: int,
    as_json: bool,
) -> None:
    """How accelerate would spread model NAME over GPUs that need not be here; loads a configuration, no weights."""
    from .cards import parse_cards
    from .planning import lines, plan

    # What is wrong with the flags is said before the libraries are loaded, which takes seconds.
    parse_cards(gpus)
    progress("planning", 0, None)
    found = plan(name, gpus, quantize, dtype=dtype, tokens=tokens, sequences=beams)
    if as_json:
        print_json(found.row())
        return
    for line in lines(found):
        click.echo(line)
