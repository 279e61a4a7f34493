"""LoRA: train a small addition to a frozen matrix (Hu et al. 2021; chapter 7).

Beside W, (out, in), stand A, (rank, in), and B, (out, rank), and the layer computes

    x W^T + bias + (alpha / rank) x A^T B^T

A and B alone are trained. B begins at zero, so at first nothing changes; added to W ("merged"),
they cost nothing more when the model is used.

Not here: files (``adapter_files``), biases that are trained too, other adapters, quantized weights.
In half precision a merged layer differs visibly from an unmerged one: W is rounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class LoRALinear(nn.Module):
    """An ``nn.Linear``, frozen, and its adapter: (..., in) to (..., out).

    A is uniform in ±1/sqrt(in), as in the authors' code and in peft (the paper says Gaussian).
    ``dropout`` acts on what A reads, in training.

    Raises:
        ValueError: if the rank is not 1 to min(in, out), alpha not above 0, or dropout not below 1.
    """

    merged: Tensor

    def __init__(
        self,
        linear: nn.Linear,
        rank: int,
        alpha: float,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_settings(linear, rank, alpha, dropout)
        out, width = linear.weight.shape
        self.linear = linear.requires_grad_(False)
        self.rank, self.alpha = rank, alpha
        self.dropout = nn.Dropout(dropout)
        self.A = nn.Parameter(linear.weight.new_empty(rank, width))
        self.B = nn.Parameter(linear.weight.new_zeros(out, rank))
        nn.init.uniform_(self.A, -(width**-0.5), width**-0.5, generator)
        # Among the state: merged weights that come back as unmerged ones would count twice.
        self.register_buffer("merged", linear.weight.new_zeros((), dtype=torch.bool))

    def forward(self, x: Tensor) -> Tensor:
        """(..., D in) to (..., D out).

        Raises:
            ValueError: in training, if the adapter was merged: it would get no gradient.
        """
        if not self.merged:
            low = self.dropout(x) @ self.A.T  # (..., rank)
            return self.linear(x) + self.scale * (low @ self.B.T)
        if self.training and torch.is_grad_enabled():
            raise ValueError("a merged adapter gets no gradient: unmerge_lora(model) before")
        return self.linear(x)

    @property
    def scale(self) -> float:
        """alpha / rank: with alpha fixed, another rank needs no other learning rate."""
        return self.alpha / self.rank

    def delta(self) -> Tensor:
        """What the adapter adds to W, (out, in)."""
        return self.scale * (self.B @ self.A)

    @torch.no_grad()
    def merge(self) -> None:
        """Add the adapter to W."""
        if self.merged:
            raise ValueError("this adapter is merged already: a second time it would count twice")
        self.linear.weight += self.delta()
        self.merged.fill_(True)

    @torch.no_grad()
    def unmerge(self) -> None:
        """Take it out again; W is then what it was, but for rounding."""
        if not self.merged:
            raise ValueError("this adapter is not merged: there is nothing to take out")
        self.linear.weight -= self.delta()
        self.merged.fill_(False)


def check_settings(linear: nn.Linear, rank: int, alpha: float, dropout: float) -> None:
    largest = min(linear.weight.shape)
    if not 1 <= rank <= largest:
        raise ValueError(f"rank ({rank}) must be 1 to {largest}, the smaller side of the weight")
    if not alpha > 0:
        raise ValueError(f"alpha ({alpha}) must be above 0")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout ({dropout}) must be at least 0 and below 1")


def add_lora(
    model: nn.Module,
    targets: Sequence[str] = ("query", "value"),
    rank: int = 8,
    alpha: float = 16.0,
    dropout: float = 0.0,
    generator: torch.Generator | None = None,
) -> None:
    """Put an adapter on each ``nn.Linear`` called like a target, and freeze all else in ``model``.

    Of a classifier give the encoder, and its head stays trained: ``add_lora(model.encoder)``.
    The model's own dropout stays as it is, on in training, as in peft.

    Args:
        targets: names, or ends of paths such as "attention.query"; the paper's are the defaults
        generator: for A, in the order of the model's modules

    Raises:
        ValueError: for a target that no layer has, a layer whose weight is tied to another, a model
            that has adapters, and what ``LoRALinear`` refuses; the model is then as it was.
    """
    check_none(model)
    layers = _targets(model, targets)
    for linear in layers.values():
        check_settings(linear, rank, alpha, dropout)
    model.requires_grad_(False)
    for path, linear in layers.items():
        attach(model, path, LoRALinear(linear, rank, alpha, dropout, generator))


def adapters(model: nn.Module) -> dict[str, LoRALinear]:
    """Each adapter of the model by its path."""
    return {path: m for path, m in model.named_modules() if isinstance(m, LoRALinear)}


def merge_lora(model: nn.Module) -> None:
    """Add all adapters to their weights."""
    for adapter in adapters(model).values():
        adapter.merge()


def unmerge_lora(model: nn.Module) -> None:
    """Take all adapters out of their weights."""
    for adapter in adapters(model).values():
        adapter.unmerge()


def remove_lora(model: nn.Module) -> None:
    """Plain ``nn.Linear`` in place of each adapter, so that the model is saved as any other.

    Merged adapters stay in the weights, others are lost. The layers stay frozen.
    """
    for path, adapter in adapters(model).items():
        model.set_submodule(path, adapter.linear)


def check_none(model: nn.Module) -> None:
    if adapters(model):
        raise ValueError("the model has adapters already: remove_lora(model) before")


def _targets(model: nn.Module, targets: Sequence[str]) -> dict[str, nn.Linear]:
    linears = {path: m for path, m in model.named_modules() if isinstance(m, nn.Linear)}
    if not targets:
        raise ValueError("targets is empty: name at least one layer, such as 'query'")
    found = {}
    for target in targets:
        named = {p: m for p, m in linears.items() if f".{p}".endswith(f".{target}")}
        if not named:
            names = ", ".join(sorted({path.rpartition(".")[2] for path in linears}))
            raise ValueError(f"no linear layer is called {target!r}; there are {names}")
        found |= named
    uses = Counter(id(p) for _, p in model.named_parameters(remove_duplicate=False))
    for path, linear in found.items():
        if uses[id(linear.weight)] > 1:
            raise ValueError(f"the weight of {path} is tied to another: merging would change both")
    return {path: found[path] for path in linears if path in found}


def attach(model: nn.Module, path: str, adapter: LoRALinear) -> None:
    """Put an adapter in the place of the layer that it is around."""
    adapter.train(model.training)
    model.set_submodule(path, adapter)
