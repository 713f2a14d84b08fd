"""Questions about an ontology that nobody asked, made from its labels, domains and ranges: text and terms needed.

An adapter for a vocabulary without labelled questions learns from them (`ontoprompt index --adapt`). No query is
written: what a question needs is the properties it asks for, those that connect the classes it speaks of
(which it seldom names), and the classes themselves. Properties without domain and range, classes
without properties and labels that are mere numbers are taken as they come.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from .names import singulars
from .ontology import Ontology, Term
from .question_words import COMMON_WORDS
from .wording import WORDINGS

Invented = tuple[str, tuple[str, ...]]

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_\s-]+")
_SPOKEN = re.compile(r"[^\W\d]{2}")
_NUMBER = re.compile(r"#(\w*[iI]nteger|double|float|decimal|int|long|short|byte)$|/datatype/")
_TIME = re.compile(r"#(date|dateTime|gYear|gYearMonth|gMonth|time)$")
_TIME_WORD = re.compile(r"\b(year|date|month|day|time|when)\b")
_COUNT_WORD = re.compile(r"^(?:number of|num|amount of|count of|total) (.+)$|^(.+) (?:count|total)$")
_PEOPLE = re.compile(r"\b(person|people|agent|creator|author|human|user|player|student|employee|member)\b")
_PLACES = re.compile(r"\b(place|location|city|country|region|address|town|settlement|area)\b")
_RELATIVE = ("by", "in", "at", "on", "from", "to", "with", "for", "of")
# `ref-` opens the name that W3C's Direct Mapping of relational data gives a foreign key.
_LEADING = re.compile(r"^(?:has|have|is|was|ref|fk) (?=\w)")
_LONGEST_WALK = 5

_OPENINGS = (
    "what is {x}?", "what are {x}?", "what's {x}?", "{x}", "{x}?", "give me {x}", "show {x}", "list {x}", "find {x}",
    "tell me {x}", "return {x}", "can you tell me {x}?", "what was {x}?", "show me {x}", "name {x}", "i want {x}",
    "which is {x}?", "please list {x}", "mention {x}", "could you find {x}?", "do you know {x}?",
)  # fmt: skip
_LISTS = (
    "which {c} {r}?", "what {c} {r}?", "list all {c} {r}", "list the {c} {r}", "find {c} {r}", "show all {c} {r}", "{c} {r}",
    "what are the {c} {r}?", "give me the {c} {r}", "find all the {c} {r}", "which are the {c} {r}?", "name the {c} {r}",
    "can you list the {c} {r}?", "is there a {c} {r}?", "are there {c} {r}?", "provide a list of {c} {r}",
)  # fmt: skip
_COUNTS = (
    "how many {c} {r}?", "how many {c} are there {r}?", "count the {c} {r}", "what is the number of {c} {r}?",
    "find the number of {c} {r}", "number of {c} {r}", "what is the total number of {c} {r}?",
)  # fmt: skip
_MOST = ("highest", "largest", "most", "lowest", "smallest", "best", "latest", "earliest", "maximum", "minimum", "average", "total", "top", "least")  # fmt: skip
_LINKS = ("of", "for", "in", "with", "by", "on", "from", "at", "that belong to", "used by", "related to", "having", "who have", "that have", "among")  # fmt: skip
_FIRST = ("Ada", "Ben", "Chloe", "Dan", "Elena", "Femi", "Grace", "Hugo", "Ines", "Kofi", "Lena", "Maria", "Noah", "Olga", "Qi", "Tara")  # fmt: skip
_LAST = ("Abbott", "Bauer", "Costa", "Diaz", "Evans", "Fischer", "Ito", "Kumar", "Lopez", "Meyer", "Novak", "Okafor", "Park", "Rossi", "Wang", "Xu")  # fmt: skip
_TOPICS = tuple(sorted(word for word in COMMON_WORDS if len(word) > 4 and word.isalpha()))


@dataclass(frozen=True, slots=True)
class _Step:
    """A property from a class, in its domain, to a class in its range."""

    source: str
    target: str
    iri: str


class QuestionWriter:
    """Writes questions over one ontology; the same seed gives the same ones."""

    def __init__(self, ontology: Ontology, *, seed: int = 0) -> None:
        self.rng = Random(seed)
        self.terms = {term.iri: term for term in ontology.terms if _SPOKEN.search(_spoken(term.label))}
        self.classes = [term for term in self.terms.values() if term.kind == "class"]
        self.properties = [term for term in self.terms.values() if term.kind != "class"]
        self.own: dict[str, list[Term]] = defaultdict(list)
        self.steps: dict[str, list[_Step]] = defaultdict(list)
        for term in self.properties:
            for source in term.domain:
                self.own[source].append(term)
                for target in term.range:
                    if source in self.terms and target in self.terms:
                        step = _Step(source, target, term.iri)
                        self.steps[source].append(step)
                        if target != source:
                            self.steps[target].append(step)

    def question(self, focus: Term) -> Invented:
        """One question that needs `focus`."""
        rng = self.rng
        kinds: dict[Callable[[Term], tuple[str, list[str]]], int]
        if focus.kind == "class":
            kinds = {self._members: 3, self._about: 4, self._walk: 3}
        else:
            kinds = {self._value: 8, self._two: 3, self._which: 5, self._extreme: 3, self._walk: 4}
        (kind,) = rng.choices(list(kinds), list(kinds.values()))
        text, terms = kind(focus)
        return self._style(text), tuple(sorted(set(terms)))

    # --- words -----------------------------------------------------------------------------------------------

    def pick(self, options: Sequence[str]) -> str:
        return self.rng.choice(options)

    def noun(self, iri: str, many: bool | None = None) -> str:
        """A class as a noun; `many`: plural, or as it comes."""
        term = self.terms.get(iri)
        if term is None:
            return self.pick(("things", "items", "ones"))
        labels = [term.label, *[a for a in term.aliases[:3] if a.isascii()]]
        label = _spoken(labels[0] if self.rng.random() < 0.7 else self.pick(labels))
        one = _singular(label)
        return one if many is False or (many is None and self.rng.random() < 0.3) else _plural(one)

    def name(self) -> str:
        """What could be anything's name: a person's, a title, a place's, a code, a number."""
        rng = self.rng
        kind = rng.random()
        if kind < 0.3:
            name = f"{self.pick(_FIRST)} {self.pick(_LAST)}"
            if rng.random() < 0.3:
                first, last = name.split()
                name = self.pick((f"{last}, {first}", f"{first[0]}. {last}", last))
        elif kind < 0.6:
            words = [self.pick(_TOPICS) for _ in range(rng.randint(1, 6))]
            name = " ".join(words) if rng.random() < 0.2 else " ".join(words).title()
            if len(words) > 2 and rng.random() < 0.5:
                words.insert(2, self.pick(("for", "of", "in", "and", "with", "on")))
                name = " ".join(words).capitalize()
        elif kind < 0.8:
            name = self.pick(_LAST) + self.pick(
                ("", "ville", "ton", " City", " University", " Group", " Airways")
            )
        elif kind < 0.9:
            letters = "".join(rng.choice("ABCDEFGHKLMNPRSTUVWX") for _ in range(rng.randint(2, 5)))
            name = letters + self.pick(("", "-10", " 2", "-v3", "100"))
        else:
            name = str(rng.choice((3, 10, 25, 100, 1998, 2005, 2016, 2020, 5000)))
        return self.pick(("{}", "{}", "'{}'", '"{}"')).format(name)

    def value_of(self, term: Term, x: str) -> str:
        """The value of a property of `x`, as a noun phrase."""
        noun = self.label(term)
        return self.pick(
            (f"the {noun} of {x}", f"the {noun} of {x}", f"{x}'s {noun}", f"{noun} of {x}", f"the {noun} for {x}", f"{x} {noun}")
        )  # fmt: skip

    def label(self, term: Term) -> str:
        """A property as people would say it."""
        aliases = [a for a in term.aliases[:5] if a.isascii()]
        text = self.pick(aliases) if aliases and self.rng.random() < 0.3 else term.label
        text = _LEADING.sub("", _spoken(text))
        if text.endswith(" id") and term.kind == "object_property":
            text = text.removesuffix(" id")
        return _plural(text) if self.rng.random() < 0.15 else text

    # --- questions: each returns the text and the terms it needs -----------------------------------------------

    def _value(self, focus: Term) -> tuple[str, list[str]]:
        """What a property of one thing is."""
        rng = self.rng
        x, needed = self.name(), [focus.iri]
        if focus.domain and rng.random() < 0.45:
            owner = rng.choice(focus.domain)
            if owner in self.terms:
                needed.append(owner)
                c = self.noun(owner)
                if rng.random() < 0.6:
                    x = self.pick((f"the {c} {x}", f"{c} {x}", f"{x} {c}", f"the {c} called {x}"))
                else:
                    x = self.pick((f"the {c}", f"all {c}", f"each {c}", f"every {c}"))
        return self.ask(focus, x), needed

    def ask(self, term: Term, x: str) -> str:
        """A question for the value of a property of `x`."""
        own = WORDINGS.get(re.split(r"[#/]", term.iri)[-1])
        if own is not None and own.ask and self.rng.random() < 0.3:
            return self.pick(own.ask).replace("{x}", x)
        special = self._special(term, x)
        if special and self.rng.random() < 0.6:
            return self.pick(special)
        return self.pick(_OPENINGS).replace("{x}", self.value_of(term, x))

    def _special(self, term: Term, x: str) -> list[str]:
        """Questions that fit the form of the label or the range: who, when, where, how many, verbs."""
        said = _LEADING.sub("", _spoken(term.label))
        ranged = " ".join(_spoken(self.terms[r].label) for r in term.range if r in self.terms)
        asks: list[str] = []
        head, _, last = said.rpartition(" ")
        if last in _RELATIVE and head:
            asks += _verbal(head, last, x, bool(_PEOPLE.search(ranged)))
        if counted := _COUNT_WORD.match(said):
            what = counted[1] or counted[2]
            asks += [
                f"how many {_plural(what)} does {x} have?",
                f"how many {what} are there in {x}?",
                f"count {what} of {x}",
            ]
        if any(_TIME.search(r) for r in term.range) or _TIME_WORD.search(said):
            rest = re.sub(r"\b(year|date|month|of)\b ?", "", said).strip()
            asks += [f"when was {x} {rest}?", f"when is the {said} of {x}?", f"in which year was {rest} of {x}?", f"when was the {rest or said} of {x}?", f"in what year did {x} {rest}?"]  # fmt: skip
        elif any(_NUMBER.search(r) for r in term.range):
            asks += [
                f"how many {said} does {x} have?",
                f"how much {said} does {x} have?",
                f"how large is the {said} of {x}?",
            ]
        if _PEOPLE.search(ranged) or _PEOPLE.search(said):
            asks += [f"who is the {said} of {x}?", f"who are the {said} of {x}?", f"who was {x} {said}?"]
        if _PLACES.search(ranged) or _PLACES.search(said):
            asks += [f"where is {x}?", f"in which {said} is {x}?", f"where was {x} {said}?"]
        return asks

    def _two(self, focus: Term) -> tuple[str, list[str]]:
        """Two properties of the same thing."""
        rng = self.rng
        owner = rng.choice(focus.domain) if focus.domain else ""
        beside = [t for t in self.own.get(owner, self.properties) if t.iri != focus.iri]
        if not beside:
            return self._value(focus)
        other = rng.choice(beside)
        first, second = rng.sample((focus, other), 2)
        needed = [focus.iri, other.iri]
        what = f"{self.label(first)}{self.pick((' and ', ' and the ', ', '))}{self.label(second)}"
        if owner in self.terms and rng.random() < 0.7:
            needed.append(owner)
            of = self.pick(("of all {c}", "of the {c} {x}", "of each {c}", "of {c}", "for every {c}", "of the {c}")).format(
                c=self.noun(owner), x=self.name()
            )  # fmt: skip
        else:
            of = f"of {self.name()}"
        return self.pick(_OPENINGS).replace("{x}", f"the {what} {of}"), needed

    def _have(self, term: Term) -> str:
        """A clause for the things that have a certain value of a property."""
        said, x = self.label(term), self.name()
        head, _, last = said.rpartition(" ")
        if last in _RELATIVE and head and self.rng.random() < 0.7:
            return self.pick((f"{said} {x}", f"that are {said} {x}", f"which were {said} {x}", f"{x} {head}"))
        if any(_NUMBER.search(r) for r in term.range) and self.rng.random() < 0.5:
            more = self.pick(("more than", "less than", "over", "at least", "greater than", "below"))
            return f"{self.pick(('with', 'that have', 'whose'))} {said} {self.pick(('', 'is '))}{more} {x}"
        return self.pick(
            (f"with {said} {x}", f"whose {said} is {x}", f"that have {x} as {said}", f"with {x} {said}", f"by {said}", f"sorted by {said}", f"for each {said}", f"in the {said} {x}", f"{said} {x}", f"without {said}", f"without any {said}")
        )  # fmt: skip

    def _which(self, focus: Term) -> tuple[str, list[str]]:
        """The things with a certain value, or another property of them."""
        rng = self.rng
        owner = rng.choice(focus.domain) if focus.domain else ""
        needed = [focus.iri]
        if owner not in self.terms:
            return self.pick(_LISTS).format(c=self.noun(""), r=self._have(focus)), needed
        needed.append(owner)
        clause = self._have(focus)
        beside = [t for t in self.own[owner] if t.iri != focus.iri]
        if beside and rng.random() < 0.5:
            other = rng.choice(beside)
            needed.append(other.iri)
            what = self.pick(
                (
                    f"the {self.label(other)} of {self.noun(owner)}",
                    f"{self.noun(owner, False)} {self.label(other)}",
                )
            )
            if rng.random() < 0.5 or clause.startswith(("by", "sorted", "for each")):
                return self.pick(_OPENINGS).replace("{x}", f"{what} {clause}"), needed
            return self.ask(other, f"the {self.noun(owner)} {clause}"), needed
        form = _COUNTS if rng.random() < 0.35 else _LISTS
        return self.pick(form).format(c=self.noun(owner), r=clause), needed

    def _extreme(self, focus: Term) -> tuple[str, list[str]]:
        """The most of a property, or the thing that has it."""
        owner = self.rng.choice(focus.domain) if focus.domain else ""
        said, most = self.label(focus), self.pick(_MOST)
        known = owner in self.terms
        c = self.noun(owner)
        forms = (
            f"which {c} has the {most} {said}?", f"what is the {most} {said} of {c}?", f"{most} {said} of all {c}", f"find the {c} with the {most} {said}",
            f"what are the {most} and {self.pick(_MOST)} {said} of {c}?", f"order {c} by {said}", f"the {most} {said} among {c}",
            f"how many different {said} do {c} have?", f"what is the most common {said} of {c}?", f"number of {c} for each {said}",
        )  # fmt: skip
        return self.pick(forms), [focus.iri, owner] if known else [focus.iri]

    def _members(self, focus: Term) -> tuple[str, list[str]]:
        """All things of a class, or their number."""
        form = self.pick((*_COUNTS, *_LISTS[:10]))
        return form.format(c=self.noun(focus.iri), r=""), [focus.iri]

    def _about(self, focus: Term) -> tuple[str, list[str]]:
        own = self.own.get(focus.iri)
        if not own:
            return self._members(focus)
        kind = self.rng.choice((self._which, self._extreme, self._two))
        text, terms = kind(self.rng.choice(own))
        return text, terms

    def _walk(self, focus: Term) -> tuple[str, list[str]]:
        """Classes that properties connect: the question names the ends, seldom what lies between."""
        rng = self.rng
        start = focus.iri if focus.kind == "class" else rng.choice([*focus.domain, *focus.range] or [""])
        if start not in self.steps:
            return self._members(focus) if focus.kind == "class" else self._value(focus)
        walked: list[_Step] = []
        degree: dict[str, int] = {start: 0}
        first = [s for s in self.steps[start] if s.iri == focus.iri]
        for _ in range(rng.choice((1, 1, 2, 2, 2, 3, 3, 4, _LONGEST_WALK))):
            fresh = first or [
                s for c in degree for s in self.steps[c] if (s.source in degree) != (s.target in degree)
            ]
            first = []
            if not fresh:
                break
            step = rng.choice(fresh)
            walked.append(step)
            for end in (step.source, step.target):
                degree[end] = degree.get(end, 0) + 1
        ends = [c for c, count in degree.items() if count < 2] or list(degree)
        rng.shuffle(ends)
        needed = [step.iri for step in walked]
        said = [self._asked_end(ends[0], needed)] + [self._given_end(end, needed) for end in ends[1:]]
        if focus.kind != "class" and focus.iri not in needed:
            needed.append(focus.iri)
            said[0] = f"{self.label(focus)} of {said[0]}"
        text = said[0]
        for phrase in said[1:]:
            text += f" {self.pick(_LINKS)} {phrase}"
        if len(said) > 1 and rng.random() < 0.3:
            return self.pick(_COUNTS).format(c=said[0], r=text.removeprefix(said[0]).strip()), needed
        if rng.random() < 0.5:
            return self.pick(_LISTS).format(c=said[0], r=text.removeprefix(said[0]).strip()), needed
        return self.pick(_OPENINGS).replace("{x}", f"the {text}"), needed

    def _asked_end(self, end: str, needed: list[str]) -> str:
        """The class that a walk is asked for, or a property of it; what it takes is added to `needed`."""
        needed.append(end)
        noun, values = self.noun(end), self._values(end)
        if not values or self.rng.random() < 0.6:
            return noun
        value = self.rng.choice(values)
        needed.append(value.iri)
        return self.pick((f"{self.label(value)} of {noun}", f"{noun} {self._have(value)}"))

    def _given_end(self, end: str, needed: list[str]) -> str:
        """The class at another end of a walk: one of it by name, some of it, or all."""
        needed.append(end)
        noun = self.noun(end, False)
        values = self._values(end)
        if values and self.rng.random() < 0.35:
            value = self.rng.choice(values)
            needed.append(value.iri)
            return f"{noun} {self._have(value)}"
        if self.rng.random() < 0.25:
            return self.noun(end)
        return self.pick((f"{noun} {self.name()}", f"{self.name()} {noun}", f"the {self.name()} {noun}"))

    def _values(self, owner: str) -> list[Term]:
        """The properties of a class that lead to no class."""
        return [t for t in self.own.get(owner, ()) if all(r not in self.terms for r in t.range)]

    def _style(self, text: str) -> str:
        rng = self.rng
        if rng.random() < 0.3:
            text = text.rstrip("?")
        text = re.sub(r"\s+", " ", text).replace(" ?", "?").strip()
        return text[:1].upper() + text[1:] if rng.random() < 0.6 else text


def invented_questions(ontology: Ontology, count: int, *, seed: int = 0) -> Iterator[Invented]:
    """`count` questions with the IRIs of the terms they need, each term that has a label in words asked for as often as
    the others; none for an ontology without such a term."""
    writer = QuestionWriter(ontology, seed=seed)
    terms = [*writer.properties, *writer.classes]
    made = 0
    while terms and made < count:
        writer.rng.shuffle(terms)
        for term in terms[: count - made]:
            yield writer.question(term)
            made += 1


def _verbal(head: str, preposition: str, x: str, person: bool) -> list[str]:
    """`published in`: where was x published?"""
    whom = "whom" if person else "what"
    asks = [
        f"what is {x} {head} {preposition}?",
        f"{x} was {head} {preposition} {whom}?",
        f"{preposition} {whom} was {x} {head}?",
    ]
    if preposition == "by":
        asks += [f"who {head} {x}?", f"who has {head} {x}?", f"who are the ones that {head} {x}?"]
    elif preposition in ("in", "at", "on"):
        asks += [f"where was {x} {head}?", f"where is {x} {head}?"]
    return asks


def _spoken(label: str) -> str:
    """A label as words: `yearOfPublication`, `year_of_publication` → year of publication."""
    return " ".join(part for part in _CAMEL.split(label) if part).lower()


def _singular(noun: str) -> str:
    head, _, last = noun.rpartition(" ")
    one = (singulars(last) or (last,))[-1] if last.endswith("s") and len(last) > 3 else last
    return f"{head} {one}".strip()


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun if noun.endswith("s") else noun + ("es" if noun.endswith(("x", "ch", "sh")) else "s")
