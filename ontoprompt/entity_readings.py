"""Stretches of a question → the names they may be written for, exactly: in the plural, as the adjective or another
name of a country, with the kind of thing behind the name instead of before it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from ontoprompt import names
from ontoprompt.question_words import STOP_WORDS

_PLURAL = 0.92
_OTHER_NAME = 0.95
_TURNED = 0.9  # `Garda lake` for `Lake Garda`
_TURNED_WORDS = 3
# An adjective read as (a language, where speech is spoken of).
_ADJECTIVE = {(False, False): 0.8, (True, False): 0.72, (False, True): 0.6, (True, True): 0.95}
# Beside these an adjective of a country means its language.
_SPEECH = frozenset(("speak", "speaks", "spoken", "speaking", "speaker", "speakers", "language", "languages"))


@dataclass(frozen=True, slots=True)
class Reading:
    """One stretch `first:last` of the question's words read as a name: the lookup key and what it costs."""

    first: int
    last: int
    key: str
    quality: float = 1.0


def exact_readings(words: Sequence[names.Word], vocabulary: Collection[str]) -> list[Reading]:
    """All readings of all stretches of up to MAX_WORDS words. `vocabulary`: words of the graph's terms."""
    readings: list[Reading] = []
    for first in range(len(words)):
        for last in range(first + 1, min(first + names.MAX_WORDS, len(words)) + 1):
            keys = [word.key for word in words[first:last]]
            if keys[0] == "the" and len(keys) > 1:
                continue  # the stretch without it has the same key and takes the article in
            if keys == [keys[0][:1]] and not words[first].capital:
                continue  # a small letter is a unit or a variable, hardly the film "M"
            readings.append(Reading(first, last, names.join(keys)))
            for singular in names.singulars(keys[-1]):
                readings.append(Reading(first, last, names.join([*keys[:-1], singular]), _PLURAL))
            if 1 < last - first <= _TURNED_WORDS and keys[-1] in vocabulary:
                readings.append(Reading(first, last, names.join([keys[-1], *keys[:-1]]), _TURNED))
            readings += _of_countries(words, first, last, names.join(keys))
    return readings


def _of_countries(words: Sequence[names.Word], first: int, last: int, key: str) -> Iterator[Reading]:
    other = names.other_name_key(key)
    # "us" is a pronoun unless it is written "US".
    if other and (key not in STOP_WORDS or all(word.capital for word in words[first:last])):
        yield Reading(first, last, other, _OTHER_NAME)
    if last - first > 1:
        return
    beside = {words[place].key for place in (first - 1, last) if 0 <= place < len(words)}
    speech = not beside.isdisjoint(_SPEECH)
    for name in names.demonym_keys(key):
        yield Reading(first, last, name, _ADJECTIVE[name.endswith(" language"), speech])
