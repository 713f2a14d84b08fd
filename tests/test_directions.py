"""Which way the properties of a query are gone, and what questions asked before say of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ontoprompt import sparql
from ontoprompt.alignment import Heard
from ontoprompt.directions import BACKWARD, FORWARD, directions, signs
from ontoprompt.embedding import load_encoder
from ontoprompt.fragment import Fragment
from ontoprompt.neighbours import FILE, Neighbours
from ontoprompt.ranking import Cost

DBO, DBP = "http://dbpedia.org/ontology/", "http://dbpedia.org/property/"


def ways(query: str) -> list[tuple[str, int]]:
    found = directions(sparql.parse(query.replace("e:", "x:").replace("x:", "<urn:").replace(";", ">")))
    return [(iri.removeprefix("urn:"), sign) for iri, sign in found]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("SELECT ?a WHERE { e:e; x:p; ?a }", [("p", FORWARD)]),
        ("SELECT ?a WHERE { ?a x:p; e:e; }", [("p", BACKWARD)]),
        ("SELECT ?a WHERE { e:e; x:p; ?b . ?a x:q; ?b }", [("p", FORWARD), ("q", BACKWARD)]),
        ("SELECT ?a WHERE { ?b x:q; ?a . ?b x:p; e:e; }", [("q", FORWARD), ("p", BACKWARD)]),
        ('SELECT ?a WHERE { ?a x:p; "text" }', [("p", BACKWARD)]),
        ("ASK { e:e; x:p; e:f; }", []),
        ("SELECT ?a WHERE { ?a a x:c; . ?a x:p; ?b }", []),
    ],
)
def test_a_pattern_goes_from_what_is_named(query: str, wanted: list[tuple[str, int]]) -> None:
    assert ways(query) == wanted


def test_forms_of_statements_and_ways_that_cancel_out_say_nothing() -> None:
    wd, p = "http://www.wikidata.org/entity/", "http://www.wikidata.org/prop/"
    query = (
        f"SELECT ?v WHERE {{ <{wd}Q1> <{p}P1> ?s . ?s <{p}statement/P1> ?v . ?s <{p}qualifier/P2> <{wd}Q2> }}"
    )
    assert directions(sparql.parse(query)) == []
    both = sparql.parse("SELECT ?a WHERE { <urn:e> <urn:p> ?a . ?b <urn:p> <urn:e> }")
    assert signs(both) == {"urn:p": 0}


ASKED = (
    ("Which team plays in the Big Dome?", {DBP + "arena": BACKWARD}),
    ("Which club is at home in the Small Dome?", {DBO + "arena": BACKWARD}),
    ("What is the arena of the Bears?", {DBO + "arena": FORWARD}),
    ("Who wrote Emma?", {DBO + "author": FORWARD}),
)


@pytest.fixture(scope="module")
def neighbours() -> Neighbours:
    return Neighbours.of(ASKED, load_encoder())


def odds(neighbours: Neighbours, question: str, *iris: str) -> dict[str, float]:
    return neighbours.directions(load_encoder().encode([question])[0], iris)


def test_the_likest_questions_say_which_way(neighbours: Neighbours) -> None:
    found = odds(
        neighbours, "Which team plays in the Round Dome?", DBO + "arena", DBP + "arena", DBO + "height"
    )
    assert set(found) == {DBO + "arena", DBP + "arena"}
    # What is called alike is gone alike.
    assert found[DBO + "arena"] == found[DBP + "arena"] < -1
    assert odds(neighbours, "What is the arena of the Lions?", DBO + "arena")[DBO + "arena"] > 0


def test_directions_are_kept_and_an_older_file_knows_none(neighbours: Neighbours, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    neighbours.save(tmp_path / FILE)
    assert (Neighbours.load(tmp_path / FILE).signs == neighbours.signs).all()
    arrays = load_file(tmp_path / FILE)
    del arrays["signs"]
    save_file(arrays, tmp_path / FILE, metadata={"iris": __import__("json").dumps(neighbours.iris)})
    older = Neighbours.load(tmp_path / FILE)
    assert not older.signs.any() and odds(older, ASKED[0][0], DBO + "arena") == {}
    assert older.signs.dtype == np.int8


def test_a_query_that_goes_the_other_way_costs() -> None:
    question = "Which team plays in the Round Dome?"
    heard = Heard((), {}, {DBO + "arena": -2.0})
    cost = Cost(question, Fragment(question), heard)
    along = cost(f"SELECT ?a WHERE {{ ?a <{DBO}arena> <urn:dome> }}")
    against = cost(f"SELECT ?a WHERE {{ <urn:dome> <{DBO}arena> ?a }}")
    unsaid = Cost(question, Fragment(question), Heard((), {}))
    assert against - along == pytest.approx(1.2)
    assert along == unsaid(f"SELECT ?a WHERE {{ <urn:dome> <{DBO}arena> ?a }}")
