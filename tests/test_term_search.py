"""Search by meaning and by words, and the reranker that reads the best again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ontoprompt.embedding import load_encoder
from ontoprompt.index import OntologyIndex, TermHit, build_index
from ontoprompt.lexical import Lexicon
from ontoprompt.ontology import Ontology, Term
from ontoprompt.term_search import READ_AGAIN, TermSearch

NS = "http://example.org/"


def term(name: str, label: str, *aliases: str) -> Term:
    return Term(iri=NS + name, kind="property", label=label, aliases=aliases)


TERMS = (
    term("permId", "PermID"),
    term("hdsId", "HDS ID"),
    term("iranica", "Iranica ID"),
    term("birthPlace", "birth place", "born in"),
    term("deathPlace", "death place"),
    term("riverMouth", "river mouth"),
    term("populationTotal", "population total"),
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> OntologyIndex:
    return build_index(Ontology(TERMS), tmp_path_factory.mktemp("terms") / "i", encoder=load_encoder())


def names(hits: Sequence[TermHit]) -> list[str]:
    return [hit.term.iri.removeprefix(NS) for hit in hits]


def test_a_rare_word_tells_a_term_and_common_words_none() -> None:
    lexicon = Lexicon(TERMS)
    said = lexicon.scores("What is the HDS ID for the Battle of Pavia?")
    assert max(said, key=lambda place: said[place]) == 1
    assert said[1] > said[2] > 0
    assert lexicon.scores("Who is it and what is that?") == {} and lexicon.scores("") == {}


@pytest.mark.parametrize(
    ("question", "place"),
    [
        ("What is Costco's perm number?", 0),
        ("costco PERMID", 0),
        ("In which places were they born?", 3),
        ("how populated is it", 6),
    ],
)
def test_compounds_are_taken_apart_and_endings_do_not_matter(question: str, place: int) -> None:
    assert place in Lexicon(TERMS).scores(question)


def test_a_term_counts_once_by_its_best_name() -> None:
    said = Lexicon(TERMS).scores("born in what birth place")
    assert said[3] == pytest.approx(
        max(Lexicon([TERMS[3]]).scores("born in what birth place").values()), abs=9
    )
    assert set(said) == {3, 4}


@pytest.mark.parametrize(
    "text", ['a "quoted" HDS', "HDS* OR NEAR(x)", "HDS'); DROP TABLE names; --", "HDS\x00 ID"]
)
def test_what_a_question_holds_is_no_query_language(text: str) -> None:
    lexicon = Lexicon(TERMS)
    assert 1 in lexicon.scores(text)
    assert 1 in lexicon.scores("HDS")


def test_words_lift_the_term_that_they_name(index: OntologyIndex) -> None:
    question = "Which HDS ID has the mouth of the Rhine?"
    with_words = {h.term.iri: h.score for h in TermSearch(index).search(question, 7)}
    without = {h.term.iri: h.score for h in TermSearch(index, lexical=0.0).search(question, 7)}
    assert set(with_words) == set(without)
    assert with_words[NS + "hdsId"] > without[NS + "hdsId"]
    assert with_words[NS + "birthPlace"] == pytest.approx(without[NS + "birthPlace"])


def test_scores_are_those_of_the_search(index: OntologyIndex) -> None:
    search = TermSearch(index)
    hits = search.search("Where was Ada Lovelace born?", 7)
    table = search.scores("Where was Ada Lovelace born?", [t.iri for t in TERMS] + [NS + "unknown"])
    assert table == pytest.approx({hit.term.iri: hit.score for hit in hits}, abs=1e-5)


def test_names_are_hidden_as_told_or_by_their_capitals(index: OntologyIndex) -> None:
    search = TermSearch(index)
    question = "Which river mouth is near Birth Place?"
    told = {h.term.iri: h.score for h in search.search(question, 7, "Which river mouth is near it?")}
    whole = {h.term.iri: h.score for h in TermSearch(index, nameless=False).search(question, 7)}
    assert told[NS + "birthPlace"] < whole[NS + "birthPlace"]


def test_several_questions_are_found_what_each_is_found_alone(index: OntologyIndex) -> None:
    questions = ["Where was she born?", "What is the HDS ID?", "How many people live there?"]
    each = TermSearch(index).search_each(questions, 3)
    for question, hits in zip(questions, each, strict=True):
        alone = TermSearch(index).search(question, 3)
        assert names(hits) == names(alone) and len(hits) == 3


class Backwards:
    """A reranker that likes best what stood last."""

    def scores(self, question: str, terms: Sequence[Term]) -> list[float]:
        return [50.0 * place for place in range(len(terms))]


def test_a_reranker_orders_what_it_reads_and_nothing_overtakes_it(index: OntologyIndex) -> None:
    search = TermSearch(index, Backwards())  # type: ignore[arg-type]
    hits = [TermHit(term(f"t{n}", f"t {n}"), 1.0 - n / 100) for n in range(READ_AGAIN + 5)]
    read = search.read_again("q", hits)
    assert names(read[:READ_AGAIN]) == [f"t{n}" for n in reversed(range(READ_AGAIN))]
    assert names(read[READ_AGAIN:]) == [f"t{n}" for n in range(READ_AGAIN, READ_AGAIN + 5)]
    scores = [hit.score for hit in read]
    assert scores == sorted(scores, reverse=True)
    assert TermSearch(index).read_again("q", hits) == hits


def test_an_index_without_terms_or_questions_finds_nothing(index: OntologyIndex, tmp_path: Path) -> None:
    assert TermSearch(index).search_each([], 3) == []
    assert len(TermSearch(index).search("x", 50)) == len(TERMS)
