"""Queries that are nearly right: what a model that judges queries must tell from the gold one.

They are made of a gold query in symbols: a pattern is turned round, properties or entities change places, the query of
another question is filled with this one's terms, or a term or an entity is replaced by one that retrieval or a linker
finds beside it. That is how the candidates of a generator differ (bench/LOG.md). Counterfactual queries as negatives
are from text-to-SQL reranking (Kelkar et al. 2020, Bertrand-DR).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from random import Random

from .entities import EntityLink
from .errors import QueryError
from .ontology import Term
from .pairs import PreparedPair, SkippedPairError, to_prompt, to_target
from .query_words import LEADS, LETTERS, query_words
from .sparql import PREFIXES

_VARIANT = "nsql-symbols"
_SYMBOL = re.compile(r"(?<![\w?:])([cpels]\d{1,3})(?!\w)")
_SLOT = re.compile(r"(?<![\w?:])([CPELS]\d+)")
_TRIPLE = re.compile(r"(?<!\S)(\?\w+|e\d+) (p\d+) (\?\w+|e\d+)(?= [.}])")
_LETTER = re.compile(rf"(?<!\w)[{''.join(LETTERS)}](?!\w)")
_IN_WORDS = re.compile(rf"((?:(?:{'|'.join(LEADS)}) )?)(.*?)((?: (?:order by|limit) .*)?)")
_FORMS = {"p:": "p", "ps:": "ps", "pq:": "pq"}
# Symbols from here on stand for what is not meant.
_FIRST_WRONG = 60
_WRONG_TERMS, _WRONG_ENTITIES = 14, 8
# The nearer to the top of its list, the likelier a wrong term is drawn: the mean of an exponential.
_DEPTH = 4.0
# Frequent shapes are drawn less often than they occur, rare ones more.
_FLATTENED = 0.6
# Terms that many queries use are at hand for every question, as retrieval has them: left out, what uses them would be
# taken for right (bench/LOG.md).
_USUAL, _AT_HAND = 3, 0.5
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Shaped:
    """A pair in symbols. `iris`: symbol → IRI, or a literal as SPARQL writes it; `shape`: the query with numbered
    slots for symbols; `terms`, `entities`: what else was found for its question, best first."""

    question: str
    target: str
    iris: Mapping[str, str]
    names: Mapping[str, str]
    shape: str
    symbols: tuple[str, ...]
    terms: tuple[Term, ...]
    entities: tuple[EntityLink, ...]


def shaped(pair: PreparedPair, near: Sequence[Term] = (), rivals: Sequence[EntityLink] = ()) -> Shaped | None:
    """A pair with what retrieval (`near`) and a linker (`rivals`) find for its question; None when it cannot be
    written in symbols."""
    try:
        prompt = to_prompt(pair, _VARIANT)
        target = to_target(pair, prompt)
    except (SkippedPairError, QueryError):
        return None
    slots: dict[str, str] = {}
    for symbol in _SYMBOL.findall(target):
        kind = symbol[0].upper()
        slots.setdefault(symbol, f"{kind}{1 + sum(s[0] == kind for s in slots.values())}")
    labels = {t.label for t in pair.terms}
    taken = {e.iri for e in pair.entities} | {e.label.lower() for e in pair.entities}
    return Shaped(
        pair.pair.question,
        target,
        {s.text: s.iri if s.role in ("class", "property", "entity") else s.sparql for s in prompt.surfaces},
        {t.iri: t.label for t in pair.terms} | {e.iri: e.label for e in pair.entities},
        _SYMBOL.sub(lambda m: slots[m[1]], target),
        tuple(slots),
        tuple(t for t in near if t.label not in labels)[:_WRONG_TERMS],
        tuple(e for e in rivals if e.iri not in taken and e.label.lower() not in taken)[:_WRONG_ENTITIES],
    )


class NearMisses:
    """Draws near misses; the shapes of queries and the usual terms come from `pairs`, those over Wikidata, over DBpedia and
    over other vocabularies apart."""

    def __init__(self, pairs: Iterable[Shaped]) -> None:
        shapes: dict[str, Counter[str]] = {}
        terms: dict[str, Counter[tuple[str, str, str]]] = {}
        for pair in pairs:
            graph = _graph(pair)
            shapes.setdefault(graph, Counter())[pair.shape] += 1
            used = [(s[0], pair.iris[s]) for s in pair.symbols if s[0] in "cp"]
            terms.setdefault(graph, Counter()).update(
                (k, i, pair.names[i]) for k, i in used if i in pair.names
            )
        self.shapes = {
            graph: [(shape, n**_FLATTENED, _sizes(shape)) for shape, n in found.items()]
            for graph, found in shapes.items()
        }
        self.usual = {graph: [t for t, _ in found.most_common(_USUAL)] for graph, found in terms.items()}

    def draw(self, pair: Shaped, rng: Random, count: int) -> tuple[str, list[str]]:
        """The gold query in words, and up to `count` others, no two alike."""
        graph = _graph(pair)
        usual = [t for t in self.usual.get(graph, ()) if rng.random() < _AT_HAND]
        drawing = _Drawing(pair, rng, self.shapes.get(graph, []), usual)
        gold = query_words(in_sparql(pair.target, drawing.iris), drawing.names)
        found: dict[str, str] = {}
        taken = same_but_for_order(gold)
        for _ in range(_TRIES * count):
            if len(found) == count:
                break
            text = drawing.one()
            if not text or text == pair.target:
                continue
            words = query_words(in_sparql(text, drawing.iris), drawing.names)
            key = same_but_for_order(words)
            if key != taken:
                found.setdefault(key, words)
        return gold, list(found.values())


class _Drawing:
    """One question's near misses as they are drawn."""

    def __init__(
        self,
        pair: Shaped,
        rng: Random,
        shapes: Sequence[tuple[str, float, Counter[str]]],
        usual: Sequence[tuple[str, str, str]] = (),
    ) -> None:
        self.pair, self.rng = pair, rng
        self.iris, self.names = dict(pair.iris), dict(pair.names)
        self.wrong: dict[str, list[str]] = {kind: [] for kind in "cpels"}
        self.right = {kind: [s for s in pair.symbols if s[0] == kind] for kind in "cpels"}
        for kind in "ls":
            self.right[kind] = [s for s in pair.iris if s[0] == kind]
        known = set(self.iris.values()) | {t.iri for t in pair.terms}
        for number, (kind, iri, label) in enumerate(usual, _FIRST_WRONG + _WRONG_TERMS):
            if iri not in known:
                self._add(kind, number, iri, label)
        for number, term in enumerate(pair.terms, _FIRST_WRONG):
            self._add("c" if term.kind == "class" else "p", number, term.iri, term.label)
        for number, entity in enumerate(pair.entities, _FIRST_WRONG):
            self._add("e", number, entity.iri, entity.label)
        self.shapes = [(shape, weight) for shape, weight, sizes in shapes if self._holds(sizes)]

    def _add(self, kind: str, number: int, iri: str, label: str) -> None:
        symbol = f"{kind}{number}"
        self.iris[symbol], self.names[iri] = iri, label
        self.wrong[kind].append(symbol)

    def _holds(self, sizes: Counter[str]) -> bool:
        """Whether a shape can be filled: at most one thing more than the gold query has of each kind."""
        room = {k.upper(): len(self.right[k]) + bool(self.wrong[k]) for k in "ce"}
        room |= {"P": len(self.right["p"]) + 1, "L": len(self.right["l"]), "S": len(self.right["s"])}
        return all(sizes[kind] <= most for kind, most in room.items())

    def one(self) -> str | None:
        """A query in symbols, None where what was tried is not possible."""
        target, rng = self.pair.target, self.rng
        way = rng.random()
        if way < 0.16:
            return self._turned(target)
        if way < 0.26:
            return self._moved(target)
        if way < 0.66:
            return self._filled(0.0 if way < 0.46 else 0.35)
        if way < 0.86:
            return self._replaced(target, 1)
        target = self._replaced(target, rng.choice((1, 2)))
        return self._turned(target) if rng.random() < 0.5 else self._moved(target)

    def _turned(self, target: str) -> str | None:
        """With one pattern the other way round."""
        triples = list(_TRIPLE.finditer(target))
        if not triples:
            return None
        m = self.rng.choice(triples)
        return f"{target[: m.start()]}{m[3]} {m[2]} {m[1]}{target[m.end() :]}"

    def _moved(self, target: str) -> str:
        """With its properties, or its entities, in each other's places."""
        kinds = [kind for kind in "pe" if len(self.right[kind]) > 1] or ["e"]
        before = self.right[self.rng.choice(kinds)]
        after = dict(zip(before, self.rng.sample(before, len(before)), strict=True))
        return _SYMBOL.sub(lambda m: after.get(m[1], m[1]), target)

    def _replaced(self, target: str, count: int) -> str:
        """With `count` terms or entities that are not meant."""
        symbols = [s for s in dict.fromkeys(_SYMBOL.findall(target)) if self.wrong[s[0]]]
        after = {s: self._near(self.wrong[s[0]]) for s in self.rng.sample(symbols, min(count, len(symbols)))}
        return _SYMBOL.sub(lambda m: after.get(m[1], m[1]), target)

    def _filled(self, wrong: float) -> str | None:
        """The query of another question, filled with what stands here; `wrong`: how likely each is not meant."""
        if not self.shapes:
            return None
        shape = self.rng.choices([s for s, _ in self.shapes], [w for _, w in self.shapes])[0]
        filled: dict[str, str] = {}
        for slot in dict.fromkeys(_SLOT.findall(shape)):
            right, others = self.right[slot[0].lower()], self.wrong[slot[0].lower()]
            free = [s for s in right if s not in filled.values()] or right
            if others and (not right or self.rng.random() < wrong):
                filled[slot] = self._near(others)
            elif free:
                filled[slot] = self.rng.choice(free)
            else:
                return None
        return _SLOT.sub(lambda m: filled[m[1]], shape)

    def _near(self, symbols: Sequence[str]) -> str:
        return symbols[min(int(self.rng.expovariate(1 / _DEPTH)), len(symbols) - 1)]


def in_sparql(text: str, iris: Mapping[str, str]) -> str:
    """A query in symbols as plain SPARQL, by what its symbols stand for."""
    out: list[str] = []
    form = ""
    for token in text.split():
        if token in _FORMS:
            form = _FORMS[token]
            continue
        symbol = token.rstrip("*+")
        meant = iris.get(symbol)
        if meant is None:
            out.append(token)
        elif symbol[0] in "ls":
            out.append(meant)
        else:
            if form:
                meant = PREFIXES[form] + meant.rsplit("/", 1)[-1]
            out.append(f"<{meant}>{token[len(symbol) :]}")
        form = ""
    return " ".join(out)


def same_but_for_order(words: str) -> str:
    """What queries in words share when they differ in the order of their patterns, or the letters of variables."""
    found = _IN_WORDS.fullmatch(words)
    if found is None:
        return words
    lead, patterns, tail = found.groups("")
    letters = sorted(set(_LETTER.findall(patterns)))[:3]
    keys = []
    for order in permutations(LETTERS[: len(letters)]):
        to = dict(zip(letters, order, strict=True))
        renamed = [_renamed(text, to) for text in patterns.split(" ; ")]
        keys.append(f"{lead}{' ; '.join(sorted(renamed))}{_renamed(tail, to)}")
    return min(keys)


def _renamed(text: str, to: Mapping[str, str]) -> str:
    return _LETTER.sub(lambda m: to.get(m[0], m[0]), text)


def _graph(pair: Shaped) -> str:
    """The graph of a pair by its terms; empty for any but the two."""
    for prefix in ("wdt", "dbo", "dbp"):
        if any(iri.startswith(PREFIXES[prefix]) for iri in pair.iris.values()):
            return "wikidata" if prefix == "wdt" else "dbpedia"
    return ""


def _sizes(shape: str) -> Counter[str]:
    return Counter(slot[0] for slot in set(_SLOT.findall(shape)))
