"""Score anybody's queries with the measures of every other benchmark here.

    python -m bench.score --dataset lcquad2 --split test --predictions FILE

FILE holds JSON lines with `id` and `sparql` (an identifier that comes twice is an error, one that the data set does not
hold too). A question without a prediction counts as wrong and is listed under `left_out`. How the predictions were linked
is said by `--linking` (any words: they are printed, nothing else), so that no closed list stands beside a whole graph.

A model that was trained on a set's raw queries writes their quirks, and is wrong where the gold was mended: `--repair` mends
predictions as the gold was (`bench.repairs`), counted by name; figures with and without it do not stand in one column.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from bench.answers import MOST_ROWS, Reply, answers_of, qald, score_answers
from bench.arguments import Progress, parser_of, questions_of, show, write_rows
from bench.datasets import Question
from bench.generation import left_out_row, summary
from bench.measures import form_of, score, shape_of
from bench.repairs import repaired_query
from bench.runs import sentences
from ontoprompt import sparql
from ontoprompt.errors import QueryError, SourceError
from ontoprompt.execution import open_store


def read_predictions(path: Path) -> dict[str, dict[str, Any]]:
    """Identifier → prediction. Raises SourceError naming the line that is none."""
    hint = "Give JSON lines with `id` and `sparql`."
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"The predictions {path} cannot be read: {error}.", hint) from error
    out: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            key, query = str(row["id"]), row["sparql"]
        except (ValueError, KeyError, TypeError):
            raise SourceError(f"{path}, line {number}, is no prediction.", hint) from None
        if not isinstance(query, str):
            raise SourceError(f"{path}, line {number}: the query is no text.", hint)
        if key in out:
            raise SourceError(
                f"{path}, line {number}: {key} was predicted before.", "Keep one query for each id."
            )
        out[key] = row
    return out


def main() -> None:
    parser = parser_of(__doc__, linking=False)
    parser.add_argument("--predictions", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--kg", metavar="FILE|DIR|URL", help="a graph to ask gold and predictions of: answer F1"
    )
    parser.add_argument("--repair", action="store_true", help="mend predictions as the gold was mended")
    parser.add_argument("--linking", default="not stated", help="how the predictions were linked; printed")
    arguments = parser.parse_args()
    with sentences():
        predicted = read_predictions(arguments.predictions)
        asked = questions_of(arguments)
        strays = set(predicted) - {q.id for q in asked.questions}
        if strays and arguments.limit is None:
            raise SourceError(
                f"{len(strays)} predictions are for no question of {asked.settings['file']}, such as {min(strays)}.",
                "Score them against the data set that they were made for.",
            )
        left_out, repairs = Counter(asked.left_out), Counter[str]()
        rows: list[dict[str, Any]] = []
        progress = Progress(len(asked.questions), arguments.json)
        for question in asked.questions:
            row = _row(question, predicted.get(question.id), arguments.repair, arguments.seed)
            if "left_out" in row:
                left_out[row["left_out"].partition(":")[0]] += 1
            repairs.update(row.get("repairs", ()))
            rows.append(row)
            progress.tick()
        answered: dict[str, Any] = {}
        if arguments.kg:
            answered = {"answers": _answered(arguments.kg, rows)}
        write_rows(arguments.rows, rows)
        result = {
            "n": len(asked.questions),
            "left_out": dict(left_out),
            "repairs": dict(asked.repairs),
            "prediction_repairs": dict(repairs),
            **summary(rows, len(asked.questions)),
            **answered,
            "settings": {
                **asked.settings,
                "linking": arguments.linking,
                "predictions": arguments.predictions.name,
                "predictions_repaired": arguments.repair,
            },
        }
        show(result, arguments.json)


def _row(question: Question, prediction: dict[str, Any] | None, repair: bool, seed: int) -> dict[str, Any]:
    """A question, what was predicted for it, and every measure; a row that is left out says why."""
    if prediction is None:
        return left_out_row(question, "no prediction")
    try:
        gold = sparql.parse(question.query)
    except QueryError as error:
        return left_out_row(question, f"the gold does not parse: {error.message[:60]}")
    raw = prediction["sparql"]
    query, mended = repaired_query(raw, question.kind) if repair else (raw, ())
    return {
        "id": question.id,
        "question": question.question,
        "gold": question.query,
        "template": question.template,
        "form": form_of(gold),
        "shape": shape_of(gold),
        "sparql": query,
        **({"raw": raw, "repairs": list(mended)} if mended else {}),
        **score(gold, query, graph=question.graph, seed=seed).to_json(),
    }


def _answered(kg: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Answer F1 over the rows that were scored, each row with what it came to; gold and prediction are asked of one
    graph. A prediction that the graph does not answer is wrong; a question whose gold it does not answer is left out.
    `cut`: questions of which the gold or the prediction has more rows than are compared; its row says which."""
    store = open_store(kg)
    pairs, cut = [], 0
    try:
        for row in rows:
            gold = answers_of(store, row["gold"])
            predicted = answers_of(store, row["sparql"]) if row.get("sparql") else Reply(None)
            pairs.append((gold.result, predicted.result))
            if gold.result is not None:
                row["f1_qald"] = qald(gold.result, predicted.result) if predicted.result is not None else 0.0
            sides = [side for side, reply in (("gold", gold), ("prediction", predicted)) if reply.cut]
            if sides:
                cut += 1
                row["cut"] = sides
    finally:
        store.close()
    return {**score_answers(pairs), "cut": cut, "most_rows": MOST_ROWS, "kg": store.name}


if __name__ == "__main__":
    main()
