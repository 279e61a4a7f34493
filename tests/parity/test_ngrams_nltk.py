"""Kneser-Ney against nltk's, where the definitions agree.

nltk has one discount for all orders but the first, which has none, so a token never seen has no
probability. Its own padding would count n-grams that end inside the padding; here it is given the
n-grams that end with a token or with the end of a document, of every order.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from nltk.lm import KneserNeyInterpolated

from llmbook.ngrams import KneserNey

VOCAB_SIZE = 9  # token 7 is never seen, 8 is the end
END = 8


def texts() -> list[list[int]]:
    random = np.random.default_rng(0)
    return [(random.zipf(1.6, length) % 7).tolist() for length in random.integers(0, 12, 25)]


def names(ids: Iterable[int]) -> tuple[str, ...]:
    """nltk's vocabulary wants strings."""
    return tuple(map(str, ids))


def their_model(order: int, discount: float) -> KneserNeyInterpolated:
    ngrams = []
    for text in texts():
        padded = names([END] * (order - 1) + [*text, END])
        ngrams.append([padded[i - k + 1 : i + 1]
                       for i in range(order - 1, len(padded)) for k in range(1, order + 1)])
    theirs = KneserNeyInterpolated(order, discount=discount)
    theirs.fit(ngrams, vocabulary_text=names(range(VOCAB_SIZE)))
    return theirs


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("discount", [0.1, 0.75])
def test_kneser_ney_is_nltks(order: int, discount: float) -> None:
    """All tokens after random contexts, seen and unseen, at the start of a document and later."""
    ours = KneserNey(texts(), vocab_size=VOCAB_SIZE, end_id=END, order=order,
                     discounts=(0, *[discount] * (order - 1)))  # fmt: skip
    theirs = their_model(order, discount)
    random = np.random.default_rng(1)
    contexts = [random.integers(0, 8, length).tolist() for length in (0, 1, 1, 2, 2, 3, 4, 5, 6)]
    for context in [*contexts, *(text[:3] for text in texts()[:9])]:
        padded = names([END] * (order - 1) + context)[-(order - 1) :]
        expected = [theirs.score(token, padded) for token in names(range(VOCAB_SIZE))]
        assert ours.probabilities(context) == pytest.approx(expected, abs=1e-12)
