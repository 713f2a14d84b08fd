"""How often the linker finds the entities that a question names.

    python -m bench.linking --dataset lcquad2 --split test --linking closed [--limit N]

Counted are the `--per-mention` best entities of every mention that the linker finds (`LocalLinker.link`), over questions
whose gold names an entity. `recall`: the mean share of a question's gold entities among them; `all_found`: the share of
questions of which all are there; `candidates`: how many entities there are for a question. `kept_all_found` and
`kept_candidates`: the same for what `Retriever.link` takes over into the fragment.

`missed`: the gold entities not found, by how much of the label's content the question says, and, where all of it is
said, by whether the words were read as another name: where recall can still be won, and where it cannot.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from bench.arguments import Progress, mean, parser_of, questions_of, show, write_rows
from bench.datasets import Question
from bench.links import Linked, Linking, by_graph
from bench.runs import sentences
from ontoprompt import names
from ontoprompt.entities import EntityLink
from ontoprompt.question_words import STOP_WORDS


def main() -> None:
    parser = parser_of(__doc__)
    parser.set_defaults(linking="closed")
    parser.add_argument("--per-mention", type=int, default=5, metavar="K", help="entities for one mention")
    parser.add_argument("--rivals", type=int, default=2, metavar="N", help="links kept for one mention")
    arguments = parser.parse_args()
    if arguments.linking not in ("closed", "full"):
        parser.error(
            "the settings of this script are closed and full: with gold links there is nothing to find"
        )
    if arguments.per_mention < 1 or arguments.rivals < 1:
        parser.error("--per-mention and --rivals must be at least 1")
    with sentences():
        asked = questions_of(arguments)
        left_out = Counter(asked.left_out)
        rows: list[dict[str, Any]] = []
        progress = Progress(len(asked.questions), arguments.json)
        for graph, questions in by_graph(asked.questions).items():
            linking = Linking(arguments.linking, graph, data=arguments.data_folder, index=arguments.index)
            for question in questions:
                progress.tick()
                linked = linking.gold_of(question)
                if linked.gold is None or not linked.gold.entities:
                    left_out[linked.left_out or "no entity in the gold"] += 1
                    continue
                rows.append(_row(linking, question, linked, arguments.per_mention, arguments.rivals))
        write_rows(arguments.rows, rows)
        show(_figures(rows) | _settings(asked, left_out, arguments), arguments.json)


def _settings(asked: Any, left_out: Counter[str], arguments: Any) -> dict[str, Any]:
    return {
        "left_out": dict(left_out),
        "repairs": dict(asked.repairs),
        "settings": {
            **asked.settings,
            "per_mention": arguments.per_mention,
            "rivals": arguments.rivals,
        },
    }


def _row(linking: Linking, question: Question, linked: Linked, k: int, rivals: int) -> dict[str, Any]:
    """What is found for one question."""
    assert linked.gold is not None and linking.retriever.linker is not None
    wanted = {e.iri: e.label for e in linked.gold.entities}
    began = time.perf_counter()
    found = linking.retriever.linker.link(question.question, k=k)
    took = time.perf_counter() - began
    got = list(dict.fromkeys(e.iri for e in found))
    kept = list(dict.fromkeys(e.iri for e in linking.retriever.link(question.question, rivals=rivals)))
    return {
        "id": question.id,
        "question": question.question,
        "gold": sorted(wanted),
        "found": got,
        "kept": kept,
        "recall": _share(wanted, got),
        "kept_recall": _share(wanted, kept),
        "missed": {
            iri: why_missed(question.question, label, found)
            for iri, label in sorted(wanted.items())
            if iri not in got
        },
        "seconds": round(took, 4),
    }


def _share(wanted: Collection[str], got: Sequence[str]) -> float:
    return len(set(wanted) & set(got)) / len(wanted)


def why_missed(question: str, label: str, found: Sequence[EntityLink]) -> str:
    """Why an entity of this label is not among the links found, as far as the words tell."""
    words = names.words(question)
    said = {form for word in words for form in (word.key, *names.singulars(word.key))}
    content = [key for key in names.key_of(label).split() if key not in STOP_WORDS]
    share = (
        sum(bool({key, *names.singulars(key)} & said) for key in content) / len(content) if content else 0.0
    )
    if share == 0:
        return "none of its words said"
    if share < 1:
        return "half of its words said or more" if share >= 0.5 else "less than half of its words said"
    places = [w for w in words if {w.key, *names.singulars(w.key)} & set(content)]
    covered = any(link.start < w.end and w.start < link.end for w in places for link in found)
    return "all of its words said, read as another" if covered else "all of its words said, not read"


def _figures(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "n": len(rows),
        "recall": mean(r["recall"] for r in rows),
        "all_found": mean(r["recall"] == 1.0 for r in rows),
        "candidates": mean(len(r["found"]) for r in rows),
        "kept_all_found": mean(r["kept_recall"] == 1.0 for r in rows),
        "kept_candidates": mean(len(r["kept"]) for r in rows),
        "missed": dict(Counter(why for r in rows for why in r["missed"].values()).most_common()),
        "seconds_median": round(statistics.median(r["seconds"] for r in rows), 4) if rows else None,
    }


if __name__ == "__main__":
    main()
