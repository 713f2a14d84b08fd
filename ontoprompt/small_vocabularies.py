"""Small vocabularies that nobody uses, made from the words of large ones: to train what must read vocabularies unseen.

Each has some classes, links between them and values of them, spelled and labelled in one way, as vocabularies of firms
and tables of databases are: `http://vocabulary-3.example/ns#hasOwner`, `.../museum_id`, `.../P14`. That their statements
make little sense (`the blood type of a bridge`) is no fault here: what a label means is given, not learnt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from .ontology import Ontology, Term

XSD = "http://www.w3.org/2001/XMLSchema#"
_OWL = {
    "class": "owl:Class",
    "object_property": "owl:ObjectProperty",
    "datatype_property": "owl:DatatypeProperty",
    "property": "rdf:Property",
}
_PLAIN = re.compile(r"[a-z]+(?: [a-z]+){0,3}")
_NO_NOUN = re.compile(r"\b(id|identifier|code|username|url|uri|wikipage|image|logo|file|icon|map|number)\b")
# Numbers and dates that any thing may have; what large vocabularies call theirs comes beside.
_NUMBERS = (
    "weight", "height", "length", "price", "capacity", "duration", "rating", "age", "score", "budget", "number of pages", "number of rooms",
    "number of members", "number of visitors", "total cost", "annual revenue", "distance", "stock", "rank", "temperature", "speed", "volume",
)  # fmt: skip
_TIMES = (
    "start date", "end date", "date of foundation", "opening date", "release date", "date of purchase", "year of construction",
    "date of birth", "last update", "closing date", "date of registration", "year of publication", "departure date",
)  # fmt: skip
_STYLES = ("camel", "snake", "opaque", "has", "camel")


@dataclass(frozen=True, slots=True)
class Words:
    """Labels to make vocabularies of, by what they may name."""

    classes: Sequence[str]
    links: Sequence[str]
    values: Sequence[str]
    numbers: Sequence[str]


def words_of(ontologies: Sequence[Ontology]) -> Words:
    """The plain labels of ontologies."""
    terms = [t for o in ontologies for t in o if _PLAIN.fullmatch(t.label) and not _NO_NOUN.search(t.label)]

    def labels(kind: str, wanted: str = "") -> list[str]:
        return sorted(
            {t.label for t in terms if t.kind == kind and (not wanted or any(wanted in r for r in t.range))}
        )

    numbers = {
        t.label for t in terms if any(re.search("decimal|nteger|double|/datatype/", r) for r in t.range)
    }
    return Words(
        labels("class"), labels("object_property"), labels("datatype_property", "tring"), sorted(numbers)
    )


def small_vocabulary(words: Words, number: int, *, seed: int = 0) -> Ontology:
    """The vocabulary of a number, the same for a seed."""
    rng = Random(f"{seed}/vocabulary {number}")
    style, base = (
        rng.choice(_STYLES),
        f"http://vocabulary-{number}.example/{rng.choice(('ns#', 'schema/', '', 'def#'))}",
    )
    names = _Names(rng, style, base)
    classes = [names.term("class", label) for label in rng.sample(words.classes, rng.randint(4, 9))]
    below = classes[-1]
    classes[-1] = Term(below.iri, "class", below.label, parents=(classes[0].iri,))
    iris = [c.iri for c in classes]
    stated = rng.random() < 0.85
    terms: list[Term] = []

    def add(kind: str, label: str, targets: Sequence[str]) -> None:
        domain = (rng.choice(iris),) if stated else ()
        terms.append(
            names.term(kind, label, domain, tuple(targets) if stated or kind != "object_property" else ())
        )

    for label in rng.sample(words.links, rng.randint(7, 16)):
        add("object_property", label, [rng.choice(iris)])
    for cls in rng.sample(classes, rng.randint(1, 3)):
        # Most links of small vocabularies are called after what they lead to.
        add("object_property", cls.label, [cls.iri])
    for label in {*rng.sample(_NUMBERS, 4), *rng.sample(words.numbers, rng.randint(1, 4))}:
        add("datatype_property", label, [XSD + rng.choice(("integer", "decimal", "integer"))])
    for label in rng.sample(_TIMES, rng.randint(2, 4)):
        add("datatype_property", label, [XSD + ("gYear" if label.startswith("year") else "date")])
    for label in rng.sample(words.values, rng.randint(2, 5)):
        add("datatype_property", label, [XSD + "string"])
    unlike = {t.label: t for t in reversed(terms)}
    return Ontology((*classes, *sorted(unlike.values(), key=lambda t: t.iri)), (), {})


class _Names:
    """IRIs and labels in one style."""

    def __init__(self, rng: Random, style: str, base: str) -> None:
        self.rng, self.style, self.base, self.count = rng, style, base, 0

    def term(
        self, kind: str, label: str, domain: tuple[str, ...] = (), targets: tuple[str, ...] = ()
    ) -> Term:
        """A term with that label, one that was not given before."""
        self.count += 1
        parts = label.split()
        camel = "".join(w.capitalize() for w in parts)
        local = camel if kind == "class" else camel[:1].lower() + camel[1:]
        said = label
        if self.style == "snake":
            # A link may be called after its class: the capital tells them apart.
            local = "_".join(parts).capitalize() if kind == "class" else "_".join(parts)
        elif self.style == "opaque":
            local = f"{'C' if kind == 'class' else 'P'}{self.count:03}"
        elif self.style == "has" and kind == "object_property":
            local, said = f"has{camel}", f"has {label}" if self.rng.random() < 0.5 else label
        return Term(self.base + local, kind, said, domain=domain, range=targets)  # type: ignore[arg-type]


def turtle(ontology: Ontology) -> Iterator[str]:
    """A vocabulary as Turtle, a line for each term."""
    yield "@prefix owl: <http://www.w3.org/2002/07/owl#> .\n"
    yield "@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .\n"
    yield "@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n"
    for term in ontology:
        said = [f"a {_OWL[term.kind]}", f'rdfs:label "{term.label}"@en']
        said += [f"rdfs:subClassOf <{iri}>" for iri in term.parents]
        said += [f"rdfs:domain <{iri}>" for iri in term.domain] + [
            f"rdfs:range <{iri}>" for iri in term.range
        ]
        yield f"<{term.iri}> {' ; '.join(said)} .\n"
