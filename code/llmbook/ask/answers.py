"""From a question to pages, the sentence in each that answers, or "no answer" (chapter 8).

Nothing here imports torch: a question is embedded by ``QueryEncoder``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from llmbook.retrieval import Index, Page, terms

LONGEST = 500  # characters of a question that are read
PASSAGES = 3  # of a page that are compared with the question
# A best page less like the question than this is no evidence. Questions with a right page have 0.45
# and more, questions about nothing in the index 0.38 and less: some forty were looked at.
WEAK = 0.40


class Answer(NamedTuple):
    """A page, the sentence in it that is nearest to the question, and how near: a cosine."""

    page: Page
    sentence: str
    score: float


def answer(
    question: str,
    index: Index,
    encode: Callable[[Sequence[str]], np.ndarray],
    top: int = 3,
    weak: float = WEAK,
) -> list[Answer]:
    """The best pages with their sentences, the best page first; none if the evidence is weak.

    Args:
        encode: gives vectors (N, D) of length 1 of N texts; ``QueryEncoder()`` does

    Raises:
        ValueError: for a question without a letter or a digit.
    """
    if not any(character.isalnum() for character in question):
        raise ValueError("the question is empty: write one in words")
    question = question[:LONGEST]
    vector = encode([question])[0]
    hits = index.search(question, vector, top)
    if max(hit.cosine for hit in hits) < weak or not index.keywords.scores(question).any():
        return []
    found = []
    for hit in hits:
        passages = likely(hit.page.passages, question)
        cosines = encode(passages) @ vector
        best = int(cosines.argmax())
        found.append(Answer(hit.page, passages[best], hit.cosine))
    return found


def likely(passages: Sequence[str], question: str) -> list[str]:
    """The first passage, and those that share the most terms with the question."""
    asked = set(terms(question))
    order = sorted(passages[1:], key=lambda passage: -len(asked & set(terms(passage[:300]))))
    return [*passages[:1], *order[: PASSAGES - 1]]
