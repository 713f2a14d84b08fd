"""Find the literals that a question states: years, dates, numbers, quoted strings, letters.

A generator never has to spell a value: whatever the question states is found here, given a
symbol in the prompt, and put back when the query is expanded. What this does not cover: units
and spelled-out large numbers ("two million").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal as Choice

LiteralKind = Choice["number", "year", "date", "string"]

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sep sept",
            "october oct",
            "november nov",
            "december dec",
        ),
        start=1,
    )
    for name in names.split()
}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATES = (
    re.compile(r"\b(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})\b"),
    re.compile(rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<name>{_MONTH})\.?,? (?P<y>\d{{4}})\b", re.I),
    re.compile(rf"\b(?P<name>{_MONTH})\.? (?P<d>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y>\d{{4}})\b", re.I),
)
_QUOTED = re.compile(r"\"([^\"]{1,80})\"|“([^”]{1,80})”|(?<!\w)'([^']{1,80})'(?!\w)|‘([^’]{1,80})’")
_NUMBER = re.compile(
    r"(?<![\w.])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\w)|(?<![\w])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w])", re.I
)
_SCALE = re.compile(r"\s*(thousand|million|billion|trillion)\b", re.I)
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
# "whose name starts with R", "contain the word pair": an unquoted string after a cue.
_CUED = re.compile(
    r"\b(?:words?|letters?|alphabets?|string|characters?|with|contains?|containing|includes?|having)"
    r"(?: in| by| an?| the)?(?: (?:words?|letters?|alphabets?|name|title|character))? [\"'“‘]?([A-Za-z][\w-]*)",
    re.I,
)
_WORD_NUMBERS = {
    word: str(value)
    for value, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
        ]
    )
}
_NOT_A_STRING = frozenset(
    [
        "the",
        "a",
        "an",
        "in",
        "of",
        "their",
        "its",
        "his",
        "her",
        "name",
        "names",
        "word",
        "words",
        "letter",
        "title",
        "which",
        "that",
        "as",
        "on",
        "and",
        "or",
        "with",
        "by",
        "to",
        "for",
        "is",
        "are",
        "be",
        "has",
        "have",
        "most",
        "more",
        "least",
        "less",
        "fewer",
        "over",
        "under",
        "above",
        "below",
        "about",
        "around",
        "exactly",
        "between",
        "at",
        "from",
        "up",
        "no",
        "any",
        "all",
        "some",
        "this",
        "these",
        "those",
        "other",
        "another",
    ]
)


@dataclass(frozen=True, slots=True)
class QuestionLiteral:
    """One literal stated in a question: the words `mention` at `start:end`, and its value.

    `value` is the lexical form: digits for a number or year, ISO 8601 for a date, the bare
    string otherwise.
    """

    kind: LiteralKind
    value: str
    mention: str
    start: int
    end: int

    def sparql(self, as_string: bool = False) -> str:
        """Its SPARQL form, as a plain string literal or as the type that it is."""
        if as_string or self.kind == "string":
            escaped = (
                self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
            )
            return f'"{escaped}"'
        if self.kind == "date":
            return f'"{self.value}"^^<http://www.w3.org/2001/XMLSchema#date>'
        return self.value


def find_literals(question: str, limit: int = 6) -> tuple[QuestionLiteral, ...]:
    """The literals of a question, in order of appearance, at most `limit`.

    Overlaps go to the more specific reading: quoted string, then date, then number, then a
    string after a cue such as "starts with".
    """
    found: list[QuestionLiteral] = []

    def add(kind: LiteralKind, value: str, start: int, end: int) -> None:
        if value and all(end <= other.start or start >= other.end for other in found):
            found.append(QuestionLiteral(kind, value, question[start:end], start, end))

    for match in _QUOTED.finditer(question):
        group = match.lastindex or 1
        add("string", match.group(group).strip(), *match.span(group))
    for pattern in _DATES:
        for match in pattern.finditer(question):
            month = match.groupdict().get("m") or _MONTHS[match["name"].lower()]
            if 1 <= int(month) <= 12 and 1 <= int(match["d"]) <= 31:
                add("date", f"{int(match['y']):04}-{int(month):02}-{int(match['d']):02}", *match.span())
    for match in _NUMBER.finditer(question):
        text = match.group().replace(",", "")
        scale = _SCALE.match(question, match.end())
        if scale:
            value = float(text) * _SCALES[scale[1].lower()]
            add("number", f"{value:.0f}" if value.is_integer() else repr(value), match.start(), scale.end())
        elif re.fullmatch(r"1[0-9]{3}|20[0-9]{2}", text):
            add("year", text, *match.span())
        else:
            add("number", text, *match.span())
    for match in _CUED.finditer(question):
        if match[1].lower() not in _NOT_A_STRING and match[1].lower() not in _WORD_NUMBERS:
            add("string", match[1], *match.span(1))
    for match in re.finditer(r"\b[A-Za-z]+\b", question):
        if (word := match.group().lower()) in _WORD_NUMBERS and len(found) < limit:
            add("number", _WORD_NUMBERS[word], *match.span())
    return tuple(sorted(found, key=lambda literal: literal.start)[:limit])
