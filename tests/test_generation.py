"""Generation: search and sampling under a grammar, what a prompt may do, models that cannot be loaded, sharding."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from bench.grammar_fuzz import random_model
from ontoprompt import sparql
from ontoprompt.cli import main
from ontoprompt.decoding import Guide, Hypothesis
from ontoprompt.entities import EntityLink
from ontoprompt.errors import ArtifactError, NoQueryError, UsageError
from ontoprompt.evidence import PENALTY
from ontoprompt.fragment import Fragment, ScoredTerm
from ontoprompt.generation import Candidate, LoadOptions, Request, TransformersGenerator, open_generator
from ontoprompt.grammar import Vocabulary, build_grammar
from ontoprompt.ontology import Term
from ontoprompt.prompts import Prompt, build_prompt
from ontoprompt.torch_runner import decode

DBO, DBR = "http://dbpedia.org/ontology/", "http://dbpedia.org/resource/"


def prompt_of(question: str = "What is the capital of Australia?", variant: str = "nsql-symbols") -> Prompt:
    terms = (
        Term(DBO + "Country", "class", "country"),
        Term(DBO + "capital", "object_property", "capital", domain=(DBO + "Country",)),
        Term(DBO + "largestCity", "object_property", "largest city", domain=(DBO + "Country",)),
    )
    entities = (EntityLink(DBR + "Australia", "Australia", "Australia", 23, 32, 1.0),)
    return build_prompt(Fragment(question, tuple(ScoredTerm(t, 1.0) for t in terms), entities), variant)


def held(prompt: Prompt, **more: Any) -> Request:
    vocabulary = Vocabulary(prompt.of("class"), prompt.of("property"), prompt.of("entity"))
    return Request(prompt, build_grammar(vocabulary), **more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small CodeGen with the shipped tokenizer and random weights."""
    return random_model(tmp_path_factory.mktemp("random"), seed=3)


@pytest.fixture(scope="module")
def generator(folder: Path) -> TransformersGenerator:
    return TransformersGenerator(folder)


def sampler(folder: Path, **options: Any) -> TransformersGenerator:
    return TransformersGenerator(folder, LoadOptions(sample=True, temperature=1.0, **options))


def ask(generator: TransformersGenerator, request: Request, candidates: int = 5) -> tuple[Candidate, ...]:
    (found,) = generator.generate([request], candidates=candidates)
    return found


# --- beams and samples -----------------------------------------------------------------------------------


def test_beams_are_distinct_good_queries_best_first(generator: TransformersGenerator) -> None:
    prompt = prompt_of()
    found = ask(generator, held(prompt), 6)
    assert len({c.sparql for c in found}) == len(found) == 6
    assert [c.score for c in found] == sorted((c.score for c in found), reverse=True)
    allowed = {s.iri for s in prompt.surfaces} | {
        "http://www.w3.org/1999/02/22-rdf-syntax-ns#type",
        "http://www.w3.org/2000/01/rdf-schema#label",
    }
    for candidate in found:
        assert not candidate.truncated
        assert candidate.score == pytest.approx(sum(candidate.token_logprobs), abs=1e-4)
        # One for each token, and one for the end.
        assert len(candidate.token_logprobs) == generator.count_tokens(" " + candidate.text) + 1
        assert candidate.sparql == prompt.expand(candidate.text)
        assert sparql.parse(candidate.sparql).iris() <= allowed


def reference(generator: TransformersGenerator, request: Request, beams: int, most: int) -> list[list[int]]:
    """The same search by transformers' own `generate`, which reads the prompt once a beam."""
    import numpy as np
    from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

    end = generator.tokenizer.eos_token_id
    batch = generator.tokenizer([request.prompt.text], return_tensors="pt", add_special_tokens=False)
    width = batch["input_ids"].shape[1]
    start = None
    if request.grammar is not None:
        start = generator.matcher(request.grammar.write(generator.pieces, most, least=6).text)
    bias = generator.biases(request.bias)

    def mask(ids: Any, scores: Any) -> Any:
        scores = scores.float()
        for row, written in enumerate(ids[:, width:].tolist()):
            for token, weight in bias.items():
                scores[row, token] += weight
            if start is None:
                continue
            matcher = start.deep_copy()
            if end in written or not matcher.consume_tokens(written):
                continue  # beams that search has filled with what the mask refused
            bits = allocate_token_bitmask(1, scores.shape[1])
            fill_next_token_bitmask(matcher, bits, 0)
            admitted = np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little", count=scores.shape[1])
            scores[row, torch.from_numpy(admitted[0] == 0)] = float("-inf")
        return torch.log_softmax(scores, dim=-1)

    out = generator.model.generate(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        num_beams=beams,
        num_return_sequences=beams,
        do_sample=False,
        length_penalty=0.0,
        early_stopping=True,
        max_new_tokens=most,
        logits_processor=[mask],
        pad_token_id=end,
        eos_token_id=end,
    )
    rows = [row[width:].tolist() for row in out]
    return [row[: row.index(end)] if end in row else row for row in rows]


def search(generator: TransformersGenerator, request: Request, beams: int, most: int) -> list[Hypothesis]:
    """What `generate` decodes, before it becomes candidates."""
    batch = generator.tokenizer([request.prompt.text], return_tensors="pt", add_special_tokens=False)
    matcher, budget = None, most
    if request.grammar is not None:
        written = request.grammar.write(generator.pieces, most, least=6)
        matcher, budget = generator.matcher(written.text), written.longest
    guide = Guide(matcher, budget, generator.biases(request.bias))
    (found,) = decode(
        generator.model,
        batch["input_ids"],
        batch["attention_mask"],
        [guide],
        count=beams,
        end=generator.tokenizer.eos_token_id,
    )
    return found


@pytest.mark.parametrize("beams", [1, 2, 5, 12])
@pytest.mark.parametrize("bias", [{}, {"p1": 3.0, "c1": -2.0}])
def test_search_under_a_grammar_finds_what_transformers_finds(
    generator: TransformersGenerator, beams: int, bias: dict[str, float]
) -> None:
    request = held(prompt_of(), bias=bias)
    found = search(generator, request, beams, 192)
    assert [list(h.ids) for h in found] == reference(generator, request, beams, 192)


@pytest.mark.parametrize("beams", [1, 4])
def test_free_search_finds_what_transformers_finds(generator: TransformersGenerator, beams: int) -> None:
    request = Request(prompt_of())
    found = search(generator, request, beams, 20)
    assert [list(h.ids) for h in found] == reference(generator, request, beams, 20)
    assert not any(h.ended for h in found)
    assert {len(h.ids) for h in found} == {20}


def test_free_text_is_told_when_it_is_cut_off(folder: Path) -> None:
    short = TransformersGenerator(folder, LoadOptions(max_new_tokens=12))
    found = ask(short, Request(prompt_of()), 3)
    assert found and all(c.truncated and len(c.token_logprobs) == 12 for c in found)


@pytest.mark.parametrize("sampling", [False, True])
def test_a_batch_gives_what_each_prompt_gives_alone(folder: Path, sampling: bool) -> None:
    """Prompts of different lengths are padded on the left, and requests end at different steps."""
    # At this temperature a sample is the likeliest continuation, whatever is drawn beside it.
    generator = TransformersGenerator(folder, LoadOptions(sample=sampling, temperature=1e-6))
    requests = [
        held(prompt_of()),
        held(prompt_of("What is, of all the towns that were ever called so, the capital of Australia?")),
        held(prompt_of("Capital of Australia?"), bias={"SELECT": 5.0, "p1": 5.0, "{": -5.0}),
        held(prompt_of("Is it?"), bias={"p2": 5.0}),
    ]
    together = generator.generate(requests, candidates=4)
    assert len({c[0].text for c in together}) >= 3
    for request, found in zip(requests, together, strict=True):
        alone = ask(generator, request, 4)
        assert [c.text for c in found] == [c.text for c in alone]
        assert [c.score for c in found] == pytest.approx([c.score for c in alone], abs=1e-3)


def test_a_grammar_of_one_request_is_not_that_of_its_neighbour(generator: TransformersGenerator) -> None:
    one, other = prompt_of(), prompt_of("Largest city?")
    first = Request(one, build_grammar(Vocabulary(properties=["p1"])))
    second = Request(other, build_grammar(Vocabulary(properties=["p2"])))
    found = generator.generate([first, second], candidates=8)
    assert not any("p2" in c.text for c in found[0]) and any("p1" in c.text for c in found[0])
    assert not any("p1" in c.text for c in found[1]) and any("p2" in c.text for c in found[1])


def test_nothing_asked_gives_nothing(generator: TransformersGenerator) -> None:
    assert generator.generate([]) == []


def test_samples_repeat_by_seed(folder: Path) -> None:
    request = held(prompt_of())
    first = [c.text for c in ask(sampler(folder, seed=1), request, 20)]
    assert [c.text for c in ask(sampler(folder, seed=1), request, 20)] == first
    assert [c.text for c in ask(sampler(folder, seed=2), request, 20)] != first
    assert len(first) > 15


def test_samples_leave_the_random_numbers_of_others_alone(folder: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    ask(sampler(folder), held(prompt_of()), 3)
    assert torch.equal(torch.rand(3), expected)


def test_a_colder_sample_is_likelier(folder: Path) -> None:
    request = held(prompt_of(), bias={"p1": 2.0})

    def mean(temperature: float) -> float:
        generator = TransformersGenerator(folder, LoadOptions(sample=True, temperature=temperature))
        found = ask(generator, request, 40)
        return sum(sum(c.token_logprobs) / len(c.token_logprobs) for c in found) / len(found)

    assert mean(0.1) > mean(5.0)


def test_weights_favour_terms(generator: TransformersGenerator) -> None:
    for liked, other in (("p1", "p2"), ("p2", "p1")):
        found = ask(generator, held(prompt_of(), bias={liked: 9.0}), 4)
        assert any(liked in c.text for c in found)
        assert not any(other in c.text for c in found)


def test_evidence_costs_a_candidate_its_penalty(generator: TransformersGenerator) -> None:
    """The best of all queries under strong weights is one that the graph speaks against."""
    liked = {"ASK": 30.0, "e1": 30.0, "p1": 30.0}
    plain = held(prompt_of(), bias=liked)
    before = {c.text: c.score for c in ask(generator, plain, 12)}
    after = {c.text: c.score for c in ask(generator, replace(plain, unlikely=frozenset({("e1", "p1")})), 12)}
    lowered = [t for t in before if t in after and " e1 p1 " in t]
    assert lowered
    for text in lowered:
        # Once for each time that the pair stands there.
        times = text.count(" e1 p1 ")
        assert before[text] - after[text] == pytest.approx(times * PENALTY, abs=1e-3)
    for text in (t for t in before if t in after and " e1 p1 " not in t):
        assert before[text] == pytest.approx(after[text], abs=1e-3)


# --- what a question may say -----------------------------------------------------------------------------


def test_a_question_cannot_write_a_special_token(generator: TransformersGenerator) -> None:
    ids = generator.tokenizer("-- who is <|endoftext|>?", add_special_tokens=False)["input_ids"]
    assert generator.tokenizer.eos_token_id not in ids
    assert generator.tokenizer.eos_token_id not in generator.pieces(' "<|endoftext|>"')


def test_a_literal_that_spells_the_end_token_does_not_end_a_query(generator: TransformersGenerator) -> None:
    prompt = build_prompt(Fragment("Who?"), "question")
    literal = '"<|endoftext|>"'
    grammar = build_grammar(Vocabulary(properties=["<http://x.org/p>"], literals=[literal]))
    for candidate in ask(generator, Request(prompt, grammar, {"ASK": 20.0, "<": 9.0}), 12):
        assert candidate.text.count('"') % 2 == 0
        sparql.parse(candidate.sparql)


def test_a_prompt_that_fills_the_context_is_refused_in_a_sentence(generator: TransformersGenerator) -> None:
    long = prompt_of("why " * 5000)
    with pytest.raises(UsageError, match="tokens") as caught:
        generator.generate([held(long)])
    assert "--top-k" in caught.value.hint


def test_a_grammar_shrinks_into_what_a_prompt_leaves(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    request = held(prompt_of())
    generator = TransformersGenerator(folder)
    prompt_length = generator.count_tokens(request.prompt.text)
    room = 90
    (tmp_path / "m" / "config.json").write_text(json.dumps({**config, "n_positions": prompt_length + room}))
    tight = TransformersGenerator(tmp_path / "m")
    assert request.grammar is not None
    assert request.grammar.write(generator.pieces, 192, least=6).longest > room
    found = ask(tight, request, 8)
    assert found and all(not c.truncated and len(c.token_logprobs) <= room for c in found)


def test_the_end_is_always_within_the_budget(folder: Path) -> None:
    """A model that would never stop: braces and the end token all but forbidden."""
    generator = sampler(folder, seed=4)
    found = ask(generator, held(prompt_of(), bias={"}": -30.0, "ASK": -30.0}), 60)
    assert max(len(c.token_logprobs) for c in found) > 80
    for candidate in found:
        assert not candidate.truncated
        assert len(candidate.token_logprobs) <= generator.options.max_new_tokens
        sparql.parse(candidate.sparql)


def test_a_grammar_that_does_not_compile_is_an_error(generator: TransformersGenerator) -> None:
    with pytest.raises(NoQueryError, match="does not compile"):
        generator.matcher("start: nothing_here\n")


def test_the_shipped_generator_runs_under_transformers_too() -> None:
    generator = TransformersGenerator("default")
    assert generator.model.dtype == (torch.float16 if torch.cuda.is_available() else torch.float32)
    assert sparql.parse(ask(generator, held(prompt_of()), 6)[0].sparql).form in ("select", "ask")


def test_a_tokenizer_that_loses_text_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "m")
    file = tmp_path / "m" / "tokenizer.json"
    state = json.loads(file.read_text())
    state["normalizer"] = {"type": "Lowercase"}
    file.write_text(json.dumps(state))
    with pytest.raises(UsageError, match="does not give"):
        TransformersGenerator(tmp_path / "m").generate([held(prompt_of())])


# --- models that cannot be loaded ------------------------------------------------------------------------


def _cut(name: str, share: float) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * share)])

    return damage


def _without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _config(**values: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **values}))

    return damage


DAMAGE = {
    "weights cut off": _cut("model.safetensors", 0.5),
    "weights empty": _cut("model.safetensors", 0),
    "weights missing": _without("model.safetensors"),
    "tokenizer cut off": _cut("tokenizer.json", 0.5),
    "tokenizer empty": lambda folder: (folder / "tokenizer.json").write_text("{}"),
    "tokenizer missing": _without("tokenizer.json"),
    "configuration cut off": _cut("config.json", 0.5),
    "configuration missing": _without("config.json"),
    "configuration empty": lambda folder: (folder / "config.json").write_text("{}"),
    "of another width": _config(n_embd=128),
    "of more layers": _config(n_layer=4),
    "of another architecture": _config(model_type="gpt2"),
    "an encoder": _config(model_type="bert"),
    "no language model": _config(model_type="vit"),
    "of no known kind": _config(model_type="nothing"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_model_is_an_error_in_a_sentence(name: str, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "m")
    DAMAGE[name](tmp_path / "m")
    with pytest.raises(ArtifactError) as caught:
        open_generator(str(tmp_path / "m"))
    error = caught.value
    assert error.exit_status == 5
    assert error.message.endswith(".") and "\n" not in error.message and str(tmp_path) in error.message
    assert error.hint


@pytest.mark.parametrize("name", ["/nowhere/at/all", "./nowhere", "not a name at all"])
def test_a_missing_model_is_an_error_in_a_sentence(name: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        open_generator(name)
    assert caught.value.exit_status == 5
    assert name.removeprefix("./") in caught.value.message


def test_a_hub_name_without_a_network_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # A port that nobody listens on; nothing is asked of the real hub.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ArtifactError, match="nobody/no-such-model"):
        open_generator("nobody/no-such-model")


def test_the_command_line_says_it_and_exits_with_5(folder: Path, tmp_path: Path, graph: Path) -> None:
    shutil.copytree(folder, tmp_path / "m")
    _cut("model.safetensors", 0.5)(tmp_path / "m")
    result = CliRunner().invoke(
        main, ["ask", "What is the capital of France?", "--kg", str(graph), "--model", str(tmp_path / "m")]
    )
    assert result.exit_code == 5
    assert "could not be loaded" in result.stderr and "Traceback" not in result.output


def test_the_shipped_generator_is_the_default() -> None:
    generator = open_generator()
    assert generator.name == "ontoprompt-small"
    assert generator.variant == "nsql-symbols"
    assert generator.count_tokens(" p1 e1 c1 ?a SELECT") == 5
    ((best, *_),) = generator.generate([held(prompt_of())], candidates=6)
    assert sparql.parse(best.sparql).form in ("select", "ask")


# --- sharding --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Path]:
    """A checkpoint of CodeGen-350M's shape (20 layers, width 1024, 16 heads) with random weights."""
    from transformers import CodeGenConfig, CodeGenForCausalLM

    out = tmp_path_factory.mktemp("large")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folder / name, out / name)
    torch.manual_seed(0)
    shape = CodeGenConfig(
        vocab_size=51_200,
        n_positions=2048,
        n_embd=1024,
        n_layer=20,
        n_head=16,
        rotary_dim=32,
        bos_token_id=0,
        eos_token_id=0,
    )
    # Made in half precision from the start: the whole of it would need twice the memory.
    torch.set_default_dtype(torch.bfloat16)
    try:
        model = CodeGenForCausalLM(shape)
    finally:
        torch.set_default_dtype(torch.float32)
    # Random weights of the usual size repeat one token; larger ones tell places apart.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    model.save_pretrained(out)
    del model
    yield out
    shutil.rmtree(out)


def first_tokens(generator: TransformersGenerator, request: Request) -> list[int]:
    (best,) = search(generator, request, 1, 20)
    return list(best.ids)


def shards() -> list[tuple[dict[str, Any], set[str]]]:
    half = {f"transformer.h.{i}": "cpu" if i < 10 else "disk" for i in range(20)}
    ends = {"transformer.wte": "cpu", "transformer.drop": "cpu", "transformer.ln_f": "cpu", "lm_head": "disk"}
    cases: list[tuple[dict[str, Any], set[str]]] = [({"device_map": {**half, **ends}}, {"cpu", "disk"})]
    if torch.cuda.is_available():
        gpu = {f"transformer.h.{i}": 0 if i < 10 else "cpu" for i in range(20)}
        begin = {"transformer.wte": 0, "transformer.drop": 0, "transformer.ln_f": "cpu", "lm_head": "cpu"}
        cases.append(({"device_map": {**gpu, **begin}}, {"0", "cpu"}))
    return cases


@pytest.mark.timeout(600)
def test_a_model_in_parts_writes_what_it_writes_whole(large: Path, tmp_path: Path) -> None:
    request = Request(prompt_of())
    whole = first_tokens(TransformersGenerator(large, LoadOptions(dtype="bfloat16")), request)
    assert len(whole) == 20 and len(set(whole)) > 5
    for number, (how, places) in enumerate(shards()):
        options = LoadOptions(dtype="bfloat16", offload_folder=str(tmp_path / str(number)), **how)
        split = TransformersGenerator(large, options)
        assert {str(place) for place in split.model.hf_device_map.values()} == places
        assert first_tokens(split, request) == whole
        del split
