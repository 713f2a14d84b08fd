"""Make the graph of operations that the generator runs which ships.

    python -m bench.engine_graphs [--out ontoprompt/data/engine/codegen.onnx]

It holds no weights: `ontoprompt.light_runner` takes those from the checkpoint. A graph of another shape is made when a
checkpoint is opened; this one lies ready because importing `onnx` takes as long as opening the model.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ontoprompt.codegen_graph import SHIPPED, STORED, made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=STORED)
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_bytes(made(SHIPPED))
    print(arguments.out)


if __name__ == "__main__":
    main()
