"""Where batches come from: windows of one long text, or examples, epoch after epoch (chapter 6).

Both know exactly where they are: ``state_dict`` and ``load_state_dict`` make a stopped run read on
with the batch that it would have read. Shapes: ``B`` batch, ``T`` tokens, ``N`` tokens of a text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from llmbook.training.objectives import IGNORED, Batch

State = dict[str, Any]  # tensors and what JSON can hold


class Data(Protocol):
    """What ``Trainer`` reads from."""

    def draw(self, batch_size: int) -> Batch:
        """The next batch."""
        ...

    def state_dict(self) -> State:
        """The position, and a fingerprint of what is read."""
        ...

    def load_state_dict(self, state: State) -> None:
        """Go to a position. Raises ``ValueError`` if it is of other data."""
        ...


class TokenWindows:
    """Windows of ``length`` tokens that begin anywhere in a text, drawn with replacement.

    ids     the text (N,), documents one after the other with a token between them
    length  context_length + 1 for next tokens, because the last one is only a target;
            context_length for masked tokens

    Raises:
        ValueError: if the text is shorter than one window.
    """

    def __init__(self, ids: Tensor | Sequence[int], length: int, seed: int = 0) -> None:
        ids = torch.as_tensor(ids)
        check_length(ids, length)
        self.ids, self.length = ids, length
        self.generator = torch.Generator().manual_seed(seed)
        self._steps = torch.arange(length)
        self._fingerprint = fingerprint_of(ids.numpy().tobytes(), length)

    def draw(self, batch_size: int) -> Batch:
        """{"ids": (B, length)}."""
        starts = torch.randint(
            len(self.ids) - self.length + 1, (batch_size, 1), generator=self.generator
        )
        return {"ids": self.ids[starts + self._steps].long()}

    def state_dict(self) -> State:
        """Where the order stands, to go on from there."""
        return {"fingerprint": self._fingerprint, "generator": self.generator.get_state()}

    def load_state_dict(self, state: State) -> None:
        """Go on from a state; it must be of the same data."""
        check_fingerprint(state, self._fingerprint)
        self.generator.set_state(state["generator"])


class Examples:
    """Examples in a random order, each once an epoch; a batch may end one epoch and begin the next.

    examples  each a dict of fields: a list of token ids, or one number such as a class
    pad_id    fills lists up to the longest of the batch, on the right; in "labels", -100 does

    A list field x becomes x (B, T) and x_mask (B, T), 1 for a token and 0 for padding; the mask of
    "ids" is "attention_mask", and labels need none. A number becomes (B,).

    Raises:
        ValueError: if there is no example, or one has other fields than the first.
    """

    def __init__(
        self, examples: Sequence[Mapping[str, Any]], pad_id: int = 0, seed: int = 0
    ) -> None:
        if not examples:
            raise ValueError("there are no examples to train on")
        for number, example in enumerate(examples):
            if example.keys() != examples[0].keys():
                raise ValueError(
                    f"example {number} has the fields {', '.join(example)}, and the first has "
                    f"{', '.join(examples[0])}"
                )
        self.examples, self.pad_id = examples, pad_id
        self.generator = torch.Generator().manual_seed(seed)
        self._fingerprint = fingerprint_of(json.dumps(list(map(plain, examples))).encode(), pad_id)
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self._before = self.generator.get_state()
        self._order = torch.randperm(len(self.examples), generator=self.generator).tolist()
        self._next = 0

    def draw(self, batch_size: int) -> Batch:
        """The next examples, padded."""
        rows = []
        while len(rows) < batch_size:
            if self._next == len(self._order):
                self._begin_epoch()
            rows.append(self.examples[self._order[self._next]])
            self._next += 1
        return collate(rows, self.pad_id)

    def state_dict(self) -> State:
        """Where the order stands, to go on from there."""
        return {
            "fingerprint": self._fingerprint,
            "next": self._next,
            "generator": self._before,  # the order of the epoch is drawn from it again
        }

    def load_state_dict(self, state: State) -> None:
        """Go on from a state; it must be of the same data."""
        check_fingerprint(state, self._fingerprint)
        self.generator.set_state(state["generator"])
        self._begin_epoch()
        self._next = state["next"]


def collate(rows: Sequence[Mapping[str, Any]], pad_id: int = 0) -> Batch:
    """Examples as one batch, see ``Examples``."""
    batch = {}
    for field, first in rows[0].items():
        values = [torch.as_tensor(row[field], dtype=torch.long) for row in rows]
        if torch.as_tensor(first).dim() == 0:
            batch[field] = torch.stack(values)
            continue
        fill = IGNORED if field == "labels" else pad_id
        batch[field] = pad(values, fill)
        if field != "labels":
            mask = "attention_mask" if field == "ids" else f"{field}_mask"
            batch[mask] = pad([torch.ones_like(value) for value in values], 0)
    return batch


def pad(rows: Sequence[Tensor], fill: int) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=fill)


def plain(example: Mapping[str, Any]) -> dict[str, Any]:
    return {name: torch.as_tensor(value).tolist() for name, value in example.items()}


def check_length(ids: Tensor, length: int) -> None:
    if ids.dim() != 1:
        raise ValueError(f"the ids of a text must have shape (N,), not {tuple(ids.shape)}")
    if length < 1 or len(ids) < length:
        raise ValueError(
            f"the text has {len(ids)} tokens, fewer than one window of {length}: give a longer "
            "text, or a shorter context"
        )


def fingerprint_of(content: bytes, setting: int) -> str:
    return hashlib.sha256(content + str(setting).encode()).hexdigest()


def check_fingerprint(state: State, own: str) -> None:
    if state["fingerprint"] != own:
        raise ValueError("the training data is not that of the checkpoint: its fingerprint differs")
