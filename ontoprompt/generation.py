"""Prompts → ranked candidate queries, from a causal language model held to a grammar.

`TransformersGenerator` loads any causal LM of transformers, spread over devices by accelerate;
`light.LightGenerator` runs a plain CodeGen, such as the one that ships, without it; `open_generator`
picks one of them or a remote server by name. Compiling a grammar is done once per question, masking
per token (`decoding`); a matcher that fails raises.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .decoding import Guide, Hypothesis, Sampling
from .errors import ArtifactError, NoQueryError, UsageError
from .evidence import in_tokens
from .grammar import Grammar
from .grounding import Grounded, Grounding, meaning
from .known_models import context_of
from .loading import hub_answers as hub_answers
from .prompts import Prompt

DEFAULT_MODEL = "default"
_DEFAULT_VARIANT = "nsql"
# A query must have room for this many triples' worth of patterns, if the context has it.
_UNITS = 6
# What a unit of retrieval's score counts in log-probability, and how much it counts at most against a term.
_WEIGHT, _LEAST_WEIGHT = 2.0, -2.0
# Pieces of text whose tokens are kept: a server meets new strings all day.
_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt, the grammar its query must obey (None: unconstrained), log-weights that favour
    surfaces (surface text → added log-probability), as retrieval judged them, and pairs of
    surfaces that the graph speaks against side by side (see `evidence.py`); and what a whole
    query, in plain SPARQL, costs beyond its log-probability (see `ranking.py`)."""

    prompt: Prompt
    grammar: Grammar | None = None
    bias: Mapping[str, float] = field(default_factory=dict)
    unlikely: frozenset[tuple[str, str]] = frozenset()
    cost: Callable[[str], float] | None = None


def term_weights(prompt: Prompt) -> dict[str, float]:
    """Retrieval's scores as log-weights on the surfaces of terms: 0 for the best, below it for the rest. None where
    terms are written by name: a name is several tokens, and most of them are another name's too."""
    if not prompt.symbolic:
        return {}
    scores = {s.term.iri: s.score for s in prompt.fragment.terms}
    top = max(scores.values(), default=0.0)
    return {
        s.text: max(_LEAST_WEIGHT, _WEIGHT * (scores[s.iri] - top))
        for s in prompt.surfaces
        if s.iri in scores
    }


@dataclass(frozen=True, slots=True)
class Candidate:
    """A query as written (`text`, surfaces) and in plain SPARQL, with its total log-probability
    and that of each token. `truncated`: the token budget ended before the query did; `cost`: what the
    request's cost said of it."""

    text: str
    sparql: str
    score: float
    token_logprobs: tuple[float, ...] = ()
    truncated: bool = False
    cost: float = 0.0


class Generator(Protocol):
    """Anything that writes candidates for prompts, best first."""

    name: str
    variant: str

    def generate(self, requests: Sequence[Request], *, candidates: int = 5) -> list[tuple[Candidate, ...]]:
        """For each request up to `candidates` distinct queries, best first."""
        ...

    def count_tokens(self, text: str) -> int:
        """Length of `text` in the model's own tokens."""
        ...


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How to load and run a model. `max_memory` is accelerate's, for example {"cpu": "1GiB", 0: "10GiB"}.

    `max_new_tokens`: what a query may take. A grammar's queries are bounded so that all of them fit; for
    a tokenizer that needs more for six triples, they may take that.
    """

    dtype: str = "auto"
    device_map: str | Mapping[str, str | int] | None = None
    max_memory: Mapping[str | int, str] | None = None
    offload_folder: str | None = None
    quantize: str | None = None
    trust_remote_code: bool = False
    max_new_tokens: int = 192
    sample: bool = False
    temperature: float = 0.8
    seed: int = 0


class ConstrainedGenerator(ABC):
    """What all generators have in common that hold a local model to a grammar, whatever runs it.

    `_grammar_tokenizer` is made when first used; `_pieces` are the tokens of pieces of text met so far.
    """

    name: str
    variant: str
    options: LoadOptions
    _grammar_tokenizer: Any = None
    _pieces: dict[str, tuple[int, ...]]

    @property
    @abstractmethod
    def context(self) -> int:
        """How many tokens prompt and query may have together."""

    @property
    @abstractmethod
    def vocabulary(self) -> int:
        """How many tokens the model knows."""

    @property
    @abstractmethod
    def end(self) -> int:
        """The token that ends a query."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """The tokens of a text, none added."""

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens, nothing tidied."""

    @abstractmethod
    def _tokenizer_json(self) -> str:
        """The tokenizer as the library `tokenizers` writes it."""

    def count_tokens(self, text: str) -> int:
        """Length of `text` in this model's tokens."""
        return len(self.encode(text))

    def _candidates(self, request: Request, hypotheses: Sequence[Hypothesis]) -> tuple[Candidate, ...]:
        """The distinct queries among hypotheses, best first as they came."""
        found: dict[str, Candidate] = {}
        for hypothesis in hypotheses:
            text = self._text(hypothesis.ids)
            query = request.prompt.expand(text)
            if text and query not in found:
                found[query] = Candidate(
                    text,
                    query,
                    hypothesis.score,
                    hypothesis.logprobs,
                    not hypothesis.ended,
                    hypothesis.cost,
                )
        return tuple(found.values())

    def _guide(self, request: Request, room: int, width: int) -> Guide:
        """What steers a request whose prompt leaves `room` tokens of the context."""
        budget = self.options.max_new_tokens
        matcher = None
        if request.grammar is not None:
            written = request.grammar.write(self.pieces, budget, least=_UNITS)
            if written.longest > room:
                written = request.grammar.write(self.pieces, room)
            budget = written.longest
            matcher = self.matcher(written.text) if budget <= room else None
        if budget > room:
            raise UsageError(
                f"The prompt has {width} tokens, and a query may take {budget}, but the model {self.name} takes "
                f"{self.context} in all.",
                "Ask with a smaller --top-k, fewer --examples, or a shorter question.",
            )
        evidence = in_tokens(request.unlikely, request.prompt.of("entity"), self.token_of)
        cost = request.cost
        return Guide(
            matcher,
            budget,
            self.biases(request.bias),
            evidence,
            None if cost is None else lambda ids: cost(request.prompt.expand(self._text(ids))),
        )

    def _text(self, ids: Sequence[int]) -> str:
        return self.decode(ids).strip()

    def pieces(self, text: str) -> tuple[int, ...]:
        """The tokens of a piece of text that stands behind other text. Raises UsageError when they are not that text."""
        known = self._pieces.get(text)
        if known is None:
            # Some tokenizers write the start of a text differently: what stands behind an "x" is no start.
            before, ids = self.encode("x"), self.encode("x" + text)
            if ids[: len(before)] != before or not self.decode(ids).endswith("x" + text):
                raise UsageError(
                    f"The tokenizer of {self.name} does not give {text!r} back as it was.",
                    "Its queries cannot be held to a grammar: use a model with a byte-level tokenizer.",
                )
            if len(self._pieces) > _REMEMBERED:
                self._pieces.clear()
            known = self._pieces[text] = tuple(ids[len(before) :])
        return known

    def matcher(self, grammar: str) -> Any:
        """A fresh llguidance matcher of a written grammar. Raises NoQueryError when it does not compile."""
        import llguidance

        if self._grammar_tokenizer is None:
            self._grammar_tokenizer = llguidance.LLTokenizer(
                self._tokenizer_json(), n_vocab=self.vocabulary, eos_token=self.end
            )
        matcher = llguidance.LLMatcher(
            self._grammar_tokenizer, llguidance.LLMatcher.grammar_from_lark(grammar)
        )
        if matcher.is_error():
            raise NoQueryError(
                f"The grammar made for this question does not compile: {matcher.get_error()[:200]}",
                "Please report this question.",
            )
        return matcher

    def biases(self, bias: Mapping[str, float]) -> dict[int, float]:
        """Surface weights as token weights; only surfaces that are one token can carry one."""
        tokens = ((self.token_of(surface), weight) for surface, weight in bias.items())
        return {token: weight for token, weight in tokens if token is not None}

    def token_of(self, surface: str) -> int | None:
        """The token that a surface is inside a query; None when it takes several."""
        ids = self.pieces(" " + surface)
        return ids[0] if len(ids) == 1 else None


class TransformersGenerator(ConstrainedGenerator):
    """A causal LM of transformers behind the `Generator` protocol.

    Nothing is downloaded unless `name` is a hub name and the hub is reachable. Remote code runs
    only when `trust_remote_code` is set.
    """

    # Whether prompts begin with the tokenizer's token of a start.
    _starts: bool = False

    def __init__(self, name: str | Path, options: LoadOptions | None = None) -> None:
        from .loading import load

        self.options = options or LoadOptions()
        self.path, self.name = resolve_model(name)
        self.model, self.tokenizer = load(self.path, self.options)
        self.variant = trained_variant(self.path)
        self.grounding = Grounding.load(Path(self.path))
        self._pieces = {}
        # Checkpoints of ours are trained on prompts as they are; others on what their tokenizer puts before a text.
        self._starts = not (Path(self.path) / "training.json").is_file() and _puts_start(self.tokenizer)

    @property
    def context(self) -> int:
        return context_of(self.model.config)

    @property
    def vocabulary(self) -> int:
        return int(self.model.config.vocab_size)

    @property
    def end(self) -> int:
        return int(self.tokenizer.eos_token_id)

    def encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def decode(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(ids, clean_up_tokenization_spaces=False))

    def _tokenizer_json(self) -> str:
        return str(self.tokenizer.backend_tokenizer.to_str())

    def generate(self, requests: Sequence[Request], *, candidates: int = 5) -> list[tuple[Candidate, ...]]:
        """See `Generator`. Beam search (or sampling), every step masked by the request's grammar.

        Raises UsageError for a prompt that leaves no room for a query.
        """
        import torch

        from .torch_runner import decode

        if not requests:
            return []
        self.tokenizer.padding_side = "left"
        batch = self.tokenizer(
            [r.prompt.text for r in requests],
            return_tensors="pt",
            padding=True,
            add_special_tokens=self._starts,
            return_offsets_mapping=self.grounding is not None,
        )
        width = int(batch["input_ids"].shape[1])
        guides = [self._guide(request, self.context - width, width) for request in requests]
        device = self.model.get_input_embeddings().weight.device
        if device.type == "meta":
            device = torch.device("cpu")
        options = self.options
        hypotheses = decode(
            self.model,
            batch["input_ids"].to(device),
            batch["attention_mask"].to(device),
            guides,
            count=candidates,
            end=self.end,
            sampling=Sampling(options.temperature, options.seed) if options.sample else None,
            grounded=self._grounded([r.prompt for r in requests], batch),
        )
        return [self._candidates(r, found) for r, found in zip(requests, hypotheses, strict=True)]

    def _grounded(self, prompts: Sequence[Prompt], batch: Any) -> Grounded | None:
        """What the prompts mean, for a model that was trained to be told."""
        if self.grounding is None:
            return None
        offsets = batch["offset_mapping"].tolist()
        meanings = [meaning(p, row, self.token_of) for p, row in zip(prompts, offsets, strict=True)]
        return self.grounding.bind(meanings, self.vocabulary)


def _puts_start(tokenizer: Any) -> bool:
    """Whether a tokenizer puts a token of a start before a text, and nothing behind it, as Llama's does."""
    plain = list(tokenizer.encode("x", add_special_tokens=False))
    return bool(list(tokenizer.encode("x")) == [tokenizer.bos_token_id, *plain])


def resolve_model(name: str | Path) -> tuple[str, str]:
    """The folder or hub name to load, and what to call it."""
    if str(name) == DEFAULT_MODEL:
        from .settings import default_model_dir

        folder = default_model_dir()
        if not (folder / "config.json").is_file():
            raise ArtifactError(
                "The generator that ships with ontoprompt is missing.",
                "Reinstall the package, or name a model with --model.",
            )
        return str(folder), "ontoprompt-small"
    path = Path(name)
    if not path.exists() and (path.is_absolute() or str(name).startswith((".", "~")) or len(path.parts) > 2):
        raise ArtifactError(f"There is no folder {path}.", "Give the folder of a trained model.")
    if path.exists() and not (path / "config.json").is_file():
        raise ArtifactError(
            f"{path} holds no model: there is no config.json in it.", "Give the folder of a trained model."
        )
    return str(name), str(name)


def trained_variant(path: str) -> str:
    """The prompt variant that a checkpoint of ours was trained on, else the NSQL form."""
    import json

    try:
        return str(
            json.loads((Path(path) / "training.json").read_text(encoding="utf-8"))["config"]["variant"]
        )
    except (OSError, KeyError, ValueError):
        return _DEFAULT_VARIANT


def open_generator(name: str = DEFAULT_MODEL, options: LoadOptions | None = None) -> Generator:
    """The generator of a name: `default`, a folder, a hub name, `openai:URL#NAME` or `completions:URL#NAME`.

    A plain CodeGen in a folder runs on ONNX Runtime, unless the options ask for what transformers alone does.
    """
    if name.startswith(("openai:", "completions:")):
        from .chat import ChatGenerator, CompletionGenerator

        kind = ChatGenerator if name.startswith("openai:") else CompletionGenerator
        return kind.from_name(name)
    from .light import LightGenerator

    return LightGenerator.open(name, options) or TransformersGenerator(name, options)
