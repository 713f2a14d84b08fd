"""The clauses: each is a restriction that a witness meets, in words and as SPARQL patterns over `?a`, so that any of them
together have an answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from .clauses import ENDS, NUMERIC, Clause, Draw, UnfitError, mark
from .fillings import quoted, written
from .pairs import RDFS_LABEL
from .phrases import article

_YEAR = re.compile(r"^-?(\d{4})(?:$|-\d\d-\d\d)")
_WORD = re.compile(r"[A-Za-z]{4,}")


def clause(
    d: Draw, thing: str, besides: Sequence[str] = (), kinds: Mapping[str, float] | None = None
) -> Clause:
    """A clause that a thing meets. Raises UnfitError when what is drawn does not fit it."""
    weights = kinds or KINDS
    (kind,) = d.rng.choices(list(weights), list(weights.values()))
    found = CLAUSES[kind](d, thing, besides)
    if found.mod.startswith("who ") and not d.person(thing):
        return replace(found, mod="that " + found.mod.removeprefix("who "))
    return found


def _link(d: Draw, w: str, besides: Sequence[str]) -> Clause:
    p, e = d.link(w, besides)
    mod, pred = d.phrase(p, mark(e))
    return Clause("link", mod, pred, f"?a <{p}> <{e}> . ", (p,))


def _inverse(d: Draw, w: str, besides: Sequence[str]) -> Clause:
    found = [
        (p, s)
        for p, subjects in d.filling.incoming.get(w, {}).items()
        if p in d.usable and p not in besides
        for s in subjects[:5]
        if s in d.filling.labels and s != w
    ]
    if not found:
        raise UnfitError
    p, s = d.rng.choice(found)
    said = d.say(p)
    if said.noun.split(" ")[-1] in ENDS:
        raise UnfitError
    mod = d.pick(
        (
            f"that are {said.nouns} of {mark(s)}",
            f"that {mark(s)} has as {said.noun}",
            f"among the {said.nouns} of {mark(s)}",
        )
    )
    return Clause("inverse", mod, f"are {said.nouns} of {mark(s)}", f"<{s}> <{p}> ?a . ", (p,))


def _chain(d: Draw, w: str, besides: Sequence[str]) -> Clause:
    p, between = d.link(w, besides)
    q, e = d.link(between, (p,))
    if d.verbal(p):
        raise UnfitError
    noun, said = d.noun(p), d.say(q)
    forms = [f"whose {noun} has {mark(e)} as {said.noun}"]
    for pred in said.preds[:4]:
        first, _, rest = pred.partition(" ")
        if first in ("were", "are", "have"):
            forms += [
                f"whose {noun} { {'were': 'was', 'are': 'is', 'have': 'has'}[first] } {rest}".replace(
                    "{x}", mark(e)
                )
            ] * 2
    v = d.fresh("b")
    return Clause("chain", d.pick(forms), "", f"?a <{p}> {v} . {v} <{q}> <{e}> . ", (p, q))


def _value(d: Draw, w: str, pool: str, besides: Sequence[str], shape: re.Pattern[str]) -> tuple[str, str]:
    p = d.own(w, pool, besides)
    texts = [o.value for o in d.filling.out[w][p] if o.type == "literal" and shape.match(o.value)]
    if not texts:
        raise UnfitError
    return p, d.pick(texts)


def _number(d: Draw, w: str, besides: Sequence[str]) -> Clause:
    p, text = _value(d, w, "numbers", besides, NUMERIC)
    if d.verbal(p):
        raise UnfitError
    v, n, value = d.fresh(), d.noun(p), float(text)
    kind = d.rng.choices((">", "<", ">=", "=", "between"), (5, 4, 2, 1, 2))[0]
    low, high = _round(d, value, down=True), _round(d, value, down=False)
    many = d.say(p).count
    over = d.say(p).wording.over if kind == ">" else d.say(p).wording.under if kind == "<" else ()
    word = {">": ("more than", "over", "above", "greater than"), "<": ("less than", "under", "below"), ">=": ("at least",), "=": ("exactly",)}  # fmt: skip
    if kind == "between":
        test, said = f"{v} >= {low} && {v} <= {high}", f"between {low} and {high}"
        mod, pred = (
            (f"with {said} {many}", f"have {said} {many}")
            if many
            else (f"with {article(n)} {said}", f"have {article(n)} {said}")
        )
    else:
        bound = text if kind in ("=", ">=") else low if kind == ">" else high
        test, said = f"{v} {kind} {bound}", d.pick(word[kind])
        if many:
            said = {
                "above": "more than",
                "greater than": "more than",
                "less than": "fewer than",
                "below": "fewer than",
            }.get(said, said)
            mod, pred = f"with {said} {bound} {many}", f"have {said} {bound} {many}"
        elif kind == "=":
            mod, pred = f"with {article(n)} of {bound}", f"have {article(n)} of {bound}"
        else:
            mod = d.pick(
                (
                    f"with {article(n)} {'of ' if kind == '>=' else ''}{said} {bound}",
                    f"whose {n} is {said} {bound}",
                )
            )
            pred = f"have {article(n)} {'of ' if kind == '>=' else ''}{said} {bound}"
        if over and d.chance(0.6):
            mod, pred = d.pick(over).replace("{x}", bound), ""
    return Clause(f"number{kind}", mod, pred, f"?a <{p}> {v} . FILTER({test}) ", (p,))


def _round(d: Draw, value: float, *, down: bool) -> str:
    """A bound that people would name, beyond `value` on one side."""
    step = 10 ** max(0, len(str(int(abs(value)))) - d.rng.choice((1, 2)))
    bound = int(value // step) * step
    bound = bound - step * (bound == value) if down else bound + step
    return str(bound)


def _year(d: Draw, w: str, besides: Sequence[str]) -> Clause:
    p, text = _value(d, w, "times", besides, _YEAR)
    found = _YEAR.match(text)
    if found is None or text.startswith("-"):
        raise UnfitError
    year, v, said = int(found[1]), d.fresh(), d.say(p)
    if d.verbal(p) and not said.done:
        raise UnfitError
    kind = d.rng.choices(("=", ">", "<", "between"), (4, 3, 3, 2))[0]
    after, before = year - d.rng.randint(1, 30), year + d.rng.randint(1, 30)
    bound = {
        "=": f"in {year}",
        ">": f"after {after}",
        "<": f"before {before}",
        "between": f"between {after} and {before}",
    }[kind]
    test = {"=": f"YEAR({v}) = {year}", ">": f"YEAR({v}) > {after}", "<": f"YEAR({v}) < {before}", "between": f"YEAR({v}) >= {after} && YEAR({v}) <= {before}"}[kind]  # fmt: skip
    if said.done == "dead":
        mod, pred = f"who died {bound}", f"died {bound}"
    elif said.done:
        mod, pred = f"{said.done} {bound}", f"were {said.done} {bound}"
    else:
        n = d.noun(p)
        mod, pred = (
            d.pick((f"with {article(n)} {bound}", f"whose {n} was {bound}")),
            f"have {article(n)} {bound}",
        )
    return Clause(f"year{kind}", mod, pred, f"?a <{p}> {v} . FILTER({test}) ", (p,))


def _text(d: Draw, w: str, besides: Sequence[str]) -> Clause:
    label = d.filling.labels.get(w, "")
    named_by = d.filling.label_of.get(w)
    words = _WORD.findall(label)
    if named_by is None or not words or not label.isascii():
        raise UnfitError
    v = d.fresh("l")
    kind = d.pick(("starts", "contains", "ends", "regex"))
    part = {"starts": label[: d.rng.choice((1, 1, 2, 3))], "ends": label[-d.rng.choice((1, 2, 3)) :]}.get(kind, d.pick(words)).lower()  # fmt: skip
    if not part.isalnum():
        raise UnfitError
    function = {
        "starts": "STRSTARTS(LCASE(STR({v})), {t})", "contains": "CONTAINS(LCASE(STR({v})), {t})",
        "ends": "STRENDS(LCASE(STR({v})), {t})", "regex": 'REGEX(STR({v}), {t}, "i")',
    }[kind].format(v=v, t=quoted(part))  # fmt: skip
    verb = {"starts": "start", "ends": "end"}.get(kind, "")
    letter = "the letter " if len(part) == 1 else ""
    mod = (
        d.pick((f"that {verb} with {letter}'{part}'", f"whose name {verb}s with {letter}'{part}'"))
        if verb
        else d.pick(
            (
                f"that contain the word '{part}' in their name",
                f"with '{part}' in the name",
                f"whose name contains '{part}'",
            )
        )
    )
    pred = f"{verb} with {letter}'{part}'" if verb else f"have '{part}' in their name"
    return Clause(f"text-{kind}", mod, pred, f"?a <{named_by}> {v} . FILTER({function}) ", () if named_by == RDFS_LABEL else (named_by,) if named_by in d.filling.terms else ())  # fmt: skip


def _either(d: Draw, w: str, besides: Sequence[str]) -> Clause:
    p, e = d.link(w, besides)
    others = [o.value for _, o in d.filling.statements[p] if d.filling.named(o) and o.value != e]
    if not others:
        raise UnfitError
    pair = [e, d.pick(others)]
    d.rng.shuffle(pair)
    x = f"{mark(pair[0])} or {mark(pair[1])}"
    mod, pred = d.phrase(p, x)
    if mod.startswith(("that \x02", "\x02")):
        mod = f"whose {d.noun(p)} is {x}"
    v = d.fresh("b")
    kind = d.pick(("union", "union", "values", "in", "or"))
    both = f"<{pair[0]}> <{pair[1]}>"
    where = {
        "union": f"{{ ?a <{p}> <{pair[0]}> }} UNION {{ ?a <{p}> <{pair[1]}> }} ",
        "values": f"VALUES {v} {{ {both} }} ?a <{p}> {v} . ",
        "in": f"?a <{p}> {v} . FILTER({v} IN (<{pair[0]}>, <{pair[1]}>)) ",
        "or": f"?a <{p}> {v} . FILTER({v} = <{pair[0]}> || {v} = <{pair[1]}>) ",
    }[kind]
    return Clause(f"either-{kind}", mod, pred, where, (p,))


def _without(d: Draw, w: str, besides: Sequence[str]) -> Clause:
    have = d.filling.out.get(w, {})
    kind = d.pick(("minus", "not-exists", "not-bound"))
    v = d.fresh("n")
    if d.chance(0.5):
        cls = d.class_of(w)
        peers = d.filling.members.get(cls, [])
        lacked = (
            {
                p
                for s in d.rng.sample(peers, min(8, len(peers)))
                for p in d.filling.out.get(s, {})
                if p in d.usable
            }
            - set(have)
            - set(besides)
        )
        lacked = {p for p in lacked if d.say(p).noun.split(" ")[-1] not in ENDS}
        if not lacked:
            raise UnfitError
        p = d.pick(sorted(lacked))
        n = d.noun(p)
        mod, pred = (
            d.pick((f"without {article(n)}", f"that have no {n}", f"that do not have {article(n)}")),
            f"have no {n}",
        )
        inner = f"?a <{p}> {v}"
    else:
        p, e = d.link(w, besides)
        own = {o.value for o in have[p]}
        others = [o.value for _, o in d.filling.statements[p] if d.filling.named(o) and o.value not in own]
        preds = [c for c in d.say(p).preds if c.startswith(("were ", "are ", "have "))]
        if not others or not preds:
            raise UnfitError
        x = d.pick(others)
        first, _, rest = d.pick(preds).partition(" ")
        pred = f"{first} not {rest}" if first != "have" else f"do not have {rest}"
        mod, pred = f"that {pred}".replace("{x}", mark(x)), pred.replace("{x}", mark(x))
        kind, inner = d.pick(("minus", "not-exists")), f"?a <{p}> <{x}>"
    where = {"minus": f"MINUS {{ {inner} }} ", "not-exists": f"FILTER NOT EXISTS {{ {inner} }} ", "not-bound": f"OPTIONAL {{ {inner} }} FILTER(!BOUND({v})) "}[kind]  # fmt: skip
    return Clause(f"without-{kind}{'-value' if inner.endswith('>') else ''}", mod, pred, where, (p,), (p,))


def _path(d: Draw, w: str, besides: Sequence[str]) -> Clause:
    p, between = d.link(w, besides)
    kind = d.pick(("plus", "sequence", "alternative", "inverse"))
    if kind == "plus":
        further = [
            o.value for o in d.filling.out.get(between, {}).get(p, ()) if d.filling.named(o) and o.value != w
        ]
        if not further:
            raise UnfitError
        mod, pred = d.phrase(p, mark(d.pick(further)))
        e = re.findall("\x02(.*?)\x03", mod)[0]
        word = d.pick(("directly or indirectly", "at any remove", "through any number of steps"))
        return Clause(
            "path-plus", re.sub("\x02.*?\x03", mark(e), mod) + f", {word}", "", f"?a <{p}>+ <{e}> . ", (p,)
        )
    if kind == "alternative":
        q = d.pick([x for x in d.links if x != p] or [p])
        if q == p or any(d.verbal(x) for x in (p, q)):
            raise UnfitError
        e = between
        mod = d.pick(
            (
                f"that have {mark(e)} as {d.say(p).noun} or {d.say(q).noun}",
                f"whose {d.say(p).noun} or {d.say(q).noun} is {mark(e)}",
            )
        )
        return Clause("path-alternative", mod, f"have {mark(e)} as {d.say(p).noun} or {d.say(q).noun}", f"?a <{p}>|<{q}> <{e}> . ", (p, q))  # fmt: skip
    if kind == "inverse":
        c = _inverse(d, w, besides)
        s = re.findall(r"<([^<>]*)> <", c.where)[0]
        return Clause("path-inverse", c.mod, c.pred, f"?a ^<{c.terms[0]}> <{s}> . ", c.terms)
    c = _chain(d, w, besides)
    e = re.findall(r"<([^<>]*)>", c.where)[-1]
    return Clause("path-sequence", c.mod, c.pred, f"?a <{c.terms[0]}>/<{c.terms[1]}> <{e}> . ", c.terms)


def _exact(d: Draw, w: str, besides: Sequence[str]) -> Clause:
    """A value that is a text of its own, such as a code."""
    p = d.own(w, "texts", besides)
    values = [
        o
        for o in d.filling.out[w][p]
        if o.type == "literal" and not o.lang and 1 < len(o.value) < 30 and o.value.isprintable()
    ]
    if not values or d.verbal(p):
        raise UnfitError
    value = d.rng.choice(values)
    mod, pred = f"with the {d.noun(p)} '{value.value}'", f"have the {d.noun(p)} '{value.value}'"
    return Clause("text-exact", mod, pred, f"?a <{p}> {written(value)} . ", (p,))


CLAUSES: Mapping[str, Callable[[Draw, str, Sequence[str]], Clause]] = {
    "link": _link, "inverse": _inverse, "chain": _chain, "number": _number, "year": _year, "text": _text, "either": _either,
    "without": _without, "path": _path, "exact": _exact,
}  # fmt: skip
KINDS: Mapping[str, float] = {
    "link": 10, "inverse": 1.5, "chain": 3.5, "number": 3.5, "year": 3, "text": 1.5, "either": 2, "without": 2, "path": 2, "exact": 0.5,
}  # fmt: skip
