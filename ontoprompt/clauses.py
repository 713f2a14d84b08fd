"""What questions are composed of: clauses and drafts, and what is drawn from a filling to make them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from .execution import Value
from .fillings import NUMBER, Filling
from .pairs import RDF_TYPE
from .phrases import PEOPLE, Said, is_number, is_time, plural, say, spoken
from .vocabulary import TYPE

NUMERIC = re.compile(r"^-?\d{1,12}(?:\.\d{1,6})?$")


_DATE = re.compile(r"^\d{4}-\d\d-\d\d")
_WELL_USED = 200
# What a label ends with that is no noun.
ENDS = ("by", "in", "of", "at", "on", "from", "to", "for", "with", "as", "after", "near", "before")


class UnfitError(Exception):
    """What was drawn does not fit what is known of the witness."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A restriction of `?a`. `mod` follows a noun (`films directed by X`), `pred` a plural subject (`which films were
    directed by X`), empty where only the first is English. `terms`: the properties and classes it names; `absent`: properties whose statements must all
    be known for the clause to be sure, because it says that one is missing."""

    key: str
    mod: str
    pred: str
    where: str
    terms: tuple[str, ...]
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A question with marked entities and its query. `form`: the head that it was made by; `absent`: see `Clause`."""

    form: str
    template: str
    question: str
    query: str
    terms: tuple[str, ...]
    absent: tuple[str, ...] = ()


@dataclass
class Draw:
    """A filling with what is drawn from it by one random generator. `worded`: which wordings of
    `construct_forms` are used: `kept`, or those that are kept out of training, `held` and `other`."""

    filling: Filling
    rng: Random = field(default_factory=Random)
    said: dict[str, Said] = field(default_factory=dict)
    variables: int = 0
    worded: str = "kept"

    def __post_init__(self) -> None:
        terms = self.filling.terms
        self.properties = [
            iri
            for iri, rows in self.filling.statements.items()
            if rows and iri in terms and iri not in (TYPE, self.filling.type_property)
            and len(spoken(terms[iri].label)) < 45 and re.search(r"[^\W\d]{2}", terms[iri].label)
        ]  # fmt: skip
        self.usable = set(self.properties)
        links = {
            p
            for p in self.properties
            if any(self.filling.named(o) for _, o in self.filling.statements[p][:50])
        }
        numbers = {p for p in self.properties if is_number(terms[p]) or self._lexical(p, NUMERIC)}
        times = {p for p in self.properties if is_time(terms[p]) or self._lexical(p, _DATE)}
        # What is invented has no statistics; people ask for what is used much, or has several names.
        known = [p for p in self.properties if terms[p].usage >= _WELL_USED or terms[p].aliases]
        if self.filling.made_up and known:
            plain = [
                p
                for p in self.properties
                if not re.search(r"(?i)\b(id|username|identifier|code)$", terms[p].label)
            ]
            self.properties = [*(p for p in known if p in set(plain)), *known] * 4 + self.properties
        self.links = [p for p in self.properties if p in links]
        self.numbers = [p for p in self.properties if p in numbers]
        self.times = [p for p in self.properties if p in times]
        self.measures = [p for p in self.properties if p in numbers or p in times]
        self.texts = [p for p in self.properties if p not in links and p not in numbers and p not in times]
        self.sets = {
            name: frozenset(getattr(self, name))
            for name in ("properties", "links", "numbers", "times", "measures", "texts")
        }

    def _lexical(self, iri: str, pattern: re.Pattern[str]) -> bool:
        """Whether the values of a property look so, where its range says nothing; a text that is a number is none."""
        some = self.filling.statements[iri][:5]
        return all(
            o.type == "literal"
            and bool(pattern.match(o.value))
            and bool(NUMBER.search(o.datatype or "") or "date" in (o.datatype or ""))
            for _, o in some
        )

    # --- drawing -----------------------------------------------------------------------------------------------------

    def pick(self, options: Sequence[str]) -> str:
        return options[int(self.rng.random() * len(options))]

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def fresh(self, letter: str = "v") -> str:
        self.variables += 1
        return f"?{letter}{self.variables}"

    def say(self, iri: str) -> Said:
        found = self.said.get(iri)
        if found is None:
            found = self.said[iri] = say(self.filling.terms[iri], self.filling.terms)
        return found

    def noun(self, iri: str, many: bool = False) -> str:
        """A property as a noun, now and then by an alias."""
        said = self.say(iri)
        if said.others and self.chance(0.3):
            other = self.pick(said.others)
            return plural(other) if many else other
        return said.nouns if many else said.noun

    def statement(self, pool: Sequence[str]) -> tuple[str, str, Value]:
        """A statement of a property of the pool, its subject named. Raises UnfitError."""
        if not pool:
            raise UnfitError
        iri = self.pick(pool)
        subject, value = self.rng.choice(self.filling.statements[iri])
        if subject not in self.filling.labels:
            raise UnfitError
        return subject, iri, value

    def link(self, subject: str, besides: Sequence[str] = ()) -> tuple[str, str]:
        """A property of a thing that leads to a named one, and that one. Raises UnfitError."""
        found = [
            (p, o.value)
            for p, values in self.filling.out.get(subject, {}).items()
            if p in self.usable and p not in besides
            for o in values
            if self.filling.named(o) and o.value != subject
        ]
        if not found:
            raise UnfitError
        return self.rng.choice(found)

    def own(self, subject: str, pool: str, besides: Sequence[str] = ()) -> str:
        """A property that a thing has, of a pool by its name. Raises UnfitError."""
        allowed = self.sets[pool]
        found = [p for p in self.filling.out.get(subject, {}) if p in allowed and p not in besides]
        if not found:
            raise UnfitError
        return self.pick(found)

    def class_of(self, thing: str) -> str:
        """A class of a thing, the narrowest mostly. Raises UnfitError for none with a name."""
        types = [c for c in self.filling.types.get(thing, ()) if self.class_noun(c)]
        if not types:
            raise UnfitError
        terms = self.filling.terms
        above = {p for c in types if c in terms for p in terms[c].parents}
        narrow = [c for c in types if c not in above]
        return self.pick(narrow if narrow and self.chance(0.8) else types)

    def class_noun(self, cls: str) -> str:
        term = self.filling.terms.get(cls)
        return spoken(term.label) if term is not None else spoken(self.filling.labels.get(cls, ""))

    def things(self, cls: str) -> str:
        """A class in the plural."""
        noun = self.class_noun(cls)
        if noun == "film" and self.chance(0.4):
            return "movies"
        return "people" if noun in ("person", "human", "agent") else plural(noun)

    def typed(self, cls: str, variable: str = "?a") -> str:
        prop = "a" if self.filling.type_property == RDF_TYPE else f"<{self.filling.type_property}>"
        return f"{variable} {prop} <{cls}> . "

    def type_terms(self, cls: str) -> tuple[str, ...]:
        return (cls,) if self.filling.type_property == RDF_TYPE else (self.filling.type_property,)

    def nominal(self, thing: str, besides: Sequence[str], pool: str = "properties") -> str:
        """A property of a thing that is a noun in words. Raises UnfitError."""
        p = self.own(thing, pool, besides)
        if self.verbal(p):
            raise UnfitError
        return p

    def verbal(self, iri: str) -> bool:
        """Whether a property's label is no noun."""
        last = self.say(iri).noun.split(" ")[-1]
        return last in ENDS or (last.endswith("ed") and last not in ("seed", "breed", "speed", "feed"))

    def person(self, thing: str) -> bool:
        """Whether a thing is somebody, by the names of its classes."""
        return any(PEOPLE.search(self.class_noun(c)) for c in self.filling.types.get(thing, ()))

    # --- words -----------------------------------------------------------------------------------------------------

    def phrase(self, iri: str, x: str) -> tuple[str, str]:
        said = self.say(iri)
        return self.pick(said.mods).replace("{x}", x), (
            self.pick(said.preds).replace("{x}", x) if said.preds else ""
        )


def to_one(mod: str) -> str:
    """A clause after a plural noun as it stands after a singular one."""
    for many, one in (("are", "is"), ("were", "was"), ("have", "has"), ("do", "does")):
        mod = re.sub(rf"^(that|who|which) {many} ", rf"\1 {one} ", mod)
    return mod.replace("as their ", "as its ")


def mark(iri: str) -> str:
    """An entity in a question that is being written."""
    return f"\x02{iri}\x03"
