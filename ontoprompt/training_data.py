"""Files of pairs → what a generator is trained on: prepared pairs, terms and entities to confuse the right ones with."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from .alignment import WordScorer, aligner
from .entities import EntityLink
from .errors import QueryError, UsageError
from .fillings import MADE_UP
from .fragment import Fragment, Hint
from .held_out import HeldOutPairs, chosen, keep_out, one_each, without
from .index import OntologyIndex
from .ontology import Term
from .pairs import Labels, Pair, PreparedPair, SkippedPairError, prepare, read_pairs, to_prompt, to_target
from .sampling import nearest_terms, rival_entities
from .sparql import PREFIXES
from .training_config import TrainConfig

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A pair that is not trained on: why, and where it stands."""

    reason: str
    file: str
    line: int
    question: str = ""


@dataclass(frozen=True, slots=True)
class PreparedSet:
    """Pairs ready for prompts, how many were skipped for which reason, and each of these."""

    pairs: tuple[PreparedPair, ...]
    skipped: Counter[str]
    named: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of pairs: its SHA-256, how many questions it holds, and how many are trained on."""

    name: str
    sha256: str
    questions: int
    used: int


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a generator is trained on. `sets`: how often to draw from them, and their pairs; `pool`: terms to confuse the
    right ones with; `near`, `rivals`: question → terms that retrieval and entities that a linker finds for it."""

    sets: tuple[tuple[float, Sequence[PreparedPair]], ...]
    pool: Sequence[Term]
    near: Mapping[str, Sequence[Term]]
    rivals: Mapping[str, Sequence[EntityLink]]
    align: Callable[[Fragment], tuple[Hint, ...]]
    files: tuple[DataFile, ...]
    skipped: tuple[Skipped, ...]
    held: HeldOutPairs
    templates: int = 0

    @property
    def size(self) -> int:
        """How many pairs there are."""
        return sum(len(pairs) for _, pairs in self.sets)


def prepare_all(pairs: Iterable[Pair], labels: Labels, variant: str = "nsql-symbols") -> PreparedSet:
    """Links of all pairs; those that cannot be written in `variant` are counted by reason, not fatal."""
    kept: list[PreparedPair] = []
    skipped: list[Skipped] = []
    for pair in pairs:
        try:
            ready = prepare(pair, labels)
            to_target(ready, to_prompt(ready, variant))
        except SkippedPairError as error:
            reason = str(error)
        except QueryError:
            reason = "a query that does not parse or does more than read"
        else:
            kept.append(ready)
            continue
        skipped.append(Skipped(reason, pair.source, pair.line, pair.question))
    return PreparedSet(tuple(kept), Counter(s.reason for s in skipped), tuple(skipped))


def assemble(
    files: Sequence[Path],
    folder: Path,
    config: TrainConfig,
    *,
    ontologies: Sequence[str] = (),
    entity_labels: Path | None = None,
    templates: int = 0,
    weights: Sequence[float] = (),
    indexes: Sequence[Path] = (),
    held_out: int | Path = 0,
    fits: Callable[[PreparedPair], bool] | None = None,
    progress: Progress | None = None,
) -> TrainingData:
    """What to train on, from pairs files and template pairs as one more; see `training.train_from_files`.

    `folder` takes an index of names; `held_out`: how many queries to keep out, or a file of pairs to keep out;
    `fits`: whether a pair is short enough. Raises UsageError when files and weights do not fit, and when no pair is left.
    """
    _check_weights(weights, len(files) + bool(templates))
    say = progress or (lambda stage, done, total: None)
    labels = gold_labels(ontologies, entity_labels)
    read = _read_all(
        files, held_out, lambda file: _read(file, labels, config.variant, fits), config.seed, say
    )
    held, asked = read.held, [p for some in read.left for p in some]
    if not asked and not templates:
        raise UsageError(
            "There is no pair to train on."
            + "".join(f" Left out: {told}." for told in said_of(read.skipped)),
            "Give a file of JSON lines with `question` and `sparql`.",
        )
    sets: list[tuple[float, Sequence[PreparedPair]]] = [(math.sqrt(len(some)), some) for some in read.left]
    pool = list(labels.terms.values())
    names = {e.iri: e.label for p in asked for e in p.entities} | dict(labels.entities)
    confused = [*asked, *held.pairs]
    # Names that were made up are confused with one another.
    real = [p for p in confused if not all(e.iri.startswith(MADE_UP) for e in p.entities)]
    rivals = rival_entities(real, names, folder, progress) if names and config.pooled else {}
    if templates:
        made = without(made_pairs(pool, labels, asked, templates, config.seed), held.pairs)
        sets.append((math.sqrt(len(made)), made))
    if weights:
        sets = [(weight, pairs) for weight, (_, pairs) in zip(weights, sets, strict=True)]
    opened = [OntologyIndex.load(i) for i in indexes]
    near: dict[str, list[Term]] = {}
    if opened:
        say("searching for terms to confuse it with", 0, None)
        near = nearest_terms([p for some in (*(s for _, s in sets), held.pairs) for p in some], opened)
    return TrainingData(
        tuple(sets),
        pool,
        near,
        rivals,
        aligner([WordScorer(index) for index in opened]),
        read.files,
        read.skipped,
        held,
        len(sets[-1][1]) if templates else 0,
    )


def _check_weights(weights: Sequence[float], sets: int) -> None:
    if weights and len(weights) != sets:
        raise UsageError(
            f"There are {len(weights)} weights for {sets} sets of pairs.",
            "Give one --weight for each file, and one for the templates.",
        )


_Prepared = tuple[tuple[PreparedPair, ...], list[Skipped], int]


@dataclass(frozen=True, slots=True)
class _Read:
    """What files hold: the pairs of each that are left to train on, and what became of the others."""

    left: tuple[tuple[PreparedPair, ...], ...]
    held: HeldOutPairs
    skipped: tuple[Skipped, ...]
    files: tuple[DataFile, ...]


def _read_all(
    files: Sequence[Path],
    held_out: int | Path,
    read: Callable[[Path], _Prepared],
    seed: int,
    say: Progress,
) -> _Read:
    found: list[_Prepared] = []
    for file in files:
        say(f"reading {file.name}", 0, None)
        found.append(read(file))
    skipped = [s for _, some, _ in found for s in some]
    pairs = [prepared for prepared, _, _ in found]
    if isinstance(held_out, Path):
        kept, more, _ = read(held_out)
        skipped += more
        held = keep_out(list(one_each(kept).values()), pairs)
    else:
        held = keep_out(chosen(pairs, held_out, seed), pairs)
    left = tuple(without(some, held.pairs) for some in pairs)
    facts = tuple(
        DataFile(file.name, hashlib.sha256(file.read_bytes()).hexdigest(), count, len(some))
        for file, (_, _, count), some in zip(files, found, left, strict=True)
    )
    return _Read(left, held, tuple(skipped), facts)


def _read(file: Path, labels: Labels, variant: str, fits: Callable[[PreparedPair], bool] | None) -> _Prepared:
    """The pairs of a file that can be trained on, the others by name, and how many questions it holds."""
    skipped: list[Skipped] = []
    pairs = list(read_pairs(file, bad=lambda line, why: skipped.append(Skipped(why, file.name, line))))
    prepared = prepare_all(pairs, labels, variant)
    skipped += [replace(s, file=file.name) for s in prepared.named]
    kept = []
    for one in prepared.pairs:
        if fits is None or fits(one):
            kept.append(one)
        else:
            skipped.append(
                Skipped("longer than the model's context", file.name, one.pair.line, one.pair.question)
            )
    return tuple(kept), skipped, len(pairs)


def said_of(skipped: Sequence[Skipped]) -> list[str]:
    """Each reason with its number and the first pair of it, the most common reason first."""
    first = {s.reason: s for s in reversed(skipped)}
    return [
        f"{count:,} × {reason} (first: {first[reason].file}, line {first[reason].line})"
        for reason, count in Counter(s.reason for s in skipped).most_common()
    ]


def write_skipped(skipped: Sequence[Skipped], path: Path) -> None:
    """All of them, as JSON lines."""
    lines = (json.dumps(asdict(s), ensure_ascii=False) + "\n" for s in skipped)
    path.write_text("".join(lines), encoding="utf-8")


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
    other = tuple(
        t for t in pool if not t.iri.startswith(PREFIXES["wdt"]) and (t.kind == "class" or t.usage >= 200)
    )
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
