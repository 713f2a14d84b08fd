"""Write a fragment and a question as a prompt, in a named variant, within a token budget.

A variant decides the text (`prompt_variants`) and the *surface* of every term: the string by which
the model names it, a prefixed name or a short symbol (`surfaces`). The grammar admits these surfaces
only, and `Prompt.expand` puts the IRIs back.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from .alignment import in_question_order
from .errors import UsageError
from .fragment import Fragment
from .prompt_variants import INSTRUCTION, VARIANTS
from .surfaces import Draft, Surface, draft_of, is_writable, one_line, short_iri
from .units import converted

__all__ = ["INSTRUCTION", "VARIANTS", "Example", "Prompt", "Surface", "build_prompt", "short_iri"]

_SYMBOL = re.compile(r'"(?:[^"\\]|\\.)*"|<[^<>\s]*>|(?<![\w?:<])(?:(ps|pq|p): )?([cpels]\d{1,2})(?![\w:])')
_IN_TEXT = re.compile(
    r"\b(CONTAINS|STRSTARTS|STRENDS) \( (\?\w+|YEAR \( \?\w+ \)) , (s\d{1,2}|l\d{1,2})(?![\w:])"
)
# A string beside a function whose values it can never be: with capitals beside LCASE, a whole date beside YEAR.
_STRING = r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_CASED = re.compile(
    rf"(\b([LU])CASE\s*\(\s*(?:STR\s*\(\s*)?\?\w+\s*(?:\)\s*)?\)\s*(?:,|!?=)\s*){_STRING}", re.IGNORECASE
)
_OF_YEAR = re.compile(
    r"(\bYEAR\s*\(\s*\?\w+\s*\)\s*(?:\)\s*)?(?:,|!?=|[<>]=?)\s*[\"']?)(-?\d{4})-\d\d(?:-\d\d)?(?:T[^\"']*)?([\"']?)(\^\^<[^<>\s]*>|\^\^\w+:\w+)?",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[\"']?-?\d[\d.]*(?:e[+-]?\d+)?[\"']?", re.IGNORECASE)
# How many symbols of each kind a generator's vocabulary holds.
_LIMITS = {"c": 16, "p": 32, "e": 16, "l": 8}


@dataclass(frozen=True, slots=True)
class Example:
    """A worked example: a question and its query, shown to the model as it is."""

    question: str
    query: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt text, the fragment that it still holds after the budget, and its surfaces."""

    variant: str
    text: str
    fragment: Fragment
    surfaces: tuple[Surface, ...]

    @property
    def symbolic(self) -> bool:
        """Whether queries come back in symbols, which `expand` replaces."""
        return self.variant.endswith("-symbols")

    def of(self, *roles: str) -> tuple[str, ...]:
        """The surface texts of these roles, in prompt order."""
        return tuple(s.text for s in self.surfaces if s.role in roles)

    def expand(self, query: str) -> str:
        """The query in plain SPARQL: symbols replaced by what they stand for, strings untouched.

        What is looked for in the text of a year or of a number is looked for in its text: SPARQL's own functions take
        strings only, and a query that hands them an integer never finds anything (SPARQL 1.1, 17.4.3). Nor does one
        that compares what LCASE makes with capitals, or a year with a whole date: these become small letters and the
        date's year. A number in another unit than the property that it is compared with is converted (`units`).
        """
        if not self.symbolic:
            return _comparable(query)
        meaning = {s.text: s.sparql for s in self.surfaces}
        query = _IN_TEXT.sub(lambda found: _as_text(found, meaning), query)

        def put_back(match: re.Match[str]) -> str:
            role, symbol = match.group(1), match.group(2)
            text = f"{role}: {symbol}" if role else symbol
            return meaning.get(text, match.group()) if symbol else match.group()

        return converted(_comparable(_SYMBOL.sub(put_back, query)), self.fragment)

    def names(self) -> Mapping[str, str]:
        """IRI → surface text, for writing a gold query the way the model should."""
        return {s.iri: s.text for s in self.surfaces if s.iri}


def _comparable(query: str) -> str:
    """The query with the strings that no value of LCASE, UCASE or YEAR could equal mended."""
    query = _CASED.sub(
        lambda found: found[1] + (found[3].lower() if found[2] in "lL" else found[3].upper()), query
    )

    def year(found: re.Match[str]) -> str:
        quoted, typed = found[3], found[4]
        # A year is an integer: a typed date beside it loses its marks with its type, text stays text.
        return found[1].rstrip("\"'") + found[2] if typed else found[1] + found[2] + quoted

    return _OF_YEAR.sub(year, query)


def _as_text(found: re.Match[str], meaning: Mapping[str, str]) -> str:
    function, value, symbol = found.groups()
    looked_for = meaning.get(symbol, "")
    if value.startswith("YEAR") or _NUMBER.fullmatch(looked_for):
        # The literal is text here, whatever it was taken for in the question.
        symbol = f"s{symbol[1:]}" if f"s{symbol[1:]}" in meaning else symbol
        return f"{function} ( STR ( {value} ) , {symbol}"
    return found.group()


def build_prompt(
    fragment: Fragment,
    variant: str = "nsql",
    *,
    examples: Sequence[Example] = (),
    budget: int | None = None,
    count_tokens: Callable[[str], int] | None = None,
) -> Prompt:
    """The prompt of `fragment` in `variant`, at most `budget` tokens by `count_tokens`.

    What ranks lowest goes first when the budget is short: examples from the last, then terms,
    then entities; whole lines only, and the question is never cut. Raises UsageError for an unknown variant.
    """
    if variant not in VARIANTS:
        raise UsageError(f"There is no prompt variant '{variant}'.", f"Choose one of: {', '.join(VARIANTS)}.")
    written = VARIANTS[variant]
    symbolic = variant.endswith("-symbols")
    fragment = _without_unwritable(fragment)
    if symbolic:
        # Entities are numbered as the question mentions them, so that a number says something.
        placed = sorted(fragment.entities, key=lambda e: e.start if e.start >= 0 else len(fragment.question))
        fragment = replace(fragment, entities=tuple(placed), terms=in_question_order(fragment))
        fragment = _within_symbols(fragment)
    kept = list(examples)

    def write(some: Fragment) -> tuple[Draft, str]:
        draft = draft_of(some, symbolic)
        asked = ((one_line(e.question), e.query.strip()) for e in kept)
        shown = "".join(f"{written.comment} {question}\n{query}\n\n" for question, query in asked)
        return draft, written.layout(draft, shown)

    def first(terms: int, entities: int) -> Fragment:
        return replace(fragment, terms=fragment.terms[:terms], entities=fragment.entities[:entities])

    def too_long(terms: int, entities: int) -> bool:
        if budget is None or count_tokens is None:
            return False
        return count_tokens(write(first(terms, entities))[1]) > budget

    terms, entities = len(fragment.terms), len(fragment.entities)
    while kept and too_long(terms, entities):
        kept.pop()
    if terms > 1 and too_long(terms, entities):
        # A prompt grows with every term, so the most that fit are found by halving.
        terms = max(1, bisect_left(range(terms), True, lo=1, key=lambda n: too_long(n, entities)) - 1)
    while entities and too_long(terms, entities):
        entities -= 1
    fragment = first(terms, entities)
    draft, text = write(fragment)
    return Prompt(variant, text, fragment, draft.surfaces)


def _within_symbols(fragment: Fragment) -> Fragment:
    room = {"c": _LIMITS["c"], "p": _LIMITS["p"]}
    terms = []
    for scored in fragment.terms:
        letter = "c" if scored.term.kind == "class" else "p"
        if room[letter] > 0:
            room[letter] -= 1
            terms.append(scored)
    return replace(
        fragment,
        terms=tuple(terms),
        entities=fragment.entities[: _LIMITS["e"]],
        literals=fragment.literals[: _LIMITS["l"]],
    )


def _without_unwritable(fragment: Fragment) -> Fragment:
    """Without the IRIs that no query and no document can hold: as terms and entities, and as what is said of these."""

    def writable(iris: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(iri for iri in iris if is_writable(iri))

    terms = (
        replace(s, term=replace(s.term, domain=writable(s.term.domain), range=writable(s.term.range)))
        for s in fragment.terms
        if is_writable(s.term.iri)
    )
    entities = (replace(e, types=writable(e.types)) for e in fragment.entities if is_writable(e.iri))
    return replace(fragment, terms=tuple(terms), entities=tuple(entities))
