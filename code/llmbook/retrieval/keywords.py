"""BM25 by the library bm25s, on terms that know names of code (chapter 8).

Robertson & Zaragoza (2009), section 3.4, in the form of Lucene with bm25s's own k1 = 1.5 and
b = 0.75. The lab derives the formula and compares.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llmbook.retrieval.words import terms


class Keywords:
    """N texts, to be searched by the terms that they share with a question."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        import bm25s

        self.index = bm25s.BM25()
        if texts:
            self.index.index([terms(text) for text in texts], show_progress=False)

    def scores(self, question: str) -> np.ndarray:
        """BM25 of each text, (N,); a term that no text has adds nothing."""
        known = [term for term in terms(question) if term in self.index.vocab_dict]
        if not known:
            return np.zeros(self.index.scores["num_docs"], dtype=np.float32)
        return self.index.get_scores(known)

    def arrays(self) -> dict[str, np.ndarray]:
        """What the index is made of, (number,) each; ``of`` makes it again."""
        vocabulary = "\n".join(sorted(self.index.vocab_dict, key=self.index.vocab_dict.get))
        parts = {name: self.index.scores[name] for name in ("data", "indices", "indptr")}
        return parts | {
            "vocabulary": np.frombuffer(vocabulary.encode(), dtype=np.uint8),
            "texts": np.array([self.index.scores["num_docs"]]),
        }

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray]) -> Keywords:
        """The index that ``arrays`` was taken from, (number,) each."""
        made = cls()
        parts = {name: arrays[name] for name in ("data", "indices", "indptr")}
        made.index.scores = parts | {"num_docs": int(arrays["texts"][0])}
        made.index.nonoccurrence_array = None  # a part of other formulas than Lucene's
        names = arrays["vocabulary"].tobytes().decode().split("\n")
        made.index.vocab_dict = {name: number for number, name in enumerate(names)}
        made.index.unique_token_ids_set = set(made.index.vocab_dict.values())
        return made
