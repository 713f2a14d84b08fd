import json
import subprocess
import sys

import numpy as np
import pytest

from bench.encoder_graph import graph, product_names, reading_graph
from ontoprompt import minilm
from ontoprompt.embedding import load_encoder
from ontoprompt.errors import ArtifactError
from ontoprompt.minilm import WORD, MiniLMEncoder, packaged_model

LABELS = [
    "population total",
    "mayor",
    "river",
    "date of birth",
    "birth place",
    "ISBN",
    "élan vital 東京",
    "a",
]
QUESTIONS = ["Who is the mayor of Berlin?", "How many people live in the capital of France?"]


@pytest.fixture(scope="module")
def exact():
    return MiniLMEncoder().encode(LABELS + QUESTIONS)


@pytest.fixture(scope="module")
def fast():
    return MiniLMEncoder(fast=True).encode(LABELS + QUESTIONS)


def test_fast_vectors_are_near_and_are_others(exact, fast):
    assert np.allclose(np.linalg.norm(fast, axis=1), 1, atol=1e-5)
    assert (exact * fast).sum(1).min() > 0.99 and np.abs(exact - fast).max() > 1e-3
    assert load_encoder("fast").name == "fast" and load_encoder("fast").dimension == 384
    assert load_encoder("fast").fingerprint != load_encoder().fingerprint
    assert load_encoder("fast").fingerprint == MiniLMEncoder(fast=True).fingerprint


@pytest.mark.parametrize("fast_too", [False, True])
def test_a_vector_does_not_depend_on_the_texts_beside_it(fast_too, exact, fast):
    alone = MiniLMEncoder(fast=fast_too)
    for row, vector in zip(LABELS + QUESTIONS, fast if fast_too else exact, strict=True):
        assert np.abs(alone.encode([row])[0] - vector).max() < 1e-5


def test_parts_and_threads_give_the_same_vectors(monkeypatch, exact):
    monkeypatch.setattr(minilm, "_CHUNK", 3)
    monkeypatch.setattr(minilm, "_cores", lambda: 3)
    calls = []
    again = MiniLMEncoder().encode(LABELS + QUESTIONS, progress=lambda *call: calls.append(call))
    assert np.abs(again - exact).max() < 1e-5
    assert calls[-1] == ("encode", 10, 10) and [done for _, done, _ in calls] == sorted(c[1] for c in calls)


def test_cores_are_those_the_process_may_use(monkeypatch):
    monkeypatch.setattr(minilm.os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    for asked, expected in (("2", 2), ("9", 4), ("0", 1), ("", 4), ("x", 4)):
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
        assert minilm._cores() == expected


def test_word_vectors_are_means_of_the_published_models_last_layer():
    from sentence_transformers import SentenceTransformer

    peer = SentenceTransformer(str(packaged_model()), device="cpu", local_files_only=True)
    text = "Who founded Googleplexia in 1998?"
    states = peer.encode([text], output_value="token_embeddings", show_progress_bar=False)[0].numpy()
    encoding = peer.tokenizer(text, return_offsets_mapping=True)
    ((spans, vectors),) = MiniLMEncoder(fast=True).encode_words([text])
    assert [text[start:end] for start, end in spans] == WORD.findall(text)
    for (start, end), vector in zip(spans, vectors, strict=True):
        places = [
            n for n, (a, b) in enumerate(encoding["offset_mapping"]) if a < b and start <= a and b <= end
        ]
        mean = states[places].mean(0)
        assert places and np.abs(mean / np.linalg.norm(mean) - vector).max() < 1e-5


def test_a_text_without_words_has_no_word_vectors():
    (spans, vectors), (one, _) = MiniLMEncoder().encode_words(["?!", "why?"])
    assert spans == [] and vectors.shape == (0, 384) and one == [(0, 3)]


def test_the_graphs_that_ship_are_those_that_the_script_makes():
    import onnx
    from safetensors.numpy import load_file

    folder = minilm.GRAPHS
    assert graph({}) == (folder / "exact.onnx").read_bytes()
    assert reading_graph() == (folder / "reading.onnx").read_bytes()
    model = onnx.load(folder / "fast.onnx", load_external_data=False)
    zeros = {
        i.name.removesuffix(".zero"): int(onnx.numpy_helper.to_array(i))
        for i in model.graph.initializer
        if i.name.endswith(".zero")
    }
    assert graph(zeros) == (folder / "fast.onnx").read_bytes()
    assert zeros.keys() == load_file(folder / "fast.safetensors").keys() < set(product_names())


def test_a_model_of_another_shape_is_refused(tmp_path):
    for path in packaged_model().glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 12}))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"config\.json is not that"):
        MiniLMEncoder(tmp_path).encode(["x"])


def test_building_and_searching_need_no_torch(tmp_path):
    code = f"""
import sys
from ontoprompt.embedding import load_encoder
from ontoprompt.index import OntologyIndex, build_index
from ontoprompt.ontology import Ontology, Term
terms = (Term("http://example.org/river", "class", "river"), Term("http://example.org/mayor", "property", "mayor"))
build_index(Ontology(terms), {str(tmp_path / "index")!r}, encoder=load_encoder("fast"))
print(OntologyIndex.load({str(tmp_path / "index")!r}).search("Which stream is longest?", 1)[0].term.label)
print([m for m in ("torch", "transformers", "sentence_transformers", "onnx") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["river", "[]"]
