"""Metrics and their intervals, by hand and against scikit-learn."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from llmbook.evaluation import Score, accuracy, compare, macro_f1


def draw(n: int = 300, classes: int = 5, noise: float = 0.4, seed: int = 0) -> tuple:
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    guess = np.where(rng.random(n) < noise, rng.integers(classes, size=n), labels)
    return labels, guess


def test_accuracy_and_wilsons_interval_by_hand() -> None:
    """8 of 10, z = 1.96: center (0.8 + 0.19207) / 1.38415, half width
    1.96 sqrt(0.016 + 0.0096036) / 1.38415, so 0.490 to 0.943."""
    score = accuracy([1] * 10, [1] * 8 + [0, 2])
    assert score.value == 0.8
    assert score.low == pytest.approx(0.4902, abs=1e-4)
    assert score.high == pytest.approx(0.9433, abs=1e-4)
    perfect = accuracy([1, 0], [1, 0])
    assert perfect.value == 1.0 and 0.3 < perfect.low < 0.4 and perfect.high == 1.0


def test_macro_f1_by_hand() -> None:
    """Class 0: TP 2, FP 1, FN 0, so 4/5; class 1: TP 1, FP 2, FN 1, so 2/5; class 2: TP 0, so 0."""
    found = macro_f1([0, 0, 1, 1, 2, 2], [0, 0, 1, 0, 1, 1])
    assert found.value == pytest.approx((4 / 5 + 2 / 5 + 0) / 3)


@pytest.mark.parametrize("seed", range(5))
def test_values_are_those_of_scikit_learn(seed: int) -> None:
    labels, guess = draw(60, seed=seed)
    assert accuracy(labels, guess).value == pytest.approx(accuracy_score(labels, guess))
    assert macro_f1(labels, guess, 20).value == pytest.approx(
        f1_score(labels, guess, average="macro"))


def test_a_class_that_nobody_names_does_not_count() -> None:
    labels, guess = [0, 0, 7, 7], [0, 7, 7, 7]
    assert macro_f1(labels, guess).value == pytest.approx(f1_score(labels, guess, average="macro"))


def test_the_bootstrap_draws_texts_with_their_predictions() -> None:
    """The same percentiles from scikit-learn on resamples drawn here, from another seed."""
    labels, guess = draw(80)
    found = macro_f1(labels, guess, resamples=2000)
    rng = np.random.default_rng(9)
    rows = rng.integers(80, size=(1000, 80))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drawn = [f1_score(labels[r], guess[r], average="macro") for r in rows]
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert found.low == pytest.approx(low, abs=0.015)
    assert found.high == pytest.approx(high, abs=0.015)
    assert found.low < found.value < found.high
    assert macro_f1(labels, guess, 2000) == found and macro_f1(labels, guess, 2000, seed=1) != found


def test_a_class_that_a_resample_lacks_does_not_lower_it() -> None:
    """One text of class 2: a third of the resamples lack it. All right is 1 in each of them."""
    labels = [0, 1] * 10 + [2]
    assert macro_f1(labels, labels) == Score(1.0, 1.0, 1.0)


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_two_classifiers_are_compared_on_the_same_texts(metric: str) -> None:
    """The second fails where the first fails, and on 12 of 300 texts more: their own intervals
    overlap, that of the difference leaves out 0; the other way round it is the negative."""
    labels, first = draw(300)
    second = first.copy()
    right = np.flatnonzero(first == labels)[:12]
    second[right] = (labels[right] + 1) % 5
    difference = compare(labels, first, second, metric)
    assert difference.low > 0
    if metric == "accuracy":
        assert difference.value == pytest.approx(12 / 300)
        assert accuracy(labels, first).low < accuracy(labels, second).high
    else:
        scores = (f1_score(labels, guess, average="macro") for guess in (first, second))
        assert difference.value == pytest.approx(next(scores) - next(scores))
        assert difference.value != pytest.approx(12 / 300)
    other = compare(labels, second, first, metric)
    assert other.value == pytest.approx(-difference.value)
    assert (other.low, other.high) == pytest.approx((-difference.high, -difference.low))
    same = compare(labels, first, first, metric)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_about_95_of_100_intervals_hold_the_truth() -> None:
    """True accuracy 0.7, 60 texts each: between 88 and 100 of 100 Wilson intervals cover it."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(100):
        score = accuracy(np.zeros(60, int), rng.random(60) > 0.7)
        covered += score.low <= 0.7 <= score.high
    assert 88 <= covered <= 100


def test_a_score_is_printed_with_its_interval() -> None:
    assert str(Score(0.70312, 0.66951, 0.73449)) == "0.703 [0.670, 0.734]"


@pytest.mark.parametrize("columns", [([0, 1], [0, 1, 2]), ([0], [0]), ([], []),
                                     ([[0, 1], [1, 0]], [[0, 1], [1, 0]])])
@pytest.mark.parametrize("measure", [accuracy, macro_f1, lambda a, b: compare(a, b, b)])
def test_columns_that_do_not_fit_are_an_error(columns: tuple, measure) -> None:
    with pytest.raises(ValueError, match="labels and predictions must be as many whole numbers"):
        measure(*columns)


def test_another_metric_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"metric must be one of .* not 'f1'"):
        compare([0, 1], [0, 1], [1, 1], "f1")
