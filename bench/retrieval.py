"""How often retrieval finds the terms that a question needs.

    python -m bench.retrieval --dataset lcquad1 --split test [--mask-names] [--limit N]

`recall@k`: the mean share of a question's gold terms among the first k; `all_found@k`: the share of questions of which
all are there. Over questions whose gold names at least one term of the vocabulary; the others are left out and counted.
The question's text is all that is used: no graph, no gold link. `--mask-names` hides the gold entities' mentions.

`coverage@tokens`, with `--variant`: the share of questions whose gold terms all stand in the prompt, when as many of the
best terms are written into it as that many tokens of the shipped generator's tokenizer hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

from bench.arguments import parser_of, questions_of, show, write_rows
from bench.links import Linking, by_graph
from bench.runs import sentences
from ontoprompt.fragment import Fragment, ScoredTerm
from ontoprompt.prompts import build_prompt

DEPTHS = (1, 3, 5, 10, 16, 20, 50, 100)
BUDGETS = (100, 200, 300, 450, 600)
_PART = 512


def main() -> None:
    parser = parser_of(__doc__, linking=False)
    parser.add_argument("--mask-names", action="store_true")
    parser.add_argument("--variant", metavar="NAME", help="the prompt that coverage by tokens is counted in")
    arguments = parser.parse_args()
    with sentences():
        asked = questions_of(arguments)
        left_out = Counter(asked.left_out)
        rows: list[dict[str, Any]] = []
        for graph, questions in by_graph(asked.questions).items():
            linking = Linking("gold", graph, data=arguments.data_folder, index=arguments.index)
            rows += _rows(linking, questions, arguments, left_out)
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
            **_coverage(rows),
            "settings": {
                **asked.settings,
                "linking": "none",
                "names_masked": arguments.mask_names,
                "variant": arguments.variant,
            },
        }
        show(result, arguments.json)


def _rows(linking: Linking, questions: Any, arguments: Any, left_out: Counter[str]) -> list[dict[str, Any]]:
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
        texts = [_without_names(x) if arguments.mask_names else x.question.question for x in part]
        for linked, hits in zip(part, linking.retriever.search.search_each(texts, max(DEPTHS)), strict=True):
            assert linked.gold is not None
            wanted = {t.iri for t in linked.gold.terms}
            found = [hit.term.iri for hit in hits]
            covered = _covered(linked, hits, wanted, arguments.variant) if arguments.variant else {}
            rows.append(
                {
                    "id": linked.question.id,
                    "question": linked.question.question,
                    "gold": sorted(wanted),
                    "found": found[:20],
                    "recall": {str(k): len(wanted & set(found[:k])) / len(wanted) for k in DEPTHS},
                    **({"covered": covered} if covered else {}),
                }
            )
    return rows


def _covered(linked: Any, hits: Any, wanted: set[str], variant: str) -> dict[str, bool]:
    """Tokens → whether all gold terms stand in a prompt of at most that many."""
    terms = tuple(ScoredTerm(hit.term, hit.score) for hit in hits)
    labels = {hit.term.iri: hit.term.label for hit in hits}
    fragment = Fragment(linked.question.question, terms, linked.gold.entities, linked.gold.literals, labels)
    out = {}
    for budget in BUDGETS:
        prompt = build_prompt(fragment, variant, budget=budget, count_tokens=_tokens())
        out[str(budget)] = wanted <= {s.term.iri for s in prompt.fragment.terms}
    return out


def _coverage(rows: list[dict[str, Any]]) -> dict[str, Any]:
    counted = [r["covered"] for r in rows if "covered" in r]
    if not counted:
        return {}
    return {
        "coverage@tokens": {str(b): round(sum(c[str(b)] for c in counted) / len(counted), 4) for b in BUDGETS}
    }


@cache
def _tokens() -> Callable[[str], int]:
    from ontoprompt.settings import default_model_dir
    from ontoprompt.training import load_tokenizer

    tokenizer = load_tokenizer(default_model_dir())
    return lambda text: len(tokenizer.encode(text).ids)


def _without_names(linked: Any) -> str:
    text: str = linked.question.question
    for entity in sorted(linked.gold.entities, key=lambda e: -e.start):
        if entity.start >= 0:
            text = f"{text[: entity.start]}it{text[entity.end :]}"
    return text


if __name__ == "__main__":
    main()
