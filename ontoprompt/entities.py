"""Mentions in a question → the entities they may mean, from the names of a graph.

There is no name tagger: every stretch of up to eight words is looked up among the names, and what is found is
judged by how well it fits a name, how much it is written like a name, how connected the entity is, and which
type is wanted. Not covered: pronouns, descriptions ("the Iron Lady" unless it is an alias), and more than one
misspelt word in a name.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ontoprompt import names
from ontoprompt.entity_build import build_entity_index
from ontoprompt.entity_index import EntityIndex, NamedEntity, NameKind
from ontoprompt.question_words import COMMON_WORDS, STOP_WORDS

__all__ = ["EntityIndex", "EntityLink", "Linker", "LocalLinker", "build_entity_index"]

_KIND_QUALITY: Mapping[NameKind, float] = {"label": 0.97, "alias": 0.93, "local-name": 0.93, "short": 0.85}
_EXACT = 1.03  # written letter by letter as the name is
_PLURAL = 0.92
_MISSPELT = 0.85
_PARTIAL = 0.8  # some words of a name only
_FLOOR = 0.2  # links below this are noise
_LONGEST_QUESTION = 600  # words that are looked at
_NEAR = 3  # words between a mention and a word that says its type
_FUZZY_WORDS = 12  # words of a question whose spelling is doubted, at most
_FUZZY_SPAN = 5


@dataclass(frozen=True, slots=True)
class EntityLink:
    """An entity that the words `mention` at `start:end` of the question may mean.

    `score` is in 0..1 and comparable between mentions; `types` are the classes that the graph states for the
    entity; `degree` counts the triples that mention it (0: unknown).
    """

    iri: str
    label: str
    mention: str
    start: int
    end: int
    score: float
    types: tuple[str, ...] = ()
    degree: int = 0


class Linker(Protocol):
    """Finds the entities that a question mentions."""

    def link(self, question: str, *, k: int = 5, types: Collection[str] = ()) -> tuple[EntityLink, ...]:
        """At most `k` entities for each mention, all of them best first. `types`: classes that are wanted."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """One stretch `first:last` of the question's words read as a name: the lookup key and what it costs."""

    first: int
    last: int
    key: str
    quality: float = 1.0


@dataclass(frozen=True, slots=True)
class _Match:
    """An entity found for a reading, before types and competitors are known."""

    reading: _Reading
    entity: NamedEntity
    quality: float


class LocalLinker:
    """Links against an `EntityIndex`."""

    def __init__(self, index: EntityIndex | str | Path) -> None:
        self.index = index if isinstance(index, EntityIndex) else EntityIndex.open(index)

    def link(self, question: str, *, k: int = 5, types: Collection[str] = ()) -> tuple[EntityLink, ...]:
        """See `Linker.link`. Raises ArtifactError when the index turns out to be damaged."""
        scan = _Scan(self.index, question)
        matches = scan.resolved(scan.exact())
        for more in (scan.misspelt, scan.partial):
            taken = {place for match in matches for place in range(match.reading.first, match.reading.last)}
            matches = [*matches, *scan.resolved(more(taken))]
        links = scan.ranked(matches, k, frozenset(types))
        return tuple(sorted(links, key=lambda link: (-link.score, link.start, -link.degree, link.iri)))


class _Scan:
    """One question on its way to links."""

    def __init__(self, index: EntityIndex, question: str) -> None:
        self.index, self.question = index, question
        self.words = names.words(question)[:_LONGEST_QUESTION]
        inner = [word for word in self.words if not word.opening]
        self.lower = not any(word.capital for word in inner) or all(
            self.text(place, place + 1).isupper() or not word.key.isalpha()
            for place, word in enumerate(self.words)
        )
        self.plain = [names.is_ordinary(word.key, index.vocabulary) for word in self.words]

    def text(self, first: int, last: int) -> str:
        """The question's own letters from word `first` up to word `last`."""
        return self.question[self.words[first].start : self.words[last - 1].end]

    def exact(self) -> list[_Match]:
        """Stretches that are names, singulars of plurals and titles with a space too few or too many."""
        readings: list[_Reading] = []
        for first in range(len(self.words)):
            for last in range(first + 1, min(first + names.MAX_WORDS, len(self.words)) + 1):
                keys = [word.key for word in self.words[first:last]]
                if keys[0] == "the" and len(keys) > 1:
                    continue  # the stretch without it has the same key and takes the article in
                readings.append(_Reading(first, last, names.join(keys)))
                for singular in names.singulars(keys[-1]):
                    readings.append(_Reading(first, last, names.join([*keys[:-1], singular]), _PLURAL))
        return self.found(readings)

    def misspelt(self, taken: Collection[int]) -> list[_Match]:
        """Stretches with one word that is one edit away from a word of a name."""
        doubted = [place for place in range(len(self.words)) if self._may_be_misspelt(place, taken)]
        doubted = doubted[:_FUZZY_WORDS]
        keys = {self.words[place].key for place in doubted}
        known, near = self.index.known_words(keys), self.index.similar_words(keys)
        readings: list[_Reading] = []
        for place in doubted:
            own = self.words[place].key
            for word in near.get(own, ()):
                readings += self._with_word(place, word, taken, alone=own not in known)
            for cut in range(2, len(own) - 1):
                readings.append(_Reading(place, place + 1, f"{own[:cut]} {own[cut:]}", _MISSPELT))
            if place + 1 < len(self.words) and place + 1 not in taken:
                readings.append(_Reading(place, place + 2, own + self.words[place + 1].key, _MISSPELT))
        return self.found(readings)

    def _may_be_misspelt(self, place: int, taken: Collection[int]) -> bool:
        word = self.words[place]
        if place in taken or self.plain[place] or len(word.key) < names.MIN_FUZZY or not word.key.isalpha():
            return False
        if self._is_name_like(place):
            return True
        # "whcih" is no name, and "rivr" neither.
        return self.lower and not any(
            names.one_edit_apart(word.key, other)
            for other in (*STOP_WORDS, *COMMON_WORDS)
            if len(other) >= names.MIN_FUZZY
        )

    def _is_name_like(self, place: int) -> bool:
        word = self.words[place]
        return word.quoted or (word.capital and not word.opening and not self.lower)

    def _with_word(self, place: int, word: str, taken: Collection[int], alone: bool) -> Iterable[_Reading]:
        """Stretches around a word, with another word in its place."""
        count = len(self.words)
        for first in range(max(0, place - _FUZZY_SPAN + 1), place + 1):
            for last in range(place + 1, min(count, first + _FUZZY_SPAN) + 1):
                if (last - first == 1 and not alone) or any(p in taken for p in range(first, last)):
                    continue
                keys = [w.key for w in self.words[first:last]]
                keys[place - first] = word
                yield _Reading(first, last, names.join(keys), _MISSPELT)

    def partial(self, taken: Collection[int]) -> list[_Match]:
        """Capitalised stretches that are a part of a name: `Einstein` of `Albert Einstein`."""
        matches: list[_Match] = []
        for first, last in self._unread(taken):
            keys = [word.key for word in self.words[first:last]]
            found = self.index.holding(keys)
            quality = 1.0
            if not found and last - first == 1 and len(keys[0]) >= names.MIN_FUZZY:
                near = self.index.similar_words(keys).get(keys[0], [])[:1]
                found, quality = (self.index.holding(near) if near else []), _MISSPELT
            for entity in found:
                size = len(entity.key.split())
                share = _PARTIAL * quality * math.sqrt((last - first) / max(size, last - first))
                matches.append(_Match(_Reading(first, last, entity.key), entity, share))
        return matches

    def _unread(self, taken: Collection[int]) -> list[tuple[int, int]]:
        """Stretches not yet read, of words written like names, or single unusual words of a lower-case
        question."""
        stretches: list[tuple[int, int]] = []
        for place in range(len(self.words)):
            if place in taken or not (self._is_name_like(place) or (self.lower and not self.plain[place])):
                continue
            if self.words[place].key.isdigit() or len(self.words[place].key) < 3:
                continue
            if stretches and stretches[-1][1] == place:
                stretches[-1] = (stretches[-1][0], place + 1)
            else:
                stretches.append((place, place + 1))
        return stretches[:_FUZZY_WORDS]

    def found(self, readings: Sequence[_Reading]) -> list[_Match]:
        """What the index knows of the readings, one match per stretch and entity."""
        entities = self.index.lookup({reading.key for reading in readings})
        best: dict[tuple[int, int, int], _Match] = {}
        for reading in readings:
            for entity in entities.get(reading.key, ()):
                match = self._match(reading, entity)
                place = (match.reading.first, match.reading.last, entity.id)
                if place not in best or best[place].quality < match.quality:
                    best[place] = match
        return list(best.values())

    def _match(self, reading: _Reading, entity: NamedEntity) -> _Match:
        first, last = reading.first, reading.last
        title = names.fold(entity.name).startswith("the ")
        if title and first > 0 and self.words[first - 1].key == "the":
            reading = replace(reading, first=first - 1)
        quality = reading.quality * _KIND_QUALITY[entity.kind]
        written = self.text(reading.first, last)
        if entity.kind == "short":
            if self._says_qualifier(entity, range(first, last)):
                quality = reading.quality * _KIND_QUALITY["label"]
        elif written == entity.name and entity.kind != "alias":
            quality *= _EXACT
        elif title and reading.first == first:
            quality *= 0.9
        return _Match(reading, entity, quality)

    def _says_qualifier(self, entity: NamedEntity, span: range) -> bool:
        """Whether the question also says what tells this entity from others: `Queen … band`."""
        parts = names.unqualified(entity.name)
        notes = set(names.key_of(parts[1]).split()) - STOP_WORDS if parts else set()
        said = {form for place, word in enumerate(self.words) if place not in span
                for form in (word.key, *names.singulars(word.key))}
        return bool(notes) and notes <= said

    def likeness(self, first: int, last: int) -> float:
        """How much a stretch is written like a name, 0 (an ordinary word) to 1."""
        span = self.words[first:last]
        if all(word.quoted for word in span):
            return 1.0
        content = [place for place in range(first, last) if self.words[place].key not in STOP_WORDS]
        marked = [place for place in content if self.words[place].capital and not self.lower]
        if last - first == 1:
            return self._likeness_of_word(first)
        capitals = [place for place in range(first, last) if self.words[place].capital]
        if not self.lower and (len(marked) == len(content) > 0 or len(capitals) == last - first):
            return 1.0
        unusual = any(not self.plain[place] for place in range(first, last))
        if marked:
            return 0.9
        if unusual:
            return 0.95 if self.lower else 0.8
        if len(content) > 1 and last - first > 2:
            return 0.8 if self.lower else 0.7
        return 0.35 if content else 0.0

    def _likeness_of_word(self, place: int) -> float:
        word, plain = self.words[place], self.plain[place]
        if word.key.isdigit():
            return 0.35
        if word.capital and not self.lower:
            if not word.opening:
                return 1.0 if len(word.key) > 1 else 0.5
            return 0.0 if plain else 0.9
        if plain:
            return 0.0
        if self.lower:
            return 0.85 if len(word.key) > 2 else 0.4
        return 0.5

    def resolved(self, matches: Sequence[_Match]) -> list[_Match]:
        """The matches of those stretches that remain when overlaps are decided, longer and surer first."""
        worth: dict[tuple[int, int], float] = {}
        for match in matches:
            span = (match.reading.first, match.reading.last)
            score = match.quality * self.likeness(*span)
            if score >= _FLOOR:
                worth[span] = max(worth.get(span, 0.0), score)
        kept: list[tuple[int, int]] = []
        value = {span: score * (span[1] - span[0]) ** 1.5 for span, score in worth.items()}
        for first, last in sorted(value, key=lambda span: (-value[span], span)):
            if all(last <= other or first >= end for other, end in kept):
                kept.append((first, last))
        return [match for match in matches if (match.reading.first, match.reading.last) in kept]

    def ranked(self, matches: Sequence[_Match], k: int, types: frozenset[str]) -> list[EntityLink]:
        """Links, at most `k` a mention, scored with types and connectedness."""
        by_span: dict[tuple[int, int], list[_Match]] = {}
        for match in matches:
            by_span.setdefault((match.reading.first, match.reading.last), []).append(match)
        known = self.index.types_of({match.entity.id for match in matches})
        links = []
        for (first, last), group in by_span.items():
            top = max(match.entity.degree for match in group)
            likeness = self.likeness(first, last)
            near = self._types_said_near(first, last)
            found: dict[str, EntityLink] = {}
            for match in group:
                entity, own = match.entity, known.get(match.entity.id, ())
                connected = math.log1p(entity.degree) / math.log1p(top) if top else 1.0
                score = match.quality * likeness * (0.75 + 0.25 * connected)
                if types and not types.intersection(own):
                    score *= 0.75
                if near and not any(_type_words(iri) & near for iri in own):
                    score *= 0.85
                start, end = self.words[first].start, self.words[last - 1].end
                link = EntityLink(
                    entity.iri, entity.label, self.question[start:end], start, end,
                    round(min(1.0, score), 4), own, entity.degree,
                )
                if link.score >= _FLOOR and (
                    entity.iri not in found or found[entity.iri].score < link.score
                ):
                    found[entity.iri] = link
            links += sorted(found.values(), key=lambda link: (-link.score, -link.degree, link.iri))[:k]
        return links

    def _types_said_near(self, first: int, last: int) -> frozenset[str]:
        """Words of the graph's vocabulary beside a mention: `the river Thames`, `Georgia, the country`."""
        beside = [*range(max(0, first - _NEAR), first), *range(last, min(len(self.words), last + _NEAR))]
        keys = [self.words[place].key for place in beside]
        said = frozenset(form for key in keys for form in (key, *names.singulars(key)))
        return (said & self.index.vocabulary) - STOP_WORDS


def _type_words(iri: str) -> frozenset[str]:
    return frozenset(names.key_of(names.local_name(iri)).split())
