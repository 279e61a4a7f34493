"""Batches of examples that are about equally long: less padding, so twice the speed.

Phrases have 1 to 42 characters, and a batch is as wide as its longest. Each epoch mixes all
examples, sorts them by length a few batches at a time, and mixes the batches.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import torch

from llmbook.training.data import State, check_fingerprint, collate, fingerprint_of
from llmbook.training.objectives import Batch

POOL = 50  # batches that are sorted together


class AlikeLengths:
    """Examples with "source" and "target", each once an epoch; the last batch may be smaller.

    The ``Data`` that ``Trainer`` reads: it can stop and read on.

    Raises:
        ValueError: if there is no example, or ``draw`` asks for another batch size.
    """

    def __init__(
        self,
        examples: Sequence[Mapping[str, list[int]]],
        batch_size: int,
        pad_id: int = 0,
        seed: int = 0,
    ) -> None:
        if not examples:
            raise ValueError("there are no examples to train on")
        self.examples, self.batch_size, self.pad_id = examples, batch_size, pad_id
        self.generator = torch.Generator().manual_seed(seed)
        self._lengths = [(len(e["source"]), len(e["target"])) for e in examples]
        self._fingerprint = fingerprint_of(json.dumps(list(examples)).encode(), batch_size)
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self._before = self.generator.get_state()
        order = torch.randperm(len(self.examples), generator=self.generator).tolist()
        pool, size = POOL * self.batch_size, self.batch_size
        mixed = [
            i for start in range(0, len(order), pool)
            for i in sorted(order[start : start + pool], key=self._lengths.__getitem__)
        ]  # fmt: skip
        batches = [mixed[start : start + size] for start in range(0, len(mixed), size)]
        turns = torch.randperm(len(batches), generator=self.generator).tolist()
        self._batches, self._next = [batches[turn] for turn in turns], 0

    def draw(self, batch_size: int) -> Batch:
        """The next batch, padded: "source" (B, S), "target" (B, T + 1) and their masks."""
        if batch_size != self.batch_size:
            raise ValueError(f"the batches hold {self.batch_size} examples, not {batch_size}")
        if self._next == len(self._batches):
            self._begin_epoch()
        rows = self._batches[self._next]
        self._next += 1
        return collate([self.examples[i] for i in rows], self.pad_id)

    def state_dict(self) -> State:
        return {
            "fingerprint": self._fingerprint,
            "next": self._next,
            "generator": self._before,  # the order of the epoch is drawn from it again
        }

    def load_state_dict(self, state: State) -> None:
        check_fingerprint(state, self._fingerprint)
        self.generator.set_state(state["generator"])
        self._begin_epoch()
        self._next = state["next"]
