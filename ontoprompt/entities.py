"""Mentions in a question → the entities they may mean, from the names of a graph.

There is no name tagger: every stretch of up to twelve words is looked up among the names, then names that share
words with the question are laid over it. What is found is judged by how well it fits a name, how much it is written
like a name, how connected the entity is, and which type is wanted. Of stretches that overlap the best remains; what
else its words may mean is offered below it. Not covered: pronouns, and descriptions ("the Iron Lady" unless it is an
alias).
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from ontoprompt import names
from ontoprompt.entity_build import build_entity_index
from ontoprompt.entity_index import EntityIndex, NamedEntity
from ontoprompt.entity_matches import FLOOR, Match, Reader
from ontoprompt.entity_overlap import Overlaps
from ontoprompt.entity_readings import Reading, exact_readings
from ontoprompt.question_words import COMMON_WORDS, KIND_NAMES, STOP_WORDS

__all__ = ["EntityIndex", "EntityLink", "Linker", "LocalLinker", "build_entity_index"]

_MISSPELT = 0.85
# The same for a name of one word of up to five letters; with another letter it may well be another name.
_MISSPELT_SHORT, _OTHER_LETTER = 0.6, 0.45
_PARTIAL = 0.8  # some words of a name only
_OVERLAP = 0.8  # some words of a name, or in another order
_EXTENDED = 0.4  # a name that says more than the question
_NESTED = 0.5  # a name inside of another
_NEAR = 3  # words between a mention and a word that says its type
_FUZZY_WORDS = 12  # words of a question whose spelling is doubted, at most
_FUZZY_SPAN = 5
# Words before these belong to another clause: in "Which albums did Queen record?" Queen is no album.
_OTHER_CLAUSE = frozenset(("did", "do", "does", "has", "have", "had", "that", "which", "who", "whose"))
_SAID_ELSEWHERE = 0.98  # for those whose type the question does not say, where it says another's anywhere
_COMMON_WORD = 0.4  # likeness of an ordinary word that is a name too, where the question names nothing else


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


# The parts of a date name nothing, though there is a book called 1.1.
_DATE = re.compile(r"(?<![\w-])\d{1,4}([-/.])\d{1,2}\1\d{1,4}(?![\w-])")


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
        dates = [found.span() for found in _DATE.finditer(question)]
        links = [
            link
            for link in scan.ranked(matches, k, frozenset(types))
            if not any(start <= link.start and link.end <= end for start, end in dates)
        ]
        return tuple(sorted(links, key=lambda link: (-link.score, link.start, -link.degree, link.iri)))


class _Scan(Reader):
    """One question on its way to links."""

    def __init__(self, index: EntityIndex, question: str) -> None:
        super().__init__(index, question)
        doubted = [place for place in range(len(self.words)) if self._may_be_misspelt(place, ())]
        self.overlaps = Overlaps(index, self.words, ordinary=self.plain, doubted=doubted[:_FUZZY_WORDS])

    def exact(self) -> list[Match]:
        """Stretches that are names, in the singular or plural, and adjectives of countries."""
        return self.found(exact_readings(self.words, self.index.vocabulary))

    def common(self, exact: Sequence[Match], taken: Collection[int]) -> list[Match]:
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

    def nested(self, exact: Sequence[Match], matches: Sequence[Match]) -> list[Match]:
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

    def extended(self, matches: Sequence[Match]) -> list[Match]:
        """Longer names that hold what the question is read as, as its other readings: `DPT vaccine` for `vaccine`."""
        known = {match.entity.id for match in matches}
        spans = sorted({match.span for match in matches if not match.extent})
        found = [overlap for span in spans for overlap in self.overlaps.longer(*span)]
        return [
            Match(
                Reading(o.first, o.last, o.entity.key),
                o.entity,
                _EXTENDED * (0.5 + 0.5 * o.fit),
                extent=o.said,
            )
            for o in found
            if o.entity.id not in known
        ]

    def misspelt(self, taken: Collection[int]) -> list[Match]:
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
        if self.is_name_like(place) and not word.opening:
            return self.lower or not self.text(place, place + 1).isupper()  # an acronym has no neighbours
        # "whcih" is no name, and "rivr" neither.
        return (self.lower or word.capital) and not _is_near_ordinary(word.key)

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

    def partial(self, matches: Sequence[Match]) -> list[Match]:
        """Stretches written like names that are a part of one: `Einstein` of `Albert Einstein`."""
        known = {match.entity.id for match in matches}
        parts: list[Match] = []
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
                    parts.append(Match(Reading(first, last, entity.key), entity, quality * share))
        return parts

    def _unread(self, taken: Collection[int]) -> list[tuple[int, int]]:
        """Stretches not yet read: runs of words written like names, or, where capitals tell nothing, single
        unusual words."""
        runs: list[tuple[int, int]] = []
        for place, word in enumerate(self.words):
            if place in taken or word.key.isdigit() or len(word.key) < 3:
                continue
            if not (self.is_name_like(place) or (self.lower and not self.plain[place])):
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

    def overlapping(self, matches: Sequence[Match]) -> list[Match]:
        """Names that share words with the question, other than those it is already read as."""
        known = {match.entity.id for match in matches}
        found = self.overlaps.laid_over(self.covered(matches))
        return [
            Match(
                Reading(o.first, o.last, o.entity.key),
                o.entity,
                _OVERLAP * o.fit,
                self.likeness(o.first, o.last),
                extent=o.said * o.fit,
            )
            for o in found
            if o.entity.id not in known
        ]

    def ranked(self, matches: Sequence[Match], k: int, types: frozenset[str]) -> list[EntityLink]:
        """Links, at most `k` a mention, scored with types and connectedness."""
        by_span: dict[tuple[int, int], list[Match]] = {}
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
                if score >= FLOOR and (iri not in found or found[iri].score < score):
                    found[iri] = self._as_link(match, begin, score, known.get(match.entity.id, ()))
            links += sorted(found.values(), key=lambda link: (-link.score, -link.degree, link.iri))[:k]
        return links

    def _scores(
        self,
        span: tuple[int, int],
        group: Sequence[Match],
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

    def _as_link(self, match: Match, begin: int, score: float, types: tuple[str, ...]) -> EntityLink:
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
