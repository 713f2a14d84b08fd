"""Questions about one named thing, or two: its values, theirs in turn, whether something is so."""

from __future__ import annotations

import re

from .clause_kinds import clause
from .clauses import Draft, Draw, UnfitError, mark
from .phrases import article, is_number

_TOP = ("highest", "largest", "greatest")
_LOW = ("lowest", "smallest")


def ask_bind(d: Draw) -> Draft:
    w, p, _ = d.statement(d.times)
    others = [q for q in d.times if q != p and q in d.filling.out[w]]
    x, said = mark(w), d.say(p)
    if others and d.chance(0.5):
        q = d.pick(others)
        question = d.pick((f"how many years lie between the {d.noun(p)} and the {d.noun(q)} of {x}?",))
        query = f"SELECT ?n WHERE {{ <{w}> <{p}> ?u . <{w}> <{q}> ?v . BIND(YEAR(?v) - YEAR(?u) AS ?n) }}"
        return Draft("bind", "bind-years", question, query, (p, q))
    if not said.done and (d.verbal(p) or "year" in said.noun):
        raise UnfitError
    if said.done and said.done != "dead":
        question = d.pick((f"in what year was {x} {said.done}?", f"which year was {x} {said.done}?"))
    else:
        question = d.pick(
            (
                f"what is the year of the {d.noun(p).removesuffix(' date')} of {x}?",
                f"in which year was the {d.noun(p).removesuffix(' date')} of {x}?",
            )
        )
    return Draft(
        "bind", "bind-year", question, f"SELECT ?y WHERE {{ <{w}> <{p}> ?v . BIND(YEAR(?v) AS ?y) }}", (p,)
    )


def _ask_value(d: Draw, p: str, x: str, count: int = 1) -> str:
    said = d.say(p)
    if said.others and d.chance(0.25):
        who = "who" if said.person else "what"
        return d.pick(
            (f"{who} is the {{n}} of {x}?", f"{who} is {x}'s {{n}}?", f"tell me the {{n}} of {x}")
        ).format(n=d.pick(said.others))
    return d.pick(said.asks_many if count > 1 and d.chance(0.7) else said.asks).replace("{x}", x)


def ask_value(d: Draw) -> Draft:
    w, p, _ = d.statement(d.properties)
    question = _ask_value(d, p, mark(w), len(d.filling.out[w][p]))
    return Draft("value", "value", question, f"SELECT DISTINCT ?a WHERE {{ <{w}> <{p}> ?a }}", (p,))


def ask_value_typed(d: Draw) -> Draft:
    w, p = _start(d)
    o = next(v for v in d.filling.out[w][p] if d.filling.named(v))
    cls = d.class_of(o.value)
    c = d.class_noun(cls)
    if d.verbal(p) or c in d.say(p).noun:
        raise UnfitError
    question = d.pick(
        (
            f"which {c} is the {d.noun(p)} of {mark(w)}?",
            f"what {c} is {mark(w)}'s {d.noun(p)}?",
            f"tell me the {c} that is the {d.noun(p)} of {mark(w)}",
        )
    )
    return Draft(
        "value-typed",
        "value-typed",
        question,
        f"SELECT DISTINCT ?a WHERE {{ <{w}> <{p}> ?a . {d.typed(cls)}}}",
        (p, *d.type_terms(cls)),
    )


def _start(d: Draw) -> tuple[str, str]:
    w, p, o = d.statement(d.links)
    if not d.filling.named(o):
        raise UnfitError
    return w, p


def _hops(d: Draw, length: int) -> Draft:
    w, p, o = d.statement(d.links)
    steps, at = [p], o.value
    for _ in range(length - 1):
        have = [q for q in d.filling.out.get(at, {}) if q in d.usable and q not in steps]
        if not have:
            raise UnfitError
        q = d.pick(have)
        steps.append(q)
        at = d.rng.choice(d.filling.out[at][q]).value
    np = mark(w)
    for step in steps[:-1]:
        said = d.say(step)
        np = d.pick([f for f in said.of if "'s" not in f or len(steps) == 2] or said.of).replace("{x}", np)
    question = _ask_value(d, steps[-1], "\x04")
    if "\x04's" in question or question.startswith("\x04"):
        # What belongs to `the capital of X's` is not clear.
        raise UnfitError
    question = question.replace("\x04", np)
    path = d.chance(0.15)
    variables = ["?b", "?c"][: length - 1] + ["?a"]
    where = (
        f"<{w}> {'/'.join(f'<{s}>' for s in steps)} ?a"
        if path
        else " . ".join(
            f"{s} <{p}> {v}" for s, p, v in zip([f"<{w}>", *variables], steps, variables, strict=False)
        )
    )
    return Draft(
        f"hops-{length}",
        f"hops-{length}{'-path' if path else ''}",
        question,
        f"SELECT DISTINCT ?a WHERE {{ {where} }}",
        tuple(steps),
    )


def ask_two_hops(d: Draw) -> Draft:
    return _hops(d, 2)


def ask_three_hops(d: Draw) -> Draft:
    return _hops(d, 3)


def ask_value_count(d: Draw) -> Draft:
    w, p = _start(d)
    n = d.noun(p, many=True)
    if d.verbal(p):
        raise UnfitError
    x = mark(w)
    question = d.pick(
        (
            f"how many {n} does {x} have?",
            f"what is the number of {n} of {x}?",
            f"count the {n} of {x}",
            f"how many {n} are there for {x}?",
        )
    )
    return Draft(
        "value-count",
        "value-count",
        question,
        f"SELECT (COUNT(DISTINCT ?a) AS ?n) WHERE {{ <{w}> <{p}> ?a }}",
        (p,),
    )


def ask_yes_no(d: Draw) -> Draft:
    w, p = _start(d)
    own = [o.value for o in d.filling.out[w][p] if d.filling.named(o)]
    e, truth = d.pick(own), "true"
    if d.chance(0.45):
        others = [o.value for _, o in d.filling.statements[p] if d.filling.named(o) and o.value not in own]
        if others:
            e, truth = d.pick(others), "false"
    question = d.pick(d.say(p).yes).replace("{s}", mark(w)).replace("{o}", mark(e))
    if d.chance(0.1):
        return Draft(
            "yes-no",
            "yes-no-exists",
            f"does {mark(w)} have {article(d.noun(p))}?",
            f"ASK {{ <{w}> <{p}> ?a }}",
            (p,),
        )
    return Draft("yes-no", f"yes-no-{truth}", question, f"ASK {{ <{w}> <{p}> <{e}> }}", (p,))


def ask_is_a(d: Draw) -> Draft:
    w, _, _ = d.statement(d.properties)
    cls = d.class_of(w)
    question = d.pick(
        (
            f"is {mark(w)} {article(d.class_noun(cls))}?",
            f"was {mark(w)} {article(d.class_noun(cls))}?",
            f"is it true that {mark(w)} is {article(d.class_noun(cls))}?",
        )
    )
    return Draft(
        "is-a", "is-a", question, f"ASK {{ {d.typed(cls, f'<{w}>').strip(' .')} }}", d.type_terms(cls)
    )


def ask_two_values(d: Draw) -> Draft:
    w, _, _ = d.statement(d.properties)
    p = d.nominal(w, ())
    q = d.nominal(w, (p,))
    x, n, m = mark(w), d.noun(p), d.noun(q)
    if d.chance(0.35):
        question = d.pick(
            (f"what is the {n} or the {m} of {x}?", f"give me everything that is {n} or {m} of {x}")
        )
        path = d.chance(0.4)
        where = f"<{w}> <{p}>|<{q}> ?a" if path else f"{{ <{w}> <{p}> ?a }} UNION {{ <{w}> <{q}> ?a }}"
        return Draft(
            "either-value",
            f"either-value-{'path' if path else 'union'}",
            question,
            f"SELECT DISTINCT ?a WHERE {{ {where} }}",
            (p, q),
        )
    question = d.pick(
        (
            f"what are the {n} and the {m} of {x}?",
            f"tell me the {n} and {m} of {x}",
            f"{n} and {m} of {x}?",
            f"what is the {n} of {x}, and what is its {m}?",
        )
    )
    return Draft(
        "two-values",
        "two-values",
        question,
        f"SELECT DISTINCT ?a ?b WHERE {{ <{w}> <{p}> ?a . <{w}> <{q}> ?b }}",
        (p, q),
    )


def ask_common(d: Draw) -> Draft:
    w, p, o = d.statement(d.links)
    if not d.filling.named(o) or d.verbal(p):
        raise UnfitError
    others = [s for s in d.filling.incoming[o.value].get(p, ()) if s != w and s in d.filling.labels]
    if not others:
        raise UnfitError
    x, y, n = mark(w), mark(d.pick(others)), d.noun(p)
    v = re.findall("\x02(.*?)\x03", y)[0]
    if d.chance(0.4):
        question = d.pick(
            (
                f"do {x} and {y} have the same {n}?",
                f"do {x} and {y} share {article(n)}?",
                f"is the {n} of {x} the same as that of {y}?",
            )
        )
        return Draft("common", "common-ask", question, f"ASK {{ <{w}> <{p}> ?a . <{v}> <{p}> ?a }}", (p,))
    question = d.pick(
        (
            f"which {n} do {x} and {y} share?",
            f"what {n} do {x} and {y} have in common?",
            f"what is the common {n} of {x} and {y}?",
        )
    )
    return Draft(
        "common", "common", question, f"SELECT DISTINCT ?a WHERE {{ <{w}> <{p}> ?a . <{v}> <{p}> ?a }}", (p,)
    )


def ask_value_where(d: Draw) -> Draft:
    """Among the values of a property of one thing those that meet a clause."""
    w, p = _start(d)
    o = next(v for v in d.filling.out[w][p] if d.filling.named(v)).value
    if d.verbal(p):
        raise UnfitError
    if d.chance(0.35):
        q = d.nominal(o, (p,), "measures")
        most = d.chance(0.6)
        top = (
            ("latest" if most else "earliest")
            if q in d.times and not is_number(d.filling.terms[q])
            else d.pick(_TOP if most else _LOW)
        )
        question = d.pick(
            (
                f"which {d.noun(p)} of {mark(w)} has the {top} {d.noun(q)}?",
                f"of the {d.noun(p, True)} of {mark(w)}, which one has the {top} {d.noun(q)}?",
            )
        )
        return Draft(
            "value-top",
            f"value-top-{'desc' if most else 'asc'}",
            question,
            f"SELECT ?a WHERE {{ <{w}> <{p}> ?a . ?a <{q}> ?v }} ORDER BY {'DESC' if most else 'ASC'}(?v) LIMIT 1",
            (p, q),
        )
    c = clause(d, o, (p,), {"link": 4, "year": 1, "number": 1, "without": 1})
    question = d.pick(
        (
            f"which {d.noun(p, True)} of {mark(w)} {c.pred}?"
            if c.pred
            else f"what are the {d.noun(p, True)} of {mark(w)} {c.mod}?",
            f"list the {d.noun(p, True)} of {mark(w)} {c.mod}",
        )
    )
    return Draft(
        "value-where",
        f"value-where({c.key})",
        question,
        f"SELECT DISTINCT ?a WHERE {{ <{w}> <{p}> ?a . {c.where}}}",
        (p, *c.terms),
        c.absent,
    )


def ask_members(d: Draw) -> Draft:
    w, _, _ = d.statement(d.properties)
    cls = d.class_of(w)
    c = d.things(cls)
    if d.chance(0.5):
        return Draft(
            "members",
            "members-count",
            d.pick((f"how many {c} are there?", f"count all {c}", f"what is the number of {c}?")),
            f"SELECT (COUNT(DISTINCT ?a) AS ?n) WHERE {{ {d.typed(cls)}}}",
            d.type_terms(cls),
        )
    return Draft(
        "members",
        "members",
        d.pick(
            (
                f"list all {c}",
                f"give me all {c}",
                f"which {c} are there?",
                f"show me every {d.class_noun(cls)}",
            )
        ),
        f"SELECT DISTINCT ?a WHERE {{ {d.typed(cls)}}}",
        d.type_terms(cls),
    )
