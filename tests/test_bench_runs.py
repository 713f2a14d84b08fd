"""Run folders: what is written is kept, what was begun goes on, what differs is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.runs import Cache, Run, key_of, pack, read_rows, sentences
from ontoprompt.errors import ArtifactError, GraphError, UsageError

SETTINGS = {"dataset": "d", "seed": 0, "variants": ["a"], "n": 3}


def row(number: int, variant: str = "a") -> dict[str, object]:
    return {
        "variant": variant,
        "examples": 0,
        "id": str(number),
        "question": "Wo ist Zürich?\u2028",
        "exact": True,
    }


def test_rows_come_back_as_they_went_in(tmp_path: Path) -> None:
    with Run(tmp_path, SETTINGS) as run:
        run.add(row(1))
        run.add(row(2, "b"))
        assert run.done == {("a", 0, "1"), ("b", 0, "2")}
    assert list(read_rows(tmp_path)) == [row(1), row(2, "b")]
    assert key_of(row(1)) == ("a", 0, "1")


def test_a_run_goes_on_where_it_stopped_and_is_finished_once(tmp_path: Path) -> None:
    with Run(tmp_path, SETTINGS) as run:
        run.add(row(1))
        assert not run.finished
    with Run(tmp_path, {**SETTINGS, "n": 4}) as again:
        assert again.done == {("a", 0, "1")} and not again.finished
        again.add(row(2))
        again.finish(left_out={"x": 1})
    with Run(tmp_path, SETTINGS) as third:
        assert third.finished and len(third.done) == 2
    kept = json.loads((tmp_path / "settings.json").read_text())
    assert kept["left_out"] == {"x": 1} and kept["versions"]["python"] and kept["machine"]["cores"]


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    with Run(tmp_path, SETTINGS):
        pass
    with (
        pytest.raises(UsageError, match="other settings: seed, variants"),
        Run(tmp_path, {**SETTINGS, "seed": 1, "variants": ["a", "b"]}),
    ):
        pass
    with Run(tmp_path, {**SETTINGS, "command": "another way to say the same"}):
        pass
    with Run(tmp_path, {**SETTINGS, "a setting of later": 1}):
        pass


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    with Run(tmp_path, SETTINGS), pytest.raises(UsageError, match="Another process"), Run(tmp_path, SETTINGS):
        pass
    with Run(tmp_path, SETTINGS):
        pass


def test_half_a_row_is_dropped_and_written_again(tmp_path: Path) -> None:
    with Run(tmp_path, SETTINGS) as run:
        run.add(row(1))
        run.add(row(2))
    file = tmp_path / "rows.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    assert [r["id"] for r in read_rows(tmp_path)] == ["1"]
    with Run(tmp_path, SETTINGS) as run:
        assert run.done == {("a", 0, "1")}
        run.add(row(2))
    assert [r["id"] for r in read_rows(tmp_path)] == ["1", "2"]


def test_a_finished_run_is_whole_without_its_plain_rows(tmp_path: Path) -> None:
    """As it comes from a repository: packed rows are read, and never run again."""
    with Run(tmp_path, SETTINGS) as run:
        run.add(row(1))
        run.add(row(2))
        run.finish()
    packed = (tmp_path / "rows.jsonl.xz").read_bytes()
    pack(tmp_path)
    assert (tmp_path / "rows.jsonl.xz").read_bytes() == packed
    (tmp_path / "rows.jsonl").unlink()
    assert list(read_rows(tmp_path)) == [row(1), row(2)]
    with Run(tmp_path, SETTINGS) as run:
        assert run.finished and run.done == {("a", 0, "1"), ("a", 0, "2")}
    (tmp_path / "rows.jsonl").unlink()
    (tmp_path / "rows.jsonl.xz").write_bytes(packed[:-9])
    with pytest.raises(ValueError, match=r"rows.jsonl.xz"):
        list(read_rows(tmp_path))
    with pytest.raises(ArtifactError, match="damaged"), Run(tmp_path, SETTINGS):
        pass


WORKER = """
import sys, time
from pathlib import Path
from bench.runs import Run
with Run(Path(sys.argv[1]), {"seed": 0}) as run:
    for number in range(1000):
        if ("a", 0, str(number)) not in run.done:
            run.add({"variant": "a", "examples": 0, "id": str(number), "pad": "x" * 200_000})
            print(number, flush=True)
"""


def test_a_run_that_is_killed_keeps_what_it_said_was_done(tmp_path: Path) -> None:
    folder, root = tmp_path / "run", Path(__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
    said: set[str] = set()
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(folder)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=root,
        )
        assert process.stdout is not None
        until = time.monotonic() + 30
        new = 0
        while new < 4 and time.monotonic() < until:
            said.add(process.stdout.readline().strip())
            new += 1
        process.send_signal(signal.SIGKILL)
        said |= {line.strip() for line in process.stdout}
        process.wait()
    said.discard("")
    ids = [r["id"] for r in read_rows(folder)]
    assert len(ids) == len(set(ids)) >= 12
    assert said <= set(ids)


def test_what_was_generated_once_is_kept_by_its_content(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c")
    assert cache.get("model", "prompt", 2) is None
    cache.put({"a": ["é"]}, "model", "prompt", 2)
    assert cache.get("model", "prompt", 2) == {"a": ["é"]}
    assert cache.get("model", "prompt", 3) is None and cache.get("model2", "prompt", 2) is None
    path = cache.path("model", "prompt", 2)
    assert path is not None
    path.write_text("{half")
    assert cache.get("model", "prompt", 2) is None
    nothing = Cache(None)
    nothing.put(1, "x")
    assert nothing.get("x") is None


def test_an_error_of_the_user_is_a_sentence_with_its_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as status, sentences():
        raise GraphError("It is down.", "Start it.")
    assert status.value.code == 4
    said = capsys.readouterr()
    assert said.out == "" and said.err == "Error: It is down.\nStart it.\n"
    with pytest.raises(SystemExit) as status, sentences():
        raise KeyboardInterrupt
    assert status.value.code == 130
