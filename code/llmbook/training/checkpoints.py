"""A training run on disk, at one step: everything that the next step depends on.

``directory/checkpoint-000200/`` holds safetensors files and ``checkpoint.json``. A newer one is
whole before the older one goes. Here is how a run is kept; what is kept, ``Trainer`` says.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load, save
from torch import Tensor, nn
from torch.optim import Optimizer

from llmbook.training.errors import CheckpointError
from llmbook.training.folders import PARTIAL, read_folder, write_folder

FACTS = "checkpoint.json"
NAME = re.compile(r"checkpoint-(\d+)")

Tensors = Mapping[str, Tensor]


def save_checkpoint(
    directory: Path, step: int, tensors: Mapping[str, Tensors], facts: Mapping[str, Any]
) -> Path:
    """Write a checkpoint, then remove the older ones and what a killed run has left.

    ``tensors`` holds, by the name of its file without ``.safetensors``, each group of tensors.

    Raises:
        CheckpointError: if it cannot be written; the one before it is whole.
    """
    folder = directory / f"checkpoint-{step:06}"
    files = {f"{name}.safetensors": pack(group) for name, group in tensors.items()}
    write_folder(folder, files, facts, FACTS)
    for path in directory.iterdir():
        if path != folder and (NAME.fullmatch(path.name) or path.name.startswith(PARTIAL)):
            shutil.rmtree(path)
    return folder


def latest_checkpoint(directory: Path) -> Path | None:
    """The newest checkpoint in a directory, or None."""
    if not directory.is_dir():
        return None
    found = [path for path in directory.iterdir() if NAME.fullmatch(path.name)]
    return max(found, key=lambda path: int(path.name.partition("-")[2]), default=None)


def load_checkpoint(folder: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """What ``save_checkpoint`` was given.

    Raises:
        CheckpointError: if a file is missing, cut short or altered; it is named.
    """
    files, facts = read_folder(folder, FACTS)
    return {name.removesuffix(".safetensors"): load(file) for name, file in files.items()}, facts


def pack(tensors: Tensors) -> bytes:
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})


def weights(model: nn.Module) -> dict[str, Tensor]:
    """The state of a model, tied parameters once, under the name of their first place."""
    state = model.state_dict()
    own = dict(model.named_parameters()) | dict(model.named_buffers())  # each tensor once
    return {name: state[name].detach() for name in own if name in state}


def load_weights(model: nn.Module, tensors: Tensors, source: Path) -> None:
    """Put weights into a model of the same shape.

    Raises:
        CheckpointError: if a name or a shape differs; the first that does is named.
    """
    own = weights(model)
    for name in [*own, *tensors]:
        here, there = own.get(name), tensors.get(name)
        if here is None or there is None or here.shape != there.shape:
            shapes = [
                "missing" if tensor is None else f"of shape {(*tensor.shape,)}"
                for tensor in (there, here)
            ]
            raise CheckpointError(
                f"{source} is of another model: {name} is {shapes[0]} there and {shapes[1]} here"
            )
    model.load_state_dict(dict(tensors), strict=False)


def optimizer_tensors(model: nn.Module, optimizers: list[Optimizer]) -> dict[str, Tensor]:
    """What optimizers remember of each parameter, under ``<its name>/<what>``."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    return {
        f"{names[parameter]}/{what}": tensor
        for optimizer in optimizers
        for parameter, memory in optimizer.state.items()
        for what, tensor in memory.items()
    }


def load_optimizers(model: nn.Module, optimizers: list[Optimizer], tensors: Tensors) -> None:
    """Give optimizers back what they remembered; their rates are the schedule's matter."""
    remembered: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        name, _, what = key.rpartition("/")
        remembered.setdefault(name, {})[what] = tensor
    names = {parameter: name for name, parameter in model.named_parameters()}
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                memory = remembered.get(names[parameter], {})
                optimizer.state[parameter] = {
                    what: tensor.to(parameter.device) for what, tensor in memory.items()
                }
