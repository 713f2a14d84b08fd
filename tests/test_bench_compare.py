"""Two runs side by side: the same questions, and a refusal where the settings say that they are not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.compare import compare_runs, main, to_text
from bench.results import System, load_results
from ontoprompt.errors import UsageError

SETTINGS = {"dataset": "lcquad2", "file": "test_a.jsonl", "linking": "pool", "limit": 40, "seed": 0}


def row(number: int, right: bool, variant: str = "nsql", **more: Any) -> dict[str, Any]:
    return {
        "variant": variant,
        "examples": 0,
        "id": str(number),
        "question": f"Who is number {number}?",
        "gold": f"SELECT ?x {{ ?x <urn:p> {number} }}",
        "tokens": 100,
        "sparql": "ASK { <urn:a> ?p ?o }" if right else "",
        "exact": right,
        "suite_strict": right,
        "suite_lenient": right,
        "valid": True,
        "unknown_terms": 0,
        "bleu": 90.0 if right else 10.0,
        "seconds": {"generate": 1.0},
        "error": "" if right else "wrong term",
        **more,
    }


def run_of(folder: Path, rows: list[dict[str, Any]], **settings: Any) -> Path:
    folder.mkdir()
    n = len({r["id"] for r in rows})
    told = {**SETTINGS, "variants": ["nsql"], "examples": [0], "n": n, "finished": True, **settings}
    (folder / "settings.json").write_text(json.dumps(told))
    (folder / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return folder


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A gets questions 0 to 29 right, B 25 to 39: of 40, only A has 25 and only B has 10."""
    a = run_of(tmp_path / "a", [row(i, i < 30, tokens=100 + i) for i in range(40)], model="small")
    b = run_of(tmp_path / "b", [row(i, i >= 25, tokens=90 + i) for i in reversed(range(40))], model="large")
    return a, b


def test_the_same_questions_are_paired_whatever_their_order(pair: tuple[Path, Path]) -> None:
    comparison = compare_runs(*(load_results(folder) for folder in pair))
    (match,) = comparison.matches
    assert (match.system, len(match.ids), match.apart, match.changed) == (System("nsql", 0), 40, (0, 0), 0)
    found = {each.measure.key: each for each in match.contrasts}
    strict = found["suite_strict"]
    assert (strict.a, strict.b) == (0.75, 0.375)
    assert strict.difference.value == pytest.approx(0.375)
    assert 0.05 < strict.difference.low < 0.375 < strict.difference.high < 0.7
    # Ten tokens less on each question: nothing varies, so no interval can be had.
    assert found["tokens"].difference.value == 10 and found["tokens"].difference.n == 40
    assert found["bleu"].difference.value == pytest.approx(80 * 0.375)
    test = match.tests["suite_strict"]
    assert (test.only_first, test.only_second) == (25, 10)
    # The sign test of 10 in 35, and twice that by Holm: exact and suite strict are the same here.
    assert test.p == pytest.approx(0.0166738, abs=1e-7)
    assert comparison.corrected[0] == pytest.approx({"suite_strict": 2 * test.p, "exact": 2 * test.p})
    assert match.only_a == tuple(str(i) for i in range(25))
    assert sorted(match.only_b, key=int) == [str(i) for i in range(30, 40)]
    assert comparison.differ == {"model": ("small", "large")}


def test_the_other_way_round_the_sign_turns(pair: tuple[Path, Path]) -> None:
    a, b = (load_results(folder) for folder in pair)
    one, two = compare_runs(a, b).matches[0], compare_runs(b, a).matches[0]
    assert [each.difference.value for each in one.contrasts] == [
        -each.difference.value for each in two.contrasts
    ]
    assert one.tests["exact"].p == two.tests["exact"].p and sorted(one.only_a) == sorted(two.only_b)


@pytest.mark.parametrize("key", ["dataset", "file", "seed", "linking", "limit"])
def test_settings_that_must_agree_are_named_when_they_differ(tmp_path: Path, key: str) -> None:
    rows = [row(i, True) for i in range(5)]
    a, b = run_of(tmp_path / "a", rows), run_of(tmp_path / "b", rows, **{key: "else"})
    runs = load_results(a), load_results(b)
    with pytest.raises(UsageError) as refused:
        compare_runs(*runs)
    assert f"{key} ({SETTINGS[key]} and else)." in refused.value.message and "--anyway" in refused.value.hint
    comparison = compare_runs(*runs, anyway=True)
    assert list(comparison.differ) == [key] and f"{key}: {SETTINGS[key]} in A, else in B" in to_text(
        comparison
    )


def test_runs_with_nothing_in_common_are_refused(tmp_path: Path) -> None:
    a = run_of(tmp_path / "a", [row(i, True) for i in range(5)])
    b = run_of(tmp_path / "b", [row(i, True, "turtle") for i in range(5)])
    c = run_of(tmp_path / "c", [row(i, True) for i in range(5, 9)])
    for other in (b, c):
        with pytest.raises(UsageError, match="no question in common"):
            compare_runs(load_results(a), load_results(other))


def test_what_cannot_be_paired_is_counted_and_left_out_counts_as_wrong(tmp_path: Path) -> None:
    told = {
        "variant": "nsql",
        "examples": 0,
        "id": "3",
        "question": "Who is number 3?",
        "gold": row(3, True)["gold"],
    }
    a = run_of(tmp_path / "a", [row(i, True) for i in range(10)])
    b = run_of(
        tmp_path / "b",
        [
            *(row(i, True) for i in (0, 1, 12)),
            row(2, True, gold="ASK { ?a ?b ?c }"),
            {**told, "left_out": "no room"},
        ],
    )
    (match,) = compare_runs(load_results(a), load_results(b)).matches
    assert set(match.ids) == {"0", "1", "3"} and match.changed == 1 and match.apart == (6, 1)
    assert match.only_a == ("3",) and match.tests["exact"].only_first == 1
    tokens = next(each for each in match.contrasts if each.measure.key == "tokens")
    assert tokens.difference.n == 2
    text = to_text(compare_runs(load_results(a), load_results(b)))
    assert (
        "3 questions; not compared, only in A: 6; not compared, only in B: 1; not compared, another question or gold in B: 1"
        in text
    )


def test_missing_rows_of_a_finished_run_are_wrong_and_of_a_running_one_are_not_there(tmp_path: Path) -> None:
    rows = [row(i, True) for i in range(6)]
    a = load_results(run_of(tmp_path / "a", rows))
    more = [row(i, True, "turtle") for i in range(6)]
    done = load_results(run_of(tmp_path / "b", rows[:4] + more))
    running = load_results(run_of(tmp_path / "c", rows[:4] + more, finished=False))
    assert compare_runs(a, done).matches[0].only_a == ("4", "5")
    assert compare_runs(a, running).matches[0].ids == ("0", "1", "2", "3")
    assert "c (NOT FINISHED)" in to_text(compare_runs(a, running))


def test_the_json_is_one_object_with_all_of_it(
    pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(pair[0]), str(pair[1]), "--json"])
    out = capsys.readouterr().out
    found = json.loads(out)
    assert out.count("\n") == 1 and "NaN" not in out
    (system,) = found["systems"]
    assert (system["variant"], system["examples"], system["n"], system["left_out"]) == ("nsql", 0, 40, {})
    strict = system["measures"]["suite_strict"]
    assert (strict["a"], strict["b"], strict["n"]) == (0.75, 0.375, 40)
    assert strict["low"] < strict["difference"] < strict["high"]
    assert system["measures"]["tokens"]["low"] is None
    assert system["mcnemar"]["exact"]["p_holm"] == pytest.approx(2 * system["mcnemar"]["exact"]["p"])
    assert len(system["only_a"]) == 20 and len(system["only_b"]) == 10
    assert system["only_a"][0] == {
        "id": "0",
        "question": "Who is number 0?",
        "gold": "SELECT ?x { ?x <urn:p> 0 }",
        "a": "ASK { <urn:a> ?p ?o }",
        "b": "",
    }
    assert found["differ"] == {"model": {"a": "small", "b": "large"}}


def test_the_text_lists_twenty_each_way_and_obeys_no_control_character(tmp_path: Path) -> None:
    a = run_of(tmp_path / "a", [row(i, True, question=f"red \x1b[31m {i}\nline") for i in range(30)])
    b = run_of(tmp_path / "b", [row(i, False, question=f"red \x1b[31m {i}\nline") for i in range(30)])
    text = to_text(compare_runs(load_results(a), load_results(b)))
    assert "Right in A only (30, the first 20):" in text and "Right in B only" not in text
    assert text.count("] red [31m") == 20 and "\x1b" not in text
    assert "suite strict: only A right 30, only B right 0, p = 1.9e-09, by Holm 3.7e-09" in text
    assert "100.0      0.0   100.0 (76.9, 100.0)" in text


def test_a_refusal_is_a_sentence_and_status_two(pair: tuple[Path, Path]) -> None:
    settings = json.loads((pair[1] / "settings.json").read_text())
    (pair[1] / "settings.json").write_text(json.dumps({**settings, "seed": 1, "limit": 7}))
    words = [sys.executable, "-m", "bench.compare", *map(str, pair)]
    root = Path(__file__).parent.parent
    refused = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert refused.returncode == 2 and refused.stdout == "" and "Traceback" not in refused.stderr
    assert "seed (0 and 1), limit (40 and 7)." in refused.stderr
    allowed = subprocess.run([*words, "--anyway"], cwd=root, capture_output=True, text=True, check=True)
    assert "nsql, 0 examples: 40 questions" in allowed.stdout


def test_a_reader_that_goes_away_leaves_no_traceback(pair: tuple[Path, Path]) -> None:
    command = f"{sys.executable} -m bench.compare {pair[0]} {pair[1]} | true"
    root = Path(__file__).parent.parent
    done = subprocess.run(["sh", "-c", command], cwd=root, capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
