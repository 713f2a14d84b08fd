"""Train a generator: pairs → a CodeGen checkpoint that writes queries in symbols.

The loss is on the query alone; symbols are renumbered, terms reordered and distractors drawn
anew each time a pair is seen. Killed, a run resumes from its last checkpoint. What this does
not cover: training the adapter of an index, which is `adapting.py`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

from .entities import EntityLink
from .errors import UsageError
from .fragment import Fragment, Hint
from .grounding import Grounding
from .ontology import Term
from .pairs import Labels as Labels
from .pairs import PreparedPair
from .sampling import Encoded, Sampler
from .scratch_model import new_model as new_model
from .scratch_model import save_generator as save_generator
from .symbol_tokenizer import END as END
from .symbol_tokenizer import SYMBOLS as SYMBOLS
from .symbol_tokenizer import load_tokenizer as load_tokenizer
from .symbol_tokenizer import make_tokenizer as make_tokenizer
from .training_config import TrainConfig as TrainConfig
from .training_config import rate_at
from .training_data import PreparedSet as PreparedSet
from .training_data import assemble, said_of, tokenizer_texts
from .training_data import gold_labels as gold_labels
from .training_data import prepare_all as prepare_all
from .training_report import Run, write_report
from .training_state import best_facts, best_file, log_up_to, resume, save_state


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
    held: Sequence[PreparedPair] = (),
    evaluate_every: int = 1000,
) -> dict[str, Any]:
    """Train for `config.steps`, or `config.minutes` (counted over resumes), and leave a checkpoint in `out`; returns its
    log's last line.

    Optimiser: AdamW with a cosine schedule over the budget spent, bfloat16 autocast. Saved now and then
    to `out/state` and at the end, in half precision, to `out`. With `held` it is measured by these pairs every
    `evaluate_every` steps, and the best weights are what is left.
    """
    if not any(p for _, p in sets):
        raise UsageError(
            "There is no pair to train on.", "Give a file of JSON lines with `question` and `sparql`."
        )
    out.mkdir(parents=True, exist_ok=True)
    if (out / "state" / "tokenizer.json").exists():
        tokenizer = load_tokenizer(out / "state")
    tokenizer = tokenizer or make_tokenizer(tokenizer_texts(sets, pool, config), config.vocabulary)
    sampler = Sampler(sets, pool, tokenizer, config, near, align, rivals)
    making = _Making(sampler, out, config, init_from, held, progress)
    making.run(evaluate_every)
    return making.finish()


class _Making:
    """One run: a model from nothing, and how far it is."""

    def __init__(
        self,
        sampler: Sampler,
        out: Path,
        config: TrainConfig,
        init_from: Path | None,
        held: Sequence[PreparedPair],
        progress: Callable[[str, int, int | None], None] | None,
    ) -> None:
        self.sampler, self.out, self.config, self.progress = sampler, out, config, progress
        self.model = new_model(config, sampler.tokenizer)
        self.grounding = Grounding.new(config.width, reader=config.reader, dropout=config.reader_dropout)
        self.optimizer = _optimizer(self.model, self.grounding, config)
        self.counts = resume(out / "state", init_from, self.model, self.grounding, self.optimizer)
        sampler.too_long = self.counts.too_long
        self.check = _Check(held, sampler, self.model, self.grounding, out, config, progress)

    @property
    def share(self) -> float:
        """How much of the budget is spent."""
        counts, config = self.counts, self.config
        return counts.step / config.steps if config.steps else counts.spent / config.minutes

    def run(self, evaluate_every: int) -> None:
        """Steps until the budget is spent, with measurements and states between them."""
        counts = self.counts
        log_up_to(self.out / "evaluations.jsonl", counts.step).close()
        last_save = counts.spent
        self._training(True)
        with log_up_to(self.out / "log.jsonl", counts.step) as log:
            while (done := self.share) < 1.0:
                row = self._step(done)
                over = self.share >= 1.0
                if counts.step == 1 or counts.step % 25 == 0 or over:
                    log.write(json.dumps(row) + "\n")
                    log.flush()
                    self._say()
                if counts.step % evaluate_every == 0 or over:
                    self._training(False)
                    self.check(counts.step, counts.spent)
                    self._training(True)
                if counts.spent - last_save > self.config.save_minutes:
                    last_save = counts.spent
                    self._save()
        self._save()

    def _step(self, done: float) -> dict[str, Any]:
        import torch

        config, counts = self.config, self.counts
        began = time.monotonic()
        rate = rate_at(config.learning_rate, counts.step, config.warmup, done)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        # Of each step its own: what is drawn after a resumption is what would have been drawn.
        examples = self.sampler.batch(Random(f"{config.seed} {counts.step}"), done)
        # So is what the reader's dropout leaves out.
        torch.manual_seed(config.seed * 1_000_003 + counts.step)
        loss = _step(self.model, self.grounding, self.optimizer, examples)
        counts.step += 1
        counts.seen += len(examples)
        counts.too_long = self.sampler.too_long
        mean = counts.running
        counts.running = loss if counts.step == 1 else 0.98 * mean + 0.02 * loss if mean else loss
        counts.spent += (time.monotonic() - began) / 60
        return {**counts.row(), "rate": round(rate, 6)}

    def _training(self, on: bool) -> None:
        self.model.train(on)
        if self.grounding.reader is not None:
            self.grounding.reader.network.train(on)

    def _say(self) -> None:
        counts, config = self.counts, self.config
        if self.progress is not None:
            passed = (counts.step, config.steps)
            if not config.steps:
                passed = round(counts.spent), round(config.minutes)
            self.progress(f"training, loss {counts.running:.3f}", *passed)

    def _save(self) -> None:
        save_state(
            self.out / "state",
            self.model,
            self.grounding,
            self.optimizer,
            self.sampler.tokenizer,
            self.counts,
        )

    def finish(self) -> dict[str, Any]:
        """The best weights, or the last where nothing is held out, as a checkpoint; returns the last figures."""
        self.check.take_best()
        save_generator(self.model, self.sampler.tokenizer, self.out)
        self.grounding.save(self.out)
        record = {**self.counts.row(), "too_long": self.counts.too_long}
        facts = {"config": asdict(self.config), **record}
        (self.out / "training.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
        return record


def _optimizer(model: Any, grounding: Grounding, config: TrainConfig) -> Any:
    import torch

    reading = list(grounding.reader.network.parameters()) if grounding.reader is not None else []
    decay = [p for p in (*model.parameters(), *grounding.matrices.values()) if p.dim() > 1]
    other = [p for p in model.parameters() if p.dim() <= 1]
    groups = [
        {"params": decay, "weight_decay": 0.05, "share": 1.0},
        {"params": other, "weight_decay": 0.0, "share": 1.0},
        {"params": reading, "weight_decay": 0.01, "share": config.reader_rate},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=config.learning_rate,
        betas=(0.9, 0.97),
    )


def _step(model: Any, grounding: Grounding, optimizer: Any, examples: Sequence[Encoded]) -> float:
    """One update over the examples, in two length-sorted halves to spare padding. Returns the mean loss per token."""
    import torch

    from .query_loss import grounded_loss, half_where_fast

    targets = sum(len(e.ids) - e.start for e in examples)
    total = 0.0
    half = (2 * len(examples)) // 3
    for part in (examples[:half], examples[half:]):
        if not part:
            continue
        with half_where_fast():
            loss = grounded_loss(model, grounding, part) / targets
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    torch.nn.utils.clip_grad_norm_([*model.parameters(), *grounding.parameters()], 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total


class _Check:
    """Measures a model by held-out pairs, and keeps its best weights; nothing where none are held out."""

    def __init__(
        self,
        held: Sequence[PreparedPair],
        sampler: Sampler,
        model: Any,
        grounding: Grounding,
        out: Path,
        config: TrainConfig,
        progress: Callable[[str, int, int | None], None] | None,
    ) -> None:
        self.model, self.grounding, self.out, self.progress = model, grounding, out, progress
        self.held: Any = None
        if held:
            from .evaluating import HeldOut, LiveGenerator
            from .scratch_model import pretrained

            self.held = HeldOut(held, sampler, config.context, config.seed)
            self.generator = LiveGenerator(model, pretrained(sampler.tokenizer), config.variant, grounding)

    def _tensors(self) -> dict[str, Any]:
        named = {f"matrices.{name}": value for name, value in self.grounding.state().items()}
        return {**dict(self.model.named_parameters()), **named}

    def __call__(self, step: int, spent: float) -> None:
        """Figures of now."""
        if self.held is None:
            return
        from .evaluating import record

        began = time.monotonic()
        totals = self.held.measure(self.generator, self._loss, progress=self.progress)
        figures = totals.figures(time.monotonic() - began)
        record(self.out, step, spent, figures, self._tensors(), self.progress)

    def _loss(self, examples: Sequence[Encoded]) -> float:
        import torch

        from .query_loss import grounded_loss, half_where_fast

        with torch.inference_mode(), half_where_fast():
            return float(grounded_loss(self.model, self.grounding, examples))

    def take_best(self) -> None:
        """The best weights so far, in place of the last."""
        if self.held is None or not best_file(self.out).is_file():
            return
        import torch
        from safetensors.torch import load_file

        found = load_file(best_file(self.out))
        with torch.no_grad():
            for name, parameter in self._tensors().items():
                parameter.copy_(found[name])


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
    held_out: int | Path = 0,
    evaluate_every: int = 1000,
) -> dict[str, Any]:
    """Train from pairs files and template pairs as one more. `weights` says how often each is drawn from, in
    order, the templates last; without them it is the square root of its size. The entities to confuse the right ones
    with are those that a linker finds among all names of the pairs and of `entity_labels`. From `indexes` come the terms
    that retrieval would show beside the right ones, and how well terms stand for words. `held_out`: how many queries
    to keep out and measure by, or a file of pairs. Pairs that cannot be trained on are counted, and named in
    `out`/skipped.jsonl. Raises UsageError when files and weights do not fit.
    """
    data = assemble(
        files,
        out / "state",
        config,
        ontologies=ontologies,
        entity_labels=entity_labels,
        templates=templates,
        weights=weights,
        indexes=indexes,
        held_out=held_out,
        progress=progress,
    )
    record = train_generator(
        data.sets,
        data.pool,
        out,
        config,
        near=data.near,
        align=data.align,
        rivals=data.rivals,
        tokenizer=load_tokenizer(init_from) if init_from is not None else None,
        init_from=init_from,
        progress=progress,
        held=data.held.pairs,
        evaluate_every=evaluate_every,
    )
    best = best_facts(out)
    write_report(out, Run(asdict(config), record, best, data))
    return {**record, "skipped": said_of(data.skipped), "best": best}
