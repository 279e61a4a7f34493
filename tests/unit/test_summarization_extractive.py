"""Choosing sentences: budgets, the graph of shared words, the centroid, MMR, the oracle."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from llmbook.summarization import extractive as ex

TEXT = ["Cats chase mice.", "Mice fear cats.", "Rain fell on the town today.", "No."]


def test_a_budget_takes_the_best_first_and_shows_them_in_reading_order() -> None:
    assert ex.within_budget(TEXT, [2, 0, 1], 9) == "Cats chase mice. Rain fell on the town today."
    assert ex.within_budget(TEXT, [2, 0], 4) == "Rain fell on the"
    assert ex.within_budget(TEXT, [3, 3, 1], 3) == "Mice fear No."
    assert ex.within_budget([], [], 5) == ""


@pytest.mark.parametrize(("order", "budget", "message"), [
    ([0], 0, "budget"), ([4], 5, "4 has not"), ([-1], 5, "has not"),
])
def test_an_impossible_budget_or_order_is_refused(
    order: list[int], budget: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ex.within_budget(TEXT, order, budget)


def test_the_graph_weighs_shared_words_by_the_logs_of_the_lengths() -> None:
    """Two shared words of three and three: 2 / (log 3 + log 3)."""
    weights = ex.overlap_graph(TEXT)
    assert weights[0, 1] == weights[1, 0] == pytest.approx(2 / (2 * log(3)))
    assert weights[0, 2] == 0 and (weights[3] == 0).all() and (np.diag(weights) == 0).all()


def test_pagerank_of_a_star_by_hand() -> None:
    """A middle with two ends: m = (1 - d) / 3 + 2 d e, e = (1 - d) / 3 + d m / 2, m + 2 e = 1.

    With d = 0.85: m (1 - d²) = 0.05 + 2 d 0.05, so m = 0.135 / 0.2775.
    """
    rank = ex.pagerank(np.array([[0, 1, 1], [1, 0, 0], [1, 0, 0.0]]))
    assert rank[0] == pytest.approx(0.135 / 0.2775)
    assert rank.sum() == pytest.approx(1)


def test_pagerank_without_edges_is_even() -> None:
    np.testing.assert_allclose(ex.pagerank(np.zeros((4, 4))), 0.25)
    assert ex.pagerank(np.zeros((0, 0))).shape == (0,)


@pytest.mark.parametrize("weights", [np.zeros((2, 3)), np.array([[0, -1], [1, 0.0]])])
def test_pagerank_refuses_what_is_no_graph(weights: np.ndarray) -> None:
    with pytest.raises(ValueError, match="weights"):
        ex.pagerank(weights)


def test_textrank_takes_the_connected_sentences_first() -> None:
    assert set(ex.textrank(TEXT)[:2]) == {0, 1}


def test_the_centroid_prefers_the_majority() -> None:
    vectors = np.array([[0.0, 1], [1, 0], [1, 0.2], [1, -0.1]])
    assert ex.centroid(vectors)[-1] == 0


def test_mmr_with_full_relevance_is_the_centroid_and_with_less_it_does_not_repeat() -> None:
    vectors = np.array([[1, 0.0], [1, 0.01], [1, -0.01], [0.4, 1]])
    assert ex.mmr(vectors, 1.0) == ex.centroid(vectors)
    assert 3 in ex.mmr(vectors, 0.4)[:2]
    assert 3 not in ex.mmr(vectors, 1.0)[:2]


def test_mmr_by_hand() -> None:
    """Three unit vectors; the mean is nearest to b. Then c beats a: it is farther from b."""
    a, b, c = (np.array([np.cos(t), np.sin(t)]) for t in (0.0, 0.3, 0.9))
    order = ex.mmr(np.stack([a, b, c]), 0.5)
    middle = (a + b + c) / np.linalg.norm(a + b + c)
    near = [v @ middle for v in (a, b, c)]
    assert order[0] == int(np.argmax(near)) == 1
    assert (near[2] - c @ b > near[0] - a @ b) == (order[1] == 2)
    assert sorted(order) == [0, 1, 2]


def test_mmr_remembers_all_that_was_taken() -> None:
    """Third comes the vector that is far from both taken ones, not the twin of the first."""
    vectors = np.array([[1.0, 0.1, 0], [1.0, 0.12, 0], [0.2, 1, 0.3], [0.2, 0.3, 1]])
    order = ex.mmr(vectors, 0.3)
    twins = [order.index(0), order.index(1)]
    assert min(twins) == 0 and max(twins) == 3


def test_mmr_refuses_a_relevance_that_is_no_share() -> None:
    with pytest.raises(ValueError, match="relevance"):
        ex.mmr(np.eye(2), 1.5)


def test_empty_texts_have_empty_orders() -> None:
    nothing = np.zeros((0, 3))
    assert ex.centroid(nothing) == ex.mmr(nothing) == ex.textrank([]) == ex.first([]) == []
    assert ex.greedy_oracle([], "a b", 5) == []


def test_the_oracle_finds_the_sentence_that_the_reference_repeats() -> None:
    assert ex.greedy_oracle(TEXT, "On the town fell rain", 5)[0] == 2
    assert ex.greedy_oracle(TEXT, "zebra", 5) == []


def test_the_oracle_counts_a_word_once() -> None:
    """The second sentence repeats what the first has given already, so the third is next."""
    sentences = ["red blue", "red blue", "green grey black white"]
    assert ex.greedy_oracle(sentences, "red blue green", 6)[:2] == [0, 2]


def test_random_order_depends_on_its_seed_alone() -> None:
    assert ex.random_order(TEXT, 3) == ex.random_order(TEXT, 3)
    assert sorted(ex.random_order(TEXT, 3)) == [0, 1, 2, 3]
