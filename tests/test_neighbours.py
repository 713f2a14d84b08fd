"""Terms of questions asked before, as a leg of retrieval."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ontoprompt.embedding import load_encoder
from ontoprompt.errors import ArtifactError
from ontoprompt.fragment import Fragment, ScoredTerm
from ontoprompt.index import OntologyIndex, TermHit, build_index
from ontoprompt.indexing import build
from ontoprompt.neighbours import FILE, Neighbours
from ontoprompt.ontology import Ontology, Term
from ontoprompt.retrieval import Retriever
from ontoprompt.term_search import TermSearch

DBO = "http://dbpedia.org/ontology/"
ASKED = [
    ("Who is at the helm of Lufthansa?", [DBO + "keyPerson"]),
    ("Who is at the helm of Air France?", [DBO + "keyPerson"]),
    ("Where does the Danube end?", [DBO + "mouthMountain", DBO + "River"]),
]
TERMS = tuple(
    Term(DBO + name, kind, label)
    for name, kind, label in (
        ("keyPerson", "object_property", "key person"),
        ("helmsman", "object_property", "helmsman"),
        ("mouthMountain", "object_property", "mouth"),
        ("River", "class", "river"),
        ("airline", "object_property", "airline"),
    )
)


@pytest.fixture(scope="module")
def neighbours() -> Neighbours:
    return Neighbours.of(ASKED, load_encoder())


def votes(neighbours: Neighbours, *questions: str) -> list[dict[str, float]]:
    return neighbours.votes(load_encoder().encode(questions))


def test_what_was_asked_alike_speaks_for_its_terms(neighbours: Neighbours) -> None:
    near, exact, far = votes(
        neighbours, "Who is now at the helm of Lufthansa?", ASKED[2][0], "How many moons does Jupiter have?"
    )
    assert near[DBO + "keyPerson"] > 0.8 > 10 * near[DBO + "River"]
    assert exact[DBO + "River"] == exact[DBO + "mouthMountain"] > 0.9
    assert max(far.values()) < 0.05


def test_votes_of_one_term_add_up_and_never_exceed_one(neighbours: Neighbours) -> None:
    (both,) = votes(neighbours, "Who is at the helm of Swiss?")
    (one,) = votes(Neighbours.of(ASKED[:1], load_encoder()), "Who is at the helm of Swiss?")
    assert one[DBO + "keyPerson"] < both[DBO + "keyPerson"] < 1.0


def test_what_is_saved_is_what_is_read(neighbours: Neighbours, tmp_path: Path) -> None:
    neighbours.save(tmp_path / FILE)
    again = Neighbours.load(tmp_path / FILE)
    assert again.iris == neighbours.iris
    assert np.abs(again.vectors - neighbours.vectors).max() < 1e-3
    for kept, read in zip(votes(neighbours, ASKED[0][0]), votes(again, ASKED[0][0]), strict=True):
        assert read == pytest.approx(kept, abs=2e-3)
    assert b"Lufthansa" not in (tmp_path / FILE).read_bytes()


def test_parts_that_do_not_fit_are_refused(neighbours: Neighbours, tmp_path: Path) -> None:
    for broken in (
        Neighbours(neighbours.vectors[:2], neighbours.iris, neighbours.starts, neighbours.terms),
        Neighbours(neighbours.vectors, neighbours.iris[:1], neighbours.starts, neighbours.terms),
        Neighbours(neighbours.vectors, neighbours.iris, neighbours.starts[::-1].copy(), neighbours.terms),
        Neighbours(neighbours.vectors, neighbours.iris, neighbours.starts, neighbours.terms - 1),
    ):
        broken.save(tmp_path / FILE)
        with pytest.raises(ArtifactError):
            Neighbours.load(tmp_path / FILE)
    (tmp_path / FILE).write_bytes(b"nothing")
    with pytest.raises(ArtifactError):
        Neighbours.load(tmp_path / FILE)


def test_a_term_that_neither_words_nor_meaning_find_is_found(neighbours: Neighbours, tmp_path: Path) -> None:
    ontology = Ontology(TERMS, (), {})
    index = build_index(ontology, tmp_path / "index", encoder=load_encoder(), neighbours=neighbours)
    assert index.manifest.neighbours == 3
    question = "Who is now at the helm of Lufthansa?"
    with_them = [hit.term.iri for hit in TermSearch(index).search(question, 3)]
    without = [hit.term.iri for hit in TermSearch(index, asked=0.0).search(question, 3)]
    assert with_them[0] == DBO + "keyPerson" and without[0] == DBO + "helmsman"
    scores = TermSearch(index).scores(question, [DBO + "keyPerson", DBO + "helmsman"])
    assert scores[DBO + "keyPerson"] > scores[DBO + "helmsman"]


def test_terms_that_an_index_does_not_hold_are_passed_over(tmp_path: Path) -> None:
    elsewhere = Neighbours.of([("Who leads KLM?", [DBO + "gone"])], load_encoder())
    index = build_index(Ontology(TERMS, (), {}), tmp_path, encoder=load_encoder(), neighbours=elsewhere)
    found = [hit.term.iri for hit in TermSearch(index).search("Who leads KLM?", 5)]
    assert sorted(found) == sorted(t.iri for t in TERMS)


def test_an_index_built_with_pairs_remembers_their_questions(tmp_path: Path) -> None:
    source, pairs = tmp_path / "o.nt", tmp_path / "pairs.jsonl"
    label = "http://www.w3.org/2000/01/rdf-schema#label"
    kind = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
    lines = [
        f'<{t.iri}> <{kind}> <http://www.w3.org/2002/07/owl#ObjectProperty> .\n<{t.iri}> <{label}> "{t.label}"@en .'
        for t in TERMS
    ]
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    records = [{"question": q, "sparql": f"SELECT ?x {{ ?s <{iris[0]}> ?x }}"} for q, iris in ASKED] + [
        {"question": "Who?", "sparql": "no query"}
    ]
    pairs.write_text("\n".join(map(json.dumps, records)) + "\n", encoding="utf-8")
    build([str(source)], out=tmp_path / "index", pairs=pairs)
    index = OntologyIndex.load(tmp_path / "index")
    assert index.neighbours is not None and index.manifest.neighbours == 3
    assert set(index.neighbours.iris) == {DBO + "keyPerson", DBO + "mouthMountain"}


def test_the_default_index_ships_with_them() -> None:
    from ontoprompt.assembly import open_index
    from ontoprompt.settings import load_settings

    index = open_index(load_settings())
    assert index.manifest.neighbours > 4000


DBP = "http://dbpedia.org/property/"
ALIKE = (
    Term(DBO + "lieutenant", "object_property", "lieutenant", usage=5_000),
    Term(DBP + "lieutenant", "property", "lieutenant", usage=900),
    Term(DBO + "airline", "object_property", "airline"),
)


def _alike(folder: Path, asked: list[tuple[str, list[str]]]) -> OntologyIndex:
    neighbours = Neighbours.of(asked, load_encoder()) if asked else None
    return build_index(Ontology(ALIKE, (), {}), folder, encoder=load_encoder(), neighbours=neighbours)


def test_of_terms_called_alike_the_one_that_such_questions_used_comes_first(tmp_path: Path) -> None:
    asked = [
        ("Who was the lieutenant of governor Frank Steunenberg?", [DBP + "lieutenant"]),
        ("Which general was a lieutenant of Napoleon?", [DBO + "lieutenant"]),
    ]
    index = _alike(tmp_path / "asked", asked)
    for question, first in (
        ("Who was the lieutenant of governor Goodwin Knight?", DBP),
        ("Which general was a lieutenant of Wellington?", DBO),
    ):
        hits = TermSearch(index).search(question, 3)
        assert [h.term.iri for h in hits if h.term.label == "lieutenant"][0] == first + "lieutenant"
    question = "Who was the lieutenant of governor Goodwin Knight?"
    found = {h.term.iri: h.score for h in TermSearch(index, asked=0.0).search(question, 3)}
    # Without it nothing but rounding tells them apart.
    assert found[DBO + "lieutenant"] == pytest.approx(found[DBP + "lieutenant"], abs=0.02)


def test_what_the_graph_has_at_a_name_is_not_told_apart_from_what_it_lacks(tmp_path: Path) -> None:
    index = _alike(
        tmp_path / "asked", [("Who was the lieutenant of Frank Steunenberg?", [DBP + "lieutenant"])]
    )
    hits = [TermHit(ALIKE[0], 0.9), TermHit(ALIKE[1], 0.5)]
    question = "Who was the lieutenant of Goodwin Knight?"
    here = TermSearch(index).read_again(question, hits, {DBO + "lieutenant"})
    assert [(h.term.iri, h.score) for h in here] == [(h.term.iri, h.score) for h in hits]
    assert TermSearch(index).read_again(question, hits)[0].term.iri == DBP + "lieutenant"


def test_a_few_terms_are_called_differently_where_questions_were_asked_before(tmp_path: Path) -> None:
    question = "Who was the lieutenant of Goodwin Knight?"
    fragment = Fragment(question, tuple(ScoredTerm(t, 0.9 - n / 10) for n, t in enumerate(ALIKE)))
    asked = Retriever(_alike(tmp_path / "asked", [(question, [DBP + "lieutenant"])]))
    kept = [s.term.iri for s in asked.narrowed(fragment, 2).terms]
    assert kept == [DBO + "lieutenant", DBO + "airline"]
    never = Retriever(_alike(tmp_path / "never", []))
    assert [s.term.iri for s in never.narrowed(fragment, 2).terms] == [t.iri for t in ALIKE[:2]]
