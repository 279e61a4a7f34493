"""How good is an answer, and is it better than another? (chapters 7 and 8)

``scores``          a number with its interval: shares, means, differences; by document, if wanted
``classification``  accuracy, macro-F1, two classifiers on the same texts
``texts``           ROUGE, BLEU and chrF, by rouge-score and sacrebleu

Not here: bits per byte (``llmbook.training``), judges of word vectors (``llmbook.vectors``).
"""

from llmbook.evaluation.classification import accuracy, compare, macro_f1
from llmbook.evaluation.scores import Score, compare_means, mean_score, share
from llmbook.evaluation.texts import bleu, chrf, chrf_each, rouge

__all__ = [
    "Score",
    "accuracy",
    "bleu",
    "chrf",
    "chrf_each",
    "compare",
    "compare_means",
    "macro_f1",
    "mean_score",
    "rouge",
    "share",
]
