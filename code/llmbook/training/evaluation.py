"""How good a model is on text that it was not trained on (chapter 6).

The loss in nats depends on the tokenizer: fewer, longer tokens are harder to guess. Bits per byte
does not, so it compares any two models of the same text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from llmbook.models.mode import evaluating
from llmbook.training.data import check_length, collate
from llmbook.training.objectives import IGNORED, Batch, Objective
from llmbook.training.processes import ALONE, Processes


@dataclass(frozen=True)
class HeldOut:
    """Batches to evaluate on, always in this order.

    text_bytes  bytes of the text that the targets stand for; None where no text has a probability,
                as with masked tokens or classes
    """

    batches: tuple[Batch, ...]
    text_bytes: int | None = None

    @classmethod
    def windows(
        cls,
        ids: Tensor | Sequence[int],
        length: int,
        *,
        shared: int = 1,
        batch_size: int = 32,
        token_bytes: Tensor | None = None,
        every: int = 1,
    ) -> HeldOut:
        """A text, cut into windows, the last of which may be shorter.

        Args:
            length: as for ``TokenWindows``
            shared: tokens that a window has in common with the one before it. 0 for masked tokens;
                1 for next tokens: the last target of a window is the first token to be read in the
                next. With more, no token has to be guessed from less than ``shared`` others; it is
                still counted once.
            token_bytes: how many bytes each id stands for, 0 for special tokens (V,)
            every: for a quick look, take only every n-th window

        Raises:
            ValueError: for a text that is too short, or ``shared`` outside 0 to length - 1.
        """
        ids = torch.as_tensor(ids).long()
        check_length(ids, min(length, 2))
        if not 0 <= shared < length:
            raise ValueError(f"shared ({shared}) must be at least 0 and below length ({length})")
        rows = []
        for start in range(0, max(len(ids) - shared, 1), (length - shared) * every):
            window = ids[start : start + length]
            labels = window.clone()
            labels[: shared if start else min(shared, 1)] = IGNORED
            rows.append({"ids": window, "labels": labels})
        whole = [row for row in rows if len(row["ids"]) == length]
        groups = [whole[i : i + batch_size] for i in range(0, len(whole), batch_size)]
        groups += [[row] for row in rows if len(row["ids"]) < length]
        text_bytes = None
        if token_bytes is not None:
            targets = torch.cat([row["labels"] for row in rows])
            text_bytes = int(token_bytes[targets[targets != IGNORED]].sum())
        stacked = ({name: torch.stack([row[name] for row in group]) for name in group[0]}
                   for group in groups)  # fmt: skip
        return cls(tuple(stacked), text_bytes)

    @classmethod
    def examples(cls, examples: Sequence, pad_id: int = 0, batch_size: int = 32) -> HeldOut:
        """Examples as for ``Examples``, in their order."""
        return cls(
            tuple(
                collate(examples[i : i + batch_size], pad_id)
                for i in range(0, len(examples), batch_size)
            )
        )


@dataclass(frozen=True)
class Evaluation:
    """Mean loss in nats per target, and what follows from it."""

    loss: float
    targets: int
    text_bytes: int | None = None

    @property
    def perplexity(self) -> float:
        """e to the loss: as unsure as among so many equally likely tokens."""
        return math.exp(self.loss)

    @property
    def bits_per_byte(self) -> float | None:
        """Sum of the losses in bits, by the bytes of the text; None without such a text."""
        if self.text_bytes is None:
            return None
        return self.loss * self.targets / math.log(2) / self.text_bytes


@torch.no_grad()
def evaluate(
    model: nn.Module,
    objective: Objective,
    held_out: HeldOut,
    *,
    precision: str = "float32",
    processes: Processes = ALONE,
) -> Evaluation:
    """The loss in evaluation mode; the mode of the model and the generators stay as they were.

    What an objective draws, it draws alike each time, so two evaluations differ by the model alone.

    Raises:
        ValueError: if there is no target.
    """
    generator = torch.Generator().manual_seed(0)
    device = next(model.parameters()).device
    total = torch.zeros(2, dtype=torch.float64)
    with evaluating(model), autocast(device, precision):
        for number, batch in enumerate(held_out.batches):
            prepared = objective.prepare(batch, generator)
            if number % processes.count == processes.rank:
                loss, targets = objective.loss(model, to(prepared, device))
                total += torch.tensor([loss.item(), targets], dtype=torch.float64)
    loss, targets = processes.sum(total.to(device)).tolist()
    if not targets:
        raise ValueError("the held-out data has no target to predict")
    return Evaluation(loss / targets, int(targets), held_out.text_bytes)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Matrix products in bfloat16 for "bfloat16", and nothing at all for "float32"."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def to(batch: Batch, device: torch.device) -> Batch:
    return {name: tensor.to(device) for name, tensor in batch.items()}
