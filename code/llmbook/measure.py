"""What a computation takes: the memory that its tensors hold at its peak, and its time.

Memory is of chapter 4, time of chapter 9. Not here: the buffers that a compiled kernel keeps to
itself while it runs; torch's fused attention has some of the size of a few rows for each thread.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from time import process_time
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def fastest(
    functions: Mapping[str, Callable[[], Any]],
    repeats: int = 5,
    clock: Callable[[], float] = process_time,
) -> dict[str, float]:
    """The least time of each function, in seconds of the clock, by its name.

    Each is run once before anything is measured. Then they take turns, so that a time in which
    the machine is slow falls on all of them. The clock counts the seconds that this process has
    computed, over all its threads, and not those in which another one had the processor.

    Raises:
        ValueError: if there is nothing to measure.
    """
    if not functions or repeats < 1:
        raise ValueError(f"nothing to measure: {len(functions)} functions, {repeats} repeats")
    for function in functions.values():
        function()
    found = dict.fromkeys(functions, float("inf"))
    for _ in range(repeats):
        for name, function in functions.items():
            start = clock()
            function()
            found[name] = min(found[name], clock() - start)
    return found


def peak_bytes(function: Callable[[], Any]) -> int:
    """The most bytes that tensors made inside ``function()`` held at one time.

    The result of the function counts, tensors that were there before do not; a view of a tensor
    takes nothing. The number depends on shapes and types alone, not on the machine.
    """
    with _Watch() as watch:
        result = function()
    del result
    return watch.peak


class _Watch(TorchDispatchMode):
    """Sees each result of each operation of torch, and each storage die."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[int, int] = {}  # identity of a storage: its bytes
        self.peak = 0

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        before = {_storage(t) for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)}
        result = operation(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and _storage(tensor) not in before:
                self._note(tensor.untyped_storage())
        return result

    def _note(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self.alive:
            self.alive[key] = storage.nbytes()
            weakref.finalize(storage, self.alive.pop, key, None)
            self.peak = max(self.peak, sum(self.alive.values()))


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata
