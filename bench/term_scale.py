"""How build time, memory and search time grow with the number of terms, from a thousand to a million.

    python -m bench.term_scale --out DIR [--up-to 1000000] [--encoded 200000] [--queries 300] [--seed 0]

Prints one JSON object, writes it to DIR/term-scale.json and draws DIR/term-scale.svg. Each size is built by
`build_index` and searched through `OntologyIndex` in a process of its own, on one thread, so that the largest
memory it held can be read off. Building leaves out encoding, which `bench.encoding_speed` measures.

Terms: every label of the DBpedia and Wikidata vocabularies that ship, then compounds of two of them ("runtime of
museum", "museum runtime"), as large vocabularies have them; all drawn by seed. The first `--encoded` are encoded by
`fast`, their vectors kept in DIR. The vector of a further term is a mean of the vectors of two of them, the first with a
weight of 0.6 to 0.8, scaled to length 1. Queries: compounds that are no terms, half of them put into a question, encoded
by `default`. Recall of the exact neighbours: of the 50 rows with the largest inner products, in float32.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from bench.runs import sentences
from ontoprompt.embedding import Progress, Vectors, load_encoder
from ontoprompt.index import OntologyIndex, build_index
from ontoprompt.ontology import Ontology, Term, load_ontology
from ontoprompt.settings import bundled

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
NEIGHBOURS = 50
_QUESTIONS = ("What is the {} of this place?", "Which one has the most {}?", "How many {} are there?")
_BLOCK = 50_000


class Prepared:
    """An encoder that looks vectors up: `term N` is row N, `query N` the N-th query."""

    name, dimension = "prepared", 384

    def __init__(self, encoded: Vectors, queries: Vectors, seed: int) -> None:
        self.fingerprint = f"term-scale-{len(encoded)}-{seed}"
        self.encoded, self._queries, self._seed = encoded, queries, seed

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """(len(texts), 384), of length 1."""
        out = np.zeros((len(texts), self.dimension), np.float32)
        numbers = np.array([int(text.split()[1]) for text in texts], np.int64)
        asked = np.array([text.startswith("query") for text in texts], bool)
        out[asked] = self._queries[numbers[asked]]
        for start in range(0, len(texts), _BLOCK):
            part = slice(start, start + _BLOCK)
            out[part][~asked[part]] = self.rows(numbers[part][~asked[part]])
        return out

    def rows(self, numbers: np.ndarray[Any, Any]) -> Vectors:
        """The vectors of terms by number."""
        count = len(self.encoded)
        first = self.encoded[numbers % count].astype(np.float32)
        # A fixed walk through the encoded ones: the same number gives the same mean, whatever is asked for with it.
        mixed = (numbers * 2_654_435_761 + 97 * (numbers // count) + self._seed) % (2**32)
        second = self.encoded[mixed % count].astype(np.float32)
        share = (0.6 + 0.2 * (mixed % 1009) / 1009).astype(np.float32)[:, None]
        both = np.where((numbers < count)[:, None], first, share * first + (1 - share) * second)
        return np.asarray(both / np.linalg.norm(both, axis=1, keepdims=True), np.float32)


def labels(count: int, draw: Random) -> list[str]:
    """That many different labels: those of the vocabularies that ship, then compounds of two."""
    files = ("dbpedia.ttl", "wikidata-properties.ttl")
    base = sorted({t.label for f in files for t in load_ontology([bundled("ontology", f)]).terms})
    found = dict.fromkeys(draw.sample(base, len(base)))
    while len(found) < count:
        found[draw.choice(("{} of {}", "{} {}")).format(draw.choice(base), draw.choice(base))] = None
    return list(found)[:count]


def prepare(folder: Path, encoded: int, queries: int, seed: int) -> tuple[Vectors, Vectors]:
    """Vectors of terms (float16) and of queries, taken from `folder` where an earlier run left them."""
    path = folder / f"vectors-{encoded}-{queries}-{seed}.npz"
    if not path.is_file():
        texts = labels(encoded + queries, Random(seed))
        rows = load_encoder("fast").encode(texts[:encoded], progress=_told).astype(np.float16)
        asked = texts[encoded:]
        asked[::2] = [_QUESTIONS[n % len(_QUESTIONS)].format(text) for n, text in enumerate(asked[::2])]
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(path, rows=rows, queries=load_encoder().encode(asked))
    with np.load(path) as stored:
        return stored["rows"], stored["queries"]


def _told(what: str, done: int, total: int | None) -> None:
    if sys.stderr.isatty() or done == total or done % 10_000 < 64:
        print(f"{what}: {done} of {total}", file=sys.stderr)


def measure(folder: Path, count: int, encoded: int, queries: int, seed: int) -> dict[str, Any]:
    """Build and search an index of `count` terms in this process: seconds, bytes, milliseconds, recall."""
    import faiss

    faiss.omp_set_num_threads(1)
    rows, asked = prepare(folder, encoded, queries, seed)
    encoder = Prepared(rows, asked, seed)
    before = _held()
    terms = tuple(Term(f"http://example.org/t{n}", "property", f"term {n}") for n in range(count))
    with tempfile.TemporaryDirectory(dir=folder) as place:
        began = time.perf_counter(), time.process_time()
        index = build_index(Ontology(terms), Path(place) / "index", encoder=encoder)
        built = time.perf_counter() - began[0], time.process_time() - began[1]
        most = _held()
        disk = sum(path.stat().st_size for path in (Path(place) / "index").iterdir())
        del index, terms
        began_loading = time.perf_counter()
        index = OntologyIndex.load(Path(place) / "index", encoder)
        loaded = time.perf_counter() - began_loading
    texts = [f"query {n}" for n in range(queries)]
    for text in texts[:10]:
        index.search(text, NEIGHBOURS)
    walls, cpus, hits = [], [], []
    for text in texts:
        wall, cpu = time.perf_counter(), time.process_time()
        found = index.search(text, NEIGHBOURS)
        walls.append(1e3 * (time.perf_counter() - wall))
        cpus.append(1e3 * (time.process_time() - cpu))
        hits.append({int(hit.term.label.split()[1]) for hit in found})
    exact = nearest(encoder, count, asked)
    return {
        "terms": count,
        "factory": index.manifest.factory,
        "build_s": round(built[0], 2),
        "build_cpu_s": round(built[1], 2),
        "build_mb": round((most - before) / 1e6),
        "process_mb": round(most / 1e6),
        "disk_mb": round(disk / 1e6, 1),
        "load_s": round(loaded, 2),
        "search_ms": round(float(np.median(walls)), 3),
        "search_cpu_ms": round(float(np.median(cpus)), 3),
        "search_cpu_ms_95": round(float(np.percentile(cpus, 95)), 3),
        "recall_at_50": round(
            float(np.mean([len(a & set(b)) / len(b) for a, b in zip(hits, exact.tolist(), strict=True)])), 4
        ),
    }


def nearest(encoder: Prepared, count: int, asked: Vectors) -> np.ndarray[Any, Any]:
    """(queries, NEIGHBOURS): the terms with the largest inner products, by float32 vectors, in no order."""
    best = np.full((len(asked), 0), 0.0, np.float32)
    names = np.zeros((len(asked), 0), np.int64)
    for start in range(0, count, _BLOCK):
        numbers = np.arange(start, min(start + _BLOCK, count))
        best = np.concatenate([best, asked @ encoder.rows(numbers).T], 1)
        names = np.concatenate([names, np.broadcast_to(numbers, (len(asked), len(numbers)))], 1)
        kept = np.argpartition(-best, min(NEIGHBOURS, best.shape[1]) - 1, axis=1)[:, :NEIGHBOURS]
        best, names = np.take_along_axis(best, kept, 1), np.take_along_axis(names, kept, 1)
    return names


def likeness(encoder: Prepared, count: int, seed: int) -> dict[str, float]:
    """How near the nearest other term is, for encoded vectors and for means: that the second are like the first."""
    encoded, draw = len(encoder.encoded), np.random.default_rng(seed)
    out = {}
    for kind, low, high in (("encoded", 0, min(encoded, count)), ("means", encoded, count)):
        if high > low:
            drawn = draw.choice(np.arange(low, high), min(200, high - low), replace=False)
            best = np.full(len(drawn), -1.0, np.float32)
            for start in range(0, count, _BLOCK):
                numbers = np.arange(start, min(start + _BLOCK, count))
                products = encoder.rows(drawn) @ encoder.rows(numbers).T
                products[drawn[:, None] == numbers] = -1
                best = np.maximum(best, products.max(1))
            out[kind] = round(float(np.median(best)), 3)
    return out


def _held() -> int:
    """The largest memory that this process has held so far, bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def plot(results: Sequence[dict[str, Any]]) -> bytes:
    """Build, memory and search by number of terms, as SVG that reads in black and white."""
    import io

    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = (
        ("build, seconds of one core", "build_cpu_s"),
        ("largest memory of the build, MB", "process_mb"),
        ("search, milliseconds of one core", "search_cpu_ms"),
    )
    counts = [each["terms"] for each in results]
    style: Any = {
        "svg.hashsalt": "ontoprompt",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with matplotlib.rc_context(style):
        figure, fields = pyplot.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
        for field, (title, key) in zip(fields, panels, strict=True):
            field.plot(counts, [each[key] for each in results], "-", color="0.6", zorder=1)
            for kind, marker, face in (("Flat", "o", "white"), ("SQ8", "s", "0.6"), ("PQ", "^", "black")):
                chosen = [each for each in results if each["factory"].startswith(kind)]
                places = [each["terms"] for each in chosen], [each[key] for each in chosen]
                field.scatter(*places, marker=marker, facecolors=face, edgecolors="black", s=42, label=kind)
            field.set(xscale="log", yscale="log", title=title, xlabel="terms")
            field.title.set_fontsize(10)
            field.grid(True, which="major", linewidth=0.4, color="0.85")
        fields[0].legend(
            ["", "exact (Flat)", "a byte a value (SQ8)", "half a byte for four, best read again (PQ)"],
            frameon=False,
            loc="upper left",
        )
        content = io.BytesIO()
        figure.savefig(content, format="svg", metadata={"Date": None})
        pyplot.close(figure)
    return content.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--up-to", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--encoded", type=int, default=200_000, metavar="N")
    parser.add_argument("--queries", type=int, default=300, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, metavar="N", help="one size, in this process, nothing written")
    arguments = parser.parse_args()
    made = (arguments.encoded, arguments.queries, arguments.seed)
    with sentences():
        if arguments.only:
            print(json.dumps(measure(arguments.out, arguments.only, *made)))
            return
        rows, asked = prepare(arguments.out, *made)
        sizes = [size for size in SIZES if size < arguments.up_to] + [arguments.up_to]
        results = [_apart(arguments, size) for size in sizes]
        settings = {
            "encoded": arguments.encoded,
            "queries": arguments.queries,
            "seed": arguments.seed,
            "threads": 1,
            "nearest_other_term": likeness(
                Prepared(rows, asked, arguments.seed), arguments.up_to, arguments.seed
            ),
        }
        record = json.dumps({"n": len(results), "sizes": results, "settings": settings}, indent=1)
        (arguments.out / "term-scale.json").write_text(record + "\n", "utf-8")
        (arguments.out / "term-scale.svg").write_bytes(plot(results))
        print(record)


def _apart(arguments: argparse.Namespace, size: int) -> dict[str, Any]:
    """`measure` in a process of its own."""
    named = {"--only": size, "--out": arguments.out, "--encoded": arguments.encoded}
    named |= {"--queries": arguments.queries, "--seed": arguments.seed}
    command = [
        sys.executable,
        "-m",
        "bench.term_scale",
        *(str(part) for pair in named.items() for part in pair),
    ]
    print(f"{size} terms", file=sys.stderr)
    done = subprocess.run(
        command, stdout=subprocess.PIPE, check=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


if __name__ == "__main__":
    main()
