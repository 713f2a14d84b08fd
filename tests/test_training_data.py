"""Files of pairs → what is trained on: what is left out and said of it, and what is kept out to measure by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from ontoprompt.errors import UsageError
from ontoprompt.held_out import chosen, key_of, without
from ontoprompt.pairs import PreparedPair
from ontoprompt.training_config import TrainConfig
from ontoprompt.training_data import TrainingData, assemble, said_of, write_skipped

PLACES = ("Australia", "France", "Chad", "Peru", "Mali", "Fiji")
CONFIG = TrainConfig(pooled=0.0)


def row(place: str, question: str = "What is the capital of {}?", query: str = "") -> str:
    query = query or "SELECT ?x { dbr:%s dbo:capital ?x }"
    return json.dumps(
        {"question": question.format(place), "sparql": query % place if "%s" in query else query}
    )


def written(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def questions(pairs: Sequence[PreparedPair]) -> set[str]:
    return {p.pair.question for p in pairs}


def all_of(data: TrainingData) -> list[PreparedPair]:
    return [p for _, some in data.sets for p in some]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    # Every query twice: in other words, and in another spelling of the query.
    twice = [
        row(p, "Name the main city of {}", "SELECT ?city WHERE { dbr:%s dbo:capital ?city . }")
        for p in PLACES
    ]
    return written(tmp_path / "pairs.jsonl", [*(row(p) for p in PLACES), *twice])


def test_bad_pairs_are_counted_and_named_and_not_fatal(pairs: Path, graph: Path, tmp_path: Path) -> None:
    bad = [
        "no json",
        "[1]",
        '{"question": "Who is this person?"}',
        '{"question": "n/a", "sparql": "ASK { ?a ?b ?c }"}',
        row("Peru", query="SELECT ?x { dbr:Peru"),
        row("Peru", query="DELETE WHERE { ?a ?b ?c }"),
        row("Peru", query="SELECT ?x { dbr:Peru <http://x.org/p> ?x }"),
        row("Chad", query="SELECT ?x { dbr:Chad"),
    ]
    file = written(tmp_path / "bad.jsonl", [*bad, "", row("Fiji")])
    data = assemble([pairs, file], tmp_path, CONFIG, ontologies=[str(graph)])
    assert [f.used for f in data.files] == [12, 1] and data.size == 13
    found = [(s.line, s.reason) for s in data.skipped]
    assert sorted(line for line, _ in found) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert {s.file for s in data.skipped} == {"bad.jsonl"}
    said = said_of(data.skipped)
    assert "3 × a query that does not parse or does more than read (first: bad.jsonl, line 5)" in said
    assert "1 × a property outside the vocabulary (first: bad.jsonl, line 7)" in said and len(said) == 6
    write_skipped(data.skipped, tmp_path / "skipped.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "skipped.jsonl").read_text().splitlines()]
    assert len(rows) == 8 and {r["question"] for r in rows if r["line"] == 7} == {
        "What is the capital of Peru?"
    }


def test_it_is_fatal_that_nothing_is_left(graph: Path, tmp_path: Path) -> None:
    file = written(tmp_path / "bad.jsonl", ["{}", "no json"])
    with pytest.raises(UsageError, match="no pair to train on.*not JSON .first: bad.jsonl, line 2"):
        assemble([file], tmp_path, CONFIG, ontologies=[str(graph)])


def test_pairs_that_are_too_long_are_named_too(pairs: Path, graph: Path, tmp_path: Path) -> None:
    def fits(pair: PreparedPair) -> bool:
        return "Australia" not in pair.pair.question

    data = assemble([pairs], tmp_path, CONFIG, ontologies=[str(graph)], fits=fits)
    assert data.size == 10
    assert [(s.line, s.reason) for s in data.skipped] == [
        (1, "longer than the model's context"),
        (7, "longer than the model's context"),
    ]


def test_a_held_out_query_is_kept_out_with_all_that_ask_it(pairs: Path, graph: Path, tmp_path: Path) -> None:
    data = assemble([pairs], tmp_path, CONFIG, ontologies=[str(graph)], held_out=2)
    held = {key_of(p) for p in data.held.pairs}
    assert len(data.held.pairs) == len(held) == 2 and data.held.withheld == 2
    left = all_of(data)
    assert len(left) == 8 and not held & {key_of(p) for p in left}


def test_a_held_out_file_is_kept_out_by_query_and_by_question(
    pairs: Path, graph: Path, tmp_path: Path
) -> None:
    file = written(
        tmp_path / "dev.jsonl",
        [
            row("Chad", "So what is the capital of {}?"),
            row("Peru", "WHAT is the capital of {}?", "SELECT ?x { ?x dbo:capital dbr:%s }"),
        ],
    )
    data = assemble([pairs], tmp_path, CONFIG, ontologies=[str(graph)], held_out=file)
    assert len(data.held.pairs) == 2 and data.held.withheld == 3
    gone = {"What is the capital of Chad?", "Name the main city of Chad", "What is the capital of Peru?"}
    assert not gone & questions(all_of(data)) and data.size == 9


def test_what_is_held_out_hangs_on_the_seed_alone(pairs: Path, graph: Path, tmp_path: Path) -> None:
    every = all_of(assemble([pairs], tmp_path, CONFIG, ontologies=[str(graph)]))
    first = questions(chosen([every], 3, 1))
    assert first == questions(chosen([every[::-1][:5], every[::-1][5:]], 3, 1))
    assert len({frozenset(questions(chosen([every], 3, seed))) for seed in range(8)}) > 1
    assert without(every, ()) == tuple(every) and chosen([every], 0, 1) == []


def test_a_file_is_known_by_its_content(pairs: Path, graph: Path, tmp_path: Path) -> None:
    (fact,) = assemble([pairs], tmp_path, CONFIG, ontologies=[str(graph)]).files
    assert fact.sha256 == hashlib.sha256(pairs.read_bytes()).hexdigest()
    assert (fact.name, fact.questions, fact.used) == ("pairs.jsonl", 12, 12)


def test_template_pairs_do_not_ask_what_is_held_out(pairs: Path, graph: Path, tmp_path: Path) -> None:
    data = assemble([pairs], tmp_path, CONFIG, ontologies=[str(graph)], held_out=2, templates=40)
    held = {key_of(p) for p in data.held.pairs}
    assert data.templates == len(data.sets[-1][1]) > 20
    assert not held & {key_of(p) for p in data.sets[-1][1]}
