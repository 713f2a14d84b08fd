import errno
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ontoprompt import index_folder
from ontoprompt.embedding import Adapter
from ontoprompt.errors import ArtifactError, UsageError
from ontoprompt.index import OntologyIndex, build_index, term_features
from ontoprompt.ontology import Ontology, Source, Term

EX = "http://example.org/"


class WordEncoder:
    """Each word has a fixed vector; a text is the sum of its words, scaled to length 1."""

    name = "words"

    def __init__(self, dimension: int = 32, fingerprint: str = "words-1") -> None:
        self.dimension, self.fingerprint = dimension, fingerprint
        self.seen: list[str] = []

    def encode(self, texts, *, progress=None):
        self.seen += texts
        out = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
                out[row] += np.random.default_rng(seed).normal(size=self.dimension)
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)


def ontology(*more: Term) -> Ontology:
    terms = (
        Term(EX + "City", "class", "city", ("town", "municipality"), usage=50),
        Term(EX + "mayor", "object_property", "mayor", domain=(EX + "City",), usage=9),
        Term(EX + "population", "datatype_property", "population total", ("inhabitants",), usage=40),
        Term(EX + "name", "property", "name"),
    )
    return Ontology(terms + more, (Source("example.ttl", "00"),), {"ex": EX})


def words(count: int) -> Ontology:
    return Ontology(
        tuple(Term(f"{EX}t{n}", "property", f"word{n} thing{n % 97}", usage=n) for n in range(count))
    )


@pytest.fixture
def folder(tmp_path):
    build_index(ontology(), tmp_path / "index", encoder=WordEncoder())
    return tmp_path / "index"


def open_it(folder) -> OntologyIndex:
    return OntologyIndex.load(folder, WordEncoder())


def test_an_index_opens_as_it_was_built(folder):
    index = open_it(folder)
    assert tuple(index.terms) == ontology().terms
    assert index.ontology == ontology() and index.ontology.prefixes == {"ex": EX}
    assert sorted(path.name for path in folder.iterdir()) == ["index.faiss", "manifest.json", "terms.jsonl"]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["format"] == 1 and manifest["encoder"] == {"name": "words", "fingerprint": "words-1"}
    assert manifest["counts"] == {"terms": 4, "rows": 7, "reused": 0} and manifest["factory"] == "Flat"
    assert manifest["sources"] == [{"name": "example.ttl", "sha256": "00"}]
    for name in ("index.faiss", "terms.jsonl"):
        content = (folder / name).read_bytes()
        assert manifest["files"][name] == {
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    assert index.entities_path is None
    assert [path.name for path in folder.parent.iterdir()] == ["index"]


def test_a_term_scores_by_the_best_of_its_names_and_stands_once(folder):
    hits = open_it(folder).search("municipality", 3)
    assert [hit.term.iri for hit in hits][0] == EX + "City" and hits[0].score == pytest.approx(1, abs=1e-5)
    assert len({hit.term.iri for hit in hits}) == 3
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_of_several_texts_the_best_counts(folder):
    index = open_it(folder)
    both = {hit.term.iri: hit.score for hit in index.search(["mayor", "inhabitants"], 4)}
    assert both[EX + "mayor"] == pytest.approx(1, abs=1e-5) and both[EX + "population"] == pytest.approx(
        1, abs=1e-5
    )
    for iri, score in both.items():
        assert score == pytest.approx(
            max(index.scores(text, [iri])[iri] for text in ("mayor", "inhabitants"))
        )


def test_scores_are_those_of_search(folder):
    index = open_it(folder)
    found = {hit.term.iri: hit.score for hit in index.search("the mayor of a town", 10)}
    assert len(found) == 4
    scores = index.scores("the mayor of a town", [*reversed(found), EX + "unknown"])
    assert list(scores) == list(reversed(found)) and scores == pytest.approx(found)
    assert index.scores("mayor", []) == {} and index.scores([], found) == {} and index.search([], 3) == []


def test_asking_for_no_terms_is_an_error(folder):
    with pytest.raises(UsageError):
        open_it(folder).search("mayor", 0)


def test_many_names_of_one_term_do_not_crowd_out_the_others(tmp_path):
    crowd = Term(EX + "crowd", "class", "crowd", tuple(f"crowd name{n}" for n in range(300)))
    index = build_index(ontology(crowd), tmp_path / "index", encoder=WordEncoder())
    assert {hit.term.iri for hit in index.search("crowd", 5)} == {term.iri for term in index.terms}


@pytest.mark.parametrize("rows", ["Flat", "SQ8", "PQ"])
def test_terms_that_share_a_vector_all_come_back_each_once(tmp_path, monkeypatch, rows):
    if rows == "PQ":
        monkeypatch.setattr("ontoprompt.index_rows._FLAT_ROWS", 5500)
    same = [Term(f"{EX}same{n}", "property", "colour", (f"hue{n}", "shade")) for n in range(60)]
    filling = words(0 if rows == "Flat" else 6000).terms
    index = build_index(Ontology((*same, *filling)), tmp_path / "index", encoder=WordEncoder())
    assert index.manifest.factory.startswith(rows)
    for hits in (index.search("colour", 60), index.search_each(["colour"], 60)[0]):
        found = {hit.term.iri: hit.score for hit in hits}
        assert found.keys() == {term.iri for term in same} and len(hits) == 60
        assert found == pytest.approx(index.scores("colour", found), abs=1e-4)
        assert min(found.values()) == pytest.approx(1, abs=0.02)
    assert index.search("hue7", 1)[0].term.iri == EX + "same7"


def test_many_names_of_one_term_do_not_crowd_out_the_others_of_several_texts(tmp_path):
    crowd = Term(EX + "crowd", "class", "crowd", tuple(f"crowd name{n}" for n in range(300)))
    index = build_index(ontology(crowd), tmp_path / "index", encoder=WordEncoder())
    for hits in index.search_each(["crowd", "mayor"], 5):
        assert {hit.term.iri for hit in hits} == {term.iri for term in index.terms}


@pytest.mark.parametrize("part", [1, 7, 1000])
def test_an_index_built_in_parts_is_the_same_index(tmp_path, monkeypatch, part):
    monkeypatch.setattr("ontoprompt.index_rows._PART", part)
    encoder = WordEncoder()
    build_index(words(20), tmp_path / "index", encoder=WordEncoder())
    index = build_index(words(50), tmp_path / "index", encoder=encoder)
    assert sorted(encoder.seen) == sorted(f"word{n} thing{n}" for n in range(20, 50))
    assert index.manifest.reused == 20
    for n in range(50):
        hit = index.search(f"word{n} thing{n}", 1)[0]
        assert hit.term.iri == f"{EX}t{n}" and hit.score == pytest.approx(1, abs=1e-5)


def test_an_adapter_acts_as_its_two_matrices_its_prior_and_its_bias(tmp_path):
    numbers, encoder = np.random.default_rng(1), WordEncoder()
    shapes = ((32, 32), (32, 32), (33, 7))
    adapter = Adapter(*(numbers.normal(size=s).astype(np.float16) for s in shapes), {EX + "name": 0.75})
    index = build_index(ontology(), tmp_path / "index", encoder=encoder, adapter=adapter)
    question = encoder.encode(["who is mayor"])
    for term in index.terms:
        features = term_features(index.terms)[index.terms.index(term), :-1]
        names = encoder.encode([term.label, *term.aliases])
        both = adapter.apply_question(question) @ adapter.apply_term(names).T
        prior = (question @ adapter.prior[:-1] + adapter.prior[-1]) @ features
        expected = both.max() + prior[0] + adapter.bias.get(term.iri, 0)
        assert index.scores("who is mayor", [term.iri])[term.iri] == pytest.approx(
            expected, rel=5e-3, abs=0.02
        )
    plain = OntologyIndex.load(tmp_path / "index", encoder, use_adapter=False)
    assert plain.search("mayor", 1)[0].score == pytest.approx(1, abs=1e-5)


def test_features_say_usage_kind_and_bias():
    rows = term_features(ontology().terms, Adapter.identity(4))
    assert rows[0].tolist() == [1, 1, 0, 1, 0, 0, 0, 0] and rows[3].tolist() == [0, 0, 1, 0, 0, 0, 1, 0]
    assert 0 < rows[1][0] < rows[2][0] < 1


def test_a_rebuild_encodes_only_what_changed(folder):
    encoder = WordEncoder()
    before = open_it(folder).search("inhabitants", 4)
    index = build_index(ontology(Term(EX + "river", "class", "river")), folder, encoder=encoder)
    assert encoder.seen == ["river"] and index.manifest.reused == 7
    assert [hit for hit in index.search("inhabitants", 5) if hit.term.label != "river"] == before
    other = WordEncoder(fingerprint="words-2")
    assert build_index(ontology(), folder, encoder=other).manifest.reused == 0 and len(other.seen) == 7


def test_a_damaged_old_index_does_not_stop_a_rebuild(folder):
    (folder / "index.faiss").write_bytes(b"x")
    assert build_index(ontology(), folder, encoder=WordEncoder()).manifest.reused == 0


def test_vectors_of_one_byte_a_value_stay_as_they_are_through_rebuilds(tmp_path):
    many = words(6000)
    index = build_index(many, tmp_path / "index", encoder=WordEncoder())
    assert index.manifest.factory == "SQ8"
    first = (tmp_path / "index" / "index.faiss").read_bytes()
    again = build_index(many, tmp_path / "index", encoder=WordEncoder())
    assert again.manifest.reused == 6000 and (tmp_path / "index" / "index.faiss").read_bytes() == first
    exact = WordEncoder().encode([term.label for term in many]) @ WordEncoder().encode(["word17 thing17"])[0]
    assert [hit.term.iri for hit in again.search("word17 thing17", 5)] == [
        many.terms[n].iri for n in np.argsort(-exact)[:5]
    ]


def test_an_adapter_put_on_a_large_index_later_acts_in_full(tmp_path):
    many, encoder = words(6000), WordEncoder()
    build_index(many, tmp_path / "index", encoder=encoder)
    eye = np.eye(32, dtype=np.float32)
    adapter = Adapter(eye, eye, np.zeros((33, 0), np.float32), {EX + "t5999": 3.0})
    index = build_index(many, tmp_path / "index", encoder=encoder, adapter=adapter)
    assert index.manifest.reused == 6000
    assert index.search("word17 thing17", 1)[0].term.iri == EX + "t5999"


def test_what_one_term_of_very_many_has_alone_is_not_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr("ontoprompt.index_rows._FLAT_ROWS", 5500)
    monkeypatch.setattr("ontoprompt.index_rows._TAUGHT", 1000)
    eye = np.eye(32, dtype=np.float32)
    adapter = Adapter(eye, eye, np.zeros((33, 0), np.float32), {EX + "t3001": 3.0})
    index = build_index(words(6000), tmp_path / "index", encoder=WordEncoder(), adapter=adapter)
    assert index.manifest.factory.startswith("PQ")
    assert index.scores("word3001 thing91", [EX + "t3001"])[EX + "t3001"] == pytest.approx(4, abs=0.05)


def test_above_thirty_thousand_rows_the_index_is_scanned_coarsely_and_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr("ontoprompt.index_rows._FLAT_ROWS", 5500)
    index = build_index(words(6000), tmp_path / "index", encoder=WordEncoder())
    assert index.manifest.factory == "PQ10x4fs_64,Refine(SQ8)"
    found = sum(
        index.search(f"word{n} thing{n % 97}", 3)[0].term.iri == f"{EX}t{n}" for n in range(0, 6000, 60)
    )
    assert found >= 95
    score = index.search("word5 thing5", 1)[0].score
    assert index.scores("word5 thing5", [EX + "t5"])[EX + "t5"] == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize("name", ["index.faiss", "terms.jsonl", "adapter.safetensors"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_file_is_noticed_before_it_is_read(tmp_path, name, damage):
    adapter = Adapter.identity(32)
    build_index(ontology(), tmp_path / "index", encoder=WordEncoder(), adapter=adapter)
    path = tmp_path / "index" / name
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif damage == "cut":
        path.write_bytes(content[:-1])
    else:
        path.unlink()
    with pytest.raises(ArtifactError, match="damaged|missing") as caught:
        open_it(tmp_path / "index")
    assert "ontoprompt index" in caught.value.hint


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"format": 1}', '{"format": 1, "files": {}}', '{"format": 9, "files": {}}']
)
def test_a_damaged_manifest_is_said(folder, content):
    (folder / "manifest.json").write_text(content)
    with pytest.raises(ArtifactError):
        open_it(folder)


def test_an_index_of_clusters_asks_to_be_built_again(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "factory": "IVF1264_HNSW32,SQ8"}))
    with pytest.raises(ArtifactError, match="older version"):
        open_it(folder)
    assert build_index(ontology(), folder, encoder=WordEncoder()).manifest.reused == 0


def test_another_encoder_is_refused(folder):
    with pytest.raises(ArtifactError, match="another encoder"):
        OntologyIndex.load(folder, WordEncoder(fingerprint="words-2"))
    with pytest.raises(ArtifactError, match="another encoder"):
        OntologyIndex.load(folder, WordEncoder(dimension=16))


def test_no_index_and_what_is_no_index_are_said(tmp_path):
    with pytest.raises(ArtifactError, match="no index at"):
        open_it(tmp_path / "none")
    with pytest.raises(ArtifactError, match="is no index"):
        open_it(tmp_path)
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(UsageError, match="is no index"):
        build_index(ontology(), tmp_path, encoder=WordEncoder())
    assert (tmp_path / "mine.txt").read_text() == "precious"
    with pytest.raises(UsageError):
        build_index(Ontology(()), tmp_path / "index", encoder=WordEncoder())
    with pytest.raises(UsageError):
        build_index(ontology(), tmp_path / "index", encoder=WordEncoder(), adapter=Adapter.identity(8))


@pytest.mark.parametrize("call", ["write_bytes", "write_text"])
def test_a_full_disk_is_a_sentence_and_leaves_the_old_index(folder, monkeypatch, call):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(Path, call, full)
        with pytest.raises(ArtifactError, match="No space left on device"):
            build_index(ontology(Term(EX + "x", "class", "x")), folder, encoder=WordEncoder())
    assert tuple(open_it(folder).terms) == ontology().terms
    assert [path.name for path in folder.parent.iterdir()] == ["index"]


def test_an_error_while_encoding_leaves_the_old_index(folder):
    class Broken(WordEncoder):
        def encode(self, texts, *, progress=None):
            raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError):
        build_index(ontology(Term(EX + "x", "class", "x")), folder, encoder=Broken())
    assert [path.name for path in folder.parent.iterdir()] == ["index"] and len(open_it(folder).terms) == 4


def test_a_swap_killed_between_its_two_renames_leaves_an_index_that_opens(folder):
    build_index(ontology(Term(EX + "x", "class", "x")), folder.parent / "new", encoder=WordEncoder())
    calls = []

    def rename_once(old, new):
        if calls:
            raise KeyboardInterrupt
        calls.append(old)
        os.rename(old, new)

    with pytest.raises(KeyboardInterrupt):
        index_folder._swap(folder.parent / "new", folder, rename=rename_once)
    assert not folder.exists() and len(open_it(folder).terms) == 4
    assert len(build_index(ontology(), folder, encoder=WordEncoder()).terms) == 4
    assert sorted(path.name for path in folder.parent.iterdir()) == ["index", "new"]


def test_a_link_to_an_index_stays_a_link(folder):
    link = folder.parent / "link"
    link.symlink_to(folder)
    build_index(ontology(Term(EX + "x", "class", "x")), link, encoder=WordEncoder())
    assert link.is_symlink() and len(open_it(folder).terms) == len(open_it(link).terms) == 5


def test_entities_are_indexed_along(tmp_path):
    graph = tmp_path / "graph.ttl"
    graph.write_text(
        "@prefix e: <http://example.org/> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n"
        'e:berlin a e:City ; rdfs:label "Berlin" ; e:mayor e:g . e:g rdfs:label "Franziska Giffey" .\n'
    )
    index = build_index(ontology(), tmp_path / "index", encoder=WordEncoder(), entities_from=graph)
    assert (
        index.entities_path == tmp_path / "index" / "entities.sqlite"
        and index.entities_path.stat().st_size > 0
    )
    with index.entities_path.open("r+b") as file:
        file.seek(100)
        byte = file.read(1)
        file.seek(100)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(ArtifactError, match=r"entities\.sqlite.*damaged"):
        open_it(tmp_path / "index")


def test_a_large_file_is_checked_by_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(index_folder, "_FULL_BYTES", 100)
    monkeypatch.setattr(index_folder, "_BLOCK", 16)
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 8)
    first = index_folder.file_digest(path)
    path.write_bytes(bytes(range(256)) * 8 + b"x")
    assert index_folder.file_digest(path) != first
    path.write_bytes(bytes(range(256)) * 7 + bytes(255) + b"\xfe")
    assert index_folder.file_digest(path) != first


def test_large_files_of_an_index_are_read_as_they_were_written(tmp_path, monkeypatch):
    monkeypatch.setattr(index_folder, "_FULL_BYTES", 100)
    monkeypatch.setattr(index_folder, "_BLOCK", 16)
    build_index(ontology(), tmp_path / "index", encoder=WordEncoder())
    assert len(open_it(tmp_path / "index").terms) == 4
    with (tmp_path / "index" / "index.faiss").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ArtifactError, match="damaged"):
        open_it(tmp_path / "index")


BUILDER = """
import os, sys
from pathlib import Path
from test_index import WordEncoder, words
from ontoprompt.index import build_index
import faiss
for _ in sys.stdin:
    child = os.fork()
    while child == 0:
        for size in range(40, 47):
            build_index(words(size), Path(sys.argv[1]), encoder=WordEncoder())
    print(child, flush=True)
    os.waitpid(child, 0)
"""


def test_a_build_killed_at_any_moment_leaves_an_index_that_opens(tmp_path):
    target = tmp_path / "index"
    build_index(words(40), target, encoder=WordEncoder())
    longest = 0.2  # seconds; more where the machine is slow, so that some builds come through
    root = Path(index_folder.__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(Path(__file__).parent)])}
    command = [sys.executable, "-c", BUILDER, str(target)]
    moments, sizes = random.Random(7), set()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    ) as builder:
        for _ in range(20):
            print("build", file=builder.stdin, flush=True)
            child = int(builder.stdout.readline())
            time.sleep(moments.uniform(0.0, longest))
            os.kill(child, signal.SIGKILL)
            index = OntologyIndex.load(target, WordEncoder())
            sizes.add(len(index.terms))
            longest *= 1.0 if len(sizes) > 1 else 1.2
            assert 40 <= len(index.terms) <= 46 and len(index.search("word3 thing3", 40)) == 40
            assert index.search("word3 thing3", 1)[0].term.iri == EX + "t3"
        builder.stdin.close()
    assert len(sizes) > 1  # some builds came through, so that others were caught in the middle
    build_index(words(41), target, encoder=WordEncoder())
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_the_default_encoder_builds_and_searches(tmp_path):
    from ontoprompt.embedding import load_encoder

    index = build_index(ontology(), tmp_path / "index", encoder=load_encoder())
    opened = OntologyIndex.load(tmp_path / "index")
    assert opened.manifest == index.manifest and opened.manifest.encoder == "default"
    assert opened.search("How many people live in Rome?", 1)[0].term.iri == EX + "population"


def test_the_adapters_that_ship_fit_their_vocabularies() -> None:
    from ontoprompt.assembly import shipped_adapter
    from ontoprompt.embedding import Adapter

    wikidata = shipped_adapter(["http://www.wikidata.org/prop/direct/P31"])
    dbpedia = shipped_adapter(["http://example.org/x", "http://dbpedia.org/ontology/Film"])
    assert shipped_adapter(["http://example.org/x", "http://www.wikidata.org/entity/Q1"]) is None
    assert wikidata is not None and dbpedia is not None and wikidata != dbpedia
    for path in (wikidata, dbpedia):
        adapter = Adapter.load(path)
        assert adapter.question.shape == (384, 384)
    assert any(iri.endswith("/P31") for iri in Adapter.load(wikidata).bias)
