"""What chance alone does to a comparison: two models, the best of many, many intervals at once.

Exact where counting can be (McNemar 1947; the highest of several binomial shares; the coverage of
the intervals of a share), by resampling where it cannot. Taught in chapter 13. Not here: Holm's
correction (``llmbook.vectors``).

Shapes: ``N`` items of a test, ``R`` samples.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom, norm


class ShareCoverage(NamedTuple):
    """How often each of three 95 % intervals of a share holds the truth, from 0 to 1."""

    textbook: float  # share ± 1.96 sqrt(share (1 - share) / N)
    bootstrap: float  # percentiles of resamples, of which there are infinitely many
    wilson: float


def mcnemar(first: ArrayLike, second: ArrayLike) -> tuple[int, int, float]:
    """Two models on the same N items: (only the first is right, only the second, p).

    Items on which both are right or both wrong say nothing about which is better. If the models
    were equal, each other item would be a fair coin; p is the chance that so many coins fall as
    unevenly as here or more so, to either side. The exact form of McNemar (1947).

    Args:
        first, second: N values each, true where the model is right

    Raises:
        ValueError: if they are not as many values of one dimension, one at least.
    """
    one, other = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if one.shape != other.shape or one.ndim != 1 or not len(one):
        raise ValueError(f"{one.shape} and {other.shape} are not answers to the same items")
    won, lost = int((one & ~other).sum()), int((other & ~one).sum())
    p = min(1.0, 2 * binom.cdf(min(won, lost), won + lost, 0.5)) if won + lost else 1.0
    return won, lost, float(p)


def expected_best(models: int, items: int, share: float) -> float:
    """The mean of the highest score, a share, if ``models`` equal models answer ``items`` items.

    Each is right with probability ``share`` in each item, whatever the others answer. The highest
    is below k right answers if all are, so the mean is the sum over k of 1 - F(k - 1) ** models,
    by the number of items; F is the binomial distribution.

    Raises:
        ValueError: if there is no model or no item, or ``share`` is not between 0 and 1.
    """
    if models < 1 or items < 1 or not 0 <= share <= 1:
        raise ValueError(f"{models} models with share {share} on {items} items: nothing to expect")
    below = binom.cdf(np.arange(items), items, share) ** models
    return float((1 - below).sum() / items)


def intervals_of_means(samples: ArrayLike, resamples: int = 500, seed: int = 0) -> np.ndarray:
    """The 95 % percentile bootstrap interval of the mean of each sample, (R, N) to (R, 2).

    What ``mean_score`` does for one sample, for as many as a simulation needs.

    Raises:
        ValueError: if the samples are no table, or hold fewer than two values each.
    """
    table = np.asarray(samples, dtype=float)
    if table.ndim != 2 or table.shape[1] < 2:
        raise ValueError(f"samples must be (R, N) with N of two at least, not {table.shape}")
    random = np.random.default_rng(seed)
    size = table.shape[1]
    ends = [np.quantile(row[random.integers(size, size=(resamples, size))].mean(1), (0.025, 0.975))
            for row in table]  # fmt: skip
    return np.array(ends).reshape(-1, 2)


def share_coverage(share: float, items: int) -> ShareCoverage:
    """How often the 95 % intervals of a share hold it, in tests of ``items`` items; exact.

    A test has N + 1 results, each with a binomial probability; those whose interval holds ``share``
    are added up. Wilson's interval (1927) holds it if the result is at most 1.96 standard
    deviations away, computed with the true share. A resample of a share is a binomial draw.

    Raises:
        ValueError: if there is no item, or ``share`` is not between 0 and 1.
    """
    if items < 1 or not 0 <= share <= 1:
        raise ValueError(f"no test of {items} items has a true share of {share}")
    results = np.arange(items + 1)
    seen, z, tiny = results / items, norm.ppf(0.975), 1e-12
    away = np.abs(seen - share)
    low, high = (binom.ppf(tail, items, seen) / items for tail in (0.025, 0.975))
    inside = (
        away <= z * np.sqrt(seen * (1 - seen) / items) + tiny,
        (low <= share + tiny) & (share - tiny <= high),
        away <= z * np.sqrt(share * (1 - share) / items) + tiny,
    )
    chance = binom.pmf(results, items, share)
    return ShareCoverage(*(float(chance[hit].sum()) for hit in inside))
