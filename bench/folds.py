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

The figure to report is that over the questions of all test files together, beside that of a model of the same size and training time
on a random split of the same questions. `--entity-labels` is for Wikidata, whose identifiers name nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.arguments import Progress, parser_of, questions_of, show, write_rows
from bench.datasets import Question
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


def main() -> None:
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
