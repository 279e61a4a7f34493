"""Attention, from one formula to many heads with a cache (chapter 4).

``scaled_dot_product``  the formula, in ten lines
``masks``               causal and padding masks; **True = may attend**, everywhere
``positions``           sinusoidal, learned, rotary and relative positions
``cache``               keys and values of tokens already seen
``multi_head``          many heads, to itself or to a memory, grouped queries

Not here: sliding windows, ALiBi, flash attention of our own. Shapes: ``B`` batch, ``T`` queries,
``S`` keys, ``D`` model width, ``H`` heads, ``K`` head width.
"""

from llmbook.attention.cache import KeyValueCache
from llmbook.attention.masks import causal_mask, padding_mask
from llmbook.attention.multi_head import MultiHeadAttention
from llmbook.attention.positions import (
    LearnedPositions,
    RelativePositions,
    RotaryPositions,
    sinusoidal_positions,
)
from llmbook.attention.scaled_dot_product import scaled_dot_product_attention

__all__ = [
    "KeyValueCache",
    "LearnedPositions",
    "MultiHeadAttention",
    "RelativePositions",
    "RotaryPositions",
    "causal_mask",
    "padding_mask",
    "scaled_dot_product_attention",
    "sinusoidal_positions",
]
