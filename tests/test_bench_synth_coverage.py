"""How near pairs are to questions: words and shapes that they share."""

from __future__ import annotations

from bench.synth_coverage import Shapes, coverage, words

REAL = [
    ("Who directed Alien?", "SELECT ?x WHERE { <http://x.org/Alien> <http://x.org/director> ?x }"),
    (
        "How many moons has Mars?",
        "SELECT (COUNT(?x) AS ?n) WHERE { <http://x.org/Mars> <http://x.org/moon> ?x }",
    ),
]


def test_shares() -> None:
    pairs = [("who directed mars?", "SELECT ?answer WHERE { <http://x.org/A> <http://x.org/b> ?answer }")]
    found = coverage(REAL, pairs, Shapes())
    assert found["word_types"] == round(3 / 8, 4)
    assert found["shapes"] == found["queries_by_shape"] == 0.5
    assert len(found["shapes_missing"]) == 1


def test_a_set_covers_itself_and_nothing_covers_nothing() -> None:
    itself = coverage(REAL, REAL, Shapes())
    assert itself["word_tokens"] == itself["shapes"] == 1
    nothing = coverage(REAL, [], Shapes())
    assert nothing["word_tokens"] == nothing["shapes"] == 0


def test_words_and_what_does_not_parse() -> None:
    assert words(["Who's there? 12 there"]) == {"who's": 1, "there": 2}
    assert Shapes().of("SELECT nothing") == ""
