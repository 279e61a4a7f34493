"""Text classification: one estimator, three methods, probabilities that are true (chapter 8).

``text_classifier``  ``TextClassifier``, which scikit-learn can clone, search and put in a pipeline
``calibration``      reliability, temperature, coverage, thresholds
``reading``          texts as MiniLM reads them
``mail``             what in a newsgroup post is its author's
``shortcuts``        trainings in which a shortcut is right, and texts that tell (chapter 10)
``shift``            texts from elsewhere: AUROC, distance, other shares, weights (chapter 10)
``exchange``         whether a decision changes with a name (chapter 11)
"""

from llmbook.classify.calibration import (
    cost_threshold,
    coverage_curve,
    expected_calibration_error,
    fit_temperature,
    losses,
    reliability,
    threshold_for,
)
from llmbook.classify.text_classifier import TextClassifier

__all__ = [
    "TextClassifier",
    "cost_threshold",
    "coverage_curve",
    "expected_calibration_error",
    "fit_temperature",
    "losses",
    "reliability",
    "threshold_for",
]
