"""Questions for constructs that LC-QuAD lacks, over a vocabulary that no training data holds.

    python -m bench.constructs [--model DIR] [--per N] [--vocabulary FILE] [--worded held|other] [--seed N] [--rows FILE] [--json]

20 questions for each of GROUP BY, HAVING, OPTIONAL, MINUS, BIND, SUM, AVG, UNION, property paths and VALUES, made by the
forms of `ontoprompt.construct_forms` over things invented for `bench/vocabularies/museum.ttl`, in wordings that
`ontoprompt synth` never writes (`construct_forms.Wordings`): whatever it makes may be trained on. Setting `pool` of
`bench.links`: the gold terms and entities with 15 and 5 others. Prints suite accuracy and exact match of each
construct; an undecided pair counts as wrong. `--questions FILE` writes the questions alone, for other systems.
"""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

from bench.arguments import show, write_rows
from bench.datasets import Question
from bench.runs import sentences
from bench.vocabulary_links import VocabularyLinking, rows_of, share
from ontoprompt.clauses import Draw, UnfitError
from ontoprompt.construct_forms import CONSTRUCTS
from ontoprompt.errors import UsageError
from ontoprompt.fillings import Filling, invented
from ontoprompt.generation import LoadOptions, open_generator
from ontoprompt.ontology import Ontology, load_ontology
from ontoprompt.styling import named

VOCABULARY = Path(__file__).parent / "vocabularies" / "museum.ttl"
_TRIES = 2000


def questions(filling: Filling, per: int = 20, seed: int = 0, worded: str = "held") -> list[Question]:
    """`per` different questions for each construct, in wordings kept out of training; no two with one query. Raises UsageError where the
    vocabulary gives too few."""
    draw = Draw(filling, worded=worded)
    out: list[Question] = []
    for construct, ask in CONSTRUCTS.items():
        made: dict[str, Question] = {}
        for number in range(_TRIES):
            if len(made) == per:
                break
            draw.rng, draw.variables = Random(f"{seed}/{construct}/{number}"), 0
            try:
                drafted = ask(draw)
            except UnfitError:
                continue
            text, _ = named(drafted.question, filling.labels, False)
            key = f"{construct.lower().replace(' ', '-')}-{len(made) + 1}"
            asked = Question(key, text, (), drafted.query, None, "", drafted.template, "", kind=construct)
            made.setdefault(drafted.query, asked)
        if len(made) < per:
            raise UsageError(
                f"Only {len(made)} questions with {construct} can be made.",
                "Ask for fewer, or give a larger vocabulary.",
            )
        out += made.values()
    return out


def figures(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Suite accuracy and exact match of each construct and of all; what was left out or undecided is wrong."""
    by: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        for key in (row["construct"], "all"):
            by.setdefault(key, []).append(row)
    return {
        key: {
            "n": len(some),
            "suite": share(some, "suite_strict"),
            "exact": share(some, "exact"),
            "undecided": sum(bool(row.get("undecided")) for row in some),
            "left_out": sum("left_out" in row for row in some),
        }
        for key, some in by.items()
    }


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--per", type=int, default=20, metavar="N", help="questions for each construct")
    parser.add_argument("--vocabulary", type=Path, default=VOCABULARY, metavar="FILE")
    parser.add_argument("--linking", choices=("gold", "pool"), default="pool")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--worded",
        choices=("held", "other"),
        default="held",
        help="`other`: by somebody who had seen no template and no part of the program",
    )
    parser.add_argument("--rows", type=Path, metavar="FILE", help="a JSON line for each question")
    parser.add_argument("--questions", type=Path, metavar="FILE", help="write the questions and stop")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    arguments = parser.parse_args()
    with sentences():
        ontology: Ontology = load_ontology([arguments.vocabulary])
        filling = invented(ontology, seed=arguments.seed)
        asked = questions(filling, arguments.per, arguments.seed, arguments.worded)
        if arguments.questions:
            write_rows(
                arguments.questions,
                [{"id": q.id, "question": q.question, "sparql": q.query, "construct": q.kind} for q in asked],
            )
            return
        linking = VocabularyLinking(ontology, filling.labels, setting=arguments.linking, seed=arguments.seed)
        kinds = {q.id: q.kind for q in asked}
        generator = open_generator(arguments.model, LoadOptions())
        rows = rows_of(generator, linking, asked, quiet=arguments.json)
        rows = [{**row, "construct": kinds[row["id"]]} for row in rows]
        write_rows(arguments.rows, rows)
        result = {
            **figures(rows),
            "settings": {
                "model": generator.name,
                "vocabulary": arguments.vocabulary.name,
                "linking": arguments.linking,
                "seed": arguments.seed,
                "worded": arguments.worded,
            },
        }
        show(result, arguments.json)


if __name__ == "__main__":
    main()
