"""Linked questions → queries: prompts in one variant, generation in batches under the grammar, cached by content."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.links import Linked
from bench.runs import Cache
from ontoprompt.errors import UsageError
from ontoprompt.evaluating import request_of
from ontoprompt.generation import Request, term_weights
from ontoprompt.prompts import Example, Prompt, build_prompt
from ontoprompt.ranking import Cost, rank

if TYPE_CHECKING:
    from ontoprompt.generation import Candidate, Generator
    from ontoprompt.pairs import Pair
    from ontoprompt.query_reranking import QueryReranker
    from ontoprompt.retrieval import Retriever

_BATCH_TOKENS = 4000
# What a query takes of the context: symbols are a token each, names are many.
_QUERY_TOKENS = {True: 200, False: 420}


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one question. `tokens`: of the prompt; `seconds`: prompt and generate, its share of its batch."""

    linked: Linked
    prompt: Prompt
    tokens: int
    candidates: tuple[Candidate, ...]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def sparql(self) -> str:
        """The best query, empty when there is none."""
        return self.candidates[0].sparql if self.candidates else ""


class Writer:
    """Writes queries with one generator and one variant.

    `beams`: candidates searched for; `ranked`: order them by how much of the question they hear, as `ontoprompt ask`
    does, with `retriever` and `reader`; else by probability alone. `nearest`, `examples`: where worked examples come from, and how
    many. `constrained`: hold decoding to the grammar. `known_as`: the generator's `identity`, where it is known already.
    `given`: every term and entity of a fragment is meant, as those that a user pins are.
    """

    def __init__(
        self,
        generator: Generator,
        variant: str = "",
        *,
        beams: int = 2,
        retriever: Retriever | None = None,
        reader: QueryReranker | None = None,
        nearest: Nearest | None = None,
        examples: int = 0,
        constrained: bool = True,
        cache: Cache | None = None,
        known_as: str = "",
        given: bool = False,
    ) -> None:
        self.generator, self.variant = generator, variant or generator.variant
        self.beams, self.retriever, self.constrained = beams, retriever, constrained
        self.cache = cache or Cache(None)
        self.nearest, self.examples = nearest, examples
        self.reader = reader if retriever is not None else None
        self.identity = known_as or identity(generator)
        self.given = given

    def prompt(self, linked: Linked) -> Prompt:
        """The prompt of a question."""
        context = int(getattr(self.generator, "context", 4096))
        return build_prompt(
            linked.fragment,
            self.variant,
            examples=self.nearest.of(linked.fragment.question, self.examples) if self.nearest else (),
            budget=context - _QUERY_TOKENS[self.variant.endswith("-symbols")],
            count_tokens=self.generator.count_tokens,
        )

    def write(self, questions: Sequence[Linked]) -> Iterator[Written]:
        """Queries for the questions, short prompts first, in batches of about equal work."""
        for batch in self._batches(questions):
            yield from self._batch(batch)

    def batches(self, questions: Sequence[Linked]) -> list[list[Linked]]:
        """The questions as `write` puts them together; each list by itself is written as one batch again."""
        return [[linked for _, linked, _, _ in batch] for batch in self._batches(questions)]

    def _batches(self, questions: Sequence[Linked]) -> Iterator[list[Any]]:
        made = []
        for linked in questions:
            began = time.monotonic()
            prompt = self.prompt(linked)
            tokens = self.generator.count_tokens(prompt.text)
            made.append((tokens, linked, prompt, time.monotonic() - began))
        made.sort(key=lambda m: (m[0], m[1].question.id))
        batch: list[Any] = []
        for one in made:
            if batch and (len(batch) + 1) * one[0] > _BATCH_TOKENS:
                yield batch
                batch = []
            batch.append(one)
        if batch:
            yield batch

    def _batch(self, batch: Sequence[Any]) -> Iterator[Written]:
        costs = [self._cost(linked, prompt) for _, linked, prompt, _ in batch]
        keys = [
            (
                self.identity,
                prompt.text,
                str(prompt.surfaces),
                str(term_weights(prompt)),
                self.beams,
                self.constrained,
                "given" if self.given else cost is not None,
                self.reader.fingerprint if self.reader is not None else "",
            )
            for (_, _, prompt, _), cost in zip(batch, costs, strict=True)
        ]
        kept = [self.cache.get(*key) for key in keys]
        new = [i for i, found in enumerate(kept) if found is None]
        seconds = [float(found["seconds"]) if found else 0.0 for found in kept]
        written = [_from_json(found["candidates"]) if found else () for found in kept]
        if new:
            began = time.monotonic()
            requests = [self._request(batch[i][2], costs[i]) for i in new]
            outs = self._generated(requests)
            share = (time.monotonic() - began) / len(new)
            for i, out in zip(new, outs, strict=True):
                cost = costs[i]
                written[i] = rank(out, cost, self.reader) if cost is not None else tuple(out)
                seconds[i] = share
                self.cache.put({"candidates": _to_json(written[i]), "seconds": share}, *keys[i])
        for (tokens, linked, prompt, took), candidates, spent in zip(batch, written, seconds, strict=True):
            yield Written(linked, prompt, tokens, tuple(candidates), {"prompt": took, "generate": spent})

    def _generated(self, requests: Sequence[Request]) -> list[tuple[Candidate, ...]]:
        """What the generator writes; nothing for a prompt that leaves no room for a query."""
        try:
            return self.generator.generate(requests, candidates=self.beams)
        except UsageError:
            if len(requests) == 1:
                return [()]
        return [out for request in requests for out in self._generated([request])]

    def _cost(self, linked: Linked, prompt: Prompt) -> Cost | None:
        if self.retriever is None:
            return None
        fragment = prompt.fragment
        links = [*(s.term.iri for s in fragment.terms), *(e.iri for e in fragment.entities)]
        heard = self.retriever.heard(fragment)
        return Cost(linked.question.question, fragment, heard, links if self.given else ())

    def _request(self, prompt: Prompt, cost: Cost | None) -> Request:
        if not self.constrained:
            return Request(prompt)
        return replace(request_of(prompt), cost=cost)


class Nearest:
    """Worked examples: the training pairs whose questions are nearest, nearest last."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        from ontoprompt.embedding import load_encoder

        self.pairs = [p for p in pairs if p.question.strip()]
        self.encoder = load_encoder()
        self.vectors = self.encoder.encode([p.question for p in self.pairs])

    def of(self, question: str, count: int) -> tuple[Example, ...]:
        """The `count` nearest pairs; one that asks the same is left out, it would be the answer."""
        if not count:
            return ()
        order = (self.vectors @ self.encoder.encode([question])[0]).argsort()[::-1]
        near = [self.pairs[i] for i in order[: count + 3].tolist()]
        kept = [p for p in near if p.question.strip().lower() != question.strip().lower()][:count]
        return tuple(Example(p.question, p.query) for p in reversed(kept))


def identity(generator: Generator) -> str:
    """What tells a generator from every other: the name of a hub model, the content of a folder."""
    return digest_of(str(getattr(generator, "path", "")), generator.name)


def digest_of(path: str, name: str) -> str:
    """The SHA-256 of a name and of the settings and weights in a folder, if it is one."""
    folder = Path(path)
    digest = hashlib.sha256(name.encode())
    if path and folder.is_dir():
        for file in sorted(folder.iterdir()):
            if file.suffix in (".json", ".safetensors", ".bin"):
                digest.update(file.name.encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def _to_json(candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
    return [{"text": c.text, "sparql": c.sparql, "score": round(c.score, 4)} for c in candidates]


def _from_json(rows: Sequence[dict[str, Any]]) -> tuple[Candidate, ...]:
    from ontoprompt.generation import Candidate

    return tuple(Candidate(row["text"], row["sparql"], row["score"]) for row in rows)
