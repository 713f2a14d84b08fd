"""The tokenizer of a generator that is trained from nothing: every symbol and keyword is one token."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

END = "<|endoftext|>"
SYMBOLS = tuple(
    f" {letter}{number}"
    for letter, count in (("c", 16), ("p", 32), ("e", 16), ("l", 8), ("s", 8))
    for number in range(1, count + 1)
)
_WORDS = tuple(
    " " + word
    for word in [
        "SELECT",
        "DISTINCT",
        "ASK",
        "WHERE",
        "FILTER",
        "OPTIONAL",
        "UNION",
        "MINUS",
        "NOT",
        "EXISTS",
        "COUNT",
        "SUM",
        "AVG",
        "MIN",
        "MAX",
        "GROUP",
        "BY",
        "HAVING",
        "ORDER",
        "ASC",
        "DESC",
        "LIMIT",
        "OFFSET",
        "VALUES",
        "BIND",
        "AS",
        "IN",
        "CONTAINS",
        "REGEX",
        "LANG",
        "YEAR",
        "STR",
        "LCASE",
        "STRSTARTS",
        "CREATE",
        "TABLE",
        "rdfs:label",
        "p:",
        "ps:",
        "pq:",
        "?a",
        "?b",
        "?c",
        "?d",
        "?e",
        "?f",
        "?g",
        "?h",
        "?n",
        "?m",
        "a",
        "{",
        "}",
        "(",
        ")",
        ".",
        ";",
        ",",
        "=",
        "<",
        ">",
        "<=",
        ">=",
        "!=",
        "&&",
        "||",
        "!",
        "/",
        "^",
        "*",
        "+",
        "|",
        ":",
        "--",
    ]
)
# One pre-token per word, digit, symbol or keyword, so that a symbol is one token in prompt and query alike.
_SPLIT = r" ?\?[a-hnm](?![A-Za-z0-9])| ?[cpels][0-9]{1,2}(?![A-Za-z0-9])| ?(?:rdfs:label|ps:|pq:|p:)| ?[A-Za-z\u00c0-\u024f]+| ?[0-9]| ?(?:<=|>=|!=|&&|\|\||--)| ?[^\sA-Za-z0-9\u00c0-\u024f]|\s+(?!\S)|\s+"


def make_tokenizer(texts: Iterable[str], size: int) -> Any:
    """A lossless byte-level BPE tokenizer in which every symbol and keyword is one token.

    Sennrich et al. 2016 (BPE); Radford et al. 2019 (bytes). Symbols enter the vocabulary with
    their leading space and are found whole because merges are skipped for a pre-token that
    stands in the vocabulary.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    state = json.loads(tokenizer.to_str())
    vocabulary = state["model"]["vocab"]
    for word in (*SYMBOLS, *_WORDS):
        vocabulary.setdefault(as_bytes(word), len(vocabulary))
    state["model"]["ignore_merges"] = True
    return Tokenizer.from_str(json.dumps(state))


def as_bytes(text: str) -> str:
    """A string in the byte alphabet of byte-level BPE (only ASCII occurs here)."""
    return text.replace(" ", "\u0120").replace("\n", "\u010a")


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer saved in a folder."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json"))
