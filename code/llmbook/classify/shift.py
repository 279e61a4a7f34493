"""Texts from elsewhere: how well a score tells them apart, and what can be corrected (chapter 10).

Not here: a detector that decides. Each function gives numbers; where to draw the line is a choice.

Shapes: ``N``, ``M`` texts, ``D`` width of a vector, ``C`` classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold


def auroc(lower: ArrayLike, higher: ArrayLike) -> float:
    """The probability that one of ``higher`` (M,) exceeds one of ``lower`` (N,); a tie counts half.

    The area under the receiver operating characteristic, by ranks (Hanley & McNeil 1982): the M
    ranks among all N + M scores, less the M (M + 1) / 2 that M scores have among themselves, count
    the pairs that are won.

    Raises:
        ValueError: if one of them is empty.
    """
    low, high = np.ravel(lower), np.ravel(higher)
    if not len(low) or not len(high):
        raise ValueError(f"{len(low)} and {len(high)} scores: each side needs one at least")
    ranks = rankdata(np.concatenate([low, high]))[len(low) :]
    won = ranks.sum() - len(high) * (len(high) + 1) / 2
    return float(won / (len(low) * len(high)))


def neighbour_distance(known: ArrayLike, vectors: ArrayLike, k: int = 5) -> np.ndarray:
    """1 - cosine to the k-th nearest of the ``known`` vectors (N, D), for each of (M, D): (M,).

    Sun et al. (2022), with a monotone change: they take the distance of vectors of
    length 1, which is the square root of twice this.

    Raises:
        ValueError: if ``k`` is not 1 to N.
    """
    one, other = (np.asarray(v, dtype=float) for v in (known, vectors))
    if not 1 <= k <= len(one):
        raise ValueError(f"k ({k}) must be 1 to {len(one)}, the number of known vectors")
    one, other = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (one, other))
    return np.sort(1 - other @ one.T, axis=1)[:, k - 1]


def with_prior(logits: ArrayLike, before: ArrayLike, now: ArrayLike) -> np.ndarray:
    """Logits (N, C) for classes whose shares are ``now`` (C,), where they were ``before``.

    Right if the texts of each class stay as they were (Saerens et al. 2002).

    Raises:
        ValueError: if a share is not above 0, or they do not sum to 1.
    """
    shares = [np.asarray(share, dtype=float) for share in (before, now)]
    for share in shares:
        if (share <= 0).any() or not np.isclose(share.sum(), 1):
            raise ValueError(f"shares must be above 0 and sum to 1, not {share.tolist()}")
    return np.asarray(logits) + np.log(shares[1]) - np.log(shares[0])


def importance(
    source: ArrayLike, target: ArrayLike, folds: int = 5, seed: int = 0
) -> tuple[np.ndarray, float]:
    """Weights p(target) / p(source) of the source texts, (N,), mean 1; how well told apart.

    A logistic regression tells source (N, D) from target (M, D); its odds are the ratio of the two
    densities. Each text is judged by a regression that has not seen it. The second value is the
    ``auroc`` of that judgement.
    """
    x = np.concatenate([source, target])
    y = np.repeat([0, 1], [len(source), len(target)])
    odds = np.empty(len(x))
    cut = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for train, test in cut.split(x, y):
        model = LogisticRegression(C=10, max_iter=2000).fit(x[train], y[train])
        odds[test] = model.decision_function(x[test])
    weights = np.exp(odds[y == 0])
    return weights / weights.mean(), auroc(odds[y == 0], odds[y == 1])


def effective_number(weights: ArrayLike) -> float:
    """(sum of w)² / sum of w²: how many equal weights tell as much (Kish 1965)."""
    w = np.asarray(weights, dtype=float)
    return float(w.sum() ** 2 / (w**2).sum())
