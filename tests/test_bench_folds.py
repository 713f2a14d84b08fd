"""One figure from the models of all folds: over all questions, nothing asked twice, what is missing said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.folds import pooled
from ontoprompt.errors import UsageError

RIGHT, WRONG = {"suite_strict": True, "exact": True}, {"suite_strict": False, "undecided": True}


def test_the_figure_is_over_all_questions_and_a_fold_is_asked_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def ask(fold: Path, rows: Path) -> None:
        asked.append(fold.name)
        some = [RIGHT] if fold.name == "fold-1" else [WRONG, {"left_out": "x"}, RIGHT]
        rows.write_text("".join(json.dumps(row) + "\n" for row in some), encoding="utf-8")

    for number in (1, 2):
        (tmp_path / f"fold-{number}" / "model").mkdir(parents=True)
    told = pooled(tmp_path, "pool", ask)
    assert told["all folds"] == {"n": 4, "suite_strict": 0.5, "exact": 0.5, "undecided": 1, "left_out": 1}
    assert told["fold-1"]["suite_strict"] == 1.0
    assert pooled(tmp_path, "pool", ask) == told and asked == ["fold-1", "fold-2"]


def test_a_fold_without_a_model_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folds"):
        pooled(tmp_path, "pool", lambda fold, rows: None)
    (tmp_path / "fold-1").mkdir()
    with pytest.raises(UsageError, match="fold-1 has no model") as error:
        pooled(tmp_path, "pool", lambda fold, rows: None)
    assert "ontoprompt train" in str(error.value.hint)
