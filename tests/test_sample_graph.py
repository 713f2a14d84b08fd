"""The sample graph: big enough to ask, whole, and written in terms the DBpedia ontology has."""

from __future__ import annotations

import importlib.util
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pyoxigraph as ox
import pytest

FOLDER = Path(__file__).parent.parent / "ontology"
DBO = "http://dbpedia.org/ontology/"
DBR = "http://dbpedia.org/resource/"
TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
RANGE = "http://www.w3.org/2000/01/rdf-schema#range"
OWL = "http://www.w3.org/2002/07/owl#"
XSD = "http://www.w3.org/2001/XMLSchema#"
# Entities of these classes only name what others are about: a label, a class and one fact will do.
NAMES = {"Award", "Genre", "TopicalConcept", "AcademicSubject", "Sport", "Continent", "BodyOfWater"}
FIELDS = (
    "Country", "City", "State", "Language", "Currency", "Mountain", "River", "Lake", "ChemicalElement", "Planet",
    "Scientist", "Writer", "Actor", "MovieDirector", "MusicalArtist", "Politician", "Painter", "Athlete",
    "Film", "Book", "Album", "Opera", "Painting", "Band", "Company", "University", "Museum", "SoccerClub", "Stadium",
    "PoliticalParty", "ProgrammingLanguage",
)  # fmt: skip


@dataclass
class Graph:
    """The file read: labels and classes of the entities, and all other triples."""

    labels: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    classes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    facts: list[tuple[str, str, ox.NamedNode | ox.Literal]] = field(default_factory=list)
    triples: int = 0


@pytest.fixture(scope="module")
def graph() -> Graph:
    read = Graph()
    for quad in ox.parse(path=str(FOLDER / "sample.ttl"), format=ox.RdfFormat.TURTLE):
        subject, predicate, value = quad.subject.value, quad.predicate.value, quad.object
        read.triples += 1
        if predicate == LABEL:
            assert value.language == "en"
            read.labels[subject].append(value.value)
        elif predicate == TYPE:
            read.classes[subject].add(value.value)
        else:
            read.facts.append((subject, predicate, value))
    return read


def read_terms() -> tuple[set[str], set[str], dict[str, str]]:
    """Classes, object properties, and the ranges of the datatype properties of the DBpedia ontology."""
    kinds: dict[str, set[str]] = defaultdict(set)
    ranges = {}
    for quad in ox.parse(path=str(FOLDER / "dbpedia.ttl"), format=ox.RdfFormat.TURTLE):
        if quad.predicate.value == TYPE:
            kinds[quad.object.value].add(quad.subject.value)
        elif quad.predicate.value == RANGE:
            ranges[quad.subject.value] = quad.object.value
    data = kinds[OWL + "DatatypeProperty"]
    return (
        kinds[OWL + "Class"],
        kinds[OWL + "ObjectProperty"],
        {iri: ranges[iri] for iri in data if iri in ranges},
    )


@pytest.fixture(scope="module")
def terms() -> tuple[set[str], set[str], dict[str, str]]:
    return read_terms()


def test_it_is_big_enough_to_ask(graph: Graph) -> None:
    assert len(graph.labels) >= 3_500
    assert graph.triples >= 24_000
    assert len({predicate for _, predicate, _ in graph.facts}) >= 100


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_has_entities(graph: Graph, name: str) -> None:
    assert sum(DBO + name in classes for classes in graph.classes.values()) >= 8


def test_every_entity_has_one_label_and_a_class(graph: Graph) -> None:
    assert set(graph.labels) == set(graph.classes)
    assert [iri for iri, labels in graph.labels.items() if len(labels) != 1 or not labels[0].strip()] == []
    assert [iri for iri in graph.labels if not iri.startswith(DBR)] == []


def test_every_entity_stands_in_three_facts(graph: Graph) -> None:
    degree: Counter[str] = Counter()
    for subject, _, value in graph.facts:
        degree[subject] += 1
        if isinstance(value, ox.NamedNode):
            degree[value.value] += 1
    names = {DBO + name for name in NAMES}
    assert [iri for iri in graph.labels if degree[iri] < 1] == []
    assert [iri for iri, classes in graph.classes.items() if degree[iri] < 3 and not classes & names] == []


def test_nothing_dangles(graph: Graph) -> None:
    named = set(graph.labels)
    objects = {value.value for _, _, value in graph.facts if isinstance(value, ox.NamedNode)}
    assert objects - named == set()
    assert {subject for subject, _, _ in graph.facts} - named == set()


def test_every_term_is_of_the_dbpedia_ontology(
    graph: Graph, terms: tuple[set[str], set[str], dict[str, str]]
) -> None:
    classes, links, ranges = terms
    assert set().union(*graph.classes.values()) - classes == set()
    for _, predicate, value in graph.facts:
        assert predicate in (links if isinstance(value, ox.NamedNode) else ranges)


def test_every_literal_has_the_datatype_its_property_asks(
    graph: Graph, terms: tuple[set[str], set[str], dict[str, str]]
) -> None:
    _, _, ranges = terms
    wrong = [
        (subject, predicate, value)
        for subject, predicate, value in graph.facts
        if isinstance(value, ox.Literal) and value.datatype.value != ranges[predicate]
    ]
    assert wrong == []


def literals(graph: Graph, datatype: str) -> Iterator[str]:
    for _, _, value in graph.facts:
        if isinstance(value, ox.Literal) and value.datatype.value == XSD + datatype:
            yield value.value


def test_dates_and_numbers_are_well_formed(graph: Graph) -> None:
    assert max(date.fromisoformat(text) for text in literals(graph, "date")) <= date(2024, 12, 31)
    assert all(re.fullmatch(r"\d{4}", text) and int(text) <= 2024 for text in literals(graph, "gYear"))
    for datatype in ("nonNegativeInteger", "positiveInteger", "integer", "double"):
        assert [text for text in literals(graph, datatype) if float(text) <= 0] == []


# What no thing of that kind on this earth goes beyond, in DBpedia's units: a value in another unit does.
BOUNDS = {
    ("Country", "areaTotal"): (4e5, 2e13),  # square metres: Vatican City to Russia
    ("Lake", "areaTotal"): (1e6, 4e11),
    ("Country", "populationTotal"): (500, 2e9),
    ("City", "populationTotal"): (1_000, 4e7),
    ("River", "length"): (1e5, 7e6),  # metres
    ("Mountain", "elevation"): (500, 8_850),
    ("Lake", "maximumDepth"): (10, 1_700),
    ("Building", "height"): (50, 850),
    ("Athlete", "height"): (1.4, 2.4),
    ("Film", "runtime"): (60 * 60, 60 * 300),  # seconds
    ("Planet", "density"): (500, 6_000),  # kilograms per cubic metre
    ("Planet", "meanRadius"): (2e6, 8e7),
    ("Planet", "orbitalPeriod"): (80 * 86_400, 170 * 366 * 86_400),
}


@pytest.mark.parametrize("name, prop", BOUNDS)
def test_measures_are_in_the_unit_of_their_property(graph: Graph, name: str, prop: str) -> None:
    low, high = BOUNDS[name, prop]
    values = {
        s: float(v.value) for s, p, v in graph.facts if p == DBO + prop and DBO + name in graph.classes[s]
    }
    assert len(values) >= 8
    assert {s: value for s, value in values.items() if not low <= value <= high} == {}


def links(graph: Graph, prop: str) -> dict[str, set[str]]:
    """Subject → objects of a property."""
    found: dict[str, set[str]] = defaultdict(set)
    for subject, predicate, value in graph.facts:
        if predicate == DBO + prop:
            found[subject].add(value.value)
    return found


def test_a_city_is_the_capital_of_one_country_and_lies_there(graph: Graph) -> None:
    countries = {iri for iri, classes in graph.classes.items() if DBO + "Country" in classes}
    capitals = {c: cities for c, cities in links(graph, "capital").items() if c in countries}
    of = Counter(city for cities in capitals.values() for city in cities)
    assert len(of) > 180 and max(of.values()) == 1
    assert [c for c, cities in capitals.items() if len(cities) > 1] == [DBR + "South_Africa"]
    lies_in = links(graph, "country")
    assert [c for c, cities in capitals.items() if any(c not in lies_in[city] for city in cities)] == []


def test_no_city_is_said_to_have_more_people_than_the_largest(graph: Graph) -> None:
    people = {s: int(v.value) for s, p, v in graph.facts if p == DBO + "populationTotal"}
    largest = links(graph, "largestCity")
    assert len(largest) > 200
    states = {iri for iri, classes in graph.classes.items() if DBO + "State" in classes}
    wrong = [
        (place, city)
        for prop in ("country", "isPartOf")
        for city, places in links(graph, prop).items()
        for place in places & largest.keys()
        if city not in states
        for first in largest[place]
        if first in people and people.get(city, 0) > people[first]
    ]
    assert wrong == []


def test_neighbours_are_said_both_ways(graph: Graph) -> None:
    border = links(graph, "border")
    assert len(border) > 140
    assert [(a, b) for a, others in border.items() for b in others if a not in border[b]] == []


def test_the_golds_of_the_end_to_end_questions_are_those_of_the_graph() -> None:
    path = Path(__file__).parent / "e2e" / "make_gold.py"
    spec = importlib.util.spec_from_file_location("make_gold", path)
    assert spec is not None and spec.loader is not None
    gold = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gold)
    store = ox.Store()
    store.load(path=str(FOLDER / "sample.ttl"), format=ox.RdfFormat.TURTLE)
    lines = (path.parent / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    questions = {question["id"]: question for question in map(json.loads, lines)}
    assert questions.keys() == gold.GOLD.keys() and len(questions) == 60
    for identifier, question in questions.items():
        assert question["sparql"] == gold.sparql(identifier)
        assert question["answers"] == gold.answer(store, question["sparql"]), identifier
        assert question["answers"] not in ([], [["0"]]), f"{identifier} has no answer"


def test_people_die_after_they_are_born(graph: Graph) -> None:
    born = {s: v.value for s, p, v in graph.facts if p == DBO + "birthDate"}
    died = {s: v.value for s, p, v in graph.facts if p == DBO + "deathDate"}
    assert len(born) > 700
    ages = {iri: int(died[iri][:4]) - int(born[iri][:4]) for iri in born.keys() & died.keys()}
    assert [iri for iri, age in ages.items() if not 16 < age < 106] == []


@pytest.mark.parametrize("one, other", [("spouse", "spouse"), ("sibling", "sibling"), ("parent", "child")])
def test_what_holds_both_ways_is_said_both_ways(graph: Graph, one: str, other: str) -> None:
    said = {(s, v.value) for s, p, v in graph.facts if p == DBO + one}
    back = {(v.value, s) for s, p, v in graph.facts if p == DBO + other}
    assert said and said == back


def test_no_property_is_given_twice_where_one_value_can_be_true(graph: Graph) -> None:
    single = (
        "birthDate",
        "deathDate",
        "atomicNumber",
        "populationTotal",
        "foundingYear",
        "runtime",
        "areaTotal",
    )
    counted = Counter((s, p) for s, p, _ in graph.facts if p.removeprefix(DBO) in single)
    assert [key for key, count in counted.items() if count > 1] == []


def test_the_file_is_sorted_and_says_its_sources_and_year() -> None:
    lines = (FOLDER / "sample.ttl").read_text(encoding="utf-8").splitlines()
    header = "\n".join(line for line in lines if line.startswith("#"))
    for word in ("GeoNames", "CC BY 4.0", "pycountry", "CC BY-SA 3.0", "2024"):
        assert word in header
    subjects = [line.split(" ", 1)[0] for line in lines if line.startswith(("dbr:", "<"))]
    names = [name.removeprefix("dbr:").removeprefix(f"<{DBR}").removesuffix(">") for name in subjects]
    assert names == sorted(set(names))
