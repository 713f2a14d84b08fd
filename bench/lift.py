"""What retrieval and the grammar give one and the same model over a plain prompt.

    python -m bench.lift --model openai:http://localhost:8000/v1#NAME --dataset lcquad2 --split test --linking closed --limit 200

Any model that `--model` takes: a server (`openai:` for chat, `completions:` for a model that goes on with a text), a folder,
a hub name. The same questions are asked three times, one candidate each: `plain` shows the question alone, `retrieval` the
terms and entities found for it (variant `nsql`, or what the model was trained on), `grammar` the same with decoding held to
the grammar: of a server only if it takes one, which `held` tells. Shares are over all questions, those left out counted as
wrong: `parses` of queries that parse, `known` of those that also name no term beyond the vocabulary.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from bench.arguments import Progress, parser_of, questions_of, show, write_rows
from bench.generation import left_out_row, link_all, scored_row, summary
from bench.links import Linked, Linking
from bench.runs import sentences
from bench.writing import Writer
from ontoprompt.generation import Generator, LoadOptions, open_generator

# Step → whether retrieved terms are shown, whether decoding is held.
STEPS = {"plain": (False, False), "retrieval": (True, False), "grammar": (True, True)}
_PLAIN = "question"


def measured(
    generator: Generator, step: str, variant: str, linkings: dict[str, Linking], linked: Sequence[Linked], seed: int, tick: Progress
) -> tuple[dict[str, Any], list[dict[str, Any]]]:  # fmt: skip
    """The figures of one step, and its rows."""
    shown, constrained = STEPS[step]
    rows: list[dict[str, Any]] = []
    began = time.monotonic()
    for graph, linking in linkings.items():
        mine = [x for x in linked if x.question.graph == graph]
        ready = [x for x in mine if not x.left_out or linking.setting in ("closed", "full")]
        rows += [left_out_row(x.question, x.left_out) for x in mine if x not in ready]
        writer = Writer(generator, variant if shown else _PLAIN, beams=1, constrained=constrained)
        for written in writer.write(ready):
            rows.append({"step": step, **scored_row(written, graph, seed, linking)})
            tick.tick()
    found = summary(rows, len(linked))
    known = sum(bool(row.get("valid")) and not row.get("unknown_terms") for row in rows) / len(linked)
    return {
        "n": len(linked),
        "parses": found["valid_rate"],
        "known": round(known, 4),
        "exact": found["exact"],
        "suite": found["suite_strict"],
        "term_f1": found["term_f1"],
        "seconds_per_question": round((time.monotonic() - began) / len(linked), 2),
    }, rows


def main() -> None:
    parser = parser_of(__doc__)
    parser.set_defaults(linking="closed")
    parser.add_argument("--model", default="default")
    parser.add_argument("--variant", default="", help="of the prompt with terms; by default the model's own")
    arguments = parser.parse_args()
    with sentences():
        asked = questions_of(arguments)
        generator = open_generator(arguments.model, LoadOptions())
        linkings, linked = link_all(asked.questions, arguments)
        tick = Progress(len(STEPS) * len(linked), arguments.json)
        result: dict[str, Any] = {}
        rows: list[dict[str, Any]] = []
        for step in STEPS:
            result[step], some = measured(
                generator,
                step,
                arguments.variant or generator.variant,
                linkings,
                linked,
                arguments.seed,
                tick,
            )
            rows += some
        write_rows(arguments.rows, rows)
        result["settings"] = {
            **asked.settings,
            "model": generator.name,
            "variant": arguments.variant or generator.variant,
            "linking": arguments.linking,
            "held": getattr(generator, "held", True),
        }
        show(result, arguments.json)


if __name__ == "__main__":
    main()
