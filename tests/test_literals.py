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
        ("Born on March the 5th, 1990", [("date", "1990-03-05")]),
        ("Born on 5th of March 1990", [("date", "1990-03-05")]),
        ("Born on 5-March-1990", [("date", "1990-03-05")]),
        ("Born on 1990/03/05", [("date", "1990-03-05")]),
        ("Born on 2018 -6-11", [("date", "2018-06-11")]),
        ("Born on 03/05/1990", [("date", "1990-03-05"), ("date", "1990-05-03")]),
        ("Born on 03/03/1990", [("date", "1990-03-03")]),
        ("Born on 25/12/1990", [("date", "1990-12-25")]),
        ("Born on 12/25/90", [("date", "1990-12-25")]),
        ("Born on 05.03.1990", [("date", "1990-03-05")]),
        ("Films of the 1980s", [("year", "1980"), ("year", "1989")]),
        ("Films of the '80s", [("year", "1980"), ("year", "1989")]),
        ("Films of the nineties", [("year", "1990"), ("year", "1999")]),
        ("Killed in 44 BC", [("year", "-44")]),
        ("Twenty-five bands", [("number", "25")]),
        ("Cities of two hundred thousand people", [("number", "200000")]),
        ("Cities of three million and five people", [("number", "3000005")]),
        ("At least a hundred albums", [("number", "100")]),
        ("Cities of 1 000 000 people", [("number", "1000000")]),
        ("Rivers of 100 200 and 300 km", [("number", "100"), ("number", "200"), ("number", "300")]),
        ("Permittivity below .8", [("number", "0.8")]),
        ("The 235th position", [("number", "235")]),
        ("Roads of 200km", [("number", "200")]),
        ("Software of version 12.7.5", [("string", "12.7.5")]),
        ("Who is shown in Northern Lights 2 (cropped).jpg?", [("string", "Northern Lights 2 (cropped).jpg")]),
        ("What has the banner Welcome banner.jpg ?", [("string", "Welcome banner.jpg")]),
        ("Which town has the name Москва река?", [("string", "Москва река")]),
        ("Which town starts with a", [("string", "a")]),
        ("Which town starts with a vowel", []),
        ("Which town starts with the letter ó?", [("string", "ó")]),
        ("Which plant has the common name Domestic Goat?", [("string", "Domestic Goat")]),
        ("Which mountain with highest isolation", []),
        ('"Which town is it?"', []),
        ("The Boeing 747-400 and the B52", [("number", "747"), ("number", "400")]),
        ("Who directed it?", []),
        ("", []),
    ],
)
def test_what_is_found(question: str, expected: list[tuple[str, str]]) -> None:
    assert found(question) == expected


@pytest.mark.parametrize(
    ("question", "unit", "datatype"),
    [
        ("Rivers longer than 100 km", "km", "integer"),
        ("Bridges of 1.5 miles", "miles", "decimal"),
        ("A mass of 6e24 kg", "kg", "double"),
        ("Roads of 200km", "km", "integer"),
        ("More than $5 in fees", "$", "integer"),
        ("Boils at 37 °C", "°C", "integer"),
        ("Grew by 12.5%", "%", "decimal"),
        ("More than two million people", "people", "integer"),
        ("Longer than 2000 metres", "metres", "integer"),
        ("In 2000", "", "gYear"),
        ("On 1 May 2000", "", "date"),
        ('Called "2000"', "", "string"),
        ("The 2000 bridges", "", "gYear"),
    ],
)
def test_units_and_types_are_told(question: str, unit: str, datatype: str) -> None:
    (literal,) = find_literals(question)
    assert (literal.unit, literal.datatype) == (unit, f"http://www.w3.org/2001/XMLSchema#{datatype}")


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


@pytest.mark.parametrize(
    ("question", "values"),
    [
        ("cities and their mayors, for those that have one", []),
        ("the population of every one of the cities", []),
        ("which town has one of the highest towers", []),
        ("Which films have more than one director?", ["1"]),
        ("a person with one child", ["1"]),
        ("Who has exactly one wife?", ["1"]),
        ("one hundred people", ["100"]),
    ],
)
def test_one_is_a_number_only_where_it_counts(question: str, values: list[str]) -> None:
    assert [x.value for x in find_literals(question)] == values
