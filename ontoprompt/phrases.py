"""How a person would say a term: noun, question, clause, statement; made once for each term, then drawn from.

The words come from `wording` where it knows the property, else from the form of the label: a participle with a
preposition (`written by`), `number of ...`, `part of`, a verb with one (`plays for`), or a noun. Plurals and articles are
those of the inflect library. `{x}` is the known end, `{s}`/`{o}` subject and object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from .fillings import NUMBER, TIME
from .ontology import Term, label_from_name, local_name
from .wording import WORDINGS, Wording

_PREPOSITIONS = frozenset(
    (
        "by",
        "in",
        "at",
        "on",
        "from",
        "to",
        "with",
        "for",
        "of",
        "as",
        "into",
        "under",
        "after",
        "near",
        "before",
    )
)
_CAMEL = re.compile(r"[a-z0-9][A-Z]")
_LEADING = re.compile(r"^(?:has|have|had|is|was|are|were|ref|fk) (?=\w)")
_IRREGULAR = {
    "written": ("wrote", "write"), "made": ("made", "make"), "held": ("held", "hold"), "born": ("bore", "bear"),
    "known": ("knew", "know"), "given": ("gave", "give"), "drawn": ("drew", "draw"), "built": ("built", "build"),
    "won": ("won", "win"), "led": ("led", "lead"), "sung": ("sang", "sing"), "taught": ("taught", "teach"),
    "spoken": ("spoke", "speak"), "found": ("found", "find"), "sold": ("sold", "sell"), "bought": ("bought", "buy"),
    "run": ("ran", "run"), "set": ("set", "set"), "worn": ("wore", "wear"), "based": ("based", "base"),
}  # fmt: skip
_VERBS = frozenset(
    [
        "plays",
        "works",
        "lives",
        "studies",
        "belongs",
        "flows",
        "serves",
        "leads",
        "connects",
        "relates",
        "refers",
        "links",
        "applies",
        "consists",
        "depends",
        "runs",
        "goes",
        "comes",
        "ends",
        "starts",
        "begins",
        "feeds",
    ]
)
_COUNT = re.compile(r"^(?:number of|num|amount of|count of) (.+)$|^(.+) (?:count)$")
_UNCOUNTED = frozenset(
    ("data", "software", "equipment", "information", "music", "news", "species", "series", "wildlife")
)
PEOPLE = re.compile(
    r"\b(person|people|agent|human|artist|athlete|politician|scientist|writer|author|actor|creator)\b"
)
_WHO = frozenset(
    [
        "author",
        "writer",
        "director",
        "producer",
        "founder",
        "creator",
        "composer",
        "owner",
        "editor",
        "mayor",
        "president",
        "spouse",
        "husband",
        "wife",
        "father",
        "mother",
        "parent",
        "child",
        "sibling",
        "brother",
        "sister",
        "teacher",
        "student",
        "chairman",
        "chairperson",
        "ceo",
        "leader",
        "manager",
        "coach",
        "architect",
        "designer",
        "inventor",
        "discoverer",
        "singer",
        "actor",
        "performer",
        "screenwriter",
        "publisher",
        "governor",
        "monarch",
        "successor",
        "predecessor",
        "employer",
        "advisor",
        "member",
        "head",
        "performer",
        "translator",
        "illustrator",
        "relative",
        "partner",
        "captain",
        "commander",
    ]
)


@dataclass(frozen=True, slots=True)
class Said:
    """A property in words. `noun`/`nouns`: singular and plural, first the label; `asks`/`asks_many`: questions for the
    value or values; `of`: noun phrases for the value; `mods`: what follows a noun (`directed by {x}`); `preds`: what follows
    a plural subject (`were directed by {x}`); `yes`: yes/no questions; `person`: its values are people."""

    noun: str
    nouns: str
    others: tuple[str, ...]
    asks: tuple[str, ...]
    asks_many: tuple[str, ...]
    of: tuple[str, ...]
    mods: tuple[str, ...]
    preds: tuple[str, ...]
    yes: tuple[str, ...]
    person: bool
    wording: Wording
    done: str = ""
    count: str = ""


@cache
def _engine() -> Any:
    import inflect

    return inflect.engine()


@cache
def plural(noun: str) -> str:
    """The plural of a noun phrase, by its head: `place of birth` → `places of birth`. A plural stays."""
    head, mark, rest = noun.partition(" of ")
    if not mark:
        head, mark, rest = noun.partition(" in ")
    before, _, last = head.rpartition(" ")
    if not last.isalpha() or not last.isascii():
        return noun
    many = (
        last
        if last in _UNCOUNTED or _is_plural(last)
        else last.lower() == "person" and "people" or _engine().plural_noun(last)
    )
    return f"{before} {many}".strip() + mark + rest


@cache
def singular(noun: str) -> str:
    """The singular of a noun phrase, by its last word."""
    before, _, last = noun.rpartition(" ")
    one = _engine().singular_noun(last) if _is_plural(last) else last
    return f"{before} {one}".strip()


def _is_plural(word: str) -> bool:
    if len(word) < 4 or not word.isalpha() or word.endswith(("ss", "us", "is")):
        return False
    return word.endswith("s") and bool(_engine().singular_noun(word))


@cache
def article(noun: str) -> str:
    """`a` or `an` and the noun; a plural stays bare."""
    return noun if _is_plural(noun.rsplit(" ", 1)[-1]) else str(_engine().a(noun))


@cache
def spoken(label: str) -> str:
    """A label as words in lower case: camel case is split, abbreviations keep their capitals, what stands in brackets goes."""
    text = re.sub(r"\s*\([^()]*\)", "", label).strip() or label
    if " " not in text and (_CAMEL.search(text) or "_" in text):
        text = label_from_name(text)
    return " ".join(w if len(w) > 1 and w.isupper() else w.lower() for w in text.split())


def say(term: Term, terms: Mapping[str, Term]) -> Said:
    """The phrases of a property. `terms`: those that its range may name."""
    label = _LEADING.sub("", spoken(term.label)) or spoken(term.label)
    ranged = " ".join(_upwards(r, terms) for r in term.range)
    last = label.split(" ")[-1]
    person = bool(PEOPLE.search(ranged)) or (not term.range and last in _WHO)
    wording = WORDINGS.get(local_name(term.iri), Wording())
    others = tuple(_others(term, label))
    own_mods, own_preds = _sorted_clauses(wording.have)
    base = _of_form(label, person, terms, term)
    done = (
        wording.have[0].removesuffix(" in {x}")
        if wording.have and _timed(term) and wording.have[0].endswith(" in {x}")
        else ""
    )
    # The words of a wording are worth more than those made from a label: they come twice.
    return Said(
        base.noun,
        base.nouns,
        others,
        wording.ask * 3 + base.asks if wording.ask else base.asks,
        wording.ask * 2 + base.asks_many if wording.ask else base.asks_many,
        base.of,
        (*own_mods * 2, *base.mods),
        (*own_preds * 2, *base.preds),
        (*wording.yes * 2, *base.yes),
        person,
        wording,
        done,
        base.count,
    )


def _timed(term: Term) -> bool:
    return any(TIME.search(r) for r in term.range)


def _upwards(iri: str, terms: Mapping[str, Term]) -> str:
    """The labels of a class and of what is above it."""
    said: list[str] = []
    waiting = [iri]
    while waiting and len(said) < 12:
        term = terms.get(waiting.pop())
        if term is not None:
            said.append(spoken(term.label))
            waiting += term.parents
    return " ".join(said)


def _others(term: Term, label: str) -> list[str]:
    """Aliases that are nouns as the label is: short, plain, no verb forms."""
    found = []
    for alias in term.aliases[:6]:
        said = spoken(alias)
        words = said.split()
        if (
            said != label
            and said.isascii()
            and 0 < len(words) < 5
            and len(said) > 2
            and words[-1] not in _PREPOSITIONS
            and words[0] not in ("has", "is", "was", "are", "the", "a", "had", "which", "in", "of", "to")
            and not _is_plural(words[-1])
            and not words[-1].endswith("ed")
        ):
            found.append(said)
    return found[:3]


def _sorted_clauses(have: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What may follow a noun, and what may follow a plural subject, among the clauses of a wording."""
    mods, preds = [], []
    for clause in have:
        first = clause.split(" ")[0]
        if first in ("did", "has", "have"):
            continue
        mods.append(clause)
        if clause.startswith(("that {x}", "which {x}", "in which")):
            continue
        if first in ("that", "who", "which"):
            preds.append(clause.split(" ", 1)[1])
        elif first.endswith("ed") or first in _IRREGULAR:
            preds.append(f"were {clause}")
        elif first in ("in", "on", "of", "from", "located"):
            preds.append(f"are {clause}")
    return tuple(mods), tuple(preds)


def _of_form(label: str, person: bool, terms: Mapping[str, Term], term: Term) -> Said:
    """Phrases by the form of the label."""
    head, _, last = label.rpartition(" ")
    first = head.split(" ")[0] if head else ""
    thing = "person" if person else next((spoken(terms[r].label) for r in term.range if r in terms), "thing")
    if counted := _COUNT.match(label):
        return _counted(plural(counted[1] or counted[2]), label)
    words = label.split(" ")
    if len(words) > 2 and words[1] in _PREPOSITIONS and (words[0].endswith("ed") or words[0] in _IRREGULAR):
        # `located in area`: what follows the preposition says what kind of thing it is.
        return _participle(words[0], words[1], " ".join(words[2:]), person)
    if last in _PREPOSITIONS and head:
        if last == "of":
            return _part_of(label, thing, person)
        if head.split(" ")[-1].endswith("ed") or head in _IRREGULAR:
            return _participle(head, last, thing, person)
        if first in _VERBS and " " not in head:
            return _verb(head, last, thing, person)
        label = head
    return _noun(label, person)


def _noun(n: str, person: bool) -> Said:
    many = plural(n)
    who = "who" if person else "what"
    is_many = n == many
    one = () if is_many else (f"{who} is the {n} of {{x}}?", f"{who} is {{x}}'s {n}?", f"{who} is the {n} of {{x}}?", f"tell me the {n} of {{x}}", f"which {n} does {{x}} have?", f"{{x}}'s {n}?", f"give me the {n} of {{x}}", f"what's the {n} of {{x}}?", f"name the {n} of {{x}}")  # fmt: skip
    several = (f"{who} are the {many} of {{x}}?", f"list the {many} of {{x}}", f"which {many} does {{x}} have?", f"{who} are {{x}}'s {many}?", f"name all {many} of {{x}}", f"what {many} does {{x}} have?", f"give me the {many} of {{x}}")  # fmt: skip
    with_it = n if is_many else article(n)
    return Said(
        n, many, (),
        one or several, several,
        (f"the {n} of {{x}}", f"the {n} of {{x}}", f"{{x}}'s {n}"),
        (f"whose {n} {'are' if is_many else 'is'} {{x}}", f"with {{x}} as {n if is_many else 'their ' + n}", f"that have {{x}} as {with_it}", f"with the {n} {{x}}"),
        (f"have {{x}} as {with_it}", f"have the {n} {{x}}"),
        (f"is {{o}} the {n} of {{s}}?", f"is {{o}} {{s}}'s {n}?", f"does {{s}} have {{o}} as {with_it}?", f"is the {n} of {{s}} {{o}}?")
        if not is_many else (f"does {{s}} have {{o}} among its {n}?", f"is {{o}} one of the {n} of {{s}}?"),
        person, Wording(),
    )  # fmt: skip


def _counted(many: str, label: str) -> Said:
    ask = (f"how many {many} does {{x}} have?", f"how many {many} are there in {{x}}?", f"what is the number of {many} of {{x}}?", f"tell me how many {many} {{x}} has")  # fmt: skip
    noun = f"number of {many}"
    return Said(
        noun, label, (), ask, ask, (f"the number of {many} of {{x}}",), (f"with {{x}} {many}",), (f"have {{x}} {many}",),
        (f"does {{s}} have {{o}} {many}?",), False, Wording(), "", many,
    )  # fmt: skip


def _part_of(label: str, thing: str, person: bool) -> Said:
    who = "whom" if person else "what"
    ask = (f"what is {{x}} {label}?", f"of {who} is {{x}} {article(label.removesuffix(' of'))}?", f"{{x}} is {label} what?", f"which {thing} is {{x}} {label}?")  # fmt: skip
    return Said(
        label, label, (), ask, ask, (f"the {thing} that {{x}} is {label}", f"what {{x}} is {label}"),
        (f"that are {label} {{x}}", f"{label} {{x}}"), (f"are {label} {{x}}",), (f"is {{s}} {label} {{o}}?",), person, Wording(),
    )  # fmt: skip


def _participle(head: str, preposition: str, thing: str, person: bool) -> Said:
    label = f"{head} {preposition}"
    asks = [f"which {thing} was {{x}} {label}?", f"{'who' if person else 'what'} was {{x}} {label}?", f"{preposition} {'whom' if person else 'what'} was {{x}} {head}?"]  # fmt: skip
    past = _IRREGULAR.get(head, (head, ""))[0]
    if preposition == "by":
        doer = "who" if person or thing == "thing" else f"which {thing}"
        asks += [f"{doer} {past} {{x}}?"] * 2 + [f"who is {{x}} {label}?"]
    elif preposition in ("in", "at", "on"):
        asks += [f"where was {{x}} {head}?"] if not thing.endswith("year") else [f"when was {{x}} {head}?"]
    return Said(
        label, label, (), tuple(asks), tuple(asks),
        (f"the {thing} that {{x}} was {label}", f"the {thing} {{x}} was {label}"),
        (f"{label} {{x}}", f"that were {label} {{x}}"), (f"were {label} {{x}}",),
        (f"was {{s}} {label} {{o}}?", f"is {{s}} {label} {{o}}?"), person, Wording(),
    )  # fmt: skip


def _verb(head: str, preposition: str, thing: str, person: bool) -> Said:
    base = f"{'study' if head == 'studies' else head.removesuffix('es') if head == 'goes' else head.removesuffix('s')} {preposition}"
    ask = (f"{'who' if person else 'what'} does {{x}} {base}?", f"which {thing} does {{x}} {base}?")
    return Said(
        base, base, (), ask, ask, (f"the {thing} that {{x}} {head} {preposition}",), (f"that {base} {{x}}",), (f"{base} {{x}}",),
        (f"does {{s}} {base} {{o}}?",), person, Wording(),
    )  # fmt: skip


def is_number(term: Term) -> bool:
    """Whether a property's values are numbers."""
    return any(NUMBER.search(r) for r in term.range)


def is_time(term: Term) -> bool:
    """Whether a property's values are dates or years."""
    return _timed(term)
