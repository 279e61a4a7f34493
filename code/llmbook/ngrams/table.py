"""N-grams as whole numbers in one sorted array, so that counting is sorting.

The n-gram (a, b, c) of token ids below V is the number a·V² + b·V + c. Then the remainder by V^k is
the last k tokens, the quotient by V is the context of the last token, and all n-grams of a context
stand side by side in the sorted array.
"""

from __future__ import annotations

import numpy as np


class Table:
    """Distinct n-grams of one order and how often each was given.

    ngrams      (M,) int64, sorted
    cumulative  (M + 1,) int64: the counts of the first 0, 1, …, M n-grams together
    """

    def __init__(self, keys: np.ndarray, vocab_size: int) -> None:
        """``keys``: packed n-grams, an n-gram as often as it counts."""
        self.vocab_size = vocab_size
        self.ngrams, counts = np.unique(keys, return_counts=True)
        self.cumulative = np.concatenate(([0], counts.cumsum()))

    @property
    def counts(self) -> np.ndarray:
        """(M,): how often each n-gram was given."""
        return np.diff(self.cumulative)

    def count(self, keys: np.ndarray) -> np.ndarray:
        """Keys (N,) to counts (N,): 0 for an n-gram that is not there."""
        return self._between(keys, keys + 1)[0]

    def context(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Keys (N,) to two numbers about all n-grams with the same context, (N,) each: their counts
        together, and how many they are."""
        first = keys - keys % self.vocab_size
        return self._between(first, first + self.vocab_size)

    def _between(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Counts together, and number, of the n-grams from ``low`` to ``high`` - 1."""
        start, stop = np.searchsorted(self.ngrams, low), np.searchsorted(self.ngrams, high)
        return self.cumulative[stop] - self.cumulative[start], stop - start


def pack(document: np.ndarray, order: int, vocab_size: int, end_id: int) -> np.ndarray:
    """The n-grams that end with each token of a document (T,) and with its end: keys (T + 1,).

    Before the document stand ``order`` - 1 end tokens, so that its first token has a context too,
    which holds nothing of another document.
    """
    padded = np.concatenate((np.full(order - 1, end_id), document, [end_id]))
    windows = np.lib.stride_tricks.sliding_window_view(padded, order)  # (T + 1, order)
    return windows @ vocab_size ** np.arange(order - 1, -1, -1)
