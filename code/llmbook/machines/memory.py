"""Bytes that training takes: of the parameters by arithmetic, of the activations by counting.

Inside torch's ``FakeTensorMode`` tensors have shapes and no numbers, so a model that no machine at
hand could hold is counted like a small one. (On the device ``meta`` too, but attention takes
another way there and keeps more.)

Shapes: ``B`` batch, ``T`` time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

WEIGHTS, GRADIENTS, MOMENTS = 4, 4, 8  # bytes a parameter: AdamW, all in float32


def step_bytes(parameters: float, processes: int = 1, stage: int = 0) -> float:
    """Bytes of weights, gradients and AdamW's two moments in each process, in float32.

    Stage 1 divides the moments among the processes, stage 2 the gradients too, stage 3 the weights
    too. In float32 there is no second copy of the weights, as there is in Rajbhandari et al.
    (2020), section 3.1, for numbers of 16 bits; the sum is 16 bytes in both.

    Raises:
        ValueError: if the stage is not 0, 1, 2 or 3.
    """
    if stage not in (0, 1, 2, 3):
        raise ValueError(f"stage must be 0, 1, 2 or 3, not {stage}")
    divided = sum((MOMENTS, GRADIENTS, WEIGHTS)[:stage])
    whole = WEIGHTS + GRADIENTS + MOMENTS - divided
    return parameters * (whole + divided / processes)


def saved_bytes(module: nn.Module, function: Callable[[], Any]) -> int:
    """Bytes that ``function()`` keeps for the way back: its activations, without the parameters.

    A tensor that several operations keep counts once, as does one of which they keep views.
    """
    parameters = {_storage(p) for p in module.parameters()}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[_storage(tensor)] = tensor.detach()  # alive until counted, so no identity comes twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        function()
    return sum(
        tensor.untyped_storage().nbytes()
        for storage, tensor in kept.items()
        if storage not in parameters
    )


def count_sent(model: nn.Module) -> list[int]:
    """Let a model count what its processes average; the list grows by a number of bytes each time.

    The gradients are averaged as before. Of a model that is not in ``DistributedDataParallel``,
    because there is one process, nothing is sent and the list stays empty.
    """
    sent: list[int] = []
    if not isinstance(model, nn.parallel.DistributedDataParallel):
        return sent
    from torch.distributed.algorithms.ddp_comm_hooks import default_hooks

    def hook(state, bucket):  # torch refuses other annotations than its own
        sent.append(bucket.buffer().nbytes)
        return default_hooks.allreduce_hook(state, bucket)

    model.register_comm_hook(None, hook)
    return sent


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
