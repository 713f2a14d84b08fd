"""Queries that are nearly right: they are queries, wrong, and of the kinds that a generator writes."""

from __future__ import annotations

from random import Random

import pytest

from ontoprompt import sparql
from ontoprompt.entities import EntityLink
from ontoprompt.near_misses import NearMisses, Shaped, in_sparql, same_but_for_order, shaped
from ontoprompt.ontology import Term
from ontoprompt.pairs import Labels, Pair, PreparedPair, prepare

DBO, DBR = "http://dbpedia.org/ontology/", "http://dbpedia.org/resource/"
DIRECTOR, BIRTH = (
    Term(DBO + "director", "object_property", "director"),
    Term(DBO + "birthPlace", "object_property", "birth place"),
)
WRITER = Term(DBO + "writer", "object_property", "writer")
PSYCHO = EntityLink(DBR + "Psycho", "Psycho", "Psycho", 26, 32, 1.0)
HEAT = EntityLink(DBR + "Heat", "Heat", "", -1, -1, 0.5)
QUERIES = {
    "Where was the director of Psycho born?": "SELECT ?a WHERE { dbr:Psycho dbo:director ?b . ?b dbo:birthPlace ?a }",
    "Who directed Heat?": "SELECT ?a WHERE { dbr:Heat dbo:director ?a }",
    "How many films did Ann direct?": "SELECT (COUNT(?a) AS ?n) WHERE { ?a dbo:director dbr:Ann }",
    "Did Ann direct Heat?": "ASK { dbr:Heat dbo:director dbr:Ann }",
}


def prepared(question: str) -> PreparedPair:
    return prepare(Pair(question, QUERIES[question]), Labels([]))


def pairs() -> list[Shaped]:
    made = [shaped(prepared(q), [WRITER, DIRECTOR], [HEAT, PSYCHO]) for q in QUERIES]
    return [pair for pair in made if pair is not None]


def test_a_pair_keeps_what_is_wrong_for_it_alone() -> None:
    first = pairs()[0]
    assert [t.iri for t in first.terms] == [WRITER.iri]
    assert [e.iri for e in first.entities] == [HEAT.iri]
    assert first.shape == "SELECT ?a WHERE { E1 P1 ?b . ?b P2 ?a }"


def test_near_misses_are_queries_other_than_the_gold_one_and_differ_from_each_other() -> None:
    misses = NearMisses(pairs())
    for seed, pair in enumerate(pairs() * 5):
        gold, others = misses.draw(pair, Random(seed), 12)
        keys = [same_but_for_order(words) for words in (gold, *others)]
        assert len(set(keys)) == len(keys)
        assert len(others) >= 6


def test_the_ways_of_being_wrong() -> None:
    misses, pair = NearMisses(pairs()), pairs()[0]
    gold, _ = misses.draw(pair, Random(0), 1)
    assert gold == "Psycho director x ; x birth place what"
    found = {words for seed in range(60) for words in misses.draw(pair, Random(seed), 12)[1]}
    assert "Psycho birth place x ; x director what" in found, "properties in each other's places"
    assert "Psycho director x ; what birth place x" in found, "a pattern turned round"
    assert "Heat director x ; x birth place what" in found, "another entity"
    assert "Psycho writer x ; x birth place what" in found, "another property"
    assert any(words.startswith("how many") for words in found), "another question's query"


def test_the_same_seed_draws_the_same() -> None:
    misses, pair = NearMisses(pairs()), pairs()[0]
    assert misses.draw(pair, Random(4), 8) == misses.draw(pair, Random(4), 8)


def test_symbols_stand_for_what_they_mean_statements_too() -> None:
    iris = {
        "e1": "http://www.wikidata.org/entity/Q1",
        "p1": "http://www.wikidata.org/prop/direct/P2",
        "l1": "5",
    }
    text = in_sparql("SELECT ?a WHERE { e1 p: p1 ?b . ?b ps: p1 ?a . ?a p1* ?c . FILTER ( ?c > l1 ) }", iris)
    assert sparql.parse(text).iris() == {
        "http://www.wikidata.org/entity/Q1",
        "http://www.wikidata.org/prop/P2",
        "http://www.wikidata.org/prop/statement/P2",
        "http://www.wikidata.org/prop/direct/P2",
    }
    assert "> 5" in text and "P2>*" in text


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("what p A ; what q B", "what q B ; what p A", True),
        ("how many what p x ; x q A", "how many y q A ; what p y", True),
        ("whether A p x ; x q y", "whether y q x ; A p y", True),
        ("what p A", "A p what", False),
        ("what p x order by desc x limit 1", "what p x order by asc x limit 1", False),
        ("how many what p A", "what p A", False),
    ],
)
def test_order_and_letters_do_not_make_another_query(one: str, other: str, same: bool) -> None:
    assert (same_but_for_order(one) == same_but_for_order(other)) == same
