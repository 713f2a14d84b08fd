"""Remote linkers against a local server that replays what the services are documented to answer."""

from __future__ import annotations

import json
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ontoprompt.errors import GraphError, QueryTimeoutError, UsageError
from ontoprompt.linkers import MAX_REQUESTS, DBpediaLookupLinker, RemoteLinker, WikidataLinker, mentions

R, O = "http://dbpedia.org/resource/", "http://dbpedia.org/ontology/"  # noqa: E741
LOOKUP = {
    "paris": [
        {
            "score": ["9102.4"],
            "refCount": ["55012"],
            "resource": [R + "Paris"],
            "redirectlabel": ["City of Light", "<B>Paris</B>, France"],
            "typeName": ["City", "Place"],
            "comment": ["<B>Paris</B> is the capital of France."],
            "label": ["<B>Paris</B>"],
            "type": [O + "City", O + "Place"],
            "category": ["http://dbpedia.org/resource/Category:Paris"],
        },
        {
            "score": ["4410.0"],
            "refCount": ["800"],
            "resource": [R + "Paris_Hilton"],
            "label": ["<B>Paris</B> Hilton"],
            "type": [O + "Person"],
        },
        {
            "score": ["100"],
            "resource": [R + "Paris,_Texas"],
            "label": ["<B>Paris</B>, Texas"],
            "refCount": ["20"],
        },
    ],
    "france": [
        {"resource": [R + "France"], "label": ["<B>France</B>"], "refCount": ["90000"], "score": ["1"]}
    ],
    "at&t": [{"resource": [R + "AT&T"], "label": ["<B>AT&amp;T</B>"], "score": ["1"]}],
}
WIKIDATA = {
    "douglas adams": [
        {
            "id": "Q42",
            "title": "Q42",
            "pageid": 138,
            "concepturi": "http://www.wikidata.org/entity/Q42",
            "repository": "wikidata",
            "url": "//www.wikidata.org/wiki/Q42",
            "display": {"label": {"value": "Douglas Adams", "language": "en"}},
            "label": "Douglas Adams",
            "description": "English writer and humorist",
            "match": {"type": "label", "language": "en", "text": "Douglas Adams"},
        },
        {
            "id": "Q28421831",
            "concepturi": "http://www.wikidata.org/entity/Q28421831",
            "label": "Douglas Adams",
            "match": {"type": "label", "language": "en", "text": "Douglas Adams"},
        },
    ],
    "nyc": [
        {
            "id": "Q60",
            "concepturi": "http://www.wikidata.org/entity/Q60",
            "label": "New York City",
            "match": {"type": "alias", "language": "en", "text": "NYC"},
            "aliases": ["NYC"],
        }
    ],
}
Answer = tuple[int, str, bytes]


W = "http://www.wikidata.org/entity/"


def claim(item: str, rank: str = "normal") -> dict[str, object]:
    value = {"entity-type": "item", "numeric-id": int(item[1:]), "id": item}
    snak = {
        "snaktype": "value",
        "property": "P31",
        "datavalue": {"value": value, "type": "wikibase-entityid"},
    }
    return {"mainsnak": snak, "type": "statement", "rank": rank}


UNKNOWN = {"mainsnak": {"snaktype": "somevalue", "property": "P31"}, "type": "statement", "rank": "normal"}
# Item → its statements, as wbgetclaims gives them; items without any have an empty list there.
CLAIMS = {
    "Q42": {"P31": [claim("Q15632617"), claim("Q5", "preferred")]},
    "Q28421831": {"P31": [claim("Q3331189"), UNKNOWN, claim("Q7", "deprecated"), claim("Q571")]},
}


class Service:
    """A local server; `answer` turns the parameters of a request into status, content type and body."""

    def __init__(self, answer: Callable[[dict[str, str]], Answer]) -> None:
        self.asked: list[dict[str, str]] = []
        self.agents: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = urllib.parse.urlsplit(self.path).query
                outer.asked.append(dict(urllib.parse.parse_qsl(query)))
                outer.agents.append(self.headers.get("User-Agent", ""))
                status, kind, body = answer(outer.asked[-1])
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", kind)
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    return  # the client has given up

            def log_message(self, format: str, *args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/api/search"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[dict[str, str]], Answer]], Service]]:
    running: list[Service] = []

    def start(answer: Callable[[dict[str, str]], Answer]) -> Service:
        running.append(Service(answer))
        return running[-1]

    yield start
    for service in running:
        service.close()


def lookup(parameters: dict[str, str]) -> Answer:
    docs = LOOKUP.get(parameters["query"].lower(), [])
    return 200, "application/json", json.dumps({"docs": docs[: int(parameters["maxResults"])]}).encode()


def wikidata(parameters: dict[str, str]) -> Answer:
    if parameters["action"] == "wbgetclaims":
        assert parameters["property"] == "P31"
        reply: dict[str, object] = {"claims": CLAIMS.get(parameters["entity"], [])}
        return 200, "application/json; charset=utf-8", json.dumps(reply).encode()
    found = WIKIDATA.get(parameters["search"].lower(), [])
    reply = {"searchinfo": {"search": parameters["search"]}, "search": found, "success": 1}
    return 200, "application/json; charset=utf-8", json.dumps(reply).encode()


def test_dbpedia_lookup(serve: Callable[..., Service]) -> None:
    service = serve(lookup)
    links = DBpediaLookupLinker(service.url).link("Is Paris the capital of France?")
    first = {link.mention: link for link in reversed(links)}
    assert first["Paris"].iri == R + "Paris" and first["France"].iri == R + "France"
    assert (first["Paris"].label, first["Paris"].degree) == ("Paris", 55012)
    assert first["Paris"].types == (O + "City", O + "Place")
    assert (first["Paris"].start, first["Paris"].end) == (3, 8)
    assert first["Paris"].score > 0.9
    assert {link.iri for link in links if link.mention == "Paris"} == {
        R + "Paris",
        R + "Paris_Hilton",
        R + "Paris,_Texas",
    }
    assert all(asked["format"] == "JSON" for asked in service.asked)
    assert all(agent.startswith("ontoprompt/") for agent in service.agents)


def test_types_and_k(serve: Callable[..., Service]) -> None:
    linker = DBpediaLookupLinker(serve(lookup).url)
    person = linker.link("Who is Paris?", types=[O + "Person"])
    plain = linker.link("Who is Paris?")
    city = {link.iri: link.score for link in person}[R + "Paris"]
    assert city < {link.iri: link.score for link in plain}[R + "Paris"]
    assert len(linker.link("Who is Paris?", k=1)) == 1


def test_labels_are_cleared_of_marks(serve: Callable[..., Service]) -> None:
    (link,) = DBpediaLookupLinker(serve(lookup).url).link("Who founded AT&T?")
    assert (link.iri, link.label) == (R + "AT&T", "AT&T")


def test_wikidata(serve: Callable[..., Service]) -> None:
    service = serve(wikidata)
    links = WikidataLinker(service.url).link("Where was Douglas Adams born?")
    assert [link.iri for link in links] == [
        "http://www.wikidata.org/entity/Q42",
        "http://www.wikidata.org/entity/Q28421831",
    ]
    assert links[0].score > links[1].score > 0.5
    assert service.asked[0]["action"] == "wbsearchentities" and service.asked[0]["language"] == "en"


def test_wikidata_types(serve: Callable[..., Service]) -> None:
    service = serve(wikidata)
    linker = WikidataLinker(service.url)
    human, other = linker.link("Where was Douglas Adams born?")
    assert human.types == (W + "Q5",) and other.types == (W + "Q3331189", W + "Q571")
    first = linker.link("Where was Douglas Adams born?", types=[W + "Q3331189"])[0]
    assert (first.iri, first.score) == (W + "Q28421831", other.score)
    # The search is remembered, and so are the types.
    assert [asked["action"] for asked in service.asked] == ["wbsearchentities"] + ["wbgetclaims"] * 2


@pytest.mark.parametrize(
    "reply",
    [(500, "text/plain", b"no"), (200, "application/json", b'{"claims": {"P31": [{"rank": 1}]}}')],
)
def test_wikidata_links_without_types_where_those_fail(serve: Callable[..., Service], reply: Answer) -> None:
    service = serve(lambda asked: reply if asked["action"] == "wbgetclaims" else wikidata(asked))
    links = WikidataLinker(service.url).link("Where was Douglas Adams born?", types=[W + "Q5"])
    assert [link.types for link in links] == [(), ()]
    assert links[0].iri == W + "Q42" and len(service.asked) == 2


def test_wikidata_alias(serve: Callable[..., Service]) -> None:
    (link,) = WikidataLinker(serve(wikidata).url).link("How big is NYC?")
    assert (link.iri, link.label, link.mention) == (
        "http://www.wikidata.org/entity/Q60",
        "New York City",
        "NYC",
    )
    assert link.score > 0.85


def test_parts_of_an_unknown_mention_are_tried(serve: Callable[..., Service]) -> None:
    links = WikidataLinker(serve(wikidata).url).link("Did the humorist Douglas Adams of NYC write it?")
    assert {link.mention for link in links} == {"Douglas Adams", "NYC"}


def test_requests_are_few_and_not_repeated(serve: Callable[..., Service]) -> None:
    service = serve(lookup)
    linker = DBpediaLookupLinker(service.url)
    many = " or ".join(f'"Name{chr(65 + number)} Other"' for number in range(20))
    assert linker.link(f"Who knows {many}?") == ()
    assert len(service.asked) == MAX_REQUESTS
    linker.link("Is Paris the capital of France?")
    count = len(service.asked)
    linker.link("Where in France is Paris?")
    assert len(service.asked) == count


def test_nothing_is_asked_for_nothing(serve: Callable[..., Service]) -> None:
    service = serve(lookup)
    for question in ("", "?", "who is it"):
        assert DBpediaLookupLinker(service.url).link(question) == ()
    assert service.asked == []


HTML = b"<!DOCTYPE html><html><body>Down for maintenance</body></html>"


@pytest.mark.parametrize("make", [DBpediaLookupLinker, WikidataLinker])
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, "text/html", HTML), "web page"),
        ((200, "application/json", b'{"docs": [{"resou'), "not JSON"),
        ((200, "application/json", b"[" * 100_000), "not JSON"),
        ((200, "application/json", b"\xff\xfe\x00"), "not JSON"),
        ((200, "application/json", b'{"results": []}'), "another service"),
        ((200, "application/json", b"[]"), "another service"),
        (
            (200, "application/json", b'{"docs": [{"label": ["x"]}], "search": [{"label": "x"}]}'),
            "another service",
        ),
        ((200, "application/json", b'{"docs": [{"resource": []}], "search": ["x"]}'), "another service"),
        ((200, "application/json", b'{"docs": 5, "search": 5}'), "another service"),
        ((200, "application/json", b'{"error": {"code": "x", "info": "Rate limit reached."}}'), "Rate limit"),
        ((404, "text/html", HTML), "404"),
        ((500, "text/plain", b"oops"), "500"),
        ((403, "text/plain", b"agent"), "403"),
    ],
)
def test_bad_answers_are_explained(
    serve: Callable[..., Service], make: Callable[[str], RemoteLinker], answer: Answer, said: str
) -> None:
    with pytest.raises(GraphError, match=said) as caught:
        make(serve(lambda parameters: answer).url).link("Where is Paris?")
    assert caught.value.hint


def test_busy_service_is_asked_again(serve: Callable[..., Service]) -> None:
    answers = iter([(429, "text/plain", b"slow down")])
    service = serve(lambda parameters: next(answers, None) or lookup(parameters))
    assert DBpediaLookupLinker(service.url).link("Where is Paris?")[0].iri == R + "Paris"
    assert len(service.asked) == 2


def test_service_that_stays_busy(serve: Callable[..., Service]) -> None:
    service = serve(lambda parameters: (429, "text/plain", b"slow down"))
    started = time.monotonic()
    with pytest.raises(GraphError, match="429"):
        DBpediaLookupLinker(service.url, timeout=1.0).link("Where is Paris?")
    assert time.monotonic() - started < 3


def test_slow_service_is_given_up(serve: Callable[..., Service]) -> None:
    def slow(parameters: dict[str, str]) -> Answer:
        time.sleep(0.25)
        return lookup(parameters)

    started = time.monotonic()
    with pytest.raises(QueryTimeoutError):
        DBpediaLookupLinker(serve(slow).url, timeout=0.4).link('Is "Paris" or "Rome" or "Berlin" bigger?')
    assert time.monotonic() - started < 1.5


def test_nobody_there() -> None:
    with pytest.raises(GraphError) as caught:
        WikidataLinker("http://127.0.0.1:9/w/api.php", timeout=2).link("Where is Paris?")
    assert caught.value.hint
    with pytest.raises(UsageError):
        WikidataLinker("ftp://example.org/")


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Where was Douglas Adams born?", ["Douglas Adams"]),
        ("Who wrote The Lord of the Rings?", ["The Lord of the Rings"]),
        ("Who directed 'jaws' and \"the birds\"?", ["jaws", "the birds"]),
        ("where was douglas adams born", ["douglas adams"]),
        ("What is Berlin's population?", ["Berlin"]),
        ("Which river flows through the city of ships?", ["ships"]),
        ("Is the Nile longer than the Amazon?", ["Nile", "Amazon"]),
        ("Who won the 2010 FIFA World Cup?", ["2010 FIFA World Cup"]),
    ],
)
def test_mentions(question: str, expected: list[str]) -> None:
    found = mentions(question)
    assert [mention.text for mention in found] == expected
    assert all(question[mention.start : mention.end] == mention.text for mention in found)
