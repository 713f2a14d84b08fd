"""What the benchmark scripts share on their command lines: which questions, which links, where the figures go."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from bench.datasets import Dataset, Question, find_dataset, read_dataset
from bench.links import SETTINGS
from ontoprompt.errors import UsageError


def parser_of(doc: str | None, *, linking: bool = True) -> argparse.ArgumentParser:
    """A parser with the arguments that all scripts take."""
    named = re.search(r"python -m bench\.\w+", doc or "")
    parser = argparse.ArgumentParser(
        named[0] if named else None,
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = parser.add_argument_group("questions")
    source.add_argument("--data", type=Path, metavar="FILE", help="a file in any of the known formats")
    source.add_argument("--format", help="lcquad2, lcquad1, qald, text2sparql or jsonl; told by its fields")
    source.add_argument("--dataset", metavar="NAME", help="lcquad2, lcquad1, qald9plus, ...")
    source.add_argument("--split", default="test")
    source.add_argument("--graph", help="dbpedia reads LC-QuAD 2.0's DBpedia-2018 queries")
    source.add_argument("--limit", type=int, metavar="N", help="that many questions, drawn by seed")
    source.add_argument("--seed", type=int, default=0)
    source.add_argument("--answerable", action="store_true", help="only questions marked as answerable")
    source.add_argument(
        "--data-folder",
        type=Path,
        default=Path(os.environ["ONTOPROMPT_DATA"]) if os.environ.get("ONTOPROMPT_DATA") else None,
        help="where data sets and tables of labels lie (ONTOPROMPT_DATA)",
    )
    parser.add_argument("--index", default="", metavar="NAME|DIR", help="instead of the graph's own")
    if linking:
        parser.add_argument("--linking", choices=SETTINGS, default="gold")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="a JSON line for each question")
    parser.add_argument(
        "--json", action="store_true", help="one JSON object on standard output, nothing else"
    )
    return parser


@dataclass(frozen=True, slots=True)
class Asked:
    """The questions of a run and how they were chosen."""

    questions: tuple[Question, ...]
    left_out: Counter[str]
    repairs: Counter[str]
    settings: dict[str, Any]


def questions_of(arguments: argparse.Namespace) -> Asked:
    """The questions that the arguments name. Raises UsageError when they name none."""
    if (arguments.data is None) == (arguments.dataset is None):
        raise UsageError(
            "There is no telling which questions.", "Give --data FILE or --dataset NAME, not both."
        )
    if arguments.limit is not None and arguments.limit < 1:
        raise UsageError("--limit must be at least 1.", "Leave it out for all questions.")
    path = arguments.data or find_dataset(arguments.dataset, arguments.split, arguments.data_folder)
    read: Dataset = read_dataset(
        path, arguments.format, graph=arguments.graph, split=arguments.split if arguments.dataset else ""
    )
    questions = list(read.questions)
    left_out = Counter(read.left_out)
    if arguments.answerable:
        kept = [q for q in questions if q.answerable]
        left_out["not marked as answerable"] += len(questions) - len(kept)
        questions = kept
    if arguments.limit and arguments.limit < len(questions):
        questions = Random(arguments.seed).sample(questions, arguments.limit)
    if not questions:
        raise UsageError(
            f"{path} holds no question that can be asked.", "Look at what was left out, and why."
        )
    settings = {
        "dataset": arguments.dataset or read.name,
        "file": path.name,
        "split": arguments.split if arguments.dataset else "",
        "graph": ", ".join(sorted({q.graph for q in questions if q.graph})),
        "limit": arguments.limit,
        "seed": arguments.seed,
        "answerable_only": arguments.answerable,
        "linking": getattr(arguments, "linking", ""),
        "index": arguments.index,
    }
    return Asked(_told_apart(questions), left_out, read.repairs, settings)


def _told_apart(questions: Iterable[Question]) -> tuple[Question, ...]:
    """Some files give one identifier to several questions: the second becomes `12#2`."""
    seen: Counter[str] = Counter()
    out = []
    for q in questions:
        seen[q.id] += 1
        out.append(q if seen[q.id] == 1 else replace(q, id=f"{q.id}#{seen[q.id]}"))
    return tuple(out)


class Progress:
    """One line on standard error, with the time that is left; quiet under --json and where nobody looks."""

    def __init__(self, total: int, quiet: bool = False) -> None:
        self.total, self.done, self.began = total, 0, time.monotonic()
        self.quiet = quiet or not sys.stderr.isatty()

    def tick(self, what: str = "") -> None:
        """One more is done."""
        self.done += 1
        if self.quiet:
            return
        left = (time.monotonic() - self.began) / self.done * (self.total - self.done)
        end = "\n" if self.done == self.total else ""
        print(
            f"\r{self.done} of {self.total}, {left / 60:.1f} min left {what:20}",
            end=end,
            file=sys.stderr,
            flush=True,
        )


def write_rows(path: Path | None, rows: Iterable[Mapping[str, Any]]) -> None:
    """One JSON line for each row, the file whole or not there."""
    if path is None:
        return
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    temporary.replace(path)


def show(result: Mapping[str, Any], as_json: bool) -> None:
    """The figures: one JSON object, or a line for each."""
    if as_json:
        print(json.dumps(result, ensure_ascii=False))
        return
    for key, value in result.items():
        shown = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, Mapping) else value
        print(f"{key:22} {shown}")


def mean(values: Iterable[float]) -> float | None:
    """The mean, rounded to four places; None of nothing."""
    kept = list(values)
    return round(sum(kept) / len(kept), 4) if kept else None
