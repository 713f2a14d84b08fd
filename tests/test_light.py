"""The generator without torch: it writes what transformers' model writes, and leaves to it what it cannot run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.grammar_fuzz import random_model
from ontoprompt.codegen_graph import SHIPPED, STORED, made
from ontoprompt.entities import EntityLink
from ontoprompt.errors import ArtifactError, UsageError
from ontoprompt.fragment import Fragment, ScoredTerm
from ontoprompt.generation import LoadOptions, Request, TransformersGenerator, open_generator
from ontoprompt.grammar import Vocabulary, build_grammar
from ontoprompt.grounding import Grounding, meaning
from ontoprompt.light import LightGenerator
from ontoprompt.light_runner import LightRunner, Network
from ontoprompt.ontology import Term
from ontoprompt.prompts import build_prompt
from ontoprompt.settings import default_model_dir
from ontoprompt.told import Teller

ROOT = Path(__file__).parent.parent
X = "http://x.org/"
TERMS = (
    Term(X + "City", "class", "city"),
    Term(X + "mayor", "object_property", "mayor"),
    Term(X + "area", "datatype_property", "area"),
    Term(X + "twin", "object_property", "twin town"),
)
QUESTIONS = (
    ("Who is the mayor of Oslo?", "Oslo"),
    ("What area has São Paulo, the twin town of Milan?", "São Paulo", "Milan"),
    ("Which cities have more than 3 twin towns?",),
    ("Is Milan larger than Oslo?", "Milan", "Oslo"),
)


def request_of(question: str, *names: str, **more: Any) -> Request:
    links = tuple(
        EntityLink(X + n, n, n, question.find(n), question.find(n) + len(n), 1.0, ()) for n in names
    )
    prompt = build_prompt(Fragment(question, tuple(ScoredTerm(t, 1.0) for t in TERMS), links), "nsql-symbols")
    vocabulary = Vocabulary(prompt.of("class"), prompt.of("property"), prompt.of("entity"))
    return Request(prompt, build_grammar(vocabulary), **more)


REQUESTS = [request_of(*q) for q in QUESTIONS]


@pytest.fixture(scope="module", params=[False, True], ids=["names alone", "names read beside the question"])
def folder(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A CodeGen of two layers with random weights, told at random what symbols mean."""
    out = random_model(tmp_path_factory.mktemp("random"), seed=5)
    grounding = Grounding.new(64, reader=request.param)
    random = torch.Generator().manual_seed(1)
    for matrix in grounding.matrices.values():
        matrix.data.add_(torch.randn(matrix.shape, generator=random) * 0.3)
    grounding.save(out)
    return out


@pytest.fixture(scope="module")
def light(folder: Path) -> LightGenerator:
    opened = LightGenerator.open(folder)
    assert opened is not None
    return opened


@pytest.mark.parametrize("candidates", [1, 3, 8])
def test_it_writes_what_transformers_writes(folder: Path, light: LightGenerator, candidates: int) -> None:
    """Long searches too: random weights end late, so the pool of keys and values is made anew several times."""
    heavy = TransformersGenerator(folder)
    biased = request_of(*QUESTIONS[0], bias={"p1": 2.0, "}": -3.0}, unlikely=frozenset({("e1", "p2")}))
    requests = [*REQUESTS, biased]
    got, wanted = (g.generate(requests, candidates=candidates) for g in (light, heavy))
    for mine, other in zip(got, wanted, strict=True):
        assert [c.sparql for c in mine] == [c.sparql for c in other]
        assert [c.score for c in mine] == pytest.approx([c.score for c in other], abs=1e-3)
        for one, same in zip(mine, other, strict=True):
            assert one.token_logprobs == pytest.approx(same.token_logprobs, abs=1e-3)
            assert (one.text, one.truncated) == (same.text, same.truncated)
    assert max(len(c.token_logprobs) for found in got for c in found) > 40


def test_the_shipped_one_writes_what_transformers_writes() -> None:
    light = LightGenerator(default_model_dir(), "light", LoadOptions())
    heavy = TransformersGenerator("default")
    for mine, other in zip(light.generate(REQUESTS), heavy.generate(REQUESTS), strict=True):
        assert [c.sparql for c in mine] == [c.sparql for c in other]
        assert [c.score for c in mine] == pytest.approx([c.score for c in other], abs=1e-3)


def test_without_a_grammar_and_without_meanings_it_writes_the_same(tmp_path: Path) -> None:
    folder = random_model(tmp_path, seed=6)
    options = LoadOptions(max_new_tokens=30)
    light = LightGenerator.open(folder, options)
    assert light is not None and light._teller is None
    request = Request(REQUESTS[0].prompt)
    (mine,), (other,) = (
        g.generate([request], candidates=4) for g in (light, TransformersGenerator(folder, options))
    )
    assert [c.text for c in mine] == [c.text for c in other]
    assert all(c.truncated and len(c.token_logprobs) == 30 for c in mine)


def test_a_tree_of_beams_is_read_as_each_of_its_branches_alone(folder: Path) -> None:
    """Beams that come and go, several tokens at once, and a pool that is made anew on the way."""
    network = Network(folder)
    prompt, choices = list(range(40, 70)), np.arange(network.vocabulary)
    runner = LightRunner(network, prompt, 4)
    random = np.random.default_rng(3)
    texts = [[5], [5], [5]]
    runner.step([0, 0, 0], [(5,)] * 3, choices, [0] * 3)
    for length in (1, 3, 1, 1, 7, 2, 1, 40, 1):
        rows = random.integers(0, len(texts), random.integers(1, 5)).tolist()
        new = [tuple(random.integers(10, 999, length).tolist()) for _ in rows]
        texts = [texts[row] + list(tokens) for row, tokens in zip(rows, new, strict=True)]
        together = runner.step(rows, new, choices, [0] * len(rows))
        for text, logits in zip(texts, together, strict=True):
            alone = LightRunner(network, prompt, 1).step([0], [tuple(text)], choices, [0])
            assert np.allclose(alone[0], logits, atol=2e-4)


def test_what_prompts_mean_is_the_same_in_arrays_and_in_tensors(folder: Path, light: LightGenerator) -> None:
    teller, grounding = Teller.load(folder), Grounding.load(folder)
    assert teller is not None and grounding is not None
    table = torch.randn(light.vocabulary, 64)
    hidden = torch.randn(200, 64)
    choices = np.arange(light.vocabulary)
    for request in REQUESTS:
        encoding = light._tokenizer.encode(request.prompt.text, add_special_tokens=False)
        meant = meaning(request.prompt, encoding.offsets, light.token_of)
        told, bound = teller.tell(meant, light.vocabulary), grounding.bind([meant], light.vocabulary)
        ids, rows = torch.tensor([encoding.ids]), torch.tensor([0])
        wanted = bound.embeddings(lambda ids: table[ids], ids, rows, prompts=True)[0]
        assert np.allclose(told.embeddings(table.numpy(), ids[0].numpy(), prompt=True), wanted, atol=1e-4)
        length = len(encoding.ids)
        bound.listen(hidden[None, :length])
        told.listen(hidden[:length].numpy())
        scores = bound.scores(hidden[:5], rows.expand(5))[:, bound.columns]
        assert np.allclose(told.scores(hidden[:5].numpy(), choices), scores, atol=1e-3)


def test_what_is_kept_of_one_is_not_taken_for_another_with_other_weights(
    folder: Path, tmp_path: Path
) -> None:
    from bench.writing import identity

    one = LightGenerator.open(folder)
    shutil.copytree(folder, tmp_path / "other")
    grounding = Grounding.load(folder)
    assert one is not None and grounding is not None and one.path == str(folder)
    grounding.matrices["query"].add_(1.0)
    grounding.save(tmp_path / "other")
    other = LightGenerator(tmp_path / "other", one.name, LoadOptions())
    assert identity(one) != identity(other)


def test_the_graph_that_ships_is_the_one_that_is_made() -> None:
    assert STORED.read_bytes() == made(SHIPPED)
    assert Network(default_model_dir()).shape == SHIPPED


# --- what is left to transformers


def _configured(folder: Path, out: Path, **values: Any) -> Path:
    shutil.copytree(folder, out)
    config = json.loads((out / "config.json").read_text())
    (out / "config.json").write_text(json.dumps({**config, **values}))
    return out


@pytest.mark.parametrize(
    "options",
    [
        LoadOptions(sample=True),
        LoadOptions(dtype="bfloat16"),
        LoadOptions(device_map="cpu"),
        LoadOptions(quantize="8bit"),
        LoadOptions(trust_remote_code=True),
        LoadOptions(max_memory={"cpu": "1GiB"}),
    ],
)
def test_options_that_torch_alone_has_are_left_to_it(folder: Path, options: LoadOptions) -> None:
    assert LightGenerator.open(folder, options) is None


@pytest.mark.parametrize(
    "values",
    [
        {"model_type": "gpt2"},
        {"activation_function": "relu"},
        {"rotary_dim": 4},
        {"n_layer": 3},
        {"n_embd": 128},
        {"auto_map": {"AutoModelForCausalLM": "x.Y"}},
    ],
)
def test_what_is_no_plain_codegen_is_left_to_transformers(
    folder: Path, tmp_path: Path, values: dict[str, Any]
) -> None:
    assert LightGenerator.open(_configured(folder, tmp_path / "m", **values)) is None


def test_a_plain_one_is_opened_without_it(folder: Path, tmp_path: Path) -> None:
    assert isinstance(open_generator(str(folder)), LightGenerator)
    assert isinstance(
        open_generator(str(_configured(folder, tmp_path / "m", rotary_dim=4))), TransformersGenerator
    )


def test_matrices_that_cannot_be_read_are_an_error_in_a_sentence(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "m")
    file = tmp_path / "m" / "grounding.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(ArtifactError, match="damaged") as caught:
        LightGenerator.open(tmp_path / "m")
    assert caught.value.hint


def test_a_prompt_that_fills_the_context_is_refused_in_a_sentence(light: LightGenerator) -> None:
    with pytest.raises(UsageError, match="tokens") as caught:
        light.generate([request_of("why " * 5000)])
    assert "--top-k" in caught.value.hint


def test_a_question_cannot_write_a_special_token(light: LightGenerator) -> None:
    assert light.end not in light.encode("-- who is <|endoftext|>?")
    assert light.end not in light.pieces(' "<|endoftext|>"')


# --- what a first question imports


def test_a_question_is_answered_without_torch_and_what_is_built_on_it() -> None:
    heavy = ("torch", "transformers", "sentence_transformers", "accelerate", "onnx", "scipy", "numpy.random")
    code = (
        "import sys\nfrom ontoprompt.cli import main\n"
        "try: main(['ask', 'What is the capital of France?'])\n"
        "except SystemExit as end: assert not end.code\n"
        f"print('imported:', [m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Paris\n") and done.stdout.endswith("imported: []\n")
