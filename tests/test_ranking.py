"""Ranking of candidates by what of the question they hear, and the judgement of answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ontoprompt import sparql
from ontoprompt.alignment import Heard, content_words, heard
from ontoprompt.entities import EntityLink
from ontoprompt.evidence import PENALTY
from ontoprompt.execution import ResultSet, Value
from ontoprompt.fragment import Fragment, ScoredTerm
from ontoprompt.generation import Candidate
from ontoprompt.literals import find_literals
from ontoprompt.ontology import Term
from ontoprompt.prompts import Prompt, build_prompt
from ontoprompt.ranking import (
    Cost,
    TriedCandidate,
    judge,
    leaves_out,
    nonsense,
    nothing,
    rank,
    with_turned,
)
from ontoprompt.retrieval import Surroundings

DBO = "http://dbpedia.org/ontology/"
DBR = "http://dbpedia.org/resource/"
FILM = EntityLink("http://example.org/film", "Psycho", "Psycho", 26, 32, 1.0)
QUESTION = "Where was the director of Psycho born?"
FRAGMENT = Fragment(
    QUESTION,
    (
        ScoredTerm(Term(DBO + "director", "object_property", "director"), 0.9),
        ScoredTerm(Term(DBO + "birthPlace", "object_property", "birth place"), 0.8),
        ScoredTerm(
            Term(
                DBO + "budget",
                "datatype_property",
                "budget",
                range=("http://www.w3.org/2001/XMLSchema#double",),
            ),
            0.3,
        ),
    ),
    (FILM,),
)
WORDS = Heard(
    ("director", "born"),
    {DBO + "director": (1.0, 0.0), DBO + "birthPlace": (0.0, 1.0), DBO + "budget": (0.0, 0.0)},
)
ONE = f"SELECT ?a WHERE {{ <{FILM.iri}> <{DBO}director> ?a }}"
TWO = f"SELECT ?a WHERE {{ <{FILM.iri}> <{DBO}director> ?b . ?b <{DBO}birthPlace> ?a }}"
DEAF = f"SELECT ?a WHERE {{ ?b <{DBO}director> ?a }}"


def candidate(query: str, score: float) -> Candidate:
    return Candidate(query, query, score, (score,))


def order(
    question: str, *queries: tuple[str, float], fragment: Fragment = FRAGMENT, words: Heard = WORDS
) -> list[str]:
    return [c.sparql for c in rank([candidate(q, s) for q, s in queries], Cost(question, fragment, words))]


def test_a_query_that_hears_more_comes_first() -> None:
    assert order(QUESTION, (DEAF, -0.1), (ONE, -0.5), (TWO, -2.0)) == [TWO, ONE, DEAF]


def test_what_somebody_who_knows_has_named_is_used() -> None:
    cost = Cost(QUESTION, FRAGMENT, WORDS, [FILM.iri, DBO + "director", DBO + "birthPlace"])
    free = Cost(QUESTION, FRAGMENT, WORDS)
    assert cost(TWO) == free(TWO)
    assert cost(ONE) == free(ONE) + 4.0 and cost(DEAF) == free(DEAF) + 8.0
    sure = [candidate(ONE, -0.1), candidate(TWO, -6.5)]
    assert [rank(sure, c)[0].sparql for c in (free, cost)] == [ONE, TWO]


def test_nothing_is_taken_away_that_the_question_does_not_deny() -> None:
    without = f"SELECT ?a WHERE {{ ?a a <{DBO}Film> . MINUS {{ ?a <{DBO}director> <{FILM.iri}> }} }}"
    denied = "Which films were not made by the director of Psycho?"
    costs = [Cost(q, replace(FRAGMENT, question=q), Heard((), {}))(without) for q in (QUESTION, denied)]
    assert costs[0] == costs[1] + 3.0
    assert leaves_out(without, FRAGMENT)
    assert not leaves_out(without, replace(FRAGMENT, question=denied)) and not leaves_out(TWO, FRAGMENT)


def test_a_sure_model_outweighs_a_word() -> None:
    assert order(QUESTION, (ONE, -0.1), (TWO, -9.0)) == [ONE, TWO]


def test_yes_no_questions_want_ask_and_the_unparsable_comes_last() -> None:
    ask = f"ASK WHERE {{ <{FILM.iri}> <{DBO}director> ?a }}"
    words = Heard((), {})
    assert order("Has Psycho a director?", ("SELECT {", 0.0), (ONE, -1.0), (ask, -2.0), words=words)[0] == ask
    assert order("Who made Psycho?", (ask, -1.0), (ONE, -2.0), words=words) == [ONE, ask]


def test_a_number_of_the_question_must_not_get_lost() -> None:
    question = "films with a budget over 5000"
    fragment = Fragment(question, FRAGMENT.terms, (), find_literals(question))
    kept = f"SELECT ?a WHERE {{ ?a <{DBO}budget> ?b FILTER(?b > 5000) }}"
    lost = f"SELECT ?a WHERE {{ ?a <{DBO}budget> ?b }}"
    assert order(question, (lost, -1.0), (kept, -2.5), fragment=fragment, words=Heard((), {})) == [kept, lost]


def test_superlatives_want_an_order() -> None:
    plain = f"SELECT ?a WHERE {{ ?a <{DBO}budget> ?b }}"
    ordered = plain + " ORDER BY DESC(?b) LIMIT 1"
    assert order("the highest budget", (plain, -1.0), (ordered, -2.0), words=Heard((), {})) == [
        ordered,
        plain,
    ]
    assert order("the budget of the west", (plain, -1.0), (ordered, -2.0), words=Heard((), {})) == [
        plain,
        ordered,
    ]


NUMBER = "http://www.w3.org/2001/XMLSchema#double"
BORN = ScoredTerm(
    Term(
        DBO + "birthDate", "datatype_property", "birth date", range=("http://www.w3.org/2001/XMLSchema#date",)
    ),
    1.0,
)
SORTED = "SELECT ?a WHERE {{ ?a <{0}> ?b }} ORDER BY {1}(?b) LIMIT 1"


@pytest.mark.parametrize(
    ("question", "name", "order"),
    [
        ("the film with the highest budget", "budget", "DESC"),
        ("the smallest budget", "budget", "ASC"),
        ("who is the oldest", "birthDate", "ASC"),
        ("who is the youngest", "birthDate", "DESC"),
        ("who was born last", "birthDate", "DESC"),
    ],
)
def test_a_superlative_says_which_end_comes_first(question: str, name: str, order: str) -> None:
    fragment = Fragment(question, (*FRAGMENT.terms, BORN))
    cost = Cost(question, fragment, Heard((), {}))
    other = {"DESC": "ASC", "ASC": "DESC"}[order]
    assert cost(SORTED.format(DBO + name, order)) < cost(SORTED.format(DBO + name, other))


@pytest.mark.parametrize(
    ("question", "sign"),
    [
        ("films with a budget of more than 5000", ">"),
        ("films with a budget over 5000", ">"),
        ("films with a budget lower than 5000", "<"),
        ("films made before 1900", "<"),
    ],
)
def test_a_comparison_says_which_sign(question: str, sign: str) -> None:
    literals = find_literals(question)
    value = literals[0].sparql()
    cost = Cost(question, Fragment(question, FRAGMENT.terms, (), literals), Heard((), {}))
    other = {"<": ">", ">": "<"}[sign]
    for left, right in (("?b", value), ("YEAR(?b)", value)):
        said = f"SELECT ?a WHERE {{{{ ?a <{DBO}budget> ?b FILTER({left} {{0}} {right}) }}}}"
        assert cost(said.format(sign)) < cost(said.format(other))
    turned = f"SELECT ?a WHERE {{{{ ?a <{DBO}budget> ?b FILTER({value} {{0}} ?b) }}}}"
    assert cost(turned.format(other)) < cost(turned.format(sign))


@pytest.mark.parametrize(("word", "sign"), [("longer", ">"), ("shorter", "<")])
def test_of_two_things_compared_the_first_stands_where_it_is_said(word: str, sign: str) -> None:
    question = f"Is Ada {word} than Bob?"
    ada = EntityLink("http://x.org/ada", "Ada", "Ada", 3, 6, 1.0)
    bob = EntityLink("http://x.org/bob", "Bob", "Bob", question.index("Bob"), question.index("Bob") + 3, 1.0)
    cost = Cost(question, Fragment(question, FRAGMENT.terms, (ada, bob)), Heard((), {}))
    asks = f"ASK {{{{ <{{0}}> <{DBO}budget> ?a . <{{1}}> <{DBO}budget> ?b FILTER(?a {{2}} ?b) }}}}"
    other = {"<": ">", ">": "<"}[sign]
    assert cost(asks.format(ada.iri, bob.iri, sign)) < cost(asks.format(ada.iri, bob.iri, other))
    assert cost(asks.format(bob.iri, ada.iri, other)) < cost(asks.format(bob.iri, ada.iri, sign))
    assert cost(asks.format("http://x.org/c", bob.iri, sign)) == cost(
        asks.format("http://x.org/c", bob.iri, other)
    )


def test_nonsense_is_counted() -> None:
    def count(text: str) -> int:
        return nonsense(sparql.parse(text), text, FRAGMENT)

    assert count(TWO) == 0
    assert count(f"SELECT ?a WHERE {{ ?a <{DBO}director> ?b }} ORDER BY DESC(?b) LIMIT 1") == 1
    assert count(f"SELECT ?a WHERE {{ ?a <{DBO}director> ?b FILTER(?b > 3) }}") == 1
    assert count(f"SELECT (COUNT(DISTINCT ?a) AS ?n) WHERE {{ <{FILM.iri}> <{DBO}budget> ?a }}") == 1
    assert count(f"SELECT (COUNT(DISTINCT ?a) AS ?n) WHERE {{ ?a <{DBO}budget> ?b }}") == 0
    assert count(f"ASK {{ <{FILM.iri}> <{DBO}budget> <{FILM.iri}> }}") == 1
    assert count(f'ASK {{ <{FILM.iri}> <{DBO}director> "Hitchcock" }}') == 1
    assert count(f"ASK {{ <{FILM.iri}> <{DBO}budget> 5 }}") == 0
    assert count(f"SELECT ?a WHERE {{ ?a <{DBO}director> ?b . ?a <{DBO}director> ?b }}") == 1


def test_content_words_leave_out_names_and_small_words() -> None:
    assert content_words(QUESTION, FRAGMENT) == ("director", "born")


def test_words_are_heard_by_stem_or_by_score_and_unlinked_names_never() -> None:
    question = "Which directors did Quillfeather pay?"
    fragment = Fragment(question, FRAGMENT.terms[:1])
    words = content_words(question, fragment)
    assert words == ("directors", "quillfeather", "pay")
    table = [{DBO + "director": s} for s in (0.0, 0.9, 0.35)]
    got = heard(words, table, [0.5, 0.9, 0.35], question, fragment)
    by_stem, name, paid = got.by_term[DBO + "director"]
    assert by_stem == 1.0 and name == 0.0 and 0.4 < paid < 0.6
    # The same score says less where another term of the index fits far better.
    worse = heard(words, table, [0.5, 0.9, 0.9], question, fragment)
    assert worse.by_term[DBO + "director"][2] == 0.0
    assert got.unheard(frozenset()) == list(words)


def judged(query: str, result: ResultSet | None, score: float = -0.05) -> tuple[float, tuple[str, ...]]:
    entry = TriedCandidate(candidate(query, score), (), 1)
    return judge(QUESTION, FRAGMENT, WORDS, sparql.parse(query), entry, [entry], result)


PLACE = ResultSet("select", ("a",), ((Value("uri", "http://example.org/london"),),))


def test_confidence_falls_with_each_reason_to_doubt() -> None:
    sure, doubts = judged(TWO, PLACE)
    assert sure > 0.9 and doubts == ()
    deaf, said = judged(ONE, PLACE)
    assert deaf < sure and "'born'" in said[0]
    nameless, said = judged(DEAF, PLACE)
    assert nameless < deaf and any("'Psycho'" in s for s in said)
    empty, said = judged(TWO, ResultSet("select", ("a",), ()))
    assert empty < sure - 0.3 and "nothing was found" in said
    dated = ResultSet("select", ("a",), ((Value("literal", "1899-08-13"),),))
    other, said = judged(TWO, dated)
    assert other < sure and any("another kind" in s for s in said)
    assert judged(TWO, PLACE, score=-3.0)[0] < sure


def test_another_unit_is_a_reason_to_doubt() -> None:
    def confidence(question: str) -> tuple[float, tuple[str, ...]]:
        fragment = Fragment(question, FRAGMENT.terms)
        entry = TriedCandidate(candidate(TWO, -0.05), (), 1)
        return judge(question, fragment, Heard((), {}), sparql.parse(TWO), entry, [entry], PLACE)

    assert confidence("rivers of more than 4000 km")[0] < 0.5 < confidence("rivers of more than 4000 m")[0]
    assert "another unit" in confidence("rivers of more than 4000 km")[1][0]


def test_nothing_is_no_rows_no_values_or_a_lone_zero() -> None:
    zero = Value("literal", "0", "http://www.w3.org/2001/XMLSchema#integer")
    assert nothing(ResultSet("select", ("a",), ()))
    assert nothing(ResultSet("select", ("a",), ((None,),)))
    assert nothing(ResultSet("select", ("a",), ((zero,),)))
    assert not nothing(ResultSet("select", ("a", "b"), ((zero, zero),)))
    assert not nothing(ResultSet("ask", (), (), False))
    assert not nothing(PLACE)


def test_a_statement_names_the_property_that_it_is_about() -> None:
    """Wikidata's statement and qualifier forms are heard as their property, as its direct form is."""
    from ontoprompt.alignment import Heard
    from ontoprompt.entities import EntityLink
    from ontoprompt.fragment import Fragment, ScoredTerm
    from ontoprompt.ontology import Term

    direct = "http://www.wikidata.org/prop/direct/"
    position, start = direct + "P39", direct + "P580"
    question = "When and what position did Gregory VII hold?"
    fragment = Fragment(
        question,
        (
            ScoredTerm(Term(position, "object_property", "position held"), 1.0),
            ScoredTerm(Term(start, "property", "start time"), 1.0),
        ),
        (EntityLink("http://www.wikidata.org/entity/Q133063", "Gregory VII", "Gregory VII", 27, 38, 1.0),),
    )
    heard = Heard(("when", "position"), {position: (0.0, 1.0), start: (1.0, 0.0)})
    cost = Cost(question, fragment, heard)
    statement = "SELECT ?a ?b { wd:Q133063 p:P39 ?c . ?c ps:P39 ?b . ?c pq:P580 ?a }"
    assert cost(statement) == cost("SELECT ?a ?b { wd:Q133063 wdt:P39 ?b ; wdt:P580 ?a }")
    assert cost("SELECT ?b { wd:Q133063 p:P39 ?c . ?c ps:P39 ?b }") > cost(statement)


# --- what the graph has the other way


def founded() -> Prompt:
    question = "Who founded Microsoft before Apple?"
    terms = tuple(
        ScoredTerm(Term(DBO + name, "object_property", label), score)
        for name, label, score in (("foundedBy", "founded by", 1.0), ("product", "product", 0.5))
    )
    entities = (
        EntityLink(DBR + "Microsoft", "Microsoft", "Microsoft", 12, 21, 1.0),
        EntityLink(DBR + "Apple", "Apple", "Apple", 29, 34, 1.0),
    )
    return build_prompt(Fragment(question, terms, entities), "nsql-symbols")


LEAVING = Surroundings(frozenset({DBO + "foundedBy"}), frozenset({DBO + "product"}))


def turned(text: str, around: Surroundings = LEAVING) -> list[str]:
    prompt = founded()
    candidate = Candidate(text, prompt.expand(text), -1.0)
    return [c.text for c in with_turned([candidate], prompt, lambda iri: around)]


def test_a_pattern_that_the_graph_has_the_other_way_is_turned_and_both_are_tried() -> None:
    assert {s.text: s.iri for s in founded().surfaces}["p1"] == DBO + "foundedBy"
    asked = "SELECT ?a WHERE { ?a p1 e1 }"
    assert turned(asked) == [asked, "SELECT ?a WHERE { e1 p1 ?a }"]
    asked = "SELECT ?a WHERE { e1 p2 ?a . ?a p1 ?b . ?b p1 e2 }"
    assert turned(asked) == [asked, "SELECT ?a WHERE { ?a p2 e1 . ?a p1 ?b . e2 p1 ?b }"]


def test_what_the_graph_has_or_does_not_know_or_has_neither_way_stays() -> None:
    assert turned("SELECT ?a WHERE { e1 p1 ?a }") == ["SELECT ?a WHERE { e1 p1 ?a }"]
    wrong = "SELECT ?a WHERE { ?a p1 e1 }"
    assert turned(wrong, Surroundings(None, None)) == [wrong]
    assert turned(wrong, Surroundings(frozenset({DBO + "foundedBy"}), None)) == [wrong]
    assert turned(wrong, Surroundings(frozenset(), frozenset())) == [wrong]
    # Of two entities one speaks for it and one against.
    between = "ASK WHERE { e1 p2 e2 }"
    assert turned(between) == [between]


def test_a_turned_query_costs_what_evidence_costs_and_is_no_candidate_twice() -> None:
    prompt = founded()
    texts = ("SELECT ?a WHERE { ?a p1 e1 }", "SELECT ?a WHERE { e1 p1 ?a }")
    both = [Candidate(text, prompt.expand(text), -1.0) for text in texts]
    assert with_turned(both, prompt, lambda iri: LEAVING) == tuple(both)
    _, other = with_turned(both[:1], prompt, lambda iri: LEAVING)
    assert other.score == -1.0 - PENALTY
    assert other.sparql == both[1].sparql


def test_a_name_within_the_name_of_a_term_in_use_is_not_left_out() -> None:
    question = "What is the Uppslagsverket Finland ID for kickboxing?"
    finland = EntityLink("http://example.org/finland", "Finland", "Finland", 27, 34, 0.9)
    sport = EntityLink("http://example.org/kickboxing", "kickboxing", "kickboxing", 42, 52, 0.9)
    term = Term("http://example.org/id", "datatype_property", "Uppslagsverket Finland ID")
    other = Term("http://example.org/other", "datatype_property", "Finland")
    fragment = Fragment(question, (ScoredTerm(term, 0.9), ScoredTerm(other, 0.9)), (finland, sport))
    cost = Cost(question, fragment, Heard((), {}))
    held, not_held = (cost(f"SELECT ?a WHERE {{ <{sport.iri}> <{t.iri}> ?a }}") for t in (term, other))
    assert not_held - held == pytest.approx(4.0)
    assert not leaves_out(f"SELECT ?a WHERE {{ <{sport.iri}> <{term.iri}> ?a }}", fragment)
    assert leaves_out(f"SELECT ?a WHERE {{ <{sport.iri}> <{other.iri}> ?a }}", fragment)


@pytest.mark.parametrize(
    ("question", "asked"),
    [("Which films of 1994 are there?", False), ("Which films are later than 1994?", True)],
)
def test_nobody_compares_with_a_bound_who_states_a_number(question: str, asked: bool) -> None:
    pattern = f"?a <{DBO}released> ?b FILTER(?b {{}} 1994)"
    query = f"SELECT ?a WHERE {{{{ {pattern} }}}}"
    cost = Cost(question, Fragment(question), Heard((), {}))
    above, equal = cost(query.format(">=")), cost(query.format("="))
    assert above == pytest.approx(equal + (0.0 if asked else 3.0))


def test_a_number_left_out_is_a_doubt() -> None:
    question = "Which films of 1994 did Psycho inspire?"
    fragment = replace(FRAGMENT, question=question, literals=find_literals(question))
    result = ResultSet("select", ("a",), ((Value("uri", "http://example.org/x"),),))

    def judged(text: str) -> tuple[float, tuple[str, ...]]:
        query = sparql.parse(text)
        chosen = TriedCandidate(candidate(text, -0.1), (), 1)
        return judge(question, fragment, WORDS, query, chosen, (chosen,), result)

    out, told = judged(ONE)
    said, _ = judged(f"SELECT ?a WHERE {{ <{FILM.iri}> <{DBO}director> ?a FILTER(?a = 1994) }}")
    assert out < said and "the query leaves out '1994'" in told


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("What is the ticket price of Emma minus its staff size?", "ticketPrice"),
        ("By how much does the ticket price of Emma exceed its staff size?", "ticketPrice"),
        ("Subtract the staff size of Emma from its ticket price", "ticketPrice"),
        ("By how much is the staff size of Emma less than its ticket price?", "ticketPrice"),
        ("Subtract the ticket price of Emma from its staff size", "staffSize"),
    ],
)
def test_what_is_taken_away_is_not_what_it_is_taken_from(question: str, first: str) -> None:
    terms = tuple(
        ScoredTerm(Term(DBO + name, "datatype_property", label), 0.9)
        for name, label in (("ticketPrice", "ticket price"), ("staffSize", "staff size"))
    )
    cost = Cost(question, Fragment(question, terms), Heard((), {}))
    query = (
        "SELECT ?n WHERE {{ <urn:e> <{0}ticketPrice> ?a . <urn:e> <{0}staffSize> ?b . BIND ( {1} AS ?n ) }}"
    )
    along, against = (cost(query.format(DBO, way)) for way in ("?a - ?b", "?b - ?a"))
    if first == "staffSize":
        along, against = against, along
    assert against - along == 3.0
