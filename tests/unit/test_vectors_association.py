"""The association test, against formulas written out, enumeration and scipy."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import bootstrap, permutation_test

from llmbook.vectors.association import (
    EXACT,
    WEAT,
    associations,
    bootstrap_effect,
    effect_size,
    holm,
    permutation_p,
    without_direction,
)


def test_the_published_lists_have_their_published_sizes() -> None:
    """Caliskan et al. (2017): 25 words a set in two tests, eight in the other three."""
    sizes = {name: [len(words) for words in test.words] for name, test in WEAT.items()}
    assert sizes == {"flowers": [25] * 4, "instruments": [25] * 4, "names": [8] * 4,
                     "mathematics": [8] * 4, "science": [8] * 4}  # fmt: skip
    for test in WEAT.values():
        for words in test.words:
            assert len(set(words)) == len(words)
            assert all(word.islower() for word in words)
        assert not set(test.words[0]) & set(test.words[1])


def test_known_words_keep_their_order_and_places() -> None:
    known = WEAT["science"].known({"nasa", "science", "poetry", "he"})
    assert known.words == (("science", "nasa"), ("poetry",), ("he",), ())
    assert known.targets == ("science", "arts")


def test_associations_ignore_length_and_average_the_attributes() -> None:
    """Cosines of (1, 0) with 0, 90 and 60 degrees are 1, 0 and 1/2: (1 + 0) / 2 - 1/2 = 0."""
    first = [[2.0, 0.0], [0.0, 5.0]]
    second = [[0.5, np.sqrt(3) / 2]]
    assert associations([[3.0, 0.0]], first, second) == pytest.approx([0.0])
    assert associations([[0.0, 1.0]], first, second) == pytest.approx([0.5 - np.sqrt(3) / 2])


def test_effect_size_by_hand_and_its_ceiling() -> None:
    """Means 2 and 0, all five: 1, 3, 0, 0, 0; mean 0.8, squares 6.8, variance 6.8 / 4."""
    assert effect_size([1, 3], [0, 0, 0]) == pytest.approx(2 / np.sqrt(1.7))
    ceiling = effect_size(np.ones(8), np.zeros(8))
    assert ceiling == pytest.approx(2 * np.sqrt(15 / 16))
    with pytest.raises(ValueError, match="no spread"):
        effect_size([1, 1], [1, 1])
    with pytest.raises(ValueError, match="each set needs one"):
        effect_size([], [1, 2])


@pytest.mark.parametrize("sizes", [(2, 2), (3, 5), (6, 6)])
def test_exact_p_is_enumeration_and_scipy(sizes: tuple[int, int]) -> None:
    random = np.random.default_rng(sum(sizes))
    x, y = random.normal(0.5, 1, sizes[0]), random.normal(0, 1, sizes[1])
    both = np.concatenate([x, y])
    splits = list(combinations(range(len(both)), len(x)))
    assert len(splits) <= EXACT
    share = np.mean([both[list(s)].sum() >= x.sum() - 1e-12 for s in splits])
    assert permutation_p(x, y) == pytest.approx(share)
    found = permutation_test((x, y), lambda a, b: a.mean() - b.mean(), n_resamples=np.inf,
                             alternative="greater")  # fmt: skip
    assert permutation_p(x, y) == pytest.approx(found.pvalue)


def test_equal_splits_count_as_reached() -> None:
    """0.1 + 0.2 and 0.3 + 0 differ by rounding only; four of the six splits reach 0.3."""
    assert permutation_p([0.1, 0.2], [0.3, 0.0]) == pytest.approx(4 / 6)
    assert permutation_p([1, 1], [1, 1]) == 1


def test_sampled_p_is_near_the_exact_one_and_never_zero() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(0.4, 1, 12), random.normal(0, 1, 12)  # 2.7 million splits
    found = permutation_test((x, y), lambda a, b, axis: a.mean(axis) - b.mean(axis),
                             n_resamples=20_000, alternative="greater", vectorized=True,
                             rng=np.random.default_rng(1))  # fmt: skip
    assert permutation_p(x, y) == pytest.approx(found.pvalue, abs=0.015)
    assert permutation_p(x + 100, y) == pytest.approx(1 / 10_001)
    assert permutation_p(x, y, seed=3) != permutation_p(x, y, seed=4)


def test_the_interval_is_that_of_scipy_with_all_four_sets_drawn() -> None:
    random = np.random.default_rng(0)
    x, y, a, b = (random.normal(size=(n, 6)) + shift
                  for n, shift in ((8, 0.3), (8, 0), (7, 0.5), (5, 0)))  # fmt: skip

    def d(i, j, k, m):
        i, j, k, m = (np.asarray(places, int) for places in (i, j, k, m))
        return effect_size(associations(x[i], a[k], b[m]), associations(y[j], a[k], b[m]))

    reference = bootstrap(tuple(np.arange(len(v)) for v in (x, y, a, b)), d, vectorized=False,
                          n_resamples=2000, method="percentile",
                          rng=np.random.default_rng(1)).confidence_interval  # fmt: skip
    found = bootstrap_effect((x, y), (a, b), resamples=2000)
    assert found.value == pytest.approx(d(range(8), range(8), range(7), range(5)))
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high), abs=0.12)


def closed_testing(p: list[float]) -> list[float]:
    """Reject a hypothesis if Bonferroni rejects every set that it is in: another way to Holm."""
    sets = [s for n in range(1, len(p) + 1) for s in combinations(range(len(p)), n)]
    return [max(min(1, len(s) * min(p[i] for i in s)) for s in sets if k in s)
            for k in range(len(p))]  # fmt: skip


@pytest.mark.parametrize("p", [[0.01, 0.04, 0.03, 0.005], [0.2, 0.01, 0.01], [0.9, 0.6], [0.03]])
def test_holm_is_closed_testing_with_bonferroni(p: list[float]) -> None:
    assert holm(p) == pytest.approx(closed_testing(p))


def test_without_direction_is_orthogonal_and_leaves_the_rest() -> None:
    random = np.random.default_rng(0)
    v, g = random.normal(size=(5, 4)), random.normal(size=4)
    out = without_direction(v, 3 * g)
    assert out @ g == pytest.approx(np.zeros(5), abs=1e-12)
    assert np.linalg.matrix_rank(v - out) == 1
    assert without_direction(out, g) == pytest.approx(out)
