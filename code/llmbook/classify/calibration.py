"""Are the probabilities of a classifier true? Reliability, temperature, thresholds (chapter 8).

Guo et al. (2017), *On calibration of modern neural networks*, sections 2 and 4.2.

Not here: other calibrators (scikit-learn's ``CalibratedClassifierCV`` has them).

Shapes: ``N`` texts, ``C`` classes, ``M`` bins.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

COLDEST, HOTTEST = 0.01, 100.0


def losses(logits: ArrayLike, labels: ArrayLike, temperature: float = 1.0) -> np.ndarray:
    """-log of the probability of the right class, (N,), in nats.

    Args:
        logits: (N, C)
        labels: (N,), whole numbers from 0 to C - 1
        temperature: what the logits are divided by

    Raises:
        ValueError: for a label outside the classes, or another number of labels than of rows.
    """
    logits, labels = np.asarray(logits, dtype=float), np.asarray(labels)
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not len(labels):
        raise ValueError(f"labels {labels.shape} must be one for each row of logits {logits.shape}")
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(f"a label is outside the classes 0 to {logits.shape[1] - 1}")
    return -log_softmax(logits / temperature, axis=1)[np.arange(len(labels)), labels]


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The temperature at which held-out labels are most probable (Guo et al. 2017, section 4.2).

    The mean loss is convex in 1/T, so there is one minimum. If every text is answered right there
    is none: the loss falls for as long as T does. Then the answer is 1, with a warning.

    Raises:
        ValueError: as ``losses``.
    """
    logits, labels = np.asarray(logits, dtype=float), np.asarray(labels)
    losses(logits, labels)  # checks
    if (logits.argmax(1) == labels).all():
        warnings.warn(
            f"all {len(labels)} held-out texts are answered right, which says nothing about how "
            "sure the answers should be: the temperature stays 1",
            stacklevel=2,
        )
        return 1.0
    found = minimize_scalar(
        lambda log_t: losses(logits, labels, np.exp(log_t)).mean(),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(found.x))


def reliability(
    confidence: ArrayLike, right: ArrayLike, bins: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Texts by how sure the answer was: their number, mean confidence and accuracy, (M',) each.

    Bins have equal width and hold their upper edge, as in Guo et al. (2017), section 2; those that
    are empty are left out, so M' <= M.

    Args:
        confidence: (N,), the probability of each answer
        right: (N,), whether it was the right one

    Raises:
        ValueError: for no text, different numbers, or a confidence outside 0 to 1.
    """
    confidence, right = _check(confidence, right)
    place = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)
    number = np.bincount(place, minlength=bins)
    used = number > 0
    sums = [np.bincount(place, values, minlength=bins)[used] for values in (confidence, right)]
    return number[used], sums[0] / number[used], sums[1] / number[used]


def expected_calibration_error(confidence: ArrayLike, right: ArrayLike, bins: int = 10) -> float:
    """Mean distance of accuracy and confidence over the bins, weighted by their texts.

    Never negative, so never quite 0 on a sample: a true forecaster has some as well.

    Raises:
        ValueError: as ``reliability``.
    """
    number, mean, accuracy = reliability(confidence, right, bins)
    return float((number * np.abs(mean - accuracy)).sum() / number.sum())


def coverage_curve(confidence: ArrayLike, right: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """(coverage, accuracy), (N,) each: of the surest text alone, of the two surest, and so on.

    Raises:
        ValueError: as ``reliability``.
    """
    confidence, right = _check(confidence, right)
    order = np.argsort(-confidence, kind="stable")
    number = np.arange(1, len(order) + 1)
    return number / len(order), right[order].cumsum() / number


def threshold_for(confidence: ArrayLike, right: ArrayLike, accuracy: float) -> float:
    """The confidence from which on the answers reach ``accuracy``, with as many answers as can be.

    Choose it on other texts than those it is judged on.

    Raises:
        ValueError: if no number of answers reaches it, and as ``reliability``.
    """
    confidence, right = _check(confidence, right)
    reached = [t for t in np.unique(confidence) if right[confidence >= t].mean() >= accuracy]
    if not reached:
        raise ValueError(f"no threshold gives an accuracy of {accuracy}")
    return float(reached[0])


def cost_threshold(false_positive: float, miss: float) -> float:
    """The probability above which acting costs less on average than not acting.

    Acting costs (1 - p) · ``false_positive``, not acting p · ``miss``; they are equal at the
    answer (Elkan 2001).

    Raises:
        ValueError: if a cost is not above 0.
    """
    if not (false_positive > 0 and miss > 0):
        raise ValueError(f"costs must be above 0, not {false_positive} and {miss}")
    return false_positive / (false_positive + miss)


def _check(confidence: ArrayLike, right: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    confidence, right = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
    if confidence.ndim != 1 or confidence.shape != right.shape or not len(right):
        raise ValueError(
            f"confidence {confidence.shape} and right {right.shape} must be one number a text"
        )
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise ValueError("a confidence is a probability: from 0 to 1")
    return confidence, right
