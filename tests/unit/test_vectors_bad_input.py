"""Input that cannot work is refused with one sentence that says what to do."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sparse

from llmbook.vectors import (
    EncodedText,
    Glove,
    GloveConfig,
    SkipGram,
    SkipGramConfig,
    Vocabulary,
    WordVectors,
    cooccurrence,
    ppmi,
)

SENTENCES = [["a", "b", "c"], ["b", "a", "d"]] * 40
VOCABULARY = Vocabulary.from_sentences(SENTENCES)
TEXT = VOCABULARY.encode(SENTENCES)
CONFIG = SkipGramConfig(dimension=4, epochs=2, subsample=0, batch_tokens=8)


def test_a_run_that_diverges_is_stopped_and_names_the_cure():
    """128 tokens of four words: each batch sums thirty steps on the same vector."""
    config = replace(CONFIG, batch_tokens=128, learning_rate=1.0, epochs=50)
    with pytest.raises(ValueError, match=r"training diverged.*batch_tokens"):
        SkipGram(VOCABULARY, config).train(TEXT)


def test_the_same_text_in_small_batches_does_not_diverge():
    assert SkipGram(VOCABULARY, CONFIG).train(TEXT).vectors.shape == (4, 4)


def test_sentences_of_one_word_have_nothing_to_learn_from():
    text = VOCABULARY.encode([["a"], ["b"]] * 20)
    with pytest.raises(ValueError, match="no two words stand in one window"):
        SkipGram(VOCABULARY, CONFIG).train(text)


@pytest.mark.parametrize("use", [
    lambda text: SkipGram(VOCABULARY, CONFIG).train(text),
    lambda text: cooccurrence(text, len(VOCABULARY)),
])  # fmt: skip
def test_a_text_of_another_vocabulary_is_refused(use):
    with pytest.raises(ValueError, match="beyond the 4"):
        use(EncodedText(np.array([0, 7]), np.array([0, 0])))


def test_a_saved_run_of_the_other_trainer_is_refused(tmp_path):
    path = tmp_path / "run"
    Glove(VOCABULARY, GloveConfig(dimension=4)).save(path)
    with pytest.raises(ValueError, match="GloVe run, not a skip-gram run"):
        SkipGram.resume(path)


@pytest.mark.parametrize("make, message", [
    (lambda: SkipGramConfig(learning_rate=float("nan")), "learning_rate"),
    (lambda: SkipGramConfig(seed=-1), r"seed \(-1\)"),
    (lambda: GloveConfig(empty_cells=float("nan")), "empty_cells"),
    (lambda: WordVectors(["a", "a"], np.eye(2)), "stands twice"),
    (lambda: WordVectors(["a", "b"], np.eye(2)).neighbours("a", 0), r"count \(0\)"),
    (lambda: WordVectors(["a b", "c"], np.eye(2)).save("unused"), "holds a space"),
    (lambda: ppmi(sparse.eye_array(3), shift=0), r"shift \(0\)"),
])  # fmt: skip
def test_one_sentence_says_what_is_wrong(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_vectors_taken_early_do_not_change_later():
    model = SkipGram(VOCABULARY, CONFIG)
    model.train_epoch(TEXT)
    early = model.vectors
    before = early.vectors.copy()
    model.train_epoch(TEXT)
    assert np.array_equal(early.vectors, before)
