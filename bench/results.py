"""What a run folder says, read for a report: settings, rows by system and question, and the measures of each row.

A system is one prompt variant with one number of worked examples. A question that was left out for a system, or that has no
row in a finished run, is wrong by every measure of rightness and counts in the denominator; what it costs
(tokens, seconds) and how many unknown terms its query holds is not known, and it counts in none of those.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.runs import read_rows
from bench.statistics import Interval, Values, bootstrap
from ontoprompt.errors import ArtifactError

Row = Mapping[str, Any]
NO_ROW = "no row"
_AGAIN = "Run the benchmark again into another folder."


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure that each row has. `digits` after the point in print; a share is printed in percent. `wrong`: what a question
    that was left out counts as; NaN where it counts not at all."""

    key: str
    name: str
    digits: int
    bounds: tuple[float, float] | None
    wrong: float
    share: bool = False

    def of(self, row: Row | None) -> float:
        """NaN where the row does not know."""
        if row is None or row.get("left_out"):
            return self.wrong
        value = row.get(self.key)
        if isinstance(value, Mapping):
            value = sum(value.values())
        return math.nan if value is None else float(value)


def _share(key: str, name: str) -> Measure:
    return Measure(key, name, 1, (0.0, 1.0), 0.0, share=True)


EXACT = _share("exact", "exact")
STRICT = _share("suite_strict", "suite strict")
LENIENT = _share("suite_lenient", "suite lenient")
TOKENS = Measure("tokens", "tokens", 1, None, math.nan)
SECONDS = Measure("seconds", "seconds", 3, None, math.nan)
MEASURES = (
    EXACT,
    STRICT,
    LENIENT,
    _share("term_f1", "term F1"),
    _share("valid", "valid"),
    Measure("unknown_terms", "unknown terms", 2, None, math.nan),
    Measure("bleu", "BLEU", 1, (0.0, 100.0), 0.0),
    _share("token_f1", "token F1"),
    TOKENS,
    SECONDS,
)


def _where_named(key: str, name: str) -> Measure:
    """A share that is known only of queries in which gold or prediction names such a term."""
    return Measure(key, name, 1, (0.0, 1.0), math.nan, share=True)


TERM_MEASURES = (
    _share("term_precision", "precision"),
    _share("term_recall", "recall"),
    _share("term_f1", "F1"),
    _where_named("entity_f1", "F1 of entities"),
    _where_named("property_f1", "F1 of properties"),
    _where_named("class_f1", "F1 of classes"),
)


@dataclass(frozen=True, slots=True, order=True)
class System:
    """A prompt variant with a number of worked examples."""

    variant: str
    examples: int

    def label(self, plain: bool) -> str:
        """Its name in tables; `plain` when no other number of examples is about."""
        return self.variant if plain else f"{self.variant}, {self.examples} ex."


@dataclass(frozen=True, slots=True)
class Results:
    """A run. `rows`: system → id → row; `questions`: id → some row that holds the question."""

    folder: Path
    settings: Mapping[str, Any]
    systems: tuple[System, ...]
    rows: Mapping[System, Mapping[str, Row]]
    questions: Mapping[str, Row]

    @property
    def finished(self) -> bool:
        return bool(self.settings.get("finished"))

    @property
    def seed(self) -> int:
        return int(self.settings.get("seed") or 0)

    def label(self, system: System) -> str:
        return system.label(len({s.examples for s in self.systems}) == 1)

    def ids(self, system: System) -> tuple[str, ...]:
        """The questions that count for a system: all of a finished run, with a stand-in for each that left no row at all;
        those that it has a row for while the run goes on."""
        if not self.finished:
            return tuple(self.rows[system])
        absent = max(0, int(self.settings.get("n") or 0) - len(self.questions))
        return (*self.questions, *(f"(question {i + 1} without a row)" for i in range(absent)))

    def values(self, system: System, measures: Iterable[Measure], ids: Iterable[str]) -> Values:
        """Questions x measures."""
        rows, wanted = self.rows[system], tuple(measures)
        found = [[measure.of(rows.get(name)) for measure in wanted] for name in ids]
        return np.array(found, dtype=np.float64).reshape(len(found), len(wanted))

    def measured(self, measures: Iterable[Measure] = MEASURES) -> tuple[Measure, ...]:
        """Those of the measures that some row of the run knows."""
        rows = [row for found in self.rows.values() for row in found.values() if not row.get("left_out")]
        return tuple(measure for measure in measures if any(not math.isnan(measure.of(row)) for row in rows))

    def asked(self, system: System) -> tuple[str, ...]:
        """The questions that were put to the model."""
        return tuple(name for name, row in self.rows[system].items() if not row.get("left_out"))

    def fate(self, system: System, name: str) -> str:
        """How a question went: `right` when the suite finds no difference, else its error, or why it was left out."""
        row = self.rows[system].get(name)
        if row is None:
            return NO_ROW
        if row.get("left_out"):
            return f"left out: {row['left_out']}"
        if row.get("suite_strict"):
            return "right"
        return str(row.get("error") or "no error named")


def load_results(folder: Path) -> Results:
    """Read a run folder. Raises ArtifactError when it is none, or when it is damaged; a half-written last row is
    passed over."""
    path = folder / "settings.json"
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(
            f"{folder} is no run folder: it holds no settings.json.",
            "Give the folder that a benchmark wrote to (--out).",
        ) from None
    except ValueError as error:
        raise ArtifactError(f"{path} is damaged: {error}.", _AGAIN) from None
    if not isinstance(settings, dict):
        raise ArtifactError(f"{path} is damaged: it holds no object.", _AGAIN)
    rows: dict[System, dict[str, Row]] = {}
    questions: dict[str, Row] = {}
    for row in _checked(folder):
        system, name = System(str(row["variant"]), int(row["examples"])), str(row["id"])
        rows.setdefault(system, {})[name] = row
        # A row that was left out may know less of its question than another variant's.
        if name not in questions or questions[name].get("left_out"):
            questions[name] = row
    return Results(folder, settings, _in_order(settings, rows), rows, questions)


def _checked(folder: Path) -> Iterable[Row]:
    try:
        for row in read_rows(folder):
            if not isinstance(row, dict) or not {"variant", "examples", "id"} <= row.keys():
                raise ArtifactError(
                    f"The rows of {folder} are damaged: one names no variant, examples and id.", _AGAIN
                )
            yield row
    except ValueError as error:
        raise ArtifactError(f"The rows of {folder} are damaged: {error}.", _AGAIN) from None


def _in_order(settings: Mapping[str, Any], rows: Iterable[System]) -> tuple[System, ...]:
    """The systems as the settings list them, then any others."""
    variants = [str(v) for v in settings.get("variants") or ()]

    def place(system: System) -> tuple[int, int, str]:
        known = system.variant in variants
        return (variants.index(system.variant) if known else len(variants), system.examples, system.variant)

    return tuple(sorted(rows, key=place))


def intervals(
    results: Results, system: System, measures: tuple[Measure, ...], ids: tuple[str, ...]
) -> list[Interval]:
    """The means of a system over some questions, with their intervals."""
    return bootstrap(
        results.values(system, measures, ids), [measure.bounds for measure in measures], seed=results.seed
    )


def shown(measure: Measure, interval: Interval) -> str:
    """A mean with its interval, as tables print it."""
    if math.isnan(interval.value):
        return "–"
    scale = 100.0 if measure.share else 1.0
    value, low, high = (
        f"{scale * x:.{measure.digits}f}" for x in (interval.value, interval.low, interval.high)
    )
    return value if math.isnan(interval.low) else f"{value} ({low}, {high})"
