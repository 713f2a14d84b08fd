"""A generator behind an OpenAI-compatible server: vLLM, Ollama, llama.cpp, or a hosted one.

The prompt is the one that local models get; a model that was never taught to chat is asked to go on
with it (`CompletionGenerator`). llama.cpp and vLLM are handed the grammar of the question and hold
the model to it; a server says which it is in its list of models. What comes back is untrusted text
all the same: the query is taken out of it, parsed, and goes through the same validation as any
candidate. The key comes from `ONTOPROMPT_API_KEY` or `OPENAI_API_KEY` and is never shown.
"""

from __future__ import annotations

import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import sparql
from .errors import GraphError, QueryError, UsageError
from .generation import Candidate, Request
from .remote import check_url, display_url, fetch

_SYSTEM = (
    "You write one SPARQL 1.1 SELECT or ASK query that answers the question in the last comment. Use only the terms and entities "
    "that the prompt names. Answer with the query alone, without explanation."
)
_KEYS = ("ONTOPROMPT_API_KEY", "OPENAI_API_KEY")
# Some hosted models refuse one of these two.
_OPTIONS = {"temperature": 0, "max_tokens": 2048}
# How a server is handed a grammar in GBNF, by who owns the models that it lists (llama.cpp's tools/server/README.md; vLLM's
# documentation, "Structured Outputs", of which the second is the name until 0.11).
_HANDED: Mapping[str, tuple[Callable[[str], Mapping[str, Any]], ...]] = {
    "llamacpp": (lambda grammar: {"grammar": grammar},),
    "vllm": (
        lambda grammar: {"structured_outputs": {"grammar": grammar}},
        lambda grammar: {"guided_grammar": grammar},
    ),
}
# Seconds for a server to say which models it has.
_ASKED = 5.0
# No query is longer: what an answer holds beyond is neither read nor sent back.
_LONGEST_REPLY = 20_000
_FENCE = re.compile(r"```\w*+(.*?)```", re.DOTALL)
# The beginning of a query, as opposed to its keywords in prose.
_START = re.compile(
    r"\b(?:PREFIX\s+[\w.-]*:\s*<|BASE\s*<|SELECT\s*(?:\b(?:DISTINCT|REDUCED)\b\s*)?[?$*(]"
    r"|ASK\s*(?:WHERE\s*)?\{|ASK\s+FROM\b)",
    re.IGNORECASE,
)
_UPDATE = re.compile(r"\b(?:INSERT|DELETE)\s*(?:DATA\s*|WHERE\s*)?\{", re.IGNORECASE)
# Braces, and what may hold one that is none: strings, IRIs, comments.
_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"""'
    r"|'''(?:[^\\]|\\.)*?'''"
    r'|"(?:[^"\\\n]|\\.)*+"'
    r"|'(?:[^'\\\n]|\\.)*+'"
    r"|<[^<>\"{}\s]*+>|\#[^\n]*+|[{}]",
    re.DOTALL,
)
# Brackets three deep, as `(COUNT(DISTINCT ?x) > 3)` needs them.
_BRACKETS = r"\((?:[^()]|\((?:[^()]|\([^()]*+\))*+\))*+\)"
# A variable, or brackets with one in them: other brackets are prose.
_EXPRESSION = rf"\s*+(?:[?$]\w++|[\w:]*+(?=\([^)]*[?$*]){_BRACKETS})"
_MODIFIERS = re.compile(
    rf"(?:\s*+GROUP\s++BY(?:{_EXPRESSION})++)?"
    rf"(?:\s*+HAVING(?:{_EXPRESSION})++)?"
    rf"(?:\s*+ORDER\s++BY(?:\s*+(?:ASC|DESC)\b|{_EXPRESSION})++)?"
    r"(?:\s*+(?:LIMIT|OFFSET)\s++\d++){0,2}"
    r"(?:\s*+VALUES\s*+(?:[?$]\w++|\([^()]*+\))\s*+\{[^{}]*+\})?",
    re.IGNORECASE,
)


class ChatGenerator:
    """Candidates from `POST {url}/chat/completions`. Raises GraphError when the server fails, UsageError for a
    key that cannot be sent."""

    variant = "nsql"
    context = 8192
    _scheme, _path = "openai", "chat/completions"

    def __init__(self, url: str, model: str, *, timeout: float = 60.0, grammar: bool = True) -> None:
        """`grammar`: hand the server each question's grammar, if it takes one."""
        self.url = url.rstrip("/")
        self.model = model
        self.name = f"{self._scheme}:{model}"
        self.timeout = timeout
        self.options: Mapping[str, Any] = _OPTIONS
        self._ways: tuple[Callable[[str], Mapping[str, Any]], ...] | None = None if grammar else ()

    @property
    def held(self) -> bool:
        """Whether the server is held to the grammar; known once it has been asked."""
        return bool(self._ways)

    @classmethod
    def from_name(cls, name: str) -> ChatGenerator:
        """The generator of `openai:URL#MODEL`. Raises UsageError when one of the two is missing."""
        url, _, model = name.removeprefix(f"{cls._scheme}:").partition("#")
        if not re.match(r"https?://", url) or not model:
            raise UsageError(
                f"'{display_url(name[:100])}' names no model server.",
                f"Write {cls._scheme}:URL#MODEL, for example {cls._scheme}:http://localhost:11434/v1#qwen3.",
            )
        check_url(url)
        return cls(url, model)

    def count_tokens(self, text: str) -> int:
        """An estimate, four characters a token: the server's tokenizer is not known."""
        return len(text) // 4 + 1

    def generate(self, requests: Sequence[Request], *, candidates: int = 5) -> list[tuple[Candidate, ...]]:
        """One query a request; when it does not parse, the server is told why and asked once more."""
        return [self._one(request) for request in requests]

    def _one(self, request: Request) -> tuple[Candidate, ...]:
        messages = [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": request.prompt.text}]
        grammar = self._grammar(request)
        for _ in range(2):
            reply = self._ask(self._fields(request, messages), grammar)
            query = extract_query(reply)
            try:
                expanded = request.prompt.expand(query)
                sparql.parse(expanded)
            except QueryError as error:
                messages += [
                    {"role": "assistant", "content": reply[:_LONGEST_REPLY]},
                    {"role": "user", "content": f"That is no valid query: {error.message} Write it again."},
                ]
                continue
            return (Candidate(query, expanded, 0.0),)
        return ()

    def _fields(self, request: Request, messages: Sequence[Mapping[str, str]]) -> Mapping[str, Any]:
        """What the model is asked."""
        return {"messages": list(messages)}

    def _said(self, body: bytes) -> Any:
        """What the model says in a server's answer. Raises what a body that is none raises."""
        return json.loads(body)["choices"][0]["message"]["content"]

    def _grammar(self, request: Request) -> str:
        """The request's grammar for a server that takes one, else nothing."""
        if request.grammar is None:
            return ""
        if self._ways is None:
            self._ways = _HANDED.get(self._owner(), ())
        return request.grammar.gbnf() if self._ways else ""

    def _owner(self) -> str:
        """Who owns the server's models by its own word; empty when it does not say."""
        request = urllib.request.Request(f"{self.url}/models", headers=self._headers())
        try:
            listed: Any = json.loads(fetch(request, timeout=min(_ASKED, self.timeout)).body)
            return str(listed["data"][0]["owned_by"])
        except (GraphError, ValueError, LookupError, TypeError, RecursionError):
            return ""

    def _ask(self, fields: Mapping[str, Any], grammar: str) -> str:
        """What the model says; empty when it declines to say anything."""
        while True:
            handed = self._ways[0](grammar) if grammar and self._ways else {}
            try:
                body = self._post(
                    {**fields, **handed, **self.options}, refusable=bool(handed or self.options)
                )
                break
            except _RefusedError:
                # Once more, and from now on, without what not every server knows: a way to hand a grammar, then options.
                if handed and self._ways:
                    self._ways = self._ways[1:]
                else:
                    self.options = {}
        try:
            content = self._said(body)
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise GraphError(
                "The model server answered with something that is no chat completion.",
                "Check the URL: it usually ends in /v1.",
            ) from error
        return content if isinstance(content, str) else ""

    def _headers(self) -> dict[str, str]:
        key = _key()
        return {"Accept": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}

    def _post(self, fields: Mapping[str, Any], *, refusable: bool) -> bytes:
        request = urllib.request.Request(
            f"{self.url}/{self._path}",
            data=json.dumps({"model": self.model, **fields}).encode(),
            headers={"Content-Type": "application/json", **self._headers()},
            method="POST",
        )
        try:
            return fetch(request, timeout=self.timeout).body
        except GraphError as error:
            raise self._explained(error, refusable) from None

    def _explained(self, error: GraphError, more_to_leave_out: bool) -> GraphError:
        """What went wrong, as it concerns a chat server rather than an endpoint."""
        cause = error.__cause__
        status = cause.code if isinstance(cause, urllib.error.HTTPError) else 0
        hint = "Check the model server: its URL, the model's name, the key."
        message = error.message
        if status in (401, 403, 407):
            message = f"{display_url(self.url)} does not take the key: it answered {status}."
            hint = f"Put the right one into the environment variable {_KEYS[0]}."
        elif status in (404, 405, 410):
            message = (
                f"{display_url(self.url)} offers no chat with '{self.model[:80]}': it answered {status}."
            )
            hint = "Check the model's name, and the URL: it usually ends in /v1."
        message = message.replace("refused the query", "refused the request")
        kind = _RefusedError if status in (400, 422) and more_to_leave_out else type(error)
        return kind(message, hint)


class CompletionGenerator(ChatGenerator):
    """Candidates from `POST {url}/completions`, for a model that goes on with a text: CodeGen, NSQL and other models that
    were never taught to chat. Named `completions:URL#MODEL`."""

    _scheme, _path = "completions", "completions"

    def _fields(self, request: Request, messages: Sequence[Mapping[str, str]]) -> Mapping[str, Any]:
        return {"prompt": request.prompt.text}

    def _said(self, body: bytes) -> Any:
        return json.loads(body)["choices"][0]["text"]


class _RefusedError(GraphError):
    """The server understood but would not: perhaps it does not know an option."""


def _key() -> str:
    """The key, empty when there is none. Raises UsageError, without quoting it, when no header can hold it."""
    for name in _KEYS:
        if key := os.environ.get(name, "").strip():
            if not (key.isascii() and key.isprintable()):
                raise UsageError(
                    f"The key in {name} holds characters that no key has.",
                    "Set it again, without quotes or line breaks in it.",
                )
            return key
    return ""


def extract_query(reply: str) -> str:
    """The query in a model's answer: out of a code fence or prose, thinking left out; the text itself when nothing looks like one."""
    reply = reply.rpartition("</think>")[2].partition("<think>")[0][:_LONGEST_REPLY]
    fenced: list[str] = _FENCE.findall(reply)
    reply = next((f for f in fenced if _START.search(f)), reply)
    start = _START.search(reply)
    update = _UPDATE.search(reply)
    # An update may hold a query; it is not what was written.
    if start is None or (update and update.start() < start.start()):
        return reply.strip()
    text = reply[start.start() :]
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if token[0] == "}" and depth <= 0:
            modifiers = _MODIFIERS.match(text, token.end())
            return text[: modifiers.end() if modifiers else token.end()]
    return text.strip()
