"""Names read beside the question: what is kept of its states, without torch and with it, and what a name's neighbours change."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from ontoprompt.grounding import FILE, Grounding
from ontoprompt.name_reading import LightReader, TorchReader, beside
from ontoprompt.settings import default_model_dir

QUESTION = "How many people live in Rio de Janeiro, the former capital?"
PLACES = (0, 4, 9, 24, 51)
NAMES = ("population, inhabitants", "capital", "Rio de Janeiro")


@pytest.fixture(scope="module")
def reader() -> TorchReader:
    """The reranker that ships, as a reader begins."""
    return TorchReader()


def light(reader: TorchReader) -> LightReader:
    return LightReader({name: value.detach().numpy() for name, value in reader.network.state_dict().items()})


def test_words_are_found_in_the_tokens_of_the_question() -> None:
    one = beside(QUESTION, PLACES, NAMES)
    # "How", "many", "people", "Rio", "capital": a mark of the start before them.
    assert one.words[0] == (1,) and one.words[1] == (2,) and one.words[2] == (3,)
    assert all(len(places) >= 1 for places in one.words)


def test_a_name_that_stands_for_two_symbols_is_read_once() -> None:
    one = beside(QUESTION, (), (*NAMES, "capital"))
    assert len(one.names) == 3 and one.columns == (0, 1, 2, 1)


def test_words_behind_the_cut_of_a_long_question_are_not_heard() -> None:
    text = " ".join(["word"] * 100)
    one = beside(text, (0, 5 * 99), ("word",))
    assert one.words[0] and not one.words[1]
    assert len(one.question) == 64
    _, heard = light(TorchReader()).read(one)
    assert np.linalg.norm(heard[0]) == pytest.approx(1, abs=1e-5) and not heard[1].any()


def test_with_and_without_torch_it_says_the_same_however_prompts_are_batched(reader: TorchReader) -> None:
    prompts = [
        beside(QUESTION, PLACES, NAMES),
        beside("Who?", (0,), ("author",)),
        beside("Where is it", (0, 6), ()),
    ]
    with torch.inference_mode():
        terms, heard = reader.read(prompts, 5, 6)
    assert terms.shape == (3, 5, 384) and heard.shape == (3, 6, 384)
    for row, one in enumerate(prompts):
        mine, words = light(reader).read(one)
        assert np.abs(terms[row, : len(mine)].numpy() - mine).max(initial=0) < 1e-4
        assert np.abs(heard[row, : len(words)].numpy() - words).max() < 1e-4
        assert not terms[row, len(mine) :].any() and not heard[row, len(words) :].any()


def test_what_stands_beside_a_name_does_not_change_it_and_the_question_does(reader: TorchReader) -> None:
    run = light(reader)
    alone, _ = run.read(beside(QUESTION, (), ("capital",)))
    among, _ = run.read(beside(QUESTION, (), ("mayor", "capital", "twin town")))
    other, _ = run.read(beside("Who is the mayor of Rio?", (), ("capital",)))
    assert np.abs(alone[0] - among[1]).max() < 1e-4
    assert alone[0] @ other[0] < 0.99


def test_its_weights_learn(reader: TorchReader) -> None:
    grounding = Grounding.new(32, reader=True)
    assert grounding.reader is not None
    names = set(grounding.state())
    assert {"term_in", "agree", "reader.segment"} <= names
    terms, heard = grounding.reader.read([beside(QUESTION, PLACES, NAMES)], 4, 5)
    (terms.sum() + heard.sum()).backward()
    updates = [p for n, p in grounding.reader.network.named_parameters() if n.startswith("updates")]
    assert sum(bool(p.grad is not None and p.grad.abs().sum() > 0) for p in updates) > len(updates) // 2


def test_the_generator_that_ships_has_one() -> None:
    assert any(name.startswith("reader.") for name in load_file(default_model_dir() / FILE))


def test_what_was_read_of_a_question_is_not_read_again(reader: TorchReader) -> None:
    run = light(reader)
    calls: list[int] = []
    states = run._encoder.states
    run._encoder.states = lambda question, names: (calls.append(len(names)), states(question, names))[1]  # type: ignore[method-assign]
    for names in (NAMES, NAMES[:1], (*NAMES[1:], "mayor"), ()):
        one = beside(QUESTION, PLACES, names)
        for mine, fresh in zip(run.read(one), light(reader).read(one), strict=True):
            assert mine.shape == fresh.shape and np.abs(mine - fresh).max(initial=0) < 1e-4
    assert calls == [3, 1]
    run.read(beside("Who?", (0,), NAMES))
    assert calls == [3, 1, 3]
