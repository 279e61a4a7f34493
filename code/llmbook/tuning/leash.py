"""Policies on a table of answers, where all is exact: best of n, the KL leash (chapter 9).

A policy is a row of probabilities, one for each of ``N`` possible answers to one prompt. So KL
divergences and mean rewards are sums, and nothing is sampled.
"""

from __future__ import annotations

import numpy as np


def best_of(reference: np.ndarray, score: np.ndarray, n: int) -> np.ndarray:
    """The policy (N,) that draws n answers from the reference and gives the one that scores best.

    The best of n is at most s with probability P(score <= s) to the n. Answers of equal score
    share what their score gets in the proportion of the reference.

    Raises:
        ValueError: if n is below 1.
    """
    if n < 1:
        raise ValueError(f"n ({n}) must be at least 1")
    _, place = np.unique(score, return_inverse=True)
    mass = np.bincount(place, reference)
    upto = np.cumsum(mass) / mass.sum()
    won = np.diff(upto**n, prepend=0.0)
    share = np.divide(won, mass, out=np.zeros_like(won), where=mass > 0)
    return reference * share[place]


def best_of_kl(n: int) -> float:
    """log n - (n - 1) / n: KL of best of n to the reference, where no answer has much probability.

    An upper bound for any other table (Beirami et al. 2025).
    """
    return float(np.log(n) - (n - 1) / n)


def leashed(reference: np.ndarray, reward: np.ndarray, beta: float) -> np.ndarray:
    """The policy (N,) with the greatest mean reward minus beta times its KL to the reference.

    reference * exp(reward / beta), normalized: equation 4 of Rafailov et al. (2023).

    Raises:
        ValueError: if beta is not above 0.
    """
    if beta <= 0:
        raise ValueError(f"beta ({beta}) must be above 0")
    tilt = reward / beta
    weights = reference * np.exp(tilt - tilt.max())
    return weights / weights.sum()


def kl(policy: np.ndarray, reference: np.ndarray) -> float:
    """Sum of p log(p / q) over N answers, (N,) each, in nats; where p is 0, nothing is added.

    It is never negative, so neither is what rounding makes of it.
    """
    some = policy > 0
    return max(0.0, float((policy[some] * np.log(policy[some] / reference[some])).sum()))
