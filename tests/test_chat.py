"""`--model openai:URL#NAME` against a real HTTP server: what a chat model says is untrusted text."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ontoprompt.chat import ChatGenerator, extract_query
from ontoprompt.entities import EntityLink
from ontoprompt.errors import GraphError, UsageError
from ontoprompt.fragment import Fragment, ScoredTerm
from ontoprompt.generation import Candidate, Request, open_generator
from ontoprompt.ontology import Term
from ontoprompt.prompts import build_prompt

DBO, DBR = "http://dbpedia.org/ontology/", "http://dbpedia.org/resource/"
RIGHT = "SELECT ?x WHERE { dbr:Australia dbo:capital ?x }"
QUESTION = "What is the capital of Australia?"
FRAGMENT = Fragment(
    QUESTION,
    (ScoredTerm(Term(DBO + "capital", "object_property", "capital"), 1.0),),
    (EntityLink(DBR + "Australia", "Australia", "Australia", 23, 32, 1.0),),
)
REQUEST = Request(build_prompt(FRAGMENT, "nsql"))


class Server(ThreadingHTTPServer):
    """Answers each POST with the next reply: (status, body), a text that a model says, or "hang"."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: list[Any] = []
        self.seen: list[tuple[dict[str, Any], str | None]] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, *_: Any) -> None:
        """Clients that give up are expected here."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((body, self.headers.get("Authorization")))
        replies = self.server.replies
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if reply == "hang":
            self.server.released.wait(30)
            return
        if isinstance(reply, str):
            reply = (200, json.dumps({"choices": [{"message": {"content": reply}}]}))
        status, text = reply
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("ONTOPROMPT_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    made = Server()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.released.set()
    made.shutdown()


def ask(server: Server, *replies: Any, timeout: float = 10.0) -> tuple[Candidate, ...]:
    server.replies = list(replies)
    (candidates,) = ChatGenerator(server.url, "tiny", timeout=timeout).generate([REQUEST])
    return candidates


@pytest.mark.parametrize(
    "said",
    [
        RIGHT,
        f"```sparql\n{RIGHT}\n```",
        f"Here it is:\n```\n{RIGHT}\n```\nIt asks for the capital.",
        f"Sure! The query {RIGHT} gives the capital.",
        f"<think>SELECT or ASK {{?}} ...</think>{RIGHT}",
    ],
)
def test_the_query_is_taken_out_of_what_is_said(server: Server, said: str) -> None:
    (candidate,) = ask(server, said)
    assert candidate.sparql == RIGHT
    ((body, key),) = server.seen
    assert key is None and body["model"] == "tiny"
    assert body["messages"][-1]["content"] == REQUEST.prompt.text


def test_modifiers_belong_to_the_query(server: Server) -> None:
    query = "SELECT ?x WHERE { ?x dbo:capital ?y } ORDER BY DESC(?y) LIMIT 1"
    assert extract_query(f"{query}\n\nThis sorts them.") == query


def test_what_does_not_parse_is_sent_back_once(server: Server) -> None:
    (candidate,) = ask(server, "I do not know.", RIGHT)
    assert candidate.sparql == RIGHT and len(server.seen) == 2
    told = server.seen[1][0]["messages"]
    assert told[-2] == {"role": "assistant", "content": "I do not know."}
    assert "no valid query" in told[-1]["content"]


@pytest.mark.parametrize("said", ["I do not know.", "DELETE WHERE { ?s ?p ?o }", "", "SELECT ?x WHERE {"])
def test_after_two_tries_there_is_no_candidate(server: Server, said: str) -> None:
    assert ask(server, said) == ()
    assert len(server.seen) == 2


def test_a_server_that_is_busy_is_asked_again(server: Server) -> None:
    (candidate,) = ask(server, (429, "{}"), RIGHT)
    assert candidate.sparql == RIGHT and len(server.seen) == 2


@pytest.mark.parametrize(
    "reply",
    [
        (500, "{}"),
        (401, '{"error": "no"}'),
        (200, "<html>Welcome</html>"),
        (200, '{"choices": []}'),
        (200, "[]"),
        (200, '{"choices": [{"mess'),
    ],
)
def test_other_replies_end_in_a_sentence(server: Server, reply: tuple[int, str]) -> None:
    with pytest.raises(GraphError) as error:
        ask(server, reply)
    assert error.value.message.endswith(".") and error.value.hint


def test_a_server_that_hangs_is_given_up(server: Server) -> None:
    began = time.monotonic()
    with pytest.raises(GraphError):
        ask(server, "hang", timeout=0.5)
    assert time.monotonic() - began < 5


def test_the_key_is_sent_and_never_shown(
    server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    ask(server, RIGHT)
    assert server.seen[0][1] == "Bearer sk-very-secret"
    with pytest.raises(GraphError) as error:
        ask(server, (500, "sk-very-secret was refused"))
    assert "secret" not in f"{error.value.message} {error.value.hint} {error.value!r}"
    assert "secret" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("name", ["openai:", "openai:http://localhost/v1", "openai:#m", "openai:ftp://x#m"])
def test_a_name_without_url_or_model_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="names no model server"):
        open_generator(name)
