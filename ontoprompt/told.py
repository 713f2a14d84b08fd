"""What symbols and words mean, told to a generator that answers: `grounding` in arrays, for one prompt.

Training computes the same on tensors; a test holds both to each other. What does not change while a query is
written is multiplied out once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .embedding import Vectors
from .grounding import KEYS, Meaning, Senses, beside_of, contrasted, read_matrices, symbols_of, words_of
from .name_reading import LightReader

Array = np.ndarray[Any, Any]


class Teller:
    """The matrices of a checkpoint, and the encoder that they were trained on; see `grounding.Grounding`."""

    def __init__(
        self, matrices: Mapping[str, Vectors], senses: Senses, reader: LightReader | None = None
    ) -> None:
        self.matrices = matrices
        self.senses = senses
        self.reader = reader

    @classmethod
    def load(cls, folder: Path) -> Teller | None:
        """What lies beside a checkpoint; None when nothing does. Raises ArtifactError as `read_matrices` does."""
        found = read_matrices(folder)
        if found is None:
            return None
        return cls(found.matrices, found.senses, LightReader(found.reader) if found.reader else None)

    def tell(self, meaning: Meaning, vocabulary: int) -> Told:
        """What one prompt means, ready for the model."""
        return Told(self, meaning, vocabulary)


class Told:
    """One prompt with its vectors. Columns are its symbols; the last one stands for every other token."""

    def __init__(self, teller: Teller, meaning: Meaning, vocabulary: int) -> None:
        matrices, senses = teller.matrices, teller.senses
        (vectors,), tokens = symbols_of(senses, [meaning])
        self._columns = np.full(vocabulary, len(tokens))
        self._columns[tokens] = np.arange(len(tokens))
        self._read = vectors @ matrices["symbol_in"]
        words = words_of(senses, [meaning])
        _, self._places, numbers = words.tokens
        in_context, alone = words.in_context[0], words.alone[0]
        self._words = (in_context @ matrices["word_in"])[numbers]
        self._last = words.last[0][words.last[0] >= 0]
        names = contrasted(vectors[None], [meaning], tokens)[0].T
        alike = in_context @ matrices["in_context"] @ names + alone @ matrices["alone"] @ names
        self._pointing = matrices["symbol_out"] @ vectors.T
        if teller.reader is not None:
            one, columns = beside_of(meaning, words.starts[0], tokens)
            found, heard = teller.reader.read(one)
            terms = np.zeros_like(vectors)
            terms[columns] = found
            self._read = self._read + terms @ matrices["term_in"]
            self._words = self._words + (heard @ matrices["heard_in"])[numbers]
            names = contrasted(terms[None], [meaning], tokens)[0].T
            alike[: len(heard)] += heard @ matrices["agree"] @ names
            self._pointing = self._pointing + matrices["term_out"] @ terms.T
        self._alike = alike[: len(self._last)]
        self._asking, self._key = matrices["query"], matrices["key"]
        self._listening: Array = np.zeros((len(self._asking), 0), np.float32)

    def embeddings(self, table: Array, ids: Array, *, prompt: bool = False) -> Array:
        """Token ids → (tokens, width): the table's rows, and what symbols stand for. `prompt`: the ids begin with the
        prompt, whose question's words mean something too."""
        out: Array = table[ids].astype(np.float32) + self._read[self._columns[ids]]
        if prompt:
            np.add.at(out, self._places, self._words)
        return out

    def listen(self, hidden: Array) -> None:
        """Take in what the model made of the prompt, (tokens, width), before anything is scored."""
        keys = hidden[self._last] @ self._key
        self._listening = self._asking @ keys.T * np.float32(KEYS**-0.5)

    def scores(self, hidden: Array, choices: Array) -> Array:
        """(states, width) of what is about to be written → (states, choices): what is added to their logits."""
        listened = hidden @ self._listening
        # A state may listen to no word, which counts 0.
        top = np.maximum(listened.max(1, initial=0.0, keepdims=True), 0)
        weights = np.exp(listened - top)
        weights /= weights.sum(1, keepdims=True) + np.exp(-top)
        scores = hidden @ self._pointing + weights @ self._alike
        out: Array = scores[:, self._columns[choices]]
        return out
