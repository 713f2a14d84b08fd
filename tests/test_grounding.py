"""What symbols and words mean to a generator: where it stands in a prompt, and that search and training see the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from ontoprompt.decoding import Guide
from ontoprompt.entities import EntityLink
from ontoprompt.errors import ArtifactError
from ontoprompt.fragment import Fragment, Hint, ScoredTerm
from ontoprompt.generation import Request, TransformersGenerator
from ontoprompt.grounding import FILE, Grounded, Grounding, Meaning, meaning
from ontoprompt.ontology import Term
from ontoprompt.prompts import Prompt, build_prompt
from ontoprompt.torch_runner import decode

X = "http://x.org/"
TERMS = (
    Term(X + "City", "class", "city"),
    Term(X + "mayor", "object_property", "mayor"),
    Term(X + "area", "datatype_property", "area"),
)


def prompt_of(
    question: str, *names: str, hints: tuple[Hint, ...] = (), variant: str = "nsql-symbols"
) -> Prompt:
    links = tuple(
        EntityLink(
            X + name.replace(" ", "_"), name, name, question.find(name), question.find(name) + len(name), 1.0
        )
        for name in names
    )
    scored = tuple(ScoredTerm(t, 1.0) for t in TERMS)
    return build_prompt(Fragment(question, scored, links, hints=hints), variant)


MAYOR = prompt_of("Who is the  mayor of São Paulo?", "São Paulo")
AREA = prompt_of(
    "What area has Oslo,\tthe city of Oslo?", "Oslo", hints=(Hint(5, 9, X + "area"), Hint(24, 28, X + "City"))
)


@pytest.fixture(scope="module", params=[False, True], ids=["names alone", "names read beside the question"])
def folder(
    tiny_model: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Path:
    """A checkpoint with matrices at random: what is read and what is pointed at both matter."""
    out = tmp_path_factory.mktemp("grounded") / "model"
    shutil.copytree(tiny_model, out)
    grounding = Grounding.new(64, reader=request.param)
    random = torch.Generator().manual_seed(1)
    for matrix in grounding.matrices.values():
        matrix.data.add_(torch.randn(matrix.shape, generator=random) * 0.3)
    grounding.save(out)
    return out


@pytest.fixture(scope="module")
def generator(folder: Path) -> TransformersGenerator:
    return TransformersGenerator(folder)


def meaning_of(generator: TransformersGenerator, prompt: Prompt) -> tuple[Meaning, list[tuple[int, int]]]:
    batch = generator.tokenizer(prompt.text, add_special_tokens=False, return_offsets_mapping=True)
    offsets = batch["offset_mapping"]
    return meaning(prompt, offsets, generator.token_of), offsets


# --- which tokens mean what


@pytest.mark.parametrize("prompt", [MAYOR, AREA])
def test_symbols_mean_the_names_that_they_stand_for(generator: TransformersGenerator, prompt: Prompt) -> None:
    meant, _ = meaning_of(generator, prompt)
    names = {generator.tokenizer.decode([token]).strip(): name for token, name in meant.names.items()}
    said = {s.text: s.iri for s in prompt.surfaces if s.role != "statement"}
    labels = {t.iri: t.label for t in TERMS} | {e.iri: e.label for e in prompt.fragment.entities}
    assert names == {symbol: labels[iri] for symbol, iri in said.items()}
    assert {meant.kinds[t][0] for t in meant.names} == {"c", "p", "e"}


@pytest.mark.parametrize("prompt", [MAYOR, AREA])
def test_every_word_of_the_question_is_found_where_it_is_shown(
    generator: TransformersGenerator, prompt: Prompt
) -> None:
    meant, offsets = meaning_of(generator, prompt)
    question = prompt.fragment.question
    last = prompt.text.rstrip("\n").rfind("\n")
    shown: dict[int, list[int]] = {}
    for place, start in meant.words:
        first, end = offsets[place]
        assert first >= last
        kept = shown.setdefault(start, [first, end])
        kept[1] = end
    words = {start: prompt.text[a:b].strip(" ") for start, (a, b) in shown.items()}
    assert [w for _, w in sorted(words.items())] == [
        w.strip("?,").lower() for w in question.replace("\t", " ").split()
    ]
    assert all(question[start:].lower().startswith(word) for start, word in words.items())


def test_words_are_found_in_other_variants_too(generator: TransformersGenerator) -> None:
    meant, _ = meaning_of(generator, prompt_of("Who is the mayor of Oslo?", "Oslo", variant="nsql"))
    assert len(meant.words) >= 6


# --- what they add


def bound(*prompts: Prompt, generator: TransformersGenerator, grounding: Grounding) -> Grounded:
    meanings = [meaning_of(generator, p)[0] for p in prompts]
    return grounding.bind(meanings, generator.model.config.vocab_size)


def test_before_training_nothing_is_added_to_what_is_read(generator: TransformersGenerator) -> None:
    fresh = bound(MAYOR, generator=generator, grounding=Grounding.new(64))
    table = generator.model.get_input_embeddings()
    ids = generator.tokenizer(MAYOR.text, return_tensors="pt", add_special_tokens=False)["input_ids"]
    assert torch.equal(fresh.embeddings(table, ids, torch.tensor([0]), prompts=True), table(ids))


@pytest.mark.parametrize(("prompt", "wanted"), [(MAYOR, "mayor"), (AREA, "area")])
def test_before_training_a_word_speaks_for_the_name_that_it_is_like(
    generator: TransformersGenerator, prompt: Prompt, wanted: str
) -> None:
    fresh = bound(prompt, generator=generator, grounding=Grounding.new(64))
    ids = generator.tokenizer(prompt.text, return_tensors="pt", add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        states = generator.model.base_model(input_ids=ids).last_hidden_state
        fresh.listen(states)
        scores = fresh.scores(states[:, -1], torch.tensor([0]))[0]
    by_name = {s.iri: float(scores[fresh.columns[generator.token_of(s.text)]]) for s in prompt.surfaces}
    other = {"mayor": "area", "area": "mayor"}[wanted]
    assert by_name[X + wanted] > by_name[X + other] + 0.05
    assert float(scores[-1]) == 0.0


# --- search sees what training saw


def trained_logprobs(generator: TransformersGenerator, prompt: Prompt, ids: tuple[int, ...]) -> Any:
    """The log-probabilities of a continuation as `training` computes them: prompt and query in one pass."""
    assert generator.grounding is not None
    head = generator.tokenizer(prompt.text, add_special_tokens=False)["input_ids"]
    both = torch.tensor([[*head, *ids]])
    tied = bound(prompt, generator=generator, grounding=generator.grounding)
    rows = torch.tensor([0])
    with torch.inference_mode():
        embedded = tied.embeddings(generator.model.get_input_embeddings(), both, rows, prompts=True)
        hidden = generator.model.base_model(inputs_embeds=embedded).last_hidden_state
        tied.listen(hidden)
        states = hidden[0, len(head) - 1 : -1]
        scores = tied.scores(states, rows.expand(len(states)))
        logits = generator.model.lm_head(states).index_add(1, tied.tokens, scores[:, :-1])
    return torch.log_softmax(logits, -1).gather(1, both[0, len(head) :, None])[:, 0]


def test_search_sees_what_training_saw_however_prompts_are_batched(generator: TransformersGenerator) -> None:
    tokenizer, requests = generator.tokenizer, [Request(MAYOR), Request(AREA)]
    tokenizer.padding_side = "left"
    prompts = [r.prompt for r in requests]
    batch = tokenizer(
        [p.text for p in prompts],
        return_tensors="pt",
        padding=True,
        add_special_tokens=False,
        return_offsets_mapping=True,
    )
    found = decode(
        generator.model,
        batch["input_ids"],
        batch["attention_mask"],
        [Guide(None, 12)] * 2,
        count=3,
        end=tokenizer.eos_token_id,
        grounded=generator._grounded(prompts, batch),
    )
    for prompt, hypotheses in zip(prompts, found, strict=True):
        assert hypotheses
        for hypothesis in hypotheses:
            seen = torch.tensor(hypothesis.logprobs[: len(hypothesis.ids)])
            assert torch.allclose(seen, trained_logprobs(generator, prompt, hypothesis.ids), atol=2e-4)


def test_what_symbols_mean_changes_what_is_written(folder: Path, tiny_model: Path) -> None:
    with_it, without = TransformersGenerator(folder), TransformersGenerator(tiny_model)
    assert without.grounding is None
    texts = [[c.score for c in g.generate([Request(MAYOR)])[0]] for g in (with_it, without)]
    assert texts[0] != texts[1]


# --- the file


def test_a_file_gives_back_what_was_saved(folder: Path, tmp_path: Path) -> None:
    loaded = Grounding.load(folder)
    assert loaded is not None
    loaded.save(tmp_path)
    again = Grounding.load(tmp_path)
    assert again is not None
    assert loaded.state().keys() == again.state().keys()
    for name, value in loaded.state().items():
        assert torch.equal(value, again.state()[name])
    assert Grounding.load(tmp_path / "nothing") is None


@pytest.mark.parametrize("damage", ["cut", "junk", "another encoder", "a matrix less"])
def test_a_damaged_file_is_an_error_in_a_sentence(folder: Path, tmp_path: Path, damage: str) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, tmp_path / "m")
    file = tmp_path / "m" / FILE
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-100])
    elif damage == "junk":
        file.write_bytes(json.dumps({"a": 1}).encode())
    else:
        tensors = load_file(file)
        fingerprint = Grounding.new(64).senses.encoder.fingerprint
        if damage == "a matrix less":
            tensors.pop("key")
        save_file(tensors, file, metadata={"encoder": fingerprint if "less" in damage else "other"})
    with pytest.raises(ArtifactError) as error:
        TransformersGenerator(tmp_path / "m")
    assert error.value.hint
    assert ("another version" in error.value.message) == (damage == "another encoder")
