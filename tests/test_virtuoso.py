"""The endpoint client against a real Virtuoso, compared with the embedded store on the same file.

Run by tests/virtuoso/run.py (`make test-virtuoso`), which starts the server and sets the environment:
ONTOPROMPT_VIRTUOSO (the endpoint), ONTOPROMPT_VIRTUOSO_GRAPH (IRI of the graph in it) and
ONTOPROMPT_VIRTUOSO_FILE (what was loaded there).
"""

from __future__ import annotations

import os
import time
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ontoprompt.errors import GraphError, QueryTimeoutError
from ontoprompt.execution import EmbeddedStore, EndpointStore, ResultSet, Value
from ontoprompt.ontology import ontology_from_store

URL = os.environ.get("ONTOPROMPT_VIRTUOSO", "")
GRAPH = os.environ.get("ONTOPROMPT_VIRTUOSO_GRAPH", "")
FILE = os.environ.get("ONTOPROMPT_VIRTUOSO_FILE", "")

pytestmark = [
    pytest.mark.virtuoso,
    pytest.mark.skipif(not URL, reason="no Virtuoso: run make test-virtuoso"),
]

# Over labels and types alone, so that they say something about any graph.
QUERIES = {
    "group": "SELECT ?c (COUNT(?x) AS ?n) { ?x a ?c } GROUP BY ?c HAVING (COUNT(?x) > 5) ORDER BY DESC(?n)",
    "distinct": "SELECT DISTINCT ?p { ?x ?p ?y }",
    "contains": 'SELECT ?x ?l { ?x rdfs:label ?l FILTER(CONTAINS(LCASE(STR(?l)), "an") && LANG(?l) = "en") }',
    "regex": 'SELECT ?l { ?x rdfs:label ?l FILTER REGEX(STR(?l), "^[bc].*e$", "i") } ORDER BY ?l LIMIT 50',
    "optional": "SELECT ?x ?none { ?x a ?c OPTIONAL { ?x <http://example.org/none> ?none } }",
    "union": 'SELECT ?x { { ?x rdfs:label ?l FILTER(STRSTARTS(STR(?l), "A")) } UNION { ?x rdfs:label ?l '
    'FILTER(STRSTARTS(STR(?l), "B")) } }',
    "not exists": "SELECT ?y { ?x ?p ?y FILTER(isIRI(?y)) FILTER NOT EXISTS { ?y rdfs:label ?l } }",
    "minus": 'SELECT ?x { ?x rdfs:label ?l MINUS { ?x rdfs:label ?m FILTER(CONTAINS(STR(?m), "i")) } }',
    "path": "SELECT DISTINCT ?c ?d { ?c ^rdf:type/rdf:type ?d }",
    "subquery": "SELECT ?x ?l { { SELECT (MAX(STRLEN(STR(?k))) AS ?longest) { ?y rdfs:label ?k } } "
    "?x rdfs:label ?l FILTER(STRLEN(STR(?l)) = ?longest) }",
    "bind": 'SELECT ?k ?n { VALUES ?k { "a" "b" } BIND(STRLEN(?k) + 1 AS ?n) }',
    "page": "SELECT DISTINCT ?x { ?x a ?c } ORDER BY ?x LIMIT 20 OFFSET 20",
    "average": "SELECT (AVG(STRLEN(STR(?l))) AS ?a) (MIN(STRLEN(STR(?l))) AS ?b) { ?x rdfs:label ?l }",
    "ask": "ASK { ?x a ?c ; rdfs:label ?l }",
    "ask in vain": "ASK { ?x a <http://example.org/None> }",
    "filter": "SELECT ?v { ?x ?p ?v FILTER(isNumeric(?v) && ?v > 100) }",
    "unicode": 'SELECT ?x ?l { ?x rdfs:label ?l FILTER(CONTAINS(STR(?l), "é") || CONTAINS(STR(?l), "–")) }',
}
# Compares every statement with every other one by regular expressions.
SLOW = (
    "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f "
    "FILTER(REGEX(STR(?c), STR(?f)) && REGEX(STR(?a), STR(?d))) }"
)
PREFIXES = (
    "PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#> "
    "PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> "
)


@pytest.fixture(scope="module")
def endpoint() -> EndpointStore:
    return EndpointStore(f"{URL}?{urllib.parse.urlencode({'default-graph-uri': GRAPH})}")


@pytest.fixture(scope="module")
def embedded() -> Iterator[EmbeddedStore]:
    store = EmbeddedStore([Path(FILE)])
    yield store
    store.close()


def comparable(result: ResultSet) -> object:
    """A result without row order, names of blank nodes, and ways to write a number."""
    if result.form == "ask":
        return result.boolean
    order = sorted(range(len(result.variables)), key=lambda i: result.variables[i])
    return Counter(tuple(plain(row[i]) for i in order) for row in result.rows)


def plain(value: Value | None) -> object:
    if value is None or value.type == "bnode":
        return value and "bnode"
    if value.datatype is not None:
        try:
            # Virtuoso writes doubles with six significant digits.
            return (
                float(f"{float(value.value):.5g}")
                if value.datatype.endswith(("#double", "#float"))
                else round(float(value.value), 6)
            )
        except ValueError:
            return value.value
    return (value.type, value.value, value.lang)


@pytest.mark.parametrize("name", QUERIES)
def test_same_answers_as_the_embedded_store(
    name: str, endpoint: EndpointStore, embedded: EmbeddedStore
) -> None:
    text = PREFIXES + QUERIES[name]
    ours, theirs = embedded.query(text, max_rows=9_999), endpoint.query(text, max_rows=9_999)
    assert (ours.form, sorted(ours.variables)) == (theirs.form, sorted(theirs.variables))
    assert ours.truncated == theirs.truncated
    if not ours.truncated:
        assert comparable(ours) == comparable(theirs)
    assert ours.rows or ours.form == "ask", "a query that finds nothing compares nothing"


def test_row_cap(endpoint: EndpointStore) -> None:
    result = endpoint.query("SELECT ?s { ?s ?p ?o }", max_rows=7)
    assert len(result.rows) == 7 and result.truncated
    # Four times the server's own limit of 10,000 rows: what it leaves out is not passed over in silence.
    result = endpoint.query("SELECT * { ?s ?p ?o . ?t a ?c }", max_rows=40_000)
    assert len(result.rows) == 10_000 and result.truncated


def test_long_query(endpoint: EndpointStore, embedded: EmbeddedStore) -> None:
    labels = [row[0] for row in embedded.query(PREFIXES + "SELECT ?l { ?x rdfs:label ?l } LIMIT 300").rows]
    values = " ".join(f'"{label.value}"@en' for label in labels if label and '"' not in label.value)
    text = f"{PREFIXES} SELECT ?x ?l {{ VALUES ?l {{ {values} }} ?x rdfs:label ?l }}"
    assert len(text) > 3000
    assert comparable(endpoint.query(text)) == comparable(embedded.query(text))


def test_client_side_deadline(endpoint: EndpointStore) -> None:
    started = time.monotonic()
    with pytest.raises(QueryTimeoutError):
        endpoint.query(SLOW, timeout=0.7)
    assert time.monotonic() - started < 2
    assert endpoint.query("ASK { ?s ?p ?o }").boolean is True


def test_estimate_of_the_server_is_a_timeout(endpoint: EndpointStore) -> None:
    endless = SLOW.replace("FILTER", ". ?g ?h ?i . ?j ?k ?l FILTER(STR(?g) > STR(?l)) FILTER", 1)
    with pytest.raises(QueryTimeoutError, match="estimated execution time"):
        endpoint.query(endless, timeout=15)


def test_partial_answer_is_a_timeout() -> None:
    """With Virtuoso's own `timeout` parameter the server answers 200 with a count of what it got to."""
    parameters = urllib.parse.urlencode({"default-graph-uri": GRAPH, "timeout": "1000"})
    with pytest.raises(QueryTimeoutError, match="only a part"):
        EndpointStore(f"{URL}?{parameters}").query(SLOW, timeout=15)


def test_wrong_path() -> None:
    with pytest.raises(GraphError, match="404"):
        EndpointStore(URL + "-none").query("ASK {}")


def test_vocabulary_can_be_read(endpoint: EndpointStore, embedded: EmbeddedStore) -> None:
    """The same classes and properties in use, whether from the endpoint or from the file."""
    started = time.monotonic()
    theirs = ontology_from_store(endpoint)
    assert time.monotonic() - started < 50
    ours = ontology_from_store(embedded)
    assert {(term.iri, term.kind) for term in theirs} == {(term.iri, term.kind) for term in ours}
    assert {term.iri: term.usage for term in theirs} == {term.iri: term.usage for term in ours}


def test_vocabulary_beside_the_system_graphs(embedded: EmbeddedStore) -> None:
    """Without a named graph Virtuoso adds descriptions of itself; what is in the file must be there too."""
    theirs = {term.iri for term in ontology_from_store(EndpointStore(URL))}
    assert {term.iri for term in ontology_from_store(embedded)} <= theirs
