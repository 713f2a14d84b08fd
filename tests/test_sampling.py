"""Examples for training: what stands in the prompt beside the right terms, and that the query still fits it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from ontoprompt.entities import EntityLink
from ontoprompt.errors import UsageError
from ontoprompt.fragment import Fragment, Hint
from ontoprompt.ontology import Ontology, Term
from ontoprompt.pairs import Labels, Pair, PreparedPair, SkippedPairError, prepare, to_prompt, to_target
from ontoprompt.sampling import Encoded, Sampler, nearest_terms, rival_entities
from ontoprompt.training import TrainConfig

DBO, WDT = "http://dbpedia.org/ontology/", "http://www.wikidata.org/prop/direct/"
NAMES = ("capital", "mayor", "river", "owner")
GOLD = tuple(Term(DBO + name, "object_property", name) for name in NAMES)
HEADED = Term(WDT + "P6", "property", "head of government")
CLASSES = (Term(DBO + "City", "class", "city"), Term(DBO + "BodyOfWater", "class", "lake"))
# Other properties of the same name: nothing in a prompt would tell them from the right ones.
TWINS = tuple(Term("http://dbpedia.org/property/" + name, "property", name) for name in NAMES)
OTHERS = tuple(
    Term(f"{DBO}other{n}", "datatype_property", f"other{n}", range=(CLASSES[1].iri,)) for n in range(30)
)
FOREIGN = tuple(Term(f"{WDT}P{n}", "property", f"foreign{n}") for n in range(100, 115))
NEAR = tuple(Term(f"{DBO}near{n}", "datatype_property", f"near{n}") for n in range(20))
POOL = (*GOLD, *TWINS, *OTHERS, *FOREIGN, *CLASSES, HEADED)
LABELS = Labels([Ontology(POOL, (), {})], {"http://www.wikidata.org/entity/Q20": "Norway"})
CONFIG = TrainConfig(max_distractors=6, unaligned=0.0, other_entities=0.0, pooled=0.0)


def pair(question: str, query: str) -> PreparedPair:
    return prepare(Pair(question, query), LABELS)


PAIRS = tuple(
    pair(f"Which {name} does the country Norway have?", f"SELECT DISTINCT ?x {{ dbr:Norway dbo:{name} ?x }}")
    for name in NAMES
)
WIKIDATA = pair("Name the head of government of Norway", f"SELECT DISTINCT ?x {{ wd:Q20 <{HEADED.iri}> ?x }}")


class Pieces:
    """A tokenizer that takes a word with the space before it for a token; 0 is left for the end."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}

    def encode(self, text: str) -> SimpleNamespace:
        words = list(re.finditer(r"\s?[^\s]+|\s", text))
        ids = [self.ids.setdefault(word.group(), len(self.ids) + 1) for word in words]
        return SimpleNamespace(ids=ids, offsets=[word.span() for word in words])

    def token_to_id(self, token: str) -> int | None:
        return self.ids.get(token.replace("\u0120", " "))

    def decode(self, ids: Sequence[int]) -> str:
        words = {number: word for word, number in self.ids.items()}
        return "".join(words[number] for number in ids)


def sampler(*pairs: PreparedPair, config: TrainConfig = CONFIG, **given: Any) -> Sampler:
    return Sampler([(1.0, pairs)], POOL, Pieces(), config, **given)


def read(drawn: Sampler, example: Encoded) -> tuple[str, str]:
    """Prompt and query of an example."""
    assert example.ids[-1] == 0 and 0 not in example.ids[:-1]
    decode = drawn.tokenizer.decode
    return decode(example.ids[: example.start]), decode(example.ids[example.start : -1])


def examples(drawn: Sampler, count: int, progress: float = 1.0, seed: int = 0) -> list[tuple[str, str]]:
    random = Random(seed)
    return [read(drawn, drawn.example(random, progress)) for _ in range(count)]


def shown(prompt: str) -> dict[str, str]:
    """Label → symbol of the properties and entities in a prompt."""
    properties = re.findall(r"^ +(p\d+) (.*) : ", prompt, re.MULTILINE)
    entities = re.findall(r"^-- (e\d+) (.*?)(?: : .*)?$", prompt.rsplit("\n-- ", 1)[0], re.MULTILINE)
    return {label: symbol for symbol, label in (*properties, *entities)}


def question_of(prompt: str) -> str:
    """The question at the end of a prompt, without the symbols beside its words."""
    return re.sub(r"\b[cpels]\d+ ", "", prompt.strip().rsplit("\n-- ", 1)[1])


def name_of(prompt: str) -> str:
    """The property that one of `PAIRS` asks for."""
    return question_of(prompt).split()[1]


def beside(prompt: str, *gold: str) -> set[str]:
    """Labels of the properties and classes shown that are not `gold`."""
    classes = re.findall(r"^CREATE TABLE c\d+ (.*) \(", prompt, re.MULTILINE)
    properties = re.findall(r"^ +p\d+ (.*) : ", prompt, re.MULTILINE)
    return {*classes, *properties} - set(gold)


# --- what an example is


def test_the_query_says_in_the_symbols_of_its_prompt_what_was_asked() -> None:
    drawn = sampler(*PAIRS)
    symbols = set()
    for prompt, query in examples(drawn, 200):
        assert prompt.endswith("?\n")
        name = name_of(prompt)
        at = shown(prompt)
        assert query == f" SELECT DISTINCT ?a WHERE {{ {at['norway']} {at[name]} ?a }}"
        symbols.add(at[name])
    assert len(symbols) >= 4  # the right term is not to be known by its number


def test_the_same_seed_draws_the_same_examples() -> None:
    first, again, other = (examples(sampler(*PAIRS), 30, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_sets_are_drawn_from_by_weight_and_empty_ones_never() -> None:
    sets = [(3.0, PAIRS[:1]), (1.0, PAIRS[1:2]), (99.0, ()), (0.0, PAIRS[2:3])]
    drawn = Sampler(sets, POOL, Pieces(), CONFIG)
    asked = [name_of(prompt) for prompt, _ in examples(drawn, 400, 0.0)]
    assert set(asked) == {"capital", "mayor"}
    assert 250 < asked.count("capital") < 350


def test_a_pair_that_no_prompt_can_write_is_passed_over() -> None:
    unsaid = pair("Which big river does Norway have?", "SELECT ?x { ?x dbo:river ?b FILTER(?b > 77) }")
    with pytest.raises(SkippedPairError, match="literal"):
        to_target(unsaid, to_prompt(unsaid, CONFIG.variant))
    drawn = sampler(unsaid, PAIRS[0])
    assert {question_of(prompt) for prompt, _ in examples(drawn, 40)} == {PAIRS[0].pair.question.lower()}


def test_more_terms_than_there_are_symbols_leave_no_query_without_its_terms() -> None:
    many = tuple(Term(f"{DBO}many{n}", "datatype_property", f"many{n}") for n in range(90))
    drawn = sampler(
        *PAIRS,
        config=replace(CONFIG, max_distractors=80),
        near={p.pair.question: many for p in PAIRS},
    )
    crowded = 0
    for prompt, query in examples(drawn, 150):
        crowded += len(shown(prompt)) >= 33
        assert set(re.findall(r"\b[ep]\d+", query)) <= set(shown(prompt).values())
    assert crowded > 10


# --- terms beside the right ones


def test_distractors_are_those_that_retrieval_finds_and_never_bear_the_name_of_a_right_term() -> None:
    near = {p.pair.question: (*GOLD, *TWINS, *NEAR) for p in PAIRS}
    drawn = sampler(*PAIRS, near=near)
    from_near = from_pool = 0
    for prompt, _ in examples(drawn, 400):
        name = name_of(prompt)
        rows = re.findall(r"^ +p\d+ (.*) : ", prompt, re.MULTILINE)
        assert rows.count(name) == 1
        others = beside(prompt, name)
        from_near += others != set() and others <= {t.label for t in (*GOLD, *NEAR)}
        from_pool += any(label.startswith("other") for label in others)
        assert not (any(o.startswith("near") for o in others) and any(o.startswith("other") for o in others))
    assert from_near > 2 * from_pool > 0


def test_of_what_retrieval_finds_the_best_come_most_but_not_always() -> None:
    drawn = sampler(PAIRS[0], near={PAIRS[0].pair.question: NEAR})
    draws = [beside(prompt, "capital") for prompt, _ in examples(drawn, 300)]
    labels = [label for draw in draws for label in draw]
    assert labels.count("near0") > 3 * labels.count("near12")
    # A graph that uses a part of the vocabulary has retrieval reach further down.
    assert sum("near0" not in draw and "near3" in draw for draw in draws) > 10


def test_without_retrieval_they_are_any_terms_but_those_of_the_same_name() -> None:
    prompts = [prompt for prompt, _ in examples(sampler(*PAIRS), 300)]
    seen = set()
    for prompt in prompts:
        name = name_of(prompt)
        rows = re.findall(r"^ +p\d+ (.*) : ", prompt, re.MULTILINE)
        assert rows.count(name) == 1
        assert len(beside(prompt, name)) <= CONFIG.max_distractors
        seen |= beside(prompt, name)
    assert {"city", "lake"} <= seen and len(seen) > 25
    # Classes that only a distractor leads to are called by their labels too.
    others = re.findall(r"^ +p\d+ other\d+ : (.*)$", "\n".join(prompts), re.MULTILINE)
    assert set(others) == {"lake"}


def test_what_another_question_finds_is_not_shown() -> None:
    drawn = sampler(PAIRS[0], near={PAIRS[1].pair.question: NEAR})
    assert not any("near" in prompt for prompt, _ in examples(drawn, 60))


def test_terms_of_two_vocabularies_are_never_mixed() -> None:
    seen = {label for prompt, _ in examples(sampler(WIKIDATA), 100) for label in beside(prompt, HEADED.label)}
    assert len(seen) > 5 and seen <= {t.label for t in FOREIGN}
    seen = {label for prompt, _ in examples(sampler(PAIRS[0]), 100) for label in beside(prompt, "capital")}
    assert len(seen) > 5 and not seen & {t.label for t in FOREIGN}


def test_a_word_of_the_question_brings_terms_that_are_named_by_it() -> None:
    worded = replace(PAIRS[0].pair, question="Which other7 or capital does Norway have?")
    drawn = sampler(PAIRS[0]), sampler(replace(PAIRS[0], pair=worded))
    plain, named = (
        sum("other7" in beside(prompt, "capital") for prompt, _ in examples(d, 300)) for d in drawn
    )
    assert named > 2 * plain


def test_distractors_come_more_often_as_training_goes_on() -> None:
    drawn = sampler(*PAIRS)

    def share(progress: float) -> float:
        prompts = [prompt for prompt, _ in examples(drawn, 400, progress)]
        return sum(bool(beside(p, *NAMES)) for p in prompts) / len(prompts)

    early, late = share(0.0), share(1.0)
    assert 0.1 < early < 0.4 < late < 0.75


# --- entities that are none


def fragments(
    pairs: Sequence[PreparedPair], count: int, **given: Any
) -> tuple[list[Fragment], list[tuple[str, str]]]:
    """What `align` was called with, and the examples that came of it."""
    seen: list[Fragment] = []

    def align(fragment: Fragment) -> tuple[Hint, ...]:
        seen.append(fragment)
        return ()

    return seen, examples(sampler(*pairs, align=align, **given), count)


def test_a_stray_entity_is_a_word_of_the_question_and_overlaps_no_mention() -> None:
    asked = (
        *PAIRS,
        pair(
            "does the long river norway bank have run through sweden north?",
            "ASK { dbr:Norway_Bank dbo:river dbr:Sweden }",
        ),
    )
    assert all(e.start >= 0 for p in asked for e in p.entities)
    strays, typed = 0, 0
    for fragment in fragments(asked, 800)[0]:
        mentions = [e for e in fragment.entities if e.score == 1.0]
        for stray in (e for e in fragment.entities if e.score < 1.0):
            strays += 1
            typed += bool(stray.types)
            assert fragment.question[stray.start : stray.end] == stray.mention == stray.label
            assert all(stray.end <= m.start or m.end <= stray.start for m in mentions)
            assert set(stray.types) <= {c.iri for c in CLASSES}
    assert strays > 40 and 0 < typed < strays


def test_a_question_of_nothing_but_mentions_gets_no_stray_entity() -> None:
    full = pair("Is Oslo in Norway?", "ASK { dbr:Oslo dbo:owner dbr:Norway }")
    assert len(full.entities) == 2
    assert all(len(f.entities) == 2 for f in fragments([full], 200)[0])


# --- words beside which terms are shown


def test_alignment_sees_the_fragment_that_is_shown_and_its_hints_are_written() -> None:
    question = PAIRS[0].pair.question
    seen: list[Fragment] = []

    def align(fragment: Fragment) -> tuple[Hint, ...]:
        seen.append(fragment)
        return (Hint(0, len("Which"), GOLD[0].iri),)

    made = examples(sampler(PAIRS[0], align=align), 60)
    assert len(seen) == 60
    for fragment, (prompt, query) in zip(seen, made, strict=True):
        assert fragment.question == question and not fragment.hints
        labels = {s.term.label for s in fragment.terms}
        assert labels == {"capital", *beside(prompt, "capital")}
        assert {e.label.lower() for e in fragment.entities} == {
            label for label, symbol in shown(prompt).items() if symbol.startswith("e")
        }
        marks = prompt.strip().rsplit("\n-- ", 1)[1].split(" which ")[0].split()
        assert shown(prompt)["capital"] in marks and len(marks) <= 2  # a stray entity may start here too
        assert f" {shown(prompt)['capital']} ?a" in query


# --- batches


def test_a_batch_is_short_to_long_and_holds_nothing_that_is_too_long() -> None:
    words = " ".join(["very"] * 600)
    long = pair(f"Which {words} old lake is the owner of Norway?", "SELECT ?x { dbr:Norway dbo:owner ?x }")
    drawn = sampler(*PAIRS[:3], long, config=replace(CONFIG, tokens_per_batch=1800))
    random = Random(0)
    sizes = []
    for _ in range(10):
        batch = drawn.batch(random, 1.0)
        lengths = [len(e.ids) for e in batch]
        assert lengths == sorted(lengths) and max(lengths) <= 400 < CONFIG.context
        assert all("very" not in read(drawn, e)[0] for e in batch)
        sizes.append(len(batch))
    assert max(sizes) <= 1800 // 90 and 8 < min(sizes) < 20  # a quarter was drawn and left out
    wordy = pair(f"Which {words[:500]} river does Norway have?", "SELECT ?x { dbr:Norway dbo:river ?x }")
    whole = sampler(wordy, config=replace(CONFIG, tokens_per_batch=1800)).batch(random, 1.0)
    assert len(whole) == 20 and all(100 < len(e.ids) < 400 for e in whole)
    small = sampler(*PAIRS, config=replace(CONFIG, tokens_per_batch=90))
    assert len(small.batch(random, 0.0)) == 8


# --- what retrieval finds


@dataclass
class Shelf:
    """An index that finds its terms in order, and remembers what it was asked."""

    terms: tuple[Term, ...]
    asked: list[str] = field(default_factory=list)
    depth: int = 0

    def search_each(self, texts: Sequence[str], k: int) -> list[list[SimpleNamespace]]:
        self.asked += texts
        self.depth = k
        return [[SimpleNamespace(term=t) for t in self.terms[:k]] for _ in texts]


def search(pairs: Sequence[PreparedPair], *shelves: Shelf, k: int = 60) -> Mapping[str, Sequence[Term]]:
    indexes: Any = shelves
    return nearest_terms(pairs, indexes, k)


def test_a_question_is_searched_for_where_its_terms_are() -> None:
    dbpedia, wikidata = Shelf((*GOLD, *NEAR)), Shelf((HEADED, *FOREIGN))
    nothing = pair("Does Norway have any?", "ASK { dbr:Norway ?p ?o }")
    found = search([PAIRS[0], WIKIDATA, PAIRS[1], nothing], dbpedia, wikidata, k=3)
    assert found == {
        PAIRS[0].pair.question: [*GOLD[:3]],
        PAIRS[1].pair.question: [*GOLD[:3]],
        WIKIDATA.pair.question: [HEADED, *FOREIGN[:2]],
    }
    assert (dbpedia.depth, wikidata.depth) == (3, 3)


def test_names_are_hidden_from_every_second_question() -> None:
    shelf = Shelf(GOLD)
    both = pair("Is Oslo or Bergen in the owner list?", "ASK { dbr:Oslo dbo:owner dbr:Bergen }")
    search([both, PAIRS[1], PAIRS[2]], shelf)
    assert shelf.asked == [
        "Is it or it in the owner list?",
        PAIRS[1].pair.question,
        PAIRS[2].pair.question.replace("Norway", "it"),
    ]


def test_thousands_of_questions_are_each_searched_for_once() -> None:
    shelf = Shelf(GOLD)
    many = [
        replace(PAIRS[0], pair=replace(PAIRS[0].pair, question=f"Which {n} does Norway have?"), entities=())
        for n in range(4100)
    ]
    found = search(many, shelf, k=1)
    assert shelf.asked == [p.pair.question for p in many] == list(found)


# --- entities that the question does not mean


def test_other_entities_bear_other_names_and_may_be_linked_where_a_name_shares_a_word() -> None:
    pairs = (
        pair("Which mayor has New York City?", "SELECT DISTINCT ?x { dbr:New_York_City dbo:mayor ?x }"),
        pair("Which mayor has Mexico City?", "SELECT DISTINCT ?x { dbr:Mexico_City dbo:mayor ?x }"),
        pair("Which mayor has New Orleans?", "SELECT DISTINCT ?x { dbr:New_Orleans dbo:mayor ?x }"),
        *PAIRS,
    )
    drawn = sampler(*pairs)
    seen: set[str] = set()
    linked = 0
    for seed in range(200):
        others = drawn._other_entities(pairs[0], Random(seed), 4)
        labels = [e.label for e in others]
        assert len(labels) == len(set(labels)) <= 4 and "New York City" not in labels
        seen.update(labels)
        for other in others:
            linked += other.start >= 0
            if other.start >= 0:
                assert pairs[0].pair.question[other.start : other.end] == other.mention == "New York City"
    assert {"Mexico City", "New Orleans", "Norway"} <= seen
    assert linked > 50


def test_the_share_of_examples_with_other_entities_is_that_of_the_settings() -> None:
    names = ("Oslo", "Bergen", "Trondheim", "Drammen")
    pairs = tuple(
        pair(f"Which mayor has {name}?", f"SELECT DISTINCT ?x {{ dbr:{name} dbo:mayor ?x }}")
        for name in names
    )

    def crowded(share: float) -> int:
        drawn = sampler(*pairs, config=replace(CONFIG, other_entities=share))
        return sum(" e2 " in prompt for prompt, _ in examples(drawn, 100, 0.0))

    assert crowded(0.0) < 15
    assert crowded(1.0) > 45


def test_a_pool_shows_many_of_the_most_like_terms_and_the_other_entities_found() -> None:
    rivals = tuple(
        EntityLink(f"http://example.org/{n}", f"Norway {n}", "Norway", 0, 6, 0.5, ()) for n in range(7)
    )
    drawn = sampler(
        *PAIRS,
        config=replace(CONFIG, pooled=1.0),
        near={p.pair.question: NEAR for p in PAIRS},
        rivals={p.pair.question: rivals for p in PAIRS},
    )
    terms, others = [], []
    for prompt, query in examples(drawn, 100, 0.0):
        terms.append(len(beside(prompt, name_of(prompt))))
        others.append(sum(label.startswith("norway ") for label in shown(prompt)))
        assert set(re.findall(r"\b[ep]\d+", query)) == {
            shown(prompt)["norway"],
            shown(prompt)[name_of(prompt)],
        }
    assert 12 <= max(terms) <= 15 and sum(terms) > 400
    assert min(others) == 1 and max(others) == 5


def test_rivals_are_what_a_linker_finds_beside_the_gold_and_names_that_share_a_word(tmp_path: Path) -> None:
    names = {
        "http://www.wikidata.org/entity/Q20": "Norway",
        "http://example.org/maple": "Norway maple",
        "http://example.org/band": 'The "Norway" Band \\ Friends',
        "http://example.org/peru": "Peru",
    }
    found = rival_entities([*PAIRS, WIKIDATA], names, tmp_path)
    assert set(found) == {p.pair.question for p in (*PAIRS, WIKIDATA)}
    for question, links in found.items():
        labels = {e.iri: e.label for e in links}
        assert labels["http://example.org/maple"] == "Norway maple"
        assert labels["http://example.org/band"] == 'The "Norway" Band \\ Friends'
        assert "http://example.org/peru" not in labels and len(links) == len(labels)
        assert all(question[e.start : e.end] == e.mention for e in links if e.start >= 0)
    assert found == rival_entities([*PAIRS, WIKIDATA], names, tmp_path)


# --- what fits


def test_an_example_that_fits_is_drawn_for_and_the_others_are_counted() -> None:
    drawn = sampler(*PAIRS, config=replace(CONFIG, pooled=1.0))
    sizes = sorted(len(drawn.example(Random(n), 1.0).ids) for n in range(40))
    limit = sizes[10]
    for n in range(20):
        assert len(drawn.fitting(Random(n), 1.0, limit).ids) <= limit
    assert drawn.too_long > 0
    with pytest.raises(UsageError, match="none fits 5 tokens"):
        drawn.fitting(Random(0), 1.0, 5)
