"""`Engine.ask`: which candidate wins, the repair round, what is never run, and how far an answer is trusted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from conftest import ScriptedGenerator

from ontoprompt.errors import GraphError, NoQueryError, QueryTimeoutError, UsageError
from ontoprompt.execution import ResultSet
from ontoprompt.generation import Candidate, Request
from ontoprompt.pipeline import Answer, AskOptions, Engine, checked_question
from ontoprompt.retrieval import NARROW, Pins, Retriever

DBR, DBO = "http://dbpedia.org/resource/", "http://dbpedia.org/ontology/"
QUESTION = "What is the capital of Australia?"
# The same terms and entity in each, so that nothing but the model's own score ranks them.
REVERSED = "SELECT ?a WHERE { ?a dbo:capital dbr:Australia }"
RIGHT = "SELECT ?a WHERE { dbr:Australia dbo:capital ?a }"
AGAIN = "SELECT DISTINCT ?a WHERE { dbr:Australia dbo:capital ?a }"
UNKNOWN = "SELECT ?a WHERE { dbr:Australia dbo:capital ?a . ?a dbo:frobnicates ?b }"
FOREIGN = "SELECT ?a WHERE { dbr:Australia dbo:capital ?a . dbr:Paris dbo:capital ?b }"
HALF = "SELECT ?a WHERE { dbr:Australia dbo:capital"


class WatchedStore:
    """The graph, and what it was asked; `fails` may raise for a query."""

    name = "watched"

    def __init__(self, retriever: Retriever, fails: Callable[[str], Exception | None]) -> None:
        assert retriever.store is not None
        self.store, self.fails, self.asked = retriever.store, fails, list[str]()

    def query(self, text: str, *, timeout: float = 30.0, max_rows: int = 10_000) -> ResultSet:
        self.asked.append(text)
        if error := self.fails(text):
            raise error
        return self.store.query(text, timeout=timeout, max_rows=max_rows)

    def close(self) -> None:
        """Nothing to close."""


Ask = Callable[..., Answer]


@pytest.fixture
def told() -> ScriptedGenerator:
    return ScriptedGenerator()


@pytest.fixture
def engine(retriever: Retriever, told: ScriptedGenerator) -> Engine:
    return Engine(retriever, told, WatchedStore(retriever, lambda _: None), kg_name="small")


def fates(answer: Answer) -> list[str]:
    return [t.note for t in answer.candidates]


def cells(answer: Answer) -> list[str]:
    assert answer.result is not None
    return [v.value.removeprefix(DBR) for row in answer.result.rows for v in row if v is not None]


def test_the_first_candidate_that_validates_and_returns_something_wins(
    engine: Engine, told: ScriptedGenerator
) -> None:
    told.says([REVERSED, RIGHT, AGAIN])
    answer = engine.ask(QUESTION)
    assert fates(answer) == ["nothing found", "chosen", "not needed"] and cells(answer) == ["Canberra"]
    assert [t.rows for t in answer.candidates] == [0, 1, None]
    assert "dbr:Australia dbo:capital ?a" in answer.sparql and len(told.seen) == 1


@pytest.mark.parametrize("bad", [UNKNOWN, FOREIGN])
def test_a_candidate_with_a_term_or_entity_from_nowhere_is_refused_and_never_run(
    engine: Engine, told: ScriptedGenerator, bad: str
) -> None:
    told.says([bad, RIGHT])
    answer = engine.ask(QUESTION)
    assert fates(answer) == ["refused", "chosen"] and answer.candidates[0].issues
    assert len(engine.store.asked) == 1  # type: ignore[union-attr]


EVIL = (
    "DELETE WHERE { ?s ?p ?o }",
    "INSERT DATA { dbr:Australia dbo:capital dbr:Paris }",
    "SELECT * WHERE { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }",
    "SELECT * WHERE { \\u0053ERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }",
    "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }",
    "DESCRIBE dbr:Australia",
    "SELECT ?a FROM <http://127.0.0.1:9/g> WHERE { dbr:Australia dbo:capital ?a }",
    "SELECT ?a WHERE { dbr:Australia dbo:capital ?a } ; DROP ALL",
    HALF,
    "",
)


@pytest.mark.parametrize("evil", EVIL)
def test_what_does_more_than_read_is_never_run(engine: Engine, told: ScriptedGenerator, evil: str) -> None:
    told.says([evil])
    with pytest.raises(NoQueryError) as caught:
        engine.ask(QUESTION)
    assert caught.value.hint and engine.store.asked == []  # type: ignore[union-attr]
    told.says([evil, RIGHT])
    answer = engine.ask(QUESTION)
    assert cells(answer) == ["Canberra"] and len(engine.store.asked) == 1  # type: ignore[union-attr]


def test_a_candidate_that_was_cut_off_is_refused(
    engine: Engine, told: ScriptedGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(requests: Sequence[Request], *, candidates: int = 5) -> list[tuple[Candidate, ...]]:
        return [
            (Candidate(AGAIN, AGAIN, -0.1, (-0.1,), truncated=True), Candidate(RIGHT, RIGHT, -0.2, (-0.2,)))
        ]

    monkeypatch.setattr(told, "generate", cut)
    assert fates(engine.ask(QUESTION)) == ["cut off", "chosen"]


# --- repair


def test_when_nothing_is_found_a_wider_fragment_is_tried_once(
    engine: Engine, told: ScriptedGenerator
) -> None:
    told.says([REVERSED], [RIGHT])
    answer = engine.ask(QUESTION, AskOptions(top_k=2))
    assert cells(answer) == ["Canberra"] and fates(answer) == ["nothing found", "chosen"]
    sizes = [len(request.prompt.fragment.terms) for request in told.seen]
    assert (sizes[0], sizes[-1]) == (2, 4)
    shown = {request.prompt.text for request in told.seen[1:]}
    assert answer.prompt in shown, "the prompt shown is the one that was answered"


def test_yes_or_no_about_something_else_is_no_answer(engine: Engine, told: ScriptedGenerator) -> None:
    told.says(["ASK { ?a a dbo:City }"])
    for question in ("Is Canberra the capital of Australia?", "Is Zandovia a city?"):
        with pytest.raises(NoQueryError):
            engine.ask(question)
    assert engine.ask("Is there a city?").result is not None


def test_an_answer_that_leaves_out_what_was_named_gives_way_to_one_that_does_not(
    engine: Engine, told: ScriptedGenerator
) -> None:
    deaf = "SELECT DISTINCT ?a WHERE { ?b dbo:capital ?a }"
    told.says([deaf], [RIGHT])
    answer = engine.ask(QUESTION)
    assert fates(answer)[:2] == ["leaves out a name", "chosen"] and cells(answer) == ["Canberra"]
    told.says([deaf])
    alone = engine.ask(QUESTION)
    assert len(cells(alone)) >= 1 and alone.confidence < answer.confidence


def test_repair_is_bounded_and_an_empty_answer_stays_empty(engine: Engine, told: ScriptedGenerator) -> None:
    told.says([REVERSED])
    answer = engine.ask(QUESTION)
    # All terms, then once more: the best one, the best two, the best four, and a wider fragment.
    assert (
        len(told.seen) == 5 and answer.empty and answer.confidence < confidence(engine, told, QUESTION, RIGHT)
    )
    assert "nothing was found" in answer.doubts and answer.prompt == told.seen[0].prompt.text


def test_when_no_candidate_is_valid_even_then_it_is_said(engine: Engine, told: ScriptedGenerator) -> None:
    told.says([UNKNOWN, HALF])
    with pytest.raises(NoQueryError):
        engine.ask(QUESTION)
    assert len(told.seen) == 5
    told.says([], [RIGHT])
    assert cells(engine.ask(QUESTION)) == ["Canberra"]


def test_an_answer_of_the_wrong_kind_gives_way_to_one_of_the_right_kind(
    engine: Engine, told: ScriptedGenerator
) -> None:
    both = "dbr:Australia dbo:populationTotal ?n ; dbo:capital ?c"
    told.says([f"SELECT ?c WHERE {{ {both} }}", f"SELECT ?n WHERE {{ {both} }}"])
    question = "How many people live in the country Australia?"
    answer = engine.ask(question)
    assert fates(answer) == ["another kind of answer", "chosen"] and cells(answer) == ["26000000"]
    told.says([f"SELECT ?c WHERE {{ {both} }}"])
    alone = engine.ask(question)
    assert cells(alone) == ["Canberra"] and alone.confidence < answer.confidence
    assert any("another kind" in doubt for doubt in alone.doubts)


# --- execution


def test_without_executing_the_best_valid_candidate_is_the_answer(
    engine: Engine, told: ScriptedGenerator
) -> None:
    told.says([UNKNOWN, REVERSED, RIGHT])
    answer = engine.ask(QUESTION, AskOptions(execute=False))
    assert answer.result is None and not answer.empty and "?a dbo:capital dbr:Australia" in answer.sparql
    assert engine.store.asked == []  # type: ignore[union-attr]


def test_without_a_graph_that_tells_right_from_wrong_a_small_model_is_shown_the_best_few_terms(
    engine: Engine, told: ScriptedGenerator
) -> None:
    told.says([RIGHT])
    answer = engine.ask(QUESTION, AskOptions(execute=False))
    shown = [n for n in NARROW if n < len(answer.terms)]
    assert [len(r.prompt.fragment.terms) for r in told.seen] == shown and len(shown) >= 2
    assert answer.prompt == told.seen[0].prompt.text
    assert len(answer.candidates) == 1
    told.seen.clear()
    engine.ask(QUESTION, AskOptions(execute=False, variant="nsql"))
    assert [len(r.prompt.fragment.terms) for r in told.seen] == [len(answer.terms)]


@pytest.mark.parametrize("error", [GraphError("no"), QueryTimeoutError("slow")])
def test_a_graph_may_refuse_one_query_and_answer_the_next(
    retriever: Retriever, told: ScriptedGenerator, error: GraphError
) -> None:
    told.says([RIGHT, AGAIN])
    store = WatchedStore(retriever, lambda text: None if "DISTINCT" in text else error)
    answer = Engine(retriever, told, store).ask(QUESTION)
    said = "took too long" if isinstance(error, QueryTimeoutError) else "refused by the graph"
    assert fates(answer) == [said, "chosen"] and cells(answer) == ["Canberra"]


def test_a_graph_that_answers_nothing_is_an_error_not_an_empty_answer(
    retriever: Retriever, told: ScriptedGenerator
) -> None:
    told.says([RIGHT, AGAIN])
    store = WatchedStore(retriever, lambda _: GraphError("The graph is gone.", "Look for it."))
    with pytest.raises(GraphError, match="gone"):
        Engine(retriever, told, store).ask(QUESTION)


def test_slow_candidates_share_one_deadline(retriever: Retriever, told: ScriptedGenerator) -> None:
    endless = [f"SELECT (COUNT(*) AS ?n{i}) WHERE {{ {_product(40 + i)} }}" for i in range(4)]
    told.says(endless)
    store = WatchedStore(retriever, lambda _: None)
    began = time.monotonic()
    with pytest.raises(QueryTimeoutError, match=r"0\.5 seconds"):
        Engine(retriever, told, store).ask("How many countries are there?", AskOptions(timeout=0.5))
    assert time.monotonic() - began < 5


def _product(size: int) -> str:
    return " . ".join(f"?a{i} a dbo:Country" for i in range(size))


def test_rows_are_limited_in_the_query_that_is_sent_and_in_the_one_that_is_shown(
    engine: Engine, told: ScriptedGenerator
) -> None:
    told.says(["SELECT ?a WHERE { ?a a dbo:City }"])
    answer = engine.ask("Which cities are there?", AskOptions(limit=2))
    assert len(cells(answer)) == 2 and answer.sparql.endswith("LIMIT 2")
    assert "LIMIT 3" in engine.store.asked[0]  # type: ignore[union-attr]
    assert answer.result is not None and answer.result.truncated
    whole = engine.ask("Which cities are there?", AskOptions(limit=3))
    assert len(cells(whole)) == 3 and whole.result is not None and not whole.result.truncated


# --- what the generator is asked


def test_the_generator_gets_the_grammar_the_weights_and_what_the_graph_speaks_against(
    engine: Engine, told: ScriptedGenerator
) -> None:
    told.says([RIGHT])
    engine.ask(QUESTION)
    (request,) = told.seen
    names = request.prompt.names()
    assert request.grammar, "a query is held to a grammar"
    assert max(request.bias.values()) == 0 and min(request.bias.values()) >= -2
    assert request.bias[names[DBO + "capital"]] > request.bias[names[DBO + "populationTotal"]]
    australia, capital = names[DBR + "Australia"], names[DBO + "capital"]
    assert (capital, australia) in request.unlikely and (australia, capital) not in request.unlikely


@pytest.mark.parametrize(
    ("question", "form"),
    [("Is Canberra the capital of Australia?", "ask"), ("Who governs Australia?", "select"), (QUESTION, "")],
)
def test_the_first_words_decide_the_form_of_the_query(
    engine: Engine, told: ScriptedGenerator, question: str, form: str
) -> None:
    told.says([RIGHT])
    engine.ask(question)
    grammar = told.seen[0].grammar
    assert grammar is not None and grammar.form == form


@pytest.mark.parametrize(
    ("question", "counts"),
    [
        ("The 5 largest cities", ["l1"]),
        ("Cities with more than 5 rivers", []),
        ("Cities built before 1900", []),
    ],
)
def test_a_number_to_compare_with_is_no_limit(
    engine: Engine, told: ScriptedGenerator, question: str, counts: list[str]
) -> None:
    told.says([RIGHT])
    engine.ask(question)
    grammar = told.seen[0].grammar
    assert grammar is not None and grammar.vocabulary.literals == ("l1",)
    assert list(grammar.vocabulary.counts) == counts


def test_a_variant_may_be_asked_for(engine: Engine, told: ScriptedGenerator) -> None:
    told.says([RIGHT])
    assert engine.ask(QUESTION).prompt.startswith("CREATE TABLE c1")
    in_words = engine.ask(QUESTION, AskOptions(variant="terms"))
    assert "CREATE TABLE" not in in_words.prompt and "capital" in in_words.prompt


def test_a_fragment_may_be_given_in_place_of_what_would_be_retrieved(
    engine: Engine, told: ScriptedGenerator
) -> None:
    other = engine.fragment("What is the capital of France?", AskOptions())
    told.says([RIGHT])
    with pytest.raises(NoQueryError):
        engine.ask(QUESTION, fragment=other)
    assert len(told.seen) == 1, "no repair with another fragment than the one given"
    told.says(["SELECT ?a WHERE { dbr:France dbo:capital ?a }"])
    assert cells(engine.ask(QUESTION, fragment=other)) == ["Paris"]


def test_pins_reach_the_fragment(engine: Engine, told: ScriptedGenerator) -> None:
    told.says(["SELECT ?a WHERE { dbr:France dbo:capital ?a }"])
    pins = Pins({"Australia": DBR + "France"}, (DBO + "populationTotal",))
    answer = engine.ask(QUESTION, AskOptions(top_k=1, pins=pins))
    assert cells(answer) == ["Paris"] and [e.iri for e in answer.entities] == [DBR + "France"]
    assert DBO + "populationTotal" in [s.term.iri for s in answer.terms]


# --- confidence


def confidence(engine: Engine, told: ScriptedGenerator, question: str, *queries: str) -> float:
    told.says(list(queries))
    value = engine.ask(question).confidence
    assert 0 <= value <= 1
    return value


def test_a_plain_question_with_a_plain_answer_is_trusted(engine: Engine, told: ScriptedGenerator) -> None:
    told.says([RIGHT])
    answer = engine.ask(QUESTION)
    assert not answer.doubtful and answer.doubts == ()


def test_what_speaks_against_an_answer_lowers_its_confidence(engine: Engine, told: ScriptedGenerator) -> None:
    sure = confidence(engine, told, QUESTION, RIGHT)
    assert confidence(engine, told, "What is the favourite pancake of Australia?", RIGHT) < sure
    assert confidence(engine, told, "What is the capital of Australia and France?", RIGHT) < sure
    assert confidence(engine, told, QUESTION, REVERSED, RIGHT) < sure
    unlinked = "SELECT ?a WHERE { ?b dbo:capital ?a }"
    assert confidence(engine, told, "What is the capital of Atlantis?", unlinked) < sure


def test_doubts_name_what_was_not_heard(engine: Engine, told: ScriptedGenerator) -> None:
    told.says(["SELECT ?a WHERE { ?b dbo:capital ?a }"])
    assert any("no name" in d for d in engine.ask("What is the capital of Atlantis?").doubts)
    told.says([RIGHT])
    assert any("'France'" in d for d in engine.ask("What is the capital of Australia and France?").doubts)


def test_a_model_that_is_less_certain_is_trusted_less(
    engine: Engine, told: ScriptedGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_score(score: float) -> float:
        monkeypatch.setattr(
            told, "generate", lambda requests, *, candidates=5: [(Candidate(RIGHT, RIGHT, score, (score,)),)]
        )
        return engine.ask(QUESTION).confidence

    assert with_score(-0.01) > with_score(-0.5) > with_score(-3.0)


# --- the answer


def test_the_answer_tells_what_it_was_made_of(engine: Engine, told: ScriptedGenerator) -> None:
    told.says([RIGHT])
    answer = engine.ask(f"  {QUESTION}\n")
    assert (answer.question, answer.model, answer.kg) == (QUESTION, "scripted", "small")
    assert answer.labels[DBR + "Canberra"] == "Canberra" and answer.labels[DBO + "capital"] == "capital"
    assert answer.restated and answer.prompt == told.seen[0].prompt.text
    stages = {"link", "retrieve", "prompt", "generate", "validate", "execute"}
    assert stages < set(answer.timings)
    assert answer.timings["total"] >= sum(answer.timings[s] for s in stages) > 0


def test_an_entity_without_a_label_gets_one_from_its_iri(engine: Engine, told: ScriptedGenerator) -> None:
    assert engine.labels is None
    told.says(['SELECT ?a WHERE { ?a dbo:capital ?b . FILTER(CONTAINS(STR(?a), "country")) }'])
    answer = engine.ask("Which country has a capital?")
    assert answer.labels[DBR + "Georgia_(country)"] == "Georgia (country)"


@pytest.mark.parametrize(
    ("question", "cleaned"),
    [
        ("  What\tis\n it? ", "What is it?"),
        ("Wer ist Jürgen?", "Wer ist Jürgen?"),
        ("Who wrote 红楼梦 and other Chinese novels?", "Who wrote 红楼梦 and other Chinese novels?"),
        ("What\x00 is\x1b it\u200b?", "What is it ?"),
        ("x" * 2000, "x" * 2000),
    ],
)
def test_questions_are_cleaned(question: str, cleaned: str) -> None:
    assert checked_question(question) == cleaned


@pytest.mark.parametrize("question", ["", " ", "\x00", "?!", "12", "\U0001f600", "x" * 2001, "ค", "Где он?"])
def test_what_cannot_be_asked(question: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked_question(question)
    assert caught.value.hint


def test_an_engine_without_a_graph_writes_queries(retriever: Retriever, told: ScriptedGenerator) -> None:
    told.says([RIGHT])
    answer: Any = Engine(retriever, told).ask(QUESTION)
    assert answer.result is None and "dbo:capital" in answer.sparql


def test_what_no_word_denies_is_not_taken_away(engine: Engine, told: ScriptedGenerator) -> None:
    without = "SELECT ?c WHERE { ?c a dbo:Country MINUS { ?c dbo:capital dbr:Canberra } }"
    told.says([without])
    with pytest.raises(NoQueryError):
        engine.ask(QUESTION)
    assert fates(engine.ask("Which country does not have Canberra as its capital?"))[0] != "beside the point"
