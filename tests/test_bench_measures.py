"""Terms of a query by kind, and how well each kind was chosen."""

from __future__ import annotations

import pytest

from bench.measures import kinds_of, score
from ontoprompt import sparql

DBR, DBO = "http://dbpedia.org/resource/", "http://dbpedia.org/ontology/"


def test_a_kind_is_told_by_where_a_term_stands() -> None:
    query = sparql.parse(
        "SELECT ?x { ?x a dbo:City ; dbo:country/dbo:leader ?y ; rdfs:label ?n "
        "FILTER(?y = dbr:Nobody && xsd:integer(?n) > 2) }"
    )
    entities, properties, classes = kinds_of(query)
    assert entities == {DBR + "Nobody"} and classes == {DBO + "City"}
    assert properties == {DBO + "country", DBO + "leader"}


def test_statements_are_of_their_property_and_classes_of_wikidata_are_items() -> None:
    query = sparql.parse("ASK { wd:Q1 p:P39 ?s . ?s ps:P39 wd:Q2 ; pq:P580 ?t . wd:Q1 wdt:P31 wd:Q5 }")
    entities, properties, classes = kinds_of(query)
    assert {iri.rpartition("/")[2] for iri in entities} == {"Q1", "Q2", "Q5"}
    assert {iri.rpartition("/")[2] for iri in properties} == {"P39", "P580", "P31"} and classes == set()


def test_each_kind_is_scored_where_it_is_named() -> None:
    gold = "SELECT ?x { ?x a dbo:City ; dbo:country dbr:France ; dbo:mayor ?m }"
    found = score(gold, "SELECT ?x { ?x dbo:country dbr:France ; dbo:leader dbr:Paris }")
    assert found.entity_f1 == pytest.approx(2 / 3) and found.property_f1 == 0.5 and found.class_f1 == 0.0
    assert found.term_precision == 0.5 and found.term_recall == pytest.approx(2 / 5)
    other = score("ASK { dbr:Paris dbo:country dbr:France }", "ASK { dbr:Paris dbo:country dbr:France }")
    assert other.class_f1 is None and other.entity_f1 == other.property_f1 == other.term_f1 == 1.0
    assert score(gold, "no query").class_f1 == 0.0
    assert score("ASK { dbr:Paris dbo:country dbr:France }", "no query").class_f1 is None
