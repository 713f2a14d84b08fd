"""The reranker: what a score depends on, what is kept of it, and that training teaches it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ontoprompt.embedding import folder_fingerprint, load_encoder, packaged_model
from ontoprompt.errors import ArtifactError, UsageError
from ontoprompt.index import build_index
from ontoprompt.ontology import Ontology, Term
from ontoprompt.rerank_training import RerankConfig, readings, train_from_pairs, train_reranker
from ontoprompt.reranking import FACTS, Reranker, network, save_reranker, term_facts
from ontoprompt.term_search import TermSearch

NS = "http://example.org/"
LABELS = (
    "river mouth",
    "birth place",
    "colour",
    "population total",
    "spouse",
    "employer",
    "genre",
    "capital",
)
TERMS = tuple(Term(iri=NS + label.replace(" ", "_"), kind="property", label=label) for label in LABELS)
QUESTION = "In which sea does the Rhine end?"


@pytest.fixture(scope="module")
def changed() -> Any:
    """A network whose updates do something."""
    import torch

    torch.manual_seed(3)
    made = network(packaged_model(), rank=4)
    for name, parameter in made.named_parameters():
        if name.endswith("_up"):
            parameter.data.normal_(0, 0.02)
    made.facts.weight.data.normal_()
    return made


def bundled_reranker() -> Path:
    import ontoprompt

    return Path(ontoprompt.__file__).parent / "data" / "reranker.safetensors"


@pytest.fixture
def saved(changed: Any, tmp_path: Path) -> Path:
    path = tmp_path / "reranker.safetensors"
    save_reranker(changed, path)
    return path


def test_a_score_does_not_depend_on_what_stands_beside(saved: Path) -> None:
    reranker = Reranker.load(saved)
    together = reranker.scores(QUESTION, TERMS)
    assert len(set(together)) == len(TERMS)
    for term, score in zip(TERMS, together, strict=True):
        assert reranker.scores(QUESTION, [term])[0] == pytest.approx(score, abs=1e-4)
    backwards = reranker.scores(QUESTION, TERMS[::-1])
    assert backwards[::-1] == pytest.approx(together, abs=1e-4)
    assert reranker.scores(QUESTION, []) == []


def test_questions_of_unlike_length_are_read_alike_together_and_alone(saved: Path) -> None:
    reranker = Reranker.load(saved)
    questions = [QUESTION, "Who?", "What " * 90]
    each = reranker.scores_each(questions, [TERMS[:2], TERMS, TERMS[3:]])
    assert [len(scores) for scores in each] == [2, 8, 5]
    for question, scores, terms in zip(questions, each, (TERMS[:2], TERMS, TERMS[3:]), strict=True):
        assert reranker.scores(question, terms) == pytest.approx(scores, abs=1e-4)


def test_what_is_kept_gives_the_scores_of_what_was_trained(changed: Any, saved: Path) -> None:
    import torch

    from ontoprompt.reranking import Pieces, padded

    with torch.inference_mode():
        questions, terms, facts, _ = padded([Pieces(packaged_model()).listed(QUESTION, TERMS)])
        trained = changed(questions, terms, facts)[0].tolist()
    assert Reranker.load(saved).scores(QUESTION, TERMS) == pytest.approx(trained, abs=5e-3)
    assert saved.stat().st_size < 1_000_000


@pytest.mark.parametrize("shipped", [False, True])
def test_it_is_read_without_torch_as_the_network_reads_it(saved: Path, shipped: bool) -> None:
    import torch

    from ontoprompt.reranking import Pieces, padded

    path = bundled_reranker() if shipped else saved
    reranker, pieces = Reranker.load(path), Pieces(packaged_model())
    rank = len(reranker.weights["updates.0_output_dense_down"])
    trained = network(packaged_model(), rank)
    trained.load_state_dict(reranker.weights)
    texts = ["find the sea", "find the river that ends there, and how many there are " * 8, "x"]
    for listed, got in (
        (pieces.listed(QUESTION, TERMS), reranker.scores(QUESTION, TERMS)),
        (pieces.listed("Who?", TERMS[:1]), reranker.scores("Who?", TERMS[:1])),
        (pieces.texts(QUESTION * 9, texts), reranker.text_scores(QUESTION * 9, texts)),
    ):
        with torch.inference_mode():
            questions, terms, facts, _ = padded([listed])
            assert got == pytest.approx(trained(questions, terms, facts)[0].tolist(), abs=1e-3)


@pytest.mark.parametrize("damage", ["missing", "cut", "a matrix less", "other encoder"])
def test_a_file_that_is_no_reranker_is_refused(damage: str, changed: Any, saved: Path) -> None:
    if damage == "missing":
        saved.unlink()
    elif damage == "cut":
        saved.write_bytes(saved.read_bytes()[:1000])
    else:
        from safetensors.torch import load_file, save_file

        tensors = load_file(saved)
        fingerprint = folder_fingerprint(packaged_model()) if "less" in damage else "0" * 64
        tensors.pop("updates.0_output_dense_up" if "less" in damage else "segment")
        save_file(tensors, saved, metadata={"format": "1", "encoder": fingerprint})
    with pytest.raises(ArtifactError) as refused:
        Reranker.load(saved)
    assert refused.value.hint


def test_facts_are_of_fixed_width_whatever_the_terms() -> None:
    assert term_facts([]).shape == (0, FACTS)
    raw = Term(iri="http://dbpedia.org/property/x", kind="property", label="x", usage=1000)
    facts = term_facts([raw, TERMS[0]])
    assert facts.shape == (2, FACTS) and facts[0].tolist() != facts[1].tolist()


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> TermSearch:
    folder = tmp_path_factory.mktemp("terms") / "index"
    return TermSearch(build_index(Ontology(TERMS), folder, encoder=load_encoder()))


PAIRS = [
    ("Who is Ada married to?", [NS + "spouse"]),
    ("Where does the Rhine flow into the sea?", [NS + "river_mouth"]),
    ("How many people live there?", [NS + "population_total"]),
    ("Who pays Ada?", [NS + "employer", NS + "unknown"]),
    ("What?", [NS + "unknown"]),
]


def test_readings_leave_out_what_is_unknown_and_never_hold_gold_as_wrong(search: TermSearch) -> None:
    made = readings(PAIRS, search)
    assert [r.question for r in made] == [q for q, _ in PAIRS[:4]]
    for reading in made:
        assert len(reading.gold) == 1 and len(reading.found) == len(TERMS) - 1
        assert not set(reading.gold) & set(reading.found)


def test_training_puts_the_right_term_first_and_goes_on_where_it_was(
    search: TermSearch, tmp_path: Path
) -> None:
    made = readings(PAIRS, search)
    out = tmp_path / "reranker.safetensors"
    config = RerankConfig(minutes=0.4, rate=3e-3, batch=4, warmup=16, hard=5, soft=2)
    record = train_reranker([(1.0, made)], out, config)
    assert record["seen"] >= 16
    reranker = Reranker.load(out)
    right = 0
    for reading in made:
        scores = reranker.scores(reading.question, [*reading.gold, *reading.found])
        right += max(scores) == scores[0]
    assert right >= 3
    again = train_reranker([(1.0, made)], out, config)
    assert again["seen"] == record["seen"]  # its time was spent


def test_nothing_to_train_on_is_said(search: TermSearch, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        train_reranker([(1.0, [])], tmp_path / "x", RerankConfig(minutes=0.1))
    with pytest.raises(UsageError, match="search finds"):
        train_from_pairs([], tmp_path, [], RerankConfig())
