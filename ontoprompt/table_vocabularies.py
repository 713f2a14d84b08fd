"""Vocabularies that look as if they came out of a database, made up: a class for each table, a property for each column.

`http://tables-3.example/singer#birth_year` is called `birth year`, and many classes have a `name` of their own; a column
that refers to another table is a link, called after it. R2RML's direct mapping names things so
(https://www.w3.org/TR/rdb-direct-mapping/). They are to train what must read such vocabularies unseen.
"""

from __future__ import annotations

from random import Random

from .ontology import Ontology, Term
from .small_vocabularies import XSD, Words

_NAMES = ("name", "name", "name", "title", "full name", "first name", "last name", "{c} name", "label")
_TEXTS = (
    "country", "city", "status", "type", "category", "color", "language", "nationality", "email", "phone", "address", "gender", "sex", "description",
    "code", "level", "format", "grade", "major", "location", "position", "department", "theme", "genre", "brand", "model", "state", "region", "role",
    "occupation", "citizenship", "hometown", "district", "season", "content", "manager", "owner", "publisher", "director", "written by", "headquarters",
)  # fmt: skip
_NUMBERS = (
    "age", "year", "price", "height", "weight", "rank", "score", "salary", "sales", "capacity", "population", "rating", "budget", "quantity", "points",
    "number of pages", "duration", "distance", "average attendance", "total passengers", "share", "money", "size", "floor", "credits", "hours", "attendance",
    "year of founding", "birth year", "opening year", "number of products", "net worth", "market value",
)  # fmt: skip
_TIMES = (
    "date",
    "start date",
    "end date",
    "date of birth",
    "birth date",
    "release date",
    "date of notes",
    "hire date",
    "original air date",
)


def table_vocabulary(words: Words, number: int, *, seed: int = 0) -> Ontology:
    """The vocabulary of a number, the same for a seed."""
    rng = Random(f"{seed}/tables {number}")
    base = f"http://tables-{number}.example/{rng.choice(('', 'schema/', 'db/'))}"
    labels = rng.sample(words.classes, rng.randint(2, 6))
    terms: dict[str, Term] = {}
    classes = [_term(terms, f"{base}{_snake(label)}", "class", label) for label in labels]
    dashed = rng.random() < 0.5
    for cls in classes:
        for kind, label in _columns(rng, words, cls.label):
            iri = f"{cls.iri}{'#' if dashed else '_'}{_snake(label)}"
            _term(terms, iri, "datatype_property", label, (cls.iri,), (XSD + kind,))
    named = rng.choice(("ref {c} id", "ref {c}", "{c}", "{c} id", "has {c}"))
    for cls in classes:
        for other in rng.sample(classes, rng.randint(0, min(2, len(classes)))):
            if other is not cls:
                label = named.format(c=other.label)
                iri = f"{cls.iri}{'#' if dashed else '_'}ref-{_snake(other.label)}"
                _term(terms, iri, "object_property", label, (cls.iri,), (other.iri,))
    return Ontology(tuple(terms.values()), (), {})


def _columns(rng: Random, words: Words, table: str) -> list[tuple[str, str]]:
    """Datatypes and labels of one table's columns, no label twice."""
    found = [("string", rng.choice(_NAMES).format(c=table))] if rng.random() < 0.9 else []
    if rng.random() < 0.5:
        found.append((rng.choice(("integer", "string")), rng.choice(("id", f"{table} id", "code"))))
    if rng.random() < 0.2:
        found += [("string", "first name"), ("string", "last name")]
    found += [("string", label) for label in rng.sample(_TEXTS, rng.randint(1, 4))]
    found += [("string", label) for label in rng.sample(words.values, rng.randint(0, 2))]
    found += [
        (rng.choice(("integer", "integer", "decimal")), label)
        for label in rng.sample(_NUMBERS, rng.randint(1, 4))
    ]
    found += [("date", label) for label in rng.sample(_TIMES, rng.choice((0, 0, 1, 2)))]
    return list({label: (kind, label) for kind, label in found}.values())


def _term(
    terms: dict[str, Term],
    iri: str,
    kind: str,
    label: str,
    domain: tuple[str, ...] = (),
    targets: tuple[str, ...] = (),
) -> Term:
    terms[iri] = term = Term(iri, kind, label, domain=domain, range=targets)  # type: ignore[arg-type]
    return term


def _snake(label: str) -> str:
    return label.replace(" ", "_")
