"""Which words of a question show which terms."""

from __future__ import annotations

import pytest

from ontoprompt.alignment import WordScorer, aligner, content_words, hints, in_question_order, stem
from ontoprompt.entities import EntityLink
from ontoprompt.fragment import Fragment, ScoredTerm
from ontoprompt.literals import find_literals
from ontoprompt.ontology import Kind, Term
from ontoprompt.prompts import build_prompt
from ontoprompt.retrieval import Retriever

DBO = "http://dbpedia.org/ontology/"


def term(name: str, label: str, kind: Kind = "object_property", **more: tuple[str, ...]) -> ScoredTerm:
    return ScoredTerm(Term(DBO + name, kind, label, **more), 1.0)


DIRECTOR = term("director", "film director")
BORN, BIRTH_DATE = term("birthPlace", "birth place"), term("birthDate", "birth date", "datatype_property")
FILM = term("Film", "movie", "class")
QUESTION = "Where was the director of Psycho born?"


def shown(question: str, *terms: ScoredTerm, scores: dict[str, dict[str, float]] | None = None) -> str:
    """The question as the prompt has it, with terms found by `scores` (word → local name → score)."""
    at = question.find("Psycho")
    psycho = EntityLink("http://example.org/psycho", "Psycho", "Psycho", at, at + 6, 1.0)
    fragment = Fragment(question, terms, (psycho,) if at >= 0 else ())
    words = content_words(question, fragment)
    tables = [{DBO + n: s for n, s in (scores or {}).get(w, {}).items()} for w in words]
    highest = [max(t.values(), default=0.0) for t in tables]
    fragment = Fragment(question, terms, fragment.entities, hints=hints(question, fragment, tables, highest))
    return build_prompt(fragment, "nsql-symbols").text.strip().splitlines()[-1]


def test_words_show_the_terms_that_they_name_and_those_that_people_mean_by_them() -> None:
    # "born" is how people ask for both a place and a date of birth; it is in no label.
    assert (
        shown(QUESTION, DIRECTOR, BORN, BIRTH_DATE) == "-- where was the p1 director of e1 psycho p2 p3 born?"
    )


def test_a_paraphrase_is_shown_by_its_score() -> None:
    tender = term("tender", "legal tender")
    line = shown("What money is there?", tender, scores={"money": {"tender": 0.7}})
    assert line == "-- what p1 money is there?"
    assert "p1" not in shown("What money is there?", tender, scores={"money": {"tender": 0.2}})


def test_at_most_two_properties_and_a_class_stand_beside_a_word() -> None:
    classes = [term(f"C{i}", "movie", "class") for i in range(3)]
    properties = [term(f"movie{i}", "movie") for i in range(4)]
    line = shown("Which movies?", *classes, *properties)
    assert line == "-- which c1 p1 p2 movies?"


def test_what_fits_much_worse_than_the_best_is_not_shown() -> None:
    other = term("budget", "budget")
    line = shown("Which director?", DIRECTOR, other, scores={"director": {"director": 0.9, "budget": 0.5}})
    assert line == "-- which p1 director?"


def test_words_in_a_row_show_a_term_once() -> None:
    assert shown("What is the birth place?", BORN) == "-- what is the p1 birth place?"
    assert shown("Birth and place?", BORN) == "-- p1 birth and p1 place?"


def test_small_words_and_names_show_nothing() -> None:
    assert shown("Who made Psycho?", term("psycho", "psycho made who")) == "-- who made e1 psycho?"


def test_a_term_that_the_budget_left_out_is_not_named() -> None:
    fragment = Fragment("Which director was born?", (DIRECTOR, BORN))
    fragment = Fragment(fragment.question, fragment.terms, hints=aligner([])(fragment))
    whole = build_prompt(fragment, "nsql-symbols")
    less = build_prompt(fragment, "nsql-symbols", budget=len(whole.text) - 1, count_tokens=len)
    assert "p2 born" in whole.text and "p2" not in less.text


def test_other_variants_show_the_question_as_it_was_asked() -> None:
    fragment = Fragment(QUESTION, (DIRECTOR, BORN))
    fragment = Fragment(QUESTION, fragment.terms, hints=aligner([])(fragment))
    assert fragment.hints
    assert f"-- {QUESTION}\n" in build_prompt(fragment, "nsql").text


def test_the_scorer_gives_what_the_index_gives_and_encodes_a_word_once(
    retriever: Retriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = retriever.index
    iris = [t.iri for t in index.terms][:5]
    scorer = WordScorer(index)
    tables, highest = scorer.scores(["capital", "people"], iris)
    for word, table, top in zip(["capital", "people"], tables, highest, strict=True):
        assert table == pytest.approx(index.scores(word, iris), abs=1e-5)
        assert top == pytest.approx(index.search(word, 1)[0].score, abs=1e-5)
    monkeypatch.setattr(index, "query_vectors", lambda texts: pytest.fail(f"encoded {texts} again"))
    assert scorer.scores(["people"], iris)[0] == [pytest.approx(tables[1], abs=1e-5)]
    assert scorer.scores([], iris) == ([], [])


def test_retrieval_aligns_what_it_finds(retriever: Retriever) -> None:
    fragment = retriever.retrieve("What is the capital of Australia?")
    words = {fragment.question[h.start : h.end]: h.iri for h in fragment.hints}
    assert words["capital"] == DBO + "capital"


def test_symbols_are_numbered_as_the_question_comes_to_their_terms() -> None:
    other = term("budget", "budget")
    fragment = Fragment(QUESTION, (other, BIRTH_DATE, BORN, DIRECTOR, FILM))
    fragment = Fragment(QUESTION, fragment.terms, hints=aligner([])(fragment))
    ordered = [s.term.label for s in in_question_order(fragment)]
    # "where" asks for a thing, so the place of birth stands beside "born" before the date.
    assert ordered == ["film director", "birth place", "birth date", "budget", "movie"]
    names = build_prompt(fragment, "nsql-symbols").names()
    assert [names[DBO + n] for n in ("director", "birthPlace", "birthDate", "budget")] == [
        "p1",
        "p2",
        "p3",
        "p4",
    ]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("When was she born?", "birthDate"),
        ("Where was she born?", "birthPlace"),
        ("Anyone born in 1900?", "birthDate"),
    ],
)
def test_the_kind_of_answer_or_of_value_decides_between_terms_that_fit_alike(
    question: str, first: str
) -> None:
    date = Term(
        DBO + "birthDate", "datatype_property", "birth date", range=("http://www.w3.org/2001/XMLSchema#date",)
    )
    terms = (BORN, ScoredTerm(date, 1.0)) if first == "birthDate" else (ScoredTerm(date, 1.0), BORN)
    found = Fragment(question, terms, literals=find_literals(question))
    assert [h.iri for h in aligner([])(found)][0] == DBO + first


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("country", "countries"),
        ("city", "cities"),
        ("movie", "movies"),
        ("release", "released"),
        ("direct", "directors"),
    ],
)
def test_forms_of_a_word_share_a_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)
