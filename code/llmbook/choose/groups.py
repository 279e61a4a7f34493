"""Which texts are near-duplicates, so that none stands on both sides of a split (chapter 13)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import CountVectorizer

READ = 600  # characters of a text that are compared
THRESHOLD = 0.6


def near_groups(texts: Sequence[str], threshold: float = THRESHOLD) -> np.ndarray:
    """The number of each text's group, (N,): texts that are alike, in a chain, have the same one.

    Alike: the Jaccard similarity of their runs of five characters, of any script and in small
    letters, is at least ``threshold``. Texts of fewer than five characters are alike if equal.
    Time and memory grow with N squared: meant for some thousand texts.

    Raises:
        ValueError: for a threshold outside (0, 1].
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold ({threshold}) must be above 0 and at most 1")
    short = [" ".join(text.lower().split())[:READ] for text in texts]
    counter = CountVectorizer(analyzer=_runs, binary=True, dtype=np.int32)
    table = counter.fit_transform(short)  # (N, runs), 0 or 1
    sizes = np.asarray(table.sum(1)).ravel()
    common = (table @ table.T).tocoo()  # of each pair of texts
    near = common.data >= threshold * (sizes[common.row] + sizes[common.col] - common.data)
    pairs = common.row[near], common.col[near]
    links = csr_matrix((np.ones(near.sum(), bool), pairs), (len(texts), len(texts)))
    return connected_components(links, directed=False)[1]


def _runs(text: str, length: int = 5) -> list[str]:
    return [text[i : i + length] for i in range(max(len(text) - length + 1, 1))]
