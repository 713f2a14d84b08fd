"""Questions about what a table would have as columns: names and numbers of the things of a class, chosen by values, sorted,
counted and summed by group, there or over one link.

Colleagues of an engineer ask so of what came out of a database (Spider, Yu et al. 2018, has the kinds of question); who
asks of Wikipedia's things does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .clauses import NUMERIC, Draft, Draw, UnfitError, mark
from .fillings import quoted
from .phrases import article, plural

_MORE = ("more than", "over", "greater than", "above", "higher than", "at least")
_LESS = ("less than", "under", "below", "lower than", "at most")
_SIGNS = {"at least": ">=", "at most": "<="}


@dataclass(frozen=True, slots=True)
class _Restriction:
    """What follows the things of a class in words, patterns over `?a`, and the properties that these name."""

    mod: str = ""
    where: str = ""
    terms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Things:
    """The things of a class that is asked about, one of them, and the patterns that hold for all of them."""

    witness: str
    cls: str
    many: str
    restriction: _Restriction
    where: str
    terms: tuple[str, ...]

    @property
    def said(self) -> str:
        return f"{self.many} {self.restriction.mod}".strip()


def _columns(d: Draw, thing: str, pool: str = "", besides: tuple[str, ...] = ()) -> list[str]:
    """Values that a thing has: numbers, dates and texts, or those of one pool."""
    pools = (pool,) if pool else ("texts", "measures")
    allowed = set().union(*(d.sets[name] for name in pools)) - set(besides)
    return [p for p in d.filling.out.get(thing, {}) if p in allowed and not d.verbal(p)]


def _some(d: Draw, options: list[str]) -> str:
    if not options:
        raise UnfitError
    return d.pick(options)


def _things(d: Draw, *, plain: float = 0.5, besides: tuple[str, ...] = ()) -> _Things:
    """Things of a class, with a restriction unless it is left out with the chance `plain`."""
    p = _some(d, [*d.texts, *d.measures])
    witness, _, _ = d.statement([p])
    cls = d.class_of(witness)
    restriction = _Restriction() if d.chance(plain) else _restriction(d, witness, besides)
    return _Things(
        witness,
        cls,
        d.things(cls),
        restriction,
        d.typed(cls) + restriction.where,
        (*d.type_terms(cls), *restriction.terms),
    )


def _restriction(d: Draw, thing: str, besides: tuple[str, ...]) -> _Restriction:
    way = d.rng.random()
    if way < 0.3:
        return _by_number(d, thing, besides)
    if way < 0.65:
        return _by_text(d, thing, besides)
    if way < 0.75:
        return _over_link(d, thing, besides)
    p, e = d.link(thing, besides)
    return _Restriction(d.phrase(p, mark(e))[0], f"?a <{p}> <{e}> . ", (p,))


def _by_number(d: Draw, thing: str, besides: tuple[str, ...], of: str = "?a") -> _Restriction:
    p = _some(d, _columns(d, thing, "numbers", besides))
    value = d.filling.out[thing][p][0].value
    if not NUMERIC.match(value):
        raise UnfitError
    n, v = d.noun(p), d.fresh()
    word = d.pick(_MORE if d.chance(0.6) else _LESS)
    sign = _SIGNS.get(word, ">" if word in _MORE else "<")
    bound = str(int(float(value) * (0.5 if sign[0] == ">" else 2)))
    mod = d.pick((f"with {article(n)} {word} {bound}", f"whose {n} is {word} {bound}", f"that have {article(n)} {word} {bound}", f"with {n} {word} {bound}"))  # fmt: skip
    return _Restriction(mod, f"{of} <{p}> {v} . FILTER({v} {sign} {bound}) ", (p,))


def _by_text(d: Draw, thing: str, besides: tuple[str, ...], of: str = "?a") -> _Restriction:
    p = _some(d, _columns(d, thing, "texts", besides))
    rows = d.filling.statements[p]
    value, other = d.filling.out[thing][p][0].value, d.rng.choice(rows)[1].value
    if (
        not 1 < len(value) < 40
        or '"' in value
        or "'" in value
        or d.filling.out[thing][p][0].type != "literal"
    ):
        raise UnfitError
    n, v = d.noun(p), d.fresh()
    mark_ = d.pick(("'", '"'))
    x = f"{mark_}{value}{mark_}"
    where = f"{of} <{p}> {v} . "
    way = d.rng.random()
    if way < 0.15 and other != value and not {'"', "'"} & set(other) and 1 < len(other) < 40:
        y = f"{mark_}{other}{mark_}"
        mod = d.pick((f"with {n} {x} or {y}", f"whose {n} is {x} or {y}", f"whose {n} is either {x} or {y}"))
        return _Restriction(mod, f"{where}FILTER({v} = {quoted(value)} || {v} = {quoted(other)}) ", (p,))
    if way < 0.28:
        if other == value or {'"', "'"} & set(other):
            raise UnfitError
        y = f"{mark_}{other}{mark_}"
        mod = d.pick((f"whose {n} is not {y}", f"with {article(n)} other than {y}", f"that do not have the {n} {y}"))  # fmt: skip
        return _Restriction(mod, f"{where}FILTER({v} != {quoted(other)}) ", (p,))
    if way < 0.38:
        word = value.split()[0]
        mod = d.pick((f"whose {n} contains {mark_}{word}{mark_}", f"with the word {mark_}{word}{mark_} in their {n}"))  # fmt: skip
        return _Restriction(mod, f"{where}FILTER(CONTAINS({v}, {quoted(word)})) ", (p,))
    mod = d.pick((f"with {n} {x}", f"whose {n} is {x}", f"with the {n} {x}", f"that have the {n} {x}", f"of the {n} {x}"))  # fmt: skip
    return _Restriction(mod, f"{where}FILTER({v} = {quoted(value)}) ", (p,))


def _over_link(d: Draw, thing: str, besides: tuple[str, ...]) -> _Restriction:
    """What is said of a thing that the things of the class lead to."""
    p, e = d.link(thing, besides)
    if d.verbal(p):
        raise UnfitError
    v = d.fresh("b")
    of = (_by_number if d.chance(0.4) else _by_text)(d, e, (*besides, p), v)
    return _Restriction(f"whose {d.noun(p)} is one {of.mod}", f"?a <{p}> {v} . {of.where}", (p, *of.terms))


def _where(text: str) -> str:
    return text.strip().removesuffix(".").strip()


def _draft(form: str, name: str, words: str, query: str, terms: tuple[str, ...]) -> Draft:
    return Draft(f"columns-{form}", f"columns-{form}:{name}", " ".join(words.split()), query, terms)


_ORDERS = {
    "asc": ("sorted by {m}", "in ascending order of {m}", "ordered by {m}", "in the order of {m}", "from the lowest to the highest {m}"),
    "desc": ("in descending order of {m}", "sorted by {m}, highest first", "ordered by {m} from high to low", "from the highest to the lowest {m}"),
}  # fmt: skip


def ask_columns(d: Draw) -> Draft:
    """One, two or three values of each thing, in an order or none."""
    t = _things(d)
    columns = _columns(d, t.witness, "", t.terms)
    d.rng.shuffle(columns)
    shown = columns[: d.rng.choice((1, 1, 1, 2, 2, 3))]
    if not shown:
        raise UnfitError
    where = t.where + " . ".join(f"?a <{p}> ?c{i}" for i, p in enumerate(shown))
    names = [d.noun(p, d.chance(0.4)) for p in shown]
    listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    words = d.pick((
        f"what are the {listed} of the {t.said}?", f"list the {listed} of all {t.said}", f"show the {listed} of {t.said}", f"find the {listed} of the {t.said}",
        f"give me the {listed} of every one of the {t.said}", f"return the {listed} for all {t.said}", f"what is the {listed} of each of the {t.said}?",
        f"show {listed} of each of the {t.said}", f"tell me the {listed} of all the {t.said}",
    ))  # fmt: skip
    tail, key = "", "plain"
    extra: tuple[str, ...] = ()
    left = [p for p in _columns(d, t.witness, "measures", t.terms) if p not in shown]
    if d.chance(0.25) and (left or len(shown) > 1):
        key = d.pick(("asc", "desc"))
        number = next((i for i, p in enumerate(shown) if p in d.sets["measures"]), None)
        if left:
            m, v, extra = left[0], "?o", (left[0],)
            where += f" . ?a <{m}> ?o"
        elif number is not None:
            m, v = shown[number], f"?c{number}"
        else:
            raise UnfitError
        words = f"{words.rstrip('?')} {d.pick(_ORDERS[key]).format(m=d.noun(m))}"
        tail = f" ORDER BY {key.upper()}({v})"
    projected = " ".join(f"?c{i}" for i in range(len(shown)))
    distinct = "DISTINCT " if d.chance(0.5) else ""
    if distinct and "different" not in words and d.chance(0.3):
        words = words.replace(listed, f"different {listed}", 1)
    return _draft("list", f"{key}-{len(shown)}", words, f"SELECT {distinct}{projected} WHERE {{ {where} }}{tail}", (*t.terms, *shown, *extra))  # fmt: skip


def ask_top(d: Draw) -> Draft:
    """Values of the things that have the most of something."""
    t = _things(d, plain=0.75)
    m = _some(d, _columns(d, t.witness, "measures", t.terms))
    p = _some(d, _columns(d, t.witness, "", (*t.terms, m)))
    most = d.chance(0.6)
    count = d.rng.choice((1, 1, 1, 2, 3, 5, 10))
    n, o = d.noun(p, count > 1), d.noun(m)
    top = d.pick(("highest", "greatest", "largest") if most else ("lowest", "smallest"))
    if m in d.sets["times"]:
        top = "latest" if most else "earliest"
    one = f"the {count} {t.said}" if count > 1 else f"the {d.class_noun(t.cls)} {t.restriction.mod}"
    words = d.pick((f"what is the {n} of {one} with the {top} {o}?", f"find the {n} of {one} that has the {top} {o}", f"show the {n} of {one} with the {top} {o}",
                    f"give the {n} of {one} having the {top} {o}"))  # fmt: skip
    if count > 1:
        words = words.replace("what is", "what are").replace("that has", "that have")
    both = d.chance(0.2)
    if both:
        words = words.replace(f"the {n} of", f"the {n} and the {o} of", 1)
    query = (
        f"SELECT ?c{' ?o' if both else ''} WHERE {{ {t.where}?a <{p}> ?c . ?a <{m}> ?o }} "
        f"ORDER BY {'DESC' if most else 'ASC'}(?o) LIMIT {count}"
    )
    return _draft("top", f"{'desc' if most else 'asc'}-{count}", words, query, (*t.terms, p, m))


def ask_number(d: Draw) -> Draft:
    """How many there are, or how many different values they have."""
    if d.chance(0.35):
        t = _things(d, plain=0.7)
        p = _some(d, _columns(d, t.witness, "", t.terms))
        ns = d.noun(p, True)
        words = d.pick((f"how many different {ns} do the {t.said} have?", f"find the number of distinct {ns} of {t.said}", f"count the different {ns} of the {t.said}",
                        f"how many distinct {ns} are there for {t.said}?"))  # fmt: skip
        query = f"SELECT (COUNT(DISTINCT ?c) AS ?n) WHERE {{ {t.where}?a <{p}> ?c }}"
        return _draft("number", "different", words, query, (*t.terms, p))
    t = _things(d, plain=0.2)
    words = d.pick((f"how many {t.said} are there?", f"count the {t.said}", f"find the number of {t.said}", f"what is the number of {t.said}?", f"how many {t.said}?",
                    f"return the total number of {t.said}", f"show how many {t.said} there are"))  # fmt: skip
    query = f"SELECT (COUNT(DISTINCT ?a) AS ?n) WHERE {{ {_where(t.where)} }}"
    return _draft("number", "things", words, query, t.terms)


_FUNCTIONS = {
    "AVG": ("average", "mean"), "SUM": ("total", "sum of the", "combined"), "MIN": ("minimum", "lowest", "smallest"), "MAX": ("maximum", "highest", "largest"),
}  # fmt: skip


def ask_computed(d: Draw) -> Draft:
    """A sum, a mean, the least or the most of what they have, of all or for each group."""
    t = _things(d, plain=0.5)
    p = _some(d, _columns(d, t.witness, "numbers", t.terms))
    function = d.pick(tuple(_FUNCTIONS))
    said, n = d.pick(_FUNCTIONS[function]), d.noun(p)
    if d.chance(0.5):
        words = d.pick((f"what is the {said} {n} of all {t.said}?", f"find the {said} {n} of the {t.said}", f"what is the {said} {n} for {t.said}?", f"return the {said} {n} across all {t.said}",
                        f"show the {said} {n} of {t.said}"))  # fmt: skip
        query = f"SELECT ({function}(?c) AS ?n) WHERE {{ {t.where}?a <{p}> ?c }}"
        return _draft("computed", function, words, query, (*t.terms, p))
    g, patterns, terms, group = _group(d, t, p)
    words = d.pick((f"what is the {said} {n} of {t.said} for each {g}?", f"for each {g}, what is the {said} {n} of the {t.said}?", f"show the {said} {n} of {t.said} by {g}",
                    f"find the {said} {n} of the {t.said} of each {g}", f"show different {plural(g)} and the {said} {n} of {t.said} of each {g}",
                    f"what are the {plural(g)}, and the {said} {n} of the {t.said} for each?"))  # fmt: skip
    query = f"SELECT ?g ({function}(?c) AS ?n) WHERE {{ {t.where}?a <{p}> ?c . {patterns} }} GROUP BY ?g"
    return _draft("computed", f"{function}-{group}", words, query, (*t.terms, p, *terms))


def _group(d: Draw, t: _Things, *besides: str) -> tuple[str, str, tuple[str, ...], str]:
    """What things are grouped by: words, patterns of `?g`, properties; a value of theirs, or of what they lead to."""
    if d.chance(0.6):
        q = _some(d, _columns(d, t.witness, "texts", (*t.terms, *besides)))
        return d.noun(q), f"?a <{q}> ?g", (q,), "own"
    link, e = d.link(t.witness, (*t.terms, *besides))
    q = _some(d, _columns(d, e, "texts", (*t.terms, *besides)))
    if d.verbal(link):
        raise UnfitError
    cls = d.class_noun(d.class_of(e))
    named = d.pick(
        (f"{cls} {d.noun(q)}", f"{d.noun(q)} of the {d.noun(link)}", f"{d.noun(link)}'s {d.noun(q)}")
    )
    return named, f"?a <{link}> ?l . ?l <{q}> ?g", (link, q), "over"


def ask_counted(d: Draw) -> Draft:
    """How many for each value, which value has the most, which have more than a number."""
    way = d.rng.random()
    if way > 0.75:
        return _having(d)
    t = _things(d, plain=0.8)
    g, patterns, terms, group = _group(d, t)
    where = f"{t.where}{patterns}"
    gs = plural(g)
    if way < 0.45:
        words = d.pick((f"how many {t.said} are there for each {g}?", f"for each {g}, how many {t.said} are there?", f"show the number of {t.said} for each {g}",
                        f"find the number of {t.said} by {g}", f"what are the {gs} and the number of {t.said} of each?", f"show {gs} and the number of {t.said} they have",
                        f"list each {g} and how many {t.said} have it"))  # fmt: skip
        query = f"SELECT ?g (COUNT(DISTINCT ?a) AS ?n) WHERE {{ {where} }} GROUP BY ?g"
        return _draft("counted", f"each-{group}", words, query, (*t.terms, *terms))
    most = d.chance(0.7)
    top = "most" if most else "fewest"
    words = d.pick((f"which {g} has the {top} {t.said}?", f"what is the {g} with the {top} {t.said}?", f"find the {g} that the {top} {t.said} have",
                    f"what is the {'most' if most else 'least'} common {g} among the {t.said}?", f"which {g} is shared by the {top} {t.said}?"))  # fmt: skip
    order = f"ORDER BY {'DESC' if most else 'ASC'}(COUNT(DISTINCT ?a)) LIMIT 1"
    projected = "?g"
    if d.chance(0.35):
        words = f"{words.rstrip('?')}, and how many are there?"
        projected = "?g (COUNT(DISTINCT ?a) AS ?n)"
    query = f"SELECT {projected} WHERE {{ {where} }} GROUP BY ?g {order}"
    return _draft("counted", f"{top}-{group}", words, query, (*t.terms, *terms))


def _having(d: Draw) -> Draft:
    """The values that more things than a number have, or fewer; the witness's is one of them."""
    t = _things(d, plain=1.0)
    q = _some(d, _columns(d, t.witness, "texts", t.terms))
    value = d.filling.out[t.witness][q][0].value
    count = sum(
        any(o.value == value for o in d.filling.out.get(s, {}).get(q, ())) for s in d.filling.members[t.cls]
    )
    g, c = d.noun(q, True), t.many
    word = d.pick(("more than", "at least", "fewer than"))
    sign = _SIGNS.get(word, "<" if word == "fewer than" else ">")
    k = count + 1 if sign == "<" else count - (sign == ">")
    if k < 1:
        raise UnfitError
    words = d.pick((f"which {g} have {word} {k} {c}?", f"what are the {g} shared by {word} {k} {c}?", f"show the {g} of {word} {k} {c}",
                    f"find the {g} that {word} {k} {c} have"))  # fmt: skip
    query = f"SELECT ?g WHERE {{ {t.where}?a <{q}> ?g }} GROUP BY ?g HAVING (COUNT(DISTINCT ?a) {sign} {k})"
    return _draft("counted", "having", words, query, (*t.terms, q))


def _led_to(d: Draw) -> tuple[str, str, str, str]:
    """A thing that others lead to: itself, the link, the class of the others, its own class. Raises UnfitError."""
    w, link, o = d.statement(d.links)
    if not d.filling.named(o) or o.value == w or d.verbal(link):
        raise UnfitError
    return o.value, link, d.class_of(w), d.class_of(o.value)


def _led_to_none(d: Draw) -> Draft:
    """Values of the things that nothing of a class leads to."""
    thing, link, others, cls = _led_to(d)
    free = [s for s in d.filling.members.get(cls, ()) if link not in d.filling.incoming.get(s, {})]
    having = [(s, q) for s in free for q in _columns(d, s, "texts", (link,))]
    if not having:
        raise UnfitError
    _, p = d.rng.choice(having)
    many, c, ns = d.things(others), d.things(cls), d.noun(p, True)
    words = d.pick((f"what are the {ns} of the {c} that have no {many}?", f"find the {ns} of {c} without {many}", f"show the {ns} of the {c} that do not have any {many}",
                    f"list the {ns} of {c} which have no {many}"))  # fmt: skip
    query = f"SELECT DISTINCT ?g WHERE {{ {d.typed(cls)}?a <{p}> ?g . MINUS {{ ?x <{link}> ?a }} }}"
    terms = (*d.type_terms(cls), p, link)
    return Draft("columns-led-to", "columns-led-to:none", words, query, terms, (link,))


def ask_led_to(d: Draw) -> Draft:
    """Values of things by what leads to them: how many, the most, more than a number, none."""
    way = d.rng.random()
    if way > 0.9:
        return _led_to_none(d)
    thing, link, others, cls = _led_to(d)
    p = _some(d, _columns(d, thing, "texts", (link,)))
    many, c, n = d.things(others), d.things(cls), d.noun(p)
    one, ns = d.class_noun(cls), d.noun(p, True)
    where = f"{d.typed(cls)}?a <{p}> ?g . "
    leads = f"{d.typed(others, '?x')}?x <{link}> ?a"
    terms = (*d.type_terms(cls), *d.type_terms(others), p, link)
    if way < 0.3:
        words = d.pick((f"show the {ns} of {c} and the number of {many} of each", f"what is the {n} of each {one} and how many {many} does it have?",
                        f"for each {one} {n}, how many {many} are there?", f"list the {ns} of the {c} with the number of their {many}"))  # fmt: skip
        query = f"SELECT ?g (COUNT(DISTINCT ?x) AS ?n) WHERE {{ {where}{leads} }} GROUP BY ?g"
        return _draft("led-to", "each", words, query, terms)
    if way < 0.5:
        words = d.pick((f"what is the {n} of the {one} with the most {many}?", f"find the {n} of the {one} that has the most {many}",
                        f"which {one} has the largest number of {many}? give its {n}", f"show the {n} of the {one} having the largest number of {many}"))  # fmt: skip
        query = f"SELECT ?g WHERE {{ {where}{leads} }} GROUP BY ?g ORDER BY DESC(COUNT(DISTINCT ?x)) LIMIT 1"
        return _draft("led-to", "most", words, query, terms)
    if way < 0.7:
        members = set(d.filling.members[others])
        count = len({s for s in d.filling.incoming[thing].get(link, ()) if s in members})
        if count < 2:
            raise UnfitError
        k = d.rng.randint(1, count - 1)
        words = d.pick((f"what are the {ns} of the {c} that have more than {k} {many}?", f"show the {ns} of {c} with more than {k} {many}",
                        f"find the {ns} of the {c} having more than {k} {many}"))  # fmt: skip
        query = f"SELECT ?g WHERE {{ {where}{leads} }} GROUP BY ?g HAVING (COUNT(DISTINCT ?x) > {k})"
        return _draft("led-to", "having", words, query, terms)
    words = d.pick((f"what are the {ns} of the {c} that have {many}?", f"show the different {ns} of {c} with {many}", f"find the {ns} of all {c} that have any {many}"))  # fmt: skip
    query = f"SELECT DISTINCT ?g WHERE {{ {where}{leads} }}"
    return _draft("led-to", "some", words, query, terms)


def ask_joined(d: Draw) -> Draft:
    """Values of things and of what they lead to, side by side."""
    t = _things(d, plain=0.6)
    link, e = d.link(t.witness, t.terms)
    p = _some(d, _columns(d, t.witness, "", (*t.terms, link)))
    q = _some(d, _columns(d, e, "", (*t.terms, link)))
    if d.verbal(link):
        raise UnfitError
    cls, lead = d.class_of(e), d.noun(link)
    one = d.class_noun(cls)
    n, m = d.noun(p), d.noun(q)
    both = d.chance(0.45)
    if both:
        words, named = d.rng.choice((
            (f"show the {n} of the {t.said} and the {m} of their {lead}", False), (f"what is the {n} of each of the {t.said}, and the {m} of its {lead}?", False),
            (f"list the {n} of all {t.said} together with the {m} of the {one}", True), (f"for all {t.said}, show the {n} and the {one} {m}", True),
        ))  # fmt: skip
    else:
        words, named = d.rng.choice((
            (f"what are the {plural(m)} of the {plural(one)} of the {t.said}?", True), (f"find the {plural(m)} of the {lead} of all {t.said}", False),
            (f"show the {one} {plural(m)} of the {t.said}", True), (f"what is the {m} of the {lead} of the {t.said}?", False),
        ))  # fmt: skip
    # The class of what is led to is said in the query when it is said in the question.
    where = f"{t.where}?a <{link}> ?l . {d.typed(cls, '?l') if named else ''}"
    terms = (*t.terms, link, *(d.type_terms(cls) if named else ()))
    if both:
        query = f"SELECT ?c ?e WHERE {{ {where}?a <{p}> ?c . ?l <{q}> ?e }}"
        return _draft("joined", "both", words, query, (*terms, p, q))
    query = f"SELECT DISTINCT ?e WHERE {{ {where}?l <{q}> ?e }}"
    return _draft("joined", "over", words, query, (*terms, q))


COLUMN_FORMS: Mapping[str, tuple[float, Callable[[Draw], Draft]]] = {
    "columns": (20, ask_columns), "top": (8, ask_top), "number": (12, ask_number), "computed": (10, ask_computed),
    "counted": (14, ask_counted), "led-to": (14, ask_led_to), "joined": (8, ask_joined),
}  # fmt: skip
