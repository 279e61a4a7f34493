"""How near is a text to what a person wrote? ROUGE, BLEU and chrF by their own libraries.

rouge-score for ROUGE (Lin 2004), sacrebleu for BLEU (Papineni et al. 2002) and chrF (Popović 2015).
Chapter 8 derives each of them. They are imported where they are used: rouge-score alone brings
nltk, most of a second for whoever needs an interval only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from llmbook.evaluation.scores import Score

ROUGES = ("rouge1", "rouge2", "rougeL")


def rouge(predictions: Sequence[str], references: Sequence[str]) -> dict[str, np.ndarray]:
    """F1 of each text, from 0 to 1, (N,) each of "rouge1", "rouge2" and "rougeL"; no stemming.

    A word is a run of a-z and 0-9, so a Chinese text has none and scores 0.

    Raises:
        ValueError: if there are not as many references as predictions.
    """
    from rouge_score.rouge_scorer import RougeScorer

    _check(predictions, references)
    scorer = RougeScorer(list(ROUGES))
    found = [scorer.score(r, p) for p, r in zip(predictions, references, strict=True)]
    return {name: np.array([score[name].fmeasure for score in found]) for name in ROUGES}


def bleu(
    predictions: Sequence[str], references: Sequence[str], tokenize: str = "13a",
    resamples: int = 1000,
) -> Score:  # fmt: skip
    """BLEU of all texts together, from 0 to 100, with a percentile bootstrap interval.

    ``tokenize`` is sacrebleu's: "13a" for English, "zh" for Chinese.

    Raises:
        ValueError: if there are not as many references as predictions.
    """
    from sacrebleu.metrics import BLEU

    return _corpus(BLEU(tokenize=tokenize), predictions, references, resamples)


def chrf(predictions: Sequence[str], references: Sequence[str], resamples: int = 1000) -> Score:
    """chrF of all texts together, from 0 to 100, with a percentile bootstrap interval.

    Raises:
        ValueError: if there are not as many references as predictions.
    """
    from sacrebleu.metrics import CHRF

    return _corpus(CHRF(), predictions, references, resamples)


def chrf_each(predictions: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """chrF of each text, (N,), from 0 to 100: what ``compare_means`` can compare.

    Raises:
        ValueError: if there are not as many references as predictions.
    """
    from sacrebleu.metrics import CHRF

    _check(predictions, references)
    metric = CHRF()
    return np.array([metric.sentence_score(p, [r]).score
                     for p, r in zip(predictions, references, strict=True)])  # fmt: skip


def _corpus(
    metric: Any, predictions: Sequence[str], references: Sequence[str], resamples: int
) -> Score:
    """The metric of the corpus, and of ``resamples`` corpora drawn from its texts.

    sacrebleu's own bootstrap (``n_bootstrap``) stops with a TypeError where some resamples score 0,
    so the texts are drawn here; the counts of each text, and their score, are sacrebleu's.
    """
    _check(predictions, references)
    counts = np.array(metric._extract_corpus_statistics(list(predictions), [list(references)]))
    rows = np.random.default_rng(0).integers(len(counts), size=(resamples, len(counts)))
    drawn = [metric._compute_score_from_stats(counts[row].sum(0).tolist()).score for row in rows]
    low, high = np.percentile(drawn, [2.5, 97.5])
    value = metric.corpus_score(list(predictions), [list(references)]).score
    return Score(float(value), float(low), float(high))


def _check(predictions: Sequence[str], references: Sequence[str]) -> None:
    if len(predictions) != len(references) or len(predictions) < 1:
        raise ValueError(f"{len(predictions)} predictions for {len(references)} references")
