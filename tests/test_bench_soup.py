"""The mean of checkpoints: of all that is trained, and of nothing that does not fit together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.soup import WEIGHTS, mean
from ontoprompt.errors import ArtifactError, UsageError
from ontoprompt.generation import TransformersGenerator
from ontoprompt.grounding import Grounding


@pytest.fixture
def runs(tiny_model: Path, tmp_path: Path) -> list[Path]:
    """Two checkpoints, the second one more in every number."""
    out = []
    for number in range(2):
        folder = tmp_path / str(number)
        shutil.copytree(tiny_model, folder)
        Grounding.new(64).save(folder)
        for name in WEIGHTS:
            tensors = {key: value + number for key, value in load_file(folder / name).items()}
            kept = {"format": "pt", "encoder": Grounding.new(64).senses.encoder.fingerprint}
            save_file(tensors, folder / name, metadata=kept)
        told = {"config": {"variant": "nsql-symbols", "seed": number}, "seen": 10 * number}
        (folder / "training.json").write_text(json.dumps(told))
        out.append(folder)
    return out


def test_every_number_is_the_mean_and_the_records_say_of_what(runs: list[Path], tmp_path: Path) -> None:
    mean(runs, tmp_path / "mean")
    for name in WEIGHTS:
        first, got = load_file(runs[0] / name), load_file(tmp_path / "mean" / name)
        assert first.keys() == got.keys()
        for key, value in first.items():
            assert torch.allclose(got[key].float(), value.float() + 0.5, atol=2e-3)
            assert got[key].dtype == value.dtype
    told = json.loads((tmp_path / "mean" / "training.json").read_text())
    assert [one["seed"] for one in told["mean_of"]] == [0, 1]
    assert TransformersGenerator(tmp_path / "mean").grounding is not None


def test_what_does_not_fit_together_is_refused(runs: list[Path], tmp_path: Path) -> None:
    tokenizer = runs[1] / "tokenizer.json"
    whole = tokenizer.read_text()
    tokenizer.write_text(whole + " ")
    with pytest.raises(UsageError, match="tokenizers"):
        mean(runs, tmp_path / "x")
    tokenizer.write_text(whole)
    weights = load_file(runs[1] / "model.safetensors")
    weights.pop(next(iter(weights)))
    save_file(weights, runs[1] / "model.safetensors")
    with pytest.raises(UsageError, match="shapes"):
        mean(runs, tmp_path / "x")
    (runs[1] / "model.safetensors").unlink()
    with pytest.raises(ArtifactError):
        mean(runs, tmp_path / "x")
