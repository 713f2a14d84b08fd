"""A run over a Ray cluster: the rows of one process, whoever of the workers dies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench import prompt_variants
from bench.spread import _room
from ontoprompt.errors import UsageError
from ontoprompt.retrieval import Retriever

COUNTRIES = ("Australia", "France", "Germany", "Chile", "Norway", "Ghana")
VARIANTS = "question,nsql,nsql-symbols"
ROOT = Path(__file__).parent.parent


@pytest.fixture
def arguments(tmp_path: Path, retriever: Retriever, tiny_model: Path) -> list[str]:
    """Three variants of seven questions, one of which cannot be asked."""
    rows = [
        {
            "id": c,
            "question": f"What is the capital of {c}?",
            "sparql": f"SELECT ?x {{ dbr:{c} dbo:capital ?x }}",
        }
        for c in COUNTRIES
    ]
    rows.append({"id": "none", "question": "Who?", "sparql": "SELECT ?x { dbr:Chile dbo:noSuchThing ?x }"})
    data = tmp_path / "q.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = ["--data", data, "--graph", "dbpedia", "--index", retriever.index.folder, "--model", tiny_model]
    return [*map(str, told), "--variants", VARIANTS, "--candidates", "1", "--json"]


def rows_of(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of a run less their timings; none comes twice. Scores are rounded: sums differ with the number of threads."""
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    for row in rows:
        row.pop("seconds", None)
        for candidate in row.get("candidates", ()):
            candidate["score"] = round(candidate["score"], 2)
    found = {(row["variant"], row["id"]): row for row in rows}
    assert len(found) == len(rows)
    return found


def test_two_workers_write_the_rows_of_one_process_though_one_is_killed(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "spread"
    spread = [*arguments, "--out", str(out), "--ray", "local", "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.prompt_variants", *spread],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        killed, listening = _kill_a_writer(process)
        said, errors = process.communicate(timeout=200)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert killed and len(listening) > 0 and listening <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    assert said.count("\n") == 1
    monkeypatch.setattr(sys, "argv", ["bench", *arguments, "--out", str(tmp_path / "alone")])
    prompt_variants.main()
    assert "ray" not in sys.modules
    alone, together = rows_of(tmp_path / "alone"), rows_of(out)
    assert together == alone and len(alone) == 21
    single, several = json.loads(capsys.readouterr().out), json.loads(said)
    assert several["left_out"] == single["left_out"]
    assert several["nsql-symbols 0"]["term_f1"] == single["nsql-symbols 0"]["term_f1"]


def _kill_a_writer(process: subprocess.Popen[str]) -> tuple[bool, set[str]]:
    """End one worker while it writes; whether there was one, and where the cluster listened at the time."""
    until = time.monotonic() + 150
    while process.poll() is None and time.monotonic() < until:
        for child in psutil.Process(process.pid).children(recursive=True):
            # Ray writes into the name of a worker what it is at.
            if child.name().startswith("ray::_Remote.wr"):
                listening = _addresses(process.pid)
                child.kill()
                return True, listening
        time.sleep(0.02)
    return False, set()


def _addresses(pid: int) -> set[str]:
    """Where the processes of a cluster wait for others."""
    found = set()
    for child in psutil.Process(pid).children(recursive=True):
        try:
            found |= {c.laddr.ip for c in child.net_connections("inet") if c.status == psutil.CONN_LISTEN}
        except psutil.Error:
            continue
    return found


def test_without_ray_a_sentence_says_how_to_get_it(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(
        sys,
        "argv",
        ["bench", *arguments, "--variants", "nsql", "--ray", "local", "--out", str(tmp_path / "run")],
    )
    with pytest.raises(SystemExit) as status:
        prompt_variants.main()
    assert status.value.code == 2
    said = capsys.readouterr()
    assert said.out == "" and "not installed" in said.err and "ontoprompt[ray]" in said.err


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:99999999"])
def test_an_address_where_nobody_is_is_told_at_once(
    arguments: list[str],
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "run"
    monkeypatch.setattr(sys, "argv", ["bench", *arguments, "--ray", address, "--out", str(run)])
    with pytest.raises(SystemExit) as status:
        prompt_variants.main()
    assert status.value.code == 2 and not run.exists()
    assert f"no Ray cluster at {address}" in capsys.readouterr().err


def test_workers_without_a_cluster_are_refused(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", *arguments, "--workers", "2", "--out", str(tmp_path / "run")])
    with pytest.raises(SystemExit):
        prompt_variants.main()
    assert "--workers goes with --ray" in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_one_worker_on_each_gpu_or_core() -> None:
    assert _room({"CPU": 4.0}, None) == (4, {"num_cpus": 1})
    assert _room({"CPU": 16.0, "GPU": 2.0}, None) == (2, {"num_gpus": 1})
    assert _room({"CPU": 4.0}, 3) == (3, {"num_cpus": 1})
    with pytest.raises(UsageError, match="room for 4"):
        _room({"CPU": 4.0}, 5)
