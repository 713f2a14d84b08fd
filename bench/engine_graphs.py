"""Make the graphs of operations that the generator runs which ships.

    python -m bench.engine_graphs [--out ontoprompt/data/engine]

They hold no weights: `ontoprompt.light_runner` takes those from the checkpoint. Graphs of other shapes are made when a
checkpoint is opened; these lie ready because importing `onnx` takes longer than opening the model.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ontoprompt.codegen_graph import EXACT, FAST, SHIPPED, made, stored


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=stored(EXACT).parent)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for how in (EXACT, FAST):
        path = arguments.out / stored(how).name
        path.write_bytes(made(SHIPPED, how))
        print(path)


if __name__ == "__main__":
    main()
