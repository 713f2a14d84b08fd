"""Worked examples for a prompt: the pairs kept beside an index whose questions are nearest to this one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .errors import UsageError
from .prompts import Example


def nearest_examples(index: Any, question: str, count: int) -> tuple[Example, ...]:
    """The `count` nearest pairs by cosine of the questions' vectors, nearest last so that it stands by the question.

    Raises UsageError when the index was made without pairs. An equal question is left out: it would be the answer.
    """
    from .pairs import read_pairs

    folder = Path(index.folder)
    path = folder.parent / f"{folder.name}.examples.jsonl"
    if not path.is_file():
        raise UsageError(
            "This index keeps no worked examples.",
            "Build it with `ontoprompt index … --pairs FILE`, or leave out --examples.",
        )
    pairs = [p for p in read_pairs(path) if p.question.strip().lower() != question.strip().lower()]
    vectors = index.encoder.encode([question, *(p.question for p in pairs)])
    order = (vectors[1:] @ vectors[0]).argsort()[::-1][:count]
    return tuple(Example(pairs[i].question, pairs[i].query) for i in reversed(order.tolist()))
