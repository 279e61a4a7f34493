"""Multi-head attention, to itself or to a memory (Vaswani et al. 2017, section 3.2.2; chapter 4).

Shapes: ``B`` batch, ``T`` queries, ``S`` keys, ``D`` model width, ``H`` heads, ``K`` = D/H head
width. Grouped-query attention (Ainslie et al. 2023) has fewer heads for keys and values.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmbook.attention.cache import KeyValueCache
from llmbook.attention.positions import RelativePositions, RotaryPositions
from llmbook.attention.scaled_dot_product import check_mask, scaled_dot_product_attention


class MultiHeadAttention(nn.Module):
    """H attentions side by side, each on its own K of the D columns, and a projection of them all.

    Head h reads columns hK to hK + K - 1 of the query. With ``num_kv_heads`` below ``num_heads``,
    H / num_kv_heads neighbouring query heads share a head of keys and values. When x attends to
    itself, ``rotary`` turns queries and keys and ``relative`` adds a bias to the scores; a memory
    has no position relative to x.

    The weights are those of four ``nn.Linear``, (out, in): ``query``, ``key``, ``value``,
    ``output``; plain tensors go in with ``load_state_dict({"query.weight": …, …})``.

    Raises:
        ValueError: if the heads do not divide the width, or the key-value heads the heads.
    """

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        *,
        num_kv_heads: int | None = None,
        bias: bool = True,
        dropout: float = 0.0,
        rotary: RotaryPositions | None = None,
        relative: RelativePositions | None = None,
    ) -> None:
        super().__init__()
        num_kv_heads = num_heads if num_kv_heads is None else num_kv_heads
        check_heads(d_model, num_heads, num_kv_heads)
        self.head_width = d_model // num_heads
        self.sharing = num_heads // num_kv_heads
        self.query = nn.Linear(d_model, d_model, bias)
        self.key = nn.Linear(d_model, num_kv_heads * self.head_width, bias)
        self.value = nn.Linear(d_model, num_kv_heads * self.head_width, bias)
        self.output = nn.Linear(d_model, d_model, bias)
        self.dropout = nn.Dropout(dropout)
        self.rotary, self.relative = rotary, relative

    def forward(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        cache: KeyValueCache | None = None,
        positions: Tensor | None = None,
        return_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Let x (B, T, D) attend to itself, or to ``memory`` (B, S, D) if there is one.

        Args:
            mask: boolean, broadcast to (B, H, T, S), **True = may attend**
            cache: of x's own keys and values, then S counts the cached tokens too; or of the
                memory's, then they are computed in the first call and reused after
            positions: (T,) or (B, T), for rotary and relative positions; those after the cached
                tokens if None
            return_weights: take the readable path, which has the weights to return; torch's is
                faster and gives the same output within rounding

        Returns:
            The output (B, T, D), and the weights (B, H, T, S) if asked for, else None.
        """
        if mask is not None:
            check_mask(mask)
            if mask.dim() == 3 and x.dim() == 3:
                raise ValueError("a mask with a batch needs a head dimension: (B, 1, T, S)")
        query = self._heads(self.query(x))  # (B, H, T, K)
        bias = None
        if memory is None:
            query, key, value, bias = self._from_itself(x, query, cache, positions)
        else:
            key, value = self._from_memory(memory, cache)
        if self.sharing > 1:
            key, value = (t.repeat_interleave(self.sharing, dim=-3) for t in (key, value))
        weights = None
        if return_weights:
            heads, weights = scaled_dot_product_attention(
                query, key, value, mask, bias=bias, dropout=self.dropout
            )
        else:
            if bias is not None:  # torch takes one mask: boolean, or a number to be added
                mask = bias if mask is None else bias.masked_fill(~mask, -torch.inf)
            rate = self.dropout.p if self.training else 0.0
            heads = F.scaled_dot_product_attention(query, key, value, mask, dropout_p=rate)
        return self.output(heads.transpose(-3, -2).flatten(-2)), weights  # (B, T, D)

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, self.head_width)).transpose(-3, -2)  # (B, H, T, K)

    def _from_itself(
        self, x: Tensor, query: Tensor, cache: KeyValueCache | None, positions: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        key, value = self._heads(self.key(x)), self._heads(self.value(x))
        if positions is None:
            positions = torch.arange(x.shape[-2], device=x.device)
            positions = positions + (0 if cache is None else len(cache))
        if self.rotary is not None:
            turns = positions.unsqueeze(-2)  # (B, 1, T): the same in all heads
            query, key = self.rotary(query, turns), self.rotary(key, turns)
        bias = None
        if self.relative is not None:
            seen = positions
            if cache is not None:
                seen = cache.append_positions(positions.expand(x.shape[:-1]))  # (B, S)
            bias = self.relative(positions, seen)  # (B, H, T, S)
        if cache is not None:
            key, value = cache.append(key, value)
        return query, key, value, bias

    def _from_memory(self, memory: Tensor, cache: KeyValueCache | None) -> tuple[Tensor, Tensor]:
        if cache is not None and len(cache) > 0:
            return cache.key, cache.value
        key, value = self._heads(self.key(memory)), self._heads(self.value(memory))
        return (key, value) if cache is None else cache.append(key, value)


def check_heads(d_model: int, num_heads: int, num_kv_heads: int) -> None:
    for name, number in (("num_heads", num_heads), ("num_kv_heads", num_kv_heads)):
        if number < 1:
            raise ValueError(f"{name} ({number}) must be at least 1")
    if d_model < 1 or d_model % num_heads:
        raise ValueError(f"d_model ({d_model}) must be divisible by num_heads ({num_heads})")
    if num_heads % num_kv_heads:
        raise ValueError(
            f"num_heads ({num_heads}) must be divisible by num_kv_heads ({num_kv_heads})"
        )
