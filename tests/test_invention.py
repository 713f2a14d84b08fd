"""Questions made from an ontology: what they need, in what words, for any ontology at all."""

from __future__ import annotations

from collections import Counter

import pytest

from ontoprompt.invention import QuestionWriter, invented_questions
from ontoprompt.ontology import Ontology, Term

X = "http://x.org/v#"
XSD = "http://www.w3.org/2001/XMLSchema#"
PAPER, PERSON, ROLE, EVENT = X + "Paper", X + "Person", X + "Role", X + "Event"
ONTOLOGY = Ontology(
    (
        Term(PAPER, "class", "Paper"),
        Term(PERSON, "class", "Person"),
        Term(ROLE, "class", "Role"),
        Term(EVENT, "class", "Event"),
        Term(X + "writtenBy", "object_property", "writtenBy", domain=(PAPER,), range=(PERSON,)),
        Term(X + "roleHolder", "object_property", "role holder", domain=(ROLE,), range=(PERSON,)),
        Term(X + "roleAt", "object_property", "role at", domain=(ROLE,), range=(EVENT,)),
        Term(X + "pages", "datatype_property", "number_of_pages", domain=(PAPER,), range=(XSD + "integer",)),
        Term(X + "year", "datatype_property", "yearOfPublication", domain=(PAPER,), range=(XSD + "gYear",)),
        Term(X + "P17", "property", "P17"),
    )
)
KNOWN = {term.iri for term in ONTOLOGY}
N = 900


@pytest.fixture(scope="module")
def made() -> list[tuple[str, tuple[str, ...]]]:
    return list(invented_questions(ONTOLOGY, N, seed=3))


def test_as_many_as_asked_varied_and_about_known_terms_only(made: list[tuple[str, tuple[str, ...]]]) -> None:
    assert len(made) == N and len({question for question, _ in made}) > 0.85 * N
    assert all(terms and set(terms) <= KNOWN and question.strip() for question, terms in made)
    assert all("  " not in question and "{" not in question for question, _ in made)


def test_every_term_with_a_label_in_words_is_asked_for_and_a_mere_number_is_not(
    made: list[tuple[str, tuple[str, ...]]],
) -> None:
    counts = Counter(iri for _, terms in made for iri in terms)
    assert X + "P17" not in counts and set(counts) == KNOWN - {X + "P17"}
    assert min(counts.values()) > N / 20


def test_the_same_seed_gives_the_same_questions() -> None:
    first, again, other = (list(invented_questions(ONTOLOGY, 60, seed=seed)) for seed in (1, 1, 2))
    assert first == again and first != other


def test_labels_become_words_and_forms_follow_label_and_range(
    made: list[tuple[str, tuple[str, ...]]],
) -> None:
    asked = {iri: [q.lower() for q, terms in made if terms == (iri,)] for iri in KNOWN}
    assert not any("writtenby" in question or "_" in question for question, _ in made)
    assert any(question.startswith("who written") for question in asked[X + "writtenBy"])
    assert any(question.startswith("how many pages does") for question in asked[X + "pages"])
    assert any(
        question.startswith(("when", "in which year", "in what year")) for question in asked[X + "year"]
    )
    lists = [q.lower() for q, terms in made if terms == (PERSON,)]
    assert any("persons" in question for question in lists)


def test_what_connects_two_classes_is_needed_though_the_question_does_not_name_it() -> None:
    writer = QuestionWriter(ONTOLOGY, seed=1)
    walks = [writer.question(ONTOLOGY.get(EVENT)) for _ in range(300)]  # type: ignore[arg-type]
    through = [
        q.lower() for q, terms in walks if {EVENT, PERSON, X + "roleAt", X + "roleHolder"} == set(terms)
    ]
    assert through and any("role" not in question for question in through)


@pytest.mark.parametrize(
    "terms",
    [
        (Term(X + "a", "class", "thing"),),
        (Term(X + "a", "property", "seen with"),),
        (Term(X + "a", "object_property", "part of", domain=(X + "gone",), range=(X + "gone",)),),
        (Term(X + "a", "class", "Node"), Term(X + "b", "object_property", "next", domain=(X + "a",), range=(X + "a",))),
        (Term(X + "a", "class", "猫科"), Term(X + "b", "property", "größe", aliases=("длина", "size"))),
    ],
)  # fmt: skip
def test_any_ontology_with_a_word_in_it_can_be_asked_about(terms: tuple[Term, ...]) -> None:
    made = list(invented_questions(Ontology(terms), 40))
    assert len(made) == 40 and {iri for _, needed in made for iri in needed} == {term.iri for term in terms}


def test_nothing_is_asked_where_no_label_has_words() -> None:
    assert list(invented_questions(Ontology((Term(X + "P1", "property", "P1"),)), 10)) == []
