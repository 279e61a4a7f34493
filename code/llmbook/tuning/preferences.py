"""Direct preference optimization: of two answers, the chosen one over the rejected (chapter 9).

``bradley_terry_loss``  a reward from comparisons
``dpo_loss``            the same, where the reward is what the model has moved away from a reference
``DPO``                 that as an objective of ``llmbook.training.Trainer``

Rafailov et al. (2023), section 4. The log-probability of an answer is the *sum* over its tokens,
its end token included, as it is there; a mean would be another objective. The reference is read
once, before training (``reference_log_probs``), and not again.

Not here: reward models on top of a language model, reinforcement learning, sampling of answers.
Shapes: ``B`` pairs of a batch, ``N`` pairs of all, ``T`` tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmbook.models.mode import evaluating
from llmbook.training import IGNORED, Objective
from llmbook.training.data import collate
from llmbook.training.objectives import Batch
from llmbook.tuning.instructions import END, Tokenizer, encode_instructions

SIDES = ("chosen", "rejected")


class Preference(NamedTuple):
    """Two answers to one question, the better one first."""

    question: str
    chosen: str
    rejected: str


def encode_preferences(
    tokenizer: Tokenizer, preferences: Iterable[Preference], end: str = END
) -> list[dict[str, list[int] | int]]:
    """For ``Examples``: "chosen" and "rejected" are prompt, answer and end token, as ids.

    "prompt" is the number of tokens that the two have in common as their prompt, "pair" the place
    of the preference, under which ``DPO`` finds its reference. Encoded by ``encode_instructions``.

    Raises:
        ValueError: as ``encode_instructions``, so for an empty answer too.
    """
    examples = []
    for pair, (question, *answers) in enumerate(preferences):
        both = encode_instructions(tokenizer, [(question, a) for a in answers], end=end)
        ids = dict(zip(SIDES, (e["ids"] for e in both), strict=True))
        examples.append({**ids, "prompt": both[0]["labels"].count(IGNORED), "pair": pair})
    return examples


def sequence_log_probs(
    model: nn.Module, ids: Tensor, labels: Tensor, attention_mask: Tensor | None = None
) -> Tensor:
    """log p(answer | prompt) of each row (B,): the sum over all labels (B, T) that are not -100.

    Labels stand where their tokens stand, as from ``encode_instructions``; the logits for a token
    are those of the token before it. ``model`` takes ids and mask (B, T - 1) and gives logits.

    Raises:
        ValueError: if ids and labels differ in shape, or a first token has a label: nothing
            stands before it.
    """
    if ids.shape != labels.shape:
        raise ValueError(f"labels {tuple(labels.shape)} must be as ids {tuple(ids.shape)}")
    if (labels[:, 0] != IGNORED).any():
        raise ValueError("the first token of a row has a label, and nothing to be predicted from")
    mask = None if attention_mask is None else attention_mask[:, :-1]
    logits = model(ids[:, :-1], mask).float()  # (B, T - 1, V)
    losses = F.cross_entropy(logits.transpose(1, 2), labels[:, 1:], reduction="none")
    return -losses.sum(1)


def bradley_terry_loss(chosen: Tensor, rejected: Tensor) -> Tensor:
    """-log P(the chosen wins) of each pair (B,), from the rewards of both (B,).

    P = sigmoid(chosen - rejected), Bradley & Terry (1952); equation 2 of Rafailov et al. (2023).
    """
    return -F.logsigmoid(chosen - rejected)


def dpo_loss(policy: Tensor, reference: Tensor, beta: float) -> Tensor:
    """Loss of each pair (B,), from log-probabilities (B, 2): column 0 chosen, column 1 rejected.

    Rafailov et al. (2023), equation 7: ``bradley_terry_loss`` of the rewards
    beta * (policy - reference). It is ln 2 where the two models agree.
    """
    check_beta(beta)
    return bradley_terry_loss(*(beta * (policy - reference)).unbind(1))


@dataclass(frozen=True)
class DPO(Objective):
    """Prefer the chosen answer, on a leash of strength ``beta``.

    ``reference`` (N, 2) comes from ``reference_log_probs`` of the same examples, in which "pair"
    is the row. A target is a pair, so the loss is a mean over pairs. The model is read in
    evaluation mode also while it trains: the reference was read without dropout, and with it
    the margin of a model against itself would not be 0.

    A batch has what ``Examples`` makes of ``encode_preferences``.
    """

    reference: Tensor = field(repr=False)
    beta: float = 0.1

    def __post_init__(self) -> None:
        check_beta(self.beta)
        if self.reference.dim() != 2 or self.reference.shape[1] != 2:
            raise ValueError(f"the reference must be (N, 2), not {tuple(self.reference.shape)}")

    def prepare(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """Chosen and rejected as one batch of 2B rows, the chosen first."""
        rows = {**both_sides(batch), "pair": batch["pair"]}
        return {**rows, "reference": self.reference[batch["pair"]]}

    def count(self, prepared: Batch) -> int:
        """The number of pairs."""
        return len(prepared["pair"])

    def loss(self, model: nn.Module, prepared: Batch) -> tuple[Tensor, int]:
        """The sum of the pairs' losses, one number in nats, and the number of pairs."""
        with evaluating(model):
            policy = pair_log_probs(model, prepared)
        losses = dpo_loss(policy, prepared["reference"], self.beta)
        return losses.sum(), len(losses)


def both_sides(batch: Batch) -> dict[str, Tensor]:
    """"ids", "labels" and "attention_mask" (2B, T): B chosen answers, then B rejected ones."""
    width = max(batch[side].shape[1] for side in SIDES)

    def joined(name: str) -> Tensor:
        return torch.cat(
            [F.pad(batch[f"{side}{name}"], (0, width - batch[side].shape[1])) for side in SIDES]
        )

    ids, mask = joined(""), joined("_mask")
    prompt = batch["prompt"].repeat(2)[:, None]
    given = (torch.arange(width) < prompt) | (mask == 0)
    return {"ids": ids, "labels": ids.masked_fill(given, IGNORED), "attention_mask": mask}


def pair_log_probs(model: nn.Module, rows: Mapping[str, Tensor]) -> Tensor:
    """(B, 2) from 2B rows of ``both_sides``."""
    found = sequence_log_probs(model, rows["ids"], rows["labels"], rows["attention_mask"])
    return found.view(2, -1).T


@torch.no_grad()
def reference_log_probs(
    model: nn.Module, examples: Sequence[Mapping[str, list[int] | int]], batch_size: int = 32
) -> Tensor:
    """Log-probabilities (N, 2) of chosen and rejected answers, without dropout."""
    with evaluating(model):
        parts = [
            pair_log_probs(model, both_sides(collate(examples[i : i + batch_size])))
            for i in range(0, len(examples), batch_size)
        ]
    return torch.cat(parts)


def check_beta(beta: float) -> None:
    if not 0 < beta < float("inf"):
        raise ValueError(f"beta ({beta}) must be above 0 and finite")
