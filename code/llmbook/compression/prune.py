"""The smallest weights set to zero (magnitude pruning; Han et al. 2015), and what zeros take.

Not here: retraining after the cut, which Han et al. do, and cutting whole rows or heads, which
makes matrices smaller. Chapter 9.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


def smallest(weight: Tensor, share: float) -> Tensor:
    """True for the ``share`` of the entries with the smallest absolute values; of its shape.

    Their number is rounded to a whole one; of equal values, which are chosen is torch's choice.

    Raises:
        ValueError: if ``share`` is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share ({share}) must be between 0 and 1")
    number = round(share * weight.numel())
    chosen = torch.zeros(weight.numel(), dtype=torch.bool)
    chosen[weight.detach().abs().flatten().topk(number, largest=False).indices] = True
    return chosen.view_as(weight)


def prune_linear(model: nn.Module, share: float) -> nn.Module:
    """A copy in which that share of the weights of each ``nn.Linear`` is 0; biases stay."""
    result = copy.deepcopy(model)
    for module in result.modules():
        if isinstance(module, nn.Linear):
            with torch.no_grad():
                module.weight[smallest(module.weight, share)] = 0
    return result


def bitmap_bytes(weight: Tensor) -> int:
    """The bytes of a matrix that is kept as one bit for each entry and its entries that are no 0.

    Among simple formats the smallest until nearly all is 0: an index costs more than a bit.
    """
    return -(-weight.numel() // 8) + int(weight.count_nonzero()) * weight.element_size()
