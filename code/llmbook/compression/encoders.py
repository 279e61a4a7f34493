"""Encoders of texts that can be compared: the same reading, the same count of bytes (chapter 9).

An encoder here is a module that maps token ids (B, T) and an attention mask (B, T) to hidden states
(B, T, D); the vector of a text is their mean, at length 1. Shapes: ``N`` texts, ``L`` layers.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmbook.blocks import Trace
from llmbook.models import Bert, load_minilm
from llmbook.models.mode import evaluating
from llmbook.training.data import collate
from llmbook.tuning.classifier import by_length, mean_pool, pool_rows


def lean_minilm() -> Bert:
    """MiniLM without its pooler, which the mean of the tokens does not read."""
    encoder = load_minilm().eval()
    encoder.pooler = None
    return encoder


def shallow(encoder: Bert, layers: int) -> Bert:
    """A copy of the embeddings and the first ``layers`` blocks; 0 leaves the embeddings.

    Raises:
        ValueError: if the encoder has fewer blocks, or ``layers`` is below 0.
    """
    blocks = encoder.stack.blocks
    if not 0 <= layers <= len(blocks):
        raise ValueError(f"layers ({layers}) must be 0 to {len(blocks)}")
    encoder.stack.blocks = blocks[:layers]
    try:
        return copy.deepcopy(encoder)
    finally:
        encoder.stack.blocks = blocks


def pooled(encoder: nn.Module, ids: Tensor, attention_mask: Tensor) -> Tensor:
    """The vectors of a batch at length 1, (B, D)."""
    return F.normalize(mean_pool(encoder(ids, attention_mask), attention_mask), dim=-1)


def text_vectors(
    encoder: nn.Module, rows: Sequence[Sequence[int]], batch_size: int = 32
) -> Tensor:
    """The vector of each of N lists of token ids, (N, D), in their order.

    Raises:
        ValueError: for no text.
    """
    if not rows:
        raise ValueError("there is no text to read")
    with evaluating(encoder):
        return pool_rows(rows, lambda ids, mask: mean_pool(encoder(ids, mask), mask), batch_size)


def layer_vectors(
    encoder: Bert, rows: Sequence[Sequence[int]], batch_size: int = 32
) -> Tensor:
    """The vectors after the embeddings and after each block, (L + 1, N, D), by one reading.

    Row k is ``text_vectors(shallow(encoder, k), rows)``, if the blocks end with their norm.
    """
    parts: dict[int, Tensor] = {}
    with evaluating(encoder), torch.no_grad():
        for places in by_length(rows, batch_size):
            batch, trace = collate([{"ids": list(rows[i])} for i in places]), Trace()
            mask = batch["attention_mask"]
            encoder(batch["ids"], mask, trace=trace)
            found = [F.normalize(mean_pool(h, mask), dim=-1) for h in trace.hidden_states]
            parts.update(zip(places, torch.stack(found, dim=1), strict=True))
    return torch.stack([parts[i] for i in range(len(rows))], dim=1)


def stored_bytes(model: nn.Module) -> int:
    """The bytes of all numbers that must be kept to have the model again.

    A quantized tensor counts one byte for each number and 16 for its scale and its zero point.
    Names and shapes, about 100 bytes a tensor in a file, are not counted.
    """
    return sum(map(_bytes, model.state_dict().values()))


def _bytes(value: object) -> int:
    if isinstance(value, tuple):  # what torch's quantized layers keep: weight and bias
        return sum(map(_bytes, value))
    if not isinstance(value, Tensor):
        return 0
    return value.numel() * value.element_size() + 16 * value.is_quantized
