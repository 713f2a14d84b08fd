"""The figures of the generator's speed: what is timed is what `ask` runs, and both engines write the same."""

from __future__ import annotations

import json
import sys

import pytest

from bench import generation_speed
from ontoprompt.fragment import Fragment, ScoredTerm
from ontoprompt.generation import Request
from ontoprompt.grammar import Vocabulary, build_grammar
from ontoprompt.ontology import Term
from ontoprompt.prompts import build_prompt


def request_of(question: str) -> Request:
    terms = (Term("http://x.org/City", "class", "city"), Term("http://x.org/mayor", "property", "mayor"))
    prompt = build_prompt(Fragment(question, tuple(ScoredTerm(t, 1.0) for t in terms)), "nsql-symbols")
    return Request(prompt, build_grammar(Vocabulary(prompt.of("class"), prompt.of("property"))))


def test_figures_of_both_engines() -> None:
    found = generation_speed.compare([request_of("Which cities have a mayor?")], 1, 3)
    assert found["requests"] == found["same_candidates"] == 1 and found["scores_apart"] < 1e-3
    assert all(found[f"{name}_ms"] > 0 for name in ("light", "torch", "generate"))
    assert found["ratio_generate"] == pytest.approx(found["generate_ms"] / found["light_ms"], rel=0.05)
    # Whether a query of this grammar can be so long is the model's to say.
    at_40 = found["at_40"]
    assert at_40["n"] <= 1 and (at_40["ms"] is None) == (at_40["n"] == 0)


def test_a_first_question_is_asked_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["x", "--rounds", "0", "--cold", "1", "--json"])
    printed: list[str] = []
    monkeypatch.setattr("builtins.print", lambda text: printed.append(text))
    generation_speed.main()
    cold = json.loads(printed[0])["cold"]
    assert cold["n"] == 1 and cold["processor_s"] > 0 and cold["peak_mib"] > 50
