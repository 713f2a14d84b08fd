"""Answer F1 in the three definitions that are in use, which differ and are therefore printed side by side.

A result is yes or no (a bool), or rows: mappings from variables to values, without those that are unbound. Values are
compared as they are written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ontoprompt.execution import Store

Row = Mapping[str, str]
Result = bool | Sequence[Row]

MOST_ROWS = 10_000
# Above this many rows GRASP looks for equal rows only.
_MOST_ASSIGNED = 1024


def qald(gold: Result, predicted: Result) -> float:
    """F1 of one question as the QALD challenges count it (Usbeck et al. 2019, GERBIL QA): of sets of answers; nothing
    expected and nothing found is right.

    An answer is a row in the order of its columns, whatever they are called; columns beyond those of the gold do not
    count. The challenges' golds have one column, and leave open what becomes of a second.
    """
    if isinstance(gold, bool) or isinstance(predicted, bool):
        return float(gold is predicted)
    width = max(1, len(_columns(gold)))
    wanted = {row[:width] for row in _tuples(gold)}
    got = {row[:width] for row in _tuples(predicted)}
    if not wanted:
        return float(not got)
    return _f1(len(wanted & got), len(got), len(wanted))


def text2sparql(gold: Result, predicted: Result) -> float | None:
    """F1 of one question as the TEXT2SPARQL challenge counts it: the set_F of trec_eval that its client
    (text2sparql-client on PyPI) computes over the set of all values of all variables, so that a column of labels costs.

    The client's quirks are kept. Yes and no are one document, `true`, relevant when the gold is yes: a gold that is no
    scores 0 whatever is said, and where it is yes, no scores as well as yes. A gold without answers is no question: None.
    """
    got = {"true"} if isinstance(predicted, bool) else _pooled(predicted)
    if isinstance(gold, bool):
        return _f1(len({"true"} & got), len(got), 1) if gold else 0.0
    wanted = _pooled(gold)
    return _f1(len(wanted & got), len(got), len(wanted)) if wanted else None


def grasp(gold: Result, predicted: Result) -> float:
    """F1 of one question as GRASP counts it (Walter and Bast 2025, `sparql/metrics.py` of its repository): rows are
    assigned to rows one to one so that the sum of their overlaps is greatest; a column more costs nothing.

    The overlap of two rows is the share of the gold row's values that the other holds. The assignment is optimal
    (Kuhn 1955, by scipy); recall is its sum over the gold's rows, and a predicted row counts against precision only where
    none is left to assign it to. Where either side has more than 1,024 rows only equal rows count. Rows answer a yes-or-no
    gold with yes when there are any; yes or no answers no gold that has rows.
    """
    if isinstance(gold, bool):
        return float(gold is (predicted if isinstance(predicted, bool) else bool(predicted)))
    if isinstance(predicted, bool):
        return 0.0
    if not gold or not predicted:
        return float(not gold and not predicted)
    if max(len(gold), len(predicted)) > _MOST_ASSIGNED:
        equal = (Counter(_tuples(gold)) & Counter(_tuples(predicted))).total()
        return 2 * equal / (len(gold) + len(predicted))
    matched = _assigned([Counter(row.values()) for row in gold], [Counter(r.values()) for r in predicted])
    if not matched:
        return 0.0
    precision = matched / (matched + max(0, len(predicted) - len(gold)))
    recall = matched / len(gold)
    return 2 * precision * recall / (precision + recall)


def _assigned(wanted: Sequence[Counter[str]], got: Sequence[Counter[str]]) -> float:
    """The greatest sum of overlaps. Most pairs of rows share nothing and are not looked at."""
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    holders: dict[str, list[int]] = {}
    for j, row in enumerate(got):
        for value in row:
            holders.setdefault(value, []).append(j)
    overlap = np.zeros((len(wanted), len(got)))
    for i, row in enumerate(wanted):
        for value, count in row.items():
            for j in holders.get(value, ()):
                overlap[i, j] += min(count, got[j][value]) / row.total()
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    return float(overlap[rows, columns].sum())


def score_answers(pairs: Iterable[tuple[Result | None, Result | None]]) -> dict[str, Any]:
    """All three over (gold, predicted), macro: the mean over questions. A gold that is None (the graph did not answer)
    is left out of all, by reason; a prediction that is None counts as wrong; TEXT2SPARQL leaves out empty golds too.
    """
    sums: dict[str, list[float]] = {"qald": [], "text2sparql": [], "grasp": []}
    left_out: Counter[str] = Counter()
    for gold, predicted in pairs:
        if gold is None:
            left_out["no gold answer"] += 1
            continue
        if predicted is None:
            found: dict[str, float | None] = {"qald": 0.0, "text2sparql": 0.0, "grasp": 0.0}
            found["text2sparql"] = text2sparql(gold, [])
        else:
            found = {
                "qald": qald(gold, predicted),
                "text2sparql": text2sparql(gold, predicted),
                "grasp": grasp(gold, predicted),
            }
        for name, value in found.items():
            if value is None:
                left_out["empty gold (TEXT2SPARQL only)"] += 1
            else:
                sums[name].append(value)
    return {
        **{f"f1_{name}": round(sum(v) / len(v), 4) if v else None for name, v in sums.items()},
        "n": len(sums["qald"]),
        "left_out": dict(left_out),
    }


@dataclass(frozen=True, slots=True)
class Reply:
    """What a graph answers to a query: None when it does not. `cut`: there were more rows than are here."""

    result: Result | None
    cut: bool = False


def answers_of(store: Store, query: str, *, timeout: float = 30.0, most: int = MOST_ROWS) -> Reply:
    """Ask a graph, for at most `most` rows. No store is sent a query that is not proven to be read-only."""
    from ontoprompt import sparql
    from ontoprompt.errors import GraphError, QueryError

    try:
        parsed = sparql.parse(query)
        sparql.check_read_only(parsed)
        # The store is not told to limit the query: it would not know that there was more.
        result = store.query(parsed.text(), timeout=timeout, max_rows=most)
    except (QueryError, GraphError):
        return Reply(None)
    if result.form == "ask":
        return Reply(bool(result.boolean))
    rows = [
        {name: cell.value for name, cell in zip(result.variables, row, strict=True) if cell is not None}
        for row in result.rows
    ]
    return Reply(rows, result.truncated)


def _columns(rows: Sequence[Row]) -> list[str]:
    """The variables of all rows, in the order in which they come up."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _tuples(rows: Sequence[Row]) -> list[tuple[str | None, ...]]:
    """Rows in the order of their columns, None where a value is missing."""
    columns = _columns(rows)
    return [tuple(row.get(name) for name in columns) for row in rows if row]


def _pooled(rows: Sequence[Row]) -> set[str]:
    return {value for row in rows for value in row.values()}


def _f1(shared: int, got: int, wanted: int) -> float:
    return 2 * shared / (got + wanted) if got + wanted else 0.0
