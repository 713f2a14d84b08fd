import json
import sys
from random import Random

import numpy as np
import pytest

from bench import encoding_speed, term_scale
from bench.term_scale import NEIGHBOURS, Prepared, labels, likeness, measure, nearest, plot
from ontoprompt.ontology import Ontology, Term


@pytest.fixture
def encoder():
    draw = np.random.default_rng(0)
    rows, queries = (draw.normal(size=(n, 384)).astype(np.float32) for n in (100, 5))
    rows, queries = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (rows, queries))
    return Prepared(rows.astype(np.float16), queries.astype(np.float32), 0)


def test_labels_are_different_and_the_seeds_own(monkeypatch):
    few = Ontology(tuple(Term(f"http://example.org/{n}", "class", f"word{n}") for n in range(50)))
    monkeypatch.setattr(term_scale, "load_ontology", lambda _: few)
    some = labels(3_000, Random(1))
    assert len(set(some)) == 3_000 and some == labels(3_000, Random(1)) != labels(3_000, Random(2))
    assert {term.label for term in few.terms} == set(some[:50])
    assert any(" of " in label for label in some[-100:])


def test_a_terms_vector_is_its_own_whatever_is_asked_for_with_it(encoder):
    many = encoder.encode([f"term {n}" for n in range(300)] + ["query 3"])
    assert np.allclose(np.linalg.norm(many, axis=1), 1, atol=1e-3)
    for n in (0, 99, 100, 299):
        assert np.array_equal(encoder.encode([f"term {n}"])[0], many[n])
    assert np.allclose(many[300], encoder._queries[3])
    assert len(np.unique(many, axis=0)) == 301
    assert set(likeness(encoder, 300, 0)) == {"encoded", "means"}


def test_the_nearest_are_those_with_the_largest_products(encoder, monkeypatch):
    monkeypatch.setattr(term_scale, "_BLOCK", 70)
    products = encoder._queries @ encoder.rows(np.arange(300)).T
    for row, names in zip(products, nearest(encoder, 300, encoder._queries), strict=True):
        assert set(names) == set(np.argsort(-row)[:NEIGHBOURS])


def test_a_small_index_is_measured_and_drawn(encoder, tmp_path):
    np.savez(tmp_path / "vectors-100-5-0.npz", rows=encoder.encoded, queries=encoder._queries)
    found = measure(tmp_path, 300, 100, 5, 0)
    assert found["terms"] == 300 and found["factory"] == "Flat" and found["recall_at_50"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["vectors-100-5-0.npz"]
    sizes = [
        {**found, "terms": n, "factory": f} for n, f in ((1000, "Flat"), (10_000, "SQ8"), (10**6, "PQ98x4fs"))
    ]
    assert plot(sizes) == plot(sizes) and b"<svg" in plot(sizes)


def test_every_size_is_built_in_a_process_of_its_own(encoder, tmp_path, monkeypatch, capsys):
    np.savez(tmp_path / "vectors-100-5-0.npz", rows=encoder.encoded, queries=encoder._queries)
    monkeypatch.setattr(
        sys,
        "argv",
        ["term_scale", "--up-to", "200", "--out", str(tmp_path), "--encoded", "100", "--queries", "5"],
    )
    term_scale.main()
    printed = json.loads(capsys.readouterr().out)
    assert [size["terms"] for size in printed["sizes"]] == [200]
    assert json.loads((tmp_path / "term-scale.json").read_text()) == printed
    assert (tmp_path / "term-scale.svg").is_file()


def test_nearness_counts_the_neighbours_that_stay():
    draw = np.random.default_rng(0)
    vectors = draw.normal(size=(60, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    same = encoding_speed.nearness(vectors, vectors)
    assert same["largest_difference"] == 0 and same["neighbours_kept_of_20"] == 1
    other = encoding_speed.nearness(vectors, np.roll(vectors, 1, axis=0))
    assert other["kept_for_float32_questions"] < 0.6 and other["largest_difference"] > 0.1


def test_encoders_are_compared_in_one_run():
    found = encoding_speed.compare(["river", "mayor", "date of birth"] * 5, 1, [32])
    assert set(found["encoders"]) == {"default", "fast"} and len(found["systems"]) == 3
    assert found["encoders"]["default"]["largest_difference"] < 1e-5
    assert found["encoders"]["fast"]["largest_difference"] > 1e-4
    assert all(each["question_ms"] > 0 and each["ratio"] > 0 for each in found["encoders"].values())
