"""Literals that a question states, and how they are written in SPARQL."""

from __future__ import annotations

import pytest

from ontoprompt import sparql
from ontoprompt.literals import QuestionLiteral, find_literals


def found(question: str) -> list[tuple[str, str]]:
    return [(x.kind, x.value) for x in find_literals(question)]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Films made in 1994?", [("year", "1994")]),
        ("Cities with more than 500,000 inhabitants", [("number", "500000")]),
        ("Cities with over 2.5 million people", [("number", "2500000")]),
        ("Peaks above 0.5 thousand metres", [("number", "500")]),
        ("Is it below -40 degrees?", [("number", "-40")]),
        ("A mass of 1.5 kg", [("number", "1.5")]),
        ("A mass of 6e24 kg", [("number", "6e24")]),
        ("Who was born on 14 March 1879?", [("date", "1879-03-14")]),
        ("Who was born on March 14th, 1879?", [("date", "1879-03-14")]),
        ("Who was born on 1879-03-14?", [("date", "1879-03-14")]),
        ("Who died on the 3rd of May 1987?", [("date", "1987-05-03")]),
        ("Books called “The Trial”", [("string", "The Trial")]),
        ("Books called 'The Trial'", [("string", "The Trial")]),
        ('Books called "The Trial"', [("string", "The Trial")]),
        ("Which name starts with R?", [("string", "R")]),
        ("Which names contain the word river?", [("string", "river")]),
        ("Bands with three members", [("number", "3")]),
        ("Rivers between 100 and 200 km", [("number", "100"), ("number", "200")]),
        ("Who is O'Neill's father?", []),
        ("The Boeing 747-400 and the B52", [("number", "747"), ("number", "400")]),
        ("Who directed it?", []),
        ("", []),
    ],
)
def test_what_is_found(question: str, expected: list[tuple[str, str]]) -> None:
    assert found(question) == expected


def test_a_date_is_not_also_a_year_and_numbers() -> None:
    assert found("Born on 14 March 1879 in Ulm") == [("date", "1879-03-14")]


def test_what_is_quoted_is_not_read_again() -> None:
    assert found('The film "2001: three men"') == [("string", "2001: three men")]


@pytest.mark.parametrize("text", ["2020-13-01", "2020-01-40", "40 March 1999"])
def test_an_impossible_date_is_none(text: str) -> None:
    assert "date" not in {kind for kind, _ in found(f"Born {text}?")}


def test_places_are_those_of_the_mentions() -> None:
    question = "Which of two cities has 1,000 parks since 3 May 1987, called 'Green'?"
    for literal in find_literals(question):
        assert question[literal.start : literal.end] == literal.mention
    assert [x.start for x in find_literals(question)] == sorted(x.start for x in find_literals(question))


def test_at_most_the_limit() -> None:
    question = " ".join(str(n) for n in range(100, 140))
    assert len(find_literals(question)) == 6
    assert len(find_literals(question, limit=3)) == 3


def test_a_long_question_is_read_quickly() -> None:
    assert len(find_literals("1,2,'" * 2000)) <= 6


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("number", "42", "42"),
        ("year", "1994", "1994"),
        ("date", "1879-03-14", '"1879-03-14"^^<http://www.w3.org/2001/XMLSchema#date>'),
        ("string", "The Trial", '"The Trial"'),
    ],
)
def test_sparql_forms(kind: str, value: str, written: str) -> None:
    assert QuestionLiteral(kind, value, value, 0, 1).sparql() == written  # type: ignore[arg-type]
    assert QuestionLiteral(kind, value, value, 0, 1).sparql(as_string=True) == f'"{value}"'  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value",
    [
        'say "hi"',
        "back\\slash",
        'end\\"',
        "line\nbreak",
        "cr\rhere",
        "} ; DROP ALL #",
        "\\u0022 x",
        "'",
        "日本",
    ],
)
def test_a_string_stays_inside_its_quotes(value: str) -> None:
    literal = QuestionLiteral("string", value, value, 0, 1)
    query = sparql.parse(f"SELECT ?s WHERE {{ ?s <http://x.org/p> {literal.sparql()} }}")
    sparql.check_read_only(query)
    assert query.iris() == {"http://x.org/p"}
    rows = sparql.parse(query.text())
    assert sparql.canonical(rows) == sparql.canonical(query)


@pytest.mark.parametrize("kind", ["number", "year"])
def test_every_number_found_is_a_number_of_sparql(kind: str) -> None:
    for question in ("over 1,234.5 and 1e5", "in 1999", "-7 or 0.25", "two million", "3 trillion", "007"):
        for literal in find_literals(question):
            query = sparql.parse(f"ASK {{ ?s <http://x.org/p> ?o FILTER ( ?o > {literal.sparql()} ) }}")
            assert query.form == "ask"
