"""What a generator sees in training: examples drawn from pairs, each time with other distractors.

The loss and the optimiser are in `training.py` and `tuning.py`; here is which terms stand beside the right ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from .entities import EntityLink
from .errors import UsageError
from .fragment import Fragment, Hint
from .grounding import Meaning, meaning
from .ontology import Term
from .pairs import PreparedPair, SkippedPairError, to_prompt, to_target

if TYPE_CHECKING:
    from .index import OntologyIndex
    from .prompts import Prompt
    from .training_config import TrainConfig

# From few, as where a graph uses a part of its vocabulary, to as many as the benchmark's pool holds beside the right ones.
_FEW_TERMS, _POOL_TERMS = 3, 15
# A rival left out makes room for one further down.
_POOL_ENTITIES, _KEPT_RIVALS, _RIVALS = 5, 0.8, 14
# Tokens of an example for a small model; and how often one that fits is drawn for.
_LONGEST, _TRIES = 400, 200


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids of one example, where its query starts, and what they mean."""

    ids: list[int]
    start: int
    meaning: Meaning


def encode_example(tokenizer: Any, prompt: Prompt, target: str) -> Encoded:
    """Prompt and target as ids; the target is written after the prompt with a leading space and ends with `END`."""
    head = tokenizer.encode(prompt.text)
    tail = tokenizer.encode(" " + target).ids
    meant = meaning(prompt, head.offsets, lambda symbol: tokenizer.token_to_id("\u0120" + symbol))
    return Encoded([*head.ids, *tail, 0], len(head.ids), meant)


class Sampler:
    """Endless examples from weighted sets of pairs, each seen in a new order with new symbols and distractors.

    `near`: question → the terms that retrieval finds for it; distractors come from there when it is
    known, for these are the terms that the model has to tell from the right ones when it is used.
    `rivals`: question → the other entities that a linker finds for it, likewise.
    `align`: what finds words that terms stand for, as retrieval does. `encode`: prompt and query → ids, with
    `tokenizer` unless given. `too_long`: how many examples were drawn that were too long to be used.
    """

    def __init__(
        self,
        sets: Sequence[tuple[float, Sequence[PreparedPair]]],
        pool: Sequence[Term],
        tokenizer: Any,
        config: TrainConfig,
        near: Mapping[str, Sequence[Term]] | None = None,
        align: Callable[[Fragment], tuple[Hint, ...]] | None = None,
        rivals: Mapping[str, Sequence[EntityLink]] | None = None,
        encode: Callable[[Prompt, str], Encoded] | None = None,
    ):
        self.sets = [(weight, pairs) for weight, pairs in sets if pairs]
        self.pool = pool
        self.tokenizer = tokenizer
        self.config = config
        self.labels = {t.iri: t.label for t in pool if t.kind == "class"}
        self.classes = list(self.labels)
        self.near = near or {}
        self.rivals = rivals or {}
        self.align = align
        self.encode = encode or partial(encode_example, tokenizer)
        self.too_long = 0
        self.names = sorted({e.label for _, some in self.sets for p in some for e in p.entities})
        self.by_name: dict[str, list[str]] = {}
        for name in self.names:
            for word in set(name.lower().split()):
                self.by_name.setdefault(word, []).append(name)
        # A question is over one vocabulary, and so is what may be confused in it.
        self.by_host: dict[str, list[Term]] = {}
        self.by_word: dict[tuple[str, str], list[Term]] = {}
        for term in pool:
            host = _host(term.iri)
            self.by_host.setdefault(host, []).append(term)
            for word in term.label.lower().split():
                self.by_word.setdefault((host, word), []).append(term)
        self.hosts = sorted(self.by_host)

    def example(self, rng: Random, progress: float) -> Encoded:
        """One example; distractors come more often and in greater number as `progress` goes from 0 to 1."""
        while True:
            pairs = rng.choices([p for _, p in self.sets], [w for w, _ in self.sets])[0]
            prepared = pairs[rng.randrange(len(pairs))]
            prompt = self.prompt(prepared, rng, progress)
            try:
                return self.encode(prompt, to_target(prepared, prompt))
            except SkippedPairError:
                continue

    def fitting(self, rng: Random, progress: float, limit: int) -> Encoded:
        """An example of at most `limit` tokens: what is longer is counted and drawn again. Raises UsageError when
        hardly any fits."""
        for _ in range(_TRIES):
            example = self.example(rng, progress)
            if len(example.ids) <= limit:
                return example
            self.too_long += 1
        raise UsageError(
            f"Of {_TRIES} examples drawn none fits {limit} tokens.",
            "Give a greater --context, a model that takes more, or the variant nsql-symbols.",
        )

    def prompt(
        self, prepared: PreparedPair, rng: Random, progress: float, *, as_asked: bool = False
    ) -> Prompt:
        """A prompt of a pair, with what `rng` draws beside the right terms and entities. `as_asked`: words that terms
        stand for are always shown."""
        distractors: list[Term] = []
        entities: list[EntityLink] = []
        if rng.random() < self.config.pooled:
            distractors, entities = self._pool(prepared, rng)
        elif rng.random() < 0.25 + 0.35 * progress:
            distractors = self._distractors(prepared, rng, 1 + rng.randrange(self.config.max_distractors))
            if rng.random() < 0.2:
                entities = self._stray_entity(prepared, rng)
        if not entities and rng.random() < self.config.other_entities:
            entities = [*entities, *self._other_entities(prepared, rng, 1 + rng.randrange(5))]
        return to_prompt(
            prepared,
            self.config.variant,
            rng=rng,
            distractors=distractors,
            more_entities=entities,
            labels=self.labels,
            align=self.align if as_asked or rng.random() >= self.config.unaligned else None,
        )

    def _pool(self, prepared: PreparedPair, rng: Random) -> tuple[list[Term], list[EntityLink]]:
        """What is most easily taken for the right terms and entities, much of it at once."""
        terms = self._distractors(prepared, rng, rng.randint(_FEW_TERMS, _POOL_TERMS))
        taken = {e.iri for e in prepared.entities} | {e.label.lower() for e in prepared.entities}
        found = [
            e
            for e in self.rivals.get(prepared.pair.question, ())
            if e.iri not in taken and e.label.lower() not in taken and rng.random() < _KEPT_RIVALS
        ]
        if found:
            return terms, found[: rng.randint(1, _POOL_ENTITIES)]
        strays = self._stray_entity(prepared, rng)
        return terms, [*strays, *self._other_entities(prepared, rng, rng.randint(1, _POOL_ENTITIES))]

    def _distractors(self, prepared: PreparedPair, rng: Random, count: int) -> list[Term]:
        gold = {t.label for t in prepared.terms}
        near = self.near.get(prepared.pair.question)
        if near and rng.random() < 0.75:
            # A graph uses a part of its vocabulary only: retrieval over it reaches further down the list.
            share = rng.choice((0.15, 0.3, 0.6, 1.0))
            return [t for t in near if t.label not in gold and rng.random() < share][:count]
        out: dict[str, Term] = {}
        hosts = sorted({_host(t.iri) for t in prepared.terms if _host(t.iri) in self.by_host})
        if not self.hosts:
            return []
        host = rng.choice(hosts or self.hosts)
        # Where columns of two tables are called alike, the table tells which is meant: that is to be learned too.
        tables = {t.label: t.domain for t in prepared.terms if t.domain}
        words = prepared.pair.question.lower().strip(" ?.").split()
        for _ in range(count * 3):
            similar = self.by_word.get((host, rng.choice(words))) if rng.random() < 0.4 else None
            term = rng.choice(similar) if similar else rng.choice(self.by_host[host])
            alike = term.label in gold and not (
                term.domain and term.domain != tables.get(term.label, term.domain)
            )
            if not alike and len(out) < count:
                out[term.iri] = term
        return list(out.values())

    def _stray_entity(self, prepared: PreparedPair, rng: Random) -> list[EntityLink]:
        """Something that happens to be named like a word of the question, as a linker finds it."""
        question = prepared.pair.question
        free = [
            m
            for m in re.finditer(r"[A-Za-z]{4,}(?: [a-z]{4,})?", question)
            if all(m.end() <= e.start or m.start() >= e.end for e in prepared.entities)
        ]
        if not free:
            return []
        word = rng.choice(free)
        types = (rng.choice(self.classes),) if self.classes and rng.random() < 0.8 else ()
        return [
            EntityLink(
                "http://example.org/stray", word.group(), word.group(), word.start(), word.end(), 0.5, types
            )
        ]

    def _other_entities(self, prepared: PreparedPair, rng: Random, count: int) -> list[EntityLink]:
        """Things with other names: some share a word with a mention, and are linked there as a linker would, or
        nowhere; the rest are any. A name that is a gold one's is never among them."""
        taken = {e.label.lower() for e in prepared.entities}
        mentions = [e for e in prepared.entities if e.start >= 0]
        out: list[EntityLink] = []
        for number in range(count):
            start, end, pool = -1, -1, self.names
            if mentions and rng.random() < 0.7:
                gold = rng.choice(mentions)
                words = [w for w in gold.label.lower().split() if w in self.by_name]
                pool = self.by_name[rng.choice(words)] if words else pool
                if rng.random() < 0.6:
                    start, end = gold.start, gold.end
            if not pool:
                continue
            label = rng.choice(pool)
            if label.lower() in taken:
                continue
            taken.add(label.lower())
            types = (rng.choice(self.classes),) if self.classes and rng.random() < 0.3 else ()
            mention = prepared.pair.question[start:end] if start >= 0 else ""
            out.append(
                EntityLink(f"http://example.org/other/{number}", label, mention, start, end, 0.5, types)
            )
        return out

    def batch(self, rng: Random, progress: float) -> list[Encoded]:
        """Examples of similar length that fill `tokens_per_batch` when padded."""
        drawn = sorted(
            (self.example(rng, progress) for _ in range(max(8, self.config.tokens_per_batch // 90))),
            key=lambda e: len(e.ids),
        )
        kept = [e for e in drawn if len(e.ids) <= _LONGEST]
        self.too_long += len(drawn) - len(kept)
        return kept


def _host(iri: str) -> str:
    """What the terms of one vocabulary have in common: the server that they are named after."""
    return iri.split("/")[2] if iri.count("/") > 2 else iri


def nearest_terms(
    pairs: Sequence[PreparedPair], indexes: Sequence[OntologyIndex], k: int = 60
) -> dict[str, list[Term]]:
    """Question → the `k` terms that retrieval finds for it in the index that holds its gold terms; names are
    hidden from every second question, as retrieval asks both ways."""
    out: dict[str, list[Term]] = {}
    for index in indexes:
        known = {t.iri for t in index.terms}
        mine = [p for p in pairs if p.terms and p.terms[0].iri in known]
        for start in range(0, len(mine), 2048):
            part = mine[start : start + 2048]
            texts = [p.pair.question if n % 2 else _without_names(p) for n, p in enumerate(part)]
            for pair, hits in zip(part, index.search_each(texts, k), strict=True):
                out[pair.pair.question] = [hit.term for hit in hits]
    return out


def rival_entities(
    pairs: Sequence[PreparedPair],
    names: Mapping[str, str],
    folder: Path,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> dict[str, list[EntityLink]]:
    """Question → what a linker finds for it in `names`, IRI → label, and names that share a word with it: the gold
    entities stand among them, and whoever draws rivals leaves them out. The names' index is left in `folder`."""
    from .entities import LocalLinker
    from .entity_build import build_from_names
    from .entity_index import EntityIndex

    folder.mkdir(parents=True, exist_ok=True)
    build_from_names(names.items(), folder / "names.sqlite")
    index = EntityIndex.open(folder / "names.sqlite")
    linker = LocalLinker(index)
    out: dict[str, list[EntityLink]] = {}
    for number, pair in enumerate(pairs):
        question = pair.pair.question
        if progress is not None and number % 200 == 0:
            progress("linking names to confuse the right ones with", number, len(pairs))
        if question in out or not pair.entities:
            continue
        found = {link.iri: link for link in reversed(linker.link(question, k=8))}
        words = re.findall(r"[^\W\d_]{4,}", question)
        Random(question).shuffle(words)
        sharing = [named.iri for word in words for named in index.holding([word.lower()], limit=8)]
        for iri in sharing:
            found.setdefault(iri, EntityLink(iri, index.label(iri) or iri, "", -1, -1, 0.1))
        out[question] = list(found.values())[:_RIVALS]
    return out


def _without_names(prepared: PreparedPair) -> str:
    question = prepared.pair.question
    for entity in sorted(prepared.entities, key=lambda e: -e.start):
        if entity.start >= 0:
            question = f"{question[: entity.start]}it{question[entity.end :]}"
    return question
