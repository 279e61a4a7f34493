"""Texts as MiniLM reads them: token ids with a limit, and one vector each (chapter 8)."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import numpy as np
import torch

from llmbook.models import load_minilm
from llmbook.tokenizers import minilm_tokenizer
from llmbook.training.data import collate
from llmbook.tuning import Classifier, by_length

LIMIT = 512  # tokens that MiniLM can read
REMEMBERED = 20_000  # vectors of 1.5 kB

_vectors: dict[tuple[int, ...], np.ndarray] = {}


def check_texts(texts: Iterable[str]) -> list[str]:
    """A list of strings.

    Raises:
        ValueError: for one string in place of a list, no text, or something that is no text.
    """
    if isinstance(texts, str):
        raise ValueError("texts must be a list of texts: for one text, give [text]")
    found = list(texts)
    if not found:
        raise ValueError("there is no text: give at least one")
    for i, text in enumerate(found):
        if not isinstance(text, str):
            raise ValueError(f"text {i} must be a string, not {type(text).__name__}")
    return found


def token_ids(texts: Sequence[str], max_tokens: int) -> list[list[int]]:
    """[CLS], the tokens of each text, [SEP]: ``max_tokens`` at most.

    Warns: how many texts were cut.

    Raises:
        ValueError: for ``max_tokens`` below 3 or above 512.
    """
    if not 3 <= max_tokens <= LIMIT:
        raise ValueError(f"max_tokens ({max_tokens}) must be 3 to {LIMIT}")
    rows, cut = [], 0
    for text in texts:
        ids = minilm_tokenizer().encode(text)
        cut += len(ids) > max_tokens
        rows.append([*ids[: max_tokens - 1], ids[-1]] if len(ids) > max_tokens else ids)
    if cut:
        warnings.warn(
            f"{cut} of {len(rows)} texts are longer than max_tokens ({max_tokens}): only their "
            "beginning is read",
            stacklevel=2,
        )
    return rows


def known_share(row: Sequence[int], seen: set[int]) -> float:
    """The share of a text's tokens that training has shown; [UNK] and an empty text count 0."""
    inside = row[1:-1]
    return sum(i in seen for i in inside) / max(len(inside), 1)


def minilm_vectors(rows: Sequence[Sequence[int]], batch_size: int = 32) -> np.ndarray:
    """The mean vector of each text at length 1, (N, 384), float32.

    What was read once is remembered: the network is frozen, so a grid of settings reads the texts
    one time.
    """
    keys = [tuple(row) for row in rows]
    new = list({key for key in keys if key not in _vectors})
    new.sort()  # a set has no order, and the companions of a text in its batch move the last bits
    if len(_vectors) + len(new) > REMEMBERED:
        _vectors.clear()
        new = sorted(set(keys))
    if new:
        network = Classifier(load_minilm(), 2).eval()
        with torch.no_grad():
            for batch in by_length(new, batch_size):
                inputs = collate([{"ids": list(new[i])} for i in batch])
                found = network.pool(inputs["ids"], inputs["attention_mask"])
                found = torch.nn.functional.normalize(found).numpy()
                _vectors.update(zip((new[i] for i in batch), found, strict=True))
    return np.stack([_vectors[key] for key in keys])


def forget() -> None:
    """Drop the remembered vectors, as a measurement of time needs."""
    _vectors.clear()
