"""How many terms a second the encoders turn into vectors, beside sentence-transformers, in one run on the same cores.

    python -m bench.encoding_speed [--terms 3000] [--rounds 3] [--seed 0] [--batches 32 64 128 256]

Prints one JSON object. Terms are labels of the DBpedia vocabulary that ships, drawn by seed. Each round times every
system once, in turn; a figure is the median of the rounds. `terms_per_cpu_second` counts the time that the process had
a core, which is what to compare on a machine that others use. `ratio` and `ratio_cpu` are against
`SentenceTransformer.encode` with batches of 32 (its default), and with the best of `--batches`. Nearness is that of vectors to
float32: the largest difference of a value, and how many of the 20 nearest of each term stay among the 20 nearest, by
vectors of one kind, and of float32 questions among terms of the other.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

from bench.runs import sentences
from ontoprompt.embedding import Vectors, load_encoder, packaged_model
from ontoprompt.ontology import load_ontology
from ontoprompt.settings import bundled

NEIGHBOURS = 20
QUESTION = "What is the population of the capital of France?"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--terms", type=int, default=3000, metavar="N")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 64, 128, 256])
    arguments = parser.parse_args()
    with sentences():
        labels = sorted({t.label for t in load_ontology([bundled("ontology", "dbpedia.ttl")]).terms})
        texts = Random(arguments.seed).sample(labels, min(arguments.terms, len(labels)))
        print(json.dumps(compare(texts, arguments.rounds, arguments.batches), indent=1))


def compare(texts: list[str], rounds: int, batches: list[int]) -> dict[str, Any]:
    """The figures: see the top of this module."""
    import torch
    from sentence_transformers import SentenceTransformer

    peer = SentenceTransformer(str(packaged_model()), device="cpu", local_files_only=True)
    encoders = {name: load_encoder(name) for name in ("default", "fast")}
    systems: dict[str, Callable[[list[str]], Vectors]] = {n: e.encode for n, e in encoders.items()}
    for size in batches:
        systems[f"sentence-transformers, batches of {size}"] = lambda texts, size=size: peer.encode(
            texts, batch_size=size, show_progress_bar=False
        )
    found: dict[str, Vectors] = {}
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in systems}
    for encode in systems.values():
        encode(texts[:64])
    for _ in range(rounds):
        for name, encode in systems.items():
            wall, cpu = time.perf_counter(), time.process_time()
            found[name] = encode(texts)
            spent[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    walls = {name: statistics.median(each[0] for each in times) for name, times in spent.items()}
    cpus = {name: statistics.median(each[1] for each in times) for name, times in spent.items()}
    others = [name for name in systems if name not in encoders]
    best, best_cpu = min(others, key=walls.__getitem__), min(others, key=cpus.__getitem__)
    exact = found[others[0]]
    return {
        "n": len(texts),
        "systems": {
            name: {
                "terms_per_second": round(len(texts) / walls[name]),
                "terms_per_cpu_second": round(len(texts) / cpus[name]),
            }
            for name in systems
        },
        "encoders": {
            name: {
                "ratio": round(walls[others[0]] / walls[name], 2),
                "ratio_to_best_batch": round(walls[best] / walls[name], 2),
                "ratio_cpu": round(cpus[others[0]] / cpus[name], 2),
                "ratio_cpu_to_best_batch": round(cpus[best_cpu] / cpus[name], 2),
                **_question(encoders[name].encode, 30 * rounds),
                **nearness(exact, found[name]),
            }
            for name in encoders
        },
        "settings": {
            "threads": torch.get_num_threads(),
            "rounds": rounds,
            "best": best,
            "best_cpu": best_cpu,
        },
    }


def nearness(exact: Vectors, other: Vectors) -> dict[str, float]:
    """How near the vectors of the same texts are to each other, and to each other's order."""

    def kept(products: Vectors) -> float:
        order = np.argsort(-products, axis=1)[:, :NEIGHBOURS]
        return float(np.mean([len(set(a) & set(b)) / len(a) for a, b in zip(nearest, order, strict=True)]))

    nearest = np.argsort(-(exact @ exact.T), axis=1)[:, :NEIGHBOURS]
    return {
        "largest_difference": round(float(np.abs(exact - other).max()), 7),
        f"neighbours_kept_of_{NEIGHBOURS}": round(kept(other @ other.T), 4),
        "kept_for_float32_questions": round(kept(exact @ other.T), 4),
    }


def _question(encode: Callable[[list[str]], Vectors], times: int) -> dict[str, float]:
    """Milliseconds of one question, warm: medians."""
    walls, cpus = [], []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        encode([QUESTION])
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return {
        "question_ms": round(statistics.median(walls) * 1e3, 2),
        "question_cpu_ms": round(statistics.median(cpus) * 1e3, 2),
    }


if __name__ == "__main__":
    main()
