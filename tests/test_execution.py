"""The embedded store and the endpoint client, attacked: slow queries, bad files, servers that misbehave."""

from __future__ import annotations

import base64
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ontoprompt import execution, remote
from ontoprompt.errors import (
    GraphError,
    OntopromptError,
    QuerySyntaxError,
    QueryTimeoutError,
    SourceError,
    UnsafeQueryError,
    UsageError,
)
from ontoprompt.execution import EmbeddedStore, EndpointStore, ResultSet, Value, open_store

XSD = "http://www.w3.org/2001/XMLSchema#"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
EVERYTHING = "SELECT ?s ?p ?o WHERE { ?s ?p ?o }"
# Counts n^4 combinations: days of work on 600 statements.
ENDLESS = "SELECT (COUNT(*) AS ?n) WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"

# One statement, <http://x/s> <http://x/p> "v", in every syntax.
SYNTAXES = {
    "ttl": "@prefix x: <http://x/> . x:s x:p 'v' .",
    "n3": "@prefix x: <http://x/> . x:s x:p 'v' .",
    "nt": '<http://x/s> <http://x/p> "v" .\n',
    "nq": '<http://x/s> <http://x/p> "v" <http://x/graph> .\n',
    "trig": "@prefix x: <http://x/> . x:graph { x:s x:p 'v' . }",
    "rdf": f'<?xml version="1.0"?><rdf:RDF xmlns:rdf="{RDF}" xmlns:x="http://x/">'
    '<rdf:Description rdf:about="http://x/s"><x:p>v</x:p></rdf:Description></rdf:RDF>',
    "jsonld": '{"@id": "http://x/s", "http://x/p": "v"}',
}
SYNTAXES["owl"] = SYNTAXES["xml"] = SYNTAXES["rdf"]
STATEMENT = ((Value("uri", "http://x/s"), Value("uri", "http://x/p"), Value("literal", "v")),)


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """600 statements of every kind of object."""
    lines = [f"<http://x/s{i}> <http://x/p> <http://x/o{i % 7}> ." for i in range(596)]
    lines += [
        "<http://x/t> <http://x/q> 'Zürich'@de .",
        "<http://x/t> <http://x/q> 1.5 .",
        "<http://x/t> <http://x/q> 'plain' .",
        "<http://x/t> <http://x/q> _:b .",
    ]
    path = tmp_path / "graph.ttl"
    path.write_text("\n".join(lines), encoding="utf-8")
    store = EmbeddedStore([path])
    yield store
    store.close()


def cell(result: ResultSet) -> Value | None:
    """The only cell of a result."""
    ((value,),) = result.rows
    return value


# ---------------------------------------------------------------- embedded store: answers


def test_values_of_every_kind(graph: EmbeddedStore) -> None:
    result = graph.query("SELECT ?o WHERE { <http://x/t> <http://x/q> ?o }")
    assert (result.form, result.variables, result.truncated) == ("select", ("o",), False)
    values = {row[0] for row in result.rows}
    assert Value("literal", "Zürich", lang="de") in values
    assert Value("literal", "1.5", datatype=XSD + "decimal") in values
    assert Value("literal", "plain") in values
    assert [value.type for value in values if value is not None].count("bnode") == 1


def test_ask_and_unbound(graph: EmbeddedStore) -> None:
    yes = graph.query("ASK { ?s <http://x/q> ?o }")
    assert (yes.form, yes.boolean, yes.rows) == ("ask", True, ())
    assert graph.query("ASK { ?s <http://x/none> ?o }").boolean is False
    result = graph.query("SELECT ?s ?u WHERE { ?s <http://x/q> 'plain' OPTIONAL { ?s <http://x/none> ?u } }")
    assert result.rows == ((Value("uri", "http://x/t"), None),)


def test_empty_answer_is_an_answer(graph: EmbeddedStore) -> None:
    result = graph.query("SELECT ?s WHERE { ?s <http://x/none> ?o }")
    assert result.rows == () and not result.truncated


@pytest.mark.parametrize(("cap", "rows", "truncated"), [(5, 5, True), (599, 599, True), (600, 600, False)])
def test_row_cap(graph: EmbeddedStore, cap: int, rows: int, truncated: bool) -> None:
    result = graph.query(EVERYTHING, max_rows=cap)
    assert (len(result.rows), result.truncated) == (rows, truncated)


def test_row_cap_spares_the_work(graph: EmbeddedStore) -> None:
    """A cross product of 130 billion rows, of which ten are wanted."""
    result = graph.query(
        "SELECT * WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }", max_rows=10, timeout=20
    )
    assert len(result.rows) == 10 and result.truncated and result.seconds < 5


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (f"<{XSD}int>('12')", "12"),
        (f"<{XSD}int>(' -7 ')", "-7"),
        (f"<{XSD}int>(5.7)", "5"),
        (f"<{XSD}long>(true)", "1"),
        (f"<{XSD}nonNegativeInteger>('0042')", "42"),
        (f"<{XSD}int>('12.5')", None),
        (f"<{XSD}int>('2147483648')", None),
        (f"<{XSD}byte>('128')", None),
        (f"<{XSD}nonNegativeInteger>('-1')", None),
        (f"<{XSD}int>('many')", None),
        (f"<{XSD}int>('{'9' * 5000}')", None),
        (f"<{XSD}int>(<http://x/iri>)", None),
    ],
)
def test_integer_casts(graph: EmbeddedStore, expression: str, expected: str | None) -> None:
    value = cell(graph.query(f"SELECT ({expression} AS ?n) WHERE {{}}"))
    assert (value and value.value) == expected


def test_unknown_function_is_no_traceback(graph: EmbeddedStore) -> None:
    with pytest.raises(OntopromptError):
        graph.query("SELECT (<http://x/function>(1) AS ?n) WHERE { ?s ?p ?o }")
    assert len(graph.query(EVERYTHING).rows) == 600


# ---------------------------------------------------------------- embedded store: safety


@pytest.mark.parametrize(
    "text",
    [
        "INSERT DATA { <http://x/a> <http://x/b> <http://x/c> }",
        "DROP ALL",
        "SELECT ?s WHERE { SERVICE <http://127.0.0.1:1/> { ?s ?p ?o } }",
        "SELECT ?s WHERE { SERVICE SILENT <http://127.0.0.1:1/> { ?s ?p ?o } }",
        "SELECT ?s FROM <http://127.0.0.1:1/> WHERE { ?s ?p ?o }",
        "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }",
    ],
)
def test_unsafe_queries_reach_no_store(
    text: str, graph: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object, **__: object) -> None:
        pytest.fail("the query was sent")

    monkeypatch.setattr(execution, "_WorkerProcess", forbidden)
    monkeypatch.setattr(remote, "fetch", forbidden)
    for store in (graph, EndpointStore("http://127.0.0.1:1/sparql")):
        with pytest.raises((UnsafeQueryError, QuerySyntaxError)):
            store.query(text)


# ---------------------------------------------------------------- embedded store: deadline and process


def test_endless_query_ends_at_the_deadline_and_the_store_lives_on(graph: EmbeddedStore) -> None:
    assert len(graph.query(EVERYTHING).rows) == 600
    process = graph._worker._process  # type: ignore[union-attr]
    started = time.monotonic()
    with pytest.raises(QueryTimeoutError, match="1 seconds") as caught:
        graph.query(ENDLESS, timeout=1)
    assert 0.9 < time.monotonic() - started < 3
    assert caught.value.exit_status == 4 and caught.value.hint
    assert process.poll() is not None, "the worker still burns a core"
    assert len(graph.query(EVERYTHING).rows) == 600
    assert graph._worker._process.pid != process.pid  # type: ignore[union-attr]


def test_killed_worker_is_reported_and_replaced(graph: EmbeddedStore) -> None:
    graph.query(EVERYTHING)
    process = graph._worker._process  # type: ignore[union-attr]
    timer = threading.Timer(0.3, lambda: os.kill(process.pid, signal.SIGKILL))
    timer.start()
    with pytest.raises(GraphError, match="died") as caught:
        graph.query(ENDLESS, timeout=20)
    assert not isinstance(caught.value, QueryTimeoutError)
    assert graph.query("ASK { ?s ?p ?o }").boolean is True


def test_worker_that_died_between_queries(graph: EmbeddedStore) -> None:
    graph.query(EVERYTHING)
    process = graph._worker._process  # type: ignore[union-attr]
    process.kill()
    process.wait()
    assert graph.query("ASK { ?s ?p ?o }").boolean is True


def test_queries_from_threads_take_turns(graph: EmbeddedStore) -> None:
    results: list[Value | None] = []

    def ask(limit: int) -> None:
        results.append(
            cell(graph.query(f"SELECT (COUNT(*) AS ?n) {{ SELECT ?s {{ ?s ?p ?o }} LIMIT {limit} }}"))
        )

    threads = [threading.Thread(target=ask, args=(limit,)) for limit in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(value.value) for value in results if value) == list(range(1, 9))


def test_close_is_harmless_twice_and_reversible(graph: EmbeddedStore) -> None:
    graph.start()
    graph.close()
    graph.close()
    assert graph.query("ASK { ?s ?p ?o }").boolean is True


def test_worker_dies_with_a_killed_parent(tmp_path: Path) -> None:
    """SIGKILL leaves the parent no chance to clean up; the worker sees its pipe close, even amid a query."""
    path = tmp_path / "graph.nt"
    path.write_text("".join(f"<http://x/{i}> <http://x/p> <http://x/o> .\n" for i in range(500)))
    script = f"""
        import threading, time
        from pathlib import Path
        from ontoprompt.execution import EmbeddedStore
        store = EmbeddedStore([Path({str(path)!r})])
        store.query("ASK {{}}")
        print(store._worker._process.pid, flush=True)
        store.query({ENDLESS!r}, timeout=60)
    """
    root = str(Path(execution.__file__).parents[1])
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    time.sleep(0.3)
    assert running(worker)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while running(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running(worker)


def running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return state.stdout.strip()[:1] not in ("", "Z")


def test_worker_takes_no_module_from_the_current_folder(
    tmp_path: Path, graph: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('taken')")
    (tmp_path / "pyoxigraph.py").write_text("raise SystemExit('taken')")
    monkeypatch.chdir(tmp_path)
    assert graph.query("ASK { ?s ?p ?o }").boolean is True


def test_worker_loads_no_heavy_library() -> None:
    code = (
        "import sys, ontoprompt._worker; "
        "print(sorted({'torch', 'transformers', 'rdflib', 'numpy', 'faiss'} & set(sys.modules)))"
    )
    root = str(Path(execution.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------- embedded store: files


@pytest.mark.parametrize("suffix", sorted(SYNTAXES))
@pytest.mark.parametrize("packed", [False, True])
def test_every_syntax(tmp_path: Path, suffix: str, packed: bool) -> None:
    data = SYNTAXES[suffix].encode()
    path = tmp_path / f"Graph.{suffix.upper()}{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(data) if packed else data)
    store = open_store(path)
    try:
        assert store.query(EVERYTHING).rows == STATEMENT
    finally:
        store.close()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("bom.ttl", "\ufeff" + SYNTAXES["ttl"]),
        ("bom.nt", "\ufeff" + SYNTAXES["nt"]),
        ("turtle.owl", SYNTAXES["ttl"]),
        ("name with % and ü.ttl", SYNTAXES["ttl"]),
    ],
)
def test_files_that_are_a_little_odd(tmp_path: Path, name: str, data: str) -> None:
    (tmp_path / name).write_text(data, encoding="utf-8")
    store = open_store(str(tmp_path / name))
    try:
        assert store.query(EVERYTHING).rows == STATEMENT
    finally:
        store.close()


def test_folder_is_every_rdf_file_in_it(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "one.ttl").write_text("<http://x/1> a <http://x/C> . _:same a <http://x/D> .")
    (tmp_path / "deeper" / "two.nq").write_text("<http://x/2> <http://x/p> <http://x/C> <http://x/g> .\n")
    (tmp_path / "three.nt").write_text("_:same <http://x/p> <http://x/C> .\n")
    (tmp_path / "pom.xml").write_text("<project><name>no RDF</name></project>")
    (tmp_path / "notes.txt").write_text("not RDF either")
    (tmp_path / ".git" / "hidden.ttl").write_text("broken")
    store = open_store(tmp_path)
    try:
        assert cell(store.query("SELECT (COUNT(*) AS ?n) { ?s ?p ?o }")) == Value(
            "literal", "4", XSD + "integer"
        )
        # The same blank node label in two files means two nodes.
        assert store.query("ASK { ?b a <http://x/D> ; <http://x/p> ?c }").boolean is False
        assert store.query("ASK { GRAPH ?g { <http://x/2> ?p ?o } }").boolean is True
    finally:
        store.close()


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("empty.ttl", b"", "is empty"),
        ("blank.ttl", b" \n\n ", "is empty"),
        ("comment.ttl", b"# nothing but a comment\n", "no RDF statement"),
        ("cut.ttl", b"@prefix x: <http://x/> .\nx:s x:p 'v' .\nx:s x:p", "line 3"),
        ("cut.nt", b'<http://x/s> <http://x/p> "v" .\n<http://x/s> <http://x', "line 2"),
        ("cut.rdf", SYNTAXES["rdf"][:-12].encode(), "line 1"),
        ("cut.jsonld", SYNTAXES["jsonld"][:-1].encode(), "line 1"),
        ("cut.ttl.gz", gzip.compress(os.urandom(3000))[:500], "not a whole gzip file"),
        ("plain.ttl.gz", b"<http://x/s> <http://x/p> 1 .", "not a whole gzip file"),
        ("page.ttl", b"<!DOCTYPE html><html><body>Hello</body></html>", "line 1"),
        ("page.owl", b"<!DOCTYPE html>\n<html><body>Hello<br></body></html>", "line 2"),
        (
            "owlxml.owl",
            b'<?xml version="1.0"?><Ontology xmlns="http://www.w3.org/2002/07/owl#"/>',
            "is OWL/XML",
        ),
        ("binary.ttl", bytes(range(256)), "line"),
        ("latin.nt", '<http://x/s> <http://x/p> "Zürich" .\n'.encode("latin-1"), "line 1"),
        ("data.csv", b"a,b\n1,2\n", "not an RDF file"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    started = time.monotonic()
    with pytest.raises(SourceError) as caught:
        store = open_store(path)
        try:
            store.query(EVERYTHING)
        finally:
            store.close()
    assert says in caught.value.message and name in caught.value.message
    assert "\n" not in caught.value.message and caught.value.message.endswith(".")
    assert caught.value.hint and caught.value.exit_status == 2
    assert time.monotonic() - started < 5


def test_bad_file_among_good_ones_is_named_every_time(tmp_path: Path) -> None:
    (tmp_path / "a.ttl").write_text(SYNTAXES["ttl"])
    (tmp_path / "b.ttl").write_text("x:undeclared a 1 .")
    store = open_store(tmp_path)
    for _ in range(2):
        with pytest.raises(SourceError, match=r"b\.ttl: line 1"):
            store.query(EVERYTHING)


def test_missing_sources(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        open_store(tmp_path / "none.ttl")
    with pytest.raises(SourceError, match="holds no RDF file"):
        open_store(tmp_path)
    with pytest.raises(SourceError, match=r"'a\\x00b.ttl' does not exist"):
        open_store("a\0b.ttl")
    with pytest.raises(SourceError, match="cannot be read"):
        open_store("long" * 2000 + ".ttl")
    with pytest.raises(SourceError, match="neither a file nor a folder"):
        open_store("/dev/null")


def test_file_deleted_after_opening(tmp_path: Path) -> None:
    path = tmp_path / "g.ttl"
    path.write_text(SYNTAXES["ttl"])
    store = open_store(path)
    path.unlink()
    with pytest.raises(SourceError, match=r"g\.ttl"):
        store.query(EVERYTHING)


def test_large_graphs_are_kept_on_disk_and_rebuilt_when_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "DISK_THRESHOLD", 10)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "g.ttl"
    path.write_text(SYNTAXES["ttl"])

    def versions() -> list[Path]:
        return list((tmp_path / "cache" / "ontoprompt" / "stores").glob("*/*"))

    def answers() -> int:
        store = open_store(path)
        try:
            return len(store.query(EVERYTHING).rows)
        finally:
            store.close()

    assert answers() == 1
    (kept,) = versions()
    built = (kept / "CURRENT").stat().st_mtime_ns
    assert answers() == 1
    assert versions() == [kept] and (kept / "CURRENT").stat().st_mtime_ns == built
    path.write_text(SYNTAXES["ttl"] + " x:s x:p 'another' .")
    assert answers() == 2
    (rebuilt,) = versions()
    assert rebuilt != kept
    path.write_text("broken")
    with pytest.raises(SourceError, match="line 1"):
        answers()
    assert versions() == [rebuilt], "a failed build leaves nothing behind"


# ---------------------------------------------------------------- endpoint: a server that does as told


class Handler(BaseHTTPRequestHandler):
    """Answers each request with the next scripted reply; the last one repeats."""

    server: Server

    def reply(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length).decode()
        self.server.seen.append(Seen(self.command, self.path, body, dict(self.headers.items())))
        script = self.server.script
        action = script.pop(0) if len(script) > 1 else script[0]
        action(self)

    do_GET = do_POST = reply  # noqa: N815

    def send(self, status: int, body: str | bytes, **headers: str) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for key, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Tests print nothing."""


@dataclass
class Seen:
    """One request as the server saw it."""

    method: str
    path: str
    body: str
    headers: dict[str, str]

    @property
    def parameters(self) -> dict[str, list[str]]:
        query = urllib.parse.urlsplit(self.path).query
        return urllib.parse.parse_qs("&".join(part for part in (query, self.body) if part))


class Server(ThreadingHTTPServer):
    """A local server; `url` is the endpoint on it."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[Callable[[Handler], None]] = []
        self.seen: list[Seen] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/sparql"

    def handle_error(self, *_: Any) -> None:
        """Clients that give up are expected here."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running_server:
        thread = threading.Thread(target=running_server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running_server
        running_server.released.set()
        running_server.shutdown()
        thread.join()


@dataclass
class Results:
    """SPARQL JSON results."""

    variables: list[str] = field(default_factory=lambda: ["x"])
    bindings: list[dict[str, Any]] = field(
        default_factory=lambda: [{"x": {"type": "uri", "value": "http://x/1"}}]
    )

    def json(self) -> str:
        return json.dumps({"head": {"vars": self.variables}, "results": {"bindings": self.bindings}})


def answer(body: str | bytes, status: int = 200, **headers: str) -> Callable[[Handler], None]:
    return lambda handler: handler.send(status, body, **headers)


GOOD = answer(Results().json(), Content_Type="application/sparql-results+json")
ONE = ((Value("uri", "http://x/1"),),)
SELECT = "SELECT ?x WHERE { ?x ?p ?o }"


def test_endpoint_answers(server: Server) -> None:
    bindings = [
        {
            "u": {"type": "uri", "value": "http://x/ü"},
            "l": {"type": "literal", "value": "Zürich", "xml:lang": "de-CH"},
            "t": {"type": "typed-literal", "value": "5", "datatype": XSD + "int"},
            "s": {"type": "literal", "value": "plain", "datatype": XSD + "string"},
            "b": {"type": "bnode", "value": "nodeID://b1"},
        },
        {},
    ]
    server.script = [answer(Results(list("ultsb"), bindings).json())]
    result = EndpointStore(server.url).query("SELECT * WHERE { ?u ?l ?t . ?t ?s ?b }")
    assert result.variables == ("u", "l", "t", "s", "b")
    assert result.rows == (
        (
            Value("uri", "http://x/ü"),
            Value("literal", "Zürich", lang="de-ch"),
            Value("literal", "5", datatype=XSD + "int"),
            Value("literal", "plain"),
            Value("bnode", "nodeID://b1"),
        ),
        (None,) * 5,
    )
    server.script = [answer('{"head": {}, "boolean": true}')]
    assert EndpointStore(server.url).query("ASK { ?s ?p ?o }").boolean is True


def test_endpoint_request(server: Server) -> None:
    server.script = [GOOD]
    store = EndpointStore(server.url + "?default-graph-uri=http%3A%2F%2Fx%2Fg")
    store.query(SELECT, max_rows=10)
    store.query(f"SELECT ?x WHERE {{ ?x ?p '{'long ' * 600}' }}")
    short, long = server.seen
    assert (short.method, long.method) == ("GET", "POST")
    assert len(short.path) < 2000 and len(long.path) < 2000
    for seen in server.seen:
        assert seen.headers["User-Agent"] == remote.USER_AGENT
        assert "application/sparql-results+json" in seen.headers["Accept"]
        assert seen.parameters["default-graph-uri"] == ["http://x/g"]
        assert len(seen.parameters["query"]) == 1
    assert short.parameters["query"][0].rstrip().endswith("LIMIT 11")
    assert "long " * 600 in long.parameters["query"][0]


def test_endpoint_row_cap(server: Server) -> None:
    rows = [{"x": {"type": "literal", "value": str(i)}} for i in range(11)]
    server.script = [answer(Results(bindings=rows).json())]
    result = EndpointStore(server.url).query(SELECT, max_rows=10)
    assert len(result.rows) == 10 and result.truncated
    assert not EndpointStore(server.url).query(SELECT, max_rows=11).truncated
    server.script = [answer(Results(bindings=rows).json(), X_SPARQL_MaxRows="11")]
    assert EndpointStore(server.url).query(SELECT, max_rows=100).truncated


def test_credentials_are_sent_and_never_shown(server: Server) -> None:
    server.script = [answer("denied for secret", status=401)]
    url = server.url.replace("http://", "http://user:s%40cret@") + "?api_key=hidden&graph=g"
    store = EndpointStore(url)
    with pytest.raises(GraphError) as caught:
        store.query(SELECT)
    (seen,) = server.seen
    assert seen.headers["Authorization"] == "Basic " + base64.b64encode(b"user:s@cret").decode()
    assert seen.parameters["api_key"] == ["hidden"]
    shown = f"{store.name} {caught.value} {caught.value.hint} {store!r}"
    assert not any(secret in shown for secret in ("s%40cret", "s@cret", "hidden", "user:"))
    assert "graph=g" in store.name and store.name.startswith("http://127.0.0.1")


# ---------------------------------------------------------------- endpoint: retries


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_busy_server_is_asked_again(server: Server, status: int) -> None:
    server.script = [answer("later", status=status), answer("later", status=status, Retry_After="0"), GOOD]
    assert EndpointStore(server.url).query(SELECT).rows == ONE
    assert len(server.seen) == 3


def test_retry_after_is_honoured(server: Server) -> None:
    server.script = [answer("", status=429, Retry_After="1"), GOOD]
    started = time.monotonic()
    assert EndpointStore(server.url).query(SELECT).rows == ONE
    assert 1 <= time.monotonic() - started < 3


def test_retry_after_beyond_the_deadline_is_not_waited_for(server: Server) -> None:
    server.script = [answer("", status=429, Retry_After="3600")]
    started = time.monotonic()
    with pytest.raises(GraphError, match="429 Too Many Requests") as caught:
        EndpointStore(server.url).query(SELECT, timeout=10)
    assert "3600 seconds" in caught.value.hint
    assert time.monotonic() - started < 1 and len(server.seen) == 1


@pytest.mark.parametrize("header", ["Wed, 01 Jan 2020 00:00:00 GMT", "soon", "-5", ""])
def test_odd_retry_after(server: Server, header: str) -> None:
    server.script = [answer("", status=503, Retry_After=header), GOOD]
    assert EndpointStore(server.url).query(SELECT, timeout=5).rows == ONE


def test_unavailable_for_ever_ends_within_the_deadline(server: Server) -> None:
    server.script = [answer("<html>maintenance</html>", status=503)]
    started = time.monotonic()
    with pytest.raises(GraphError, match="503 Service Unavailable") as caught:
        EndpointStore(server.url).query(SELECT, timeout=2)
    assert time.monotonic() - started < 2.5
    assert 2 <= len(server.seen) <= remote.MAX_ATTEMPTS
    assert "<" not in caught.value.message


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_other_refusals_are_not_repeated(server: Server, status: int) -> None:
    server.script = [answer("Virtuoso 37000 Error SP030: syntax error\nat line 1", status=status)]
    with pytest.raises(GraphError, match=str(status)) as caught:
        EndpointStore(server.url).query(SELECT)
    assert len(server.seen) == 1 and caught.value.hint and "\n" not in caught.value.message


def test_server_side_time_limit_is_a_timeout(server: Server) -> None:
    message = "Virtuoso 42000 Error The estimated execution time 9000 (sec) exceeds the limit of 400 (sec)."
    server.script = [answer(message, status=500)]
    with pytest.raises(QueryTimeoutError, match="too slow"):
        EndpointStore(server.url).query(SELECT)
    server.script = [answer(Results().json(), X_SQL_State="S1TAT", X_SQL_Message="partial")]
    with pytest.raises(QueryTimeoutError, match="only a part"):
        EndpointStore(server.url).query(SELECT)


# ---------------------------------------------------------------- endpoint: servers that misbehave


def hang(handler: Handler) -> None:
    handler.server.released.wait(30)


def trickle(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not handler.server.released.wait(0.1):
        handler.wfile.write(b" ")


def trickle_header(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
    while not handler.server.released.wait(0.1):
        handler.wfile.write(b"x")


@pytest.mark.parametrize("behaviour", [hang, trickle, trickle_header])
def test_slow_servers_end_at_the_deadline(server: Server, behaviour: Callable[[Handler], None]) -> None:
    server.script = [behaviour]
    started = time.monotonic()
    with pytest.raises(QueryTimeoutError, match="did not answer in time") as caught:
        EndpointStore(server.url).query(SELECT, timeout=0.6)
    assert 0.5 < time.monotonic() - started < 1.5
    assert caught.value.hint


def half(handler: Handler) -> None:
    handler.send(200, Results().json()[:40], Content_Length="5000")


def half_chunked(handler: Handler) -> None:
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"10\r\n0123456789abcdef\r\n20\r\n0123")


def half_without_length(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(Results().json()[:40].encode())


def hang_up(handler: Handler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def no_http(handler: Handler) -> None:
    handler.wfile.write(b"220 mail.example.org ESMTP\r\n")


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        (half, "broke off"),
        (half_chunked, "broke off"),
        (half_without_length, "half of it"),
        (hang_up, "closed the connection"),
        (no_http, "does not speak HTTP"),
        (answer("<!DOCTYPE html><html>Welcome</html>", Content_Type="text/html"), "web page"),
        (answer("  \n<?xml version='1.0'?><sparql/>"), "web page or XML"),
        (answer(""), "not JSON"),
        (answer("OK"), "not JSON"),
        (answer(b"\xff\xfe\x00"), "not JSON"),
        (answer("[" * 200_000), "not JSON"),
        (answer("[]"), "no SPARQL result"),
        (answer("null"), "no SPARQL result"),
        (answer('{"head": {"vars": ["x"]}, "boolean": true}'), "no SPARQL result"),
        (answer('{"head": {"vars": ["x"]}, "results": {"bindings": [1]}}'), "no SPARQL result"),
        (answer(Results(bindings=[{"x": {"type": "alien", "value": "v"}}]).json()), "no SPARQL result"),
        (answer(Results(bindings=[{"x": {"type": "uri", "value": 5}}]).json()), "no SPARQL result"),
        (answer(Results(bindings=[{"x": "bare"}]).json()), "no SPARQL result"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_said(server: Server, behaviour: Callable[[Handler], None], says: str) -> None:
    server.script = [behaviour]
    started = time.monotonic()
    with pytest.raises(GraphError, match=says) as caught:
        EndpointStore(server.url).query(SELECT, timeout=5)
    assert not isinstance(caught.value, QueryTimeoutError)
    assert caught.value.hint and caught.value.exit_status == 4
    assert caught.value.message.startswith(("http://127.0.0.1", "What listens at http://127.0.0.1"))
    assert time.monotonic() - started < 4


def test_ask_answered_with_rows(server: Server) -> None:
    server.script = [GOOD]
    with pytest.raises(GraphError, match="no SPARQL result"):
        EndpointStore(server.url).query("ASK { ?s ?p ?o }")


def test_huge_answer_is_not_swallowed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = 0

    def flood(handler: Handler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        while sent < 200 * 2**20:
            handler.wfile.write(b"x" * 2**20)
            sent += 2**20

    server.script = [flood]
    with pytest.raises(GraphError, match="more than 64 MiB"):
        EndpointStore(server.url).query(SELECT)
    assert sent < 100 * 2**20


def test_nothing_listens() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(GraphError, match=f"127.0.0.1:{port}/sparql refused the connection") as caught:
        EndpointStore(f"http://127.0.0.1:{port}/sparql").query(SELECT)
    assert caught.value.hint and time.monotonic() - started < 2


def test_unknown_host() -> None:
    with pytest.raises(GraphError):
        EndpointStore("http://host.invalid/sparql").query(SELECT, timeout=5)


def test_https_on_a_plain_port(server: Server) -> None:
    server.script = [GOOD]
    with pytest.raises(GraphError, match="TLS|closed the connection"):
        EndpointStore(server.url.replace("http:", "https:")).query(SELECT, timeout=5)


# ---------------------------------------------------------------- endpoint: redirects and addresses


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:application/json,{}", "http:///none", "jar:x"]
)
def test_redirects_leave_the_web_for_nothing(server: Server, target: str) -> None:
    server.script = [answer("", status=302, Location=target)]
    with pytest.raises(GraphError, match="redirects"):
        EndpointStore(server.url).query(SELECT, timeout=5)


def test_redirect_in_circles(server: Server) -> None:
    server.script = [answer("", status=302, Location="/sparql")]
    with pytest.raises(GraphError, match="circles"):
        EndpointStore(server.url).query(SELECT, timeout=5)
    assert len(server.seen) < 12


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_repeats_a_post_without_the_credentials(server: Server, status: int) -> None:
    with Server() as other:
        thread = threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            other.script = [GOOD]
            server.script = [answer("", status=status, Location=other.url)]
            text = f"SELECT ?x WHERE {{ ?x ?p '{'long ' * 600}' }}"
            store = EndpointStore(server.url.replace("http://", "http://user:secret@"))
            assert store.query(text).rows == ONE
        finally:
            other.shutdown()
            thread.join()
    (first,), (second,) = server.seen, other.seen
    assert "Authorization" in first.headers and "Authorization" not in second.headers
    assert second.method == "POST" and second.body == first.body


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/sparql",
        "file:///etc/passwd",
        "http://",
        "http:///sparql",
        "http://host:port/sparql",
        "http://host:99999/sparql",
        "http://host/sparql\r\nX-Injected: yes",
        "http://ho st/sparql",
        "http://[::1/sparql",
    ],
)
def test_bad_addresses(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_store(url)
    assert caught.value.hint and caught.value.exit_status == 2


def test_open_store_chooses(tmp_path: Path) -> None:
    (tmp_path / "g.ttl").write_text(SYNTAXES["ttl"])
    assert isinstance(open_store("HTTP://localhost:1/sparql"), EndpointStore)
    assert isinstance(open_store(tmp_path), EmbeddedStore)
    assert isinstance(open_store(str(tmp_path / "g.ttl")), EmbeddedStore)
