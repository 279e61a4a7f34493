"""Rare words in a summary that its source does not hold (chapter 8).

A crude count: it finds a made-up name, not a made-up fact, and finds a rare verb as well. "Does not
return the mean" is faithful to "returns the mean", as far as this count sees. Maynez et al. (2020)
let people judge.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

WORD = re.compile(r"\w+", re.ASCII)
COMMON = 5  # first lines of the training packages; a word in fewer is rare


def common_words(lines: Iterable[str], least: int = COMMON) -> frozenset[str]:
    """Words, in small letters, that stand in at least so many of the lines."""
    counts = Counter(word for line in lines for word in set(WORD.findall(line.lower())))
    return frozenset(word for word, count in counts.items() if count >= least)


def rare_words(summary: str, common: frozenset[str]) -> list[str]:
    """The rare words of a summary, in small letters; most names are among them.

    A word is rare if it has a digit or an underscore, or is not in ``common``.
    """
    return [
        word
        for word in WORD.findall(summary.lower())
        if word not in common or "_" in word or any(c.isdigit() for c in word)
    ]


def unsupported(summary: str, source: str, common: frozenset[str]) -> list[str]:
    """The rare words of a summary that do not occur in its source.

    A word is supported if the source holds it, with or without an s at its end, or holds it inside
    a longer word, as "csv" stands in "read_csv".
    """
    text = source.lower()
    return [
        word
        for word in rare_words(summary, common)
        if word not in text and word.removesuffix("s") not in text
    ]
