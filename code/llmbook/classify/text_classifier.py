"""A classifier of texts behind scikit-learn's interface: word counts, MiniLM frozen, or tuned.

Chapter 8. Not here: several labels for one text, languages other than English for MiniLM.

Shapes: ``N`` texts, ``C`` classes.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from llmbook.classify.calibration import fit_temperature
from llmbook.classify.reading import check_texts, known_share, minilm_vectors, token_ids
from llmbook.models import load_minilm
from llmbook.tokenizers import minilm_tokenizer
from llmbook.training import ClassLabel, Examples, Trainer, TrainingConfig
from llmbook.tuning import Classifier, add_lora

METHODS = ("tf-idf", "minilm", "fine-tuned")
LEAST_KNOWN = 0.2  # share of a text's words; below it there is nothing to judge by


class TextClassifier(ClassifierMixin, BaseEstimator):
    """Texts to labels, with probabilities.

    method         "tf-idf": word counts and logistic regression. "minilm": the same regression on
                   MiniLM's mean vectors, scaled to length 1. "fine-tuned": a head on MiniLM,
                   trained together with low-rank additions to it
    C              how large the weights of the regression may become
    max_tokens     what MiniLM reads of a text; "tf-idf" reads it whole
    steps          updates of 16 texts, of "fine-tuned"
    learning_rate  of "fine-tuned"
    seed           of "fine-tuned": its first weights, dropout, the order of the texts
    abstain_below  the probability below which ``predict`` answers ``no_answer``; None: never
    no_answer      that answer, of the kind of the labels (-1 where they are numbers)

    After ``fit``: ``classes_``, ``temperature_`` (1 until ``calibrate``), ``prior_`` (the share of
    each class in training). A text that is empty, or of whose words less than a fifth stood in
    training, such as one in another script, gets ``prior_`` as its probabilities, with a warning.

    A pickle of "fine-tuned" holds the trained weights alone: MiniLM is on the reader's disk.
    """

    def __init__(
        self,
        method: str = "tf-idf",
        *,
        C: float = 1.0,
        max_tokens: int = 128,
        steps: int = 125,
        learning_rate: float = 3e-3,
        seed: int = 0,
        abstain_below: float | None = None,
        no_answer: Any = "no answer",
    ) -> None:
        self.method = method
        self.C = C
        self.max_tokens = max_tokens
        self.steps = steps
        self.learning_rate = learning_rate
        self.seed = seed
        self.abstain_below = abstain_below
        self.no_answer = no_answer

    def fit(self, texts: Iterable[str], labels: ArrayLike) -> TextClassifier:
        """Learn from N texts and their labels, strings or whole numbers.

        Raises:
            ValueError: for fewer than two classes, an empty text, different numbers of texts and
                labels, a setting that is out of range.
        """
        texts, labels = check_texts(texts), column_or_1d(labels)
        check_consistent_length(texts, labels)
        check_classification_targets(labels)
        empty = [i for i, text in enumerate(texts) if not text.strip()]
        if empty:
            raise ValueError(f"text {empty[0]} is empty and teaches nothing: leave it out")
        self.classes_, targets = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"the training set has one class, {self.classes_[0]!s}: a classifier needs two"
            )
        self._check_settings()
        self.prior_ = np.bincount(targets) / len(targets)
        self.temperature_ = 1.0
        self._network: Classifier | None = None
        if self.method == "tf-idf":
            self.counter_ = TfidfVectorizer(sublinear_tf=True)
            self._fit_linear(self.counter_.fit_transform(texts), targets)
            return self
        rows = token_ids(texts, self.max_tokens)
        special = set(minilm_tokenizer().special_tokens.values())
        self.seen_ = {i for row in rows for i in row} - special
        if self.method == "minilm":
            self._fit_linear(minilm_vectors(rows), targets)
        else:
            self._tune(rows, targets)
        return self

    def calibrate(self, texts: Iterable[str], labels: ArrayLike) -> TextClassifier:
        """Fit one temperature on texts that ``fit`` has not seen; no answer changes by it.

        Raises:
            ValueError: for a label that training has not shown, and as ``fit``.
        """
        check_is_fitted(self, "classes_")
        texts, labels = check_texts(texts), column_or_1d(labels)
        check_consistent_length(texts, labels)
        unknown = self._unknown(labels)
        if len(unknown):
            raise ValueError(f"the label {unknown[0]!s} was not in training: leave its texts out")
        logits, readable = self._logits(texts)
        if not readable.any():
            raise ValueError("no text can be read: there is nothing to calibrate with")
        targets = np.searchsorted(self.classes_, labels)
        self.temperature_ = fit_temperature(logits[readable], targets[readable])
        return self

    def decision_function(self, texts: Iterable[str]) -> np.ndarray:
        """Logits over temperature, (N, C); of two classes (N,), the second's minus the first's."""
        check_is_fitted(self, "classes_")
        scores = self._scores(check_texts(texts))
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, texts: Iterable[str]) -> np.ndarray:
        """Probabilities (N, C), in the order of ``classes_``.

        Warns: how many texts were cut, and how many could not be read.

        Raises:
            ValueError: for no text, or something that is no text.
        """
        check_is_fitted(self, "classes_")
        return softmax(self._scores(check_texts(texts)), axis=1)

    def predict(self, texts: Iterable[str]) -> np.ndarray:
        """The most probable label of each text, or ``no_answer``; otherwise as predict_proba."""
        probabilities = self.predict_proba(texts)
        answers = self.classes_[probabilities.argmax(1)]
        if self.abstain_below is None:
            return answers
        return np.where(probabilities.max(1) < self.abstain_below, self.no_answer, answers)

    def score(
        self, texts: Iterable[str], labels: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Accuracy. No answer counts as wrong, and so does, with a warning, an unknown label."""
        labels = column_or_1d(labels)
        answers = self.predict(texts)
        check_consistent_length(answers, labels)
        unknown = self._unknown(labels)
        if len(unknown):
            warnings.warn(
                f"{np.isin(labels, unknown).sum()} of {len(labels)} texts have a label that was "
                f"not in training ({', '.join(map(str, unknown))}): they count as wrong",
                stacklevel=2,
            )
        return float(np.average(answers == labels, weights=sample_weight))

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_network": None}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        return tags

    def _check_settings(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {METHODS}, not {self.method!r}")
        if self.abstain_below is None:
            return
        if not 0 <= self.abstain_below <= 1:
            raise ValueError(f"abstain_below ({self.abstain_below}) is a probability: 0 to 1")
        if self.no_answer in self.classes_.tolist():
            raise ValueError(f"no_answer ({self.no_answer!r}) is the name of a class")
        if isinstance(self.no_answer, str) != (self.classes_.dtype.kind in "UO"):
            raise ValueError(
                f"no_answer ({self.no_answer!r}) must be of the kind of the labels, such as -1 "
                "where they are numbers"
            )

    def _unknown(self, labels: np.ndarray) -> list[Any]:
        return [label for label in np.unique(labels) if label not in self.classes_]

    def _fit_linear(self, x: Any, targets: np.ndarray) -> None:
        self.linear_ = LogisticRegression(C=self.C, max_iter=2000).fit(x, targets)

    def _tune(self, rows: list[list[int]], targets: np.ndarray) -> None:
        examples = [{"ids": r, "label": int(t)} for r, t in zip(rows, targets, strict=True)]
        config = TrainingConfig(
            steps=self.steps, batch_size=16, learning_rate=self.learning_rate, final_rate=0.05,
            warm_up=self.steps // 10, weight_decay=0.01, betas=(0.9, 0.999), seed=self.seed,
        )  # fmt: skip
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = new_network(len(self.classes_))
            data = Examples(examples, seed=self.seed)
            Trainer(network, ClassLabel(), data, config, quiet=True).fit()
        self.trained_ = {
            name: p.detach().numpy().copy() for name, p in network.named_parameters()
            if p.requires_grad
        }  # fmt: skip
        self._network = network.eval()

    def _tuned(self) -> Classifier:
        """The trained network, put together again if this was unpickled."""
        if self._network is None:
            with torch.random.fork_rng(devices=[]):
                network = new_network(len(self.classes_))
            own = dict(network.named_parameters())
            with torch.no_grad():
                for name, value in self.trained_.items():
                    own[name].copy_(torch.from_numpy(value))
            self._network = network.eval()
        return self._network

    def _logits(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(N, C), and whether each text could be read."""
        if self.method == "tf-idf":
            split = self.counter_.build_analyzer()
            known = self.counter_.vocabulary_
            words = [split(text) for text in texts]
            share = [sum(w in known for w in row) / max(len(row), 1) for row in words]
            logits = self._linear_logits(self.counter_.transform(texts))
            return logits, np.array(share) > LEAST_KNOWN
        rows = token_ids(texts, self.max_tokens)
        readable = np.array([known_share(row, self.seen_) > LEAST_KNOWN for row in rows])
        if self.method == "minilm":
            return self._linear_logits(minilm_vectors(rows)), readable
        return np.log(self._tuned().predict_proba(rows).numpy() + 1e-30), readable

    def _linear_logits(self, x: Any) -> np.ndarray:
        logits = self.linear_.decision_function(x)
        return np.stack([np.zeros_like(logits), logits], axis=1) if logits.ndim == 1 else logits

    def _scores(self, texts: Sequence[str]) -> np.ndarray:
        logits, readable = self._logits(texts)
        if not readable.all():
            warnings.warn(
                f"{(~readable).sum()} of {len(texts)} texts hold nothing that training has shown: "
                "they get the shares of the classes in training",
                stacklevel=3,
            )
        return np.where(readable[:, None], logits / self.temperature_, np.log(self.prior_))


def new_network(num_classes: int) -> Classifier:
    """MiniLM with a new head and an addition of rank 8 to each query and value."""
    network = Classifier(load_minilm(), num_classes)
    add_lora(network.encoder, rank=8, alpha=16)
    return network
