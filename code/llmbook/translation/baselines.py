"""Translating without learning: the nearest known text, and a dictionary; and what is in a text.

Both know the training pairs and nothing else. A pair is a record with ``english`` and ``chinese``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from llmbook.translation.recipes import Pair

PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[-#0+]*\d*(?:\.\d+)?[diouxXeEfgGcrs]|\{\w*\}")
WORD = re.compile(r"[^\W_]+(?:'\w+)?")


def nearest(texts: Sequence[str], train: Sequence[Pair], to: str = "zh") -> list[str]:
    """The translation of the training text that is most alike, by character n-grams."""
    sources = [p.english if to == "zh" else p.chinese for p in train]
    targets = [p.chinese if to == "zh" else p.english for p in train]
    grams = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), dtype=np.float32)
    known = grams.fit_transform(sources).T.tocsr()
    places: list[int] = []
    for start in range(0, len(texts), 200):
        alike = grams.transform(texts[start : start + 200]) @ known
        places += np.asarray(alike.argmax(axis=1)).ravel().tolist()
    return [targets[place] for place in places]


def look_up(texts: Sequence[str], train: Sequence[Pair]) -> list[str]:
    """English to Chinese by a dictionary: the longest run of words that is an entry, then the next.

    The entries are the training pairs; a word that stands in no entry by itself stays English.
    """
    entries = {tuple(words(pair.english)): pair.chinese for pair in reversed(train)}
    longest = max(map(len, entries))
    found = []
    for text in texts:
        rest, parts = words(text), []
        while rest:
            length = next((n for n in range(min(longest, len(rest)), 0, -1)
                           if tuple(rest[:n]) in entries), 0)  # fmt: skip
            parts.append(entries[tuple(rest[:length])] if length else rest[0])
            rest = rest[max(length, 1) :]
        found.append("".join(parts))
    return found


def words(text: str) -> list[str]:
    """The words and numbers of an English text, in small letters."""
    return WORD.findall(text.casefold())


def all_words_seen(texts: Iterable[str], train: Sequence[Pair]) -> list[bool]:
    """Whether each word of a text stands somewhere in the English of the training pairs."""
    known = {word for pair in train for word in words(pair.english)}
    return [known.issuperset(words(text)) for text in texts]


def placeholders(text: str) -> list[str]:
    """The placeholders of a message, such as "%s" and "%(key)s", sorted."""
    return sorted(PLACEHOLDER.findall(text))
