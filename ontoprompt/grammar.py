"""Build, per question, the grammar that decoding is held to.

It admits SPARQL queries over the given surfaces only, so what is generated always parses and
never names a term that was not retrieved. It is written in a model's own tokens: each word has one
spelling, and every rule knows its longest derivation. A group of patterns may take a number of
units, each at least as long as any triple; the number is what the token budget leaves room for. So
every derivation ends within the budget, whatever the tokenizer. What the grammar does not cover:
subselects, CONSTRUCT, DESCRIBE, anything that writes, and federation, which are left out on purpose.

The text is in llguidance's Lark dialect, where `<[7]>` is the token 7; compiling and masking happen
in `generation`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

# Variables of patterns, and (apart, since SPARQL forbids re-binding) those that an AS binds.
VARIABLES = tuple(f"?{letter}" for letter in "abcdefgh")
ALIASES = ("?n", "?m")
_GROUPABLE = VARIABLES[:4]
_PROJECTED = (*VARIABLES[:4], "?m")
_LIMITS = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "15", "20", "25", "50", "100", "1000")
# Longer groups than this no question here needs; shorter ones than that say too little.
MOST_UNITS, LEAST_UNITS = 14, 2
# Triples that may stand in a block of their own.
_INNER_TRIPLES = 3

# Tokens that a query may take where a server writes it, characters that a token is taken for.
_SERVED, _CHARACTERS = 320, 4
_GBNF_NAME = re.compile(r'"(?:[^"\\]|\\.)*"|([a-z]\w*)')

Encode = Callable[[str], Sequence[int]]
Form = Literal["ask", "select", ""]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The surfaces that a query may hold, by what they may stand for."""

    classes: Sequence[str] = ()
    properties: Sequence[str] = ()
    entities: Sequence[str] = ()
    literals: Sequence[str] = ()
    strings: Sequence[str] = ()
    counts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Grammar:
    """All queries over `vocabulary` that fit a budget; which those are, a tokenizer decides (`write`).

    `form`: the only form of query, empty for either.
    """

    vocabulary: Vocabulary
    form: Form = ""

    def write(self, encode: Encode, budget: int, *, least: int = LEAST_UNITS) -> WrittenGrammar:
        """The grammar in tokens, each derivation at most `budget` tokens long, the end token included.

        `encode` gives the tokens of a piece of text as it stands after other text. A budget that
        leaves less than `least` units is overdrawn: see `WrittenGrammar.longest`.
        """
        return self._written(_Rules(encode), budget, least)

    def gbnf(self, budget: int = _SERVED, *, least: int = LEAST_UNITS) -> str:
        """The grammar as text in GBNF, which llama.cpp and vLLM take, for a server whose tokenizer is not known here.

        `budget`: tokens that a query may take, by an estimate of four characters each.
        """
        return (
            "\n".join(map(_in_gbnf, self._written(_TextRules(_estimate), budget, least).text.splitlines()))
            + "\n"
        )

    def _written(self, rules: _Rules, budget: int, least: int) -> WrittenGrammar:
        _lexicon(rules, self.vocabulary)
        triple = _triple(rules, self.vocabulary)
        _tests(rules)
        # Without properties a triple is so short that no number of units would hold a filter or two.
        unit = max(triple.longest + rules.part(".").longest, rules["filter"].longest // 3)
        # All that stands around the patterns is written first: it decides what is left for them.
        start = _query(rules, self.form)
        units = max(least, min(MOST_UNITS, (budget - 1 - start.longest) // unit))
        _Groups(rules, unit, units).write()
        return WrittenGrammar("\n".join(rules.lines) + "\n", start.longest + units * unit + 1, units)


@dataclass(frozen=True, slots=True)
class WrittenGrammar:
    """A grammar as Lark text over tokens. No derivation is longer than `longest` tokens, the end token included."""

    text: str
    longest: int
    units: int


def build_grammar(vocabulary: Vocabulary, form: Form = "") -> Grammar:
    """The grammar of all bounded queries over `vocabulary`, of one form where the question leaves no choice.

    Rules that need a kind of surface that is absent are left out, so that no branch is dead.
    """
    return Grammar(vocabulary, form)


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of a rule and the tokens that its longest derivation takes."""

    text: str
    longest: int


class _Rules:
    """Writes rules and keeps count. Plain text in a rule is words, a space before each."""

    def __init__(self, encode: Encode) -> None:
        self.encode = encode
        self.lines: list[str] = []
        self.named: dict[str, _Part] = {}
        self.known: dict[str, _Part] = {}

    def token(self, text: str) -> _Part:
        """One piece of text, verbatim."""
        ids = self.encode(text)
        return _Part(" ".join(f"<[{i}]>" for i in ids), len(ids))

    def words(self, text: str) -> _Part:
        """Words, a space before each."""
        known = self.known.get(text)
        if known is None:
            made = [self.token(f" {word}") for word in text.split()]
            known = self.known[text] = _Part(" ".join(w.text for w in made), sum(w.longest for w in made))
        return known

    def part(self, *parts: _Part | str) -> _Part:
        """Parts in sequence."""
        if len(parts) == 1:
            return self.words(parts[0]) if isinstance(parts[0], str) else parts[0]
        made = [self.words(part) if isinstance(part, str) else part for part in parts]
        return _Part(" ".join([p.text for p in made]), sum([p.longest for p in made]))

    def one_of(self, *parts: _Part | str | None) -> _Part:
        """Any one of the parts that are there."""
        made = [self.part(p) for p in parts if p is not None]
        return _Part(f"({' | '.join(dict.fromkeys(p.text for p in made))})", max(p.longest for p in made))

    def maybe(self, *parts: _Part | str) -> _Part:
        """The parts in sequence, or nothing."""
        made = self.part(*parts)
        return _Part(f"({made.text})?", made.longest)

    def surfaces(self, surfaces: Sequence[str]) -> _Part | None:
        """Any one of some surfaces, each taken whole; None without any."""
        return self.one_of(*(self.token(f" {s}") for s in surfaces)) if surfaces else None

    def rule(self, name: str, body: _Part) -> _Part:
        """Writes `name: body` and gives the part that refers to it."""
        self.lines.append(f"{name}: {body.text}")
        self.named[name] = _Part(name, body.longest)
        return self.named[name]

    def get(self, name: str) -> _Part | None:
        """A rule written before, None where it was left out."""
        return self.named.get(name)

    def __getitem__(self, name: str) -> _Part:
        return self.named[name]


class _TextRules(_Rules):
    """Rules over text instead of tokens."""

    def token(self, text: str) -> _Part:
        return _Part(json.dumps(text, ensure_ascii=False), len(self.encode(text)))


def _estimate(text: str) -> Sequence[int]:
    """As many tokens as a text may take, for a tokenizer that is not known."""
    return range(len(text) // _CHARACTERS + 1)


def _in_gbnf(line: str) -> str:
    """A rule of Lark as one of GBNF: names have dashes, the first is called root."""
    name, _, body = line.partition(": ")
    said = _GBNF_NAME.sub(lambda m: m[0] if m[1] is None else m[1].replace("_", "-"), body)
    return f"{'root' if name == 'start' else name.replace('_', '-')} ::= {said}"


def _lexicon(r: _Rules, v: Vocabulary) -> None:
    r.rule("var", r.one_of(*VARIABLES))
    r.rule("value", r.one_of(r["var"], *ALIASES))
    for name, surfaces in (
        ("class", v.classes),
        ("property", v.properties),
        ("entity", v.entities),
        ("string", v.strings),
        ("literal", [*v.literals, *v.strings]),
    ):
        if found := r.surfaces(surfaces):
            r.rule(name, found)
    r.rule("number", r.one_of("0", "1", "2"))
    r.rule("digits", r.one_of(*_LIMITS, r.surfaces(v.counts)))


def _triple(r: _Rules, v: Vocabulary) -> _Part:
    link, entity = r.get("property"), r.get("entity")
    subject = r.one_of(r["var"], entity)
    patterns = [
        r.part(subject, "a", r.one_of(r.get("class"), entity, r["var"])),
        r.part(r["var"], "rdfs:label", r.one_of(r["var"], r.get("string"))),
    ]
    if link:
        # No space before the sign: rdflib's parser refuses one there.
        sign = r.one_of(r.token("*"), r.token("+"))
        r.rule(
            "path",
            r.one_of(
                r.part(link, r.one_of("|", "/"), link),
                r.part("^", link),
                r.part(link, r.maybe("/", link), sign),
                r.part(link, "/", link, "/", link),
                link,
            ),
        )
        obj = r.one_of(r["var"], entity, r.get("literal"), r["number"], r.get("class"))
        patterns.append(r.part(subject, r["path"], obj))
    r.rule("triple", r.one_of(*patterns))
    return r["triple"]


def _tests(r: _Rules) -> None:
    value, entity, literal = r["value"], r.get("entity"), r.get("literal")
    r.rule("compare", r.one_of("=", "!=", "<", ">", "<=", ">="))
    r.rule("measure", r.one_of(value, r.part("YEAR (", value, ")")))
    r.rule("operand", r.one_of(r["measure"], r["number"], literal, entity))
    comparison = r.rule("comparison", r.part(r["measure"], r["compare"], r["operand"]))
    listed = r.part(value, r.maybe("NOT"), "IN (", r["operand"], r.maybe(",", r["operand"]), ")")
    tests = [
        comparison,
        r.part("LANG (", value, ') = "en"'),
        listed,
        r.part(r.maybe("!"), "BOUND (", value, ")"),
    ]
    if literal:
        lower = r.part("LCASE (", r.one_of(value, r.part("STR (", value, ")")), ")")
        text = r.one_of(value, r.part(r.one_of("STR (", "YEAR ("), value, ")"), lower)
        r.rule("text", text)
        tests += [
            r.part(r.one_of("CONTAINS (", "STRSTARTS ("), r["text"], ",", literal, ")"),
            r.part("REGEX (", r["text"], ",", literal, r.maybe(', "i"'), ")"),
        ]
    r.rule("filter", r.part("FILTER (", r.one_of(*tests), r.maybe(r.one_of("&&", "||"), comparison), ")"))


def _query(r: _Rules, form: Form) -> _Part:
    """The query but for its group of patterns, which counts as its two braces here."""
    braces = r.part("{", "}").longest
    # Beside an aggregate ?n is taken; `group` may bind it, `counted` may not.
    group, counted = _Part("group", braces), _Part("counted", braces)
    var, digits = r["var"], r["digits"]
    distinct = r.maybe("DISTINCT")
    direction = r.one_of("ASC (", "DESC (")
    limit = r.rule("limit", r.part("LIMIT", digits, r.maybe("OFFSET", r.one_of("0", digits))))
    function = r.one_of("SUM (", "AVG (", "MIN (", "MAX (")
    count = r.part("COUNT (", distinct, r.one_of(var, "*"), ")")
    aggregate = r.rule("aggregate", r.one_of(count, r.part(function, distinct, var, ")")))
    made = r.part("(", aggregate, "AS ?n )")
    order = r.part("ORDER BY", r.one_of(r.part(direction, r["value"], ")"), r["value"]))
    bound = r.one_of(r["number"], r.get("literal"))
    if form == "ask":
        return r.rule("start", r.part("ASK WHERE", group))
    forms = [r.part("SELECT", distinct, made, "WHERE", counted)]
    if form != "select":
        forms.insert(0, r.part("ASK WHERE", group))
    # A plain variable beside an aggregate must be grouped by: one rule a variable ties the two. ?n can be
    # named only where the projection makes it; the aggregate itself always can.
    for variable in _GROUPABLE:
        tails = []
        for projected, patterns, known in (
            (r.part(made), counted, r.one_of(aggregate, "?n")),
            (None, group, aggregate),
        ):
            having = r.maybe("HAVING (", known, r["compare"], bound, ")")
            ordered = r.maybe("ORDER BY", direction, r.one_of(known, variable), ")")
            tail = r.part("WHERE", patterns, f"GROUP BY {variable}", having, ordered)
            tails.append(r.part(projected, tail) if projected else tail)
        forms.append(r.part("SELECT", distinct, variable, r.one_of(*tails), r.maybe(limit)))
    # Naming a variable twice is an error: the pairs are listed.
    pairs = [f"{first} {second}" for first in _PROJECTED for second in _PROJECTED if first != second]
    projection = r.one_of(r["value"], *pairs, "?a ?b ?c", "*")
    forms.append(r.part("SELECT", distinct, projection, "WHERE", group, r.maybe(order), r.maybe(limit)))
    return r.rule("start", r.one_of(*forms))


class _Groups:
    """The patterns between the braces, at most `units` units of `unit` tokens.

    `first_k` and `next_k` are what may be written with k units left: an item, and with what it
    leaves the next. A dot stands after a triple that something follows, nowhere else.
    """

    def __init__(self, rules: _Rules, unit: int, units: int) -> None:
        self.rules = rules
        self.unit = unit
        self.units = units

    def write(self) -> None:
        """The rules `group` and `counted`: a BIND, which only filters may follow, stands last."""
        r = self.rules
        blocks = self._blocks()
        if entity := r.get("entity"):
            listed = r.part(entity, r.maybe(entity, r.maybe(entity, r.maybe(entity))))
            r.rule("values", r.part("VALUES", r["var"], "{", listed, "}"))
        self._items(self._unions(blocks), self._extras(blocks))
        number = r.one_of(r["var"], r["number"], r.get("literal"))
        r.rule(
            "computed",
            r.one_of(r.part(r["var"], r.one_of("+", "-", "*", "/"), number), r.part("YEAR (", r["var"], ")")),
        )
        for name, alias in (("group", r.one_of(*ALIASES)), ("counted", r.part(ALIASES[-1]))):
            bind = r.part(r.maybe("."), "BIND (", r["computed"], "AS", alias, ")", r.maybe(r["filter"]))
            values = r.get("values")
            bodies = [self.ref("first", self.units)]
            if (left := self.units - self.weight(bind)) > 0:
                bodies.append(r.part(self.ref("first", left), bind))
            if values and (left := self.units - self.weight(values)) > 0:
                bodies.append(r.part(values, self.ref("first", left)))
            r.rule(name, r.part("{", r.one_of(*bodies), "}"))

    def weight(self, part: _Part) -> int:
        """How many units a part takes."""
        return -(-part.longest // self.unit)

    def ref(self, kind: str, left: int) -> _Part:
        """The rule of what fits in `left` units: as long as these units are."""
        return _Part(f"{kind}_{left}", left * self.unit)

    def by_weight(self, name: str, parts: Sequence[_Part]) -> dict[int, _Part]:
        """One rule for all parts of a weight; those too heavy for any group are left out."""
        found: dict[int, list[_Part]] = {}
        for part in parts:
            found.setdefault(self.weight(part), []).append(part)
        rules = ((w, self.rules.rule(f"{name}_{w}", self.rules.one_of(*same))) for w, same in found.items())
        return {w: rule for w, rule in rules if w <= self.units}

    def _blocks(self) -> dict[int, _Part]:
        """Triples in braces of their own, and a filter behind them."""
        r = self.rules
        parts = []
        content = r["triple"]
        for _ in range(_INNER_TRIPLES):
            parts += [r.part("{", content, "}"), r.part("{", content, ".", r["filter"], "}")]
            content = r.part(content, ".", r["triple"])
        return self.by_weight("block", parts)

    def _unions(self, blocks: dict[int, _Part]) -> dict[int, _Part]:
        r = self.rules
        found: dict[int, list[_Part]] = {}
        for weight in range(1, self.units):
            # What stands for the rest is lighter than the whole, so it is complete by now.
            rests = [blocks[weight]] if weight in blocks else []
            if weight in found:
                rests.append(r.rule(f"union_{weight}", r.one_of(*found[weight])))
            for rest in rests:
                for first in blocks.values():
                    chain = r.part(first, "UNION", rest)
                    found.setdefault(self.weight(chain), []).append(chain)
        if self.units in found:
            r.rule(f"union_{self.units}", r.one_of(*found[self.units]))
        return {w: r[f"union_{w}"] for w in found if w <= self.units}

    def _extras(self, blocks: dict[int, _Part]) -> dict[int, _Part]:
        """What may follow the first pattern besides triples and unions."""
        r = self.rules
        word = r.rule("extra", r.one_of("OPTIONAL", "MINUS", "FILTER NOT EXISTS", "FILTER EXISTS"))
        parts = [r["filter"], *(r.part(word, block) for block in blocks.values())]
        if values := r.get("values"):
            parts.append(values)
        return self.by_weight("extra", parts)

    def _items(self, unions: dict[int, _Part], extras: dict[int, _Part]) -> None:
        r = self.rules
        for k in range(1, self.units + 1):

            def then(left: int, *dot: str) -> list[_Part]:
                return [r.maybe(*dot, self.ref("next", left))] if left > 0 else []

            r.rule(
                f"first_{k}",
                r.one_of(
                    r.part(r["triple"], *then(k - 1, ".")),
                    *(r.part(part, *then(k - w)) for w, part in unions.items() if w <= k),
                ),
            )
            more = [r.part(part, *then(k - w)) for w, part in extras.items() if w <= k]
            r.rule(f"next_{k}", r.one_of(_Part(f"first_{k}", k * self.unit), *more))
