"""What every n-gram model does, once it can give the probability of an n-gram's last token."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import numpy as np
import torch

from llmbook.ngrams.table import pack


class NGramModel(ABC):
    """The next token depends on the ``order`` - 1 tokens before it.

    A document is a list of token ids below ``vocab_size`` without ``end_id``. The model adds the
    end: as the context in which a document begins, and as one more token to predict, for without
    it the probabilities of all documents would sum to more than 1.

    Raises:
        ValueError: for an order below 1, n-grams that 63 bits cannot hold, an ``end_id`` or a token
            outside the vocabulary, an end token inside a document, or no document at all.
    """

    def __init__(
        self,
        documents: Iterable[Sequence[int]],
        *,
        vocab_size: int,
        end_id: int,
        order: int,
    ) -> None:
        self.vocab_size, self.end_id, self.order = vocab_size, end_id, order
        if order < 1:
            raise ValueError(f"order ({order}) must be at least 1")
        if not 0 <= end_id < vocab_size:
            raise ValueError(f"end_id ({end_id}) is outside the vocabulary: 0 to {vocab_size - 1}")
        if vocab_size**order >= 2**63:
            raise ValueError(
                f"an n-gram must fit in 63 bits: vocab_size ({vocab_size}) allows no order "
                f"({order}), take a lower one"
            )
        keys = [self._keys(document) for document in documents]
        if not keys:
            raise ValueError("there is no document to count")
        self._count(np.concatenate(keys))

    @abstractmethod
    def _count(self, keys: np.ndarray) -> None:
        """Learn from all packed n-grams (N,) of the documents."""

    @abstractmethod
    def _probability(self, keys: np.ndarray) -> np.ndarray:
        """Probability (N,) of the last token of each packed n-gram, given those before it."""

    def probabilities(self, context: Sequence[int] = ()) -> np.ndarray:
        """Of each token (V,), after the tokens of a document so far; they sum to 1."""
        last = self._keys(context)[-1]  # the context, and the end token as one possible next
        return self._probability(last - self.end_id + np.arange(self.vocab_size))

    def log2_probs(self, document: Sequence[int]) -> np.ndarray:
        """log2 of the probability of each token, then of the end: (T + 1,)."""
        with np.errstate(divide="ignore"):  # -inf for what a model holds impossible
            return np.log2(self._probability(self._keys(document)))

    def bits(self, document: Sequence[int]) -> float:
        """What it costs to write the document with an ideal code, its end included."""
        return -float(self.log2_probs(document).sum())

    def bits_per_byte(self, documents: Iterable[Sequence[int]], num_bytes: int) -> float:
        """Bits of the documents, their ends included, for each of the ``num_bytes`` bytes that
        their texts have in UTF-8: comparable between tokenizers."""
        if num_bytes < 1:
            raise ValueError(f"num_bytes ({num_bytes}) must be at least 1")
        return sum(map(self.bits, documents)) / num_bytes

    def sample(
        self, generator: torch.Generator, context: Sequence[int] = (), max_new_tokens: int = 100
    ) -> list[int]:
        """Go on after the context until the document ends; returns the new tokens, no end token."""
        tokens = list(context)
        for _ in range(max_new_tokens):
            weights = torch.from_numpy(self.probabilities(tokens))
            token = int(torch.multinomial(weights, 1, generator=generator))
            if token == self.end_id:
                break
            tokens.append(token)
        return tokens[len(context) :]

    def _keys(self, document: Sequence[int]) -> np.ndarray:
        ids = np.asarray(document)
        if ids.ndim != 1 or (len(ids) and ids.dtype.kind not in "iu"):
            raise ValueError("a document must be a list of token ids, and documents a list of them")
        if len(ids) and not 0 <= ids.min() <= ids.max() < self.vocab_size:
            wrong = ids.min() if ids.min() < 0 else ids.max()
            raise ValueError(
                f"token id {wrong} is outside the vocabulary: vocab_size ({self.vocab_size}) "
                f"allows 0 to {self.vocab_size - 1}"
            )
        if (ids == self.end_id).any():
            raise ValueError(
                f"a document holds the end token ({self.end_id}): leave it out, it is added here"
            )
        return pack(ids.astype(np.int64), self.order, self.vocab_size, self.end_id)
