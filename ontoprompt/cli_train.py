"""The `train` command: pairs → a generator, tuned from any causal model or made from nothing; or a reranker."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .edge import guarded
from .errors import UsageError
from .output import Progress
from .training_config import METHODS, PRECISIONS, TrainConfig, TuneConfig

if TYPE_CHECKING:
    from .pairs import PreparedPair
    from .training_data import TrainingData

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
# Flags that only mean something for a model that is tuned, and those for one that is made from nothing.
_TUNING = (
    *("method", "variant", "batch", "micro_batch", "context", "warmup", "precision"),
    *("checkpointing", "rank", "alpha", "dropout", "keep_adapter", "patience"),
)
_FROM_NOTHING = ("layers", "width", "vocabulary", "init_from")


def _flags(*options: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def put(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return put


_data = _flags(
    click.option(
        "--ontology",
        "ontologies",
        multiple=True,
        metavar="FILE",
        help="Vocabulary of the queries; may be repeated. Default: the bundled DBpedia and Wikidata ones.",
    ),
    click.option("--entity-labels", type=_FILE, help="Tab-separated Wikidata identifier and label."),
    click.option(
        "--templates",
        type=click.IntRange(0),
        default=0,
        help="Template pairs to add, made from the ontologies.",
    ),
    click.option(
        "--weight",
        "weights",
        multiple=True,
        type=click.FloatRange(0),
        help="How often each file (and the templates, last) is drawn from. Default: by the root of its size.",
    ),
    click.option(
        "--index",
        "indexes",
        multiple=True,
        type=_FOLDER,
        help="Index whose search finds the terms to confuse the right ones with; may be repeated.",
    ),
    click.option(
        "--held-out",
        metavar="N|FILE",
        help="Measure by pairs that are never trained on: N queries drawn from PAIRS, with all pairs that ask "
        "them, or a file of pairs. The weights that do best on them are what is kept.",
    ),
    click.option(
        "--evaluate-every",
        type=click.IntRange(1),
        help="Steps between two measurements.  [default: 200, from nothing 1000]",
    ),
)
_budget = _flags(
    click.option(
        "--minutes",
        type=click.FloatRange(0.05),
        default=40.0,
        show_default=True,
        help="Training time, counted over resumes.",
    ),
    click.option(
        "--steps", type=click.IntRange(1), help="A budget in steps; a killed run goes on to the same losses."
    ),
    click.option(
        "--save-minutes",
        type=click.FloatRange(0),
        help="How much a killed run loses at most.  [default: 5, from nothing 2]",
    ),
    click.option("--seed", type=int, default=7, show_default=True),
)
_tuning = _flags(
    click.option(
        "--model",
        metavar="NAME|DIR",
        help="Causal language model to tune: a folder, a hub name, or `default` for the one that ships. "
        "Without it a small model is made from nothing.",
    ),
    click.option(
        "--method",
        type=click.Choice(METHODS),
        default="full",
        show_default=True,
        help="full: all weights; lora: an adapter of low rank (needs peft); scratch: new weights in the model's shape.",
    ),
    click.option(
        "--prompt",
        "variant",
        metavar="VARIANT",
        help="Prompt variant, as of `ontoprompt ask`. Default: the one the model was trained on, else nsql.",
    ),
    click.option(
        "--batch",
        type=click.IntRange(1),
        default=32,
        show_default=True,
        help="Examples in a step, over all processes.",
    ),
    click.option(
        "--micro-batch",
        type=click.IntRange(1),
        default=8,
        show_default=True,
        help="Examples that a process runs at once; gradients of the rest of its share are accumulated.",
    ),
    click.option(
        "--context",
        type=click.IntRange(64),
        default=1024,
        show_default=True,
        help="Tokens of prompt and query at most.",
    ),
    click.option(
        "--learning-rate",
        type=click.FloatRange(0, min_open=True),
        help="Highest rate.  [default: 5e-5 full, 2e-4 lora, 5e-4 scratch, from nothing 1e-3]",
    ),
    click.option(
        "--warmup",
        type=click.IntRange(1),
        default=50,
        show_default=True,
        help="Steps in which the rate rises.",
    ),
    click.option(
        "--precision",
        type=click.Choice(PRECISIONS),
        default="no",
        show_default=True,
        help="Mixed precision; with lora the weights below the adapter are held in it.",
    ),
    click.option(
        "--checkpointing",
        is_flag=True,
        help="Compute activations again instead of keeping them: less memory, slower.",
    ),
    click.option("--rank", type=click.IntRange(1), default=16, show_default=True, help="Of the adapter."),
    click.option(
        "--alpha",
        type=click.IntRange(1),
        default=32,
        show_default=True,
        help="Scale of the adapter, times rank.",
    ),
    click.option("--dropout", type=click.FloatRange(0, 0.9), default=0.0, help="Of the adapter's input."),
    click.option(
        "--keep-adapter",
        is_flag=True,
        help="Leave the adapter in DIR/adapter too, in peft's format; the weights have it merged in.",
    ),
    click.option(
        "--patience",
        type=click.IntRange(0),
        default=0,
        help="End after so many measurements without a better one. Default: never.",
    ),
)
_from_nothing = _flags(
    click.option("--layers", type=click.IntRange(1, 48), default=6, show_default=True),
    click.option("--width", type=click.IntRange(64, 4096), default=384, show_default=True),
    click.option("--vocabulary", type=click.IntRange(400, 100_000), default=12_000, show_default=True),
    click.option(
        "--init-from", type=_FOLDER, help="Checkpoint of an earlier training of this shape to start from."
    ),
)


@click.command()
@click.argument("pairs", nargs=-1, required=True, type=_FILE)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the checkpoint; a killed run resumes there.",
)
@_data
@_budget
@_tuning
@_from_nothing
@click.option(
    "--reranker", is_flag=True, help="Train what reads the terms found again instead; needs --index."
)
@click.option(
    "--query-reranker",
    is_flag=True,
    help="Train what reads candidate queries again instead: on near misses, and on what --model, or the generator that "
    "ships, writes.",
)
@guarded
def train(
    progress: Progress,
    pairs: tuple[Path, ...],
    out: Path,
    reranker: bool,
    query_reranker: bool,
    **given: Any,
) -> None:
    """Train a generator from PAIRS (JSON lines of question and sparql).

    With --model any causal language model of transformers is tuned: all its weights, or an adapter of low rank. Without
    it a small CodeGen model is made from nothing, as the one that ships was. Prompts are those of `ontoprompt ask`, with
    distractors from --index; the loss is on the query alone.

    Over several GPUs or machines: `accelerate launch [...] -m ontoprompt train PAIRS --model NAME --out DIR`. A step has
    the same examples over however many processes, so --batch need not change.

    Pairs that cannot be trained on are counted on stderr, each reason with the first of them, and all are named in
    DIR/skipped.jsonl. DIR/log.jsonl, evaluations.jsonl and curves.svg show the course; DIR/README.md is a model card.
    """
    main = os.environ.get("RANK", "0") == "0"
    # Beside the main process nobody speaks.
    with contextlib.nullcontext() if main else progress.waiting():
        if reranker:
            _reranker(progress, pairs, out, given)
            return
        if query_reranker:
            _query_reranker(progress, pairs, out, given)
            return
        _refuse_strays(given)
        record = (_tuned if given["model"] else _made)(progress if main else None, pairs, out, given)
    if not main:
        return
    for line in record["skipped"]:
        click.echo(f"left out: {line}", err=True)
    if record.get("too_long"):
        click.echo(f"{record['too_long']:,} examples were too long and drawn again", err=True)
    click.echo(f"{out}: {record['seen']:,} examples seen in {record['minutes']:.1f} minutes{_best(record)}")


def _best(record: dict[str, Any]) -> str:
    best = record.get("best")
    if not best:
        return ""
    return (
        f"; best at step {best['step']:,}: suite accuracy {best['suite']:.3f}, exact match {best['exact']:.3f} "
        f"of {best['n']} held out"
    )


def _refuse_strays(given: dict[str, Any]) -> None:
    """Raises UsageError for flags that would be passed over."""
    context = click.get_current_context()
    strays = _FROM_NOTHING if given["model"] else _TUNING
    set_by_hand = [
        name
        for name in strays
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if set_by_hand:
        flag = "--" + {"variant": "prompt"}.get(set_by_hand[0], set_by_hand[0]).replace("_", "-")
        raise UsageError(
            f"{flag} is for a model {'made from nothing' if given['model'] else 'that is tuned'}.",
            "Leave it out, or leave out --model." if given["model"] else "Name the model with --model.",
        )


def _held_out(given: dict[str, Any]) -> int | Path:
    text = given["held_out"]
    if not text:
        return 0
    if text.isdecimal():
        return int(text)
    if not Path(text).is_file():
        raise UsageError(
            f"--held-out names no file: {text}.", "Give a number of queries, or a file of pairs."
        )
    return Path(text)


def _shared(given: dict[str, Any]) -> dict[str, Any]:
    names = ("ontologies", "entity_labels", "templates", "weights", "indexes")
    return {**{name: given[name] for name in names}, "held_out": _held_out(given)}


def _made(
    progress: Progress | None, pairs: tuple[Path, ...], out: Path, given: dict[str, Any]
) -> dict[str, Any]:
    from .training import train_from_files

    config = TrainConfig(
        minutes=given["minutes"],
        steps=given["steps"] or 0,
        layers=given["layers"],
        width=given["width"],
        vocabulary=given["vocabulary"],
        seed=given["seed"],
        learning_rate=given["learning_rate"] or TrainConfig().learning_rate,
        save_minutes=2.0 if given["save_minutes"] is None else given["save_minutes"],
    )
    return train_from_files(
        pairs,
        out,
        config,
        **_shared(given),
        init_from=given["init_from"],
        evaluate_every=given["evaluate_every"] or 1000,
        progress=progress,
    )


def _tuned(
    progress: Progress | None, pairs: tuple[Path, ...], out: Path, given: dict[str, Any]
) -> dict[str, Any]:
    from .training_data import assemble
    from .tuning import tune

    names = (
        "batch",
        "micro_batch",
        "context",
        "warmup",
        "precision",
        "checkpointing",
        "rank",
        "alpha",
        "dropout",
    )
    config = TuneConfig(
        **{name: given[name] for name in (*names, "model", "method", "keep_adapter", "minutes", "seed")},
        patience=given["patience"],
        variant=given["variant"] or "",
        steps=given["steps"] or 0,
        learning_rate=given["learning_rate"] or 0.0,
        evaluate_every=given["evaluate_every"] or 200,
        save_minutes=5.0 if given["save_minutes"] is None else given["save_minutes"],
    )
    rank = int(os.environ.get("RANK", "0"))

    def read(drawing: TrainConfig, fits: Callable[[PreparedPair], bool]) -> TrainingData:
        # Each process makes its own index of names: two would write one file.
        scratch = out / "state" / (f"process-{rank}" if rank else "")
        return assemble(pairs, scratch, drawing, **_shared(given), fits=fits, progress=progress)

    return tune(read, out, config, progress=progress)


def _reranker(progress: Progress, pairs: tuple[Path, ...], out: Path, given: dict[str, Any]) -> None:
    from .rerank_training import RerankConfig, train_from_pairs

    record = train_from_pairs(
        pairs,
        out,
        given["indexes"],
        RerankConfig(minutes=given["minutes"], seed=given["seed"]),
        weights=given["weights"],
        progress=progress,
    )
    click.echo(f"{record['file']}: {record['seen']:,} questions seen in {record['minutes']:.1f} minutes")


def _query_reranker(progress: Progress, pairs: tuple[Path, ...], out: Path, given: dict[str, Any]) -> None:
    from .generation import open_generator
    from .query_rerank_training import QueryRerankConfig, train_from_pairs

    progress("loading the generator", 0, None)
    record = train_from_pairs(
        pairs,
        out,
        QueryRerankConfig(minutes=given["minutes"], seed=given["seed"]),
        generator=open_generator(given["model"] or "default"),
        start=Path(__file__).parent / "data" / "reranker.safetensors",
        progress=progress,
        **_shared(given),
    )
    click.echo(
        f"{record['file']}: {record['seen']:,} questions seen in {record['minutes']:.1f} minutes, "
        f"{record['candidates']:,} with a generator's candidates"
    )
