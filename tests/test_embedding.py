import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ontoprompt.embedding import Adapter, MiniLMEncoder, load_encoder
from ontoprompt.errors import ArtifactError, UsageError

TEXTS = ["Who is the mayor of Berlin?", "a", "élan vital 東京 🙂", "", "population total", "word " * 400]


@pytest.fixture(scope="module")
def vectors():
    return load_encoder().encode(TEXTS)


def test_the_lean_forward_pass_equals_sentence_transformers(vectors):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(MiniLMEncoder()._folder), device="cpu", local_files_only=True)
    assert np.abs(model.encode(TEXTS, show_progress_bar=False) - vectors).max() < 1e-5


def test_vectors_are_of_length_one_and_do_not_depend_on_their_neighbours(vectors):
    encoder = load_encoder()
    assert vectors.shape == (len(TEXTS), encoder.dimension) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(encoder.encode(TEXTS[4:5]), vectors[4:5], atol=1e-5)
    assert encoder.encode([]).shape == (0, encoder.dimension)


def test_progress_ends_at_the_number_of_texts():
    calls = []
    load_encoder().encode(TEXTS[:3], progress=lambda *call: calls.append(call))
    assert calls[-1] == ("encode", 3, 3)


def test_loading_the_default_encoder_imports_nothing_heavy():
    code = (
        "import sys; from ontoprompt.embedding import load_encoder; load_encoder().fingerprint; "
        "print([m for m in ('torch', 'transformers', 'sentence_transformers', 'faiss', 'onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_encoding_needs_neither_torch_nor_transformers_nor_sentence_transformers():
    code = (
        "import sys; from ontoprompt.embedding import load_encoder; load_encoder().encode(['x']); "
        "print([m for m in ('torch', 'transformers', 'sentence_transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def small_model(folder: Path) -> Path:
    """A BERT of width 32 with random weights, as sentence-transformers saves it."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "who", "rules"])}
    tokenizer = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder / "bert")
    fast.save_pretrained(folder / "bert")
    body = Transformer(str(folder / "bert"))
    SentenceTransformer(modules=[body, Pooling(32)], device="cpu").save(str(folder / "model"))
    return folder / "model"


def test_any_sentence_transformers_folder_is_an_encoder(tmp_path):
    folder = small_model(tmp_path)
    encoder, again = load_encoder(str(folder)), load_encoder(str(folder))
    vectors = encoder.encode(["who rules", "who"])
    assert vectors.shape == (2, 32) == (2, encoder.dimension)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert encoder.fingerprint == again.fingerprint != load_encoder().fingerprint


def test_a_missing_encoder_is_said_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match="cannot be loaded"):
        load_encoder(str(tmp_path / "empty"))
    with pytest.raises(UsageError):
        load_encoder(" ")
    with pytest.raises(ArtifactError, match="missing or damaged"):
        MiniLMEncoder(tmp_path)


def test_the_fingerprint_follows_the_files(tmp_path):
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (tmp_path / name).write_bytes(b'{"hidden_size": 4}')
    first = MiniLMEncoder(tmp_path).fingerprint
    assert first == MiniLMEncoder(tmp_path).fingerprint
    for name in ("tokenizer.json", "model.safetensors"):
        before = MiniLMEncoder(tmp_path).fingerprint
        (tmp_path / name).write_bytes(b'{"hidden_size": 4} ')
        assert MiniLMEncoder(tmp_path).fingerprint != before
    with pytest.raises(ArtifactError, match="missing or damaged"):
        MiniLMEncoder(tmp_path).encode(["x"])


def test_an_adapter_comes_back_as_it_was_saved(tmp_path):
    random = np.random.default_rng(0)
    parts = [
        random.normal(size=shape).astype(np.float16).astype(np.float32) for shape in ((4, 4), (4, 4), (5, 3))
    ]
    adapter = Adapter(*parts, {"http://example.org/élan": 0.5, "http://example.org/b": -0.25})
    adapter.save(tmp_path / "a.safetensors")
    again = Adapter.load(tmp_path / "a.safetensors")
    for name in ("question", "term", "prior"):
        assert np.array_equal(getattr(again, name), getattr(adapter, name))
    assert again.bias == adapter.bias
    x = random.normal(size=(2, 4)).astype(np.float32)
    assert np.allclose(again.apply_question(x), x @ parts[0], atol=1e-6)
    assert np.allclose(Adapter.identity(4).apply_term(x), x)


@pytest.mark.parametrize(
    "shapes", [((4, 3), (4, 3), (5, 1)), ((4, 4), (3, 3), (5, 1)), ((4, 4), (4, 4), (4, 1))]
)
def test_an_adapter_that_does_not_fit_together_is_refused(tmp_path, shapes):
    Adapter(*(np.zeros(shape, np.float32) for shape in shapes)).save(tmp_path / "a.safetensors")
    with pytest.raises(ArtifactError):
        Adapter.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize("content", [b"", b"junk" * 100, b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_a_file_that_is_no_adapter_is_refused(tmp_path, content):
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(ArtifactError, match="cannot be read"):
        Adapter.load(tmp_path / "a.safetensors")
    with pytest.raises(ArtifactError, match="cannot be read"):
        Adapter.load(tmp_path / "none.safetensors")
