"""Training on clipped and blurred gradients: DP-SGD (Abadi et al. 2016, algorithm 1; chapter 11).

A step draws documents by lot, takes the gradient of *each*, shortens it to the clipping norm, sums,
adds Gaussian noise, divides by the expected number of documents, and gives that to AdamW, which
sees nothing else. Without clipping and noise it is ordinary training, by the same lots.

Shapes: ``B`` documents, ``T`` characters.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from llmbook.attention import causal_mask
from llmbook.models import GPT
from llmbook.training import IGNORED

Gradients = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of one run.

    batch_size  documents in a batch, expected
    warm_up     steps in which the learning rate rises
    clip        the greatest norm of the gradient of one document; infinite: none
    noise       standard deviation of what is added to each number of the *sum* of the gradients
    """

    steps: int
    batch_size: int = 128
    learning_rate: float = 3e-3
    warm_up: int = 20
    clip: float = math.inf
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 1:
            raise ValueError(f"steps ({self.steps}) and batch_size ({self.batch_size}) are below 1")
        if not self.clip > 0 or not 0 <= self.noise < math.inf:
            raise ValueError(f"clip ({self.clip}) must be above 0, noise ({self.noise}) finite")


def document_losses(model: GPT, ids: Tensor) -> Tensor:
    """The mean loss of the characters of each document, (B, T + 1) to (B,), in nats."""
    given, targets = ids[:, :-1].clamp(min=0), ids[:, 1:]
    positions = torch.arange(given.shape[1])
    # As the model's ``forward``, without its check of the ids, which ``vmap`` cannot go through.
    x = model.embeddings(given, positions)
    x = model.stack(x, mask=causal_mask(given.shape[1]), positions=positions)
    losses = F.cross_entropy(model.output(x).transpose(1, 2), targets.clamp(min=0),
                             reduction="none")  # fmt: skip
    counts = (targets != IGNORED).to(losses.dtype)
    return (losses * counts).sum(1) / counts.sum(1)


class _Loss(nn.Module):
    """The loss of one document, (T + 1,) to one number, as a module: its parameters are given."""

    def __init__(self, model: GPT) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor) -> Tensor:
        return document_losses(self.model, ids[None])[0]


def document_gradients(model: GPT, ids: Tensor) -> Gradients:
    """The gradient of each document (B, T + 1) for each parameter: (B, ...) by its name."""
    module = _Loss(model)
    prefix = "model."
    parameters = {prefix + name: p.detach() for name, p in model.named_parameters()}

    def loss(parameters: Gradients, ids: Tensor) -> Tensor:
        return functional_call(module, parameters, (ids,))

    with sdpa_kernel(SDPBackend.MATH):  # the other kernels have no rule for vmap
        found = vmap(grad(loss), in_dims=(None, 0))(parameters, ids)
    return {name.removeprefix(prefix): gradient for name, gradient in found.items()}


def clipped_sum(gradients: Gradients, clip: float) -> Gradients:
    """The sum over documents of gradients, each shortened to norm ``clip`` if it is longer."""
    squares = sum(g.flatten(1).square().sum(1) for g in gradients.values())
    factors = (clip / squares.sqrt().clamp(min=1e-12)).clamp(max=1.0)  # (B,)
    return {name: torch.tensordot(factors, g, 1) for name, g in gradients.items()}


def poisson_batch(number: int, share: float, lot: torch.Generator) -> Tensor:
    """The places of the documents of one batch: each enters by a lot of its own."""
    return (torch.rand(number, generator=lot) < share).nonzero()[:, 0]


def fit(
    model: GPT, ids: Tensor, settings: Settings, watch: Callable[[int], None] | None = None,
    every: int = 0,
) -> None:  # fmt: skip
    """Train in place on documents (N, T + 1).

    Args:
        watch: called with the number of steps done, after each ``every`` steps
    """
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95), weight_decay=0.0,
                                  fused=True)  # fmt: skip
    lot = torch.Generator().manual_seed(settings.seed)
    blur = torch.Generator().manual_seed(settings.seed + 1_000_000)
    share = settings.batch_size / len(ids)
    model.train()
    for step in range(settings.steps):
        chosen = ids[poisson_batch(len(ids), share, lot)]
        summed = _sum(model, chosen, settings.clip)
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=blur) if settings.noise else 0.0
            parameter.grad = (summed[name] + settings.noise * noise) / settings.batch_size
        rate = min(1.0, (step + 1) / max(settings.warm_up, 1))
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate
        optimizer.step()
        if watch and every and (step + 1) % every == 0:
            watch(step + 1)


def _sum(model: GPT, ids: Tensor, clip: float) -> Gradients:
    """The sum of the (clipped) gradients of some documents, which may be none."""
    parameters = dict(model.named_parameters())
    if not len(ids):
        return {name: torch.zeros_like(p) for name, p in parameters.items()}
    if clip < math.inf:
        return clipped_sum(document_gradients(model, ids), clip)
    found = torch.autograd.grad(document_losses(model, ids).sum(), list(parameters.values()))
    return dict(zip(parameters, found, strict=True))
