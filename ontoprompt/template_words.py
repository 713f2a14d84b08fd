"""What template pairs are written with: names, nouns, questions and clauses for the terms of an ontology."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from random import Random

from .entities import EntityLink
from .literals import find_literals
from .ontology import Ontology, Term
from .pairs import Pair, PreparedPair
from .phrases import spoken
from .sparql import parse
from .wording import WORDINGS, Wording

_NUMERIC = re.compile(r"#(integer|nonNegativeInteger|positiveInteger|double|float|decimal|int)$|/datatype/")
_TIME = re.compile(r"#(date|gYear|dateTime)$")
# A property without a domain is worth asking for when much of the graph has it: `country`, `location`.
_WELL_USED = 20_000
_ASKS = (
    "what is {np}?",
    "what's {np}?",
    "tell me {np}",
    "{np}?",
    "give me {np}",
    "can you tell me {np}?",
    "do you know {np}?",
    "name {np}",
    "{np}",
    "what are {np}?",
    "i want to know {np}",
    "which is {np}?",
)
_PERSON_ASKS = ("who is {np}?", "who was {np}?", "who are {np}?", "name {np}")


@dataclass(frozen=True, slots=True)
class _Slot:
    """A name in a question: its IRI, label and class."""

    iri: str
    label: str
    type: str


class MisfitError(Exception):
    """The ontology has no term of the kind that a pattern wants."""


class TemplateWords:
    """Writes pairs from the properties of an ontology. `names`: class IRI → labels to use for its members; the
    empty key holds names for any class. Deterministic for a seed."""

    def __init__(self, ontology: Ontology, names: Mapping[str, Sequence[str]], *, seed: int = 0) -> None:
        self.rng = Random(seed)
        self.terms = {t.iri: t for t in ontology.terms}
        self.names = names
        self.classes = [t for t in ontology.terms if t.kind == "class"]
        usable = [
            t
            for t in ontology.terms
            if t.kind != "class" and len(t.label) < 40 and not t.label.endswith("id")
        ]
        self.links = [
            t for t in usable if t.kind == "object_property" and (t.domain or t.usage >= _WELL_USED)
        ]
        self.numbers = [
            t for t in usable if t.kind == "datatype_property" and any(_NUMERIC.search(r) for r in t.range)
        ]
        self.times = [
            t for t in usable if t.kind == "datatype_property" and any(_TIME.search(r) for r in t.range)
        ]
        self.values = [t for t in usable if t.kind == "datatype_property"]
        self.children: dict[str, list[str]] = {}
        for term in self.classes:
            for parent in term.parents:
                self.children.setdefault(parent, []).append(term.iri)
        self.used: dict[str, _Slot] = {}

    # --- choices ---------------------------------------------------------------------------------------------

    def pick(self, options: Sequence[str]) -> str:
        return self.rng.choice(options)

    def term(self, pool: Sequence[Term]) -> Term:
        """A property; those with a wording of their own come three times in five. Raises MisfitError for none."""
        if not pool:
            raise MisfitError
        if self.rng.random() < 0.6:
            worded = [t for t in pool if local_part(t.iri) in WORDINGS]
            if worded:
                return self.rng.choice(worded)
        return self.rng.choice(pool)

    def some_class(self) -> Term:
        if not self.classes:
            raise MisfitError
        return self.rng.choice(self.classes)

    def entity(self, cls: str) -> _Slot:
        """A new named thing of class `cls` or of one of its subclasses."""
        subclasses = self.children.get(cls, [])
        kind = self.rng.choice(subclasses) if subclasses and self.rng.random() < 0.5 else cls
        labels = self.names.get(kind) or self.names.get(cls) or self.names[""]
        label = self.rng.choice(labels)
        slot = _Slot(f"http://example.org/{len(self.used)}", label, kind)
        self.used[slot.iri] = slot
        return slot

    def wording(self, term: Term) -> Wording:
        return WORDINGS.get(local_part(term.iri), Wording())

    def _done(self, p: Term) -> str:
        """What was done at a date: `born`, `founded`; empty when the property is no date with a wording."""
        own = self.wording(p).have
        return (
            own[0].removesuffix(" in {x}") if p in self.times and own and own[0].endswith(" in {x}") else ""
        )

    def people(self, cls: str) -> bool:
        term = self.terms.get(cls)
        return bool(term) and (
            local_part(cls) in ("Person", "Agent") or any(self.people(p) for p in term.parents if p != cls)
            if term
            else False
        )

    def plural(self, cls: str) -> str:
        """A class as a noun, mostly plural; a subclass's word may stand for a class nobody says."""
        term = self.terms.get(cls)
        label = spoken(term.label) if term else "thing"
        if label in ("agent", "work", "thing", "place", "person"):
            label = self.pick(
                {
                    "agent": ("person", "organisation"),
                    "work": ("work", "thing"),
                    "place": ("place", "location"),
                }.get(label, (label,))
            )
        if label == "film" and self.rng.random() < 0.5:
            label = "movie"
        if label == "person":
            return self.pick(("people", "persons", "person", "people"))
        if self.rng.random() < 0.2:
            return label
        if label.endswith("y") and label[-2] not in "aeiou":
            return label[:-1] + "ies"
        return label + ("es" if label.endswith(("s", "x", "ch", "sh")) else "s")

    # --- phrases ---------------------------------------------------------------------------------------------

    def noun(self, p: Term, x: str) -> str:
        label = spoken(p.label)
        return self.pick(
            (
                f"the {label} of {x}",
                f"the {label} of {x}",
                f"{x}'s {label}",
                f"the {label} for {x}",
                f"{label} of {x}",
                f"{x} {label}",
            )
        )

    def ask(self, p: Term, x: str) -> str:
        own = self.wording(p).ask
        if own and self.rng.random() < 0.65:
            return self.pick(own).replace("{x}", x)
        label = spoken(p.label)
        if self.rng.random() < 0.2:
            return self.pick(
                (
                    f"what {label} does {x} have?",
                    f"which {label} does {x} have?",
                    f"{x} {label}",
                    f"which {label} is of {x}?",
                    f"what is {x} {label}?",
                )
            )
        person = any(self.people(r) for r in p.range)
        return self.pick(_PERSON_ASKS if person and self.rng.random() < 0.7 else _ASKS).replace(
            "{np}", self.noun(p, x)
        )

    def have(self, p: Term, x: str) -> str:
        own = self.wording(p).have
        if own and self.rng.random() < 0.7:
            return self.pick(own).replace("{x}", x)
        label = spoken(p.label)
        return self.pick(
            (
                f"whose {label} is {x}",
                f"with {label} {x}",
                f"that have {x} as {label}",
                f"with {x} as {label}",
                f"have the {label} {x}",
                f"has {x} as {label}",
            )
        )

    def _style(self, question: str) -> str:
        if self.rng.random() < 0.3:
            question = question.rstrip("?")
        if self.rng.random() < 0.06:
            question = self.pick(("please ", "hey, ", "could you say ", "i wonder ")) + question
        return re.sub(r"\s+", " ", question).strip()

    def _finish(self, question: str, query: str, terms: Sequence[Term]) -> PreparedPair | None:
        links: list[EntityLink] = []
        for slot in self.used.values():
            marker = f"<{slot.iri}>"
            at = question.find(marker)
            if at < 0:
                return None
            question = question[:at] + slot.label + question[at + len(marker) :]
            links = [_shifted(link, at, len(slot.label) - len(marker)) for link in links]
            types = (slot.type,) if slot.type and self.rng.random() < 0.85 else ()
            links.append(EntityLink(slot.iri, slot.label, slot.label, at, at + len(slot.label), 1.0, types))
        spans = [(link.start, link.end) for link in links]
        literals = tuple(
            x for x in find_literals(question) if all(x.end <= a or x.start >= b for a, b in spans)
        )
        shown = {t.iri: t for t in terms}
        named = (
            [iri for t in shown.values() for iri in (*t.domain, *t.range)]
            + [s.type for s in self.used.values()]
            + list(shown)
        )
        labels = {iri: self.terms[iri].label for iri in named if iri in self.terms}
        return PreparedPair(
            Pair(question, query, "templates"),
            parse(query),
            tuple(shown.values()),
            tuple(links),
            literals,
            labels,
        )

    def _class_part(self, cls: str, always: bool = False) -> tuple[str, list[Term]]:
        term = self.terms.get(cls)
        if term is None or not (always or self.rng.random() < 0.6):
            return "", []
        return f" . ?a a <{cls}>", [term]

    def _subject_class(self, p: Term) -> str:
        cls = p.domain[0] if p.domain else self.some_class().iri
        subclasses = self.children.get(cls, [])
        return self.rng.choice(subclasses) if subclasses and self.rng.random() < 0.5 else cls

    def _follows(self, p: Term) -> Term | None:
        """A property of what `p` leads to."""
        reach = set(p.range)
        for cls in p.range:
            term = self.terms.get(cls)
            reach |= set(term.parents) if term else set()
        fits = [t for t in (*self.links, *self.values) if starts_at(t, reach)]
        return self.term(fits) if fits else None

    def _number(self) -> tuple[str, str]:
        value = self.rng.choice((1, 2, 5, 10, 20, 50, 100, 150, 200, 500, 800, 1000, 5000)) * self.rng.choice(
            (1, 1, 1, 10, 1000, 10**6)
        )
        if value >= 10**6 and value % 10**6 == 0 and self.rng.random() < 0.6:
            return str(value), f"{value // 10**6} million"
        return str(value), f"{value:,}" if self.rng.random() < 0.3 and value >= 1000 else str(value)


def starts_at(term: Term, classes: Set[str]) -> bool:
    """Whether things of one of the classes may have the property; without a domain anything may."""
    return not term.domain or not classes.isdisjoint(term.domain)


def local_part(iri: str) -> str:
    return re.split(r"[#/]", iri)[-1]


def _shifted(link: EntityLink, at: int, by: int) -> EntityLink:
    if link.start < at:
        return link
    return EntityLink(
        link.iri, link.label, link.mention, link.start + by, link.end + by, link.score, link.types
    )
