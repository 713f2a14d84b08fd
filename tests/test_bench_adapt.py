"""The measure of adapters without questions: what counts as found, and over which questions."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from test_index import WordEncoder

from bench import adapt as bench_adapt
from ontoprompt import unlabelled
from ontoprompt.adapting import Recipe
from ontoprompt.ontology import load_ontology

OWL = """<rdf:RDF xmlns:owl="http://www.w3.org/2002/07/owl#" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#" xml:base="http://valuenet/ontop/">
<owl:Class rdf:about="http://valuenet/ontop/boat"/><owl:Class rdf:about="http://valuenet/ontop/race"/>
<owl:DatatypeProperty rdf:about="http://valuenet/ontop/boat#sail"><rdfs:domain rdf:resource="http://valuenet/ontop/boat"/></owl:DatatypeProperty>
<owl:DatatypeProperty rdf:about="http://valuenet/ontop/race#distance"><rdfs:domain rdf:resource="http://valuenet/ontop/race"/></owl:DatatypeProperty>
</rdf:RDF>"""
QUESTIONS = [
    ("How many boats are there?", "select (count( *) as ?n) where { ?t1 a :boat . }"),
    ("sail of every boat", "select ?s where { ?t1 a :boat . ?t1 :boat\\#sail ?s . }"),
    ("distance of every race", "select ?s where { ?t1 a :race . ?t1 :race\\#distance ?s . }"),
    ("What is this about?", "select ?s where { ?s ?p ?o . }"),
]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "spider4sparql"
    folder.mkdir()
    for schema in ("boats", "flight_2"):
        (folder / f"{schema}.owl").write_text(OWL)
    rows = [{"kg_name": g, "question": q, "query": s} for g in ("boats", "flight_2") for q, s in QUESTIONS]
    (folder / "dev_a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setattr(unlabelled, "_FEWEST", 120)
    monkeypatch.setattr(unlabelled, "_RECIPE", Recipe(epochs=3, batch=32, word_dropout=0.0))
    monkeypatch.setattr(bench_adapt, "load_encoder", lambda _: WordEncoder())
    return tmp_path


def test_the_figure_is_the_share_of_whole_questions_and_the_difference_is_paired() -> None:
    plain = np.array([True, False, False, True] * 25)
    adapted = np.array([True, True, False, True] * 25)
    figure = bench_adapt.figure(plain, adapted, 5)
    assert (figure.plain, figure.adapted, figure.difference) == (0.5, 0.75, 0.25)
    assert 0.15 < figure.low < 0.25 < figure.high < 0.35


def test_what_was_looked_at_is_told_from_what_is_measured(data: Path) -> None:
    parts = {
        part: list(bench_adapt.vocabularies(["spider4sparql"], part, data))
        for part in ("decided", "measured", "all")
    }
    assert [v.name for v in parts["decided"]] == ["flight_2"] and parts["decided"][0].decided
    assert [v.name for v in parts["measured"]] == ["boats"] and not parts["measured"][0].decided
    assert len(parts["all"]) == 2 and all(len(v.questions) == 4 for v in parts["all"])


def test_one_object_with_every_vocabulary_and_a_row_for_each_question(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = data / "rows.jsonl"
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "bench.adapt",
            "--dataset",
            "spider4sparql",
            "--data-folder",
            str(data),
            "--rows",
            str(rows),
            "--json",
        ],
    )
    bench_adapt.main()
    printed = json.loads(capsys.readouterr().out)
    boats, pooled = printed["vocabularies"]
    assert boats["vocabulary"] == "boats" and (boats["n"], boats["left_out"], boats["terms"]) == (3, 1, 4)
    assert [f["k"] for f in boats["all_found"]] == [3, 5] and boats["all_found"][1]["plain"] == 1.0
    assert pooled["n"] == 3 and pooled["all_found"] == boats["all_found"]
    written = [json.loads(line) for line in rows.read_text().splitlines()]
    assert [len(row["gold"]) for row in written] == [1, 2, 2]
    shares = [np.mean([row["plain"] < f["k"] for row in written]) for f in boats["all_found"]]
    assert shares == pytest.approx([f["plain"] for f in boats["all_found"]], abs=1e-4)


@pytest.mark.parametrize(("name", "terms"), [("dblp", 102), ("orkg", 107)])
def test_the_vocabularies_that_ship_with_it_are_read(name: str, terms: int) -> None:
    assert len(load_ontology([bench_adapt.HERE / f"{name}.ttl"])) == terms
