"""Say in one English sentence what a query asks, so that a user can see it and correct it.

Works on queries as the grammar writes them: patterns, filters, one ordering, one aggregate.
What it does not know it quotes as it stands, never hides.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_TOKEN = re.compile(
    r"<[^<>\s]*>|\"(?:[^\"\\]|\\.)*\"(?:@[\w-]+|\^\^<[^<>\s]*>)?|\?\w+|[A-Za-z_][\w]*|\d+(?:\.\d+)?|<=|>=|!=|&&|\|\||\S"
)
_RDF_TYPE = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
_COMPARE = {
    ">": "is more than",
    "<": "is less than",
    ">=": "is at least",
    "<=": "is at most",
    "=": "is",
    "!=": "is not",
}
_NAMES = ("it", "x", "y", "z", "u", "v", "w", "t")


def restate(query_text: str, label: Callable[[str], str]) -> str:
    """One sentence for a query in full SPARQL (IRIs in brackets). `label` names an IRI."""
    text = re.sub(r"PREFIX\s+\S*\s*<[^>]*>", " ", query_text)
    match = re.match(r"\s*(ASK|SELECT)(.*?)(?:WHERE)?\s*\{(.*)\}([^{}]*)$", text, re.S | re.I)
    if not match:
        return ""
    form, head, body, tail = match[1].upper(), match[2], match[3], match[4]
    shown = list(dict.fromkeys(re.findall(r"\?\w+", head.split(" AS ")[0] if "(" in head else head)))
    order = list(dict.fromkeys([*shown, *re.findall(r"\?\w+", body)]))
    words = {v: _NAMES[min(i, len(_NAMES) - 1)] for i, v in enumerate(order)}

    def say(token: str) -> str:
        if token.startswith("?"):
            return words.get(token, token[1:])
        if token.startswith("<"):
            return label(token[1:-1])
        return token.split("^^")[0].split("@")[0].strip('"') if token.startswith('"') else token

    clauses = _clauses(body, say)
    if form == "ASK":
        return f"Is it true that {_join(clauses)}?"
    target = "it" if shown and words.get(shown[0]) == "it" else "something"
    others = "".join(f" and {words[v]}" for v in shown[1:])
    aggregate = re.search(r"\(\s*(COUNT|SUM|AVG|MIN|MAX)\s*\(", head, re.I)
    verb = {
        None: f"Find {target}{others} such that ",
        "COUNT": "Count every one of which holds: ",
        "SUM": f"Add up {target} where ",
        "AVG": f"Take the average of {target} where ",
        "MIN": f"Find the smallest {target} where ",
        "MAX": f"Find the largest {target} where ",
    }[aggregate[1].upper() if aggregate else None]
    return verb + _join(clauses) + _ordering(tail, say) + "."


def _join(clauses: list[str]) -> str:
    return (
        clauses[0]
        if len(clauses) == 1
        else ", ".join(clauses[:-1]) + " and " + clauses[-1]
        if clauses
        else "anything holds"
    )


def _clauses(body: str, say: Callable[[str], str]) -> list[str]:
    out: list[str] = []
    for part in re.split(
        r"(FILTER\s*(?:NOT\s+EXISTS\s*|EXISTS\s*)?(?:\w+\s*)?\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))", body
    ):
        if part.strip().upper().startswith("FILTER"):
            out.append(_filter(part, say))
            continue
        tokens = [t for t in _TOKEN.findall(part) if t not in ".{}"]
        index = 0
        while index + 2 < len(tokens):
            if tokens[index].upper() in ("OPTIONAL", "UNION", "MINUS", "VALUES"):
                out.append(
                    {
                        "OPTIONAL": "if known,",
                        "UNION": "or else",
                        "MINUS": "but not that",
                        "VALUES": "one of",
                    }[tokens[index].upper()]
                )
                index += 1
                continue
            s, p, o = tokens[index : index + 3]
            if p in ("a", _RDF_TYPE):
                noun = say(o)
                out.append(f"{say(s)} is {'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}")
            else:
                out.append(
                    f"the {say(p)} of {say(s)} is {say(o)}"
                    if p.startswith("<")
                    else f"{say(s)} {say(p)} {say(o)}"
                )
            index += 3
    return out


def _filter(text: str, say: Callable[[str], str]) -> str:
    inner = re.sub(r"^FILTER\s*", "", text.strip(), flags=re.I).strip()
    simple = re.fullmatch(
        r"\(\s*\(?\s*(YEAR\s*\(\s*)?(\?\w+)\s*\)?\s*(<=|>=|!=|=|<|>)\s*(\S+|\"[^\"]*\"\S*)\s*\)?\s*\)",
        inner,
        re.I,
    )
    if simple:
        what = f"the year of {say(simple[2])}" if simple[1] else say(simple[2])
        return f"{what} {_COMPARE[simple[3]]} {say(simple[4].rstrip(')'))}"
    return "it holds that " + " ".join(say(t) for t in _TOKEN.findall(inner))


def _ordering(tail: str, say: Callable[[str], str]) -> str:
    order = re.search(
        r"ORDER\s+BY\s+(DESC|ASC)?\s*\(?\s*(COUNT|SUM|AVG|MIN|MAX)?\s*\(?\s*(?:DISTINCT\s*)?(\?\w+)",
        tail,
        re.I,
    )
    limit = re.search(r"LIMIT\s+(\d+)", tail, re.I)
    out = ""
    if order:
        how = "largest" if (order[1] or "").upper() == "DESC" else "smallest"
        out = f", {how} {'number of ' if (order[2] or '').upper() == 'COUNT' else ''}{say(order[3])} first"
    if limit and order:
        out += f", only the first {limit[1]}" if limit[1] != "1" else ", only the first"
    return out
