"""What a model learns to predict, and what a wrong guess costs (chapters 6 and 7).

``NextToken``         each token from those before it (GPT)
``MaskedTokens``      hidden tokens from those around them (BERT)
``TargetTokens``      each token of the target, from the source and the target so far (Seq2Seq)
``ClassLabel``        one class for a text

An objective makes from a batch what the model reads and the targets of its logits, -100 where there
is none, and gives the *sum* of the losses with the *number* of targets. A mean would be wrong:
the mean of two means is not the mean of all, when one batch has more targets than the other.

Shapes: ``B`` batch, ``T`` tokens, ``S`` source tokens, ``V`` vocabulary size, ``C`` classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

IGNORED = -100  # the target of padding, of a prompt, of a token that was not hidden

Batch = Mapping[str, Tensor]


class Objective(ABC):
    """How a batch becomes a loss; an objective of another kind needs these three methods.

    A frozen dataclass: its ``repr`` holds its settings, and a run is resumed with the same ones.
    """

    @abstractmethod
    def prepare(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """What the model reads, and the targets; ``batch`` itself stays as it is.

        ``generator`` is for an objective that draws something.
        """

    @abstractmethod
    def count(self, prepared: Batch) -> int:
        """The number of targets."""

    @abstractmethod
    def loss(self, model: nn.Module, prepared: Batch) -> tuple[Tensor, int]:
        """The sum of the losses of all targets, in nats and float32, and their number."""

    def __call__(
        self, model: nn.Module, batch: Batch, generator: torch.Generator | None = None
    ) -> tuple[Tensor, int]:
        """``loss`` of what ``prepare`` gives."""
        return self.loss(model, self.prepare(batch, generator))


class CrossEntropy(Objective):
    """Logits (..., V) for "targets" (...), which are -100 where nothing is predicted.

    ``label_smoothing`` acts in training mode alone: a smoothed loss is no measure of a model.
    """

    label_smoothing: float = 0.0

    @abstractmethod
    def logits(self, model: nn.Module, prepared: Batch) -> Tensor:
        """What the model makes of a batch: (..., V)."""

    def count(self, prepared: Batch) -> int:
        return int((prepared["targets"] != IGNORED).sum())

    def loss(self, model: nn.Module, prepared: Batch) -> tuple[Tensor, int]:
        logits, targets = self.logits(model, prepared), prepared["targets"]
        number = self.count(prepared)
        if number < targets.numel():  # a softmax over the vocabulary is not cheap
            counts = targets != IGNORED
            logits, targets = logits[counts], targets[counts]
        loss = F.cross_entropy(
            logits.float().flatten(0, -2),
            targets.flatten(),
            reduction="sum",
            label_smoothing=self.label_smoothing if model.training else 0.0,
        )
        return loss, number


@dataclass(frozen=True)
class NextToken(CrossEntropy):
    """Predict token t + 1 at token t.

    A batch has "ids" (B, T + 1), and may have, of the same shape, "attention_mask", 0 for padding,
    and "labels": the ids again, with -100 for each token that shall not be learned, such as those
    of a prompt. Labels come *not* shifted; that happens here and nowhere else.
    """

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        check_share("label_smoothing", self.label_smoothing)

    def prepare(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """"ids" and "targets" (B, T - 1), one token apart; -100 where padding is on either side.

        Raises:
            ValueError: if labels have another shape than ids.
        """
        ids, mask = batch["ids"], batch.get("attention_mask")
        labels = batch.get("labels", ids)
        if labels.shape != ids.shape:
            raise ValueError(f"labels {tuple(labels.shape)} must be as ids {tuple(ids.shape)}")
        prepared = {"ids": ids[:, :-1], "targets": labels[:, 1:]}
        if mask is not None:
            prepared["attention_mask"] = mask[:, :-1]
            padded = (mask[:, :-1] == 0) | (mask[:, 1:] == 0)  # on either side
            prepared["targets"] = labels[:, 1:].masked_fill(padded, IGNORED)
        return prepared

    def logits(self, model: nn.Module, prepared: Batch) -> Tensor:
        """What the model says of the next token, (B, T - 1, V)."""
        return model(prepared["ids"], prepared.get("attention_mask"))


@dataclass(frozen=True)
class MaskedTokens(CrossEntropy):
    """Predict what was hidden: 80 % of it under [MASK], 10 % under a random token, 10 % not at all.

    Each token is chosen with probability ``rate``, apart from special tokens and padding (Devlin et
    al. 2019, section 3.1). A random token is never a special one.

    A batch has "ids" (B, T), and may have "attention_mask" (B, T), 0 for padding.
    """

    mask_id: int
    vocab_size: int
    special_ids: tuple[int, ...]
    rate: float = 0.15

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1:
            raise ValueError(f"rate ({self.rate}) must be above 0 and at most 1")
        if self.mask_id not in self.special_ids:
            raise ValueError(f"mask_id ({self.mask_id}) must be one of special_ids")
        if not set(self.special_ids) < set(range(self.vocab_size)):
            raise ValueError(
                f"special_ids {self.special_ids} must be some, not all, of 0 to vocab_size - 1 "
                f"({self.vocab_size - 1})"
            )

    def prepare(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """"ids" (B, T) in which some are hidden, and "targets" (B, T): those, -100 elsewhere."""
        ids, mask = batch["ids"], batch.get("attention_mask")
        special = torch.zeros(self.vocab_size, dtype=torch.bool)
        special[list(self.special_ids)] = True
        ordinary = (~special).nonzero()[:, 0]

        may = ~special[ids] if mask is None else ~special[ids] & (mask != 0)
        chosen = (torch.rand(ids.shape, generator=generator) < self.rate) & may
        lot = torch.rand(ids.shape, generator=generator)
        drawn = ordinary[torch.randint(len(ordinary), ids.shape, generator=generator)]
        hidden = ids.masked_fill(chosen & (lot < 0.8), self.mask_id)
        hidden = torch.where(chosen & (lot >= 0.8) & (lot < 0.9), drawn, hidden)
        prepared = {"ids": hidden, "targets": ids.masked_fill(~chosen, IGNORED)}
        return prepared if mask is None else {**prepared, "attention_mask": mask}

    def logits(self, model: nn.Module, prepared: Batch) -> Tensor:
        """What the model says of each place, (B, T, V)."""
        return model(prepared["ids"], prepared.get("attention_mask"))


@dataclass(frozen=True)
class TargetTokens(CrossEntropy):
    """Predict token t + 1 of the target from the source and the *true* target up to t.

    To give the true tokens and not the model's own is teacher forcing (Williams & Zipser 1989);
    label smoothing is from Szegedy et al. (2016), section 7.

    A batch has "source" (B, S) and "target" (B, T + 1), the target from its start token to its end
    token, and may have "source_mask" and "target_mask" of their shapes, 0 for padding.
    """

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        check_share("label_smoothing", self.label_smoothing)

    def prepare(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """"source" (B, S), "target" and "targets" (B, T - 1), one token apart."""
        target, mask = batch["target"], batch.get("target_mask")
        prepared = {"source": batch["source"], "target": target[:, :-1], "targets": target[:, 1:]}
        if "source_mask" in batch:
            prepared["source_mask"] = batch["source_mask"]
        if mask is not None:
            prepared["target_mask"] = mask[:, :-1]
            prepared["targets"] = target[:, 1:].masked_fill(mask[:, 1:] == 0, IGNORED)
        return prepared

    def logits(self, model: nn.Module, prepared: Batch) -> Tensor:
        """What the model says of the next token of the target, (B, T - 1, V)."""
        masks = prepared.get("source_mask"), prepared.get("target_mask")
        return model(prepared["source"], prepared["target"], *masks)


@dataclass(frozen=True)
class ClassLabel(CrossEntropy):
    """Predict the class of a text.

    A batch has "ids" (B, T) and "label" (B,), and may have "attention_mask" (B, T), 0 for padding.
    The model gives logits (B, C).
    """

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        check_share("label_smoothing", self.label_smoothing)

    def prepare(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """"ids" (B, T), and "targets" (B,): the labels."""
        read = {name: batch[name] for name in ("ids", "attention_mask") if name in batch}
        return read | {"targets": batch["label"]}

    def logits(self, model: nn.Module, prepared: Batch) -> Tensor:
        """What the model says of each text, (B, C).

        Raises:
            ValueError: for a label outside the classes of the model.
        """
        logits = model(prepared["ids"], prepared.get("attention_mask"))
        targets = prepared["targets"]
        wrong = (targets < 0) | (targets >= logits.shape[-1])  # no -100 either: each text counts
        if wrong.any():
            raise ValueError(
                f"label {int(targets[wrong][0])} is outside the classes: the model has "
                f"{logits.shape[-1]}, 0 to {logits.shape[-1] - 1}"
            )
        return logits


def check_share(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"{name} ({value}) must be at least 0 and below 1")
