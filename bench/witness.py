"""Are two queries equivalent? Says it of each pair in a file, and shows the smallest graph on which they differ.

    python -m bench.witness FILE|- [--seed S] [--quick]

FILE holds JSON lines with `a` and `b` (two queries; `a` is taken as the gold) and optionally `graph`
("wikidata": only graphs that obey Wikidata's rules for statements). A line comes out for each line in:
`equivalent`, `lenient`, `undecided`, `graphs` (how many were tried) and, if they are not equivalent, `witness`:
`ntriples`, and the result of either query under `a` and `b` (`boolean`, or `columns` and `rows`; `chosen` where a
LIMIT leaves a choice: so many of so many rows, for each block of rows that tie). Two queries that give nothing on
any graph are undecided, not equivalent, and have no witness. A query that cannot be read is named under `error`.
Exit status 2 when the file is no such file.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from ontoprompt import sparql
from ontoprompt.errors import OntopromptError, QueryError, UsageError
from ontoprompt.witness import Verdict, judge
from ontoprompt.witness_store import Result


def pairs_of(lines: Iterator[str]) -> Iterator[tuple[str, str, str]]:
    """(a, b, graph) of each line. Raises UsageError at a line that holds no pair."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UsageError(f"Line {number} is no JSON: {error}.", "Write one object a line.") from None
        if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in ("a", "b")):
            raise UsageError(f"Line {number} has no queries `a` and `b`.", 'Write {"a": "...", "b": "..."}.')
        graph = row.get("graph") or ""
        if graph not in ("", "wikidata"):
            raise UsageError(f"Line {number} names the unknown graph {graph!r}.", 'Use "wikidata" or none.')
        yield row["a"], row["b"], graph


def report(a: str, b: str, graph: str, *, seed: int, explain: bool) -> dict[str, Any]:
    """The JSON object for one pair."""
    read = []
    for name, text in (("a", a), ("b", b)):
        try:
            query = sparql.parse(text)
            sparql.check_read_only(query)
        except QueryError as error:
            wrong = _verdict(Verdict(False, False, False, 0))
            return {**wrong, "error": f"{name}: {' '.join(str(error).split())}"}
        read.append(query)
    verdict = judge(*read, graph=graph, seed=seed, explain=explain)
    out = _verdict(verdict)
    if verdict.witness is not None:
        out["witness"] = {
            "ntriples": verdict.witness.graph,
            "a": _result(verdict.witness.gold),
            "b": _result(verdict.witness.predicted),
        }
    return out


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "equivalent": verdict.equivalent,
        "lenient": verdict.lenient,
        "undecided": verdict.undecided,
        "graphs": verdict.graphs,
    }


def _result(result: Result) -> dict[str, Any]:
    """What a query promises: `chosen` of the rows of each block where a LIMIT leaves a choice."""
    if result.boolean is not None:
        return {"boolean": result.boolean}
    out: dict[str, Any] = {
        "columns": list(result.columns),
        "rows": [[_cell(cell) for cell in row] for row in result.rows],
    }
    if any(block.chosen < len(block.rows) for block in result.blocks):
        out["chosen"] = [[block.chosen, len(block.rows)] for block in result.blocks]
    return out


def _cell(cell: Any) -> Any:
    if isinstance(cell, Decimal):
        return int(cell) if cell == cell.to_integral_value() else float(cell)
    return cell[1].join(cell[2]) if isinstance(cell, tuple) else cell


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m bench.witness",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", help="JSON lines with `a` and `b`; - for standard input")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="verdicts only, no witness graphs")
    arguments = parser.parse_args()
    try:
        text = sys.stdin.read() if arguments.file == "-" else Path(arguments.file).read_text("utf-8")
        for a, b, graph in pairs_of(iter(text.splitlines())):
            found = report(a, b, graph, seed=arguments.seed, explain=not arguments.quick)
            print(json.dumps(found, ensure_ascii=False), flush=True)
    except (OSError, UnicodeDecodeError) as error:
        parser.error(f"{arguments.file} cannot be read: {error}")
    except OntopromptError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
