import numpy as np
import pytest
from test_index import EX, WordEncoder

from ontoprompt.adapting import Recipe, train_adapter
from ontoprompt.errors import UsageError
from ontoprompt.index import OntologyIndex, build_index
from ontoprompt.ontology import Ontology, Term
from ontoprompt.question_words import without_names

RECIPE = Recipe(epochs=30, batch=8, rate=5e-3, word_dropout=0.0)
# What is asked for in other words than the label's: nothing but training can tell.
WORDING = {
    "mayor": "rules",
    "spouse": "married",
    "birthPlace": "born",
    "population": "inhabit",
    "author": "wrote",
}
NAMES = ["Rome", "Ada", "Oslo", "Kim", "Turin", "Bert", "Quito", "Lena", "Sofia", "Milo"]


def vocabulary() -> Ontology:
    terms = [Term(EX + name, "object_property", name.lower(), usage=5) for name in WORDING]
    terms += [Term(f"{EX}other{n}", "class", f"other{n}", usage=n) for n in range(60)]
    return Ontology(tuple(terms))


def pairs(names):
    return [(f"who {word} {name}", [EX + term]) for term, word in WORDING.items() for name in names]


def right(index: OntologyIndex, names) -> int:
    return sum(index.search(question, 1)[0].term.iri == gold[0] for question, gold in pairs(names))


def test_an_adapter_learns_what_the_labels_do_not_say(tmp_path):
    encoder, terms = WordEncoder(), vocabulary()
    adapter = train_adapter(pairs(NAMES), terms.terms, encoder, recipe=RECIPE)
    plain = build_index(terms, tmp_path / "plain", encoder=encoder)
    index = build_index(terms, tmp_path / "index", encoder=encoder, adapter=adapter)
    unseen = ["Zoe", "Lima", "Otto"]
    assert right(plain, unseen) <= 6 and right(index, unseen) == 15
    opened = OntologyIndex.load(tmp_path / "index", encoder)
    assert opened.search("who wrote Lima", 3) == index.search("who wrote Lima", 3)


def test_the_same_pairs_give_the_same_adapter_and_leave_torch_as_it_was():
    import torch

    threads, state = torch.get_num_threads(), torch.get_rng_state()
    recipe = Recipe(epochs=2, batch=8)
    first, second = (
        train_adapter(pairs(NAMES[:2]), vocabulary().terms, WordEncoder(), recipe=recipe) for _ in range(2)
    )
    assert np.array_equal(first.question, second.question) and np.array_equal(first.term, second.term)
    assert first.bias == second.bias and np.array_equal(first.prior, second.prior)
    assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), state)


def test_only_terms_that_pairs_ask_for_get_a_bias():
    some = [pair for pair in pairs(NAMES) if pair[1] == [EX + "mayor"]]
    adapter = train_adapter(some, vocabulary().terms, WordEncoder(), recipe=Recipe(epochs=2))
    assert set(adapter.bias) == {EX + "mayor"} and adapter.bias[EX + "mayor"] > 0


def test_gold_terms_outside_the_vocabulary_are_passed_over():
    calls = []
    some = [
        ("who rules Rome", [EX + "mayor", EX + "unknown"]),
        ("who", [EX + "unknown"]),
        (" ", [EX + "mayor"]),
    ]
    recipe = Recipe(epochs=3)
    train_adapter(some, vocabulary().terms, WordEncoder(), recipe=recipe, progress=lambda *c: calls.append(c))
    assert calls[-1] == ("train", 3, 3)
    with pytest.raises(UsageError, match="None of the pairs"):
        train_adapter(some[1:], vocabulary().terms, WordEncoder(), recipe=recipe)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Who is the mayor of Berlin?", "Who is the mayor of"),
        ("Ulrike Berlin", "Ulrike Berlin"),
        ("", ""),
        ("which city did John F. Kennedy visit", "which city did visit"),
    ],
)
def test_names_are_the_capitalised_words_after_the_first(question, expected):
    assert without_names(question) == expected
