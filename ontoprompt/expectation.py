"""What kind of answer a question wants, told from its first words, and whether a result is of that kind.

Expected answer types are as old as question answering over text (Li and Roth 2002); the five
kinds here are those that SPARQL results can be told apart by. A question that gives no hint
expects nothing, and everything fits.
"""

from __future__ import annotations

import re
from typing import Literal

from .execution import ResultSet, Value

Expected = Literal["yes-no", "date", "thing", "number", ""]
_XSD = "http://www.w3.org/2001/XMLSchema#"
_DATES = frozenset(_XSD + n for n in ("date", "dateTime", "gYear", "gYearMonth", "gMonthDay"))
_POLITE = re.compile(
    r"^(?:(?:hi|hey|hello|please|so|well|and|now|ok|okay|tell me|show me|give me|say|i wonder|i want to know|"
    r"i would like to know|i\'d like to know|(?:can|could|would) you (?:please )?(?:tell|show|give|say|name|list|find|count)(?: me)?|"
    r"do you know|do you happen to know)[,:]? )+",
    re.IGNORECASE,
)
_YES_NO = re.compile(
    r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would)\b(?:n\'t)?", re.IGNORECASE
)
_DATE = re.compile(
    r"(?:since |until )?when\b|(?:in |on |from |since )?(?:which|what) (?:year|date|day|month)s?\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"(?:by )?how (?:many|much|tall|high|long|old|big|large|deep|far|heavy|wide|fast|populous)\b|"
    r"(?:what is |what's )?(?:the )?(?:number|count|total number) of\b|count\b",
    re.IGNORECASE,
)
_THING = re.compile(r"(?:to |from |by |with |for |of |in |at |on )?(?:who|whom|whose|where)\b", re.IGNORECASE)


def expected_answer(question: str) -> Expected:
    """The kind of answer that a question wants; empty when its first words do not say."""
    text = _POLITE.sub("", question.strip())
    if _DATE.match(text):
        return "date"
    if _NUMBER.match(text):
        return "number"
    if _THING.match(text):
        return "thing"
    if _YES_NO.match(text):
        return "yes-no"
    return ""


def fits(expected: Expected, result: ResultSet) -> bool:
    """Whether a result is of the expected kind, judged by its first row; an empty one contradicts nothing."""
    if not expected:
        return True
    if result.form == "ask":
        return expected == "yes-no"
    if expected == "yes-no":
        return False
    values = [v for v in result.rows[0] if v is not None] if result.rows else []
    if not values:
        return True
    if expected == "date":
        return any(_is_date(v) for v in values)
    if expected == "number":
        return any(_is_number(v) for v in values)
    return any(not _is_number(v) and not _is_date(v) for v in values)


def _is_date(value: Value) -> bool:
    return value.type == "literal" and (
        value.datatype in _DATES or re.fullmatch(r"-?\d{4}(?:-\d\d){0,2}", value.value) is not None
    )


def _is_number(value: Value) -> bool:
    return (
        value.type == "literal"
        and re.fullmatch(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", value.value) is not None
    )
