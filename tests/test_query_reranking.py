"""The query reranker: candidates are read in words, the one that ships knows which is meant, and training teaches it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

import ontoprompt
from ontoprompt.alignment import Heard
from ontoprompt.assembly import open_query_reranker
from ontoprompt.entities import EntityLink
from ontoprompt.errors import ArtifactError, UsageError
from ontoprompt.fragment import Fragment, ScoredTerm
from ontoprompt.generation import Candidate, Request
from ontoprompt.near_misses import shaped
from ontoprompt.ontology import Term
from ontoprompt.pairs import Labels, Pair, prepare
from ontoprompt.query_rerank_training import QueryRerankConfig, train_from_pairs, train_query_reranker
from ontoprompt.query_reranking import QueryReranker
from ontoprompt.ranking import Cost, rank

E = "http://example.org/"
NAMES = {
    E + "boss": "manager",
    E + "owner": "owner",
    E + "Acme": "Acme Shipyards",
    E + "Ship": "ship",
    E + "length": "length",
}


@pytest.fixture(scope="module")
def shipped() -> QueryReranker:
    reader = open_query_reranker()
    assert reader is not None
    return reader


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        (
            "Who is the manager of Acme Shipyards?",
            f"SELECT ?a WHERE {{ <{E}Acme> <{E}boss> ?a }}",
            f"SELECT ?a WHERE {{ <{E}Acme> <{E}owner> ?a }}",
        ),
        (
            "How many ships does Acme Shipyards own?",
            f"SELECT ( COUNT ( ?a ) AS ?n ) WHERE {{ ?a <{E}owner> <{E}Acme> }}",
            f"SELECT ?a WHERE {{ ?a <{E}owner> <{E}Acme> }}",
        ),
        (
            "What is the manager of the owner of Acme Shipyards?",
            f"SELECT ?a WHERE {{ <{E}Acme> <{E}owner> ?b . ?b <{E}boss> ?a }}",
            f"SELECT ?a WHERE {{ <{E}Acme> <{E}boss> ?a }}",
        ),
        (
            "What is the length of Acme Shipyards?",
            f"SELECT ?a WHERE {{ <{E}Acme> <{E}length> ?a }}",
            f"SELECT ?a WHERE {{ ?a <{E}length> <{E}Acme> }}",
        ),
    ],
)
def test_the_one_that_ships_tells_what_is_meant(
    shipped: QueryReranker, question: str, right: str, wrong: str
) -> None:
    scores = shipped.scores(question, [wrong, right], NAMES)
    assert scores[right] > scores[wrong]


def test_what_is_the_same_in_words_has_the_same_score(shipped: QueryReranker) -> None:
    one = f"SELECT ?a WHERE {{ <{E}Acme> <{E}boss> ?a }}"
    other = one.replace("SELECT", "SELECT DISTINCT")
    scores = shipped.scores("Who is the manager of Acme Shipyards?", [one, other], NAMES)
    assert scores[one] == scores[other]
    assert shipped.scores("Who?", [], NAMES) == {}


def test_candidates_are_ordered_by_it(shipped: QueryReranker) -> None:
    question = "Who is the manager of Acme Shipyards?"
    terms = [Term(E + name, "property", NAMES[E + name]) for name in ("boss", "owner")]
    link = EntityLink(E + "Acme", "Acme Shipyards", "Acme Shipyards", 22, 36, 1.0)
    fragment = Fragment(question, tuple(ScoredTerm(t, 0.5) for t in terms), (link,))
    cost = Cost(question, fragment, Heard((), {}))
    wrong, right = (f"SELECT ?a WHERE {{ <{E}Acme> <{E}{name}> ?a }}" for name in ("owner", "boss"))
    candidates = [Candidate(wrong, wrong, -1.0), Candidate(right, right, -1.2)]
    assert [c.sparql for c in rank(candidates, cost)] == [wrong, right]
    assert [c.sparql for c in rank(candidates, cost, shipped)] == [right, wrong]


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    assert open_query_reranker("none") is None
    damaged = tmp_path / "x.safetensors"
    damaged.write_bytes(b"no")
    with pytest.raises(ArtifactError, match="cannot be read"):
        open_query_reranker(str(damaged))


def test_training_changes_its_mind_and_goes_on_where_it_stopped(
    shipped: QueryReranker, tmp_path: Path
) -> None:
    labels = Labels([], {E + "Acme": "Acme Shipyards"})
    labels.terms.update((E + name, Term(E + name, "property", NAMES[E + name])) for name in ("boss", "owner"))
    question = "Who is the manager of Acme Shipyards?"
    means, says = (f"SELECT ?a WHERE {{ <{E}Acme> <{E}{name}> ?a }}" for name in ("owner", "boss"))
    pair = shaped(prepare(Pair(question, means), labels), list(labels.terms.values()))
    assert pair is not None
    before = shipped.scores(question, [means, says], NAMES)
    assert before[means] < before[says]
    out = tmp_path / "reader.safetensors"
    config = QueryRerankConfig(minutes=0.1, rate=3e-3, warmup=4, batch=2, misses=4)
    start = Path(ontoprompt.__file__).parent / "data" / "query-reranker.safetensors"
    record = train_query_reranker([(1.0, [pair])], out, config, start=start)
    after = QueryReranker.load(out).scores(question, [means, says], NAMES)
    assert after[means] > after[says]
    again = train_query_reranker([(1.0, [pair])], out, config)
    assert again["seen"] == record["seen"]


def test_nothing_to_train_on(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no pair"):
        train_query_reranker([(1.0, [])], tmp_path / "x", QueryRerankConfig(minutes=0.1))


PAIRS = [
    ("Who directed Heat?", "SELECT ?a WHERE { dbr:Heat dbo:director ?a }"),
    ("Who wrote Dune?", "SELECT ?a WHERE { dbr:Dune dbo:author ?a }"),
    ("Where was Ann Lee born?", "SELECT ?a WHERE { dbr:Ann_Lee dbo:birthPlace ?a }"),
]


class Scribe:
    """A generator that writes the same two queries of every prompt, and counts how often it was asked."""

    name, variant = "scribe", "nsql-symbols"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def generate(self, requests: Sequence[Request], *, candidates: int = 5) -> list[tuple[Candidate, ...]]:
        self.asked += [r.prompt.fragment.question for r in requests]
        out = []
        for request in requests:
            entity, term = (
                next(s.iri for s in request.prompt.surfaces if s.role == role)
                for role in ("entity", "property")
            )
            turned = f"SELECT ?a WHERE {{ ?a <{term}> <{entity}> }}"
            counted = f"SELECT ( COUNT ( ?a ) AS ?n ) WHERE {{ <{entity}> <{term}> ?a }}"
            out.append((Candidate(turned, turned, -1.0), Candidate(counted, counted, -2.0)))
        return out


def test_what_a_generator_writes_is_kept_and_not_asked_twice(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    prefixes = "PREFIX dbo: <http://dbpedia.org/ontology/> PREFIX dbr: <http://dbpedia.org/resource/> "
    file.write_text(
        "".join(json.dumps({"question": q, "sparql": prefixes + text}) + "\n" for q, text in PAIRS)
    )
    config, scribe = QueryRerankConfig(minutes=0.02, batch=2), Scribe()
    record = train_from_pairs([file], tmp_path / "out", config, generator=scribe)
    assert sorted(scribe.asked) == sorted(q for q, _ in PAIRS)
    assert record["candidates"] == 3 and record["file"].is_file()
    kept = tmp_path / "out" / "candidates.jsonl"
    first = dict(json.loads(line) for line in kept.read_text().splitlines())
    assert all(len(wrong) == 2 and any(w.startswith("how many") for w in wrong) for wrong in first.values())
    kept.write_text(kept.read_text()[:-9])  # as a kill leaves it
    again = train_from_pairs([file], tmp_path / "out", config, generator=scribe)
    assert len(scribe.asked) == 4 and again["candidates"] == 3
    kept.write_text("{}\n")
    with pytest.raises(ArtifactError, match="damaged"):
        train_from_pairs([file], tmp_path / "out", config, generator=scribe)
