"""Numbers of the question in the units of the properties that they are compared with."""

from __future__ import annotations

import pytest

from ontoprompt.fragment import Fragment, ScoredTerm
from ontoprompt.literals import find_literals
from ontoprompt.ontology import Term
from ontoprompt.prompts import build_prompt
from ontoprompt.units import converted, measure, measure_of, settled, spellings

DBO = "http://dbpedia.org/ontology/"
DOUBLE = ("http://www.w3.org/2001/XMLSchema#double",)


def term(name: str, label: str, *ranges: str) -> Term:
    return Term(DBO + name, "datatype_property", label, range=ranges or DOUBLE)


def fragment(question: str, *terms: Term) -> Fragment:
    return Fragment(question, tuple(ScoredTerm(t, 0.9) for t in terms), (), find_literals(question))


LENGTH = term("length", "length (μ)")
RUNTIME = term("runtime", "runtime (s)")
MINUTES = term("Work/runtime", "runtime (m)", "http://dbpedia.org/datatype/minute")
AREA = term("areaTotal", "area total (m2)")
PEOPLE = term("populationTotal", "population total")


@pytest.mark.parametrize(
    ("unit", "found"),
    [
        ("km", ("length", 1000)),
        ("Kilometers", ("length", 1000)),
        ("feet", ("length", 0.3048)),
        ("square kilometres", ("area", 1e6)),
        ("square feet", ("area", 0.3048**2)),
        ("hours", ("time", 3600)),
        ("people", None),
        ("years", None),
        ("°C", None),
        ("", None),
    ],
)
def test_units_and_their_dimensions(unit: str, found: tuple[str, float] | None) -> None:
    assert measure(unit) == (found and (found[0], pytest.approx(found[1])))


def test_a_vocabulary_says_its_units_in_datatypes_and_labels() -> None:
    assert measure_of(LENGTH) == ("length", 1) and measure_of(RUNTIME) == ("time", 1)
    assert measure_of(MINUTES) == ("time", 60) and measure_of(AREA) == ("area", 1)
    assert measure_of(PEOPLE) is None
    assert measure_of(term("x", "area", "http://dbpedia.org/datatype/squareKilometre")) == ("area", 1e6)


@pytest.mark.parametrize(
    ("question", "of", "before", "after"),
    [
        ("Which rivers are more than 4000 km long?", LENGTH, "?b > 4000", "?b > 4000000"),
        ("Rivers longer than 100 miles", LENGTH, "?b > 100", "?b > 160934.4"),
        ("Films of more than 120 minutes", RUNTIME, "120 < ?b", "7200 < ?b"),
        ("Films of more than 120 minutes", MINUTES, "?b > 120", "?b > 120"),
        ("Lakes over 2 square kilometres", AREA, "?b >= 2", "?b >= 2000000"),
        ("Towns of more than 4000 people", PEOPLE, "?b > 4000", "?b > 4000"),
        # What is not compared with the property is left alone.
        ("Which rivers are more than 4000 km long?", LENGTH, "?c > 4000", "?c > 4000"),
        ("Which rivers are more than 400 km long?", LENGTH, "?b > 4000", "?b > 4000"),
    ],
)
def test_what_is_compared_is_converted(question: str, of: Term, before: str, after: str) -> None:
    query = f"SELECT ?a WHERE {{ ?a <{of.iri}> ?b . FILTER(_) }}"
    assert converted(query.replace("(_)", f"({before})"), fragment(question, of)) == query.replace(
        "(_)", f"({after})"
    )


def test_a_prompt_expands_into_converted_numbers() -> None:
    prompt = build_prompt(fragment("Rivers of more than 4000 km", LENGTH), "nsql-symbols")
    assert prompt.expand("SELECT ?a WHERE { ?a p1 ?b . FILTER ( ?b > l1 ) }") == (
        f"SELECT ?a WHERE {{ ?a <{DBO}length> ?b . FILTER ( ?b > 4000000 ) }}"
    )


def test_what_is_settled_and_how_a_number_may_stand_there() -> None:
    one = fragment("Rivers of more than 4000 km", LENGTH, AREA)
    assert settled(f"?a <{LENGTH.iri}> ?b", one) and not settled(f"?a <{AREA.iri}> ?b", one)
    assert spellings(one.literals[0], one) == ["4000", "4000000"]
    assert not settled(f"?a <{PEOPLE.iri}> ?b", fragment("Towns of more than 4000 people", PEOPLE))
