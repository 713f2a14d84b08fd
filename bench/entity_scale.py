"""How the entity index grows: time to build it, its size, and how fast a question's names are looked up in it.

    python -m bench.entity_scale --names 10000000 --out DIR

The names are made up (`bench.made_names`), a fifth of them aliases, every entity has a class and some hundreds are
connected better than the rest. They are written to an N-Triples file in DIR, the index is built from it by the
package's own builder in a process of its own, and looked up in another that has just opened it.

`build`: seconds on the wall, `cpu`: user and system seconds, `peak_mib`: the largest resident set of the building
process; `bytes`: the finished file; `mentions_ms`: all names of a question looked up, each stretch of its words as a
name or alias, and what starts with two of its words (median and 95th of 100, in milliseconds, after one warming round);
`link_ms`: the same for the whole linker; `misspelt_ms`: the words one edit away from a word with a wrong letter;
`misspelt_link_ms`: a question of two such words linked.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from bench.made_names import made_names, parts_of
from bench.runs import sentences
from ontoprompt import names
from ontoprompt.entities import EntityIndex, LocalLinker
from ontoprompt.entity_build import build_entity_index
from ontoprompt.entity_readings import exact_readings

_LABEL = "<http://www.w3.org/2000/01/rdf-schema#label>"
_ALIAS = "<http://www.w3.org/2004/02/skos/core#altLabel>"
_TYPE = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
_ASKED = 100  # questions
_FORMS = (
    "Who was born in the same town as {} and {}?",
    "What is the population of {}?",
    "which films did {} direct before {} died",
    "How many awards did {} of {} win in 1987?",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m bench.entity_scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--names", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="leave the files in DIR, and use those there")
    arguments = parser.parse_args()
    if arguments.names < 100:
        parser.error("--names must be at least 100")
    with sentences():
        print(json.dumps(measured(arguments.out, arguments.names, arguments.seed, arguments.keep)))


def measured(out: Path, count: int, seed: int = 0, keep: bool = False) -> dict[str, Any]:
    """The figures for `count` names; the files are made in `out` and, unless `keep`, deleted."""
    out.mkdir(parents=True, exist_ok=True)
    source, index = out / f"names-{count}-{seed}.nt", out / f"names-{count}-{seed}.sqlite"
    result: dict[str, Any] = {"names": count, "seed": seed}
    try:
        if not index.is_file():
            result["write"] = _apart(_write, source, count, seed)["seconds"]
            result["source_bytes"] = source.stat().st_size
            result["build"] = _apart(_build, source, index)
        result["bytes"] = index.stat().st_size
        result["lookups"] = _apart(_look_up, index, seed)
    finally:
        source.unlink(missing_ok=True)
        if not keep:
            index.unlink(missing_ok=True)
    return result


def _apart(work: Callable[..., dict[str, Any]], *values: object) -> dict[str, Any]:
    """What `work` gives in a fresh process, with its times and memory."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_timed, (work, values))


def _timed(work: Callable[..., dict[str, Any]], values: Sequence[object]) -> dict[str, Any]:
    began, before = time.monotonic(), time.process_time()
    given = work(*values)
    used = resource.getrusage(resource.RUSAGE_SELF)
    unit = 1024 if sys.platform != "darwin" else 1024**2
    return {
        "seconds": round(time.monotonic() - began, 2),
        "cpu": round(time.process_time() - before, 2),
        "peak_mib": round(used.ru_maxrss / unit),
        **given,
    }


def _write(path: Path, count: int, seed: int) -> dict[str, Any]:
    """An N-Triples file of `count` names: four entities of five names, each with a class."""
    rng = Random(seed)
    with path.open("w", encoding="utf-8") as file:
        file.write(f"<http://example.org/o/Kind0> {_TYPE} <http://www.w3.org/2002/07/owl#Class> .\n")
        entity = 0
        for number, name in enumerate(made_names(count, parts_of(), seed=seed)):
            if number % 5 != 4:
                entity += 1
                kind = int(rng.random() ** 3 * 300)
                file.write(
                    f"<http://example.org/entity/Q{entity}> {_TYPE} <http://example.org/o/Kind{kind}> .\n"
                )
            said = _ALIAS if number % 5 == 4 else _LABEL
            file.write(f'<http://example.org/entity/Q{entity}> {said} "{name}"@en .\n')
            if rng.random() < 0.0005:
                other = int(rng.random() * entity) + 1
                file.write(f"<http://example.org/entity/Q{other}> <http://example.org/o/near> ")
                file.write(f"<http://example.org/entity/Q{entity}> .\n")
    return {}


def _build(source: Path, index: Path) -> dict[str, Any]:
    build_entity_index(source, index)
    return {}


def _look_up(path: Path, seed: int) -> dict[str, Any]:
    opened = time.perf_counter()
    index = EntityIndex.open(path)
    opened = time.perf_counter() - opened
    rng = Random(seed)
    known = _labels(path, rng)
    questions = [rng.choice(_FORMS).format(*rng.sample(known, 2)) for _ in range(_ASKED)]
    words = [
        word for name in known for word in names.key_of(name).split() if word.isalpha() and len(word) > 4
    ]
    wrong = [_misspelt(word, rng) for word in rng.sample(words, min(len(words), _ASKED))]
    doubled = [f"who was {one} {other}" for one, other in zip(wrong, wrong[1:], strict=False)]
    linker = LocalLinker(index)
    return {
        "entities": len(index),
        "open_ms": round(1000 * opened, 1),
        "mentions_ms": _times(lambda question: _mentions(index, question), questions),
        "link_ms": _times(linker.link, questions),
        "misspelt_ms": _times(lambda word: index.similar_words([word]), wrong),
        "misspelt_link_ms": _times(linker.link, doubled),
    }


def _labels(path: Path, rng: Random) -> list[str]:
    """Labels of entities drawn by chance."""
    with closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute("SELECT max(id) FROM entities").fetchone()
        drawn = (rng.randint(1, count) for _ in range(4 * _ASKED))
        rows = [connection.execute("SELECT label FROM entities WHERE id = ?", (n,)).fetchone() for n in drawn]
    return [row[0] for row in rows]


def _mentions(index: EntityIndex, question: str) -> None:
    words = names.words(question)
    index.lookup({reading.key for reading in exact_readings(words, index.vocabulary)})
    for first in range(len(words) - 1):
        index.starting(names.join([word.key for word in words[first : first + 2]]))


def _misspelt(word: str, rng: Random) -> str:
    place = rng.randrange(1, len(word))
    return word[:place] + rng.choice("abcdefghijklmnopqrstuvwxyz") + word[place + 1 :]


def _times(work: Callable[[str], object], values: Sequence[str]) -> dict[str, float]:
    """Median and 95th percentile in milliseconds."""
    for value in values[: len(values) // 2]:
        work(value)
    taken = []
    for value in values:
        began = time.perf_counter()
        work(value)
        taken.append(1000 * (time.perf_counter() - began))
    return {
        "median": round(statistics.median(taken), 2),
        "p95": round(sorted(taken)[int(0.95 * len(taken))], 2),
    }


if __name__ == "__main__":
    main()
