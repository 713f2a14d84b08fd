"""The end-to-end questions over the sample graph, each asked as a user would ask it.

    python -m bench.sample_questions [--model DIR] [--shuffle-fragments] [--questions FILE] [--kg FILE|DIR|URL]

Right means: exactly the gold's rows, as a set, in whatever column order; for yes/no the same
answer. With `--shuffle-fragments` each question gets the fragment of another one, to show that
retrieval is what answers. Unanswerable questions count as flagged when the answer is doubtful,
empty, or no query could be written.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

from ontoprompt.assembly import open_engine
from ontoprompt.errors import OntopromptError
from ontoprompt.pipeline import Answer, AskOptions
from ontoprompt.settings import load_settings

HERE = Path(__file__).parent.parent / "tests" / "e2e"


def rows_of(answer: Answer) -> object:
    result = answer.result
    if result is None:
        return None
    if result.form == "ask":
        return {"boolean": result.boolean}
    return sorted({tuple(sorted(v.value for v in row if v is not None)) for row in result.rows})


def gold_rows(answers: object) -> object:
    if isinstance(answers, dict):
        return answers
    return sorted({tuple(sorted(str(cell) for cell in row)) for row in answers})  # type: ignore[attr-defined]


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m bench.sample_questions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model")
    parser.add_argument("--kg")
    parser.add_argument("--questions", type=Path, default=HERE / "questions.jsonl")
    parser.add_argument("--unanswerable", type=Path, default=HERE / "unanswerable.jsonl")
    parser.add_argument("--shuffle-fragments", action="store_true")
    parser.add_argument("--reworded", action="store_true", help="ask the second wording where there is one")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    engine = open_engine(load_settings(model=arguments.model, kg=arguments.kg))
    questions = read(arguments.questions)
    if arguments.reworded:
        questions = [{**q, "question": q["reworded"]} for q in questions if q.get("reworded")]
    right = doubted = 0
    seconds = []
    for number, q in enumerate(questions):
        fragment = None
        if arguments.shuffle_fragments:
            other = questions[(number + 7) % len(questions)]["question"]
            fragment = engine.fragment(other, AskOptions())
        began = time.monotonic()
        try:
            answer = engine.ask(q["question"], AskOptions(), fragment=fragment)
        except OntopromptError as error:
            print(f"{q['id']} ERROR {error.message}")
            continue
        seconds.append(time.monotonic() - began)
        good = rows_of(answer) == gold_rows(q["answers"])
        right += good
        doubted += answer.doubtful and good
        if arguments.verbose or not good:
            print(
                f"{q['id']} {'ok   ' if good else 'WRONG'} {answer.confidence:.2f} {q['question']} | {' '.join(answer.sparql.split())} | {str(rows_of(answer))[:150]} | gold {q.get('sparql', '')}"
            )
    print(
        json.dumps(
            {
                "right": right,
                "n": len(questions),
                "right_but_doubted": doubted,
                "median_seconds": round(statistics.median(seconds), 3) if seconds else None,
                "model": engine.generator.name,
                "kg": engine.kg_name,
                "shuffled_fragments": arguments.shuffle_fragments,
            }
        )
    )
    if arguments.shuffle_fragments or arguments.reworded or arguments.questions != HERE / "questions.jsonl":
        return
    flagged = 0
    asked = read(arguments.unanswerable)
    for q in asked:
        try:
            answer = engine.ask(q["question"], AskOptions())
            ok = answer.doubtful or answer.empty
            shown = f"{answer.confidence:.2f} {' '.join(answer.sparql.split())} {answer.doubts}"
        except OntopromptError as error:
            ok, shown = True, error.message
        flagged += ok
        if arguments.verbose or not ok:
            print(f"{q['id']} {'flagged' if ok else 'NOT FLAGGED'} {q['question']} | {shown}")
    print(json.dumps({"flagged": flagged, "n": len(asked)}))


if __name__ == "__main__":
    main()
