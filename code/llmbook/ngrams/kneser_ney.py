"""Interpolated Kneser-Ney (Kneser & Ney 1995, as interpolated by Chen & Goodman 1999).

From each count a discount D is taken, and what that frees goes to the order below:

    P(w | a b) = (max(c(a b w) - D, 0) + D · types(a b) · P(w | b)) / c(a b)

where ``types`` is the number of different tokens seen after a b. Counts are those of the text in
the highest order only. Below it, c(b w) is the number of different tokens seen *before* b w: "York"
is frequent, but it follows "New" alone, so it is no likely token after anything else. Below
order 1 stands 1/V. One discount for each order, n₁ / (n₁ + 2 n₂), with n₁ and n₂ the number of
n-grams counted once and twice (Ney, Essen & Kneser 1994).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from llmbook.ngrams.model import NGramModel
from llmbook.ngrams.table import Table

FALLBACK = 0.75  # where a text is too small to have n-grams counted once and twice


class KneserNey(NGramModel):
    """Kneser-Ney of orders 1 to ``order``, mixed.

    ``discounts``, one for each order from 1 up, replace the estimated ones; 0 for the first leaves
    tokens never seen without probability.

    Raises:
        ValueError: as ``NGramModel``, and for discounts of another number or outside 0 to 1.
    """

    def __init__(
        self,
        documents: Iterable[Sequence[int]],
        *,
        vocab_size: int,
        end_id: int,
        order: int,
        discounts: Sequence[float] | None = None,
    ) -> None:
        if discounts is not None:
            if len(discounts) != order:
                raise ValueError(f"{len(discounts)} discounts do not fit order ({order})")
            if not all(0 <= discount <= 1 for discount in discounts):
                raise ValueError(f"discounts {tuple(discounts)} must be from 0 to 1")
        self.discounts = discounts
        super().__init__(documents, vocab_size=vocab_size, end_id=end_id, order=order)

    def _count(self, keys: np.ndarray) -> None:
        tables = []
        for order in range(self.order, 0, -1):
            tables.append(Table(keys, self.vocab_size))
            # Without its first token, each distinct n-gram counts once: a token seen before.
            keys = tables[-1].ngrams % self.vocab_size ** (order - 1)
        self.tables = tables[::-1]  # orders 1, 2, …
        if self.discounts is None:
            self.discounts = [estimate_discount(table.counts) for table in self.tables]

    def _probability(self, keys: np.ndarray) -> np.ndarray:
        probability = np.full(len(keys), 1 / self.vocab_size)
        for order, (table, discount) in enumerate(
            zip(self.tables, self.discounts, strict=True), start=1
        ):
            ngrams = keys % self.vocab_size**order
            total, types = table.context(ngrams)
            seen = total > 0  # elsewhere the order below stands as it is
            kept = np.maximum(table.count(ngrams) - discount, 0)
            mixed = kept + discount * types * probability
            np.divide(mixed, total, out=probability, where=seen)
        return probability


def estimate_discount(counts: np.ndarray) -> float:
    """n₁ / (n₁ + 2 n₂)."""
    once, twice = (int((counts == times).sum()) for times in (1, 2))
    return once / (once + 2 * twice) if once and twice else FALLBACK
