"""A causal model of transformers behind `decoding.search`: any architecture, on whatever devices it lies.

A prompt runs through the model once, however many beams grow out of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from .decoding import Guide, Hypothesis, Sampling, search
from .grounding import Grounded

# Tokens for which room is made at once in a cache.
_ROOM = 32
# Models of fewer parameters than this are small.
_SMALL = 50_000_000
# Architectures whose logits are the last layer's output, neither scaled nor capped.
_PLAIN = frozenset(("codegen", "gpt2", "gptj", "llama"))


def decode(
    model: Any,
    input_ids: Any,
    attention_mask: Any,
    guides: Sequence[Guide],
    *,
    count: int,
    end: int,
    sampling: Sampling | None = None,
    grounded: Grounded | None = None,
) -> list[list[Hypothesis]]:
    """`search` under a model: up to `count` continuations of each prompt, best first.

    `input_ids`, `attention_mask`: [prompts, tokens], padded on the left, on the device of the model's input;
    `grounded`: what the prompts mean, for a model that was trained to be told.
    """
    import torch

    with _few_threads(model), torch.inference_mode():
        runner = TorchRunner(model, input_ids, attention_mask, count, grounded)
        return search(runner, guides, count=count, end=end, sampling=sampling)


@contextmanager
def _few_threads(model: Any) -> Iterator[None]:
    """One thread for a small model on the CPU: cores that wait for each other between small products are slower
    than one alone, ten times so when something else wants one of them."""
    import torch

    threads = torch.get_num_threads()
    if sum(p.numel() for p in model.parameters()) < _SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class TorchRunner:
    """A model with the keys and values of what it has read: a row for each prompt at first, then for each beam.

    `most`: beams of one prompt.
    """

    def __init__(
        self, model: Any, input_ids: Any, attention_mask: Any, most: int, grounded: Grounded | None = None
    ) -> None:
        self.prompts = input_ids
        self.grounded = grounded
        self.table = model.get_input_embeddings()
        self.most = most
        self.attention = attention_mask
        self.vocabulary = int(model.config.vocab_size)
        self.cache: Any = None
        self.head = _plain_head(model)
        self.reader = model if self.head is None and grounded is None else model.base_model
        self.any_head = model.get_output_embeddings()
        accepted = inspect.signature(self.reader.forward).parameters
        self.positions = "position_ids" in accepted
        # Only the last place of a prompt is continued: the head need not see the others.
        self.options = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}

    def step(
        self,
        rows: Sequence[int],
        tokens: Sequence[tuple[int, ...]],
        choices: np.ndarray[Any, Any],
        requests: Sequence[int],
    ) -> np.ndarray[Any, Any]:
        """See `decoding.Runner`."""
        import torch

        order = torch.tensor(rows, device=self.prompts.device)
        asked = torch.from_numpy(choices)
        fresh = self.cache is None
        if fresh:
            logits = self._read(self.prompts, asked, range(len(self.prompts)))[order.cpu()]
            if len(self.prompts) == 1:
                self.cache.layers = [_shared(layer, self.most) for layer in self.cache.layers]
            self._select(order)
            if not tokens[0]:
                return np.asarray(logits)
        else:
            self._select(order)
        written = torch.tensor(tokens, device=self.prompts.device)
        self.attention = torch.cat([self.attention, torch.ones_like(written)], dim=1)
        return np.asarray(self._read(written, asked, requests))

    def _select(self, order: Any) -> None:
        if order.tolist() != list(range(len(self.attention))):
            self.attention = self.attention[order]
            self.cache.reorder_cache(order)

    def _read(self, ids: Any, choices: Any, requests: Sequence[int]) -> Any:
        import torch

        options: dict[str, Any] = dict(self.options)
        read: dict[str, Any] = {"input_ids": ids}
        prompts = torch.tensor(requests, device=ids.device)
        fresh = self.cache is None
        if self.grounded is not None:
            read = {"inputs_embeds": self.grounded.embeddings(self.table, ids, prompts, prompts=fresh)}
        if self.positions:
            # Padding on the left takes no place.
            places = self.attention.cumsum(1) - 1
            options["position_ids"] = places.clamp(min=0)[:, -ids.shape[1] :]
        out = self.reader(
            **read,
            attention_mask=self.attention,
            past_key_values=self.cache,
            use_cache=True,
            **options,
        )
        self.cache = out.past_key_values
        if self.head is None and self.grounded is None:
            return out.logits[:, -1].float().cpu()[:, choices]
        states = out.last_hidden_state[:, -1]
        if self.head is None:
            logits = self.any_head(states)[:, choices.to(states.device)]
        else:
            choices = choices.to(self.head.weight.device)
            bias = None if self.head.bias is None else self.head.bias[choices]
            logits = torch.nn.functional.linear(states, self.head.weight[choices], bias)
        if self.grounded is not None:
            if fresh:
                self.grounded.listen(out.last_hidden_state)
            logits = logits + self.grounded.scores(states, prompts)[:, self.grounded.columns[choices]]
        return logits.float().cpu()


def _shared(layer: Any, most: int) -> Any:
    """A layer's keys and values after one prompt, to be continued by up to `most` beams.

    The beams differ in what they wrote alone, so only that is moved when they are reordered, and what is new is
    written in place: copying prompts took half of the time of a search with fifty beams.
    """
    from transformers.cache_utils import DynamicLayer

    return _shared_layer_type()(layer, most) if type(layer) is DynamicLayer else layer


@cache
def _shared_layer_type() -> Any:
    from transformers.cache_utils import DynamicLayer

    class SharedLayer(DynamicLayer):  # type: ignore[misc]
        def __init__(self, layer: Any, most: int) -> None:
            super().__init__()
            self.lazy_initialization(layer.keys, layer.values)
            self.start = self.length = layer.keys.shape[2]
            self.stores = [self._room(kept.expand(most, -1, -1, -1)) for kept in (layer.keys, layer.values)]
            self._show(1)

        def _room(self, kept: Any) -> Any:
            rows, heads, length, width = kept.shape
            store = kept.new_empty(rows, heads, length + _ROOM, width)
            store[:, :, :length] = kept
            return store

        def _show(self, rows: int) -> None:
            self.keys, self.values = (store[:rows, :, : self.length] for store in self.stores)

        def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
            rows, more = len(key_states), key_states.shape[2]
            while self.length + more > self.stores[0].shape[2]:
                self.stores = [self._room(store) for store in self.stores]
            for store, new in zip(self.stores, (key_states, value_states), strict=True):
                store[:rows, :, self.length : self.length + more] = new
            self.length += more
            self._show(rows)
            return self.keys, self.values

        def reorder_cache(self, beam_idx: Any) -> None:
            order = beam_idx.to(self.device)
            for store in self.stores:
                written = store[:, :, self.start : self.length]
                written[: len(order)] = written.index_select(0, order)
            self._show(len(order))

    return SharedLayer


def _plain_head(model: Any) -> Any:
    """The last layer of a model whose logits are that layer's output as it is; else None.

    A grammar admits few of its rows, and reading them all is a third of a small model's work. Under
    accelerate's hooks its weights may be elsewhere until it is called.
    """
    import torch

    head = model.get_output_embeddings()
    plain = type(head) is torch.nn.Linear and not hasattr(head, "_hf_hook")
    return head if plain and model.config.model_type in _PLAIN else None
