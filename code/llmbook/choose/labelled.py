"""Texts with labels: each candidate judged on texts that it has not learned from (chapter 13).

Five-fold cross-validation in which near-duplicates stay together. A linear classifier on top of
each candidate; how much its weights are held back is chosen inside the training folds.

Not here: fine-tuning (chapter 7), which takes minutes a candidate; several labels for one text.

Shapes: ``N`` texts, ``D`` width, ``C`` classes.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import process_time
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from llmbook.choose.encoders import Encoder, Reading
from llmbook.choose.files import HAN
from llmbook.choose.groups import near_groups
from llmbook.choose.rule import Judged
from llmbook.measure import fastest

FOLDS = 5
TIMED = 32  # texts
SPARSE_C, DENSE_C = (1.0, 10.0, 100.0), (0.001, 0.01, 0.1)
COUNTERS: dict[str, dict[str, Any]] = {
    "words": {"token_pattern": r"(?u)\b\w+\b"},
    "characters": {"analyzer": "char_wb", "ngram_range": (1, 4), "max_features": 20_000},
}


@dataclass
class Task:
    """N texts, their labels as numbers (N,), the names of the labels, near-duplicates (N,)."""

    texts: list[str]
    labels: np.ndarray
    names: list[str]
    groups: np.ndarray
    vectors: dict[str, np.ndarray] = field(default_factory=dict)  # of encoders, kept
    seconds: dict[str, float] = field(default_factory=dict)  # that these took

    @classmethod
    def of(cls, texts: Sequence[str], labels: Sequence[str], groups: bool = True) -> Task:
        """``groups``: keep near-duplicates together; without, each text stands for itself."""
        names, numbers = np.unique(list(labels), return_inverse=True)
        found = near_groups(texts) if groups else np.arange(len(texts))
        return cls(list(texts), numbers, names.tolist(), found)

    @property
    def commonest(self) -> tuple[str, float]:
        """The most frequent label and its share."""
        counts = np.bincount(self.labels)
        return self.names[counts.argmax()], float(counts.max() / counts.sum())

    def features(self, encoder: Encoder) -> np.ndarray:
        """The vectors of all texts, read once."""
        if encoder.name not in self.vectors:
            start = process_time()
            self.vectors[encoder.name] = encoder.vectors(self.texts)
            self.seconds[encoder.name] = process_time() - start
        return self.vectors[encoder.name]

    def folds(self, number: int = FOLDS, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
        """Places to learn from and to answer, for each fold; no group is in both.

        Raises:
            ValueError: if a label has fewer than two groups.
        """
        fewest = min(len(set(self.groups[self.labels == y])) for y in range(len(self.names)))
        if fewest < 2:
            raise ValueError("a label has only one text, near-duplicates apart: nothing can be "
                             "learned and tested")  # fmt: skip
        splitter = StratifiedGroupKFold(min(number, fewest), shuffle=True, random_state=seed)
        return list(splitter.split(self.texts, self.labels, self.groups))


def judge(
    task: Task,
    encoders: Sequence[Encoder],
    balanced: bool = False,
    counters: Sequence[str] = tuple(COUNTERS),
) -> list[Judged]:
    """The baseline first, then words, characters, and each encoder.

    Args:
        balanced: each label weighs as much as any other, however rare, in the training and in the
            scores; otherwise each text does
        counters: "words", "characters"
    """
    weights = np.ones(len(task.texts))
    if balanced:
        counts = np.bincount(task.labels)
        weights = len(task.texts) / (len(counts) * counts[task.labels])
    found = [Judged(f'always "{task.commonest[0]}"', weights * _majority(task))]
    found += [_counted(task, name, weights, balanced) for name in counters]
    return found + [_encoded(task, encoder, weights, balanced) for encoder in encoders]


def _majority(task: Task) -> np.ndarray:
    right = np.zeros(len(task.texts))
    for learn, answer in task.folds():
        right[answer] = task.labels[answer] == np.bincount(task.labels[learn]).argmax()
    return right


def _counted(task: Task, name: str, weights: np.ndarray, balanced: bool) -> Judged:
    right, unknown = np.zeros(len(task.texts)), []
    texts = np.array(task.texts, dtype=object)
    for learn, answer in task.folds():
        counter = _counter(name)
        x = counter.fit_transform(texts[learn])
        model = fit(x, task.labels[learn], task.groups[learn], balanced)
        right[answer] = model.predict(counter.transform(texts[answer])) == task.labels[answer]
        unknown.append(_unknown(counter, texts[answer]))
    start = process_time()
    counter = _counter(name)
    model = fit(counter.fit_transform(texts), task.labels, task.groups, balanced)
    seconds = process_time() - start
    some = task.texts[:TIMED]
    ms = milliseconds(lambda: model.predict(counter.transform(some)), len(some))
    reading = Reading(float(np.mean(unknown)), math.nan, frozen=False)
    return Judged(f"TF-IDF, {name}", weights * right, ms, _stored(counter, model), seconds,
                  "no model", reading)  # fmt: skip


def _encoded(task: Task, encoder: Encoder, weights: np.ndarray, balanced: bool) -> Judged:
    x, right = task.features(encoder), np.zeros(len(task.texts))
    for learn, answer in task.folds():
        model = fit(x[learn], task.labels[learn], task.groups[learn], balanced)
        right[answer] = model.predict(x[answer]) == task.labels[answer]
    start = process_time()
    model = fit(x, task.labels, task.groups, balanced)
    seconds = task.seconds[encoder.name] + process_time() - start
    some = task.texts[:TIMED]
    ms = encoder.ms
    if ms is None:
        ms = milliseconds(lambda: model.predict(encoder.vectors(some)), len(some))
    return Judged(encoder.name, weights * right, ms, encoder.megabytes + _stored(model), seconds,
                  encoder.licence, encoder.reading(task.texts))  # fmt: skip


def fit(x: Any, labels: np.ndarray, groups: np.ndarray, balanced: bool = False) -> Any:
    """A logistic regression on features (N, D), sparse or not, whose C a part of them chooses.

    The part, a third of the groups, is answered by classifiers that learned from the rest; of equal
    ones the smallest C wins. Where there are too few texts for that, the middle C is taken.
    """
    sparse = not isinstance(x, np.ndarray)
    choices = SPARSE_C if sparse else DENSE_C
    score = balanced_accuracy_score if balanced else accuracy_score

    def model(c: float) -> Any:
        weight = "balanced" if balanced else None
        linear = LogisticRegression(C=c, max_iter=300, tol=1e-3, class_weight=weight)
        return linear if sparse else make_pipeline(StandardScaler(), linear)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", ".*least populated class|.*not in y_true")
        c = choices[1]
        if len(set(groups)) >= 6:
            splitter = StratifiedGroupKFold(3, shuffle=True, random_state=0)
            learn, answer = next(iter(splitter.split(labels, labels, groups)))
            if len(set(labels[learn])) > 1 and len(answer):
                fits = [model(c).fit(x[learn], labels[learn]) for c in choices]
                found = [score(labels[answer], m.predict(x[answer])) for m in fits]
                c = choices[int(np.argmax(found))]
        return model(c).fit(x, labels)


def transfer(
    task: Task, others: Sequence[str], encoders: Sequence[Encoder]
) -> dict[str, np.ndarray]:
    """Right answers about other versions of the texts, (N,), by candidate.

    Cross-validation in which the training folds have the texts of the task and the answered fold
    the N ``others``, in the same order: what is lost when something in the texts is gone.
    """
    texts, there = (np.array(list(t), dtype=object) for t in (task.texts, others))
    found = {name: np.zeros(len(texts))
             for name in (*(f"TF-IDF, {name}" for name in COUNTERS), *(e.name for e in encoders))}
    vectors = {e.name: (task.features(e), e.vectors(others)) for e in encoders}
    for learn, answer in task.folds():
        truth = task.labels[answer]
        for name in COUNTERS:
            counter = _counter(name)
            model = fit(counter.fit_transform(texts[learn]), task.labels[learn], task.groups[learn])
            right = model.predict(counter.transform(there[answer])) == truth
            found[f"TF-IDF, {name}"][answer] = right
        for name, (x, y) in vectors.items():
            model = fit(x[learn], task.labels[learn], task.groups[learn])
            found[name][answer] = model.predict(y[answer]) == truth
    return found


def learning_curve(
    task: Task,
    encoders: Sequence[Encoder],
    sizes: Sequence[int] = (30, 100, 300),
    draws: int = 5,
    tested: int = 300,
) -> dict[str, np.ndarray]:
    """Accuracy with few labels, by candidate: (draws, sizes).

    In each draw about half of the groups are for the test, ``tested`` texts at most, and the others
    are learned from; the smaller sets are parts of the larger ones. All candidates get the same.

    Raises:
        ValueError: if half of the texts are fewer than the largest size.
    """
    texts = np.array(task.texts, dtype=object)
    names = [*(f"TF-IDF, {name}" for name in COUNTERS), *(e.name for e in encoders)]
    found = {name: np.zeros((draws, len(sizes))) for name in names}
    for draw in range(draws):
        learn, test = task.folds(2, seed=draw)[0]
        random = np.random.default_rng(draw)
        learn, test = random.permutation(learn), random.permutation(test)[:tested]
        if len(learn) < max(sizes):
            raise ValueError(f"{len(learn)} texts to learn from are fewer than {max(sizes)}")
        for k, size in enumerate(sizes):
            few = learn[:size]
            y, groups = task.labels[few], task.groups[few]
            for name in COUNTERS:
                counter = _counter(name)
                model = fit(counter.fit_transform(texts[few]), y, groups)
                found[f"TF-IDF, {name}"][draw, k] = model.score(
                    counter.transform(texts[test]), task.labels[test])  # fmt: skip
            for encoder in encoders:
                x = task.features(encoder)
                found[encoder.name][draw, k] = fit(x[few], y, groups).score(
                    x[test], task.labels[test])  # fmt: skip
    return found


class Telling(NamedTuple):
    """A word, the label that it gives away, and its share in texts with the label and without."""

    word: str
    label: str
    inside: float
    outside: float

    def __str__(self) -> str:
        return (f'"{self.word}" stands in {self.inside:.2f} of the texts with the label '
                f"{self.label}, in {self.outside:.2f} of the others")  # fmt: skip


def telling(texts: Sequence[str], labels: Sequence[str], top: int = 3) -> list[Telling]:
    """The words that give a label away, the furthest apart first.

    Of each label the word whose share in its texts is furthest above that in all others; the
    ``top`` of these. Of Han text the single characters and pairs.
    """
    han = sum(bool(HAN.search(text)) for text in texts) > len(texts) / 2
    how = {"analyzer": "char", "ngram_range": (1, 2)} if han else COUNTERS["words"]
    counter = CountVectorizer(binary=True, **how)
    table = counter.fit_transform(texts).astype(float)
    words, truth = counter.get_feature_names_out(), np.array(list(labels))
    found = []
    for label in Counter(labels):
        own = truth == label
        inside = np.asarray(table[own].mean(0)).ravel()
        outside = np.asarray(table[~own].mean(0)).ravel()
        best = int((inside - outside).argmax())
        found.append(Telling(words[best], label, inside[best], outside[best]))
    return sorted(found, key=lambda one: one.outside - one.inside)[:top]


def _counter(name: str) -> TfidfVectorizer:
    return TfidfVectorizer(sublinear_tf=True, dtype=np.float32, **COUNTERS[name])


def _unknown(counter: TfidfVectorizer, texts: Sequence[str]) -> float:
    """Share of the characters that stand in words which training has not shown."""
    split, known = counter.build_analyzer(), counter.vocabulary_
    pieces = [piece for text in texts for piece in split(text)]
    missed = sum(len(piece) for piece in pieces if piece not in known)
    return missed / max(sum(map(len, pieces)), 1)


def milliseconds(function: Callable[[], Any], texts: int) -> float:
    """Of the processor, for each of ``texts`` texts that the function works on."""
    return 1000 * fastest({"it": function}, repeats=2)["it"] / texts


def _stored(*models: Any) -> float:
    """Megabytes of the numbers and words that must be kept to have fitted models again."""
    return sum(map(_bytes, models)) / 1e6


def _bytes(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, dict):  # a vocabulary: words and their places
        return sum(len(str(word).encode()) + 4 for word in value)
    if isinstance(value, list | tuple):  # the steps of a pipeline
        return sum(map(_bytes, value))
    if type(value).__module__.startswith("sklearn."):
        return sum(map(_bytes, vars(value).values()))
    return 0
