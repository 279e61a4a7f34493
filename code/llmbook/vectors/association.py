"""Associations of words with words: the test of Caliskan et al. (2017), "WEAT" (chapter 11).

Two sets of *targets* (flowers, insects) and two sets of *attributes* (pleasant, unpleasant): is one
set of targets nearer to the first attributes, and the other to the second? The functions take
vectors, so that a word may have its vector from anywhere; ``WEAT`` holds the published words.

Not here: any judgement. A number says what the vectors of these words are like, and no more.

Shapes: ``N``, ``M`` targets, ``A``, ``B`` attributes, ``D`` width, ``K`` tests.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import ArrayLike

from llmbook.evaluation.scores import Score

EXACT = 20_000  # splits; two sets of eight words have 12,870


@dataclass(frozen=True)
class AssociationTest:
    """Names and words of two sets of targets and of two sets of attributes.

    The order is the direction: the first targets with the first attributes.
    """

    targets: tuple[str, str]
    attributes: tuple[str, str]
    words: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]

    def known(self, vocabulary: Container[str]) -> AssociationTest:
        """The same test with the words that have a vector."""
        first, second, third, fourth = (tuple(word for word in words if word in vocabulary)
                                        for words in self.words)  # fmt: skip
        return AssociationTest(self.targets, self.attributes, (first, second, third, fourth))


def _test(targets: str, attributes: str, *words: str) -> AssociationTest:
    x, y = targets.split(" / ")
    a, b = attributes.split(" / ")
    first, second, third, fourth = (tuple(line.split()) for line in words)
    return AssociationTest((x, y), (a, b), (first, second, third, fourth))


_PLEASANT = (
    "caress freedom health love peace cheer friend heaven loyal pleasure diamond gentle honest "
    "lucky rainbow diploma gift honor miracle sunrise family happy laughter paradise vacation"
)
_UNPLEASANT = (
    "abuse crash filth murder sickness accident death grief poison stink assault disaster hatred "
    "pollute tragedy divorce jail poverty ugly cancer kill rotten vomit agony prison"
)
# Caliskan et al. (2017), supplementary materials, tests 1, 2, 6, 7 and 8, in lower case. The sets
# come from earlier studies of implicit associations with people, in the United States. Two kinds of
# gendered words and no third are an assumption of these tests.
WEAT = {
    "flowers": _test(
        "flowers / insects", "pleasant / unpleasant",
        "aster clover hyacinth marigold poppy azalea crocus iris orchid rose bluebell daffodil "
        "lilac pansy tulip buttercup daisy lily peony violet carnation gladiola magnolia petunia "
        "zinnia",
        "ant caterpillar flea locust spider bedbug centipede fly maggot tarantula bee cockroach "
        "gnat mosquito termite beetle cricket hornet moth wasp blackfly dragonfly horsefly roach "
        "weevil",
        _PLEASANT, _UNPLEASANT,
    ),
    "instruments": _test(
        "instruments / weapons", "pleasant / unpleasant",
        "bagpipe cello guitar lute trombone banjo clarinet harmonica mandolin trumpet bassoon drum "
        "harp oboe tuba bell fiddle harpsichord piano viola bongo flute horn saxophone violin",
        "arrow club gun missile spear axe dagger harpoon pistol sword blade dynamite hatchet rifle "
        "tank bomb firearm knife shotgun teargas cannon grenade mace slingshot whip",
        _PLEASANT, _UNPLEASANT,
    ),
    "names": _test(
        "male names / female names", "career / family",
        "john paul mike kevin steve greg jeff bill",
        "amy joan lisa sarah diana kate ann donna",
        "executive management professional corporation salary office business career",
        "home parents children family cousins marriage wedding relatives",
    ),
    "mathematics": _test(
        "mathematics / arts", "male terms / female terms",
        "math algebra geometry calculus equations computation numbers addition",
        "poetry art dance literature novel symphony drama sculpture",
        "male man boy brother he him his son",
        "female woman girl sister she her hers daughter",
    ),
    "science": _test(
        "science / arts", "male terms / female terms",
        "science technology physics chemistry einstein nasa experiment astronomy",
        "poetry art shakespeare dance literature novel symphony drama",
        "brother father uncle grandfather son he his him",
        "sister mother aunt grandmother daughter she hers her",
    ),
}  # fmt: skip


def cosines(targets: ArrayLike, attributes: ArrayLike) -> np.ndarray:
    """Of each target (N, D) with each attribute (A, D): (N, A)."""
    one, other = (np.asarray(v, dtype=float) for v in (targets, attributes))
    one, other = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (one, other))
    return one @ other.T


def associations(targets: ArrayLike, first: ArrayLike, second: ArrayLike) -> np.ndarray:
    """Mean cosine with the first attributes minus that with the second: (N, D) to (N,)."""
    return cosines(targets, first).mean(1) - cosines(targets, second).mean(1)


def effect_size(first: ArrayLike, second: ArrayLike) -> float:
    """d of associations (N,) and (M,): difference of the means over the spread of all.

    The spread is the standard deviation of all N + M, with N + M - 1 below the line. With N = M
    equal numbers d cannot pass 2 √((2N - 1) / 2N), which is 1.94 for eight and eight words.

    Raises:
        ValueError: if a set is empty or all associations are equal.
    """
    one, other = (np.asarray(v, dtype=float) for v in (first, second))
    if not len(one) or not len(other):
        raise ValueError(f"{len(one)} and {len(other)} targets: each set needs one at least")
    spread = np.concatenate([one, other]).std(ddof=1)
    if not spread > 0:
        raise ValueError("all associations are equal: there is no spread to divide by")
    return float((one.mean() - other.mean()) / spread)


def permutation_p(
    first: ArrayLike, second: ArrayLike, samples: int = 10_000, seed: int = 0
) -> float:
    """How often a split of all targets by lot is as far apart as the real one, or further.

    One-sided, as in Caliskan et al. (2017): the first set is expected to be above the second. All
    splits if there are at most ``EXACT``, else ``samples`` of them and the real one, so that p is
    never 0.
    """
    one, other = (np.asarray(v, dtype=float) for v in (first, second))
    both, size = np.concatenate([one, other]), len(one)
    limit = one.sum() - 1e-9 * np.abs(both).sum()  # equal splits must not differ by rounding
    if comb(len(both), size) <= EXACT:
        return float((both[_splits(len(both), size)].sum(1) >= limit).mean())
    random = np.random.default_rng(seed)
    drawn = random.permuted(np.tile(both, (samples, 1)), axis=1)[:, :size].sum(1)
    return float((1 + (drawn >= limit).sum()) / (1 + samples))


def effect_and_p(
    first: ArrayLike, second: ArrayLike, one: ArrayLike, other: ArrayLike
) -> tuple[float, float]:
    """d and p of targets (N, D), (M, D) with attributes (A, D), (B, D).

    Raises:
        ValueError: as ``effect_size``.
    """
    sides = associations(first, one, other), associations(second, one, other)
    return effect_size(*sides), permutation_p(*sides)


@lru_cache(maxsize=8)
def _splits(total: int, size: int) -> np.ndarray:
    """Every choice of ``size`` out of ``total`` places: (splits, size)."""
    return np.array(list(combinations(range(total), size)))


def bootstrap_effect(
    targets: tuple[ArrayLike, ArrayLike],
    attributes: tuple[ArrayLike, ArrayLike],
    resamples: int = 1000,
    seed: int = 0,
) -> Score:
    """d with its 95 % percentile interval, all four sets of words drawn again.

    Each set is drawn with replacement, by itself; vectors are (N, D), (M, D), (A, D), (B, D).
    """
    tables = [[cosines(t, a) for a in attributes] for t in targets]
    random = np.random.default_rng(seed)

    def draw(size: int) -> np.ndarray:
        return random.integers(size, size=(resamples, size))

    rows = [draw(len(side[0])) for side in tables]
    columns = [draw(table.shape[1]) for table in tables[0]]
    parts = []
    for side, row in zip(tables, rows, strict=True):
        means = [table[row[:, :, None], column[:, None, :]].mean(2)
                 for table, column in zip(side, columns, strict=True)]  # fmt: skip
        parts.append(means[0] - means[1])  # (resamples, N)
    spread = np.concatenate(parts, axis=1).std(axis=1, ddof=1)
    found = (parts[0].mean(1) - parts[1].mean(1)) / np.where(spread > 0, spread, np.inf)
    low, high = np.quantile(found, [0.025, 0.975])
    value = effect_size(*(associations(t, *attributes) for t in targets))
    return Score(value, float(low), float(high))


def holm(p: ArrayLike) -> np.ndarray:
    """Adjusted p-values (K,), by Holm (1979): reject those at most 0.05.

    The smallest is multiplied by K, the next by K - 1, and so on; none may be below one before it.
    The chance of any false rejection among the K stays at most 0.05, however they depend.
    """
    values = np.asarray(p, dtype=float)
    order = np.argsort(values)
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(steps, 1)
    return adjusted


def without_direction(vectors: ArrayLike, direction: ArrayLike) -> np.ndarray:
    """Vectors (N, D) less their part along ``direction`` (D,), whatever its length.

    The "neutralize" step of Bolukbasi et al. (2016), before they bring vectors to length 1 again.
    """
    v, g = np.asarray(vectors, dtype=float), np.asarray(direction, dtype=float)
    g = g / np.linalg.norm(g)
    return v - np.outer(v @ g, g)
