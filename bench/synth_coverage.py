"""How near synthetic pairs are to questions that people asked: words and query shapes of train splits that pairs cover.

    python -m bench.synth_coverage PAIRS.jsonl... [--sets lcquad2,lcquad1] [--count N] [--data DIR]

Prints one JSON object. For each data set, of its train questions: the share of word types and of word tokens that the
pairs' questions hold, names of entities left out on neither side; the share of gold queries, and of different shapes
(`bench.measures.shape_of`), that a pair has too. Only train splits are read.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.datasets import find_dataset, read_dataset
from bench.measures import shape_of
from ontoprompt.errors import QueryError
from ontoprompt.sparql import parse

_WORD = re.compile(r"[^\W\d_]+(?:'[a-z]+)?")
_IRI = re.compile(r"<(https?://[^<>\s]*)>")
_BLANKED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|(?<![\w?:])\d+(?:\.\d+)?")


class Shapes:
    """Shapes of queries, each made once for all that differ in names and values alone."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def of(self, text: str) -> str:
        """The shape of a query, empty for one that does not parse."""
        key = _BLANKED.sub("0", _IRI.sub(_kind, text))
        key = re.sub(r"\b(wdt|ps|pq|p|wd|dbo|dbr|dbp|res):[\w.-]+", r"\1:x", key)
        if key not in self._known:
            try:
                self._known[key] = shape_of(parse(text))
            except QueryError:
                self._known[key] = ""
        return self._known[key]


def _kind(found: re.Match[str]) -> str:
    """An IRI as far as a shape depends on it."""
    iri = found[1]
    if "w3.org" in iri:
        return f"<{iri}>"
    wikidata = re.match(r"(http://www\.wikidata\.org/prop/(?:direct/|statement/|qualifier/)?)", iri)
    return f"<{wikidata[1]}>" if wikidata else "<_>"


def words(questions: Iterable[str]) -> Counter[str]:
    """The words of questions, in lower case."""
    return Counter(word for text in questions for word in _WORD.findall(text.lower()))


def coverage(
    real: Sequence[tuple[str, str]], pairs: Sequence[tuple[str, str]], shapes: Shapes
) -> dict[str, Any]:
    """Shares of the words and shapes of `real` (question, query) that `pairs` have."""
    asked, made = words(q for q, _ in real), words(q for q, _ in pairs)
    wanted = Counter(shape for _, query in real if (shape := shapes.of(query)))
    have = {shapes.of(query) for _, query in pairs}
    frequent = {word for word, number in asked.items() if number >= 5}
    return {
        "questions": len(real),
        "pairs": len(pairs),
        "word_types": round(sum(w in made for w in asked) / max(1, len(asked)), 4),
        "word_types_5_times": round(sum(w in made for w in frequent) / max(1, len(frequent)), 4),
        "word_tokens": round(sum(n for w, n in asked.items() if w in made) / max(1, sum(asked.values())), 4),
        "shapes": round(sum(s in have for s in wanted) / max(1, len(wanted)), 4),
        "queries_by_shape": round(
            sum(n for s, n in wanted.items() if s in have) / max(1, sum(wanted.values())), 4
        ),
        "shapes_there": len(wanted),
        "shapes_missing": [s for s, _ in wanted.most_common() if s not in have][:5],
    }


def _pairs(files: Sequence[Path], count: int | None) -> Iterator[tuple[str, str]]:
    for file in files:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                if count is not None and number >= count:
                    break
                row = json.loads(line)
                yield row["question"], row["sparql"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", nargs="+", type=Path)
    parser.add_argument("--sets", default="lcquad2,lcquad1")
    parser.add_argument("--count", type=int, help="pairs of each file at most")
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    shapes = Shapes()
    pairs = list(_pairs(given.pairs, given.count))
    out = {}
    for name in given.sets.split(","):
        questions = read_dataset(find_dataset(name, "train", given.data)).questions
        out[name] = coverage([(q.question, q.query) for q in questions], pairs, shapes)
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
