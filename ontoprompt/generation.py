"""Prompts → ranked candidate queries, from a causal language model held to a grammar.

`TransformersGenerator` loads any causal LM of transformers (CodeGen first), spread over devices
by accelerate; `open_generator` picks it or a remote server by name. Compiling a grammar is done
once per question, masking per token; a matcher that fails raises.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .errors import ArtifactError, NoQueryError, UsageError
from .evidence import in_tokens
from .prompts import Prompt

DEFAULT_MODEL = "default"
_DEFAULT_VARIANT = "nsql"


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt, the grammar its query must obey (None: unconstrained), log-weights that favour
    surfaces (surface text → added log-probability), as retrieval judged them, and pairs of
    surfaces that the graph speaks against side by side (see `evidence.py`)."""

    prompt: Prompt
    grammar: str | None = None
    bias: Mapping[str, float] = field(default_factory=dict)
    unlikely: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A query as written (`text`, surfaces) and in plain SPARQL, with its total log-probability
    and that of each token. `truncated`: the token budget ended before the query did."""

    text: str
    sparql: str
    score: float
    token_logprobs: tuple[float, ...] = ()
    truncated: bool = False


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
    """How to load and run a model. `max_memory` is accelerate's, for example {"cpu": "1GiB", 0: "10GiB"}."""

    dtype: str = "auto"
    device_map: str | Mapping[str, str | int] | None = None
    max_memory: Mapping[str | int, str] | None = None
    offload_folder: str | None = None
    quantize: str | None = None
    trust_remote_code: bool = False
    max_new_tokens: int = 160
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
        self._grammar_tokenizer: Any = None
        self._lead = " " if self.variant.endswith("-symbols") else ""

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
        """See `Generator`. Beam search (or sampling), every step masked by the request's grammar."""
        import torch
        from transformers import LogitsProcessorList

        if not requests:
            return []
        options = self.options
        texts = [r.prompt.text for r in requests]
        tokenizer = self.tokenizer
        tokenizer.padding_side = "left"
        batch = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        room = self.context - options.max_new_tokens
        if batch["input_ids"].shape[1] > room:
            raise UsageError(
                f"The prompt has {batch['input_ids'].shape[1]} tokens, but the model {self.name} takes {room}.",
                "Ask with a smaller --top-k, fewer --examples, or a shorter question.",
            )
        device = self.model.get_input_embeddings().weight.device
        if device.type == "meta":
            device = torch.device("cpu")
        batch = {k: v.to(device) for k, v in batch.items() if k in ("input_ids", "attention_mask")}
        width = int(batch["input_ids"].shape[1])
        processor = _GrammarMask(self, requests, width, candidates)
        torch.manual_seed(options.seed)
        how = (
            {"do_sample": True, "temperature": options.temperature, "num_return_sequences": candidates}
            if options.sample
            else {
                "num_beams": candidates,
                "num_return_sequences": candidates,
                "do_sample": False,
                "length_penalty": 0.0,
                "early_stopping": True,
            }
        )
        with torch.inference_mode():
            out = self.model.generate(
                **batch,
                **how,
                max_new_tokens=options.max_new_tokens,
                logits_processor=LogitsProcessorList([processor]),
                output_scores=True,
                return_dict_in_generate=True,
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
                renormalize_logits=False,
            )
            transitions = self.model.compute_transition_scores(
                out.sequences, out.scores, getattr(out, "beam_indices", None), normalize_logits=options.sample
            )
        results: list[tuple[Candidate, ...]] = []
        for index, request in enumerate(requests):
            found: dict[str, Candidate] = {}
            for row in range(index * candidates, (index + 1) * candidates):
                candidate = self._candidate(
                    request, out.sequences[row, width:].tolist(), transitions[row].tolist()
                )
                if candidate and (
                    candidate.sparql not in found or candidate.score > found[candidate.sparql].score
                ):
                    found[candidate.sparql] = candidate
            results.append(tuple(sorted(found.values(), key=lambda c: -c.score)))
        return results

    def _candidate(self, request: Request, ids: Sequence[int], scores: Sequence[float]) -> Candidate | None:
        end = self.tokenizer.eos_token_id
        length = ids.index(end) if end in ids else len(ids)
        text = self.tokenizer.decode(ids[:length], clean_up_tokenization_spaces=False).strip()
        used = [s for s in scores[: length + 1] if s > float("-inf")]
        if not text or any(s < -1e20 for s in used):
            return None
        return Candidate(text, request.prompt.expand(text), sum(used), tuple(used), truncated=end not in ids)

    def matcher(self, grammar: str) -> Any:
        """A fresh llguidance matcher of `grammar` over this model's tokens. Raises NoQueryError when it does not compile."""
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
        ids = self.tokenizer.encode(" " + surface, add_special_tokens=False)
        return int(ids[0]) if len(ids) == 1 else None


class _GrammarMask:
    """Logits processor: for each row, only tokens that its grammar admits after what it has written.

    Beams are re-ordered between steps, so a row's matcher is found by the tokens written so
    far, not by its place.
    """

    def __init__(
        self, owner: TransformersGenerator, requests: Sequence[Request], width: int, rows_each: int
    ) -> None:
        self.owner = owner
        self.width = width
        self.rows_each = rows_each
        self.bias = [owner.biases(r.bias) for r in requests]
        self.evidence = [in_tokens(r.unlikely, r.prompt.of("entity"), owner.token_of) for r in requests]
        self.states: dict[tuple[int, tuple[int, ...]], Any] = {
            (i, ()): owner.matcher(r.grammar) for i, r in enumerate(requests) if r.grammar is not None
        }
        self.constrained = [r.grammar is not None for r in requests]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import llguidance
        import llguidance.torch as masks
        import torch

        vocabulary = scores.shape[-1]
        per_request = scores.shape[0] // len(self.constrained)
        nxt: dict[tuple[int, tuple[int, ...]], Any] = {}
        bitmask = masks.allocate_token_bitmask(1, vocabulary)
        scores = torch.log_softmax(scores.float(), dim=-1)
        for row, ids in enumerate(input_ids[:, self.width :].tolist()):
            request = row // per_request
            for token, weight in self.bias[request].items():
                scores[row, token] += weight
            if not self.constrained[request]:
                continue
            key = (request, tuple(ids))
            matcher = nxt.get(key) or self._advance(key)
            nxt[key] = matcher
            if matcher is None or matcher.is_stopped():
                keep = torch.full_like(scores[row], float("-inf"))
                keep[self.owner.tokenizer.eos_token_id] = scores[row, self.owner.tokenizer.eos_token_id]
                scores[row] = keep
                continue
            masks.fill_next_token_bitmask(matcher, bitmask, 0)
            masks.apply_token_bitmask_inplace(scores[row : row + 1], bitmask.to(scores.device))
        # Parents stay for one more step only: a finished beam may be extended no further.
        self.states = {**{k: v for k, v in self.states.items() if not k[1]}, **nxt}
        _ = llguidance
        scores = torch.log_softmax(scores, dim=-1)
        for row, ids in enumerate(input_ids[:, self.width :].tolist()):
            self.evidence[row // per_request].apply(ids, scores[row])
        return scores

    def _advance(self, key: tuple[int, tuple[int, ...]]) -> Any:
        request, ids = key
        if key in self.states:
            return self.states[key]
        parent = self.states.get((request, ids[:-1]))
        if parent is None:
            return None
        matcher = parent.deep_copy()
        if ids[-1] == self.owner.tokenizer.eos_token_id or matcher.is_stopped():
            return None
        if not matcher.consume_token(ids[-1]) or matcher.is_error():
            # A beam that search has filled with a masked token is dead; its score is -inf already.
            return None
        return matcher


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
    from transformers import AutoModelForCausalLM, AutoTokenizer
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
    arguments: dict[str, Any] = {
        "dtype": dtype,
        "trust_remote_code": options.trust_remote_code,
        "local_files_only": local or os.environ.get("HF_HUB_OFFLINE") == "1",
    }
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
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            path, trust_remote_code=options.trust_remote_code, local_files_only=arguments["local_files_only"]
        )
        model = AutoModelForCausalLM.from_pretrained(path, **arguments)
    except (OSError, ValueError, ImportError) as error:
        first = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise ArtifactError(
            f"The model '{path}' could not be loaded: {first}",
            "Check the name or folder; leave out --model for the one that ships with ontoprompt.",
        ) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model.eval(), tokenizer


def open_generator(name: str = DEFAULT_MODEL, options: LoadOptions | None = None) -> Generator:
    """The generator of a name: `default`, a folder, a hub name, or `openai:URL#NAME`."""
    if name.startswith("openai:"):
        from .chat import ChatGenerator

        return ChatGenerator.from_name(name)
    return TransformersGenerator(name, options)
