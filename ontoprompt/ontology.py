"""Any source of a vocabulary → `Ontology` of `Term`s.

Sources: RDF files of any syntax (`load_ontology`), whether they hold a vocabulary, data, or both; a graph
that can be asked (`ontology_from_store`). What a vocabulary states wins; where it says nothing, what the data
shows is taken: classes and properties in use, how often, and which classes stand on both sides of a property.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

from ontoprompt import owl
from ontoprompt.errors import ArtifactError, SourceError
from ontoprompt.statements import Progress, find_files
from ontoprompt.vocabulary import (
    ALIAS_RANK,
    DOMAIN,
    INVERSE,
    OWL,
    RANGE,
    RDF,
    RDFS,
    SAME_CLASS,
    SAME_PROPERTY,
    SUB_CLASS,
    SUB_PROPERTY,
    Facts,
    TypeSet,
    gather,
    is_built_in,
    is_literal_range,
    is_nameable,
)

if TYPE_CHECKING:
    from ontoprompt.execution import Store

Kind = Literal["class", "object_property", "datatype_property", "property"]
KINDS: tuple[Kind, ...] = ("class", "object_property", "datatype_property", "property")

_CLASS_TYPES = {OWL + "Class", RDFS + "Class", OWL + "DeprecatedClass"}
_OBJECT_TYPES = {
    OWL + name
    for name in (
        "ObjectProperty",
        "InverseFunctionalProperty",
        "TransitiveProperty",
        "SymmetricProperty",
        "AsymmetricProperty",
        "ReflexiveProperty",
        "IrreflexiveProperty",
    )
}
_PROPERTY_TYPES = {RDF + "Property", OWL + "FunctionalProperty", OWL + "DeprecatedProperty"}
_MAX_LABEL = 200
_MOST_IMPLIED = 5
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[^\W\d])[.-](?=[^\W\d])|[_\s]+")
_OPAQUE = re.compile(
    r"[A-Z]{1,8}[_:-]?\d+|[A-Za-z]{1,8}_\d{3,}|\d+|(?=.*\d)[0-9a-f]{8,}(-[0-9a-f]+)*", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Term:
    """A class or property.

    `domain` and `range`: any one of the classes (or datatypes) named fits; empty: not known. `usage`: how
    often the graph uses it; 0 if unknown.
    """

    iri: str
    kind: Kind
    label: str
    aliases: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    domain: tuple[str, ...] = ()
    range: tuple[str, ...] = ()
    inverse_of: tuple[str, ...] = ()
    usage: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """Where terms came from: a file's name, or an endpoint's URL, and the SHA-256 of what was read."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Ontology:
    """Terms, classes first, each group by IRI. `prefixes`: those the sources declare."""

    terms: tuple[Term, ...]
    sources: tuple[Source, ...] = ()
    prefixes: Mapping[str, str] = field(default_factory=dict)
    _by_iri: dict[str, Term] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_iri", {term.iri: term for term in self.terms})

    def get(self, iri: str) -> Term | None:
        """The term with that IRI."""
        return self._by_iri.get(iri)

    def __len__(self) -> int:
        return len(self.terms)

    def __iter__(self) -> Iterator[Term]:
        return iter(self.terms)


def load_ontology(sources: Sequence[str | Path], *, progress: Progress | None = None) -> Ontology:
    """The ontology of RDF files and folders, taken together as one graph. `owl:imports` are not followed.

    Raises SourceError when a source is missing, empty, cut short, not RDF, or when no source holds a class or
    a property.
    """
    files = find_files(sources)
    facts = gather(files, progress)
    owl.add_expressions(facts)
    terms = terms_of(facts)
    if not terms:
        names = ", ".join(file.name for file in files[:3])
        raise SourceError(f"There is no class and no property in {names}.", "Give a vocabulary or a graph.")
    return Ontology(terms, tuple(Source(file.name, file.sha256()) for file in files), facts.prefixes)


def ontology_from_store(
    store: Store, *, time_budget: float = 45.0, progress: Progress | None = None
) -> Ontology:
    """The classes and properties that a graph uses, found by asking it; see `survey`.

    `time_budget` in seconds: when it runs out, what is known by then is returned, the most used terms with
    domain and range first. Raises GraphError when the graph cannot be asked and SourceError when it is empty.
    """
    import hashlib

    from ontoprompt.survey import survey

    terms = terms_of(survey(store, time_budget, progress))
    if not terms:
        raise SourceError(
            f"The graph {store.name} holds no data.", "Load data into it, or name another graph."
        )
    digest = hashlib.sha256("\n".join(term_to_json(term) for term in terms).encode("utf-8")).hexdigest()
    return Ontology(terms, (Source(store.name, digest),))


_BUILD_HINT = "Build the index again with `ontoprompt index`."


def term_to_json(term: Term) -> str:
    """One line of `terms.jsonl`; fields that are empty are left out."""
    record = {name: getattr(term, name) for name in Term.__slots__}
    return json.dumps({name: value for name, value in record.items() if value}, ensure_ascii=False)


def term_from_json(line: str) -> Term:
    """The term of one line of `terms.jsonl`. Raises ArtifactError for anything else."""
    (term,) = terms_from_json([line])
    return term


def terms_from_json(lines: Sequence[str]) -> Iterator[Term]:
    """The terms of all lines of `terms.jsonl`, read in one go: line by line takes three times as long. Raises
    ArtifactError for a line that is none."""
    try:
        records = json.loads(f"[{','.join(lines)}]")
    except json.JSONDecodeError as error:
        raise ArtifactError("A line of the index's terms is damaged.", _BUILD_HINT) from error
    if len(records) != len(lines):
        raise ArtifactError("A line of the index's terms is damaged.", _BUILD_HINT)
    return map(_from_record, records)


def _from_record(record: Any) -> Term:
    try:
        lists = {key: tuple(value) for key, value in record.items() if isinstance(value, list)}
        term = Term(**{**record, **lists})
    except (TypeError, AttributeError) as error:
        raise ArtifactError("A line of the index's terms is damaged.", _BUILD_HINT) from error
    texts = (term.iri, term.label, *term.aliases, *term.parents, *term.domain, *term.range, *term.inverse_of)
    if term.kind not in KINDS or not all(isinstance(text, str) for text in texts):
        raise ArtifactError("A line of the index's terms is damaged.", _BUILD_HINT)
    return term


def local_name(iri: str) -> str:
    """What follows the last `#`, `/` or `:` of an IRI, percent-decoded; the whole IRI when nothing does."""
    return unquote(re.split(r"[#/:]", iri.rstrip("#/:"))[-1]) or iri


def label_from_name(local: str) -> str:
    """Words of a local name: camel case, underscores, inner dots and hyphens split, lower case.

    `populationTotal` -> `population total`, `birth_date` -> `birth date`. An opaque name such as `P31`,
    `GO_0008150` or a UUID is kept as it is, and so is one without any word in it.
    """
    if _OPAQUE.fullmatch(local):
        return local
    return " ".join(word for word in _WORDS.split(local) if word).lower() or local


def terms_of(facts: Facts) -> tuple[Term, ...]:
    """The terms that the facts amount to, classes first, each group by IRI."""
    kinds = {iri: kind for iri in _candidates(facts) if (kind := _kind(iri, facts)) is not None}
    sides = _Sides(facts)
    terms = [_term(iri, kind, facts, sides) for iri, kind in kinds.items()]
    return tuple(sorted(terms, key=lambda term: (term.kind != "class", term.iri)))


def _candidates(facts: Facts) -> set[str]:
    """IRIs that may become terms: declared, or in use."""
    candidates = {*facts.types, *facts.classes, *facts.properties}
    for by_term in facts.links.values():
        candidates.update(by_term)
    in_use = facts.classes.keys() | facts.properties.keys() | facts.stated_usage.keys()
    return {
        iri
        for iri in candidates
        if not is_built_in(iri) and is_nameable(iri) and (iri not in facts.deprecated or iri in in_use)
    }


def _kind(iri: str, facts: Facts) -> Kind | None:
    """The kind of a term; None for what is no class and no property.

    An IRI that is both (punning) is what the data uses it for, else a class. A property that is declared both
    ways is an object property.
    """
    types: Collection[str] = facts.types.get(iri, ())
    links = facts.links
    used_as_property = iri in facts.properties
    is_class = (
        iri in facts.classes
        or not _CLASS_TYPES.isdisjoint(types)
        or iri in links[SUB_CLASS]
        or iri in links[SAME_CLASS]
    )
    if is_class and not (used_as_property and iri not in facts.classes):
        return "class"
    if not _OBJECT_TYPES.isdisjoint(types):
        return "object_property"
    if OWL + "DatatypeProperty" in types:
        return "datatype_property"
    stated = any(iri in links[link] for link in (SUB_PROPERTY, DOMAIN, RANGE, INVERSE, SAME_PROPERTY))
    if not (used_as_property or stated or not _PROPERTY_TYPES.isdisjoint(types)):
        return None
    return _kind_by_values(iri, facts)


def _kind_by_values(iri: str, facts: Facts) -> Kind:
    """The kind of a property that no declaration tells: by its range, else by its values if they agree."""
    literal = [is_literal_range(value) for value in facts.links[RANGE].get(iri, [])]
    literal += (
        [True] * bool(facts.literals[iri]) + [False] * bool(facts.resources[iri]) if not literal else []
    )
    if literal and all(literal):
        return "datatype_property"
    return "object_property" if literal and not any(literal) else "property"


def _term(iri: str, kind: Kind, facts: Facts, sides: _Sides) -> Term:
    label, aliases = _naming(iri, facts, sides.same.get(iri, ()))
    stated = facts.stated_usage[iri]
    if kind == "class":
        parents = _named(facts.links[SUB_CLASS].get(iri, []), iri)
        return Term(iri, kind, label, aliases, parents, usage=facts.classes[iri] + stated)
    return Term(
        iri,
        kind,
        label,
        aliases,
        parents=_named(facts.links[SUB_PROPERTY].get(iri, []), iri),
        domain=sides.of(iri, DOMAIN),
        range=sides.of(iri, RANGE),
        inverse_of=tuple(sorted(sides.inverses.get(iri, ()))),
        usage=facts.properties[iri] + stated,
    )


def _named(iris: Sequence[str], own: str) -> tuple[str, ...]:
    """Without what says nothing (owl:Thing, rdfs:Resource and their like) and without the term itself."""
    return tuple(iri for iri in iris if iri != own and not is_built_in(iri))


def _naming(iri: str, facts: Facts, same: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """Label and aliases of a term.

    The label is English, else without a language, else any. Other English and plain names are aliases, and so
    are those of equivalent terms (`same`).
    """
    names = sorted(facts.names.get(iri, []), key=lambda name: (_foreign(name[1]), name[0]))
    texts = [(rank, language, cleaned) for rank, language, text in names if (cleaned := _clean(text))]
    proper = [text for rank, _, text in texts if rank < ALIAS_RANK] or [text for _, _, text in texts]
    label = proper[0] if proper else _clean(label_from_name(local_name(iri))) or iri
    others = [text for _, language, text in texts if _foreign(language) < 3]
    for other in sorted(same):
        others += [_clean(text) for _, tag, text in facts.names.get(other, []) if _foreign(tag) < 3]
    return label, tuple(text for text in dict.fromkeys(others) if text and text != label)


def _foreign(language: str) -> int:
    """0 for English, 1 for a regional English, 2 for no language, 3 for any other."""
    tag = language.lower()
    return 0 if tag == "en" else 1 if tag.startswith("en-") else 3 if tag else 2


def _clean(text: str) -> str:
    """A label on one line, without control characters, at most _MAX_LABEL characters long."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[
        :_MAX_LABEL
    ].strip()


class _Sides:
    """Domain and range of properties, from the strongest evidence that there is.

    In this order: stated; inherited from the nearest super-property; of an equivalent property; the other
    side of an inverse; implied by restrictions and chains; observed in the data.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._known: dict[tuple[str, str], tuple[str, ...]] = {}
        self.inverses = _both_ways(facts, INVERSE)
        self.same = _both_ways(facts, SAME_CLASS, SAME_PROPERTY)

    def of(self, iri: str, side: str) -> tuple[str, ...]:
        """Domain or range (`side`: DOMAIN or RANGE) of a property; empty when nothing is known."""
        found = self._from_axioms(iri, side, frozenset())
        if found:
            return found
        facts = self._facts
        implied = [value for value in facts.implied[side].get(iri, ()) if self._says_something(value, side)]
        observed = facts.subjects if side == DOMAIN else facts.objects
        # What many classes have is no mark of any of them.
        if 0 < len(implied) <= _MOST_IMPLIED:
            return tuple(implied)
        return typical_classes(observed.get(iri, {}), facts.classes)

    def _from_axioms(self, iri: str, side: str, seen: frozenset[str]) -> tuple[str, ...]:
        # `seen` guards against cycles, which hierarchies and inverses in the wild do have.
        if iri in seen or len(seen) > 50:
            return ()
        if (iri, side) in self._known:
            return self._known[iri, side]
        links, seen = self._facts.links, seen | {iri}
        found = tuple(value for value in links[side].get(iri, []) if self._says_something(value, side))
        other_side = RANGE if side == DOMAIN else DOMAIN
        steps = [(parent, side) for parent in links[SUB_PROPERTY].get(iri, [])]
        steps += [(same, side) for same in sorted(self.same.get(iri, ()))]
        steps += [(inverse, other_side) for inverse in sorted(self.inverses.get(iri, ()))]
        for relative, its_side in steps:
            # What another vocabulary's property is made of here says nothing about it: DBpedia has
            # "source country" equal to DUL's "has location", of which "country" is a part.
            if relative in self._facts.types:
                found = found or self._from_axioms(relative, its_side, seen)
        if len(seen) == 1:
            self._known[iri, side] = found
        return found

    def _says_something(self, iri: str, side: str) -> bool:
        return not is_built_in(iri) or (side == RANGE and is_literal_range(iri))


def _both_ways(facts: Facts, *links: str) -> dict[str, set[str]]:
    """A symmetric relation, of which files often state one direction only."""
    related: dict[str, set[str]] = {}
    for link in links:
        for one, others in facts.links[link].items():
            for other in _named(others, one):
                related.setdefault(one, set()).add(other)
                related.setdefault(other, set()).add(one)
    return related


def typical_classes(
    counts: Mapping[TypeSet, int], usage: Mapping[str, int], most: int = 3
) -> tuple[str, ...]:
    """The few classes that cover what stands on one side of a property.

    `counts`: set of classes of a resource -> how often it stands there. Greedy: the class that covers most of
    what is left, and among those that cover about as much the one that the graph uses least, which is the
    most specific; until 95 % are covered or the next one adds less than 10 %.
    """
    total = sum(counts.values())
    left = dict(counts)
    chosen: list[str] = []
    while left and len(chosen) < most:
        cover: dict[str, int] = {}
        for classes, times in left.items():
            for cls in classes:
                cover[cls] = cover.get(cls, 0) + times
        top = max(cover.values(), default=0)
        if top < 0.1 * total:
            break
        near = [cls for cls, times in cover.items() if times >= 0.95 * top]
        best = min(near, key=lambda cls: (usage.get(cls, 0), cls))
        chosen.append(best)
        left = {classes: times for classes, times in left.items() if best not in classes}
        if sum(left.values()) <= 0.05 * total:
            break
    return tuple(chosen)


__all__ = [
    "KINDS",
    "Kind",
    "Ontology",
    "Source",
    "Term",
    "label_from_name",
    "load_ontology",
    "local_name",
    "ontology_from_store",
    "term_from_json",
    "term_to_json",
]
