"""Run the tests marked `virtuoso` against a real Virtuoso, the engine behind DBpedia's endpoint.

    make test-virtuoso
    python tests/virtuoso/run.py [--graph FILE.ttl] [PYTEST ARGUMENTS]

Starts a server of its own (see `server.py`) with the sample graph and runs pytest with ONTOPROMPT_VIRTUOSO set to
the endpoint's address. Where Virtuoso cannot be had it says why and counts the suite as skipped.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from server import GRAPH_IRI, Running, Unavailable, running

ROOT = Path(__file__).resolve().parents[2]


def run_suite(server: Running, graph: Path, pytest_arguments: list[str]) -> int:
    """Run the tests against a server that is up; returns pytest's exit status."""
    print(f"Virtuoso at {server.url}: {server.triples} triples loaded in {server.seconds:.1f} s", flush=True)
    environment = {
        **os.environ,
        "ONTOPROMPT_VIRTUOSO": server.url,
        "ONTOPROMPT_VIRTUOSO_GRAPH": GRAPH_IRI,
        "ONTOPROMPT_VIRTUOSO_FILE": str(graph),
    }
    command = [sys.executable, "-m", "pytest", "-m", "virtuoso", *(pytest_arguments or ["tests"])]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def interrupted(signal_number: int, frame: FrameType | None) -> None:
    """Let SIGTERM pass through the `finally` that stops the server."""
    sys.exit(128 + signal_number)


def main() -> int:
    """Parse the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--graph", type=Path, default=ROOT / "ontology" / "sample.ttl", help="Turtle file to load"
    )
    options, pytest_arguments = parser.parse_known_args()
    signal.signal(signal.SIGTERM, interrupted)
    graph = options.graph.resolve()
    try:
        with running(graph) as server:
            return run_suite(server, graph, pytest_arguments)
    except Unavailable as reason:
        print(f"The Virtuoso suite did not run: {reason}.")
        print("0 passed, 0 failed, 1 skipped")
        return 0


if __name__ == "__main__":
    sys.exit(main())
