"""Answer F1: each definition on cases worked out by hand, and where they differ."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, permutations
from pathlib import Path
from random import Random

import pytest

from bench.answers import Reply, Result, answers_of, grasp, qald, score_answers, text2sparql
from ontoprompt.execution import EmbeddedStore


def rows(*values: str, name: str = "x") -> list[dict[str, str]]:
    return [{name: value} for value in values]


LABELLED = [{"x": "a", "label": "A"}, {"x": "b", "label": "B"}]


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        (rows("a", "b"), rows("b", "a", name="y"), (1.0, 1.0, 1.0)),
        # As many rows as the gold has: none of them is one too many to GRASP.
        (rows("a", "b"), rows("a", "c"), (0.5, 0.5, pytest.approx(2 / 3))),
        (rows("a", "b", "c", "d"), rows("a"), (0.4, 0.4, 0.4)),
        (rows("a"), [], (0.0, 0.0, 0.0)),
        ([], [], (1.0, None, 1.0)),
        ([], rows("a"), (0.0, None, 0.0)),
        # A column of labels: two answers more in one pool of values, nothing for the others.
        (rows("a", "b"), LABELLED, (1.0, pytest.approx(2 * 0.5 * 1 / 1.5), 1.0)),
        # A column less: half of every row is there, and no row is too many.
        (LABELLED, rows("a", "b"), (0.0, pytest.approx(2 / 3), pytest.approx(2 / 3))),
        # A row too many, and half a row.
        (LABELLED[:1], rows("a", "c"), (0.0, 0.5, pytest.approx(2 * (1 / 3) * 0.5 / (1 / 3 + 0.5)))),
        # Columns may come in another order where rows are assigned, or values pooled.
        (LABELLED, [{"l": "A", "y": "a"}, {"l": "B", "y": "b"}], (0.0, 1.0, 1.0)),
        # A value that is missing is no value of the next column.
        (LABELLED, [{"x": "a", "l": "A"}, {"l": "B"}], (0.5, pytest.approx(6 / 7), pytest.approx(6 / 7))),
        (rows("a", "B"), [{"x": "a", "l": "A"}, {"l": "B"}], (0.5, 0.8, 1.0)),
        (True, True, (1.0, 1.0, 1.0)),
        # The challenge's client takes any yes or no for the document `true`.
        (True, False, (0.0, 1.0, 0.0)),
        # No is no value in a pool of values.
        (False, False, (1.0, 0.0, 1.0)),
        (False, True, (0.0, 0.0, 0.0)),
        # Rows say yes to GRASP, and yes says nothing about rows.
        (True, rows("a"), (0.0, 0.0, 1.0)),
        (True, [], (0.0, 0.0, 0.0)),
        (False, [], (0.0, 0.0, 1.0)),
        (rows("a"), True, (0.0, 0.0, 0.0)),
        # The same row twice counts twice where rows are assigned.
        (rows("a", "a"), rows("a"), (1.0, 1.0, pytest.approx(2 / 3))),
    ],
)
def test_by_hand(gold: Result, predicted: Result, expected: tuple[object, object, object]) -> None:
    assert (qald(gold, predicted), text2sparql(gold, predicted), grasp(gold, predicted)) == expected


def test_rows_are_assigned_as_well_as_can_be() -> None:
    """Taking the first best match for each row would leave the second row nothing."""
    gold = [{"x": "a", "y": "b"}, {"x": "a", "y": "c"}]
    predicted = [{"x": "a", "y": "c"}, {"x": "a", "y": "d"}]
    # a-b with a-d shares one of two values, a-c with a-c both: recall 0.75, and no row is too many.
    assert grasp(gold, predicted) == pytest.approx(2 * 0.75 / 1.75)


def test_many_rows_are_matched_whole() -> None:
    many = rows(*(str(n) for n in range(1500)))
    assert grasp(many, many) == 1.0
    assert grasp(many, many[:750]) == pytest.approx(2 / 3)
    assert grasp(many, [{**row, "label": "a"} for row in many]) == 0.0


def test_assignment_is_the_best_of_all() -> None:
    """Against every possible assignment, on small results drawn at random."""
    draw = Random(0)

    def drawn() -> list[dict[str, str]]:
        return [
            {name: draw.choice("abc") for name in "xyz"[: draw.randint(1, 3)]}
            for _ in range(draw.randint(1, 4))
        ]

    def overlap(wanted: dict[str, str], got: dict[str, str]) -> float:
        return (Counter(wanted.values()) & Counter(got.values())).total() / len(wanted)

    for _ in range(200):
        gold, predicted = drawn(), drawn()
        size = min(len(gold), len(predicted))
        best = max(
            sum(overlap(gold[i], predicted[j]) for i, j in zip(some, others, strict=True))
            for some in combinations(range(len(gold)), size)
            for others in permutations(range(len(predicted)), size)
        )
        precision = best / (best + len(predicted) - size) if best else 0.0
        recall = best / len(gold)
        expected = 2 * precision * recall / (precision + recall) if best else 0.0
        assert grasp(gold, predicted) == pytest.approx(expected)


def test_means_and_what_is_left_out() -> None:
    result = score_answers(
        [(rows("a"), rows("a")), (rows("a"), None), ([], []), (None, rows("a")), (rows("a", "b"), rows("a"))]
    )
    assert result["n"] == 4
    assert result["f1_qald"] == round((1 + 0 + 1 + 2 / 3) / 4, 4)
    assert result["f1_text2sparql"] == round((1 + 0 + 2 / 3) / 3, 4)
    assert result["left_out"] == {"no gold answer": 1, "empty gold (TEXT2SPARQL only)": 1}
    assert score_answers([])["f1_qald"] is None
    assert score_answers([(True, None), (False, None)])["f1_text2sparql"] == 0.0


def test_what_a_graph_answers(graph: Path) -> None:
    store = EmbeddedStore([graph])
    try:
        every = answers_of(store, "SELECT ?c ?p { ?c a dbo:Country OPTIONAL { ?c dbo:populationTotal ?p } }")
        found = every.result
        assert isinstance(found, list) and not every.cut
        georgia = "http://dbpedia.org/resource/Georgia_(country)"
        assert len(found) == 3 and {"c": georgia} in found
        two = answers_of(store, "SELECT ?c { ?c a dbo:Country }", most=2)
        assert isinstance(two.result, list) and len(two.result) == 2 and two.cut
        assert not answers_of(store, "SELECT ?c { ?c a dbo:Country } LIMIT 2", most=2).cut
        assert not answers_of(store, "SELECT ?c { ?c a dbo:Country }", most=3).cut
        assert answers_of(store, "ASK { dbr:Paris dbo:country dbr:France }") == Reply(True)
        assert answers_of(store, "SELECT ?c {") == Reply(None)
        assert answers_of(store, "SELECT ?c { SERVICE <http://127.0.0.1:9/> { ?c ?p ?o } }") == Reply(None)
    finally:
        store.close()
