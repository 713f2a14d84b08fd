"""Tuning any causal model: all weights, an adapter, new weights; over processes; killed and continued; measured and kept."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ontoprompt.alignment import aligner
from ontoprompt.base_model import ModelTokens, load_base
from ontoprompt.cli import main
from ontoprompt.errors import ArtifactError, UsageError
from ontoprompt.generation import Request, TransformersGenerator
from ontoprompt.grammar import Vocabulary, build_grammar
from ontoprompt.held_out import HeldOutPairs
from ontoprompt.ontology import Ontology, Term
from ontoprompt.pairs import Labels, Pair, PreparedPair, prepare, to_prompt, to_target
from ontoprompt.query_loss import plain_loss
from ontoprompt.training import make_tokenizer
from ontoprompt.training_config import TrainConfig, TuneConfig
from ontoprompt.training_data import TrainingData
from ontoprompt.tuning import tune

DBO = "http://dbpedia.org/ontology/"
NAMES = ("capital", "mayor", "river", "lake")
TERMS = tuple(Term(DBO + name, "object_property", name) for name in NAMES)
LABELS = Labels([Ontology(TERMS, (), {})])


def pair(name: str, place: str) -> PreparedPair:
    question = f"What is the {name} of {place}?"
    return prepare(Pair(question, f"SELECT DISTINCT ?x {{ dbr:{place} dbo:{name} ?x }}"), LABELS)


PAIRS = tuple(pair(name, place) for name in NAMES for place in ("Norway", "Peru", "Kenya"))
HELD = tuple(pair(name, "Chad") for name in NAMES)
CONFIG = TuneConfig(
    model="",
    variant="nsql-symbols",
    steps=6,
    batch=4,
    micro_batch=2,
    context=400,
    learning_rate=3e-3,
    warmup=2,
    evaluate_every=1000,
    save_minutes=1000.0,
)


def read(drawing: TrainConfig, fits: Callable[[PreparedPair], bool], held: Any = ()) -> TrainingData:
    assert all(fits(p) for p in PAIRS)
    return TrainingData(((1.0, PAIRS),), TERMS, {}, {}, aligner([]), (), (), HeldOutPairs(tuple(held)), 0)


def read_held(drawing: TrainConfig, fits: Callable[[PreparedPair], bool]) -> TrainingData:
    return read(drawing, fits, HELD)


def make(folder: Path, kind: str) -> Path:
    """A tiny checkpoint of an architecture with random weights, and its tokenizer."""
    import torch
    from transformers import (
        AutoModelForCausalLM,
        CodeGenConfig,
        GPT2Config,
        LlamaConfig,
    )

    from ontoprompt.scratch_model import pretrained

    tokenizer = make_tokenizer([to_prompt(p, "nsql-symbols").text for p in PAIRS], 400)
    size = tokenizer.get_vocab_size()
    shapes: dict[str, Any] = {
        "codegen": lambda: CodeGenConfig(
            vocab_size=size, n_positions=512, n_ctx=512, n_embd=32, n_layer=1, n_head=4, rotary_dim=8
        ),
        "llama": lambda: LlamaConfig(
            vocab_size=size,
            max_position_embeddings=512,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=2,
        ),
        "gpt2": lambda: GPT2Config(vocab_size=size, n_positions=512, n_embd=32, n_layer=1, n_head=2),
    }
    torch.manual_seed(0)
    shape = shapes[kind]()
    shape.bos_token_id = shape.eos_token_id = 0
    AutoModelForCausalLM.from_config(shape).save_pretrained(folder)
    pretrained(tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def _another_run() -> None:
    """Accelerate keeps the settings of a process's first run."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {kind: make(folder / kind, kind) for kind in ("codegen", "llama", "gpt2")}


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["step_loss"] for line in (folder / "log.jsonl").read_text().splitlines()]


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "model.safetensors"))


def written(folder: Path, variant: str = "nsql-symbols") -> str:
    prompt = to_prompt(PAIRS[0], variant)
    vocabulary = Vocabulary((), prompt.of("property"), prompt.of("entity"))
    generator = TransformersGenerator(folder)
    assert generator.variant == variant
    (found,) = generator.generate([Request(prompt, build_grammar(vocabulary))], candidates=1)
    return found[0].sparql


# --- examples


@pytest.mark.parametrize("variant", ["nsql-symbols", "nsql", "turtle"])
def test_an_example_is_what_the_model_is_asked_then_the_query_then_its_end(
    models: dict[str, Path], variant: str
) -> None:
    base = load_base(replace(CONFIG, model=str(models["llama"]), variant=variant))
    prompt = to_prompt(PAIRS[0], variant)
    example = ModelTokens(base)(prompt, to_target(PAIRS[0], prompt))
    asked = base.tokenizer(prompt.text, add_special_tokens=False)["input_ids"]
    assert example.ids[: example.start] == asked
    assert base.tokenizer.decode(example.ids[example.start : -1]).startswith(" SELECT DISTINCT ?a WHERE {")
    assert example.ids[-1] == base.tokenizer.eos_token_id


@pytest.mark.parametrize("kind", ["codegen", "llama", "gpt2"])
def test_the_loss_is_that_of_the_query_alone(models: dict[str, Path], kind: str) -> None:
    import torch

    base = load_base(replace(CONFIG, model=str(models[kind])))
    tokens = ModelTokens(base)
    examples = []
    for one in (PAIRS[0], PAIRS[7]):
        prompt = to_prompt(one, "nsql-symbols", distractors=TERMS if one is PAIRS[0] else ())
        examples.append(tokens(prompt, to_target(one, prompt)))
    alone = 0.0
    for e in examples:
        with torch.no_grad():
            logits = base.model(input_ids=torch.tensor([e.ids])).logits[0].log_softmax(-1)
        alone -= sum(float(logits[i - 1, e.ids[i]]) for i in range(e.start, len(e.ids)))
    assert len({len(e.ids) for e in examples}) == 2
    assert float(plain_loss(base.model, examples).detach()) == pytest.approx(alone, rel=1e-4)


# --- methods


@pytest.mark.parametrize(
    ("kind", "method", "variant"),
    [
        ("codegen", "full", "nsql-symbols"),
        ("codegen", "lora", "nsql"),
        ("llama", "lora", "nsql-symbols"),
        ("gpt2", "lora", "nsql-symbols"),
        ("llama", "scratch", "nsql"),
    ],
)
def test_what_comes_out_is_asked_like_any_model(
    models: dict[str, Path], tmp_path: Path, kind: str, method: str, variant: str
) -> None:
    config = replace(CONFIG, model=str(models[kind]), method=method, variant=variant)
    tune(read, tmp_path, config)
    before, after = weights(models[kind]), weights(tmp_path)
    changed = {name for name in before if not (before[name] == after[name]).all()}
    if method == "lora":
        # Only what the adapter was merged into.
        assert changed and not any("wte" in n or "ln" in n or "norm" in n or "embed" in n for n in changed)
        assert len(changed) == {"codegen": 4, "llama": 7, "gpt2": 1}[kind]
    else:
        assert len(changed) > 8
    assert set(before) == set(after)
    assert written(tmp_path, variant).startswith("SELECT") or written(tmp_path, variant).startswith("ASK")


def test_an_adapter_may_be_kept_and_says_the_same(models: dict[str, Path], tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    config = replace(CONFIG, model=str(models["codegen"]), method="lora", learning_rate=0.05)
    tune(read, tmp_path, replace(config, keep_adapter=True))
    assert not (tmp_path / "adapter" / "model.safetensors").exists()
    ids = torch.tensor([[5, 6, 7, 8]])
    outs = [
        AutoModelForCausalLM.from_pretrained(f)(input_ids=ids).logits
        for f in (tmp_path, tmp_path / "adapter", models["codegen"])
    ]
    assert torch.allclose(outs[0], outs[1], atol=1e-4) and not torch.allclose(outs[0], outs[2], atol=1e-2)


def test_micro_batches_and_checkpointing_change_no_loss(models: dict[str, Path], tmp_path: Path) -> None:
    config = replace(CONFIG, model=str(models["llama"]))
    for name, other in (
        ("one", replace(config, micro_batch=4)),
        ("four", replace(config, micro_batch=1)),
        ("again", replace(config, checkpointing=True)),
    ):
        tune(read, tmp_path / name, other)
    one, four, again = (losses(tmp_path / name) for name in ("one", "four", "again"))
    assert len(one) == 2 and one == pytest.approx(four, abs=1e-4) and one == pytest.approx(again, abs=1e-4)


def test_half_precision_is_near(models: dict[str, Path], tmp_path: Path) -> None:
    from accelerate.state import AcceleratorState

    config = replace(CONFIG, model=str(models["llama"]))
    tune(read, tmp_path / "half", replace(config, precision="bf16"))
    AcceleratorState._reset_state(reset_partial_state=True)
    tune(read, tmp_path / "whole", config)
    whole, half = losses(tmp_path / "whole"), losses(tmp_path / "half")
    assert whole != half and whole == pytest.approx(half, abs=0.1)


# --- killed


def test_a_killed_run_goes_on_to_the_same_losses(models: dict[str, Path], tmp_path: Path) -> None:
    # A dropout of the adapter, so that what is drawn in a step matters too.
    config = replace(
        CONFIG, model=str(models["codegen"]), method="lora", dropout=0.2, steps=30, save_minutes=0.0
    )
    tune(read, tmp_path / "whole", config)

    class KilledError(Exception):
        pass

    def kill(stage: str, done: int, total: int | None) -> None:
        if stage.startswith("training") and done == 20:
            raise KilledError

    with pytest.raises(KilledError):
        tune(read, tmp_path / "killed", config, progress=kill)
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    tune(read, tmp_path / "killed", config)
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole") and len(losses(tmp_path / "whole")) == 4
    first, second = ((tmp_path / f / "model.safetensors").read_bytes() for f in ("whole", "killed"))
    assert first == second


def test_a_folder_of_other_settings_is_not_gone_on_with(models: dict[str, Path], tmp_path: Path) -> None:
    config = replace(CONFIG, model=str(models["codegen"]), steps=2)
    tune(read, tmp_path, config)
    with pytest.raises(ArtifactError, match="another batch, learning_rate"):
        tune(read, tmp_path, replace(config, batch=6, learning_rate=1e-4))
    assert tune(read, tmp_path, replace(config, steps=3))["step"] == 3


# --- measured


def test_the_best_weights_are_kept_and_told_of(models: dict[str, Path], tmp_path: Path) -> None:
    config = replace(CONFIG, model=str(models["llama"]), steps=60, evaluate_every=20, learning_rate=1e-2)
    record = tune(read_held, tmp_path, config)
    rows = [json.loads(line) for line in (tmp_path / "evaluations.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 20, 40, 60] and {row["n"] for row in rows} == {4}
    best = max(rows, key=lambda r: (r["suite"], r["exact"], -r["loss"]))
    assert record["best"]["step"] == best["step"] and best["loss"] < 0.7 * rows[0]["loss"]
    card = (tmp_path / "README.md").read_text()
    assert f"step {best['step']}" in card and "4 held-out pairs" in card and "Licence" in card
    assert (tmp_path / "curves.svg").read_bytes().startswith(b"<?xml")


def test_it_may_end_early_and_leaves_the_best(models: dict[str, Path], tmp_path: Path) -> None:
    # It learns nothing, so that the first evaluation stays the best.
    config = replace(
        CONFIG, model=str(models["llama"]), steps=50, evaluate_every=2, patience=2, learning_rate=1e-12
    )
    assert tune(read_held, tmp_path, config)["step"] < 50
    before, after = weights(models["llama"]), weights(tmp_path)
    assert all((before[name] - after[name]).abs().max() < 1e-6 for name in before)


# --- processes


def launch(folder: Path, data: Path, *more: str, kill_at: int = 0) -> subprocess.CompletedProcess[str]:
    """`accelerate launch` of two processes on the CPU, over gloo; killed outright when the log has `kill_at` lines."""
    package = str(Path(__file__).parent.parent)
    # `--cpu` starts several processes through MPI alone; told by the environment, torch's own launcher does it.
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    command += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    command += [
        "--main_process_port",
        "0",
        "-m",
        "ontoprompt",
        "train",
        str(data),
        "--out",
        str(folder),
        *more,
    ]
    environment = {**os.environ, "PYTHONPATH": package, "OMP_NUM_THREADS": "1"}
    environment["ACCELERATE_USE_CPU"] = "true"
    with subprocess.Popen(
        command,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=folder.parent,
        start_new_session=True,
    ) as started:
        log = folder / "log.jsonl"
        while kill_at and started.poll() is None:
            if log.is_file() and len(log.read_text().splitlines()) >= kill_at:
                os.killpg(started.pid, signal.SIGKILL)
            time.sleep(0.02)
        out, said = started.communicate(timeout=120)
    return subprocess.CompletedProcess(command, started.returncode, out, said)


@pytest.fixture
def data(tmp_path: Path, graph: Path) -> Path:
    names = ("Australia", "France", "Chad", "Peru", "Mali", "Fiji", "Cuba", "Oman")
    rows = [
        {"question": f"What is the capital of {n}?", "sparql": f"SELECT ?a {{ dbr:{n} dbo:capital ?a }}"}
        for n in names
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\nno json\n")
    return path


def test_two_processes_take_the_steps_of_one_and_may_be_killed(
    models: dict[str, Path], data: Path, graph: Path, tmp_path: Path
) -> None:
    more = ["--ontology", str(graph), "--model", str(models["codegen"]), "--prompt", "nsql-symbols"]
    more += ["--steps", "20", "--batch", "6", "--micro-batch", "2", "--save-minutes", "0"]
    more += ["--learning-rate", "0.003", "--held-out", "2", "--evaluate-every", "10"]
    one = CliRunner().invoke(main, ["train", str(data), "--out", str(tmp_path / "one"), *more])
    assert one.exit_code == 0, one.stderr
    killed = launch(tmp_path / "two", data, *more, kill_at=2)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    two = launch(tmp_path / "two", data, *more)
    assert two.returncode == 0, two.stderr
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-4)
    assert len(losses(tmp_path / "one")) == 3
    measured = [
        [json.loads(line) for line in (tmp_path / n / "evaluations.jsonl").read_text().splitlines()]
        for n in ("one", "two")
    ]
    for first, second in zip(*measured, strict=True):
        assert (first["step"], first["n"], first["exact"]) == (second["step"], second["n"], second["exact"])
        assert first["loss"] == pytest.approx(second["loss"], abs=1e-3)
    assert two.stdout.count("examples seen") == 1 and two.stderr.count("left out: 1 × ") == 1
    assert (
        "pairs.jsonl, line 9" in two.stderr and "2 processes" in (tmp_path / "two" / "README.md").read_text()
    )


def test_what_does_not_go_together_is_said(models: dict[str, Path], tmp_path: Path) -> None:
    broken = shutil.copytree(models["llama"], tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(ArtifactError, match="could not be loaded"):
        tune(read, tmp_path / "out", replace(CONFIG, model=str(broken)))
    with pytest.raises(UsageError, match="fp16"):
        tune(read, tmp_path / "out", replace(CONFIG, model=str(models["llama"]), precision="fp16"))
