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
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from ontoprompt import names
from ontoprompt.entity_build import build_entity_index
from ontoprompt.entity_index import EntityIndex, NamedEntity, NameKind
from ontoprompt.entity_overlap import Overlaps
from ontoprompt.entity_readings import Reading, exact_readings
from ontoprompt.question_words import COMMON_WORDS, KIND_NAMES, STOP_WORDS

__all__ = ["EntityIndex", "EntityLink", "Linker", "LocalLinker", "build_entity_index"]

_KIND_QUALITY: Mapping[NameKind, float] = {
    "label": 0.97,
    "alias": 0.93,
    "local-name": 0.95,
    "short": 0.85,
    "initials": 0.85,
}
_EXACT = 1.03  # written letter by letter as the name is
_WITHOUT_ARTICLE = 0.92
_BY_PLACE = 0.88  # a place without the one that it lies in: `Paris` for `Paris, Texas`
_MISSPELT = 0.85
# The same for a name of one word of up to five letters; with another letter it may well be another name.
_MISSPELT_SHORT, _OTHER_LETTER = 0.6, 0.45
_PARTIAL = 0.8  # some words of a name only
_OVERLAP = 0.8  # some words of a name, or in another order
_EXTENDED = 0.4  # a name that says more than the question
_NESTED = 0.5  # a name inside of another
_LOST = 0.8  # a reading whose words another name takes
_FLOOR = 0.22  # links below this are noise
_LONGEST_QUESTION = 600  # words that are looked at
_NEAR = 3  # words between a mention and a word that says its type
_FUZZY_WORDS = 12  # words of a question whose spelling is doubted, at most
_FUZZY_SPAN = 5
# Words before these belong to another clause: in "Which albums did Queen record?" Queen is no album.
_OTHER_CLAUSE = frozenset(("did", "do", "does", "has", "have", "had", "that", "which", "who", "whose"))
_SAID_ELSEWHERE = 0.98  # for those whose type the question does not say, where it says another's anywhere
_COMMON_WORD = 0.4  # likeness of an ordinary word that is a name too, where the question names nothing else
# After these a number is a year or a count.
_BEFORE_NUMBERS = frozenset(("in", "since", "after", "before", "until", "from", "to", "than", "by", "year"))


@dataclass(frozen=True, slots=True)
class EntityLink:
    """An entity that the words `mention` at `start:end` of the question may mean.

    `start` and `end` are -1 where the words are ordinary ones, such as `film` for a graph that has an entity for it:
    they may say a term as well, and are not to be taken out of the question.
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
class _Match:
    """An entity found for a reading, before types and competitors are known."""

    reading: Reading
    entity: NamedEntity
    quality: float
    likeness: float = 1.0
    qualified: bool = False  # the question says what tells this entity from others of its name
    titled: bool = False  # the name starts with the article that stands before the stretch
    placed: bool = True  # whether the words stand for a name, not for an ordinary word
    extent: float = 0.0  # the words that are read, where they are not all of the stretch's

    @property
    def span(self) -> tuple[int, int]:
        """The words that are read."""
        return self.reading.first, self.reading.last


class LocalLinker:
    """Links against an `EntityIndex`."""

    def __init__(self, index: EntityIndex | str | Path) -> None:
        self.index = index if isinstance(index, EntityIndex) else EntityIndex.open(index)

    def link(self, question: str, *, k: int = 5, types: Collection[str] = ()) -> tuple[EntityLink, ...]:
        """See `Linker.link`. Raises ArtifactError when the index turns out to be damaged."""
        scan = _Scan(self.index, question)
        exact = scan.exact()
        matches = scan.resolved(exact)
        matches = scan.resolved([*matches, *scan.misspelt(scan.covered(matches))])
        matches = scan.settled(matches, scan.overlapping(matches))
        matches = [*matches, *scan.resolved(scan.partial(matches))]
        matches = [*matches, *scan.common(exact, scan.covered(matches))]
        matches = [*matches, *scan.nested(exact, matches)]
        matches = [*matches, *scan.extended(matches)]
        links = scan.ranked(matches, k, frozenset(types))
        return tuple(sorted(links, key=lambda link: (-link.score, link.start, -link.degree, link.iri)))


class _Scan:
    """One question on its way to links."""

    def __init__(self, index: EntityIndex, question: str) -> None:
        self.index, self.question = index, question
        self.words = names.words(question)[:_LONGEST_QUESTION]
        inner = [word.capital for word in self.words if not word.opening and word.key.isalpha()]
        # Capitals tell nothing in "where was albert einstein born", "WHERE WAS …" and "Where Was …".
        self.lower = not any(inner) or (len(inner) > 3 and all(inner))
        self.plain = [names.is_ordinary(word.key, index.vocabulary) for word in self.words]
        doubted = [place for place in range(len(self.words)) if self._may_be_misspelt(place, ())]
        self.overlaps = Overlaps(index, self.words, ordinary=self.plain, doubted=doubted[:_FUZZY_WORDS])

    def text(self, first: int, last: int) -> str:
        """The question's own letters from word `first` up to word `last`."""
        return self.question[self.words[first].start : self.words[last - 1].end]

    def covered(self, matches: Sequence[_Match]) -> frozenset[int]:
        """Places of the words that the matches read."""
        return frozenset(place for match in matches for place in range(*match.span))

    def exact(self) -> list[_Match]:
        """Stretches that are names, in the singular or plural, and adjectives of countries."""
        return self.found(exact_readings(self.words, self.index.vocabulary))

    def common(self, exact: Sequence[_Match], taken: Collection[int]) -> list[_Match]:
        """Ordinary words that are names too, of kinds of things that the graph's own vocabulary does not name."""
        readings = []
        for place, word in enumerate(self.words):
            forms = {word.key, *names.singulars(word.key)}
            if place in taken or not word.key.isalpha() or forms & self.index.vocabulary:
                continue
            if not forms & STOP_WORDS:
                readings += [Reading(place, place + 1, form) for form in sorted(forms)]
            for form in sorted(forms):
                readings += [Reading(place, place + 1, kind, 0.95) for kind in KIND_NAMES.get(form, ())]
        matches = self.found(readings)
        for match in exact:
            span = range(*match.span)
            if len(span) > 1 and not self._is_idle(span) and not set(span) & set(taken):
                matches.append(match)
        matches = [match for match in matches if match.entity.kind == "label"]
        # Where a question names nothing else, such a word is its name.
        direct = {reading.key for reading in readings if reading.quality == 1.0} if not taken else set()
        matches = [
            replace(
                match,
                likeness=_COMMON_WORD,
                extent=match.span[1] - match.span[0],
                placed=match.reading.key in direct,
            )
            for match in matches
        ]
        return self.settled((), matches)

    def _is_idle(self, span: Iterable[int]) -> bool:
        """Whether some words are all the graph's own or carry nothing but grammar."""
        return all(
            {self.words[place].key, *names.singulars(self.words[place].key)}
            & (STOP_WORDS | self.index.vocabulary)
            for place in span
        )

    def nested(self, exact: Sequence[_Match], matches: Sequence[_Match]) -> list[_Match]:
        """Names inside of the names that a question is read as, as their other readings: `density` in `unit of density`."""
        known = {match.entity.id for match in matches}
        kept = sorted({match.span for match in matches if match.placed})
        found = []
        for match in exact:
            first, last = match.span
            if match.entity.id in known or match.entity.kind != "label" or self._is_idle(range(first, last)):
                continue
            for begin, end in kept:
                if begin <= first and last <= end:
                    reading = replace(match.reading, first=begin, last=end)
                    likeness = max(match.likeness, _NESTED)
                    found.append(
                        replace(
                            match,
                            reading=reading,
                            quality=match.quality * _NESTED,
                            likeness=likeness,
                            extent=1.0,
                        )
                    )
                    break
        return found

    def extended(self, matches: Sequence[_Match]) -> list[_Match]:
        """Longer names that hold what the question is read as, as its other readings: `DPT vaccine` for `vaccine`."""
        known = {match.entity.id for match in matches}
        spans = sorted({match.span for match in matches if not match.extent})
        found = [overlap for span in spans for overlap in self.overlaps.longer(*span)]
        return [
            _Match(
                Reading(o.first, o.last, o.entity.key),
                o.entity,
                _EXTENDED * (0.5 + 0.5 * o.fit),
                extent=o.said,
            )
            for o in found
            if o.entity.id not in known
        ]

    def misspelt(self, taken: Collection[int]) -> list[_Match]:
        """Stretches with one word that is one edit away from a word of a name."""
        doubted = [place for place in range(len(self.words)) if self._may_be_misspelt(place, taken)]
        doubted = doubted[:_FUZZY_WORDS]
        keys = {self.words[place].key for place in doubted}
        known, near = self.index.uses(keys), self.index.similar_words(keys)
        readings: list[Reading] = []
        for place in doubted:
            own = self.words[place].key
            for word in near.get(own, ()):
                if word[0] == own[0] or len(own) > 5:
                    readings += self._with_word(place, word, alone=own not in known)
            for cut in range(2, len(own) - 1):
                readings.append(Reading(place, place + 1, f"{own[:cut]} {own[cut:]}", _MISSPELT))
            if place + 1 < len(self.words) and place + 1 not in taken:
                readings.append(Reading(place, place + 2, own + self.words[place + 1].key, _MISSPELT))
        return self.found(readings)

    def _may_be_misspelt(self, place: int, taken: Collection[int]) -> bool:
        word = self.words[place]
        if place in taken or self.plain[place] or len(word.key) < names.MIN_FUZZY or not word.key.isalpha():
            return False
        if self._is_name_like(place) and not word.opening:
            return self.lower or not self.text(place, place + 1).isupper()  # an acronym has no neighbours
        # "whcih" is no name, and "rivr" neither.
        return (self.lower or word.capital) and not _is_near_ordinary(word.key)

    def _is_name_like(self, place: int) -> bool:
        word = self.words[place]
        return word.quoted or (word.capital and not self.lower and not (word.opening and self.plain[place]))

    def _with_word(self, place: int, word: str, alone: bool) -> Iterable[Reading]:
        """Stretches around a word, with another word in its place; without others only if `alone`."""
        for first in range(max(0, place - _FUZZY_SPAN + 1), place + 1):
            for last in range(place + 1, min(len(self.words), first + _FUZZY_SPAN) + 1):
                if (last - first == 1 and not alone) or self.words[first].key == "the":
                    continue
                keys = [w.key for w in self.words[first:last]]
                keys[place - first] = word
                quality = _misspelt(self.words[place].key, word) if last - first == 1 else _MISSPELT
                yield Reading(first, last, names.join(keys), quality)

    def partial(self, matches: Sequence[_Match]) -> list[_Match]:
        """Stretches written like names that are a part of one: `Einstein` of `Albert Einstein`."""
        known = {match.entity.id for match in matches}
        parts: list[_Match] = []
        for first, last in self._unread(self.covered(matches)):
            keys = [word.key for word in self.words[first:last]]
            found = self.index.holding(keys)
            if not found and last - first > 1 and names.singulars(keys[-1]):
                keys[-1] = names.singulars(keys[-1])[-1]  # a possessive without its apostrophe
                found = self.index.holding(keys)
            quality = _PARTIAL * (0.85 if self.lower else 1.0)
            if not found and last - first == 1 and self._may_be_misspelt(first, ()):
                near = self.index.similar_words(keys).get(keys[0], ())
                own, keys = keys[0], [word for word in near if word[0] == keys[0][0]][:1]
                quality *= _misspelt(own, keys[0]) if keys else 1.0
                found = self.index.holding(keys)
            for entity in found:
                share = _share_of_name(keys, entity)
                if entity.id not in known and share > (0.5 if self.lower else 0.0):
                    parts.append(_Match(Reading(first, last, entity.key), entity, quality * share))
        return parts

    def _unread(self, taken: Collection[int]) -> list[tuple[int, int]]:
        """Stretches not yet read: runs of words written like names, or, where capitals tell nothing, single
        unusual words."""
        runs: list[tuple[int, int]] = []
        for place, word in enumerate(self.words):
            if place in taken or word.key.isdigit() or len(word.key) < 3:
                continue
            if not (self._is_name_like(place) or (self.lower and not self.plain[place])):
                continue
            if runs and runs[-1][1] == place:
                runs[-1] = (runs[-1][0], place + 1)
            else:
                runs.append((place, place + 1))
        if self.lower:
            # Unusual words side by side may be one name or several: `resolved` prefers the longest.
            singles = [(place, place + 1) for first, last in runs for place in range(first, last)]
            runs = [*dict.fromkeys([*runs, *singles])]
        return [run for run in runs if run[1] - run[0] > 1 or not self.plain[run[0]]][:_FUZZY_WORDS]

    def overlapping(self, matches: Sequence[_Match]) -> list[_Match]:
        """Names that share words with the question, other than those it is already read as."""
        known = {match.entity.id for match in matches}
        found = self.overlaps.laid_over(self.covered(matches))
        return [
            _Match(
                Reading(o.first, o.last, o.entity.key),
                o.entity,
                _OVERLAP * o.fit,
                self.likeness(o.first, o.last),
                extent=o.said * o.fit,
            )
            for o in found
            if o.entity.id not in known
        ]

    def settled(self, matches: Sequence[_Match], others: Sequence[_Match]) -> list[_Match]:
        """Both, in stretches that do not overlap: what loses its own stretch stays as another reading of the winner's."""
        kept = sorted({match.span for match in self.resolved([*matches, *others])})
        settled = []
        for match in (*matches, *others):
            if match.span in kept:
                settled.append(match)
                continue
            for first, last in kept:
                if match.reading.first < last and first < match.reading.last:
                    settled.append(
                        replace(
                            match,
                            reading=replace(match.reading, first=first, last=last),
                            quality=match.quality * _LOST,
                        )
                    )
                    break
        return settled

    def found(self, readings: Sequence[Reading]) -> list[_Match]:
        """What the index knows of the readings, one match per stretch and entity."""
        entities = self.index.lookup({reading.key for reading in readings})
        best: dict[tuple[int, int, int], _Match] = {}
        for reading in readings:
            for entity in entities.get(reading.key, ()):
                if entity.kind == "initials" and not self._is_abbreviation(reading):
                    continue
                match = self._match(reading, entity)
                place = (match.reading.first, match.reading.last, entity.id)
                if place not in best or best[place].quality < match.quality:
                    best[place] = match
        return list(best.values())

    def _is_abbreviation(self, reading: Reading) -> bool:
        text = self.text(reading.first, reading.last)
        return reading.last - reading.first == 1 and len(text) > 2 and text.isupper() and not self.lower

    def _match(self, reading: Reading, entity: NamedEntity) -> _Match:
        first, last = reading.first, reading.last
        title = names.fold(entity.name).startswith("the ")
        titled = title and first > 0 and self.words[first - 1].key == "the"
        begin = first - 1 if titled else first
        quality = reading.quality * _KIND_QUALITY[entity.kind]
        qualified = entity.kind == "short" and self._says_qualifier(entity, range(first, last))
        if qualified:
            quality = reading.quality * _KIND_QUALITY["label"]
        elif entity.kind == "short" and not entity.name.endswith(")"):
            quality *= _BY_PLACE
        elif entity.kind not in ("alias", "short") and self.text(begin, last) == entity.name:
            quality *= _EXACT
        elif title and not titled:
            quality *= _WITHOUT_ARTICLE
        likeness = max(self.likeness(first, last), self.likeness(begin, last))
        return _Match(reading, entity, quality, likeness, qualified, titled)

    def _says_qualifier(self, entity: NamedEntity, span: range) -> bool:
        """Whether the question also says what tells this entity from others: `Queen … band`."""
        parts = names.unqualified(entity.name)
        notes = set(names.key_of(parts[1]).split()) - STOP_WORDS if parts else set()
        others = [word.key for place, word in enumerate(self.words) if place not in span]
        said = {form for key in others for form in (key, *names.singulars(key))}
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
        if unusual and len(content) == 1:
            return 0.85 if self.lower else 0.6
        if unusual:
            return 0.95 if self.lower else 0.8
        if len(content) > 1 and last - first > 2:
            return 0.8 if self.lower else 0.7
        return (0.35 if self.lower else 0.2) if content else 0.0

    def _likeness_of_word(self, place: int) -> float:
        word, plain = self.words[place], self.plain[place]
        if word.key.isdigit():
            before = self.words[place - 1].key if place else ""
            return 0.0 if before in _BEFORE_NUMBERS else 0.35
        if word.capital and not self.lower:
            if not word.opening:
                return (0.85 if plain else 1.0) if len(word.key) > 1 else 0.5
            return 0.0 if plain else 0.9
        if plain:
            return 0.0
        if self.lower:
            return 0.85 if len(word.key) > 2 else 0.4
        return 0.5

    def resolved(self, matches: Sequence[_Match]) -> list[_Match]:
        """The matches of those stretches that remain when overlaps are decided, longer and surer first."""
        value: dict[tuple[int, int], float] = {}
        for match in matches:
            score = match.quality * match.likeness
            if score >= _FLOOR:
                extent = match.extent or match.span[1] - match.span[0]
                value[match.span] = max(value.get(match.span, 0.0), score * extent**1.5)
        kept: list[tuple[int, int]] = []
        for first, last in sorted(value, key=lambda span: (-value[span], span)):
            if all(last <= other or first >= end for other, end in kept):
                kept.append((first, last))
        return [match for match in matches if match.span in kept]

    def ranked(self, matches: Sequence[_Match], k: int, types: frozenset[str]) -> list[EntityLink]:
        """Links, at most `k` a mention, scored with types and connectedness."""
        by_span: dict[tuple[int, int], list[_Match]] = {}
        for match in matches:
            by_span.setdefault(match.span, []).append(match)
        known = self.index.types_of({match.entity.id for match in matches})
        links: list[EntityLink] = []
        for span, group in by_span.items():
            whole = [match for match in group if not match.extent]
            begin = span[0] - bool(whole and all(match.titled for match in whole))
            found: dict[str, EntityLink] = {}
            for match, score in zip(group, self._scores(span, group, known, types), strict=True):
                iri = match.entity.iri
                if score >= _FLOOR and (iri not in found or found[iri].score < score):
                    found[iri] = self._as_link(match, begin, score, known.get(match.entity.id, ()))
            links += sorted(found.values(), key=lambda link: (-link.score, -link.degree, link.iri))[:k]
        return links

    def _scores(
        self,
        span: tuple[int, int],
        group: Sequence[_Match],
        known: Mapping[int, tuple[str, ...]],
        types: frozenset[str],
    ) -> list[float]:
        """Scores of the matches of one stretch; what speaks for one of them counts against the rest."""
        top = max(match.entity.degree for match in group)
        near = self._types_said_near(*span)
        anywhere = self._vocabulary_in([word.key for word in self.words])
        words = [{part for iri in known.get(m.entity.id, ()) for part in _type_words(iri)} for m in group]
        said, hinted = [bool(own & near) for own in words], [bool(own & anywhere) for own in words]
        qualified, typed = any(match.qualified for match in group), any(said)
        scores = []
        for match, has_type, has_hint in zip(group, said, hinted, strict=True):
            connected = math.log1p(match.entity.degree) / math.log1p(top) if top else 1.0
            score = match.quality * match.likeness * (0.75 + 0.25 * connected)
            if types and types.isdisjoint(known.get(match.entity.id, ())):
                score *= 0.75
            if typed and not has_type:
                score *= 0.8
            if any(hinted) and not has_hint:
                score *= _SAID_ELSEWHERE
            if qualified and not match.qualified:
                score *= 0.8
            scores.append(round(min(1.0, score), 4))
        return scores

    def _as_link(self, match: _Match, begin: int, score: float, types: tuple[str, ...]) -> EntityLink:
        start, end = self.words[begin].start, self.words[match.span[1] - 1].end
        entity, mention = match.entity, self.question[start:end]
        if not match.placed:
            start = end = -1
        return EntityLink(entity.iri, entity.label, mention, start, end, score, types, entity.degree)

    def _types_said_near(self, first: int, last: int) -> frozenset[str]:
        """Words of the graph's vocabulary beside a mention: `the river Thames`, `Georgia, the country`."""
        before = [word.key for word in self.words[max(0, first - _NEAR) : first]]
        for place, key in enumerate(before):
            if key in _OTHER_CLAUSE:
                before = before[place + 1 :]
                break
        keys = [*before, *(word.key for word in self.words[last : last + _NEAR])]
        return self._vocabulary_in(keys)

    def _vocabulary_in(self, keys: Iterable[str]) -> frozenset[str]:
        """The words of the graph's vocabulary among some words of the question, in the singular."""
        said = frozenset(form for key in keys for form in (key, *names.singulars(key)))
        return (said & self.index.vocabulary) - STOP_WORDS


@lru_cache(4096)
def _is_near_ordinary(key: str) -> bool:
    """Whether a word is an ordinary one with a letter wrong."""
    words = (other for other in (*STOP_WORDS, *COMMON_WORDS) if len(other) >= names.MIN_FUZZY)
    return any(names.one_edit_apart(key, other) for other in words)


def _misspelt(own: str, word: str) -> float:
    """How much a word of a question may be taken for another one, one edit away, that stands alone."""
    if len(word) > 5:
        return _MISSPELT
    kept = len(own) != len(word) or sorted(own) == sorted(word)
    return _MISSPELT_SHORT if kept else _OTHER_LETTER


def _type_words(iri: str) -> frozenset[str]:
    return frozenset(names.key_of(names.local_name(iri)).split())


def _share_of_name(keys: Sequence[str], entity: NamedEntity) -> float:
    """How much of a name some of its words are, 0..1: a surname is more than a first name."""
    parts = names.unqualified(entity.name)
    whole = names.key_of(parts[0] if parts else entity.name).split()
    if not set(keys) <= set(whole):
        return 0.0  # words of what only tells it from others
    place = 1.0 if whole[-1] == keys[-1] else 0.85 if whole[0] == keys[0] else 0.7
    return place * math.sqrt(len(keys) / max(len(whole), len(keys)))
