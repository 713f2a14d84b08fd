"""Where a model would go on GPUs that are not here: sizes against sums made independently."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ontoprompt.errors import ArtifactError, UsageError
from ontoprompt.planning import plan

# Layers, width, heads of the published CodeGen checkpoints; their vocabulary has 51,200 rows.
SHAPES = {"350M": (20, 1024, 16), "2B": (32, 2560, 32), "6B": (33, 4096, 16), "16B": (34, 6144, 24)}
VOCABULARY = 51_200


def parameters(layers: int, width: int) -> int:
    """By hand: a layer has one norm, attention of four square matrices, two matrices of four times the width with
    their biases; the table, a last norm, and a head of its own with a bias."""
    layer = 2 * width + 4 * width * width + 8 * width * width + 5 * width
    return layers * layer + VOCABULARY * width + 2 * width + VOCABULARY * width + VOCABULARY


def configuration(folder: Path, name: str) -> str:
    layers, width, heads = SHAPES[name]
    (folder / "config.json").write_text(
        json.dumps(
            {
                "architectures": ["CodeGenForCausalLM"],
                "model_type": "codegen",
                "n_layer": layers,
                "n_embd": width,
                "n_head": heads,
                "n_positions": 2048,
                "n_ctx": 2048,
                "rotary_dim": 64,
                "vocab_size": VOCABULARY,
                "tie_word_embeddings": False,
            }
        )
    )
    return str(folder)


def amounts(lines: list[str]) -> dict[str, float]:
    return {m[1]: float(m[2]) for line in lines if (m := re.match(r"  (?:GPU )?(\w+): ([\d.]+) GiB", line))}


@pytest.mark.parametrize("name", SHAPES)
def test_sizes_are_those_of_the_shape(tmp_path: Path, name: str) -> None:
    lines = plan(configuration(tmp_path, name), "2x80GiB")
    count = parameters(*SHAPES[name][:2])
    stated = int(re.search(r"([\d,]+) M parameters", lines[0])[1].replace(",", ""))  # type: ignore[index]
    assert stated == round(count / 1e6)
    gibibytes = count * 2 / 1024**3
    assert float(re.search(r"([\d.]+) GiB of weights", lines[0])[1]) == pytest.approx(gibibytes, abs=0.01)  # type: ignore[index]
    assert sum(amounts(lines).values()) == pytest.approx(gibibytes, abs=0.03)
    assert lines[-1] == "Fits on the GPUs."


def test_what_does_not_fit_one_card_goes_over_several_and_then_to_the_processor(tmp_path: Path) -> None:
    name = configuration(tmp_path, "6B")
    over_two = amounts(plan(name, "2x10GiB"))
    assert set(over_two) == {"0", "1"} and all(size <= 9.0 for size in over_two.values())
    too_small = plan(name, "1x4GiB")
    assert amounts(too_small)["cpu"] > 8 and "offloaded" in too_small[-1]


@pytest.mark.parametrize(("kind", "least", "most"), [("8bit", 0.5, 0.6), ("4bit", 0.25, 0.4)])
def test_quantised_weights_take_their_share(tmp_path: Path, kind: str, least: float, most: float) -> None:
    name = configuration(tmp_path, "2B")
    whole, less = (
        sum(amounts(plan(name, "1x80GiB")).values()),
        sum(amounts(plan(name, "1x80GiB", kind)).values()),
    )
    assert least < less / whole < most


def test_nothing_is_said_beside_the_plan(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    plan(configuration(tmp_path, "350M"), "1x8GiB")
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize("gpus", ["", "24GiB", "0x24GiB", "2x", "2x0GiB", "twox24GiB"])
def test_gpus_that_are_no_gpus(tmp_path: Path, gpus: str) -> None:
    with pytest.raises(UsageError, match="how many GPUs"):
        plan(configuration(tmp_path, "350M"), gpus)


def test_a_configuration_that_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ArtifactError, match="could not be had"):
        plan(str(tmp_path), "1x24GiB")
