"""Retrieval of terms by the index alone: all gold terms of a question within the first k.

    python -m bench.adapter_recall PAIRS [--index DIR] [--no-adapter] [--nameless] [--rows FILE]
    python -m bench.adapter_recall PAIRS --train PAIRS... --terms RDF     train an adapter, then measure it

PAIRS are JSON lines with `question` and `sparql`. Gold terms are the DBpedia ontology and property IRIs of
the query (rdf:type is none); a question counts when each of them, to the letter, is among the first k. A gold
term that the index does not hold is a miss. `--nameless` searches once more without the capitalised words.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ontoprompt import sparql
from ontoprompt.adapting import train_adapter
from ontoprompt.embedding import load_encoder
from ontoprompt.errors import QueryError
from ontoprompt.index import OntologyIndex, build_index
from ontoprompt.ontology import load_ontology
from ontoprompt.question_words import without_names

NAMESPACES = ("http://dbpedia.org/ontology/", "http://dbpedia.org/property/")
KS = (5, 10, 20, 40, 100)


def gold_pairs(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(question, IRIs of its gold terms); queries that do not parse or hold no such term are left out."""
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        try:
            iris = sparql.parse(row["sparql"]).iris()
        except QueryError:
            continue
        gold = tuple(sorted(iri for iri in iris if iri.startswith(NAMESPACES)))
        if gold:
            yield row["question"], gold


def trained_index(args: argparse.Namespace, folder: Path) -> OntologyIndex:
    ontology, encoder = load_ontology([args.terms]), load_encoder()
    pairs = [pair for path in args.train for pair in gold_pairs(path)]
    start, cpu = time.perf_counter(), time.process_time()
    adapter = train_adapter(pairs, ontology.terms, encoder)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(f"trained on {len(pairs)} pairs in {wall:.0f} s ({cpu:.0f} s of processor time)")
    return build_index(ontology, folder, encoder=encoder, adapter=adapter)


def measure(index: OntologyIndex, pairs: list[tuple[str, tuple[str, ...]]], nameless: bool) -> list[dict]:
    rows = []
    for question, gold in pairs:
        texts = [question, without_names(question)] if nameless else question
        start = time.perf_counter()
        hits = index.search(texts, max(KS))
        seconds = time.perf_counter() - start
        ranks = {hit.term.iri: rank for rank, hit in enumerate(hits, 1)}
        rows.append(
            {"question": question, "ranks": {iri: ranks.get(iri) for iri in gold}, "seconds": seconds}
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--index", type=Path, default=Path("indexes/dbpedia"))
    parser.add_argument("--train", type=Path, nargs="*", default=[])
    parser.add_argument("--terms", type=Path, default=Path("ontology/dbpedia.ttl"))
    parser.add_argument("--no-adapter", action="store_true")
    parser.add_argument("--nameless", action="store_true")
    parser.add_argument("--rows", type=Path, help="write one JSON line per question")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        index = trained_index(args, Path(folder) / "index") if args.train else OntologyIndex.load(args.index)
        if args.no_adapter:
            index = OntologyIndex.load(index.folder, index.encoder, use_adapter=False)
        pairs = list(gold_pairs(args.pairs))
        rows = measure(index, pairs, args.nameless)
    worst = [max((rank or 10**9) for rank in row["ranks"].values()) for row in rows]
    print(f"{len(rows)} questions, {len(index.terms)} terms, adapter: {index.adapter is not None}")
    print("all gold terms within k: " + "  ".join(f"@{k} {np.mean([w <= k for w in worst]):.3f}" for k in KS))
    print(f"median search {1000 * np.median([row['seconds'] for row in rows]):.1f} ms, encoding included")
    if args.rows:
        args.rows.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    main()
