"""The mean of checkpoints that were trained from the same start, as one checkpoint.

    python -m bench.soup --out DIR CHECKPOINT CHECKPOINT...

Runs that differ in seed alone end in one valley, and the mean of their weights does better than each (Wortsman et al. 2022,
"Model soups"); two cores train two of them with less waiting for each other than one run of twice the length. Weights,
matrices and reader are averaged; tokenizer and settings are those of the first, which the others must share.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from bench.runs import sentences
from ontoprompt.errors import ArtifactError, UsageError
from ontoprompt.grounding import FILE

WEIGHTS = ("model.safetensors", FILE)


def mean(folders: Sequence[Path], out: Path) -> None:
    """Writes the mean to `out`. Raises UsageError for checkpoints that differ in more than their weights, ArtifactError for
    one that cannot be read."""
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file, save_file

    tokenizers = {(folder / "tokenizer.json").read_bytes() for folder in folders}
    if len(tokenizers) != 1:
        raise UsageError("The checkpoints have different tokenizers.", "Give runs from one start.")
    out.mkdir(parents=True, exist_ok=True)
    for name in WEIGHTS:
        try:
            every = [load_file(folder / name) for folder in folders]
            with safe_open(folders[0] / name, framework="pt") as file:
                header = file.metadata()
        except (OSError, SafetensorError) as error:
            raise ArtifactError(f"A checkpoint cannot be read: {error}", "Train it again.") from error
        shapes = {tuple((key, tuple(value.shape)) for key, value in sorted(one.items())) for one in every}
        if len(shapes) != 1:
            raise UsageError("The checkpoints have different shapes.", "Give runs from one start.")
        mixed = {
            key: (sum(one[key].float() for one in every) / len(every)).to(value.dtype).contiguous()  # type: ignore[union-attr]
            for key, value in every[0].items()
        }
        save_file(mixed, out / name, metadata=header)
    for file in folders[0].iterdir():
        if file.is_file() and file.suffix == ".json" and "log" not in file.name:
            shutil.copy(file, out / file.name)
    training = json.loads((out / "training.json").read_text("utf-8"))
    training["mean_of"] = [
        {"seed": told["config"].get("seed"), "seen": told.get("seen"), "minutes": told.get("minutes")}
        for told in (json.loads((folder / "training.json").read_text("utf-8")) for folder in folders)
    ]
    (out / "training.json").write_text(json.dumps(training, indent=1), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoints", nargs="+", type=Path, metavar="CHECKPOINT")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    with sentences():
        mean(arguments.checkpoints, arguments.out)


if __name__ == "__main__":
    main()
