"""Telling attention where a token stands; without it, order is lost (chapter 5).

``sinusoidal_positions``  a fixed vector for each position, added to the token's
``LearnedPositions``      a trained vector for each position, added to the token's
``RotaryPositions``       queries and keys turned by angles that grow with the position
``RelativePositions``     a trained number for each distance, added to the scores

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


class RelativePositions(nn.Embedding):
    """A trained number for each head and distance, added to the score (Raffel et al. 2020,
    section 2.1, after Shaw et al. 2018, who add a vector to the key).

    Row r of the weight, of 2 · ``max_distance`` + 1, is for a key that stands r - ``max_distance``
    after its query; what is further away counts as ``max_distance``, as in Shaw et al. T5 differs:
    its longer distances share buckets that grow, up to 128, and all its layers share one weight.

    Raises:
        ValueError: if ``max_distance`` is below 1.
    """

    def __init__(self, num_heads: int, max_distance: int = 32) -> None:
        if max_distance < 1:
            raise ValueError(f"max_distance ({max_distance}) must be at least 1")
        super().__init__(2 * max_distance + 1, num_heads)
        self.max_distance = max_distance

    def forward(self, query_positions: Tensor, key_positions: Tensor) -> Tensor:
        """Positions (..., T) and (..., S) to what is added to the scores, (..., H, T, S)."""
        distances = key_positions[..., None, :] - query_positions[..., None]  # (..., T, S)
        rows = distances.clamp(-self.max_distance, self.max_distance) + self.max_distance
        return super().forward(rows).movedim(-1, -3)


def check_positions(positions: Tensor, context_length: int) -> None:
    last = int(positions.max())
    if last >= context_length:
        raise ValueError(
            f"position {last} is past the context: context_length ({context_length}) allows "
            f"0 to {context_length - 1}; give fewer tokens"
        )
