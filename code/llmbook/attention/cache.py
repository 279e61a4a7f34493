"""Keys and values of the tokens seen so far, so that each is computed once (chapter 8)."""

from __future__ import annotations

import torch
from torch import Tensor


class KeyValueCache:
    """The cache of one attention layer; it grows with each chunk of tokens.

    ``key`` and ``value`` have shape (B, H, S, K), with H the key-value heads; None while empty.
    ``positions`` (B, S) say where the keys stand, in a layer with relative positions alone.
    Padding is cached like tokens: which columns are padding is for the mask to say.
    """

    def __init__(self) -> None:
        self.key: Tensor | None = None
        self.value: Tensor | None = None
        self.positions: Tensor | None = None

    def __len__(self) -> int:
        """S, the number of cached tokens."""
        return 0 if self.key is None else self.key.shape[-2]

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Add the keys and values of T tokens, (B, H, T, K); returns those of all S + T."""
        if self.key is None:
            self.key, self.value = key, value
        else:
            self.key = torch.cat((self.key, key), dim=-2)
            self.value = torch.cat((self.value, value), dim=-2)
        return self.key, self.value

    def append_positions(self, positions: Tensor) -> Tensor:
        """Add the positions of T tokens, (B, T); returns those of all S + T."""
        if self.positions is not None:
            positions = torch.cat((self.positions, positions), dim=-1)
        self.positions = positions
        return positions

    def select(self, rows: Tensor) -> None:
        """Keep these rows of the batch, in this order: beam search repeats and drops rows."""
        if self.key is not None:
            self.key, self.value = self.key[rows], self.value[rows]
        if self.positions is not None:
            self.positions = self.positions[rows]
