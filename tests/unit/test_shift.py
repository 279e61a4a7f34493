"""Texts from elsewhere: ranks, distances, priors and weights, against hand and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from llmbook.classify.shift import (
    auroc,
    effective_number,
    importance,
    neighbour_distance,
    with_prior,
)


def test_auroc_counts_the_pairs_that_are_won() -> None:
    """Of 3 x 2 pairs, 3 beats 1 and 2 and ties with 3, and 2 beats 1 and ties with 2: 4 of 6."""
    assert auroc([1, 2, 3], [3, 2]) == pytest.approx((2.5 + 1.5) / 6)
    assert auroc([1, 2], [3]) == 1 and auroc([3], [1, 2]) == 0 and auroc([1], [1]) == 0.5
    lot = np.random.default_rng(0)
    low, high = lot.integers(0, 20, 90), lot.integers(5, 25, 40)  # with many ties
    theirs = roc_auc_score(np.repeat([0, 1], [90, 40]), np.concatenate([low, high]))
    assert auroc(low, high) == pytest.approx(theirs)
    with pytest.raises(ValueError, match="0 and 1 scores"):
        auroc([], [1])


def test_the_distance_is_that_of_scikit_learn_and_ignores_length() -> None:
    lot = np.random.default_rng(0)
    known, new = lot.normal(size=(30, 6)), lot.normal(size=(8, 6))
    for k in (1, 5):
        theirs = NearestNeighbors(n_neighbors=k, metric="cosine").fit(known).kneighbors(new)[0]
        assert np.allclose(neighbour_distance(known, new, k), theirs[:, -1])
    assert np.allclose(neighbour_distance(3 * known, 0.1 * new), neighbour_distance(known, new))
    with pytest.raises(ValueError, match=r"k \(31\) must be 1 to 30"):
        neighbour_distance(known, new, 31)


def test_a_new_prior_is_the_rule_of_bayes() -> None:
    """Shares 1/2, 1/2 become 3/4, 1/4: odds of 2 to 3 become 2 x 3 to 3 x 1, so 2/3."""
    logits = np.log([[0.4, 0.6]])
    found = softmax(with_prior(logits, [0.5, 0.5], [0.75, 0.25]), axis=1)
    assert found[0] == pytest.approx([2 / 3, 1 / 3])
    there = with_prior(logits, [0.5, 0.5], [0.75, 0.25])
    assert np.allclose(with_prior(there, [0.75, 0.25], [0.5, 0.5]), logits)
    for shares in ([1.0, 0.0], [0.5, 0.6]):
        with pytest.raises(ValueError, match="shares must be above 0 and sum to 1"):
            with_prior(logits, [0.5, 0.5], shares)


def test_weights_follow_the_ratio_of_the_densities() -> None:
    """Source N(0, 1) and target N(1, 1): the ratio is exp(x - 1/2), so log w has slope 1."""
    lot = np.random.default_rng(0)
    source, target = lot.normal(0, 1, (2000, 1)), lot.normal(1, 1, (2000, 1))
    weights, apart = importance(source, target)
    assert weights.mean() == pytest.approx(1)
    slope, _ = np.polyfit(source[:, 0], np.log(weights), 1)
    assert slope == pytest.approx(1, abs=0.1)
    assert (weights * source[:, 0]).mean() == pytest.approx(1, abs=0.15)  # the target's mean
    assert apart == pytest.approx(0.76, abs=0.02)  # Phi(1 / sqrt 2)
    with_none = importance(source, lot.normal(0, 1, (2000, 1)))
    assert with_none[1] == pytest.approx(0.5, abs=0.05)


def test_a_text_is_judged_by_a_regression_that_has_not_seen_it() -> None:
    """In 200 dimensions of noise a regression knows its own texts; of others it knows nothing."""
    lot = np.random.default_rng(0)
    one, other = lot.normal(size=(60, 200)), lot.normal(size=(60, 200))
    assert importance(one, other)[1] < 0.7


def test_the_effective_number() -> None:
    assert effective_number(np.ones(7)) == pytest.approx(7)
    assert effective_number([5, 0, 0]) == pytest.approx(1)
    assert effective_number([0.25] * 16 + [4] * 4) == pytest.approx(400 / 65)
