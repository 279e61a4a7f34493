"""TextClassifier and its calibration against scikit-learn and Transformers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline

from llmbook import pretrained
from llmbook.classify import TextClassifier, fit_temperature, losses, reliability
from llmbook.classify.reading import minilm_vectors, token_ids

SKY = ["a rocket to the moon", "the orbit of a probe", "rocket fuel and orbit", "moon and orbit"]
SEA = ["a boat on the sea", "the harbour of a boat", "sea salt and harbour", "salt and sea"]
TEXTS, LABELS = SKY + SEA, np.array(["sky"] * 4 + ["sea"] * 4)


def test_tf_idf_is_the_pipeline() -> None:
    pipe = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=3, max_iter=2000))
    theirs = pipe.fit(TEXTS, LABELS).predict_proba(TEXTS)
    ours = TextClassifier("tf-idf", C=3).fit(TEXTS, LABELS).predict_proba(TEXTS)
    assert np.allclose(ours, theirs, atol=1e-9)


def test_vectors_are_those_of_transformers() -> None:
    model, tokenizer = pretrained.minilm()
    inputs = tokenizer(TEXTS, return_tensors="pt", padding=True)
    with torch.no_grad():
        hidden = model(**inputs).last_hidden_state
    mask = inputs["attention_mask"][..., None]
    theirs = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1))
    assert np.allclose(minilm_vectors(token_ids(TEXTS, 32)), theirs.numpy(), atol=1e-5)


@pytest.fixture
def answers() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    logits = random.normal(size=(500, 4)) * 3
    p = softmax(logits / 2, axis=1)
    return logits, np.array([random.choice(4, p=row) for row in p])


def test_losses_are_log_loss(answers) -> None:
    logits, labels = answers
    theirs = log_loss(labels, softmax(logits / 1.7, axis=1))
    assert losses(logits, labels, 1.7).mean() == pytest.approx(theirs, rel=1e-9)


def test_temperature_is_that_of_scikit_learn(answers) -> None:
    """CalibratedClassifierCV fits 1/T on the logits of a classifier that is left as it is."""
    logits, labels = answers
    identity = LogisticRegression().fit(logits, labels)
    identity.coef_, identity.intercept_ = np.eye(4), np.zeros(4)
    theirs = CalibratedClassifierCV(FrozenEstimator(identity), method="temperature")
    inverse = theirs.fit(logits, labels).calibrated_classifiers_[0].calibrators[0].beta_
    assert fit_temperature(logits, labels) == pytest.approx(1 / inverse, rel=1e-3)


def test_reliability_is_the_calibration_curve() -> None:
    random = np.random.default_rng(0)
    p = random.random(300)
    right = random.random(300) < p
    _, mean, accuracy = reliability(p, right)
    theirs = calibration_curve(right, p, n_bins=10)
    assert np.allclose(accuracy, theirs[0]) and np.allclose(mean, theirs[1])
