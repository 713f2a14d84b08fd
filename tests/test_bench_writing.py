"""Questions into queries: batches by length, what was written once is not written again, a full prompt stops nobody."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.datasets import Question
from bench.links import Linked
from bench.runs import Cache
from bench.writing import Nearest, Writer
from ontoprompt.errors import UsageError
from ontoprompt.fragment import Fragment
from ontoprompt.generation import Candidate, Request
from ontoprompt.pairs import Pair


class Fussy:
    """A generator that refuses prompts of more than forty words, whole batches of them too."""

    name, variant, context = "fussy", "question", 2000

    def __init__(self) -> None:
        self.asked: list[int] = []

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def generate(self, requests: Sequence[Request], *, candidates: int = 5) -> list[tuple[Candidate, ...]]:
        self.asked.append(len(requests))
        if any(self.count_tokens(r.prompt.text) > 40 for r in requests):
            raise UsageError("The prompt leaves no room.")
        return [(Candidate("ASK { }", "ASK { }", -0.5),) for _ in requests]


def linked(key: str, text: str) -> Linked:
    return Linked(Question(key, text, (), "ASK { }", None, "", "", ""), Fragment(text), None)


ASKED = [linked("1", "Who is it?"), linked("2", "why " * 60), linked("3", "What is that?")]


def test_a_prompt_without_room_writes_nothing_and_stops_nobody() -> None:
    found = {w.linked.question.id: w for w in Writer(Fussy(), beams=1).write(ASKED)}
    assert {key: w.sparql for key, w in found.items()} == {"1": "ASK { }", "2": "", "3": "ASK { }"}
    assert all(w.seconds["generate"] >= 0 and w.tokens > 0 for w in found.values())


def test_what_was_written_once_comes_from_the_cache(tmp_path: Path) -> None:
    first, second = Fussy(), Fussy()
    before = list(Writer(first, beams=1, cache=Cache(tmp_path)).write(ASKED))
    after = list(Writer(second, beams=1, cache=Cache(tmp_path)).write(ASKED))
    assert sum(first.asked) > 0 and second.asked == []
    assert [(w.linked.question.id, w.sparql) for w in after] == [
        (w.linked.question.id, w.sparql) for w in before
    ]
    list(Writer(second, beams=2, cache=Cache(tmp_path)).write(ASKED))
    assert second.asked != []


def test_worked_examples_are_the_nearest_and_the_nearest_stands_last() -> None:
    pairs = [
        Pair("What is the capital of Peru?", "ASK { dbr:Peru ?p ?o }"),
        Pair("Who composed this opera?", "ASK { dbr:Opera ?p ?o }"),
        Pair("What is the capital city of Chile?", "ASK { dbr:Chile ?p ?o }"),
        Pair("what is the capital of Chile? ", "ASK { dbr:Same ?p ?o }"),
    ]
    shown = [e.query for e in Nearest(pairs).of("What is the capital of Chile?", 2)]
    assert shown == ["ASK { dbr:Peru ?p ?o }", "ASK { dbr:Chile ?p ?o }"]
