"""Measuring a model in training: the queries are those it would write, and right is what the benchmark calls right."""

from __future__ import annotations

from pathlib import Path

import pytest

from ontoprompt.evaluating import HeldOut, LiveGenerator, Totals, _right, request_of
from ontoprompt.generation import TransformersGenerator
from ontoprompt.grounding import Grounding
from ontoprompt.ontology import Ontology, Term
from ontoprompt.pairs import Labels, Pair, prepare, to_prompt
from ontoprompt.sampling import Sampler
from ontoprompt.training import load_tokenizer
from ontoprompt.training_config import TrainConfig

TERMS = tuple(
    Term("http://dbpedia.org/ontology/" + name, "object_property", name) for name in ("capital", "mayor")
)
LABELS = Labels([Ontology(TERMS, (), {})])
QUERY = "SELECT DISTINCT ?x { dbr:Peru dbo:capital ?x }"
PAIR = prepare(Pair("What is the capital of Peru?", QUERY), LABELS)


@pytest.mark.parametrize(
    ("query", "exact", "suite"),
    [
        ("SELECT DISTINCT ?y WHERE { dbr:Peru dbo:capital ?y . }", True, True),
        ("SELECT ?x { dbr:Peru dbo:capital ?x }", False, True),
        ("SELECT ?x { dbr:Peru dbo:mayor ?x }", False, False),
        ("ASK { dbr:Peru dbo:capital ?x }", False, False),
        ("SELECT ?x {", False, False),
        ("", False, False),
        ("DELETE WHERE { ?a ?b ?c }", False, False),
    ],
)
def test_what_is_right(query: str, exact: bool, suite: bool) -> None:
    assert _right(PAIR, query) == (exact, suite)


def test_a_model_in_memory_writes_what_its_folder_would(tiny_model: Path) -> None:
    opened = TransformersGenerator(tiny_model)
    live = LiveGenerator(opened.model, opened.tokenizer, opened.variant, Grounding.load(tiny_model))
    requests = [request_of(to_prompt(PAIR, opened.variant))]
    assert live.generate(requests, candidates=1) == opened.generate(requests, candidates=1)


def test_the_same_pairs_are_counted_whoever_counts_them(tiny_model: Path) -> None:
    opened = TransformersGenerator(tiny_model)
    pairs = [
        prepare(Pair(f"What is the capital of {p}?", QUERY.replace("Peru", p)), LABELS)
        for p in ("Peru", "Chad", "Mali")
    ]
    config = TrainConfig(pooled=0.0)
    sampler = Sampler([(1.0, pairs)], TERMS, load_tokenizer(tiny_model), config)
    held = HeldOut(pairs, sampler, 400, 1)
    same = HeldOut(pairs, Sampler([(1.0, pairs)], TERMS, sampler.tokenizer, config), 400, 1)
    assert [p.text for _, p, _ in held.asked] == [p.text for _, p, _ in same.asked]
    whole = held.measure(opened, lambda examples: float(len(examples)))
    parts = [held.measure(opened, lambda examples: float(len(examples)), rank=r, of=2) for r in (0, 1)]
    assert whole.n == 3 == sum(p.n for p in parts) and whole.loss == 3.0 and whole.unwritten == 0
    assert whole.tokens == sum(p.tokens for p in parts) == sum(len(e.ids) - e.start for _, _, e in held.asked)
    assert HeldOut(pairs, sampler, 5, 1).dropped == 3


def test_figures_are_shares_of_all_pairs() -> None:
    figures = Totals(8, 12.0, 24, 2, 4, 1).figures(3.0)
    assert (figures.loss, figures.exact, figures.suite, figures.unwritten) == (0.5, 0.25, 0.5, 1)
    assert Totals().figures(0.0).suite == 0.0
