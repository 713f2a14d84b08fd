"""A query in words: what is said of it, and what is not."""

from __future__ import annotations

import pytest

from ontoprompt.query_words import query_words

WD = "http://www.wikidata.org"
NAMES = {
    f"{WD}/prop/direct/P547": "commemorates",
    f"{WD}/prop/direct/P31": "instance of",
    f"{WD}/prop/direct/P26": "spouse",
    f"{WD}/prop/direct/P580": "start time",
    f"{WD}/entity/Q162269": "Jefferson Davis",
    f"{WD}/entity/Q7075": "library",
    "http://dbpedia.org/ontology/Country": "country",
    "http://dbpedia.org/ontology/area": "area",
}
AREA, COUNTRY = "<http://dbpedia.org/ontology/area>", "<http://dbpedia.org/ontology/Country>"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (
            f"SELECT DISTINCT ?a WHERE {{ ?a <{WD}/prop/direct/P547> <{WD}/entity/Q162269> . "
            f"?a <{WD}/prop/direct/P31> <{WD}/entity/Q7075> }}",
            "what commemorates Jefferson Davis ; what instance of library",
        ),
        (
            f"SELECT ?x WHERE {{ <{WD}/entity/Q162269> <{WD}/prop/P26> ?s . ?s <{WD}/prop/statement/P26> ?x . "
            f"?s <{WD}/prop/qualifier/P580> ?t . FILTER ( ?t > 1900 ) }}",
            "Jefferson Davis spouse what ; with start time x ; where x above 1900",
        ),
        (
            f"ASK WHERE {{ <{WD}/entity/Q162269> <{WD}/prop/direct/P26> ?b }}",
            "whether Jefferson Davis spouse x",
        ),
        (
            f"SELECT ( COUNT ( DISTINCT ?a ) AS ?n ) WHERE {{ ?a a {COUNTRY} }}",
            "how many what is a country",
        ),
        (
            f"SELECT ?a WHERE {{ ?a a {COUNTRY} . ?a {AREA} ?b }} ORDER BY DESC ( ?b ) LIMIT 1",
            "what is a country ; what area x order by desc x limit 1",
        ),
        (
            f'SELECT ?a ?b WHERE {{ ?a a {COUNTRY} . ?a rdfs:label ?b . FILTER ( CONTAINS ( LCASE ( ?b ) , "an" ) ) '
            'FILTER ( LANG ( ?b ) = "en" ) } LIMIT 25',
            "what is a country ; what called which ; where contains which an limit 25",
        ),
        (
            "SELECT ?a WHERE { <http://example.org/Old_Town> <http://example.org/part> ?a }",
            "Old Town part what",
        ),
    ],
)
def test_what_tells_queries_apart_is_said(query: str, words: str) -> None:
    assert query_words(query, NAMES) == words


def test_who_does_what_to_whom_is_kept() -> None:
    one = f"SELECT ?a WHERE {{ ?a <{WD}/prop/direct/P26> <{WD}/entity/Q162269> }}"
    other = f"SELECT ?a WHERE {{ <{WD}/entity/Q162269> <{WD}/prop/direct/P26> ?a }}"
    assert query_words(one, NAMES) != query_words(other, NAMES)


def test_groups_and_alternatives_have_marks() -> None:
    one = "{ ?a <http://e.org/p> ?b } UNION { ?a <http://e.org/q> ?b }"
    said = query_words(f"SELECT ?a WHERE {{ {one} }}", {})
    assert "union" in said and said.index(" p ") < said.index("union") < said.index(" q ")
    assert "optional" in query_words("SELECT ?a WHERE { ?a a ?b . OPTIONAL { ?a <http://e.org/p> ?c } }", {})


@pytest.mark.parametrize("text", ["", "hello", "SELECT", "SELECT ?a WHERE {", "DESCRIBE <http://e.org/x>"])
def test_what_is_no_query_raises_nothing(text: str) -> None:
    assert isinstance(query_words(text, {}), str)
