"""Read SPARQL text into a small, resolved parse tree.

The grammar is rdflib's (`rdflib.plugins.sparql.parser`), whose `CompValue` nodes are kept, but three
things are settled here before anything else sees the tree:

* comments and string literals are taken out of the text by one scanner that follows the SPARQL 1.1
  token rules, so that no quoting trick can make the grammar and this package read different queries;
* prefixed names become full IRIs, numbers and literals become `literal` nodes with their exact
  spelling, triples become triples;
* wrappers around a single expression or path are dropped.

What runs is never the text that was read, always what is written back from this tree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from pyparsing import ParseBaseException, ParseResults
from rdflib.plugins.sparql import parser as grammar
from rdflib.plugins.sparql.parserutils import CompValue
from rdflib.term import BNode, Literal, URIRef, Variable

from ontoprompt.errors import QuerySyntaxError, UnsafeQueryError

XSD = "http://www.w3.org/2001/XMLSchema#"
# Longest text and deepest bracket nesting that are read. Questions lead to queries of a few hundred
# characters and a depth below ten; the grammar's recursion needs about 40 Python frames per level.
MAX_CHARACTERS = 20_000
MAX_DIGITS = 300
MAX_DEPTH = 20

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n\r]*)
      | (?P<iri><[^<>"{}|^`\\\x00-\x20]*>)
      | (?P<string>"{3}(?:"{0,2}(?:[^"\\]|\\.))*"{3} | '{3}(?:'{0,2}(?:[^'\\]|\\.))*'{3}
                 | "(?:[^"\\\n\r]|\\.)*" | '(?:[^'\\\n\r]|\\.)*')
      | (?P<type>(?<=["'])\s+(?=@[A-Za-z]|\^\^) | \^\^\s+)
      | (?P<stray>["'])
      | (?P<escape>\\.?)
      | (?P<open>[{(\[])
      | (?P<close>[])}])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", re.DOTALL)
_ESCAPED = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_UPDATE = re.compile(
    r"\s*(?:(?:PREFIX\s+[^\s<]*|BASE)\s*<[^>]*>\s*)*"
    r"(INSERT|DELETE|LOAD|CLEAR|DROP|CREATE|ADD|MOVE|COPY|WITH)\b",
    re.IGNORECASE,
)
# A prefixed name with dots at its end (`dbr:Warner_Bros. dbo:owner ...`), which SPARQL wants escaped and
# Wikipedia's titles are full of. Tried only when the text cannot be read otherwise.
_FINAL_DOTS = re.compile(r"(\b[A-Za-z][\w-]*:[\w:%(),'-]*(?:\.[\w:%(),'-]+)*)(\.+)(?=\s)")
# White space before the modifier of a path element (`wdt:P279 * ?x`), which the grammar does not take.
# Elsewhere white space before these signs means nothing.
_MODIFIER_GAP = re.compile(r"(?<=[\w>)])\s+(?=\*|\+\?|[+?](?:[\s/|)]|$))")
_WRAPPERS = {
    "ConditionalOrExpression",
    "ConditionalAndExpression",
    "RelationalExpression",
    "AdditiveExpression",
    "MultiplicativeExpression",
}


def read(text: str, prefixes: Mapping[str, str]) -> CompValue:
    """The resolved tree of a query. `prefixes` serve where the text declares none of that name.

    Raises QuerySyntaxError (not a query, too long, too deep) and UnsafeQueryError (an update, or a
    codepoint escape outside a string literal).
    """
    if len(text) > MAX_CHARACTERS:
        raise QuerySyntaxError(
            f"The query has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read.",
            "Split it or shorten its VALUES.",
        )
    plain, strings = _scan(text)
    if re.search(rf"[0-9]{{{MAX_DIGITS}}}", plain):
        raise QuerySyntaxError("The query holds a number without end.", f"Use under {MAX_DIGITS} digits.")
    try:
        try:
            prologue, body = grammar.Query.parse_string(plain, parse_all=True)
        except ParseBaseException:
            dotted = _FINAL_DOTS.sub(lambda m: m[1] + m[2].replace(".", "\\."), plain)
            if dotted == plain:
                raise
            prologue, body = grammar.Query.parse_string(dotted, parse_all=True)
        tree: CompValue = _Reader(prologue, prefixes, strings).node(body)
        return tree
    except ParseBaseException as error:
        found = _UPDATE.match(plain)
        if found:
            raise UnsafeQueryError(
                f"The text is an update ({found.group(1).upper()}), not a query.",
                "Only SELECT and ASK are run.",
            ) from None
        if re.match(r"\s*SERVICE\b", plain[error.loc :], re.IGNORECASE):
            raise UnsafeQueryError(
                "The query would send a part of itself to another server (SERVICE).",
                "Ask the one graph only.",
            ) from None
        near = " ".join(plain[error.loc : error.loc + 40].split())
        where = f"near `{near}`" if near else "at its end"
        raise QuerySyntaxError(
            f"The query cannot be read {where}.", "Check it against SPARQL 1.1: braces, dots, prefixes."
        ) from None
    except RecursionError:
        raise QuerySyntaxError(
            "The query is nested too deeply or has too many triples.", "Remove needless brackets and parts."
        ) from None


def _scan(text: str) -> tuple[str, list[str]]:
    """The text without comments and with each string literal replaced by its number; the strings."""
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise QuerySyntaxError(
            "The query holds a NUL character or half a surrogate pair.", "Send plain Unicode text."
        )
    strings: list[str] = []
    pieces: list[str] = []
    depth = last = 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "open":
            depth += 1
            if depth > MAX_DEPTH:
                raise QuerySyntaxError("The query is nested too deeply.", "Remove needless brackets.")
        elif kind == "close":
            depth -= 1
        elif kind == "stray":
            raise QuerySyntaxError("A string literal is not closed.", "Close the quotes.")
        elif kind == "escape" and token.group()[1:] in ("u", "U"):
            raise UnsafeQueryError(
                "The query holds a codepoint escape outside a string literal.",
                "Write the character itself.",
            )
        elif kind == "type":
            # White space between a string and its language or datatype, which the grammar does not take.
            pieces.append(text[last : token.start()] + token.group().strip())
            last = token.end()
        elif kind in ("comment", "string"):
            pieces.append(text[last : token.start()])
            last = token.end()
            if kind == "comment":
                pieces.append(" ")
            else:
                pieces.append(f'"{len(strings)}"')
                strings.append(_unquote(token.group()))
    pieces.append(text[last:])
    return _MODIFIER_GAP.sub("", "".join(pieces)), strings


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


class _Reader:
    """Turns rdflib's raw nodes into resolved ones, for one query."""

    def __init__(self, prologue: Any, prefixes: Mapping[str, str], strings: list[str]) -> None:
        self.prefixes = dict(prefixes)
        self.strings = strings
        self.base = ""
        for declaration in prologue:
            iri = self.iri(declaration.iri)
            if declaration.name == "Base":
                self.base = str(iri)
            else:
                self.prefixes[declaration.prefix or ""] = str(iri)

    def iri(self, value: str) -> URIRef:
        return URIRef(urljoin(self.base, str(value)) if self.base else str(value))

    def node(self, value: Any) -> Any:
        """One value of the raw tree, whatever it is."""
        if isinstance(value, CompValue):
            return self.compound(value)
        if isinstance(value, (list, ParseResults)):
            return [self.node(item) for item in value]
        if isinstance(value, URIRef):
            return self.iri(value)
        if isinstance(value, Literal):
            return CompValue("literal", string=str(value), datatype=URIRef(str(value.datatype)))
        return value

    def compound(self, raw: CompValue) -> Any:
        name = raw.name
        if name == "pname":
            return self.prefixed(raw.prefix or "", raw.localname or "")
        if name == "literal":
            node = CompValue("literal", string=self.strings[int(raw.string)])
            if raw.lang:
                node["lang"] = str(raw.lang)
            elif raw.datatype is not None:
                node["datatype"] = self.node(raw.datatype)
            return node
        if name == "TriplesBlock":
            return CompValue(name, triples=[t for flat in raw.triples for t in _threes(self.node(flat))])
        if name == "InversePath":
            # The grammar drops the IRI here (rdflib 7.6), so the query cannot be known.
            raise QuerySyntaxError(
                "An inverse step inside a negated property set is not supported.",
                "Write it as a FILTER NOT EXISTS.",
            )
        node = CompValue(name)
        for key, value in raw.items():
            if key == "separator":
                node[key] = CompValue("literal", string=self.strings[int(value)])
            elif key == "distinct":
                if value:
                    node[key] = "DISTINCT"
            elif key != "service_string":
                node[key] = self.node(value)
        return _unwrap(node)

    def prefixed(self, prefix: str, local: str) -> URIRef:
        if prefix not in self.prefixes:
            raise QuerySyntaxError(
                f"The prefix `{prefix}:` is not declared.",
                f"Add `PREFIX {prefix}: <...>` or write full IRIs.",
            )
        return URIRef(self.prefixes[prefix] + re.sub(r"\\(.)", r"\1", local))


def _threes(flat: list[Any]) -> list[tuple[Any, Any, Any]]:
    if len(flat) % 3:
        raise QuerySyntaxError("A triple pattern is incomplete.", "Each needs subject, predicate, object.")
    return [(flat[i], flat[i + 1], flat[i + 2]) for i in range(0, len(flat), 3)]


def _unwrap(node: CompValue) -> Any:
    """The node itself, or what it merely wraps."""
    name = node.name
    if name in _WRAPPERS and "other" not in node:
        return node["expr"]
    if name in ("PathAlternative", "PathSequence") and len(node["part"]) == 1:
        return node["part"][0]
    if name == "PathElt" and "mod" not in node:
        return node["part"]
    if name in ("UnaryMinus", "UnaryPlus") and is_number(node["expr"]):
        number = node["expr"]["string"]
        if number[0].isdigit() or number[0] == ".":
            sign = "-" if name == "UnaryMinus" else ""
            return CompValue("literal", string=sign + number, datatype=node["expr"]["datatype"])
    if name in ("InlineData", "ValuesClause"):
        _settle_values(node)
    if name == "LimitOffsetClauses" and any(len(number["string"]) > 18 for number in node.values()):
        raise QuerySyntaxError("A LIMIT or OFFSET is beyond all bounds.", "Use a smaller number.")
    if name == "Function" and "expr" not in node:
        node["expr"] = []
    return node


def _settle_values(node: CompValue) -> None:
    """Make every row of a VALUES block a list as wide as its variables."""
    variables = field(node, "var", [])
    rows = field(node, "value", [])
    # `()` is the empty row of an empty list of variables; the grammar reads it as rdf:nil.
    if not variables:
        rows = [[] for _ in rows]
    rows = [row if isinstance(row, list) else [row] for row in rows]
    if any(len(row) != len(variables) for row in rows):
        raise QuerySyntaxError(
            "A row of VALUES has not as many values as there are variables.", "Use UNDEF for a missing one."
        )
    node["var"], node["value"] = variables, rows


def field(node: CompValue, key: str, default: Any) -> Any:
    """A field of a node, or `default` (the `get` of CompValue answers with the key instead)."""
    return node[key] if key in node else default  # noqa: SIM401


def is_number(value: Any) -> bool:
    """Is it a numeric literal (integer, decimal or double, written bare or typed)?"""
    return (
        isinstance(value, CompValue)
        and value.name == "literal"
        and "datatype" in value
        and str(value["datatype"]) in (XSD + "integer", XSD + "decimal", XSD + "double")
        and bool(value["string"])
    )


def walk(value: Any) -> Any:
    """Every node and leaf of a tree, parents first, in the order of the text."""
    yield value
    if isinstance(value, CompValue):
        for child in value.values():
            yield from walk(child)
    elif isinstance(value, (list, tuple)):
        for child in value:
            yield from walk(child)


__all__ = ["BNode", "CompValue", "URIRef", "Variable", "XSD", "field", "is_number", "read", "walk"]
