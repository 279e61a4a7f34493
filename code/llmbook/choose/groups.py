"""Which texts are near-duplicates, so that none stands on both sides of a split (chapter 13)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse.csgraph import connected_components

from llmbook.privacy.duplicates import similar_pairs

READ = 600  # characters of a text that are compared
THRESHOLD = 0.6


def near_groups(texts: Sequence[str], threshold: float = THRESHOLD) -> np.ndarray:
    """The number of each text's group, (N,): texts that are alike, in a chain, have the same one.

    Alike: the Jaccard similarity of their runs of five characters, of any script and in small
    letters, is at least ``threshold``. Texts of fewer than five characters are alike if equal.

    Raises:
        ValueError: for a threshold outside (0, 1].
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold ({threshold}) must be above 0 and at most 1")
    short = [" ".join(text.lower().split())[:READ] for text in texts]
    links = similar_pairs(list(map(_runs, short)), threshold)
    return connected_components(links, directed=False)[1]


def _runs(text: str, length: int = 5) -> set[str]:
    return {text[i : i + length] for i in range(max(len(text) - length + 1, 1))}
