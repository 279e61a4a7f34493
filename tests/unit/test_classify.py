"""TextClassifier and its calibration: numbers by hand, scikit-learn's tools, bad input."""

from __future__ import annotations

import pickle
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from llmbook.classify import (
    TextClassifier,
    cost_threshold,
    coverage_curve,
    expected_calibration_error,
    fit_temperature,
    losses,
    reading,
    reliability,
    threshold_for,
)
from llmbook.classify.mail import author, own_words, thread
from llmbook.corpora.records import Document
from llmbook.tokenizers import minilm_tokenizer

SKY = ["a rocket to the moon", "the orbit of a probe", "rocket fuel and orbit", "moon and orbit"]
SEA = ["a boat on the sea", "the harbour of a boat", "sea salt and harbour", "salt and sea"]
TEXTS, LABELS = SKY + SEA, np.array(["sky"] * 4 + ["sea"] * 4)
METHODS = ("tf-idf", "minilm", "fine-tuned")


@pytest.fixture(scope="module", params=METHODS)
def fitted(request) -> TextClassifier:
    settings = {"steps": 12} if request.param == "fine-tuned" else {}
    return TextClassifier(request.param, max_tokens=16, **settings).fit(TEXTS, LABELS)


def test_it_learns_and_gives_probabilities_in_the_order_of_classes(fitted: TextClassifier) -> None:
    p = fitted.predict_proba(TEXTS)
    assert fitted.classes_.tolist() == ["sea", "sky"]
    assert p.shape == (8, 2) and np.allclose(p.sum(1), 1)
    assert (fitted.predict(TEXTS) == fitted.classes_[p.argmax(1)]).all()
    assert fitted.score(TEXTS, LABELS) == 1
    assert np.allclose(1 / (1 + np.exp(-fitted.decision_function(TEXTS))), p[:, 1], atol=1e-6)


def test_a_text_does_not_depend_on_its_companions(fitted: TextClassifier) -> None:
    reading.forget()
    alone = np.concatenate([fitted.predict_proba([t]) for t in TEXTS])
    reading.forget()
    assert np.allclose(alone, fitted.predict_proba(TEXTS), atol=1e-5)


def test_a_pickle_answers_the_same_and_is_small(fitted: TextClassifier, tmp_path) -> None:
    joblib.dump(fitted, tmp_path / "model")
    assert np.array_equal(joblib.load(tmp_path / "model").predict_proba(TEXTS),
                          fitted.predict_proba(TEXTS))  # fmt: skip
    assert len(pickle.dumps(fitted)) < 1_000_000  # MiniLM has 90 MB


def test_a_seed_decides_fine_tuning_and_nothing_outside_it() -> None:
    import torch

    models = []
    for outside, seed in ((5, 0), (6, 0), (6, 1)):
        torch.manual_seed(outside)
        model = TextClassifier("fine-tuned", max_tokens=8, steps=2, seed=seed)
        models.append(model.fit(TEXTS, LABELS))
    drawn = torch.rand(1)
    torch.manual_seed(6)
    assert torch.equal(torch.rand(1), drawn)
    one, two, other = models
    assert np.array_equal(one.predict_proba(TEXTS), two.predict_proba(TEXTS))
    assert not np.array_equal(one.predict_proba(TEXTS), other.predict_proba(TEXTS))


@pytest.mark.parametrize("method", ("tf-idf", "minilm"))
def test_tools_of_scikit_learn(method: str) -> None:
    model = TextClassifier(method, C=10.0, max_tokens=16)
    copy = clone(model)
    assert copy is not model and copy.get_params() == model.get_params()
    pipe = make_pipeline(FunctionTransformer(lambda rows: [t.lower() for t in rows]), model)
    assert pipe.fit(TEXTS, LABELS).score([t.upper() for t in TEXTS], LABELS) == 1
    search = GridSearchCV(model, {"C": [0.1, 10.0]}, cv=2).fit(TEXTS, LABELS)
    assert search.best_score_ > 0.5
    p = cross_val_predict(model, TEXTS, LABELS, cv=2, method="predict_proba")
    assert p.shape == (8, 2)
    texts = np.array(TEXTS, dtype=object)
    both = CalibratedClassifierCV(model, method="temperature", cv=2, ensemble=False)
    assert np.allclose(both.fit(texts, LABELS).predict_proba(texts).sum(1), 1)


def test_frozen_texts_are_read_once(monkeypatch) -> None:
    reading.forget()
    model = TextClassifier("minilm", max_tokens=16).fit(TEXTS, LABELS)
    monkeypatch.setattr(reading, "load_minilm", lambda: pytest.fail("read a second time"))
    TextClassifier("minilm", C=3.0, max_tokens=16).fit(TEXTS, LABELS)
    assert model.score(TEXTS, LABELS) == 1


def test_calibrate_changes_no_answer_and_divides_the_logits(fitted: TextClassifier) -> None:
    model = pickle.loads(pickle.dumps(fitted))
    before, answers = model.decision_function(TEXTS), model.predict(TEXTS)
    flipped = LABELS.copy()
    flipped[:2] = "sea"
    model.calibrate(TEXTS, flipped)
    assert abs(model.temperature_ - 1) > 0.01
    assert np.allclose(model.decision_function(TEXTS), before / model.temperature_)
    assert (model.predict(TEXTS) == answers).all()
    first = model.temperature_
    assert model.calibrate(TEXTS, flipped).temperature_ == pytest.approx(first)


def test_three_classes_and_numbers_as_labels() -> None:
    model = TextClassifier().fit([*TEXTS, "bread and butter"], [7] * 4 + [3] * 4 + [5])
    assert model.classes_.tolist() == [3, 5, 7]
    assert model.predict(["rocket moon orbit", "boat sea"]).tolist() == [7, 3]
    assert model.decision_function(TEXTS).shape == (8, 3)


def test_abstaining() -> None:
    never = TextClassifier(abstain_below=0.0).fit(TEXTS, LABELS)
    always = TextClassifier(abstain_below=1.0, no_answer="?").fit(TEXTS, LABELS)
    assert (never.predict(TEXTS) == LABELS).all()
    assert (always.predict(TEXTS) == "?").all()
    assert always.score(TEXTS, LABELS) == 0
    numbers = TextClassifier(abstain_below=1.0, no_answer=-1).fit(TEXTS, [0] * 4 + [1] * 4)
    assert (numbers.predict(TEXTS) == -1).all()


# Bad input: issue 5.


@pytest.mark.parametrize("text", ["", "  \n", "火箭已经进入轨道。", "Ракета вышла на орбиту."])
def test_what_cannot_be_read_gets_the_shares_of_training(fitted: TextClassifier, text) -> None:
    with pytest.warns(UserWarning, match="1 of 2 texts hold nothing that training has shown"):
        p = fitted.predict_proba([text, "a rocket to the moon"])
    assert np.allclose(p[0], [0.5, 0.5], atol=1e-6)
    assert p[1, 1] > 0.5
    assert np.allclose(p[1], fitted.predict_proba(["a rocket to the moon"])[0], atol=1e-5)


def test_shares_of_training_where_they_differ() -> None:
    model = TextClassifier().fit(TEXTS[1:], LABELS[1:])
    with pytest.warns(UserWarning, match="shares"):
        assert np.allclose(model.predict_proba([""]), [[4 / 7, 3 / 7]])


def test_a_hundred_thousand_characters(fitted: TextClassifier) -> None:
    long = "a rocket to the moon " * 4762
    assert len(long) > 100_000
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        answer = fitted.predict([long])
    assert answer == ["sky"]
    messages = [str(w.message) for w in found]
    cut = "1 of 1 texts are longer than max_tokens (16): only their beginning is read"
    assert messages == ([] if fitted.method == "tf-idf" else [cut])


def test_truncation_keeps_the_ends() -> None:
    with pytest.warns(UserWarning, match="1 of 2 texts are longer"):
        short, long = reading.token_ids(["moon", "moon moon moon moon"], 4)
    cls, sep = (minilm_tokenizer().special_tokens[t] for t in ("[CLS]", "[SEP]"))
    assert len(short) == 3 and len(long) == 4
    assert (long[0], long[-1]) == (cls, sep)


def test_one_class() -> None:
    with pytest.raises(ValueError, match="one class, sky: a classifier needs two"):
        TextClassifier().fit(SKY, ["sky"] * 4)


def test_labels_that_training_has_not_shown() -> None:
    model = TextClassifier().fit(TEXTS, LABELS)
    with pytest.warns(UserWarning, match=r"1 of 8 texts .* not in training \(land\)"):
        assert model.score(TEXTS, ["land", *LABELS[1:]]) == 7 / 8
    with pytest.raises(ValueError, match="the label land was not in training"):
        model.calibrate(TEXTS, ["land", *LABELS[1:]])


@pytest.mark.parametrize(("texts", "labels", "message"), [
    ("one text", ["a"], "must be a list of texts"),
    ([], [], "there is no text"),
    (["a b", None], ["x", "y"], "text 1 must be a string, not NoneType"),
    (["a b", " "], ["x", "y"], "text 1 is empty"),
    (["a b", "c d"], ["x"], "inconsistent numbers"),
    (["a b", "c d"], [0.5, 1.5], "continuous"),
])  # fmt: skip
def test_training_sets_that_cannot_be_learned(texts, labels, message) -> None:
    with pytest.raises(ValueError, match=message):
        TextClassifier().fit(texts, labels)


@pytest.mark.parametrize(("settings", "message"), [
    ({"method": "bert"}, "method must be one of"),
    ({"abstain_below": 1.5}, "abstain_below"),
    ({"abstain_below": 0.5, "no_answer": "sky"}, "is the name of a class"),
    ({"abstain_below": 0.5, "no_answer": -1}, "of the kind of the labels"),
    ({"method": "minilm", "max_tokens": 600}, "max_tokens"),
])  # fmt: skip
def test_settings_out_of_range(settings, message) -> None:
    with pytest.raises(ValueError, match=message):
        TextClassifier(**settings).fit(TEXTS, LABELS)


def test_not_fitted() -> None:
    for call in ("predict", "predict_proba", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(TextClassifier(), call)(TEXTS)


# Calibration, by hand.


def test_temperature_of_two_answers() -> None:
    """Logit 2, right in 3 of 4: p = 3/4 needs logit ln 3, so T = 2 / ln 3."""
    logits = np.array([[2.0, 0.0]] * 4)
    assert fit_temperature(logits, [0, 0, 0, 1]) == pytest.approx(2 / np.log(3), rel=1e-4)


def test_all_right_says_nothing() -> None:
    with pytest.warns(UserWarning, match="the temperature stays 1"):
        assert fit_temperature([[2.0, 0.0], [0.0, 1.0]], [0, 1]) == 1


def test_losses() -> None:
    logits = np.log([[0.5, 0.25, 0.25]])
    assert losses(logits, [1]) == pytest.approx([np.log(4)])
    flat = losses(logits, [1], temperature=1e9)
    assert flat == pytest.approx([np.log(3)])
    for labels in ([3], [-1], [0, 1]):
        with pytest.raises(ValueError):
            losses(logits, labels)


def test_reliability_by_hand() -> None:
    number, mean, accuracy = reliability([0.55, 0.6, 0.9, 0.95], [1, 0, 1, 1])
    assert number.tolist() == [2, 1, 1]  # 0.6 and 0.9 are the upper edges of their bins
    assert np.allclose(mean, [0.575, 0.9, 0.95]) and accuracy.tolist() == [0.5, 1, 1]
    ece = expected_calibration_error([0.55, 0.6, 0.9, 0.95], [1, 0, 1, 1])
    assert ece == pytest.approx((2 * 0.075 + 0.1 + 0.05) / 4)
    with pytest.raises(ValueError, match="probability"):
        reliability([1.2], [1])
    with pytest.raises(ValueError, match="one number a text"):
        reliability([0.2], [1, 0])


def test_coverage_and_threshold() -> None:
    confidence, right = [0.6, 0.9, 0.7, 0.8], [0, 1, 1, 0]
    coverage, accuracy = coverage_curve(confidence, right)
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert np.allclose(accuracy, [1, 1 / 2, 2 / 3, 1 / 2])
    assert threshold_for(confidence, right, 0.6) == 0.7  # the most answers that reach it
    assert threshold_for(confidence, right, 0.9) == 0.9
    with pytest.raises(ValueError, match="no threshold"):
        threshold_for([0.5], [0], 0.5)


def test_threshold_from_costs() -> None:
    assert cost_threshold(10, 1) == pytest.approx(10 / 11)
    assert cost_threshold(1, 1) == 0.5
    with pytest.raises(ValueError):
        cost_threshold(0, 1)


# Mail.


def test_mail() -> None:
    post = Document("x/1", "", "x", "From: Ann <ANN@example.org>\nSubject: Re: RE: Moon ")
    assert (author(post), thread(post)) == ("ann@example.org", "moon")
    assert (author(Document("x/2", "")), thread(Document("x/2", ""))) == ("", "")
    text = "Bob writes:\n> old\nmine\nan ann@example.org\n-- \nAnn"
    assert own_words(text) == "mine"


def test_mail_of_the_corpus() -> None:
    from llmbook import corpora

    posts = corpora.newsgroups()
    assert all(author(post) for post in posts)
    assert sum(bool(thread(post)) for post in posts) >= 198
