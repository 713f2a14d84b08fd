"""How well a generator writes queries when it is given links.

    python -m bench.generation --dataset lcquad2 --split test --linking gold [--model DIR] [--variant V] [--limit N]

Candidates are searched for and ordered as `ontoprompt ask` does it before it asks a graph: eight, by probability and by how
much of the question they hear (`ontoprompt.ranking`). Where terms must be chosen (pool, closed, full), a model that writes in
symbols is shown the best few alone, as `ask` does without a graph; `--whole` shows it all of them. Prints exact match, suite accuracy, term F1 and the rest (see `bench.measures`) over all questions: one that cannot be
written, because its gold names what no table knows, counts as wrong and is listed under `left_out`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from bench.arguments import Progress, mean, parser_of, questions_of, show, write_rows
from bench.datasets import Question
from bench.links import Linked, Linking, by_graph
from bench.measures import Scores, form_of, score, shape_of
from bench.runs import sentences
from bench.writing import Writer, Written
from ontoprompt import sparql
from ontoprompt.assembly import open_query_reranker
from ontoprompt.errors import QueryError
from ontoprompt.fragment import Fragment
from ontoprompt.generation import Candidate, LoadOptions, open_generator
from ontoprompt.query_reranking import QueryReranker
from ontoprompt.ranking import Cost, rank


def link_all(questions: Iterable[Any], arguments: Any) -> tuple[dict[str, Linking], list[Linked]]:
    """The questions with what the setting gives them, and the linkings by graph."""
    linkings: dict[str, Linking] = {}
    out: list[Linked] = []
    for graph, some in by_graph(questions).items():
        if not arguments.json:
            print(f"Linking {len(some)} questions ({arguments.linking}).", file=sys.stderr, flush=True)
        linkings[graph] = Linking(
            arguments.linking,
            graph,
            data=arguments.data_folder,
            index=arguments.index,
            seed=arguments.seed,
        )
        out += [linkings[graph].link(q) for q in some]
    return linkings, out


def row_of(written: Written, scores: Scores, known_gold: sparql.Query) -> dict[str, Any]:
    """A row of a run: the question, what was written, and every measure."""
    question = written.linked.question
    return {
        "id": question.id,
        "question": question.question,
        "gold": question.query,
        "template": question.template,
        "form": form_of(known_gold),
        "shape": shape_of(known_gold),
        "answerable": question.answerable,
        "prompt": written.prompt.text,
        "tokens": written.tokens,
        "candidates": [
            {"text": c.text, "sparql": c.sparql, "score": round(c.score, 4)} for c in written.candidates[:3]
        ],
        "sparql": written.sparql,
        **scores.to_json(),
        "recall_at": recall_at(written.linked),
        "seconds": {k: round(v, 4) for k, v in written.seconds.items()},
    }


def left_out_row(question: Question, reason: str) -> dict[str, Any]:
    """The row of a question that was not asked, or has no gold to be scored by."""
    row: dict[str, Any] = {
        "id": question.id,
        "question": question.question,
        "gold": question.query,
        "template": question.template,
        "answerable": question.answerable,
        "left_out": reason,
    }
    try:
        gold = sparql.parse(question.query)
    except QueryError:
        return row
    return {**row, "form": form_of(gold), "shape": shape_of(gold)}


def recall_at(linked: Linked, depths: Sequence[int] = (1, 2, 3, 5, 8, 12, 16, 20)) -> dict[str, float]:
    """The share of the gold terms among the first k of the fragment."""
    if linked.gold is None or not linked.gold.terms:
        return {}
    wanted = {t.iri for t in linked.gold.terms}
    shown = [s.term.iri for s in linked.fragment.terms]
    return {str(k): round(len(wanted & set(shown[:k])) / len(wanted), 4) for k in depths}


def summary(rows: Sequence[dict[str, Any]], n: int) -> dict[str, Any]:
    """The figures of rows; every share is over all `n` questions, those left out counted as wrong."""

    def share(key: str) -> float:
        return round(sum(float(row.get(key) or 0) for row in rows) / n, 4)

    scored = [row for row in rows if "left_out" not in row]
    return {
        "exact": share("exact"),
        "suite_strict": share("suite_strict"),
        "suite_lenient": share("suite_lenient"),
        "undecided": sum(bool(row.get("undecided")) for row in rows),
        "term_f1": share("term_f1"),
        "valid_rate": share("valid"),
        "unknown_terms": sum(row.get("unknown_terms") or 0 for row in rows),
        "bleu": share("bleu"),
        "token_f1": share("token_f1"),
        "tokens": mean(row["tokens"] for row in scored if "tokens" in row),
        "seconds_per_question": mean(sum(row["seconds"].values()) for row in scored if row.get("seconds")),
        "errors": dict(Counter(row["error"] for row in scored if row["error"]).most_common()),
    }


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--model", default="default")
    parser.add_argument("--variant", default="", help="the prompt variant; by default the model's own")
    parser.add_argument("--candidates", type=int, default=8, metavar="N", help="beams of the search")
    parser.add_argument("--unranked", action="store_true", help="order candidates by probability alone")
    parser.add_argument(
        "--query-reranker", default="default", metavar="FILE|none", help="what reads candidates again"
    )
    parser.add_argument("--whole", action="store_true", help="show a small model all terms at once")
    parser.add_argument("--free", action="store_true", help="without the grammar")
    arguments = parser.parse_args()
    with sentences():
        asked = questions_of(arguments)
        generator = open_generator(arguments.model, LoadOptions())
        reader = None if arguments.unranked else open_query_reranker(arguments.query_reranker)
        linkings, linked = link_all(asked.questions, arguments)
        left_out = Counter(asked.left_out)
        progress = Progress(len(linked), arguments.json)
        rows: list[dict[str, Any]] = []
        for graph, linking in linkings.items():
            mine = [x for x in linked if x.question.graph == graph]
            ready = [x for x in mine if not x.left_out or arguments.linking in ("closed", "full")]
            for x in mine:
                if x not in ready:
                    left_out[x.left_out] += 1
                    rows.append(left_out_row(x.question, x.left_out))
                    progress.tick()
            narrow = arguments.linking != "gold" and not arguments.whole and not arguments.unranked
            writer = Writer(
                generator,
                arguments.variant,
                beams=arguments.candidates,
                retriever=None if arguments.unranked else linking.retriever,
                reader=None if narrow else reader,
                constrained=not arguments.free,
                given=arguments.linking == "gold",
            )
            for written in narrowed(writer, ready, linking, reader) if narrow else writer.write(ready):
                rows.append(scored_row(written, graph, arguments.seed, linking))
                progress.tick()
        write_rows(arguments.rows, rows)
        result = {
            "n": len(asked.questions),
            "left_out": dict(left_out),
            "repairs": dict(asked.repairs),
            **summary(rows, len(asked.questions)),
            "settings": {
                **asked.settings,
                "model": generator.name,
                "variant": arguments.variant or generator.variant,
                "candidates": arguments.candidates,
                "ranked": not arguments.unranked,
                "query_reranker": reader.fingerprint[:12] if reader is not None else "",
                "whole": arguments.whole,
                "constrained": not arguments.free,
            },
        }
        show(result, arguments.json)


def narrowed(
    writer: Writer, asked: Sequence[Linked], linking: Linking, reader: QueryReranker | None = None
) -> Iterator[Written]:
    """What is written to prompts of the best few terms, ordered together as `ontoprompt ask` does it."""
    if not writer.variant.endswith("-symbols"):
        yield from writer.write(asked)
        return
    retriever = linking.retriever
    few = [
        replace(one, fragment=retriever.narrowed(one.fragment, n))
        for one in asked
        for n in retriever.widths(one.fragment) or [len(one.fragment.terms)]
    ]
    by_question: dict[str, list[Written]] = {}
    for written in writer.write(few):
        by_question.setdefault(written.linked.question.id, []).append(written)
    for one in asked:
        parts = by_question[one.question.id]
        cost = Cost(one.question.question, one.fragment, retriever.heard(one.fragment))
        best: dict[str, tuple[Candidate, Written]] = {}
        for part in parts:
            for candidate in part.candidates:
                kept = best.get(candidate.sparql)
                if kept is None or kept[0].score < candidate.score:
                    best[candidate.sparql] = candidate, part
        ordered = rank([candidate for candidate, _ in best.values()], cost, reader)
        shown = best[ordered[0].sparql][1] if ordered else parts[0]
        seconds = {key: sum(part.seconds[key] for part in parts) for key in shown.seconds}
        yield replace(shown, linked=one, candidates=ordered, seconds=seconds)


class Knows(Protocol):
    """Tells the IRIs that a query over a fragment may name."""

    def known(self, fragment: Fragment) -> Collection[str]: ...


def scored_row(written: Written, graph: str, seed: int, linking: Knows) -> dict[str, Any]:
    """The row of a written question; one whose gold does not parse is left out."""
    try:
        gold = sparql.parse(written.linked.question.query)
    except QueryError as error:
        return left_out_row(written.linked.question, f"gold: {error.message[:60]}")
    known = linking.known(written.linked.fragment)
    return row_of(written, score(gold, written.sparql, graph=graph, known=known, seed=seed), gold)


if __name__ == "__main__":
    main()
