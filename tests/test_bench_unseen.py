"""Vocabularies held out: what is drawn, what a pool holds, what a model's records say."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.adapt import Vocabulary
from bench.datasets import Question
from bench.links import POOL_ENTITIES, POOL_TERMS
from bench.unseen import drawn, figures, seen_by
from bench.vocabulary_links import VocabularyLinking, names_in
from ontoprompt.ontology import load_ontology

ORKG = Path(__file__).parent.parent / "bench" / "vocabularies" / "orkg.ttl"
ONTOLOGY = load_ontology([ORKG])
LINK = next(t for t in ONTOLOGY if t.kind != "class")


def question(key: str, query: str, text: str = "What is it of Alder Prize?") -> Question:
    return Question(key, text, (), query, None, "", "", "test")


ASKED = question("1", f"SELECT ?x WHERE {{ <http://x.org/resource/Alder_Prize> <{LINK.iri}> ?x }}")


def test_the_parts_are_drawn_together_and_told_apart() -> None:
    parts = [
        Vocabulary(name, False, ONTOLOGY, tuple(question(str(n % 2), ASKED.query) for n in range(9)))
        for name in "ab"
    ]
    some = drawn(parts, 7, 0)
    assert sum(len(asked) for _, asked in some) == 7 and some == drawn(parts, 7, 0)
    assert all(len({q.id for q in asked}) == len(asked) for _, asked in some)
    assert sum(len(asked) for _, asked in drawn(parts, None, 0)) == 18


def test_entities_are_called_by_their_local_names() -> None:
    assert names_in([ASKED.query, "no query"], ONTOLOGY) == {
        "http://x.org/resource/Alder_Prize": "Alder Prize"
    }


def test_a_pool_holds_the_gold_among_others_even_where_nothing_has_a_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ONTOPROMPT_HOME", str(tmp_path))
    linked = VocabularyLinking(ONTOLOGY, names_in([ASKED.query], ONTOLOGY)).link(ASKED)
    assert not linked.left_out and linked.gold is not None
    assert LINK.iri in {s.term.iri for s in linked.fragment.terms}
    assert len(linked.fragment.terms) == 1 + POOL_TERMS
    assert len(linked.fragment.entities) == 1 + POOL_ENTITIES
    again = VocabularyLinking(ONTOLOGY, names_in([ASKED.query], ONTOLOGY)).link(ASKED)
    assert linked.fragment == again.fragment


def test_records_tell_what_was_seen(tmp_path: Path) -> None:
    record = tmp_path / "training.json"
    assert seen_by(tmp_path).startswith("unknown") and seen_by(None).startswith("unknown")
    record.write_text('{"files": ["lcquad2.jsonl"]}', encoding="utf-8")
    assert seen_by(tmp_path) == "no"
    record.write_text('{"files": ["dblp-train.jsonl", "SciQA.jsonl"]}', encoding="utf-8")
    assert seen_by(tmp_path) == "names dblp, sciqa"


def test_figures_are_over_all_questions() -> None:
    told = figures([{"suite_strict": True, "exact": True}, {"left_out": "x"}, {"undecided": True}])
    assert told == {"n": 3, "suite": 0.3333, "exact": 0.3333, "undecided": 1, "left_out": {"x": 1}}
