"""Train a generator: pairs → a CodeGen checkpoint that writes queries in symbols.

The loss is on the query alone; symbols are renumbered, terms reordered and distractors drawn
anew each time a pair is seen. Killed, a run resumes from its last checkpoint. What this does
not cover: training the adapter of an index, which is `adapting.py`.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

from .alignment import WordScorer, aligner
from .entities import EntityLink
from .errors import UsageError
from .fragment import Fragment, Hint
from .grounding import Grounding
from .ontology import Term
from .pairs import Labels as Labels
from .pairs import PreparedPair, read_pairs
from .sampling import Encoded, Sampler, nearest_terms, rival_entities
from .scratch_model import new_model as new_model
from .scratch_model import save_generator as save_generator
from .symbol_tokenizer import END as END
from .symbol_tokenizer import SYMBOLS as SYMBOLS
from .symbol_tokenizer import load_tokenizer as load_tokenizer
from .symbol_tokenizer import make_tokenizer as make_tokenizer
from .training_config import TrainConfig as TrainConfig
from .training_data import PreparedSet as PreparedSet
from .training_data import gold_labels as gold_labels
from .training_data import made_pairs, tokenizer_texts
from .training_data import prepare_all as prepare_all
from .training_state import log_up_to, resume, save_state


def train_generator(
    sets: Sequence[tuple[float, Sequence[PreparedPair]]],
    pool: Sequence[Term],
    out: Path,
    config: TrainConfig,
    *,
    near: Mapping[str, Sequence[Term]] | None = None,
    align: Callable[[Fragment], tuple[Hint, ...]] | None = None,
    rivals: Mapping[str, Sequence[EntityLink]] | None = None,
    tokenizer: Any = None,
    init_from: Path | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> dict[str, Any]:
    """Train for `config.steps`, or `config.minutes` (counted over resumes), and leave a checkpoint in `out`; returns its
    log's last line.

    Optimiser: AdamW with a cosine schedule over the budget spent, bfloat16 autocast. Saved now and then
    to `out/state` and at the end, in half precision, to `out`.
    """
    import torch

    if not any(p for _, p in sets):
        raise UsageError(
            "There is no pair to train on.", "Give a file of JSON lines with `question` and `sparql`."
        )
    out.mkdir(parents=True, exist_ok=True)
    state_dir = out / "state"
    tokenizer = tokenizer or make_tokenizer(tokenizer_texts(sets, pool, config), config.vocabulary)
    if (state_dir / "tokenizer.json").exists():
        tokenizer = load_tokenizer(state_dir)
    model = new_model(config, tokenizer)
    grounding = Grounding.new(config.width)
    decay = [p for p in (*model.parameters(), *grounding.parameters()) if p.dim() > 1]
    other = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.05}, {"params": other, "weight_decay": 0.0}],
        lr=config.learning_rate,
        betas=(0.9, 0.97),
    )
    step, seen, spent, running = resume(state_dir, init_from, model, grounding, optimizer)
    sampler = Sampler(sets, pool, tokenizer, config, near, align, rivals)
    last_save = spent
    log = log_up_to(out / "log.jsonl", step)
    record: dict[str, Any] = {"step": step, "seen": seen, "minutes": spent}

    def share() -> float:
        return step / config.steps if config.steps else spent / config.minutes

    model.train()
    while (done := share()) < 1.0:
        began = time.monotonic()
        rate = (
            config.learning_rate
            * min(1.0, (step + 1) / config.warmup)
            * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))
        )
        for group in optimizer.param_groups:
            group["lr"] = rate
        # Of each step its own: what is drawn after a resumption is what would have been drawn.
        examples = sampler.batch(Random(f"{config.seed} {step}"), done)
        loss = _step(model, grounding, optimizer, examples)
        step += 1
        seen += len(examples)
        running = loss if step == 1 else 0.98 * running + 0.02 * loss if running else loss
        spent += (time.monotonic() - began) / 60
        record = {
            "step": step,
            "seen": seen,
            "minutes": round(spent, 2),
            "loss": round(running, 4),
            "rate": round(rate, 6),
        }
        if step == 1 or step % 25 == 0 or share() >= 1.0:
            log.write(json.dumps(record) + "\n")
            log.flush()
            if progress:
                passed = (step, config.steps) if config.steps else (round(spent), round(config.minutes))
                progress(f"training, loss {running:.3f}", *passed)
        if spent - last_save > config.save_minutes:
            last_save = spent
            save_state(state_dir, model, grounding, optimizer, tokenizer, (step, seen, spent, running))
    log.close()
    save_state(state_dir, model, grounding, optimizer, tokenizer, (step, seen, spent, running))
    save_generator(model, tokenizer, out)
    grounding.save(out)
    (out / "training.json").write_text(
        json.dumps({"config": asdict(config), **record}, indent=1), encoding="utf-8"
    )
    return record


def _step(model: Any, grounding: Grounding, optimizer: Any, examples: Sequence[Encoded]) -> float:
    """One update over the examples, in two length-sorted halves to spare padding. Returns the mean loss per token."""
    import torch

    targets = sum(len(e.ids) - e.start for e in examples)
    total = 0.0
    half = (2 * len(examples)) // 3
    for part in (examples[:half], examples[half:]):
        if not part:
            continue
        width = max(len(e.ids) for e in part)
        ids = torch.zeros((len(part), width), dtype=torch.long)
        wanted = torch.zeros((len(part), width), dtype=torch.bool)
        for row, e in enumerate(part):
            ids[row, : len(e.ids)] = torch.tensor(e.ids)
            wanted[row, e.start : len(e.ids)] = True
        rows = torch.arange(len(part))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            bound = grounding.bind([e.meaning for e in part], model.config.vocab_size)
            embedded = bound.embeddings(model.transformer.wte, ids, rows, prompts=True)
            hidden = model.transformer(inputs_embeds=embedded).last_hidden_state
            # Only the query's positions reach the head: it is as dear as two layers.
            states = hidden[:, :-1][wanted[:, 1:]]
            bound.listen(hidden)
            pointed = bound.scores(states, rows[:, None].expand_as(ids)[:, 1:][wanted[:, 1:]])
            logits = model.lm_head(states).index_add(1, bound.tokens, pointed[:, :-1])
        loss = (
            torch.nn.functional.cross_entropy(logits.float(), ids[:, 1:][wanted[:, 1:]], reduction="sum")
            / targets
        )
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    torch.nn.utils.clip_grad_norm_([*model.parameters(), *grounding.parameters()], 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total


def train_from_files(
    files: Sequence[Path],
    out: Path,
    config: TrainConfig,
    *,
    ontologies: Sequence[str] = (),
    entity_labels: Path | None = None,
    templates: int = 0,
    weights: Sequence[float] = (),
    indexes: Sequence[Path] = (),
    init_from: Path | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> dict[str, Any]:
    """Train from pairs files and template pairs as one more. `weights` says how often each is drawn from, in
    order, the templates last; without them it is the square root of its size. The entities to confuse the right ones
    with are those that a linker finds among all names of the pairs and of `entity_labels`. From `indexes` come the terms
    that retrieval would show beside the right ones, and how well terms stand for words. Raises UsageError when files and weights do not fit.
    """
    if weights and len(weights) != len(files) + bool(templates):
        raise UsageError(
            f"There are {len(weights)} weights for {len(files) + bool(templates)} sets of pairs.",
            "Give one --weight for each file, and one for the templates.",
        )
    labels = gold_labels(ontologies, entity_labels)
    sets: list[tuple[float, Sequence[PreparedPair]]] = []
    for file in files:
        if progress:
            progress(f"reading {file.name}", 0, None)
        prepared = prepare_all(read_pairs(file), labels, config.variant)
        for reason, count in prepared.skipped.most_common():
            if progress:
                progress(f"left out of {file.name}: {reason}", count, count)
        sets.append((math.sqrt(len(prepared.pairs)), prepared.pairs))
    pool = list(labels.terms.values())
    asked = [p for _, some in sets for p in some]
    names = {e.iri: e.label for p in asked for e in p.entities} | dict(labels.entities)
    rivals = rival_entities(asked, names, out / "state", progress) if names and config.pooled else {}
    if templates:
        made = made_pairs(pool, labels, asked, templates, config.seed)
        sets.append((math.sqrt(len(made)), made))
    if weights:
        sets = [(weight, pairs) for weight, (_, pairs) in zip(weights, sets, strict=True)]
    from .index import OntologyIndex

    opened = [OntologyIndex.load(i) for i in indexes]
    near: dict[str, list[Term]] = {}
    if opened:
        if progress:
            progress("searching for terms to confuse it with", 0, None)
        near = nearest_terms([p for _, s in sets for p in s], opened)
    align = aligner([WordScorer(index) for index in opened])
    tokenizer = load_tokenizer(init_from) if init_from is not None else None
    return train_generator(
        sets,
        pool,
        out,
        config,
        near=near,
        align=align,
        rivals=rivals,
        tokenizer=tokenizer,
        init_from=init_from,
        progress=progress,
    )
