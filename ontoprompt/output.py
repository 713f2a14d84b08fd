"""What `ask` prints: one JSON object of the contract, or text for a person. Also progress, on stderr."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from .execution import Value
    from .pipeline import Answer

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Text that graphs, servers or files had a part in, without characters that a terminal obeys."""
    return _CONTROL.sub(" ", text)


def answer_json(answer: Answer) -> dict[str, Any]:
    """The object that `ask --json` prints; its keys are the command line's contract."""
    from . import sparql

    result = answer.result
    return {
        "question": answer.question,
        "sparql": standalone(answer.sparql),
        "restated": answer.restated,
        "confidence": answer.confidence,
        "doubts": list(answer.doubts),
        "form": result.form if result else sparql.parse(answer.sparql).form,
        "rows": [_row_json(result.variables, row, answer.labels) for row in result.rows] if result else [],
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


def _row_json(
    variables: Sequence[str], row: Sequence[Value | None], labels: Mapping[str, str]
) -> dict[str, Any]:
    """One row: variable → cell; what is unbound is left out."""
    return {name: value_json(v, labels) for name, v in zip(variables, row, strict=True) if v is not None}


def value_json(value: Value, labels: Mapping[str, str]) -> dict[str, str]:
    """One cell: its SPARQL type, value and label; what is no IRI is its own label."""
    label = labels.get(value.value, value.value) if value.type == "uri" else value.value
    out = {"type": value.type, "value": value.value, "label": label}
    if value.datatype:
        out["datatype"] = value.datatype
    if value.lang:
        out["lang"] = value.lang
    return out


def standalone(query: str) -> str:
    """A query with every prefix that it uses declared, so that it runs anywhere."""
    from . import sparql

    used: dict[str, str] = {}

    def name(iri: str) -> str | None:
        short = sparql.prefixed(iri)
        if short is not None:
            prefix = short.partition(":")[0]
            used[prefix] = sparql.PREFIXES[prefix]
        return short

    body = sparql.render(sparql.parse(query), name=name, pretty=True)
    return "".join(f"PREFIX {prefix}: <{used[prefix]}>\n" for prefix in sorted(used)) + body


def answer_text(answer: Answer, *, explain: bool = False) -> str:
    """The answer first, then what was asked, then the query; with colours when stdout is a terminal."""
    lines = [(text, "bold") for text in answer_lines(answer)]
    lines.append(("", ""))
    if answer.restated:
        lines.append((f"Asked: {answer.restated}", "dim"))
    if answer.doubtful:
        reasons = f": {'; '.join(answer.doubts)}" if answer.doubts else ""
        lines.append((f"This may be wrong (confidence {answer.confidence:.2f}){reasons}.", "yellow"))
    else:
        lines.append((f"Confidence {answer.confidence:.2f}.", "dim"))
    lines += [("", ""), (standalone(answer.sparql), _QUERY)]
    lines += [(text, "") for text in explain_lines(answer)] if explain else []
    # Labels and endpoint replies are untrusted: no control characters, no markup.
    shown = [(printable(text), style) for text, style in lines]
    if sys.stdout is not None and (sys.stdout.isatty() or _COLOURS & os.environ.keys()):
        return _coloured(shown)
    # Importing rich takes longer than all that is printed.
    return "".join(f"{text}\n" for text, _ in shown)


# Of a doubtful answer with more rows than the first number, so many are shown as the second says.
_MANY, _FEW = 10, 5
# The style of what is coloured as a query; variables of the environment that make rich take any stdout for a terminal.
_QUERY = "sparql"
_COLOURS = frozenset(("FORCE_COLOR", "TTY_COMPATIBLE"))


def _coloured(lines: Sequence[tuple[str, str]]) -> str:
    """Lines in their styles, as far as stdout can show them."""
    from rich.console import Console
    from rich.syntax import Syntax
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    # Captured, not printed: rich would end the process in its own way when the reader has gone.
    with console.capture() as captured:
        for text, style in lines:
            if style != _QUERY:
                console.print(Text(text, style=style))
            elif console.is_terminal:
                console.print(Syntax(text, _QUERY, background_color="default", word_wrap=True))
            else:
                console.print(Text(text))
    return captured.get()


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
    if answer.doubtful and len(lines) > _MANY:
        # A screenful of rows would hide that they are hardly what was asked for.
        more = "more" if result.truncated else f"{len(lines) - _FEW} more"
        return [*lines[:_FEW], f"({more}, left out since this may be wrong; --json has them)"]
    if result.truncated:
        lines.append(f"(only the first {len(result.rows)} rows)")
    return lines


def cell_text(value: Value | None, labels: Mapping[str, str]) -> str:
    """One cell in words."""
    if value is None:
        return "-"
    text = labels.get(value.value, value.value) if value.type == "uri" else value.value
    # A line break within a value must not look like another row.
    return " ".join(text.split())


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


class Progress:
    """What a command is doing, said on stderr: at each new stage, every two seconds while it counts, and
    whenever nothing has been said for that long. Entered, it keeps watch in a thread of its own.

    Called with (stage, done, total). A stage that begins with nothing done and no total is only noted: it is
    named when it lasts.
    """

    def __init__(self, stream: TextIO | None = None, *, silence: float = 1.8) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._silence = silence
        self._lock = threading.Lock()
        self._stage, self._since = "starting", time.monotonic()
        self._said, self._said_at = "", self._since
        self._waiting = False
        self._over = threading.Event()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        with self._lock:
            now = time.monotonic()
            if stage != self._stage:
                self._stage, self._since = stage, now
            if (done == 0 and total is None) or (
                stage == self._said and now - self._said_at < 2 and done != total
            ):
                return
            self._said = stage
            self._say(f"{stage}: {done:,}{f' of {total:,}' if total else ''}")

    def __enter__(self) -> Progress:
        threading.Thread(target=self._watch, daemon=True, name="ontoprompt-progress").start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """While someone else has to act (a line to be typed), silence is right."""
        self._waiting = True
        try:
            yield
        finally:
            self._said_at = time.monotonic()
            self._waiting = False

    def _watch(self) -> None:
        while not self._over.wait(self._silence / 8):
            with self._lock:
                now = time.monotonic()
                if not self._waiting and now - self._said_at >= self._silence and not self._over.is_set():
                    seconds = round(now - self._since)
                    self._say(f"{self._stage} ..." + (f" {seconds} s" if seconds else ""))

    def _say(self, text: str) -> None:
        self._said_at = time.monotonic()
        if self._stream is None:
            return
        # Progress that nobody can read is no reason to stop.
        with contextlib.suppress(OSError, ValueError):
            print(text, file=self._stream, flush=True)
