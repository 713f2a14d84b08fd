"""Files of pairs → what a generator is trained on: prepared pairs, terms and entities to confuse the right ones with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import QueryError, UsageError
from .ontology import Term
from .pairs import Labels, Pair, PreparedPair, SkippedPairError, prepare, to_prompt, to_target
from .sparql import PREFIXES
from .training_config import TrainConfig


@dataclass(frozen=True, slots=True)
class PreparedSet:
    """Pairs ready for prompts, and how many were skipped for which reason."""

    pairs: tuple[PreparedPair, ...]
    skipped: Counter[str]


def prepare_all(pairs: Iterable[Pair], labels: Labels, variant: str = "nsql-symbols") -> PreparedSet:
    """Links of all pairs; those that cannot be written in `variant` are counted by reason, not fatal."""
    kept: list[PreparedPair] = []
    skipped: Counter[str] = Counter()
    for pair in pairs:
        try:
            ready = prepare(pair, labels)
            to_target(ready, to_prompt(ready, variant))
        except SkippedPairError as reason:
            skipped[str(reason)] += 1
        except QueryError:
            skipped["a query that does not parse or does more than read"] += 1
        else:
            kept.append(ready)
    return PreparedSet(tuple(kept), skipped)


def gold_labels(ontologies: Sequence[str | Path] = (), entity_labels: Path | None = None) -> Labels:
    """Names for gold links: the bundled vocabularies (or `ontologies`), and a table of Wikidata item labels."""
    from .ontology import load_ontology
    from .settings import bundled

    files = list(ontologies) or [
        f
        for f in (bundled("ontology", "dbpedia.ttl"), bundled("ontology", "wikidata-properties.ttl"))
        if f.is_file()
    ]
    names: dict[str, str] = {}
    if entity_labels is not None:
        try:
            lines = entity_labels.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"The label table {entity_labels} cannot be read: {error}.",
                "Give lines of identifier, tab, label.",
            ) from error
        for line in lines:
            identifier, tab, name = line.partition("\t")
            if tab:
                names[f"http://www.wikidata.org/entity/{identifier}"] = name.split("\t")[0]
    return Labels([load_ontology([file]) for file in files], names)


def made_pairs(
    pool: Sequence[Term], labels: Labels, pairs: Sequence[PreparedPair], count: int, seed: int
) -> tuple[PreparedPair, ...]:
    """`count` template pairs over the terms; three in eight over Wikidata's statements where its properties are among
    them and its items have names."""
    from .ontology import Ontology
    from .synthesis import template_pairs
    from .wikidata_templates import statement_pairs

    items = list(labels.entities.values())
    direct = tuple(t for t in pool if t.iri.startswith(PREFIXES["wdt"]))
    other = tuple(t for t in pool if t not in set(direct) and (t.kind == "class" or t.usage >= 200))
    over_statements = count * 3 // 8 if direct and items else 0
    names = items or [e.label for p in pairs for e in p.entities] or ["Alpha", "Beta"]
    made = list(
        template_pairs(Ontology(other or direct, (), {}), {"": names}, count - over_statements, seed=seed)
    )
    if over_statements:
        made += statement_pairs(Ontology(direct, (), {}), items, over_statements, seed=seed)
    return tuple(made)


def tokenizer_texts(
    sets: Sequence[tuple[float, Sequence[PreparedPair]]], pool: Sequence[Term], config: TrainConfig
) -> Iterable[str]:
    """What a tokenizer is made from: prompts of the pairs, and the names of all terms."""
    for _, pairs in sets:
        for prepared in pairs[:20_000]:
            yield to_prompt(prepared, config.variant).text
    for term in pool:
        yield " " + term.label.lower()
