"""Hold out whole query shapes: files to train on and to test on that share none.

    python -m bench.folds --dataset lcquad2 --split train --out DIR [--folds 5]

35 shapes cover nearly all of LC-QuAD 2.0's test split, so a model can pass it by recognising shapes. Writes
`fold-1/train.jsonl`, `fold-1/test.jsonl` and so on: JSON lines with `id`, `question`, `sparql`, `graph` and `shape`, which
`ontoprompt train` and the scripts here read. Every shape is in the test file of one fold; folds are about equal in
questions, the largest shapes dealt out first. Deterministic. `--rows` writes all of them, each with the fold that tests it.

A fold is measured with a model that was trained on nothing else: the one that ships has seen every shape of the
training splits, and so has any that starts from it or from made-up pairs (`--init-from`, `--templates`). For each fold two commands:

    ontoprompt train DIR/fold-1/train.jsonl --entity-labels DATA/wikidata/entity-labels.tsv --out DIR/fold-1/model
    python -m bench.generation --data DIR/fold-1/test.jsonl --model DIR/fold-1/model --rows DIR/fold-1/rows.jsonl

With all models in their places one command measures what has not been measured yet and prints the figure over all folds:

    python -m bench.folds --score DIR --linking pool

It writes `fold-1/rows-pool.jsonl` and so on; a fold whose rows are there is not asked again, so that it can be stopped.
The figure to report is that over the questions of all test files together, beside that of a model of the same size and training time
on a random split of the same questions. `--entity-labels` is for Wikidata, whose identifiers name nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.arguments import Progress, parser_of, questions_of, show, write_rows
from bench.datasets import Question
from bench.links import SETTINGS
from bench.measures import shape_of
from bench.runs import sentences
from ontoprompt import sparql
from ontoprompt.errors import QueryError, UsageError


def deal(shapes: Sequence[str], folds: int) -> list[int]:
    """The fold of each item, 0 to `folds` - 1: items of one shape share one, and the sums are about equal."""
    filled = [0] * folds
    place: dict[str, int] = {}
    for shape, count in sorted(Counter(shapes).items(), key=lambda item: (-item[1], item[0])):
        place[shape] = min(range(folds), key=lambda fold: (filled[fold], fold))
        filled[place[shape]] += count
    return [place[shape] for shape in shapes]


def pooled(folder: Path, linking: str, ask: Callable[[Path, Path], None]) -> dict[str, Any]:
    """Figures of each fold and of all questions together. `ask`: writes the rows of a fold's test file with its model.

    A question left out or undecided is wrong. Raises UsageError where a fold has neither rows nor a model.
    """
    folds = sorted(folder.glob("fold-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    if not folds:
        raise UsageError(f"{folder} holds no folds.", "Write them first, with --out.")
    missing = [f for f in folds if not ((f / "model").is_dir() or (f / f"rows-{linking}.jsonl").is_file())]
    if missing:
        raise UsageError(
            f"{', '.join(f.name for f in missing)} has no model.",
            f"ontoprompt train {missing[0] / 'train.jsonl'} --out {missing[0] / 'model'}",
        )
    every: list[dict[str, Any]] = []
    told: dict[str, Any] = {}
    for fold in folds:
        path = fold / f"rows-{linking}.jsonl"
        if not path.is_file():
            ask(fold, path)
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        told[fold.name] = _shares(rows)
        every += rows
    return {"linking": linking, **told, "all folds": _shares(every)}


def _shares(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    n = max(1, len(rows))
    return {
        "n": len(rows),
        "suite_strict": round(sum(bool(row.get("suite_strict")) for row in rows) / n, 4),
        "exact": round(sum(bool(row.get("exact")) for row in rows) / n, 4),
        "undecided": sum(bool(row.get("undecided")) for row in rows),
        "left_out": sum("left_out" in row for row in rows),
    }


def _score(arguments: Namespace) -> dict[str, Any]:
    def ask(fold: Path, rows: Path) -> None:
        # A process for each: five models would not fit in memory together.
        command = ["-m", "bench.generation", "--data", fold / "test.jsonl", "--model", fold / "model"]
        given = ["--linking", arguments.linking, "--seed", arguments.seed, "--rows", rows, "--json"]
        if arguments.data_folder:
            given += ["--data-folder", arguments.data_folder]
        print(f"Measuring {fold.name}.", file=sys.stderr, flush=True)
        done = subprocess.run([sys.executable, *map(str, (*command, *given))], stdout=subprocess.DEVNULL)
        if done.returncode:
            raise UsageError(
                f"{fold.name} could not be measured.", "What bench.generation says stands above."
            )

    return pooled(arguments.score, arguments.linking, ask)


def _main_score() -> None:
    parser = ArgumentParser(
        "python -m bench.folds", description=__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("--score", type=Path, required=True, metavar="DIR")
    parser.add_argument("--linking", choices=SETTINGS, default="pool")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-folder", type=Path)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with sentences():
        show(_score(arguments), arguments.json)


def main() -> None:
    if any(a == "--score" or a.startswith("--score=") for a in sys.argv[1:]):
        _main_score()
        return
    parser = parser_of(__doc__, linking=False)
    parser.add_argument("--folds", type=int, default=5, metavar="N")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    arguments = parser.parse_args()
    with sentences():
        if arguments.folds < 2:
            raise UsageError("--folds must be at least 2.", "Five are usual.")
        asked = questions_of(arguments)
        kept: list[tuple[Question, str]] = []
        left_out = Counter(asked.left_out)
        progress = Progress(len(asked.questions), arguments.json)
        for question in asked.questions:
            progress.tick()
            try:
                kept.append((question, shape_of(sparql.parse(question.query))))
            except QueryError:
                left_out["the gold does not parse"] += 1
        folds = deal([shape for _, shape in kept], arguments.folds)
        sizes: dict[str, dict[str, int]] = defaultdict(dict)
        for fold in range(arguments.folds):
            folder = arguments.out / f"fold-{fold + 1}"
            folder.mkdir(parents=True, exist_ok=True)
            for name, mine in (("train", False), ("test", True)):
                rows = [_row(q, s) for (q, s), f in zip(kept, folds, strict=True) if (f == fold) == mine]
                write_rows(folder / f"{name}.jsonl", rows)
                sizes[f"fold-{fold + 1}"][name] = len(rows)
        write_rows(
            arguments.rows, [{**_row(q, s), "fold": f + 1} for (q, s), f in zip(kept, folds, strict=True)]
        )
        result = {
            "n": len(kept),
            "left_out": dict(left_out),
            "repairs": dict(asked.repairs),
            "shapes": len({shape for _, shape in kept}),
            **sizes,
            "settings": asked.settings,
        }
        show(result, arguments.json)


def _row(question: Question, shape: str) -> dict[str, Any]:
    return {
        "id": question.id,
        "question": question.question,
        "sparql": question.query,
        "graph": question.graph,
        "shape": shape,
    }


if __name__ == "__main__":
    main()
