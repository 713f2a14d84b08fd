"""Names as they are compared: folding, words of a question, one-edit neighbours, words that are no names.

An index of names and the question asked of it must fold text alike, so both do it here. Not covered: scripts
written without spaces (a Chinese name is found only when something else than a letter stands around it).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from ontoprompt.question_words import COMMON_WORDS, DEMONYMS, OTHER_NAMES, STOP_WORDS

MIN_FUZZY = 4  # letters a word needs before a misspelling of it is looked for
MAX_WORDS = 12  # words of the longest mention looked for

# Letters that Unicode does not decompose; the rest of the diacritics go by NFKD.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "’": "'"}
)
_ACCENTS = re.compile("[\u0300-\u036f]")
# A word: letters and digits, the vowel signs of Indic and Thai scripts, one inner apostrophe, C++ and C#.
_CHARACTER = r"(?:[^\W_]|[\u0300-\u036f\u0900-\u0963\u0966-\u0e4e\u0eb0-\u0ebc\u1000-\u109f])"
_WORD = re.compile(rf"{_CHARACTER}+(?:['’]{_CHARACTER}+)*(?:\+\+|#)?|&")
_QUOTED = re.compile(r"\"([^\"]{1,80})\"|“([^”]{1,80})”|(?<!\w)'([^']{1,80})'(?!\w)|‘([^’]{1,80})’")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_QUALIFIER = re.compile(r"^(?P<name>.+?)\s*(?:\((?P<note>[^()]+)\)|, (?P<place>[^,]+))$")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a question: folded `key`, place `start:end`, whether it starts with a capital, stands in
    quotation marks, or opens a sentence. `possessive` says that it ended in 's."""

    key: str
    start: int
    end: int
    capital: bool = False
    quoted: bool = False
    opening: bool = False
    possessive: bool = False


_DESIGNATION = re.compile(
    r",? (?:[AS]?\.?F\.?C\.?|[AS]\.?C\.?|Inc\.?|Ltd\.?|LLC|Corp\.?|Corporation|Company|Co\.|plc|PLC|AG|SE|GmbH|S\.A\.|"
    r"River|Ocean|Desert)$"
)
# The same without their full stops.
_DESIGNATIONS = frozenset(
    (
        "FC",
        "AFC",
        "SFC",
        "AC",
        "SC",
        "Inc",
        "Ltd",
        "LLC",
        "Corp",
        "Corporation",
        "Company",
        "Co",
        "plc",
        "PLC",
    )
    + ("AG", "SE", "GmbH", "SA", "River", "Ocean", "Desert")
)


def fold(text: str) -> str:
    """Case and diacritics taken away: `Škoda` → `skoda`."""
    if text.isascii():
        return text.lower()
    text = text.casefold().translate(_LETTERS)
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFC", bare).translate(_LETTERS)


def words(question: str) -> tuple[Word, ...]:
    """The words of a question in order, with their places in it."""
    quotes = [match.span() for match in _QUOTED.finditer(question)]
    found: list[Word] = []
    last = 0
    for match in _WORD.finditer(question):
        start, end = match.span()
        key, possessive = _word_key(match.group())
        if possessive:
            end -= 2
        if key:
            gap = question[last:start]
            opening = not found or any(mark in gap for mark in ".?!") and len(found[-1].key) > 3
            quoted = any(left < start and end < right for left, right in quotes)
            found.append(Word(key, start, end, match.group()[0].isupper(), quoted, opening, possessive))
        last = match.end()
    return tuple(found)


def key_of(text: str) -> str:
    """A name as it is looked up: folded words, no leading `the`, no possessive, runs of initials in one."""
    if text.isascii() and text.replace(" ", "").isalpha():  # most names, and several times as fast
        return join(text.lower().split())
    return join([key for match in _WORD.finditer(text) if (key := _word_key(match.group())[0])])


def join(keys: Sequence[str]) -> str:
    """The lookup key of folded words in order: `j r r tolkien` → `jrr tolkien`, `the birds` → `birds`."""
    kept = keys[1:] if len(keys) > 1 and keys[0] == "the" else keys
    parts: list[str] = []
    initials = False
    for key in kept:
        letter = len(key) == 1 and key.isalpha()
        if letter and initials:
            parts[-1] += key
        else:
            parts.append(key)
        initials = letter
    return " ".join(parts)


def _word_key(word: str) -> tuple[str, bool]:
    if word == "&":
        return "and", False
    folded = fold(word)
    possessive = len(folded) > 2 and folded.endswith("'s")
    return (folded[:-2] if possessive else folded).replace("'", ""), possessive


def singulars(key: str) -> tuple[str, ...]:
    """What a plural may be the plural of: `companies` → `company`, `companie`."""
    if len(key) < 4 or not key.endswith("s") or key.endswith("ss"):
        return ()
    if key.endswith("ies"):
        return (key[:-3] + "y", key[:-1])
    return (key[:-2], key[:-1]) if key.endswith("es") else (key[:-1],)


def demonym_keys(key: str) -> tuple[str, ...]:
    """Names that an adjective may stand for: `danish` → `denmark`, `danish language`."""
    countries = DEMONYMS.get(key, ())
    return (*countries, f"{key} language") if countries else ()


def other_name_key(key: str) -> str | None:
    """The name of a country under another: `usa` → `united states`."""
    return OTHER_NAMES.get(key)


def initials(name: str) -> str | None:
    """What a name of three to six capitalised words is abbreviated to, as it is looked up: `mit`, `jfk`."""
    if name.count(" ") + name.count("-") < 2:
        return None
    parts = unqualified(name) if name.endswith(")") else None
    content = [word for word in _WORD.findall(parts[0] if parts else name) if fold(word) not in STOP_WORDS]
    if not 3 <= len(content) <= 6 or not all(word[0].isupper() for word in content):
        return None
    return fold("".join(word[0] for word in content))


def is_ordinary(key: str, vocabulary: frozenset[str] = frozenset()) -> bool:
    """Whether a word is one of ordinary questions, or of the graph's `vocabulary`, in singular or plural."""
    forms = (key, *singulars(key))
    return any(form in STOP_WORDS or form in COMMON_WORDS or form in vocabulary for form in forms)


def deletions(word: str) -> frozenset[str]:
    """The word and what it becomes without one letter; two words one edit apart share one of these.

    Symmetric deletion, after Garbe's SymSpell (2012).
    """
    return frozenset((word, *(word[:i] + word[i + 1 :] for i in range(len(word)))))


def one_edit_apart(first: str, second: str) -> bool:
    """Whether one letter added, dropped, changed, or swapped with its neighbour makes one word the other."""
    if len(first) > len(second):
        first, second = second, first
    if first == second or len(second) - len(first) > 1:
        return False
    start = 0
    while start < len(first) and first[start] == second[start]:
        start += 1
    if len(first) < len(second):
        return first[start:] == second[start + 1 :]
    rest, other = first[start:], second[start:]
    return rest[1:] == other[1:] or (rest[:2] == other[1::-1] and rest[2:] == other[2:])


def unqualified(name: str) -> tuple[str, str] | None:
    """A name and what only tells it from others: `Queen (band)` → (`Queen`, `band`); so `Paris, Texas`."""
    match = _QUALIFIER.match(name) if name.endswith(")") or ", " in name else None
    if match is None:
        return None
    return match["name"], match["note"] or match["place"]


def undesignated(name: str) -> str | None:
    """A name without the word for what it is that people leave out: `Manchester United F.C.`, `Amazon River`."""
    if name.rpartition(" ")[2].replace(".", "") not in _DESIGNATIONS:
        return None
    bare = _DESIGNATION.sub("", name)
    return bare if bare and bare != name and not is_ordinary(key_of(bare)) else None


def local_name(iri: str) -> str:
    """The last part of an IRI as words: `/Albert_Einstein` → `Albert Einstein`, `#NewYork` → `New York`."""
    if "/resource/" in iri:  # a title, in which a slash is a slash: .../resource/AC/DC
        return " ".join(unquote(iri.split("/resource/", 1)[1]).replace("_", " ").split())
    tail = re.split(r"[/#]", iri.rstrip("/#"))[-1]
    if iri.startswith("urn:"):
        tail = tail.rsplit(":", 1)[-1]
    text = unquote(tail).replace("_", " ")
    if " " not in text and text.isascii():
        text = _CAMEL.sub(" ", text.replace("-", " "))
    return " ".join(text.split())
