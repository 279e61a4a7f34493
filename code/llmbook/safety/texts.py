"""Texts without a mask, for toy worlds whose models read short texts from the left."""

from __future__ import annotations

from llmbook.training import Examples
from llmbook.training.objectives import Batch


class Texts(Examples):
    """Examples without a mask, with which a step takes half the time.

    Where texts differ in length, the padding stands on the right, where no token looks at it, and
    its labels are ignored.
    """

    def draw(self, batch_size: int) -> Batch:
        """{"ids": (B, T), "labels": (B, T)}."""
        return {name: field for name, field in super().draw(batch_size).items()
                if name != "attention_mask"}  # fmt: skip
