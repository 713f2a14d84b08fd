"""A run taken apart, for its report: by kind of question, by cost, by what retrieval found, by what went wrong."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from random import Random

import numpy as np

from bench import plots
from bench.document import Block, Code, Figure, Fold, Heading, Paragraph, Table, clean
from bench.results import (
    EXACT,
    SECONDS,
    STRICT,
    TERM_MEASURES,
    TOKENS,
    Results,
    Row,
    System,
    intervals,
    shown,
)
from bench.statistics import Interval, Values, bootstrap

POOLED_BELOW = 5
_UNKNOWN = "not known"
EXAMPLES = 3
_ERRORS = ("wrong entity", "wrong term", "wrong shape", "wrong literal", "invalid")


def terms(results: Results) -> Iterator[Block]:
    """How well the terms of a query were chosen, whatever it does with them."""
    measures = results.measured(TERM_MEASURES)
    if not measures:
        return
    yield Heading("Terms")
    yield Paragraph(
        "The IRIs of gold and predicted query as sets, mean over all n questions, those that were left out counting as 0. By kind: over "
        "the questions whose gold or prediction names one of the kind (as many as the cell says); a property names an edge, a class is "
        "what rdf:type leads to, an entity all else (on Wikidata, classes too)."
    )
    rows = []
    for system in results.systems:
        ids = results.ids(system)
        found = intervals(results, system, measures, ids)
        cells = [
            shown(measure, at) + (f" of {at.n:,}" if at.n < len(ids) and at.n else "")
            for measure, at in zip(measures, found, strict=True)
        ]
        rows.append((results.label(system), f"{len(ids):,}", *cells))
    yield Table(("variant", "n", *(measure.name for measure in measures)), tuple(rows))


def by_group(results: Results) -> Iterator[Block]:
    """Rightness by form of query, and by template; by shape of query where the data knows no templates."""
    labels = [results.label(system) for system in results.systems]
    drawn: list[tuple[str, list[float]]] = []
    for key, heading in (("form", "form of query"), ("template", "template"), ("shape", "shape of query")):
        grouped = _groups(results, key)
        if set(grouped) <= {_UNKNOWN} or (key == "shape" and set(_groups(results, "template")) != {_UNKNOWN}):
            continue
        named, key_to_names = _numbered(grouped) if key == "shape" else (grouped, "")
        kept = named if key == "form" else _pooled(named, key)
        yield Heading(f"By {heading}")
        yield Paragraph(
            "Suite strict / exact, in percent. A question that was left out counts as wrong."
            + (
                ""
                if key == "form"
                else (
                    " The data names no templates: a shape is a query with its terms and literals taken out."
                    if key == "shape"
                    else ""
                )
                + f" Where a {key} has fewer than {POOLED_BELOW} questions it is pooled with others."
            )
        )
        rows = []
        for name, ids in kept.items():
            pairs = [_rates(results, system, ids) for system in results.systems]
            rows.append(
                (name, f"{len(ids):,}", *(" / ".join(_percent(rate) for rate in pair) for pair in pairs))
            )
            label = name if name.endswith(f" small {key}s") else f"{key} {name}"
            drawn.append((f"{label} (n={len(ids)})", [pair[0] for pair in pairs]))
        yield Table((key, "n", *labels), tuple(rows))
        if key_to_names:
            yield Fold("The shapes", (Code(key_to_names),))
    if drawn:
        yield Figure(
            "groups",
            "suite strict of each variant by kind of question, in percent",
            plots.groups(labels, [name for name, _ in drawn], [shares for _, shares in drawn]),
        )


def _groups(results: Results, key: str) -> dict[str, list[str]]:
    """Name → ids of its questions, the largest first."""
    found: dict[str, list[str]] = {}
    for name, row in results.questions.items():
        found.setdefault(str(row.get(key) or _UNKNOWN), []).append(name)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def _numbered(grouped: Mapping[str, list[str]]) -> tuple[dict[str, list[str]], str]:
    """Long names as numbers, and the list of what they stand for."""
    known = [name for name in grouped if name != _UNKNOWN]
    number = {name: str(rank + 1) for rank, name in enumerate(known)}
    listed = "\n".join(f"{number[name]}: {name}" for name in known)
    return {number.get(name, name): ids for name, ids in grouped.items()}, listed


def _pooled(grouped: Mapping[str, list[str]], key: str) -> dict[str, list[str]]:
    """Groups of few questions as one, at the end."""
    large = {name: ids for name, ids in grouped.items() if len(ids) >= POOLED_BELOW}
    small = [ids for ids in grouped.values() if len(ids) < POOLED_BELOW]
    rest = [name for ids in small for name in ids]
    return {**large, f"{len(small)} small {key}s": rest} if rest else large


def _rates(results: Results, system: System, ids: Sequence[str]) -> tuple[float, float]:
    counted = set(results.ids(system))
    values = results.values(system, (STRICT, EXACT), [name for name in ids if name in counted])
    known = [column[~np.isnan(column)] for column in values.T]
    strict, exact = (float(column.mean()) if len(column) else math.nan for column in known)
    return strict, exact


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{100 * share:.1f}"


def costs(results: Results) -> Iterator[Block]:
    """Tokens of a prompt and seconds of a question, with the stages that the seconds went to."""
    stages: dict[str, None] = {}
    for found in results.rows.values():
        for row in found.values():
            stages.update(dict.fromkeys(row.get("seconds") or ()))
    labels = [results.label(system) for system in results.systems]
    means: dict[str, list[float]] = {stage: [] for stage in stages}
    rows, tokens = [], []
    for system in results.systems:
        asked = results.asked(system)
        values = results.values(system, (TOKENS, SECONDS), asked)
        both = bootstrap(values, [None, None], seed=results.seed)
        tokens.append(both[0])
        for stage, column in means.items():
            given = [(results.rows[system][name].get("seconds") or {}).get(stage) for name in asked]
            kept = [s for s in given if s is not None]
            column.append(sum(kept) / len(kept) if kept else math.nan)
        rows.append(
            (
                results.label(system),
                f"{len(asked):,}",
                shown(TOKENS, both[0]),
                *(_quantile(values[:, 0], q, 0) for q in (0.5, 1.0)),
                shown(SECONDS, both[1]),
                *(_quantile(values[:, 1], q, 3) for q in (0.5, 0.95)),
                *("–" if math.isnan(column[-1]) else f"{column[-1]:.3f}" for column in means.values()),
            )
        )
    yield Heading("Tokens and seconds a question")
    yield Paragraph(
        "Over the questions that were asked. Seconds are those of the machine and the load at the time."
    )
    header = (
        "variant",
        "asked",
        "tokens, mean",
        "median",
        "most",
        "seconds, mean",
        "median",
        "95th percentile",
    )
    yield Table((*header, *(f"{stage}, mean" for stage in stages)), tuple(rows))
    yield Figure("cost", "tokens and seconds a question of each variant", plots.cost(labels, tokens, means))


def _quantile(values: Values, q: float, digits: int) -> str:
    known = values[~np.isnan(values)]
    return f"{np.quantile(known, q):.{digits}f}" if len(known) else "–"


def recall_curves(results: Results) -> Iterator[Block]:
    """Recall among the first k; systems with the same curve share a line."""
    ks = sorted(
        {
            int(k)
            for rows in results.rows.values()
            for row in rows.values()
            for k in row.get("recall_at") or ()
        }
    )
    if not ks:
        return
    curves: dict[str, tuple[list[str], list[Interval]]] = {}
    for system in results.systems:
        found = [row["recall_at"] for row in results.rows[system].values() if row.get("recall_at")]
        if found:
            values = np.array([[float(at.get(str(k), math.nan)) for k in ks] for at in found])
            curve = bootstrap(values, [(0.0, 1.0)] * len(ks), seed=results.seed)
            curves.setdefault(repr(curve), ([], curve))[0].append(results.label(system))
    named = {
        "all variants" if len(labels) == len(results.systems) > 1 else ", ".join(labels): curve
        for labels, curve in curves.values()
    }
    yield Heading("Recall of retrieval")
    yield Paragraph(
        "Gold terms among the first k, in percent, mean over the n questions that were searched; where a k is known of fewer, the cell "
        "says of how many."
    )
    rows = []
    for label, curve in named.items():
        n = max(at.n for at in curve)
        cells = (shown(STRICT, at) + (f" of {at.n:,}" if at.n < n else "") for at in curve)
        rows.append((label, f"{n:,}", *cells))
    yield Table(("variant", "n", *(f"k = {k}" for k in ks)), tuple(rows))
    drawn = {label: (ks, curve) for label, curve in named.items()}
    yield Figure("recall", "recall among the first k", plots.recall(drawn))


def taxonomy(results: Results) -> Iterator[Block]:
    """The share of each error, then examples of each."""
    fates = [
        Counter(_fate(results, system, name) for name in results.ids(system)) for system in results.systems
    ]
    others = sorted(set().union(*fates) - {"right", *_ERRORS})
    kinds = ("right", *_ERRORS, *others)
    labels = [results.label(system) for system in results.systems]
    yield Heading("Errors")
    yield Paragraph(
        "What became of all n questions, in percent, with their number in brackets. Right: the suite finds no difference. Any "
        "other question counts once, under the first thing that is wrong with its query."
    )
    rows = tuple(
        (
            label,
            f"{found.total():,}",
            *(f"{100 * found[kind] / found.total():.1f} ({found[kind]:,})" for kind in kinds),
        )
        for label, found in zip(labels, fates, strict=True)
    )
    yield Table(("variant", "n", *kinds), rows)
    shares = {
        kind: [found[kind] / found.total() for found in fates]
        for kind in kinds
        if any(f[kind] for f in fates)
    }
    yield Figure(
        "errors", "share of right answers and of each error by variant", plots.errors(labels, shares)
    )
    order = sorted(results.questions)
    Random(results.seed).shuffle(order)
    for kind in kinds[1:]:
        blocks = tuple(_examples(results, kind, order))
        if blocks:
            yield Fold(f"Examples: {kind}", blocks)


def _fate(results: Results, system: System, name: str) -> str:
    fate = results.fate(system, name)
    return "left out" if fate.startswith("left out: ") else fate


def _examples(results: Results, kind: str, order: Sequence[str]) -> Iterator[Block]:
    """Up to three questions of each system that went wrong in one way, the same ones for all where that can be."""
    for system in results.systems:
        rows = results.rows[system]
        names = [name for name in order if name in rows and _fate(results, system, name) == kind][:EXAMPLES]
        if names:
            yield Paragraph(f"{results.label(system)}:")
            yield Code("\n\n".join(_example(results.questions[name], rows[name], name) for name in names))


def _example(question: Row, row: Row, name: str) -> str:
    said = str(row.get("left_out") or row.get("sparql") or "nothing")
    lines = (
        ("question", f"{question.get('question', '')} [{name}]"),
        ("gold", str(question.get("gold", ""))),
        ("left out" if row.get("left_out") else "predicted", said),
    )
    return "\n".join(f"{title}: {clean(text)}" for title, text in lines)
