"""What a question's fragment holds: terms that fit and that the graph uses, entities, literals, and what is pinned."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from ontoprompt.embedding import load_encoder
from ontoprompt.entities import EntityLink
from ontoprompt.errors import GraphError, QueryTimeoutError, UsageError
from ontoprompt.execution import ResultSet, Store
from ontoprompt.index import build_index
from ontoprompt.ontology import Term, load_ontology
from ontoprompt.retrieval import Pins, Retriever, prefer_specific_types, said_stems, stem

DBR, DBO = "http://dbpedia.org/resource/", "http://dbpedia.org/ontology/"
QUESTION = "What is the capital of Australia?"


class CountingStore:
    """A store in front of another that counts, or fails."""

    name = "counting"

    def __init__(self, store: Store | None, error: GraphError | None = None) -> None:
        self.store, self.error, self.asked = store, error, 0

    def query(self, text: str, *, timeout: float = 30.0, max_rows: int = 10_000) -> ResultSet:
        self.asked += 1
        if self.error is not None:
            raise self.error
        assert self.store is not None
        return self.store.query(text, timeout=timeout, max_rows=max_rows)

    def close(self) -> None:
        """Nothing to close."""


class Told:
    """A linker that finds what it is told to find."""

    def __init__(self, *links: tuple[str, int, int, float]) -> None:
        self.links = tuple(
            EntityLink(f"{DBR}{name}", name, "x" * (end - start), start, end, score)
            for name, start, end, score in links
        )

    def link(self, question: str, *, k: int = 5, types: Collection[str] = ()) -> tuple[EntityLink, ...]:
        return self.links


def test_a_fragment_holds_terms_best_first_and_the_entity_with_its_type(retriever: Retriever) -> None:
    fragment = retriever.retrieve(QUESTION, top_k=3)
    assert fragment.question == QUESTION and len(fragment.terms) == 3
    assert DBO + "capital" in [s.term.iri for s in fragment.terms[:2]]
    scores = [s.score for s in fragment.terms]
    assert scores == sorted(scores, reverse=True)
    (entity,) = fragment.entities
    assert (entity.iri, entity.mention, entity.types) == (DBR + "Australia", "Australia", (DBO + "Country",))
    assert QUESTION[entity.start : entity.end] == "Australia"
    assert fragment.labels[DBO + "Country"] == "country"
    assert fragment.iris() == {s.term.iri for s in fragment.terms} | {DBR + "Australia"}


def test_a_misspelt_name_is_still_found(retriever: Retriever) -> None:
    assert [e.iri for e in retriever.link("What is the capital of Australa?")] == [DBR + "Australia"]


@pytest.fixture(scope="module")
def wider(graph: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the small graph's vocabulary and of a property that the graph does not use."""
    folder = tmp_path_factory.mktemp("wider")
    (folder / "more.ttl").write_text(
        f"<{DBO}seat> a <http://www.w3.org/2002/07/owl#ObjectProperty> ; "
        '<http://www.w3.org/2000/01/rdf-schema#label> "capital"@en .'
    )
    build_index(load_ontology([graph, folder / "more.ttl"]), folder / "index", encoder=load_encoder())
    return folder / "index"


def test_a_graph_leaves_out_terms_that_it_does_not_use(retriever: Retriever, wider: Path) -> None:
    from ontoprompt.index import OntologyIndex

    index = OntologyIndex.load(wider)
    alone, asked = Retriever(index), Retriever(index, store=retriever.store)
    assert DBO + "seat" in [s.term.iri for s in alone.retrieve(QUESTION).terms]
    found = [s.term.iri for s in asked.retrieve(QUESTION).terms]
    assert DBO + "seat" not in found and DBO + "capital" in found


@pytest.mark.parametrize("error", [GraphError("refused"), QueryTimeoutError("slow")])
def test_a_graph_that_does_not_answer_is_no_evidence(retriever: Retriever, error: GraphError) -> None:
    silent = CountingStore(None, error)
    mute = Retriever(retriever.index, retriever.linker, silent)
    fragment = mute.retrieve(QUESTION)
    assert mute.in_use is None and DBO + "capital" in [s.term.iri for s in fragment.terms]
    assert mute.surroundings(DBR + "Australia").leaving is None
    assert mute.surroundings(DBR + "Australia").either == frozenset()


def test_the_graph_is_asked_once_for_what_it_uses_and_once_for_each_entity(retriever: Retriever) -> None:
    counting = CountingStore(retriever.store)
    patient = Retriever(retriever.index, retriever.linker, counting)
    patient.retrieve(QUESTION)
    asked = counting.asked
    patient.retrieve(QUESTION)
    patient.retrieve("Which country has the capital Canberra?")
    assert asked == 4 and counting.asked == 6


def test_usage_is_counted(retriever: Retriever) -> None:
    use = retriever.in_use
    assert use is not None
    assert use.properties[DBO + "capital"] == 3 and use.classes[DBO + "City"] == 3


def test_what_leaves_and_what_arrives_at_an_entity(retriever: Retriever) -> None:
    around = retriever.surroundings(DBR + "Australia")
    assert around.leaving is not None and around.arriving is not None
    assert DBO + "capital" in around.leaving and DBO + "capital" not in around.arriving
    assert around.arriving == {DBO + "country"} and around.either == around.leaving | around.arriving
    nobody = retriever.surroundings(DBR + "Nobody")
    assert nobody.leaving == nobody.arriving == frozenset()
    assert Retriever(retriever.index).surroundings(DBR + "Australia").leaving is None


def test_terms_that_occur_at_a_mentioned_entity_gain(retriever: Retriever) -> None:
    def score(name: str, links: tuple[EntityLink, ...]) -> float:
        found = retriever.retrieve("How many people live there?", links=links).terms
        return next(s.score for s in found if s.term.iri == DBO + name)

    there = EntityLink(DBR + "Australia", "Australia", "there", 21, 26, 0.9, (DBO + "Country",))
    city = EntityLink(DBR + "Tbilisi", "Tbilisi", "there", 21, 26, 0.9, (DBO + "City",))
    assert score("populationTotal", (there,)) > score("populationTotal", (city,))


def test_the_best_link_of_each_stretch_stays_and_rivals_that_come_near() -> None:
    told = Told(
        ("Best", 0, 5, 0.9), ("Near", 0, 5, 0.85), ("Nearer", 0, 5, 0.84), ("Far", 0, 5, 0.31),
        ("Across", 3, 8, 0.8), ("Other", 10, 14, 0.5), ("Noise", 20, 24, 0.1),
    )  # fmt: skip
    retriever = Retriever(_NoIndex(), told)  # type: ignore[arg-type]

    def names(rivals: int) -> list[str]:
        return [link.label for link in retriever.link("x" * 30, rivals=rivals)]

    assert names(1) == ["Best", "Other"]
    assert names(2) == ["Best", "Near", "Other"]
    assert names(9) == ["Best", "Near", "Nearer", "Other"]


class _NoIndex:
    """For what needs no index."""

    terms: tuple[Term, ...] = ()


def test_what_is_pinned_comes_first_and_shuts_out_what_overlaps(retriever: Retriever) -> None:
    question = "Is Georgia larger than France?"
    pins = Pins({"georgia": DBR + "Canberra"})
    links = retriever.link(question, pins)
    assert (links[0].iri, links[0].mention, links[0].score) == (DBR + "Canberra", "Georgia", 1.0)
    assert [x.iri for x in links[1:]] == [DBR + "France"]
    with pytest.raises(UsageError, match="Atlantis"):
        retriever.link(question, Pins({"Atlantis": DBR + "France"}))


def test_a_small_letter_is_no_mention(retriever: Retriever, monkeypatch: pytest.MonkeyPatch) -> None:
    film = EntityLink("http://x.org/m", "M", "m", 20, 21, 0.5)
    monkeypatch.setattr(retriever.linker, "link", lambda question, k: (film,))
    assert retriever.link("Mountains over 8000 m tall") == ()


def test_a_pin_means_whole_words(retriever: Retriever) -> None:
    with pytest.raises(UsageError, match="does not hold the words 'us'"):
        retriever.link("Which museums are there?", Pins({"us": DBR + "Australia"}))


def test_a_pinned_term_is_in_the_fragment_whatever_its_score(retriever: Retriever) -> None:
    pins = Pins({}, (DBO + "populationTotal",))
    fragment = retriever.retrieve(QUESTION, top_k=1, pins=pins)
    assert fragment.terms[0].term.iri == DBO + "populationTotal"
    iris = [s.term.iri for s in retriever.retrieve(QUESTION, pins=Pins({}, (DBO + "capital",))).terms]
    assert iris.count(DBO + "capital") == 1
    with pytest.raises(UsageError, match="holds no term"):
        retriever.retrieve(QUESTION, pins=Pins({}, (DBO + "noSuchTerm",)))


def test_numbers_are_literals_unless_they_belong_to_a_name(retriever: Retriever) -> None:
    question = "Which countries have more than 30000000 inhabitants?"
    assert [x.value for x in retriever.retrieve(question).literals] == ["30000000"]
    at = question.index("30000000")
    named = EntityLink(DBR + "France", "30000000", "30000000", at, at + 8, 0.9)
    assert retriever.retrieve(question, links=[named]).literals == ()


def test_of_two_entities_of_one_name_the_one_that_fits_the_question_stays(retriever: Retriever) -> None:
    """Only one of the two has a population in the graph; the other scores a little higher as a name."""
    question = "What is the population total of Springfield?"
    at = question.index("Springfield")
    city = EntityLink(DBR + "Tbilisi", "Springfield", "Springfield", at, at + 11, 0.90, (DBO + "City",))
    country = EntityLink(DBR + "France", "Springfield", "Springfield", at, at + 11, 0.88, (DBO + "Country",))
    assert [e.iri for e in retriever.retrieve(question, links=[city, country]).entities] == [DBR + "France"]
    both = retriever.retrieve(question, links=[city, country], rivals=2).entities
    assert {e.iri for e in both} == {DBR + "France", DBR + "Tbilisi"}


def test_the_most_specific_type_comes_first() -> None:
    place, river = Term("x:Place", "class", "place"), Term("x:River", "class", "river", parents=("x:Place",))
    link = EntityLink("x:Nile", "Nile", "Nile", 0, 4, 0.9, ("x:Place", "x:River", "x:Unknown"))
    (sorted_link,) = prefer_specific_types([link], {t.iri: t for t in (place, river)})
    assert sorted_link.types == ("x:River", "x:Place")
    (unknown,) = prefer_specific_types([link], {})
    assert set(unknown.types) == set(link.types)


@pytest.mark.parametrize(
    ("one", "other"), [("directed", "director"), ("cities", "city"), ("writes", "write"), ("actors", "actor")]
)
def test_words_of_one_stem(one: str, other: str) -> None:
    assert stem(one)[:4] == stem(other)[:4] and len(stem(one)) >= 3


def test_well_known_properties_are_meant_by_other_words_too() -> None:
    assert stem("tall") in said_stems(Term(DBO + "height", "datatype_property", "height"))
    assert said_stems(Term(DBO + "frobnicates", "property", "frobnicates")) == frozenset()
