"""Two losses that share one model: their gradients, the angle between them, gradient surgery.

A gradient is one vector (P,), of all trained parameters one after the other (chapter 9).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def trained(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that require a gradient, each tensor once."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def gradient(loss: Tensor, model: nn.Module) -> Tensor:
    """The gradient (P,) of ``loss``; 0 for a parameter that it does not depend on.

    The graph of ``loss`` is kept, so that a second loss of the same forward pass can follow.
    """
    found = torch.autograd.grad(
        loss, trained(model), retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return torch.cat([part.flatten() for part in found])


def set_gradient(model: nn.Module, vector: Tensor) -> None:
    """Put a vector (P,) where an optimizer looks for the gradient."""
    start = 0
    for parameter in trained(model):
        end = start + parameter.numel()
        parameter.grad = vector[start:end].view_as(parameter).clone()
        start = end


def cosine(one: Tensor, other: Tensor) -> float:
    """Cosine of the angle between two gradients (P,), summed in double precision."""
    return torch.cosine_similarity(one.double(), other.double(), dim=0).item()


def surgery(one: Tensor, other: Tensor) -> Tensor:
    """The sum of two gradients (P,) after each has lost what points against the other.

    PCGrad (Yu et al. 2020, algorithm 1) for two tasks. If the two agree, it is the plain sum; if
    they are exactly opposed, it is 0.
    """
    dot = one @ other
    if dot >= 0:
        return one + other
    return (one - dot / (other @ other) * other) + (other - dot / (one @ one) * one)
