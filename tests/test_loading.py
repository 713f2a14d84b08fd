"""How models are loaded: CodeGen2's order of heads, quantised weights on a processor, tokens of a start, the flags."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from bench.grammar_fuzz import random_model
from ontoprompt import sparql
from ontoprompt.base_model import load_base
from ontoprompt.cli import main
from ontoprompt.cli_models import load_options
from ontoprompt.errors import ArtifactError, UsageError
from ontoprompt.fragment import Fragment, ScoredTerm
from ontoprompt.generation import LoadOptions, Request, TransformersGenerator, open_generator
from ontoprompt.grammar import Vocabulary, build_grammar
from ontoprompt.light import LightGenerator
from ontoprompt.loading import load
from ontoprompt.ontology import Term
from ontoprompt.prompts import build_prompt
from ontoprompt.training_config import TuneConfig

EX = "http://example.org/"
TERMS = (
    Term(EX + "Country", "class", "country"),
    Term(EX + "capital", "object_property", "capital", domain=(EX + "Country",)),
)


def request() -> Request:
    prompt = build_prompt(
        Fragment("Which countries have a capital?", tuple(ScoredTerm(t, 1.0) for t in TERMS)), "nsql"
    )
    return Request(prompt, build_grammar(Vocabulary(prompt.of("class"), prompt.of("property"))))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_model(tmp_path_factory.mktemp("random"), seed=5)


# --- CodeGen2 --------------------------------------------------------------------------------------------

WIDTH, HEADS = 1024, 8


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Path:
    """A plain CodeGen with heads of 128."""
    from transformers import CodeGenConfig, CodeGenForCausalLM

    out = tmp_path_factory.mktemp("plain")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folder / name, out / name)
    size = json.loads((folder / "config.json").read_text())["vocab_size"]
    torch.manual_seed(1)
    shape = CodeGenConfig(
        vocab_size=size, n_positions=512, n_embd=WIDTH, n_layer=2, n_head=HEADS, rotary_dim=64, bos_token_id=0, eos_token_id=0, tie_word_embeddings=False
    )  # fmt: skip
    model = CodeGenForCausalLM(shape)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    model.save_pretrained(out)
    return out


def in_blocks(weight: Any, blocks: int) -> Any:
    """A projection's rows, taken apart into queries, values and keys as four blocks hold them, in `blocks` blocks."""
    queries, values, keys = (
        torch.cat([weight.view(4, 3, WIDTH // 4, WIDTH)[b, part] for b in range(4)]) for part in range(3)
    )
    each = WIDTH // blocks
    return torch.cat(
        [part[b * each : (b + 1) * each] for b in range(blocks) for part in (queries, values, keys)]
    )


@pytest.fixture(scope="module")
def codegen2(tmp_path_factory: pytest.TempPathFactory, plain: Path) -> Path:
    """The same model as CodeGen2 would keep it."""
    from safetensors.torch import load_file, save_file

    out = tmp_path_factory.mktemp("codegen2")
    shutil.copytree(plain, out, dirs_exist_ok=True)
    weights = load_file(plain / "model.safetensors")
    for name in weights:
        if name.endswith("qkv_proj.weight"):
            assert torch.equal(in_blocks(weights[name], 4), weights[name])
            weights[name] = in_blocks(weights[name], 8).contiguous()
    save_file(weights, out / "model.safetensors", {"format": "pt"})
    config = json.loads((plain / "config.json").read_text())
    # What its own config.json has: code of its own, which nobody asked for.
    auto = {
        "AutoModelForCausalLM": "modeling_codegen.CodeGenForCausalLM",
        "AutoConfig": "configuration_codegen.CodeGenConfig",
    }
    (out / "config.json").write_text(json.dumps({**config, "head_dim": WIDTH // HEADS, "auto_map": auto}))
    return out


def logits(model: Any) -> Any:
    torch.manual_seed(2)
    with torch.inference_mode():
        return model(torch.randint(1, 400, (2, 24))).logits.float()


def test_codegen2_gives_what_the_same_weights_give_in_codegen(plain: Path, codegen2: Path) -> None:
    right = logits(load(str(plain), LoadOptions())[0])
    assert torch.allclose(logits(load(str(codegen2), LoadOptions())[0]), right, atol=1e-4)
    from transformers import CodeGenForCausalLM

    as_it_lies = CodeGenForCausalLM.from_pretrained(codegen2)
    assert not torch.allclose(logits(as_it_lies), right, atol=1e-1)


def test_codegen2_is_ordered_quantised_and_in_parts_too(plain: Path, codegen2: Path, tmp_path: Path) -> None:
    options = LoadOptions(quantize="8bit")
    right, found = (logits(load(str(f), options)[0]) for f in (plain, codegen2))
    assert torch.allclose(found, right, atol=1e-2 * float(right.abs().max()))
    places = {"transformer.wte": "cpu", "transformer.drop": "cpu", "transformer.h.0": "cpu", "transformer.h.1": "disk", "transformer.ln_f": "cpu", "lm_head": "cpu"}  # fmt: skip
    split = LoadOptions(device_map=places, offload_folder=str(tmp_path))
    assert torch.allclose(
        logits(load(str(codegen2), split)[0]), logits(load(str(plain), LoadOptions())[0]), atol=1e-4
    )


def test_the_light_engine_leaves_codegen2_to_transformers(plain: Path, codegen2: Path) -> None:
    assert isinstance(open_generator(str(plain)), LightGenerator)
    config = codegen2 / "config.json"
    kept = config.read_text()
    try:
        config.write_text(json.dumps({k: v for k, v in json.loads(kept).items() if k != "auto_map"}))
        assert isinstance(open_generator(str(codegen2)), TransformersGenerator)
    finally:
        config.write_text(kept)


def test_what_is_trained_on_codegen2_is_a_plain_codegen(plain: Path, codegen2: Path, tmp_path: Path) -> None:
    right = logits(load(str(plain), LoadOptions())[0])
    base = load_base(TuneConfig(model=str(codegen2)))
    base.model.save_pretrained(tmp_path)
    base.tokenizer.save_pretrained(tmp_path)
    assert "head_dim" not in json.loads((tmp_path / "config.json").read_text())
    assert torch.allclose(logits(load(str(tmp_path), LoadOptions())[0]), right, atol=1e-4)


# --- quantised weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "bytes_each", "agreement"), [("8bit", 1.0, 0.99), ("4bit", 0.5625, 0.9)])
def test_quantised_weights_take_less_and_say_nearly_the_same(
    plain: Path, kind: str, bytes_each: float, agreement: float
) -> None:
    whole, small = load(str(plain), LoadOptions())[0], load(str(plain), LoadOptions(quantize=kind))[0]
    layers = sum(p.numel() for n, p in whole.named_parameters() if p.dim() == 2 and ".h." in n)
    saved = whole.get_memory_footprint() - small.get_memory_footprint()
    assert saved == pytest.approx(layers * (4 - bytes_each), rel=0.1 if kind == "4bit" else 0.02)
    right, found = logits(whole).flatten(), logits(small).flatten()
    assert float(torch.nn.functional.cosine_similarity(right, found, dim=0)) > agreement


def test_a_quantised_model_writes_queries_and_nothing_else_is_said(plain: Path) -> None:
    code = (
        "import sys; from tests.test_loading import request; from ontoprompt.generation import *\n"
        "generator = TransformersGenerator(sys.argv[1], LoadOptions(quantize=sys.argv[2]))\n"
        "print(generator.generate([request()], candidates=2)[0][0].sparql)"
    )
    for kind in ("8bit", "4bit"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(plain), kind], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0 and done.stderr == ""
        assert sparql.parse(done.stdout).form in ("select", "ask")


def test_without_bitsandbytes_it_is_said_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ArtifactError, match="bitsandbytes") as raised:
        load(str(folder), LoadOptions(quantize="4bit"))
    assert "ontoprompt[quantize]" in raised.value.hint


# --- a token of a start ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Llama with a tokenizer of Llama 2's kind: spaces as a sign of their own, bytes for what it does not know,
    a token of a start."""
    from tokenizers import Tokenizer, decoders, models, normalizers, processors, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    out = tmp_path_factory.mktemp("llama")
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = ["<unk>", "<s>", "</s>", *(f"<0x{i:02X}>" for i in range(256))]
    text = [
        request().prompt.text,
        "SELECT DISTINCT ?a WHERE { ?a a ?b . ?b ?c ?d }",
        "ASK WHERE { COUNT ( ) } GROUP BY HAVING",
    ]
    tokenizer.train_from_iterator(text * 3, trainers.BpeTrainer(vocab_size=900, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(out)
    torch.manual_seed(4)
    shape = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=2048, bos_token_id=1, eos_token_id=2
    )  # fmt: skip
    LlamaForCausalLM(shape).save_pretrained(out)
    return out


def first_tokens(generator: TransformersGenerator, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the model is given to read first."""
    import ontoprompt.torch_runner as runner

    seen: list[Any] = []
    kept = runner.decode

    def noted(model: Any, ids: Any, *rest: Any, **more: Any) -> Any:
        seen.append(ids)
        return kept(model, ids, *rest, **more)

    monkeypatch.setattr(runner, "decode", noted)
    (found,) = generator.generate([request()], candidates=2)
    assert sparql.parse(found[0].sparql).form in ("select", "ask")
    return [int(i) for i in seen[0][0][:2]]


def test_a_model_taught_to_begin_with_a_token_is_given_it(
    llama: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = TransformersGenerator(llama)
    assert first_tokens(generator, monkeypatch)[0] == generator.tokenizer.bos_token_id == 1
    assert first_tokens(TransformersGenerator(folder), monkeypatch)[0] != 0
    # One that was trained here was trained without.
    shutil.copytree(llama, tmp_path / "m")
    (tmp_path / "m" / "training.json").write_text(json.dumps({"config": {"variant": "nsql"}}))
    assert first_tokens(TransformersGenerator(tmp_path / "m"), monkeypatch)[0] != 1


# --- flags -----------------------------------------------------------------------------------------------


def test_flags_become_options() -> None:
    given: dict[str, Any] = {"dtype": "bfloat16", "quantize": None, "device_map": None, "max_memory": "0=20GiB, cpu=60gib,1=9.5GB", "offload_folder": None, "trust_remote_code": False, "top_k": 3}  # fmt: skip
    options = load_options(given)
    assert options == LoadOptions(dtype="bfloat16", max_memory={0: "20GiB", "cpu": "60GiB", 1: "9.5GB"})
    assert given == {"top_k": 3} and load_options({"dtype": None, "trust_remote_code": False}) is None


@pytest.mark.parametrize("text", ["20GiB", "0=20", "gpu=20GiB", "0=20GiB,", "0=-1GiB"])
def test_memory_that_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="what each device may hold"):
        load_options({"max_memory": text})


def test_a_question_is_asked_of_a_model_in_eight_bits(plain: Path) -> None:
    done = CliRunner().invoke(
        main,
        [
            "ask",
            "What is the capital of France?",
            "--model",
            str(plain),
            "--quantize",
            "8bit",
            "--candidates",
            "1",
            "--no-execute",
        ],
    )
    assert done.exit_code in (0, 3, 4) and "Traceback" not in done.output
