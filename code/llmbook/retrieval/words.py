"""Text to search terms: names taken apart, small letters, word stems (chapter 8).

A name of code is made of words that a question uses one by one: ``train_test_split`` and
``RandomForest`` are cut where a programmer joined them, ``np.stack`` at the point. Stems are those
of the Snowball stemmer for English (Porter), so "stacked" meets "stack". Nothing is left out
as too frequent: BM25 gives such words little weight by itself.

Not here: phrases, spelling mistakes, languages other than English.
"""

from __future__ import annotations

import re
from functools import lru_cache

import snowballstemmer

# "HTTPServer2D" -> HTTP, Server, 2, D; an underscore or a point separates anyway.
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_STEMMER = snowballstemmer.stemmer("english")


def name_words(name: str) -> list[str]:
    """The words that a name of code is made of.

    Example: ``name_words("BaseSearchCV.best_score_") == ["base", "search", "cv", "best", "score"]``
    """
    return [part.lower() for part in PART.findall(name)]


def terms(text: str) -> list[str]:
    """The search terms of a text, repeated as they are repeated in it.

    Example: ``terms("np.stack joins arrays") == ["np", "stack", "join", "array"]``
    """
    return [_stem(part.lower()) for part in PART.findall(text)]


@lru_cache(maxsize=2**17)
def _stem(word: str) -> str:
    return _STEMMER.stemWord(word)
