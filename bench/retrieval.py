"""How often retrieval finds the terms that a question needs.

    python -m bench.retrieval --dataset lcquad1 --split test [--mask-names] [--limit N]

`recall@k`: the mean share of a question's gold terms among the first k; `all_found@k`: the share of questions of which
all are there. Over questions whose gold names at least one term of the vocabulary; the others are left out and counted.
The question's text is all that is used: no graph, no gold link. `--mask-names` hides the gold entities' mentions.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from bench.arguments import parser_of, questions_of, show, write_rows
from bench.links import Linking, by_graph
from bench.runs import sentences

DEPTHS = (1, 3, 5, 10, 16, 20, 50, 100)
_PART = 512


def main() -> None:
    parser = parser_of(__doc__, linking=False)
    parser.add_argument("--mask-names", action="store_true")
    arguments = parser.parse_args()
    with sentences():
        asked = questions_of(arguments)
        left_out = Counter(asked.left_out)
        rows: list[dict[str, Any]] = []
        for graph, questions in by_graph(asked.questions).items():
            linking = Linking("gold", graph, data=arguments.data_folder, index=arguments.index)
            rows += _rows(linking, questions, arguments.mask_names, left_out)
        write_rows(arguments.rows, rows)
        n = len(rows)
        result = {
            "n": n,
            "left_out": dict(left_out),
            "repairs": dict(asked.repairs),
            "recall@k": {
                str(k): round(sum(r["recall"][str(k)] for r in rows) / max(1, n), 4) for k in DEPTHS
            },
            "all_found@k": {
                str(k): round(sum(r["recall"][str(k)] == 1.0 for r in rows) / max(1, n), 4) for k in DEPTHS
            },
            "settings": {**asked.settings, "linking": "none", "names_masked": arguments.mask_names},
        }
        show(result, arguments.json)


def _rows(linking: Linking, questions: Any, masked: bool, left_out: Counter[str]) -> list[dict[str, Any]]:
    ready = []
    for question in questions:
        linked = linking.link(question)
        if linked.gold is None:
            left_out[linked.left_out] += 1
        elif not linked.gold.terms:
            left_out["no term in the gold"] += 1
        else:
            ready.append(linked)
    rows = []
    for start in range(0, len(ready), _PART):
        part = ready[start : start + _PART]
        texts = [_without_names(x) if masked else x.question.question for x in part]
        for linked, hits in zip(part, linking.retriever.search.search_each(texts, max(DEPTHS)), strict=True):
            assert linked.gold is not None
            wanted = {t.iri for t in linked.gold.terms}
            found = [hit.term.iri for hit in hits]
            rows.append(
                {
                    "id": linked.question.id,
                    "question": linked.question.question,
                    "gold": sorted(wanted),
                    "found": found[:20],
                    "recall": {str(k): len(wanted & set(found[:k])) / len(wanted) for k in DEPTHS},
                }
            )
    return rows


def _without_names(linked: Any) -> str:
    text: str = linked.question.question
    for entity in sorted(linked.gold.entities, key=lambda e: -e.start):
        if entity.start >= 0:
            text = f"{text[: entity.start]}it{text[entity.end :]}"
    return text


if __name__ == "__main__":
    main()
