"""Names that a question says in other words, in part or in another order, over a list of names without vocabulary."""

from __future__ import annotations

from pathlib import Path

import pytest

from ontoprompt import names
from ontoprompt.entities import EntityIndex, LocalLinker, build_entity_index
from ontoprompt.entity_overlap import Overlaps

LABELS = (
    "human",
    "film",
    "city",
    "business",
    "programming language",
    "church building",
    "DPT vaccine",
    "density",
    "unit of density",
    "World War II",
    "Mount Everest",
    "Saint Paul",
    "United States Navy",
    "MasterCard Centre",
    "2006–07 Middlesbrough F.C. season",
    "Middlesbrough F.C.",
    "Golden Globe Award",
    "Golden Globe Award for Best Actor – Motion Picture Drama",
    "BIFA Award for Best Performance by an Actor in a British Independent Film",
    "Member of the 56th Parliament of the United Kingdom",
    "Parliament of the United Kingdom",
    "Boris Johnson",
    "Grace Hopper",
    "London Bridge",
    "The Tower of London",
    "Queen",
    "Ignatius of Loyola",
    "Church of St Ignatius",
    "Fox Television Center",
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> EntityIndex:
    folder = tmp_path_factory.mktemp("labels")
    source = folder / "labels.nt"
    source.write_text(
        "".join(
            f'<http://e.org/Q{number}> <http://www.w3.org/2000/01/rdf-schema#label> "{label}"@en .\n'
            for number, label in enumerate(LABELS)
        ),
        encoding="utf-8",
    )
    build_entity_index(source, folder / "labels.sqlite")
    return EntityIndex.open(folder / "labels.sqlite")


def found(index: EntityIndex, question: str) -> dict[str, str]:
    """Label → the words that are read as it, the best mention of each."""
    out: dict[str, str] = {}
    for link in LocalLinker(index).link(question):
        assert link.mention in question
        assert link.start == link.end == -1 or question[link.start : link.end] == link.mention
        out.setdefault(link.label, link.mention)
    return out


@pytest.mark.parametrize(
    ("question", "label", "mention"),
    [
        ("Who fought in World War 2?", "World War II", "World War 2"),
        ("how high is mt everest", "Mount Everest", "mt everest"),
        ("Who was born in St. Paul?", "Saint Paul", "St. Paul"),
        ("Which rank had he in the US Navy?", "United States Navy", "US Navy"),
        ("Who plays at the Master Card center?", "MasterCard Centre", "Master Card center"),
        (
            "Who coached the Middlesbrough season of 2006?",
            "2006–07 Middlesbrough F.C. season",
            "Middlesbrough season of 2006",
        ),
        (
            "Who won a Golden Globe Award for Best Actor in a Motion Picture Drama?",
            "Golden Globe Award for Best Actor – Motion Picture Drama",
            "Golden Globe Award for Best Actor in a Motion Picture Drama",
        ),
        (
            "Who won the BIFA award for best performance by an actor in a british independent film?",
            "BIFA Award for Best Performance by an Actor in a British Independent Film",
            "BIFA award for best performance by an actor in a british independent film",
        ),
        (
            "Was Boris Johnson member of the 56th Parliament of the United Kingdom?",
            "Member of the 56th Parliament of the United Kingdom",
            "member of the 56th Parliament of the United Kingdom",
        ),
    ],
)
def test_names_in_other_words_are_found_whole(
    index: EntityIndex, question: str, label: str, mention: str
) -> None:
    assert found(index, question).get(label) == mention


@pytest.mark.parametrize(
    ("question", "labels"),
    [
        ("Which programming language did Grace Hopper create?", {"programming language", "Grace Hopper"}),
        ("Which film is it?", {"film"}),
        ("Which movie is it?", {"film"}),
        ("Name the companies in London", {"business"}),
        ("Who is it?", {"human"}),
        ("Which cities are there?", {"city"}),
        ("What church is it?", {"church building"}),
        ("What is the unit of density?", {"unit of density", "density"}),
        ("Which vaccine is used?", {"DPT vaccine"}),
    ],
)
def test_kinds_and_other_readings_are_offered(index: EntityIndex, question: str, labels: set[str]) -> None:
    assert labels <= set(found(index, question))


def test_ordinary_words_stay_in_the_question(index: EntityIndex) -> None:
    links = LocalLinker(index).link("Which film did Boris Johnson see?")
    places = {link.label: (link.start, link.end) for link in links}
    assert places["film"] == (-1, -1) and places["Boris Johnson"] == (15, 28)


def test_other_readings_score_less_than_the_name_itself(index: EntityIndex) -> None:
    links = LocalLinker(index).link("What is the unit of density?")
    score = {link.label: link.score for link in links}
    assert links[0].label == "unit of density" and score["density"] < 0.6 * score["unit of density"]
    assert {(link.start, link.end) for link in links} == {(links[0].start, links[0].end)}


def test_a_name_does_not_reach_into_another_clause(index: EntityIndex) -> None:
    question = "Which tower is it that London has?"
    assert all(" that " not in link.mention for link in LocalLinker(index).link(question))


def test_words_of_the_vocabulary_are_no_kinds(tmp_path: Path) -> None:
    source = tmp_path / "graph.ttl"
    source.write_text(
        "@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> . @prefix ex: <http://e.org/> .\n"
        'ex:Film a rdfs:Class ; rdfs:label "film" . ex:x a ex:Film ; rdfs:label "Film" .\n'
        'ex:y a ex:Film ; rdfs:label "human" .\n'
    )
    build_entity_index(source, tmp_path / "e.sqlite")
    linker = LocalLinker(tmp_path / "e.sqlite")
    assert [link.label for link in linker.link("Who made which film?")] == ["human"]


def test_fit_falls_with_what_is_left_out_and_put_between(index: EntityIndex) -> None:
    def fit(question: str) -> float:
        words = names.words(question)
        ordinary = [names.is_ordinary(word.key) for word in words]
        overlaps = Overlaps(index, words, ordinary=ordinary, doubted=()).laid_over(())
        return max((o.fit for o in overlaps if o.entity.label == "Fox Television Center"), default=0.0)

    whole = fit("Where is the Center Fox Television?")
    assert whole == pytest.approx(1.0)
    assert whole > fit("Where is the Fox Television?") > 0.5
    assert whole > fit("Where is the Fox Xylophone Television Center?") > 0.5
    assert fit("Where is the Television?") == 0.0


def test_names_that_start_alike(index: EntityIndex) -> None:
    assert [e.label for e in index.starting("golden globe award")] == [
        "Golden Globe Award for Best Actor – Motion Picture Drama"
    ]
    assert [e.label for e in index.starting("church of")] == ["Church of St Ignatius"]
    assert index.starting("golden glob") == [] and index.starting("") == []


def test_words_are_counted(index: EntityIndex) -> None:
    assert index.uses(["award", "everest", "nowhere"]) == {"award": 3, "everest": 1}
