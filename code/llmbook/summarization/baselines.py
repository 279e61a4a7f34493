"""First lines without a network: what a trained writer has to beat (chapter 8).

All but the oracle see what the writer sees: the body, and the name if the writer gets it.
"""

from __future__ import annotations

from collections.abc import Sequence

from rouge_score.rouge_scorer import RougeScorer
from sklearn.feature_extraction.text import TfidfVectorizer

from llmbook.corpora.text import sentences
from llmbook.summarization.pairs import Pair

STOP_WORDS = "the a of"


def first_sentence(pair: Pair) -> str:
    """The first sentence of the body."""
    return sentences(pair.body)[0] if pair.body else ""


def first_words(pair: Pair, count: int = 10) -> str:
    """The first words of the body."""
    return " ".join(pair.body.split()[:count])


def identifier(pair: Pair) -> str:
    """The name, as words."""
    return pair.identifier


def stuffed_identifier(pair: Pair) -> str:
    """The name, and three words that most English sentences contain: it says nothing more."""
    return f"{pair.identifier} {STOP_WORDS}"


def nearest(train: Sequence[Pair], texts: Sequence[Pair]) -> list[str]:
    """For each text, the first line of the training pair whose name and body are most like its.

    TF-IDF of words; the highest cosine, and of equal ones the first.

    Raises:
        ValueError: if there is no training pair.
    """
    if not train:
        raise ValueError("nearest needs training pairs to choose from")
    counter = TfidfVectorizer(sublinear_tf=True)
    known = counter.fit_transform(f"{pair.identifier} {pair.body}" for pair in train)
    asked = counter.transform(f"{pair.identifier} {pair.body}" for pair in texts)
    return [train[i].summary for i in (asked @ known.T).toarray().argmax(1)]


def best_sentence(pair: Pair) -> str:
    """The sentence of the body with the highest ROUGE-1 against the first line.

    It reads the answer: a ceiling for whoever chooses one sentence.
    """
    scorer = RougeScorer(["rouge1"])
    found = sentences(pair.body)
    scores = [scorer.score(pair.summary, text)["rouge1"].fmeasure for text in found]
    return found[scores.index(max(scores))] if found else ""
