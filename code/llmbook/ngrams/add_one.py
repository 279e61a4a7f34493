"""Add one to every count: the first idea, and a poor one (Chen & Goodman 1999, section 2.1)."""

from __future__ import annotations

import numpy as np

from llmbook.ngrams.model import NGramModel
from llmbook.ngrams.table import Table


class AddOne(NGramModel):
    """P(w | context) = (count(context, w) + 1) / (count(context) + V), for any order.

    Of order 1 it is the unigram model, where adding one hardly matters.
    """

    def _count(self, keys: np.ndarray) -> None:
        self.table = Table(keys, self.vocab_size)

    def _probability(self, keys: np.ndarray) -> np.ndarray:
        total, _ = self.table.context(keys)
        return (self.table.count(keys) + 1) / (total + self.vocab_size)
