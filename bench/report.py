"""The report of a benchmark run: `report.md` with its plots, and one `report.html` that needs nothing else.

    python -m bench.report RUN

RUN is the folder of a run. The same rows give the same report, byte by byte. A run that is not finished is reported as far as
it got, and says so at the top.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

from bench import plots
from bench.breakdown import by_group, costs, recall_curves, taxonomy, terms
from bench.document import Block, Code, Figure, Heading, Paragraph, Table, to_html, to_markdown
from bench.results import (
    EXACT,
    LENIENT,
    NO_ROW,
    STRICT,
    Measure,
    Results,
    System,
    intervals,
    load_results,
    shown,
)
from bench.runs import sentences
from bench.statistics import RESAMPLES, Difference, Interval, difference, holm

_FIRST = (
    "command",
    "dataset",
    "file",
    "split",
    "linking",
    "limit",
    "n",
    "seed",
    "model",
    "generator",
    "variants",
    "examples",
)
# What a question is given; figures of different settings do not stand in one column.
_LINKINGS = {
    "gold": "each question is given its gold entities and terms, shuffled, and nothing else",
    "pool": "each question is given its gold entities and terms among 15 other terms and 5 other entities, those that retrieval "
    "ranks highest",
    "closed": "nothing is given; entities are linked from a closed list, and no system that links over a whole graph stands beside it",
    "full": "nothing is given; entities are linked from a list with a million names more than the closed one",
}
_MEASURES = (
    "Exact: the canonical queries are the same. Suite strict: no graph of those made for the pair tells the two queries apart "
    "(distilled test suites: Zhong, Yu and Klein 2020); lenient: nor by the first column of the gold, with one column more in the "
    "prediction at most. Valid: it parses and only reads. Unknown terms: IRIs that no vocabulary at hand holds."
)
_METHOD = (
    f"In brackets: 95 % percentile bootstrap intervals, {RESAMPLES:,} resamples of questions, with the seed of the run. "
    "Where all questions have the same value a bootstrap says nothing; bounded measures then carry the exact binomial "
    "(Clopper-Pearson) bound, others no interval. Suite accuracy counts an undecided question as wrong. BLEU is the mean of "
    "sentence BLEU, 0 to 100; the other measures of rightness are in percent."
)


def write_report(folder: Path) -> None:
    """Write `report.md`, `plots/` and `report.html` into a run folder, each at one stroke. Raises ArtifactError when the folder is
    no run or is damaged."""
    results = load_results(folder)
    blocks = report_blocks(results)
    settings = results.settings
    title = f"Benchmark run on {settings.get('dataset') or settings.get('file') or 'unnamed data'}"
    if settings.get("linking"):
        title += f", linking {settings['linking']}"
    (folder / "plots").mkdir(exist_ok=True)
    for figure in _figures(blocks):
        _put(folder / "plots" / f"{figure.name}.svg", figure.svg)
    _put(folder / "report.md", to_markdown(title, blocks).encode("utf-8"))
    _put(folder / "report.html", to_html(title, blocks).encode("utf-8"))


def report_blocks(results: Results) -> list[Block]:
    """All that the report says, in order."""
    always, with_rows = (
        (_warnings, _settings),
        (_main_table, terms, _differences, by_group, costs, recall_curves, taxonomy),
    )
    parts = (*always, *with_rows) if results.systems else always
    return [block for part in parts for block in part(results)]


def _figures(blocks: Iterable[Block]) -> Iterator[Figure]:
    for block in blocks:
        if isinstance(block, Figure):
            yield block


def _put(path: Path, data: bytes) -> None:
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_bytes(data)
    temporary.replace(path)


def _warnings(results: Results) -> Iterator[Block]:
    total = results.settings.get("n") or 0
    if not results.finished:
        rows = sum(len(found) for found in results.rows.values())
        variants, examples = results.settings.get("variants") or (), results.settings.get("examples") or ()
        planned = int(total) * len(variants) * len(examples)
        yield Paragraph(
            f"This run is not finished: {rows:,} rows{f' of {planned:,}' if planned else ''} are there. Each figure is over the "
            "questions that its system has answered so far, and systems may not have had the same ones.",
            loud=True,
        )
        return
    if not results.systems:
        yield Paragraph("This run holds no rows.", loud=True)
    for system in results.systems:
        absent = len(results.ids(system)) - len(results.rows[system])
        if absent:
            yield Paragraph(
                f"{results.label(system)} has no row for {absent:,} of {len(results.ids(system)):,} questions; they count as wrong.",
                loud=True,
            )


def _settings(results: Results) -> Iterator[Block]:
    settings = results.settings
    yield Heading("Settings")
    if settings.get("command"):
        yield Code(str(settings["command"]))
    keys = [k for k in _FIRST[1:] if k in settings]
    keys += [k for k in settings if k not in (*_FIRST, "finished")]
    yield Table(("setting", "value"), tuple((key, _value(settings[key])) for key in keys), names=2)
    linking = str(settings.get("linking") or "")
    if linking in _LINKINGS:
        yield Paragraph(f"Linking {linking}: {_LINKINGS[linking]}.")
    before = _left_out_before(results)
    if before:
        reasons = "; ".join(f"{reason} {count:,}" for reason, count in sorted(before.items()))
        yield Paragraph(f"Left out before any system was asked, and in no denominator: {reasons}.")


def _left_out_before(results: Results) -> Counter[str]:
    """What the settings say was left out, less what stands in the rows as left out."""
    in_rows: Counter[str] = Counter()
    for rows in results.rows.values():
        in_rows |= Counter(str(row["left_out"]) for row in rows.values() if row.get("left_out"))
    return Counter(results.settings.get("left_out") or {}) - in_rows


def _value(value: object) -> str:
    """A setting as one line: lists with commas, objects as `name value`."""
    if isinstance(value, dict):
        return "; ".join(f"{k} {_value(v)}" for k, v in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(_value(v) for v in value) or "none"
    return value if isinstance(value, str) else json.dumps(value)


def _main_table(results: Results) -> Iterator[Block]:
    measures = results.measured()
    everything = [results.ids(system) for system in results.systems]
    asked = [results.asked(system) for system in results.systems]
    fate = [Counter(results.fate(system, name) for name in results.ids(system)) for system in results.systems]
    yield Heading("Variants")
    yield Paragraph(_MEASURES)
    yield Paragraph(
        f"{_METHOD} Rightness is over all n questions, those that were left out counting as wrong. Unknown terms (per query), tokens "
        "and seconds are over the questions that were asked."
    )
    found = [
        intervals(results, system, measures, ids)
        for system, ids in zip(results.systems, everything, strict=True)
    ]
    yield _measure_table(results, measures, found, [len(ids) for ids in everything], "n")
    rows = []
    for system, ids, put, fates in zip(results.systems, everything, asked, fate, strict=True):
        undecided = sum(bool(results.rows[system][name].get("undecided")) for name in put)
        reasons = [
            f"{reason.removeprefix('left out: ')} {n}" for reason, n in sorted(fates.items()) if _out(reason)
        ]
        counts = (len(ids), len(put), undecided)
        rows.append((results.label(system), *(f"{n:,}" for n in counts), "; ".join(reasons) or "none"))
    yield Table(("variant", "n", "asked", "undecided", "left out"), tuple(rows))
    best = {
        m.name: [each[measures.index(m)] for each in found] for m in (EXACT, STRICT, LENIENT) if m in measures
    }
    if best:
        labels = [results.label(system) for system in results.systems]
        yield Figure(
            "accuracy",
            f"{', '.join(best)} of each variant, with 95 % intervals",
            plots.accuracy(labels, best),
        )
    if any(len(put) < len(ids) for ids, put in zip(everything, asked, strict=True)):
        yield Paragraph(
            "The same over the questions that were asked alone; variants may have had different ones."
        )
        only = [
            intervals(results, system, measures, put)
            for system, put in zip(results.systems, asked, strict=True)
        ]
        yield _measure_table(results, measures, only, [len(put) for put in asked], "asked")


def _out(fate: str) -> bool:
    return fate == NO_ROW or fate.startswith("left out: ")


def _measure_table(
    results: Results,
    measures: Sequence[Measure],
    found: Sequence[Sequence[Interval]],
    sizes: Sequence[int],
    size_name: str,
) -> Table:
    """Systems down, measures across; a cell whose denominator is not that of its row says so, cost apart."""
    rows = []
    for system, each, size in zip(results.systems, found, sizes, strict=True):
        cells = []
        for measure, interval in zip(measures, each, strict=True):
            fewer = not math.isnan(measure.wrong) and interval.n != size
            cells.append(shown(measure, interval) + (f" of {interval.n:,}" if fewer else ""))
        rows.append((results.label(system), f"{size:,}", *cells))
    return Table(("variant", size_name, *(m.name for m in measures)), tuple(rows))


def _differences(results: Results) -> Iterator[Block]:
    pairs = list(combinations(results.systems, 2))
    measures = [m for m in (STRICT, EXACT) if m in results.measured()]
    if not pairs or not measures:
        return
    found = [
        (m, first, second, _compared(results, m, first, second)) for m in measures for first, second in pairs
    ]
    corrected = holm([each.test.p for *_, each in found])
    yield Heading("Paired differences")
    yield Paragraph(
        "The first variant less the second, in percentage points, on the same questions. Then on how many of them only one is right, "
        "McNemar's exact two-sided p, and p by Holm's correction over all "
        f"{len(found)} comparisons of this section. A question that was left out counts as wrong."
    )
    for measure in measures:
        yield Heading(measure.name, 3)
        rows = tuple(
            (
                results.label(first),
                results.label(second),
                f"{each.interval.n:,}",
                shown(measure, each.interval),
                f"{each.test.only_first:,}",
                f"{each.test.only_second:,}",
                p_value(each.test.p),
                p_value(adjusted),
            )
            for (which, first, second, each), adjusted in zip(found, corrected, strict=True)
            if which is measure
        )
        header = ("first", "second", "n", "difference", "only first", "only second", "p", "p (Holm)")
        yield Table(header, rows, names=2)


def _compared(results: Results, measure: Measure, first: System, second: System) -> Difference:
    """Over the questions of both."""
    other = set(results.ids(second))
    ids = tuple(name for name in results.ids(first) if name in other)
    one, two = (results.values(system, (measure,), ids)[:, 0] for system in (first, second))
    return difference(one, two, seed=results.seed)


def p_value(p: float) -> str:
    """Two figures that say something: 0.034, 1.0, 2.1e-07."""
    if p < 1e-99:
        return "<1e-99"
    return f"{p:.2f}" if p >= 0.1 else f"{p:.2g}" if p >= 0.0001 else f"{p:.1e}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m bench.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    folder = parser.parse_args(arguments).run
    with sentences():
        write_report(folder)
    print(folder / "report.md", folder / "report.html", sep="\n")


if __name__ == "__main__":
    main()
