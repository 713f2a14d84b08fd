"""What was retrieved for one question: the value that retrieval hands to the prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .entities import EntityLink
    from .literals import QuestionLiteral
    from .ontology import Term


@dataclass(frozen=True, slots=True)
class ScoredTerm:
    """A retrieved term and how well it fits the question (higher is better, about 0 to 1)."""

    term: Term
    score: float


@dataclass(frozen=True, slots=True)
class Hint:
    """A word of the question (characters `start` to `end`) and the IRI of a term that stands for it."""

    start: int
    end: int
    iri: str


@dataclass(frozen=True, slots=True)
class Fragment:
    """The part of an ontology and a graph that a question needs, best first.

    `labels` names classes that occur only as domain, range or type of something here.
    """

    question: str
    terms: tuple[ScoredTerm, ...] = ()
    entities: tuple[EntityLink, ...] = ()
    literals: tuple[QuestionLiteral, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    hints: tuple[Hint, ...] = ()

    def names(self) -> dict[str, str]:
        """What its terms and entities are called, by IRI."""
        return {s.term.iri: s.term.label for s in self.terms} | {e.iri: e.label for e in self.entities}

    def iris(self) -> frozenset[str]:
        """Every IRI that a query over this fragment may name."""
        return frozenset(s.term.iri for s in self.terms) | frozenset(e.iri for e in self.entities)
