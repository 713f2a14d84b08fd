"""How well a generator writes queries over vocabularies that it was never trained on.

    python -m bench.unseen [--part test|decided|all] [--dataset dblpquad|sciqa|spider4sparql]... [--model DIR]
                           [--limit N] [--seed N] [--rows FILE] [--json]

DBLP-QuAD, SciQA and spider4sparql, each held out wholly: setting `pool` of `bench.links`, over the vocabularies of
`bench.adapt` (`bench/vocabularies/dblp.ttl`, `orkg.ttl`, the schemas of spider4sparql). Entities have no table of names
there: they are called by their local names, those of dblp by what questions call them (`bench.said_names`), and confused with those of other questions. Prints suite
accuracy and exact match of each data set over all questions drawn: one whose gold cannot be linked, or that is undecided,
counts as wrong and is listed under `left_out` or `undecided`.

`--part decided`: what may be looked at while choices are made (the val files, the first four schemas); `test`: the rest, the
default, the same parts as `measured` of `bench.adapt`. `--limit`: that many questions of each data set, by seed.
`held_out` says whether the model's own records name any of the three; `unknown` where it has none.
"""

from __future__ import annotations

import argparse
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from bench.adapt import Vocabulary, vocabularies
from bench.arguments import show, write_rows
from bench.datasets import Question
from bench.runs import sentences
from bench.said_names import said_names
from bench.vocabulary_links import VocabularyLinking, names_in, rows_of, share
from ontoprompt.errors import UsageError
from ontoprompt.generation import LoadOptions, open_generator

DATASETS = ("dblpquad", "sciqa", "spider4sparql")
_NAMED = re.compile(r"dblp|sci-?qa|orkg|spider", re.IGNORECASE)
_RECORDS = ("training.json", "README.md", "train_config.json")


def seen_by(folder: Path | None) -> str:
    """Whether the records in a model's folder name one of the data sets: `no`, `unknown` where they name no data, else what they say."""
    texts = [
        (folder / name).read_text(encoding="utf-8")
        for name in _RECORDS
        if folder is not None and (folder / name).is_file()
    ]
    told = sorted({found.lower() for text in texts for found in _NAMED.findall(text)})
    if told:
        return "names " + ", ".join(told)
    return "no" if any(".jsonl" in text for text in texts) else "unknown: its records name no data"


def drawn(
    parts: Sequence[Vocabulary], limit: int | None, seed: int
) -> list[tuple[Vocabulary, list[Question]]]:
    """The questions to ask of each vocabulary: at most `limit` of all together, drawn by seed."""
    every = [(number, at) for number, part in enumerate(parts) for at in range(len(part.questions))]
    if limit is not None and limit < len(every):
        every = sorted(Random(seed).sample(every, limit))
    out = []
    for number, part in enumerate(parts):
        chosen = [part.questions[at] for n, at in every if n == number]
        told: Counter[str] = Counter()
        unlike = []
        for question in chosen:
            told[question.id] += 1
            unlike.append(
                question
                if told[question.id] == 1
                else replace(question, id=f"{question.id}#{told[question.id]}")
            )
        out.append((part, unlike))
    return out


def figures(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The figures of a data set."""
    return {
        "n": len(rows),
        "suite": share(rows, "suite_strict"),
        "exact": share(rows, "exact"),
        "undecided": sum(bool(row.get("undecided")) for row in rows),
        "left_out": dict(Counter(row["left_out"] for row in rows if "left_out" in row)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", action="append", choices=DATASETS)
    parser.add_argument("--part", choices=("test", "decided", "all"), default="test")
    parser.add_argument("--model", default="default")
    parser.add_argument("--linking", choices=("gold", "pool"), default="pool")
    parser.add_argument("--limit", type=int, metavar="N", help="that many questions a data set, by seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-folder", type=Path, default=os.environ.get("ONTOPROMPT_DATA"))
    parser.add_argument("--rows", type=Path, metavar="FILE", help="a JSON line for each question")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    arguments = parser.parse_args()
    with sentences():
        if arguments.data_folder is None:
            raise UsageError(
                "There is no telling where the questions are.", "Give --data-folder or set ONTOPROMPT_DATA."
            )
        generator = open_generator(arguments.model, LoadOptions())
        result: dict[str, Any] = {}
        rows: list[dict[str, Any]] = []
        for name in arguments.dataset or DATASETS:
            part = {"test": "measured"}.get(arguments.part, arguments.part)
            parts = list(vocabularies([name], part, arguments.data_folder))
            mine: list[dict[str, Any]] = []
            for vocabulary, asked in drawn(parts, arguments.limit, arguments.seed):
                if not asked:
                    continue
                names = names_in((q.query for q in vocabulary.questions), vocabulary.ontology)
                names |= said_names(vocabulary.questions)
                linking = VocabularyLinking(
                    vocabulary.ontology, names, setting=arguments.linking, seed=arguments.seed
                )
                found = rows_of(generator, linking, asked, quiet=arguments.json)
                mine += [{"dataset": name, "vocabulary": vocabulary.name, **row} for row in found]
            result[name] = figures(mine)
            rows += mine
        write_rows(arguments.rows, rows)
        folder = str(getattr(generator, "path", ""))
        result["held_out"] = {"named in the model's records": seen_by(Path(folder) if folder else None)}
        result["settings"] = {
            "model": generator.name,
            "part": arguments.part,
            "linking": arguments.linking,
            "limit": arguments.limit,
            "seed": arguments.seed,
        }
        show(result, arguments.json)


if __name__ == "__main__":
    main()
