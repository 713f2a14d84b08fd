"""The adapter without labelled questions: it helps or it is not kept, whatever the vocabulary and the encoder."""

from __future__ import annotations

import numpy as np
import pytest
from test_index import EX, WordEncoder

from ontoprompt import unlabelled
from ontoprompt.adapting import Recipe
from ontoprompt.embedding import Adapter
from ontoprompt.index import OntologyIndex, build_index
from ontoprompt.ontology import Ontology, Term
from ontoprompt.unlabelled import Adaptation, adapt

XSD = "http://www.w3.org/2001/XMLSchema#"
PEOPLE, SHOPS, JOBS = EX + "Worker", EX + "Shop", EX + "Hiring"
ONTOLOGY = Ontology(
    (
        Term(PEOPLE, "class", "worker"),
        Term(SHOPS, "class", "shop"),
        Term(JOBS, "class", "hiring"),
        Term(EX + "who", "object_property", "hired", domain=(JOBS,), range=(PEOPLE,)),
        Term(EX + "where", "object_property", "workplace", domain=(JOBS,), range=(SHOPS,)),
        Term(EX + "age", "datatype_property", "age", domain=(PEOPLE,), range=(XSD + "integer",)),
        Term(EX + "size", "datatype_property", "floor space", domain=(SHOPS,), range=(XSD + "double",)),
    )
)


@pytest.fixture(autouse=True)
def _few_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unlabelled, "_FEWEST", 200)
    monkeypatch.setattr(unlabelled, "_PER_TERM", 20)
    monkeypatch.setattr(unlabelled, "_HELD_OUT", 60)
    monkeypatch.setattr(
        unlabelled, "_RECIPE", Recipe(epochs=12, batch=32, rate=5e-3, word_dropout=0.0)
    )  # fmt: skip


@pytest.fixture(scope="module")
def adaptation() -> Adaptation:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unlabelled, "_FEWEST", 200)
        patch.setattr(unlabelled, "_HELD_OUT", 60)
        patch.setattr(
            unlabelled, "_RECIPE", Recipe(epochs=12, batch=32, rate=5e-3, word_dropout=0.0)
        )  # fmt: skip
        return adapt(ONTOLOGY, WordEncoder(64))


def test_it_learns_what_connects_two_classes_that_no_label_tells(adaptation: Adaptation, tmp_path) -> None:
    assert adaptation.adapter is not None and adaptation.after > adaptation.before
    encoder = WordEncoder(64)
    index = build_index(ONTOLOGY, tmp_path / "index", encoder=encoder, adapter=adaptation.adapter)
    plain = OntologyIndex.load(tmp_path / "index", encoder, use_adapter=False)
    wanted = {EX + "who", EX + "where"}
    question = "which worker in the shop Zanzibar"
    assert wanted <= {hit.term.iri for hit in index.search(question, 4)}
    assert not wanted <= {hit.term.iri for hit in plain.search(question, 4)}


def test_the_sentence_says_what_was_made_and_what_it_gave(adaptation: Adaptation) -> None:
    said = str(adaptation)
    assert said.startswith(f"Adapter trained on {adaptation.questions} questions made from the vocabulary")
    assert (
        f"{adaptation.before:.2f} had all their terms among the first 3 before and {adaptation.after:.2f} after"
        in said
    )
    assert adaptation.held_out == 60 and f"of {adaptation.held_out} more" in said


def test_what_is_measured_is_what_the_index_finds(adaptation: Adaptation, tmp_path) -> None:
    encoder, adapter = WordEncoder(64), adaptation.adapter
    made = list(dict.fromkeys(unlabelled.invented_questions(ONTOLOGY, 260, seed=0)))[:60]
    for folder, given, share in (("plain", None, adaptation.before), ("with", adapter, adaptation.after)):
        index = build_index(ONTOLOGY, tmp_path / folder, encoder=encoder, adapter=given)
        found = [{hit.term.iri for hit in index.search(question, 3)} for question, _ in made]
        assert np.mean(
            [set(terms) <= hits for (_, terms), hits in zip(made, found, strict=True)]
        ) == pytest.approx(share)


def test_the_same_seed_gives_the_same_adapter_and_another_another() -> None:
    first, again, other = (adapt(ONTOLOGY, WordEncoder(), seed=seed) for seed in (0, 0, 1))
    assert first.adapter and again.adapter and other.adapter
    assert np.array_equal(first.adapter.question, again.adapter.question) and first.after == again.after
    assert not np.array_equal(first.adapter.question, other.adapter.question)


def test_an_adapter_that_does_not_help_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    harm = Adapter(-np.eye(32, dtype=np.float32), np.eye(32, dtype=np.float32), np.zeros((33, 0), np.float32))
    monkeypatch.setattr(unlabelled, "train_adapter", lambda *_, **__: harm)
    adaptation = adapt(ONTOLOGY, WordEncoder())
    assert adaptation.adapter is None and adaptation.after < adaptation.before
    assert "did not help" in str(adaptation) and str(adaptation).endswith("The plain encoder stays.")


def test_too_little_to_ask_about_or_too_much_to_train_on_leaves_the_plain_encoder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nameless = adapt(Ontology((Term(EX + "P1", "property", "P1"),)), WordEncoder())
    assert nameless.adapter is None and "labels of its terms are not enough" in str(nameless)
    monkeypatch.setattr(unlabelled, "_MOST_TERMS", 6)
    assert "6 terms at most" in str(adapt(ONTOLOGY, WordEncoder()))


def test_five_terms_without_domains_or_classes_are_enough() -> None:
    labels = ("mayor", "area", "founded in", "part of", "number of seats")
    terms = tuple(Term(f"{EX}{number}", "property", label) for number, label in enumerate(labels))
    adaptation = adapt(Ontology(terms), WordEncoder())
    assert (
        adaptation.questions > 100 and not adaptation.reason and adaptation.after >= adaptation.before - 0.05
    )


def test_the_shipped_adapters_are_averaged_in_for_their_own_encoder_only() -> None:
    class Named(WordEncoder):
        name = "default"

    eye = np.eye(384, dtype=np.float32)
    learned = Adapter(eye, eye, np.ones((385, 2), np.float32), {EX + "age": 1.0})
    other = unlabelled._averaged([learned], WordEncoder(384), 0.6)
    assert np.allclose(other.question, eye) and other.bias == {EX + "age": pytest.approx(0.6)}
    assert np.allclose(other.prior, 0.6)
    own = unlabelled._averaged([learned], Named(384), 0.6)
    products = [a.question @ a.term.T for a in unlabelled._shipped()]
    assert len(products) == 2
    assert np.allclose(own.question, 0.6 * eye + 0.2 * (products[0] + products[1]), atol=1e-5)


def test_what_was_learned_counts_the_more_the_more_questions_a_term_had() -> None:
    shares = [unlabelled._share(4000, terms) for terms in (10, 100, 1000, 10_000, 50_000)]
    assert shares == sorted(shares, reverse=True) and 0.4 <= shares[-1] < shares[0] <= 0.9
