"""What the graph says against a query while it is being written.

At an entity that no `director` leaves, `e1 p2 …` is an empty pattern. Such pairs of neighbouring
tokens cost a candidate log-probability, so that search prefers patterns which the graph can
fill; they stay possible, for "nothing" can be the true answer. What this does not cover: joins of
two patterns, which only running the query can judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .prompts import Prompt
    from .retrieval import Surroundings

PENALTY = 3.0


def unlikely_pairs(prompt: Prompt, surroundings: Callable[[str], Surroundings]) -> frozenset[tuple[str, str]]:
    """Pairs of surfaces that the graph rules out side by side: (entity, property that does not leave it) and
    (property, entity at which it does not arrive)."""
    out: set[tuple[str, str]] = set()
    properties = [s for s in prompt.surfaces if s.role == "property"]
    for entity in (s for s in prompt.surfaces if s.role == "entity"):
        around = surroundings(entity.iri)
        for p in properties:
            if around.leaving is not None and p.iri not in around.leaving:
                out.add((entity.text, p.text))
            if around.arriving is not None and p.iri not in around.arriving:
                out.add((p.text, entity.text))
    return frozenset(out)


@dataclass(frozen=True, slots=True)
class TokenEvidence:
    """The same in a model's tokens. `after`: token → the tokens that are unlikely right after it."""

    entities: frozenset[int]
    after: Mapping[int, tuple[int, ...]]

    def apply(self, written: Sequence[int], scores: Any) -> None:
        """Lower one row of log-probabilities, in place, where the graph speaks against what may follow `written`.

        A property between two entities is judged by its subject alone: whether it holds is what is asked.
        """
        unlikely = self.after.get(written[-1]) if written else None
        if unlikely is None:
            return
        subject = written[-2] if len(written) > 1 else None
        if subject in self.entities and written[-1] not in self.after.get(subject, ()):
            return
        scores[list(unlikely)] -= PENALTY


def in_tokens(
    pairs: frozenset[tuple[str, str]], entities: Sequence[str], token_of: Callable[[str], int | None]
) -> TokenEvidence:
    """Evidence in tokens; what has no token of its own can carry none and is left out."""
    after: dict[int, list[int]] = {}
    for before, then in pairs:
        first, second = token_of(before), token_of(then)
        if first is not None and second is not None:
            after.setdefault(first, []).append(second)
    known = (token_of(e) for e in entities)
    return TokenEvidence(
        frozenset(t for t in known if t is not None), {first: tuple(then) for first, then in after.items()}
    )
