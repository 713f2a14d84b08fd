"""Twenty questions over three graphs with vocabularies of their own, asked as `ontoprompt ask --kg FILE` asks them.

    python -m bench.foreign [--model NAME|DIR] [--top-k K] [--candidates N] [--trace FILE]

Each graph's index is made on the fly in an empty folder. Right means: the same set of rows as the gold's, whatever
the variables are called and however the columns stand; a column more is wrong; for yes/no the same
answer. `same` says that the query itself is the gold's (variables renamed, order and DISTINCT ignored), `other`
that it is not, if only by a triple about a type: with yes/no a right answer may then be luck. `--trace`
writes what `ask --json` would print for each question, as JSON lines.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ontoprompt import sparql
from ontoprompt.assembly import open_engine
from ontoprompt.errors import OntopromptError
from ontoprompt.output import answer_json
from ontoprompt.pipeline import AskOptions, Engine
from ontoprompt.settings import Settings, load_settings

HERE = Path(__file__).parent.parent / "tests" / "e2e" / "foreign"
_NUMERIC = re.compile(
    r"#(integer|decimal|double|float|int|long|short|byte|(non)?(negative|positive)Integer)$", re.I
)

Cell = tuple[str, object]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one question went. `answer` is the object of `ask --json`, or None where an error came instead."""

    right: bool
    same_query: bool
    seconds: float
    answer: Mapping[str, Any] | None
    error: str = ""


def read_questions(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of questions."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def bindings(answer: Mapping[str, Any]) -> bool | frozenset[tuple[Cell, ...]]:
    """What an answer says, of an object with `rows` and `boolean` as `ask --json` prints them: comparable, without
    names of variables, order of columns and rows, labels, and ways to write a number."""
    if answer["boolean"] is not None:
        return bool(answer["boolean"])
    return frozenset(tuple(sorted(_cells(row.values()), key=repr)) for row in answer["rows"])


def _cells(values: Iterable[Mapping[str, str]]) -> Iterable[Cell]:
    for value in values:
        if value["type"] == "literal" and _NUMERIC.search(value.get("datatype", "")):
            yield "number", float(value["value"])
        else:
            yield value["type"], value["value"]


def same_query(one: str, other: str) -> bool:
    """Whether two queries are the same but for names of variables, order of triples, DISTINCT and a LIMIT of 100 or more
    (which the command line adds)."""

    def plain(text: str) -> str:
        # Off before it is made canonical: under a LIMIT the order of triples is kept.
        unlimited = re.sub(r"\s+LIMIT \d{3,}\s*$", "", sparql.parse(text).text())
        return re.sub(r"\s+DISTINCT\b", "", sparql.canonical(sparql.parse(unlimited)))

    return plain(one) == plain(other)


def ask(engine: Engine, settings: Settings, question: Mapping[str, Any]) -> Outcome:
    """Ask one question under these settings and compare."""
    options = AskOptions(
        variant=settings.prompt,
        top_k=settings.top_k,
        candidates=settings.candidates,
        timeout=settings.timeout,
        limit=settings.limit,
    )
    began = time.monotonic()
    try:
        answer = engine.ask(question["question"], options)
    except OntopromptError as error:
        return Outcome(False, False, time.monotonic() - began, None, error.message)
    seconds = time.monotonic() - began
    printed = answer_json(answer)
    return Outcome(
        bindings(printed) == bindings(question["answers"]),
        same_query(printed["sparql"], question["sparql"]),
        seconds,
        printed,
    )


def line_of(question: Mapping[str, Any], outcome: Outcome) -> str:
    """One question in one line, two more where it went wrong."""
    head = f"{question['id']} {'right' if outcome.right else 'WRONG'}"
    if outcome.answer is None:
        return f"{head} {question['question']}\n     error: {outcome.error}"
    how = "same" if outcome.same_query else "other"
    text = f"{head} {how:5} {outcome.answer['confidence']:.2f} {question['question']} | {' '.join(outcome.answer['sparql'].split())}"
    if not outcome.right:
        found = {"rows": outcome.answer["rows"][:5], "boolean": outcome.answer["boolean"]}
        got = sorted(map(str, said)) if isinstance(said := bindings(found), frozenset) else said
        text += f"\n     got  {got}\n     gold {' '.join(question['sparql'].split())}"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m bench.foreign",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model")
    parser.add_argument("--top-k", type=int)
    parser.add_argument("--candidates", type=int)
    parser.add_argument("--trace", type=Path)
    arguments = parser.parse_args()
    questions = read_questions(HERE / "questions.jsonl")
    flags = {
        name: getattr(arguments, name)
        for name in ("model", "top_k", "candidates")
        if getattr(arguments, name) is not None
    }
    right = same = doubted = 0
    by_graph: dict[str, str] = {}
    seconds: list[float] = []
    traces: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="ontoprompt-foreign-") as home:
        os.environ["ONTOPROMPT_HOME"] = home
        for graph in dict.fromkeys(q["graph"] for q in questions):
            settings = load_settings(kg=str(HERE / f"{graph}.ttl"), **flags)
            engine = open_engine(settings)
            asked = [q for q in questions if q["graph"] == graph]
            outcomes = [ask(engine, settings, q) for q in asked]
            for question, outcome in zip(asked, outcomes, strict=True):
                print(line_of(question, outcome), flush=True)
                right += outcome.right
                same += outcome.right and outcome.same_query
                doubted += bool(outcome.right and outcome.answer and outcome.answer["confidence"] < 0.5)
                seconds.append(outcome.seconds)
                traces.append(
                    {
                        "id": question["id"],
                        "right": outcome.right,
                        **(outcome.answer or {"error": outcome.error}),
                    }
                )
            by_graph[graph] = f"{sum(o.right for o in outcomes)} of {len(outcomes)}"
            name = engine.generator.name
            if engine.store is not None:
                engine.store.close()
    if arguments.trace:
        lines = [json.dumps(t, ensure_ascii=False) + "\n" for t in traces]
        arguments.trace.write_text("".join(lines), encoding="utf-8")
    print(
        json.dumps(
            {
                "right": f"{right} of {len(questions)}",
                "with_the_gold_query": same,
                "right_but_doubted": doubted,
                "by_graph": by_graph,
                "median_seconds": round(statistics.median(seconds), 3),
                "model": name,
                "setting": f"index made on the fly, top_k {settings.top_k}, {settings.candidates} candidates, no examples",
                "command": " ".join(["python -m bench.foreign", *sys.argv[1:]]),
            }
        )
    )


if __name__ == "__main__":
    main()
