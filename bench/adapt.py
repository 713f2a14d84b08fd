"""Does `ontoprompt index --adapt` help on vocabularies that nothing here was trained on?

    python -m bench.adapt [--dataset dblpquad|sciqa|spider4sparql]... [--part measured|decided|all] [--limit N]
                          [--seed N] [--rows FILE] [--json]

For each vocabulary: an index without an adapter, one with the adapter that `--adapt` trains (from the vocabulary alone),
and the share of questions that have *all* terms of their query among the first k of each, question text only, with the
difference and its 95 % bootstrap interval over questions. Questions come from the data sets themselves and are never
trained on; those whose query names no term of the vocabulary are left out and counted.

`--part decided`: what was looked at while the method was chosen (the val files, the first four schemas); `measured`: the
rest (the train files, the other schemas), the default. Vocabularies: `bench/vocabularies/dblp.ttl` (dblp's schema
whole), `bench/vocabularies/orkg.ttl` (what SciQA's queries use and what lies beside it), and the ontology of each schema
of spider4sparql, some with hardly more terms than k: there k is 3 and 5 for 5 and 20.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from bench.arguments import write_rows
from bench.datasets import Question, read_dataset
from bench.runs import sentences
from bench.statistics import difference
from ontoprompt import sparql
from ontoprompt.embedding import Encoder, load_encoder
from ontoprompt.errors import UsageError
from ontoprompt.index import OntologyIndex, build_index
from ontoprompt.ontology import Ontology, load_ontology
from ontoprompt.unlabelled import adapt

HERE = Path(__file__).parent / "vocabularies"
_FILES = {
    "dblpquad": ("dblp", "dblp-dblp-quad"),
    "sciqa": ("orkg", "orkg-sci-qa"),
}
_DECIDED_SCHEMAS = ("course_teach", "employee_hire_evaluation", "flight_2", "orchestra")
_LARGE = 50


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A vocabulary and the questions asked of it; `decided`: whether choices were made by looking at them."""

    name: str
    decided: bool
    ontology: Ontology
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """Shares of `n` questions with all terms among the first k; `low` and `high` bound the difference."""

    k: int
    plain: float
    adapted: float
    difference: float
    low: float
    high: float


def vocabularies(names: Sequence[str], part: str, data: Path) -> Iterator[Vocabulary]:
    """The vocabularies of the data sets named, with the questions of that part. Raises SourceError when a file is
    missing."""
    for name in names:
        if name in _FILES:
            vocabulary, stem = _FILES[name]
            ontology = load_ontology([HERE / f"{vocabulary}.ttl"])
            for split, decided in (("train", False), ("val", True)):
                if part in ("all", "decided" if decided else "measured"):
                    questions = read_dataset(data / "more" / f"{stem}-{split}.jsonl").questions
                    yield Vocabulary(f"{name} {split}", decided, ontology, questions)
            continue
        folder = data / "spider4sparql"
        questions = read_dataset(folder / "dev_a.jsonl").questions
        for schema in sorted({q.graph for q in questions}):
            decided = schema in _DECIDED_SCHEMAS
            if part in ("all", "decided" if decided else "measured"):
                ontology = load_ontology([folder / f"{schema}.owl"])
                yield Vocabulary(schema, decided, ontology, tuple(q for q in questions if q.graph == schema))


def measure(
    vocabulary: Vocabulary, encoder: Encoder, *, limit: int | None = None, seed: int = 0
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The figures of a vocabulary and a row for each question."""
    ontology = vocabulary.ontology
    known = {term.iri for term in ontology}
    questions = list(vocabulary.questions)
    if limit and limit < len(questions):
        questions = Random(seed).sample(questions, limit)
    gold = [(q, sorted(known & sparql.parse(q.query).iris())) for q in questions]
    asked = [(q, iris) for q, iris in gold if iris]
    adaptation = adapt(ontology, encoder, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        plain = build_index(ontology, Path(folder) / "plain", encoder=encoder)
        adapted = build_index(ontology, Path(folder) / "adapted", encoder=encoder, adapter=adaptation.adapter)
        worst = np.array([_worst(index, asked) for index in (plain, adapted)])
    ks = (5, 20) if len(ontology) >= _LARGE else (3, 5)
    rows = [
        {"vocabulary": vocabulary.name, "id": q.id, "question": q.question, "gold": iris, "plain": int(p), "adapted": int(a)}
        for (q, iris), p, a in zip(asked, *worst, strict=True)
    ]  # fmt: skip
    result = {
        "vocabulary": vocabulary.name,
        "decided_on": vocabulary.decided,
        "terms": len(ontology),
        "n": len(asked),
        "left_out": len(questions) - len(asked),
        "all_found": [asdict(figure(worst[0] < k, worst[1] < k, k)) for k in ks],
        "made_questions": adaptation.questions,
        "adapter": adaptation.adapter is not None,
        "held_out_made": {
            "k": adaptation.k,
            "before": round(adaptation.before, 4),
            "after": round(adaptation.after, 4),
        },
    }
    return result, rows


def figure(plain: np.ndarray[Any, Any], adapted: np.ndarray[Any, Any], k: int) -> Figure:
    """The figure of two systems from whether each question was whole within k."""
    interval = difference(adapted.astype(np.float64), plain.astype(np.float64)).interval
    values = (plain.mean(), adapted.mean(), interval.value, interval.low, interval.high)
    return Figure(k, *(round(float(value), 4) for value in values))


def _worst(index: OntologyIndex, asked: Sequence[tuple[Question, list[str]]]) -> list[int]:
    """For each question the place, from 0, of that of its terms which comes last."""
    out = []
    for (_, gold), hits in zip(
        asked, index.search_each([q.question for q, _ in asked], len(index.terms)), strict=True
    ):
        places = {hit.term.iri: place for place, hit in enumerate(hits)}
        out.append(max(places.get(iri, len(index.terms)) for iri in gold))
    return out


def pooled(name: str, rows: Sequence[dict[str, Any]], ks: Sequence[int]) -> dict[str, Any]:
    """Figures over the questions of several vocabularies."""
    plain, adapted = (np.array([row[key] for row in rows]) for key in ("plain", "adapted"))
    return {
        "vocabulary": name,
        "n": len(rows),
        "all_found": [asdict(figure(plain < k, adapted < k, k)) for k in ks],
    }


def lines_of(result: dict[str, Any]) -> str:
    """A result in one line."""
    found = "   ".join(
        f"@{f['k']} {f['plain']:.3f} → {f['adapted']:.3f} ({f['difference']:+.3f}, {f['low']:+.3f} to {f['high']:+.3f})"
        for f in result["all_found"]
    )
    return f"{result['vocabulary']:26} {result.get('terms', ''):>5} terms, n = {result['n']:<5} all found {found}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", action="append", choices=[*_FILES, "spider4sparql"])
    parser.add_argument("--part", choices=("measured", "decided", "all"), default="measured")
    parser.add_argument("--limit", type=int, metavar="N", help="that many questions a vocabulary, by seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--encoder", default="default")
    parser.add_argument("--data-folder", type=Path, default=os.environ.get("ONTOPROMPT_DATA"))
    parser.add_argument("--rows", type=Path, metavar="FILE", help="a JSON line for each question")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    arguments = parser.parse_args()
    with sentences():
        if arguments.data_folder is None:
            raise UsageError(
                "There is no telling where the questions are.", "Give --data-folder or set ONTOPROMPT_DATA."
            )
        encoder = load_encoder(arguments.encoder)
        names = arguments.dataset or [*_FILES, "spider4sparql"]
        results, rows, small = [], [], []
        for vocabulary in vocabularies(names, arguments.part, arguments.data_folder):
            result, asked = measure(vocabulary, encoder, limit=arguments.limit, seed=arguments.seed)
            results.append(result)
            rows += asked
            if result["terms"] < _LARGE:
                small += asked
            print(lines_of(result), file=sys.stderr if arguments.json else sys.stdout, flush=True)
        if small:
            results.append(pooled("spider4sparql, all of these", small, (3, 5)))
            if not arguments.json:
                print(lines_of(results[-1]))
        write_rows(arguments.rows, rows)
        if arguments.json:
            command = " ".join(["python -m bench.adapt", *sys.argv[1:]])
            print(json.dumps({"vocabularies": results, "encoder": encoder.name, "seed": arguments.seed, "command": command}))  # fmt: skip


if __name__ == "__main__":
    main()
