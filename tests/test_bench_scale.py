"""Made-up names, and the measurements of the entity index over them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.entity_scale import measured
from bench.linking import why_missed
from bench.made_names import Parts, made_names, parts_of
from ontoprompt.entities import EntityLink

PARTS = Parts(
    ("Oslo", "Ulm", "Bergen op Zoom"), ("Norway", "Chad"), ("Ada", "Max"), ("Rocket", "Silence", "Blue")
)


def test_the_same_seed_makes_the_same_names() -> None:
    one = list(made_names(500, PARTS))
    assert one == list(made_names(500, PARTS)) != list(made_names(500, PARTS, seed=1))
    assert len(one) == 500 and len(set(one)) > 200
    assert all(name == name.strip() and '"' not in name and "\\" not in name for name in one)


def test_names_are_made_of_real_parts() -> None:
    parts = parts_of(["The Silence of Blue Rockets", "x1"])
    assert parts.words == ["Blue", "Rockets", "Silence", "The"]
    assert len(parts.places) > 50_000 and "Reykjavík" in parts.places and "Norway" in parts.countries
    assert len(set(made_names(2000, parts))) > 1600


def test_scale_is_measured_and_cleared_away(tmp_path: Path) -> None:
    result = measured(tmp_path / "out", 500)
    assert result["lookups"]["entities"] == 400 and result["build"]["peak_mib"] > 10
    assert result["bytes"] > 50_000 and result["build"]["cpu"] > 0
    for name in ("mentions_ms", "link_ms", "misspelt_ms", "misspelt_link_ms"):
        assert 0 < result["lookups"][name]["median"] <= result["lookups"][name]["p95"]
    assert list((tmp_path / "out").iterdir()) == []


def test_too_few_names_are_refused() -> None:
    command = [sys.executable, "-m", "bench.entity_scale", "--names", "5", "--out", "nowhere"]
    asked = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    assert asked.returncode == 2 and "at least 100" in asked.stderr and not asked.stdout


@pytest.mark.parametrize(
    ("label", "why"),
    [
        ("Golden Globe Award", "all of its words said, read as another"),
        ("winners", "all of its words said, not read"),
        ("Globe Theatre", "half of its words said or more"),
        ("New Amsterdam Globe Theatre", "less than half of its words said"),
        ("Emmy", "none of its words said"),
    ],
)
def test_misses_are_told_apart(label: str, why: str) -> None:
    question = "Who are winners of the Golden Globe Award?"
    links = [EntityLink("urn:x", "Globe", "Golden Globe Award", 23, 41, 1.0)]
    assert why_missed(question, label, links) == why
