"""Make the control of a comparison: a CodeGen checkpoint of a real size whose weights are random.

    python -m bench.untrained --out DIR [--shape 350M] [--seed 0]

It must score near zero; what it scores is what the grammar and the links give away by themselves. The shape is that of
CodeGen-350M (Nijkamp et al. 2023: 20 layers, width 1024, 16 heads, 51,200 tokens), the tokenizer that of the generator that
ships with the package. About 1.4 GB are written for 350M.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.runs import sentences
from ontoprompt.errors import UsageError
from ontoprompt.settings import default_model_dir

SHAPES = {"tiny": (2, 64, 4), "350M": (20, 1024, 16), "2B": (32, 2560, 32)}


def make(out: Path, shape: str, seed: int) -> int:
    """Write the checkpoint to a folder; its number of parameters."""
    import torch
    from transformers import AutoTokenizer, CodeGenConfig, CodeGenForCausalLM
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    layers, width, heads = SHAPES[shape]
    tokenizer = AutoTokenizer.from_pretrained(default_model_dir())
    torch.manual_seed(seed)
    config = CodeGenConfig(
        vocab_size=max(51_200 if shape != "tiny" else 0, len(tokenizer)),
        n_positions=2048,
        n_ctx=2048,
        n_embd=width,
        n_layer=layers,
        n_head=heads,
        rotary_dim=min(32, width // heads),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = CodeGenForCausalLM(config)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return int(sum(p.numel() for p in model.parameters()))


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m bench.untrained",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--shape", choices=list(SHAPES), default="350M")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with sentences():
        if arguments.out.exists() and any(arguments.out.iterdir()):
            raise UsageError(f"{arguments.out} is not empty.", "Choose another --out.")
        count = make(arguments.out, arguments.shape, arguments.seed)
    print(f"{arguments.out}: {count:,} parameters, none of them trained")


if __name__ == "__main__":
    main()
