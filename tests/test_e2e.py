"""The sample questions, asked as `ontoprompt ask` asks them: shipped generator, index, vocabulary and graph."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.sample_questions import gold_rows, read, rows_of
from ontoprompt.assembly import open_engine
from ontoprompt.errors import NoQueryError
from ontoprompt.pipeline import Answer, AskOptions, Engine
from ontoprompt.settings import load_settings

HERE = Path(__file__).parent / "e2e"


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONTOPROMPT_HOME", str(tmp_path_factory.mktemp("e2e")))
        engine = open_engine(load_settings())
        yield engine
        assert engine.store is not None
        engine.store.close()


def asked(engine: Engine, question: str, **given: Any) -> Answer | None:
    try:
        return engine.ask(question, AskOptions(), **given)
    except NoQueryError:
        return None


def right(answer: Answer | None, row: dict[str, Any]) -> bool:
    return answer is not None and rows_of(answer) == gold_rows(row["answers"])


def test_sixty_questions_are_answered_and_trusted(shipped: Engine) -> None:
    rows = read(HERE / "questions.jsonl")
    answers = [asked(shipped, row["question"]) for row in rows]
    good = [a for a, row in zip(answers, rows, strict=True) if right(a, row)]
    assert len(rows) == 60
    assert len(good) >= 42
    assert sum(a is not None and a.doubtful for a in good) <= 3


def test_questions_that_the_graph_cannot_answer_are_doubted(shipped: Engine) -> None:
    rows = read(HERE / "unanswerable.jsonl")
    answers = [asked(shipped, row["question"]) for row in rows]
    assert len(rows) == 20
    assert sum(a is None or a.doubtful or a.empty for a in answers) >= 14


def test_with_the_fragment_of_another_question_nothing_is_answered(shipped: Engine) -> None:
    rows = read(HERE / "questions.jsonl")
    fragments = [shipped.fragment(row["question"], AskOptions()) for row in rows]
    moved = [*fragments[7:], *fragments[:7]]
    answers = [
        asked(shipped, row["question"], fragment=other) for row, other in zip(rows, moved, strict=True)
    ]
    assert sum(right(a, row) for a, row in zip(answers, rows, strict=True)) <= 3
