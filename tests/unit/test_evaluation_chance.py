"""What chance does: exact counts against scipy, all cases listed, and simulation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import binom, binomtest, permutation_test

from llmbook.evaluation import (
    expected_best,
    intervals_of_means,
    mcnemar,
    mean_score,
    share,
    share_coverage,
)


@pytest.mark.parametrize(
    ("both", "won", "lost", "neither"), [(3, 5, 1, 2), (0, 4, 9, 0), (7, 3, 3, 1)]
)
def test_mcnemar_is_the_sign_test_of_what_differs(
    both: int, won: int, lost: int, neither: int
) -> None:
    first = [1] * (both + won) + [0] * (lost + neither)
    second = [1] * both + [0] * won + [1] * lost + [0] * neither
    p = binomtest(won, won + lost).pvalue
    assert mcnemar(first, second) == (won, lost, pytest.approx(p))


def test_mcnemar_is_the_permutation_test_of_the_mean_difference() -> None:
    first = np.array([1, 1, 1, 1, 1, 0, 0, 1, 0])
    second = np.array([0, 0, 0, 0, 1, 1, 0, 0, 0])
    theirs = permutation_test(
        (first, second),
        lambda a, b, axis: (a - b).mean(axis),
        permutation_type="samples",
        vectorized=True,
    )
    assert mcnemar(first, second)[2] == pytest.approx(theirs.pvalue) == pytest.approx(14 / 64)


def test_equal_answers_are_no_evidence() -> None:
    assert mcnemar([1, 0, 1], [1, 0, 1]) == (0, 0, 1.0)


@pytest.mark.parametrize("answers", [([1, 0], [1]), ([], []), ([[1]], [[0]])])
def test_answers_to_other_items_are_refused(answers: tuple[list, list]) -> None:
    with pytest.raises(ValueError, match="same items"):
        mcnemar(*answers)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_the_best_of_all_cases(share: float) -> None:
    """Three models and two items: all 64 cases, each with its probability."""
    mean = 0.0
    for right in product((0, 1), repeat=6):
        table = np.array(right).reshape(3, 2)
        mean += share ** table.sum() * (1 - share) ** (6 - table.sum()) * table.mean(1).max()
    assert expected_best(3, 2, share) == pytest.approx(mean)


def test_one_model_is_not_chosen() -> None:
    assert expected_best(1, 200, 0.7) == pytest.approx(0.7)


@pytest.mark.parametrize("case", [(0, 10, 0.5), (3, 0, 0.5), (3, 10, 1.1)])
def test_nothing_to_expect(case: tuple[int, int, float]) -> None:
    with pytest.raises(ValueError, match="nothing to expect"):
        expected_best(*case)


def test_each_row_has_the_interval_of_its_mean() -> None:
    rows = np.random.default_rng(0).exponential(size=(3, 50))
    found = intervals_of_means(rows, resamples=4000)
    for row, (low, high) in zip(rows, found, strict=True):
        one = mean_score(row, resamples=4000)
        assert (low, high) == pytest.approx((one.low, one.high), abs=0.02)
    assert intervals_of_means(np.ones((2, 5)), resamples=10).tolist() == [[1, 1], [1, 1]]


def test_the_intervals_cover_in_a_large_sample() -> None:
    rows = np.random.default_rng(1).normal(size=(400, 200))
    low, high = intervals_of_means(rows, resamples=300).T
    assert 0.91 < ((low <= 0) & (high >= 0)).mean() < 0.98


@pytest.mark.parametrize("rows", [[1.0, 2.0], [[1.0]]])
def test_no_table_no_interval(rows: list) -> None:
    with pytest.raises(ValueError, match="two at least"):
        intervals_of_means(rows)


@pytest.mark.parametrize(("p", "n"), [(0.3, 7), (0.9, 20), (0.99, 30), (0.5, 40)])
def test_coverage_adds_up_the_intervals_that_hold_the_share(p: float, n: int) -> None:
    """Wilson's as ``share`` computes it, the others from their definitions, result by result."""
    sums = np.zeros(3)
    for k in range(n + 1):
        seen = k / n
        half = 1.959964 * (seen * (1 - seen) / n) ** 0.5
        draws = binom.cdf(np.arange(n + 1), n, seen)
        low, high = ((draws < tail).sum() / n for tail in (0.025, 0.975))
        wilson = share(k, n)
        holds = [seen - half <= p <= seen + half, low <= p + 1e-12 and p - 1e-12 <= high,
                 wilson.low <= p <= wilson.high]  # fmt: skip
        sums += binom.pmf(k, n, p) * np.array(holds)
    assert share_coverage(p, n) == pytest.approx(tuple(sums))


def test_nothing_wrong_has_no_width() -> None:
    """p = 0.99, 20 items: where nothing is wrong, two of the intervals are a point, 1."""
    found = share_coverage(0.99, 20)
    assert found.textbook == pytest.approx(1 - 0.99**20, abs=1e-4)
    assert found.bootstrap == pytest.approx(1 - 0.99**20, abs=1e-4)
    assert found.wilson > 0.9


@pytest.mark.parametrize("case", [(0.5, 0), (1.5, 10)])
def test_no_such_test(case: tuple[float, int]) -> None:
    with pytest.raises(ValueError, match="no test"):
        share_coverage(*case)
