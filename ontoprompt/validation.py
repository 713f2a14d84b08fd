"""Is a query worth running? Syntax, safety, unknown terms, domains and ranges.

Nothing is executed. What is certainly wrong is an error; what only the ontology speaks against is a
warning, for graphs break their ontologies. What cannot be checked (a class whose ancestors are not known,
entities when none were given) is never reported as wrong, and entities are then a warning.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ontoprompt import sparql
from ontoprompt.errors import QuerySyntaxError, UnsafeQueryError

if TYPE_CHECKING:
    from ontoprompt.ontology import Term
    from ontoprompt.sparql_patterns import Node, Pattern

IssueKind = Literal["syntax", "unsafe", "unknown-term", "domain", "range"]
Severity = Literal["error", "warning"]

MAX_ALTERNATIVES = 5
_RDF_TYPE = sparql.PREFIXES["rdf"] + "type"
_THING = frozenset((sparql.PREFIXES["owl"] + "Thing", sparql.PREFIXES["rdfs"] + "Resource"))
# Terms of RDF itself are known without being named by any ontology.
_BUILT_IN = tuple(sparql.PREFIXES[prefix] for prefix in ("rdf", "rdfs", "owl"))
_XSD = sparql.PREFIXES["xsd"]
_STRINGS = frozenset((_XSD + "string", sparql.PREFIXES["rdf"] + "langString"))
_NUMBER_NAMES = """
    integer decimal double float long int short byte nonNegativeInteger positiveInteger negativeInteger
    nonPositiveInteger unsignedLong unsignedInt unsignedShort unsignedByte
"""
_NUMBERS = frozenset(_XSD + name for name in _NUMBER_NAMES.split())
_OTHER = frozenset(_XSD + n for n in ("date", "dateTime", "gYear", "gYearMonth", "time", "boolean"))


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong with a query. `subject`: the IRI or text it is about; `alternatives`: what would be
    right instead (IRIs; nearest first)."""

    kind: IssueKind
    severity: Severity
    message: str
    subject: str
    alternatives: tuple[str, ...] = ()


def validate(
    query_text: str,
    *,
    terms: Mapping[str, Term],
    allowed: Collection[str] | None = None,
    entities: Collection[str] = (),
) -> tuple[Issue, ...]:
    """All issues of a query, errors first.

    `terms`: the ontology's terms by IRI (the whole ontology where there is one: domains and ranges are
    judged by its class hierarchy); `allowed`: the only terms that may be used, None for all; `entities`:
    the IRIs that may stand as subject or object, empty where they are not known.
    """
    try:
        query = sparql.parse(query_text)
        sparql.check_read_only(query)
    except UnsafeQueryError as error:
        return (Issue("unsafe", "error", error.message, query_text),)
    except QuerySyntaxError as error:
        return (Issue("syntax", "error", error.message, query_text),)
    from ontoprompt.sparql_patterns import patterns

    found = patterns(query.tree)
    issues = [
        *_unbound(query),
        *_unknown_terms(found, terms, allowed, frozenset(entities)),
        *_Constraints(found, terms).issues(),
    ]
    return tuple(sorted(dict.fromkeys(issues), key=lambda issue: issue.severity != "error"))


def _unbound(query: sparql.Query) -> Iterator[Issue]:
    """Columns that nothing in the query can fill."""
    for column in query.unbound:
        message = f"The variable ?{column} is returned but stands nowhere in the pattern."
        others = [f"?{v}" for v in query.variables if v != column]
        yield Issue("syntax", "error", message, f"?{column}", tuple(others[:MAX_ALTERNATIVES]))


# -- unknown terms


def _unknown_terms(
    found: Iterable[Pattern],
    terms: Mapping[str, Term],
    allowed: Collection[str] | None,
    entities: frozenset[str],
) -> Iterator[Issue]:
    usable = terms if allowed is None else {iri: terms[iri] for iri in allowed if iri in terms}
    for pattern in found:
        for iri in pattern.properties:
            yield from _check_term(iri, "property", usable, terms)
        typed = pattern.predicate.value == _RDF_TYPE or _RDF_TYPE in pattern.properties
        for end in (pattern.subject, pattern.object):
            if end.kind != "iri" or end.value in entities or end.value.startswith(_BUILT_IN):
                continue
            if typed and end is pattern.object:
                yield from _check_term(end.value, "class", usable, terms)
            elif end.value in usable:
                continue
            elif end.value in terms:
                yield from _check_term(end.value, "term", usable, terms)
            else:
                yield _unknown_entity(end.value, entities)


def _check_term(
    iri: str,
    role: Literal["property", "class", "term"],
    usable: Mapping[str, Term],
    terms: Mapping[str, Term],
) -> Iterator[Issue]:
    if iri.startswith(_BUILT_IN):
        return
    term = usable.get(iri)
    if term is not None and (role == "term" or (term.kind == "class") == (role == "class")):
        return
    if term is not None:
        is_now = "class" if term.kind == "class" else "property"
        message = f"<{iri}> is a {is_now} but stands where a {role} belongs."
    elif iri in terms:
        message = f"<{iri}> is not among the terms offered for this question."
    else:
        message = f"<{iri}> is no {role} of the ontology."
    fitting = [t for t in usable.values() if role == "term" or (t.kind == "class") == (role == "class")]
    yield Issue("unknown-term", "error", message, iri, nearest(iri, fitting))


def _unknown_entity(iri: str, entities: frozenset[str]) -> Issue:
    if not entities:
        message = f"Whether the graph knows <{iri}> could not be checked."
        return Issue("unknown-term", "warning", message, iri)
    grams = _grams(_local_name(iri))
    ranked = sorted(entities, key=lambda e: (-_overlap(grams, _grams(_local_name(e))), e))
    message = f"<{iri}> is not among the entities found for this question."
    return Issue("unknown-term", "error", message, iri, tuple(ranked[:MAX_ALTERNATIVES]))


def nearest(iri: str, terms: Iterable[Term], n: int = MAX_ALTERNATIVES) -> tuple[str, ...]:
    """The IRIs of the `n` terms whose name or label looks most like the last part of `iri`, by shared
    trigrams; among equals the one used most."""
    grams = _grams(_local_name(iri))
    scored = []
    for term in terms:
        names = (_local_name(term.iri), term.label, *term.aliases)
        score = max(_overlap(grams, _grams(name)) for name in names)
        if score > 0.2:
            scored.append((-score, -term.usage, term.iri))
    return tuple(iri for _, _, iri in sorted(scored)[:n])


def _local_name(iri: str) -> str:
    return re.split(r"[/#:]", iri.rstrip("/#"))[-1]


def _grams(name: str) -> frozenset[str]:
    plain = "  " + "".join(c for c in name.lower() if c.isalnum()) + " "
    return frozenset(plain[i : i + 3] for i in range(len(plain) - 2))


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return 2 * len(one & other) / (len(one) + len(other))


# -- domains and ranges


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a pattern says of one of its ends: an instance of one of `classes`, or a literal.

    `source` is the property or class that says so, `place` the end of the pattern it speaks of.
    """

    classes: tuple[str, ...]
    literal: bool | None
    source: str
    place: Literal["type", "domain", "range"]
    pattern: Pattern


class _Constraints:
    """Claims about the nodes of a query, and which of them contradict each other."""

    def __init__(self, found: Iterable[Pattern], terms: Mapping[str, Term]) -> None:
        self.patterns = tuple(found)
        self.terms = terms

    def issues(self) -> Iterator[Issue]:
        claims: dict[Node, list[_Claim]] = {}
        for pattern in self.patterns:
            if pattern.predicate.kind != "iri":
                continue
            for node, claim in self._claims(pattern):
                if node.kind == "variable":
                    claims.setdefault(node, []).append(claim)
                else:
                    yield from self._fixed_end(node, claim)
        for node, said in claims.items():
            for i, one in enumerate(said):
                for other in said[i + 1 :]:
                    if _together(one.pattern.scope, other.pattern.scope) and not self._agree(one, other):
                        yield self._contradiction(node, one, other)

    def _claims(self, pattern: Pattern) -> Iterator[tuple[Node, _Claim]]:
        iri = pattern.predicate.value
        if iri == _RDF_TYPE:
            if pattern.object.kind == "iri":
                yield (
                    pattern.subject,
                    _Claim((pattern.object.value,), False, pattern.object.value, "type", pattern),
                )
            return
        term = self.terms.get(iri)
        if term is None or term.kind == "class":
            return
        yield pattern.subject, _Claim(term.domain, False, iri, "domain", pattern)
        literal = {"object_property": False, "datatype_property": True}.get(term.kind)
        yield pattern.object, _Claim(term.range, literal, iri, "range", pattern)

    def _fixed_end(self, node: Node, claim: _Claim) -> Iterator[Issue]:
        """A literal or an IRI at the end of a pattern: is it of the kind that the property takes?"""
        if claim.place != "range" or claim.literal is None:
            return
        legal = claim.classes
        if node.kind == "literal" and not claim.literal:
            message = f"<{claim.source}> leads to things, not to values such as {node.value!r}."
            yield Issue("range", "warning", message, claim.source, legal)
        elif node.kind == "iri" and claim.literal:
            message = f"<{claim.source}> leads to values, not to things such as <{node.value}>."
            yield Issue("range", "warning", message, claim.source, legal)
        elif node.kind == "literal" and not _fits_datatype(node, legal):
            message = f"<{claim.source}> leads to values of another type than {node.value!r} is."
            yield Issue("range", "warning", message, claim.source, legal)

    def _agree(self, one: _Claim, other: _Claim) -> bool:
        if one.literal is not None and other.literal is not None and one.literal != other.literal:
            return False
        if one.literal or other.literal:
            return True
        if one.place == other.place == "type" or not one.classes or not other.classes:
            return True
        return any(self._related(a, b) for a in one.classes for b in other.classes)

    def _related(self, one: str, other: str) -> bool:
        """Is one class an ancestor of the other, or can that not be told?"""
        if one == other or one in _THING or other in _THING:
            return True
        first, sure = self._ancestors(one)
        second, sure_too = self._ancestors(other)
        return other in first or one in second or not (sure and sure_too)

    def _ancestors(self, iri: str) -> tuple[frozenset[str], bool]:
        """All superclasses of a class, and whether every one of them is known."""
        seen: set[str] = set()
        open_ends = [iri]
        sure = True
        while open_ends:
            current = open_ends.pop()
            if current in seen or current.startswith(_BUILT_IN):
                continue
            seen.add(current)
            term = self.terms.get(current)
            if term is None:
                sure = False
            else:
                open_ends += term.parents
        return frozenset(seen - {iri}), sure

    def _contradiction(self, node: Node, one: _Claim, other: _Claim) -> Issue:
        # A property is blamed before a type, and the later of two properties.
        blamed, witness = (one, other) if other.place == "type" else (other, one)
        name = f"?{node.value}" if not node.value.startswith(" ") else "the node between"
        if blamed.literal != witness.literal and None not in (blamed.literal, witness.literal):
            what = "values" if blamed.literal else "things"
            message = (
                f"<{blamed.source}> makes {name} one of its {what}, but <{witness.source}> says otherwise."
            )
        else:
            verb = "starts from" if blamed.place == "domain" else "leads to"
            message = (
                f"<{blamed.source}> {verb} {_listed(blamed.classes)}, "
                f"but {name} is {_listed(witness.classes)} by <{witness.source}>."
            )
            if self._fits_reversed(blamed, witness):
                message += " The other way round it would fit."
        return Issue(
            "range" if blamed.place == "range" else "domain",
            "warning",
            message,
            blamed.source,
            blamed.classes,
        )

    def _fits_reversed(self, blamed: _Claim, witness: _Claim) -> bool:
        term = self.terms[blamed.source]
        others = term.range if blamed.place == "domain" else term.domain
        return term.kind == "object_property" and any(
            self._related(a, b) for a in others for b in witness.classes
        )


def _together(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Must both patterns hold at once? One group around the other, and no negation between them."""
    short, long = sorted((one, other), key=len)
    return long[: len(short)] == short and all(step > 0 for step in long[len(short) :])


def _fits_datatype(node: Node, legal: Collection[str]) -> bool:
    """May a literal stand where one of the `legal` datatypes is expected? Unknown datatypes take all."""
    own = node.datatype or _XSD + "string"
    families = (_STRINGS, _NUMBERS, *(frozenset((datatype,)) for datatype in _OTHER))
    expected = [family for datatype in legal for family in families if datatype in family]
    if len(expected) < len(legal) or not legal:
        return True
    return any(own in family for family in expected)


def _listed(classes: Collection[str]) -> str:
    return " or ".join(f"<{iri}>" for iri in list(classes)[:3])
