"""What clipping and noise promise: epsilon of a training run (chapter 11).

By Rényi differential privacy (Mironov 2017) of the sampled Gaussian mechanism, at whole orders
(Mironov, Talwar & Zhang 2019, section 3.3). It holds if each document enters each batch by a lot of
its own (``poisson_batch``), if the gradient of each is clipped and the sum alone is blurred, and
for two training texts of which one has one document more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import gammaln, logsumexp

ORDERS = tuple(range(2, 257))


def sampled_gaussian_rdp(share: float, noise: float, order: int) -> float:
    """The Rényi divergence that one step can cause, of a whole order above 1, in nats.

    Args:
        share: probability with which a document enters a batch
        noise: standard deviation of the noise by the clipping norm

    Raises:
        ValueError: for a share outside [0, 1], no noise, or an order that is no such number.
    """
    if not 0 <= share <= 1 or noise <= 0 or order != int(order) or order < 2:
        raise ValueError(f"share {share}, noise {noise} and order {order} have no bound here")
    j = np.arange(order + 1)
    ways = gammaln(order + 1) - gammaln(j + 1) - gammaln(order - j + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = np.where(j > 0, j * np.log(share), 0.0)
        outside = np.where(j < order, (order - j) * np.log1p(-share), 0.0)
    return float(logsumexp(ways + inside + outside + j * (j - 1) / (2 * noise**2)) / (order - 1))


def epsilon(
    share: float, noise: float, steps: int, delta: float, orders: Sequence[int] = ORDERS
) -> float:
    """The epsilon of ``steps`` steps, the least over all orders (Mironov 2017, propositions 1, 3).

    Raises:
        ValueError: as ``sampled_gaussian_rdp``, or for a delta outside (0, 1).
    """
    if not 0 < delta < 1:
        raise ValueError(f"delta ({delta}) must be above 0 and below 1")
    return min(steps * sampled_gaussian_rdp(share, noise, order) - math.log(delta) / (order - 1)
               for order in orders)  # fmt: skip


def greatest_probability(bits: float, epsilon: float, delta: float, copies: int = 1) -> float:
    """The most that the promise allows for an exposure of at least ``bits`` of a random code.

    Without the secret it is 2^-bits, in the mean over all codes; each copy more multiplies it by
    e^epsilon and adds delta.
    """
    allowed = 2.0**-bits
    for _ in range(copies):
        allowed = min(1.0, math.exp(min(epsilon, 700)) * allowed + delta)
    return allowed
