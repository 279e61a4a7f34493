"""What the decoder learns: each token of the first line, generated or copied (chapter 8)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from llmbook.training import IGNORED, Objective
from llmbook.training.data import Batch


@dataclass(frozen=True)
class PointedTokens(Objective):
    """Minus the log probability of the next token, of the mixture of generating and copying.

    A token that is neither in ``written`` nor can be copied has probability 0 whatever the weights
    are: nothing can be learned from it, and it is no target.

    A batch has the fields of ``CachedPairs``; ``written`` and ``special`` are those of the decoder.
    """

    written: Tensor = field(repr=False)  # (G,)
    special: Tensor = field(repr=False)  # never copied
    copying: bool = True

    def prepare(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        following = batch["target"][:, 1:]
        reachable = torch.isin(following, self.written)
        if self.copying:
            same = (following[..., None] == batch["source"][:, None]).any(-1)
            reachable |= same & ~torch.isin(following, self.special)
        ignored = (batch["target_mask"][:, 1:] == 0) | ~reachable
        return {
            "source": batch["source"],
            "hidden": batch["hidden"],
            "source_mask": batch["source_mask"],
            "target": batch["target"][:, :-1],
            "targets": following.masked_fill(ignored, IGNORED),
        }

    def count(self, prepared: Batch) -> int:
        return int((prepared["targets"] != IGNORED).sum())

    def loss(self, model: nn.Module, prepared: Batch) -> tuple[Tensor, int]:
        source = model.read(prepared["source"], prepared["hidden"], prepared["source_mask"])
        mixture = model.mix(prepared["target"], source)
        targets = prepared["targets"]
        counts = targets != IGNORED
        found = model.log_likelihood(mixture, source, targets.masked_fill(~counts, 0))
        return -found[counts].sum(), int(counts.sum())
