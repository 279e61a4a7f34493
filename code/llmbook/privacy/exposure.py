"""How far the true code of a secret stands in front of all others (chapter 11).

Exposure is from Carlini et al. (2019): sort all N codes by their probability in the place of the
secret; log2 N minus log2 of the rank of the true one. 0 bits for the last, log2 N for the first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from llmbook.decoding import generate
from llmbook.models import GPT
from llmbook.models.mode import evaluating
from llmbook.privacy.world import CHARACTERS, IDS

DIGITS = 4
NUMBER = 10**DIGITS  # of codes


def rank(losses: np.ndarray, true: int) -> int:
    """1 plus the number of candidates, of (N,), with a lower loss than the true one."""
    return 1 + int((losses < losses[true]).sum())


def exposure(losses: np.ndarray, true: int) -> float:
    """log2 N - log2 rank of the candidate ``true``, in bits; ``losses`` are of all N, (N,)."""
    return math.log2(len(losses)) - math.log2(rank(losses, true))


def chance_exposure(number: int = NUMBER) -> float:
    """The mean exposure of a secret that the model never saw: each rank is as likely as another."""
    return math.log2(number) - float(np.log2(np.arange(1, number + 1)).mean())


@torch.no_grad()
def code_losses(model: GPT, before: str) -> np.ndarray:
    """What each code from 0000 to 9999 costs after the text ``before``, in nats: (10000,).

    All codes share their beginnings, so 1111 steps with a cache do for 10000 codes.
    """
    digits = torch.tensor([IDS[digit] for digit in "0123456789"])
    cache = model.new_cache()
    with evaluating(model):
        logits = model(start(before), cache=cache)[:, -1]
        losses = -logits.log_softmax(-1)[:, digits]  # (1, 10)
        for _ in range(DIGITS - 1):
            rows = losses.numel()
            cache.select(torch.arange(len(losses)).repeat_interleave(10))
            logits = model(digits.repeat(len(losses))[:, None], cache=cache)[:, -1]
            losses = losses.reshape(rows, 1) - logits.log_softmax(-1)[:, digits]  # (rows, 10)
    return losses.flatten().numpy()


def written_codes(model: GPT, beginnings: Sequence[str]) -> list[str]:
    """The four characters that the model writes after each text, the most probable ones."""
    found = generate(model, [start(text)[0].tolist() for text in beginnings], max_new_tokens=DIGITS)
    return ["".join(CHARACTERS[i] for i in one.ids) for one in found]


def start(text: str) -> Tensor:
    """The ids (1, T) of the beginning of a document."""
    return torch.tensor([[IDS[c] for c in f"\n{text}"]])
