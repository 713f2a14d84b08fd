"""What `ask` prints: one JSON object of the contract, or text for a person. Also progress, on stderr."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from .execution import Value
from .pipeline import Answer

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def answer_json(answer: Answer) -> dict[str, Any]:
    """The object that `ask --json` prints; its keys are the command line's contract."""
    result = answer.result
    return {
        "question": answer.question,
        "sparql": answer.sparql,
        "restated": answer.restated,
        "confidence": answer.confidence,
        "doubts": list(answer.doubts),
        "form": result.form
        if result
        else ("ask" if re.search(r"\bASK\b", answer.sparql.split("{")[0]) else "select"),
        "rows": [
            {
                name: value_json(v, answer.labels)
                for name, v in zip(result.variables, row, strict=True)
                if v is not None
            }
            for row in (result.rows if result else ())
        ]
        if result
        else [],
        "boolean": result.boolean if result else None,
        "entities": [
            {"iri": e.iri, "label": e.label, "mention": e.mention, "score": round(e.score, 4)}
            for e in answer.entities
        ],
        "terms": [
            {"iri": s.term.iri, "kind": s.term.kind, "label": s.term.label, "score": round(s.score, 4)}
            for s in answer.terms
        ],
        "prompt": answer.prompt,
        "candidates": [
            {
                "sparql": t.candidate.sparql,
                "score": round(t.candidate.score, 4),
                "issues": [i.message for i in t.issues],
                "rows": t.rows,
                "fate": t.note,
            }
            for t in answer.candidates
        ],
        "model": answer.model,
        "index": answer.index,
        "kg": answer.kg,
        "timings": {k: round(v, 4) for k, v in answer.timings.items()},
    }


def value_json(value: Value, labels: Mapping[str, str]) -> dict[str, str]:
    """One cell: its SPARQL type and value, and a label where it is an IRI."""
    out = {"type": value.type, "value": value.value}
    if value.type == "uri":
        out["label"] = labels.get(value.value, value.value)
    if value.datatype:
        out["datatype"] = value.datatype
    if value.lang:
        out["lang"] = value.lang
    return out


def print_answer(answer: Answer, *, explain: bool = False) -> None:
    """The answer first, then what was asked, then the query; coloured on a terminal."""
    from rich.console import Console
    from rich.syntax import Syntax
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)

    def line(text: str, style: str = "") -> None:
        # Labels and endpoint replies are untrusted: no control characters, no markup.
        console.print(Text(_CONTROL.sub(" ", text), style=style))

    for text in answer_lines(answer):
        line(text, "bold")
    line("")
    if answer.restated:
        line(f"Asked: {answer.restated}", "dim")
    if answer.doubtful:
        reasons = f": {'; '.join(answer.doubts)}" if answer.doubts else ""
        line(f"This may be wrong (confidence {answer.confidence:.2f}){reasons}.", "yellow")
    else:
        line(f"Confidence {answer.confidence:.2f}.", "dim")
    line("")
    if console.is_terminal:
        console.print(
            Syntax(_CONTROL.sub(" ", answer.sparql), "sparql", background_color="default", word_wrap=True)
        )
    else:
        line(answer.sparql)
    if explain:
        for text in explain_lines(answer):
            line(text)


def answer_lines(answer: Answer) -> list[str]:
    """The answer in words, one line a row."""
    result = answer.result
    if result is None:
        return ["(not executed)"]
    if result.form == "ask":
        return ["Yes." if result.boolean else "No."]
    if answer.empty:
        return ["Nothing found: the query ran and returned no rows."]
    lines = ["  ".join(cell_text(v, answer.labels) for v in row) for row in result.rows]
    if result.truncated:
        lines.append(f"(only the first {len(result.rows)} rows)")
    return lines


def cell_text(value: Value | None, labels: Mapping[str, str]) -> str:
    """One cell in words."""
    if value is None:
        return "-"
    return labels.get(value.value, value.value) if value.type == "uri" else value.value


def explain_lines(answer: Answer) -> list[str]:
    """Mentions, links, terms, prompt, every candidate with its fate, timings."""
    lines = ["", "Entities:"]
    lines += [f"  {e.mention!r} -> {e.label} <{e.iri}> ({e.score:.2f})" for e in answer.entities] or [
        "  none"
    ]
    lines += ["Terms:"] + [
        f"  {s.score:6.3f}  {s.term.label} ({s.term.kind}) <{s.term.iri}>" for s in answer.terms
    ]
    lines += ["Prompt:"] + [f"  | {x}" for x in answer.prompt.splitlines()]
    lines += ["Candidates:"]
    for t in answer.candidates:
        rows = "" if t.rows is None else f", {t.rows} row{'' if t.rows == 1 else 's'}"
        lines.append(f"  {t.candidate.score:8.3f}  {t.note}{rows}: {t.candidate.text}")
        lines += [f"            {i.severity}: {i.message}" for i in t.issues]
    lines.append("Seconds: " + ", ".join(f"{k} {v:.3f}" for k, v in answer.timings.items()))
    return lines


def stderr_progress() -> Callable[[str, int, int | None], None]:
    """A progress callback that writes a line to stderr at most every two seconds, and one at each new stage."""
    state: dict[str, Any] = {"stage": None, "at": 0.0}

    def show(stage: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if stage == state["stage"] and now - state["at"] < 2 and done != total:
            return
        state.update(stage=stage, at=now)
        print(f"{stage}: {done:,}{f' of {total:,}' if total else ''}", file=sys.stderr, flush=True)

    return show
