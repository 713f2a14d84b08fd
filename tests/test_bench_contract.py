"""What scripts depend on: the flags that five benchmarks share, and the keys of the one object that each prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from ontoprompt.retrieval import Retriever

SCRIPTS = ("retrieval", "linking", "generation", "prompt_variants", "score")
ALWAYS = {"n", "left_out", "settings"}
WRITTEN = {"exact", "suite_strict", "suite_lenient", "term_f1", "valid_rate", "unknown_terms"} | {
    "seconds_per_question"
}
MORE_WRITTEN = {"undecided", "bleu", "token_f1", "tokens", "errors"}
ROOT = Path(__file__).parent.parent
ROWS = [
    {
        "id": "1",
        "question": "What is the capital of France?",
        "sparql": "SELECT ?x { dbr:France dbo:capital ?x }",
    },
    {"id": "2", "question": "Is Paris in France?", "sparql": "ASK { dbr:Paris dbo:country dbr:France }"},
    {
        "id": "3",
        "question": "Which city is in Australia?",
        "sparql": "SELECT ?x { ?x dbo:country dbr:Australia }",
    },
    {"id": "4", "question": "", "sparql": "ASK { dbr:Paris dbo:country dbr:France }"},
]


@pytest.fixture
def given(tmp_path: Path, retriever: Retriever, tiny_model: Path) -> dict[str, list[str]]:
    """The flags of each script: those that all take, and what else it cannot do without."""
    (tmp_path / "lcquad1").mkdir()
    for file in (tmp_path / "q.jsonl", tmp_path / "lcquad1" / "test.jsonl"):
        file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    predicted = tmp_path / "predicted.jsonl"
    predicted.write_text("".join(json.dumps({"id": r["id"], "sparql": r["sparql"]}) + "\n" for r in ROWS[:3]))
    shared = ["--index", str(retriever.index.folder), "--limit", "2", "--seed", "5", "--json"]
    model = ["--model", str(tiny_model), "--candidates", "1"]
    return {
        "retrieval": shared,
        "linking": [*shared, "--data-folder", str(tmp_path)],
        "generation": [*shared, *model],
        "prompt_variants": [*shared, *model, "--variants", "nsql", "--out", str(tmp_path / "run")],
        "score": [*shared, "--predictions", str(predicted)],
    }


def printed(
    script: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> dict[str, Any]:
    monkeypatch.setattr(sys, "argv", [f"bench.{script}", *arguments])
    import_module(f"bench.{script}").main()
    said = capsys.readouterr()
    assert said.err == "" and said.out.endswith("\n") and said.out.count("\n") == 1
    found: dict[str, Any] = json.loads(said.out)
    return found


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_keys_of_the_one_object(
    script: str,
    given: dict[str, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = tmp_path / "rows.jsonl"
    source = ["--data", str(tmp_path / "q.jsonl"), "--format", "jsonl", "--graph", "dbpedia"]
    found = printed(script, [*source, *given[script], "--rows", str(rows)], monkeypatch, capsys)
    assert found.keys() >= ALWAYS
    assert found["n"] == 2 and found["left_out"]["no question"] == 1
    settings = found["settings"]
    assert (settings["file"], settings["limit"], settings["seed"]) == ("q.jsonl", 2, 5)
    assert "linking" in settings and "index" in settings
    kept = [json.loads(line) for line in rows.read_text().splitlines()]
    assert len(kept) == len({row["id"] for row in kept}) == 2
    if script == "retrieval":
        for figures in (found["recall@k"], found["all_found@k"]):
            assert figures and all(k.isdigit() and 0 <= share <= 1 for k, share in figures.items())
    if script == "linking":
        assert found.keys() >= {"recall", "all_found", "candidates"}
    if script in ("generation", "score"):
        more = {"repairs"} | ({"prediction_repairs"} if script == "score" else set())
        assert found.keys() == ALWAYS | WRITTEN | MORE_WRITTEN | more
    if script == "prompt_variants":
        assert found.keys() == ALWAYS | {"nsql 0"} and found["nsql 0"].keys() == WRITTEN | MORE_WRITTEN


@pytest.mark.parametrize("script", ["retrieval", "score"])
def test_a_data_set_by_its_name_and_split(
    script: str,
    given: dict[str, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = ["--dataset", "lcquad1", "--split", "test", "--data-folder", str(tmp_path)]
    found = printed(script, [*source, *given[script]], monkeypatch, capsys)
    assert (found["settings"]["dataset"], found["settings"]["split"]) == ("lcquad1", "test")
    assert found["n"] == 2


def test_a_process_of_its_own_prints_the_object_and_nothing_else(
    given: dict[str, list[str]], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "bench.score", "--data", str(tmp_path / "q.jsonl"), *given["score"]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ, timeout=120)
    assert done.returncode == 0 and done.stderr == "" and done.stdout.count("\n") == 1
    found = json.loads(done.stdout)
    assert found["exact"] == found["suite_strict"] == found["valid_rate"] == 1.0
    helped = subprocess.run([*command[:3], "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert helped.returncode == 0 and helped.stdout.startswith("usage: python -m bench.score ")
