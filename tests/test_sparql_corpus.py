"""The corpus of plain SPARQL: what is kept, with licence and repository, and what is left out."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from ontoprompt.errors import SourceError
from ontoprompt.sparql_corpus import kept, write_corpus

pytest.importorskip("datasets")
ROWS = [
    {"content": "SELECT ?a WHERE { ?a ?b ?c }", "max_stars_repo_name": "o/r", "max_stars_repo_licenses": ["MIT"], "max_stars_repo_path": "a.rq"},
    {"content": "SELECT ?a  WHERE { ?a ?b ?c }\n", "max_stars_repo_name": "o/other", "max_stars_repo_licenses": ["MIT"], "max_stars_repo_path": "b.rq"},
    {"content": "DELETE WHERE { ?a ?b ?c }", "max_stars_repo_name": "o/r", "max_stars_repo_licenses": ["MIT"], "max_stars_repo_path": "c.rq"},
    {"content": "SELECT WHERE", "max_stars_repo_name": "o/r", "max_stars_repo_licenses": ["MIT"], "max_stars_repo_path": "d.rq"},
    {"content": "", "max_stars_repo_name": "o/r", "max_stars_repo_licenses": ["MIT"], "max_stars_repo_path": "e.rq"},
]  # fmt: skip


def test_reasons_are_counted() -> None:
    reasons: Counter[str] = Counter()
    (record,) = kept(ROWS, reasons)
    assert record["licence"] == ["MIT"] and record["repository"] == "o/r" and record["form"] == "select"
    assert reasons == {
        "kept": 1,
        "twice": 1,
        "an update, or escapes": 1,
        "does not parse": 1,
        "no content": 1,
    }


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_files_of_both_kinds_are_read(tmp_path: Path, kind: str) -> None:
    file, out = tmp_path / f"in.{kind}", tmp_path / "out" / "corpus.jsonl"
    if kind == "jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    else:
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(ROWS), file)
    assert write_corpus(str(file), out)["kept"] == 1
    (line,) = out.read_text("utf-8").splitlines()
    assert json.loads(line)["text"] == ROWS[0]["content"]


def test_what_is_not_there_ends_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        write_corpus(str(tmp_path / "none"), tmp_path / "out.jsonl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no parquet"):
        write_corpus(str(tmp_path / "empty"), tmp_path / "out.jsonl")
    import datasets

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(SourceError, match="cannot be had from the hub"):
        write_corpus("nobody/nothing", tmp_path / "out.jsonl")
