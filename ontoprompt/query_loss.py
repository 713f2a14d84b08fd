"""The loss of examples on their queries alone, for any causal model, and for one that is told what symbols mean."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from .grounding import Grounding
from .sampling import Encoded

if TYPE_CHECKING:
    import torch


def query_loss(model: Any, grounding: Grounding | None = None, *, train_grounding: bool = True) -> Any:
    """A causal model, and what grounds it, as one module that maps examples to the summed loss of their queries,
    float32. The grounding's matrices become the module's parameters."""
    return _module_class()(model, grounding, train_grounding)


@cache
def _module_class() -> Any:
    import torch

    class QueryLoss(torch.nn.Module):
        def __init__(self, model: Any, grounding: Grounding | None, train_grounding: bool) -> None:
            super().__init__()
            self.model = model
            self.grounding = grounding
            self.matrices = torch.nn.ParameterDict()
            if grounding is not None:
                self.matrices.update(
                    {
                        name: torch.nn.Parameter(matrix.detach(), requires_grad=train_grounding)
                        for name, matrix in grounding.matrices.items()
                    }
                )
                grounding.matrices = dict(self.matrices.items())

        def forward(self, examples: Sequence[Encoded]) -> torch.Tensor:
            if self.grounding is not None:
                return grounded_loss(bare(self.model), self.grounding, examples)
            return plain_loss(self.model, examples)

    return QueryLoss


def half_is_fast() -> bool:
    """Whether this processor multiplies bfloat16: elsewhere torch does so without its kernels, sixty times slower than
    in float32 (1.2 against 78 GFLOP/s, AVX2)."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def half_where_fast() -> Any:
    """Autocast to bfloat16 where that is faster."""
    import torch

    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=half_is_fast())


def bare(model: Any) -> Any:
    """The transformers model below an adapter, whose layers stay in place."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def grounded_loss(model: Any, grounding: Grounding, examples: Sequence[Encoded]) -> torch.Tensor:
    """The summed loss of examples under a model that is told what the symbols of their prompts mean."""
    import torch

    ids, _, wanted = padded(examples, model.get_input_embeddings().weight.device)
    rows = torch.arange(len(examples), device=ids.device)
    bound = grounding.bind([e.meaning for e in examples], model.config.vocab_size)
    embedded = bound.embeddings(model.get_input_embeddings(), ids, rows, prompts=True)
    hidden = model.base_model(inputs_embeds=embedded).last_hidden_state
    # Only the query's positions reach the head: it is as dear as two layers.
    states = hidden[:, :-1][wanted[:, 1:]]
    bound.listen(hidden)
    pointed = bound.scores(states, rows[:, None].expand_as(ids)[:, 1:][wanted[:, 1:]])
    head = model.get_output_embeddings()
    logits = head(states).index_add(1, bound.tokens, pointed[:, :-1])
    return torch.nn.functional.cross_entropy(logits.float(), ids[:, 1:][wanted[:, 1:]], reduction="sum")


def plain_loss(model: Any, examples: Sequence[Encoded]) -> torch.Tensor:
    """The summed loss of examples under any causal model."""
    import torch

    ids, attention, wanted = padded(examples, model.get_input_embeddings().weight.device)
    first = min(e.start for e in examples) - 1
    options: dict[str, Any] = {}
    if "logits_to_keep" in inspect.signature(bare(model).forward).parameters:
        # No query starts before the first: the head need not see the prompts.
        options["logits_to_keep"] = ids.shape[1] - first
    else:
        first = 0
    logits = model(input_ids=ids, attention_mask=attention, use_cache=False, **options).logits
    here = wanted[:, first + 1 :]
    return torch.nn.functional.cross_entropy(
        logits[:, :-1][here].float(), ids[:, first + 1 :][here], reduction="sum"
    )


def padded(examples: Sequence[Encoded], device: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """[examples, longest]: the ids, padded on the right; which of them are there; and which are of queries."""
    import torch

    shape = (len(examples), max(len(e.ids) for e in examples))
    ids = torch.zeros(shape, dtype=torch.long)
    there, wanted = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.bool)
    for row, e in enumerate(examples):
        ids[row, : len(e.ids)] = torch.tensor(e.ids)
        there[row, : len(e.ids)] = 1
        wanted[row, e.start : len(e.ids)] = True
    return ids.to(device), there.to(device), wanted.to(device)
