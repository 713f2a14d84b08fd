"""Questions about one named thing, or two: its values, theirs in turn, whether something is so, which has more."""

from __future__ import annotations

import re

from .clause_kinds import clause
from .clauses import NUMERIC, Draft, Draw, UnfitError, mark
from .fillings import NUMBER
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
