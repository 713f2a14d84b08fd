"""Questions about the things that meet clauses: which, how many, are there any, the most of them, what they have, groups."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .clause_kinds import KINDS, clause
from .clauses import Clause, Draft, Draw, UnfitError, to_one
from .phrases import singular

_DBPEDIA = "http://dbpedia.org/"
_TOP = ("highest", "largest", "greatest")
_LOW = ("lowest", "smallest")
_LISTS = (
    "what are the {c} {m}?", "list the {c} {m}", "give me all {c} {m}", "name the {c} {m}", "show me the {c} {m}",
    "find {c} {m}", "{c} {m}", "list all {c} {m}", "what are some {c} {m}?", "which are the {c} {m}?", "tell me the {c} {m}",
)  # fmt: skip
_WHICH = ("which {c} {p}?", "what {c} {p}?", "which {c} {p}?")
_COUNTS = ("how many {c} {p}?", "how many {c} {p}?")
_COUNT_MODS = (
    "how many {c} are there {m}?", "count the {c} {m}", "what is the number of {c} {m}?", "number of {c} {m}",
    "give me the number of {c} {m}", "what is the total count of {c} {m}?",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Set:
    """Things of a class that meet clauses; the witness among them."""

    witness: str
    noun: str
    nouns: str
    mods: str
    preds: str
    where: str
    terms: tuple[str, ...]
    absent: tuple[str, ...]
    key: str

    def plural(self) -> str:
        return f"{self.nouns} {self.mods}".strip()


def _set(d: Draw, most: int = 2, kinds: Mapping[str, float] = KINDS) -> _Set:
    """A set of things with up to `most` clauses, none where zero are allowed by chance."""
    w, _, _ = d.statement(d.properties)
    cls = d.class_of(w)
    count = min(most, d.rng.choices((1, 2), (7, 3))[0])
    clauses: list[Clause] = []
    for _ in range(count):
        clauses.append(clause(d, w, [t for c in clauses for t in c.terms], kinds))
    # A negation alone has nothing to bind what is asked for.
    typed = any(c.absent or c.key.startswith("text") for c in clauses) or d.chance(0.65)
    preds = [c.pred for c in clauses]
    joined = " and ".join(c.mod for c in clauses)
    key = "+".join(c.key for c in clauses)
    positive = sorted(clauses, key=lambda c: bool(c.absent))
    return _Set(
        w, d.class_noun(cls), d.things(cls), joined, " and ".join(preds) if all(preds) else "",
        (d.typed(cls) if typed else "") + "".join(c.where for c in positive),
        (*(d.type_terms(cls) if typed else ()), *(t for c in clauses for t in c.terms)),
        tuple(t for c in clauses for t in c.absent),
        f"({key}){':typed' if typed else ''}",
    )  # fmt: skip


def _made(form: str, s: _Set, question: str, query: str, more: Sequence[str] = (), tag: str = "") -> Draft:
    return Draft(form, f"{form}{tag}{s.key}", question, query, (*s.terms, *more), s.absent)


def _of_set(d: Draw, s: _Set, one: tuple[str, ...], with_preds: tuple[str, ...]) -> str:
    if s.preds and d.chance(0.5):
        return d.pick(with_preds).replace("{c}", s.nouns).replace("{p}", s.preds)
    return d.pick(one).replace("{c}", s.nouns).replace("{m}", s.mods)


def ask_list(d: Draw) -> Draft:
    s = _set(d)
    return _made("list", s, _of_set(d, s, _LISTS, _WHICH), f"SELECT DISTINCT ?a WHERE {{ {s.where}}}")


def ask_count(d: Draw) -> Draft:
    s = _set(d)
    made, tag = _counted(d, s, "?a")
    return _made("count", s, _of_set(d, s, _COUNT_MODS, _COUNTS), f"{made} WHERE {{ {s.where}}}", tag=tag)


def _counted(d: Draw, s: _Set, variable: str) -> tuple[str, str]:
    """The head of a count. Questions over DBpedia have theirs as LC-QuAD 1.0 writes it, one in two: elsewhere the same
    words with two queries would only confuse."""
    if any(iri.startswith(_DBPEDIA) for iri in s.terms) and d.chance(0.5):
        return f"SELECT DISTINCT (COUNT({variable}) AS ?n)", ":distinct-row"
    return f"SELECT (COUNT(DISTINCT {variable}) AS ?n)", ""


def ask_any(d: Draw) -> Draft:
    s = _set(d)
    question = d.pick(
        (
            "are there any {c} {m}?",
            "are there {c} {m}?",
            "do any {c} exist {m}?",
            "is it true that there are {c} {m}?",
        )
    )
    return _made("any", s, question.replace("{c}", s.nouns).replace("{m}", s.mods), f"ASK {{ {s.where}}}")


def ask_attribute(d: Draw) -> Draft:
    s = _set(d, 1)
    q = d.own(s.witness, "properties", s.terms)
    said = d.say(q)
    question = d.pick(said.of).replace("{x}", f"the {s.plural()}")
    if "'s " in question:
        question = f"the {said.nouns} of the {s.plural()}"
    if d.chance(0.2) and not d.verbal(q):
        n, c = said.nouns, s.plural()
        asked = d.pick((f"how many {n} do the {c} have?", f"count the {n} of the {c}", f"what is the number of {n} of the {c}?"))  # fmt: skip
        made, tag = _counted(d, s, "?x")
        return _made("attribute", s, asked, f"{made} WHERE {{ {s.where}?a <{q}> ?x }}", (q,), f"-count{tag}")
    who = "who" if said.person else "what"
    question = d.pick(
        (f"{who} are {question}?", f"list {question}", f"give me {question}", f"show {question}")
    )
    return _made(
        "attribute", s, _agree(question), f"SELECT DISTINCT ?x WHERE {{ {s.where}?a <{q}> ?x }}", (q,)
    )


def ask_table(d: Draw) -> Draft:
    s = _set(d, 1)
    q = d.nominal(s.witness, s.terms)
    optional = d.chance(0.55)
    n = d.noun(q)
    if optional:
        question = d.pick((f"list the {s.plural()} and their {n} if known", f"give me the {s.plural()}, with their {n} where there is one", f"show all {s.plural()} and, if available, their {n}", f"which {s.nouns} are there {s.mods}, and what is their {n}, if any?"))  # fmt: skip
        return _made(
            "optional",
            s,
            question,
            f"SELECT DISTINCT ?a ?x WHERE {{ {s.where}OPTIONAL {{ ?a <{q}> ?x }} }}",
            (q,),
        )
    question = d.pick(
        (
            f"list the {s.plural()} and their {n}",
            f"give me the {s.plural()} with their {n}",
            f"what are the {s.plural()} and what is their {n}?",
        )
    )
    return _made("table", s, question, f"SELECT DISTINCT ?a ?x WHERE {{ {s.where}?a <{q}> ?x }}", (q,))


def _agree(text: str) -> str:
    """A plural verb before a singular noun phrase turned into the singular; `the name of the rivers` is one to each."""
    found = re.match(r"(who|what) are the (\w+(?: \w+)?) (of|that)\b", text)
    if found and not found[2].endswith("s") and found[2].split(" ")[-1] not in ("people", "children", "kids"):
        return text.replace(f"{found[1]} are", f"{found[1]} is", 1)
    return text


def ask_superlative(d: Draw) -> Draft:
    w, p, _ = d.statement(d.measures if d.chance(0.7) else d.numbers)
    cls = d.class_of(w)
    timed = p in d.times
    within = clause(d, w, (p,), {"link": 1}) if d.chance(0.45) else None
    most = d.chance(0.65)
    said, noun, nouns = d.say(p), d.class_noun(cls), d.things(cls)
    k = d.rng.choice((1, 1, 1, 1, 2, 3, 5, 10))
    adjectives = said.wording.most if most else said.wording.least
    mod = f" {within.mod if k > 1 else to_one(within.mod)}" if within else ""
    many, c = (f" {k}", nouns) if k > 1 else ("", noun)
    verb = "are" if k > 1 else "is"
    if adjectives and d.chance(0.7):
        a = d.pick(adjectives)
        question = d.pick((f"what {verb} the{many} {a} {c}{mod}?", f"name the{many} {a} {c}{mod}", f"which {c}{mod} {verb} the{many} {a}?" if k == 1 else f"which{many} {c}{mod} are the {a}?", f"the{many} {a} {c}{mod}"))  # fmt: skip
    else:
        if d.verbal(p):
            raise UnfitError
        top = d.pick(
            ("latest", "most recent")
            if most and timed
            else ("earliest",)
            if timed
            else _TOP
            if most
            else _LOW
        )
        n = f"number of {said.count}" if said.count else d.noun(p)
        have = "have" if k > 1 else "has"
        question = d.pick((f"which{many} {c}{mod} {have} the {top} {n}?", f"what{many} {c}{mod} {have} the {top} {n}?", f"give me the{many} {c}{mod} with the {top} {n}"))  # fmt: skip
        if said.count and most:
            question = d.pick((question, f"which{many} {c}{mod} {have} the most {said.count}?"))
    where = d.typed(cls) + (within.where if within else "") + f"?a <{p}> ?v . "
    key = f"superlative{'-desc' if most else '-asc'}({within.key if within else ''}){'' if k == 1 else ':top-k'}"
    query = f"SELECT DISTINCT ?a WHERE {{ {where}}} ORDER BY {'DESC' if most else 'ASC'}(?v) LIMIT {k}"
    return Draft(
        "superlative", key, question, query, (*d.type_terms(cls), *(within.terms if within else ()), p)
    )


def ask_aggregate(d: Draw) -> Draft:
    w, p, _ = d.statement(d.numbers)
    cls = d.class_of(w)
    within = clause(d, w, (p,), {"link": 3, "year": 1}) if d.chance(0.6) else None
    function = d.pick(("SUM", "AVG", "AVG", "MAX", "MIN"))
    word = {
        "SUM": ("total", "combined", "summed"),
        "AVG": ("average", "mean"),
        "MAX": ("highest", "maximum"),
        "MIN": ("lowest", "minimum"),
    }
    mod = f" {within.mod}" if within else ""
    a, n = d.pick(word[function]), d.noun(p)
    things = d.things(cls) + mod
    question = d.pick((f"what is the {a} {n} of {'all ' if not within else 'the '}{things}?", f"{a} {n} of the {things}", f"tell me the {a} {n} of the {things}", f"give me the {a} {n} of {things}"))  # fmt: skip
    where = d.typed(cls) + (within.where if within else "") + f"?a <{p}> ?v . "
    return Draft("aggregate", f"aggregate-{function.lower()}({within.key if within else ''})", question, f"SELECT ({function}(?v) AS ?n) WHERE {{ {where}}}", (*d.type_terms(cls), *(within.terms if within else ()), p))  # fmt: skip


def ask_group(d: Draw) -> Draft:
    w, _, _ = d.statement(d.links)
    cls = d.class_of(w)
    q = d.nominal(w, (), "links")
    n, things = d.noun(q), d.things(cls)
    average = d.chance(0.3)
    if average:
        p = d.nominal(w, (q,), "numbers")
        function = d.pick(("AVG", "SUM", "MAX"))
        a = {"AVG": "average", "SUM": "total", "MAX": "highest"}[function]
        question = d.pick(
            (
                f"what is the {a} {d.noun(p)} of {things} for each {n}?",
                f"for each {n}, give the {a} {d.noun(p)} of its {things}",
                f"{a} {d.noun(p)} of {things} per {n}",
            )
        )
        query = f"SELECT ?g ({function}(?v) AS ?n) WHERE {{ {d.typed(cls)}?a <{q}> ?g . ?a <{p}> ?v }} GROUP BY ?g"
        return Draft("group", f"group-{function.lower()}", question, query, (*d.type_terms(cls), q, p))
    order = d.chance(0.4)
    question = d.pick(
        (
            f"how many {things} are there for each {n}?",
            f"count the {things} per {n}",
            f"for every {n}, how many {things} are there?",
            f"give me the number of {things} by {n}",
        )
    )
    if order:
        question = question.rstrip("?") + d.pick(
            (", most first", ", sorted by number", ", in descending order")
        )
    query = f"SELECT ?g (COUNT(DISTINCT ?a) AS ?n) WHERE {{ {d.typed(cls)}?a <{q}> ?g }} GROUP BY ?g"
    return Draft(
        "group",
        f"group-count{':ordered' if order else ''}",
        question,
        query + (" ORDER BY DESC(?n)" if order else ""),
        (*d.type_terms(cls), q),
    )


def ask_having(d: Draw) -> Draft:
    w, q, o = d.statement(d.links)
    if not d.filling.named(o):
        raise UnfitError
    cls = d.class_of(w)
    members = set(d.filling.members.get(cls, ()))
    count = len({s for s in d.filling.incoming[o.value].get(q, ()) if s in members})
    if count < 1:
        raise UnfitError
    said, things = d.say(q), d.things(cls)
    if d.verbal(q):
        raise UnfitError
    most = d.chance(0.4)
    holder = "people" if said.person else said.nouns
    if most:
        question = d.pick(
            (
                f"which {singular(holder)} is the {said.noun} of the most {things}?"
                if holder != "people"
                else f"who is the {said.noun} of the most {things}?",
                f"what is the most common {said.noun} of {things}?",
                f"which {said.noun} do the most {things} have?",
            )
        )
        query = f"SELECT ?g WHERE {{ {d.typed(cls)}?a <{q}> ?g }} GROUP BY ?g ORDER BY DESC(COUNT(DISTINCT ?a)) LIMIT 1"
        return Draft("most-of", "most-of", question, query, (*d.type_terms(cls), q))
    k = d.rng.randint(0, count - 1) if count > 1 else 0
    at_least = d.chance(0.4) or k == 0
    shown, sign, number = (f"at least {k + 1}", ">=", k + 1) if at_least else (f"more than {k}", ">", k)
    few = things if number > 1 else d.class_noun(cls)
    question = d.pick(
        (
            f"which {holder} are the {said.noun} of {shown} {few}?",
            f"list the {holder} that are {said.noun} of {shown} {few}",
        )
    )
    query = f"SELECT ?g WHERE {{ {d.typed(cls)}?a <{q}> ?g }} GROUP BY ?g HAVING (COUNT(DISTINCT ?a) {sign} {number})"
    return Draft("having", f"having{sign}", question, query, (*d.type_terms(cls), q))
