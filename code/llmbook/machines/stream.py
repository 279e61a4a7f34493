"""Tokens in a file, read by several processes and workers so that each window is read once.

A file is mapped into memory: its pages are read when they are looked at, and the system may drop
them again. So a text may be larger than the memory, and processes on one machine share it.

Shapes: ``N`` tokens of the file, ``T`` tokens of a window.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, get_worker_info


def write_tokens(path: str | Path, ids: Tensor | np.ndarray, dtype: str = "uint16") -> Path:
    """Write ids (N,), one after another in the type's bytes; the path.

    Raises:
        ValueError: if an id does not fit into the type.
    """
    ids = np.asarray(ids)
    limits = np.iinfo(dtype)
    if len(ids) and not limits.min <= ids.min() <= ids.max() <= limits.max:
        raise ValueError(f"ids go from {ids.min()} to {ids.max()}, too far for {dtype}")
    ids.astype(dtype).tofile(path)
    return Path(path)


class TokenFile:
    """The windows of a file, one after another: window ``i`` begins at token ``i * stride``.

    A window has ``length`` tokens, by default ``stride + 1``: the last is a target only.

    Raises:
        ValueError: if the file is shorter than one window.
    """

    def __init__(
        self, path: str | Path, stride: int, length: int | None = None, dtype: str = "uint16"
    ) -> None:
        self.path, self.stride, self.dtype = Path(path), stride, dtype
        self.length = stride + 1 if length is None else length
        tokens = os.path.getsize(path) // np.dtype(dtype).itemsize
        self.count = (tokens - self.length) // stride + 1
        if self.count < 1:
            raise ValueError(f"{tokens} tokens are fewer than one window of {self.length}")

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Tensor:
        """Window ``index``, (T,), int64; the file is open for no longer than this takes."""
        if not 0 <= index < self.count:
            raise IndexError(f"window {index} of {self.count}")
        tokens = np.memmap(self.path, self.dtype, "r")
        start = index * self.stride
        return torch.from_numpy(tokens[start : start + self.length].astype(np.int64))


class FileWindows(Dataset):
    """For a loader that draws indices: ``{"index": (), "ids": (T,)}`` for each window.

    The index is there to find out afterwards what was read.
    """

    def __init__(self, file: TokenFile, start: int = 0, stop: int | None = None) -> None:
        self.file, self.range = file, range(len(file))[start:stop]

    def __len__(self) -> int:
        return len(self.range)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        number = self.range[index]
        return {"index": torch.tensor(number), "ids": self.file[number]}


class TokenStream(IterableDataset):
    """For a loader that draws nothing: all windows in one order, dealt out to all readers.

    rank, count   this process among all; each may have workers of its own
    begin         windows of this epoch that all readers together have read already
    seed, epoch   the order; it does not depend on the number of readers, so a run that was stopped
                  may go on with more or fewer of them

    Readers that go through their parts at unequal speed are not made to wait: let ``begin`` be a
    multiple of batch, workers and processes.

    Raises:
        ValueError: if ``rank`` is not below ``count``.
    """

    def __init__(
        self, file: TokenFile, *, rank: int = 0, count: int = 1, begin: int = 0, seed: int = 0,
        epoch: int = 0,
    ) -> None:  # fmt: skip
        if not 0 <= rank < count:
            raise ValueError(f"rank ({rank}) must be from 0 to below count ({count})")
        self.file, self.rank, self.count = file, rank, count
        self.begin, self.seed, self.epoch = begin, seed, epoch

    def order(self) -> np.ndarray:
        """The numbers of the windows as all readers together read them, from the epoch's start."""
        return np.random.default_rng((self.seed, self.epoch)).permutation(len(self.file))

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        worker = get_worker_info()
        workers, own = (1, 0) if worker is None else (worker.num_workers, worker.id)
        reader = self.rank * workers + own
        for number in self.order()[self.begin :][reader :: self.count * workers].tolist():
            yield {"index": torch.tensor(number), "ids": self.file[number]}
