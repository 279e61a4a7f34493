"""TextRank against networkx, ROUGE of a toy against rouge-score."""

from __future__ import annotations

import networkx
import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer

from llmbook import corpora
from llmbook.summarization.extractive import overlap_graph, pagerank


@pytest.mark.parametrize("number", range(3))
def test_pagerank_is_that_of_networkx(number: int) -> None:
    article = corpora.wikipedia()[number]
    weights = overlap_graph(article.sentences[:40])
    expected = networkx.pagerank(networkx.from_numpy_array(weights), tol=1e-12, max_iter=500)
    np.testing.assert_allclose(pagerank(weights), list(expected.values()), atol=1e-8)


def test_pagerank_with_a_lonely_sentence_is_that_of_networkx() -> None:
    weights = np.array([[0, 2, 0], [2, 0, 0], [0, 0, 0.0]])
    expected = networkx.pagerank(networkx.from_numpy_array(weights), tol=1e-12, max_iter=500)
    np.testing.assert_allclose(pagerank(weights), list(expected.values()), atol=1e-8)


def test_rouge_by_hand_is_that_of_rouge_score() -> None:
    """"the cat sat" against "the dog sat down": 2 shared of 3 and 4; LCS "the sat", 2."""
    score = RougeScorer(["rouge1", "rougeL"]).score("the dog sat down", "the cat sat")
    for name in ("rouge1", "rougeL"):
        assert score[name].precision == pytest.approx(2 / 3)
        assert score[name].recall == pytest.approx(2 / 4)
        assert score[name].fmeasure == pytest.approx(4 / 7)
