"""Best of n and the leash on tables that can be counted by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from llmbook.tuning.leash import best_of, best_of_kl, kl, leashed


def test_best_of_two_by_counting() -> None:
    """All draws of two from (1/2, 1/4, 1/4), the better kept: 1/4, 5/16, 7/16."""
    reference, score = np.array([0.5, 0.25, 0.25]), np.array([1.0, 2.0, 3.0])
    wanted = np.zeros(3)
    for one, two in itertools.product(range(3), repeat=2):
        wanted[max(one, two)] += reference[one] * reference[two]
    assert best_of(reference, score, 2) == pytest.approx(wanted)
    assert wanted.tolist() == [0.25, 5 / 16, 7 / 16]
    shuffled = best_of(reference[[2, 0, 1]], score[[2, 0, 1]], 2)
    assert shuffled == pytest.approx(wanted[[2, 0, 1]])


def test_equal_scores_share_and_one_draw_is_the_reference() -> None:
    reference = np.array([0.5, 0.1, 0.4])
    assert best_of(reference, np.array([1.0, 2.0, 2.0]), 2) == pytest.approx([0.25, 0.15, 0.6])
    assert best_of(reference, np.array([1.0, 2.0, 2.0]), 1) == pytest.approx(reference)
    assert best_of(np.array([0.5, 0, 0.5]), np.arange(3.0), 2).tolist() == [0.25, 0, 0.75]
    with pytest.raises(ValueError, match="at least 1"):
        best_of(reference, reference, 0)


@pytest.mark.parametrize("n", [2, 16])
def test_the_formula_is_met_by_many_answers_and_bounds_few(n: int) -> None:
    many, few = np.full(20000, 1 / 20000), np.array([0.5, 0.25, 0.25])
    assert kl(best_of(many, np.arange(20000.0), n), many) == pytest.approx(best_of_kl(n), abs=1e-3)
    assert kl(best_of(few, np.arange(3.0), n), few) < best_of_kl(n) - 0.05


def test_no_other_policy_is_worth_more_than_the_leashed_one() -> None:
    random = np.random.default_rng(0)
    reference, reward = random.dirichlet(np.ones(6)), random.normal(size=6)
    best = leashed(reference, reward, 0.5)

    def worth(policy: np.ndarray) -> float:
        return float(policy @ reward) - 0.5 * kl(policy, reference)

    assert worth(best) == pytest.approx(0.5 * np.log(reference @ np.exp(reward / 0.5)))
    others = [random.dirichlet(np.ones(6)) for _ in range(500)]
    others += [0.99 * best + 0.01 * other for other in others]
    assert max(map(worth, others)) < worth(best)
    with pytest.raises(ValueError, match="beta"):
        leashed(reference, reward, 0.0)


def test_a_short_leash_does_not_overflow() -> None:
    """Rewards 0 and 1 at beta = 1/2000 would be e^2000: the better answer takes all."""
    assert leashed(np.array([0.5, 0.5]), np.array([0.0, 1.0]), 1 / 2000).tolist() == [0, 1]


def test_kl_of_a_policy_with_a_zero() -> None:
    """1 * log(1 / (1/2)) = log 2; the answer that is never given adds nothing."""
    assert kl(np.array([1.0, 0.0]), np.array([0.5, 0.5])) == pytest.approx(np.log(2))
