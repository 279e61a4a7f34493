"""Vectors from counts: co-occurrence, positive pointwise mutual information, truncated SVD."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse
from sklearn.utils.extmath import randomized_svd

from llmbook.vectors.keyed import check_dimension
from llmbook.vectors.vocabulary import EncodedText

WEIGHTS = {
    "inverse": lambda distance, window: 1 / distance,  # GloVe
    "linear": lambda distance, window: (window + 1 - distance) / window,  # Word2Vec, on average
    "flat": lambda distance, window: 1.0,
}


def cooccurrence(
    text: EncodedText, vocab_size: int, window: int = 10, weight: str = "inverse"
) -> sparse.csr_array:
    """How often two words stand within ``window`` words of each other in one sentence.

    A pair at distance ``d`` counts 1/d ("inverse", Pennington et al. 2014, section 4.2),
    (window + 1 - d)/window ("linear", the expected share of a window drawn from 1..window, as in
    Word2Vec) or 1 ("flat"). Returns a symmetric float32 matrix of shape (V, V).
    Raises ``ValueError`` for a window below one or an unknown weight.
    """
    if window < 1:
        raise ValueError(f"window ({window}) must be at least 1")
    if weight not in WEIGHTS:
        raise ValueError(f"weight must be one of {', '.join(WEIGHTS)}, not {weight!r}")
    text.check(vocab_size)
    shape = (vocab_size, vocab_size)
    ids = text.ids.astype(np.int32)
    forward = sparse.csr_array(shape, dtype=np.float32)
    for distance in range(1, window + 1):
        same = text.sentence[distance:] == text.sentence[:-distance]
        left, right = ids[:-distance][same], ids[distance:][same]
        value = np.full(len(left), WEIGHTS[weight](distance, window), dtype=np.float32)
        forward = forward + sparse.coo_array((value, (left, right)), shape=shape).tocsr()
    return (forward + forward.T).tocsr()


def ppmi(
    counts: sparse.sparray, context_power: float = 1.0, shift: float = 1.0
) -> sparse.csr_array:
    """Positive pointwise mutual information, max(0, log P(w, c) / (P(w) P(c)) - log shift).

    ``context_power`` below 1 smooths the context distribution, ``shift`` is the number of negatives
    that the matrix imitates (Levy & Goldberg 2014; Levy, Goldberg & Dagan 2015, section 3).
    Shape (V, V) in and out, natural logarithm.

    Raises:
        ValueError: for a shift that is not above 0, or if no two words stand together.
    """
    if not shift > 0:
        raise ValueError(f"shift ({shift}) must be above 0")
    counts = counts.tocoo()
    total = counts.sum()
    if total <= 0:
        raise ValueError("no two words ever stand together: the text is too short for the window")
    word = counts.sum(axis=1) / total
    context = counts.sum(axis=0) ** context_power
    context = context / context.sum()
    row, column = counts.coords
    value = np.log(counts.data / total / (word[row] * context[column])) - np.log(shift)
    keep = value > 0
    kept = (value[keep].astype(np.float32), (row[keep], column[keep]))
    return sparse.coo_array(kept, shape=counts.shape).tocsr()


def svd_vectors(
    matrix: sparse.sparray, dimension: int = 100, power: float = 0.5, seed: int = 0
) -> np.ndarray:
    """The best rank-D approximation U S V^T of a matrix, as word vectors U S^power.

    Shape (V, V) to (V, D). Randomized SVD by scikit-learn; the sign of each column is fixed there.

    Raises:
        ValueError: if ``dimension`` is not at least 1 and below V.
    """
    check_dimension(dimension)
    if dimension >= min(matrix.shape):
        raise ValueError(
            f"dimension ({dimension}) must be below the vocabulary ({matrix.shape[0]})"
        )
    left, singular, _ = randomized_svd(matrix, dimension, random_state=seed)
    return (left * singular**power).astype(np.float32)
