"""What `ontoprompt index` does around the index: flags that do not go together, and an adapter without questions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from test_index import WordEncoder

from ontoprompt import indexing, unlabelled
from ontoprompt.adapting import Recipe
from ontoprompt.cli import main
from ontoprompt.errors import UsageError
from ontoprompt.index import OntologyIndex

SCHEMA = """
@prefix : <http://x.org/> . @prefix owl: <http://www.w3.org/2002/07/owl#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
:Ship a owl:Class . :Harbour a owl:Class . :Call a owl:Class .
:callOf a owl:ObjectProperty ; rdfs:label "stop of" ; rdfs:domain :Call ; rdfs:range :Ship .
:callAt a owl:ObjectProperty ; rdfs:label "stop in" ; rdfs:domain :Call ; rdfs:range :Harbour .
:tonnage a owl:DatatypeProperty ; rdfs:domain :Ship ; rdfs:range xsd:integer .
"""
SENTENCE = "questions made from the vocabulary"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "ships.ttl"
    path.write_text(SCHEMA, encoding="utf-8")
    return path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command, with an encoder of words and few questions."""
    monkeypatch.setattr(indexing, "load_encoder", lambda _: WordEncoder(48))
    monkeypatch.setattr(unlabelled, "_FEWEST", 150)
    monkeypatch.setattr(unlabelled, "_RECIPE", Recipe(epochs=10, batch=32, rate=5e-3, word_dropout=0.0))
    return lambda *arguments: CliRunner().invoke(main, ["index", *map(str, arguments)])


def test_adapt_keeps_an_adapter_with_the_index_and_says_what_it_gave(
    run: Callable[..., Result], source: Path, tmp_path: Path
) -> None:
    result = run(source, "--adapt", "--out", tmp_path / "index")
    assert result.exit_code == 0, result.stderr
    first, second = result.stdout.splitlines()
    assert first.startswith(f"{tmp_path / 'index'}: 6 terms in ") and SENTENCE in second
    assert "making questions" in result.stderr and "train" in result.stderr
    index = OntologyIndex.load(tmp_path / "index", WordEncoder(48))
    assert index.adapter is not None and index.manifest.adapter
    found = {hit.term.iri for hit in index.search("ships in the harbour Rotterdam", 4)}
    assert {"http://x.org/callOf", "http://x.org/callAt"} <= found


def test_where_no_adapter_helps_the_index_is_the_plain_one(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    source = tmp_path / "numbers.ttl"
    source.write_text("<http://x.org/P1> a <http://www.w3.org/1999/02/22-rdf-syntax-ns#Property> .")
    result = run(source, "--adapt", "--out", tmp_path / "index")
    assert result.exit_code == 0 and "The plain encoder stays." in result.stdout
    assert OntologyIndex.load(tmp_path / "index", WordEncoder(48)).adapter is None
    assert not (tmp_path / "index" / "adapter.safetensors").exists()


def test_a_build_that_is_stopped_while_it_trains_leaves_the_old_index(
    run: Callable[..., Result], source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(source, "--out", tmp_path / "index").exit_code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "index").iterdir()}

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(unlabelled, "train_adapter", stopped)
    assert run(source, "--adapt", "--out", tmp_path / "index").exit_code != 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "index").iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "ships.ttl"]


def test_several_sources_are_one_vocabulary(
    run: Callable[..., Result], source: Path, graph: Path, tmp_path: Path
) -> None:
    result = run(source, graph, "--adapt", "--out", tmp_path / "index")
    assert result.exit_code == 0, result.stderr
    index = OntologyIndex.load(tmp_path / "index", WordEncoder(48))
    assert {"http://x.org/callOf", "http://dbpedia.org/ontology/capital"} <= {
        term.iri for term in index.terms
    }
    assert index.adapter is not None and index.adapter.question.shape == (48, 48)


@pytest.mark.parametrize(
    ("sources", "flags", "says"),
    [
        (["x.ttl"], {"pairs": Path("x.jsonl")}, "--adapt and --pairs exclude each other"),
        ([], {}, "--adapt needs a vocabulary"),
        (["x.ttl"], {"name": "a", "out": Path("b")}, "--name and --out exclude each other"),
    ],
)
def test_flags_that_make_no_sense_together_are_refused(
    sources: list[str], flags: dict[str, object], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        indexing.build(sources, adapt=True, **flags)  # type: ignore[arg-type]
