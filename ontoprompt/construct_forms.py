"""Questions for what LC-QuAD never asks for: groups, sums, what is optional or missing, computed values, paths, lists.

A form has wordings to train with and others that `ontoprompt synth` never writes: these are for measuring
(`bench.constructs`), so that a model is asked in words that no made-up pair of its training had.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .clause_kinds import clause
from .clauses import NUMERIC, Draft, Draw, UnfitError, mark
from .phrases import article, plural


@dataclass(frozen=True, slots=True)
class Wordings:
    """Templates of questions: `kept` to train with; `held` and `other`, the latter written by somebody who had seen neither
    these nor anything else here, to measure with. A name in braces is a place to fill."""

    kept: tuple[str, ...]
    held: tuple[str, ...]
    other: tuple[str, ...]


def _read() -> dict[str, Wordings]:
    text = (Path(__file__).parent / "data" / "construct_wordings.json").read_text(encoding="utf-8")
    return {
        key: Wordings(**{name: tuple(some) for name, some in parts.items()})
        for key, parts in json.loads(text).items()
    }


WORDINGS: Mapping[str, Wordings] = _read()


def _worded(d: Draw, key: str, query: str, terms: tuple[str, ...], absent: tuple[str, ...] = (), **words: str) -> Draft:  # fmt: skip
    """A draft in one of the wordings that may be used."""
    wordings: tuple[str, ...] = getattr(WORDINGS[key], d.worded)
    number = int(d.rng.random() * len(wordings))
    name = f"construct-{key}:{d.worded}-{number}"
    return Draft(f"construct-{key}", name, wordings[number].format(**words), query, terms, absent)


def _things(d: Draw, thing: str, besides: tuple[str, ...] = ()) -> tuple[str, str, tuple[str, ...]]:
    """Things of a class of a witness, in half of the cases those that meet a clause: words, patterns, terms."""
    cls = d.class_of(thing)
    words, where, terms = d.things(cls), d.typed(cls), d.type_terms(cls)
    if d.chance(0.5):
        return words, where, terms
    within = clause(d, thing, (*besides, *terms), {"link": 3, "year": 1})
    return f"{words} {within.mod}", where + within.where, (*terms, *within.terms)


def _linked(d: Draw) -> tuple[str, str]:
    """A thing, and a property of it that leads to a named one and is a noun."""
    w, p, o = d.statement(d.links)
    if not d.filling.named(o) or d.verbal(p):
        raise UnfitError
    return w, p


def ask_group(d: Draw) -> Draft:
    w, p = _linked(d)
    c, where, terms = _things(d, w, (p,))
    query = f"SELECT ?g (COUNT(DISTINCT ?a) AS ?n) WHERE {{ {where}?a <{p}> ?g }} GROUP BY ?g"
    return _worded(d, "group", query, (*terms, p), c=c, n=d.noun(p), ns=d.noun(p, True))


def ask_having(d: Draw) -> Draft:
    w, p, o = d.statement(d.links)
    if not d.filling.named(o) or d.verbal(p):
        raise UnfitError
    cls = d.class_of(w)
    members = set(d.filling.members.get(cls, ()))
    count = len({s for s in d.filling.incoming[o.value].get(p, ()) if s in members})
    if count < 2:
        raise UnfitError
    k = d.rng.randint(1, count - 1)
    query = f"SELECT ?g WHERE {{ {d.typed(cls)}?a <{p}> ?g }} GROUP BY ?g HAVING (COUNT(DISTINCT ?a) > {k})"
    words = {"c": d.things(cls), "n": d.noun(p), "ns": d.noun(p, True), "k": str(k)}
    return _worded(d, "having", query, (*d.type_terms(cls), p), (), **words)


def ask_optional(d: Draw) -> Draft:
    w, _, _ = d.statement(d.properties)
    p = d.nominal(w, ())
    c, where, terms = _things(d, w, (p,))
    query = f"SELECT DISTINCT ?a ?b WHERE {{ {where}OPTIONAL {{ ?a <{p}> ?b }} }}"
    return _worded(d, "optional", query, (*terms, p), c=c, n=d.noun(p))


def ask_minus(d: Draw) -> Draft:
    w, _, _ = d.statement(d.properties)
    c, where, terms = _things(d, w)
    have = d.filling.out[w]
    peers = [s for cls in d.filling.types.get(w, ()) for s in d.filling.members.get(cls, ())[:8]]
    lacked = sorted({p for s in peers for p in d.filling.out.get(s, {}) if p in d.usable and p not in have})
    lacked = [p for p in lacked if not d.verbal(p)]
    if not lacked:
        raise UnfitError
    p = d.pick(lacked)
    n = d.noun(p)
    query = f"SELECT DISTINCT ?a WHERE {{ {where}MINUS {{ ?a <{p}> ?b }} }}"
    return _worded(d, "minus", query, (*terms, p), (p,), c=c, n=n, ns=plural(n), a=article(n))


def ask_bind(d: Draw) -> Draft:
    w, p, _ = d.statement(d.numbers)
    q = d.nominal(w, (p,), "numbers")
    values = [v.value for one in (p, q) for v in d.filling.out[w][one]]
    if d.verbal(p) or not all(NUMERIC.match(v) for v in values):
        raise UnfitError
    key, sign = d.rng.choice((("bind-less", "-"), ("bind-less", "-"), ("bind-plus", "+")))
    query = f"SELECT ?n WHERE {{ <{w}> <{p}> ?a . <{w}> <{q}> ?b . BIND(?a {sign} ?b AS ?n) }}"
    return _worded(d, key, query, (p, q), x=mark(w), p=d.noun(p), q=d.noun(q))


def _aggregate(d: Draw, key: str) -> Draft:
    w, p, _ = d.statement(d.numbers)
    if d.verbal(p):
        raise UnfitError
    c, where, terms = _things(d, w, (p,))
    query = f"SELECT ({key.upper()}(?b) AS ?n) WHERE {{ {where}?a <{p}> ?b }}"
    return _worded(d, key, query, (*terms, p), c=c, p=d.noun(p))


def ask_sum(d: Draw) -> Draft:
    return _aggregate(d, "sum")


def ask_average(d: Draw) -> Draft:
    return _aggregate(d, "avg")


def ask_union(d: Draw) -> Draft:
    w, p = _linked(d)
    e = next(o.value for o in d.filling.out[w][p] if d.filling.named(o))
    q = d.pick([x for x in d.links if x != p] or [p])
    if q == p or d.verbal(q):
        raise UnfitError
    cls = d.class_of(w)
    query = f"SELECT DISTINCT ?a WHERE {{ {d.typed(cls)}{{ ?a <{p}> <{e}> }} UNION {{ ?a <{q}> <{e}> }} }}"
    first, second = d.rng.sample((p, q), 2)
    words = {"c": d.things(cls), "x": mark(e), "p": d.noun(first), "q": d.noun(second)}
    return _worded(d, "union", query, (*d.type_terms(cls), p, q), (), **words)


def ask_path(d: Draw) -> Draft:
    w, p = _linked(d)
    between = next(o.value for o in d.filling.out[w][p] if d.filling.named(o))
    cls = d.class_of(w)
    c, n = d.things(cls), d.noun(p)
    if d.chance(0.5):
        query = f"SELECT DISTINCT ?a WHERE {{ {d.typed(cls)}?a <{p}>+ <{between}> }}"
        words = {"c": c, "x": mark(between), "p": n, "ns": plural(n)}
        return _worded(d, "path-plus", query, (*d.type_terms(cls), p), (), **words)
    q, e = d.link(between, (p,))
    if d.verbal(q):
        raise UnfitError
    query = f"SELECT DISTINCT ?a WHERE {{ {d.typed(cls)}?a <{p}>/<{q}> <{e}> }}"
    words = {"c": c, "x": mark(e), "p": n, "a": article(n), "q": d.noun(q)}
    return _worded(d, "path-sequence", query, (*d.type_terms(cls), p, q), (), **words)


def ask_values(d: Draw) -> Draft:
    w, p, _ = d.statement(d.properties)
    other, _, _ = d.statement([p])
    if other == w or d.verbal(p):
        raise UnfitError
    query = f"SELECT DISTINCT ?a ?b WHERE {{ VALUES ?a {{ <{w}> <{other}> }} ?a <{p}> ?b }}"
    n = d.noun(p)
    return _worded(d, "values", query, (p,), x=mark(w), y=mark(other), p=n, ns=plural(n))


# By the construct that a form is there for, as `bench.constructs` reports them.
CONSTRUCTS: Mapping[str, Callable[[Draw], Draft]] = {
    "GROUP BY": ask_group, "HAVING": ask_having, "OPTIONAL": ask_optional, "MINUS": ask_minus, "BIND": ask_bind, "SUM": ask_sum,
    "AVG": ask_average, "UNION": ask_union, "path": ask_path, "VALUES": ask_values,
}  # fmt: skip
