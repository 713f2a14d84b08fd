"""Servers that are handed the grammar: a real HTTP server whose model, of random weights, is held to the text it is sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any

import llguidance
import pytest
from llguidance.gbnf_to_lark import gbnf_to_lark

from ontoprompt import sparql
from ontoprompt.chat import ChatGenerator, CompletionGenerator
from ontoprompt.entities import EntityLink
from ontoprompt.fragment import Fragment, ScoredTerm
from ontoprompt.generation import Request, open_generator
from ontoprompt.grammar import Grammar, Vocabulary, build_grammar
from ontoprompt.ontology import Term
from ontoprompt.prompts import build_prompt
from ontoprompt.settings import default_model_dir

DBO, DBR = "http://dbpedia.org/ontology/", "http://dbpedia.org/resource/"
FRAGMENT = Fragment(
    'Which country has the capital "Can\\berra" or Žilina?',
    (
        ScoredTerm(Term(DBO + "Country", "class", "country"), 1.0),
        ScoredTerm(Term(DBO + "capital", "object_property", "capital"), 1.0),
    ),
    (EntityLink(DBR + "Žilina", "Žilina", "Žilina", 44, 50, 1.0),),
)
PROMPT = build_prompt(FRAGMENT, "nsql")
GRAMMAR = build_grammar(
    Vocabulary(PROMPT.of("class"), PROMPT.of("property"), PROMPT.of("entity"), strings=('"Can\\\\berra"',))
)
REQUEST = Request(PROMPT, GRAMMAR)
END = 0


@pytest.fixture(scope="module")
def tokens() -> Any:
    return llguidance.LLTokenizer((default_model_dir() / "tokenizer.json").read_text(), eos_token=END)


def matcher(tokens: Any, gbnf: str) -> Any:
    found = llguidance.LLMatcher(tokens, llguidance.LLMatcher.grammar_from_lark(gbnf_to_lark(gbnf)))
    assert not found.is_error(), found.get_error()
    return found


def sample(tokens: Any, gbnf: str, seed: int) -> str:
    """What a model of random weights writes under a grammar."""
    held, rng, ids = matcher(tokens, gbnf), Random(seed), []
    while not held.is_stopped():
        mask = held.compute_bitmask()
        allowed = [i for i in range(tokens.vocab_size) if mask[i // 8] >> (i % 8) & 1]
        token = END if END in allowed and rng.random() < 0.5 else rng.choice(allowed)
        held.consume_token(token)
        if token == END:
            break
        ids.append(token)
    return str(tokens.decode_str(ids))


class Server(ThreadingHTTPServer):
    """Takes a grammar by the names in `fields`, refuses others; says that its models are `owner`'s."""

    daemon_threads = True

    def __init__(self, tokens: Any, owner: str, fields: tuple[str, ...]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.tokens, self.owner, self.fields = tokens, owner, fields
        self.seen: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.answer(200, {"data": [{"id": "m", "owned_by": self.server.owner}]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append({"path": self.path, **asked})
        handed = {k: v for k, v in asked.items() if k in ("grammar", "structured_outputs", "guided_grammar")}
        if not set(handed) <= set(self.server.fields):
            self.answer(400, {"error": "unknown field"})
            return
        grammar = next(iter(handed.values()), None)
        text = "I do not know."
        if grammar:
            gbnf = grammar["grammar"] if isinstance(grammar, dict) else grammar
            text = sample(self.server.tokens, gbnf, len(self.server.seen))
        self.answer(200, {"choices": [{"text": text, "message": {"content": text}}]})

    def answer(self, status: int, row: Any) -> None:
        body = json.dumps(row).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def serve(tokens: Any) -> Iterator[Any]:
    servers: list[Server] = []

    def start(owner: str, *fields: str) -> Server:
        servers.append(Server(tokens, owner, fields))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()


@pytest.mark.parametrize("form", ["", "ask", "select"])
def test_whatever_the_grammar_as_text_admits_is_a_query_over_the_fragment(tokens: Any, form: Any) -> None:
    gbnf = Grammar(GRAMMAR.vocabulary, form).gbnf()
    w3 = {"http://www.w3.org/2000/01/rdf-schema#label", "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"}
    known = {DBO + "Country", DBO + "capital", DBR + "Žilina", *w3}
    forms = set()
    for seed in range(40):
        query = sparql.parse(PROMPT.expand(sample(tokens, gbnf, seed)))
        assert query.iris() <= known
        forms.add(query.form)
    assert forms == ({form} if form else {"ask", "select"})


def test_the_grammar_as_text_admits_what_the_one_in_tokens_admits(tokens: Any) -> None:
    def admits(held: Any, text: str) -> bool:
        ids = [i for word in text.split(" ") for i in tokens.tokenize_str(" " + word)]
        return bool(held.validate_tokens(ids) == len(ids))

    written = GRAMMAR.write(tokens.tokenize_str, 512)
    country, capital, city = PROMPT.of("class")[0], PROMPT.of("property")[0], PROMPT.of("entity")[0]
    for text, right in (
        (f"SELECT DISTINCT ?a WHERE {{ ?a a {country} . ?a {capital} {city} }} LIMIT 5", True),
        ("SELECT ( COUNT ( DISTINCT ?a ) AS ?n ) WHERE { ?a " + capital + ' "Can\\\\berra" }', True),
        (f"ASK WHERE {{ {city} {capital} ?a . FILTER ( ?a > 2 ) }}", True),
        (f"SELECT ?a WHERE {{ ?a {country} ?b }}", False),
        (f"DELETE WHERE {{ ?a {capital} ?b }}", False),
    ):
        token_wise = llguidance.LLMatcher(tokens, llguidance.LLMatcher.grammar_from_lark(written.text))
        assert admits(matcher(tokens, GRAMMAR.gbnf()), text) is admits(token_wise, text) is right, text


@pytest.mark.parametrize("kind", [ChatGenerator, CompletionGenerator])
@pytest.mark.parametrize(
    ("owner", "field"), [("llamacpp", "grammar"), ("vllm", "structured_outputs"), ("vllm", "guided_grammar")]
)
def test_a_server_is_handed_the_grammar_as_it_takes_one(
    serve: Any, kind: Any, owner: str, field: str
) -> None:
    server = serve(owner, field)
    generator = kind(server.url, "m")
    for _ in range(2):
        (found,) = generator.generate([REQUEST])
        assert sparql.parse(found[0].sparql).form in ("ask", "select")
    assert generator.held and field in server.seen[-1]
    # A name that it refused is not tried again.
    assert len(server.seen) == (3 if field == "guided_grammar" else 2)


def test_others_are_not_handed_one(serve: Any) -> None:
    for owner, grammar in (("openai", True), ("llamacpp", False)):
        server = serve(owner)
        generator = ChatGenerator(server.url, "m", grammar=grammar)
        assert generator.generate([REQUEST]) == [()] and not generator.held
        assert all("grammar" not in asked for asked in server.seen)


def test_a_server_that_refuses_every_way_is_asked_without(serve: Any) -> None:
    server = serve("vllm")
    generator = CompletionGenerator(server.url, "m")
    assert generator.generate([REQUEST]) == [()] and not generator.held
    assert server.seen[-1]["prompt"] == PROMPT.text and server.seen[-1]["temperature"] == 0


def test_a_model_that_goes_on_with_a_text_is_opened_by_name(serve: Any) -> None:
    server = serve("llamacpp", "grammar")
    generator = open_generator(f"completions:{server.url}#m")
    assert isinstance(generator, CompletionGenerator) and generator.name == "completions:m"
    assert generator.generate([REQUEST])[0] and server.seen[0]["path"] == "/v1/completions"


def test_the_lift_of_one_model_is_told_step_by_step(
    serve: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench import lift

    server = serve("llamacpp", "grammar")
    data = tmp_path / "q.jsonl"
    query = f"SELECT ?a WHERE {{ <{DBR}France> <{DBO}capital> ?a }}"
    data.write_text(json.dumps({"question": "What is the capital of France?", "query": query}) + "\n")
    monkeypatch.setattr(
        "sys.argv",
        [
            "lift",
            "--model",
            f"completions:{server.url}#m",
            "--data",
            str(data),
            "--graph",
            "dbpedia",
            "--linking",
            "gold",
            "--json",
        ],
    )
    lift.main()
    found = json.loads(capsys.readouterr().out)
    assert [found[step]["parses"] for step in lift.STEPS] == [0.0, 0.0, 1.0]
    assert found["grammar"]["known"] == 1.0 and found["settings"]["held"] is True
    assert "capital" in server.seen[-1]["prompt"] and "CREATE" in server.seen[-1]["prompt"]
