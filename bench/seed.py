"""The experiment that this project began with: can a CodeGen model write SPARQL when it is shown the schema?

    python -m bench.seed --out DIR [--limit N] [--models NAME,...] [--linking gold]

CodeGen-350M-multi, CodeGen2.5-7B-multi and NSQL-350M (Nijkamp et al. 2023; Numbers Station 2023) on LC-QuAD 2.0's test
split, with the schema (`nsql`) and without (`question`), each a run folder under DIR that goes on where it was stopped. What
is not on this machine is not downloaded: it is named, with its size, and passed over; exit status 5 when that is all of them.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.arguments import show
from bench.prompt_variants import compare, parser
from bench.runs import sentences
from ontoprompt.errors import ArtifactError, UsageError


@dataclass(frozen=True, slots=True)
class Model:
    """A checkpoint by its hub name. `size`: of its files in GB; `options`: what it needs to be loaded."""

    name: str
    size: float
    options: tuple[str, ...] = ()


# Sizes are parameters times the bytes of the precision that the files are in.
MODELS = (
    Model("Salesforce/codegen-350M-multi", 0.8),
    Model(
        "Salesforce/codegen25-7b-multi",
        27.6,
        ("--device-map", "auto", "--trust-remote-code"),
    ),
    Model("NumbersStation/nsql-350M", 1.4),
)


def at_hand(name: str) -> bool:
    """Whether a model is a folder here or lies in the hub's cache."""
    if Path(name).is_dir():
        return True
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, "config.json"), str)


def main() -> None:
    made = parser()
    made.prog, made.description = "python -m bench.seed", __doc__
    made.add_argument("--models", default=",".join(m.name for m in MODELS))
    made.set_defaults(variants="question,nsql", linking="gold", limit=500)
    arguments = made.parse_args()
    if not arguments.data and not arguments.dataset:
        made.set_defaults(dataset="lcquad2", split="test")
    with sentences():
        if arguments.model != made.get_default("model"):
            raise UsageError("This experiment has its own models.", "Name others with --models.")
        names = [name.strip() for name in arguments.models.split(",") if name.strip()]
        if not names:
            raise UsageError("--models names no model.", "Leave it out for all three.")
        known = {m.name: m for m in MODELS}
        results: dict[str, object] = {}
        root, command = arguments.out, "python -m bench.seed " + " ".join(sys.argv[1:])
        # Nothing is fetched behind anybody's back.
        os.environ["HF_HUB_OFFLINE"] = "1"
        for name in names:
            if not at_hand(name):
                size = f", about {known[name].size} GB" if name in known else ""
                results[name] = f"not on this machine: hf download {name}{size}"
                continue
            options = list(known[name].options) if name in known else []
            mine = made.parse_args([*sys.argv[1:], *options, "--out", str(root / name.replace("/", "--"))])
            mine.model = name
            try:
                results[name] = compare(mine, command)
            except ArtifactError as error:
                results[name] = f"{error.message} {error.hint}"
        show(results, arguments.json)
        if not any(isinstance(found, dict) for found in results.values()):
            raise SystemExit(ArtifactError.exit_status)


if __name__ == "__main__":
    main()
