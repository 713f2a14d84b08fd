"""One text for all queries that differ only in spelling.

The query tree is turned into a structure of ordered and unordered nodes in which syntax sugar is gone;
its variables are then told apart by colour refinement (Weisfeiler and Leman, 1968) with branching on
ties, as in the canonical labelling of graphs (McKay, "Practical graph isomorphism", 1981), and
numbered in the order of the finished text. The result is a term in prefix notation, not SPARQL.

Queries with equal canonical form are equivalent; the converse is not claimed.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from math import isfinite
from typing import Any

from ontoprompt.sparql_text import AGGREGATES, BARE, BUILTINS, quote, unknown
from ontoprompt.sparql_tree import XSD, BNode, CompValue, URIRef, Variable, field, is_number, walk

# How many complete labellings are compared when refinement leaves variables alike. Variables that can
# truly be swapped give the same text whichever comes first; only rare regular patterns need more.
MAX_LABELLINGS = 32
# Beyond this many variables they keep their names: such queries are equal only with the same names.
MAX_VARIABLES = 128


class _Node:
    """A labelled node; the order of its children means something or not."""

    __slots__ = ("children", "key", "label", "ordered")

    def __init__(self, label: str, children: Iterable[_Item], ordered: bool = True) -> None:
        self.label = label
        self.children = tuple(children)
        self.ordered = ordered
        self.key = ""


# A leaf is a variable or, as plain text, a constant.
_Item = _Node | str


def canonical_text(tree: CompValue) -> str:
    """The canonical form of a SELECT or ASK tree."""
    return _Labelling(_Builder(tree).top()).best()


class _Builder:
    """Tree to structure: sugar removed, unordered things marked as such."""

    def __init__(self, tree: CompValue) -> None:
        self.tree = tree
        self.scopes: list[tuple[int, frozenset[str]]] = []
        self.fresh = 0
        # A blank node acts as a variable that `*` does not return; elsewhere the two are the same.
        self.star = any(
            isinstance(n, CompValue) and n.name in ("SelectQuery", "SubSelect") and "projection" not in n
            for n in walk(tree)
        )

    def top(self) -> _Node:
        return self.select(self.tree)

    # -- terms

    def hidden(self, name: str) -> Variable:
        return Variable(("\1" if self.star else "\2") + name)

    def variable(self, variable: Variable) -> Variable:
        """The variable, told apart from others of its name outside the subselect that hides it."""
        for number, shown in reversed(self.scopes):
            if str(variable) not in shown:
                return Variable(f"{variable}\2{number}")
        return variable

    def term(self, node: Any) -> _Item:
        if isinstance(node, Variable):
            return self.variable(node)
        if isinstance(node, BNode):
            return self.hidden(str(node))
        if isinstance(node, URIRef):
            return f"<{node}>"
        if isinstance(node, CompValue) and node.name == "literal":
            return _literal(node)
        if type(node) is str and node == "UNDEF":
            return "UNDEF"
        raise unknown(node)

    # -- triples and paths

    def triple(self, s: _Item, path: Any, o: _Item) -> list[_Item]:
        name = path.name if isinstance(path, CompValue) else ""
        if name == "PathSequence":
            found: list[_Item] = []
            for part in path["part"][:-1]:
                self.fresh += 1
                middle = self.hidden(f"\1{self.fresh}")
                found += self.triple(s, part, middle)
                s = middle
            return found + self.triple(s, path["part"][-1], o)
        if name == "PathEltOrInverse":
            return self.triple(o, path["part"], s)
        return [_Node("triple", (s, self.path(path), o))]

    def path(self, path: Any) -> _Item:
        if not isinstance(path, CompValue):
            return self.term(path)
        if path.name == "PathAlternative":
            return _Node("|", map(self.path, path["part"]), ordered=False)
        if path.name == "PathSequence":
            return _Node("/", map(self.path, path["part"]))
        if path.name == "PathEltOrInverse":
            return _Node("^", (self.path(path["part"]),))
        if path.name == "PathElt":
            return _Node("path" + path["mod"], (self.path(path["part"]),))
        if path.name == "PathNegatedPropertySet":
            return _Node("!", map(self.term, field(path, "part", ())), ordered=False)
        raise unknown(path)

    # -- graph patterns

    def group(self, node: CompValue) -> _Node:
        """A group as its joins and barriers in order, then its filters, which hold for all of it."""
        if node.name == "SubSelect":
            return self.select(node)
        if node.name != "GroupGraphPatternSub":
            raise unknown(node)
        steps: list[_Item] = []
        joined: list[_Item] = []
        filters: list[_Item] = []
        for part in field(node, "part", ()):
            if part.name == "Filter":
                filters += self.conjuncts(part["expr"])
            elif part.name in ("OptionalGraphPattern", "MinusGraphPattern", "Bind"):
                if joined:
                    steps.append(_join(joined))
                    joined = []
                steps.append(self.barrier(part))
            else:
                joined += self.joinable(part)
        if joined:
            steps.append(_join(joined))
        if filters:
            steps.append(_Node("filter", filters, ordered=False))
        return _Node("group", steps)

    def barrier(self, part: CompValue) -> _Node:
        if part.name == "Bind":
            return _Node("bind", (self.expression(part["expr"]), self.variable(part["var"])))
        return _Node("optional" if part.name[0] == "O" else "minus", (self.group(part["graph"]),))

    def joinable(self, part: CompValue) -> list[_Item]:
        """The parts that join in any order; a group of nothing but such parts dissolves."""
        if part.name == "TriplesBlock":
            return [t for s, p, o in part["triples"] for t in self.triple(self.term(s), p, self.term(o))]
        if part.name == "InlineData":
            return [self.values(part)]
        if part.name == "GraphGraphPattern":
            return [_Node("graph", (self.term(part["term"]), self.group(part["graph"])))]
        if part.name != "GroupOrUnionGraphPattern":
            raise unknown(part)
        branches: list[_Item] = []
        for branch in map(self.group, part["graph"]):
            inner = _only_join(branch)
            union = inner is not None and len(inner) == 1 and inner[0]
            if len(part["graph"]) == 1 and inner is not None:
                return list(inner)
            if isinstance(union, _Node) and union.label == "union":
                branches += union.children
            else:
                branches.append(branch)
        return [_Node("union", branches, ordered=False)] if len(branches) > 1 else branches

    def values(self, node: CompValue) -> _Node:
        rows = [_Node("row", map(self.term, row)) for row in node["value"]]
        head = _Node("head", map(self.variable, node["var"]))
        return _Node("values", (head, _Node("rows", rows, ordered=False)))

    # -- expressions

    def conjuncts(self, node: Any) -> list[_Item]:
        if isinstance(node, CompValue) and node.name == "ConditionalAndExpression":
            return [c for part in (node["expr"], *node["other"]) for c in self.conjuncts(part)]
        return [self.expression(node)]

    def disjuncts(self, node: Any) -> list[_Item]:
        if isinstance(node, CompValue) and node.name == "ConditionalOrExpression":
            return [c for part in (node["expr"], *node["other"]) for c in self.disjuncts(part)]
        return [self.expression(node)]

    def expression(self, node: Any) -> _Item:
        if not isinstance(node, CompValue) or node.name == "literal":
            return self.term(node)
        name = node.name
        if name == "ConditionalAndExpression":
            return _Node("&&", self.conjuncts(node), ordered=False)
        if name == "ConditionalOrExpression":
            return _Node("||", self.disjuncts(node), ordered=False)
        if name == "RelationalExpression":
            return self.comparison(node)
        if name in ("AdditiveExpression", "MultiplicativeExpression"):
            return self.chain(node)
        if name.startswith("Unary"):
            inner = self.expression(node["expr"])
            if name == "UnaryNot" and isinstance(inner, _Node) and inner.label in ("EXISTS", "NOTEXISTS"):
                return _Node("EXISTS" if inner.label[0] == "N" else "NOTEXISTS", inner.children)
            return _Node(name, (inner,))
        return self.call(node)

    def chain(self, node: CompValue) -> _Node:
        """A sum or a product as its signed operands, those of a bracket at its beginning included."""
        operands: list[tuple[str, Any]] = []
        first: Any = node
        while isinstance(first, CompValue) and first.name == node.name:
            operands = [*zip(first["op"], first["other"], strict=True), *operands]
            first = first["expr"]
        operands.insert(0, ("+" if node.name == "AdditiveExpression" else "*", first))
        parts = [_Node(operator, (self.expression(operand),)) for operator, operand in operands]
        return _Node(node.name, parts, ordered=any(operator == "/" for operator, _ in operands))

    def comparison(self, node: CompValue) -> _Node:
        operator = " ".join(node["op"].upper().split())
        first = self.expression(node["expr"])
        if operator in ("IN", "NOT IN"):
            return _Node(operator, (first, _Node("list", self.arguments(node["other"]), ordered=False)))
        other = self.expression(node["other"])
        if operator in (">", ">="):
            return _Node(operator.replace(">", "<"), (other, first))
        return _Node(operator, (first, other), ordered=operator[0] == "<")

    def arguments(self, nodes: Any) -> list[_Item]:
        return [self.expression(item) for item in nodes] if isinstance(nodes, list) else []

    def call(self, node: CompValue) -> _Node:
        name = node.name
        if name in ("Builtin_EXISTS", "Builtin_NOTEXISTS"):
            return _Node(name[8:], (self.group(node["graph"]),))
        if name in AGGREGATES:
            whole = type(node["vars"]) is str and node["vars"] == "*"
            children: list[_Item] = ["*" if whole else self.expression(node["vars"])]
            if "separator" in node:
                children.append(_literal(node["separator"]))
            return _Node(AGGREGATES[name] + (" DISTINCT" if "distinct" in node else ""), children)
        if name == "Function":
            return _Node(f"<{node['iri']}>", self.arguments(node["expr"]))
        word = {"Builtin_URI": "IRI", "Builtin_isURI": "isIRI"}.get(name, name.removeprefix("Builtin_"))
        if word == name or word not in BUILTINS:
            raise unknown(node)
        if word in ("CONCAT", "COALESCE"):
            return _Node(word, self.arguments(node["arg"]))
        children = [self.expression(node[key]) for key in BUILTINS[word] if key in node]
        return _Node(word, children, ordered=word != "sameTerm")

    # -- the query

    def select(self, node: CompValue) -> _Node:
        if node.name not in ("SelectQuery", "SubSelect", "AskQuery") or "datasetClause" in node:
            raise unknown(node)
        scoped = node.name == "SubSelect" and "projection" in node
        if scoped:
            self.fresh += 1
            shown = frozenset(str(c["var" if "var" in c else "evar"]) for c in node["projection"])
            self.scopes.append((self.fresh, shown))
        parts: list[_Item] = []
        if node.name != "AskQuery":
            columns = map(self.column, node["projection"]) if "projection" in node else ["*"]
            parts.append(_Node("columns", columns))
            if "modifier" in node:
                parts.append(node["modifier"].upper())
        parts.append(self.group(node["where"]))
        parts += self.modifiers(node)
        if scoped:
            self.scopes.pop()
        return _Node("ASK" if node.name == "AskQuery" else "SELECT", parts)

    def modifiers(self, node: CompValue) -> list[_Item]:
        parts: list[_Item] = []
        if "groupby" in node:
            parts.append(_Node("group by", map(self.grouping, node["groupby"]["condition"]), ordered=False))
        if "having" in node:
            conditions = [c for n in node["having"]["condition"] for c in self.conjuncts(n)]
            parts.append(_Node("having", conditions, ordered=False))
        if "orderby" in node and node.name != "AskQuery":
            parts.append(
                _Node(
                    "order by",
                    (
                        _Node(field(c, "order", "ASC").upper(), (self.expression(c["expr"]),))
                        for c in node["orderby"]["condition"]
                    ),
                )
            )
        for key in ("limit", "offset"):
            if "limitoffset" in node and key in node["limitoffset"]:
                number = int(node["limitoffset"][key]["string"])
                idle = number == 0 if key == "offset" else node.name == "AskQuery" and number > 0
                if not idle:
                    parts.append(f"{key} {number}")
        if "valuesClause" in node:
            parts.append(self.values(node["valuesClause"]))
        return parts

    def column(self, node: CompValue) -> _Item:
        if "var" in node:
            return self.variable(node["var"])
        return _Node("as", (self.expression(node["expr"]), self.variable(node["evar"])))

    def grouping(self, node: Any) -> _Item:
        if isinstance(node, CompValue) and node.name == "GroupAs":
            if "var" not in node:
                return self.expression(node["expr"])
            return _Node("as", (self.expression(node["expr"]), self.variable(node["var"])))
        return self.expression(node)


def _join(items: list[_Item]) -> _Node:
    # A triple said twice matches no more than once.
    kept: dict[object, _Item] = {}
    for item in items:
        simple = (
            isinstance(item, _Node)
            and item.label == "triple"
            and not any(isinstance(child, _Node) for child in item.children)
        )
        kept[item.children if simple and isinstance(item, _Node) else id(item)] = item
    return _Node("join", kept.values(), ordered=False)


def _only_join(group: _Node) -> tuple[_Item, ...] | None:
    """The joined parts of a group that has nothing else; None when it has."""
    if group.label != "group":
        return None
    if not group.children:
        return ()
    first = group.children[0]
    if len(group.children) == 1 and isinstance(first, _Node) and first.label == "join":
        return first.children
    return None


def _literal(node: CompValue) -> str:
    text = node["string"]
    if "lang" in node:
        return f"{quote(text)}@{node['lang'].lower()}"
    datatype = str(node["datatype"]) if "datatype" in node else ""
    if datatype in ("", XSD + "string"):
        return quote(text)
    if is_number(node) and BARE[datatype].fullmatch(text):
        text = _number(text, datatype)
    return f"{quote(text)}^^<{datatype}>"


def _number(text: str, datatype: str) -> str:
    """The number without a plus sign, leading or trailing zeros."""
    if datatype == XSD + "double":
        return repr(float(text)) if isfinite(float(text)) else text
    sign = "-" if text[0] == "-" else ""
    whole, _, fraction = text.lstrip("+-").partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    plain = f"{whole}.{fraction}" if fraction else whole
    return plain if plain == "0" else sign + plain


class _Labelling:
    """Numbers the variables of a structure by where they stand in it."""

    def __init__(self, root: _Node) -> None:
        self.root = root
        self.left = MAX_LABELLINGS

    def best(self) -> str:
        colours: dict[str, str] = {}
        self._collect(self.root, colours)
        if len(colours) > MAX_VARIABLES:
            colours = {variable: variable for variable in colours}
        return self._search(colours)

    def _collect(self, node: _Node, colours: dict[str, str]) -> None:
        for child in node.children:
            if isinstance(child, _Node):
                self._collect(child, colours)
            elif isinstance(child, Variable):
                colours[child] = "hidden" if child[0] == "\1" else "variable"

    def _search(self, colours: dict[str, str]) -> str:
        colours = self._refine(colours)
        classes: dict[str, list[str]] = {}
        for variable, colour in colours.items():
            classes.setdefault(colour, []).append(variable)
        ties = sorted(colour for colour, members in classes.items() if len(members) > 1)
        if not ties:
            self.left -= 1
            return self._text(colours)
        found: list[str] = []
        for variable in classes[ties[0]]:
            found.append(self._search({**colours, variable: _hash("picked", colours[variable])}))
            if self.left <= 0:
                break
        return min(found)

    def _refine(self, colours: dict[str, str]) -> dict[str, str]:
        count = len(set(colours.values()))
        while True:
            self._keys(self.root, colours)
            contexts: dict[str, list[str]] = {variable: [] for variable in colours}
            self._contexts(self.root, "", contexts)
            colours = {v: _hash(colour, *sorted(contexts[v])) for v, colour in colours.items()}
            now = len(set(colours.values()))
            if now == count:
                return colours
            count = now

    def _keys(self, node: _Node, colours: dict[str, str]) -> str:
        keys = [
            self._keys(child, colours)
            if isinstance(child, _Node)
            else colours.get(child, child)
            if isinstance(child, Variable)
            else child
            for child in node.children
        ]
        node.key = _hash(node.label, *(keys if node.ordered else sorted(keys)))
        return node.key

    def _contexts(self, node: _Node, above: str, contexts: dict[str, list[str]]) -> None:
        for place, child in enumerate(node.children):
            if isinstance(child, str) and not isinstance(child, Variable):
                continue
            here = _hash(above, node.label, str(place) if node.ordered else "", node.key)
            if isinstance(child, _Node):
                self._contexts(child, here, contexts)
            else:
                contexts[child].append(here)

    def _text(self, colours: dict[str, str]) -> str:
        self._keys(self.root, colours)
        names: dict[str, str] = {}

        def key(item: _Item) -> str:
            if isinstance(item, _Node):
                return item.key
            return colours[item] if isinstance(item, Variable) else item

        def write(item: _Item) -> str:
            if isinstance(item, Variable):
                return names.setdefault(item, f"{'_:' if item[0] == chr(1) else '?'}{len(names)}")
            if not isinstance(item, _Node):
                return item
            children = item.children if item.ordered else sorted(item.children, key=key)
            return f"({' '.join([item.label, *map(write, children)])})"

        return write(self.root)


def _hash(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()
