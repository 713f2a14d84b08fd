"""The state of a training in a folder: a killed run goes on from there, and its log with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TextIO

from .errors import ArtifactError
from .grounding import Grounding


@dataclass(slots=True)
class Counts:
    """How far a run is. `spent`: minutes of training, without evaluations; `running`: the mean loss of late; `too_long`:
    examples that were drawn and not used."""

    step: int = 0
    seen: int = 0
    spent: float = 0.0
    running: float = 0.0
    too_long: int = 0

    def row(self) -> dict[str, Any]:
        """As it is logged."""
        return {
            "step": self.step,
            "seen": self.seen,
            "minutes": round(self.spent, 2),
            "loss": round(self.running, 4),
        }


def resume(
    state_dir: Path, init_from: Path | None, model: Any, grounding: Grounding, optimizer: Any
) -> Counts:
    """How far it is; what is there is loaded into model, grounding and optimiser."""
    import torch

    if (state_dir / "state.pt").exists():
        state = torch.load(state_dir / "state.pt", weights_only=True)
        model.load_state_dict(state["model"])
        grounding.copy_from(state["grounding"])
        optimizer.load_state_dict(state["optimizer"])
        # States of earlier versions lack some of them.
        return Counts(**{f.name: state[f.name] for f in fields(Counts) if f.name in state})
    if init_from is not None:
        from safetensors.torch import load_file

        try:
            weights = load_file(init_from / "model.safetensors")
        except (OSError, ValueError) as error:
            raise ArtifactError(
                f"The checkpoint {init_from} cannot be read: {error}.",
                "Give the folder of a trained generator.",
            ) from error
        model.load_state_dict({k: v.float() for k, v in weights.items()}, strict=False)
        if (before := Grounding.load(init_from)) is not None:
            grounding.copy_from(before.state())
    return Counts()


def log_up_to(path: Path, step: int) -> TextIO:
    """The log, opened to go on after `step`: a killed run wrote of steps that are done again."""
    kept: list[str] = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line + "\n")
            except (ValueError, KeyError, TypeError):  # cut off
                continue
    path.write_text("".join(kept), encoding="utf-8")
    return path.open("a", encoding="utf-8")


def save_state(
    state_dir: Path,
    model: Any,
    grounding: Grounding,
    optimizer: Any,
    tokenizer: Any,
    counts: Counts,
) -> None:
    """Written beside and renamed, so that a kill leaves the one before."""
    import torch

    state_dir.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(state_dir / "tokenizer.json"))
    temporary = state_dir / "state.pt.new"
    torch.save(
        {
            "model": model.state_dict(),
            "grounding": {name: value.detach() for name, value in grounding.state().items()},
            "optimizer": optimizer.state_dict(),
            **asdict(counts),
        },
        temporary,
    )
    temporary.replace(state_dir / "state.pt")


def best_file(out: Path) -> Path:
    """Where the best weights so far of a training in `out` are kept."""
    return out / "state" / "best.safetensors"


def keep_best(out: Path, tensors: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Weights and what they were found to be, in one file, written beside and renamed."""
    from safetensors.torch import save_file

    path = best_file(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    # Each with memory of its own: tied weights are two names of one tensor.
    whole = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    save_file(whole, temporary, metadata={"facts": json.dumps(facts)})
    temporary.replace(path)


def best_facts(out: Path) -> dict[str, Any] | None:
    """What the best weights so far were found to be; None when nothing was evaluated yet."""
    from safetensors import safe_open

    if not best_file(out).is_file():
        return None
    with safe_open(best_file(out), framework="pt") as file:
        return dict(json.loads((file.metadata() or {})["facts"]))


def read_log(path: Path) -> list[dict[str, Any]]:
    """The rows of a log; none when there is no log."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines if line.strip()]
