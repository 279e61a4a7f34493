"""One process, or several that train one model together, by Hugging Face Accelerate (chapter 6).

``torchrun --nproc-per-node 2 -m llmbook.training gpt`` starts two. Each draws the same batch and
keeps its own rows; Accelerate averages the gradients. Accelerate is needed, and imported, for
several processes alone.

Not here: models that one machine cannot hold (FSDP, DeepSpeed).
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from llmbook.training.errors import TrainingError
from llmbook.training.objectives import Batch


class Processes:
    """This process among all: ``rank`` of ``count``."""

    rank = 0
    count = 1

    def wrap(self, module: nn.Module) -> nn.Module:
        """A module whose gradients are averaged over all processes."""
        return module

    def without_sync(self, module: nn.Module) -> AbstractContextManager:
        """Inside, gradients stay with each process: more batches of the same step will follow."""
        return nullcontext()

    def rows(self, batch: Batch) -> Batch:
        """The rows of a batch that this process computes."""
        return {name: tensor[self.rank :: self.count] for name, tensor in batch.items()}

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum of a tensor over all processes."""
        return tensor

    def gather(self, tensor: Tensor) -> Tensor:
        """The tensors of all processes, stacked by rank."""
        return tensor[None]

    def wait(self) -> None:
        """Until all processes are here."""


ALONE = Processes()


class AcceleratedProcesses(Processes):
    """Several processes, as the launcher describes them in the environment."""

    def __init__(self, device: torch.device) -> None:
        try:
            from accelerate import Accelerator, DistributedDataParallelKwargs
        except ImportError as error:
            raise TrainingError(
                f"{os.environ['WORLD_SIZE']} processes were started, and they need Accelerate: "
                "run `python -m pip install accelerate`"
            ) from error
        unused: Any = DistributedDataParallelKwargs(find_unused_parameters=True)
        self.accelerator = Accelerator(cpu=device.type == "cpu", kwargs_handlers=[unused])
        self.rank, self.count = self.accelerator.process_index, self.accelerator.num_processes

    def wrap(self, module: nn.Module) -> nn.Module:
        return self.accelerator.prepare(module)

    def without_sync(self, module: nn.Module) -> AbstractContextManager:
        return self.accelerator.no_sync(module)

    def sum(self, tensor: Tensor) -> Tensor:
        return self.accelerator.reduce(tensor.clone(), "sum")

    def gather(self, tensor: Tensor) -> Tensor:
        return self.accelerator.gather(tensor[None])

    def wait(self) -> None:
        self.accelerator.wait_for_everyone()


def start_processes(device: torch.device) -> Processes:
    """``ALONE``, unless a launcher has started several.

    Raises:
        TrainingError: for several processes without Accelerate.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ALONE
    return AcceleratedProcesses(device)
