"""`ontoprompt ask --kg URL` against a Virtuoso of its own, with no ontology file and no index: how soon it is ready, and
how many of five questions it answers rightly.

    python -m bench.endpoint [--model NAME|DIR]

Virtuoso is started on loopback with `ontology/sample.ttl` (`tests/virtuoso/server.py`, as `make test-virtuoso` does). One
`ontoprompt ask --kg URL -` reads the questions, from an empty home. Ready is the time from its start to its
first answer, less what the same question takes once more. Golds are computed on the embedded store, from the same file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.foreign import bindings
from ontoprompt.execution import EmbeddedStore
from ontoprompt.output import value_json
from tests.virtuoso.server import Unavailable, running

GRAPH = Path(__file__).parent.parent / "ontology" / "sample.ttl"
MOST_SECONDS, LEAST_RIGHT = 60.0, 3
_DBPEDIA = "PREFIX dbo: <http://dbpedia.org/ontology/> PREFIX dbr: <http://dbpedia.org/resource/> "
QUESTIONS = {
    "What is the capital of Peru?": "SELECT ?x { dbr:Peru dbo:capital ?x }",
    "Who wrote Dracula?": "SELECT ?x { dbr:Dracula dbo:author ?x }",
    "Where was Frida Kahlo born?": "SELECT ?x { dbr:Frida_Kahlo dbo:birthPlace ?x }",
    "In which city does Volkswagen have its headquarters?": "SELECT ?x { dbr:Volkswagen dbo:headquarter ?x }",
    "Which films did Ridley Scott direct?": "SELECT ?x { ?x a dbo:Film ; dbo:director dbr:Ridley_Scott }",
}


def golds() -> list[object]:
    """The answers of the gold queries, in the order of the questions."""
    store = EmbeddedStore([GRAPH])
    try:
        found = [store.query(_DBPEDIA + query) for query in QUESTIONS.values()]
    finally:
        store.close()
    return [
        bindings(
            {
                "boolean": result.boolean,
                "rows": [
                    {n: value_json(v, {}) for n, v in zip(result.variables, row, strict=True) if v}
                    for row in result.rows
                ],
            }
        )
        for result in found
    ]


def asked(url: str, model: str | None, home: str) -> tuple[list[dict[str, Any]], list[float]]:
    """The objects that the command prints for the five questions and the first one again, and the seconds of each."""
    command = [sys.executable, "-c", "from ontoprompt.cli import main; main()", "ask", "--kg", url, "-"]
    if model:
        command[-1:-1] = ["--model", model]
    answers, seconds = [], []
    began = time.monotonic()
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
        text=True,
        env={**os.environ, "ONTOPROMPT_HOME": home},
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        for question in [*QUESTIONS, next(iter(QUESTIONS))]:
            process.stdin.write(question + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            if not line:
                process.stdin.close()
                raise SystemExit(f"ontoprompt ended with exit status {process.wait()} before it answered.")
            answers.append(json.loads(line))
            seconds.append(time.monotonic() - began)
            began = time.monotonic()
        process.stdin.close()
    return answers, seconds


def main() -> int:
    """Print each question and the figures; returns 1 where they fall short."""
    parser = argparse.ArgumentParser(
        "python -m bench.endpoint",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model")
    arguments = parser.parse_args()
    try:
        with running(GRAPH) as server, tempfile.TemporaryDirectory(prefix="ontoprompt-endpoint-") as home:
            answers, seconds = asked(server.url, arguments.model, home)
    except Unavailable as reason:
        print(f"Nothing was measured: {reason}.")
        return 0
    right = 0
    for question, gold, answer, took in zip(QUESTIONS, golds(), answers, seconds, strict=False):
        good = "error" not in answer and bindings(answer) == gold
        right += good
        query = answer.get("error") or f"{answer['confidence']:.2f} {' '.join(answer['sparql'].split())}"
        print(f"{'right' if good else 'WRONG'} {took:6.2f} s {question} | {query}")
        if not good:
            print(f"      gold {QUESTIONS[question]}")
    ready = seconds[0] - seconds[-1]
    print(
        json.dumps(
            {
                "ready_seconds": round(ready, 2),
                "first_answer_seconds": round(seconds[0], 2),
                "warm_seconds": round(seconds[-1], 2),
                "right": f"{right} of {len(QUESTIONS)}",
                "model": answers[0].get("model", arguments.model),
                "setting": "Virtuoso on loopback, no default graph named, empty home",
                "command": " ".join(["python -m bench.endpoint", *sys.argv[1:]]),
            }
        )
    )
    return int(ready > MOST_SECONDS or right < LEAST_RIGHT)


if __name__ == "__main__":
    raise SystemExit(main())
