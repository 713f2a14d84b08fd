"""Pairs of `synth`: they hold on their graph, are the same for a seed, and a stopped run ends as one that was not."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pyoxigraph
import pytest
from click.testing import CliRunner

from ontoprompt.cli import main
from ontoprompt.errors import ArtifactError, SourceError, UsageError
from ontoprompt.fillings import Filling, invented
from ontoprompt.nspm import read_templates
from ontoprompt.ontology import Ontology, Term, load_ontology
from ontoprompt.phrases import article, plural, say, singular, spoken
from ontoprompt.settings import bundled, default_graph
from ontoprompt.sparql import check_read_only, parse
from ontoprompt.styling import Rates, named, styled
from ontoprompt.synth import Counts, SynthConfig, Synthesis, held_file, stream, write

ROOT = Path(__file__).parent.parent
UNSEEN = ROOT / "bench" / "vocabularies" / "orkg.ttl"


@pytest.fixture(scope="module")
def filling() -> Filling:
    return invented(load_ontology([UNSEEN]), seed=1)


def made(filling: Filling, count: int = 600, **settings: Any) -> list[dict[str, Any]]:
    synthesis = Synthesis(filling, SynthConfig(count, **settings))
    return [dict(row.record) for _, rows in stream(synthesis, Counts()) for row in rows]


def answered(store: pyoxigraph.Store, query: str) -> bool:
    result = store.query(query)
    return isinstance(result, pyoxigraph.QueryBoolean) or next(iter(result), None) is not None


def loaded(filling: Filling) -> pyoxigraph.Store:
    store = pyoxigraph.Store()
    store.load("".join(filling.triples()).encode(), format=pyoxigraph.RdfFormat.N_TRIPLES)
    return store


def test_every_query_reads_only_and_returns_something(filling: Filling) -> None:
    store = loaded(filling)
    rows = made(filling)
    assert len(rows) == 600
    for row in rows[:100]:
        check_read_only(parse(row["sparql"]))
    assert [r for r in rows if not answered(store, r["sparql"])] == []


def test_several_processes_make_the_same_pairs(filling: Filling) -> None:
    rows = {}
    for jobs in (1, 3):
        synthesis = Synthesis(filling, SynthConfig(1500, templates_held=0.1))
        rows[jobs] = [
            (n, row.question, row.held)
            for n, some in stream(synthesis, Counts(), start=2, jobs=jobs)
            for row in some
        ]
    assert rows[1] == rows[3] and rows[1][0][0] == 2


def test_all_constructs_are_made() -> None:
    filling = invented(load_ontology([UNSEEN, UNSEEN.with_name("dblp.ttl")]), seed=1)
    text = "\n".join(row["sparql"] for row in made(filling, 2500))
    wanted = "ASK|COUNT|SUM|AVG|GROUP BY|HAVING|UNION|OPTIONAL|MINUS|NOT EXISTS|BIND|VALUES|ORDER BY|YEAR|STRSTARTS|CONTAINS|REGEX"
    assert {word for word in wanted.split("|") if word not in text} == set()
    assert re.search(r">[+]", text)
    assert re.search(r">\|<", text)


def test_counts_over_dbpedia_have_the_form_of_its_questions_too() -> None:
    kinds = [Term(f"http://dbpedia.org/ontology/{name}", "class", name.lower()) for name in ("Film", "City")]
    links = [
        Term(f"http://dbpedia.org/ontology/{name}", "object_property", name, domain=(kinds[0].iri,))
        for name in ("maker", "origin", "studio")
    ]
    made_here = made(invented(Ontology((*kinds, *links))), 800)
    counts = [row["sparql"] for row in made_here if row["form"] in ("count", "attribute")]
    assert any("SELECT DISTINCT (COUNT(?a)" in query for query in counts)
    assert any("SELECT (COUNT(DISTINCT ?x)" in query for query in counts)


def test_counts_elsewhere_have_one_form(filling: Filling) -> None:
    assert not any("SELECT DISTINCT (COUNT" in row["sparql"] for row in made(filling))


def test_entities_stand_where_the_question_names_them(filling: Filling) -> None:
    for row in made(filling):
        for entity in row["entities"]:
            assert row["question"][entity["start"] : entity["end"]].lower() == entity["label"].lower()
            assert f"<{entity['iri']}>" in row["sparql"]
        assert not set("\x02\x03\x04{}") & set(row["question"])
        assert all(iri in row["sparql"] for iri in row["terms"])


def test_a_seed_gives_the_same_pairs_and_another_seed_others(filling: Filling) -> None:
    first = made(filling, 80)
    assert first == made(filling, 80)
    assert first != made(filling, 80, seed=5)


def test_no_pair_comes_twice(filling: Filling) -> None:
    pairs = Counter((row["question"], row["sparql"]) for row in made(filling, 1500))
    assert max(pairs.values()) == 1


def test_a_stopped_run_ends_as_one_that_was_not(filling: Filling, tmp_path: Path) -> None:
    config = SynthConfig(1300, templates_held=0.1, terms_held=0.05)
    whole, stopped = tmp_path / "whole.jsonl", tmp_path / "stopped.jsonl"
    write(Synthesis(filling, config), whole, {})

    class Stop(Exception):
        pass

    def stop(*_: Any) -> None:
        raise Stop

    for _ in range(2):
        with pytest.raises(Stop):
            write(Synthesis(filling, config), stopped, {}, progress=stop)
    with (tmp_path / "stopped.jsonl.part").open("ab") as part:
        part.write(b'{"half a l')
    write(Synthesis(filling, config), stopped, {})
    assert stopped.read_bytes() == whole.read_bytes()
    assert held_file(stopped).read_bytes() == held_file(whole).read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith("stopped")) == [
        "stopped.card.md", "stopped.held.jsonl", "stopped.jsonl",
    ]  # fmt: skip


def test_another_run_does_not_go_on_with_this_one(filling: Filling, tmp_path: Path) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(Synthesis(filling, SynthConfig(1300)), tmp_path / "x.jsonl", {}, progress=stop)
    with pytest.raises(ArtifactError, match="other settings"):
        write(Synthesis(filling, SynthConfig(1300, seed=9)), tmp_path / "x.jsonl", {})


def test_held_out_templates_and_terms_are_in_one_file_only(filling: Filling, tmp_path: Path) -> None:
    out = tmp_path / "pairs.jsonl"
    counts = write(Synthesis(filling, SynthConfig(800, templates_held=0.2, terms_held=0.1)), out, {})
    main_rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    held = [json.loads(line) for line in held_file(out).read_text("utf-8").splitlines()]
    assert len(main_rows) == 800 and len(held) == counts.held > 50
    templates = {row["template"] for row in held if row["held"] == "template"}
    assert templates and not templates & {row["template"] for row in main_rows}
    known = {iri for row in main_rows for iri in row["terms"]}
    assert all(set(row["terms"]) - known for row in held if row["held"] == "term")
    assert f"held out: {counts.held}" in (tmp_path / "pairs.card.md").read_text("utf-8")


def test_what_cannot_give_as_many_ends_in_a_sentence(filling: Filling) -> None:
    small = Filling("x", filling.terms, made_up=True).arrange()
    with pytest.raises(UsageError, match="nothing to ask about"):
        Synthesis(small, SynthConfig())
    with pytest.raises(UsageError, match="different pairs"):
        made(filling, 10, terms_held=1.0)


def test_words() -> None:
    assert [plural(n) for n in ("city", "place of birth", "person", "data", "capital cities")] == [
        "cities", "places of birth", "people", "data", "capital cities",
    ]  # fmt: skip
    assert (singular("cities"), article("island"), article("city")) == ("city", "an island", "a city")
    assert [spoken(t) for t in ("birthPlace", "Birth Place", "IUCN code", "film (work)")] == [
        "birth place", "birth place", "IUCN code", "film",
    ]  # fmt: skip


def test_phrases_follow_the_form_of_the_label(filling: Filling) -> None:
    def said(label: str) -> Any:
        return say(Term("http://x.org/p", "object_property", label), {})

    assert "which films were painted by {x}" in [f"which films {p}" for p in said("painted by").preds]
    assert "how many rooms does {x} have?" in said("number of rooms").asks
    assert "what is {x} part of?" in said("part of").asks
    assert "what does {x} play for?" in said("plays for").asks
    assert "who is the mayor of {x}?" in said("mayor").asks


def test_slips_spare_names_and_rates_are_kept() -> None:
    rng = Random(0)
    mark = "\x02http://x.org/e\x03"
    every = Rates(polite=0, lower=0, typos=1, bare=0, turned=0)
    for _ in range(50):
        text, entities = named(
            styled(f"what is the capital of {mark}?", every, rng), {"http://x.org/e": "Australia"}, False
        )
        assert text[entities[0][2] : entities[0][3]] == "Australia"
        assert text != "What is the capital of Australia?"


def test_the_sample_graph_answers_every_pair(tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    done = CliRunner().invoke(
        main,
        [
            "synth",
            str(default_graph()),
            "--kg",
            str(default_graph()),
            "--sample",
            "60",
            "--count",
            "300",
            "--out",
            str(out),
        ],
    )
    assert done.exit_code == 0, done.output
    store = pyoxigraph.Store()
    store.load(path=str(default_graph()), format=pyoxigraph.RdfFormat.TURTLE)
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert len(rows) == 300
    assert [row for row in rows if not answered(store, row["sparql"])] == []


def test_an_endpoint_fills_templates(endpoint: Any, graph_store: pyoxigraph.Store) -> None:
    endpoint.replies = [graph_store]
    done = CliRunner().invoke(main, ["synth", endpoint.url, "--count", "20"])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.output.splitlines() if line.startswith("{")]
    assert len(rows) == 20
    assert all(answered(graph_store, row["sparql"]) for row in rows)
    assert not rows[0]["provenance"]["invented"]


def test_wikidatas_statement_forms_are_made() -> None:
    done = CliRunner().invoke(
        main, ["synth", str(bundled("ontology", "wikidata-properties.ttl")), "--count", "60"]
    )
    assert done.exit_code == 0, done.output[-300:]
    assert "ps:P" in done.output and "pq:P" in done.output


NSPM = (
    "dbo:Country;;;What is the capital of <A>?;SELECT ?x WHERE { <A> dbo:capital ?x };"
    "SELECT DISTINCT ?a WHERE { ?a dbo:capital [] };capital\n"
    ";;;Is <A> the capital of <B>?;ASK { <B> dbo:capital <A> };SELECT DISTINCT ?a, ?b WHERE { ?b dbo:capital ?a };is-capital\n"
)


def test_nspms_templates_are_filled(tmp_path: Path, graph: Path) -> None:
    file, out = tmp_path / "t.csv", tmp_path / "p.jsonl"
    file.write_text(NSPM, encoding="utf-8")
    flags = [
        "--templates",
        str(file),
        "--only-templates",
        "--count",
        "6",
        "--kg",
        str(graph),
        "--out",
        str(out),
    ]
    done = CliRunner().invoke(main, ["synth", str(graph), *flags])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert {row["template"] for row in rows} == {"capital", "is-capital"}
    assert any("Georgia" in row["question"] or "georgia" in row["question"] for row in rows)
    assert all(row["terms"] == ["http://dbpedia.org/ontology/capital"] for row in rows)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a;b;c\n", "fields"),
        (";;;What of <A>?;ASK { <B> ?p ?o };x\n", "placeholders"),
        (";;;Of <A>?;ASK <A>;x\n", "no SPARQL"),
        ("\n", "no template"),
    ],
)
def test_a_bad_template_file_is_named_by_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "t.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=said):
        read_templates(file)


def test_what_is_held_out_needs_a_file() -> None:
    done = CliRunner().invoke(main, ["synth", str(UNSEEN), "--hold-out-terms", "0.5"])
    assert done.exit_code == 2 and "second file" in done.output
