"""What each leg of retrieval is worth: all on, each off alone, and none.

    python -m bench.ablation --dataset lcquad1 --split test [--limit N] [--json]

All gold terms of a question within the first k, question text only, and the median time of one question, warm. The
adapter is the index's own; without it scores are plain cosines. Questions are those that `bench.retrieval` counts.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from typing import Any

from bench.arguments import Progress, parser_of, questions_of, show, write_rows
from bench.links import Linking, by_graph
from bench.runs import sentences
from ontoprompt.assembly import open_reranker
from ontoprompt.errors import UsageError
from ontoprompt.index import OntologyIndex
from ontoprompt.term_search import ASKED, LEXICAL, TermSearch

DEPTHS = (3, 5, 10, 20, 50)
_TIMED = 50


def main() -> None:
    arguments = parser_of(__doc__, linking=False).parse_args()
    with sentences():
        asked = questions_of(arguments)
        left_out = Counter(asked.left_out)
        graphs = by_graph(asked.questions)
        if len(graphs) != 1:
            raise UsageError("The questions are asked of several graphs.", "Give questions of one graph.")
        ((graph, questions),) = graphs.items()
        linking = Linking("gold", graph, data=arguments.data_folder, index=arguments.index)
        wanted: list[tuple[str, frozenset[str]]] = []
        for question in questions:
            linked = linking.link(question)
            if linked.gold is None:
                left_out[linked.left_out] += 1
            elif not linked.gold.terms:
                left_out["no term in the gold"] += 1
            else:
                wanted.append((question.question, frozenset(t.iri for t in linked.gold.terms)))
        rows = _rows(linking.index, wanted, Progress(len(LEGS), arguments.json))
        write_rows(arguments.rows, rows)
        result = {
            "n": len(wanted),
            "left_out": dict(left_out),
            "legs": rows,
            "settings": {**asked.settings, "linking": "none"},
        }
        if arguments.json:
            show(result, True)
        else:
            _table(result)


LEGS: dict[str, dict[str, Any]] = {
    "all": {},
    "without the reranker": {"reranker": False},
    "without the lexical leg": {"lexical": 0.0},
    "without questions asked before": {"asked": 0.0},
    "without the question less its names": {"nameless": False},
    "without the adapter": {"adapter": False},
    "dense and adapter": {"reranker": False, "lexical": 0.0, "nameless": False, "asked": 0.0},
    "dense and lexical": {"reranker": False, "adapter": False, "nameless": False, "asked": 0.0},
    "dense alone": {"reranker": False, "lexical": 0.0, "nameless": False, "adapter": False, "asked": 0.0},
}


def _rows(
    index: OntologyIndex, wanted: list[tuple[str, frozenset[str]]], progress: Progress
) -> list[dict[str, Any]]:
    plain = OntologyIndex.load(index.folder, index.encoder, use_adapter=False)
    reranker = open_reranker()
    rows = []
    for name, off in LEGS.items():
        progress.tick()
        search = TermSearch(
            index if off.get("adapter", True) else plain,
            reranker if off.get("reranker", True) else None,
            lexical=off.get("lexical", LEXICAL),
            nameless=off.get("nameless", True),
            asked=off.get("asked", ASKED),
        )
        places = [0] * len(wanted)
        hits = search.search_each([q for q, _ in wanted], max(DEPTHS))
        for number, ((_, gold), found) in enumerate(zip(wanted, hits, strict=True)):
            place = {hit.term.iri: rank for rank, hit in enumerate(found)}
            places[number] = max(place.get(iri, max(DEPTHS)) for iri in gold)
        seconds = []
        for question, _ in wanted[:_TIMED]:
            began = time.perf_counter()
            search.search(question, 20)
            seconds.append(time.perf_counter() - began)
        rows.append(
            {
                "legs": name,
                "all_found@k": {
                    str(k): round(sum(p < k for p in places) / max(1, len(places)), 4) for k in DEPTHS
                },
                "milliseconds": round(1000 * statistics.median(seconds), 1) if seconds else None,
            }
        )
    return rows


def _table(result: dict[str, Any]) -> None:
    print(f"n = {result['n']}, left out: {result['left_out'] or 'none'}\n")
    print("| legs | " + " | ".join(f"top {k}" for k in DEPTHS) + " | ms |")
    print("|---|" + "---|" * (len(DEPTHS) + 1))
    for row in result["legs"]:
        found = " | ".join(f"{row['all_found@k'][str(k)]:.3f}" for k in DEPTHS)
        print(f"| {row['legs']} | {found} | {row['milliseconds']} |")


if __name__ == "__main__":
    main()
