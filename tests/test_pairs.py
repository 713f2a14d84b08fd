"""Pairs of question and query: reading them, their links, and the way from prompt to target and back."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from ontoprompt import sparql
from ontoprompt.errors import SourceError
from ontoprompt.ontology import Ontology, Term
from ontoprompt.pairs import (
    Labels,
    Pair,
    SkippedPairError,
    find_mention,
    prepare,
    read_pairs,
    to_prompt,
    to_target,
)
from ontoprompt.training import prepare_all

DBO, DBR, WD = "http://dbpedia.org/ontology/", "http://dbpedia.org/resource/", "http://www.wikidata.org/"
TERMS = (
    Term(DBO + "Film", "class", "film"),
    Term(DBO + "director", "object_property", "director", domain=(DBO + "Film",)),
    Term(DBO + "birthPlace", "object_property", "birth place"),
    Term(DBO + "budget", "datatype_property", "budget"),
    Term(DBO + "releaseDate", "datatype_property", "release date"),
    Term(WD + "prop/direct/P39", "property", "position held"),
    Term(WD + "prop/direct/P580", "property", "start time"),
)
LABELS = Labels([Ontology(TERMS, (), {})], {WD + "entity/Q42": "Douglas Adams"})
D = "dbr:Stanley_Kubrick"
QUERIES = {
    "Who directed The Shining?": "SELECT ?x WHERE { dbr:The_Shining dbo:director ?x }",
    "Films by Stanley Kubrick": f"SELECT DISTINCT ?x WHERE {{ ?x a dbo:Film ; dbo:director {D} }}",
    "Where was the director of The Shining born?": "SELECT ?y { dbr:The_Shining dbo:director ?x . ?x dbo:birthPlace ?y }",
    "How many films did Stanley Kubrick direct?": f"SELECT (COUNT(DISTINCT ?x) AS ?c) {{ ?x dbo:director {D} }}",
    "Did Stanley Kubrick direct The Shining?": f"ASK {{ dbr:The_Shining dbo:director {D} }}",
    "The film with the largest budget": "SELECT ?x { ?x a dbo:Film ; dbo:budget ?b } ORDER BY DESC(?b) LIMIT 1",
    "Films with a budget over 500": "SELECT ?x { ?x dbo:budget ?b FILTER(?b > 500) }",
    "Films released in 1980": "SELECT ?x { ?x dbo:releaseDate ?d FILTER(YEAR(?d) = 1980) }",
    "Films whose year of release holds 1980": "SELECT ?x { ?x dbo:releaseDate ?d FILTER(CONTAINS(STR(YEAR(?d)), '1980')) }",
    "Films without a budget": "SELECT ?x { ?x a dbo:Film MINUS { ?x dbo:budget ?b } }",
    "Films and their budgets": "SELECT ?x ?b { ?x a dbo:Film OPTIONAL { ?x dbo:budget ?b } }",
    "Who made or was born in The Shining?": "SELECT ?x { { dbr:The_Shining dbo:director ?x } UNION { ?x dbo:birthPlace dbr:The_Shining } }",
    "Which director has the most films?": "SELECT ?d { ?x dbo:director ?d } GROUP BY ?d ORDER BY DESC(COUNT(?x)) LIMIT 1",
    "Since when has Douglas Adams held it?": "SELECT ?t { wd:Q42 p:P39 ?s . ?s pq:P580 ?t }",
}


@pytest.mark.parametrize("question", QUERIES)
@pytest.mark.parametrize("variant", ["nsql-symbols", "nsql"])
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_the_target_is_the_gold_query_in_the_words_of_the_prompt(
    question: str, variant: str, seed: int | None
) -> None:
    prepared = prepare(Pair(question, QUERIES[question]), LABELS)
    prompt = to_prompt(prepared, variant, rng=None if seed is None else Random(seed), distractors=TERMS[:3])
    target = to_target(prepared, prompt)
    gold = sparql.canonical(sparql.parse(QUERIES[question]))
    assert sparql.canonical(sparql.parse(prompt.expand(target))) == gold
    if variant == "nsql-symbols":
        assert "http" not in target and "dbo:" not in target


@pytest.mark.parametrize(
    ("question", "query", "reason"),
    [
        ("Who is it?", "SELECT ?x { wd:Q77 wdt:P39 ?x }", "an entity without a label"),
        (
            "Who is it?",
            "SELECT ?x { dbr:The_Shining <http://x.org/p> ?x }",
            "a property outside the vocabulary",
        ),
        (
            "Cheap films",
            "SELECT ?x { ?x dbo:budget ?b FILTER(?b < 77) }",
            "a literal that the question does not state",
        ),
    ],
)
def test_what_cannot_be_written_is_left_out_with_a_reason(question: str, query: str, reason: str) -> None:
    good = Pair("Who directed The Shining?", QUERIES["Who directed The Shining?"])
    made = prepare_all([Pair(question, query), good, Pair("Broken?", "SELECT {")], LABELS)
    assert [p.pair for p in made.pairs] == [good]
    assert made.skipped[reason] == 1
    assert made.skipped["a query that does not parse or does more than read"] == 1


def test_a_property_of_no_vocabulary_is_no_entity() -> None:
    with pytest.raises(SkippedPairError):
        prepare(Pair("Who?", "SELECT ?x { dbr:The_Shining <http://x.org/p> ?x }"), LABELS)


@pytest.mark.parametrize(
    ("question", "label", "found"),
    [
        ("Who directed The Shining?", "The Shining", "The Shining"),
        ("films of kubrick", "Stanley Kubrick", "kubrick"),
        ("Who directed it?", "The Shining", ""),
    ],
)
def test_mentions_are_found_by_likeness(question: str, label: str, found: str) -> None:
    start, end = find_mention(question, label)
    assert question[start:end] == found if found else (start, end) == (-1, -1)


def test_pairs_are_read_under_the_names_that_data_sets_use(tmp_path: Path) -> None:
    query = "SELECT ?x { ?x ?p ?y }"
    rows = [
        {"question": "Who is it then?", "sparql": query},
        {"question": "What is it then?", "query": query},
        {"question": [], "paraphrased_question": "Where is it then?", "sparql_wikidata": query},
        {"question": "n/a", "sparql": query},
        {"question": "No query here at all"},
        {"question": "Too short", "sparql": query},
    ]
    file = tmp_path / "p.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)) + "\n\n", encoding="utf-8")
    assert [p.question.split()[0] for p in read_pairs(file)] == ["Who", "What", "Where"]
    assert {p.source for p in read_pairs(file)} == {"p"}


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text('{"question": "Who is it?", "sparql": "ASK {}"}\n{oops\n', encoding="utf-8")
    with pytest.raises(SourceError, match=r"p\.jsonl, line 2, is not JSON"):
        list(read_pairs(file))
    with pytest.raises(SourceError, match="cannot be read"):
        list(read_pairs(tmp_path / "none.jsonl"))


def test_lines_that_hold_something_else_are_named_or_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    good = '{"question": "Who owns the river bank?", "sparql": "SELECT ?x { ?x ?y ?z }", "paraphrases": "none"}\n'
    file.write_text(
        good + '{"question": "Who owns the bank?", "sparql": 7}\n{"question": 7, "sparql": "ASK {}"}\n'
    )
    assert [p.question for p in read_pairs(file)] == ["Who owns the river bank?"]
    file.write_text(good + '["question"]\n')
    with pytest.raises(SourceError, match="line 2"):
        list(read_pairs(file))


def test_bad_lines_are_handed_over_where_someone_takes_them(tmp_path: Path) -> None:
    lines = [
        '{"question": "Who directed The Shining?", "query": "ASK { ?a ?b ?c }"}',
        "",
        "{",
        '"text"',
        '{"question": "Who directed The Shining?", "sparql": 5}',
        '{"question": ["Who"], "sparql": "ASK { ?a ?b ?c }"}',
    ]
    (path := tmp_path / "p.jsonl").write_text("\n".join(lines), encoding="utf-8")
    bad: list[tuple[int, str]] = []
    (pair,) = read_pairs(path, bad=lambda line, why: bad.append((line, why)))
    assert pair.line == 1
    assert bad == [
        (3, "a line that is not JSON"),
        (4, "a line that is no JSON object"),
        (5, "a line without a query"),
        (6, "a line without a question of three words"),
    ]
    with pytest.raises(SourceError, match="line 3, is not JSON"):
        list(read_pairs(path))
