"""What the grammar admits, what it refuses, and that nothing it admits outgrows its budget."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from random import Random
from typing import Any

import llguidance
import pytest
from tokenizers import Tokenizer

from bench import grammar_fuzz
from ontoprompt import sparql
from ontoprompt.generation import LoadOptions
from ontoprompt.grammar import Form, Vocabulary, WrittenGrammar, build_grammar
from ontoprompt.ontology import Term
from ontoprompt.pairs import Labels, Pair, prepare, to_prompt, to_target
from ontoprompt.settings import default_model_dir

SMALL = Vocabulary(
    classes=["c1", "c2"],
    properties=["p1", "p2", "p3", "p: p1", "ps: p1", "pq: p2"],
    entities=["e1", "e2"],
    literals=["l1", "l2"],
    strings=["s1", "s2"],
    counts=["l2"],
)
BUDGET = LoadOptions().max_new_tokens


def symbols(letter: str, count: int) -> list[str]:
    return [f"{letter}{i}" for i in range(1, count + 1)]


# As much as the symbols of a prompt can say, statements and all.
FULL = Vocabulary(
    classes=symbols("c", 16),
    properties=[*symbols("p", 32), *(f"{role}: p{i}" for i in range(1, 33) for role in ("p", "ps", "pq"))],
    entities=symbols("e", 16),
    literals=symbols("l", 8),
    strings=symbols("s", 8),
    counts=symbols("l", 8),
)


@cache
def tokenizer() -> Any:
    return Tokenizer.from_file(str(default_model_dir() / "tokenizer.json"))


def encode(text: str) -> list[int]:
    return tokenizer().encode(text).ids


@cache
def matcher_tokenizer() -> Any:
    return llguidance.LLTokenizer(
        tokenizer().to_str(), n_vocab=tokenizer().get_vocab_size(), eos_token=encode("<|endoftext|>")[0]
    )


def compiled(written: WrittenGrammar) -> Any:
    matcher = llguidance.LLMatcher(matcher_tokenizer(), llguidance.LLMatcher.grammar_from_lark(written.text))
    assert not matcher.is_error(), matcher.get_error()
    return matcher


@cache
def small() -> Any:
    return compiled(build_grammar(SMALL).write(encode, BUDGET))


def takes(matcher: Any, ids: Sequence[int]) -> bool:
    """Whether these tokens, all of them, are a query of the grammar."""
    matcher = matcher.deep_copy()
    return bool(
        matcher.validate_tokens(list(ids)) == len(ids)
        and matcher.consume_tokens(list(ids))
        and matcher.is_accepting()
    )


ADMITTED = [
    "ASK WHERE { e1 p1 e2 }",
    "ASK WHERE { e1 a c1 }",
    "SELECT ?a WHERE { e1 p1 ?a }",
    "SELECT DISTINCT ?a WHERE { ?a a c1 . ?a p1 e1 }",
    "SELECT ?a ?b WHERE { ?a p1 ?b }",
    "SELECT * WHERE { ?a p1 ?b }",
    "SELECT ?a WHERE { ?a rdfs:label s1 }",
    "SELECT ?a WHERE { ?a p1 l1 . ?a p2 1 }",
    "SELECT ?a WHERE { ?a a c1 . ?a p1 ?b . ?b p2 ?c . ?c p3 ?d . ?d p1 ?e . ?e p2 ?f . ?f p3 ?g . ?g p1 e1 }",
    # filters
    *(f"SELECT ?a WHERE {{ ?a p1 ?b . FILTER ( ?b {op} l1 ) }}" for op in ("=", "!=", "<", ">", "<=", ">=")),
    "SELECT ?a WHERE { ?a p1 ?b . FILTER ( YEAR ( ?b ) = l1 ) }",
    "SELECT ?a WHERE { ?a p1 ?b . ?a p2 ?c . FILTER ( ?b > ?c ) }",
    "SELECT ?a WHERE { ?a p1 ?b . FILTER ( ?b != e1 ) }",
    "SELECT ?a WHERE { ?a p1 ?b . FILTER ( ?b > l1 && ?b < l2 ) }",
    "SELECT ?a WHERE { ?a p1 ?b . FILTER ( ?b < l1 || ?b > l2 ) }",
    "SELECT ?a WHERE { ?a p1 ?b . FILTER ( CONTAINS ( ?b , s1 ) ) }",
    'SELECT ?a WHERE { ?a rdfs:label ?b . FILTER ( CONTAINS ( LCASE ( STR ( ?b ) ) , s1 ) ) . FILTER ( LANG ( ?b ) = "en" ) }'.replace(
        ") ) . FILTER", ") ) FILTER"
    ),
    "SELECT ?a WHERE { ?a rdfs:label ?b . FILTER ( STRSTARTS ( LCASE ( ?b ) , s1 ) ) }",
    "SELECT ?a WHERE { ?a rdfs:label ?b . FILTER ( REGEX ( ?b , s1 ) ) }",
    'SELECT ?a WHERE { ?a rdfs:label ?b . FILTER ( REGEX ( STR ( ?b ) , s1 , "i" ) ) }',
    "SELECT ?a WHERE { ?a p1 ?b . FILTER ( ?b NOT IN ( e1 , e2 ) ) }",
    "SELECT ?a WHERE { ?a a c1 . OPTIONAL { ?a p1 ?b } FILTER ( ! BOUND ( ?b ) ) }",
    # groups
    "SELECT ?a WHERE { ?a a c1 . OPTIONAL { ?a p1 ?b . ?b p2 ?c } }",
    "SELECT ?a WHERE { { ?a p1 e1 } UNION { ?a p2 e1 } }",
    "SELECT ?a WHERE { ?a a c1 . { ?a p1 e1 } UNION { ?a p2 e1 . ?a p3 e2 } UNION { e1 p1 ?a } ?a p3 ?b }",
    "SELECT ?a WHERE { ?a a c1 . MINUS { ?a p1 e1 } }",
    "SELECT ?a WHERE { ?a a c1 . FILTER NOT EXISTS { ?a p1 ?b . FILTER ( ?b > l1 ) } }",
    "SELECT ?a WHERE { ?a a c1 . FILTER EXISTS { ?a p1 e1 } }",
    "SELECT ?a WHERE { ?a p1 ?b . VALUES ?b { e1 e2 } }",
    "SELECT ?a WHERE { VALUES ?b { e1 e2 } ?a p1 ?b }",
    "SELECT ?m WHERE { ?a p1 ?b . ?a p2 ?c . BIND ( ?b - ?c AS ?m ) }",
    "SELECT ?a WHERE { ?a p1 ?b . BIND ( YEAR ( ?b ) AS ?n ) FILTER ( ?n > l1 ) }",
    # paths
    "SELECT ?a WHERE { ?a p1 / p2 e1 }",
    "SELECT ?a WHERE { ?a p1 / p2 / p3 e1 }",
    "SELECT ?a WHERE { ?a ^ p1 e1 }",
    "SELECT ?a WHERE { ?a p1 | p2 e1 }",
    "SELECT ?a WHERE { ?a p1* e1 }",
    "SELECT ?a WHERE { ?a p1 / p2+ e1 }",
    "SELECT ?a WHERE { e1 p: p1 ?b . ?b ps: p1 ?a . ?b pq: p2 e2 }",
    # aggregates, order, limits
    "SELECT ( COUNT ( DISTINCT ?a ) AS ?n ) WHERE { ?a p1 e1 }",
    "SELECT ( COUNT ( * ) AS ?n ) WHERE { ?a p1 e1 }",
    *(f"SELECT ( {f} ( ?b ) AS ?n ) WHERE {{ ?a p1 ?b }}" for f in ("SUM", "AVG", "MIN", "MAX")),
    "SELECT ?a ( COUNT ( ?b ) AS ?n ) WHERE { ?b p1 ?a } GROUP BY ?a ORDER BY DESC ( ?n ) LIMIT 1",
    "SELECT ?a WHERE { ?b p1 ?a } GROUP BY ?a HAVING ( COUNT ( ?b ) > l1 ) ORDER BY ASC ( COUNT ( ?b ) )",
    "SELECT ?a WHERE { ?a p1 ?b } ORDER BY ?b",
    "SELECT ?a WHERE { ?a p1 ?b } ORDER BY DESC ( ?b ) LIMIT 1 OFFSET 1",
    "SELECT ?a WHERE { ?a p1 ?b } LIMIT l2",
]

REFUSED = {
    "service": "SELECT ?a WHERE { SERVICE e1 { ?a p1 ?b } }",
    "service in optional": "SELECT ?a WHERE { ?a a c1 . OPTIONAL { SERVICE e1 { ?a p1 ?b } } }",
    "insert": "INSERT DATA { e1 p1 e2 }",
    "delete": "DELETE WHERE { ?a p1 ?b }",
    "drop after a query": "SELECT ?a WHERE { ?a p1 ?b } ; DROP ALL",
    "two queries": "ASK WHERE { e1 p1 e2 } ASK WHERE { e1 p1 e2 }",
    "load": "LOAD e1",
    "construct": "CONSTRUCT { ?a p1 ?b } WHERE { ?a p1 ?b }",
    "describe": "DESCRIBE e1",
    "from": "SELECT ?a FROM e1 WHERE { ?a p1 ?b }",
    "graph": "SELECT ?a WHERE { GRAPH e1 { ?a p1 ?b } }",
    "subselect": "SELECT ?a WHERE { { SELECT ?a WHERE { ?a p1 ?b } } }",
    "unknown class": "SELECT ?a WHERE { ?a a c3 }",
    "unknown property": "SELECT ?a WHERE { ?a p4 ?b }",
    "unknown entity": "SELECT ?a WHERE { ?a p1 e3 }",
    "unknown literal": "SELECT ?a WHERE { ?a p1 l3 }",
    "unknown statement": "SELECT ?a WHERE { ?a ps: p2 ?b }",
    "unknown variable": "SELECT ?z WHERE { ?z p1 e1 }",
    "entity as property": "SELECT ?a WHERE { ?a e1 ?b }",
    "class as property": "SELECT ?a WHERE { ?a c1 ?b }",
    "variable as property": "SELECT ?a WHERE { ?a ?b ?c }",
    "full IRI": "SELECT ?a WHERE { ?a <http://dbpedia.org/ontology/capital> ?b }",
    "prefixed name": "SELECT ?a WHERE { ?a dbo:capital ?b }",
    "prefix": "PREFIX x: <http://x.org/> SELECT ?a WHERE { ?a p1 ?b }",
    "string of its own": 'SELECT ?a WHERE { ?a p1 "x" }',
    "number of its own": "SELECT ?a WHERE { ?a p1 77 }",
    "escaped keyword": r"\u0053ELECT ?a WHERE { ?a p1 ?b }",
    "escaped brace": r"SELECT ?a WHERE { ?a p1 ?b \u007D",
    "comment": "SELECT ?a WHERE { ?a p1 ?b } # nothing",
    "comment inside": "SELECT ?a WHERE { # }\n ?a p1 ?b }",
    "function by IRI": "SELECT ?a WHERE { ?a p1 ?b . FILTER ( <bif:x> ( ?b ) ) }",
    "a variable twice": "SELECT ?a ?a WHERE { ?a p1 ?b }",
    "ungrouped variable": "SELECT ?a ( COUNT ( ?b ) AS ?n ) WHERE { ?a p1 ?b }",
    "grouped by another": "SELECT ?a ( COUNT ( ?b ) AS ?n ) WHERE { ?a p1 ?b } GROUP BY ?c",
    "aggregate without a group": "SELECT ?a WHERE { ?a p1 ?b } ORDER BY DESC ( COUNT ( ?b ) )",
    "bound again": "SELECT ?a WHERE { ?a p1 ?b . BIND ( YEAR ( ?b ) AS ?a ) }",
    "bound beside an aggregate": "SELECT ( COUNT ( ?a ) AS ?n ) WHERE { ?a p1 ?b . BIND ( YEAR ( ?b ) AS ?n ) }",
    "pattern after a bind": "SELECT ?a WHERE { ?a p1 ?b . BIND ( YEAR ( ?b ) AS ?n ) ?a p2 ?c }",
    "count of a pair": "SELECT ( COUNT ( ?a ?b ) AS ?n ) WHERE { ?a p1 ?b }",
    "limit of minus one": "SELECT ?a WHERE { ?a p1 ?b } LIMIT -1",
    "limit by a literal that is no count": "SELECT ?a WHERE { ?a p1 ?b } LIMIT l1",
    "nothing": "",
    "no pattern": "SELECT ?a WHERE { }",
    "no end": "SELECT ?a WHERE { ?a p1 ?b",
    "lower case": "select ?a where { ?a p1 ?b }",
}


@pytest.mark.parametrize("query", ADMITTED)
def test_what_is_admitted(query: str) -> None:
    assert takes(small(), encode(" " + query))
    meanings = {"p:": "<http://x.org/p>", "ps:": "<http://x.org/ps>", "pq:": "<http://x.org/pq>"}
    plain = re.sub(r"\b(p|ps|pq): (p\d)", lambda m: meanings[f"{m[1]}:"], query)
    plain = re.sub(r"(?<![?\w])[cpe]\d", lambda m: f"<http://x.org/{m[0]}>", plain)
    plain = re.sub(r"(?<![?\w])l\d", "7", re.sub(r"(?<![?\w])s\d", '"x"', plain))
    sparql.check_read_only(sparql.parse(plain))


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    query = REFUSED[name]
    assert not takes(small(), encode(" " + query))
    assert not takes(small(), encode(query))
    # Nor letter by letter, which a tokenizer of bytes can always write.
    assert not takes(small(), [i for letter in " " + query for i in encode(letter)])


@pytest.mark.parametrize(("form", "other"), [("ask", "SELECT ?a"), ("select", "ASK")])
def test_one_form_of_query_may_be_all_there_is(form: Form, other: str) -> None:
    own = "ASK" if form == "ask" else "SELECT ?a"
    matcher = compiled(build_grammar(SMALL, form).write(encode, BUDGET))
    assert takes(matcher, encode(f" {own} WHERE {{ ?a p1 e1 }}"))
    assert not takes(matcher, encode(f" {other} WHERE {{ ?a p1 e1 }}"))


def test_a_word_has_one_spelling() -> None:
    query = " SELECT ?a WHERE { ?a p1 e1 }"
    letters = [i for letter in query for i in encode(letter)]
    assert takes(small(), encode(query))
    assert tokenizer().decode(letters) == query
    assert not takes(small(), letters)


def test_more_patterns_than_the_budget_has_room_for_are_refused() -> None:
    written = build_grammar(SMALL).write(encode, BUDGET)
    long = " . ".join(["?a p1 ?b"] * written.units)
    assert takes(small(), encode(f" SELECT ?a WHERE {{ {long} }}"))
    assert not takes(small(), encode(f" SELECT ?a WHERE {{ {long} . ?a p1 ?b }}"))


# --- how long a query can be -----------------------------------------------------------------------------


def longest(text: str) -> int:
    """Tokens of the longest derivation of a grammar, read back from its text; the end token not included."""
    bodies = dict(line.split(": ", 1) for line in text.strip().splitlines())
    known: dict[str, int] = {}

    def of(name: str) -> int:
        if name not in known:
            known[name] = -1  # a rule that calls itself would find this
            pieces = re.findall(r"<\[\d+\]>|\w+|[()|?]", bodies[name])
            known[name] = alternatives(pieces)
            assert not pieces
        assert known[name] >= 0, f"{name} calls itself"
        return known[name]

    def alternatives(pieces: list[str]) -> int:
        best = total = 0
        while pieces and pieces[0] != ")":
            piece = pieces.pop(0)
            if piece == "|":
                best, total = max(best, total), 0
            elif piece == "(":
                total += alternatives(pieces)
                assert pieces.pop(0) == ")"
            elif piece != "?":
                total += 1 if piece.startswith("<") else of(piece)
        return max(best, total)

    return of("start")


def letter_by_letter(text: str) -> list[int]:
    return [ord(letter) for letter in text]


NAMES = Vocabulary(
    classes=["dbo:Country"],
    properties=["dbo:populationTotal", "<http://example.org/a/rather/long/name/of/a/property>"],
    entities=["<http://dbpedia.org/resource/Georgia_(country)>"],
    literals=['"1990-01-01"^^<http://www.w3.org/2001/XMLSchema#date>'],
    strings=['"' + "long " * 16 + '"'],
)


@pytest.mark.parametrize(
    ("vocabulary", "encoder", "budget"),
    [
        (SMALL, encode, BUDGET),
        (FULL, encode, BUDGET),
        (Vocabulary(), encode, BUDGET),
        (SMALL, encode, 100),
        (NAMES, encode, 700),
        (NAMES, encode, 1200),
        (NAMES, letter_by_letter, 3000),
        (NAMES, letter_by_letter, 5000),
    ],
)
def test_every_derivation_ends_within_the_budget(
    vocabulary: Vocabulary, encoder: Callable[[str], Sequence[int]], budget: int
) -> None:
    written = build_grammar(vocabulary).write(encoder, budget)
    assert longest(written.text) + 1 <= written.longest <= budget
    # Not by saying next to nothing.
    assert longest(written.text) > 0.6 * budget or written.units >= 12


def test_the_shipped_generator_has_room_for_every_kind_of_group() -> None:
    """Of all symbols that a prompt can hold, with what stands around the patterns at its longest."""
    assert build_grammar(FULL).write(encode, BUDGET).units >= 12


def test_a_budget_too_small_is_told() -> None:
    written = build_grammar(NAMES).write(letter_by_letter, 192, least=6)
    assert written.units == 6
    assert longest(written.text) + 1 <= written.longest
    assert written.longest > 192


# --- fragments of any kind -------------------------------------------------------------------------------


@pytest.mark.parametrize("kinds", list(product((False, True), repeat=5)))
def test_every_mixture_of_kinds_makes_a_grammar(kinds: tuple[bool, ...]) -> None:
    names = ("classes", "properties", "entities", "literals", "strings")
    there = {name: getattr(SMALL, name) for name, wanted in zip(names, kinds, strict=True) if wanted}
    matcher = compiled(build_grammar(Vocabulary(**there)).write(encode, BUDGET))
    assert takes(matcher, encode(" SELECT ?a WHERE { ?a a ?b }"))
    for name, query in (
        ("classes", "ASK WHERE { ?a a c1 }"),
        ("properties", "ASK WHERE { ?a p1 ?b }"),
        ("entities", "ASK WHERE { e1 a ?b }"),
        ("literals", "ASK WHERE { ?a a ?b . FILTER ( ?a = l1 ) }"),
        ("strings", "ASK WHERE { ?a rdfs:label s1 }"),
    ):
        assert takes(matcher, encode(" " + query)) == (name in there)


@pytest.mark.parametrize(
    "surface",
    [
        '"say \\"hi\\""',
        '"a \\\\ b"',
        '"} ; DROP ALL # "',
        '"<|endoftext|>"',
        '"日本 ]> | ("',
        '"a  b"',
        '"x" | start',
    ],
)
def test_a_surface_is_taken_as_it_stands_and_whole(surface: str) -> None:
    plain = Tokenizer.from_file(str(default_model_dir() / "tokenizer.json"))
    plain.encode_special_tokens = True
    written = build_grammar(Vocabulary(properties=["p1"], strings=[surface])).write(
        lambda text: plain.encode(text).ids, 400
    )
    matcher = compiled(written)
    ids = plain.encode(f" ASK WHERE {{ ?a p1 {surface} }}").ids
    assert takes(matcher, ids)
    assert plain.decode(ids) == f" ASK WHERE {{ ?a p1 {surface} }}"
    assert not takes(matcher, plain.encode(f" ASK WHERE {{ ?a p1 {surface[:-1]} }}").ids)


# --- what a generator is trained to write ----------------------------------------------------------------

DBO, DBR, WDT = (
    "http://dbpedia.org/ontology/",
    "http://dbpedia.org/resource/",
    "http://www.wikidata.org/prop/direct/",
)
TERMS = [
    Term(DBO + "Country", "class", "country"),
    Term(DBO + "capital", "object_property", "capital"),
    Term(DBO + "populationTotal", "datatype_property", "population total"),
    Term(DBO + "part", "object_property", "part"),
    Term(WDT + "P39", "property", "position held"),
    Term(WDT + "P580", "property", "start time"),
]
PAIRS = {
    "What is the capital of France?": "SELECT DISTINCT ?uri WHERE { dbr:France dbo:capital ?uri . }",
    "Is Paris the capital of France?": "ASK WHERE { dbr:France dbo:capital dbr:Paris }",
    "How many countries are there?": "SELECT (COUNT(DISTINCT ?c) AS ?count) WHERE { ?c a dbo:Country }",
    "Which country has the most people?": "SELECT ?c WHERE { ?c a dbo:Country ; dbo:populationTotal ?p } ORDER BY DESC(?p) LIMIT 1 OFFSET 0",
    "Countries with over 1000000 people": "SELECT ?c WHERE { ?c dbo:populationTotal ?p . FILTER(?p > 1000000) ?c a dbo:Country }",
    "Capitals or parts of France": "SELECT ?x WHERE { { dbr:France dbo:capital ?x } UNION { dbr:France dbo:part ?x } ?x a ?t }",
    "All parts of France": "SELECT ?x WHERE { dbr:France dbo:part+ ?x }",
    "Which is a part of a part of France?": "SELECT ?x WHERE { ?x dbo:part/dbo:part* dbr:France }",
    "Which capital is named most?": "SELECT ?x (COUNT(?c) AS ?n) WHERE { ?c dbo:capital ?x } GROUP BY ?x HAVING(?n > 1) ORDER BY DESC(?n) LIMIT 1",
    "Who held a position since 1990?": "SELECT ?s WHERE { ?x p:P39 ?s . ?s ps:P39 ?y . ?s pq:P580 ?t . FILTER(YEAR(?t) >= 1990) }",
    "Countries named with 'land'": "SELECT ?c WHERE { ?c a dbo:Country . ?c rdfs:label ?l . FILTER(CONTAINS(LCASE(?l), 'land')) . FILTER(LANG(?l) = 'en') } LIMIT 25",
    "Countries without a capital": "SELECT ?c WHERE { ?c a dbo:Country . FILTER NOT EXISTS { ?c dbo:capital ?x } }",
}


@pytest.mark.parametrize("question", PAIRS)
def test_targets_of_training_are_admitted(question: str) -> None:
    labels = Labels([])
    labels.terms.update({t.iri: t for t in TERMS})
    prepared = prepare(Pair(question, PAIRS[question]), labels)
    prompt = to_prompt(prepared, "nsql-symbols", rng=Random(0))
    vocabulary = Vocabulary(
        prompt.of("class"),
        prompt.of("property", "statement"),
        prompt.of("entity"),
        prompt.of("literal"),
        prompt.of("string"),
    )
    matcher = compiled(build_grammar(vocabulary).write(encode, BUDGET))
    target = to_target(prepared, prompt)
    assert takes(matcher, encode(" " + target)), target


def test_a_model_that_knows_nothing_still_writes_good_queries() -> None:
    result = grammar_fuzz.run(300, seed=1, batch=5)
    assert result["n"] == 300
    assert result["parse"] == result["read_only"] == result["within_budget"] == 1.0
    assert result["accepted_by_oxigraph"] == 1.0
    assert result["outside"] == 0
