"""Pairs that the generator that ships was trained on, taken apart by what LC-QuAD lacks."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from bench.generator_pairs import apart, forms_over, vocabularies

IRI = "http://example.org/a-minus/"
LACKED = (
    f"SELECT ?g (COUNT(?a) AS ?n) WHERE {{ ?a <{IRI}p> ?g }} GROUP BY ?g",
    f"SELECT ?a WHERE {{ ?a <{IRI}p> ?b MINUS {{ ?a <{IRI}q> ?c }} }}",
    f"SELECT (AVG(?b) AS ?n) WHERE {{ ?a <{IRI}p> ?b }}",
    f"SELECT ?a WHERE {{ ?a <{IRI}p>/<{IRI}q> ?b }}",
    f"SELECT ?a WHERE {{ ?a <{IRI}p>+ ?b }}",
)
KNOWN = (
    f"SELECT ?a WHERE {{ ?a <{IRI}p> ?b . ?b <{IRI}q> <{IRI}x/y+z> }}",
    f"SELECT (COUNT(?a) AS ?n) WHERE {{ ?a <{IRI}p> ?b FILTER(?b > 3) }}",
)


def test_what_lcquad_lacks_is_kept_apart(tmp_path: Path) -> None:
    file = tmp_path / "small.jsonl"
    rows = [json.dumps({"question": f"Which {n}?", "sparql": q}) for n, q in enumerate((*LACKED, *KNOWN))]
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    apart(file)
    for name, wanted in (("constructs", LACKED), ("plain", KNOWN)):
        lines = (tmp_path / f"small-{name}.jsonl").read_text("utf-8").splitlines()
        assert [json.loads(line)["sparql"] for line in lines] == list(wanted)


def test_each_construct_is_asked_over_a_vocabulary_and_both_kinds_of_path() -> None:
    (ontology,) = vocabularies(1, 3)
    rows = [json.loads(line) for line in forms_over(ontology, 3)]
    made = Counter(row["form"] for row in rows)
    assert {"construct-union", "construct-values", "construct-sum", "construct-path-plus"} <= set(made)
    assert made["construct-minus"] == 0 and made["construct-path-plus"] <= 5
    assert all(":kept-" in row["template"] and row["terms"] for row in rows)
    assert rows == [json.loads(line) for line in forms_over(ontology, 3)]
