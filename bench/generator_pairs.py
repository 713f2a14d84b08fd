"""Template pairs that the generator that ships was trained on, beside the training data of `bench.datasets`.

    python -m bench.generator_pairs --out DIR [--vocabularies 240] [--per 110] [--large 12000] [--seed 0]

Writes `small.jsonl`, pairs over many small vocabularies that nobody uses, and `small.ttl`, these vocabularies;
`dbpedia.jsonl` and `wikidata.jsonl`, pairs over the bundled ones; of each of the three what LC-QuAD lacks
(`NAME-constructs.jsonl`) and the rest (`NAME-plain.jsonl`), to be weighted apart; `small-forms.jsonl`, of each construct
some pairs over every small vocabulary, however rarely `ontoprompt synth` would come to it; and with `--data-folder` (`ONTOPROMPT_DATA`) `held-1.jsonl`
and `held-2.jsonl`, queries of the training halves of LC-QuAD 1.0 and 2.0 that are to be kept out of training, to decide by.
Vocabularies and wordings that `bench.constructs`, `bench.unseen` and `bench.foreign` measure by are not among them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from bench.runs import sentences
from ontoprompt.clauses import Draw, UnfitError
from ontoprompt.construct_forms import CONSTRUCTS
from ontoprompt.errors import QueryError, UsageError
from ontoprompt.fillings import invented
from ontoprompt.ontology import Ontology, load_ontology
from ontoprompt.pairs import read_pairs
from ontoprompt.settings import bundled
from ontoprompt.small_vocabularies import small_vocabulary, turtle, words_of
from ontoprompt.sparql import canonical, parse
from ontoprompt.styling import Rates, named
from ontoprompt.synth import Counts, SynthConfig, Synthesis, lines, stream
from ontoprompt.table_vocabularies import table_vocabulary
from ontoprompt.wikidata_templates import statement_drafts

# What LC-QuAD's queries never hold; the last is a path, outside IRIs.
_CONSTRUCTS = re.compile(
    r"\b(?:GROUP BY|HAVING|OPTIONAL|MINUS|UNION|VALUES)\b|\b(?:BIND|SUM|AVG) ?\(|[>)][+*]|[>)] ?/ ?[<^(]|\|"
)
# Of small vocabularies that many look like tables.
_TABLES = 0.4
_HELD = 200
# Pairs of each construct over one small vocabulary; the rest `synth` gives often enough.
_FORMS = {
    "UNION": 5, "path": 9, "VALUES": 4, "BIND": 4, "OPTIONAL": 2, "SUM": 3, "GROUP BY": 3, "HAVING": 3, "AVG": 1, "MINUS": 0
}  # fmt: skip
_TRIES = 60


def vocabularies(count: int, seed: int) -> Iterator[Ontology]:
    """Small vocabularies made of the words of the bundled ones."""
    words = words_of(
        [load_ontology([bundled("ontology", name)]) for name in ("dbpedia.ttl", "wikidata-properties.ttl")]
    )
    rng = Random(f"{seed}/generator")
    for number in range(count):
        make = table_vocabulary if rng.random() < _TABLES else small_vocabulary
        yield make(words, number, seed=seed)


def pairs_over(
    ontology: Ontology, count: int, seed: int, names: Sequence[tuple[str, str]] = ()
) -> Iterator[str]:
    """Up to `count` pairs over things invented for an ontology, as JSON lines."""
    filling = invented(ontology, names=list(names), seed=seed)
    try:
        synthesis = Synthesis(
            filling, SynthConfig(count, seed, Rates()), more=statement_drafts(ontology, filling.labels)
        )
        for _, rows in stream(synthesis, Counts()):
            yield lines(rows)[0]
    except UsageError:
        # A small vocabulary is used up.
        return


def forms_over(ontology: Ontology, seed: int) -> Iterator[str]:
    """Pairs for constructs alone, `_FORMS` of each over things invented for an ontology, as JSON lines."""
    filling = invented(ontology, names=[], seed=seed)
    draw = Draw(filling)
    for construct, ask in CONSTRUCTS.items():
        wanted, made = _FORMS[construct], Counter[str]()
        for number in range(_TRIES * wanted):
            if made.total() == wanted:
                break
            draw.rng, draw.variables = Random(f"{seed}/{construct}/{number}"), 0
            try:
                drafted = ask(draw)
            except UnfitError:
                continue
            # Of paths the two kinds in turn: one fits far more often than the other.
            if construct == "path" and made[drafted.form] >= (wanted + 1) // 2:
                continue
            made[drafted.form] += 1
            question, spans = named(drafted.question, filling.labels, draw.rng.random() < Rates().lower)
            row = {
                "question": question,
                "sparql": drafted.query,
                "template": drafted.template,
                "form": drafted.form,
                "terms": list(drafted.terms),
                "entities": [{"iri": i, "label": n, "start": a, "end": b} for i, n, a, b in spans],
            }
            yield json.dumps(row, ensure_ascii=False) + "\n"


def apart(file: Path) -> None:
    """Writes the pairs of a file whose queries hold constructs that LC-QuAD lacks, and the others, to files of their own."""
    rows = file.read_text(encoding="utf-8").splitlines(keepends=True)
    for name, wanted in (("constructs", True), ("plain", False)):
        kept = [row for row in rows if bool(_CONSTRUCTS.search(json.loads(row)["sparql"])) is wanted]
        file.with_name(f"{file.stem}-{name}.jsonl").write_text("".join(kept), encoding="utf-8")


def held_out(file: Path, count: int, seed: int) -> Iterator[str]:
    """Questions with a query each, no query twice."""
    pairs = sorted(read_pairs(file), key=lambda p: p.question)
    Random(f"{seed}/held").shuffle(pairs)
    seen: set[str] = set()
    for pair in pairs:
        try:
            key = canonical(parse(pair.query))
        except QueryError:
            continue
        if key not in seen and len(seen) < count:
            seen.add(key)
            yield json.dumps({"question": pair.question, "sparql": pair.query}, ensure_ascii=False) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--vocabularies", type=int, default=240, metavar="N")
    parser.add_argument("--per", type=int, default=110, metavar="N", help="pairs for each of them")
    parser.add_argument(
        "--large", type=int, default=12_000, metavar="N", help="pairs for each bundled vocabulary"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-folder", type=Path, default=os.environ.get("ONTOPROMPT_DATA"))
    arguments = parser.parse_args()
    with sentences():
        write(arguments)


def write(arguments: Any) -> None:
    """All files."""
    out, seed = arguments.out, arguments.seed
    out.mkdir(parents=True, exist_ok=True)
    made = 0
    with (
        (out / "small.jsonl").open("w", encoding="utf-8") as pairs,
        (out / "small-forms.jsonl").open("w", encoding="utf-8") as forms,
        (out / "small.ttl").open("w", encoding="utf-8") as terms,
    ):
        for number, ontology in enumerate(vocabularies(arguments.vocabularies, seed)):
            text = list(turtle(ontology))
            # The prefixes are said once.
            terms.writelines(line for line in text if made == 0 or not line.startswith("@prefix"))
            for part in pairs_over(ontology, arguments.per, seed + number):
                pairs.write(part)
                made += part.count("\n")
            forms.writelines(forms_over(ontology, seed + number))
    print(f"small.jsonl: {made:,} pairs", file=sys.stderr)
    folder = arguments.data_folder
    labels = folder / "wikidata" / "entity-labels.tsv" if folder else None
    items: list[tuple[str, str]] = []
    if labels is not None and labels.is_file():
        rows = (line.split("\t") for line in labels.read_text("utf-8").splitlines() if "\t" in line)
        items = [(f"http://www.wikidata.org/entity/{iri}", label) for iri, label, *_ in rows]
    for name, file, known in (("dbpedia", "dbpedia.ttl", []), ("wikidata", "wikidata-properties.ttl", items)):
        text = "".join(pairs_over(load_ontology([bundled("ontology", file)]), arguments.large, seed, known))
        (out / f"{name}.jsonl").write_text(text, encoding="utf-8")
        print(f"{name}.jsonl: {text.count(chr(10)):,} pairs", file=sys.stderr)
    for name in ("small", "dbpedia", "wikidata"):
        apart(out / f"{name}.jsonl")
    if folder:
        for number, file in (("1", "lcquad1/train.jsonl"), ("2", "lcquad2/train_part.jsonl")):
            (out / f"held-{number}.jsonl").write_text(
                "".join(held_out(folder / file, _HELD, seed)), encoding="utf-8"
            )


if __name__ == "__main__":
    main()
