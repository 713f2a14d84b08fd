"""Write a query tree back as SPARQL text.

Only what the tables below name can be written; any other node (SERVICE, FROM, CONSTRUCT ...) raises
UnsafeQueryError, so that a form this package does not know cannot reach a graph.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ontoprompt.errors import UnsafeQueryError
from ontoprompt.sparql_tree import XSD, BNode, CompValue, URIRef, Variable, field

_ONE_ARGUMENT = """
    STR LANG DATATYPE BOUND IRI URI BNODE ABS CEIL FLOOR ROUND STRLEN UCASE LCASE ENCODE_FOR_URI YEAR MONTH
    DAY HOURS MINUTES SECONDS TIMEZONE TZ MD5 SHA1 SHA256 SHA384 SHA512 CONCAT COALESCE isIRI isURI isBLANK
    isLITERAL isNUMERIC
"""
_TWO_ARGUMENTS = "LANGMATCHES CONTAINS STRSTARTS STRENDS STRBEFORE STRAFTER STRLANG STRDT sameTerm"
# Argument fields of the functions, in the order in which they are written.
BUILTINS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_ONE_ARGUMENT.split(), ("arg",)),
    **dict.fromkeys(_TWO_ARGUMENTS.split(), ("arg1", "arg2")),
    **dict.fromkeys(("RAND", "NOW", "UUID", "STRUUID"), ()),
    "IF": ("arg1", "arg2", "arg3"),
    "REGEX": ("text", "pattern", "flags"),
    "SUBSTR": ("arg", "start", "length"),
    "REPLACE": ("arg", "pattern", "replacement", "flags"),
}
AGGREGATES = {
    "Aggregate_Count": "COUNT",
    "Aggregate_Sum": "SUM",
    "Aggregate_Min": "MIN",
    "Aggregate_Max": "MAX",
    "Aggregate_Avg": "AVG",
    "Aggregate_Sample": "SAMPLE",
    "Aggregate_GroupConcat": "GROUP_CONCAT",
}
_PRECEDENCE = {
    "ConditionalOrExpression": 1,
    "ConditionalAndExpression": 2,
    "RelationalExpression": 3,
    "AdditiveExpression": 4,
    "MultiplicativeExpression": 5,
    "UnaryNot": 6,
    "UnaryPlus": 6,
    "UnaryMinus": 6,
}
BARE = {
    XSD + "integer": re.compile(r"[+-]?[0-9]+"),
    XSD + "decimal": re.compile(r"[+-]?[0-9]*\.[0-9]+"),
    XSD + "double": re.compile(r"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)[eE][+-]?[0-9]+"),
    XSD + "boolean": re.compile("true|false"),
}
_IRI = re.compile(r'[^<>"{}|^`\\\x00-\x20]*')
_LANGUAGE = re.compile(r"[A-Za-z]+(?:-[A-Za-z0-9]+)*")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def write(
    tree: CompValue,
    *,
    name: Callable[[str], str | None] | None = None,
    rename_variables: bool = False,
    pretty: bool = False,
) -> str:
    """The text of a SELECT or ASK tree; see `ontoprompt.sparql.render` for the options."""
    return _Writer(name, rename_variables, pretty).query(tree)


def quote(text: str) -> str:
    """A string literal in double quotes that holds exactly `text`."""
    inner = "".join(
        _ESCAPES.get(c) or (f"\\u{ord(c):04X}" if c < " " or c == "\x7f" or c in "\u2028\u2029" else c)
        for c in text
    )
    return f'"{inner}"'


def unknown(node: Any) -> UnsafeQueryError:
    """The error for a tree node that is on no list."""
    what = str(getattr(node, "name", None) or type(node).__name__)
    what = {"ServiceGraphPattern": "SERVICE"}.get(what, what)
    return UnsafeQueryError(
        f"The query holds a part that is not allowed ({what}).",
        "Only SELECT and ASK over the one graph are run: no SERVICE, no FROM, no update.",
    )


class _Writer:
    def __init__(self, name: Callable[[str], str | None] | None, rename: bool, pretty: bool) -> None:
        self.name = name
        self.rename = rename
        self.pretty = pretty
        self.variables: dict[str, str] = {}
        self.bnodes: dict[str, str] = {}

    # -- terms

    def iri(self, iri: str) -> str:
        short = self.name(iri) if self.name else None
        if short is not None:
            return short
        if not _IRI.fullmatch(iri):
            raise UnsafeQueryError(f"{iri!r} is not an IRI.", "Take the IRI from the ontology or the graph.")
        return f"<{iri}>"

    def variable(self, variable: str) -> str:
        if self.rename:
            return "?" + self.variables.setdefault(str(variable), f"v{len(self.variables)}")
        return f"?{variable}"

    def literal(self, node: CompValue) -> str:
        text = node["string"]
        if "lang" in node:
            if not _LANGUAGE.fullmatch(node["lang"]):
                raise unknown(node)
            return f"{quote(text)}@{node['lang']}"
        if "datatype" in node:
            bare = BARE.get(str(node["datatype"]))
            if bare and bare.fullmatch(text):
                return str(text)
            return f"{quote(text)}^^{self.iri(str(node['datatype']))}"
        return quote(text)

    def term(self, node: Any) -> str:
        if isinstance(node, Variable):
            return self.variable(node)
        if isinstance(node, URIRef):
            return self.iri(str(node))
        if isinstance(node, BNode):
            return "_:" + self.bnodes.setdefault(str(node), f"b{len(self.bnodes)}")
        if isinstance(node, CompValue) and node.name == "literal":
            return self.literal(node)
        raise unknown(node)

    # -- property paths

    def path(self, node: Any, within: int = 0) -> str:
        """A verb. `within` is the binding strength around it: 1 alternative, 2 sequence, 3 step."""
        if not isinstance(node, CompValue):
            return self.term(node)
        if node.name == "PathAlternative":
            text, strength = "|".join(self.path(part, 2) for part in node["part"]), 1
        elif node.name == "PathSequence":
            text, strength = "/".join(self.path(part, 3) for part in node["part"]), 2
        elif node.name == "PathEltOrInverse":
            # An inverse binds less than a modifier: ^p* is ^(p*).
            text, strength = "^" + self.path(node["part"], 4 if _is_inverse(node["part"]) else 3), 3
        elif node.name == "PathElt":
            if node["mod"] not in ("?", "*", "+"):
                raise unknown(node)
            text, strength = self.path(node["part"], 5) + node["mod"], 4
        elif node.name == "PathNegatedPropertySet":
            parts = field(node, "part", [])
            if not all(isinstance(part, URIRef) for part in parts):
                raise unknown(node)
            text, strength = f"!({'|'.join(self.term(part) for part in parts)})", 5
        else:
            raise unknown(node)
        return f"({text})" if strength < within else text

    # -- expressions

    def expression(self, node: Any, within: int = 0) -> str:
        if not isinstance(node, CompValue) or node.name == "literal":
            return self.term(node)
        strength = _PRECEDENCE.get(node.name)
        if strength is None:
            return self.call(node)
        text = self.operation(node, strength)
        return f"({text})" if strength < within else text

    def operation(self, node: CompValue, strength: int) -> str:
        first = node["expr"]
        if node.name.startswith("Unary"):
            sign = {"UnaryNot": "!", "UnaryPlus": "+", "UnaryMinus": "-"}[node.name]
            inner = self.expression(first, 7)
            return f"{sign}({inner})" if inner[0] in "+-" else sign + inner
        if strength <= 2:
            sign = " || " if strength == 1 else " && "
            return sign.join(self.expression(part, strength + 1) for part in [first, *node["other"]])
        if strength == 3:
            operator = " ".join(node["op"].upper().split())
            if operator in ("IN", "NOT IN"):
                return f"{self.expression(first, 4)} {operator} {self.arguments(node['other'])}"
            if operator not in ("=", "!=", "<", ">", "<=", ">="):
                raise unknown(node)
            return f"{self.expression(first, 4)} {operator} {self.expression(node['other'], 4)}"
        text = self.expression(first, strength)
        for operator, other in zip(node["op"], node["other"], strict=True):
            if operator not in ("+", "-", "*", "/"):
                raise unknown(node)
            text += f" {operator} {self.expression(other, strength + 1)}"
        return text

    def arguments(self, nodes: Any) -> str:
        # An empty list is read as rdf:nil.
        items = nodes if isinstance(nodes, list) else []
        return f"({', '.join(self.expression(item) for item in items)})"

    def call(self, node: CompValue) -> str:
        name = node.name
        if name in ("Builtin_EXISTS", "Builtin_NOTEXISTS"):
            word = "EXISTS" if name == "Builtin_EXISTS" else "NOT EXISTS"
            return f"{word} {self.group(node['graph'], 0, inline=True)}"
        if name in AGGREGATES:
            inner = (
                "*" if type(node["vars"]) is str and node["vars"] == "*" else self.expression(node["vars"])
            )
            distinct = "DISTINCT " if "distinct" in node else ""
            after = f"; SEPARATOR={quote(node['separator']['string'])}" if "separator" in node else ""
            return f"{AGGREGATES[name]}({distinct}{inner}{after})"
        if name == "Function":
            if "distinct" in node:
                raise unknown(node)
            return f"{self.iri(str(node['iri']))}{self.arguments(node['expr'])}"
        word = name.removeprefix("Builtin_")
        if word == name or word not in BUILTINS:
            raise unknown(node)
        fields = [node[key] for key in BUILTINS[word] if key in node]
        if word in ("CONCAT", "COALESCE"):
            return f"{word}{self.arguments(fields[0])}"
        return f"{word}({', '.join(self.expression(field) for field in fields)})"

    # -- graph patterns

    def block(self, lines: list[str], depth: int, inline: bool = False) -> str:
        if not lines:
            return "{ }"
        if self.pretty and not inline:
            pad = "  " * (depth + 1)
            return "{\n" + "".join(f"{pad}{line}\n" for line in lines) + "  " * depth + "}"
        return "{ " + " ".join(lines) + " }"

    def group(self, node: CompValue, depth: int, inline: bool = False) -> str:
        if node.name == "SubSelect":
            return self.block(self.select(node, depth + 1, inline), depth, inline)
        if node.name != "GroupGraphPatternSub":
            raise unknown(node)
        lines: list[str] = []
        for part in field(node, "part", []):
            lines += self.part(part, depth + 1, inline)
        return self.block(lines, depth, inline)

    def part(self, node: CompValue, depth: int, inline: bool) -> list[str]:
        name = node.name
        if name == "TriplesBlock":
            return [f"{self.term(s)} {self.path(p)} {self.term(o)} ." for s, p, o in node["triples"]]
        if name == "Filter":
            expression = node["expr"]
            text = self.expression(expression)
            exists = isinstance(expression, CompValue) and expression.name in (
                "Builtin_EXISTS",
                "Builtin_NOTEXISTS",
            )
            return [f"FILTER {text}" if exists else f"FILTER({text})"]
        if name == "OptionalGraphPattern":
            return [f"OPTIONAL {self.group(node['graph'], depth, inline)}"]
        if name == "MinusGraphPattern":
            return [f"MINUS {self.group(node['graph'], depth, inline)}"]
        if name == "GroupOrUnionGraphPattern":
            return [" UNION ".join(self.group(branch, depth, inline) for branch in node["graph"])]
        if name == "GraphGraphPattern":
            return [f"GRAPH {self.term(node['term'])} {self.group(node['graph'], depth, inline)}"]
        if name == "Bind":
            return [f"BIND({self.expression(node['expr'])} AS {self.variable(node['var'])})"]
        if name == "InlineData":
            return [self.values(node)]
        raise unknown(node)

    def values(self, node: CompValue) -> str:
        rows = [
            " ".join("UNDEF" if type(cell) is str and cell == "UNDEF" else self.term(cell) for cell in row)
            for row in node["value"]
        ]
        if len(node["var"]) == 1:
            return f"VALUES {self.variable(node['var'][0])} {{ {' '.join(rows)} }}"
        head = " ".join(self.variable(v) for v in node["var"])
        return f"VALUES ({head}) {{ {' '.join(f'({row})' for row in rows)} }}"

    # -- the query

    def query(self, node: CompValue) -> str:
        if node.name not in ("SelectQuery", "AskQuery") or "datasetClause" in node:
            raise unknown(node)
        return ("\n" if self.pretty else " ").join(self.select(node, 0, False))

    def select(self, node: CompValue, depth: int, inline: bool) -> list[str]:
        """A (sub)select or an ASK as lines: head with pattern, then the solution modifiers."""
        if node.name == "AskQuery":
            head = "ASK"
        else:
            modifier = f"{node['modifier'].upper()} " if "modifier" in node else ""
            columns = [self.column(c) for c in node["projection"]] if "projection" in node else ["*"]
            head = f"SELECT {modifier}{' '.join(columns)} WHERE"
        lines = [f"{head} {self.group(node['where'], depth, inline)}"]
        if "groupby" in node:
            lines.append("GROUP BY " + " ".join(self.grouping(c) for c in node["groupby"]["condition"]))
        if "having" in node:
            lines.append("HAVING " + " ".join(f"({self.expression(c)})" for c in node["having"]["condition"]))
        if "orderby" in node:
            lines.append("ORDER BY " + " ".join(self.ordering(c) for c in node["orderby"]["condition"]))
        for key in ("limit", "offset"):
            if "limitoffset" in node and key in node["limitoffset"]:
                lines.append(f"{key.upper()} {int(node['limitoffset'][key]['string'])}")
        if "valuesClause" in node:
            lines.append(self.values(node["valuesClause"]))
        return lines

    def column(self, node: CompValue) -> str:
        if "var" in node:
            return self.variable(node["var"])
        return f"({self.expression(node['expr'])} AS {self.variable(node['evar'])})"

    def grouping(self, node: Any) -> str:
        if isinstance(node, CompValue) and node.name == "GroupAs":
            alias = f" AS {self.variable(node['var'])}" if "var" in node else ""
            return f"({self.expression(node['expr'])}{alias})"
        return self.expression(node) if isinstance(node, Variable) else f"({self.expression(node)})"

    def ordering(self, node: CompValue) -> str:
        text = self.expression(node["expr"])
        if "order" in node:
            return f"{node['order'].upper()}({text})"
        return text if isinstance(node["expr"], Variable) else f"({text})"


def _is_inverse(node: Any) -> bool:
    return isinstance(node, CompValue) and node.name == "PathEltOrInverse"
