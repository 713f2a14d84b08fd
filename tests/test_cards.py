"""GPUs as a user writes them."""

from __future__ import annotations

import pytest

from ontoprompt.cards import parse_cards
from ontoprompt.errors import UsageError

GIB = 1024**3


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("2x24GiB", [24, 24]),
        ("24GiB,16GiB", [24, 16]),
        ("RTX3090", [24]),
        ("3090, 2xT4", [24, 16, 16]),
        ("1x0.5 gib", [0.5]),
        ("2x A100-80", [80, 80]),
    ],
)
def test_sizes(text: str, sizes: list[float]) -> None:
    assert [card.size / GIB for card in parse_cards(text)] == sizes


def test_bandwidth_is_given_known_or_assumed_and_said_so() -> None:
    (given,) = parse_cards("24GiB@500GB/s")
    (known,) = parse_cards("RTX4090")
    (assumed,) = parse_cards("24GB")
    assert (given.bandwidth, given.taken_for) == (500e9, "")
    assert (known.bandwidth, known.taken_for) == (1008e9, "")
    assert (assumed.bandwidth, assumed.taken_for) == (936e9, "RTX3090")


@pytest.mark.parametrize(
    "text", ["", "24", "x", "2x", "0x24GiB", "101x1GiB", "2x0GiB", "24GiB,", "9999", "2xRTX"]
)
def test_what_is_no_card(text: str) -> None:
    with pytest.raises(UsageError, match="how many GPUs"):
        parse_cards(text)
