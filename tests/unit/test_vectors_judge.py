"""Scores, coverage and bootstrap intervals on vectors whose cosines are chosen by the test."""

from __future__ import annotations

from math import asin, pi

import numpy as np
import pytest

from llmbook.corpora import Analogy
from llmbook.corpora import WordPair as Pair
from llmbook.vectors import WordVectors, compare_similarity, judge_analogies, judge_similarity


def model(cosines) -> WordVectors:
    """Words a0, b0, a1, b1, … such that cos(ai, bi) is the i-th number: (1, 0) and (x, √(1-x²))."""
    x = np.asarray(cosines, dtype=float)
    table = np.stack([np.stack([np.ones_like(x), np.zeros_like(x)], 1),
                      np.stack([x, np.sqrt(1 - x * x)], 1)], 1).reshape(-1, 2)
    return WordVectors([f"{side}{i}" for i in range(len(x)) for side in "ab"], table)


def pairs(scores) -> list[Pair]:
    return [Pair(f"a{i}", f"b{i}", float(score)) for i, score in enumerate(scores)]


def correlated(count: int, r: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Human scores and cosines of one draw; their ranks are those of a bivariate normal."""
    x, y = np.random.default_rng(seed).multivariate_normal([0, 0], [[1, r], [r, 1]], count).T
    return x, np.tanh(y)


def test_rho_by_hand() -> None:
    """Ranks 1 2 3 4 against 2 1 3 4: 1 - 6 (1 + 1) / (4 (16 - 1)) = 0.8."""
    score = judge_similarity(model([0.1, 0.0, 0.5, 0.9]), pairs([1, 2, 3, 4]))
    assert score.rho == pytest.approx(0.8)
    assert (score.covered, score.total) == (4, 4)


def test_constant_scores_correlate_with_nothing() -> None:
    assert judge_similarity(model([0.1, 0.2, 0.3]), pairs([5, 5, 5])).rho == 0


def test_coverage_leaves_unknown_pairs_out_and_counts_them() -> None:
    """Words are compared in lower case; one unknown word of a pair is enough to leave it out."""
    judged = [*pairs([1, 2, 3]), Pair("A0", "B1", 9), Pair("a0", "cow", 1), Pair("cow", "ox", 1)]
    score = judge_similarity(model([0.1, 0.2, 0.3]), judged)
    assert (score.covered, score.total) == (4, 6)
    assert str(score).endswith("], 4 of 6")


def test_the_interval_contains_the_estimate_and_repeats() -> None:
    human, cosine = correlated(60, 0.6, seed=1)
    first, second = (judge_similarity(model(cosine), pairs(human), seed=4) for _ in range(2))
    assert first == second
    assert first.low < first.rho < first.high
    assert judge_similarity(model(cosine), pairs(human), seed=5).low != first.low


def test_fewer_pairs_give_a_wider_interval() -> None:
    """The standard error falls with the root of the number: 20 against 320 pairs, 4 times."""
    human, cosine = correlated(320, 0.6, seed=2)
    few, many = (judge_similarity(model(cosine[:n]), pairs(human[:n])) for n in (20, 320))
    assert 2 < (few.high - few.low) / (many.high - many.low) < 8


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """For a bivariate normal with correlation r the true ρ is 6/π asin(r/2).

    Of 100 intervals at 95 %, about 95 hold it; percentile intervals are a little short on 50
    pairs. Fewer than 85 would be beyond 4 standard deviations.
    """
    r = 0.6
    truth = 6 / pi * asin(r / 2)
    hits = 0
    for seed in range(100):
        human, cosine = correlated(50, r, seed)
        score = judge_similarity(model(cosine), pairs(human), resamples=100)
        hits += score.low <= truth <= score.high
    assert 85 <= hits <= 100


def test_a_model_against_itself_differs_by_nothing() -> None:
    """Resampled together, each difference is exactly 0; resampled apart, it would scatter."""
    human, cosine = correlated(40, 0.5, seed=3)
    same = model(cosine)
    assert compare_similarity(same, same, pairs(human)) == (0, 0, 0)


def test_the_better_model_is_ahead_and_the_sign_turns() -> None:
    human, good = correlated(80, 0.9, seed=4)
    _, bad = correlated(80, 0.9, seed=5)
    value, low, high = compare_similarity(model(good), model(bad), pairs(human))
    assert low < value < high and low > 0
    mirrored = compare_similarity(model(bad), model(good), pairs(human))
    assert mirrored == pytest.approx((-value, -high, -low))


def test_a_comparison_uses_only_the_pairs_that_both_cover() -> None:
    """The second model knows the first five pairs, where the first is perfect: ρ 1 against -1."""
    human = np.arange(10.0)
    first = model(np.r_[0.1:0.5:5j, 0.9:0.6:5j])
    second = model(np.linspace(0.9, 0.1, 5))
    assert compare_similarity(first, second, pairs(human))[0] == pytest.approx(2)


def test_pairing_narrows_the_interval() -> None:
    """Two models that err on the same pairs: together they move, so their difference is sure."""
    human, cosine = correlated(60, 0.6, seed=6)
    near = np.tanh(np.arctanh(cosine) + np.random.default_rng(0).normal(0, 0.05, 60))
    _, low, high = compare_similarity(model(cosine), model(near), pairs(human))
    alone = judge_similarity(model(cosine), pairs(human))
    assert high - low < (alone.high - alone.low) / 3


@pytest.mark.parametrize("known", [0, 2])
def test_too_few_covered_pairs_are_an_error(known: int) -> None:
    judged = [*pairs([1, 2])[:known], Pair("cow", "ox", 1)]
    with pytest.raises(ValueError, match=f"{known} of {known + 1} pairs are covered: too few"):
        judge_similarity(model([0.1, 0.2]), judged)


SQUARE = {"man": (0, 1, 0), "king": (1, 1, 0), "woman": (0, 0, 1), "queen": (1, 0, 1),
          "apple": (-1, 0.2, 0.2)}
ROYAL = WordVectors(tuple(SQUARE), np.array(list(SQUARE.values())))


@pytest.mark.parametrize("method", ["3CosAdd", "3CosMul"])
def test_analogies_count_solved_covered_and_total(method: str) -> None:
    """Two questions with "queen" (one in capitals) are solved, "apple" is not, one is unknown.

    Accuracy is 2 of 3 covered, not 2 of 4; the unknown one is in no section.
    """
    score = judge_analogies(ROYAL, [
        Analogy("family", "man", "king", "woman", "queen"),
        Analogy("family", "man", "king", "woman", "apple"),
        Analogy("capitals", "Man", "King", "Woman", "Queen"),
        Analogy("animals", "man", "king", "woman", "lioness")], method)
    assert score.accuracy == pytest.approx(2 / 3)
    assert (score.covered, score.total) == (3, 4)
    assert score.sections == {"family": (1, 2), "capitals": (1, 1)}
    assert score.low <= score.accuracy <= score.high
    assert str(score).startswith("66.7% [") and str(score).endswith("], 3 of 4")


def test_a_query_word_is_never_the_answer() -> None:
    """b is nearest to its own query; without exclusion "king" would beat all others."""
    flat = WordVectors(("a", "b", "c", "d"), np.array([[1, 0.1], [1, 0], [1, 0.1], [0, 1]]))
    questions = [Analogy("s", "a", "b", "c", "d")] * 2
    assert judge_analogies(flat, questions).accuracy == 1


def test_more_analogies_than_one_block() -> None:
    """600 questions, more than the 512 scored at a time; every third is solved."""
    names = ["queen", "apple", "apple"]
    questions = [Analogy("s", "man", "king", "woman", names[i % 3]) for i in range(600)]
    score = judge_analogies(ROYAL, questions, resamples=50)
    assert score.sections == {"s": (200, 600)}


def test_analogies_repeat_with_a_seed() -> None:
    questions = [Analogy("s", "man", "king", "woman", d) for d in ("queen", "apple") * 9]
    assert judge_analogies(ROYAL, questions) == judge_analogies(ROYAL, questions)


def test_no_covered_analogy_is_an_error() -> None:
    with pytest.raises(ValueError, match="of 1 analogies"):
        judge_analogies(ROYAL, [Analogy("s", "cow", "king", "woman", "queen")])


def test_one_covered_analogy_is_an_error_in_our_words() -> None:
    """An interval needs two; scipy's own message would speak of samples along an axis."""
    with pytest.raises(ValueError, match="1 of 2 analogies"):
        judge_analogies(ROYAL, [Analogy("s", "man", "king", "woman", "queen"),
                                Analogy("s", "man", "king", "woman", "cow")])


def test_an_unknown_method_is_an_error() -> None:
    with pytest.raises(ValueError, match="3CosAdd or 3CosMul"):
        judge_analogies(ROYAL, [Analogy("s", "man", "king", "woman", "queen")] * 2, "best")
