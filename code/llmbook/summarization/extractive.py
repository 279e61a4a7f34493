"""Summaries made of sentences of the text: which ones, within a budget of words?

``first``         the first sentences
``random_order``  any sentences, the control
``textrank``      sentences that many others share words with (Mihalcea & Tarau 2004)
``centroid``      sentences nearest to the mean of all sentence vectors
``mmr``           near to the mean, and far from what was taken (Carbonell & Goldstein 1998)
``greedy_oracle`` the sentences that raise ROUGE most; it sees the answer, so it is a ceiling

Each gives an order of sentences, the best first; ``within_budget`` turns an order into a summary.
Chapter 8.

Shapes: ``N`` sentences, ``E`` width of a sentence vector.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from math import log

import numpy as np

from llmbook.corpora import words


def within_budget(sentences: Sequence[str], order: Sequence[int], budget: int) -> str:
    """Sentences by preference until ``budget`` words are full, shown in reading order.

    The last sentence is cut to what fits, so that every summary has the same number of words, if
    the text has as many: a longer summary has more words in common with anything.

    Raises:
        ValueError: if the budget is below 1, or a number in ``order`` is not a sentence's.
    """
    if budget < 1:
        raise ValueError(f"a budget of {budget} words leaves nothing: give 1 or more")
    if not set(order) <= set(range(len(sentences))):
        raise ValueError(f"the order names a sentence that the text of {len(sentences)} has not")
    taken: dict[int, list[str]] = {}
    left = budget
    for i in order:
        if left <= 0:
            break
        if i not in taken:
            taken[i] = sentences[i].split()[:left]
            left -= len(taken[i])
    return " ".join(word for i in sorted(taken) for word in taken[i])


def first(sentences: Sequence[str]) -> list[int]:
    """Reading order."""
    return list(range(len(sentences)))


def random_order(sentences: Sequence[str], seed: int = 0) -> list[int]:
    """Any order; the same for the same seed and number of sentences."""
    return np.random.default_rng(seed).permutation(len(sentences)).tolist()


def overlap_graph(sentences: Sequence[str]) -> np.ndarray:
    """Weights (N, N) between sentences: shared words by the sum of the logs of their lengths.

    Mihalcea & Tarau (2004), section 4.1. Words count once each, and a sentence of fewer than two
    words has no neighbours: its logarithm would be 0 or worse. No stop words are left out.
    """
    sets = [set(words(sentence)) for sentence in sentences]
    weights = np.zeros((len(sets), len(sets)))
    for i, one in enumerate(sets):
        for j, other in enumerate(sets[:i]):
            if len(one) > 1 and len(other) > 1:
                shared = len(one & other)
                weights[i, j] = weights[j, i] = shared / (log(len(one)) + log(len(other)))
    return weights


def pagerank(
    weights: np.ndarray, damping: float = 0.85, tolerance: float = 1e-10, most_steps: int = 1000
) -> np.ndarray:
    """Where a walker is found who follows edges by their weight, and now and then jumps: (N,).

    With probability ``damping`` the walker takes an edge, otherwise any sentence; from a sentence
    without edges, any sentence. Power iteration; the result sums to 1.

    Raises:
        ValueError: if weights are negative or not square, or the iteration does not settle.
    """
    weights = np.asarray(weights, dtype=float)
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1] or (weights < 0).any():
        raise ValueError(f"weights must be (N, N) and not negative, not {weights.shape}")
    size = len(weights)
    if size == 0:
        return np.zeros(0)
    sums = weights.sum(1, keepdims=True)
    steps = np.where(sums > 0, weights / np.where(sums > 0, sums, 1), 1 / size)
    rank = np.full(size, 1 / size)
    for _ in range(most_steps):
        new = (1 - damping) / size + damping * rank @ steps
        if np.abs(new - rank).sum() < tolerance:
            return new
        rank = new
    raise ValueError(f"no fixed point after {most_steps} steps: take a smaller damping")


def textrank(sentences: Sequence[str], damping: float = 0.85) -> list[int]:
    """Sentences by their PageRank in the graph of shared words."""
    return best_first(pagerank(overlap_graph(sentences), damping))


def centroid(vectors: np.ndarray) -> list[int]:
    """Sentences (N, E) by their cosine with the mean of all."""
    return best_first(_unit(vectors) @ _unit(vectors).mean(0)) if len(vectors) else []


def mmr(vectors: np.ndarray, relevance: float = 0.7, most: int = 60) -> list[int]:
    """Maximal marginal relevance: one sentence after the other, each near the mean of all and far
    from those that were taken.

    Carbonell & Goldstein (1998), with the mean as the query: the next sentence has the greatest
    ``relevance`` * cos(it, mean) - (1 - ``relevance``) * max cos(it, taken). With 1 it is
    ``centroid``. The ``most`` first are ordered so, the others are left out.

    Raises:
        ValueError: if ``relevance`` is not between 0 and 1.
    """
    if not 0 <= relevance <= 1:
        raise ValueError(f"relevance ({relevance}) must be between 0 and 1")
    if not len(vectors):
        return []
    unit = _unit(vectors)
    near = unit @ _unit(unit.mean(0))
    nearest = np.zeros(len(unit))  # cosine with the most similar taken one; none is taken yet
    taken: list[int] = []
    while len(taken) < min(most, len(unit)):
        score = relevance * near - (1 - relevance) * nearest
        score[taken] = -np.inf
        taken.append(int(score.argmax()))
        similar = unit @ unit[taken[-1]]
        nearest = similar if len(taken) == 1 else np.maximum(nearest, similar)
    return taken


def greedy_oracle(sentences: Sequence[str], reference: str, budget: int) -> list[int]:
    """Sentences that raise the number of words shared with the reference most, one at a time.

    It reads the reference, so no method can use it: a ceiling for what sentences can reach
    (Nallapati et al. 2017 choose training labels greedily too, by ROUGE of the set). Shared
    words are counted as in ROUGE-1, each as often as it occurs in both, per word of the sentence.
    """
    wanted = Counter(words(reference))
    counts = [Counter(words(sentence)) for sentence in sentences]
    taken: list[int] = []
    length = 0
    while length < budget:
        gains = [
            -1.0 if i in taken or not count else (count & wanted).total() / count.total()
            for i, count in enumerate(counts)
        ]
        best = int(np.argmax(gains)) if gains else 0
        if not gains or gains[best] <= 0:
            break
        taken.append(best)
        wanted -= counts[best]
        length += len(sentences[best].split())
    return taken


def best_first(scores: np.ndarray) -> list[int]:
    """Places from the highest score to the lowest; of equal ones the earlier first."""
    return np.argsort(-np.asarray(scores), kind="stable").tolist()


def _unit(vectors: np.ndarray) -> np.ndarray:
    vectors = np.asarray(vectors, dtype=float)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


Extractor = Callable[[Sequence[str]], list[int]]
