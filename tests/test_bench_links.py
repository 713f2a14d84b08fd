"""The settings of linking: what each gives a question, and nothing of the gold where nothing is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.datasets import Question
from bench.links import POOL_ENTITIES, POOL_TERMS, Linking, closed_names, open_names
from ontoprompt.embedding import load_encoder
from ontoprompt.errors import SourceError
from ontoprompt.index import build_index
from ontoprompt.ontology import Ontology, Term

WDT, WD = "http://www.wikidata.org/prop/direct/", "http://www.wikidata.org/entity/"
NAMES = {
    "Q1": "Norway",
    "Q2": "Harald V of Norway",
    "Q3": "Oslo",
    "Q4": "Norway lobster",
    "Q5": "head",
    "Q6": "Bergen",
    "Q7": "Olaf II of Norway",
    "Q8": "Music of Norway",
    "Q9": "state",
}
LABELS = ("head of state", "capital", "currency", "anthem", "flag", "area", "population", "language", "motto")
LABELS = (
    *LABELS,
    "border",
    "continent",
    "mayor",
    "twin town",
    "architect",
    "award",
    "author",
    "colour",
    "depth",
)


def question(key: str, text: str, query: str) -> Question:
    return Question(key, text, (), query, None, "wikidata", "", "test")


ASKED = question("7", "Who is the head of state of Norway?", "SELECT ?x WHERE { wd:Q1 wdt:P0 ?x }")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the labels of nine items."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "wikidata").mkdir()
    rows = "".join(f"{key}\t{label}\n" for key, label in NAMES.items())
    (folder / "wikidata" / "entity-labels.tsv").write_text(rows, encoding="utf-8")
    (folder / "lcquad1").mkdir()
    (folder / "lcquad1" / "train.jsonl").write_text(
        '{"question": "Q", "sparql": "SELECT ?x { <http://dbpedia.org/resource/Jaws_(film)> dbo:director ?x . '
        '?x dbo:birthPlace dbr:New_York_City }"}\n'
    )
    return folder


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An index of eighteen of Wikidata's properties, by made-up numbers."""
    folder = tmp_path_factory.mktemp("index") / "w"
    terms = tuple(Term(f"{WDT}P{n}", "object_property", label) for n, label in enumerate(LABELS))
    build_index(Ontology(terms, (), {}), folder, encoder=load_encoder())
    return str(folder)


def linking(setting: str, data: Path | None, index: str, seed: int = 0) -> Linking:
    made = Linking(setting, "wikidata", data=data, index=index, seed=seed)
    # The bundled vocabulary knows these numbers by other names.
    made.labels.terms.update({t.iri: t for t in made.index.terms})
    return made


@pytest.fixture(scope="module")
def gold(data: Path, index: str) -> Linking:
    return linking("gold", data, index)


@pytest.fixture(scope="module")
def pool(data: Path, index: str, home: Path) -> Linking:
    # A fixture of a module is made before the test has a home of its own: without this, names go into the user's.
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ONTOPROMPT_HOME", str(home / ".local" / "share" / "ontoprompt"))
        return linking("pool", data, index)


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONTOPROMPT_HOME", str(tmp_path))


def test_gold_gives_the_gold_and_nothing_else(gold: Linking) -> None:
    linked = gold.link(ASKED)
    assert [s.term.label for s in linked.fragment.terms] == ["head of state"]
    assert [e.label for e in linked.fragment.entities] == ["Norway"]
    assert linked.gold is not None and linked.left_out == ""
    assert {h.iri for h in linked.fragment.hints} == {WDT + "P0"}


def test_pool_adds_what_retrieval_ranks_highest_in_its_order(pool: Linking, data: Path, index: str) -> None:
    linked = pool.link(ASKED)
    terms = [s.term.iri for s in linked.fragment.terms]
    assert len(terms) == len(set(terms)) == 1 + POOL_TERMS and WDT + "P0" in terms
    ranked = [hit.term.iri for hit in pool.retriever.search.search(ASKED.question, 1 + POOL_TERMS)]
    assert set(terms) == {WDT + "P0", *[iri for iri in ranked if iri != WDT + "P0"][:POOL_TERMS]}
    entities = [e.iri for e in linked.fragment.entities]
    assert len(entities) == len(set(entities)) == 1 + POOL_ENTITIES and WD + "Q1" in entities
    assert linked.fragment == pool.link(ASKED).fragment
    other = linking("pool", data, index, seed=1).link(ASKED)
    assert set(terms) == {s.term.iri for s in other.fragment.terms}
    assert [iri for iri in terms if iri in ranked] == [iri for iri in ranked if iri in terms]
    scores = [s.score for s in linked.fragment.terms]
    assert scores == sorted(scores, reverse=True)


def test_nothing_but_retrieval_and_the_linker_tells_the_gold_of_a_pool_from_the_rest(pool: Linking) -> None:
    linked = pool.link(ASKED)
    # Another gold, the same question: what stands in both pools looks the same in both.
    swapped = pool.link(question("7", ASKED.question, "SELECT ?x WHERE { wd:Q3 wdt:P1 ?x }"))
    links = {e.iri: e for e in linked.fragment.entities}
    others = {e.iri: e for e in swapped.fragment.entities}
    assert {WD + "Q1", WD + "Q3"} & links.keys() & others.keys()
    assert all(others[iri] == links[iri] for iri in links.keys() & others.keys())
    scores = {s.term.iri: s.score for s in linked.fragment.terms}
    again = {s.term.iri: s.score for s in swapped.fragment.terms}
    assert {WDT + "P0", WDT + "P1"} <= scores.keys() & again.keys()
    assert all(again[iri] == scores[iri] for iri in scores.keys() & again.keys())


def test_closed_gives_nothing_of_the_gold_away(data: Path, index: str) -> None:
    made = linking("closed", data, index)
    linked = made.link(ASKED)
    assert WD + "Q1" in [e.iri for e in linked.fragment.entities]
    assert WDT + "P0" in [s.term.iri for s in linked.fragment.terms]
    # Another gold, the same question: what is given is the same.
    swapped = question("7", ASKED.question, "SELECT ?x WHERE { wd:Q3 wdt:P1 ?x }")
    assert made.link(swapped).fragment == linked.fragment


def test_what_no_table_names_is_left_out_with_its_reason(gold: Linking) -> None:
    linked = gold.link(question("8", "Who?", "SELECT ?x WHERE { wd:Q99 wdt:P0 ?x }"))
    assert linked.gold is None and "label" in linked.left_out
    broken = gold.link(question("9", "Who?", "SELECT ?x WHERE {"))
    assert broken.gold is None and broken.left_out.startswith("gold: ")


def test_closed_lists_are_those_of_the_data(data: Path, tmp_path: Path) -> None:
    assert closed_names("wikidata", data)[WD + "Q3"] == "Oslo"
    assert closed_names("dbpedia", data) == {
        "http://dbpedia.org/resource/Jaws_(film)": "Jaws",
        "http://dbpedia.org/resource/New_York_City": "New York City",
    }
    for graph, folder in (("wikidata", None), ("wikidata", tmp_path), ("dbpedia", tmp_path), ("dblp", data)):
        with pytest.raises(SourceError) as error:
            closed_names(graph, folder)
        assert error.value.hint


def test_full_adds_names_that_are_none_of_the_list(data: Path) -> None:
    names = closed_names("wikidata", data)
    made = open_names(names, 60)
    real = {label.lower() for label in names.values()}
    others = [made.label(f"http://example.org/name/{n}") for n in range(1, 61)]
    assert len(set(others)) == 60 and not real & {str(o).lower() for o in others}
    assert made.label(WD + "Q2") == "Harald V of Norway"
