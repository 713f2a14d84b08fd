"""Find the literals that a question states: years, decades, dates, numbers, quoted strings, letters, file names.

A generator never has to spell a value: whatever the question states is found here, given a symbol in the prompt, and
put back when the query is expanded. Where a question leaves open what it says, both readings are given for the same
words: `03/05/1990` is the fifth of March and the third of May, and `the 1980s` begin and end with a year. What this
does not cover: dates without a year ("on Christmas Day"), fractions in words, ordinals in words, and units, which are
told (`unit`) and converted elsewhere (`units`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal as Choice

LiteralKind = Choice["number", "year", "date", "string"]

_XSD = "http://www.w3.org/2001/XMLSchema#"
_MONTHS = {
    name: number
    for number, names in enumerate(
        ("january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug")
        + ("september sep sept", "october oct", "november nov", "december dec"),
        start=1,
    )
    for name in names.split()
}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATES = (
    re.compile(r"(?<![\w-])(?P<y>\d{4}) ?- ?(?P<m>\d{1,2}) ?- ?(?P<d>\d{1,2})(?![\w-])"),
    re.compile(r"(?<![\w/])(?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})(?![\w/])"),
    re.compile(
        rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?: of|-)? ?(?P<name>{_MONTH})\.?,?[ -](?P<y>\d{{4}})\b", re.I
    ),
    re.compile(
        rf"\b(?P<name>{_MONTH})\.? (?:the )?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,? ?(?:of )?(?P<y>\d{{4}})\b",
        re.I,
    ),
)
# Month and day in either order; two digits of a year are of the last hundred years before 2030.
_SLASHED = re.compile(r"(?<![\w./-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?![\w/-]|\.\d)")
_DECADE = re.compile(
    r"\b(?:(?P<full>1\d\d0|20\d0)'?s|(?:the )?['’](?P<short>\d0)'?s|(?<=the )(?P<word>{})ties)\b".replace(
        "{}", "twen|thir|for|fif|six|seven|eigh|nine"
    ),
    re.I,
)
_DECADES = {"twen": 20, "thir": 30, "for": 40, "fif": 50, "six": 60, "seven": 70, "eigh": 80, "nine": 90}
_BEFORE_CHRIST = re.compile(r"\b(\d{1,4}) ?(?:B\.?C\.?E?\.?)(?!\w)")
_YEAR = re.compile(r"1[0-9]{3}|20[0-9]{2}")
_QUOTED = re.compile(
    r"\"([^\"]{1,200})\"|“([^”]{1,200})”|(?<!\w)'([^']{1,80})'(?!\w)|‘([^’]{1,80})’|«([^»]{1,200})»"
)
_NUMBER = re.compile(
    r"(?<![\w.])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\w)|(?<![\w.,])\d{1,3}(?:(?:[ \u00a0\u202f]\d{3})* 000|(?:[\u00a0\u202f]\d{3})+)(?![\w,.]\d|\w| \d)"
    r"|(?<![\w])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w])|(?<![\w.])-?\.\d+(?!\w)",
    re.I,
)
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b", re.I)
# A number and the unit that it sticks to: "200km", "37°C", "$5".
_STUCK = re.compile(
    r"(?<![\w.])(-?\d+(?:,\d{3})*(?:\.\d+)?)(km²?|cm|mm|kg|mg|m²|m|km/h|mph|GHz|MHz|kHz|Hz|GB|MB|kW|MW|ft|lb|lbs|°[CF]?|%)(?!\w)"
)
_UNIT = re.compile(
    r"\s?(%|°\s?[CF]?|km/h|km²|m²|mph|percent|per cent|(?:square |cubic )?(?:kilo|centi|milli|mega|giga|tera)?"
    r"(?:met(?:re|er)|gram|litre|liter|watt|hertz|byte|joule|pascal|volt)s?|km|cm|mm|kg|mg|GHz|MHz|GB|MB|(?:square )?(?:feet|foot|inch(?:es)?"
    r"|miles?|yards?)|pounds?|tons?|tonnes?|acres?|hectares?|degrees?(?: (?:celsius|fahrenheit|kelvin))?|kelvin|seconds?"
    r"|minutes?|hours?|days?|weeks?|months?|years?|dollars?|euros?|USD|EUR|people|inhabitants|light[- ]years?)(?!\w)",
    re.I,
)
_SCALE = re.compile(r"[\s-]*(hundred|thousand|million|billion|trillion)\b", re.I)
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen"""
_TENS = """twenty thirty forty fifty sixty seventy eighty ninety"""
_WORDS = {word: value for value, word in enumerate(_ONES.split())}
_WORDS |= {word: value for value, word in zip(range(20, 100, 10), _TENS.split(), strict=True)}
_WORD = "|".join(sorted(_WORDS, key=len, reverse=True))
_SPELLED = re.compile(
    rf"\b(?:an? (?:hundred|thousand|million|billion)|{_WORD})\b(?:[ -](?:and )?(?:{_WORD}|hundred|thousand|million|billion)\b)*",
    re.I,
)
# "one" is more often a pronoun than a number: it is one where it is counted with or stands before what is counted.
_COUNTED = re.compile(
    r"\b(?:than|least|most|exactly|only|just|equals?|equal to|number|number is|number of|with|has|have|had)$",
    re.I,
)
_PRONOUN_AFTER = re.compile(r"\s*(?:$|[?.,;!]|(?:of|is|are|was|were|that|which|who|whose|with|has|have|had|does|do|did|in|on|at|by|and|or|from|for|to|not)\b)", re.I)  # fmt: skip
_VERSION = re.compile(r"(?<![\w.])\d+(?:\.\d+){2,}(?![\w.]\w)")
# The name of a file goes back to a capital, over words that no clause begins with.
_FILE = re.compile(
    r"(?:[A-Z][\w'-]*(?: (?!(?:is|was|are|were|as|has|have|with|named|called|whose|which|that)\b)[\w'()-]+)* )?"
    r"[\w'()-]+\.(?:jpe?g|png|svg|gif|ogg|oga|ogv|webm|tiff?|wav|pdf|stl)\b"
)
_FOREIGN = re.compile(
    r"[^\W\d_a-zA-Z\u00aa-\u024f\u0250-\u036f\u1d00-\u1eff]{1,}(?:[ ・-][^\W\d_a-zA-Z\u00aa-\u024f\u0250-\u036f\u1d00-\u1eff]+)*"
)
# "whose name starts with R", "contain the word pair": an unquoted string after a cue.
_LETTER = re.compile(
    r"\b(?:words?|letters?|alphabets?|string|(?:start|begin|end)(?:s|ing|ed)? (?:with|by))"
    r"(?: is)?(?:(?: in| by| an?| the)? (?:words?|letters?|alphabets?|name|title|character)(?: in)?)?(?: [\"'“‘]|[ :])\s*(?P<said>[^\W_][\w-]*(?:[ &+][^\W_]\b(?=\W*$))?)",
    re.I,
)
_CUED = re.compile(
    r"\bcontain(?:s|ing)?(?: in| an?| the)?(?: (?:words?|letters?|alphabets?|name|title|character))? [\"'“‘]?"
    r"(?P<said>[^\W\d_][\w-]*)",
    re.I,
)
_CALLED = re.compile(
    r"\b(?:common|native|vernacular|birth|abbreviated|short|pen|pet) name(?: (?:of|is|as|was))?(?: an?| the)? "
    r"(?P<said>[A-Z][\w-]*(?: [A-Za-z][\w-]*){0,3})(?=[?.,;]|\s*$)"
    r"|\bnicknamed? (?:of |is |as |was )?(?P<nick>[A-Z][\w-]*(?: [A-Z][\w-]*){0,3})"
)
_IDLE = """the a an in of their its it's it his her name names word words letter title which that as on and or with by to
for is are be has have most more least less fewer over under above below about around exactly between at from up no any
all some this these those other another"""
_NOT_A_STRING = frozenset(_IDLE.split())


@dataclass(frozen=True, slots=True)
class QuestionLiteral:
    """One literal stated in a question: the words `mention` at `start:end`, and its value.

    `value` is the lexical form: digits for a number or year, ISO 8601 for a date, the bare
    string otherwise. `unit` is the unit that the question gives a number, as it is written, outside of the mention
    where a space stands between.
    """

    kind: LiteralKind
    value: str
    mention: str
    start: int
    end: int
    unit: str = ""

    @property
    def datatype(self) -> str:
        """The IRI of its type in XML Schema."""
        if self.kind == "number":
            number = "integer" if re.fullmatch(r"[+-]?\d+", self.value) else "decimal"
            return _XSD + ("double" if "e" in self.value.lower() else number)
        return _XSD + {"year": "gYear", "date": "date", "string": "string"}[self.kind]

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


# What a reader finds: kind, value, start, end, unit.
_Found = tuple[LiteralKind, str, int, int, str]


def find_literals(question: str, limit: int = 6) -> tuple[QuestionLiteral, ...]:
    """The literals of a question, in order of appearance, at most `limit`.

    Overlaps go to the more specific reading: quoted string, then file name, date, decade, number, then a string after
    a cue such as "starts with". Two readings of the same words stand one after the other.
    """
    found: list[QuestionLiteral] = []
    for reader in _READERS:
        # One reader's own readings may share their words, no others.
        taken = [(other.start, other.end) for other in found]
        own: list[QuestionLiteral] = []
        for kind, value, start, end, unit in islice(reader(question), 4 * limit):
            free = all(end <= other or start >= last for other, last in taken)
            apart = all(end <= o.start or start >= o.end or (start, end) == (o.start, o.end) for o in own)
            if value and free and apart and len(own) < limit:
                own.append(QuestionLiteral(kind, value, question[start:end], start, end, unit))
        found += own
    return tuple(sorted(found, key=lambda literal: literal.start)[:limit])


def _quoted(question: str) -> Iterator[_Found]:
    for match in _QUOTED.finditer(question):
        group = match.lastindex or 1
        if match.end() - match.start() >= len(question.strip()):
            continue  # the whole question stands in quotation marks
        yield "string", match.group(group).strip(), *match.span(group), ""


def _named_files(question: str) -> Iterator[_Found]:
    for pattern in (_FILE, _VERSION):
        for match in pattern.finditer(question):
            if pattern is _FILE or not _SLASHED.match(question, match.start()):
                yield "string", match.group(), *match.span(), ""


def _dates(question: str) -> Iterator[_Found]:
    for pattern in _DATES:
        for match in pattern.finditer(question):
            month = int(match.groupdict().get("m") or _MONTHS[match["name"].lower()])
            if value := _date(int(match["y"]), month, int(match["d"])):
                yield "date", value, *match.span(), ""
    for match in _SLASHED.finditer(question):
        first, second, year = int(match[1]), int(match[3]), int(match[4])
        if len(match[4]) == 2:
            year += 2000 if year < 30 else 1900
        # Month first, as in English of America, then day first; a dot stands between day and month.
        orders = [(second, first)] if match[2] == "." else [(first, second), (second, first)]
        for value in dict.fromkeys(_date(year, month, day) for month, day in orders):
            if value:
                yield "date", value, *match.span(), ""


def _date(year: int, month: int, day: int) -> str:
    longest = 29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31
    return f"{year:04}-{month:02}-{day:02}" if 1 <= month <= 12 and 1 <= day <= longest else ""


def _decades(question: str) -> Iterator[_Found]:
    for match in _DECADE.finditer(question):
        short = int(match["short"]) if match["short"] else _DECADES.get((match["word"] or "").lower(), 0)
        first = int(match["full"]) if match["full"] else 1900 + short
        yield "year", str(first), *match.span(), ""
        yield "year", str(first + 9), *match.span(), ""
    for match in _BEFORE_CHRIST.finditer(question):
        yield "year", f"-{int(match[1])}", *match.span(), ""


def _numbers(question: str) -> Iterator[_Found]:
    for match in _NUMBER.finditer(question):
        text = re.sub(r"[,\s]", "", match.group())
        text = re.sub(r"^(-?)\.", r"\g<1>0.", text)
        scale = _SCALE.match(question, match.end())
        end = scale.end() if scale else match.end()
        unit = _unit(question, match.start(), end)
        if scale:
            yield "number", _plain(float(text) * _SCALES[scale[1].lower()]), match.start(), end, unit
        elif _YEAR.fullmatch(match.group()) and not unit:
            yield "year", text, *match.span(), ""
        else:
            yield "number", text, *match.span(), unit
    for match in _STUCK.finditer(question):
        yield "number", match[1].replace(",", ""), *match.span(), match[2]
    for match in _ORDINAL.finditer(question):
        yield "number", match[1], *match.span(), ""


def _unit(question: str, start: int, end: int) -> str:
    """The unit of a number at `start:end`."""
    found = _UNIT.match(question, end)
    before = question[start - 1 : start]
    return found[1] if found else before if before and before in "$€£" else ""


def _plain(value: float) -> str:
    return f"{value:.0f}" if value.is_integer() else repr(value)


def _called(question: str) -> Iterator[_Found]:
    for match in _CALLED.finditer(question):
        group = "said" if match["said"] else "nick"
        yield "string", match[group], *match.span(group), ""
    for match in _LETTER.finditer(question):
        said = match["said"].lower()
        # "starts with a", but not "starts with a vowel".
        ends = not question[match.end("said") :].strip(" ?.!\"'”’")
        if said not in _NOT_A_STRING or (
            len(said) == 1 and (ends or match.group().lower().startswith("letter"))
        ):
            yield "string", match["said"], *match.span("said"), ""


def _cued(question: str) -> Iterator[_Found]:
    for match in _CUED.finditer(question):
        said = match["said"].lower()
        if said not in _NOT_A_STRING and said not in _WORDS and said not in _SCALES:
            yield "string", match["said"], *match.span("said"), ""


def _is_pronoun(question: str, one: re.Match[str]) -> bool:
    """Whether a "one" stands for a thing ("those that have one", "every one of them") rather than for a number."""
    before = _COUNTED.search(question[: one.start()].rstrip())
    if before is None:
        return True
    return before.group().lower() in ("with", "has", "have", "had") and bool(
        _PRONOUN_AFTER.match(question, one.end())
    )


def _spelled(question: str) -> Iterator[_Found]:
    for match in _SPELLED.finditer(question):
        if match.group().lower() == "one" and _is_pronoun(question, match):
            continue
        total = part = 0
        for word in re.findall(r"[a-z]+", match.group().lower()):
            if word in _WORDS:
                part += _WORDS[word]
            elif word == "hundred":
                part = max(part, 1) * 100
            elif word in _SCALES:
                total, part = total + max(part, 1) * _SCALES[word], 0
        yield "number", str(total + part), *match.span(), _unit(question, *match.span())


def _foreign(question: str) -> Iterator[_Found]:
    """Words of another script."""
    for match in _FOREIGN.finditer(question):
        yield "string", match.group(), *match.span(), ""


_READERS: tuple[Callable[[str], Iterator[_Found]], ...] = (
    _quoted,
    _named_files,
    _dates,
    _decades,
    _numbers,
    _called,
    _cued,
    _spelled,
    _foreign,
)
