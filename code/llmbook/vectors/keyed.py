"""Trained word vectors: look up, compare, search; apart from how they were trained."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gensim.models import KeyedVectors


def check_dimension(dimension: int) -> None:
    if dimension < 1:
        raise ValueError(f"dimension ({dimension}) must be at least 1")


def check_seed(seed: int) -> None:
    if seed < 0:
        raise ValueError(f"seed ({seed}) must be at least 0")


class WordVectors:
    """``V`` words and their vectors, shape (V, D), float32; words from most to least frequent.

    A word outside the vocabulary raises ``KeyError`` and names close spellings; vectors with NaN or
    infinity raise ``ValueError`` at once, not at the first odd neighbour.
    """

    def __init__(self, words: Sequence[str], vectors: np.ndarray) -> None:
        vectors = np.asarray(vectors, dtype=np.float32)
        if vectors.ndim != 2 or len(words) != len(vectors):
            raise ValueError(f"{len(words)} words do not fit vectors of shape {vectors.shape}")
        check_dimension(vectors.shape[1])
        if len(set(words)) < len(words):
            raise ValueError("a word stands twice: each word has one vector")
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(bad):
            raise ValueError(
                f"{len(bad)} vectors hold NaN or infinity, the first is {words[bad[0]]!r}: "
                "training diverged; lower the learning rate"
            )
        self.words = tuple(words)
        self.vectors = vectors
        self.index = {word: i for i, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self.index

    def __getitem__(self, word: str) -> np.ndarray:
        """The vector of a word, shape (D,)."""
        return self.vectors[self.position(word)]

    def position(self, word: str) -> int:
        """The row of a word.

        Raises:
            KeyError: for an unknown word; the message names words that are spelled nearly so.
        """
        if word not in self.index:
            close = difflib.get_close_matches(word.lower(), self.words, n=3)
            hint = f"; did you mean {', '.join(close)}?" if close else ""
            raise KeyError(f"{word!r} is not among the {len(self)} words{hint}")
        return self.index[word]

    @cached_property
    def unit(self) -> np.ndarray:
        """All vectors at length one, shape (V, D); a zero vector stays zero."""
        length = np.linalg.norm(self.vectors, axis=1, keepdims=True)
        return self.vectors / np.where(length == 0, 1, length)

    def similarity(self, first: str, second: str) -> float:
        """Cosine of the angle between two words, from -1 to 1."""
        return float(self.unit[self.position(first)] @ self.unit[self.position(second)])

    def neighbours(self, word: str, count: int = 10) -> list[tuple[str, float]]:
        """The ``count`` words with the highest cosine to ``word``, without the word itself."""
        here = self.position(word)
        return self._best(self.unit @ self.unit[here], count, exclude=[here])

    def analogy(
        self, a: str, b: str, c: str, count: int = 1, method: str = "3CosAdd"
    ) -> list[tuple[str, float]]:
        """Words that are to ``c`` what ``b`` is to ``a``; the three query words are excluded.

        "3CosAdd" (Mikolov et al. 2013) maximizes cos(x, b) - cos(x, a) + cos(x, c), "3CosMul"
        (Levy & Goldberg 2014) cos(x, b) cos(x, c) / (cos(x, a) + 0.001) with cosines moved to 0..1.
        """
        query = [self.position(word) for word in (a, b, c)]
        score = analogy_scores(self.unit, np.array([query]), method)[0]
        return self._best(score, count, exclude=query)

    def _best(self, score: np.ndarray, count: int, exclude: list[int]) -> list[tuple[str, float]]:
        if count < 1:
            raise ValueError(f"count ({count}) must be at least 1")
        score = score.copy()
        score[exclude] = -np.inf
        order = np.argsort(-score, kind="stable")[: min(count, len(self) - len(set(exclude)))]
        return [(self.words[i], float(score[i])) for i in order]

    def to_gensim(self) -> KeyedVectors:
        """The same vectors as gensim's ``KeyedVectors``."""
        from gensim.models import KeyedVectors

        keyed = KeyedVectors(self.vectors.shape[1])
        keyed.add_vectors(list(self.words), self.vectors)
        return keyed

    def save(self, path: str | Path) -> None:
        """Write gensim's binary word2vec format; an interrupted write leaves the old file."""
        spaced = next((word for word in self.words if word.split() != [word]), None)
        if spaced is not None:
            raise ValueError(f"{spaced!r} holds a space, which the word2vec format cannot store")
        partial = Path(f"{path}.partial")
        try:
            self.to_gensim().save_word2vec_format(partial, binary=True)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | Path) -> WordVectors:
        """Read a file in gensim's binary word2vec format. Nothing in it is executed."""
        from gensim.models import KeyedVectors

        try:
            keyed = KeyedVectors.load_word2vec_format(path, binary=True)
        except (EOFError, ValueError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is cut short or no word2vec file: save it again") from error
        return cls(keyed.index_to_key, keyed.vectors)


def analogy_scores(unit: np.ndarray, queries: np.ndarray, method: str) -> np.ndarray:
    """Score of every word as the answer of every query: unit (V, D), queries (Q, 3) to (Q, V)."""
    cos_a, cos_b, cos_c = (unit[queries[:, k]] @ unit.T for k in range(3))
    if method == "3CosAdd":
        return cos_b - cos_a + cos_c
    if method == "3CosMul":
        cos_a, cos_b, cos_c = ((1 + cosine) / 2 for cosine in (cos_a, cos_b, cos_c))
        return cos_b * cos_c / (cos_a + 0.001)
    raise ValueError(f"method must be 3CosAdd or 3CosMul, not {method!r}")
