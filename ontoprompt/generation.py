"""Prompts → ranked candidate queries, from a causal language model held to a grammar.

`TransformersGenerator` loads any causal LM of transformers (CodeGen first), spread over devices
by accelerate; `open_generator` picks it or a remote server by name. Compiling a grammar is done
once per question, masking per token (`decoding`); a matcher that fails raises.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .decoding import Guide, Hypothesis, Sampling
from .errors import ArtifactError, NoQueryError, UsageError
from .evidence import in_tokens
from .grammar import Grammar
from .grounding import Grounded, Grounding, meaning
from .prompts import Prompt
from .torch_runner import decode

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


class TransformersGenerator:
    """A causal LM of transformers behind the `Generator` protocol.

    Nothing is downloaded unless `name` is a hub name and the hub is reachable. Remote code runs
    only when `trust_remote_code` is set.
    """

    def __init__(self, name: str | Path, options: LoadOptions | None = None) -> None:
        self.options = options or LoadOptions()
        self.path, self.name = resolve_model(name)
        self.model, self.tokenizer = _load(self.path, self.options)
        self.variant = _trained_variant(self.path)
        self.grounding = Grounding.load(Path(self.path))
        self._grammar_tokenizer: Any = None
        self._pieces: dict[str, tuple[int, ...]] = {}

    def count_tokens(self, text: str) -> int:
        """Length of `text` in this model's tokens."""
        return len(self.tokenizer.encode(text, add_special_tokens=False))

    @property
    def context(self) -> int:
        """How many tokens prompt and query may have together."""
        config = self.model.config
        sizes = (getattr(config, name, None) for name in ("n_positions", "max_position_embeddings"))
        return int(next((size for size in sizes if size), 2048))

    def generate(self, requests: Sequence[Request], *, candidates: int = 5) -> list[tuple[Candidate, ...]]:
        """See `Generator`. Beam search (or sampling), every step masked by the request's grammar.

        Raises UsageError for a prompt that leaves no room for a query.
        """
        import torch

        if not requests:
            return []
        self.tokenizer.padding_side = "left"
        batch = self.tokenizer(
            [r.prompt.text for r in requests],
            return_tensors="pt",
            padding=True,
            add_special_tokens=False,
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
            end=self.tokenizer.eos_token_id,
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
        return self.grounding.bind(meanings, self.model.config.vocab_size)

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
        return str(self.tokenizer.decode(ids, clean_up_tokenization_spaces=False)).strip()

    def pieces(self, text: str) -> tuple[int, ...]:
        """The tokens of a piece of text that stands behind other text. Raises UsageError when they are not that text."""
        known = self._pieces.get(text)
        if known is None:
            # Some tokenizers write the start of a text differently: what stands behind an "x" is no start.
            encode, decode = self.tokenizer.encode, self.tokenizer.decode
            before = encode("x", add_special_tokens=False)
            ids = encode("x" + text, add_special_tokens=False)
            shown = decode(ids, clean_up_tokenization_spaces=False)
            if ids[: len(before)] != before or not shown.endswith("x" + text):
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
                self.tokenizer.backend_tokenizer.to_str(),
                n_vocab=self.model.config.vocab_size,
                eos_token=self.tokenizer.eos_token_id,
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


def _trained_variant(path: str) -> str:
    """The prompt variant that a checkpoint of ours was trained on, else the NSQL form."""
    import json

    try:
        return str(
            json.loads((Path(path) / "training.json").read_text(encoding="utf-8"))["config"]["variant"]
        )
    except (OSError, KeyError, ValueError):
        return _DEFAULT_VARIANT


def _load(path: str, options: LoadOptions) -> tuple[Any, Any]:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    local = Path(path).is_dir()
    dtype: Any = options.dtype
    if dtype == "auto":
        # Half precision is slow or unsupported in many CPU kernels.
        dtype = torch.float32 if not torch.cuda.is_available() else torch.float16
    else:
        dtype = getattr(torch, dtype)
    offline = local or os.environ.get("HF_HUB_OFFLINE") == "1" or not hub_answers()
    common = {"trust_remote_code": options.trust_remote_code, "local_files_only": offline}
    arguments: dict[str, Any] = {"dtype": dtype, **common}
    if options.device_map is not None:
        arguments["device_map"] = options.device_map
    if options.max_memory is not None:
        arguments["max_memory"] = dict(options.max_memory)
    if options.offload_folder is not None:
        arguments["offload_folder"] = options.offload_folder
    if options.quantize is not None:
        from transformers import BitsAndBytesConfig

        arguments["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=options.quantize == "4bit", load_in_8bit=options.quantize == "8bit"
        )
    if local:
        _check_json(Path(path))
    try:
        config = AutoConfig.from_pretrained(path, **common)
        if getattr(config, "activation_function", "") == "gelu_new":
            # The same function in one kernel instead of eight.
            config.activation_function = "gelu_pytorch_tanh"
        tokenizer = AutoTokenizer.from_pretrained(path, **common)
        model, report = AutoModelForCausalLM.from_pretrained(
            path, config=config, output_loading_info=True, **arguments
        )
    # What the libraries raise for a folder that is incomplete, damaged or of another kind.
    except (OSError, ValueError, ImportError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        raise ArtifactError(
            f"The model '{path}' could not be loaded: {_reason(error)}.",
            "Check the name or folder; leave out --model for the one that ships with ontoprompt.",
        ) from error
    if report["missing_keys"]:
        # They would be filled with random numbers.
        raise ArtifactError(
            f"The model '{path}' holds no weights for {len(report['missing_keys'])} parts of a causal language model.",
            "It is of another kind, or its files are incomplete: name another with --model.",
        )
    # Nothing that a user writes may stand for a special token.
    tokenizer.split_special_tokens = True
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model.eval(), tokenizer


def _check_json(folder: Path) -> None:
    """Raises ArtifactError for a file of a model that is cut off: the libraries' own words for it help nobody."""
    import json

    for file in sorted(folder.glob("*.json")):
        try:
            json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ArtifactError(
                f"The file {file.name} of the model '{folder}' is damaged: it is not JSON.",
                "Fetch or train the model again, or leave out --model for the one that ships with ontoprompt.",
            ) from error


def _reason(error: Exception) -> str:
    """The first line of what a library says, in one sentence without its full stop."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if "ignore_mismatched_sizes" in lines[0]:
        return "its weights have other shapes than its config.json says"
    return f"it lacks {lines[0]}" if isinstance(error, KeyError) else lines[0][:200].rstrip(".")


def hub_answers() -> bool:
    """Whether the model hub can be reached at all: its client would try for half a minute."""
    import socket
    from urllib.parse import urlsplit
    from urllib.request import getproxies

    if getproxies():
        return True
    hub = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    try:
        socket.create_connection((hub.hostname, hub.port or 443), timeout=3).close()
    except OSError:
        return False
    return True


def open_generator(name: str = DEFAULT_MODEL, options: LoadOptions | None = None) -> Generator:
    """The generator of a name: `default`, a folder, a hub name, or `openai:URL#NAME`."""
    if name.startswith("openai:"):
        from .chat import ChatGenerator

        return ChatGenerator.from_name(name)
    return TransformersGenerator(name, options)
