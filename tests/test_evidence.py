"""Pairs of neighbours that the graph speaks against, and what they do to a row of log-probabilities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ontoprompt.entities import EntityLink
from ontoprompt.evidence import PENALTY, in_tokens, unlikely_pairs
from ontoprompt.execution import open_store
from ontoprompt.fragment import Fragment, ScoredTerm
from ontoprompt.ontology import Term
from ontoprompt.prompts import Prompt, build_prompt
from ontoprompt.retrieval import Surroundings, vocabulary_in_use

DBO = "http://dbpedia.org/ontology/"
DBR = "http://dbpedia.org/resource/"


def prompt() -> Prompt:
    question = "Is Canberra the capital of Australia?"
    terms = (
        ScoredTerm(Term(DBO + "capital", "object_property", "capital"), 1.0),
        ScoredTerm(Term(DBO + "country", "object_property", "country"), 0.5),
    )
    entities = (
        EntityLink(DBR + "Canberra", "Canberra", "Canberra", 3, 11, 1.0),
        EntityLink(DBR + "Australia", "Australia", "Australia", 27, 36, 1.0),
    )
    return build_prompt(Fragment(question, terms, entities), "nsql-symbols")


AROUND = {
    DBR + "Canberra": Surroundings(frozenset({DBO + "country"}), frozenset({DBO + "capital"})),
    DBR + "Australia": Surroundings(frozenset({DBO + "capital"}), frozenset({DBO + "country"})),
}


def test_pairs_that_no_triple_has_are_unlikely() -> None:
    # p1 is the capital, p2 the country; e1 is Canberra, e2 is Australia.
    assert unlikely_pairs(prompt(), AROUND.__getitem__) == {
        ("e1", "p1"),
        ("p2", "e1"),
        ("e2", "p2"),
        ("p1", "e2"),
    }


def test_a_graph_that_does_not_say_rules_nothing_out() -> None:
    assert unlikely_pairs(prompt(), lambda iri: Surroundings(None, None)) == frozenset()


TOKENS = {"e1": 1, "e2": 2, "p1": 3, "p2": 4}


def penalised(written: list[int]) -> set[int]:
    evidence = in_tokens(unlikely_pairs(prompt(), AROUND.__getitem__), ("e1", "e2"), TOKENS.get)
    scores = np.zeros(6)
    evidence.apply(written, scores)
    assert set(scores[scores != 0]) <= {-PENALTY}
    return {int(i) for i in np.flatnonzero(scores)}


@pytest.mark.parametrize(
    ("written", "against"),
    [
        ([], set()),
        ([5, 1], {3}),  # Canberra: no capital leaves it
        ([5, 2], {4}),
        ([5, 3], {2}),  # ?x capital: never Australia
        ([2, 3], set()),  # Australia capital: which city it is, is what is asked
        ([1, 3], {2}),  # Canberra capital: wrong already, so the object counts too
    ],
)
def test_what_may_follow(written: list[int], against: set[int]) -> None:
    assert penalised(written) == against


def test_surfaces_of_several_tokens_carry_no_evidence() -> None:
    evidence = in_tokens(frozenset({("e1", "p1")}), ("e1",), lambda surface: None)
    assert evidence.after == {} and evidence.entities == frozenset()


def test_the_vocabulary_of_a_graph_is_counted(graph: Path) -> None:
    store = open_store(graph)
    try:
        used = vocabulary_in_use(store)
    finally:
        store.close()
    assert used is not None
    assert used.properties[DBO + "capital"] == 3
    assert used.classes[DBO + "City"] == 3
