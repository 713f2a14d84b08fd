"""The model card and the curves: what they say is what the run was."""

from __future__ import annotations

import builtins
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ontoprompt.alignment import aligner
from ontoprompt.held_out import HeldOutPairs
from ontoprompt.training_data import DataFile, Skipped, TrainingData
from ontoprompt.training_report import Run, card, curves, weights_of, write_report

EVALUATIONS = [
    {"step": s, "n": 7, "loss": 1.5 - s / 40, "exact": e, "suite": e, "unwritten": 1, "seconds": 1.0}
    for s, e in ((0, 0.1), (20, 0.6), (40, 0.5))
]
LOG = [{"step": s, "loss": 2.0 - s / 40, "rate": 1e-4} for s in (1, 10, 20, 30, 40)]
DATA = TrainingData(
    ((1.0, ()),),
    (),
    {},
    {},
    aligner([]),
    (DataFile("some|pairs.jsonl", "ab" * 32, 100, 90),),
    (Skipped("a query that does not parse", "some.jsonl", 4, "Who?"),) * 3,
    HeldOutPairs((), 0),
    templates=1234,
)
RUN = Run(
    {"method": "lora", "variant": "nsql", "rank": 4, "seed": 3},
    {"step": 40, "seen": 1280, "minutes": 1.5, "loss": 0.7, "too_long": 5},
    EVALUATIONS[1],
    DATA,
    base="org/base",
    base_files={"model.safetensors": "cd" * 32},
    processes=2,
)


def test_the_card_says_what_the_run_was() -> None:
    said = card("mine", RUN, EVALUATIONS, picture=True)
    for fact in (
        "`org/base` with a LoRA adapter of rank 4",
        f"SHA-256 `{'cd' * 32}`",
        f"| some\\|pairs.jsonl | 100 | 90 | `{'ab' * 32}` |",
        "| 0 | 0.1 | 0.1 | 1.5 | 1 |",
        "| 20 | 0.6 | 0.6 | 1.0 | 1 |",
        "| 40 | 0.5 | 0.5 | 0.5 | 1 |",
        "those of step 20, the best",
        "3 × a query that does not parse (first: some.jsonl, line 4)",
        "1,234 pairs made from templates",
        "5 examples were drawn again",
        "2 processes; 40 steps, 1,280 examples",
        "| seed | 3 |",
        "](curves.svg)",
    ):
        assert fact in said, fact
    assert "licence" in said.lower() and "apache" not in said.lower()


def test_without_a_measurement_the_card_claims_none() -> None:
    said = card("mine", replace(RUN, best=None), (), picture=False)
    assert "Nothing was held out" in said and "suite accuracy" not in said and "curves.svg" not in said


def test_curves_are_drawn_alike_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = curves(LOG, EVALUATIONS)
    assert drawn.startswith(b"<?xml") and drawn == curves(LOG, EVALUATIONS)
    assert len(curves(LOG, ())) < len(drawn) and curves((), ()) == b""
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    assert curves(LOG, EVALUATIONS) == b""


def test_everything_is_left_beside_the_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in LOG))
    (tmp_path / "evaluations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in EVALUATIONS))
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    write_report(tmp_path, RUN)
    facts = json.loads((tmp_path / "training.json").read_text())
    assert facts["config"]["variant"] == "nsql" and facts["step"] == 40 and facts["best"]["step"] == 20
    assert len((tmp_path / "skipped.jsonl").read_text().splitlines()) == 3
    assert (tmp_path / "curves.svg").stat().st_size > 5000
    assert set(weights_of(str(tmp_path))) == {"model.safetensors"} and weights_of("org/base") == {}
