"""The block of a transformer and what it is made of (chapter 5).

``norms``         LayerNorm and RMSNorm
``feed_forward``  ReLU, exact and tanh GELU, SwiGLU
``config``        ``BlockConfig``, which checks itself
``block``         attention, cross-attention and feed-forward, before or after their norms
``stack``         L blocks with a final norm, their cache, masks and positions

Not here: mixtures of experts, parallel attention and feed-forward. Shapes: ``B`` batch, ``T``
tokens, ``S`` tokens attended to, ``D`` model width, ``H`` heads, ``L`` layers.
"""

from llmbook.blocks.block import Block, BlockCache, Trace
from llmbook.blocks.config import BlockConfig
from llmbook.blocks.feed_forward import FeedForward, SwiGLU
from llmbook.blocks.norms import LayerNorm, RMSNorm, layer_norm
from llmbook.blocks.stack import Stack, StackCache

__all__ = [
    "Block",
    "BlockCache",
    "BlockConfig",
    "FeedForward",
    "LayerNorm",
    "RMSNorm",
    "Stack",
    "StackCache",
    "SwiGLU",
    "Trace",
    "layer_norm",
]
