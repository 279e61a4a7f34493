"""One block of a transformer: attention, then a feed-forward layer, each added to its input.

The same class is the encoder block and the decoder block of 2017, the block of BERT, of GPT-2 and
of Llama; they differ in their ``BlockConfig`` (chapter 5).

Shapes: ``B`` batch, ``T`` tokens, ``S`` tokens attended to, ``D`` model width, ``H`` heads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor, nn

from llmbook.attention import KeyValueCache, MultiHeadAttention, RelativePositions, RotaryPositions
from llmbook.blocks.config import BlockConfig
from llmbook.blocks.feed_forward import FeedForward, SwiGLU
from llmbook.blocks.norms import LayerNorm, RMSNorm


@dataclass
class BlockCache:
    """What one block keeps between calls; without cross-attention ``memory`` stays empty."""

    attention: KeyValueCache = field(default_factory=KeyValueCache)
    memory: KeyValueCache = field(default_factory=KeyValueCache)


@dataclass
class Trace:
    """What a forward pass leaves behind where it is given one: ``model(ids, trace=trace)``.

    hidden_states  L + 1 tensors (B, T, D): the embeddings, and the output of each block, the last
                   one after the final norm, if there is one (as in Transformers)
    attention      L attention maps (B, H, T, S); a row sums to 1, or to 0 where all is masked
    memory         L attention maps onto the memory, of blocks with cross-attention
    """

    hidden_states: list[Tensor] = field(default_factory=list)
    attention: list[Tensor] = field(default_factory=list)
    memory: list[Tensor] = field(default_factory=list)


class Block(nn.Module):
    """Attention, attention to a memory if ``cross_attention``, feed-forward, each with a residual
    connection and a norm (Vaswani et al. 2017, section 3.1)."""

    def __init__(self, config: BlockConfig, cross_attention: bool = False) -> None:
        super().__init__()
        self.norm_first = config.norm_first
        self.attention_norm = make_norm(config)
        self.attention = make_attention(config, config.positions)
        self.memory_attention = None
        if cross_attention:
            self.memory_norm = make_norm(config)
            self.memory_attention = make_attention(config)
        self.feed_forward_norm = make_norm(config)
        self.feed_forward = make_feed_forward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        cache: BlockCache | None = None,
        positions: Tensor | None = None,
        trace: Trace | None = None,
    ) -> Tensor:
        """x (B, T, D) to (B, T, D).

        Args:
            memory: (B, S, D), what cross-attention reads
            mask, memory_mask: boolean, broadcast to (B, H, T, S), **True = may attend**
            positions: (T,) or (B, T), for rotary and relative ones; see ``MultiHeadAttention``
            trace: where to note the attention maps
        """

        def attend(x: Tensor) -> Tensor:
            own = None if cache is None else cache.attention
            x, weights = self.attention(x, None, mask, own, positions, trace is not None)
            if trace is not None:
                trace.attention.append(weights)
            return x

        def attend_to_memory(x: Tensor) -> Tensor:
            if memory is None:
                raise ValueError("a block with cross-attention needs a memory")
            own = None if cache is None else cache.memory
            x, weights = self.memory_attention(
                x, memory, memory_mask, own, return_weights=trace is not None
            )
            if trace is not None:
                trace.memory.append(weights)
            return x

        x = self._add(x, attend, self.attention_norm)
        if self.memory_attention is not None:
            x = self._add(x, attend_to_memory, self.memory_norm)
        return self._add(x, self.feed_forward, self.feed_forward_norm)

    def _add(self, x: Tensor, layer: Callable[[Tensor], Tensor], norm: nn.Module) -> Tensor:
        if self.norm_first:
            return x + self.dropout(layer(norm(x)))
        return norm(x + self.dropout(layer(x)))


def make_norm(config: BlockConfig) -> nn.Module:
    if config.norm == "rms_norm":
        return RMSNorm(config.d_model, config.norm_eps)
    return LayerNorm(config.d_model, config.norm_eps, config.bias)


def make_attention(config: BlockConfig, positions: str = "none") -> MultiHeadAttention:
    rotary = relative = None
    if positions == "rotary":
        rotary = RotaryPositions(config.head_width, config.rotary_base)
    if positions == "relative":
        relative = RelativePositions(config.num_heads, config.max_distance)
    return MultiHeadAttention(
        config.d_model,
        config.num_heads,
        num_kv_heads=config.num_kv_heads,
        bias=config.bias,
        dropout=config.dropout,
        rotary=rotary,
        relative=relative,
    )


def make_feed_forward(config: BlockConfig) -> nn.Module:
    if config.activation == "swiglu":
        return SwiGLU(config.d_model, config.d_hidden, config.bias)
    return FeedForward(config.d_model, config.d_hidden, config.activation, config.bias)
