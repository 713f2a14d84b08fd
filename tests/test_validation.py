"""Validation names what is wrong with a query and what would be right, and never asks a graph."""

from __future__ import annotations

import time

import pytest

from ontoprompt.ontology import Term
from ontoprompt.sparql import PREFIXES
from ontoprompt.validation import Issue, nearest, validate

DBO, DBR, XSD = PREFIXES["dbo"], PREFIXES["dbr"], PREFIXES["xsd"]


def _terms(*terms: Term) -> dict[str, Term]:
    return {term.iri: term for term in terms}


def _class(name: str, *parents: str) -> Term:
    return Term(DBO + name, "class", name.lower(), parents=tuple(DBO + p for p in parents))


def _object(name: str, domain: str, range_: str) -> Term:
    return Term(DBO + name, "object_property", name, domain=(DBO + domain,), range=(DBO + range_,))


def _data(name: str, domain: str, datatype: str) -> Term:
    return Term(DBO + name, "datatype_property", name, domain=(DBO + domain,), range=(XSD + datatype,))


TERMS = _terms(
    _class("Agent"),
    _class("Person", "Agent"),
    _class("Writer", "Person"),
    _class("Place"),
    _class("City", "Place"),
    _class("Country", "Place"),
    _class("Work"),
    _class("Book", "Work"),
    _class("Wonder", "Unheard"),
    _object("birthPlace", "Person", "Place"),
    _object("country", "Place", "Country"),
    _object("author", "Work", "Person"),
    _data("birthDate", "Person", "date"),
    _data("population", "Place", "nonNegativeInteger"),
    _data("motto", "Place", "string"),
    Term(PREFIXES["dbp"] + "birthPlace", "property", "birth place", usage=9),
)
BERLIN = DBR + "Berlin"


def _check(text: str) -> tuple[Issue, ...]:
    return validate(text, terms=TERMS, entities=[BERLIN, DBR + "Kafka"])


@pytest.mark.parametrize(
    "text",
    [
        "SELECT ?x { ?x dbo:birthPlace dbr:Berlin }",
        "SELECT ?x { ?x a dbo:Writer ; dbo:birthPlace/dbo:country ?c }",
        "SELECT ?x { ?x a dbo:Agent ; dbo:birthPlace ?p . ?p a dbo:City }",
        "SELECT ?x { dbr:Kafka ^dbo:author ?x . ?x rdfs:label ?l ; a/rdfs:subClassOf* dbo:Work }",
        "SELECT ?x { ?x dbo:birthDate ?d FILTER(?d < '1900-01-01'^^xsd:date) }",
        "SELECT ?x { ?x dbo:birthDate '1883-07-03'^^xsd:date ; dbp:birthPlace 'Prague'@en }",
        "SELECT ?x { ?x dbo:population 1.5 ; dbo:motto 'a'@de }",
        # A class of unknown ancestry may be anything.
        "SELECT ?x { ?x a dbo:Wonder ; dbo:birthPlace dbr:Berlin }",
        # Branches of a union, and what is negated, are never true together.
        "SELECT ?x { { ?x dbo:birthPlace ?y } UNION { ?x dbo:country ?y } }",
        "SELECT ?x { ?x dbo:country ?y FILTER NOT EXISTS { ?x dbo:birthPlace ?z } }",
        "SELECT ?x { ?x dbo:country ?y MINUS { ?x a dbo:Person } }",
        # A thing may have two classes.
        "SELECT ?x { ?x a dbo:Person, dbo:Place }",
        "SELECT (COUNT(?x) AS ?n) { ?x a dbo:City }",
        "ASK { dbr:Berlin dbo:country ?c }",
    ],
)
def test_what_is_right_raises_no_issue(text: str) -> None:
    assert _check(text) == ()


def _single(text: str) -> Issue:
    issues = _check(text)
    assert len(issues) == 1, issues
    return issues[0]


@pytest.mark.parametrize(
    "text", ["", "SELECT ?x { ?x dbo:a }", "Who wrote it?", "SELECT ?x { ?x un:known ?y }"]
)
def test_syntax(text: str) -> None:
    issue = _single(text)
    assert (issue.kind, issue.severity, issue.subject) == ("syntax", "error", text)


@pytest.mark.parametrize(
    "text",
    [
        "DROP ALL",
        "CONSTRUCT { ?x a ?y } WHERE { ?x a ?y }",
        "SELECT ?x { SERVICE <http://example.org/sparql> { ?x a dbo:City } }",
        "SELECT ?x FROM <file:///etc/passwd> { ?x a dbo:City }",
    ],
)
def test_safety(text: str) -> None:
    assert (_single(text).kind, _single(text).severity) == ("unsafe", "error")


def test_a_column_that_nothing_fills() -> None:
    issue = _single("SELECT ?city { ?town a dbo:City }")
    assert (issue.kind, issue.severity, issue.subject) == ("syntax", "error", "?city")
    assert issue.alternatives == ("?town",)


def test_an_unknown_property_names_the_nearest() -> None:
    issue = _single("SELECT ?x { ?x dbo:birthplaces dbr:Berlin }")
    assert (issue.kind, issue.severity, issue.subject) == ("unknown-term", "error", DBO + "birthplaces")
    # Both are spelled alike; the one in use comes first.
    assert issue.alternatives[:2] == (PREFIXES["dbp"] + "birthPlace", DBO + "birthPlace")


def test_an_unknown_class_names_classes_only() -> None:
    issue = _single("SELECT ?x { ?x a dbo:Countries }")
    assert issue.alternatives[0] == DBO + "Country"
    assert DBO + "country" not in issue.alternatives


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("SELECT ?x { ?x dbo:Country ?y }", "Country"),
        ("SELECT ?x { ?x a dbo:country }", "country"),
        ("SELECT ?x { ?x (dbo:birthPlace|dbo:nowhere)+ ?y }", "nowhere"),
        ("SELECT ?x { ?x a dbo:City FILTER EXISTS { ?x !dbo:nothing ?y } }", "nothing"),
        ("SELECT ?x { { SELECT ?x { ?x dbo:inner ?y } LIMIT 1 } }", "inner"),
    ],
)
def test_terms_are_checked_wherever_they_stand(text: str, subject: str) -> None:
    issue = _single(text)
    assert (issue.kind, issue.severity, issue.subject) == ("unknown-term", "error", DBO + subject)


def test_terms_outside_the_fragment() -> None:
    text = "SELECT ?x { ?x dbo:birthPlace ?y }"
    issues = validate(text, terms=TERMS, allowed=[DBO + "country", DBO + "birthDate", DBO + "author"])
    assert [issue.subject for issue in issues] == [DBO + "birthPlace"]
    assert "not among the terms offered" in issues[0].message
    assert issues[0].alternatives == (DBO + "birthDate",)


def test_unknown_entities() -> None:
    issue = _single("SELECT ?x { ?x dbo:birthPlace dbr:Berlim }")
    assert (issue.kind, issue.severity, issue.alternatives[0]) == ("unknown-term", "error", BERLIN)
    (unchecked,) = validate("SELECT ?x { ?x dbo:birthPlace dbr:Berlin }", terms=TERMS)
    assert (unchecked.kind, unchecked.severity) == ("unknown-term", "warning")
    assert "could not be checked" in unchecked.message


@pytest.mark.parametrize(
    ("text", "kind", "subject", "alternatives"),
    [
        # a type outside the domain
        ("SELECT ?x { ?x a dbo:City ; dbo:birthPlace ?y }", "domain", "birthPlace", [DBO + "Person"]),
        (
            "SELECT ?x { ?x dbo:birthDate ?y OPTIONAL { ?x a dbo:Book } }",
            "domain",
            "birthDate",
            [DBO + "Person"],
        ),
        ("SELECT ?x { { ?x a dbo:City } ?x dbo:birthDate ?y }", "domain", "birthDate", [DBO + "Person"]),
        # a type outside the range
        ("SELECT ?x { ?x dbo:author ?y . ?y a dbo:Book }", "range", "author", [DBO + "Person"]),
        # two properties that do not fit together: a path through the wrong door
        ("SELECT ?x { ?x dbo:author/dbo:country ?y }", "domain", "country", [DBO + "Place"]),
        ("SELECT ?x { ?x dbo:birthPlace ?y ; dbo:country ?z }", "domain", "country", [DBO + "Place"]),
        # values and things
        ("SELECT ?x { ?x dbo:birthPlace 'Berlin' }", "range", "birthPlace", [DBO + "Place"]),
        ("SELECT ?x { ?x dbo:birthDate dbr:Berlin }", "range", "birthDate", [XSD + "date"]),
        ("SELECT ?x { ?x dbo:birthDate ?d . ?d a dbo:City }", "range", "birthDate", [XSD + "date"]),
        ("SELECT ?x { ?x dbo:population 'many' }", "range", "population", [XSD + "nonNegativeInteger"]),
        ("SELECT ?x { ?x dbo:birthDate 1883 }", "range", "birthDate", [XSD + "date"]),
        ("SELECT ?x { ?x dbo:birthDate '1883-07-03' }", "range", "birthDate", [XSD + "date"]),
    ],
)
def test_domains_and_ranges_warn(text: str, kind: str, subject: str, alternatives: list[str]) -> None:
    issue = _single(text)
    assert (issue.kind, issue.severity, issue.subject) == (kind, "warning", DBO + subject)
    assert list(issue.alternatives) == alternatives


def test_a_triple_the_wrong_way_round_is_recognised() -> None:
    issue = _single("SELECT ?x { ?c a dbo:City . ?c dbo:birthPlace ?x }")
    assert "other way round" in issue.message
    assert "other way round" not in _single("SELECT ?x { ?c a dbo:Book . ?c dbo:birthPlace ?x }").message


def test_errors_come_first() -> None:
    issues = _check("SELECT ?x { ?x a dbo:City ; dbo:birthPlace ?y . ?y dbo:nope ?z }")
    assert [issue.severity for issue in issues] == ["error", "warning"]


def test_nearest_uses_labels_and_aliases() -> None:
    terms = [
        Term("http://x/P19", "property", "place of birth", aliases=("birthplace",)),
        Term("http://x/P20", "property", "place of death"),
        Term("http://x/P31", "property", "instance of"),
    ]
    assert nearest("http://x/birthPlace", terms)[0] == "http://x/P19"
    assert nearest("http://x/zzz", terms) == ()


def test_a_large_vocabulary_is_no_burden() -> None:
    many = {
        f"{DBO}someProperty{i}": Term(f"{DBO}someProperty{i}", "property", f"p {i}") for i in range(14_000)
    }
    started = time.perf_counter()
    assert validate("SELECT ?x { ?x dbo:someProperti5 ?y }", terms=many)[0].alternatives
    assert time.perf_counter() - started < 3
