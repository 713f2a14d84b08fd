"""Models known by name."""

from __future__ import annotations

import json

import pytest

from ontoprompt.cli import main
from ontoprompt.known_models import KNOWN, in_eight_blocks, known_model


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Salesforce/codegen-350M-mono", "Salesforce/codegen-350M-multi"),
        ("codegen-16b-nl", "Salesforce/codegen-16B-multi"),
        ("codegen25-7b-instruct", "Salesforce/codegen25-7b-multi"),
        ("codegen2-7B_P", "Salesforce/codegen2-7B"),
        ("NSQL-6b", "NumbersStation/nsql-6B"),
        ("NumbersStation/nsql-llama-2-7B", "NumbersStation/nsql-llama-2-7B"),
    ],
)
def test_names(name: str, known: str) -> None:
    found = known_model(name)
    assert found is not None and found.name == known


@pytest.mark.parametrize("name", ["", "default", "codegen", "codegen-7B", "gpt2", "codegen-350M-multi-lora"])
def test_other_names(name: str) -> None:
    assert known_model(name) is None


def test_each_is_found_by_its_own_name() -> None:
    assert [known_model(m.name) for m in KNOWN] == list(KNOWN)


def test_the_six_billion_one_takes_over_26_gibibytes_in_float32() -> None:
    model = known_model("nsql-6B")
    assert model is not None and 26 < model.parameters * 4 / 1024**3 < 26.5


def test_only_codegen2_has_eight_blocks() -> None:
    assert in_eight_blocks({"model_type": "codegen", "head_dim": 256})
    assert not in_eight_blocks({"model_type": "codegen"})
    assert not in_eight_blocks({"model_type": "llama", "head_dim": 128})


def test_the_list_names_all_and_what_is_odd(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["models", "list"])
    out = capsys.readouterr().out
    assert ended.value.code == 0 and all(m.name in out for m in KNOWN)
    assert "--trust-remote-code" in out and "eight blocks" in out
    with pytest.raises(SystemExit):
        main(["models", "list", "--json"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"] for row in rows] == [m.name for m in KNOWN]
    assert all(row["parameters"] > 3e8 and row["context"] >= 2048 for row in rows)
