"""Questions that compare: one thing with another by a measure or a date, a value with a number."""

from __future__ import annotations

import re

from .clauses import NUMERIC, Draft, Draw, UnfitError, mark
from .fillings import NUMBER


def ask_compare(d: Draw) -> Draft:
    w, p, _ = d.statement(d.measures)
    other, _, _ = d.statement([p])
    if other == w:
        raise UnfitError
    x, y, n = mark(w), mark(other), d.noun(p)
    if d.verbal(p) and not d.say(p).done:
        raise UnfitError
    timed = p in d.times
    both = [*d.filling.out[w][p], *d.filling.out[other][p]]
    if (
        not timed
        and all(NUMERIC.match(v.value) and NUMBER.search(v.datatype or "") for v in both)
        and d.chance(0.25)
    ):
        question = d.pick(
            (
                f"what is the difference in {n} between {x} and {y}?",
                f"by how much does the {n} of {x} differ from that of {y}?",
            )
        )
        return Draft(
            "compare",
            "compare-difference",
            question,
            f"SELECT (ABS(?u - ?v) AS ?n) WHERE {{ <{w}> <{p}> ?u . <{other}> <{p}> ?v }}",
            (p,),
        )
    if d.chance(0.35):
        most = d.chance(0.6)
        top = ("later" if most else "earlier") if timed else ("higher" if most else "lower")
        question = d.pick(
            (f"which has the {top} {n}, {x} or {y}?", f"{x} or {y}: which one has the {top} {n}?")
        )
        return Draft(
            "compare",
            f"compare-which-{'desc' if most else 'asc'}",
            question,
            f"SELECT ?a WHERE {{ VALUES ?a {{ <{w}> <{other}> }} ?a <{p}> ?v }} ORDER BY {'DESC' if most else 'ASC'}(?v) LIMIT 1",
            (p,),
        )
    sign = d.pick("<>")
    done = d.say(p).done
    if timed:
        when = "before" if sign == "<" else "after"
        question = (
            f"did {x} die {when} {y}?"
            if done == "dead"
            else f"was {x} {done} {when} {y}?"
            if done
            else f"is the {n} of {x} {'earlier' if sign == '<' else 'later'} than that of {y}?"
        )
    else:
        top = "higher" if sign == ">" else "lower"
        many = d.say(p).count
        question = (
            f"does {x} have {'more' if sign == '>' else 'fewer'} {many} than {y}?"
            if many
            else d.pick(
                (f"does {x} have a {top} {n} than {y}?", f"is the {n} of {x} {top} than that of {y}?")
            )
        )
    return Draft(
        "compare",
        f"compare{sign}",
        question,
        f"ASK {{ <{w}> <{p}> ?u . <{other}> <{p}> ?v . FILTER(?u {sign} ?v) }}",
        (p,),
    )


def ask_value_test(d: Draw) -> Draft:
    w, p, o = d.statement(d.numbers)
    if not re.fullmatch(r"-?\d{1,12}(\.\d{1,4})?", o.value):
        raise UnfitError
    x, n, sign = mark(w), d.noun(p), d.pick(("=", ">", "<"))
    value = o.value if sign == "=" else str(int(float(o.value) * d.rng.choice((0.5, 0.8, 1.2, 2))))
    word = {
        "=": ("equal to", "exactly"),
        ">": ("greater than", "more than", "above"),
        "<": ("less than", "below"),
    }[sign]
    question = d.pick(
        (
            f"is the {n} of {x} {d.pick(word)} {value}?",
            f"is {x}'s {n} {d.pick(word)} {value}?",
            f"is it true that the {n} of {x} is {d.pick(word)} {value}?",
        )
    )
    return Draft(
        "value-test",
        f"value-test{sign}",
        question,
        f"ASK {{ <{w}> <{p}> ?v . FILTER(?v {sign} {value}) }}",
        (p,),
    )
