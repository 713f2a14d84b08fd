"""Names that share words with a question without standing in it letter by letter.

A name is found by its rare words, or by two of its words that stand near each other in the question, and then laid
over the question word by word: in any order, in the plural, with a letter wrong, with a word left out or put between.
How well it fits is the share of the name that is said, and of the stretch that says it, both weighed by how rare the
words are among all names (the F measure of the two; inverse document frequency after Spärck Jones, 1972).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ontoprompt import names
from ontoprompt.entity_index import EntityIndex, NamedEntity
from ontoprompt.question_words import ABBREVIATED, DEMONYMS, STOP_WORDS

_RARE = 200  # names that a word may be in to be looked for alone
_FREQUENT = 50_000  # names that the rarer of two words may be in, to be looked for together
_APART = 3  # content words between two words that are looked for together
_FOUND = 60  # names looked at for one search
_SEARCHES = 40
_SPELLINGS = 3  # other spellings that are tried for a word
_EXTENDED = 0.4  # of a longer name, what the question must say
_EXTENSIONS = 3
_BETWEEN = 0.6  # what an ordinary word between those of a name counts, of another's
# Where one of these stands, another part of the sentence begins.
_BREAKS = frozenset(
    ("which", "what", "who", "whose", "whom", "that", "is", "was", "are", "were", "did", "does", "do", "has")
    + ("have", "had", "when", "where", "how", "why", "be", "been", "being")
)
_LEAST = 0.55  # names that fit worse are another's
_NEAR_SPELLING, _NEAR_FORM = 0.85, 0.95


@dataclass(frozen=True, slots=True)
class Overlap:
    """A name laid over the words `first:last` of a question, and how well it fits, 0..1."""

    first: int
    last: int
    entity: NamedEntity
    fit: float
    said: int  # words of the name that are said


class Overlaps:
    """One question, its content words in the forms that names may hold, and how rare each form is.

    `ordinary`: which of its words are no names of their own; `doubted`: places of words that may be misspelt.
    """

    def __init__(
        self,
        index: EntityIndex,
        words: Sequence[names.Word],
        ordinary: Sequence[bool],
        doubted: Collection[int],
    ) -> None:
        self._index, self._words, self._ordinary = index, words, ordinary
        # "us" is a pronoun unless it is written "US".
        self._places = [
            place
            for place, word in enumerate(words)
            if word.key not in STOP_WORDS or (word.key == "us" and word.capital)
        ]
        self._joined = {p: words[p].key + words[p + 1].key for p in self._places if p + 1 < len(words)}
        forms_of = [form for p in self._places for form in _forms(words[p].key)]
        self._uses = index.uses({*forms_of, *self._joined.values()})
        strange = [p for p in self._places if p in doubted and words[p].key not in self._uses]
        near = index.similar_words({words[p].key for p in strange}, _SPELLINGS)
        # Place → the forms of its word that names hold, and what each is worth.
        self._forms: dict[int, dict[str, float]] = {}
        for place in self._places:
            key = words[place].key
            forms = {form: 1.0 if form == key else _NEAR_FORM for form in _forms(key) if form in self._uses}
            joined = self._joined.get(place, "")
            if joined in self._uses and (len(joined) > names.MIN_FUZZY or len(joined) == 2):
                forms[joined] = _NEAR_SPELLING
            for form in near.get(key, ()):
                forms.setdefault(form, _NEAR_SPELLING)
            self._forms[place] = forms
        self._uses.update(index.uses({form for forms in near.values() for form in forms}))

    def laid_over(self, read: Collection[int]) -> list[Overlap]:
        """Names over the words of the question. `read`: places of words that other names are written with: a name must
        also hold a word that is not among them."""
        taken = frozenset(read)
        best: dict[int, Overlap] = {}
        for entity in self._candidates(taken):
            found = self._laid(entity, taken)
            if found and (entity.id not in best or best[entity.id].fit < found.fit):
                best[entity.id] = found
        return list(best.values())

    def longer(self, first: int, last: int) -> list[Overlap]:
        """Longer names that hold all the words of a stretch, the best by how much of them the question says."""
        keys = [word.key for word in self._words[first:last] if word.key not in STOP_WORDS]
        said = {form for forms in self._forms.values() for form in forms}
        found: dict[int, Overlap] = {}
        for entity in self._index.holding(keys, _FOUND):
            own = [key for key in entity.key.split() if key not in STOP_WORDS]
            total = self._weights(own)
            share = sum(self._weight(key) for key in own if key in said) / total if total else 0.0
            if share >= _EXTENDED and (entity.id not in found or found[entity.id].fit < share):
                found[entity.id] = Overlap(first, last, entity, share, last - first)
        return sorted(found.values(), key=lambda overlap: -overlap.fit)[:_EXTENSIONS]

    def _candidates(self, read: Collection[int]) -> Iterable[NamedEntity]:
        """Names that hold a rare word of the question, or two of its words that stand close."""
        asked: dict[tuple[str, ...], None] = {}
        for place in self._places:
            alone = len(self._words[place].key) > 1 and not self._ordinary[place]
            if alone and place not in read:
                for form in self._forms[place]:
                    if self._uses[form] <= _RARE:
                        asked.setdefault((form,))
        for number, place in enumerate(self._places):
            for other in self._places[number + 1 : number + 1 + _APART]:
                if place in read and other in read:
                    continue
                for one in self._forms[place]:
                    for two in self._forms[other]:
                        known = (one,) in asked or (two,) in asked or one == two
                        if not known and min(self._uses[one], self._uses[two]) <= _FREQUENT:
                            asked.setdefault((one, two))
        found: dict[tuple[int, str], NamedEntity] = {}
        for keys in list(asked)[:_SEARCHES]:
            for entity in self._index.holding(keys, _FOUND):
                found.setdefault((entity.id, entity.key), entity)
        return found.values()

    def _weights(self, keys: Sequence[str]) -> float:
        """The weights of the words of a name together."""
        unknown = [key for key in keys if key not in self._uses]
        if unknown:
            self._uses.update(self._index.uses(unknown))
        return sum(self._weight(key) for key in keys)

    def _weight(self, key: str) -> float:
        return math.log1p(len(self._index) / (1 + self._uses.get(key, 0)))

    def _laid(self, entity: NamedEntity, read: frozenset[int]) -> Overlap | None:
        """The best place of a name in the question."""
        parts = names.unqualified(entity.name) if entity.name.endswith(")") else None
        own = [
            key for key in names.key_of(parts[0] if parts else entity.name).split() if key not in STOP_WORDS
        ]
        if not own:
            return None
        total = self._weights(own)
        said: dict[int, tuple[str, float]] = {}
        for place in self._places:
            for form, worth in self._forms[place].items():
                if form in own and (place not in said or said[place][1] < worth):
                    said[place] = (form, worth)
        if not said:
            return None
        places = sorted(said)
        best: Overlap | None = None
        for start in range(len(places)):
            for end in range(start + 1, len(places) + 1):
                if places[end - 1] - places[start] > 2 * len(own) + 4 or (
                    end - start > 1 and self._breaks(entity.key, places[end - 2], places[end - 1])
                ):
                    break
                fit = self._fit(own, total, said, places[start:end])
                if fit >= _LEAST and (best is None or fit > best.fit):
                    best = Overlap(places[start], places[end - 1] + 1, entity, fit, 0)
        if best is None or read.issuperset(place for place in places if best.first <= place < best.last):
            return None
        spoken = {*entity.key.split(), *(said[place][0] for place in places)}
        inside = [word.key for word in self._words[best.first : best.last]]
        count = sum(key in spoken or best.first + number in said for number, key in enumerate(inside))
        return replace(best, said=count)

    def _breaks(self, key: str, place: int, other: int) -> bool:
        """Whether another part of the sentence begins between two words, and not in the name too."""
        between = {word.key for word in self._words[place + 1 : other]} & _BREAKS
        return bool(between) and not between <= set(key.split())

    def _fit(
        self, own: Sequence[str], total: float, said: Mapping[int, tuple[str, float]], places: Sequence[int]
    ) -> float:
        taken: dict[str, float] = {}
        spent = 0.0
        for place in places:
            form, worth = said[place]
            taken[form] = max(taken.get(form, 0.0), worth * self._weight(form))
        for place in range(places[0], places[-1] + 1):
            key = self._words[place].key
            if place in said:
                spent += self._weight(said[place][0])
            elif key not in STOP_WORDS:
                spent += self._weight(key) * (_BETWEEN if self._ordinary[place] else 1.0)
        got = sum(taken[key] for key in dict.fromkeys(own) if key in taken)
        recall, precision = got / total, got / spent if spent else 0.0
        return 2 * recall * precision / (recall + precision) if recall + precision else 0.0


def _forms(key: str) -> tuple[str, ...]:
    """The word, its singulars, its plural, what it abbreviates, and the country of an adjective."""
    others = (*names.singulars(key), f"{key}s", *ABBREVIATED.get(key, ()))
    countries = (name for name in DEMONYMS.get(key, ()) if " " not in name)
    return tuple(dict.fromkeys((key, *others, *countries)))
