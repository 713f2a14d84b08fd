"""People and papers of dblp are called what questions call them, and nothing else is."""

from __future__ import annotations

import pytest

from bench.datasets import Question
from bench.said_names import said_names

ADA, BOB, TEXT = (
    "https://dblp.org/pid/73/7007",
    "https://dblp.org/pid/a/Bob",
    "https://dblp.org/rec/conf/x/AB19",
)


def asked(text: str, *iris: str) -> Question:
    where = " . ".join(f"<{iri}> ?p ?x" for iri in iris)
    return Question("q", text, (), f"SELECT ?x WHERE {{ {where} }}", None, "", "", "")


@pytest.mark.parametrize(
    ("text", "iris", "names"),
    [
        ("Which publications did A. B. Lovelace write?", (ADA,), ["A. B. Lovelace"]),
        ("Who wrote the paper 'On the Engine'?", (TEXT,), ["On the Engine"]),
        ("Did Lovelace, Ada publish the paper 'Bob Dylan's Notes' in Math. Ann.?", (ADA, TEXT), ["Lovelace, Ada", "Bob Dylan's Notes"]),
        ("What have Ada Lovelace and Bob van der Berg written?", (ADA, BOB), ["Ada Lovelace", "Bob van der Berg"]),
        ("What did Ada Lovelace write with somebody from Qufu Normal University?", (ADA,), ["Ada Lovelace"]),
        ("What did they write?", (ADA,), []),
        ("What have Ada Lovelace and Bob Berg written?", (ADA,), []),
    ],
)  # fmt: skip
def test_names_are_those_that_questions_say(text: str, iris: tuple[str, ...], names: list[str]) -> None:
    found = said_names([asked(text, *iris)])
    assert [found[iri] for iri in iris if iri in found] == names


def test_other_graphs_are_left_alone() -> None:
    assert said_names([asked("Who founded Acme Works?", "http://dbpedia.org/resource/Acme")]) == {}
