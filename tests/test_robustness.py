"""What goes wrong in the world: each ends with a sentence and the status of the contract, in time, and nothing is lost."""

from __future__ import annotations

import json
import resource
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyoxigraph
import pytest
from click.testing import CliRunner, Result
from conftest import Endpoint, Run, ScriptedGenerator

from ontoprompt.cli import main
from ontoprompt.embedding import load_encoder
from ontoprompt.index import build_index
from ontoprompt.ontology import load_ontology

QUESTION = "What is the capital of Australia?"
CAPITAL = "SELECT DISTINCT ?a WHERE { dbr:Australia dbo:capital ?a }"
ANSWER = CAPITAL.replace("?a", "?answer")
# Every pattern may take any of three countries: 3 ** 40 solutions, to be counted one by one.
ENDLESS = f"SELECT (COUNT(*) AS ?n) WHERE {{ {' . '.join(f'?a{i} a dbo:Country' for i in range(40))} }}"


def run(*arguments: str, stdin: str = "", **environment: str) -> Result:
    return CliRunner().invoke(main, list(arguments), input=stdin, env=environment)


def refused(result: Result, status: int, *words: str) -> None:
    """A sentence, a hint and the status; nothing on stdout, no traceback."""
    assert result.exit_code == status, result.output
    assert result.stdout == "" and "Traceback" not in result.stderr
    said = result.stderr.splitlines()
    assert said[-2].startswith("Error: ") and said[-2].endswith((".", ")", "]")), said
    assert len(said[-2]) < 500 and said[-2].isprintable() and said[-1]
    for word in words:
        assert word in said[-2] + said[-1], said


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


# --- questions

NO_QUESTION = {
    "empty": ("", "empty"),
    "blank": (" \t\n ", "empty"),
    "invisible": ("\u200b\ufeff\u200e", "empty"),
    "control characters": ("\x00\x07\x1b\x9f", "empty"),
    "long": ("Who is it? " * 1000, "10,999 characters"),
    "emoji": ("\U0001f600\U0001f680\u2764\ufe0f", "no words"),
    "flags and digits": ("\U0001f1e6\U0001f1fa 42 !?", "no words"),
    "Thai": ("เมืองหลวงของประเทศออสเตรเลียคืออะไร", "English"),
    "Chinese": ("澳大利亚的首都是哪里？", "English"),
}


@pytest.mark.parametrize("command", ["ask", "search", "prompt"])
@pytest.mark.parametrize("name", NO_QUESTION)
def test_what_is_no_question_is_refused_before_anything_is_loaded(
    name: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for opener in ("open_engine", "open_index", "open_retriever"):
        monkeypatch.setattr(f"ontoprompt.assembly.{opener}", lambda *_, **__: pytest.fail("it was loaded"))
    question, says = NO_QUESTION[name]
    with within(3):
        refused(run(command, question), 2, says)


def test_such_questions_among_others_do_not_stop_them(scripted: ScriptedGenerator, graph: Path) -> None:
    scripted.says([CAPITAL])
    bad = [q.replace("\n", " ") for q, _ in NO_QUESTION.values() if q.strip()]
    result = run("ask", "-", "--kg", str(graph), stdin="\n".join([*bad, QUESTION]))
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [r.get("exit_status") for r in rows] == [2] * len(bad) + [None]
    assert rows[-1]["rows"] and result.exit_code == 2


@pytest.mark.parametrize(
    "question",
    [
        "What is\x00 the\x07 capital \x1b[31mof Australia?",
        "What is the capital of Australia\u202e?",
        "\ufeff" + QUESTION,
    ],
)
def test_control_characters_in_a_question_reach_neither_model_nor_terminal(
    question: str, scripted: ScriptedGenerator, graph: Path
) -> None:
    scripted.says([CAPITAL])
    result = run("ask", question, "--kg", str(graph), "--explain")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("Canberra\n")
    assert not set("\x00\x07\x1b\u202e\ufeff") & set(result.stdout + scripted.seen[0].prompt.text)


def test_as_a_process_too(shell: Run) -> None:
    with within(15):
        done = shell("ask", "")
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.startswith(
        "Error: The question is empty."
    )


# --- sources


def _sources(folder: Path) -> dict[str, tuple[Path, str]]:
    made: dict[str, tuple[Path, str]] = {"missing": (folder / "missing.ttl", "does not exist")}

    def make(name: str, file: str, data: bytes, says: str) -> None:
        (folder / file).write_bytes(data)
        made[name] = (folder / file, says)

    ttl = b'@prefix x: <http://x/> . x:a a x:B ; x:p x:c .\nx:d x:q "un'
    make("empty", "empty.ttl", b"", "is empty")
    make("truncated", "truncated.ttl", ttl, "truncated.ttl")
    make("a web page", "page.ttl", b"<!DOCTYPE html><html><body>404</body></html>", "page.ttl")
    make("binary", "binary.nt", bytes(range(256)) * 8, "binary.nt")
    make("half a packed file", "half.ttl.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b", "half.ttl.gz")
    make("not RDF by its name", "table.csv", b"a,b\n1,2\n", "table.csv")
    (folder / "bare").mkdir()
    made["a folder without RDF"] = (folder / "bare", "holds no RDF file")
    return made


NAMES = (
    *("missing", "empty", "truncated", "a web page", "binary", "half a packed file", "not RDF by its name"),
    "a folder without RDF",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_source_that_holds_no_graph_is_named(
    name: str, scripted: ScriptedGenerator, tmp_path: Path, home: Path, graph: Path
) -> None:
    source, says = _sources(tmp_path)[name]
    mine, kept = tmp_path / "mine", home / ".local/share/ontoprompt"
    assert run("index", str(graph), "--out", str(mine)).exit_code == 0
    before = _content(mine), _content(kept)
    with within(20):
        refused(run("ask", QUESTION, "--kg", str(source)), 2, says)
        refused(run("index", str(source), "--out", str(mine)), 2, says)
        refused(run("index", str(graph), "--out", str(mine), "--entities", str(source)), 2, says)
    assert before == (_content(mine), _content(kept)), "what was there is as it was, and nothing was added"
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def _content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# --- the index


class OtherEncoder:
    """Of the default encoder's name and width, but with other weights."""

    def __init__(self) -> None:
        self.name, self.dimension, self.fingerprint = load_encoder().name, load_encoder().dimension, "f" * 64

    def encode(self, texts: Sequence[str], *, progress: Any = None) -> Any:
        vectors = np.random.default_rng(1).normal(size=(len(texts), self.dimension)).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("command", ["ask", "search", "check", "prompt"])
def test_an_index_by_another_encoder_is_refused(
    command: str, scripted: ScriptedGenerator, graph: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    build_index(load_ontology([graph]), folder, encoder=OtherEncoder())
    before = _content(folder)
    arguments = [command, "-" if command == "check" else QUESTION, "--index", str(folder)]
    if command in ("ask", "prompt"):
        arguments += ["--kg", str(graph)]
    refused(run(*arguments, stdin=CAPITAL), 5, "another encoder", "ontoprompt index")
    assert _content(folder) == before


@pytest.mark.parametrize("file", ["index.faiss", "terms.jsonl"])
def test_a_flipped_byte_is_noticed_and_building_again_helps(
    file: str, scripted: ScriptedGenerator, graph: Path, tmp_path: Path
) -> None:
    scripted.says([CAPITAL])
    folder = tmp_path / "mine"
    assert run("index", str(graph), "--out", str(folder)).exit_code == 0
    data = bytearray((folder / file).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / file).write_bytes(data)
    refused(
        run("ask", QUESTION, "--kg", str(graph), "--index", str(folder)),
        5,
        file,
        "damaged",
        "ontoprompt index",
    )
    assert run("index", str(graph), "--out", str(folder)).exit_code == 0
    assert run("ask", QUESTION, "--kg", str(graph), "--index", str(folder)).stdout.startswith("Canberra")


@pytest.mark.parametrize("kept", ["indexes", "entities"])
def test_what_is_kept_for_a_graph_and_damaged_says_what_to_remove(
    kept: str, scripted: ScriptedGenerator, graph: Path, tmp_path: Path
) -> None:
    scripted.says([CAPITAL])
    asked = ("ask", QUESTION, "--kg", str(graph))
    assert run(*asked, ONTOPROMPT_HOME=str(tmp_path)).exit_code == 0
    (made,) = (tmp_path / kept).iterdir()
    file = made / "index.faiss" if kept == "indexes" else made
    file.write_bytes(file.read_bytes()[:-100])
    refused(run(*asked, ONTOPROMPT_HOME=str(tmp_path)), 5, f"Remove {made}")
    shutil.rmtree(made) if made.is_dir() else made.unlink()
    assert run(*asked, ONTOPROMPT_HOME=str(tmp_path)).stdout.startswith("Canberra")


def test_no_index_and_no_model(scripted: ScriptedGenerator, graph: Path, tmp_path: Path) -> None:
    refused(run("ask", QUESTION, "--kg", str(graph), "--index", "no-such"), 5, "no-such", "ontoprompt index")
    (tmp_path / "Documents").mkdir()
    (tmp_path / "Documents" / "thesis.txt").write_text("years of work")
    refused(run("index", str(graph), "--out", str(tmp_path / "Documents")), 2, "not replaced")
    assert (tmp_path / "Documents" / "thesis.txt").read_text() == "years of work"


def test_a_model_that_is_missing_or_damaged(graph: Path, tiny_model: Path, tmp_path: Path) -> None:
    asked = ("ask", QUESTION, "--kg", str(graph), "--model")
    refused(run(*asked, str(tmp_path)), 5, "no model")
    damaged = tmp_path / "damaged"
    shutil.copytree(tiny_model, damaged)
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    refused(run(*asked, str(damaged)), 5, str(damaged))
    (damaged / "config.json").write_text("{")
    refused(run(*asked, str(damaged)), 5, str(damaged))


# --- the disk


@contextmanager
def full_disk(folder: Path) -> Iterator[Path]:
    """A folder that takes 64 KiB: a file system of that size where one may be mounted, else a limit on files."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if mounted.returncode:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, hard))
    try:
        yield folder
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        if not mounted.returncode:
            subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph whose index and whose names take more than 64 KiB."""
    path = tmp_path_factory.mktemp("large") / "large.nt"
    rdf, rdfs = "http://www.w3.org/1999/02/22-rdf-syntax-ns#", "http://www.w3.org/2000/01/rdf-schema#"
    lines = []
    for n in range(60):
        lines += [
            f"<http://x/e{n}> <{rdf}type> <http://x/Kind{n}> .",
            f'<http://x/e{n}> <{rdfs}label> "thing number {n}"@en .',
            f"<http://x/e{n}> <http://x/knows{n}> <http://x/e{n - 1}> .",
        ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_full_disk_leaves_the_old_index(graph: Path, large: Path, tmp_path: Path) -> None:
    with full_disk(tmp_path / "disk") as disk:
        old = disk / "mine"
        assert run("index", str(graph), "--out", str(old)).exit_code == 0
        before = _content(disk)
        refused(run("index", str(large), "--out", str(old)), 5, "could not be written", "unchanged")
        assert _content(disk) == before
        assert run("search", "capital", "--index", str(old), "--top-k", "1").exit_code == 0


def test_a_full_disk_on_first_use_says_where_else(
    scripted: ScriptedGenerator, large: Path, tmp_path: Path
) -> None:
    with full_disk(tmp_path / "disk") as disk:
        refused(
            run("ask", "What is thing number 3?", "--kg", str(large), ONTOPROMPT_HOME=str(disk)),
            5,
            "ONTOPROMPT_HOME",
        )
        assert not _content(disk)


def test_names_that_do_not_fit_say_where_else(
    scripted: ScriptedGenerator, large: Path, tmp_path: Path
) -> None:
    assert run("index", str(large), "--out", str(tmp_path / "mine")).exit_code == 0
    with full_disk(tmp_path / "disk") as disk:
        asked = ("ask", "What is thing number 3?", "--kg", str(large), "--index", str(tmp_path / "mine"))
        refused(run(*asked, ONTOPROMPT_HOME=str(disk)), 5, "ONTOPROMPT_HOME")
        assert not _content(disk)


def test_a_home_that_cannot_be_written(scripted: ScriptedGenerator, graph: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    asked = ("ask", QUESTION, "--kg", str(graph))
    refused(run(*asked, ONTOPROMPT_HOME=str(tmp_path / "file" / "home")), 5, "ONTOPROMPT_HOME")


def test_an_output_that_is_full(shell: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.rq").write_text("SELECT ?a WHERE { ?a")
    with open("/dev/full", "w") as full:
        done = shell("check", "bad.rq", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1 and "No space left" in done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


# --- endpoints


@pytest.fixture
def remote_home(tmp_path: Path) -> dict[str, str]:
    """A home in which nothing is kept for any endpoint."""
    return {"ONTOPROMPT_HOME": str(tmp_path / "remote")}


def test_an_endpoint_is_asked_for_everything(
    scripted: ScriptedGenerator,
    endpoint: Endpoint,
    graph_store: pyoxigraph.Store,
    remote_home: dict[str, str],
) -> None:
    scripted.says([CAPITAL])
    endpoint.replies = [(429, "text/plain", "slow down"), graph_store]
    result = run("ask", QUESTION, "--kg", endpoint.url, "--json", **remote_home)
    assert result.exit_code == 0, result.stderr
    row = json.loads(result.stdout)
    assert [r["a"]["label"] for r in row["rows"]] == ["Canberra"] and row["kg"] == endpoint.url
    assert [e["label"] for e in row["entities"]] == ["Australia"]


def test_an_endpoint_that_is_busy_at_the_worst_moment(
    scripted: ScriptedGenerator,
    endpoint: Endpoint,
    graph_store: pyoxigraph.Store,
    remote_home: dict[str, str],
) -> None:
    scripted.says([ANSWER])
    busy = [True]

    def reply(query: str) -> Any:
        if "?answer" in query and busy:
            busy.clear()
            return (429, "text/plain", "slow down")
        return graph_store

    endpoint.replies = [reply]
    result = run("ask", QUESTION, "--kg", endpoint.url, **remote_home)
    assert result.exit_code == 0 and result.stdout.startswith("Canberra") and not busy


def test_an_endpoint_that_refuses(scripted: ScriptedGenerator, remote_home: dict[str, str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/sparql"
    with within(5):
        refused(run("ask", QUESTION, "--kg", url, **remote_home), 4, url, "refused the connection")
    with within(5):
        refused(run("index", url, "--name", "remote", **remote_home), 4, "refused the connection")


HTML = (200, "text/html", "<!DOCTYPE html><html><body>Log in, please</body></html>")
HALF = ("half", '{"head":{"vars":["a"]},"results":{"bindings":[{"a":{"type":"ur')
BAD = {
    "HTML": (HTML, "web page"),
    "half a reply": (HALF, "broke off"),
    "half a document": ((200, "application/sparql-results+json", HALF[1]), "half of it"),
    "another JSON": ((200, "application/json", '{"error": "no"}'), "no SPARQL result"),
    "not found": ((404, "text/html", "<h1>Not found</h1>"), "404"),
    "forbidden": ((403, "text/plain", "no"), "credentials"),
    "broken": ((500, "text/plain", "SR171: Transaction timed out"), ""),
    "busy for ever": ((429, "text/plain", ""), "429"),
    "nothing": ((200, "application/sparql-results+json", ""), ""),
    "silence": ("hang", "did not answer in time"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_endpoint_that_is_none(
    name: str, scripted: ScriptedGenerator, endpoint: Endpoint, remote_home: dict[str, str]
) -> None:
    reply, says = BAD[name]
    endpoint.replies = [reply]
    with within(8):
        result = run("ask", QUESTION, "--kg", endpoint.url, "--timeout", "1", **remote_home)
        refused(result, 4, says)
    assert not _content(Path(remote_home["ONTOPROMPT_HOME"])), "nothing is kept of it"


@pytest.mark.parametrize("name", ["HTML", "half a reply", "busy for ever", "silence"])
def test_an_endpoint_that_fails_when_the_query_is_run(
    name: str,
    scripted: ScriptedGenerator,
    endpoint: Endpoint,
    graph_store: pyoxigraph.Store,
    remote_home: dict[str, str],
) -> None:
    scripted.says([ANSWER, "SELECT ?answer WHERE { dbr:Australia dbo:populationTotal ?answer }"])
    reply, says = BAD[name]
    failing = [True]
    endpoint.replies = [lambda query: reply if failing and "?answer" in query else graph_store]
    asked = ("ask", QUESTION, "--kg", endpoint.url, "--timeout", "1")
    with within(15):
        refused(run(*asked, **remote_home), 4, says)
    failing.clear()
    assert run(*asked, **remote_home).stdout.startswith("Canberra"), "what was made before is still of use"


def test_no_execute_does_not_need_the_endpoint_again(
    scripted: ScriptedGenerator,
    endpoint: Endpoint,
    graph_store: pyoxigraph.Store,
    remote_home: dict[str, str],
) -> None:
    scripted.says([CAPITAL])
    endpoint.replies = [graph_store]
    assert run("ask", QUESTION, "--kg", endpoint.url, **remote_home).exit_code == 0
    endpoint.replies = [(500, "text/plain", "gone")]
    result = run("ask", QUESTION, "--kg", endpoint.url, "--no-execute", **remote_home)
    assert result.exit_code == 0 and "dbo:capital" in result.stdout


# --- a query without an end


def test_a_query_that_would_run_for_an_hour_is_stopped_and_the_next_is_answered(
    scripted: ScriptedGenerator, graph: Path
) -> None:
    scripted.says([ENDLESS], [CAPITAL])
    with within(20):
        result = run(
            "ask",
            "-",
            "--kg",
            str(graph),
            "--timeout",
            "1",
            stdin=f"How many countries are there?\n{QUESTION}\n",
        )
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert first["exit_status"] == 4 and "took longer" in first["error"] and "--timeout" in first["hint"]
    assert second["rows"] and result.exit_code == 4


def test_alone_it_is_status_4(scripted: ScriptedGenerator, graph: Path) -> None:
    scripted.says([ENDLESS])
    with within(10):
        refused(
            run("ask", "How many countries are there?", "--kg", str(graph), "--timeout", "0.5"),
            4,
            "took longer",
        )


def test_a_slow_candidate_does_not_cost_the_answer_of_a_quick_one(
    scripted: ScriptedGenerator, graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Best first: the quick one stands first and is taken; the endless one is never run."""
    scripted.says([CAPITAL, ENDLESS])
    with within(10):
        row = json.loads(run("ask", QUESTION, "--kg", str(graph), "--timeout", "2", "--json").stdout)
    assert [c["fate"] for c in row["candidates"]] == ["chosen", "not needed"]


# --- silence


def test_no_command_is_silent_while_it_works(
    scripted: ScriptedGenerator, graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow: Callable[..., Any] = scripted.generate

    def generate(*arguments: Any, **options: Any) -> Any:
        time.sleep(2.5)
        return slow(*arguments, **options)

    scripted.says([CAPITAL])
    monkeypatch.setattr(scripted, "generate", generate)
    result = run("ask", QUESTION, "--kg", str(graph))
    assert result.exit_code == 0 and result.stdout.startswith("Canberra")
    assert "asking ..." in result.stderr
