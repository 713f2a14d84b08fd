"""Make question/query pairs from an ontology: templates, filled with terms and names.

The procedure follows NSpM (Soru et al. 2018): a question pattern and a query pattern share
placeholders; here they are composed from phrases, so that one pattern gives many wordings. The
result is ready for training: links are known, nothing has to be found again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .errors import UsageError
from .ontology import Ontology
from .pairs import RDF_TYPE, PreparedPair
from .template_links import LinkPatterns
from .template_values import ValuePatterns
from .template_words import MisfitError

# Patterns drawn one after another, none of which fits, before an ontology is given up.
_TRIES = 2_000
_PATTERNS: Mapping[str, float] = {
    "one": 14,
    "one_typed": 3,
    "reverse": 10,
    "members": 1.5,
    "two": 8,
    "reverse_then": 8,
    "chain_back": 7,
    "both": 6,
    "count": 7,
    "yes_no": 6,
    "compare": 4,
    "superlative": 9,
    "superlative_of": 3,
    "most_of": 3,
    "filter": 9,
    "two_values": 1.5,
    "common": 2,
}


class TemplateWriter(LinkPatterns, ValuePatterns):
    """Writes pairs from the properties of an ontology; see `TemplateWords`."""

    def pair(self) -> PreparedPair | None:
        """One pair, or None when the pattern drawn does not fit the terms drawn."""
        self.used = {}
        (pattern,) = self.rng.choices(list(_PATTERNS), list(_PATTERNS.values()))
        try:
            made = getattr(self, f"_{pattern}")()
        except MisfitError:
            return None
        if made is None:
            return None
        question, query, terms = made
        return self._finish(self._style(question), query, [t for t in terms if t is not None])


def template_pairs(
    ontology: Ontology, names: Mapping[str, Sequence[str]], count: int, *, seed: int = 0
) -> Iterator[PreparedPair]:
    """`count` pairs over an ontology. `names[""]` must hold labels for entities of any class. Raises UsageError when
    the ontology has too little to ask about."""
    writer = TemplateWriter(ontology, names, seed=seed)
    made = vain = 0
    while made < count:
        pair = writer.pair()
        if pair is not None:
            made, vain = made + 1, 0
            yield pair
        elif (vain := vain + 1) > _TRIES:
            raise UsageError(
                "The ontology has too little to ask about.",
                "Give one with classes and with properties between them.",
            )


__all__ = ["RDF_TYPE", "TemplateWriter", "template_pairs"]
