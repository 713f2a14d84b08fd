"""Attempts to make a query do more than read: each is refused, or becomes harmless when written back.

The last tests send every attack to a real store and to an endpoint while a server records whoever calls.
"""
# Attacks in tables read best one to a line.
# ruff: noqa: E501

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ontoprompt.errors import OntopromptError, QuerySyntaxError, UnsafeQueryError
from ontoprompt.execution import EmbeddedStore, EndpointStore
from ontoprompt.sparql import canonical, check_read_only, parse, render, with_limit
from ontoprompt.validation import validate

# TARGET stands for the address of a server that must never be called.
REFUSED = {
    # updates, plain and in disguise
    "insert data": "INSERT DATA { <e:a> <e:p> <e:b> }",
    "delete data": "DELETE DATA { <e:s> <e:p> <e:o> }",
    "delete where": "DELETE WHERE { ?s ?p ?o }",
    "modify": "DELETE { ?s ?p ?o } INSERT { ?s ?p 1 } WHERE { ?s ?p ?o }",
    "with": "WITH <e:g> DELETE { ?s ?p ?o } WHERE { ?s ?p ?o }",
    "clear": "CLEAR ALL",
    "clear silent": "CLEAR SILENT DEFAULT",
    "drop": "DROP ALL",
    "create": "CREATE GRAPH <e:g>",
    "load": "LOAD <TARGET>",
    "load silent into": "LOAD SILENT <TARGET> INTO GRAPH <e:g>",
    "copy": "COPY DEFAULT TO <e:g>",
    "move": "MOVE DEFAULT TO <e:g>",
    "add": "ADD DEFAULT TO <e:g>",
    "mixed case": "iNsErT dAtA { <e:a> <e:p> <e:b> }",
    "update after prefix": "PREFIX e: <e:> INSERT DATA { e:a e:p e:b }",
    "update after comment": "# SELECT * { ?s ?p ?o }\nDROP ALL",
    "update after carriage return": "# SELECT * { ?s ?p ?o }\rDROP ALL",
    "second statement": "SELECT * { ?s ?p ?o } ; DROP ALL",
    "second statement on its own line": "SELECT * { ?s ?p ?o }\n;\nINSERT DATA { <e:a> <e:p> <e:b> }",
    "second statement without separator": "ASK { ?s ?p ?o } DROP ALL",
    "second statement after comment": "SELECT * { ?s ?p ?o } # \r; DROP ALL",
    "update before query": "DROP ALL ; SELECT * { ?s ?p ?o }",
    "update inside group": "SELECT * { ?s ?p ?o . INSERT DATA { <e:a> <e:p> <e:b> } }",
    "update inside subselect": "SELECT * { { DELETE WHERE { ?s ?p ?o } } }",
    # other query forms
    "construct": "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }",
    "construct short": "CONSTRUCT WHERE { ?s ?p ?o }",
    "describe": "DESCRIBE <e:s>",
    "describe pattern": "DESCRIBE ?s WHERE { ?s ?p ?o }",
    "construct inside": "SELECT * { { CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o } } }",
    # calls to other servers
    "service": "SELECT * { SERVICE <TARGET> { ?s ?p ?o } }",
    "service silent": "SELECT * { SERVICE SILENT <TARGET> { ?s ?p ?o } }",
    "service lower case": "select * { service <TARGET> { ?s ?p ?o } }",
    "service after triples": "SELECT * { ?s ?p ?o . SERVICE <TARGET> { ?a ?b ?c } }",
    "service in optional": "SELECT * { ?s ?p ?o OPTIONAL { SERVICE <TARGET> { ?a ?b ?c } } }",
    "service in union": "SELECT * { { ?s ?p ?o } UNION { SERVICE SILENT <TARGET> { ?a ?b ?c } } }",
    "service in subselect": "SELECT * { { SELECT ?a { SERVICE <TARGET> { ?a ?b ?c } } } }",
    "service in exists": "SELECT * { ?s ?p ?o FILTER EXISTS { SERVICE <TARGET> { ?s ?b ?c } } }",
    "service in not exists": "ASK { ?s ?p ?o FILTER NOT EXISTS { SERVICE SILENT <TARGET> { ?s ?b ?c } } }",
    "service in exists in bind": "SELECT * { ?s ?p ?o BIND(EXISTS { SERVICE <TARGET> { ?s ?b ?c } } AS ?z) }",
    "service in exists in order": "SELECT * { ?s ?p ?o } ORDER BY (EXISTS { SERVICE <TARGET> { ?s ?b ?c } })",
    "service in exists in having": "SELECT ?s { ?s ?p ?o } GROUP BY ?s HAVING (EXISTS { SERVICE <TARGET> { ?s ?b ?c } })",
    "service in exists in column": "SELECT (EXISTS { SERVICE <TARGET> { ?s ?b ?c } } AS ?z) { ?s ?p ?o }",
    "service in aggregate": "SELECT (SUM(IF(EXISTS { SERVICE <TARGET> { ?s ?b ?c } }, 1, 0)) AS ?z) { ?s ?p ?o }",
    "service in minus": "SELECT * { ?s ?p ?o MINUS { SERVICE <TARGET> { ?s ?b ?c } } }",
    "service in graph": "SELECT * { GRAPH ?g { SERVICE <TARGET> { ?s ?p ?o } } }",
    "service variable": "SELECT * { VALUES ?u { <TARGET> } SERVICE ?u { ?s ?p ?o } }",
    "service bound": "SELECT * { BIND(IRI('TARGET') AS ?u) SERVICE ?u { ?s ?p ?o } }",
    "service by prefix": "PREFIX SERVICE: <TARGET> SELECT * { SERVICE SERVICE: { ?s ?p ?o } }",
    "service by base": "BASE <TARGET> SELECT * { SERVICE <> { ?s ?p ?o } }",
    "service split by comment": "SELECT * { SERVICE # {\n <TARGET> # }\n { ?s ?p ?o } }",
    "service behind a false comment end": "SELECT * { ?s ?p ?o # }\r SERVICE <TARGET> { ?a ?b ?c } }",
    "service with a label service inside": "SELECT * { SERVICE wikibase:label { bd:serviceParam wikibase:language 'en' } }",
    # other data
    "from": "SELECT * FROM <TARGET> { ?s ?p ?o }",
    "from file": "SELECT * FROM <file:///etc/passwd> { ?s ?p ?o }",
    "from named": "SELECT * FROM NAMED <TARGET> { GRAPH ?g { ?s ?p ?o } }",
    "from in ask": "ASK FROM <TARGET> { ?s ?p ?o }",
    "from lower case": "select * from <TARGET> where { ?s ?p ?o }",
    # codepoint escapes
    "escaped keyword": r"SELECT * { \u0053ERVICE <TARGET> { ?s ?p ?o } }",
    "escaped keyword, long form": r"SELECT * { \U00000053ERVICE <TARGET> { ?s ?p ?o } }",
    "escaped update": r"\u0044ROP ALL",
    "escaped brace": r"SELECT * { ?s ?p ?o \u007D ; DROP ALL",
    "escaped quote": r"SELECT * { ?s ?p \u0022x\u0022 }",
    "escaped hash": r"SELECT * { ?s ?p ?o } \u0023",
    "escaped newline in comment": r"SELECT * { ?s ?p ?o } # \u000A DROP ALL" + "\n" + r"\u000A",
    "escape in iri": r"SELECT * { ?s <e:p\u003E ?o } ; DROP ALL #> ?o }",
    "escape in prefixed name": r"SELECT * { ?s dbo:p\u0020 ?o }",
    "escape in variable": r"SELECT * { ?s ?p\u0020 ?o }",
    "escape in prefix declaration": r"PREFIX e: <e:\u003E> SELECT * { ?s e:p ?o }",
    "escaped backslash and quote": r"""SELECT * { ?s ?p "x\\" . SERVICE <TARGET> { ?a ?b ?c } # " }"""
    + "\n }",
    # IRIs that are none
    "iri with space": "SELECT * { ?s <e:p q> ?o }",
    "iri with newline": "SELECT * { ?s <e:p\n> ?o }",
    "iri with quote": 'SELECT * { ?s <e:p"q> ?o }',
    "iri with brace": "SELECT * { ?s <e:p}q> ?o }",
    "iri with control character": "SELECT * { ?s <e:p\x01q> ?o }",
    "iri relative": "SELECT * { ?s <p> ?o }",
    "iri without scheme": "SELECT * { ?s <//example.org/p> ?o }",
    "prefix with space": "PREFIX e: <e: > SELECT * { ?s e:p ?o }",
    # code of the server
    "function": "SELECT * { ?s ?p ?o FILTER(<http://example.org/run>(?o)) }",
    "java function": "SELECT * { ?s ?p ?o FILTER(<java:java.lang.Runtime.exec>('id')) }",
    "java property": "SELECT * { ?s <java:com.example.Run> ?o }",
    "virtuoso function": "SELECT * { ?s ?p ?o FILTER(<bif:exec>('shutdown')) }",
    "virtuoso sql function": "SELECT (<sql:run>('drop table') AS ?x) { ?s ?p ?o }",
    "virtuoso property": "SELECT * { ?s <bif:contains> 'x' }",
    "virtuoso pragma": 'DEFINE get:soft "soft" SELECT * FROM <TARGET> { ?s ?p ?o }',
    "virtuoso pragma, lower case": 'define input:grab-all "yes" select * { ?s ?p ?o }',
    "function in order": "SELECT * { ?s ?p ?o } ORDER BY <http://example.org/run>(?o)",
    "function in group": "SELECT * { ?s ?p ?o } GROUP BY <http://example.org/run>(?o)",
    "function by prefix": "PREFIX xsd: <http://example.org/> SELECT * { ?s ?p ?o FILTER(xsd:integer(?o)) }",
    "aggregate function": "SELECT (<http://example.org/run>(DISTINCT ?o) AS ?x) { ?s ?p ?o }",
    # no text at all
    "nul": "SELECT * { ?s ?p ?o }\0 DROP ALL",
    "nul in literal": "SELECT * { ?s ?p 'a\0b' }",
    "surrogate": "SELECT * { ?s ?p '\ud800' }",
    "escaped nul": r"SELECT * { ?s ?p '\u0000' }",
    "escaped surrogate": r"SELECT * { ?s ?p '\uD800' }",
    "byte order mark inside": "SELECT * { ?s ?p ?o } \ufeffDROP ALL",
    "zero-width keyword": "SELECT * { ?s ?p ?o } DR\u200bOP ALL",
    "full-width braces": "SELECT * \uff5b ?s ?p ?o \uff5d",
    "next line as white space": "SELECT * { ?s ?p ?o }\u0085DROP ALL",
    "line separator as white space": "SELECT * { ?s ?p ?o }\u2028DROP ALL",
    # too much
    "deep groups": "SELECT * " + "{" * 2000 + "}" * 2000,
    "deep expression": "ASK { FILTER(" + "(" * 9000 + "1" + ")" * 9000 + ") }",
    "deep mixture": "ASK { ?s ?p ?o " + "FILTER EXISTS { ?s ?p ?o " * 400 + "}" * 400 + " }",
    "endless": "SELECT * { ?s ?p '" + "x" * 1_000_000 + "' }",
    "endless number": "SELECT * { ?s ?p ?o } LIMIT " + "9" * 10_000,
    # broken quotes
    "open string": "SELECT * { ?s ?p 'x } ; DROP ALL",
    "open long string": 'SELECT * { ?s ?p """x } ; DROP ALL',
    "newline in string": "SELECT * { ?s ?p 'x\n' }",
    "return in string": "SELECT * { ?s ?p 'x\r' . SERVICE <TARGET> { ?a ?b ?c } }",
    "string ending in backslash": "SELECT * { ?s ?p 'x\\' . SERVICE <TARGET> { ?a ?b ?c } }",
    "language tag": "SELECT * { ?s ?p 'x'@en\"} ; DROP ALL }",
    "negated inverse, which the grammar forgets": "SELECT * { ?s !(^<e:p>) ?o }",
}


@pytest.mark.parametrize("attack", REFUSED.values(), ids=REFUSED.keys())
def test_refused(attack: str) -> None:
    with pytest.raises((UnsafeQueryError, QuerySyntaxError)) as caught:
        check_read_only(parse(attack.replace("TARGET", "http://127.0.0.1:9/sparql")))
    assert caught.value.message.isprintable()
    issues = validate(attack.replace("TARGET", "http://127.0.0.1:9/sparql"), terms={})
    assert [(issue.severity, issue.kind in ("unsafe", "syntax")) for issue in issues] == [("error", True)]


# What looks like an attack but only says something, and what must not be in the text that is sent.
HARMLESS = {
    "update in a literal": ("""SELECT * { ?s ?p '"} ; DROP ALL #' }""", r'"\"} ; DROP ALL #"'),
    "update in a label": (
        r"""SELECT * { ?s rdfs:label "\"} ; INSERT DATA { <e:a> <e:p> <e:b> } #"@en }""",
        r'"\"} ;',
    ),
    "escaped quote in a literal": (
        r"""SELECT * { ?s ?p "x\u0022 } ; DROP ALL #" }""",
        r'"x\" } ; DROP ALL #"',
    ),
    "escaped backslash in a literal": (r"""SELECT * { ?s ?p "x\u005C" }""", r'"x\\"'),
    "escaped newline in a literal": (r"""SELECT * { ?s ?p 'x\u000A} ; DROP ALL' }""", r'"x\n} ; DROP ALL"'),
    "escaped return in a literal": (r"""SELECT * { ?s ?p 'x\u000D} ; DROP ALL' }""", r'"x\r} ; DROP ALL"'),
    "line separator in a literal": ("SELECT * { ?s ?p 'x\u2028} ; DROP ALL' }", r'"x\u2028} ; DROP ALL"'),
    "long literal": ('''SELECT * { ?s ?p """"} \n; DROP "" ALL""" }''', r'"\"} \n; DROP \"\" ALL"'),
    "separator": (
        """SELECT (GROUP_CONCAT(?s; SEPARATOR='") } ; DROP ALL #') AS ?x) { ?s ?p ?o }""",
        r'"\") } ; DROP',
    ),
    "pattern": (r"""SELECT * { ?s ?p ?o FILTER REGEX(?o, '\\") SERVICE <TARGET> {}') }""", r'"\\\") SERVICE'),
    "datatype": ("""SELECT * { ?s ?p '"@en } ; DROP ALL'^^<e:d> }""", r'"\"@en } ; DROP ALL"^^<e:d>'),
    "values": ("""SELECT * { VALUES ?x { '} } ; DROP ALL' } ?s ?p ?x }""", '"} } ; DROP ALL"'),
    "comment": ("SELECT * { ?s ?p ?o # } ; DROP ALL\n }", "?s ?p ?o . }"),
    "comment to the end": ("SELECT * { ?s ?p ?o } # ; DROP ALL", "?s ?p ?o . }"),
    "comment over a line separator": ("SELECT * { ?s ?p ?o } # \u2028 ; DROP ALL", "?s ?p ?o . }"),
    "comment over a next line": ("SELECT * { ?s ?p ?o } # \u0085 ; DROP ALL", "?s ?p ?o . }"),
    "comment with quotes": ("SELECT * { ?s ?p ?o # '''\n }", "?s ?p ?o . }"),
    "comment with an escape": ("SELECT * { ?s ?p ?o # \\u000A ; DROP ALL\n }", "?s ?p ?o . }"),
    "hash in an iri": ("SELECT * { ?s <e:p#x> ?o }", "<e:p#x>"),
    "keywords as prefixes": (
        "PREFIX SERVICE: <e:s/> PREFIX DROP: <e:d/> SELECT * { SERVICE:a DROP:ALL ?o }",
        "<e:s/a> <e:d/ALL> ?o",
    ),
    "keywords as variables": ("SELECT ?DROP { ?SERVICE ?DELETE ?DROP }", "?SERVICE ?DELETE ?DROP"),
    "redefined prefix": ("PREFIX rdf: <e:evil#> SELECT * { ?s rdf:type ?o }", "<e:evil#type>"),
    "any graph": ("SELECT * { GRAPH ?g { ?s ?p ?o } }", "GRAPH ?g"),
    "address as data": ("SELECT * { ?s ?p <TARGET> . <file:///etc/passwd> ?q ?o }", "<file:///etc/passwd>"),
    "escaped name": (r"SELECT * { ?s ?p dbr:A\;DROP\#ALL }", "<http://dbpedia.org/resource/A;DROP#ALL>"),
}


@pytest.mark.parametrize(("attack", "expected"), HARMLESS.values(), ids=HARMLESS.keys())
def test_harmless_when_written_back(attack: str, expected: str) -> None:
    query = parse(attack.replace("TARGET", "http://127.0.0.1:9/sparql"))
    check_read_only(query)
    sent = with_limit(query, 10).text()
    assert expected in sent
    assert not any(c in sent for c in "\n\r\0\u2028\u2029\u0085")
    again = parse(sent)
    check_read_only(again)
    assert canonical(again) == canonical(with_limit(query, 10))


@pytest.mark.parametrize(
    "iri",
    ["e:p> ?o } ; DROP ALL #", "e:p q", "e:p\n", 'e:"p', "e:{p}", "e:p\\u003E", "e:`p`", "e:a|b", "e:p\0"],
)
def test_prefixes_given_by_a_caller_cannot_break_out(iri: str) -> None:
    query = parse("SELECT * { ?s x:p ?o ; x: 'a'^^x:d }", {"x": iri})
    with pytest.raises(UnsafeQueryError):
        check_read_only(query)
    with pytest.raises(UnsafeQueryError):
        render(query)


def test_there_are_enough_attacks() -> None:
    assert len(REFUSED) + len(HARMLESS) >= 40


# -- nothing is called, nothing is sent


class _Trap(ThreadingHTTPServer):
    """A SPARQL endpoint that writes down every request and answers with an empty result."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Recorder)
        self.calls: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}/sparql"


class _Recorder(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        assert isinstance(self.server, _Trap)
        self.server.calls.append(self.path + body.decode())
        answer = {"head": {"vars": ["s"]}, "results": {"bindings": []}, "boolean": False}
        payload = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/sparql-results+json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def trap() -> Iterator[_Trap]:
    server = _Trap()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    path: Path = tmp_path_factory.mktemp("graph") / "graph.nt"
    path.write_text("<e:s> <e:p> <e:o> .\n")
    store = EmbeddedStore([path])
    yield store
    store.close()


@pytest.mark.parametrize("attack", REFUSED.values(), ids=REFUSED.keys())
def test_no_store_runs_it(attack: str, graph: EmbeddedStore, trap: _Trap) -> None:
    text = attack.replace("TARGET", trap.url)
    for store in (graph, EndpointStore(trap.url)):
        with pytest.raises((UnsafeQueryError, QuerySyntaxError)):
            store.query(text)
    assert trap.calls == []
    assert len(graph.query("SELECT * { ?s ?p ?o }").rows) == 1


@pytest.mark.parametrize("attack", [text for text, _ in HARMLESS.values()], ids=HARMLESS.keys())
def test_what_is_harmless_changes_nothing(attack: str, graph: EmbeddedStore, trap: _Trap) -> None:
    text = attack.replace("TARGET", trap.url)
    try:
        graph.query(text)
    except OntopromptError as error:
        pytest.fail(f"refused: {error.message}")
    assert trap.calls == []
    assert [
        tuple(v and v.value for v in row) for row in graph.query("SELECT ?s ?p ?o { ?s ?p ?o }").rows
    ] == [("e:s", "e:p", "e:o")]


def test_an_endpoint_receives_only_the_rewritten_query(trap: _Trap) -> None:
    EndpointStore(trap.url).query("""SELECT ?s { ?s ?p '"} ; DROP ALL #' } # ; DROP ALL""")
    from urllib.parse import unquote_plus

    (call,) = trap.calls
    trap.calls.clear()
    assert r'"\"} ; DROP ALL #"' in unquote_plus(call)
    assert unquote_plus(call).count("DROP") == 1
