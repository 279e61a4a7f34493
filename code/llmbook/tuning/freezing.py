"""Which parts of a model are trained, and which stay as they are (chapter 7).

A part is a block, by its number, or a module, by its name: ``freeze(model, "embeddings", 0, 1)``.
The name may be the end of a path, and then stands for the modules so called that are nearest to
the top: ``"embeddings"`` is ``encoder.embeddings`` of a classifier, ``"attention"`` the attention
of each block, and ``"output"`` the output layer of a GPT, not that of its attention.

Not here: rates that differ from part to part, unfreezing on a schedule (Howard & Ruder 2018).
"""

from __future__ import annotations

from types import MethodType

from torch import nn

Part = str | int


def freeze(model: nn.Module, *parts: Part) -> None:
    """Train these parts no more; the whole model if none is named.

    A frozen part is a fixed function: beside its parameters, its dropout is off, and stays off
    after ``model.train()``. (``requires_grad_(False)`` alone, as in most code, leaves dropout on:
    then the same text gives other features in each epoch.) What is tied to a frozen weight, as a
    GPT's output layer to its embedding, is frozen with it.

    Raises:
        ValueError: for a part that the model does not have.
    """
    for part in _find(model, parts):
        for parameter in part.parameters():
            parameter.requires_grad_(False)
            parameter.grad = None  # an optimizer would take one more step with what is left
        for module in part.modules():
            module.train = MethodType(_stay, module)  # type: ignore[method-assign]
            module.training = False


def unfreeze(model: nn.Module, *parts: Part) -> None:
    """Train these parts again, dropout included; the whole model if none is named.

    Raises:
        ValueError: for a part that the model does not have.
    """
    for part in _find(model, parts):
        part.requires_grad_(True)
        for module in part.modules():
            module.__dict__.pop("train", None)
        part.train(model.training)


def trained_parameters(model: nn.Module) -> int:
    """How many numbers an optimizer may change; a tied weight is counted once."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def _stay(self: nn.Module, mode: bool = True) -> nn.Module:
    """Stands in for ``train`` of a frozen module; a child that is trained follows ``mode``."""
    type(self).train(self, mode)
    self.training = False
    return self


def _find(model: nn.Module, parts: tuple[Part, ...]) -> list[nn.Module]:
    """All of them before anything is changed: a wrong name leaves the model as it was."""
    if not parts:
        return [model]
    return [module for part in parts for module in _named(model, part)]


def _named(model: nn.Module, part: Part) -> list[nn.Module]:
    modules = dict(model.named_modules())
    if isinstance(part, str):
        found = [path for path in modules if part and f".{path}".endswith(f".{part}")]
        if not found:
            names = ", ".join(name for name, _ in model.named_children())
            raise ValueError(f"the model has no part {part!r}; at the top it has {names}")
        top = min(path.count(".") for path in found)
        return [modules[path] for path in found if path.count(".") == top]
    blocks = next((m for path, m in modules.items() if path.split(".")[-1] == "blocks"), None)
    if not isinstance(blocks, nn.ModuleList):
        raise ValueError(f"block {part} cannot be found: this model has no list of blocks")
    if not 0 <= part < len(blocks):
        raise ValueError(f"block {part} is outside: the model has blocks 0 to {len(blocks) - 1}")
    return [blocks[part]]
