"""Turn question/query pairs into what a generator is trained and measured on.

A pair's query tells which terms and entities it needs (its gold links). They become a
`Fragment`, the same prompt code that asks writes the prompt, and the query is rewritten with
the prompt's surfaces. A pair that cannot be written so is skipped with a named reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from .directions import signs
from .entities import EntityLink
from .errors import QueryError, SourceError
from .fragment import Fragment, Hint, ScoredTerm
from .literals import QuestionLiteral, find_literals
from .ontology import Term
from .prompts import Prompt, build_prompt
from .sparql import PREFIXES, Query, parse, property_of, render
from .sparql_patterns import patterns

if TYPE_CHECKING:
    from .ontology import Ontology

RDF_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
RDFS_LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
CORE_IRIS = frozenset({RDF_TYPE, RDFS_LABEL})
_XSD = "http://www.w3.org/2001/XMLSchema#"
_TOKEN = re.compile(
    r"<[^<>\s]*>|\"(?:[^\"\\]|\\.)*\"(?:@[\w-]+|\^\^(?:<[^<>\s]*>|[\w-]+:\w+))?|\?\w+|[\w-]*:[\w.%-]*|"
    r"[A-Za-z_]\w*|\d+\.\d+(?:[eE][+-]?\d+)?|\d+|<=|>=|!=|&&|\|\||\S"
)
_PATH_SIGN = re.compile(r"(?<![?\w])([\w-]*:[\w.%-]+|p\d+|<[^<>\s]*>) ([*+])(?= [?\w<\"(])")
_VARIABLES = "abcdefgh"
_ALIASES = "nm"


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and its gold query; `line`: where it stands in its file, 0 when it stands in none."""

    question: str
    query: str
    source: str = ""
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class PreparedPair:
    """A pair as links: gold terms and entities of a fragment, and the parsed query."""

    pair: Pair
    query: Query
    terms: tuple[Term, ...]
    entities: tuple[EntityLink, ...]
    literals: tuple[QuestionLiteral, ...]
    labels: Mapping[str, str]


class SkippedPairError(Exception):
    """This pair cannot be written with symbols; the message is a countable reason."""


def read_pairs(path: Path, bad: Callable[[int, str], None] | None = None) -> Iterator[Pair]:
    """Pairs from JSON lines with `question` and `sparql` (or `query`, `sparql_wikidata`).

    Raises SourceError for a file that cannot be read, and, naming file and line, for what is no JSON object. With
    `bad` such a line is handed to it instead, by number and reason, and so is a line without a question or a query.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"The pairs file {path} cannot be read: {error}.", "Give JSON lines with `question` and `sparql`."
        ) from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            if bad is None:
                raise SourceError(
                    f"{path}, line {number}, is not JSON: {error.msg}.", "Give one JSON object per line."
                ) from error
            bad(number, "a line that is not JSON")
            continue
        if not isinstance(row, dict):
            if bad is None:
                raise SourceError(
                    f"{path}, line {number}, is no JSON object.", "Give one JSON object per line."
                )
            bad(number, "a line that is no JSON object")
            continue
        query = row.get("sparql") or row.get("sparql_wikidata") or row.get("query")
        asked = _questions(row)
        if query and isinstance(query, str):
            yield from (Pair(question, query, path.stem, number) for question in asked)
        if bad is not None and not (query and isinstance(query, str)):
            bad(number, "a line without a query")
        elif bad is not None and not asked:
            bad(number, "a line without a question of three words")


def _questions(row: Mapping[str, object]) -> list[str]:
    """The questions of a line that say something: LC-QuAD 2.0 has empty lists and "n/a" where one is missing."""
    more = row.get("paraphrases")
    asked = [row.get("question"), row.get("paraphrased_question"), *(more if isinstance(more, list) else ())]
    return sorted({q for q in asked if isinstance(q, str) and len(q.split()) > 2})


def term_pairs(pairs: Iterable[Pair], known: Set[str]) -> Iterator[tuple[str, list[str]]]:
    """(question, IRIs of the known terms that its query names), for what learns to find terms. Wikidata's statement and
    qualifier forms speak of their property too. Pairs without a term, or whose query does not parse, are left out."""
    for pair in pairs:
        try:
            gold = sorted({property_of(iri) for iri in parse(pair.query).iris()} & known)
        except QueryError:
            continue
        if gold:
            yield pair.question, gold


def directed_pairs(pairs: Iterable[Pair], known: Set[str]) -> Iterator[tuple[str, dict[str, int]]]:
    """As `term_pairs`, with the way that each term is gone in its query (`directions.signs`), 0 where there is none."""
    for pair in pairs:
        try:
            query = parse(pair.query)
        except QueryError:
            continue
        ways = signs(query)
        if gold := sorted({property_of(iri) for iri in query.iris()} & known):
            yield pair.question, {iri: ways.get(iri, 0) for iri in gold}


class Labels:
    """Names of terms and entities by IRI: from ontologies, a label table, or the local name."""

    def __init__(self, ontologies: Iterable[Ontology], entities: Mapping[str, str] | None = None) -> None:
        self.terms: dict[str, Term] = {t.iri: t for o in ontologies for t in o.terms}
        self.entities = dict(entities or {})

    def term(self, iri: str) -> Term | None:
        """The term of a vocabulary IRI; Wikidata's statement and qualifier forms give their property."""
        iri = property_of(iri)
        wikidata = iri.startswith(PREFIXES["wdt"])
        if iri in self.terms:
            return self.terms[iri]
        local = re.split(r"[#/]", iri)[-1]
        if wikidata or "/resource/" in iri or "/entity/" in iri or not local:
            return None
        if "dbpedia.org/ontology/" in iri or "dbpedia.org/property/" in iri:
            kind = "class" if local[0].isupper() and "/ontology/" in iri else "property"
            return Term(iri=iri, kind=kind, label=_words(local))  # type: ignore[arg-type]
        return None

    def entity(self, iri: str) -> str | None:
        """What an entity is called, or None when nothing is known but an opaque identifier."""
        if iri in self.entities:
            return self.entities[iri]
        local = re.split(r"[#/]", iri)[-1]
        return None if re.fullmatch(r"[A-Z]?\d+", local) else re.sub(r"_\(.*\)$", "", local).replace("_", " ")


def _words(local: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", local).replace("_", " ").lower()


def find_mention(question: str, label: str) -> tuple[int, int]:
    """Where `label` is most likely mentioned, by character-trigram overlap; (-1, -1) if nowhere."""
    words = list(re.finditer(r"[\w.'’&-]+", question))
    target = _trigrams(label)
    size = len(label.split())
    best, where = 0.45, (-1, -1)
    for length in range(max(1, size - 1), size + 2):
        for i in range(len(words) - length + 1):
            start, end = words[i].start(), words[i + length - 1].end()
            grams = _trigrams(question[start:end])
            score = len(grams & target) / len(grams | target)
            if end - start >= 5:
                # A part of a name ("Hemingway") counts by how much of it the name holds.
                score = max(score, 0.75 * len(grams & target) / len(grams))
            if score > best:
                best, where = score, (start, end)
    return where


def _trigrams(text: str) -> frozenset[str]:
    padded = f"  {text.lower().strip(' .?!,')} "
    return frozenset(padded[i : i + 3] for i in range(len(padded) - 2))


def prepare(pair: Pair, labels: Labels) -> PreparedPair:
    """The gold links of a pair. Raises SkippedPairError with a reason, QuerySyntaxError on a bad query."""
    query = parse(pair.query)
    properties = {iri for pattern in patterns(query.tree) for iri in pattern.properties} - CORE_IRIS
    terms: dict[str, Term] = {}
    entities: list[EntityLink] = []
    for iri in sorted(query.iris()):
        if iri in CORE_IRIS or iri.startswith(_XSD):
            continue
        if term := labels.term(iri):
            terms[term.iri] = term
            continue
        if iri in properties:
            raise SkippedPairError("a property outside the vocabulary")
        name = labels.entity(iri)
        if not name:
            raise SkippedPairError("an entity without a label")
        start, end = find_mention(pair.question, name)
        entities.append(
            EntityLink(
                iri=iri,
                label=name,
                mention=pair.question[max(start, 0) : max(end, 0)],
                start=start,
                end=end,
                score=1.0,
            )
        )
    spans = [(e.start, e.end) for e in entities if e.start >= 0]
    literals = tuple(
        literal
        for literal in find_literals(pair.question)
        if all(literal.end <= start or literal.start >= end for start, end in spans)
    )
    names = {
        iri: labels.terms[iri].label
        for t in terms.values()
        for iri in (*t.domain, *t.range)
        if iri in labels.terms
    }
    names.update({t.iri: t.label for t in terms.values() if t.kind == "class"})
    return PreparedPair(pair, query, tuple(terms.values()), tuple(entities), literals, names)


def to_prompt(
    prepared: PreparedPair,
    variant: str,
    *,
    rng: Random | None = None,
    distractors: Sequence[Term] = (),
    more_entities: Sequence[EntityLink] = (),
    labels: Mapping[str, str] | None = None,
    align: Callable[[Fragment], tuple[Hint, ...]] | None = None,
) -> Prompt:
    """The prompt of a prepared pair with its gold links, `distractors` and `more_entities`, shuffled by `rng`,
    and the alignments of words and terms that `align` finds."""
    terms = [*prepared.terms, *(t for t in distractors if t not in prepared.terms)]
    entities = [*prepared.entities, *more_entities]
    if rng:
        rng.shuffle(terms)
        rng.shuffle(entities)
    fragment = Fragment(
        prepared.pair.question,
        tuple(ScoredTerm(t, 1.0) for t in terms),
        tuple(entities),
        prepared.literals,
        {**prepared.labels, **(labels or {})},
    )
    if align is not None:
        fragment = replace(fragment, hints=align(fragment))
    return build_prompt(fragment, variant)


def to_target(prepared: PreparedPair, prompt: Prompt) -> str:
    """The gold query as the model should write it after `prompt`: surfaces, short variables, one space
    between tokens. Raises SkippedPairError when a literal is not stated in the question."""
    names = prompt.names()
    tokens = _TOKEN.findall(
        render(prepared.query, name=lambda iri: "a" if iri == RDF_TYPE else names.get(iri))
    )
    literals = _literal_surfaces(prompt)
    aliases = [after for before, after in zip(tokens, tokens[1:], strict=False) if before == "AS"]
    if len(set(aliases)) > len(_ALIASES):
        raise SkippedPairError("more than two computed values")
    variables = {name: f"?{letter}" for name, letter in zip(dict.fromkeys(aliases), _ALIASES, strict=False)}
    free = iter(_VARIABLES)
    out: list[str] = []
    for index, token in enumerate(tokens):
        if token.startswith("?") and len(token) > 1:
            if token not in variables:
                letter = next(free, "")
                if not letter:
                    raise SkippedPairError("more than eight variables")
                variables[token] = f"?{letter}"
            token = variables[token]
        elif (
            prompt.symbolic
            and (token.startswith('"') or token[0].isdigit())
            and not (tokens[index - 1] in ("LIMIT", "OFFSET") and _literal_key(token) not in literals)
        ):
            token = _as_surface(token, literals)
        elif prompt.symbolic and token.startswith("<") and token.endswith(">") and len(token) > 2:
            if token != f"<{RDFS_LABEL}>":
                raise SkippedPairError("an IRI outside the fragment")
            token = "rdfs:label"
        out.append(token)
    # Where a year's text is searched, `Prompt.expand` says so that it is text; models write it shorter.
    if prompt.symbolic:
        out = re.sub(r"\( STR \( (YEAR \( \?\w+ \)) \) ,", r"( \1 ,", " ".join(out)).split(" ")
    # A path sign stands against its property: rdflib's parser refuses a space there.
    text = _PATH_SIGN.sub(r"\1\2", " ".join(out)).replace(" . }", " }")
    text = re.sub(r"WHERE \{ \{ ([^{}]*) \} \}", r"WHERE { \1 }", text)
    return re.sub(r"^ASK \{", "ASK WHERE {", text)


def _literal_surfaces(prompt: Prompt) -> dict[str, str]:
    written = [s for s in prompt.surfaces if s.role in ("literal", "string")]
    out: dict[str, str] = {}
    for surface in written:
        out.setdefault(_literal_key(surface.sparql), surface.text)
    return out


def _literal_key(text: str) -> str:
    if text.startswith('"'):
        return re.sub(r"\^\^.*$", "", text).strip().lower()
    try:
        return repr(float(text))
    except ValueError:
        return text


def _as_surface(token: str, literals: Mapping[str, str]) -> str:
    if token == '"en"':
        return token
    bare = re.sub(r"@[\w-]+$", "", token)
    surface = literals.get(_literal_key(bare))
    if surface is None:
        inner = re.fullmatch(r'"([\d.]+)"(?:\^\^\S+)?', bare)
        surface = (
            literals.get(repr(float(inner[1]))) if inner and re.fullmatch(r"\d+(\.\d+)?", inner[1]) else None
        )
        if surface is None:
            if token in ("0", "1", "2"):
                return token
            raise SkippedPairError("a literal that the question does not state")
    return surface
