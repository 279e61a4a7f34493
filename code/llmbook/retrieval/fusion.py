"""Several rankings made into one (chapter 8).

Reciprocal rank fusion adds 1 / (k + rank) of each ranking (Cormack, Clarke & Büttcher 2009). It
needs ranks alone, so scores of different kinds, such as BM25 and cosines, need no common scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def ranks(scores: np.ndarray) -> np.ndarray:
    """The rank of each score in its row, 1 for the highest: (..., N) to (..., N).

    Of equal scores the first has the better rank.
    """
    order = np.argsort(-scores, axis=-1, kind="stable")
    found = np.empty(scores.shape, dtype=np.int64)
    np.put_along_axis(found, order, np.arange(1, scores.shape[-1] + 1), axis=-1)
    return found


def fuse(scores: Sequence[np.ndarray], k: int = 60) -> np.ndarray:
    """Fused scores of several arrays of scores (..., N), the higher the better.

    Args:
        k: how little the first ranks stand out; 60 in the paper.

    Raises:
        ValueError: if there is no array, the arrays differ in shape, or k is below 0.
    """
    if not scores or len({array.shape for array in scores}) > 1 or k < 0:
        shapes = [array.shape for array in scores]
        raise ValueError(f"fusion needs arrays of one shape and k >= 0, not {shapes} and k = {k}")
    return np.sum([1 / (k + ranks(array)) for array in scores], axis=0)


def right_ranks(scores: np.ndarray, right: Sequence[int]) -> np.ndarray:
    """The rank that the right document has for each query, 1 for the best.

    Args:
        scores: (Q, N), of N documents for Q queries
        right: (Q,), the number of the right document of each query
    """
    return ranks(scores)[np.arange(len(scores)), np.asarray(right)]
