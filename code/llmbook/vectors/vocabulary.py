"""Words and their counts, and a text as integers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class EncodedText:
    """A text as integers: the form that every trainer of this package reads.

    ids        int64, shape (N,): index of each known word; unknown words are dropped
    sentence   int64, shape (N,): number of the sentence, never decreasing; no window crosses it
    """

    ids: np.ndarray
    sentence: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def check(self, vocab_size: int) -> None:
        """Raise ``ValueError`` for a text that was encoded with a larger vocabulary."""
        if len(self) and self.ids.max() >= vocab_size:
            raise ValueError(f"the text has words beyond the {vocab_size} of this vocabulary")


@dataclass(frozen=True)
class Vocabulary:
    """Words from most to least frequent (ties in alphabetical order), with their counts.

    Example: ``Vocabulary.from_sentences([["a", "b", "a"]], min_count=1).words == ("a", "b")``
    """

    words: tuple[str, ...]
    counts: np.ndarray  # (V,), int64

    def __post_init__(self) -> None:
        if len(self.words) < 2:
            raise ValueError(
                f"a vocabulary needs at least two words, this one has {len(self.words)}: "
                "lower min_count or give more text"
            )
        if len(self.counts) != len(self.words):
            raise ValueError(f"{len(self.words)} words but {len(self.counts)} counts")

    @classmethod
    def from_sentences(cls, sentences: Iterable[list[str]], min_count: int = 5) -> Vocabulary:
        """Count the words of tokenized sentences; keep those seen at least ``min_count`` times.

        Raises ``ValueError`` for an empty corpus and for fewer than two words left.
        """
        tally = Counter(word for sentence in sentences for word in sentence)
        if not tally:
            raise ValueError("the corpus is empty: give at least one sentence with one word")
        kept = [(word, count) for word, count in tally.items() if count >= min_count]
        kept.sort(key=lambda item: (-item[1], item[0]))
        counts = np.array([count for _, count in kept], dtype=np.int64)
        return cls(tuple(word for word, _ in kept), counts)

    @cached_property
    def index(self) -> dict[str, int]:
        """The index of each word."""
        return {word: i for i, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self.index

    def encode(self, sentences: Iterable[list[str]]) -> EncodedText:
        """Replace each known word by its index, drop the others.

        Raises:
            ValueError: if no word of the text is known.
        """
        ids, sentence_of = [], []
        for number, sentence in enumerate(sentences):
            known = [self.index[word] for word in sentence if word in self.index]
            ids += known
            sentence_of += [number] * len(known)
        if not ids:
            raise ValueError("the text has no word of the vocabulary: is it the right text?")
        return EncodedText(np.array(ids, dtype=np.int64), np.array(sentence_of, dtype=np.int64))
