"""Training of the query reranker: each question's gold query is told from near misses of it, and from what a generator
writes for the question.

It begins from the reranker of terms, which has learned which words ask for which property. Near misses alone teach it
little about the candidates that it will read, a generator's own alone are soon known by heart (bench/LOG.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from .embedding import packaged_model
from .errors import ArtifactError, UsageError
from .evaluating import request_of
from .generation import Generator
from .near_misses import NearMisses, Shaped, in_sparql, same_but_for_order, shaped
from .query_words import query_words
from .rerank_training import RerankConfig, fit, in_batches
from .reranking import Listed, Pieces
from .sampling import Sampler
from .training_config import TrainConfig
from .training_data import TrainingData, assemble

Progress = Callable[[str, int, int | None], None]

# Draws without a near miss before training is given up.
_PATIENCE = 500
_BATCH, _BEAMS = 16, 8
# Of a question whose candidates are known: how many of them are shown, and how many near misses beside them.
_SHOWN, _BESIDE = (6, 10), 3


@dataclass(frozen=True, slots=True)
class QueryRerankConfig(RerankConfig):
    """As `RerankConfig`; `misses`: near misses beside each gold query; `written`: for how many questions a generator's
    candidates are used too, and `share` how often such a question is drawn. Without dropout the candidates are soon known
    by heart. The one that ships began from another of these and had 105 minutes (bench/LOG.md)."""

    rate: float = 4e-4
    batch: int = 8
    warmup: int = 600
    misses: int = 11
    written: int = 7500
    share: float = 0.55
    dropout: float = 0.1


def train_query_reranker(
    sets: Sequence[tuple[float, Sequence[Shaped]]],
    out: Path,
    config: QueryRerankConfig | None = None,
    *,
    candidates: Mapping[str, Sequence[str]] | None = None,
    start: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train on weighted sets of pairs and write the query reranker to `out`; see `rerank_training.fit`. `candidates`:
    question → wrong queries in words, of some questions; `start`: the reranker to begin from. Raises UsageError when
    there is nothing to train on."""
    config = config or QueryRerankConfig()
    sets = [(weight, some) for weight, some in sets if some]
    if not sets:
        raise UsageError(
            "There is no pair to train on.", "Give a file of JSON lines with `question` and `sparql`."
        )
    misses = NearMisses(pair for _, some in sets for pair in some)
    wrong = candidates or {}
    known = [pair for _, some in sets for pair in some if wrong.get(pair.question)]
    pieces = Pieces(packaged_model())

    def draw(rng: Random) -> Iterable[tuple[list[Listed], list[int]]]:
        drawn: list[tuple[Listed, int]] = []
        for _ in range(_PATIENCE + 4 * config.batch):
            if len(drawn) == 4 * config.batch:
                break
            if known and rng.random() < config.share:
                pair = known[rng.randrange(len(known))]
                gold, others = _beside(misses, pair, wrong[pair.question], rng)
            else:
                some = rng.choices([pairs for _, pairs in sets], [weight for weight, _ in sets])[0]
                pair = some[rng.randrange(len(some))]
                gold, others = misses.draw(pair, rng, config.misses)
            if others:
                question = pair.question.lower() if rng.random() < config.lower else pair.question
                drawn.append((pieces.texts(question, [gold, *others]), 1))
        if not drawn:
            raise UsageError(
                "Nothing stands beside the right queries: no near miss could be made of any pair.",
                "Give pairs over more than one property.",
            )
        return in_batches(drawn, config.batch)

    return fit(draw, out, config, start=start, progress=progress)


def _beside(misses: NearMisses, pair: Shaped, wrong: Sequence[str], rng: Random) -> tuple[str, list[str]]:
    """The gold query, and some of the wrong candidates with a few near misses."""
    gold, more = misses.draw(pair, rng, _BESIDE)
    shown = rng.sample(list(wrong), min(len(wrong), rng.choice(_SHOWN)))
    taken = {same_but_for_order(words) for words in (gold, *shown)}
    return gold, [*shown, *(words for words in more if same_but_for_order(words) not in taken)]


def train_from_pairs(
    files: Sequence[Path],
    out: Path,
    config: QueryRerankConfig,
    *,
    generator: Generator | None = None,
    start: Path | None = None,
    progress: Progress | None = None,
    **given: Any,
) -> dict[str, Any]:
    """`train_query_reranker` on files of pairs, `given` as `training_data.assemble` takes it; with a `generator` whose
    candidates are told from the gold queries too. The query reranker is `out`/query-reranker.safetensors, what the
    generator wrote `out`/candidates.jsonl, from which a run that was stopped goes on."""
    out.mkdir(parents=True, exist_ok=True)
    drawing = TrainConfig(seed=config.seed)
    data = assemble(files, out / "state", drawing, progress=progress, **given)
    sets = [
        (weight, [s for p in pairs if (s := _shaped(data, p.pair.question, p))])
        for weight, pairs in data.sets
    ]
    candidates: dict[str, list[str]] = {}
    if generator is not None:
        candidates = write_candidates(data, generator, out / "candidates.jsonl", config, progress=progress)
    path = out / "query-reranker.safetensors"
    record = train_query_reranker(sets, path, config, candidates=candidates, start=start, progress=progress)
    return {"file": path, "candidates": len(candidates), **record}


def _shaped(data: TrainingData, question: str, pair: Any) -> Shaped | None:
    return shaped(pair, data.near.get(question, ()), data.rivals.get(question, ()))


def write_candidates(
    data: TrainingData,
    generator: Generator,
    path: Path,
    config: QueryRerankConfig,
    *,
    progress: Progress | None = None,
) -> dict[str, list[str]]:
    """Question → the wrong queries, in words, that a generator writes for it when it is shown what is easily taken for
    the right terms and entities. Kept in `path`, a line a question. Raises ArtifactError when that file is damaged."""
    found = _kept(path)
    sampler = Sampler(
        data.sets, data.pool, None, TrainConfig(seed=config.seed), data.near, data.align, data.rivals
    )
    pairs = {p.pair.question: p for _, some in data.sets for p in some}
    wanted = sorted(pairs)
    Random(config.seed).shuffle(wanted)
    left = [question for question in wanted[: config.written] if question not in found]
    with path.open("a", encoding="utf-8") as file:
        for start in range(0, len(left), _BATCH):
            if progress is not None:
                progress("writing candidates", start, len(left))
            questions = left[start : start + _BATCH]
            prompts = [
                sampler.prompt(pairs[q], Random(f"{config.seed} {q}"), 1.0, as_asked=True) for q in questions
            ]
            written = generator.generate([request_of(p) for p in prompts], candidates=_BEAMS)
            for question, prompt, some in zip(questions, prompts, written, strict=True):
                one = _shaped(data, question, pairs[question])
                names = prompt.fragment.names()
                right = same_but_for_order(query_words(in_sparql(one.target, one.iris), names)) if one else ""
                words = [query_words(c.sparql, names) for c in some]
                wrong = {same_but_for_order(w): w for w in words if same_but_for_order(w) != right}
                found[question] = list(wrong.values()) if one else []
                file.write(json.dumps([question, found[question]], ensure_ascii=False) + "\n")
            file.flush()
    return found


def _kept(path: Path) -> dict[str, list[str]]:
    """What was written before; a last line that a kill cut off is written again."""
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    try:
        return dict(json.loads(line) for line in whole.splitlines())
    except (ValueError, TypeError) as error:
        raise ArtifactError(
            f"The file {path} is damaged.", "Remove it: what it held is written again."
        ) from error
