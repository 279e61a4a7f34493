"""A number and how sure it is: shares, means and differences with their 95 % intervals.

An interval of a share is Wilson's (1927), which stays between 0 and 1; the others are percentile
bootstrap intervals (Efron & Tibshirani 1993, chapter 13), by ``scipy.stats``. They speak of other
texts, not of another training run: for that, train with other seeds.

Shapes: ``N`` texts, one value for each.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest, bootstrap

Statistic = Callable[..., np.ndarray]


@dataclass(frozen=True)
class Score:
    """A number and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def share(right: int, total: int) -> Score:
    """``right`` of ``total`` as a share, with Wilson's interval.

    Raises:
        ValueError: if ``total`` is below 1, or ``right`` not between 0 and ``total``.
    """
    if not 0 <= right <= total or total < 1:
        raise ValueError(f"{right} of {total} is no share")
    interval = binomtest(right, total).proportion_ci(0.95, method="wilson")
    return Score(right / total, float(interval.low), float(interval.high))


def mean_score(
    values: ArrayLike,
    groups: Sequence[Hashable] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Score:
    """Mean of N values, with a bootstrap interval.

    Args:
        groups: N names of what is drawn, such as documents: texts of one document are drawn
            together, because they are alike (Davison & Hinkley 1997). Without it
            each text is drawn by itself. The mean is over the texts in either case.

    Raises:
        ValueError: if there are not two values, or two groups, or as many groups as values.
    """
    array = np.asarray(values, dtype=float)
    if array.ndim != 1 or len(array) < 2:
        raise ValueError(f"an interval needs two values at least, not shape {array.shape}")
    if groups is None:
        samples = array, np.ones(len(array))
    else:
        if len(groups) != len(array):
            raise ValueError(f"{len(groups)} groups for {len(array)} values")
        place = {name: i for i, name in enumerate(dict.fromkeys(groups))}
        rows = np.array([place[name] for name in groups])
        samples = np.bincount(rows, array), np.bincount(rows).astype(float)
        if len(place) < 2:
            raise ValueError("an interval needs two groups at least")
    return interval(_ratio, samples, resamples, seed)


def compare_means(
    first: ArrayLike,
    second: ArrayLike,
    groups: Sequence[Hashable] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Score:
    """Mean of ``first`` minus mean of ``second``, N values each of the same N texts.

    The texts are drawn for both together, so what is hard for both cancels.

    Raises:
        ValueError: if their numbers differ, and as ``mean_score``.
    """
    one, other = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if one.shape != other.shape:
        raise ValueError(f"{one.shape} and {other.shape} are not values of the same texts")
    return mean_score(one - other, groups, resamples, seed)


def interval(
    statistic: Statistic, samples: tuple[np.ndarray, ...], resamples: int = 1000, seed: int = 0
) -> Score:
    """A statistic of paired samples, and the percentile bootstrap interval of it.

    ``statistic`` takes the samples and ``axis``, and is computed on many resamples at once.
    """
    result = bootstrap(
        samples,
        statistic,
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    found = result.confidence_interval
    return Score(float(statistic(*samples)), float(found.low), float(found.high))


def _ratio(sums: np.ndarray, numbers: np.ndarray, axis: int = -1) -> np.ndarray:
    return sums.sum(axis=axis) / numbers.sum(axis=axis)
