"""Which candidate hears the question, and how far an answer can be trusted.

A query that leaves out a name, a number or a content word of the question did not hear it. How
well a term stands for a word is its retrieval score for that word alone, so paraphrases count
(`tall` for elevation) and a better term that was left out speaks against a candidate. What this
does not cover: running candidates, which is `pipeline.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from . import sparql
from .alignment import Heard
from .demands import demands, unmet
from .directions import directions
from .errors import QueryError
from .evidence import PENALTY
from .execution import ResultSet, Value
from .expectation import expected_answer, fits
from .fragment import Fragment
from .generation import Candidate
from .query_reranking import WEIGHT
from .units import settled, spellings
from .validation import Issue

if TYPE_CHECKING:
    from .ontology import Term
    from .prompts import Prompt
    from .query_reranking import QueryReranker
    from .retrieval import Surroundings

_UNUSED = 4.0
_UNUSED_LITERAL = 2.0
_WRONG_FORM = 3.0
_NO_ORDER = 1.5
_BETTER_LEFT_OUT = 3.0
_UNMET = 3.0
# For each nat of odds that questions asked before went a property the other way.
_AGAINST = 0.6
_UNCOVERED = 1.0
_NONSENSE = 3.0
# What a term costs for each unit of retrieval's score that it falls short of the best.
_LESS_FITTING = 1.0
_UNREADABLE = 100.0
_SURE = 0.5
_LATE_ENOUGH = 6
_NUMERIC = re.compile(r"#(?:\w*[iI]nteger|double|float|decimal|int|long|short)$")
_ORDERED = re.compile(r"\b(?:ASC|DESC|ORDER BY) ?\(? ?\?(\w+)")
_COMPARED = re.compile(r"\?(\w+) [<>]=? |[<>]=? \?(\w+)")
_COUNTED = re.compile(r"\bCOUNT ?\( ?(?:DISTINCT )?\?(\w+)")
_LISTED = re.compile(r"\bVALUES \?\w+ \{([^{}]*)\}")
# What a comparison with a value, and a superlative, say about signs and orders, whatever is measured.
_MORE = re.compile(
    r"\b(?:more|higher|larger|bigger|greater|longer|taller|older|later|heavier|deeper) than\b|\b(?:over|above|after|exceeding)\b (?=\$?\d)"
)
# Words without which nobody asks for what is missing, and how a query says that something is.
_DENIED = re.compile(
    r"n't\b|n’t\b|\b(?:no|not|without|except|excluding|exclude|lack|lacks|lacking|never|missing|none|neither|nor|but|apart|aside|other than|"
    r"leave|leaving|leaves|left|drop|remove|removing|take away|minus|unknown|besides|only|cannot|unlike|instead|outside|non\w+|un\w+)\b",
    re.IGNORECASE,
)
# Words without which nobody compares a value with a bound; a number alone is one that a thing has.
_BOUNDED = re.compile(
    r"\b(?:\w+er|more|less|least|most|over|under|above|below|between|before|since|until|till|exceed\w*|beyond|surpass\w*|from|to|up|"
    r"maxim\w*|minim\w*|worse|within|during|not|no|at|by|outside|range|limit\w*|compar\w*|topp?\w*|earli\w*|lat\w+)\b|n't\b|[<>≤≥]",
    re.IGNORECASE,
)
_BOUND = re.compile(r" [<>]=? ")
_ABSENCE = re.compile(r"\b(?:MINUS|NOT EXISTS) \{[^{}]*\}")
# One value taken from another, and the wordings that say what is taken away first.
_DIFFERENCE = re.compile(r"\?(\w+) - \?(\w+)")
_FROM = re.compile(
    r"\b(?:subtract\w*|deduct\w*|remov\w+|tak(?:e|es|en|ing)|strip\w*|knock\w*)\b.* (?:from|off|out of)\b|\b(?:fall|falls|falling) short of\b"
    r"|\b(?:less|lower|smaller|fewer) than\b|\bhow much (?:less|lower|smaller)\b|\bbelow\b|\b(?:added to|missing from)\b"
    r"|^(?:with|without|after|once|if|when|leaving|not counting|less|minus)\b",
    re.IGNORECASE,
)
_LESS = re.compile(
    r"\b(?:less|fewer|lower|smaller|shorter|younger|earlier|lighter) than\b|\b(?:under|below|before)\b (?=\$?\d)"
)
_DOWN = frozenset(
    (
        "most",
        "largest",
        "biggest",
        "highest",
        "greatest",
        "longest",
        "tallest",
        "deepest",
        "heaviest",
        "widest",
        "fastest",
        "richest",
    )
)
_UP = frozenset(("least", "smallest", "lowest", "shortest", "fewest", "lightest", "slowest", "narrowest"))
_LATE = frozenset(("youngest", "newest", "latest", "last"))
_EARLY = frozenset(("oldest", "earliest", "first"))
# A pattern in symbols: subject, property, object.
_PATTERN = re.compile(r"(?<!\S)(\?\w+|e\d+) (p\d+) (\?\w+|e\d+)(?= [.}])")
_TIME = re.compile(r"#(?:date|dateTime|gYear|gYearMonth)$")
_DAY = re.compile(r"(-?\d{4})-\d\d(?:-\d\d)?(?:T.*)?")
_YEARS = re.compile(r"\bYEAR ?\( ?\?\w+ ?\)(?: ?\))? ?(?:,|!?=|[<>]=?) ?\"?(-?\d{4})(?!\d)")
# Units that graphs in SI base units do not count in, where a vocabulary does not say its own (`units`).
_OTHER_UNIT = re.compile(
    r"\d\s*(?:km|kilomet\w+|miles?|mi|feet|foot|ft|inch\w*|yards?|hours?|minutes?|tons?|tonnes?|pounds?|acres?|hectares?|"
    r"square \w+)\b",
    re.IGNORECASE,
)
# What asks for reasons or for instructions; `how many`, `how old` and their like ask for facts.
_NO_FACT = re.compile(r"(?:why|how (?:do|does|did|can|could|should|to))\b", re.IGNORECASE)
_SUPERLATIVE = re.compile(r"\b(?:most|least|first|last|\w{2,}(?:est|iest))\b", re.IGNORECASE)
_NO_SUPERLATIVE_TEXT = """
arrest best contest east everest forest guest harvest honest interest invest latest nest northwest
priest protest quest request rest southwest test west
"""
_NO_SUPERLATIVE = frozenset(_NO_SUPERLATIVE_TEXT.split())


@dataclass(frozen=True, slots=True)
class TriedCandidate:
    """A candidate and its fate: issues found, rows it returned (None: not executed)."""

    candidate: Candidate
    issues: tuple[Issue, ...]
    rows: int | None
    note: str = ""


class Cost:
    """What a query costs beyond its log-probability: what of the question it leaves out, and what nobody means.

    At least 0, in nats; each query is judged once. A query that does not parse costs more than any other.
    """

    def __init__(self, question: str, fragment: Fragment, words: Heard, meant: Collection[str] = ()) -> None:
        """`meant`: IRIs of terms and entities that somebody who knows has named: a query that leaves one out is wrong."""
        self.meant = frozenset(meant)
        self.question = question
        self.fragment = fragment
        self.words = words
        self.yes_no = expected_answer(question) == "yes-no"
        self.order = any(m.lower() not in _NO_SUPERLATIVE for m in _SUPERLATIVE.findall(question))
        self.mentions = _mentions(fragment)
        lowered = question.lower()
        more, less = bool(_MORE.search(lowered)), bool(_LESS.search(lowered))
        self.demands = demands(question, self.mentions)
        self.bounded = bool(_BOUNDED.search(question))
        self.sign = ">" if more and not less else "<" if less and not more else ""
        said = [w for w in re.findall(r"[a-z]+", lowered) if w in _DOWN | _UP | _LATE | _EARLY]
        self.superlative = said[0] if len(said) == 1 else ""
        self.scores = {s.term.iri: s.score for s in fragment.terms}
        self.best = max(self.scores.values(), default=0.0)
        self._known: dict[str, float] = {}

    def __call__(self, text: str) -> float:
        """The cost of a query in plain SPARQL."""
        if text not in self._known:
            try:
                self._known[text] = self._of(sparql.parse(text), text)
            except QueryError:
                self._known[text] = _UNREADABLE
        return self._known[text]

    def _of(self, query: sparql.Query, text: str) -> float:
        iris = frozenset(map(sparql.property_of, query.iris()))
        unheard = self.mentions - _heard_of(iris, self.fragment)
        cost = _UNUSED * len(unheard) + _UNUSED * len(self.meant - iris)
        cost += _UNUSED_LITERAL * len(_unused_literals(text, self.fragment))
        if self.yes_no != (query.form == "ask"):
            cost += _WRONG_FORM
        if self.order and not re.search(r"\bORDER BY\b|\bM(?:AX|IN)\b", text):
            cost += _NO_ORDER
        cost += _LESS_FITTING * sum(self.best - score for iri, score in self.scores.items() if iri in iris)
        cost += _NONSENSE * (nonsense(query, text, self.fragment) + self._turned(query, text))
        cost += _NONSENSE * denies_unasked(text, self.question)
        if self.demands:
            used = (s.term for s in self.fragment.terms if s.term.iri in iris)
            cost += _UNMET * unmet(self.demands, text, [n for t in used for n in (t.label, *t.aliases)])
        cost += _NONSENSE * (not self.bounded and bool(_BOUND.search(text)))
        if told := self.words.directions:
            for iri, sign in directions(query):
                cost += _AGAINST * max(0.0, -sign * told.get(iri, 0.0))
        for here, anywhere in zip(self.words.best(iris), self.words.best(), strict=True):
            cost += _BETTER_LEFT_OUT * max(0.0, anywhere - here) + _UNCOVERED * (1.0 - here)
        return cost

    def _turned(self, query: sparql.Query, text: str) -> int:
        """How often a query compares or sorts the other way than the question says."""
        plain = re.sub(r"<[^<>\s]*>", "", text)
        signs = {("<" if sign == ">" else ">") if turned else sign for turned, sign in _signs(plain)}
        count = int(bool(self.sign and signs and self.sign not in signs))
        count += self._ends_swapped(query, plain) + self._taken_from_the_wrong(query, plain)
        orders = {"DESC" if m == "DESC" else "ASC" for m in re.findall(r"\bORDER BY (DESC|ASC|\?)", plain)}
        if orders and (wanted := self._order_of(query, plain)):
            count += wanted not in orders
        return count

    def _ends_swapped(self, query: sparql.Query, plain: str) -> int:
        """1 when `is X longer than Y` is asked with the sign that means the other way round."""
        from .sparql_patterns import patterns

        compared = re.search(r"\?(\w+) ([<>])=? \?(\w+)", plain)
        if compared is None or not self.sign:
            return 0
        starts = {e.iri: e.start for e in self.fragment.entities if e.start >= 0}
        place = {
            p.object.value: starts[p.subject.value]
            for p in patterns(query.tree)
            if p.object.kind == "variable" and p.subject.value in starts
        }
        left, sign, right = compared.groups()
        if left not in place or right not in place or place[left] == place[right]:
            return 0
        said = self.sign if place[left] < place[right] else "<" if self.sign == ">" else ">"
        return int(said != sign)

    def _taken_from_the_wrong(self, query: sparql.Query, plain: str) -> int:
        """1 when the value that the question takes away is what the query takes it from."""
        from .sparql_patterns import patterns

        found = _DIFFERENCE.search(plain)
        if found is None:
            return 0
        properties = {p.object.value: p.predicate.value for p in patterns(query.tree)}
        places = [_said_at(self.question, self.fragment, properties.get(name, "")) for name in found.groups()]
        if min(places) < 0 or places[0] == places[1]:
            return 0
        return int((places[0] > places[1]) != bool(_FROM.search(self.question)))

    def _order_of(self, query: sparql.Query, plain: str) -> str:
        """The order that the question's superlative means; of dates the old are the small."""
        from .sparql_patterns import patterns

        if self.superlative in _DOWN or self.superlative in _UP:
            return "DESC" if self.superlative in _DOWN else "ASC"
        if self.superlative not in _LATE and self.superlative not in _EARLY:
            return ""
        ranges = {s.term.iri: s.term.range for s in self.fragment.terms}
        sorted_by = set(_ORDERED.findall(plain))
        dated = any(
            _TIME.search(datatype)
            for p in patterns(query.tree)
            if p.object.value in sorted_by
            for datatype in ranges.get(p.predicate.value, ())
        )
        if not dated:
            return ""
        return "DESC" if self.superlative in _LATE else "ASC"


def _said_at(question: str, fragment: Fragment, iri: str) -> int:
    """Where a question says a term by one of its names; -1 where it does not."""
    names = [n for s in fragment.terms if s.term.iri == iri for n in (s.term.label, *s.term.aliases)]
    said = question.lower()
    return max((said.find(name.lower()) for name in names if name), default=-1)


def _signs(text: str) -> list[tuple[bool, str]]:
    """The comparisons of a query with a value: whether the value stands first, and the sign."""
    found = re.findall(r"(\?\w+|\)) ([<>])=? [^?]|([\d\"]) ([<>])=? \?\w", text)
    return [(not before, sign or other) for before, sign, _, other in found]


def rank(
    candidates: Sequence[Candidate], cost: Cost, reader: QueryReranker | None = None
) -> tuple[Candidate, ...]:
    """Candidates, best first: by log-probability less cost, and what a model that reads them beside the question says."""
    fits: Mapping[str, float] = {}
    if reader is not None and len(candidates) > 1:
        fits = reader.scores(cost.question, [c.sparql for c in candidates], cost.fragment.names())
    return tuple(
        sorted(candidates, key=lambda c: cost(c.sparql) - c.score - WEIGHT * fits.get(c.sparql, 0.0))
    )


def with_turned(
    candidates: Sequence[Candidate], prompt: Prompt, surroundings: Callable[[str], Surroundings]
) -> tuple[Candidate, ...]:
    """The candidates, and after each that states what the graph has the other way only, the same turned round.

    A name tells little of a property's direction (who founded whom by `founded by`?), the graph tells all of it: a
    pattern is turned when none such is at its entity and one is there the other way. Queries in symbols only.
    """
    if not prompt.symbolic:
        return tuple(candidates)
    iris = {s.text: s.iri for s in prompt.surfaces if s.role in ("entity", "property")}

    def turn(found: re.Match[str]) -> str:
        subject, name, value = found.groups()
        verdicts = set()
        for symbol, leaves in ((subject, True), (value, False)):
            if symbol in iris:
                around = surroundings(iris[symbol])
                here, there = (
                    (around.leaving, around.arriving) if leaves else (around.arriving, around.leaving)
                )
                iri = iris[name]
                verdicts.add(here is not None and there is not None and iri not in here and iri in there)
        return f"{value} {name} {subject}" if verdicts == {True} else found.group()

    out: dict[str, Candidate] = {}
    for candidate in candidates:
        out.setdefault(candidate.sparql, candidate)
        text = _PATTERN.sub(turn, candidate.text)
        query = prompt.expand(text)
        if text != candidate.text and all(c.sparql != query for c in candidates):
            turned = replace(candidate, text=text, sparql=query, score=candidate.score - PENALTY)
            out.setdefault(query, turned)
    return tuple(out.values())


def leaves_out(text: str, fragment: Fragment) -> bool:
    """Whether a query uses no reading of a stretch of the question that surely names something."""
    if not _DENIED.search(fragment.question):
        # What a query only takes away it does not ask about.
        text = _ABSENCE.sub(" ", text)
    try:
        iris = frozenset(map(sparql.property_of, sparql.parse(text).iris()))
    except QueryError:
        return True
    return bool(_mentions(fragment) - _heard_of(iris, fragment))


def denies_unasked(text: str, question: str) -> bool:
    """Whether a query takes away what no word of the question denies."""
    return bool(_ABSENCE.search(text)) and not _DENIED.search(question)


def _mentions(fragment: Fragment) -> set[tuple[int, int]]:
    """The stretches of the question that surely name something."""
    return {(e.start, e.end) for e in fragment.entities if e.score > _SURE}


def _heard_of(iris: Collection[str], fragment: Fragment) -> set[tuple[int, int]]:
    """The mentions that a query with these IRIs has heard: those with a reading among them, and those that are part of a
    term's own name, as "Finland" of "Uppslagsverket Finland ID"."""
    used = [s.term for s in fragment.terms if s.term.iri in iris]
    return {
        (e.start, e.end)
        for e in fragment.entities
        if e.iri in iris or (e.start >= 0 and any(_holds(term, e.mention) for term in used))
    }


def _holds(term: Term, mention: str) -> bool:
    """Whether a name of a term holds the mention and more."""
    said = mention.lower()
    return any(
        len(name) > len(said) and re.search(rf"(?<!\w){re.escape(said)}(?!\w)", name.lower())
        for name in (term.label, *term.aliases)
    )


def _unused_literals(text: str, fragment: Fragment) -> list[str]:
    """What of the question's numbers, dates and strings a query leaves out; of a date beside YEAR the year is enough, beside
    LCASE small letters are (`prompts.Prompt.expand`)."""
    said, years = text.lower(), set(_YEARS.findall(text))
    return [
        x.value
        for x in fragment.literals
        if not any(value.lower() in said for value in spellings(x, fragment))
        and not ((day := _DAY.fullmatch(x.value)) and day[1] in years)
    ]


def nonsense(query: sparql.Query, text: str, fragment: Fragment) -> int:
    """How often a query does what nobody means: counts the values of a number, sorts or compares things that
    have no order, takes a thing for a value or a value for a thing, states the same triple twice, or lists one thing."""
    from .sparql_patterns import patterns

    found = patterns(query.tree)
    kinds = {s.term.iri: s.term for s in fragment.terms}
    things, numbers = set(), set()
    misplaced = 0
    for pattern in found:
        term = kinds.get(pattern.predicate.value)
        if term is None:
            continue
        if pattern.object.kind != "variable":
            wrong = {"datatype_property": "iri", "object_property": "literal"}.get(term.kind)
            misplaced += pattern.object.kind == wrong
            continue
        if term.kind == "object_property":
            things.add(pattern.object.value)
        elif any(_NUMERIC.search(r) for r in term.range) and pattern.subject.kind == "iri":
            numbers.add(pattern.object.value)
    misplaced += sum(len(set(found.split())) < 2 for found in _LISTED.findall(text))
    text = re.sub(r"<[^<>\s]*>", "", text)
    ordered = set(_ORDERED.findall(text)) | {a or b for a, b in _COMPARED.findall(text)}
    counted = set(_COUNTED.findall(text))
    return len(ordered & things) + len(counted & numbers) + misplaced + len(found) - len(set(found))


def judge(
    question: str,
    fragment: Fragment,
    words: Heard,
    query: sparql.Query,
    chosen: TriedCandidate,
    tried: Sequence[TriedCandidate],
    result: ResultSet | None,
) -> tuple[float, tuple[str, ...]]:
    """How far an answer can be trusted, 0 to 1, and what speaks against it in words.

    A logistic score of: the model's certainty, the retrieval scores of the terms used, how far they stand for
    the question's content words, entities that were mentioned but not used, how sure the links are, the rank
    of the chosen candidate, and whether anything of the expected kind came back.
    """
    iris = frozenset(map(sparql.property_of, query.iris()))
    doubts: list[str] = []
    fit = min((s.score for s in fragment.terms if s.term.iri in iris), default=0.0)
    heard_of = _heard_of(iris, fragment)
    unused = [e for e in fragment.entities if e.score > _SURE and (e.start, e.end) not in heard_of]
    unsaid = _unused_literals(chosen.candidate.sparql, fragment)
    missing = words.unheard(iris)
    model = math.exp(chosen.candidate.score / max(1, len(chosen.candidate.token_logprobs)))
    place = [t for t in tried if t.note != "not needed"].index(chosen) if chosen in tried else 0
    # Being found at the second try is one reason for doubt, however many were tried at the first.
    place = min(place, _LATE_ENOUGH)
    # A score beyond 0.9 says no more than that the term fits.
    score = 1.1 + 3.0 * (model - 0.85) + 3.0 * (min(fit, 0.9) - 0.5) - 3.0 * len(unused) - 0.3 * place
    score -= 3.5 * len(unsaid)
    score -= 2.0 * sum(1.0 - share for share in words.best(iris))
    weakest = min((e.score for e in fragment.entities if e.iri in iris), default=0.9)
    score += 2.0 * (weakest - 0.8)
    if missing:
        doubts.append(f"nothing in the query stands for {', '.join(repr(w) for w in missing)}")
    if unused:
        doubts.append(f"the query leaves out {', '.join(repr(e.mention) for e in unused)}")
    if unsaid:
        doubts.append(f"the query leaves out {', '.join(map(repr, unsaid))}")
    if result is not None and nothing(result):
        score -= 3.0
        doubts.append("nothing was found")
    elif result is not None and not fits(expected_answer(question), result):
        score -= 2.0
        doubts.append("the answer is of another kind than the question asks for")
    if _OTHER_UNIT.search(question) and not settled(chosen.candidate.sparql, fragment):
        score -= 3.0
        doubts.append("the graph may count in another unit than the question")
    if _NO_FACT.match(question):
        score -= 2.5
        doubts.append("a graph of facts does not tell why or how something is done")
    if not fragment.entities and re.search(r"\b[A-Z][a-z]+\b", question[1:]):
        score -= 1.5
        doubts.append("no name in the question was found in the graph")
    return round(1 / (1 + math.exp(-score)), 3), tuple(doubts)


def rows(result: ResultSet) -> int:
    """How many answers a result holds; yes and no are one."""
    return 1 if result.form == "ask" else len(result.rows)


def nothing(result: ResultSet) -> bool:
    """No rows, rows without a value, or a lone count of zero."""
    if result.form == "ask":
        return False
    values = [v for row in result.rows for v in row if v is not None]
    return not values or (len(values) == 1 and _is_zero(values[0]))


def _is_zero(value: Value) -> bool:
    return value.type == "literal" and value.value in ("0", "0.0")
