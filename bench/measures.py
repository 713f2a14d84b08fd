"""How right a predicted query is, without any graph: one set of measures for every benchmark.

Exact match of canonical queries, suite accuracy (`ontoprompt.witness`), terms, BLEU and token F1. A prediction that does
not parse, or does more than read, is wrong by every measure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Any

from ontoprompt import sparql
from ontoprompt.errors import QueryError
from ontoprompt.pairs import CORE_IRIS, RDF_TYPE
from ontoprompt.sparql_patterns import patterns
from ontoprompt.witness import judge

_ENTITY = re.compile(r"/(?:resource|entity)/")
_XSD = "http://www.w3.org/2001/XMLSchema#"
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|<[^<>\s]*>|\?\w+|[\w:.-]+|[^\s\w]')


@dataclass(frozen=True, slots=True)
class Scores:
    """The measures of one prediction. Precision, recall and F1 are over the set of IRIs of gold and prediction, and
    over those of each kind, None where neither names one (`kinds_of`); `unknown_terms`: IRIs that `known` does not hold; `error`: the first thing that is wrong, empty when the suite
    finds no difference."""

    exact: bool
    suite_strict: bool
    suite_lenient: bool
    undecided: bool
    term_precision: float
    term_recall: float
    term_f1: float
    valid: bool
    unknown_terms: int
    bleu: float
    token_f1: float
    error: str
    entity_f1: float | None = None
    property_f1: float | None = None
    class_f1: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The measures as a row holds them."""
        return asdict(self)


_INVALID = Scores(False, False, False, False, 0.0, 0.0, 0.0, False, 0, 0.0, 0.0, "invalid")


def score(
    gold: str | sparql.Query,
    predicted: str,
    *,
    graph: str = "",
    known: Collection[str] | None = None,
    seed: int = 0,
) -> Scores:
    """All measures of a predicted query. `known`: the IRIs that exist; None when that is not known, and then no
    term is unknown. Raises QueryError when the gold does not parse."""
    right = sparql.parse(gold) if isinstance(gold, str) else gold
    try:
        query = sparql.parse(predicted)
        sparql.check_read_only(query)
    except QueryError:
        entity_f1, property_f1, class_f1 = (0.0 if kind else None for kind in kinds_of(right))
        return replace(_INVALID, entity_f1=entity_f1, property_f1=property_f1, class_f1=class_f1)
    exact = sparql.canonical(query) == sparql.canonical(right)
    verdict = judge(right, query, graph=graph, seed=seed)
    wanted, got = _terms(right), _terms(query)
    precision, recall, f1 = _overlap(wanted, got)
    kinds = zip(kinds_of(right), kinds_of(query), strict=True)
    entity_f1, property_f1, class_f1 = (_overlap(*both)[2] if any(both) else None for both in kinds)
    # What variables are called is the writer's own affair: in order of appearance, as papers that report BLEU do it.
    texts = [sparql.render(q, name=sparql.prefixed, rename_variables=True) for q in (right, query)]
    return Scores(
        exact=exact,
        suite_strict=verdict.equivalent,
        suite_lenient=verdict.lenient,
        undecided=verdict.undecided,
        term_precision=precision,
        term_recall=recall,
        term_f1=f1,
        valid=True,
        unknown_terms=0 if known is None else sum(iri not in known for iri in got - CORE_IRIS),
        bleu=_bleu(*texts),
        token_f1=_token_f1(*texts),
        error="" if verdict.equivalent else _error(right, query, wanted, got),
        entity_f1=entity_f1,
        property_f1=property_f1,
        class_f1=class_f1,
    )


def _overlap(wanted: set[str], got: set[str]) -> tuple[float, float, float]:
    """Precision, recall and F1 of a set; nothing wanted and nothing there is right."""
    shared = len(wanted & got)
    precision = shared / len(got) if got else float(not wanted)
    recall = shared / len(wanted) if wanted else float(not got)
    return precision, recall, 2 * precision * recall / (precision + recall) if shared else precision * recall


def kinds_of(query: sparql.Query) -> tuple[set[str], set[str], set[str]]:
    """The entities, properties and classes of a query, told by where they stand: a property names an edge, a class is
    what rdf:type leads to, an entity all else. Not among them: rdf:type and rdfs:label, which every query may name.

    On Wikidata a class is an item like others (P31 is a property), and counts as an entity."""
    found = patterns(query.tree)
    properties = {sparql.property_of(iri) for pattern in found for iri in pattern.properties}
    classes = {
        p.object.value for p in found if p.predicate.value == RDF_TYPE and p.object.kind == "iri"
    } - properties
    entities = _terms(query) - properties - classes
    return entities - CORE_IRIS, properties - CORE_IRIS, classes


def _terms(query: sparql.Query) -> set[str]:
    """The IRIs of a query; Wikidata's statement and qualifier forms count as their property."""
    out = set()
    for iri in query.iris():
        if not iri.startswith(_XSD):
            out.add(sparql.property_of(iri))
    return out


def _error(right: sparql.Query, query: sparql.Query, wanted: set[str], got: set[str]) -> str:
    if {i for i in wanted if _ENTITY.search(i)} != {i for i in got if _ENTITY.search(i)}:
        return "wrong entity"
    if wanted != got:
        return "wrong term"
    same = shape_of(right) == shape_of(query)
    return "wrong literal" if same and _literals(right) != _literals(query) else "wrong shape"


def _literals(query: sparql.Query) -> Counter[str]:
    text = re.sub(r"<[^<>\s]*>", "", sparql.render(query))
    return Counter(re.findall(r'"(?:[^"\\]|\\.)*"|(?<![\w?])\d+(?:\.\d+)?', text))


def shape_of(query: sparql.Query) -> str:
    """A query with its terms and literals taken out: one text for all queries of a shape.

    The form of a property stays: a statement is not a direct value, a type no other property.
    """

    def blank(iri: str) -> str:
        if iri in CORE_IRIS:
            return f"<{iri}>"
        wikidata = re.match(r"(http://www\.wikidata\.org/prop/(?:direct/|statement/|qualifier/)?)P\d+$", iri)
        return f"<{wikidata[1]}_>" if wikidata else "<urn:_>"

    text = sparql.render(query, name=blank)
    text = re.sub(r'"(?:[^"\\]|\\.)*"(?:@[\w-]+|\^\^<[^<>]*>)?', '"_"', text)
    text = re.sub(r"(?<![\w?<:/#.-])\d+(?:\.\d+)?(?![\w>])", "0", text)
    try:
        return sparql.canonical(sparql.parse(text))
    except QueryError:
        return text


def form_of(query: sparql.Query) -> str:
    """`ask`, `count`, `ordered` or `select`."""
    text = sparql.render(query)
    if query.form == "ask":
        return "ask"
    if re.search(r"\b(?:COUNT|SUM|AVG|MIN|MAX)\s*\(", text):
        return "count"
    return "ordered" if "ORDER BY" in text else "select"


def _token_f1(gold: str, predicted: str) -> float:
    wanted, got = Counter(_TOKEN.findall(gold)), Counter(_TOKEN.findall(predicted))
    shared = sum((wanted & got).values())
    return 2 * shared / (sum(wanted.values()) + sum(got.values()))


def _bleu(gold: str, predicted: str) -> float:
    """Sentence BLEU in percent (Papineni et al. 2002; sacrebleu, effective order, its own tokens left as they are)."""
    from sacrebleu.metrics import BLEU

    tokens = [" ".join(_TOKEN.findall(text)) for text in (predicted, gold)]
    metric = BLEU(effective_order=True, tokenize="none")
    return float(metric.sentence_score(tokens[0], [tokens[1]]).score)
