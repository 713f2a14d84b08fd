"""What the words of a question may be read as: how well a stretch fits a name, how much it is written like one, and
which stretches remain where they overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ontoprompt import names
from ontoprompt.entity_index import EntityIndex, NamedEntity, NameKind
from ontoprompt.entity_readings import Reading
from ontoprompt.question_words import STOP_WORDS

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
_LOST = 0.8  # a reading whose words another name takes
FLOOR = 0.22  # links below this are noise
_LONGEST_QUESTION = 600  # words that are looked at
# After these a number is a year or a count.
_BEFORE_NUMBERS = frozenset(("in", "since", "after", "before", "until", "from", "to", "than", "by", "year"))


@dataclass(frozen=True, slots=True)
class Match:
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


class Reader:
    """The words of one question, and what an index knows of them."""

    def __init__(self, index: EntityIndex, question: str) -> None:
        self.index, self.question = index, question
        self.words = names.words(question)[:_LONGEST_QUESTION]
        inner = [word.capital for word in self.words if not word.opening and word.key.isalpha()]
        # Capitals tell nothing in "where was albert einstein born", "WHERE WAS …" and "Where Was …".
        self.lower = not any(inner) or (len(inner) > 3 and all(inner))
        self.plain = [names.is_ordinary(word.key, index.vocabulary) for word in self.words]

    def text(self, first: int, last: int) -> str:
        """The question's own letters from word `first` up to word `last`."""
        return self.question[self.words[first].start : self.words[last - 1].end]

    def covered(self, matches: Sequence[Match]) -> frozenset[int]:
        """Places of the words that the matches read."""
        return frozenset(place for match in matches for place in range(*match.span))

    def is_name_like(self, place: int) -> bool:
        word = self.words[place]
        return word.quoted or (word.capital and not self.lower and not (word.opening and self.plain[place]))

    def found(self, readings: Sequence[Reading]) -> list[Match]:
        """What the index knows of the readings, one match per stretch and entity."""
        entities = self.index.lookup({reading.key for reading in readings})
        best: dict[tuple[int, int, int], Match] = {}
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

    def _match(self, reading: Reading, entity: NamedEntity) -> Match:
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
        return Match(reading, entity, quality, likeness, qualified, titled)

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

    def resolved(self, matches: Sequence[Match]) -> list[Match]:
        """The matches of those stretches that remain when overlaps are decided, longer and surer first."""
        value: dict[tuple[int, int], float] = {}
        for match in matches:
            score = match.quality * match.likeness
            if score >= FLOOR:
                extent = match.extent or match.span[1] - match.span[0]
                value[match.span] = max(value.get(match.span, 0.0), score * extent**1.5)
        kept: list[tuple[int, int]] = []
        for first, last in sorted(value, key=lambda span: (-value[span], span)):
            if all(last <= other or first >= end for other, end in kept):
                kept.append((first, last))
        return [match for match in matches if match.span in kept]

    def settled(self, matches: Sequence[Match], others: Sequence[Match]) -> list[Match]:
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
