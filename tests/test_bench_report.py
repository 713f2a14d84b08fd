"""What a report says of a run: its figures, its denominators, and nothing that the data made it say."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from markdown_it import MarkdownIt

from bench import plots
from bench.document import Code, Figure, Fold, Heading, Paragraph, Table, clean, to_html, to_markdown
from bench.report import p_value, report_blocks, write_report
from bench.results import STRICT, System, load_results, shown
from bench.statistics import Interval
from ontoprompt.errors import ArtifactError

EVIL = (
    "<script>alert(1)</script> ![x](http://evil.example/x.png) [y](javascript:z) | `q` $\\frac{$ *b* www.evil.example "
    "a@evil.example ```\n# top\n\u202e\x1b[31m&lt;"
)
FILES = ("accuracy", "cost", "errors", "groups", "recall")


def row(variant: str, number: int, right: bool, **more: Any) -> dict[str, Any]:
    """A row as the harness writes it."""
    return {
        "variant": variant,
        "examples": 0,
        "id": str(number),
        "question": f"Who is number {number}?",
        "gold": f"SELECT ?x {{ ?x <urn:p> {number} }}",
        "template": "t1" if number < 12 else "t2" if number < 18 else f"rare{number}",
        "form": "ask" if number % 4 == 0 else "select",
        "shape": "SELECT ?a { ?a <urn:_> 0 }",
        "prompt": "text",
        "tokens": 100 + number,
        "candidates": [{"text": "x", "sparql": "x", "score": -0.3}],
        "sparql": "SELECT ?x { ?x <urn:q> 0 }",
        "exact": right and number % 2 == 0,
        "suite_strict": right,
        "suite_lenient": right,
        "undecided": False,
        "term_precision": 1.0,
        "term_recall": 0.5,
        "term_f1": 1.0 if right else 0.5,
        "valid": True,
        "unknown_terms": 0 if right else number % 2,
        "bleu": 100.0 if right else 40.0,
        "token_f1": 1.0 if right else 0.4,
        "error": "" if right else "wrong term",
        "recall_at": {"1": 0.5, "5": float(number % 2), "20": 1.0},
        "seconds": {"prompt": 0.01, "generate": 0.5 + number / 100, "score": 0.02},
        "answerable": None,
        **more,
    }


def left_out(variant: str, number: int, reason: str) -> dict[str, Any]:
    whole = row(variant, number, False)
    return {key: whole[key] for key in ("variant", "examples", "id", "question", "gold")} | {
        "left_out": reason
    }


def run_of(folder: Path, rows: list[dict[str, Any]], **settings: Any) -> Path:
    folder.mkdir(exist_ok=True)
    ids = {r["id"] for r in rows}
    variants = list(dict.fromkeys(r["variant"] for r in rows))
    told = {
        "command": "python -m bench.prompt_variants --out run",
        "dataset": "lcquad2",
        "file": "test_a.jsonl",
        "variants": variants,
        "examples": [0],
        "linking": "pool",
        "limit": len(ids),
        "seed": 0,
        "n": len(ids),
        "left_out": {},
        "repairs": {"year": 2},
        "finished": True,
        **settings,
    }
    (folder / "settings.json").write_text(json.dumps(told))
    (folder / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return folder


def two_variants(folder: Path) -> Path:
    """Two variants, 20 questions: `question` gets 4 right and one is undecided, `nsql` 15; one of nsql's is left out."""
    rows = [
        row("question", i, i < 5, **({} if i else {"undecided": True, "suite_strict": False, "exact": False}))
        for i in range(20)
    ]
    rows += [row("nsql", i, i < 15) for i in range(19)] + [left_out("nsql", 19, "no room")]
    return run_of(folder, rows, left_out={"no room": 1, "no gold": 3})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return two_variants(tmp_path / "run")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose report is written; only to be read."""
    folder = two_variants(tmp_path_factory.mktemp("report") / "run")
    write_report(folder)
    return folder


def table(folder: Path, heading: str, place: int = 0) -> list[list[str]]:
    """The cells of a table of the report, header first."""
    part = (folder / "report.md").read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    tables = re.findall(r"(?:^\|.*\n?)+", part, re.M)
    lines = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in tables[place].splitlines()]
    return [lines[0], *lines[2:]]


def column(cells: list[list[str]], name: str) -> list[str]:
    return [line[cells[0].index(name)] for line in cells[1:]]


def test_the_settings_and_the_command_come_first(report: Path) -> None:
    text = (report / "report.md").read_text("utf-8")
    assert text.startswith(
        "# Benchmark run on lcquad2, linking pool\n\n## Settings\n\n```text\npython -m bench.prompt_variants --out run"
    )
    assert ["linking", "pool"] in table(report, "Settings") and ["repairs", "year 2"] in table(
        report, "Settings"
    )
    assert "not finished" not in text
    # What was left out of a row is in the denominators; what no row knows of is not.
    assert "in no denominator: no gold 3." in text


def test_figures_are_over_all_questions_and_costs_over_those_asked(report: Path) -> None:
    main = table(report, "Variants")
    assert column(main, "variant") == ["question", "nsql"] and column(main, "n") == ["20", "20"]
    assert [cell.split()[0] for cell in column(main, "suite strict")] == ["20.0", "75.0"]
    assert [cell.split()[0] for cell in column(main, "exact")] == ["10.0", "40.0"]
    # Valid: 20 of 20, and 19 of 20 with the one left out.
    assert column(main, "valid")[0] == "100.0 (83.2, 100.0)" and column(main, "valid")[1].startswith("95.0 (")
    assert [cell.split()[0] for cell in column(main, "tokens")] == ["109.5", "109.0"]
    counts = table(report, "Variants", 1)
    assert counts[1:] == [["question", "20", "20", "1", "none"], ["nsql", "20", "19", "0", "no room 1"]]
    asked = table(report, "Variants", 2)
    assert column(asked, "asked") == ["20", "19"]
    assert column(asked, "suite strict")[1].split()[0] == f"{100 * 15 / 19:.1f}"


def test_the_setting_of_linking_and_the_measures_are_explained(report: Path, tmp_path: Path) -> None:
    text = (report / "report.md").read_text("utf-8")
    assert "Linking pool: each question is given its gold entities and terms among 15" in text
    assert "Zhong, Yu and Klein 2020" in text
    other = run_of(tmp_path / "other", [row("nsql", 1, True)], linking="by hand")
    write_report(other)
    assert "Linking by hand" not in (other / "report.md").read_text("utf-8")


def test_terms_by_kind_say_of_how_many_questions_they_know(tmp_path: Path) -> None:
    """A kind that neither gold nor prediction names is no question of that kind."""
    rows = [
        row("nsql", i, True, entity_f1=0.5, property_f1=1.0, class_f1=1.0 if i < 2 else None)
        for i in range(4)
    ]
    run = run_of(tmp_path / "run", [*rows, left_out("nsql", 4, "no room")])
    write_report(run)
    text = (run / "report.md").read_text("utf-8")
    header, _, cells = text[text.index("## Terms") :].split("| variant")[1].splitlines()[:3]
    found = dict(zip(header.split(" | "), cells.split(" | "), strict=True))
    assert found["recall"].startswith("40.0 (") and found["F1"].startswith("80.0 (")
    assert found["F1 of entities"].startswith("50.0 (") and found["F1 of entities"].endswith(" of 4")
    assert found["F1 of classes |"].startswith("100.0 (") and " of 2" in found["F1 of classes |"]


def test_a_share_has_the_bootstrap_interval_of_the_seed(report: Path) -> None:
    low, high = (
        float(x) for x in re.findall(r"[\d.]+", column(table(report, "Variants"), "suite strict")[1])[1:]
    )
    share, root = 0.75, (0.75 * 0.25 / 20) ** 0.5
    assert abs(low / 100 - (share - 1.96 * root)) < 0.06 and abs(high / 100 - (share + 1.96 * root)) < 0.06
    before = (report / "report.md").read_bytes(), (report / "report.html").read_bytes()
    write_report(report)
    assert ((report / "report.md").read_bytes(), (report / "report.html").read_bytes()) == before


def test_paired_differences_carry_mcnemar_and_holm(report: Path) -> None:
    strict, exact = table(report, "Paired differences"), table(report, "Paired differences", 1)
    # 0 is undecided and so wrong in `question`, right in `nsql`; 5 to 14 are right in `nsql` alone.
    assert strict[1][:3] == ["question", "nsql", "20"] and strict[1][3].startswith("-55.0 (")
    assert strict[1][4:] == ["0", "11", p_value(2 / 2**11), p_value(2 * 2 / 2**11)]
    assert exact[1][4:] == ["0", "6", p_value(2 / 2**6), p_value(2 / 2**6)]


def test_results_by_form_and_by_template_with_few_pooled(report: Path) -> None:
    forms = table(report, "By form of query")
    assert [line[:2] for line in forms[1:]] == [["select", "15"], ["ask", "5"]]
    assert forms[2][2:] == ["20.0 / 20.0", "80.0 / 80.0"]
    templates = table(report, "By template")
    assert [line[:2] for line in templates[1:]] == [["t1", "12"], ["t2", "6"], ["2 small templates", "2"]]
    assert templates[3][3] == "0.0 / 0.0"


def test_without_templates_shapes_stand_in(tmp_path: Path) -> None:
    shapes = ["ASK { <urn:_> ?a 0 }"] * 6 + ["SELECT ?a { ?a <urn:_> 0 }"] * 7 + ["odd"]
    folder = run_of(
        tmp_path / "run", [row("nsql", i, True, template="", shape=s) for i, s in enumerate(shapes)]
    )
    write_report(folder)
    assert [line[:2] for line in table(folder, "By shape of query")[1:]] == [
        ["1", "7"],
        ["2", "6"],
        ["1 small shapes", "1"],
    ]
    text = (folder / "report.md").read_text("utf-8")
    assert "1: SELECT ?a { ?a <urn:_> 0 }\n2: ASK { <urn:_> ?a 0 }" in text and "By template" not in text


def test_costs_recall_and_errors(report: Path) -> None:
    costs = table(report, "Tokens and seconds a question")
    assert costs[0][-3:] == ["prompt, mean", "generate, mean", "score, mean"]
    assert costs[1][3:5] == ["110", "119"] and costs[1][-3:] == ["0.010", "0.595", "0.020"]
    recall = table(report, "Recall of retrieval")
    assert recall[0] == ["variant", "n", "k = 1", "k = 5", "k = 20"]
    assert recall[1][:2] == ["question", "20"] and recall[1][3].startswith("50.0 (")
    errors = table(report, "Errors")
    assert column(errors, "right") == ["20.0 (4)", "75.0 (15)"]
    assert column(errors, "wrong term") == ["75.0 (15)", "20.0 (4)"]
    # Undecided, and the harness named no error.
    assert column(errors, "no error named") == ["5.0 (1)", "0.0 (0)"]
    assert column(errors, "left out") == ["0.0 (0)", "5.0 (1)"]
    text = (report / "report.md").read_text("utf-8")
    examples = text.split("<summary>Examples: wrong term</summary>")[1].split("</details>")[0]
    assert (
        examples.count("question: Who") == 6 and examples.count("predicted: SELECT ?x { ?x <urn:q> 0 }") == 6
    )
    assert "left out: no room" in text


def test_one_curve_for_all_and_the_denominator_of_each_k(tmp_path: Path) -> None:
    rows = [
        row(v, i, True, recall_at={"1": i / 10, "5": 1.0} if i < 4 else {"1": i / 10})
        for v in ("a", "b")
        for i in range(10)
    ]
    folder = run_of(tmp_path / "run", rows)
    write_report(folder)
    (line,) = table(folder, "Recall of retrieval")[1:]
    assert line[0] == "all variants" and line[1] == "10" and line[3] == "100.0 (39.8, 100.0) of 4"


def test_a_run_that_is_not_finished_says_so_at_the_top(run: Path) -> None:
    settings = json.loads((run / "settings.json").read_text())
    del settings["n"]
    (run / "settings.json").write_text(json.dumps({**settings, "finished": False}))
    lines = (run / "rows.jsonl").read_text().splitlines(keepends=True)
    (run / "rows.jsonl").write_text("".join(lines[:30]) + lines[30][:50])
    write_report(run)
    for name in ("report.md", "report.html"):
        text = (run / name).read_text("utf-8")
        assert text.index("This run is not finished: 30 rows") < text.index(
            "Settings<" if "html" in name else "## Settings"
        )
    assert column(table(run, "Variants"), "n") == ["20", "10"]
    # Paired over the ten that both have answered.
    assert table(run, "Paired differences")[1][2] == "10"


def test_missing_rows_of_a_finished_run_count_as_wrong(tmp_path: Path) -> None:
    rows = [row("a", i, True) for i in range(8)] + [row("b", i, True) for i in range(4)]
    folder = run_of(tmp_path / "run", rows, n=10)
    write_report(folder)
    main = table(folder, "Variants")
    assert column(main, "n") == ["10", "10"]
    assert [cell.split()[0] for cell in column(main, "suite strict")] == ["80.0", "40.0"]
    assert "b has no row for 6 of 10 questions; they count as wrong." in (folder / "report.md").read_text(
        "utf-8"
    )
    assert column(table(folder, "Errors"), "no row") == ["20.0 (2)", "60.0 (6)"]


def test_measures_that_a_run_does_not_hold_are_no_columns(tmp_path: Path) -> None:
    rows = [
        {k: v for k, v in row("a", i, True).items() if k not in ("bleu", "recall_at", "seconds")}
        for i in range(6)
    ]
    folder = run_of(tmp_path / "run", [*rows, left_out("a", 7, "no room")])
    write_report(folder)
    assert not {"BLEU", "seconds"} & set(table(folder, "Variants")[0])
    assert "Recall" not in (folder / "report.md").read_text("utf-8")


def test_an_empty_run_and_one_of_nothing_but_left_out_questions(tmp_path: Path) -> None:
    folder = run_of(tmp_path / "run", [], finished=True)
    write_report(folder)
    assert "This run holds no rows." in (folder / "report.md").read_text("utf-8")
    write_report(run_of(tmp_path / "other", [left_out("a", i, "no room") for i in range(3)]))
    assert column(table(tmp_path / "other", "Errors"), "left out") == ["100.0 (3)"]


class Page(HTMLParser):
    """Tags, addresses and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.images: list[str] = []
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.append((name, value or ""))
            if (tag, name) == ("img", "src"):
                self.images.append(value or "")

    def handle_data(self, data: str) -> None:
        self.said += data


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    """A run in which every text is hostile."""
    rows = [
        row(
            EVIL,
            i,
            i % 2 == 0,
            id=f"{i} {EVIL}",
            question=EVIL,
            gold=EVIL,
            sparql=EVIL,
            template=EVIL,
            form=EVIL,
            error=EVIL,
        )
        for i in range(6)
    ] + [{**left_out(EVIL, 9, EVIL), "question": EVIL}]
    return run_of(
        tmp_path / "run", rows, command=EVIL, dataset=EVIL, machine={EVIL: [EVIL]}, left_out={EVIL: 3}, seed=0
    )


def test_the_page_holds_its_images_and_loads_nothing(run: Path, evil: Path) -> None:
    for folder in (run, evil):
        write_report(folder)
        text = (folder / "report.html").read_text("utf-8")
        page = Page(text)
        allowed = "html head meta title style body h1 h2 h3 p div table thead tbody tr th td pre details summary img"
        assert set(page.tags) <= set(allowed.split())
        assert {name for name, _ in page.attributes} <= {
            "lang",
            "charset",
            "name",
            "content",
            "http-equiv",
            "class",
            "alt",
            "src",
        }
        assert ("content", "default-src 'none'; img-src data:; style-src 'unsafe-inline'") in page.attributes
        assert len(page.images) == 5
        for image, file in zip(page.images, ("accuracy", "groups", "cost", "recall", "errors"), strict=True):
            head, data = image.split(",")
            assert head == "data:image/svg+xml;base64"
            assert base64.b64decode(data) == (folder / "plots" / f"{file}.svg").read_bytes()
    assert "<script>alert(1)</script> ![x](http://evil.example/x.png)" in page.said
    assert "\u202e" not in text and "\x1b" not in text


def test_hostile_text_stays_text_in_markdown(evil: Path) -> None:
    write_report(evil)
    text = (evil / "report.md").read_text("utf-8")
    assert "\u202e" not in text and "\x1b" not in text
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    flat = [t for token in tokens for t in (token, *(token.children or ()))]
    assert {t.attrs["src"] for t in flat if t.type == "image"} == {f"plots/{name}.svg" for name in FILES}
    assert not [t for t in flat if t.type in ("link_open", "html_inline", "em_open", "code_inline")]
    folds = [t.content.strip() for t in flat if t.type == "html_block"]
    assert folds and all(
        f == "</details>" or re.fullmatch(r"<details><summary>[^<>]*</summary>", f) for f in folds
    )
    headings = [flat[i + 1].content for i, t in enumerate(flat) if t.type == "heading_open"]
    assert "top" not in headings and headings[1] == "Settings"
    # A reader that makes links of bare addresses finds none outside code.
    prose = re.sub(r"^(`{3,})text\n.*?^\1$", "", text, flags=re.M | re.S)
    assert not re.search(r"https?://|www\.|\w@\w|(?<!\\)\$", prose)


def test_plots_are_black_and_white_and_hold_no_script(evil: Path) -> None:
    write_report(evil)
    for name in FILES:
        data = (evil / "plots" / f"{name}.svg").read_bytes()
        root = ElementTree.fromstring(data)
        assert not [e for e in root.iter() if e.tag.endswith(("script", "foreignObject"))]
        text = data.decode("utf-8")
        for red, green, blue in re.findall(r"#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})\b", text):
            assert red == green == blue
        outside = [value for e in root.iter() for key, value in e.attrib.items() if key.endswith("href")]
        assert all(value.startswith(("#", "data:image/png;base64,")) for value in outside)


def test_plots_of_what_is_not_known_and_of_many_curves() -> None:
    nothing = Interval(float("nan"), float("nan"), float("nan"), 0)
    lone = Interval(0.5, float("nan"), float("nan"), 1)
    outside = Interval(0.5, 0.6, 0.7, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = [
            plots.accuracy(["a", "b", "c"], {"exact": [nothing, lone, outside]}),
            plots.cost(["a"], [nothing], {}),
            plots.cost(["a"], [lone], {"$x_{$": [float("nan")]}),
            plots.groups(["a"], ["g"], [[float("nan")]]),
            plots.errors(["a"], {f"e{i}": [0.05] for i in range(20)}),
            plots.recall({f"curve {i}": ((1, 5), (lone, outside)) for i in range(9)}),
            plots.recall({"one": ((1,), (lone,))}),
        ]
    for data in drawn:
        assert ElementTree.fromstring(data).tag.endswith("svg")


def test_both_writers_say_the_same() -> None:
    blocks = [
        Heading("Part"),
        Paragraph("1. is no list, nor is - this"),
        Table(("name", "n"), (("a|b", "1"),)),
        Fold("more", (Code("x\n``` y"),)),
        Figure("f", "what it shows", b"<svg/>"),
    ]
    assert to_markdown("T", blocks) == (
        "# T\n\n## Part\n\n1\\. is no list, nor is - this\n\n| name | n |\n| :--- | ---: |\n| a\\|b | 1 |\n\n"
        "<details><summary>more</summary>\n\n````text\nx\n``` y\n````\n\n</details>\n\n![what it shows](plots/f.svg)\n"
    )
    page = Page(to_html("T", blocks))
    for said in ("Part", "1. is no list, nor is - this", "a|b", "more", "x\n``` y"):
        assert said in page.said
    assert ("alt", "what it shows") in page.attributes


def test_figures_as_they_are_printed() -> None:
    assert shown(STRICT, Interval(0.5, 0.25, 0.754, 9)) == "50.0 (25.0, 75.4)"
    assert shown(STRICT, Interval(float("nan"), float("nan"), float("nan"), 0)) == "–"
    assert [p_value(p) for p in (1.0, 0.1234, 0.0456, 0.000123, 1e-7, 0.0)] == [
        "1.00", "0.12", "0.046", "0.00012", "1.0e-07", "<1e-99",
    ]  # fmt: skip
    assert clean("a\u200b\x00 b\n c\ud800") == "a b c"


def test_systems_stand_in_the_order_of_the_settings(tmp_path: Path) -> None:
    rows = [{**row(v, 1, True), "examples": e} for v in ("b", "a", "z") for e in (3, 0)]
    results = load_results(run_of(tmp_path / "run", rows, variants=["z", "b"], examples=[0, 3]))
    assert results.systems == tuple(System(v, e) for v in ("z", "b", "a") for e in (0, 3))
    assert results.label(results.systems[1]) == "z, 3 ex."
    assert np.isnan(results.values(results.systems[0], [STRICT], ["1"])).sum() == 0
    assert any(isinstance(block, Figure) for block in report_blocks(results))


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("settings.json", None, "is no run folder"),
        ("settings.json", "{", "is damaged"),
        ("settings.json", "[]", "is damaged"),
        ("rows.jsonl", "{}\n", "names no variant"),
        ("rows.jsonl", "[]\n", "names no variant"),
        ("rows.jsonl", "{\n", "are damaged"),
    ],
)
def test_a_damaged_run_is_refused(run: Path, file: str, text: str | None, said: str) -> None:
    if text is None:
        (run / file).unlink()
    else:
        (run / file).write_text(text)
    with pytest.raises(ArtifactError, match=said):
        write_report(run)
    assert not (run / "report.md").exists()


def test_the_command_writes_both_and_speaks_of_errors_in_a_sentence(run: Path, tmp_path: Path) -> None:
    def command(folder: Path) -> subprocess.CompletedProcess[str]:
        root = Path(__file__).parent.parent
        words = [sys.executable, "-m", "bench.report", str(folder)]
        return subprocess.run(
            words, cwd=root, capture_output=True, text=True, env=dict(os.environ), check=False
        )

    done = command(run)
    assert done.returncode == 0 and done.stdout.split() == [str(run / "report.md"), str(run / "report.html")]
    assert not list(run.rglob("*.new"))
    refused = command(tmp_path / "nowhere")
    assert (
        refused.returncode == 5 and refused.stderr.startswith("Error: ") and "Traceback" not in refused.stderr
    )
