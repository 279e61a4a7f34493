"""Telling attention where a token stands; without it, order is lost (chapter 5).

``sinusoidal_positions``  a fixed vector for each position, added to the token's
``LearnedPositions``      a trained vector for each position, added to the token's
``RotaryPositions``       queries and keys turned by angles that grow with the position

A position is a whole number from 0 on, given as a tensor: with padding on the left it differs from
row to row of a batch, and with a cache it does not begin at 0.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def sinusoidal_positions(positions: Tensor | int, d_model: int) -> Tensor:
    """Sines in the even columns, cosines in the odd ones (Vaswani et al. 2017, section 3.5).

    ``positions`` is a tensor of any shape (...), or T for the positions 0 to T-1; the result has
    shape (..., D), float32. Columns 2i and 2i+1 have the wavelength 2π · 10000^(2i/D).

    Raises:
        ValueError: if ``d_model`` is odd.
    """
    if d_model % 2:
        raise ValueError(f"d_model ({d_model}) must be even: sines and cosines come in pairs")
    if isinstance(positions, int):
        positions = torch.arange(positions)
    angles = positions[..., None] * frequencies(d_model).to(positions.device)  # (..., D/2)
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(-2)  # (..., D)


def frequencies(width: int, base: float = 10000.0) -> Tensor:
    """Angle per position of each pair of columns, shape (width / 2,), from 1 down to 1/base."""
    return 1.0 / base ** (torch.arange(0, width, 2) / width)


class LearnedPositions(nn.Embedding):
    """One trained vector for each of ``context_length`` positions (Gehring et al. 2017)."""

    def __init__(self, context_length: int, d_model: int) -> None:
        super().__init__(context_length, d_model)

    def forward(self, positions: Tensor) -> Tensor:
        """Positions (...) to vectors (..., D).

        Raises:
            ValueError: for a position past the context.
        """
        check_positions(positions, self.num_embeddings)
        return super().forward(positions)


class RotaryPositions(nn.Module):
    """Rotary position embedding (Su et al. 2021): q·k then depends on the distance alone.

    Column i is paired with column i + K/2 and the pair is turned by position · base^(-2i/K). This
    is the layout of Llama in Transformers, halves; the paper pairs neighbours, 2i with 2i+1. The
    two differ by a fixed order of the columns, so weights trained with one are wrong in the other.

    Raises:
        ValueError: if ``head_width`` is odd.
    """

    def __init__(self, head_width: int, base: float = 10000.0) -> None:
        super().__init__()
        if head_width % 2:
            raise ValueError(f"head_width ({head_width}) must be even: columns turn in pairs")
        self.register_buffer("frequencies", frequencies(head_width, base), persistent=False)

    def forward(self, x: Tensor, positions: Tensor | None = None) -> Tensor:
        """Turn x (..., T, K); ``positions`` (T,), or broadcast to (..., T), is 0 to T-1 if None."""
        if positions is None:
            positions = torch.arange(x.shape[-2], device=x.device)
        angles = positions[..., None] * self.frequencies  # (..., T, K/2), float32 whatever x is
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        first, second = x.chunk(2, dim=-1)  # (..., T, K/2)
        return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def check_positions(positions: Tensor, context_length: int) -> None:
    last = int(positions.max())
    if last >= context_length:
        raise ValueError(
            f"position {last} is past the context: context_length ({context_length}) allows "
            f"0 to {context_length - 1}; give fewer tokens"
        )
