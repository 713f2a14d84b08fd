"""What a person and a script get to see of an answer, and how progress is told."""

from __future__ import annotations

import io
import json
import time
from dataclasses import replace
from typing import Any

import pytest

from ontoprompt import sparql
from ontoprompt.entities import EntityLink
from ontoprompt.execution import ResultSet, Value
from ontoprompt.fragment import ScoredTerm
from ontoprompt.generation import Candidate
from ontoprompt.ontology import Term
from ontoprompt.output import Progress, answer_json, answer_text, cell_text, standalone
from ontoprompt.pipeline import Answer
from ontoprompt.ranking import TriedCandidate
from ontoprompt.validation import Issue

DBR, DBO = "http://dbpedia.org/resource/", "http://dbpedia.org/ontology/"
XSD = "http://www.w3.org/2001/XMLSchema#"
QUERY = "SELECT DISTINCT ?a WHERE {\n  dbr:Australia dbo:capital ?a .\n}\nLIMIT 100"


def answer(result: ResultSet | None, **changes: Any) -> Answer:
    tried = TriedCandidate(Candidate("SELECT ?a ...", QUERY, -0.25, (-0.25,)), (), 1, "chosen")
    whole = Answer(
        question="What is the capital of Australia?",
        sparql=QUERY,
        restated="Find it such that the capital of Australia is it.",
        confidence=0.93,
        result=result,
        labels={DBR + "Canberra": "Canberra", DBR + "Australia": "Australia"},
        entities=(EntityLink(DBR + "Australia", "Australia", "Australia", 23, 32, 0.98765),),
        terms=(ScoredTerm(Term(DBO + "capital", "object_property", "capital"), 0.87654),),
        prompt="-- schema\nSELECT",
        candidates=(tried,),
        model="scripted",
        index="indexes/x",
        kg="small.ttl",
        timings={"link": 0.01, "total": 0.5},
    )
    return replace(whole, **changes)


def rows(*cells: Value | None, truncated: bool = False) -> ResultSet:
    return ResultSet("select", ("a",), tuple((c,) for c in cells), truncated=truncated)


CANBERRA = rows(Value("uri", DBR + "Canberra"))


def test_the_object_of_the_contract_has_every_key_and_is_json() -> None:
    row = json.loads(json.dumps(answer_json(answer(CANBERRA))))
    assert {
        *("question", "sparql", "restated", "confidence", "form", "rows", "boolean", "entities", "terms"),
        *("prompt", "candidates", "model", "index", "kg", "timings"),
    } <= set(row)
    assert row["rows"] == [{"a": {"type": "uri", "value": DBR + "Canberra", "label": "Canberra"}}]
    assert (row["form"], row["boolean"], row["confidence"]) == ("select", None, 0.93)
    assert row["entities"] == [
        {"iri": DBR + "Australia", "label": "Australia", "mention": "Australia", "score": 0.9877}
    ]
    assert row["terms"] == [
        {"iri": DBO + "capital", "kind": "object_property", "label": "capital", "score": 0.8765}
    ]
    (candidate,) = row["candidates"]
    assert {k: candidate[k] for k in ("sparql", "score", "issues", "rows")} == {
        "sparql": QUERY,
        "score": -0.25,
        "issues": [],
        "rows": 1,
    }


def test_every_cell_has_type_value_and_label() -> None:
    cells = (
        Value("literal", "42", XSD + "integer"),
        Value("literal", "Wien", lang="de"),
        Value("uri", "http://example.org/unnamed"),
        Value("bnode", "b0"),
        None,
    )
    given = answer_json(answer(rows(*cells)))["rows"]
    assert given == [
        {"a": {"type": "literal", "value": "42", "label": "42", "datatype": XSD + "integer"}},
        {"a": {"type": "literal", "value": "Wien", "label": "Wien", "lang": "de"}},
        {
            "a": {
                "type": "uri",
                "value": "http://example.org/unnamed",
                "label": "http://example.org/unnamed",
            }
        },
        {"a": {"type": "bnode", "value": "b0", "label": "b0"}},
        {},
    ]


@pytest.mark.parametrize(
    ("query", "form"),
    [
        ("ASK { dbr:Paris a dbo:City }", "ask"),
        (QUERY, "select"),
        ("SELECT ?ASK { ?ASK a <http://x/ASK> }", "select"),
    ],
)
def test_what_was_not_executed_still_has_a_form(query: str, form: str) -> None:
    row = answer_json(answer(None, sparql=query))
    assert (row["form"], row["rows"], row["boolean"]) == (form, [], None)


def test_a_yes_no_answer() -> None:
    said_no = answer(ResultSet("ask", (), (), boolean=False), sparql="ASK { dbr:Paris a dbo:City }")
    row = answer_json(said_no)
    assert (row["form"], row["rows"], row["boolean"]) == ("ask", [], False)
    assert answer_text(said_no).startswith("No.\n")


def test_a_printed_query_runs_anywhere() -> None:
    text = standalone(QUERY)
    assert text.startswith(f"PREFIX dbo: <{DBO}>\nPREFIX dbr: <{DBR}>\nSELECT")
    import rdflib

    rdflib.Graph(bind_namespaces="none").query(text)
    assert sparql.canonical(sparql.parse(text)) == sparql.canonical(sparql.parse(QUERY))
    assert answer_json(answer(CANBERRA))["sparql"] == text and text in answer_text(answer(CANBERRA))


def test_the_answer_stands_first_then_the_restated_question_then_the_query() -> None:
    text = answer_text(answer(CANBERRA))
    assert text.startswith("Canberra\n")
    assert (
        text.index("Canberra") < text.index("Asked: ") < text.index("Confidence 0.93") < text.index("LIMIT")
    )
    assert "\x1b" not in text, "no colours where stdout is no terminal"


def test_doubt_is_said_in_words_with_its_reasons() -> None:
    text = answer_text(answer(CANBERRA, confidence=0.2, doubts=("nothing stands for 'tall'",)))
    assert "This may be wrong (confidence 0.20): nothing stands for 'tall'." in text


@pytest.mark.parametrize("result", [rows(), rows(None)])
def test_an_empty_answer_is_called_empty(result: ResultSet) -> None:
    assert answer_text(answer(result)).startswith("Nothing found")


def test_a_query_that_was_not_run_and_one_that_was_cut() -> None:
    assert answer_text(answer(None)).startswith("(not executed)")
    assert "(only the first 1 rows)" in answer_text(
        answer(rows(Value("uri", DBR + "Canberra"), truncated=True))
    )


@pytest.mark.parametrize("evil", ["\x1b[2Jgone", "a\nNo.", "right\u202eleft", "[red]loud[/red]", "bell\x07"])
def test_what_a_graph_says_cannot_play_with_the_terminal(evil: str) -> None:
    text = answer_text(answer(rows(Value("literal", evil))), explain=True)
    first = text.split("\n")[0]
    assert not set(first) & set("\x1b\x07\u202e\n") and "No." not in text.split("\n")[1:2]
    if "red" in evil:
        assert first == evil


def test_cells_in_words() -> None:
    assert cell_text(None, {}) == "-"
    assert cell_text(Value("literal", "two\n lines"), {}) == "two lines"
    assert cell_text(Value("literal", "x"), {"x": "not this"}) == "x"


def test_explain_tells_links_terms_prompt_candidates_with_fate_and_timings() -> None:
    issue = Issue("unknown-term", "error", "There is no dbo:capitol.", DBO + "capitol")
    refused = TriedCandidate(Candidate("SELECT ?b", "SELECT ?b {}", -3.0), (issue,), None, "refused")
    whole = answer(CANBERRA)
    text = answer_text(replace(whole, candidates=(*whole.candidates, refused)), explain=True)
    for said in (
        *("'Australia' -> Australia", "0.877  capital (object_property)", "| -- schema", "chosen, 1 row:"),
        *("refused: SELECT ?b", "error: There is no dbo:capitol.", "Seconds: link 0.010, total 0.500"),
    ):
        assert said in text, said
    assert "Seconds:" not in answer_text(whole)


def test_colours_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in answer_text(answer(CANBERRA))


class _Clocked(io.StringIO):
    """Remembers when each line was written."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[tuple[float, str]] = []

    def write(self, text: str) -> int:
        if text.strip():
            self.at.append((time.monotonic(), text))
        return len(text)


def test_nothing_is_silent_for_long() -> None:
    stream = _Clocked()
    began = time.monotonic()
    with Progress(stream, silence=0.1) as progress:
        progress("loading the model", 0, None)
        time.sleep(0.7)
        progress("counting", 5, 10)
        time.sleep(0.25)
    over = len(stream.at)
    time.sleep(0.2)
    assert len(stream.at) == over, "it ends with the command"
    said = [text for _, text in stream.at]
    assert said[0].startswith("loading the model ...") and "counting: 5 of 10" in said
    assert any(text.startswith("counting ...") for text in said)
    moments = [began, *(at for at, _ in stream.at)]
    assert max(b - a for a, b in zip(moments, moments[1:], strict=False)) < 0.6


def test_counting_is_told_now_and_then_and_to_its_end() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    for done in range(1, 1001):
        progress("encoding", done, 1000)
    assert stream.getvalue().splitlines() == ["encoding: 1 of 1,000", "encoding: 1,000 of 1,000"]


def test_waiting_for_a_line_to_be_typed_is_silent() -> None:
    stream = io.StringIO()
    with Progress(stream, silence=0.05) as progress, progress.waiting():
        time.sleep(0.2)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("stream", ["closed", "none"])
def test_progress_without_a_reader_stops_nothing(
    stream: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if stream == "none":
        monkeypatch.setattr("sys.stderr", None)
        Progress()("stage", 1, 2)
    else:
        closed = io.StringIO()
        closed.close()
        Progress(closed)("stage", 1, 2)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("truncated", [True, False])
def test_many_rows_do_not_hide_that_they_may_be_wrong(truncated: bool) -> None:
    many = rows(*(Value("literal", f"row {n}") for n in range(40)), truncated=truncated)
    sure, doubtful = (answer_text(answer(many, confidence=c)) for c in (0.9, 0.1))
    assert sure.count("row ") == 40
    assert doubtful.count("row ") == 5 and "left out since this may be wrong" in doubtful
    assert ("35 more" in doubtful) == (not truncated)
    assert len(answer_json(answer(many, confidence=0.1))["rows"]) == 40
    few = rows(*(Value("literal", f"row {n}") for n in range(10)))
    assert answer_text(answer(few, confidence=0.1)).count("row ") == 10
