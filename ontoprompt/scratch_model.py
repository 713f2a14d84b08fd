"""A small CodeGen model to be trained from nothing: how its embeddings start, and its checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .symbol_tokenizer import END, SYMBOLS, as_bytes

if TYPE_CHECKING:
    from .training_config import TrainConfig


def new_model(config: TrainConfig, tokenizer: Any) -> Any:
    """A CodeGen model whose word embeddings start from the default encoder's table where a token is a word of it."""
    import torch
    from transformers import CodeGenConfig, CodeGenForCausalLM

    torch.manual_seed(config.seed)
    size = tokenizer.get_vocab_size()
    shape = CodeGenConfig(
        vocab_size=size,
        n_positions=config.context,
        n_ctx=config.context,
        n_embd=config.width,
        n_layer=config.layers,
        n_head=config.heads,
        rotary_dim=min(32, config.width // config.heads),
        n_inner=4 * config.width,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
        tie_word_embeddings=True,
    )
    model = CodeGenForCausalLM(shape)
    _fuse(model)
    _start_embeddings(model, tokenizer)
    model.tie_weights()
    return model


def _fuse(model: Any) -> None:
    """The same products in fewer kernels: attention without its matrix of weights, GELU as one."""
    import torch

    for block in model.transformer.h:
        block.mlp.act = torch.nn.GELU(approximate="tanh")
        scale = 1.0 / float(block.attn.scale_attn)

        def attend(
            query: Any, key: Any, value: Any, mask: Any = None, scale: float = scale
        ) -> tuple[Any, None]:
            query, key = query.to(value.dtype), key.to(value.dtype)
            bias = None if mask is None else mask.to(value.dtype)
            found = torch.nn.functional.scaled_dot_product_attention(query, key, value, bias, scale=scale)
            return found, None

        block.attn._attn = attend


def _start_embeddings(model: Any, tokenizer: Any) -> None:
    import torch

    from .embedding import word_embeddings

    table, pieces = word_embeddings()
    weight = model.transformer.wte.weight
    with torch.no_grad():
        weight.normal_(0.0, 0.05)
        if table.shape[1] != weight.shape[1]:
            return
        scale = 0.05 / float(table.std())
        for text, index in tokenizer.get_vocab().items():
            word = text.replace("\u0120", "").lower()
            if word and text not in {as_bytes(s) for s in SYMBOLS} and (ids := pieces(word)):
                weight[index] = torch.as_tensor(table[ids].mean(0)) * scale


def pretrained(tokenizer: Any) -> Any:
    """A tokenizer as transformers knows it."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END,
        eos_token=END,
        unk_token=END,
        pad_token=END,
        clean_up_tokenization_spaces=False,
    )


def save_generator(model: Any, tokenizer: Any, out: Path) -> None:
    """A folder that `AutoModelForCausalLM` and `AutoTokenizer` load: half precision, embeddings tied."""
    import torch
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    pretrained(tokenizer).save_pretrained(out)
    was = model.dtype
    model.to(torch.float16).save_pretrained(out)
    model.to(was)
