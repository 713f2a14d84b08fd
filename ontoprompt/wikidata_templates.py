"""Templates over Wikidata's data model: direct values, statements and their qualifiers.

As in NSpM (Soru et al. 2018), a question and a query share placeholders. `synthesis` composes its
templates from domains, ranges and classes; Wikidata's properties have none of these, and classes are
items. Shapes and their shares are those of LC-QuAD 2.0's training questions (Dubey et al. 2019).

Placeholders: `e`, `f` an item; `c` an item that names a class; `o`, `u` a property that leads to items; `v`,
`w` any property; `n` one with numbers; `t` one with dates; `q`, `r` a qualifier; `y` a year, `x` a number, `l` a
letter, `s` a word. In a question, `{when}` and `{when2}` ask for the values of `q` and `r`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random

from .clauses import Draft, mark
from .entities import EntityLink
from .errors import UsageError
from .literals import find_literals
from .ontology import Ontology, Term
from .pairs import Pair, PreparedPair
from .sparql import parse
from .wikidata_forms import TEMPLATES, Template

_ITEM = "http://www.wikidata.org/entity/"
_PROPERTY = "http://www.wikidata.org/prop/"
_INSTANCE_OF = _PROPERTY + "direct/P31"
# What statements are qualified by most often (Wikidata; their labels come from the vocabulary).
_QUALIFIERS = (
    ("P585", 30),
    ("P580", 20),
    ("P582", 14),
    *((name, 3) for name in ("P805", "P1686", "P812", "P459", "P1350", "P1534", "P2715", "P512", "P156")),
    *((name, 2) for name in ("P1366", "P155", "P1706", "P518", "P1346", "P1365", "P1351", "P17", "P407")),
    *((name, 1) for name in ("P2453", "P1545", "P1039", "P768", "P276", "P2842", "P642", "P1268", "P131")),
)
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


_Drawn = tuple[Template, dict[str, Term], dict[str, str], dict[str, str]]


class _Writer:
    def __init__(self, ontology: Ontology, names: Sequence[str], classes: Sequence[str], seed: int) -> None:
        self.rng = Random(seed)
        self.names, self.classes = names, classes
        self.by_name = {t.iri.rsplit("/", 1)[-1]: t for t in ontology.terms}
        plain = [t for t in ontology.terms if t.iri != _INSTANCE_OF and len(t.label) < 60]
        self.pools = {
            "links": [t for t in plain if t.kind == "object_property"],
            "numbers": [t for t in plain if any(r.endswith("#decimal") for r in t.range)],
            "times": [t for t in plain if any(r.endswith("#dateTime") for r in t.range)],
            "any": plain,
        }
        self.qualifiers = [(self.by_name[q], weight) for q, weight in _QUALIFIERS if q in self.by_name]

    def _property(self, kind: str) -> Term:
        pool = self.pools[kind]
        known = [t for t in pool if t.aliases]
        return self.rng.choice(known if known and self.rng.random() < 0.75 else pool)

    def _qualifier(self) -> Term:
        if self.qualifiers and self.rng.random() < 0.75:
            terms, weights = zip(*self.qualifiers, strict=True)
            chosen: Term = self.rng.choices(terms, weights)[0]
            return chosen
        return self._property("any")

    def _said(self, term: Term) -> str:
        """A property as a noun: its label, or one of its first aliases."""
        others = term.aliases[:8]
        return str(self.rng.choice(others)) if others and self.rng.random() < 0.4 else term.label

    def _when(self, qualifier: Term, said: str) -> str:
        if any(r.endswith("#dateTime") for r in qualifier.range) and self.rng.random() < 0.7:
            ends: dict[str, tuple[str, ...]] = {
                "P582": ("until when", "when did it end that"),
                "P580": ("since when", "when"),
            }
            return self.rng.choice(ends.get(qualifier.iri.rsplit("/", 1)[-1], ("when", "in what year")))
        return f"what {said}"

    def pair(self) -> PreparedPair | None:
        """A pair over made-up items, None when what was drawn does not go together."""
        drawn = self.drawn()
        return self._filled(*drawn) if drawn else None

    def drawn(self) -> _Drawn | None:
        """A template with terms, items and values for its placeholders."""
        (template,) = self.rng.choices(TEMPLATES, [t.weight for t in TEMPLATES])
        terms: dict[str, Term] = {}
        items: dict[str, str] = {}
        values: dict[str, str] = {}
        kinds = {"o": "links", "u": "links", "v": "any", "w": "any", "n": "numbers"}
        for key in dict.fromkeys(_PLACEHOLDER.findall(template.query)):
            if key in kinds:
                terms[key] = self._property(kinds[key])
            elif key == "t":
                times = [t for t, _ in self.qualifiers if any(r.endswith("#dateTime") for r in t.range)]
                terms[key] = self.rng.choice(times or self.pools["times"])
            elif key in ("q", "r"):
                terms[key] = self._qualifier()
            elif key in ("e", "f", "g", "c"):
                items[key] = self.rng.choice(self.classes if key == "c" else self.names)
            else:
                values[key] = self._value(key)
        if len({t.iri for t in terms.values()}) < len(terms) or len(set(items.values())) < len(items):
            return None
        return template, terms, items, values

    def _value(self, key: str) -> str:
        if key == "y":
            return str(self.rng.randrange(1500, 2024))
        if key == "l":
            return self.rng.choice("abcdefghijklmnopqrstuvwxyz")
        if key == "s":
            words = [w.lower() for w in re.findall(r"[A-Za-z]{3,}", self.rng.choice(self.names))]
            return str(self.rng.choice(words or ["word"]))
        number = 10 ** self.rng.uniform(0, 6)
        return f"{number:.{self.rng.randrange(3)}f}"

    def shown(self, terms: Mapping[str, Term], values: Mapping[str, str]) -> dict[str, str]:
        """What stands for each placeholder that is no item."""
        said = {key: self._said(term) for key, term in terms.items()}
        shown = {**said, **values, "did": self.rng.choice(("did", "does"))}
        for key, name in (("q", "when"), ("r", "when2")):
            if key in terms:
                shown[name] = self._when(terms[key], said[key])
        return shown

    def _filled(
        self,
        template: Template,
        terms: Mapping[str, Term],
        items: Mapping[str, str],
        values: Mapping[str, str],
    ) -> PreparedPair | None:
        shown = self.shown(terms, values)
        question, links = "", []
        iris = {key: f"{_ITEM}Q{number}" for number, key in enumerate(items, start=1)}
        form = self.rng.choice(template.questions)
        last = 0
        for match in _PLACEHOLDER.finditer(form):
            key = match[1]
            question += form[last : match.start()]
            last = match.end()
            text = items.get(key) or shown[key]
            if key in items:
                at = len(question)
                links.append(EntityLink(iris[key], text, text, at, at + len(text), 1.0))
            question += text
        question += form[last:]
        if self.rng.random() < 0.3:
            question = question.rstrip("?")
        places = {key: term.iri.rsplit("/", 1)[-1] for key, term in terms.items()}
        query = _PLACEHOLDER.sub(
            lambda m: places.get(m[1]) or (f"<{iris[m[1]]}>" if m[1] in iris else values[m[1]]),
            template.query,
        )
        spans = [(link.start, link.end) for link in links]
        literals = tuple(
            x for x in find_literals(question) if all(x.end <= a or x.start >= b for a, b in spans)
        )
        used = list(terms.values())
        if "wdt:P31" in query and "P31" in self.by_name:
            used.append(self.by_name["P31"])
        return PreparedPair(
            Pair(question, query, "templates"), parse(query), tuple(used), tuple(links), literals, {}
        )


def statement_pairs(
    ontology: Ontology, names: Sequence[str], count: int, *, seed: int = 0
) -> Iterator[PreparedPair]:
    """`count` pairs over Wikidata's properties. `names`: labels of items; those that begin with a small letter name
    classes. Deterministic for a seed. Raises UsageError when there is nothing to fill the templates with.
    """
    classes = [name for name in names if name[:1].islower() and len(name) < 40]
    writer = _Writer(ontology, [n for n in names if len(n) < 60], classes, seed)
    if not (classes and writer.pools["links"] and writer.pools["numbers"] and writer.pools["times"]):
        raise UsageError(
            "There are too few properties or names to fill Wikidata's templates with.",
            "Give an ontology with properties that lead to items, numbers and dates, and a label table.",
        )
    made = 0
    while made < count:
        pair = writer.pair()
        if pair is not None:
            made += 1
            yield pair


def statement_drafts(
    ontology: Ontology, labels: Mapping[str, str]
) -> Callable[[Random], Draft | None] | None:
    """What draws from these templates for `synth`, over items with their IRIs; None where the ontology is not Wikidata's
    or has too little. `labels`: of items by IRI; those that begin with a small letter name classes."""
    iris = {name: iri for iri, name in labels.items() if len(name) < 60}
    classes = sorted(name for name in iris if name[:1].islower() and len(name) < 40)
    others = sorted(name for name in iris if not name[:1].islower())
    writer = _Writer(ontology, others, classes, 0)
    pools = writer.pools
    if "P31" not in writer.by_name or not (
        classes and others and pools["links"] and pools["numbers"] and pools["times"]
    ):
        return None

    def drawn(rng: Random) -> Draft | None:
        writer.rng = rng
        found = writer.drawn()
        if found is None:
            return None
        template, terms, items, values = found
        shown = writer.shown(terms, values)
        question = _PLACEHOLDER.sub(
            lambda m: mark(iris[items[m[1]]]) if m[1] in items else shown[m[1]],
            rng.choice(template.questions),
        )
        places = {key: term.iri.rsplit("/", 1)[-1] for key, term in terms.items()}
        query = _PLACEHOLDER.sub(
            lambda m: places.get(m[1]) or (f"<{iris[items[m[1]]]}>" if m[1] in items else values[m[1]]),
            template.query,
        )
        used = [term.iri for term in terms.values()] + ([_INSTANCE_OF] if "wdt:P31" in query else [])
        return Draft("wikidata", f"wikidata-{TEMPLATES.index(template)}", question, query, tuple(used))

    return drawn
