"""Prompts, then one token after the other, into a model: the logits of what comes next (chapter 8).

``GPTReader`` and ``Seq2SeqReader`` have the same methods, ``start``, ``step`` and ``select``; both
begin with ``ids`` (B, T), ``mask`` (B, T), which is None without padding, and ``room``, the number
of tokens that may follow in each row.

Prompts of unequal lengths are padded on the left, so that their last tokens stand side by side;
padding is masked and has no position, so each prompt is read as it would be alone.

Shapes: ``B`` batch, ``T`` tokens, ``S`` source tokens, ``V`` vocabulary size.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Protocol

import torch
from torch import Tensor, nn

from llmbook.decoding.step import FastStep, roomy_cache
from llmbook.models import GPT, Seq2Seq

Prompts = Sequence[Sequence[int] | Tensor] | Tensor


class Reader(Protocol):
    """What a search asks of a reader."""

    room: list[int]

    def start(self) -> Tensor: ...

    def step(self, tokens: Tensor) -> Tensor: ...

    def select(self, rows: Tensor) -> None: ...


class GPTReader:
    """Reads the prompts, and then a token for each row; the context holds both.

    Raises:
        ValueError: for an empty prompt, or one that leaves no room for a token.
    """

    def __init__(self, model: GPT, prompts: list[list[int]], max_new_tokens: int, cached: bool):
        self.model = model
        self.room = [_room(model, row, prompt) for row, prompt in enumerate(prompts)]
        self.ids, self.mask = pad_left(prompts, _device(model))
        if self.mask.all():
            self.mask = None  # attention without a mask is faster
        self.positions = torch.tensor([len(prompt) for prompt in prompts], device=self.ids.device)
        self.cache, self.fast = None, None
        if cached:
            self.capacity = self.ids.shape[1] + min(max_new_tokens, max(self.room))
            self.cache = roomy_cache(model, self.capacity)
            self.fast = FastStep(model, self.cache) if FastStep.is_known(model) else None
            self.attended = None
            if self.mask is not None:  # padding once, tokens ever after
                new = self.mask.new_ones(len(prompts), self.capacity - self.ids.shape[1])
                self.attended = torch.cat((self.mask, new), dim=1).bool()[:, None, None]

    def start(self) -> Tensor:
        """The logits (B, V) after the prompts."""
        return self._read(self.ids, self.mask)

    def step(self, tokens: Tensor) -> Tensor:
        """The logits (B, V) after one more token (B,) in each row."""
        if self.cache is None:
            self.ids = torch.cat((self.ids, tokens[:, None]), dim=1)
            if self.mask is not None:
                self.mask = torch.cat((self.mask, torch.ones_like(tokens)[:, None]), dim=1)
            return self._read(self.ids, self.mask)
        if self.fast is None:
            return self._read(tokens[:, None], None)
        attended = self.attended
        if attended is not None:
            attended = attended[..., : len(self.cache) + 1]
        logits = self.fast(tokens, self.positions, attended)
        self.positions = self.positions + 1
        return logits

    def select(self, rows: Tensor) -> None:
        """Keep these rows, in this order: a row may be dropped, or go on twice."""
        self.ids, self.positions = self.ids[rows], self.positions[rows]
        if self.mask is not None:
            self.mask = self.mask[rows]
        if self.cache is not None:
            self.cache.select(rows)
            self.attended = None if self.attended is None else self.attended[rows]

    def _read(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        hidden = self.model.hidden_states(ids, mask, self.cache)
        return self.model.output(hidden[:, -1])  # not (B, T, V): only the last is asked for


class Seq2SeqReader:
    """Encodes the sources; the target begins with ``start_id``, for which the context has a place.

    Raises:
        ValueError: for an empty source, or one longer than the context.
    """

    def __init__(self, model: Seq2Seq, sources: list[list[int]], start_id: int, cached: bool):
        self.model = model
        context = model.config.context_length
        for row, source in enumerate(sources):
            if not 1 <= len(source) <= context:
                raise ValueError(
                    f"source {row} has {len(source)} tokens: give 1 to {context} (context_length)"
                )
        self.room = [context - 1] * len(sources)
        source, self.source_mask = pad_left(sources, _device(model))
        self.memory = model.encode(source, self.source_mask)  # (B, S, D)
        self.ids, self.mask = source.new_full((len(sources), 1), start_id), None
        self.cache = model.new_cache() if cached else None

    def start(self) -> Tensor:
        """The logits (B, V) of the target's first token."""
        return self._read(self.ids)

    def step(self, tokens: Tensor) -> Tensor:
        """The logits (B, V) after one more token (B,) in each row."""
        if self.cache is not None:
            return self._read(tokens[:, None])
        self.ids = torch.cat((self.ids, tokens[:, None]), dim=1)
        return self._read(self.ids)

    def select(self, rows: Tensor) -> None:
        """Keep these rows, in this order: a row may be dropped, or go on twice."""
        self.ids, self.memory = self.ids[rows], self.memory[rows]
        self.source_mask = self.source_mask[rows]
        if self.cache is not None:
            self.cache.select(rows)

    def _read(self, ids: Tensor) -> Tensor:
        logits = self.model.decode(ids, self.memory, self.source_mask, cache=self.cache)
        return logits[:, -1]


def open_reader(
    model: GPT | Seq2Seq,
    prompts: list[list[int]],
    max_new_tokens: int,
    start_id: int | None,
    cached: bool,
) -> GPTReader | Seq2SeqReader:
    """The reader for this kind of model.

    Raises:
        ValueError: if a Seq2Seq has no ``start_id``, or a GPT has one.
    """
    check_token(model, "start_id", start_id)
    if isinstance(model, Seq2Seq):
        if start_id is None:
            raise ValueError("a Seq2Seq needs start_id, the token that each target begins with")
        return Seq2SeqReader(model, prompts, start_id, cached)
    if start_id is not None:
        raise ValueError("start_id is for a Seq2Seq: a GPT begins with its prompt")
    return GPTReader(model, prompts, max_new_tokens, cached)


def as_lists(prompts: Prompts) -> list[list[int]]:
    """Prompts as lists of ids: from lists, from tensors (T,), or from one tensor (B, T).

    Raises:
        ValueError: if there is none, or if this is one prompt and no batch.
    """
    if len(prompts) == 0:
        raise ValueError("no prompt: give a list of prompts, each a list of token ids")
    try:
        return [[index(i) for i in prompt] for prompt in prompts]
    except TypeError as error:
        raise ValueError(
            "prompts must be a list of lists of token ids: for one prompt give [prompt]"
        ) from error


def pad_left(rows: list[list[int]], device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Ids (B, T) and attention mask (B, T), 1 for a token, 0 for padding; padding has the id 0."""
    width = max(map(len, rows))
    ids = [[0] * (width - len(row)) + row for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def check_token(model: GPT | Seq2Seq, name: str, token: int | None) -> None:
    size = model.config.vocab_size
    if token is not None and not 0 <= token < size:
        raise ValueError(f"{name} ({token}) is outside the vocabulary: it allows 0 to {size - 1}")


def _room(model: GPT, row: int, prompt: list[int]) -> int:
    context = model.config.context_length
    if not prompt:
        raise ValueError(
            f"prompt {row} is empty: give at least one token, such as the one that ends a document"
        )
    if len(prompt) >= context:
        raise ValueError(
            f"prompt {row} has {len(prompt)} tokens, which leaves no room in the context: "
            f"context_length ({context}) counts prompt and answer together"
        )
    return context - len(prompt)


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
