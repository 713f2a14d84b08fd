"""What templates are filled with: statements of a graph, or of one invented for an ontology.

Everything that is asked is asked about a witness, a thing whose statements are known, so that a query made for it
returns something. From a graph a sample of every property's statements is taken; from an ontology alone things are
made up for every class, and statements for every property by its domain and range.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from .errors import GraphError, SourceError
from .execution import Store, Value
from .made_names import made_name
from .ontology import Ontology, Term, local_name
from .pairs import RDF_TYPE, RDFS_LABEL
from .vocabulary import LABELS

XSD = "http://www.w3.org/2001/XMLSchema#"
WIKIDATA_TYPE = "http://www.wikidata.org/prop/direct/P31"
MADE_UP = "http://example.org/entity/"
NUMBER = re.compile(r"#(\w*[iI]nteger|double|float|decimal|int|long|short|byte)$|/datatype/")
TIME = re.compile(r"#(date|dateTime|gYear)$")
_WHOLE_IRI = re.compile(r"[A-Za-z][\w+.-]*:[^\s<>\"{}|^`\\]+")
_OPAQUE = re.compile(r"[A-Za-z]{0,3}[_-]?\d+|[0-9a-f-]{16,}")
_BATCH = 150
_MEMBERS, _STATEMENTS = 6, 14
_PEOPLE = re.compile(r"\b(person|people|agent|creator|author|human|player|student|employee|artist)\b")
_PLACES = re.compile(r"\b(place|location|city|country|region|town|settlement|area)\b")
_KINDS_OF_ITEM = (
    "human", "film", "city", "country", "book", "river", "mountain", "university", "company", "song", "painting", "award",
    "language", "political party", "football club", "museum", "album", "building", "lake", "sport", "disease", "airport",
)  # fmt: skip

Progress = Callable[[str, int, int | None], None]


@dataclass
class Filling:
    """Statements at hand. `whole`: properties of which every statement is known; `label_of`: the property that
    states an entity's label; `made_up`: invented, not taken from a graph; `digest` tells one filling from another."""

    name: str
    terms: Mapping[str, Term]
    made_up: bool
    type_property: str = RDF_TYPE
    labels: dict[str, str] = field(default_factory=dict)
    label_of: dict[str, str] = field(default_factory=dict)
    types: dict[str, tuple[str, ...]] = field(default_factory=dict)
    statements: dict[str, list[tuple[str, Value]]] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    out: dict[str, dict[str, list[Value]]] = field(default_factory=dict)
    incoming: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)
    digest: str = ""

    def arrange(self) -> Filling:
        """Derive the views from statements, types and labels."""
        out: dict[str, dict[str, list[Value]]] = defaultdict(lambda: defaultdict(list))
        incoming: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        members: dict[str, list[str]] = defaultdict(list)
        told = hashlib.sha256()
        for iri in sorted(self.statements):
            rows = self.statements[iri] = list(dict.fromkeys(self.statements[iri]))
            rows.sort(key=lambda row: (row[0], row[1].value, row[1].datatype or "", row[1].lang or ""))
            for subject, value in rows:
                out[subject][iri].append(value)
                if value.type == "uri":
                    incoming[value.value][iri].append(subject)
                told.update(f"{subject} {iri} {value.value}\n".encode())
        for entity in sorted(self.types):
            for cls in self.types[entity]:
                members[cls].append(entity)
            told.update(f"{entity} {self.labels.get(entity)} {self.types[entity]}\n".encode())
        self.out = {s: dict(by) for s, by in out.items()}
        self.incoming = {o: dict(by) for o, by in incoming.items()}
        self.members = dict(members)
        self.digest = told.hexdigest()
        return self

    def named(self, value: Value) -> bool:
        """Whether a value is an entity that has a name."""
        return value.type == "uri" and value.value in self.labels

    def triples(self) -> Iterable[str]:
        """The filling as N-Triples lines."""
        for iri, rows in self.statements.items():
            for subject, value in rows:
                yield f"<{subject}> <{iri}> {written(value)} .\n"
        for entity, classes in self.types.items():
            for cls in classes:
                yield f"<{entity}> <{self.type_property}> <{cls}> .\n"
        for entity, label in self.labels.items():
            if entity in self.label_of:
                yield f"<{entity}> <{self.label_of[entity]}> {quoted(label)}@en .\n"


def quoted(text: str) -> str:
    """A text as a SPARQL string."""
    for raw, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(raw, escaped)
    return f'"{text}"'


def written(value: Value) -> str:
    """An RDF term as SPARQL writes it."""
    if value.type != "literal":
        return f"<{value.value}>"
    tail = f"@{value.lang}" if value.lang else f"^^<{value.datatype}>" if value.datatype else ""
    return quoted(value.value) + tail


# --- from a graph --------------------------------------------------------------------------------------------------


def from_store(
    store: Store,
    ontology: Ontology,
    *,
    sample: int = 2000,
    timeout: float = 30.0,
    progress: Progress | None = None,
) -> Filling:
    """A filling from a graph: at most `sample` statements of each property, the names and classes of what they speak of.

    Raises GraphError when the graph cannot be asked and SourceError when it has no named thing to ask about.
    """
    filling = Filling(store.name, {t.iri: t for t in ontology.terms}, made_up=False)
    properties = [t.iri for t in ontology.terms if t.kind != "class"]
    used = _properties_in_use(store, timeout)
    if used is not None:
        properties = [iri for iri in properties if iri in used]
    for number, iri in enumerate(properties):
        if progress:
            progress("taking statements", number, len(properties))
        found = store.query(f"SELECT ?s ?o WHERE {{ ?s <{iri}> ?o }}", timeout=timeout, max_rows=sample)
        rows = [
            (s.value, o)
            for s, o in found.rows
            if s is not None
            and o is not None
            and s.type == "uri"
            and o.type != "bnode"
            and _sound(s)
            and _sound(o)
        ]
        if rows:
            filling.statements[iri] = rows
        if not found.truncated:
            filling.whole.add(iri)
    if filling.type_property == RDF_TYPE and WIKIDATA_TYPE in filling.statements:
        filling.type_property = WIKIDATA_TYPE
    entities = sorted(
        {s for rows in filling.statements.values() for s, _ in rows}
        | {o.value for rows in filling.statements.values() for _, o in rows if o.type == "uri"}
    )
    _describe(filling, store, entities, timeout, progress)
    if not any(entity in filling.labels for entity in entities):
        raise SourceError(
            f"The graph {store.name} has no named thing that its vocabulary speaks of.",
            "Give the vocabulary of the graph as SOURCE, or leave SOURCE out.",
        )
    return filling.arrange()


def _sound(value: Value) -> bool:
    """Whether a term can stand in a query as it is; what is longer than a sentence names nothing."""
    if value.type == "uri":
        return _WHOLE_IRI.fullmatch(value.value) is not None
    return len(value.value) < 300


def _properties_in_use(store: Store, timeout: float) -> set[str] | None:
    """The properties of a graph, None where it does not tell them in time."""
    try:
        rows = store.query("SELECT DISTINCT ?p WHERE { ?s ?p ?o }", timeout=timeout, max_rows=100_000).rows
    except GraphError:
        return None
    return {row[0].value for row in rows if row[0] is not None}


def _describe(
    filling: Filling, store: Store, entities: Sequence[str], timeout: float, progress: Progress | None
) -> None:
    """Names and classes of entities, a batch at a time."""
    names = " ".join(f"<{iri}>" for iri in LABELS)
    best: dict[str, tuple[int, int, str, str]] = {}
    classes: dict[str, set[str]] = defaultdict(set)
    for start in range(0, len(entities), _BATCH):
        if progress:
            progress("reading names", start, len(entities))
        values = " ".join(f"<{iri}>" for iri in entities[start : start + _BATCH])
        text = (
            f"SELECT ?x ?p ?l WHERE {{ VALUES ?x {{ {values} }} VALUES ?p {{ {names} }} ?x ?p ?l "
            'FILTER(LANG(?l) = "" || LANGMATCHES(LANG(?l), "en")) }'
        )
        for x, p, label in store.query(text, timeout=timeout, max_rows=100_000).rows:
            if x is None or p is None or label is None or not 0 < len(label.value) < 80:
                continue
            rank = (LABELS.get(p.value, 9), 0 if label.lang else 1, label.value, p.value)
            best[x.value] = min(rank, best.get(x.value, rank))
        kinds = f"SELECT ?x ?c WHERE {{ VALUES ?x {{ {values} }} ?x <{filling.type_property}> ?c }}"
        for x, c in store.query(kinds, timeout=timeout, max_rows=100_000).rows:
            if x is not None and c is not None and c.type == "uri":
                classes[x.value].add(c.value)
    for entity in entities:
        if entity in best:
            filling.labels[entity], filling.label_of[entity] = best[entity][2:]
        elif name := _name_in(entity):
            filling.labels[entity] = name
        known = [
            c for c in sorted(classes[entity]) if c in filling.terms or filling.type_property != RDF_TYPE
        ]
        filling.types[entity] = tuple(known)


def _name_in(iri: str) -> str:
    """The name that an IRI spells, empty for an opaque one."""
    local = re.sub(r"_\(.*\)$", "", local_name(iri)).replace("_", " ").strip()
    return "" if _OPAQUE.fullmatch(local) or not re.search(r"[^\W\d]{2}", local) or len(local) > 60 else local


# --- from an ontology alone ----------------------------------------------------------------------------------------


def invented(ontology: Ontology, *, names: Sequence[tuple[str, str]] = (), seed: int = 0) -> Filling:
    """A small graph for an ontology: some things of each class, some statements of each property.

    `names`: (IRI, label) of real entities to speak of where the ontology has no classes; without them all are made up.
    Raises SourceError when the ontology has no property.
    """
    rng = Random(f"{seed}/filling")
    filling = Filling("the ontology alone", {t.iri: t for t in ontology.terms}, made_up=True)
    classes = [t for t in ontology.terms if t.kind == "class"]
    properties = [t for t in ontology.terms if t.kind != "class"]
    if not properties:
        raise SourceError("The ontology has no property to ask about.", "Give one with properties.")
    if WIKIDATA_TYPE in filling.terms:
        filling.type_property = WIKIDATA_TYPE
    pool = _people_the_world(filling, classes, names, rng)
    for term in properties:
        if term.iri == filling.type_property:
            continue
        subjects = [e for c in term.domain for e in filling.members.get(c, ())] or pool
        classes_in_range = [c for c in term.range if c in filling.members]
        objects = [e for c in classes_in_range for e in filling.members[c]] or pool
        rows = filling.statements[term.iri] = []
        # Some subjects have two values, so that what is several in a graph is several here.
        for _ in range(_STATEMENTS):
            subject = rng.choice(subjects)
            for _ in range(1 if rng.random() < 0.7 else 2):
                if (
                    term.kind == "datatype_property"
                    or re.search(r"(?i)\bid$", term.label)
                    or (term.range and not classes_in_range and _literal(term))
                ):
                    rows.append((subject, _made_value(term, rng)))
                else:
                    rows.append((subject, Value("uri", rng.choice(objects))))
        filling.whole.add(term.iri)
    return filling.arrange()


def _literal(term: Term) -> bool:
    return any(r.startswith(XSD) or "/datatype/" in r for r in term.range)


def _people_the_world(
    filling: Filling, classes: Sequence[Term], names: Sequence[tuple[str, str]], rng: Random
) -> list[str]:
    """Make up things: of each class and its parents, or of no class. Returns all of them."""
    taken: set[str] = set()
    members: dict[str, list[str]] = defaultdict(list)

    def add(kind: str, iri: str = "", label: str = "") -> str:
        while not label or (label in taken and not iri):
            label = made_name(rng, kind)
        iri = iri or MADE_UP + re.sub(r"\W+", "_", label).strip("_")
        if iri in filling.labels:
            return iri
        taken.add(label)
        filling.labels[iri], filling.label_of[iri] = label, RDFS_LABEL
        return iri

    for cls in classes:
        above = _ancestors(cls.iri, filling.terms)
        said = " ".join(filling.terms[c].label.lower() for c in above if c in filling.terms)
        kind = "person" if _PEOPLE.search(said) else "place" if _PLACES.search(said) else "thing"
        for _ in range(_MEMBERS):
            entity = add(kind)
            filling.types[entity] = tuple(sorted(above))
            for c in above:
                members[c].append(entity)
    if not classes:
        sound = [(i, n) for i, n in names if _WHOLE_IRI.fullmatch(i) and 2 < len(n) < 60]
        kinds = [add("thing", i, n) for i, n in sound if n[:1].islower()][:400]
        if not kinds:
            kinds = [add("thing", MADE_UP + name.replace(" ", "_"), name) for name in _KINDS_OF_ITEM]
        proper = [(i, n) for i, n in sound if not n[:1].islower()]
        entities = [add("thing", i, n) for i, n in rng.sample(proper, min(len(proper), 6000))]
        entities = entities or [add(rng.choice(("person", "place", "thing"))) for _ in range(600)]
        if filling.type_property == WIKIDATA_TYPE:
            for entity in entities:
                cls_iri = rng.choice(kinds)
                filling.types[entity] = (cls_iri,)
                members[cls_iri].append(entity)
        filling.members = dict(members)
        return entities
    filling.members = dict(members)
    return sorted(filling.labels)


def _ancestors(iri: str, terms: Mapping[str, Term]) -> set[str]:
    found, waiting = set(), [iri]
    while waiting:
        cls = waiting.pop()
        if cls in terms and cls not in found:
            found.add(cls)
            waiting += terms[cls].parents
    return found


def _made_value(term: Term, rng: Random) -> Value:
    """A value of a property's datatype."""
    datatype = next((r for r in term.range if r.startswith(XSD) or "/datatype/" in r), XSD + "string")
    local = datatype.rsplit("#", 1)[-1]
    if re.search(r"(?i)\b(id|identifier|username)$", term.label):
        return Value("literal", f"{rng.choice('ABCDEKLMNPRSTW')}{rng.randint(100, 99999)}")
    year = rng.randint(1500, 2024)
    if local == "gYear":
        return Value("literal", str(year), datatype)
    if local in ("date", "dateTime"):
        day = f"{year}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
        return Value("literal", day + ("T00:00:00Z" if local == "dateTime" else ""), datatype)
    if local == "boolean":
        return Value("literal", rng.choice(("true", "false")), datatype)
    if NUMBER.search(datatype):
        number = int(10 ** rng.uniform(0.5, 6))
        whole = re.search("nteger|int|long|short|byte", local)
        return Value(
            "literal",
            str(number) if whole else f"{number}.{rng.randint(0, 9)}",
            datatype if datatype.startswith(XSD) else XSD + "double",
        )
    return Value("literal", made_name(rng, "thing"))
