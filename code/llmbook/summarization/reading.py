"""Sources as a frozen encoder sees them: token ids, and hidden states computed once.

MiniLM does not change while a decoder learns, so each source goes through it a single time; what it
gives is kept in float16, some 700 bytes a token. Chapter 8.

Shapes: ``B`` batch, ``S`` source tokens, ``E`` width of the encoder, ``V`` vocabulary size.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from llmbook.models import Bert
from llmbook.summarization.pairs import Pair, name_words
from llmbook.tokenizers import minilm_tokenizer
from llmbook.training.data import Batch, fingerprint_of, pad
from llmbook.training.evaluation import autocast

LONGEST_SOURCE, LONGEST_TARGET = 100, 36  # tokens, special ones included
MUCH_TEXT = 20_000  # characters; what is beyond could not be among the first tokens


def source_ids(
    name: str, body: str, longest: int = LONGEST_SOURCE, warn: bool = False
) -> list[int]:
    """[CLS] words of the name [SEP] body [SEP]; without a name, [CLS] body [SEP].

    The body is cut where the source would be longer than ``longest``, and the name at half of it.

    Warns:
        UserWarning: with ``warn``, if something was cut.
    """
    pieces = minilm_tokenizer()
    special = pieces.special_tokens
    title = pieces.encode(" ".join(name_words(name)))[1:-1]
    cut = len(title) > longest // 2
    ids = [special["[CLS]"], *title[: longest // 2]]
    ids += [special["[SEP]"]] if title else []
    text, room = pieces.encode(body[:MUCH_TEXT])[1:-1], longest - len(ids) - 1
    if warn and (cut or len(text) > room or len(body) > MUCH_TEXT):
        warnings.warn(
            f"the text has {len(body):,} characters: only its first {room} tokens are read",
            stacklevel=2,
        )
    return [*ids, *text[:room], special["[SEP]"]]


def target_ids(summary: str, longest: int = LONGEST_TARGET) -> list[int]:
    """[CLS] summary [SEP]; one that is too long keeps its beginning and has no end."""
    return minilm_tokenizer().encode(summary)[:longest]


@torch.inference_mode()
def hidden_states(
    encoder: Bert, rows: Sequence[list[int]], precision: str = "float32", batch_tokens: int = 4096
) -> list[Tensor]:
    """The encoder's last hidden states of each row, (S, E) float16, in the order of the rows."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    found: list[Tensor] = [torch.empty(0)] * len(rows)
    start = 0
    while start < len(order):
        end = start + max(1, batch_tokens // len(rows[order[start]]))
        chosen = order[start:end]
        start += len(chosen)
        ids = pad([torch.tensor(rows[i]) for i in chosen], 0)
        mask = pad([torch.ones(len(rows[i]), dtype=torch.long) for i in chosen], 0)
        with autocast(ids.device, precision):
            hidden = encoder(ids, mask)
        for i, row in zip(chosen, hidden.half(), strict=True):
            found[i] = row[: len(rows[i])].clone()
    return found


class CachedPairs:
    """Sources with hidden states, and targets, in a random order, epoch after epoch.

    Of each ``8 * batch_size`` drawn pairs those of like length share a batch, so that little of a
    batch is padding. Fields of a batch: "source" (B, S), "hidden" (B, S, E), "source_mask" (B, S),
    "target" (B, T + 1), "target_mask" (B, T + 1). A ``Data`` of ``llmbook.training``.

    Raises:
        ValueError: if there is no pair, or there are not as many of each.
    """

    def __init__(
        self,
        sources: Sequence[list[int]],
        hidden: Sequence[Tensor],
        targets: Sequence[list[int]],
        seed: int = 0,
    ) -> None:
        if not len(sources) == len(hidden) == len(targets) or not len(sources):
            raise ValueError(
                f"{len(sources)} sources, {len(hidden)} of hidden states and {len(targets)} "
                "targets: give one of each for every pair, and at least one pair"
            )
        self.sources, self.hidden, self.targets = sources, hidden, targets
        self.generator = torch.Generator().manual_seed(seed)
        self._batches: Iterator[list[int]] = iter(())

    def draw(self, batch_size: int) -> Batch:
        """The next batch, padded on the right."""
        chosen = next(self._batches, None)
        if chosen is None:
            self._batches = self._epoch(batch_size)
            chosen = next(self._batches)
        return self.collate(chosen)

    def collate(self, chosen: Sequence[int]) -> Batch:
        """Some pairs as one batch."""
        batch: dict[str, Tensor] = {}
        for name, rows in (("source", self.sources), ("target", self.targets)):
            values = [torch.tensor(rows[i]) for i in chosen]
            batch[name] = pad(values, 0)
            batch[f"{name}_mask"] = pad([torch.ones_like(value) for value in values], 0)
        batch["hidden"] = pad([self.hidden[i].float() for i in chosen], 0)
        return batch

    def _epoch(self, batch_size: int) -> Iterator[list[int]]:
        order = torch.randperm(len(self.sources), generator=self.generator).tolist()
        batches = []
        for start in range(0, len(order), 8 * batch_size):
            group = order[start : start + 8 * batch_size]
            group.sort(key=lambda i: len(self.sources[i]))
            batches += [group[i : i + batch_size] for i in range(0, len(group), batch_size)]
        shuffled = torch.randperm(len(batches), generator=self.generator).tolist()
        return iter([batches[i] for i in shuffled])

    def state_dict(self) -> dict[str, Any]:
        """For a run that is not resumed: only what was read."""
        return {"fingerprint": fingerprint_of(str(self.sources).encode(), len(self.targets))}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        raise ValueError("a run on cached pairs is short: start it anew, it cannot be resumed")


def rows_of(pairs: Sequence[Pair], named: bool = True) -> tuple[list[list[int]], list[list[int]]]:
    """Source ids and target ids of pairs; with ``named``, the source begins with the name."""
    sources = [source_ids(pair.name if named else "", pair.body) for pair in pairs]
    return sources, [target_ids(pair.summary) for pair in pairs]


def vectors_of(encoder: Bert) -> Tensor:
    """The word vectors (V, E) of the encoder."""
    return encoder.embeddings.token.weight.detach()
