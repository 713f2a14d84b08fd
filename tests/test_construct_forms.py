"""The forms for constructs that LC-QuAD lacks: they have them, they return something, and what measures is not trained on."""

from __future__ import annotations

import re
from pathlib import Path

import pyoxigraph
import pytest

from bench.constructs import VOCABULARY, figures, questions
from ontoprompt.construct_forms import CONSTRUCTS, WORDINGS
from ontoprompt.errors import UsageError
from ontoprompt.fillings import Filling, invented
from ontoprompt.ontology import load_ontology
from ontoprompt.synth import Counts, SynthConfig, Synthesis, stream

PATTERNS = {
    "GROUP BY": r"GROUP BY", "HAVING": r"HAVING \(COUNT", "OPTIONAL": r"OPTIONAL \{", "MINUS": r"MINUS \{", "BIND": r"BIND\(", "SUM": r"SUM\(",
    "AVG": r"AVG\(", "UNION": r"\} UNION \{", "path": r">\+|>/<", "VALUES": r"VALUES \?",
}  # fmt: skip


@pytest.fixture(scope="module")
def filling() -> Filling:
    return invented(load_ontology([VOCABULARY]), seed=0)


@pytest.fixture(scope="module")
def trained(filling: Filling) -> list[dict[str, object]]:
    """Pairs as `ontoprompt synth` makes them over the very vocabulary that is measured with."""
    synthesis = Synthesis(filling, SynthConfig(4000))
    return [dict(row.record) for _, rows in stream(synthesis, Counts()) for row in rows]


def test_each_construct_is_in_its_questions_and_they_return_something(filling: Filling) -> None:
    store = pyoxigraph.Store()
    store.load("".join(filling.triples()).encode(), format=pyoxigraph.RdfFormat.N_TRIPLES)
    asked = questions(filling, 8)
    assert {q.kind for q in asked} == set(PATTERNS) and len(asked) == 80
    for question in asked:
        assert re.search(PATTERNS[question.kind], question.query)
        assert next(iter(store.query(question.query)), None) is not None, question.query
        assert not set("\x02\x03{}") & set(question.question)
    assert len({q.query for q in asked}) == len({q.id for q in asked}) == 80
    assert asked == questions(filling, 8) != questions(filling, 8, seed=1)


def test_no_wording_that_measures_is_in_what_synth_makes(
    filling: Filling, trained: list[dict[str, object]]
) -> None:
    names = {str(row["template"]) for row in trained}
    assert {n for n in names if n.startswith("construct-")} and not [
        n for n in names if ":held" in n or ":other" in n
    ]
    assert not names & {q.template for q in questions(filling)}
    texts = [re.sub(r"\W+", " ", str(row["question"])).strip().lower() for row in trained]
    for wordings in WORDINGS.values():
        for template in wordings.held:
            literal = [re.sub(r"\W+", " ", part).strip() for part in re.split(r"\{\w+\}", template)]
            pattern = re.compile(r"\b.+\b".join(re.escape(part) for part in literal))
            assert [text for text in texts if pattern.fullmatch(text)] == [], template


def test_each_form_is_made_in_training_too(trained: list[dict[str, object]]) -> None:
    made = {str(row["form"]) for row in trained}
    assert {f"construct-{key}" for key in WORDINGS} <= made
    for w in WORDINGS.values():
        assert len({*w.kept, *w.held, *w.other}) == len(w.kept) + len(w.held) + len(w.other)


def test_a_vocabulary_that_is_too_small_is_said(filling: Filling) -> None:
    with pytest.raises(UsageError, match="Only .* questions with GROUP BY"):
        questions(filling, 900)


def test_what_is_undecided_or_left_out_is_wrong() -> None:
    rows = [
        {"construct": "SUM", "suite_strict": True, "exact": False},
        {"construct": "SUM", "suite_strict": False, "undecided": True},
        {"construct": "AVG", "left_out": "x"},
    ]
    told = figures(rows)
    assert told["SUM"] == {"n": 2, "suite": 0.5, "exact": 0.0, "undecided": 1, "left_out": 0}
    assert told["all"]["n"] == 3 and told["AVG"]["left_out"] == 1


def test_the_bench_vocabulary_is_large_enough_for_distractors() -> None:
    assert len(load_ontology([Path(VOCABULARY)])) > 40 and set(CONSTRUCTS) == set(PATTERNS)
