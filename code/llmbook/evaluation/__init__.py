"""How good is an answer, and is it better than another? (chapters 7, 8 and 13)

``scores``          a number with its interval: shares, means, differences; by document, if wanted
``classification``  accuracy, macro-F1, two classifiers on the same texts
``chance``          the best of many, McNemar's test, many intervals at once
``texts``           ROUGE, BLEU and chrF, by rouge-score and sacrebleu

Not here: bits per byte (``llmbook.training``), judges of word vectors (``llmbook.vectors``).
"""

from llmbook.evaluation.chance import (
    ShareCoverage,
    expected_best,
    intervals_of_means,
    mcnemar,
    share_coverage,
)
from llmbook.evaluation.classification import accuracy, compare, macro_f1
from llmbook.evaluation.scores import Score, compare_means, mean_score, share
from llmbook.evaluation.texts import bleu, chrf, chrf_each, rouge

__all__ = [
    "Score",
    "ShareCoverage",
    "accuracy",
    "bleu",
    "chrf",
    "chrf_each",
    "compare",
    "compare_means",
    "expected_best",
    "intervals_of_means",
    "macro_f1",
    "mcnemar",
    "mean_score",
    "rouge",
    "share",
    "share_coverage",
]
