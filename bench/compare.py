"""Compare two benchmark runs on the questions that both hold.

    python -m bench.compare RUN_A RUN_B [--json] [--anyway]

Rows are paired by variant, number of worked examples and question. For each pair of systems: the differences A less B with 95 %
bootstrap intervals over questions, McNemar's exact test on suite strict and exact (p by Holm's correction over all tests
shown), and the questions that only one of the two gets right by suite strict. Runs whose dataset, file,
seed, linking or limit differ are refused, unless `--anyway`.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.document import clean
from bench.report import p_value
from bench.results import EXACT, STRICT, Measure, Results, Row, System, load_results, shown
from bench.runs import sentences
from bench.statistics import Interval, Paired, bootstrap, holm, mcnemar
from ontoprompt.errors import UsageError

MUST_AGREE = ("dataset", "file", "seed", "linking", "limit")
LISTED = 20
_OWN = frozenset({"command", "finished", "machine"})


@dataclass(frozen=True, slots=True)
class Contrast:
    """One measure in both runs; `difference` is A less B."""

    measure: Measure
    a: float
    b: float
    difference: Interval


@dataclass(frozen=True, slots=True)
class Match:
    """A system that both runs hold. `ids`: the questions compared; `only_a`, `only_b`: right there by suite strict;
    `changed`: questions that stand for something else in the other run, and are not compared; `apart`: questions
    that only one run has, in A and in B."""

    system: System
    ids: tuple[str, ...]
    contrasts: tuple[Contrast, ...]
    tests: Mapping[str, Paired]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    changed: int
    apart: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side. `differ`: setting → its value in A and in B; `corrected`: p by Holm, of the tests in order."""

    a: Results
    b: Results
    differ: Mapping[str, tuple[object, object]]
    matches: tuple[Match, ...]
    corrected: tuple[Mapping[str, float], ...]


def compare_runs(a: Results, b: Results, *, anyway: bool = False) -> Comparison:
    """Pair the rows of two runs. Raises UsageError when their settings must not be compared, or nothing can be paired."""
    keys = [k for k in (*a.settings, *(k for k in b.settings if k not in a.settings)) if k not in _OWN]
    differ = {
        k: (a.settings.get(k), b.settings.get(k)) for k in keys if a.settings.get(k) != b.settings.get(k)
    }
    barred = [key for key in MUST_AGREE if key in differ]
    if barred and not anyway:
        named = ", ".join(f"{key} ({_brief(differ[key][0])} and {_brief(differ[key][1])})" for key in barred)
        raise UsageError(
            f"The runs cannot be compared, because these settings differ: {named}.",
            "Repeat one run with the settings of the other, or give --anyway.",
        )
    shared = [system for system in a.systems if system in b.rows]
    matches = tuple(match for match in (_match(a, b, system) for system in shared) if match.ids)
    if not matches:
        raise UsageError(
            "The runs have no question in common that both asked in the same variant with as many examples.",
            "Compare runs with a variant, a number of examples and questions in common.",
        )
    corrected = iter(holm([test.p for match in matches for test in match.tests.values()]))
    return Comparison(
        a, b, differ, matches, tuple({key: next(corrected) for key in match.tests} for match in matches)
    )


def _match(a: Results, b: Results, system: System) -> Match:
    in_a, in_b = (tuple(name for name in run.ids(system) if name in run.questions) for run in (a, b))
    both = tuple(name for name in in_a if name in set(in_b))
    ids = tuple(name for name in both if _same(a.questions[name], b.questions[name]))
    measured = b.measured()
    measures = tuple(measure for measure in a.measured() if measure in measured)
    values_a, values_b = (run.values(system, measures, ids) for run in (a, b))
    less = values_a - values_b
    found = bootstrap(less, [_span(measure) for measure in measures], seed=a.seed)
    contrasts, tests = [], {}
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    for measure, interval, one, two in zip(measures, found, values_a.T, values_b.T, strict=True):
        # Costs are compared over the questions that both put to their model.
        known = ~np.isnan(one - two)
        if not known.any():
            continue
        contrasts.append(Contrast(measure, float(one[known].mean()), float(two[known].mean()), interval))
        if measure in (STRICT, EXACT):
            tests[measure.key] = mcnemar(one, two)
        if measure is STRICT:
            only_a = tuple(name for name, first, second in zip(ids, one, two, strict=True) if first > second)
            only_b = tuple(name for name, first, second in zip(ids, one, two, strict=True) if first < second)
    apart = (len(in_a) - len(both), len(in_b) - len(both))
    return Match(system, ids, tuple(contrasts), tests, only_a, only_b, len(both) - len(ids), apart)


def _same(one: Row, two: Row) -> bool:
    return all(one.get(key) == two.get(key) for key in ("question", "gold"))


def _span(measure: Measure) -> tuple[float, float] | None:
    """The bounds of a difference of two values of a measure."""
    if measure.bounds is None:
        return None
    reach = measure.bounds[1] - measure.bounds[0]
    return -reach, reach


def to_json(comparison: Comparison) -> dict[str, Any]:
    """The object that `--json` prints; shares are 0 to 1, and what is not known is null."""
    return {
        "a": str(comparison.a.folder),
        "b": str(comparison.b.folder),
        "finished": {"a": comparison.a.finished, "b": comparison.b.finished},
        "differ": {key: {"a": one, "b": two} for key, (one, two) in comparison.differ.items()},
        "systems": [
            {
                "variant": match.system.variant,
                "examples": match.system.examples,
                "n": len(match.ids),
                "left_out": _left_out(match),
                "measures": {each.measure.key: _contrast_json(each) for each in match.contrasts},
                "mcnemar": {
                    key: {
                        "only_a": test.only_first,
                        "only_b": test.only_second,
                        "p": test.p,
                        "p_holm": corrected[key],
                    }
                    for key, test in match.tests.items()
                },
                "only_a": [_question(comparison, match, name) for name in match.only_a[:LISTED]],
                "only_b": [_question(comparison, match, name) for name in match.only_b[:LISTED]],
            }
            for match, corrected in zip(comparison.matches, comparison.corrected, strict=True)
        ],
    }


def _contrast_json(each: Contrast) -> dict[str, Any]:
    low, high = (None if math.isnan(end) else end for end in (each.difference.low, each.difference.high))
    return {
        "a": each.a,
        "b": each.b,
        "difference": each.difference.value,
        "low": low,
        "high": high,
        "n": each.difference.n,
    }


def _left_out(match: Match) -> dict[str, int]:
    reasons = {
        "only in A": match.apart[0],
        "only in B": match.apart[1],
        "another question or gold in B": match.changed,
    }
    return {reason: count for reason, count in reasons.items() if count}


def _question(comparison: Comparison, match: Match, name: str) -> dict[str, str]:
    question = comparison.a.questions[name]
    said = {
        key: run.rows[match.system].get(name, {}).get("sparql")
        for key, run in (("a", comparison.a), ("b", comparison.b))
    }
    return {
        "id": name,
        "question": str(question.get("question") or ""),
        "gold": str(question.get("gold") or ""),
        **{key: str(query or "") for key, query in said.items()},
    }


def to_text(comparison: Comparison) -> str:
    """The comparison for a person."""
    runs = (("A", comparison.a), ("B", comparison.b))
    lines = [f"{name}: {run.folder}{'' if run.finished else ' (NOT FINISHED)'}" for name, run in runs]
    lines += [
        f"{key}: {_brief(one)} in A, {_brief(two)} in B" for key, (one, two) in comparison.differ.items()
    ]
    for match, corrected in zip(comparison.matches, comparison.corrected, strict=True):
        lines += ["", *_system_lines(comparison, match, corrected)]
    tests = sum(len(match.tests) for match in comparison.matches)
    lines += [
        "",
        f"In brackets: 95 % bootstrap intervals over questions. p: McNemar's exact test; Holm over {tests} tests.",
    ]
    return "\n".join(lines)


def _system_lines(comparison: Comparison, match: Match, corrected: Mapping[str, float]) -> Iterator[str]:
    left_out = "".join(f"; not compared, {reason}: {count:,}" for reason, count in _left_out(match).items())
    yield f"{match.system.variant}, {match.system.examples} examples: {len(match.ids):,} questions{left_out}"
    yield f"  {'':14}{'A':>9}{'B':>9}   A less B"
    for each in match.contrasts:
        measure, scale = each.measure, 100.0 if each.measure.share else 1.0
        a, b = (f"{scale * value:.{measure.digits}f}" for value in (each.a, each.b))
        fewer = f" of {each.difference.n:,}" if each.difference.n < len(match.ids) else ""
        yield f"  {measure.name:14}{a:>9}{b:>9}   {shown(measure, each.difference)}{fewer}"
    for measure in (STRICT, EXACT):
        if measure.key in match.tests:
            test = match.tests[measure.key]
            yield (
                f"  {measure.name}: only A right {test.only_first:,}, only B right {test.only_second:,}, "
                f"p = {p_value(test.p)}, by Holm {p_value(corrected[measure.key])}"
            )
    for side, names in (("A", match.only_a), ("B", match.only_b)):
        if names:
            first = f", the first {LISTED}" if len(names) > LISTED else ""
            yield f"  Right in {side} only ({len(names):,}{first}):"
        for name in names[:LISTED]:
            yield from _question_lines(_question(comparison, match, name))


def _question_lines(found: Mapping[str, str]) -> Iterator[str]:
    yield f"    [{clean(found['id'])}] {clean(found['question'])}"
    for key in ("gold", "a", "b"):
        yield f"      {key.upper() if len(key) == 1 else key}: {clean(found[key]) or 'nothing'}"


def _brief(value: object) -> str:
    """A setting in a line."""
    text = clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True))
    return text if len(text) <= 80 else f"{text[:79]}…"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m bench.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("a", type=Path, metavar="RUN_A", help="folder of a run")
    parser.add_argument("b", type=Path, metavar="RUN_B", help="folder of another")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--anyway", action="store_true", help="even if settings differ that should agree")
    given = parser.parse_args(arguments)
    with sentences():
        comparison = compare_runs(load_results(given.a), load_results(given.b), anyway=given.anyway)
        print(json.dumps(to_json(comparison), ensure_ascii=False) if given.json else to_text(comparison))


if __name__ == "__main__":
    main()
