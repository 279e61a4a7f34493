"""Settings of a block, checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass

from llmbook.attention.multi_head import check_heads
from llmbook.blocks.feed_forward import ACTIVATIONS

CHOICES = {
    "norm": ("layer_norm", "rms_norm"),
    "activation": (*ACTIVATIONS, "swiglu"),
    "positions": ("learned", "sinusoidal", "rotary", "relative", "none"),
}


@dataclass(frozen=True, kw_only=True)
class BlockConfig:
    """Settings of one block.

    num_kv_heads  heads of keys and values, as many as ``num_heads`` if None
    d_hidden      width inside the feed-forward layer
    norm_first    True: x + f(norm(x)), as GPT-2; False: norm(x + f(x)), as the paper of 2017
    bias          of the linear layers and of LayerNorm
    positions     "rotary" turns queries and keys inside the block, "relative" adds to its scores;
                  "learned" and "sinusoidal" are added to the embeddings by the model, and change
                  nothing in a block
    max_distance  for relative positions: what is further away counts as this far
    dropout       rate for attention weights, for what a layer adds, and for embeddings
    """

    d_model: int
    num_heads: int
    num_kv_heads: int | None = None
    d_hidden: int
    norm: str = "layer_norm"
    norm_eps: float = 1e-5
    norm_first: bool = True
    activation: str = "gelu"
    bias: bool = True
    positions: str = "none"
    rotary_base: float = 10000.0
    max_distance: int = 32
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_heads(self.d_model, self.num_heads, self.kv_heads)
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {choices}, not {getattr(self, name)!r}")
        for name in ("d_hidden", "max_distance"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} ({getattr(self, name)}) must be at least 1")
        if not self.norm_eps > 0:
            raise ValueError(f"norm_eps ({self.norm_eps}) must be above 0")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout ({self.dropout}) must be at least 0 and below 1")
        if self.positions == "rotary" and self.head_width % 2:
            raise ValueError(
                f"d_model / num_heads ({self.head_width}) must be even for rotary positions"
            )

    @property
    def kv_heads(self) -> int:
        """Heads of keys and values; as many as of queries unless told."""
        return self.num_heads if self.num_kv_heads is None else self.num_kv_heads

    @property
    def head_width(self) -> int:
        """Columns of one head, d_model / num_heads."""
        return self.d_model // self.num_heads
