"""What people and papers are called whose identifiers name nothing, by the questions that ask about them.

DBLP-QuAD (Banerjee et al. 2023) comes without names: `https://dblp.org/pid/73/7007` is Lina Shi, which only its graph
knows. Nobody can tell such an entity from five others by its identifier. So a paper is called by the title that a question
quotes, a person by the name that stands outside of quotation marks, where a question has as many of them as its query has
papers or people; of several the first in the question is the first in the query. All entities, gold or not, are named so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from bench.datasets import Question

_PAPER = re.compile(r"<(https://dblp\.org/rec/[^<>\s]+)>")
_PERSON = re.compile(r"<(https://dblp\.org/pid/[^<>\s]+)>")
_QUOTED = re.compile(r"(?<!\w)['\"‘“](?P<said>.{3,}?)['\"’”](?!\w)")
_WORD = r"[A-ZÀ-ÞĀ-Ž][\w.'’-]*"
_LINK = r"(?:,? |-)(?:(?:van|von|de|der|den|del|della|di|da|la|le|el|al|bin|ten|dos) )*"
_NAME = re.compile(rf"{_WORD}(?:{_LINK}{_WORD})+")
# Where papers are published and people work is text in dblp's graph.
_VENUE = re.compile(r"\b(?:in|from|at|to)(?: the)? $", re.IGNORECASE)
# What begins a question with a capital, and is no name.
_LEADS = frozenset(
    re.findall(
        r"\S+",
        """
    Which What Who Whom Whose When Where Why How Did Does Do Didn't Doesn't Don't Has Have Had Hasn't Haven't
    Is Are Was Were Isn't Aren't Wasn't Weren't Find List Report Show Give Name Tell Mention State Count In
    With For Of On By The A Please Can Could Also Author Authors Paper Papers Publication Publications Return
    Determine Identify Provide Enumerate Get Specify Mr Mrs Dr Prof Professor
""",
    )
)


def said_names(questions: Iterable[Question]) -> dict[str, str]:
    """IRI → the name that questions say; those that none says are missing."""
    out: dict[str, str] = {}
    for question in questions:
        text = question.question.replace("\\u2019", "’")
        titles = [match["said"] for match in _QUOTED.finditer(text)]
        people = list(_people(_QUOTED.sub(" ; ", text)))
        for pattern, said in ((_PAPER, titles), (_PERSON, people)):
            iris = list(dict.fromkeys(pattern.findall(question.query)))
            if len(iris) == len(said):
                for iri, name in zip(iris, said, strict=True):
                    out.setdefault(iri, name)
    return out


def _people(text: str) -> Iterable[str]:
    """Names of people in a text, those that it repeats once."""
    seen: dict[str, None] = {}
    for match in _NAME.finditer(text):
        if _VENUE.search(text, 0, match.start()):
            continue
        words = re.split(r"(?<=[ ])", match.group())
        while words and words[0].strip() in _LEADS:
            words.pop(0)
        name = "".join(words).strip(" ,.'’")
        if len(name.split()) > 1:
            seen.setdefault(name)
    return seen
