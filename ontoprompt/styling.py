"""How a question is typed: politeness, word order, capitals, question marks and slips of the keyboard, at set rates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

_MARK = re.compile("\x02(.*?)\x03")
_POLITE = ("please ", "hello, ", "hi! ", "hey, ", "please tell me: ", "i would like to know: ", "quick question: ", "i wonder, ", "excuse me, ")  # fmt: skip
_COULD = ("could you ", "can you ", "please ", "would you ", "could you please ")
_ORDERS = ("list ", "give me ", "name ", "show me ", "tell me ", "find ", "count ", "show all ")
_KEYS = {"a": "s", "b": "v", "c": "x", "d": "f", "e": "r", "f": "g", "g": "h", "h": "j", "i": "o", "k": "l", "l": "k", "m": "n", "n": "m", "o": "p", "p": "o", "r": "t", "s": "d", "t": "y", "u": "i", "w": "e", "y": "t"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of the questions, 0 to 1: polite ones, all in lower case, with a slip, without question mark, turned round."""

    polite: float = 0.05
    lower: float = 0.12
    typos: float = 0.03
    bare: float = 0.15
    turned: float = 0.03


def styled(question: str, rates: Rates, rng: Random) -> str:
    """The question as somebody types it; marked entities stay marks."""
    if rng.random() < rates.turned:
        found = re.fullmatch("(what|who) is the ([^\x02]+) of (\x02[^\x03]*\x03)\\?", question)
        if found:
            question = rng.choice(("of {2}, {0} is the {1}?", "for {2}, {0} is the {1}?", "the {1} of {2} is {0}?", "{2}: {0} is the {1}?")).format(found[1], found[2], found[3])  # fmt: skip
    if rng.random() < rates.polite:
        order = next((o for o in _ORDERS if question.startswith(o)), "")
        if order:
            question = rng.choice(_COULD) + question + ("?" if rng.random() < 0.7 else "")
            question = question.replace("?", "") if question.startswith("please") else question
        elif question.endswith("?"):
            question = rng.choice(_POLITE) + question
    if rng.random() < rates.bare:
        question = question.rstrip("?")
    if rng.random() < rates.typos:
        question = _slip(question, rng)
    return re.sub(r"\s+", " ", question).strip()


def _slip(question: str, rng: Random) -> str:
    """One slip in one word that is neither name nor number: a letter lost, doubled, swapped or beside the right one."""
    spans = [m.span() for m in _MARK.finditer(question)]
    words = [
        m
        for m in re.finditer(r"\b[a-z]{4,}\b", question)
        if all(m.end() <= a or m.start() >= b for a, b in spans)
    ]
    words = [m for m in words if question[m.start() - 1 : m.start()] not in ("'", '"')]
    if not words:
        return question
    word = rng.choice(words)
    text, at = word[0], rng.randrange(1, len(word[0]) - 1)
    kind = rng.randrange(4)
    if kind == 0:
        text = text[:at] + text[at + 1 :]
    elif kind == 1:
        text = text[:at] + text[at] + text[at:]
    elif kind == 2:
        text = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    else:
        text = text[:at] + _KEYS.get(text[at], text[at]) + text[at + 1 :]
    return question[: word.start()] + text + question[word.end() :]


def named(question: str, labels: dict[str, str], lower: bool) -> tuple[str, list[tuple[str, str, int, int]]]:
    """The question with names in the place of marks, and (IRI, name, start, end) of each; a capital first unless `lower`."""
    out, entities, last = "", [], 0
    for found in _MARK.finditer(question):
        out += question[last : found.start()]
        label = labels[found[1]]
        entities.append((found[1], label, len(out), len(out) + len(label)))
        out += label
        last = found.end()
    out += question[last:]
    # Few letters change their number when their case does, and then the places would be wrong.
    if lower and len(out.lower()) == len(out):
        return out.lower(), entities
    return out[:1].upper() + out[1:] if len(out[:1].upper()) == 1 else out, entities
