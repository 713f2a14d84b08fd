"""Where a model would go on GPUs that are not here: sizes against sums made independently."""

from __future__ import annotations

import json
import re
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from ontoprompt import planning
from ontoprompt.errors import ArtifactError, UsageError
from ontoprompt.known_models import KNOWN

# Layers, width, heads of the published CodeGen checkpoints; their vocabulary has 51,200 rows.
SHAPES = {"350M": (20, 1024, 16), "2B": (32, 2560, 32), "6B": (33, 4096, 16), "16B": (34, 6144, 24)}
VOCABULARY = 51_200


def parameters(layers: int, width: int) -> int:
    """By hand: a layer has one norm, attention of four square matrices, two matrices of four times the width with
    their biases; the table, a last norm, and a head of its own with a bias."""
    layer = 2 * width + matrices(1, width) + 5 * width
    return layers * layer + VOCABULARY * width + 2 * width + VOCABULARY * width + VOCABULARY


def matrices(layers: int, width: int) -> int:
    """What is quantised: four square matrices and two of four times the width in each layer."""
    return layers * (4 * width * width + 8 * width * width)


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


def plan(name: str, gpus: str, quantize: str | None = None, **options: Any) -> list[str]:
    """A plan as it is told; for short prompts, so that what is told is mostly of weights."""
    return planning.lines(planning.plan(name, gpus, quantize, **({"tokens": 128, "sequences": 1} | options)))


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


# A 4-bit weight is half a byte and its share of a float32 for each block of 64.
@pytest.mark.parametrize(("kind", "each"), [("8bit", 1.0), ("4bit", 0.5625)])
@pytest.mark.parametrize("name", SHAPES)
def test_quantised_weights_take_their_share(tmp_path: Path, kind: str, each: float, name: str) -> None:
    layers, width, _ = SHAPES[name]
    inside = matrices(layers, width)
    whole = inside * each + (parameters(layers, width) - inside) * 2
    lines = plan(configuration(tmp_path, name), "1x80GiB", kind)
    assert f"{whole / 1024**3:.2f} GiB of weights in {kind}" in lines[0]
    assert sum(amounts(lines).values()) == pytest.approx(whole / 1024**3, abs=0.01)


@pytest.mark.parametrize("kind", [None, "8bit", "4bit"])
@pytest.mark.parametrize("gpus", ["1x2GiB", "2x2GiB", "3x3GiB", "2x7GB", "11x1.5GiB"])
def test_no_card_is_filled_beyond_nine_tenths(tmp_path: Path, gpus: str, kind: str | None) -> None:
    count, size = re.match(r"(\d+)x([\d.]+)", gpus).groups()  # type: ignore[union-attr]
    card = float(size) * (0.9 if gpus.endswith("GiB") else 0.9 * 1000**3 / 1024**3)
    lines = plan(configuration(tmp_path, "6B"), gpus, kind)
    loads = amounts(lines)
    cards = [where for where in loads if where.isdigit()]
    assert len(cards) <= int(count) and cards == sorted(cards, key=int)
    assert all(loads[where] <= card + 0.005 for where in cards)
    assert ("cpu" in loads) == lines[-1].startswith("Does not fit")
    # What is left for the processor would not have fitted as a whole.
    assert "cpu" not in loads or sum(loads.values()) > 0.75 * card * int(count)


@pytest.mark.parametrize(
    "name", ["Salesforce/codegen-350M-multi", "codegen-2B-mono", "NumbersStation/nsql-6B", "codegen-16B-nl"]
)
def test_the_codegen_shapes_need_no_network(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(socket, "socket", None)
    shape = SHAPES[re.search(r"\d+[MB]", name)[0]]  # type: ignore[index]
    lines = plan(name, "1x80GiB")
    assert lines[0].startswith(f"{name}: {parameters(*shape[:2]) / 1e6:,.0f} M parameters")


def test_a_hub_that_does_not_answer_is_given_up_at_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for proxy in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(proxy, raising=False)
        monkeypatch.delenv(proxy.upper(), raising=False)
    began = time.monotonic()
    with pytest.raises(ArtifactError, match="'nobody/nothing' could not be had"):
        plan("nobody/nothing", "1x8GiB")
    assert time.monotonic() - began < 10
    assert "".join(capfd.readouterr()) == ""


def test_code_that_a_configuration_names_is_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "was_run"
    (tmp_path / "own.py").write_text(f"open({str(mark)!r}, 'w')\nclass Own: pass\n")
    own = {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": own}))
    with pytest.raises(ArtifactError, match="could not be had"):
        plan(str(tmp_path), "1x8GiB")
    assert not mark.exists()


def test_nothing_is_said_beside_the_plan(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    recwarn: pytest.WarningsRecorder,
) -> None:
    plan(configuration(tmp_path, "350M"), "2x0.1GiB")
    assert caplog.records == [] and len(recwarn) == 0 and "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize(
    "gpus", ["", "24", "0x24GiB", "2x", "2x0GiB", "twox24GiB", "1x24", "-1x24GiB", "1000x1GiB"]
)
def test_gpus_that_are_no_gpus(tmp_path: Path, gpus: str) -> None:
    with pytest.raises(UsageError, match="how many GPUs"):
        plan(configuration(tmp_path, "350M"), gpus)


def test_a_configuration_that_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ArtifactError, match="could not be had"):
        plan(str(tmp_path), "1x24GiB")


@pytest.mark.parametrize("model", KNOWN, ids=lambda m: m.name)
def test_known_models_have_the_parameters_that_transformers_gives_their_shape(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "socket", None)
    assert planning.plan(model.name, "1x80GiB", tokens=64).parameters == model.parameters


def test_unequal_cards_are_each_filled_by_their_size(tmp_path: Path) -> None:
    found = planning.plan(configuration(tmp_path, "6B"), "8GiB,4GiB,80GiB", tokens=512, sequences=2)
    assert found.fits and [p.name for p in found.places] == ["0", "1", "2"]
    for place, size in zip(found.places, (8, 4, 80), strict=True):
        assert place.size == size * 1024**3
        assert place.weights + place.cache + found.working <= 0.9 * place.size
    assert found.places[0].weights > found.places[1].weights > 0
    assert set(found.device_map.values()) == {0, 1, 2}


def test_the_cache_is_that_of_keys_and_values(tmp_path: Path) -> None:
    layers, width, _ = SHAPES["2B"]
    found = planning.plan(configuration(tmp_path, "2B"), "1x80GiB", tokens=1000, sequences=3)
    assert found.cache == 2 * layers * width * 2 * 1000 * 3
    wide = planning.plan(configuration(tmp_path, "2B"), "1x80GiB", tokens=10**6, dtype="float32")
    assert (wide.tokens, wide.cache) == (2048, 2 * layers * width * 4 * 2048 * 6)


def test_a_model_that_fits_alone_may_not_fit_with_its_cache(tmp_path: Path) -> None:
    name = configuration(tmp_path, "6B")
    assert planning.plan(name, "1x16GiB", tokens=64, sequences=1).fits
    assert not planning.plan(name, "1x16GiB", tokens=2048, sequences=8).fits


def test_a_token_takes_as_long_as_reading_the_weights_once(tmp_path: Path) -> None:
    layers, width, _ = SHAPES["6B"]
    read = (parameters(layers, width) - VOCABULARY * width) * 2
    name = configuration(tmp_path, "6B")
    assert planning.plan(name, "1x80GiB@1000GB/s").seconds == pytest.approx(read / 1e12, rel=1e-6)
    # One card after another: two that are read as fast are no faster.
    assert planning.plan(name, "2x12GiB@1000GB/s", tokens=64).seconds == pytest.approx(read / 1e12, rel=1e-6)
    slow = planning.plan(name, "1x8GiB@1000GB/s", tokens=64)
    assert not slow.fits and slow.seconds > 5 * read / 1e12
    assert planning.plan(name, "1xRTX3090").seconds == pytest.approx(read / 936e9, rel=1e-6)


def test_a_plan_tells_what_it_assumes_and_what_is_odd() -> None:
    said = "\n".join(plan("codegen2-7B", "2x24GiB"))
    assert "RTX3090" in said and "eight blocks" in said and "transformer.h.0-" in said or ": all" in said
    assert "RTX3090" not in "\n".join(plan("codegen2-7B", "2xA100"))


def test_a_plan_as_json_holds_what_is_told(tmp_path: Path) -> None:
    found = planning.plan(configuration(tmp_path, "2B"), "2x4GiB", "8bit", tokens=256)
    row = json.loads(json.dumps(found.row()))
    assert row["weights"] == round(sum(p["weights"] for p in row["places"])) == round(found.weights)
    assert set(map(str, row["device_map"].values())) == {p["device"] for p in row["places"]}
    assert row["fits"] is found.fits and row["weights_in"] == "8bit"
