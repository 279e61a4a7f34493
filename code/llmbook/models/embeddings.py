"""From token ids to vectors that know their place: the entrance of every model (chapter 5).

Shapes: ``B`` batch, ``T`` tokens, ``D`` model width, ``V`` vocabulary size.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from llmbook.attention import LearnedPositions, sinusoidal_positions
from llmbook.attention.positions import check_positions
from llmbook.blocks import BlockConfig


@dataclass(frozen=True, kw_only=True)
class ModelConfig(BlockConfig):
    """Settings that all models share: those of their blocks, and three more.

    ``context_length`` is the number of positions, padding not counted; past it a model refuses.
    """

    vocab_size: int
    context_length: int
    num_layers: int

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("vocab_size", "context_length", "num_layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} ({getattr(self, name)}) must be at least 1")
        if self.positions == "sinusoidal" and self.d_model % 2:
            raise ValueError(f"d_model ({self.d_model}) must be even for sinusoidal positions")


class Embeddings(nn.Module):
    """Token vectors, times ``scale``, plus position vectors if learned or sinusoidal."""

    def __init__(self, config: ModelConfig, scale: float = 1.0) -> None:
        super().__init__()
        self.config = config
        self.scale = scale
        self.token = nn.Embedding(config.vocab_size, config.d_model)
        if config.positions == "learned":
            self.position = LearnedPositions(config.context_length, config.d_model)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Token ids (B, T) at positions (T,) or (B, T) to vectors (B, T, D).

        Raises:
            ValueError: for a position past the context.
        """
        return self.dropout(self.sum(ids, positions))

    def sum(self, ids: Tensor, positions: Tensor) -> Tensor:
        """The same before dropout."""
        check_positions(positions, self.config.context_length)
        x = self.token(ids) * self.scale
        if self.config.positions == "learned":
            return x + self.position(positions)
        if self.config.positions == "sinusoidal":
            return x + sinusoidal_positions(positions, self.config.d_model).to(x.dtype)
        return x


def check_ids(ids: Tensor, vocab_size: int) -> None:
    if ids.dim() != 2 or ids.numel() == 0:
        raise ValueError(f"token ids must have shape (B, T), not {tuple(ids.shape)}")
    low, high = (int(edge) for edge in ids.aminmax())
    if low < 0 or high >= vocab_size:
        raise ValueError(
            f"token id {low if low < 0 else high} is outside the vocabulary: vocab_size "
            f"({vocab_size}) allows 0 to {vocab_size - 1}"
        )
