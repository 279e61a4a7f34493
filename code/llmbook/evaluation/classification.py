"""How good is a classifier, and is it better than another? Accuracy, macro-F1, intervals.

Shapes: ``N`` texts; labels and predictions are N whole numbers each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from llmbook.evaluation.scores import Score, Statistic, interval, share


def accuracy(labels: ArrayLike, predictions: ArrayLike) -> Score:
    """Share of right predictions, with Wilson's interval.

    Raises:
        ValueError: if the numbers of labels and predictions differ, or are below 2.
    """
    truth, guess = _arrays(labels, predictions)
    return share(int((truth == guess).sum()), len(truth))


def macro_f1(
    labels: ArrayLike, predictions: ArrayLike, resamples: int = 1000, seed: int = 0
) -> Score:
    """Mean over the classes of F1 = 2 TP / (2 TP + FP + FN), with a bootstrap interval.

    A class counts if a label or a prediction names it, as in scikit-learn; a rare class weighs as
    much as a frequent one.

    Raises:
        ValueError: as ``accuracy``.
    """
    samples = _arrays(labels, predictions)
    return interval(_macro_f1(samples), samples, resamples, seed)


def compare(
    labels: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    metric: str = "accuracy",
    resamples: int = 1000,
    seed: int = 0,
) -> Score:
    """``metric`` of the first classifier minus that of the second, on the same N texts.

    The texts are drawn for both together, so what is hard for both cancels: two intervals that
    overlap may still belong to a sure difference, one whose interval leaves out 0.

    Args:
        metric: "accuracy" or "macro_f1"

    Raises:
        ValueError: for another metric, and as ``accuracy``.
    """
    samples = _arrays(labels, first, second)
    metrics = {"accuracy": _accuracy, "macro_f1": _macro_f1(samples)}
    if metric not in metrics:
        raise ValueError(f"metric must be one of {tuple(metrics)}, not {metric!r}")
    measure = metrics[metric]

    def difference(truth, one, other, axis=-1):
        return measure(truth, one, axis) - measure(truth, other, axis)

    return interval(difference, samples, resamples, seed)


def _accuracy(truth: np.ndarray, guess: np.ndarray, axis: int = -1) -> np.ndarray:
    return (truth == guess).mean(axis=axis)


def _macro_f1(samples: tuple[np.ndarray, ...]) -> Statistic:
    classes = np.unique(np.concatenate(samples))

    def measure(truth: np.ndarray, guess: np.ndarray, axis: int = -1) -> np.ndarray:
        hits = np.stack([((truth == c) & (guess == c)).sum(axis=axis) for c in classes])
        named = np.stack([(truth == c).sum(axis=axis) + (guess == c).sum(axis=axis)
                          for c in classes])  # fmt: skip
        f1 = 2 * hits / np.maximum(named, 1)  # of a class that nobody names 0, and not counted
        return f1.sum(0) / (named > 0).sum(0)

    return measure


def _arrays(*columns: ArrayLike) -> tuple[np.ndarray, ...]:
    arrays = tuple(np.asarray(column) for column in columns)
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1 or arrays[0].ndim != 1 or len(arrays[0]) < 2:
        raise ValueError(
            "labels and predictions must be as many whole numbers, two at least, not of shapes "
            + ", ".join(str(array.shape) for array in arrays)
        )
    return arrays
