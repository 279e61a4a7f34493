"""Documents that stand twice: exactly, but for case and marks, or nearly (chapter 11).

Near duplicates by the Jaccard similarity of their character n-grams, computed exactly for all
pairs: enough for some thousand short documents. Larger corpora estimate it by MinHash.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

import numpy as np
from scipy.sparse import csr_matrix


def exact_duplicates(documents: Sequence[str], form: Callable[[str], str] = str) -> list[int]:
    """The places of documents that are, in their ``form``, equal to an earlier one."""
    seen: set[str] = set()
    found = []
    for i, document in enumerate(map(form, documents)):
        if document in seen:
            found.append(i)
        seen.add(document)
    return found


def normalized(document: str) -> str:
    """Small letters and digits, with one space between words."""
    return " ".join(re.findall(r"[a-z0-9]+", document.lower()))


def shingles(document: str, length: int = 3) -> set[str]:
    """The runs of ``length`` characters of a normalized document, with a space at each end."""
    text = f" {normalized(document)} "
    return {text[i : i + length] for i in range(len(text) - length + 1)}


def near_duplicates(documents: Sequence[str], threshold: float = 0.6, length: int = 3) -> list[int]:
    """The places of documents that are near an earlier one which is kept.

    Near: the Jaccard similarity of their ``shingles``, common ones by all of both, is at least
    ``threshold``. Documents without any shingle stay.

    Raises:
        ValueError: for a threshold outside (0, 1].
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold ({threshold}) must be above 0 and at most 1")
    near = similar_pairs([shingles(document, length) for document in documents], threshold)
    removed: set[int] = set()
    for i in range(len(documents)):
        others = near.indices[near.indptr[i] : near.indptr[i + 1]]
        if any(j < i and j not in removed for j in others.tolist()):
            removed.add(i)
    return sorted(removed)


def similar_pairs(sets: Sequence[Collection[str]], threshold: float) -> csr_matrix:
    """True, (N, N), where the Jaccard similarity of two of N sets is at least ``threshold``.

    Time and memory grow with N squared: meant for some thousand sets. An empty one is like none.
    """
    place = {s: i for i, s in enumerate(sorted(set().union(*sets)))}
    columns = np.array([place[s] for one in sets for s in one], dtype=np.int32)
    sizes = np.array(list(map(len, sets)))
    ends = np.concatenate([[0], np.cumsum(sizes)])
    table = csr_matrix((np.ones(len(columns), np.int32), columns, ends), (len(sets), len(place)))
    common = (table @ table.T).tocoo()  # numbers of common members
    near = common.data >= threshold * (sizes[common.row] + sizes[common.col] - common.data)
    pairs = common.row[near], common.col[near]
    return csr_matrix((np.ones(near.sum(), bool), pairs), common.shape)
