"""GPUs that need not be here: how many, of which size, and how fast their memory is read.

Bandwidths are the makers' figures, in bytes a second; what a card reaches in practice is eight or nine tenths of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import UsageError

_GIB, _GB = 1024**3, 1000**3
# Name → memory in GiB, gigabytes a second.
_CARDS = {
    "T4": (16, 320), "V100": (16, 900), "V100-32": (32, 900), "L4": (24, 300), "A10": (24, 600), "L40S": (48, 864), "A6000": (48, 768),
    "A100": (40, 1555), "A100-80": (80, 2039), "H100": (80, 3350), "H200": (141, 4800),
    "RTX2080TI": (11, 616), "RTX3060": (12, 360), "RTX3080": (10, 760), "RTX3090": (24, 936), "RTX4080": (16, 717), "RTX4090": (24, 1008), "RTX5090": (32, 1792),
}  # fmt: skip
# What a card of a size that says nothing else is taken for.
_USUAL = ("RTX3060", "T4", "RTX3090", "A6000", "A100-80", "H200")
_PART = re.compile(
    r"(?:(\d{1,3})\s*x\s*)?(?:(\d{1,6}(?:\.\d{1,6})?)\s*(GiB|GB|G)|((?:RTX\s*)?[A-Z]?\d{1,4}(?:TI|S)?(?:-\d{2})?))"
    r"(?:@(\d{1,6})\s*(?:GB/s)?)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Card:
    """One GPU. `size`: bytes; `bandwidth`: bytes a second; `taken_for`: whose bandwidth that is, where none was given."""

    size: float
    bandwidth: float
    taken_for: str = ""


def parse_cards(text: str) -> tuple[Card, ...]:
    """The cards of a list such as "2x24GiB", "24GiB,16GiB", "2xRTX3090" or "1x24GiB@936GB/s", in order.

    Raises UsageError for what is none.
    """
    cards: list[Card] = []
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        count = int(match[1] or 1) if match else 0
        card = _card(match) if match else None
        if card is None or card.size <= 0 or not 0 < count <= 100:
            raise UsageError(
                f"'{text[:60]}' does not say how many GPUs of which size.",
                "Write for example --gpus 2x24GiB, --gpus 24GiB,16GiB for unequal ones, or --gpus 2xRTX3090.",
            )
        cards += [card] * count
    return tuple(cards)


def _card(match: re.Match[str]) -> Card | None:
    given = float(match[5]) * _GB if match[5] else 0.0
    if match[4]:
        name = re.sub(r"\s", "", match[4].upper())
        known = _CARDS.get(name) or _CARDS.get(f"RTX{name}")
        return Card(known[0] * _GIB, given or known[1] * _GB) if known else None
    size = float(match[2]) * (_GIB if match[3].lower() == "gib" else _GB)
    if given:
        return Card(size, given)
    usual = min(_USUAL, key=lambda name: abs(_CARDS[name][0] * _GIB - size))
    return Card(size, _CARDS[usual][1] * _GB, usual)
