"""The command line's contract: commands, flags, JSON, exit statuses, stdout apart from stderr, readers that leave, Ctrl-C."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from conftest import Endpoint, Run, ScriptedGenerator

from ontoprompt import __version__
from ontoprompt.cli import main
from ontoprompt.errors import ArtifactError, GraphError, NoQueryError, OntopromptError, SourceError

DBR, DBO = "http://dbpedia.org/resource/", "http://dbpedia.org/ontology/"
CAPITAL = "SELECT DISTINCT ?a WHERE { dbr:Australia dbo:capital ?a }"
QUESTION = "What is the capital of Australia?"


@pytest.fixture
def run(graph: Path) -> Callable[..., Result]:
    """The command in this process, over the small graph."""

    def invoke(*arguments: str, stdin: str | bytes = "") -> Result:
        return CliRunner().invoke(main, list(arguments), input=stdin, env={"ONTOPROMPT_KG": str(graph)})

    return invoke


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom ontoprompt.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'transformers', 'faiss', 'owlready2', 'rdflib', 'pyoxigraph', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in ("ask", "index", "search", "prompt", "check", "models", "train"):
        assert f"\n  {command} " in done.stdout


FLAGS = {
    "ask": "--index --kg --model --prompt --examples --top-k --candidates --timeout --limit --entity --term "
    "--no-execute --json --explain",
    "index": "--name --out --encoder --entities --pairs",
    "search": "--top-k --json",
    "prompt": "--prompt",
    "check": "",
    "models plan": "--gpus --quantize",
    "train": "--out",
}


@pytest.mark.parametrize("command", FLAGS)
def test_every_flag_of_the_contract_is_there(command: str, run: Callable[..., Result]) -> None:
    result = run(*command.split(), "--help")
    assert result.exit_code == 0
    words = set(result.stdout.replace(",", " ").split())
    assert set(FLAGS[command].split()) <= words


def test_version(run: Callable[..., Result]) -> None:
    assert run("--version").stdout.strip() == f"ontoprompt, version {__version__}"


# --- ask


def test_an_answer_goes_to_stdout_and_nothing_else_does(
    run: Callable[..., Result], scripted: ScriptedGenerator
) -> None:
    scripted.says([CAPITAL])
    result = run("ask", QUESTION)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "Canberra"
    assert [x for x in lines if x.startswith("Asked: ")] and [x for x in lines if "onfidence" in x]
    assert "dbr:Australia dbo:capital ?a" in result.stdout
    assert "indexing" not in result.stdout


def test_the_json_of_the_contract(
    run: Callable[..., Result], scripted: ScriptedGenerator, graph: Path
) -> None:
    scripted.says([CAPITAL, "SELECT ?a WHERE { dbr:France dbo:capital ?a }"])
    result = run("ask", QUESTION, "--json")
    assert result.exit_code == 0 and result.stdout.count("\n") == 1
    row = json.loads(result.stdout)
    assert row["question"] == QUESTION and row["form"] == "select" and row["boolean"] is None
    assert row["rows"] == [{"a": {"type": "uri", "value": DBR + "Canberra", "label": "Canberra"}}]
    assert 0 <= row["confidence"] <= 1
    assert [e["iri"] for e in row["entities"]] == [DBR + "Australia"]
    assert {"iri", "label", "mention", "score"} == set(row["entities"][0])
    assert DBO + "capital" in [t["iri"] for t in row["terms"]]
    assert all({"iri", "kind", "label", "score"} == set(t) for t in row["terms"])
    assert len(row["candidates"]) == 2
    assert all({"sparql", "score", "issues", "rows"} <= set(c) for c in row["candidates"])
    assert {"link", "retrieve", "prompt", "generate", "validate", "execute", "total"} == set(row["timings"])
    assert row["timings"]["total"] >= row["timings"]["execute"] > 0
    assert row["model"] == "scripted" and row["kg"] == str(graph) and Path(row["index"]).is_dir()
    assert "what is the p1 capital of" in row["prompt"].lower()
    assert row["restated"].endswith(".")


def test_yes_no_and_empty_answers_are_status_0(
    run: Callable[..., Result], scripted: ScriptedGenerator
) -> None:
    scripted.says(["ASK { dbr:Australia dbo:capital dbr:Paris }"])
    result = run("ask", "Is Paris the capital of Australia?", "--json")
    row = json.loads(result.stdout)
    assert (result.exit_code, row["form"], row["boolean"], row["rows"]) == (0, "ask", False, [])
    scripted.says(["SELECT ?a WHERE { dbr:Canberra dbo:capital ?a }"])
    result = run("ask", "What is the capital of Canberra?")
    assert result.exit_code == 0 and result.stdout.startswith("Nothing found")


def test_no_execute_writes_the_query_only(run: Callable[..., Result], scripted: ScriptedGenerator) -> None:
    scripted.says([CAPITAL])
    row = json.loads(run("ask", QUESTION, "--no-execute", "--json").stdout)
    assert row["rows"] == [] and row["candidates"][0]["rows"] is None and "dbo:capital" in row["sparql"]
    assert run("ask", QUESTION, "--no-execute").stdout.startswith("(not executed)")


def test_explain_shows_every_stage(run: Callable[..., Result], scripted: ScriptedGenerator) -> None:
    scripted.says([CAPITAL, "SELECT ?a WHERE { ?a dbo:nonsense dbr:France }"])
    out = run("ask", QUESTION, "--explain").stdout
    places = [
        out.index(f"\n{title}") for title in ("Entities:", "Terms:", "Prompt:", "Candidates:", "Seconds:")
    ]
    assert places == sorted(places)
    assert "'Australia' -> Australia" in out and "capital (" in out and "chosen" in out and "generate " in out


def test_limit_candidates_and_top_k_reach_the_stages(
    run: Callable[..., Result], scripted: ScriptedGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    generate = scripted.generate

    def counting(requests: Any, *, candidates: int = 5) -> Any:
        asked.append(candidates)
        return generate(requests, candidates=candidates)

    monkeypatch.setattr(scripted, "generate", counting)
    scripted.says(["SELECT ?a WHERE { ?a a dbo:City }"])
    row = json.loads(
        run(
            *("ask", "Which cities are there?", "--json", "--limit", "2", "--candidates", "3", "--top-k", "2")
        ).stdout
    )
    assert len(row["rows"]) == 2 and "LIMIT 2" in row["sparql"] and len(row["terms"]) == 2 and asked[0] == 3


def test_a_pinned_entity_and_a_pinned_term_are_taken(
    run: Callable[..., Result], scripted: ScriptedGenerator
) -> None:
    scripted.says(["SELECT ?a WHERE { dbr:France dbo:capital ?a }"])
    result = run(
        *(
            "ask",
            "What is the capital of Georgia?",
            "--json",
            "--term",
            "dbo:populationTotal",
            "--top-k",
            "1",
        ),
        *("--entity", f"Georgia=<{DBR}France>"),
    )
    row = json.loads(result.stdout)
    assert row["entities"] == [
        {"iri": DBR + "France", "label": "Georgia", "mention": "Georgia", "score": 1.0}
    ]
    assert DBO + "populationTotal" in [t["iri"] for t in row["terms"]]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--entity", "Georgia"], "not MENTION=IRI"),
        (["--entity", "Georgia=not an iri"], "is no IRI"),
        (["--term", "capital"], "is no IRI"),
        (["--term", "dbo:noSuchTermAtAll"], "holds no term"),
        (["--entity", f"Atlantis={DBR}France"], "does not hold the words 'Atlantis'"),
        (["--prompt", "sonnet"], "sonnet"),
        (["--examples", "2"], "no worked examples"),
        (["--kg", "ftp://example.org/x"], "ftp"),
        (["--model", "openai:nothing"], "openai:URL#MODEL"),
        (["--index", "../up"], ""),
    ],
)
def test_wrong_usage_is_a_sentence_and_a_hint(
    run: Callable[..., Result],
    scripted: ScriptedGenerator,
    monkeypatch: pytest.MonkeyPatch,
    flags: list[str],
    says: str,
) -> None:
    if "--model" in flags:
        monkeypatch.undo()
    result = run("ask", "What is the capital of Georgia?", *flags)
    assert result.exit_code == (5 if "--index" in flags else 2), result.output
    assert result.stdout == ""
    said = [line for line in result.stderr.splitlines() if "..." not in line and "indexing" not in line]
    error, hint = said[-2:]
    assert error.startswith("Error: ") and says in error + hint and hint


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            ["ask"],
            ["ask", "a", "b"],
            ["nothing"],
            ["ask", "hi", "--top-k", "0"],
            ["ask", "hi", "--top-k", "x"],
        ),
        *(
            ["ask", "hi", "--timeout", "-1"],
            ["ask", "hi", "--limit", "0"],
            ["ask", "hi", "--candidates", "0"],
        ),
        *(
            ["ask", "hi", "--frobnicate"],
            ["search"],
            ["check"],
            ["check", "no-such-file.rq"],
            ["models", "plan"],
        ),
        *(
            ["index", "x.ttl", "--pairs", "none"],
            ["models", "plan", "m", "--gpus", "2x24GiB", "--quantize", "1bit"],
        ),
        *(["train"], ["index", "x.ttl", "--name", "a", "--out", "b"]),
    ],
)
def test_a_command_line_that_makes_no_sense_is_status_2(
    run: Callable[..., Result], arguments: list[str]
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2 and result.stdout == "" and "Error: " in result.stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SourceError("No.", "Do."), 2),
        (NoQueryError("No.", "Do."), 3),
        (GraphError("No.", "Do."), 4),
        (ArtifactError("No.", "Do."), 5),
        (RuntimeError("boom\nat line 3"), 1),
        (MemoryError(), 1),
        (RecursionError("too deep"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_whatever_happens_inside_ends_with_a_sentence(
    run: Callable[..., Result],
    scripted: ScriptedGenerator,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    status: int,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(scripted, "generate", fail)
    result = run("ask", QUESTION)
    assert result.exit_code == status and result.stdout == "" and "Traceback" not in result.stderr
    said = result.stderr.splitlines()
    if status == 130:
        assert said[-1] == "Stopped."
    else:
        assert said[-2].startswith("Error: ") and (said[-1] == "Do." or "--debug" in said[-1])
        with pytest.raises(type(error)):
            CliRunner().invoke(main, ["--debug", "ask", QUESTION], catch_exceptions=False)


def test_no_valid_candidate_is_status_3(run: Callable[..., Result], scripted: ScriptedGenerator) -> None:
    scripted.says(["SELECT ?a WHERE { dbr:Australia dbo:frobnicates ?a }", "this is no query"])
    result = run("ask", QUESTION)
    assert result.exit_code == 3 and result.stdout == ""
    assert "No valid query could be written" in result.stderr and "--entity" in result.stderr


# --- ask, many questions


def test_questions_from_standard_input(run: Callable[..., Result], scripted: ScriptedGenerator) -> None:
    scripted.says([CAPITAL])
    result = run("ask", "-", stdin=f"{QUESTION}\n\n   \n??\n{QUESTION}\r\n")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(rows) == 3, "blank lines ask nothing"
    assert rows[0]["rows"] == rows[2]["rows"] != []
    assert rows[1].keys() == {"question", "error", "hint", "exit_status"} and rows[1]["exit_status"] == 2
    assert rows[1]["question"] == "??"
    assert result.exit_code == 2, "the first failure is the status"


def test_one_question_that_breaks_something_does_not_stop_the_rest(
    run: Callable[..., Result], scripted: ScriptedGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.says([CAPITAL])
    calls = iter([RuntimeError("boom"), None])
    generate = scripted.generate

    def sometimes(requests: Any, *, candidates: int = 5) -> Any:
        if error := next(calls):
            raise error
        return generate(requests, candidates=candidates)

    monkeypatch.setattr(scripted, "generate", sometimes)
    result = run("ask", "-", stdin=f"{QUESTION}\n{QUESTION}\n")
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert first["exit_status"] == 1 and "boom" in first["error"]
    assert second["rows"] and result.exit_code == 1


def test_bytes_that_are_no_text_and_nothing_at_all(
    run: Callable[..., Result], scripted: ScriptedGenerator
) -> None:
    scripted.says([CAPITAL])
    result = run("ask", "-", stdin=QUESTION.encode()[:-1] + b"\xff\xfe?\n")
    assert result.exit_code == 0 and json.loads(result.stdout)["rows"]
    assert run("ask", "-", stdin="").stdout == ""
    result = run("ask", QUESTION[:-1] + "\udcff?", "--json")
    assert result.exit_code == 0 and json.loads(result.stdout)["rows"]


# --- the other commands


def test_index_makes_one_of_ones_own_which_ask_and_search_take(
    run: Callable[..., Result], scripted: ScriptedGenerator, graph: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    result = run("index", str(graph), "--out", str(folder), "--entities", str(graph))
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"{folder}: ") and "terms in" in result.stdout
    assert "indexing names: 6 of 6" in result.stderr
    assert {"manifest.json", "index.faiss", "terms.jsonl", "entities.sqlite"} == {
        p.name for p in folder.iterdir()
    }
    scripted.says([CAPITAL])
    assert json.loads(run("ask", QUESTION, "--index", str(folder), "--json").stdout)["index"] == str(folder)
    hits = [
        json.loads(line)
        for line in run(
            *("search", "total population", "--index", str(folder), "--top-k", "2", "--json")
        ).stdout.splitlines()
    ]
    assert len(hits) == 2 and hits[0]["iri"] == DBO + "populationTotal"
    assert hits[0]["score"] >= hits[1]["score"] and set(hits[0]) == {"iri", "kind", "label", "score"}


def test_an_index_has_a_name(run: Callable[..., Result], graph: Path, home: Path) -> None:
    result = run("index", str(graph), "--name", "tiny")
    assert result.exit_code == 0 and (home / ".local/share/ontoprompt/indexes/tiny/manifest.json").is_file()
    line = run("search", "capital", "--index", "tiny", "--top-k", "1").stdout
    assert f"<{DBO}capital>" in line
    assert run("index", str(graph), "--name", "../up").exit_code == 2


def test_pairs_train_the_adapter_and_become_worked_examples(
    run: Callable[..., Result], scripted: ScriptedGenerator, graph: Path, tmp_path: Path
) -> None:
    pairs = tmp_path / "pairs.jsonl"
    rows = [
        {
            "question": f"Where does {name} keep its parliament?",
            "sparql": f"SELECT ?a {{ dbr:{name} dbo:capital ?a }}",
        }
        for name in ("Australia", "France", "Chad", "Peru")
    ]
    rows.append({"question": "What is not a query here?", "sparql": "SELECT WHERE {{"})
    pairs.write_text("\n".join(json.dumps(row) for row in rows))
    folder = tmp_path / "taught"
    result = run("index", str(graph), "--out", str(folder), "--pairs", str(pairs))
    assert result.exit_code == 0, result.stderr
    assert (folder / "adapter.safetensors").is_file()
    assert (tmp_path / "taught.examples.jsonl").read_bytes() == pairs.read_bytes()
    scripted.says([CAPITAL])
    row = json.loads(
        run("ask", QUESTION, "--index", str(folder), "--examples", "1", "--json", "--prompt", "nsql").stdout
    )
    assert "keep its parliament?" in row["prompt"]
    pairs.write_text(
        json.dumps({"question": "Which of them is it?", "sparql": "SELECT ?a { ?a <http://x/y> 1 }"})
    )
    assert run("index", str(graph), "--out", str(folder), "--pairs", str(pairs)).exit_code == 2
    assert (folder / "manifest.json").is_file(), "the old index stays"


def test_the_prompt_is_the_one_that_would_be_asked(
    run: Callable[..., Result], scripted: ScriptedGenerator
) -> None:
    scripted.says([CAPITAL])
    shown = run("prompt", QUESTION)
    assert shown.exit_code == 0, shown.stderr
    asked = json.loads(run("ask", QUESTION, "--json").stdout)["prompt"]
    assert shown.stdout == asked + "\n" and not scripted.seen[1:]


@pytest.mark.parametrize("variant", ["question", "terms", "nsql", "nsql-symbols"])
def test_prompt_variants_need_no_model(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    monkeypatch.setattr("ontoprompt.generation.open_generator", lambda *_: pytest.fail("a model was loaded"))
    result = run("prompt", QUESTION, "--prompt", variant)
    assert result.exit_code == 0 and "capital of" in result.stdout
    assert ("CREATE TABLE" in result.stdout.upper()) == variant.startswith("nsql")


CHECKS = [
    ("SELECT ?a WHERE { ?a a dbo:Country ; dbo:capital ?b }", 0, "No issues."),
    (CAPITAL, 0, "warning: Whether the graph knows"),
    ("SELECT ?a WHERE { ?b dbo:capitol ?a }", 3, f"known instead: {DBO}capital"),
    ("SELECT ?a WHERE { ?a", 3, "error: "),
    ("DELETE WHERE { ?s ?p ?o }", 3, "error: "),
    ("SELECT * { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }", 3, "error: "),
    ("", 3, "error: "),
]


@pytest.mark.parametrize(("query", "status", "says"), CHECKS)
def test_check_judges_a_query(
    run: Callable[..., Result], tmp_path: Path, query: str, status: int, says: str
) -> None:
    file = tmp_path / "query.rq"
    file.write_text(query)
    by_file, by_pipe = run("check", str(file)), run("check", "-", stdin=query)
    assert by_file.exit_code == by_pipe.exit_code == status, by_file.output
    assert by_file.stdout == by_pipe.stdout and says in by_file.stdout and by_file.stderr == ""


def test_check_never_runs_what_it_checks(run: Callable[..., Result], endpoint: Endpoint) -> None:
    endpoint.replies = [(200, "text/plain", "")]
    assert run("check", "-", stdin=f"SELECT * {{ SERVICE <{endpoint.url}> {{ ?s ?p ?o }} }}").exit_code == 3
    assert endpoint.asked == 0


def test_a_query_that_is_no_text(run: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "query.rq"
    file.write_bytes(b"SELECT \xff\xfe")
    result = run("check", str(file))
    assert result.exit_code == 2 and "UTF-8" in result.stderr


def test_models_plan_spreads_a_model_that_is_not_loaded(run: Callable[..., Result], tiny_model: Path) -> None:
    result = run("models", "plan", str(tiny_model), "--gpus", "2x1GiB")
    assert result.exit_code == 0, result.stderr
    assert "M parameters" in result.stdout and "Fits on the GPUs." in result.stdout
    too_small = run("models", "plan", str(tiny_model), "--gpus", "1x0.0001GiB")
    assert "Does not fit" in too_small.stdout
    for wrong, status in (("two", 2), ("0x24GiB", 2)):
        assert run("models", "plan", str(tiny_model), "--gpus", wrong).exit_code == status
    (empty := tiny_model.parent / "empty").mkdir(exist_ok=True)
    assert run("models", "plan", str(empty), "--gpus", "1x1GiB").exit_code == 5


# --- as a process


def test_one_question_in_a_process_of_its_own(shell: Run, graph: Path, tiny_model: Path) -> None:
    """All stages for real, with a random generator: whatever it writes is a query over what was retrieved."""
    done = shell("ask", QUESTION, "--kg", str(graph), "--model", str(tiny_model), "--json")
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert row["model"] == str(tiny_model) and row["candidates"]
    executed = [c for c in row["candidates"] if c["rows"] is not None]
    # What is run may be warned of, as of a direction, and no more.
    said = [issue for c in executed for issue in c["issues"]]
    assert executed and all(" starts from " in issue or " leads to " in issue for issue in said)
    assert "Warning" not in done.stderr and "Traceback" not in done.stderr


def _started(*arguments: str, cwd: Path, home: Path, **options: Any) -> subprocess.Popen[str]:
    package = str(Path(__file__).parent.parent)
    return subprocess.Popen(
        [sys.executable, "-c", "from ontoprompt.cli import main; main()", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**os.environ, "HOME": str(home), "PYTHONPATH": package, "OMP_NUM_THREADS": "1"},
        # A suite that runs in the background ignores Ctrl-C, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        **options,
    )


@pytest.fixture
def killing() -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def test_ctrl_c_while_the_model_loads(
    tmp_path: Path, home: Path, graph: Path, tiny_model: Path, killing: list[subprocess.Popen[str]]
) -> None:
    # One that transformers must load, which takes long enough to be said.
    model = tmp_path / "model"
    shutil.copytree(tiny_model, model)
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    (model / "config.json").write_text(json.dumps({**config, "rotary_dim": 4}), encoding="utf-8")
    process = _started("ask", QUESTION, "--kg", str(graph), "--model", str(model), cwd=tmp_path, home=home)
    killing.append(process)
    assert process.stderr is not None
    first = process.stderr.readline()
    assert first, "something is said while the model loads"
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130 and out == "" and err.splitlines()[-1] == "Stopped."
    assert "Traceback" not in err and "Fatal" not in err and time.monotonic() - began < 10


def test_an_error_while_the_model_loads_ends_cleanly(shell: Run, graph: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "manifest.json").write_text("{")
    done = shell("ask", QUESTION, "--kg", str(graph), "--index", str(damaged))
    assert done.returncode == 5 and "damaged" in done.stderr and "Fatal" not in done.stderr


@pytest.mark.parametrize("command", ["search", "check"])
def test_a_reader_that_leaves_is_no_error(
    command: str, tmp_path: Path, home: Path, graph: Path, killing: list[subprocess.Popen[str]]
) -> None:
    (tmp_path / "bad.rq").write_text("SELECT ?a WHERE { ?a")
    arguments = ["search", "capital city", "--top-k", "5"] if command == "search" else ["check", "bad.rq"]
    process = _started(*arguments, cwd=tmp_path, home=home)
    killing.append(process)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(60) == (0 if command == "search" else 3)
    assert "Traceback" not in err and "Broken" not in err and "Exception ignored" not in err


def test_a_reader_of_an_answer_that_leaves(
    run: Callable[..., Result], scripted: ScriptedGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.says([CAPITAL])
    dropped: list[bool] = []
    monkeypatch.setattr("ontoprompt.edge.drop_stdout", lambda: dropped.append(True))

    def gone(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("click.echo", gone)
    for flags in ([], ["--json"]):
        assert run("ask", QUESTION, *flags).exit_code == 0
    assert dropped == [True, True]


def test_the_kinds_of_errors_have_the_statuses_of_the_contract() -> None:
    kinds: list[type[OntopromptError]] = [OntopromptError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert {k.__name__: k.exit_status for k in kinds} | {} == {
        k.__name__: status
        for status, names in {
            1: "_DefectError",
            2: "OntopromptError UsageError SourceError",
            3: "QueryError QuerySyntaxError UnsafeQueryError NoQueryError",
            4: "GraphError QueryTimeoutError _RefusedError",
            5: "ArtifactError",
        }.items()
        for k in kinds
        if k.__name__ in names.split()
    }


def test_train_makes_a_generator_that_ask_takes(
    run: Callable[..., Result], graph: Path, tmp_path: Path
) -> None:
    names = ("Australia", "France", "Chad", "Peru", "Mali", "Fiji", "Cuba", "Oman")
    rows = [
        {"question": f"What is the capital of {n}?", "sparql": f"SELECT ?a {{ dbr:{n} dbo:capital ?a }}"}
        for n in names
    ]
    (pairs := tmp_path / "pairs.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    out = tmp_path / "generator"
    size = ("--layers", "1", "--width", "64", "--vocabulary", "400", "--minutes", "0.05")
    result = run("train", str(pairs), "--ontology", str(graph), "--out", str(out), *size)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"{out}: ") and "examples seen" in result.stdout
    done = run("ask", QUESTION, "--model", str(out), "--json")
    assert done.exit_code in (0, 3), done.stderr
    assert (tmp_path / "broken.jsonl").write_text("{}\nnot json\n")
    refused = run("train", str(tmp_path / "broken.jsonl"), "--out", str(tmp_path / "none"), *size)
    assert refused.exit_code == 2 and "broken.jsonl, line 2" in refused.stderr
