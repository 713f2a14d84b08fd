"""`ontoprompt train`: what it says, what it refuses, and that what it leaves is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ontoprompt.cli import main


@pytest.fixture(autouse=True)
def _another_run() -> None:
    """Accelerate keeps the settings of a process's first run."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    names = ("Australia", "France", "Chad", "Peru", "Mali", "Fiji", "Cuba", "Oman")
    rows = [
        {"question": f"What is the capital of {n}?", "sparql": f"SELECT ?a {{ dbr:{n} dbo:capital ?a }}"}
        for n in names
    ]
    bad = ["not json", json.dumps({"question": "Who is this person?", "sparql": "SELECT nothing"})]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join([*map(json.dumps, rows), *bad]), encoding="utf-8")
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_a_model_is_tuned_and_says_what_became_of_the_pairs(
    pairs: Path, graph: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "tuned"
    size = ("--steps", 4, "--batch", 4, "--micro-batch", 2, "--held-out", 2, "--evaluate-every", 2)
    flags = ("--ontology", graph, "--model", tiny_model, "--method", "lora", "--rank", 2, *size)
    done = run("train", pairs, "--out", out, *flags)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith(f"{out}: 16 examples seen in ")
    assert "of 2 held out" in done.stdout and done.stdout.count("\n") == 1
    assert "left out: 1 × a line that is not JSON (first: pairs.jsonl, line 9)" in done.stderr
    assert "(first: pairs.jsonl, line 10)" in done.stderr
    assert len((out / "skipped.jsonl").read_text().splitlines()) == 2
    assert "LoRA adapter of rank 2" in (out / "README.md").read_text()
    # The prompts are those that the model was trained on.
    assert json.loads((out / "training.json").read_text())["config"]["variant"] == "nsql-symbols"
    asked = run("ask", "What is the capital of France?", "--kg", graph, "--model", out, "--json")
    assert asked.exit_code in (0, 3), asked.stderr


def test_a_small_model_is_made_and_measured(pairs: Path, graph: Path, tmp_path: Path) -> None:
    out = tmp_path / "made"
    size = ("--layers", 1, "--width", 64, "--vocabulary", 400, "--steps", 2)
    done = run("train", pairs, "--out", out, "--ontology", graph, *size, "--held-out", 2)
    assert done.exit_code == 0, done.stderr
    assert "best at step 2" in done.stdout and "left out: 1 × a line that is not JSON" in done.stderr
    assert "a CodeGen model from nothing" in (out / "README.md").read_text()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--rank", "4"), "--rank is for a model that is tuned."),
        (("--prompt", "nsql"), "--prompt is for a model that is tuned."),
        (("--model", "MODEL", "--layers", "2"), "--layers is for a model made from nothing."),
        (("--held-out", "nowhere.jsonl"), "--held-out names no file: nowhere.jsonl."),
        (("--model", "/no/such/model"), "There is no folder /no/such/model."),
        (("--model", "MODEL", "--prompt", "odd"), "There is no prompt variant 'odd'."),
        (("--weight", "1", "--weight", "2"), "There are 2 weights for 1 sets of pairs."),
        (("--reranker",), "A reranker is trained on what search finds."),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    flags: tuple[str, ...], said: str, pairs: Path, graph: Path, tiny_model: Path, tmp_path: Path
) -> None:
    given = [str(tiny_model) if flag == "MODEL" else flag for flag in flags]
    done = run("train", pairs, "--out", tmp_path / "out", "--ontology", graph, *given)
    assert done.exit_code in (2, 5) and said in done.stderr and not done.stdout
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_nothing_to_train_on_is_said_with_the_reason(tmp_path: Path, graph: Path) -> None:
    (path := tmp_path / "broken.jsonl").write_text("{}\nnot json\n")
    done = run("train", path, "--out", tmp_path / "out", "--ontology", graph)
    assert done.exit_code == 2 and "broken.jsonl, line 2" in done.stderr
