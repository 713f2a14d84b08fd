"""What words demand of a query's form, and that names of things and terms demand nothing."""

from __future__ import annotations

import pytest

from ontoprompt.demands import demands, unmet


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("What is the total weight of all bridges?", {"total"}),
        ("Sum the prices up", {"total"}),
        ("How old are players on average?", {"average"}),
        ("List the bridges and their architect, if known", {"optional"}),
        ("Bridges, with the architect for those that have one", {"optional"}),
        ("Which films have Ann Ray as director or as producer?", {"alternative"}),
        ("Rivers that flow directly or indirectly into the Elbe", {"alternative", "chain"}),
        ("What is the height of X minus its depth?", {"difference"}),
        ("Who wrote Emma?", set()),
        ("Is the voltage in Italy 276 or more?", set()),
        ("How many times was Austria dissolved?", set()),
    ],
)
def test_words_make_demands(question: str, wanted: set[str]) -> None:
    assert {demand.name for demand, _ in demands(question)} == wanted


def test_a_name_makes_none() -> None:
    question = "Who stars in Either Way or Total Recall?"
    assert demands(question)
    assert demands(question, [(question.index("Either"), len(question) - 1)]) == ()


@pytest.mark.parametrize(
    ("question", "meets", "fails"),
    [
        (
            "total weight of bridges",
            "SELECT (SUM(?b) AS ?n) WHERE { ?a <w> ?b }",
            "SELECT ?b WHERE { ?a <w> ?b }",
        ),
        (
            "bridges with their architect, if known",
            "SELECT ?a ?b WHERE { ?a a <B> . OPTIONAL { ?a <p> ?b } }",
            "SELECT ?b WHERE { ?a <p> ?b }",
        ),
        (
            "who lives in or comes from Rome",
            "SELECT ?a WHERE { { ?a <p> <r> } UNION { ?a <q> <r> } }",
            "SELECT ?a WHERE { ?a <p> <r> }",
        ),
        ("boxes within X at any depth", "SELECT ?a WHERE { ?a <p>+ <x> }", "SELECT ?a WHERE { ?a <p> <x> }"),
        (
            "height minus depth of X",
            "SELECT ?n WHERE { <x> <h> ?a ; <d> ?b . BIND(?a - ?b AS ?n) }",
            "SELECT ?a WHERE { <x> <h> ?a }",
        ),
    ],
)
def test_a_query_meets_them_or_not(question: str, meets: str, fails: str) -> None:
    asked = demands(question)
    assert unmet(asked, meets, []) == 0
    assert unmet(asked, fails, []) == 1


def test_a_name_of_a_term_in_use_is_no_demand() -> None:
    asked = demands("What is the total revenue of IHOP?")
    query = "SELECT ?a WHERE { <x> <revenue> ?a }"
    assert unmet(asked, query, ["revenue"]) == 1
    assert unmet(asked, query, ["total revenue"]) == 0
