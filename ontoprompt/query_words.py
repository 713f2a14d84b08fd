"""A query in words, for a model that reads it beside the question.

What tells one query of a question from another is said and nothing else: which thing stands on which side of which
property, what is asked for, what is counted, compared and sorted. `SELECT DISTINCT ?a WHERE { ?a <…P547> <…Q162269> }`
becomes `what commemorates Jefferson Davis`. Prefixes, DISTINCT and language filters are left out; the order of
patterns is kept. What a person is told of a query is `restating.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from .sparql import PREFIXES, property_of

_TOKEN = re.compile(
    r'<[^<>\s]*>|"(?:[^"\\]|\\.)*"(?:@[\w-]+|\^\^<[^<>\s]*>)?|[?$]\w+|[^\s<>"(){}]+|[<>]=?|\S'
)
_FORM = re.compile(
    r"\s*(?:SELECT\b(?P<head>.*?)\bWHERE\b|ASK\b(?:\s*WHERE\b)?)\s*\{(?P<body>.*)\}(?P<tail>[^{}]*)$",
    re.DOTALL,
)
_AGGREGATE = re.compile(r"\(\s*(COUNT|SUM|AVG|MIN|MAX)\s*\(\s*(?:DISTINCT\s*)?(\S+)\s*\)\s*AS\s*(\?\w+)\s*\)")
_AGGREGATES = {
    "COUNT": "how many",
    "SUM": "total of",
    "AVG": "average of",
    "MIN": "lowest",
    "MAX": "highest",
}
_YES_NO = "whether"
LEADS = (_YES_NO, *_AGGREGATES.values())
_LANGUAGE = re.compile(r"FILTER\s*\(\s*LANG\s*\([^()]*\)\s*=\s*\"[\w-]*\"\s*\)")
_WORDS = {
    "a": "is a",
    "rdfs:label": "called",
    "<http://www.w3.org/2000/01/rdf-schema#label>": "called",
    "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>": "is a",
    "<": "below",
    ">": "above",
    "=": "equals",
    "!=": "is not",
    "<=": "at most",
    ">=": "at least",
}
_SILENT = frozenset(("(", ")", ",", "LCASE", "STR", "WHERE", "DISTINCT"))
_ANSWERS = ("what", "which", "whom")
LETTERS = ("x", "y", "z", "u", "v", "w")
_STATEMENT = re.compile(rf"<{re.escape(PREFIXES['p'])}(statement/|qualifier/|)P\d+>")


def query_words(query: str, names: Mapping[str, str]) -> str:
    """A query in plain SPARQL as words. `names`: IRI → label; of an IRI without one the local name is said. Text that
    is no SELECT or ASK query comes back token by token."""
    found = _FORM.match(query)
    if found is None:
        return " ".join(_Words(names, ()).each(_TOKEN.findall(query)))
    head, lead, answers, computed = found["head"], _YES_NO, list[str](), dict[str, str]()
    if head is not None:
        lead = ""
        for name, counted, alias in _AGGREGATE.findall(head):
            lead = _AGGREGATES[name]
            computed[alias] = "the number"
            answers += [counted] * (counted.startswith("?"))
        shown = [v for v in re.findall(r"\?\w+", _AGGREGATE.sub("", head)) if v not in answers]
        answers = [*shown, *answers]
    words = _Words(names, answers, computed)
    parts = [words.pattern(part) for part in _parts(_TOKEN.findall(_LANGUAGE.sub(" ", found["body"])))]
    tail = " ".join(words.each(_TOKEN.findall(found["tail"])))
    return " ".join(filter(None, (lead, " ; ".join(filter(None, parts)), tail)))


def _parts(tokens: Sequence[str]) -> list[list[str]]:
    """Patterns, filters and the marks of groups, each by itself."""
    out: list[list[str]] = [[]]
    depth = 0
    for token in tokens:
        if token == "FILTER" or (
            depth == 0 and token in ("OPTIONAL", "UNION", "MINUS", "{", "}", "BIND", "VALUES")
        ):
            out.append([token])
            depth = 0
            continue
        if token == "." and depth == 0:
            out.append([])
            continue
        out[-1].append(token)
        depth += {"(": 1, ")": -1}.get(token, 0)
        if depth == 0 and token == ")" and out[-1][0] in ("FILTER", "BIND"):
            out.append([])
    return [part for part in out if part and part not in (["{"], ["}"])]


class _Words:
    """What stands for tokens: the variables that are asked for are `what`, `which`, the others letters."""

    def __init__(
        self, names: Mapping[str, str], answers: Sequence[str], computed: Mapping[str, str] | None = None
    ) -> None:
        self.names = names
        self.variables = dict(computed or {})
        for variable, word in zip(dict.fromkeys(answers), _ANSWERS, strict=False):
            self.variables[variable] = word
        self._free = iter(LETTERS)
        self._statements: dict[str, str] = {}

    def each(self, tokens: Sequence[str]) -> list[str]:
        return [word for word in map(self.word, tokens) if word]

    def word(self, token: str) -> str:
        if token in _WORDS:
            return _WORDS[token]
        if token.startswith("?"):
            if token not in self.variables:
                self.variables[token] = next(self._free, "v")
            return self.variables[token]
        if token.startswith("<") and token.endswith(">"):
            iri = property_of(token[1:-1])
            return self.names.get(iri) or re.split(r"[/#]", iri)[-1].replace("_", " ")
        if token.startswith('"'):
            return re.sub(r'"(?:@[\w-]+|\^\^\S+)?$', "", token[1:])
        return "" if token in _SILENT else token.lower()

    def pattern(self, part: Sequence[str]) -> str:
        """A triple, a filter or a mark; of a Wikidata statement its node is not said, but what it links."""
        if len(part) == 3 and (form := _STATEMENT.fullmatch(part[1])):
            subject, name, value = part
            if form[1] == "statement/":
                return " ".join(self.each([self._statements.get(subject, subject), name, value]))
            if form[1] == "qualifier/":
                return " ".join(["with", *self.each([name, value])])
            self._statements[value] = subject
            return ""
        if part[0] == "FILTER":
            return " ".join(["where", *self.each(part[1:])])
        return " ".join(self.each(part))
