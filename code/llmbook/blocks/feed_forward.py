"""The feed-forward layer: each token's vector by itself, wider and back (chapter 5).

Shapes: ``D`` model width; the hidden width is 4D in GPT-2, about 8/3 D where a gate is used.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

ACTIVATIONS = {
    "relu": F.relu,
    "gelu": F.gelu,  # x Φ(x), exact (Hendrycks & Gimpel 2016); BERT's
    "gelu_tanh": partial(F.gelu, approximate="tanh"),  # an approximation of it; GPT-2's
}


class FeedForward(nn.Module):
    """down(activation(up(x))) (Vaswani et al. 2017, section 3.3); (..., D) to (..., D)."""

    def __init__(self, d_model: int, d_hidden: int, activation: str, bias: bool = True) -> None:
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden, bias)
        self.down = nn.Linear(d_hidden, d_model, bias)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to (..., D), each position by itself."""
        return self.down(self.activation(self.up(x)))


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x)), a gate for each column (Shazeer 2020); (..., D) to (..., D)."""

    def __init__(self, d_model: int, d_hidden: int, bias: bool = False) -> None:
        super().__init__()
        self.gate = nn.Linear(d_model, d_hidden, bias)
        self.up = nn.Linear(d_model, d_hidden, bias)
        self.down = nn.Linear(d_hidden, d_model, bias)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to (..., D), each position by itself."""
        return self.down(F.silu(self.gate(x)) * self.up(x))
