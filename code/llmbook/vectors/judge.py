"""How good are word vectors? Correlation with human scores, analogies; coverage and intervals.

A score without its coverage says little: pairs with a word outside the vocabulary are left out, and
a small corpus leaves out many. Intervals are percentile bootstrap intervals over the covered items
(Efron & Tibshirani 1993, chapter 13), computed by ``scipy.stats.bootstrap``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy.stats import rankdata

from llmbook.evaluation.scores import interval, mean_score
from llmbook.vectors.keyed import WordVectors, analogy_scores


class Pair(Protocol):
    first: str
    second: str
    score: float


class Analogy(Protocol):
    section: str
    a: str
    b: str
    c: str
    d: str


@dataclass(frozen=True)
class SimilarityScore:
    """Spearman correlation with human scores; ``low`` and ``high`` bound its 95 % interval."""

    rho: float
    low: float
    high: float
    covered: int
    total: int

    def __str__(self) -> str:
        return f"ρ {self.rho:.2f} [{self.low:.2f}, {self.high:.2f}], {self.covered} of {self.total}"


@dataclass(frozen=True)
class AnalogyScore:
    """Share of analogies solved; ``low`` and ``high`` bound its 95 % interval."""

    accuracy: float
    low: float
    high: float
    covered: int
    total: int
    sections: dict[str, tuple[int, int]] = field(default_factory=dict)  # name: (solved, covered)

    def __str__(self) -> str:
        share = f"{self.accuracy:.1%} [{self.low:.1%}, {self.high:.1%}]"
        return f"{share}, {self.covered} of {self.total}"


def spearman(first: np.ndarray, second: np.ndarray, axis: int = -1) -> np.ndarray:
    """Pearson correlation of the ranks along ``axis``; ties share their mean rank."""
    x, y = (rankdata(values, axis=axis) for values in (first, second))
    x, y = (ranks - ranks.mean(axis=axis, keepdims=True) for ranks in (x, y))
    spread = np.sqrt((x * x).sum(axis=axis) * (y * y).sum(axis=axis))
    return (x * y).sum(axis=axis) / np.where(spread == 0, np.inf, spread)


def _cosines(vectors: WordVectors, pairs: Sequence[Pair]) -> np.ndarray:
    rows = [[vectors.index[p.first.lower()], vectors.index[p.second.lower()]] for p in pairs]
    first, second = np.array(rows).T
    return (vectors.unit[first] * vectors.unit[second]).sum(axis=1)


def _covered(pairs: Iterable[Pair], *models: WordVectors) -> tuple[list[Pair], int]:
    pairs = list(pairs)
    known = [
        p
        for p in pairs
        if all(p.first.lower() in model and p.second.lower() in model for model in models)
    ]
    if len(known) < 3:
        raise ValueError(f"{len(known)} of {len(pairs)} pairs are covered: too few to correlate")
    return known, len(pairs)


def judge_similarity(
    vectors: WordVectors, pairs: Iterable[Pair], resamples: int = 1000, seed: int = 0
) -> SimilarityScore:
    """Spearman correlation of cosines with human scores, over the pairs with both words known.

    Raises ``ValueError`` when fewer than three pairs are covered.
    """
    known, total = _covered(pairs, vectors)
    human = np.array([p.score for p in known])
    cosine = _cosines(vectors, known)
    rho = interval(spearman, (human, cosine), resamples, seed)
    return SimilarityScore(rho.value, rho.low, rho.high, len(known), total)


def compare_similarity(
    first: WordVectors,
    second: WordVectors,
    pairs: Iterable[Pair],
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Difference of the two correlations on the pairs that both cover, with its 95 % interval.

    The pairs are resampled together, so what is hard for both models cancels.
    """
    known, _ = _covered(pairs, first, second)
    human = np.array([p.score for p in known])
    samples = human, _cosines(first, known), _cosines(second, known)

    def difference(human, one, other, axis=-1):
        return spearman(human, one, axis) - spearman(human, other, axis)

    found = interval(difference, samples, resamples, seed)
    return found.value, found.low, found.high


def judge_analogies(
    vectors: WordVectors,
    analogies: Iterable[Analogy],
    method: str = "3CosAdd",
    resamples: int = 1000,
    seed: int = 0,
) -> AnalogyScore:
    """Share of ``a : b = c : ?`` whose best word, the three query words excluded, is ``d``.

    Raises ``ValueError`` when fewer than two analogies have all four words in the vocabulary.
    """
    analogies = list(analogies)
    known, rows = [], []
    for analogy in analogies:
        words = [word.lower() for word in (analogy.a, analogy.b, analogy.c, analogy.d)]
        if all(word in vectors for word in words):
            known.append(analogy)
            rows.append([vectors.index[word] for word in words])
    if len(known) < 2:
        raise ValueError(f"{len(known)} of {len(analogies)} analogies are covered: too few")
    queries = np.array(rows)
    right = np.zeros(len(queries))
    for start in range(0, len(queries), 512):  # 512 queries at a time keep the table small
        block = queries[start : start + 512]
        scores = analogy_scores(vectors.unit, block[:, :3], method)
        np.put_along_axis(scores, block[:, :3], -np.inf, axis=1)
        right[start : start + 512] = scores.argmax(axis=1) == block[:, 3]
    covered = Counter(analogy.section for analogy in known)
    solved = Counter(analogy.section for analogy, hit in zip(known, right, strict=True) if hit)
    sections = {name: (solved[name], count) for name, count in covered.items()}
    score = mean_score(right, resamples=resamples, seed=seed)
    return AnalogyScore(
        score.value, score.low, score.high, len(known), len(analogies), sections
    )
