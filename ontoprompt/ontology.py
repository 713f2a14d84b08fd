"""Any source of a vocabulary -> `Ontology` of `Term`s."""

from __future__ import annotations

import re

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_\s]+")


def label_from_name(local: str) -> str:
    """Words of a local name: camel case and underscores split, lower case.

    `populationTotal` -> `population total`, `birth_date` -> `birth date`. A name without any
    word in it is returned as it is.
    """
    words = " ".join(word for word in _WORD.split(local) if word).lower()
    return words or local
