"""Adapters by themselves on disk: numbers and settings in one safetensors file (chapter 7).

Not here: the folders that peft writes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from llmbook.corpora.cache import write_whole
from llmbook.tuning.lora import LoRALinear, adapters, attach, check_none

KIND = "LoRA adapters"


def save_adapters(model: nn.Module, path: str | Path, also: Sequence[str] = ()) -> None:
    """Write the adapters, and nothing else, to one safetensors file, whole or not at all.

    Args:
        also: further parts without adapters to write, such as the "head" of a classifier

    Raises:
        ValueError: if the model has no adapters, or no such part.
    """
    found = adapters(model)
    if not found:
        raise ValueError("the model has no adapters to save: add_lora(model) makes them")
    layers = {path: (a.rank, a.alpha, a.dropout.p) for path, a in found.items()}
    settings = {"kind": KIND, "layers": layers, "also": list(also)}
    tensors = {name: t.detach().contiguous() for name, t in _saved(model, also).items()}
    settings["sha256"] = _digest(settings, tensors)
    write_whole(Path(path), save(tensors, metadata={"settings": json.dumps(settings)}))


def load_adapters(model: nn.Module, path: str | Path) -> None:
    """Put the adapters of a file on a model, the one they were trained with; all else is frozen.

    What the file holds can be trained on. Another model of the same shape is not noticed, and
    gives nonsense; the sha256 in the file finds damage, not a forger, who can compute it too.

    Raises:
        ValueError: for a file that is altered or no such file, for a model of another shape or one
            that has adapters; the model is then as it was.
    """
    settings, tensors = _read(path)
    check_none(model)
    expected = _shapes(model, settings)
    for name in sorted(expected.keys() | tensors.keys()):
        has = tuple(tensors[name].shape) if name in tensors else "nothing"
        wants = expected.get(name, "nothing")
        if has != wants:
            raise ValueError(
                f"{path} does not fit this model: {name} is {has} in the file, and {wants} here"
            )
    model.requires_grad_(False)
    for layer, (rank, alpha, dropout) in settings["layers"].items():
        linear = model.get_submodule(layer)
        assert isinstance(linear, nn.Linear)
        attach(model, layer, LoRALinear(linear, rank, alpha, dropout, torch.Generator()))
    for part in settings["also"]:
        model.get_submodule(part).requires_grad_(True)
    with torch.no_grad():
        for name, place in _saved(model, settings["also"]).items():
            place.copy_(tensors[name])


def _saved(model: nn.Module, also: Sequence[str]) -> dict[str, Tensor]:
    """What a file holds, by name: the model's own tensors, to be read or written."""
    saved: dict[str, Tensor] = {}
    for path, adapter in adapters(model).items():
        saved |= {f"{path}.A": adapter.A, f"{path}.B": adapter.B}
    for part in also:
        try:
            state = model.get_submodule(part).state_dict()
        except AttributeError as error:
            raise ValueError(f"the model has no part {part!r} to save") from error
        saved |= {f"{part}.{name}": tensor for name, tensor in state.items()}
    return saved


def _shapes(model: nn.Module, settings: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shapes that a file with these settings must have to fit the model."""
    modules = dict(model.named_modules())
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (rank, _, _) in settings["layers"].items():
        linear = modules.get(layer)
        if isinstance(linear, nn.Linear):
            shapes[f"{layer}.A"] = (rank, linear.in_features)
            shapes[f"{layer}.B"] = (linear.out_features, rank)
    for part in settings["also"]:
        state = modules[part].state_dict() if part in modules else {}
        shapes |= {f"{part}.{name}": tuple(tensor.shape) for name, tensor in state.items()}
    return shapes


def _read(path: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            settings = json.loads(file.metadata()["settings"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        sha256 = settings.pop("sha256")
        if settings["kind"] != KIND:
            raise ValueError(settings["kind"])
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is cut short or holds no LoRA adapters: save it again") from error
    if sha256 != _digest(settings, tensors):
        raise ValueError(f"{path} is not as it was saved (its sha256 differs): save it again")
    return settings, tensors


def _digest(settings: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(settings).encode())
    for name in sorted(tensors):
        tensor = tensors[name].cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
