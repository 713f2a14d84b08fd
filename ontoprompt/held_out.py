"""Which pairs are kept out of training to measure it by: whole queries, with everything that asks for them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from . import sparql
from .pairs import PreparedPair


@dataclass(frozen=True, slots=True)
class HeldOutPairs:
    """Pairs that are kept out of training, one for each query; `withheld`: how many others ask their queries or their
    questions, and are kept out with them."""

    pairs: tuple[PreparedPair, ...] = ()
    withheld: int = 0


def key_of(prepared: PreparedPair) -> str:
    """What two pairs share that ask for the same: the canonical form of their query."""
    return sparql.canonical(prepared.query)


def one_each(pairs: Iterable[PreparedPair]) -> dict[str, PreparedPair]:
    """Canonical query → the first pair that asks it."""
    out: dict[str, PreparedPair] = {}
    for pair in pairs:
        out.setdefault(key_of(pair), pair)
    return out


def chosen(sets: Sequence[Sequence[PreparedPair]], count: int, seed: int) -> list[PreparedPair]:
    """`count` pairs, each of another query: the same for a seed in whatever order they come."""
    if not count:
        return []
    found = one_each(sorted((p for some in sets for p in some), key=lambda p: p.pair.question))
    order = sorted(found, key=lambda key: hashlib.sha256(f"{seed} {key}".encode()).digest())
    return [found[key] for key in order[:count]]


def without(pairs: Sequence[PreparedPair], held: Sequence[PreparedPair]) -> tuple[PreparedPair, ...]:
    """The pairs that ask neither a held-out query nor a held-out question."""
    if not held:
        return tuple(pairs)
    queries, questions = {key_of(p) for p in held}, {_asked(p) for p in held}
    return tuple(p for p in pairs if _asked(p) not in questions and key_of(p) not in queries)


def _asked(prepared: PreparedPair) -> str:
    return " ".join(prepared.pair.question.lower().split())


def keep_out(held: Sequence[PreparedPair], sets: Sequence[Sequence[PreparedPair]]) -> HeldOutPairs:
    """The held-out pairs, and how many others of the sets go with them."""
    own = {id(p) for p in held}
    gone = sum(len(some) - len(without(some, held)) for some in sets)
    return HeldOutPairs(tuple(held), gone - sum(id(p) in own for some in sets for p in some))
