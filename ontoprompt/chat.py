"""A generator behind an OpenAI-compatible chat server: vLLM, Ollama, llama.cpp, or a hosted one.

The prompt is the one that local models get. What comes back is untrusted text: the query is
taken out of it, parsed, and goes through the same validation as any candidate. The key comes
from `ONTOPROMPT_API_KEY` or `OPENAI_API_KEY` and is never shown.
"""

from __future__ import annotations

import json
import os
import re
import urllib.request
from collections.abc import Sequence
from typing import Any

from . import sparql
from .errors import GraphError, QueryError, UsageError
from .generation import Candidate, Request
from .remote import fetch

_SYSTEM = (
    "You write one SPARQL 1.1 SELECT or ASK query that answers the question in the last comment. Use only the terms and entities "
    "that the prompt names. Answer with the query alone, without explanation."
)
_FENCE = re.compile(r"```(?:sparql|sql)?\s*(.*?)```", re.S | re.I)
_START = re.compile(r"\b(?:PREFIX|BASE|SELECT|ASK)\b")


class ChatGenerator:
    """Candidates from `POST {url}/chat/completions`. Raises GraphError-like sentences of `remote.fetch` when the server fails."""

    variant = "nsql"
    context = 8192

    def __init__(self, url: str, model: str, *, timeout: float = 60.0) -> None:
        self.url = url.rstrip("/")
        self.model = model
        self.name = f"openai:{model}"
        self.timeout = timeout

    @classmethod
    def from_name(cls, name: str) -> ChatGenerator:
        """The generator of `openai:URL#MODEL`. Raises UsageError when one of the two is missing."""
        url, _, model = name.removeprefix("openai:").partition("#")
        if not re.match(r"https?://", url) or not model:
            raise UsageError(
                f"'{name[:100]}' names no model server.",
                "Write openai:URL#MODEL, for example openai:http://localhost:11434/v1#qwen3.",
            )
        return cls(url, model)

    def count_tokens(self, text: str) -> int:
        """An estimate, four characters a token: the server's tokenizer is not known."""
        return len(text) // 4 + 1

    def generate(self, requests: Sequence[Request], *, candidates: int = 5) -> list[tuple[Candidate, ...]]:
        """One query a request; when it does not parse, the server is told why and asked once more."""
        return [self._one(request) for request in requests]

    def _one(self, request: Request) -> tuple[Candidate, ...]:
        messages = [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": request.prompt.text}]
        for _ in range(2):
            reply = self._post(messages)
            query = extract_query(reply)
            try:
                expanded = request.prompt.expand(query)
                sparql.parse(expanded)
            except QueryError as error:
                messages += [
                    {"role": "assistant", "content": reply},
                    {"role": "user", "content": f"That is no valid query: {error.message} Write it again."},
                ]
                continue
            return (Candidate(query, expanded, 0.0),)
        return ()

    def _post(self, messages: Sequence[dict[str, str]]) -> str:
        body = json.dumps(
            {"model": self.model, "messages": list(messages), "temperature": 0, "max_tokens": 512}
        ).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        key = os.environ.get("ONTOPROMPT_API_KEY") or os.environ.get("OPENAI_API_KEY")
        if key:
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(
            f"{self.url}/chat/completions", data=body, headers=headers, method="POST"
        )
        try:
            reply = fetch(request, timeout=self.timeout)
        except GraphError as error:
            # Servers quote the key that they refuse.
            message = error.message.replace(key, "(the key)") if key else error.message
            raise type(error)(
                message, "Check the model server: its URL, the model's name, the key."
            ) from None
        try:
            answer: Any = json.loads(reply.body)
            return str(answer["choices"][0]["message"]["content"])
        except (ValueError, LookupError, TypeError) as error:
            raise GraphError(
                "The model server answered with something that is no chat completion.",
                "Check the URL: it usually ends in /v1.",
            ) from error


def extract_query(reply: str) -> str:
    """The query in a model's answer: out of a code fence or prose, thinking left out; the text itself when nothing looks like one."""
    reply = re.sub(r"<think>.*?</think>", "", reply, flags=re.S)
    if fenced := _FENCE.findall(reply):
        reply = next((f for f in fenced if _START.search(f)), fenced[0])
    start = _START.search(reply)
    if not start:
        return reply.strip()
    text = reply[start.start() :]
    depth = 0
    seen = False
    for position, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        seen = seen or char == "{"
        if seen and depth == 0:
            tail = re.match(
                r"(?:\s*(?:(?:GROUP|ORDER)\s+BY|HAVING|LIMIT|OFFSET|ASC|DESC|COUNT|\?\w+|\(|\)|\d+))*",
                text[position + 1 :],
                re.I,
            )
            return (text[: position + 1] + (tail.group() if tail else "")).strip()
    return text.strip()
