"""What a training leaves beside its checkpoint: a model card, curves, and the pairs that were left out."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from . import __version__
from .training_data import TrainingData, said_of, write_skipped
from .training_state import read_log

_LIBRARIES = ("torch", "transformers", "accelerate", "peft")
_STYLE: Any = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "text.parse_math": False,
    # The same figures give the same file, byte by byte.
    "svg.hashsalt": "ontoprompt",
}


@dataclass(frozen=True, slots=True)
class Run:
    """The facts of a run. `record`: its last figures; `best`: the evaluation whose weights were kept, None where
    nothing was held out; `base`: what it started from, empty for nothing, and `base_files`: the SHA-256 of its files of
    weights; `processes`: how many ran together."""

    settings: Mapping[str, Any]
    record: Mapping[str, Any]
    best: Mapping[str, Any] | None
    data: TrainingData
    base: str = ""
    base_files: Mapping[str, str] = field(default_factory=dict)
    processes: int = 1


def write_report(out: Path, run: Run) -> None:
    """`training.json`, `skipped.jsonl`, `README.md`, and `curves.svg` where matplotlib is installed."""
    facts = {"config": dict(run.settings), **run.record, **({"best": dict(run.best)} if run.best else {})}
    (out / "training.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    write_skipped(run.data.skipped, out / "skipped.jsonl")
    evaluations = read_log(out / "evaluations.jsonl")
    drawn = curves(read_log(out / "log.jsonl"), evaluations)
    if drawn:
        (out / "curves.svg").write_bytes(drawn)
    (out / "README.md").write_text(card(out.name, run, evaluations, picture=bool(drawn)), encoding="utf-8")


def weights_of(path: str) -> dict[str, str]:
    """The SHA-256 of the files of weights in a folder; nothing for a hub name."""
    folder = Path(path)
    out = {}
    for file in sorted(folder.glob("*.safetensors")) if folder.is_dir() else ():
        with file.open("rb") as stream:
            out[file.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return out


def curves(log: Sequence[Mapping[str, Any]], evaluations: Sequence[Mapping[str, Any]]) -> bytes:
    """Loss, learning rate and accuracies by step, as SVG; empty without matplotlib or without steps."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        return b""
    import io

    if not log:
        return b""
    steps = [row["step"] for row in log]
    fields = 3 if evaluations else 2
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(8, 2.4 * fields), layout="constrained")
        axes = figure.subplots(fields, 1, sharex=True)
        axes[0].plot(steps, [row["loss"] for row in log], "k-", label="training, running mean")
        axes[-1].plot(steps, [row["rate"] for row in log], "k-")
        axes[-1].set(ylabel="learning rate", xlabel="step")
        axes[0].set_ylabel("loss per token of a query")
        if evaluations:
            at = [row["step"] for row in evaluations]
            axes[0].plot(at, [row["loss"] for row in evaluations], "k--o", mfc="white", label="held out")
            axes[1].plot(at, [row["suite"] for row in evaluations], "k-o", label="suite accuracy")
            axes[1].plot(at, [row["exact"] for row in evaluations], "k:s", mfc="white", label="exact match")
            axes[1].set(ylim=(0, 1), ylabel=f"share of {evaluations[-1]['n']} held out")
            axes[1].legend()
        axes[0].set_ylim(bottom=0)
        axes[0].legend()
        drawn = io.BytesIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()


def card(name: str, run: Run, evaluations: Sequence[Mapping[str, Any]], *, picture: bool) -> str:
    """The model card: what the run was, in Markdown. The licence is for whoever publishes it to say."""
    variant = run.settings["variant"]
    method = run.settings.get("method", "scratch")
    origin = {
        "full": f"all weights of `{run.base}`, tuned",
        "lora": f"`{run.base}` with a LoRA adapter of rank {run.settings.get('rank')} "
        + "merged into its weights"
        + (", and apart in `adapter/`" if run.settings.get("keep_adapter") else ""),
        "scratch": f"new weights in the shape of `{run.base}`"
        if run.base
        else "a CodeGen model from nothing",
    }[method]
    base = "".join(
        f"\n\n`{name}` of the base model: SHA-256 `{sha}`." for name, sha in run.base_files.items()
    )
    parts = [
        "---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags: [sparql, text-to-sparql, ontoprompt]\n---",
        f"# {name}\n\nWrites SPARQL for questions, over terms shown in a prompt of the variant `{variant}`: {origin}.{base}",
        f"## Use\n\n    ontoprompt ask --model {name} 'What is the capital of Australia?'\n\n"
        "or `AutoModelForCausalLM.from_pretrained` of transformers. Queries are held to a grammar by `ontoprompt`; written freely they may not parse.",
        _figures(run, evaluations, picture),
        _data(run.data, run.record),
        "## Settings\n\n" + _table(("setting", "value"), [(k, v) for k, v in run.settings.items()]),
        f"{run.processes} process{'es' * (run.processes > 1)}; {run.record['step']:,} steps, "
        f"{run.record['seen']:,} examples, {run.record['minutes']} minutes of training.\n\n"
        f"ontoprompt {__version__}, Python {platform.python_version()}, {_versions()}.",
        "## Licence\n\nNot stated. It depends on the licences of the base model and of the data, above all: "
        "name one before you publish this.",
    ]
    return "\n\n".join(parts) + "\n"


def _figures(run: Run, evaluations: Sequence[Mapping[str, Any]], picture: bool) -> str:
    text = "## Figures\n\n"
    if run.best is None:
        text += f"Nothing was held out, so nothing is known but the loss in training: {run.record['loss']}."
    else:
        shown = [row for row in evaluations if row["step"] in (0, run.best["step"])]
        if evaluations and evaluations[-1] not in shown:
            shown.append(evaluations[-1])
        rows = [(row["step"], row["suite"], row["exact"], row["loss"], row["unwritten"]) for row in shown]
        text += (
            f"{run.best['n']} held-out pairs, each of another query; no pair that asks their queries or their questions "
            "was trained on here (what a base model has seen is not known). Queries are written greedily under the grammar, to prompts with distractors as in "
            "training. Suite accuracy: no small graph made for the pair tells the query from the gold one. "
            f"The weights here are those of step {run.best['step']:,}, the best.\n\n"
        ) + _table(("step", "suite accuracy", "exact match", "loss", "no query"), rows)
    return text + ("\n\n![Curves of loss, accuracy and rate](curves.svg)" if picture else "")


def _data(data: TrainingData, record: Mapping[str, Any]) -> str:
    rows = [(f.name, f.questions, f.used, f"`{f.sha256}`") for f in data.files]
    text = "## Data\n\n" + _table(("file", "questions", "trained on", "SHA-256"), rows)
    if data.templates:
        text += f"\n\n{data.templates:,} pairs made from templates."
    if data.held.pairs:
        text += f"\n\nHeld out: {len(data.held.pairs):,} pairs, and {data.held.withheld:,} more that ask the same."
    told = "".join(f"\n- {line}" for line in said_of(data.skipped))
    text += f"\n\nLeft out, each named in `skipped.jsonl`:\n{told}" if told else "\n\nNo pair was left out."
    if record.get("too_long"):
        text += (
            f"\n\n{record['too_long']:,} examples were drawn again for being too long with what stood beside."
        )
    return text


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    def line(cells: Sequence[object]) -> str:
        return "| " + " | ".join(str(c).replace("|", "\\|") or " " for c in cells) + " |"

    return "\n".join([line(head), "|" + "---|" * len(head), *map(line, rows)])


def _versions() -> str:
    found = []
    for library in _LIBRARIES:
        try:
            found.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
