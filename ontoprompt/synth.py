"""`ontoprompt synth`: a stream of pairs into a file, the same for a seed, taken up again where it was stopped.

Pairs are drawn in blocks, each by a generator seeded with its number, so that a block does not depend on the ones before
but for questions that they hold already. Beside the growing file stands a state with the length that was whole after the
last block; a killed run cuts the file there and goes on.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import multiprocessing
import os
import re
import signal
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import IO, Any

from .clauses import Draft, Draw
from .compose import draft
from .errors import ArtifactError, QueryError, UsageError
from .execution import Store
from .fillings import Filling
from .sparql import PREFIXES, check_read_only, parse
from .styling import Rates, named, styled

BLOCK = 512
# Blocks one after another without a new pair, before an ontology or graph counts as used up.
_VAIN = 8
_TERM_IN_QUERY = re.compile(r'<[^<>]*>|"(?:[^"\\]|\\.)*"|(?<![\w?])-?\d+(?:\.\d+)?')

# Variables of one letter and a number: which number it is does not matter to the parser.
_NUMBERED = re.compile(r"(\?[a-z])\d+")

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class SynthConfig:
    """What decides the pairs. `templates_held`, `terms_held`: shares kept out of the main file; `own`: the share drawn from
    given templates where there are any."""

    count: int = 10_000
    seed: int = 0
    rates: Rates = Rates()
    templates_held: float = 0.0
    terms_held: float = 0.0
    own: float = 0.5


@dataclass(frozen=True, slots=True)
class Row:
    """One pair as it is written; `held`: why it is kept out of the main file, empty when it is not."""

    question: str
    record: Mapping[str, Any]
    held: str


@dataclass
class Counts:
    """What the card tells, kept as pairs are written."""

    pairs: int = 0
    held: int = 0
    templates: Counter[str] = field(default_factory=Counter)
    forms: Counter[str] = field(default_factory=Counter)
    terms: set[str] = field(default_factory=set)
    seen: set[bytes] = field(default_factory=set)

    def take(self, record: Mapping[str, Any], held: bool) -> None:
        """Count a pair."""
        self.seen.add(_print_of(record["question"], record["sparql"]))
        if held:
            self.held += 1
            return
        self.pairs += 1
        self.templates[record["template"]] += 1
        self.forms[record["form"]] += 1
        self.terms.update(record["terms"])


class Synthesis:
    """Pairs over one filling. `store`: asked where a query says that something is missing and not all statements are
    known; `given`: drafts of templates that were given, by template."""

    def __init__(
        self,
        filling: Filling,
        config: SynthConfig,
        *,
        store: Store | None = None,
        given: Sequence[Sequence[Draft]] = (),
        more: Callable[[Random], Draft | None] | None = None,
    ) -> None:
        self.filling, self.config, self.store = filling, config, store
        self.given = [drafts for drafts in given if drafts]
        self.more = more
        self.draw = Draw(filling)
        self._shapes: set[str] = set()
        import pyoxigraph

        self._empty = pyoxigraph.Store()
        if not self.draw.properties and not self.given:
            raise UsageError(
                "There is nothing to ask about: no property has statements.",
                "Give an ontology with properties, or a graph that uses them.",
            )

    def block(self, number: int) -> Iterator[Row]:
        """The pairs of a block, in order."""
        rng = self.draw.rng = Random(f"{self.config.seed}/{number}")
        for _ in range(BLOCK):
            theirs, made = self._drawn(rng)
            if made is None or not self._sure(made):
                continue
            rates = self.config.rates
            question, spans = named(
                styled(made.question, rates, rng), self.filling.labels, rng.random() < rates.lower
            )
            entities = [{"iri": i, "label": n, "start": a, "end": b} for i, n, a, b in spans]
            self._parsed(made.query, theirs)
            record = {
                "question": question,
                "sparql": made.query,
                "template": made.template,
                "form": made.form,
                "terms": list(dict.fromkeys(made.terms)),
                "entities": entities,
                "provenance": {
                    "source": self.filling.name,
                    "invented": self.filling.made_up,
                    "seed": self.config.seed,
                    "block": number,
                },
            }
            yield Row(question, record, self.held(made))

    def _drawn(self, rng: Random) -> tuple[bool, Draft | None]:
        """Whether it is of a given template, and a pair to be."""
        if self.given and (rng.random() < self.config.own or not self.draw.properties):
            return True, rng.choice(rng.choice(self.given))
        if self.more is not None and rng.random() < 0.4:
            return False, self.more(rng)
        return False, draft(self.draw)

    def held(self, made: Draft) -> str:
        """Why a pair is held out."""
        if self._share(f"template {made.template}") < self.config.templates_held:
            return "template"
        if any(self._share(f"term {iri}") < self.config.terms_held for iri in made.terms):
            return "term"
        return ""

    def _share(self, what: str) -> float:
        """A number from 0 to 1 that a name has for a seed, the same wherever it is asked."""
        told = hashlib.blake2b(f"{self.config.seed} {what}".encode(), digest_size=6).digest()
        return int.from_bytes(told, "big") / 2**48

    def _sure(self, made: Draft) -> bool:
        """Whether the query has an answer: it does by the witness, unless it says that what is not known is missing."""
        if self.store is None or all(iri in self.filling.whole for iri in made.absent):
            return True
        result = self.store.query(made.query, timeout=10.0, max_rows=1)
        return result.form == "ask" or bool(result.rows)

    def _parsed(self, query: str, theirs: bool) -> None:
        """Parse a query of each shape: two that differ in IRIs, numbers and quoted texts alone parse alike. `theirs`: it is of
        somebody's template. Raises QueryError, or SyntaxError for one of ours."""
        shape = _NUMBERED.sub(r"\1", _TERM_IN_QUERY.sub(lambda m: m[0][0], query))
        if shape not in self._shapes:
            if theirs:
                check_read_only(parse(query))
            else:
                # What our own forms write only reads; Oxigraph parses it by the same specification in a hundredth of the time.
                self._empty.query(query, prefixes=PREFIXES)
            self._shapes.add(shape)


def _print_of(question: str, query: str) -> bytes:
    return hashlib.blake2b(f"{question}\n{query}".encode(), digest_size=10).digest()


def fingerprint(synthesis: Synthesis, inputs: Mapping[str, Any]) -> str:
    """What tells one run from another: settings, filling, templates."""
    config = asdict(synthesis.config)
    given = hashlib.sha256(
        json.dumps([[d.query for d in drafts] for drafts in synthesis.given]).encode()
    ).hexdigest()
    text = json.dumps(
        {"format": 1, "config": config, "filling": synthesis.filling.digest, "given": given, **inputs},
        sort_keys=True,
    )
    return hashlib.sha256(text.encode()).hexdigest()


# What the processes beside the main one make blocks of; set while they are started.
_SHARED: list[Synthesis] = []


def _unhurried() -> None:
    """Leave Ctrl-C to the main process, which ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _shared_block(number: int) -> list[Row]:
    return list(_SHARED[0].block(number))


def _blocks(synthesis: Synthesis, start: int, jobs: int) -> Generator[tuple[int, list[Row]], None, None]:
    """Blocks in order, made ahead by `jobs` processes. What asks a graph stays in one: its store is another process's."""
    if jobs < 2 or synthesis.store is not None or "fork" not in multiprocessing.get_all_start_methods():
        yield from ((number, list(synthesis.block(number))) for number in itertools.count(start))
        return
    _SHARED[:] = [synthesis]
    with multiprocessing.get_context("fork").Pool(jobs, _unhurried) as pool:
        _SHARED.clear()
        ahead: deque[Any] = deque()
        for number in itertools.count(start):
            while len(ahead) < 2 * jobs:
                ahead.append(pool.apply_async(_shared_block, (number + len(ahead),)))
            yield number, ahead.popleft().get()


def stream(
    synthesis: Synthesis, counts: Counts, *, start: int = 0, jobs: int = 1
) -> Iterator[tuple[int, list[Row]]]:
    """(number of the block, its new pairs), until there are as many as wanted; the same whatever `jobs` is. Raises
    UsageError when no more can be made."""
    vain = 0
    if counts.pairs >= synthesis.config.count:
        return
    blocks = _blocks(synthesis, start, jobs)
    try:
        for number, rows in blocks:
            fresh: list[Row] = []
            for row in rows:
                if _print_of(row.question, row.record["sparql"]) in counts.seen:
                    continue
                counts.take(row.record, bool(row.held))
                fresh.append(row)
                if counts.pairs >= synthesis.config.count:
                    break
            vain = 0 if any(not row.held for row in fresh) else vain + 1
            if vain > _VAIN:
                raise UsageError(
                    f"Only {counts.pairs:,} different pairs could be made.",
                    "Ask for fewer, hold out less, or give a larger ontology or graph.",
                )
            yield number, fresh
            if counts.pairs >= synthesis.config.count:
                return
    finally:
        blocks.close()


def lines(rows: Sequence[Row]) -> tuple[str, str]:
    """The main and the held-out pairs as JSON lines."""
    main = "".join(json.dumps(row.record, ensure_ascii=False) + "\n" for row in rows if not row.held)
    held = "".join(
        json.dumps({**row.record, "held": row.held}, ensure_ascii=False) + "\n" for row in rows if row.held
    )
    return main, held


def write(
    synthesis: Synthesis,
    out: Path,
    inputs: Mapping[str, Any],
    *,
    progress: Progress | None = None,
    jobs: int = 1,
) -> Counts:
    """Write `out`, `out`'s held-out file and its card. A run that was stopped is taken up, with as many `jobs` or others.

    Raises ArtifactError when another run's unfinished file is in the way, UsageError when no more pairs can be made.
    """
    held_path = held_file(out)
    parts = (out.with_name(out.name + ".part"), held_path.with_name(held_path.name + ".part"))
    state_path = out.with_name(out.name + ".state")
    mark = fingerprint(synthesis, inputs)
    out.parent.mkdir(parents=True, exist_ok=True)
    counts, start = _resumed(parts, state_path, mark)
    with parts[0].open("ab") as main, parts[1].open("ab") as held:
        for number, rows in stream(synthesis, counts, start=start, jobs=jobs):
            for file, text in zip((main, held), lines(rows), strict=True):
                _add(file, text)
            _save(state_path, {"fingerprint": mark, "block": number + 1, "bytes": [main.tell(), held.tell()]})
            if progress:
                progress("writing pairs", counts.pairs, synthesis.config.count)
    card_path = out.with_name(out.stem + ".card.md")
    card_path.write_text(card(synthesis, counts, inputs, out.name), encoding="utf-8")
    if counts.held:
        os.replace(parts[1], held_path)
    else:
        parts[1].unlink()
        held_path.unlink(missing_ok=True)
    os.replace(parts[0], out)
    state_path.unlink()
    return counts


def held_file(out: Path) -> Path:
    """The file of held-out pairs beside the main one: `pairs.jsonl` → `pairs.held.jsonl`."""
    return out.with_name(f"{out.stem}.held{out.suffix}")


def _add(file: IO[bytes], text: str) -> None:
    file.write(text.encode("utf-8"))
    file.flush()


def _save(path: Path, state: Mapping[str, Any]) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(state), encoding="utf-8")
    os.replace(fresh, path)


def _resumed(parts: tuple[Path, Path], state_path: Path, mark: str) -> tuple[Counts, int]:
    """What an earlier run left, cut to its last whole block."""
    counts = Counts()
    if not state_path.is_file():
        for part in parts:
            part.write_bytes(b"")
        return counts, 0
    try:
        state = json.loads(state_path.read_text(encoding="utf-8"))
        same, start, sizes = (
            state["fingerprint"] == mark,
            int(state["block"]),
            [int(n) for n in state["bytes"]],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{state_path} is damaged.", "Remove it to begin again.") from error
    if not same:
        raise ArtifactError(
            f"{parts[0]} was begun with other settings, sources or templates, or the graph has changed.",
            f"Remove {state_path} to begin again, or write elsewhere.",
        )
    for part, size, held in zip(parts, sizes, (False, True), strict=True):
        if not part.is_file() or part.stat().st_size < size:
            raise ArtifactError(
                f"{part} is shorter than its state says.", f"Remove {state_path} to begin again."
            )
        os.truncate(part, size)
        with part.open(encoding="utf-8", newline="\n") as file:
            for line in file:
                counts.take(json.loads(line), held)
    return counts, start


def card(synthesis: Synthesis, counts: Counts, inputs: Mapping[str, Any], name: str) -> str:
    """The data card: where the pairs come from, how they were made, how many of what."""
    config, filling = synthesis.config, synthesis.filling
    rates = ", ".join(f"{key} {value:g}" for key, value in asdict(config.rates).items())
    origin = (
        "the ontology alone: things and statements are invented, and say nothing true"
        if filling.made_up
        else f"the graph {filling.name}; every query made from it returns something"
    )
    out = [
        f"# {name}", "", "Questions in English with SPARQL queries, made by `ontoprompt synth` from templates. No person asked them.", "",
        f"- Pairs: {counts.pairs:,}; held out: {counts.held:,}", f"- Filled from: {origin}",
        *(f"- {key}: {', '.join(map(str, value)) if isinstance(value, list | tuple) else value}" for key, value in inputs.items()),
        f"- Seed: {config.seed}", f"- Rates: {rates}", f"- Held out: templates {config.templates_held:g}, terms {config.terms_held:g}",
        f"- Templates: {len(counts.templates):,}; terms: {len(counts.terms):,}", "", "| form | pairs |", "|---|---|",
        *(f"| {form} | {number:,} |" for form, number in sorted(counts.forms.items())), "", "| template | pairs |", "|---|---|",
        *(f"| `{key}` | {number:,} |" for key, number in sorted(counts.templates.items())), "",
    ]  # fmt: skip
    return "\n".join(out)


__all__ = [
    "Counts",
    "QueryError",
    "Row",
    "SynthConfig",
    "Synthesis",
    "card",
    "held_file",
    "lines",
    "stream",
    "write",
]
