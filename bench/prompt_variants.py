"""Compare prompt variants: the same questions, the same links, one generator, and a report.

    python -m bench.prompt_variants --dataset lcquad2 --split test --variants question,terms,nsql,nsql-comments,nsql-symbols,turtle,shapes \\
        --examples 0,3 --model default --linking pool --limit 500 --seed 0 --out DIR

Every question is asked in every variant, with each number of worked examples (the nearest pairs of the training split).
The folder holds settings, a row for each of them and the report; killed, the same command goes on with it. `--ray` spreads
the work over a cluster (see `bench.spread`).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from bench.arguments import Asked, Progress, parser_of, questions_of, show, write_rows
from bench.datasets import find_dataset, read_dataset
from bench.generation import left_out_row, link_all, summary
from bench.report import write_report
from bench.runs import Run, read_rows, sentences
from bench.spread import Part, Recipe, Worker, check_cluster, spread
from bench.writing import digest_of
from ontoprompt.errors import UsageError
from ontoprompt.fragment import Fragment
from ontoprompt.generation import LoadOptions, resolve_model
from ontoprompt.pairs import Pair
from ontoprompt.prompts import VARIANTS


def parser() -> argparse.ArgumentParser:
    """The arguments of this script."""
    made = parser_of(__doc__)
    made.add_argument("--variants", default=",".join(VARIANTS))
    made.add_argument("--examples", default="0", help="numbers of worked examples, such as 0,3")
    made.add_argument("--model", default="default")
    made.add_argument("--candidates", type=int, default=2, metavar="N", help="beams of the search")
    made.add_argument("--free", action="store_true", help="without the grammar")
    made.add_argument("--dtype", default="auto", help="float32, float16 or bfloat16")
    made.add_argument("--quantize", choices=("4bit", "8bit"), help="needs a GPU")
    made.add_argument("--device-map", help="auto spreads the model over the devices that there are")
    made.add_argument("--trust-remote-code", action="store_true")
    made.add_argument("--ray", metavar="ADDRESS", help="spread over a Ray cluster: its address, or local")
    made.add_argument(
        "--workers", type=int, metavar="N", help="of that cluster; by default one a GPU or core"
    )
    made.add_argument("--out", type=Path, required=True, metavar="DIR")
    return made


def compare(arguments: argparse.Namespace, command: str) -> dict[str, Any]:
    """Run what the arguments say, or go on with it; the figures by variant and number of examples."""
    variants, counts = _names(arguments.variants), _numbers(arguments.examples)
    if arguments.workers is not None and (arguments.workers < 1 or not arguments.ray):
        raise UsageError("--workers goes with --ray, and is at least 1.", "Give --ray local --workers 2.")
    if arguments.ray:
        check_cluster(arguments.ray)
    asked = questions_of(arguments)
    settings = {
        **asked.settings,
        "variants": variants,
        "examples": counts,
        "model": arguments.model,
        "generator": _generator(arguments.model),
        "candidates": arguments.candidates,
        "constrained": not arguments.free,
        "dtype": arguments.dtype,
        "quantize": arguments.quantize,
        "repairs": dict(asked.repairs),
        "command": command,
    }
    with Run(arguments.out, settings) as run:
        if not run.finished:
            left_out = fill(run, asked, variants, counts, arguments)
            if not arguments.json:
                print("Packing the rows and writing the report.", file=sys.stderr, flush=True)
            run.finish(n=len(asked.questions), left_out=dict(left_out))
        write_report(arguments.out)
        settings = run.settings
    rows = list(read_rows(arguments.out))
    write_rows(arguments.rows, rows)
    result: dict[str, Any] = {"n": settings["n"], "left_out": settings["left_out"]}
    for variant in variants:
        for count in counts:
            mine = [r for r in rows if r["variant"] == variant and r["examples"] == count]
            result[f"{variant} {count}"] = summary(mine, settings["n"])
    return {**result, "settings": settings}


def main() -> None:
    arguments = parser().parse_args()
    with sentences():
        command = "python -m bench.prompt_variants " + " ".join(sys.argv[1:])
        show(compare(arguments, command), arguments.json)


def fill(
    run: Run, asked: Asked, variants: Sequence[str], counts: Sequence[int], arguments: Any
) -> Counter[str]:
    """Write the rows that a run lacks; what was left out, by reason."""
    left_out = Counter(asked.left_out)
    linkings, linked = link_all(asked.questions, arguments)
    closed = arguments.linking in ("closed", "full")
    left_out.update(x.left_out for x in linked if x.left_out)
    progress = Progress(len(linked) * len(variants) * len(counts), arguments.json)
    parts = []
    for variant, count, graph in product(variants, counts, linkings):
        todo = []
        for x in linked:
            if x.question.graph != graph:
                continue
            if (variant, count, x.question.id) in run.done:
                progress.tick(variant)
            elif x.left_out and not closed:
                run.add({"variant": variant, "examples": count, **left_out_row(x.question, x.left_out)})
                progress.tick(variant)
            else:
                todo.append(x)
        if todo:
            parts.append(Part(variant, count, graph, tuple(todo)))
    if parts:
        terms = {graph: linking.known(Fragment("")) for graph, linking in linkings.items()}
        for row in _rows(_recipe(arguments, asked, terms, max(counts)), parts, arguments):
            run.add(row)
            progress.tick(row["variant"])
    return left_out


def _rows(recipe: Recipe, parts: Sequence[Part], arguments: Any) -> Iterator[dict[str, Any]]:
    """The rows of parts, from this process or from a cluster."""
    if arguments.ray:
        return spread(recipe, parts, arguments.ray, arguments.workers, quiet=arguments.json)
    worker = Worker(recipe)
    return (row for part in parts for row in worker.write(part))


def _recipe(arguments: Any, asked: Asked, terms: Mapping[str, frozenset[str]], most_examples: int) -> Recipe:
    return Recipe(
        arguments.model,
        LoadOptions(
            dtype=arguments.dtype,
            quantize=arguments.quantize,
            device_map=arguments.device_map,
            trust_remote_code=arguments.trust_remote_code,
        ),
        beams=arguments.candidates,
        constrained=not arguments.free,
        seed=arguments.seed,
        terms=terms,
        pairs=tuple(_training_pairs(asked, arguments)) if most_examples else (),
        offline=os.environ.get("HF_HUB_OFFLINE") == "1",
    )


def _training_pairs(asked: Asked, arguments: Any) -> list[Pair]:
    """The pairs of the training split, from which worked examples come; never a question that is asked."""
    if not arguments.dataset:
        raise UsageError(
            "Worked examples come from a training split.", "Give --dataset NAME, or --examples 0."
        )
    path = find_dataset(arguments.dataset, "train", arguments.data_folder)
    mine = {q.question.strip().lower() for q in asked.questions}
    read = read_dataset(path, graph=arguments.graph, split="train")
    return [Pair(q.question, q.query) for q in read.questions if q.question.strip().lower() not in mine]


def _generator(model: str) -> str:
    """What a model's name stands for today: its own name, and the first digits of the SHA-256 of its files."""
    if model.startswith("openai:"):
        return model
    path, name = resolve_model(model)
    return f"{name} {digest_of(path, name)[:12]}" if Path(path).is_dir() else name


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in VARIANTS]
    if unknown or not names:
        raise UsageError(
            f"There is no prompt variant '{', '.join(unknown)}'.", f"Choose of: {', '.join(VARIANTS)}."
        )
    return list(dict.fromkeys(names))


def _numbers(text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = [-1]
    if min(numbers) < 0:
        raise UsageError(f"'{text}' are no numbers of examples.", "Write for example --examples 0,3.")
    return list(dict.fromkeys(numbers))


if __name__ == "__main__":
    main()
