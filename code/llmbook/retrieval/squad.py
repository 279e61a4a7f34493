"""Exact match and F1 of short answers, as in SQuAD (Rajpurkar et al. 2016, section 6.1; chapter 8).

Both compare normalized answers: small letters, no punctuation, no articles. The minus sign is
punctuation, so "-1" counts as "1": fine for the prose that SQuAD asks about, less so for code.
No answer is the empty text, which is right only against itself (Rajpurkar et al. 2018).
"""

from __future__ import annotations

import re
import string
from collections import Counter

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalize(answer: str) -> str:
    """Small letters, no punctuation, no articles, single spaces.

    Example: ``normalize("The Array's shape.") == "arrays shape"``
    """
    return " ".join(_ARTICLES.sub(" ", answer.lower().translate(_PUNCTUATION)).split())


def exact_match(prediction: str, truth: str) -> float:
    """1 if both are the same when normalized, else 0."""
    return float(normalize(prediction) == normalize(truth))


def answer_f1(prediction: str, truth: str) -> float:
    """Twice the common words by the words of both; a word counts as often as both have it."""
    said, true = normalize(prediction).split(), normalize(truth).split()
    if not said or not true:
        return float(said == true)
    common = (Counter(said) & Counter(true)).total()
    return 2 * common / (len(said) + len(true))
