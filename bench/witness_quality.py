"""How good is suite accuracy? Mutants of gold queries told apart, and rewritings accepted.

    python -m bench.witness_quality [--n N] [--seed S] [--data FOLDER] [--each K] [--examples FILE] [NAME...]

NAME is a file under the data folder (`ONTOPROMPT_DATA`); by default LC-QuAD 1.0, LC-QuAD 2.0, QALD-9, DBLP-QuAD and SciQA.
From each, `n` gold queries are drawn; of each gold, `each` mutants of every kind that applies to it and one
rewriting of every kind. The canonical form is not looked at: all pairs are run. Mutants whose canonical form is the
gold's are no mutants and not counted. One JSON object is printed:

- `golds`: queries drawn, `unread` (no SPARQL), `undecided` (nothing on any graph, so no verdict on them counts);
  `repaired`: LC-QuAD 2.0's `CONTAINS(YEAR(?x), '...')`, a type error in every engine, read as a test of the text.
- `mutants` and `rewritings`, kind by kind: `n`, `told_apart` or `accepted`, `rate`, and `undecided`: of a mutant that
  it gives nothing on any graph (told apart from a gold that does), of a rewriting that it is not accepted. Mutants
  that show a column which nothing fills are left out.
- `pairs_per_second` of processor time on one core, of parsed queries and with parsing; `slowest_ms`.
- `examples`: mutants not told apart; `--examples FILE` writes all of them, one JSON line each, to be judged by hand.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from bench.witness_mutants import MUTANTS, TYPES, Words, triples
from bench.witness_rewritings import REWRITINGS
from ontoprompt import sparql
from ontoprompt.errors import QueryError
from ontoprompt.sparql_text import write
from ontoprompt.sparql_tree import URIRef
from ontoprompt.witness import judge

FILES = (
    "lcquad1/train.jsonl",
    "lcquad2/train_part.jsonl",
    "qald9/train.jsonl",
    "more/dblp-dblp-quad-train.jsonl",
    "more/orkg-sci-qa-train.jsonl",
)
_YEAR = re.compile(r"(contains\s*\(\s*)(year\s*\(\s*\?\w+\s*\))", re.IGNORECASE)


def queries_of(lines: Iterable[str]) -> Iterator[str]:
    """The gold query of each JSON line that has one."""
    for line in lines:
        row = json.loads(line)
        query = row.get("sparql") or row.get("sparql_wikidata")
        if isinstance(query, str):
            yield query


def words_of(queries: Iterable[sparql.Query]) -> Words:
    """The terms of a data set that mutants change to."""
    properties: dict[str, None] = {}
    entities: dict[str, None] = {}
    classes: dict[str, None] = {}
    for query in queries:
        for _, _, (s, p, o) in triples(query.tree):
            if isinstance(p, URIRef) and p not in TYPES:
                properties[str(p)] = None
            for end, kind in ((s, entities), (o, classes if p in TYPES else entities)):
                if type(end) is URIRef:
                    kind[str(end)] = None
    spare = ("http://example.org/one", "http://example.org/two", "http://example.org/three")
    return Words(*(tuple(kind)[:500] + spare for kind in (properties, entities, classes)))


class Tally:
    """Verdicts by kind of change."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.n: Counter[str] = Counter()
        self.right: Counter[str] = Counter()
        self.undecided: Counter[str] = Counter()

    def add(self, kind: str, right: bool, undecided: bool) -> None:
        self.n[kind] += 1
        self.right[kind] += right
        self.undecided[kind] += undecided

    def table(self, kinds: Iterable[str]) -> dict[str, Any]:
        rows = {
            kind: {
                "n": self.n[kind],
                self.word: self.right[kind],
                "undecided": self.undecided[kind],
                "rate": round(self.right[kind] / self.n[kind], 4) if self.n[kind] else None,
            }
            for kind in kinds
        }
        n, right = sum(self.n.values()), sum(self.right.values())
        whole = {"n": n, self.word: right, "undecided": sum(self.undecided.values())}
        return {"all": {**whole, "rate": round(right / n, 4) if n else None}, **rows}


class Measurement:
    """The measure of the measure over files of gold queries."""

    def __init__(self, n: int, seed: int, each: int) -> None:
        self.n, self.seed, self.each = n, seed, each
        self.golds: Counter[str] = Counter()
        self.mutants = Tally("told_apart")
        self.rewritings = Tally("accepted")
        self.examples: list[dict[str, str]] = []
        self.by_file: dict[str, Counter[str]] = defaultdict(Counter)
        self.seconds = self.parsing = self.slowest = 0.0
        self.slow_pair: tuple[str, str] = ("", "")
        self.pairs = 0

    def file(self, name: str, lines: Iterable[str]) -> None:
        rng = Random(f"{self.seed} {name}")
        texts = sorted(set(queries_of(lines)))
        golds = []
        for text in rng.sample(texts, min(self.n, len(texts))):
            repaired = _YEAR.sub(r"\1STR(\2)", text)
            self.golds["n"] += 1
            try:
                query = sparql.parse(repaired)
                sparql.check_read_only(query)
            except QueryError:
                self.golds["unread"] += 1
                continue
            self.golds["repaired"] += repaired != text
            golds.append(query)
        words = words_of(golds)
        for gold in golds:
            self.gold(name, gold, words, rng)

    def gold(self, name: str, gold: sparql.Query, words: Words, rng: Random) -> None:
        graph = "wikidata" if "wikidata.org" in write(gold.tree) else ""
        if judge(gold, gold, graph=graph).undecided:
            self.golds["undecided"] += 1
            return
        canonical = sparql.canonical(gold)
        for kind, maker in MUTANTS.items():
            trees = list(maker(gold.tree, rng, words))
            for tree in rng.sample(trees, min(self.each, len(trees))):
                text = write(tree)
                mutant = self.read(text)
                if mutant is None or mutant.unbound or sparql.canonical(mutant) == canonical:
                    continue
                verdict = self.judged(gold, mutant, graph)
                right = not verdict.equivalent
                self.mutants.add(kind, right, verdict.undecided)
                self.by_file[name]["mutants"] += 1
                self.by_file[name]["told_apart"] += right
                if not right:
                    self.example(kind, name, gold, mutant, verdict.undecided)
        for kind, rewriting in REWRITINGS.items():
            written = list(rewriting(gold.tree, rng))
            for text in rng.sample(written, min(1, len(written))):
                query = sparql.parse(text)
                verdict = self.judged(gold, query, graph)
                self.rewritings.add(kind, verdict.equivalent, verdict.undecided)
                self.by_file[name]["rewritings"] += 1
                self.by_file[name]["accepted"] += verdict.equivalent
                if not verdict.equivalent:
                    self.example(kind, name, gold, query, verdict.undecided)

    def read(self, text: str) -> sparql.Query | None:
        began = time.process_time()
        try:
            return sparql.parse(text)
        except QueryError:
            return None
        finally:
            self.parsing += time.process_time() - began

    def judged(self, gold: sparql.Query, other: sparql.Query, graph: str) -> Any:
        began = time.process_time()
        verdict = judge(gold, other, graph=graph, seed=self.seed, shortcut=False)
        spent = time.process_time() - began
        self.seconds += spent
        if spent > self.slowest:
            self.slowest = spent
            self.slow_pair = (write(gold.tree), write(other.tree))
        self.pairs += 1
        return verdict

    def example(self, kind: str, name: str, gold: sparql.Query, other: sparql.Query, undecided: bool) -> None:
        gold_text, other_text = (sparql.render(q, name=sparql.prefixed) for q in (gold, other))
        row = {"kind": kind, "file": name, "gold": gold_text, "other": other_text}
        self.examples.append({**row, **({"undecided": "yes"} if undecided else {})})

    def result(self, shown: int) -> dict[str, Any]:
        pairs = max(self.pairs, 1)
        return {
            "golds": {key: self.golds[key] for key in ("n", "unread", "undecided", "repaired")},
            "mutants": self.mutants.table(MUTANTS),
            "rewritings": self.rewritings.table(REWRITINGS),
            "files": {name: dict(counts) for name, counts in self.by_file.items()},
            "pairs": self.pairs,
            "pairs_per_second": round(pairs / max(self.seconds, 1e-9), 1),
            "pairs_per_second_with_parsing": round(pairs / max(self.seconds + self.parsing, 1e-9), 1),
            "slowest_ms": round(1000 * self.slowest, 1),
            "slowest_pair": self.slow_pair,
            "settings": {"n": self.n, "seed": self.seed, "each": self.each},
            "examples": self.examples[:shown],
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m bench.witness_quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", default=list(FILES))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ONTOPROMPT_DATA", ".")))
    parser.add_argument("--n", type=int, default=40, help="gold queries of each file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", type=int, default=1, help="mutants of a kind of each gold")
    parser.add_argument("--show", type=int, default=10, help="examples in the printed object")
    parser.add_argument("--examples", type=Path, metavar="FILE", help="all pairs that were judged wrongly")
    arguments = parser.parse_args()
    measurement = Measurement(arguments.n, arguments.seed, arguments.each)
    for name in arguments.names:
        path = arguments.data / name
        if not path.is_file():
            parser.error(f"{path} does not exist: name the data folder with --data or ONTOPROMPT_DATA.")
        with path.open(encoding="utf-8") as lines:
            measurement.file(name, lines)
    if arguments.examples:
        with arguments.examples.open("w", encoding="utf-8") as out:
            for row in measurement.examples:
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(json.dumps(measurement.result(arguments.show), ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
