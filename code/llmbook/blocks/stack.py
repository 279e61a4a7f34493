"""L blocks, one on the other, with the cache they share: the body of every model of this book."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from llmbook.attention import causal_mask, padding_mask
from llmbook.blocks.block import Block, BlockCache, Trace, make_norm
from llmbook.blocks.config import BlockConfig


class StackCache:
    """What a stack keeps of the tokens that it has seen: keys, values, and which were padding."""

    def __init__(self, num_layers: int) -> None:
        self.blocks = [BlockCache() for _ in range(num_layers)]
        self.attention_mask: Tensor | None = None  # (B, S) boolean; None: no padding so far

    def __len__(self) -> int:
        """S, the number of cached tokens, padding included."""
        return len(self.blocks[0].attention)

    def remember(self, ids: Tensor, attention_mask: Tensor | None) -> Tensor | None:
        """Note which of the new tokens (B, T) are padding; returns the mask (B, S + T) of all."""
        if attention_mask is None and self.attention_mask is None:
            return None
        old, new = self.attention_mask, attention_mask
        # Cut to what has keys: a call that was refused, past the context, left its mask behind.
        old = ids.new_ones(len(ids), len(self)) if old is None else old[:, : len(self)]
        new = torch.ones_like(ids) if new is None else new
        self.attention_mask = torch.cat((old.bool(), new.bool()), dim=1)
        return self.attention_mask

    def select(self, rows: Tensor) -> None:
        """Keep these rows of the batch, in this order: beam search repeats and drops rows."""
        for block in self.blocks:
            block.attention.select(rows)
            block.memory.select(rows)
        if self.attention_mask is not None:
            self.attention_mask = self.attention_mask[rows]


class Stack(nn.Module):
    """``num_layers`` blocks and, with pre-norm, a final norm: (B, T, D) to (B, T, D)."""

    def __init__(self, config: BlockConfig, num_layers: int, cross_attention: bool = False) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(config, cross_attention) for _ in range(num_layers))
        # A post-norm block ends with a norm; of pre-norm blocks comes a sum that none has seen.
        self.norm = make_norm(config) if config.norm_first else nn.Identity()

    def forward(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        cache: StackCache | None = None,
        positions: Tensor | None = None,
        trace: Trace | None = None,
    ) -> Tensor:
        """As ``Block.forward``, through all blocks; masks: **True = may attend**."""
        for i, block in enumerate(self.blocks):
            if trace is not None:
                trace.hidden_states.append(x)
            own = None if cache is None else cache.blocks[i]
            x = block(x, memory, mask, memory_mask, own, positions, trace)
        x = self.norm(x)
        if trace is not None:
            trace.hidden_states.append(x)
        return x


def causal_inputs(
    ids: Tensor, attention_mask: Tensor | None, cache: StackCache | None
) -> tuple[Tensor, Tensor]:
    """Mask and positions of the tokens ``ids`` (B, T), which follow those in the cache.

    Args:
        attention_mask: (B, T), 1 for a token and 0 for padding on either side; it covers ``ids``
            alone, the cache remembers the rest

    Returns:
        The mask (T, S) or (B, 1, T, S), **True = may attend**, and positions (T,) or (B, T), in
        which padding does not count: the first token of a row padded on the left has position 0.
    """
    past = 0 if cache is None else len(cache)
    mask = causal_mask(ids.shape[1], past + ids.shape[1], ids.device)
    if attention_mask is not None:
        check_attention_mask(attention_mask, ids)
    seen = attention_mask if cache is None else cache.remember(ids, attention_mask)
    if seen is None:
        return mask, torch.arange(past, past + ids.shape[1], device=ids.device)
    return mask & padding_mask(seen), token_positions(seen)[:, past:]


def token_positions(attention_mask: Tensor) -> Tensor:
    """Positions (B, S) that count tokens and no padding, from an attention mask (B, S)."""
    return (attention_mask.bool().cumsum(1) - 1).clamp(min=0)


def check_attention_mask(attention_mask: Tensor, ids: Tensor) -> None:
    if attention_mask.shape != ids.shape:
        raise ValueError(
            f"attention_mask {tuple(attention_mask.shape)} must have the shape of the token ids "
            f"{tuple(ids.shape)}, those of this call alone"
        )
