"""What several test files share: a home of their own, a small graph, a tiny model, a generator that is told what to say."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyoxigraph
import pytest

from ontoprompt.generation import Candidate, Request
from ontoprompt.retrieval import Retriever
from ontoprompt.settings import Settings

GRAPH = """
@prefix dbo: <http://dbpedia.org/ontology/> . @prefix dbr: <http://dbpedia.org/resource/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
dbr:Australia a dbo:Country ; rdfs:label "Australia"@en ; dbo:capital dbr:Canberra ; dbo:populationTotal 26000000 .
dbr:France a dbo:Country ; rdfs:label "France"@en ; dbo:capital dbr:Paris ; dbo:populationTotal 68000000 .
dbr:Georgia_\\(country\\) a dbo:Country ; rdfs:label "Georgia"@en ; dbo:capital dbr:Tbilisi .
dbr:Canberra a dbo:City ; rdfs:label "Canberra"@en ; dbo:country dbr:Australia .
dbr:Paris a dbo:City ; rdfs:label "Paris"@en ; dbo:country dbr:France .
dbr:Tbilisi a dbo:City ; rdfs:label "Tbilisi"@en .
"""

JSON_RESULTS = "application/sparql-results+json"


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty home folder, one for the whole run: what is made on first use is made once."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _own_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "ONTOPROMPT_HOME", "ONTOPROMPT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    for setting in fields(Settings):
        monkeypatch.delenv(f"ONTOPROMPT_{setting.name.upper()}", raising=False)


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph of six entities in DBpedia's vocabulary."""
    path = tmp_path_factory.mktemp("graph") / "small.ttl"
    path.write_text(GRAPH, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CodeGen checkpoint with random weights, small enough to be made here."""
    from ontoprompt.training import TrainConfig, make_tokenizer, new_model, save_generator

    folder = tmp_path_factory.mktemp("model")
    config = TrainConfig(layers=1, width=64, heads=4, vocabulary=800)
    tokenizer = make_tokenizer(["create table c1 country ( p1 capital : city )"], config.vocabulary)
    save_generator(new_model(config, tokenizer), tokenizer, folder)
    (folder / "training.json").write_text(json.dumps({"config": {"variant": config.variant}}))
    return folder


@pytest.fixture(scope="session")
def retriever(home: Path, graph: Path) -> Iterator[Retriever]:
    """All of retrieval over the small graph: its index, its names, and the graph itself in `store`."""
    from ontoprompt.assembly import open_retriever

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ONTOPROMPT_HOME", str(home / ".local" / "share" / "ontoprompt"))
        opened, _ = open_retriever(Settings(kg=str(graph)))
    yield opened
    assert opened.store is not None
    opened.store.close()


class ScriptedGenerator:
    """Says what it is told: for each call the next list of queries, in surfaces; the last one repeats."""

    name = "scripted"
    variant = "nsql-symbols"
    context = 4096

    def __init__(self) -> None:
        self.script: list[Sequence[str]] = [("SELECT ?a WHERE { e1 p1 ?a }",)]
        self.seen: list[Request] = []

    def says(self, *turns: Sequence[str]) -> None:
        self.script = list(turns)

    def generate(self, requests: Sequence[Request], *, candidates: int = 5) -> list[tuple[Candidate, ...]]:
        self.seen += requests
        texts = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return [
            tuple(
                Candidate(text, request.prompt.expand(text), -0.1 * (rank + 1), (-0.1 * (rank + 1),))
                for rank, text in enumerate(texts)
            )
            for request in requests
        ]

    def count_tokens(self, text: str) -> int:
        return len(text.split())


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> ScriptedGenerator:
    """Takes the place of whatever model would be opened."""
    generator = ScriptedGenerator()
    monkeypatch.setattr("ontoprompt.generation.open_generator", lambda *_: generator)
    return generator


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def shell(home: Path, tmp_path: Path) -> Run:
    """Runs the command in a process of its own, from an empty folder, with an empty home."""

    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        package = str(Path(__file__).parent.parent)
        environment = {**os.environ, "HOME": str(home), "PYTHONPATH": package, "OMP_NUM_THREADS": "1"}
        environment.update(options.pop("env", {}))
        options.setdefault("timeout", 120)
        return subprocess.run(
            [sys.executable, "-c", "from ontoprompt.cli import main; main()", *arguments],
            text=True,
            capture_output="stdout" not in options,
            cwd=tmp_path,
            env=environment,
            check=False,
            **options,
        )

    return run


class Endpoint(ThreadingHTTPServer):
    """A server on a free port that answers each request with the next reply; the last one repeats.

    A reply is (status, content type, body), or "hang", or ("half", body), or a pyoxigraph store that answers the
    query, or a function from the query to one of these.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Replies)
        self.replies: list[Any] = []
        self.asked = 0
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/sparql"

    def handle_error(self, *_: Any) -> None:
        """Clients that give up are expected here."""


class _Replies(BaseHTTPRequestHandler):
    server: Endpoint

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        asked = parse_qs(urlsplit(self.path).query) | parse_qs(body)
        query = asked.get("query", [""])[0]
        self.server.asked += 1
        replies = self.server.replies
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if callable(reply):
            reply = reply(query)
        if isinstance(reply, pyoxigraph.Store):
            reply = (200, JSON_RESULTS, _evaluated(reply, query))
        if reply == "hang":
            self.server.released.wait(60)
            return
        half = reply[0] == "half"
        status, kind, text = (200, JSON_RESULTS, reply[1]) if half else reply
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data) * (2 if half else 1)))
        self.end_headers()
        self.wfile.write(data)
        if half:
            self.connection.shutdown(socket.SHUT_RDWR)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Tests print nothing."""


def _evaluated(store: pyoxigraph.Store, query: str) -> str:
    results = store.query(query)
    assert isinstance(results, pyoxigraph.QuerySolutions | pyoxigraph.QueryBoolean)
    return results.serialize(format=pyoxigraph.QueryResultsFormat.JSON).decode()


@pytest.fixture
def graph_store(graph: Path) -> pyoxigraph.Store:
    """The small graph, to stand behind an endpoint."""
    store = pyoxigraph.Store()
    store.load(path=str(graph), format=pyoxigraph.RdfFormat.TURTLE)
    return store


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()
