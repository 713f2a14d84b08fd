"""Training for real, in seconds: examples, distractors, tokenizer, loss, resuming, and the checkpoint that comes out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ontoprompt.alignment import aligner
from ontoprompt.errors import ArtifactError, UsageError
from ontoprompt.fragment import Fragment, Hint
from ontoprompt.generation import Request, TransformersGenerator
from ontoprompt.grammar import Vocabulary, build_grammar
from ontoprompt.ontology import Ontology, Term
from ontoprompt.pairs import Labels, Pair, PreparedPair, prepare, to_prompt
from ontoprompt.sampling import Sampler
from ontoprompt.sparql import check_read_only, parse
from ontoprompt.training import (
    END,
    SYMBOLS,
    TrainConfig,
    load_tokenizer,
    make_tokenizer,
    train_from_files,
    train_generator,
)
from ontoprompt.training_state import best_facts, best_file, read_log

DBO = "http://dbpedia.org/ontology/"
NAMES = ("capital", "mayor", "river", "lake", "owner", "architect")
TERMS = tuple(Term(DBO + name, "object_property", name) for name in NAMES)
CLASSES = (Term(DBO + "City", "class", "city"), Term(DBO + "Country", "class", "country"))
POOL = (*TERMS, *CLASSES)
LABELS = Labels([Ontology(POOL, (), {})])
PAIRS: tuple[PreparedPair, ...] = tuple(
    prepare(
        Pair(f"What is the {name} of {place}?", f"SELECT DISTINCT ?x {{ dbr:{place} dbo:{name} ?x }}"), LABELS
    )
    for name in NAMES
    for place in ("Norway", "Peru", "Kenya")
)
TINY = TrainConfig(
    layers=1,
    width=64,
    heads=4,
    vocabulary=500,
    tokens_per_batch=720,
    minutes=0.2,
    warmup=5,
    learning_rate=5e-3,
    unaligned=0.0,
    other_entities=0.0,
    pooled=0.0,
)


def tokenizer() -> Any:
    return make_tokenizer([to_prompt(p, TINY.variant).text for p in PAIRS], TINY.vocabulary)


def sampler(**given: Any) -> Sampler:
    return Sampler([(1.0, PAIRS)], POOL, tokenizer(), TINY, **given)


# --- tokenizer


@pytest.mark.parametrize("seed", range(20))
def test_the_tokenizer_loses_nothing(seed: int) -> None:
    random = Random(seed)
    letters = "abzAZ09 \n\t<>{}?:;.,'\"\\éß中🙂-_/^*+()|&!=@#" + " c1 p2 ?a"
    text = "".join(random.choice(letters) for _ in range(200))
    made = tokenizer()
    assert made.decode(made.encode(text).ids, skip_special_tokens=False) == text


def test_a_symbol_is_one_token_in_prompt_and_query_alike() -> None:
    made = tokenizer()
    end = made.token_to_id(END)
    assert end == 0
    for symbol in SYMBOLS:
        (token,) = made.encode(symbol).ids
        assert token in made.encode(f"CREATE TABLE{symbol} city (").ids
        assert token in made.encode(f" SELECT ?a WHERE {{ ?a p1{symbol} }}").ids
        assert token in made.encode(f"-- what{symbol} is it").ids


# --- examples


def text_of(example: Any, made: Any) -> str:
    return str(made.decode(example.ids[: example.start]))


def test_an_example_is_prompt_then_query_then_end() -> None:
    drawn = sampler()
    example = drawn.example(Random(0), 0.5)
    made = drawn.tokenizer
    assert made.decode(example.ids[example.start : -1]).startswith(" SELECT DISTINCT ?a WHERE { e1 p")
    assert example.ids[-1] == made.token_to_id(END)


def test_distractors_are_what_retrieval_finds_and_never_the_right_term() -> None:
    near = {p.pair.question: (*TERMS, *CLASSES) for p in PAIRS}
    drawn = sampler(near=near)
    counts = []
    for seed in range(60):
        pair = PAIRS[seed % len(PAIRS)]
        found = drawn._distractors(pair, Random(seed), 4)
        assert len(found) <= 4 and pair.terms[0] not in found
        counts.append(len(found))
    assert max(counts) == 4


def test_more_distractors_are_drawn_as_training_goes_on() -> None:
    drawn = sampler()

    def rows(progress: float) -> int:
        random = Random(1)
        return sum(text_of(drawn.example(random, progress), drawn.tokenizer).count(" p") for _ in range(150))

    assert rows(1.0) > 1.2 * rows(0.0)


def test_a_stray_entity_is_a_word_of_the_question_beside_the_mentions() -> None:
    drawn = sampler()
    seen = 0
    for seed in range(40):
        pair = PAIRS[seed % len(PAIRS)]
        for stray in drawn._stray_entity(pair, Random(seed)):
            seen += 1
            assert pair.pair.question[stray.start : stray.end] == stray.mention
            assert all(stray.end <= e.start or stray.start >= e.end for e in pair.entities)
    assert seen


def test_words_show_terms_as_they_do_when_it_asks() -> None:
    asked: list[Fragment] = []

    def align(fragment: Fragment) -> tuple[Hint, ...]:
        asked.append(fragment)
        return aligner([])(fragment)

    drawn = sampler(align=align)
    prompt = text_of(drawn.example(Random(0), 0.0), drawn.tokenizer)
    assert asked and " the p1 " in prompt.splitlines()[-1]


# --- training


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    train_generator([(1.0, PAIRS)], POOL, out, replace(TINY, steps=55), align=aligner([]))
    return out


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "log.jsonl").read_text().splitlines()]


def test_the_loss_falls(trained: Path) -> None:
    seen = losses(trained)
    assert len(seen) >= 2 and seen[-1] < 0.6 * seen[0]


def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path: Path, trained: Path) -> None:
    import shutil

    shutil.copytree(trained, tmp_path / "again")
    before = json.loads((trained / "training.json").read_text())
    longer = TrainConfig(**{**before["config"], "steps": 0, "minutes": before["minutes"] + 0.03})
    after = train_generator([(1.0, PAIRS)], POOL, tmp_path / "again", longer)
    assert after["step"] > before["step"] and after["seen"] > before["seen"]
    assert after["minutes"] >= before["minutes"]


def test_a_killed_run_of_steps_goes_on_to_the_same_losses(tmp_path: Path) -> None:
    config = replace(TINY, steps=60, save_minutes=0.0, tokens_per_batch=360)

    def train(folder: Path, stop: int | None = None) -> dict[str, Any]:
        def progress(stage: str, done: int, total: int | None) -> None:
            if done == stop:
                raise KeyboardInterrupt

        return train_generator([(1.0, PAIRS)], POOL, folder, config, align=aligner([]), progress=progress)

    whole = train(tmp_path / "whole")
    for stop in (25, 50):
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "killed", stop)
    # It was killed before the step that it logged last was saved, in the middle of a line.
    with (tmp_path / "killed" / "log.jsonl").open("a") as log:
        log.write('{"step": 51, "lo')
    after = train(tmp_path / "killed")
    assert (after["step"], after["seen"]) == (whole["step"], whole["seen"]) == (60, whole["seen"])
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole") and len(losses(tmp_path / "whole")) == 4
    first, second = ((tmp_path / f / "model.safetensors").read_bytes() for f in ("whole", "killed"))
    assert first == second


def test_held_out_pairs_are_asked_as_it_goes_and_the_best_is_left(tmp_path: Path) -> None:
    held = [p for p in PAIRS if "Kenya" in p.pair.question]
    rest = [p for p in PAIRS if p not in held]
    config = replace(TINY, steps=30, save_minutes=0.0, tokens_per_batch=360)

    def train(folder: Path, stop: int | None = None) -> dict[str, Any]:
        def progress(stage: str, done: int, total: int | None) -> None:
            if stage.startswith("training") and done == stop:
                raise KeyboardInterrupt

        return train_generator(
            [(1.0, rest)],
            POOL,
            folder,
            config,
            align=aligner([]),
            progress=progress,
            held=held,
            evaluate_every=10,
        )

    train(tmp_path / "whole")
    rows = read_log(tmp_path / "whole" / "evaluations.jsonl")
    assert [(row["step"], row["n"]) for row in rows] == [(10, 6), (20, 6), (30, 6)]
    assert rows[2]["loss"] < rows[0]["loss"] and rows[2]["unwritten"] == 0
    best = best_facts(tmp_path / "whole")
    assert best is not None and best["step"] == max(rows, key=_rank)["step"]
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "killed", 25)
    train(tmp_path / "killed")
    again = read_log(tmp_path / "killed" / "evaluations.jsonl")
    for row in (*rows, *again):
        row.pop("seconds"), row.pop("minutes")
    assert again == rows
    first, second = ((tmp_path / f / "model.safetensors").read_bytes() for f in ("whole", "killed"))
    assert first == second


def _rank(row: dict[str, Any]) -> tuple[float, float, float]:
    return row["suite"], row["exact"], -row["loss"]


def test_the_best_weights_are_put_back(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    held = [p for p in PAIRS if "Kenya" in p.pair.question]
    config = replace(TINY, steps=2, tokens_per_batch=360)
    train_generator([(1.0, PAIRS)], POOL, tmp_path, config, held=held, evaluate_every=1)
    # Nothing can beat this.
    path = best_file(tmp_path)
    best = {name: tensor * 0 + 0.25 for name, tensor in load_file(path).items()}
    save_file(
        best, path, metadata={"facts": json.dumps({"step": 2, "suite": 2.0, "exact": 2.0, "loss": 0.0})}
    )
    train_generator([(1.0, PAIRS)], POOL, tmp_path, replace(config, steps=3), held=held, evaluate_every=1)
    weights = load_file(tmp_path / "model.safetensors")
    assert all(float((tensor.float() - 0.25).abs().max()) == 0 for tensor in weights.values())


def test_examples_that_are_too_long_are_counted(tmp_path: Path) -> None:
    longest = "!" * 500
    (long,) = [prepare(Pair(f"What is the capital of Norway {longest}", PAIRS[0].pair.query), LABELS)]
    record = train_generator([(1.0, (*PAIRS, long))], POOL, tmp_path, replace(TINY, steps=10))
    assert record["too_long"] > 0


def test_what_comes_out_is_a_checkpoint_that_writes_under_a_grammar(trained: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(trained)
    assert model.config.model_type == "codegen"
    assert AutoTokenizer.from_pretrained(trained).eos_token == END
    generator = TransformersGenerator(trained)
    assert generator.variant == TINY.variant
    prompt = to_prompt(PAIRS[0], TINY.variant)
    vocabulary = Vocabulary((), prompt.of("property"), prompt.of("entity"))
    (candidates,) = generator.generate([Request(prompt, build_grammar(vocabulary))], candidates=3)
    assert candidates
    for candidate in candidates:
        check_read_only(parse(candidate.sparql))


def test_training_may_start_from_an_earlier_checkpoint(tmp_path: Path, trained: Path) -> None:
    import torch

    config = TrainConfig(
        layers=1, width=64, heads=4, vocabulary=500, tokens_per_batch=720, minutes=0.001, learning_rate=0.0
    )
    train_generator(
        [(1.0, PAIRS)], POOL, tmp_path, config, tokenizer=load_tokenizer(trained), init_from=trained
    )
    from safetensors.torch import load_file

    old, new = load_file(trained / "model.safetensors"), load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(old[name], new[name]) for name in old)
    with pytest.raises(ArtifactError, match="cannot be read"):
        train_generator([(1.0, PAIRS)], POOL, tmp_path / "x", config, init_from=tmp_path / "nowhere")


def test_what_cannot_be_trained_on(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no pair to train on"):
        train_generator([(1.0, ())], POOL, tmp_path, TINY)
    file = tmp_path / "p.jsonl"
    file.write_text('{"question": "Who is it?", "sparql": "ASK { ?a ?b ?c }"}\n', encoding="utf-8")
    with pytest.raises(UsageError, match="2 weights for 1 sets"):
        train_from_files([file], tmp_path / "out", TINY, weights=(1.0, 2.0))


def test_templates_are_over_statements_where_wikidata_is_spoken_of() -> None:
    from ontoprompt.training_data import made_pairs

    direct = "http://www.wikidata.org/prop/direct/"
    xsd = "http://www.w3.org/2001/XMLSchema#"
    pool = (
        *POOL,
        Term(direct + "P31", "object_property", "instance of"),
        Term(direct + "P166", "object_property", "award received"),
        Term(direct + "P39", "object_property", "position held"),
        Term(direct + "P585", "datatype_property", "point in time", range=(xsd + "dateTime",)),
        Term(direct + "P1082", "datatype_property", "population", range=(xsd + "decimal",)),
    )
    named = Labels(
        [], {f"http://www.wikidata.org/entity/Q{n}": name for n, name in enumerate(("Oslo", "city", "Ada"))}
    )
    made = made_pairs(pool, named, PAIRS, 160, 1)
    over_statements = [p for p in made if any(t.iri.startswith(direct) for t in p.terms)]
    assert len(made) == 160 and len(over_statements) == 60
    without = made_pairs(pool, Labels([], {}), PAIRS, 40, 1)
    assert len(without) == 40 and not any(t.iri.startswith(direct) for p in without for t in p.terms)
