"""The benchmark scripts from question file to figures, with a real index and an untrained model."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import (
    answers,
    folds,
    generation,
    latency,
    linking,
    prompt_variants,
    retrieval,
    score,
    seed,
    spread,
    untrained,
)
from bench.folds import deal
from ontoprompt.retrieval import Retriever

ROWS = [
    {
        "id": "1",
        "question": "What is the capital of Australia?",
        "sparql": "SELECT ?x { dbr:Australia dbo:capital ?x }",
    },
    {
        "id": "2",
        "question": "Is Paris the capital of France?",
        "sparql": "ASK { dbr:France dbo:capital dbr:Paris }",
    },
    {
        "id": "3",
        "question": "How many cities are in France?",
        "sparql": "SELECT (COUNT(?x) AS ?n) { ?x a dbo:City ; dbo:country dbr:France }",
    },
    {
        "id": "4",
        "question": "Which country has the capital Paris?",
        "sparql": "SELECT ?y { ?y dbo:capital dbr:Paris }",
    },
    {"id": "5", "question": "What is broken?", "sparql": "SELECT ?x {"},
]
ALWAYS = {"n", "left_out", "settings"}
WRITTEN = {
    "exact",
    "suite_strict",
    "suite_lenient",
    "term_f1",
    "valid_rate",
    "unknown_terms",
    "seconds_per_question",
}

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    (folder / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    (folder / "lcquad1").mkdir()
    (folder / "lcquad1" / "train.jsonl").write_text((folder / "q.jsonl").read_text(), encoding="utf-8")
    return folder


@pytest.fixture
def run(
    data: Path, retriever: Retriever, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs a script with --json over the five questions and gives its one object back."""
    monkeypatch.setenv("ONTOPROMPT_DATA", str(data))

    def call(script: Any, *arguments: str, file: bool = True) -> dict[str, Any]:
        source = ["--data", str(data / "q.jsonl"), "--graph", "dbpedia"] if file else []
        index = ["--index", str(retriever.index.folder)]
        monkeypatch.setattr(sys, "argv", ["bench", *source, *index, "--json", *arguments])
        script.main()
        said = capsys.readouterr()
        assert said.out.count("\n") == 1 and said.err == ""
        found: dict[str, Any] = json.loads(said.out)
        return found

    return call


def test_retrieval_counts_what_is_found_at_each_depth(run: Run, tmp_path: Path) -> None:
    result = run(retrieval, "--rows", str(tmp_path / "rows.jsonl"))
    assert result.keys() >= ALWAYS and result["n"] == 4 and sum(result["left_out"].values()) == 1
    for figures in (result["recall@k"], result["all_found@k"]):
        ordered = [figures[k] for k in sorted(figures, key=int)]
        assert ordered == sorted(ordered) and ordered[-1] == 1.0
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert {r["id"] for r in rows} == {"1", "2", "3", "4"}
    mean = sum(r["recall"]["5"] for r in rows) / 4
    assert result["recall@k"]["5"] == pytest.approx(mean, abs=1e-4)


def test_linking_over_a_closed_list(run: Run) -> None:
    result = run(linking)
    assert result["n"] == 4 and result["all_found"] == 1.0 and result["candidates"] >= 1
    assert result["settings"]["linking"] == "closed"


@pytest.mark.parametrize("setting", ["gold", "pool", "closed"])
def test_generation_in_every_setting(run: Run, tiny_model: Path, tmp_path: Path, setting: str) -> None:
    rows = tmp_path / "rows.jsonl"
    result = run(generation, "--linking", setting, "--model", str(tiny_model), "--rows", str(rows))
    assert result.keys() >= ALWAYS | WRITTEN
    assert (
        result["n"] == 5 - sum(v for k, v in result["left_out"].items() if "parse" in k) or result["n"] == 5
    )
    assert result["unknown_terms"] == 0
    assert result["settings"]["linking"] == setting and result["settings"]["constrained"] is True
    kept = [json.loads(line) for line in rows.read_text().splitlines()]
    assert {r["id"] for r in kept} >= {"1", "2", "3", "4"}
    assert all(r["valid"] for r in kept if "left_out" not in r)


def predictions(path: Path, queries: dict[str, str]) -> str:
    path.write_text("".join(json.dumps({"id": k, "sparql": q}) + "\n" for k, q in queries.items()))
    return str(path)


def test_anybodys_queries_are_scored(run: Run, tmp_path: Path, graph: Path) -> None:
    """Right, equivalent, subtly wrong, and no query at all."""
    file = predictions(
        tmp_path / "p.jsonl",
        {
            "1": "PREFIX o: <http://dbpedia.org/ontology/> SELECT ?capital WHERE { dbr:Australia o:capital ?capital . }",
            "2": "ASK { dbr:Paris ^dbo:capital dbr:France }",
            "3": "SELECT (COUNT(?x) AS ?n) { ?x dbo:country dbr:France }",
            "4": "The capital is Paris.",
        },
    )
    rows = tmp_path / "rows.jsonl"
    result = run(score, "--predictions", file, "--rows", str(rows), "--kg", str(graph))
    # The third counts what is in France, city or not: Paris alone, so on this graph the answer is the gold's.
    assert result["answers"]["n"] == 4 and result["answers"]["f1_qald"] == 0.75
    by_id = {r["id"]: r for r in map(json.loads, rows.read_text().splitlines())}
    assert by_id["1"]["exact"] and by_id["1"]["suite_strict"] and by_id["1"]["term_f1"] == 1.0
    assert by_id["2"]["suite_strict"]
    assert not by_id["3"]["suite_strict"] and by_id["3"]["valid"] and by_id["3"]["error"] == "wrong term"
    assert not by_id["4"]["valid"] and by_id["4"]["error"] == "invalid" and by_id["4"]["bleu"] == 0
    assert result["suite_strict"] == pytest.approx(2 / result["n"], abs=1e-4)
    assert result["valid_rate"] == pytest.approx(3 / result["n"], abs=1e-4)


def test_predictions_made_by_hand_are_judged_as_their_maker_says(run: Run, tmp_path: Path) -> None:
    here = Path(__file__).parent.parent / "bench" / "examples"
    rows = tmp_path / "rows.jsonl"
    made = here / "predictions.jsonl"
    arguments = ("--data", str(here / "questions.jsonl"), "--predictions", str(made), "--rows", str(rows))
    result = run(score, *arguments, file=False)
    wanted = {p["id"]: p["right"] for p in map(json.loads, made.read_text().splitlines())}
    judged = {r["id"]: r["suite_strict"] for r in map(json.loads, rows.read_text().splitlines())}
    assert judged == wanted and len(judged) == 12
    assert 0 < result["exact"] < result["suite_strict"] < result["token_f1"]


def test_an_answer_that_was_cut_is_counted_and_named(
    run: Run, tmp_path: Path, graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = predictions(tmp_path / "p.jsonl", {"1": "SELECT ?s ?o { ?s ?p ?o }", "2": "ASK { ?s ?p ?o }"})
    monkeypatch.setattr(answers.answers_of, "__kwdefaults__", {"timeout": 30.0, "most": 3})
    rows = tmp_path / "rows.jsonl"
    result = run(score, "--predictions", file, "--rows", str(rows), "--kg", str(graph))
    assert result["answers"]["cut"] == 1 and result["answers"]["most_rows"] == 10_000
    by_id = {r["id"]: r for r in map(json.loads, rows.read_text().splitlines())}
    assert by_id["1"]["cut"] == ["prediction"] and "cut" not in by_id["2"]


def test_raw_predictions_are_mended_as_the_gold_was_when_asked(run: Run, tmp_path: Path) -> None:
    """LC-QuAD 2.0's own text of a gold is wrong by its own mended gold, until it is mended too."""
    raw = "SELECT ?obj WHERE { wd:Q1 p:P39 ?s . ?s ps:P39 ?obj . ?s pq:P580 ?x filter(contains(YEAR(?x),'2009')) }"
    data = tmp_path / "train.json"
    asked = {"uid": 1, "question": "What did it hold in 2009?", "sparql_wikidata": raw, "template": "t"}
    data.write_text(json.dumps([asked]))
    file = predictions(tmp_path / "p.jsonl", {"1": raw})
    rows = tmp_path / "rows.jsonl"
    arguments = ("--data", str(data), "--predictions", file, "--rows", str(rows))
    plain = run(score, *arguments, file=False)
    assert plain["exact"] == 0.0 and plain["prediction_repairs"] == {} and "raw" not in rows.read_text()
    mended = run(score, *arguments, "--repair", file=False)
    assert mended["exact"] == mended["suite_strict"] == 1.0
    assert mended["prediction_repairs"] == {"year compared as text": 1, "keywords in capitals": 1}
    assert mended["prediction_repairs"] == mended["repairs"] and mended["settings"]["predictions_repaired"]
    row = json.loads(rows.read_text())
    assert row["raw"] == raw and "STR(YEAR(?x))" in row["sparql"] and len(row["repairs"]) == 2


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('{"id": "1"}\n', "line 1, is no prediction"),
        ('{"id": "1", "sparql": "ASK {}"}\n{"id": "1", "sparql": "ASK {}"}\n', "predicted before"),
        ('{"id": "77", "sparql": "ASK {}"}\n', "for no question"),
        ("not json\n", "line 1"),
    ],
)
def test_predictions_that_are_none_are_refused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: str, said: str
) -> None:
    (tmp_path / "p.jsonl").write_text(lines)
    with pytest.raises(SystemExit) as status:
        run(score, "--predictions", str(tmp_path / "p.jsonl"))
    assert status.value.code == 2
    shown = capsys.readouterr()
    assert said in shown.err and shown.out == "" and "Traceback" not in shown.err


def test_variants_are_compared_resumed_and_not_run_twice(
    run: Run, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    arguments = (
        "--model",
        str(tiny_model),
        "--variants",
        "question,nsql-symbols",
        "--candidates",
        "1",
        "--out",
        str(out),
    )
    first = run(prompt_variants, *arguments)
    rows = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
    keys = [(r["variant"], r["examples"], r["id"]) for r in rows]
    assert len(keys) == len(set(keys)) and {v for v, _, _ in keys} == {"question", "nsql-symbols"}
    assert (out / "report.md").is_file() and (out / "report.html").is_file()
    settings = json.loads((out / "settings.json").read_text())
    assert settings["finished"] and settings["seed"] == 0 and settings["versions"]["torch"]
    name, _, digest = settings["generator"].rpartition(" ")
    assert name == str(tiny_model) and len(digest) == 12
    # As if it had been killed: two rows are gone, and the generator must be asked for these alone.
    settings["finished"] = False
    (out / "settings.json").write_text(json.dumps(settings))
    (out / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:-2]))
    asked: list[int] = []
    real = spread.Writer.write

    def counted(self: Any, questions: Any) -> Any:
        asked.append(len(questions))
        return real(self, questions)

    monkeypatch.setattr(spread.Writer, "write", counted)
    second = run(prompt_variants, *arguments)
    assert sum(asked) <= 2
    again = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
    assert sorted((r["variant"], r["id"], r.get("sparql", "")) for r in again) == sorted(
        (r["variant"], r["id"], r.get("sparql", "")) for r in rows
    )
    assert second["question 0"]["exact"] == first["question 0"]["exact"]
    asked.clear()
    run(prompt_variants, *arguments)
    assert asked == []


def test_worked_examples_never_hold_the_question_itself(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = (
        "--dataset",
        "lcquad1",
        "--split",
        "train",
        "--variants",
        "nsql",
        "--examples",
        "2",
        "--limit",
        "2",
    )
    run(
        prompt_variants,
        *arguments,
        "--model",
        str(tiny_model),
        "--candidates",
        "1",
        "--out",
        str(out),
        file=False,
    )
    rows = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
    written = [r for r in rows if "left_out" not in r]
    assert written
    for row in written:
        assert row["prompt"].count(row["question"]) == 1
        assert sum(other["question"] in row["prompt"] for other in ROWS) >= 2


def test_a_model_that_is_not_there_is_named_and_passed_over(
    run: Run, tmp_path: Path, tiny_model: Path
) -> None:
    result = run(
        seed,
        "--models",
        f"Salesforce/codegen-350M-multi,{tiny_model}",
        "--variants",
        "question",
        "--candidates",
        "1",
        "--limit",
        "2",
        "--out",
        str(tmp_path / "seed"),
        "--dataset",
        "lcquad1",
        "--split",
        "train",
        file=False,
    )
    assert (
        "hf download Salesforce/codegen-350M-multi, about 0.8 GB" in result["Salesforce/codegen-350M-multi"]
    )
    assert result[str(tiny_model)]["n"] == 2


def test_where_no_model_is_at_hand_the_experiment_says_what_to_fetch(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", str(data / "q.jsonl"), "--out", str(tmp_path / "seed")]
    monkeypatch.setattr(sys, "argv", ["bench.seed", *arguments])
    with pytest.raises(SystemExit) as status:
        seed.main()
    assert status.value.code == 5
    said = capsys.readouterr().out
    assert said.count("hf download") == 3 and "27.6 GB" in said and not (tmp_path / "seed").exists()
    monkeypatch.setattr(sys, "argv", ["bench.seed", *arguments, "--model", "x"])
    with pytest.raises(SystemExit) as status:
        seed.main()
    assert status.value.code == 2 and "--models" in capsys.readouterr().err


def test_latency_tells_every_stage(run: Run, graph: Path, tiny_model: Path) -> None:
    result = run(latency, "--kg", str(graph), "--model", str(tiny_model), "--limit", "4")
    assert result["n"] >= 1 and result["n"] + sum(result["left_out"].values()) == 4
    parts = sum(result[f"{stage}_ms"]["median"] for stage in ("link", "retrieve", "generate"))
    assert 0 < parts <= 1.5 * result["total_ms"]["p95"] + 1


def test_folds_share_no_shape(run: Run, tmp_path: Path) -> None:
    result = run(folds, "--folds", "2", "--out", str(tmp_path), "--rows", str(tmp_path / "all.jsonl"))
    fold_of = {r["id"]: r["fold"] for r in map(json.loads, (tmp_path / "all.jsonl").read_text().splitlines())}
    assert result["shapes"] >= 3
    tested = []
    for fold in ("fold-1", "fold-2"):
        parts = {
            name: [json.loads(x) for x in (tmp_path / fold / f"{name}.jsonl").read_text().splitlines()]
            for name in ("train", "test")
        }
        assert not {r["shape"] for r in parts["train"]} & {r["shape"] for r in parts["test"]}
        assert len(parts["train"]) + len(parts["test"]) == result["n"]
        tested += [r["id"] for r in parts["test"]]
        assert {f"fold-{fold_of[r['id']]}" for r in parts["test"]} <= {fold}
    assert sorted(tested) == ["1", "2", "3", "4"]


def test_folds_are_about_equal() -> None:
    shapes = ["a"] * 10 + ["b"] * 9 + ["c"] * 8 + ["d"] * 3 + ["e"] * 3 + ["f"] * 3
    folded = deal(shapes, 3)
    assert max(folded.count(f) for f in range(3)) - min(folded.count(f) for f in range(3)) <= 3
    assert all(len({f for s, f in zip(shapes, folded, strict=True) if s == shape}) == 1 for shape in "abcdef")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "which questions"),
        (("--dataset", "nonsense"), ""),
        (("--data", "/no/such/file.jsonl"), ""),
    ],
)
def test_a_wrong_request_is_a_sentence(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SystemExit) as status:
        run(retrieval, *arguments, file=False)
    assert status.value.code in (2, 5)
    shown = capsys.readouterr().err
    assert said in shown and shown.count("\n") <= 3 and "Traceback" not in shown


def test_the_untrained_control_scores_next_to_nothing_and_still_writes_queries(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "control"
    monkeypatch.setattr(sys, "argv", ["bench.untrained", "--out", str(folder), "--shape", "tiny"])
    untrained.main()
    assert "none of them trained" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        untrained.main()
    assert "is not empty" in capsys.readouterr().err
    result = run(generation, "--model", str(folder), "--variant", "nsql-symbols", "--candidates", "1")
    assert result["suite_strict"] <= 0.25 and result["valid_rate"] > 0.5
