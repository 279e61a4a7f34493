"""The question encoder in numpy against the one in torch; BM25 against its formula."""

from __future__ import annotations

import numpy as np

from llmbook.retrieval import Keywords, QueryEncoder, embed, terms

TEXTS = ["how do I stack arrays along a new axis?", "np.stack", "数组 ?!"]


def test_both_encoders_give_the_same_vector() -> None:
    assert np.allclose(QueryEncoder()(TEXTS), embed(TEXTS), atol=1e-5)


def test_bm25_is_robertson_and_zaragoza() -> None:
    texts = ["join arrays", "split an array", "sort arrays and arrays"]
    docs = [terms(text) for text in texts]
    mean = np.mean([len(doc) for doc in docs])
    expected = np.zeros(3)
    for term in terms("sort arrays"):
        having = sum(term in doc for doc in docs)
        rare = np.log(1 + (3 - having + 0.5) / (having + 0.5))
        for i, doc in enumerate(docs):
            times = doc.count(term)
            expected[i] += rare * times / (times + 1.5 * (0.25 + 0.75 * len(doc) / mean))
    assert np.allclose(Keywords(texts).scores("sort arrays"), expected, atol=1e-5)
