"""Questions about columns, over vocabularies that look like tables: they return something, the columns they name are asked for."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pyoxigraph
import pytest

from ontoprompt.attribute_forms import COLUMN_FORMS
from ontoprompt.clauses import Draft, Draw, UnfitError
from ontoprompt.fillings import Filling, invented
from ontoprompt.literals import find_literals
from ontoprompt.ontology import load_ontology
from ontoprompt.small_vocabularies import Words, turtle
from ontoprompt.table_vocabularies import table_vocabulary

WORDS = Words(
    ("singer", "concert", "stadium", "airport", "tv channel", "shop", "book"),
    (),
    ("motto", "alias", "serial"),
    (),
)


@pytest.fixture(scope="module")
def filling() -> Filling:
    return invented(table_vocabulary(WORDS, 3), seed=1)


@pytest.fixture(scope="module")
def drafts(filling: Filling) -> dict[str, list[Draft]]:
    """Up to forty drafts of each form."""
    made: dict[str, list[Draft]] = {name: [] for name in COLUMN_FORMS}
    d = Draw(filling, Random(0))
    for name, (_, ask) in COLUMN_FORMS.items():
        for _ in range(400):
            d.variables = 0
            try:
                made[name].append(ask(d))
            except UnfitError:
                continue
            if len(made[name]) == 40:
                break
    return made


def test_every_form_is_made_and_returns_something(filling: Filling, drafts: dict[str, list[Draft]]) -> None:
    store = pyoxigraph.Store()
    store.load("".join(filling.triples()).encode(), format=pyoxigraph.RdfFormat.N_TRIPLES)
    for name, some in drafts.items():
        assert len(some) >= 15, name
        for one in some:
            rows = list(store.query(one.query))
            assert rows, one.query
            assert rows[0][0] is not None or "COUNT" in one.query, one.query


def test_terms_are_those_of_the_query_and_values_stand_in_quotation_marks(
    drafts: dict[str, list[Draft]],
) -> None:
    for some in drafts.values():
        for one in some:
            iris = {i for i in re.findall(r"<([^<>]+)>", one.query) if "tables-3.example" in i}
            assert set(one.terms) == iris, one.query
            stated = {x.value for x in find_literals(one.question)}
            for text in re.findall(r'= "([^"]+)"|, "([^"]+)"', one.query):
                assert (text[0] or text[1]) in stated, one.question


def test_of_two_questions_that_differ_in_a_bound_the_queries_differ(drafts: dict[str, list[Draft]]) -> None:
    by_question: dict[str, set[str]] = {}
    for one in (one for some in drafts.values() for one in some):
        if one.form not in ("columns-list", "columns-number"):
            by_question.setdefault(one.question, set()).add(one.query)
    assert all(len(queries) == 1 for queries in by_question.values())


def test_tables_have_columns_of_their_own_names_and_links_to_one_another(tmp_path: Path) -> None:
    assert table_vocabulary(WORDS, 3) == table_vocabulary(WORDS, 3) != table_vocabulary(WORDS, 4)
    shared = 0
    for number in range(12):
        made = table_vocabulary(WORDS, number)
        classes = {t.iri for t in made if t.kind == "class"}
        columns = [t for t in made if t.kind == "datatype_property"]
        assert len(classes) >= 2 and all(t.domain[0] in classes for t in columns)
        assert all(t.range[0] in classes for t in made if t.kind == "object_property")
        shared += len(columns) > len({t.label for t in columns})
        file = tmp_path / f"{number}.ttl"
        file.write_text("".join(turtle(made)), encoding="utf-8")
        assert {t.iri: t.label for t in load_ontology([file])} == {t.iri: t.label for t in made}
    # That two tables call a column the same is what makes them hard.
    assert shared > 6
