"""What the words of a question demand of its query's form: a sum, an average, an alternative, something optional.

A small generator knows such words in the phrasings of its training and misses them in others, while they are few and
plain. Of the 11,110 training questions of LC-QuAD 1.0 and 2.0, QALD and WikiWebQuestions no demand but "or" is made of
more than fourteen whose query lacks the form, and those name a thing or a property by the word, which is no demand.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Demand:
    """`said`: the words that make it; `met`: what a query that meets it holds, IRIs left in place."""

    name: str
    said: re.Pattern[str]
    met: re.Pattern[str]


def _demand(name: str, said: str, met: str) -> Demand:
    return Demand(name, re.compile(said, re.IGNORECASE), re.compile(met))


_RELATIVE = r"(?:that|who|which|where|whose|of)"
_DEMANDS = (
    _demand(
        "total",
        r"\b(?:sum|totals?|totall?ed|totall?ing|altogether|combined|overall|cumulative(?:ly)?|aggregated?|grand total)\b"
        r"|\b(?:add(?:s|ed|ing)?|sum(?:s|med|ming)?|count(?:s|ed|ing)?|tot(?:s|ted)?)\b(?: \S+)*? \b(?:up|together)\b|\b(?:taken|put|all) together\b|\badd(?:s|ed|ing)?\b.* \bto\b|\bplus\b",
        r"\bSUM ?\(|\bCOUNT ?\(|\?\w+ \+ \?\w+",
    ),
    _demand("average", r"\b(?:averages?|averaged|averaging|mean value|the mean|arithmetic mean)\b|^mean\b", r"\bAVG ?\("),
    _demand(
        "optional",
        r"\b(?:if|when|whenever|wherever|in case|provided|as far as|should)\b(?: \w+){0,4} "
        r"\b(?:any|known|available|given|present|recorded|exists?|applicable|possible|one|listed|stated|specified|there|noted|entered|set)\b"
        r"|\bif any\b|\boptional(?:ly)?\b|\beven (?:if|when|those)\b|\balso (?:those|the ones) (?:without|lacking)\b|\bwhether or not\b"
        rf"|\b(?:add|adding|plus|includ\w+|along|with|show|showing|giv\w+|and)\b.* for (?:those|the ones|any|each) {_RELATIVE}\b|\b(?:keep|keeping|including|not dropping|leave|leaving)\b.* \b(?:without|lack|lacking)\b"
        r"|\bwhere(?:ver)? (?:known|available|given|present|recorded|possible|applicable|there is (?:one|any)|it exists|one exists)\b",
        r"\bOPTIONAL\b",
    ),
    _demand("alternative", r"\bor\b(?! (?:more|less|fewer|greater|higher|lower|later|earlier|not|above|below)\b)|\beither of\b", r"\bUNION\b|\|\||\bIN ?\(|[>)] ?\| ?[<(^]|[>)][+*]"),
    _demand(
        "chain",
        r"\bdirectly or\b|\bdirect or\b|\b(?:indirect(?:ly)?|transitive(?:ly)?|recursive(?:ly)?|repeated(?:ly)?|successive(?:ly)?)\b|\bany number of\b|\bchains?\b"
        r"|\bagain and again\b|\bover and over\b|\b(?:one|any|many|several|or more|number of) (?:or more )?(?:steps?|hops?|levels?|links?)\b|\bsteps? or more\b"
        r"|\beventually\b|\bultimately\b|\band so on\b|\bany (?:remove|distance|depth)\b|\bhowever (?:far|many|long)\b",
        r"[>)][+*]",
    ),
    _demand(
        "difference",
        r"\b(?:minus|subtract\w*|deduct\w*|difference between|less its)\b|\bexceeds?\b(?! \d)|\btak(?:e|en|ing) (?:away|off)\b.* \bfrom\b"
        r"|\bhow (?:much|far)\b.* (?:than its|short of|exceeds?|left of|remains of)\b",
        r"\?\w+ - \?\w+|\bMINUS\b",
    ),
)  # fmt: skip


def demands(question: str, named: Iterable[tuple[int, int]] = ()) -> tuple[tuple[Demand, str], ...]:
    """What a question demands, and by which words; `named`: the stretches that name something, which demand nothing."""
    text = question
    for start, end in named:
        if 0 <= start < end:
            text = text[:start] + "_" * (end - start) + text[end:]
    return tuple((d, found.group().lower()) for d in _DEMANDS if (found := d.said.search(text)))


def unmet(asked: Iterable[tuple[Demand, str]], text: str, names: Collection[str]) -> int:
    """How many demands a query does not meet; what one of these `names`, of the terms it uses, says is none."""
    # The first word of a demand is what such a name would hold: *total revenue*, *edition or translation*.
    said = {word for name in names for word in name.lower().split()}
    return sum(not demand.met.search(text) and words.split()[0] not in said for demand, words in asked)
