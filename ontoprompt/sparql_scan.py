"""Cut SPARQL text into tokens far enough that nothing in it can hide.

Comments go, string literals and numbers are replaced by their place in a list, and the white space that
rdflib's grammar does not take where SPARQL 1.1 allows it is dropped. What is left holds no character that
a quoting trick could use, and the grammar never interprets a literal itself: its own reading of numbers
and escapes loses spellings and fails on negative decimals (rdflib 7.6).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from ontoprompt.errors import QuerySyntaxError, UnsafeQueryError

# Longest text, longest number and deepest bracket nesting that are read. Questions lead to queries of a
# few hundred characters and a depth below ten; the grammar takes about 40 Python frames per level.
MAX_CHARACTERS = 20_000
MAX_DIGITS = 300
MAX_DEPTH = 20
# What the tokens of a query may cost together, so that the grammar is done within a second. It takes up to
# a millisecond for a token between round brackets (arguments, comparisons), half of that for others. A
# SERVICE it reads again for each one before it: fifty of them are three seconds.
MAX_COST = 3_300
_COST, _COST_IN_BRACKETS = 2, 5
MAX_SERVICES = 5
# Numbers are replaced by whole numbers from here on, so that one that was overlooked is not mistaken.
FIRST_NUMBER = 8_000_000_000_000

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n\r]*)
      | (?P<iri><[^<>"{}|^`\\\x00-\x20]*>)
      | (?P<string>"{3}(?:"{0,2}(?:[^"\\]|\\.))*"{3} | '{3}(?:'{0,2}(?:[^'\\]|\\.))*'{3}
                 | "(?:[^"\\\n\r]|\\.)*" | '(?:[^'\\\n\r]|\\.)*')
      # white space before a language tag or around ^^, and before the modifier of a path element
      | (?P<gap>(?<=["'])\s+(?=@[A-Za-z]|\^\^) | (?<=\^\^)\s+
              | (?<=[\w>)])\s+(?=\*|\+\?|[+?](?:[\s/|)]|$)))
      | (?P<stray>["'])
      | (?P<name>(?:[^\W\d][\w.\u00b7-]*)?:(?![.-])(?:[^\s<>"'{}()\[\];,|^/*+?!&=\#\\$@~]|\\[^uU])*
              | [?$][\w\u00b7\u0300-\u036f\u203f\u2040]* | @[A-Za-z0-9-]+ | [^\W\d]\w*)
      | (?P<number>[0-9]+\.[0-9]*[eE][+-]?[0-9]+ | \.?[0-9]+[eE][+-]?[0-9]+ | [0-9]*\.[0-9]+ | [0-9]+)
      | (?P<escape>\\.?)
      | (?P<open>[{(\[])
      | (?P<close>[])}])
      | (?P<other>\S)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", re.DOTALL)
_ESCAPED = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f", '"': '"', "'": "'", "\\": "\\"}


@dataclass(frozen=True)
class Scanned:
    """`plain` text in which `"i"` stands for `strings[i]` and FIRST_NUMBER + i for `numbers[i]`."""

    plain: str
    strings: tuple[str, ...]
    numbers: tuple[str, ...]
    text: str
    marks: tuple[tuple[int, int], ...]

    def original(self, place: int) -> str:
        """The original text from a place of `plain` on."""
        at = bisect_right(self.marks, (place, len(self.text))) - 1
        return self.text[self.marks[at][1] + place - self.marks[at][0] :]


def scan(text: str) -> Scanned:
    """Raises QuerySyntaxError (too long, too deep, bad literals) and UnsafeQueryError (hidden codepoints,
    one SERVICE after another)."""
    if len(text) > MAX_CHARACTERS:
        raise QuerySyntaxError(
            f"The query has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read.",
            "Split it or shorten its VALUES.",
        )
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise QuerySyntaxError(
            "The query holds a NUL character or half a surrogate pair.", "Send plain Unicode text."
        )
    lists: dict[str, list[str]] = {"string": [], "number": []}
    pieces: list[str] = []
    marks = [(0, 0)]
    depth = last = size = 0
    cost = _Cost()
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup or ""
        depth += (kind == "open") - (kind == "close")
        cost.add(kind, token.group())
        new = _replacement(kind, token.group(), lists, depth)
        if new is not None:
            pieces += (text[last : token.start()], new)
            last = token.end()
            size += len(pieces[-2]) + len(new)
            marks.append((size, last))
    pieces.append(text[last:])
    return Scanned("".join(pieces), tuple(lists["string"]), tuple(lists["number"]), text, tuple(marks))


class _Cost:
    """Adds up what the grammar will have to do, and refuses what would take it more than a second."""

    def __init__(self) -> None:
        self.total = self.brackets = self.services = 0

    def add(self, kind: str, token: str) -> None:
        """Count a token in."""
        self.brackets += (token == "(") - (token == ")")
        if kind not in ("comment", "gap"):
            self.total += _COST_IN_BRACKETS if self.brackets > 0 else _COST
        if self.total > MAX_COST:
            raise QuerySyntaxError("The query has too many parts.", "Split it or shorten its lists.")
        self.services += kind == "name" and token.upper() == "SERVICE"
        if self.services > MAX_SERVICES:
            raise UnsafeQueryError(
                "The query would send parts of itself to other servers (SERVICE).", "Ask the one graph only."
            )


def _replacement(kind: str, token: str, lists: dict[str, list[str]], depth: int) -> str | None:
    """What stands for a token in the plain text; None for the token itself."""
    if depth > MAX_DEPTH:
        raise QuerySyntaxError("The query is nested too deeply.", "Remove needless brackets.")
    if kind == "comment":
        return " "
    if kind == "gap":
        return ""
    if kind == "string":
        lists[kind].append(_unquote(token))
        return f'"{len(lists[kind]) - 1}"'
    if kind == "number":
        if len(token) > MAX_DIGITS:
            raise QuerySyntaxError("The query holds an endless number.", f"Use at most {MAX_DIGITS} digits.")
        lists[kind].append(token)
        # The space keeps apart what was two numbers.
        return f"{FIRST_NUMBER + len(lists[kind]) - 1} "
    if kind == "stray":
        raise QuerySyntaxError("A string literal is not closed.", "Close the quotes.")
    if kind == "escape" and token[1:] in ("u", "U"):
        raise UnsafeQueryError(
            "The query holds a codepoint escape outside a string literal.", "Write the character itself."
        )
    return None


def _unquote(quoted: str) -> str:
    width = 3 if len(quoted) >= 6 and quoted[:3] in ('"""', "'''") else 1
    return _ESCAPE.sub(_unescape, quoted[width:-width])


def _unescape(match: re.Match[str]) -> str:
    code = match.group(1)
    if code[0] in "uU" and len(code) > 1:
        point = int(code[1:], 16)
        if 0 < point < 0xD800 or 0xE000 <= point <= 0x10FFFF:
            return chr(point)
    elif code in _ESCAPED:
        return _ESCAPED[code]
    raise QuerySyntaxError(
        f"`\\{code}` is no escape that a string literal may hold.",
        "Use \\t \\n \\r \\\" \\' \\\\ or \\uXXXX.",
    )
