"""Tune any causal model of transformers on pairs: all its weights, an adapter, or new weights in its shape.

Prompts come from the code that asks, through `sampling`; the loss is on the query alone. Steps are spread over processes
and machines by `accelerate launch`: a step has the same examples, drawn by seed and step, over however many processes.
Killed, a run goes on from its last state to the same losses. What this does not cover: weights split over
processes (FSDP, DeepSpeed); a model that no GPU holds is tuned with LoRA in half precision.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from random import Random
from typing import Any

from .base_model import ModelTokens, load_base, save_tuned
from .errors import ArtifactError, UsageError
from .evaluating import HeldOut, LiveGenerator, Totals, record
from .pairs import PreparedPair
from .query_loss import bare, query_loss
from .sampling import Encoded, Sampler
from .training_config import TrainConfig, TuneConfig, rate_at
from .training_data import TrainingData, said_of
from .training_report import Run, weights_of, write_report
from .training_state import Counts, best_facts, best_file, log_up_to, read_log

_CLIP = 1.0
_LOG_EVERY = 10
# What may change between a run and its continuation.
_FREE = frozenset(
    ("steps", "minutes", "micro_batch", "keep_adapter", "evaluate_every", "patience", "save_minutes")
)
_KINDS = frozenset(("NO", "MULTI_GPU", "MULTI_CPU"))


def tune(
    read: Callable[[TrainConfig, Callable[[PreparedPair], bool]], TrainingData],
    out: Path,
    config: TuneConfig,
    *,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> dict[str, Any]:
    """Tune a model and leave a checkpoint, its card and its curves in `out`; returns the log's last line.

    `read`: the data, given how prompts are to be drawn and what tells whether a pair fits; it is called in every
    process. AdamW, cosine schedule. Raises UsageError for settings that do not go together, ArtifactError for a model that
    cannot be loaded and for a folder that holds a run of other settings.
    """
    tuning = _Tuning(read, out, config, progress)
    tuning.resume()
    tuning.run()
    return tuning.finish()


class _Tuning:
    """One process of a run."""

    def __init__(
        self,
        read: Callable[[TrainConfig, Callable[[PreparedPair], bool]], TrainingData],
        out: Path,
        config: TuneConfig,
        progress: Callable[[str, int, int | None], None] | None,
    ) -> None:
        import torch

        self.out, self.config = out, config
        self.accelerator = _accelerator(config)
        self.main = bool(self.accelerator.is_main_process)
        self.progress = progress if self.main else None
        self._say("loading the model")
        self.base = load_base(config)
        self.tokens = ModelTokens(self.base)
        drawing = TrainConfig(variant=self.base.variant, seed=config.seed)
        self.data = read(drawing, self.tokens.fits)
        d = self.data
        self.sampler = Sampler(d.sets, d.pool, None, drawing, d.near, d.align, d.rivals, encode=self.tokens)
        self.held = HeldOut(d.held.pairs, self.sampler, self.base.context, config.seed)
        module = query_loss(self.base.model, self.base.grounding, train_grounding=config.method != "lora")
        self.trained = {n: p for n, p in module.named_parameters() if p.requires_grad}
        decay = [p for p in self.trained.values() if p.dim() > 1]
        other = [p for p in self.trained.values() if p.dim() <= 1]
        groups = [
            {"params": decay, "weight_decay": config.weight_decay},
            {"params": other, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=config.rate, betas=(0.9, 0.97))
        self.module, self.optimizer = self.accelerator.prepare(module, optimizer)
        self.counts = Counts()
        self.made_by = {
            **{f.name: getattr(config, f.name) for f in fields(config) if f.name not in _FREE},
            "files": [f.sha256 for f in d.files],
            "held out": len(d.held.pairs),
        }

    def _say(self, stage: str, done: int = 0, total: int | None = None) -> None:
        if self.progress is not None:
            self.progress(stage, done, total)

    @property
    def share(self) -> float:
        """How much of the budget is spent."""
        if self.config.steps:
            return self.counts.step / self.config.steps
        return self.counts.spent / self.config.minutes

    # --- state

    def resume(self) -> None:
        """Go on from the state in the folder, if there is one. Raises ArtifactError when other settings made it."""
        import torch

        path = self.out / "state" / "state.pt"
        found = float(path.is_file())
        if self._agreed(found) != [found]:
            raise UsageError(
                f"The folder {self.out} does not hold the same for every process.",
                "Give --out a folder that all machines share.",
            )
        if not found:
            return
        state = torch.load(path, weights_only=True, map_location="cpu")
        before = json.loads(state["made_by"])
        now = json.loads(json.dumps(self.made_by))
        if other := sorted(key for key in now if before.get(key) != now[key]):
            raise ArtifactError(
                f"The folder {self.out} holds a run with another {', '.join(other)}.",
                "Give the settings of that run to go on with it, or another --out.",
            )
        self._put(state["trained"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.counts = Counts(**state["counts"])

    def _put(self, tensors: dict[str, Any]) -> None:
        import torch

        with torch.no_grad():
            for name, parameter in self.trained.items():
                parameter.copy_(tensors[name])

    def _save(self) -> None:
        """The state, written by the main process beside and renamed, so that a kill leaves the one before."""
        import torch

        if not self.main:
            return
        folder = self.out / "state"
        folder.mkdir(parents=True, exist_ok=True)
        scaler = self.accelerator.scaler
        state = {
            "trained": {name: p.detach() for name, p in self.trained.items()},
            "optimizer": self.optimizer.state_dict(),
            "scaler": {} if scaler is None else scaler.state_dict(),
            "counts": asdict(self.counts),
            "made_by": json.dumps(self.made_by),
        }
        torch.save(state, folder / "state.pt.new")
        (folder / "state.pt.new").replace(folder / "state.pt")

    # --- steps

    def run(self) -> None:
        """Steps until the budget is spent, with evaluations and states between them."""
        self.out.mkdir(parents=True, exist_ok=True)
        log = log_up_to(self.out / "log.jsonl", self.counts.step) if self.main else None
        evaluations = self.out / "evaluations.jsonl"
        if self.main:
            log_up_to(evaluations, self.counts.step).close()
        self.accelerator.wait_for_everyone()
        if self.counts.step == 0 and self.config.method != "scratch" and not read_log(evaluations):
            self.evaluate()
        last_save = self.counts.spent
        self.module.train()
        late = self._late()
        while self.share < 1.0 and not late:
            row = self._step()
            step = self.counts.step
            over = self.share >= 1.0
            if step % self.config.evaluate_every == 0 or over:
                self.evaluate()
                late = self._late()
            if log is not None and (step == 1 or step % _LOG_EVERY == 0 or over):
                log.write(json.dumps(row) + "\n")
                log.flush()
            budget = self.config.steps or None
            self._say("training" if budget else f"training, {self.share:.0%} of the time", step, budget)
            if over or late or self.counts.spent - last_save >= self.config.save_minutes:
                last_save = self.counts.spent
                self._save()
        if log is not None:
            log.close()

    def _step(self) -> dict[str, Any]:
        """One update over the examples of a step, of which this process runs its share."""
        import torch

        config, counts, accelerator = self.config, self.counts, self.accelerator
        began = time.monotonic()
        done, step = self.share, counts.step
        rank, world = accelerator.process_index, accelerator.num_processes
        before = self.sampler.too_long
        # Of each step and example its own: however many processes there are, and after a resumption, all are the same.
        examples = [
            self.sampler.fitting(Random(f"{config.seed} {step} {n}"), done, self.base.context)
            for n in range(rank, config.batch, world)
        ]
        examples.sort(key=lambda e: len(e.ids))
        torch.manual_seed((config.seed * 1_000_003 + step) * 1_024 + rank)
        sums = self._summed(sum(len(e.ids) - e.start for e in examples), self.sampler.too_long - before)
        rate = rate_at(config.rate, step, config.warmup, done)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        size = config.micro_batch
        parts = [examples[i : i + size] for i in range(0, len(examples), size)]
        total = torch.zeros((), device=accelerator.device)
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            with contextlib.nullcontext() if last else accelerator.no_sync(self.module):
                # Gradients are the mean over processes, and the loss is the mean over all tokens of the step.
                loss = self.module(part) * (world / sums[0])
                accelerator.backward(loss)
            total += loss.detach()
        accelerator.clip_grad_norm_(list(self.trained.values()), _CLIP)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        mean = float(accelerator.reduce(total, "mean"))
        counts.step += 1
        counts.seen += config.batch
        counts.too_long += int(sums[1])
        counts.running = mean if step == 0 else 0.98 * counts.running + 0.02 * mean
        # One clock for all: processes must agree when the budget is spent.
        (took,) = self._agreed(time.monotonic() - began)
        counts.spent += took / 60
        if not math.isfinite(mean) and config.precision != "fp16":
            raise UsageError(
                f"The loss is no number any more at step {counts.step}.",
                "Train again elsewhere with a lower --learning-rate.",
            )
        return {**counts.row(), "step_loss": round(mean, 6), "rate": round(rate, 8)}

    def _summed(self, *numbers: float) -> list[float]:
        import torch

        device = self.accelerator.device
        found = self.accelerator.reduce(torch.tensor(numbers, dtype=torch.float32, device=device), "sum")
        return [float(x) for x in found]

    def _agreed(self, *numbers: float) -> list[float]:
        """The main process's numbers, in every process."""
        return self._summed(*(x if self.main else 0.0 for x in numbers))

    # --- evaluation

    def evaluate(self) -> None:
        """Figures on the held-out pairs, shared among processes; the best weights so far are kept."""
        import torch

        if not self.held.asked:
            return
        began = time.monotonic()
        inner = bare(self.base.model)
        self.module.eval()
        inner.config.use_cache = True
        generator = LiveGenerator(inner, self.base.tokenizer, self.base.variant, self.base.grounding)
        loss = self.accelerator.unwrap_model(self.module)

        def of(examples: Sequence[Encoded]) -> float:
            with torch.inference_mode(), self.accelerator.autocast():
                return float(loss(examples))

        a = self.accelerator
        mine = self.held.measure(
            generator, of, rank=a.process_index, of=a.num_processes, progress=self.progress
        )
        sums = self._summed(*(float(getattr(mine, f.name)) for f in fields(mine)))
        totals = Totals(
            **{f.name: s if f.name == "loss" else int(s) for f, s in zip(fields(mine), sums, strict=True)}  # type: ignore[arg-type]
        )
        figures = totals.figures(time.monotonic() - began)
        inner.config.use_cache = False
        self.module.train()
        if self.main:
            record(self.out, self.counts.step, self.counts.spent, figures, self.trained, self.progress)
        a.wait_for_everyone()

    def _late(self) -> bool:
        """Whether the best evaluation is as many evaluations ago as patience allows."""
        if not self.config.patience or not self.held.asked:
            return False
        best = best_facts(self.out) if self.main else None
        late = best is not None and (self.counts.step - int(best["step"])) >= (
            self.config.patience * self.config.evaluate_every
        )
        return bool(self._agreed(float(late))[0])

    # --- the end

    def finish(self) -> dict[str, Any]:
        """The best weights, or the last where nothing was evaluated, as a checkpoint with its card; in the main process."""
        last = {
            **self.counts.row(),
            "too_long": self.counts.too_long,
            "held_out_too_long": self.held.dropped,
        }
        told = {"skipped": said_of(self.data.skipped)}
        best = best_facts(self.out)
        if not self.main:
            return {**last, **told}
        if best is not None:
            from safetensors.torch import load_file

            self._put(load_file(best_file(self.out)))
        base = replace(self.base, model=self.accelerator.unwrap_model(self.module).model)
        save_tuned(base, self.out, keep_adapter=self.config.keep_adapter)
        write_report(
            self.out,
            Run(
                settings=self._settings(),
                record=last,
                best=best,
                data=self.data,
                base=self.config.model,
                base_files=weights_of(self.base.path),
                processes=self.accelerator.num_processes,
            ),
        )
        return {**last, **told, "best": best}

    def _settings(self) -> dict[str, Any]:
        """What was set, and what was taken for it where it was left open."""
        config = self.config
        given = {
            **asdict(config),
            "variant": self.base.variant,
            "learning_rate": config.rate,
            "context": self.base.context,
        }
        unused = {"minutes" if config.steps else "steps"}
        if config.method != "lora":
            unused |= {"rank", "alpha", "dropout", "keep_adapter"}
        return {name: value for name, value in given.items() if name not in unused}


def _accelerator(config: TuneConfig) -> Any:
    from accelerate import Accelerator

    try:
        accelerator = Accelerator(mixed_precision=config.precision)
    except ValueError as error:
        raise UsageError(
            f"Accelerate refuses these settings: {str(error).rstrip('.')}.",
            "Leave out --precision, or give bf16, and run it in a process of its own.",
        ) from error
    if accelerator.distributed_type.name not in _KINDS:
        raise UsageError(
            f"Weights cannot be split over processes here ({accelerator.distributed_type.name}).",
            "Launch with plain data parallelism; for a model that no GPU holds, tune with --method lora.",
        )
    if config.batch < accelerator.num_processes:
        raise UsageError(
            f"A step of {config.batch} examples does not go round {accelerator.num_processes} processes.",
            "Give a larger --batch.",
        )
    return accelerator
