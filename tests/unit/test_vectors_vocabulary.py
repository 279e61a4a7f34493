"""Words, counts, and a text as integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbook.vectors import Vocabulary

SENTENCES = [["the", "cat", "sat"], ["the", "dog", "sat", "the"], ["ostrich"]]
texts = st.lists(st.lists(st.sampled_from("abcdefé猫"), max_size=6), max_size=8)


def test_most_frequent_word_comes_first_and_ties_are_alphabetical() -> None:
    """the 3, sat 2, then cat, dog and ostrich once each."""
    vocabulary = Vocabulary.from_sentences(SENTENCES, min_count=1)
    assert vocabulary.words == ("the", "sat", "cat", "dog", "ostrich")
    assert vocabulary.counts.tolist() == [3, 2, 1, 1, 1]
    assert vocabulary.counts.dtype == np.int64


def test_min_count_is_inclusive() -> None:
    assert Vocabulary.from_sentences(SENTENCES, min_count=2).words == ("the", "sat")


def test_encode_drops_unknown_words_and_keeps_sentence_numbers() -> None:
    """Sentence 2 holds "ostrich" alone and vanishes; sentence 3 stays number 3."""
    vocabulary = Vocabulary.from_sentences(SENTENCES, min_count=2)
    text = vocabulary.encode([*SENTENCES, ["sat"]])
    assert text.ids.tolist() == [0, 1, 0, 1, 0, 1]
    assert text.sentence.tolist() == [0, 0, 1, 1, 1, 3]
    assert len(text) == 6


def test_contains_and_length() -> None:
    vocabulary = Vocabulary.from_sentences(SENTENCES, min_count=1)
    assert "cat" in vocabulary and "cow" not in vocabulary and len(vocabulary) == 5


@settings(max_examples=40, deadline=None)
@given(texts)
def test_encoding_loses_nothing_but_unknown_words(sentences: list[list[str]]) -> None:
    """Decoded sentence by sentence, the text is what went in, without empty sentences."""
    try:
        vocabulary = Vocabulary.from_sentences(sentences, min_count=1)
    except ValueError:
        assert len({word for sentence in sentences for word in sentence}) < 2
        return
    text = vocabulary.encode(sentences)
    decoded = [[vocabulary.words[i] for i in text.ids[text.sentence == number]]
               for number in range(len(sentences))]
    assert decoded == sentences
    assert np.bincount(text.ids).tolist() == vocabulary.counts.tolist()


@pytest.mark.parametrize("sentences", [[], [[]], [[], []]])
def test_an_empty_corpus_is_an_error(sentences: list[list[str]]) -> None:
    with pytest.raises(ValueError, match="the corpus is empty: give at least one sentence"):
        Vocabulary.from_sentences(sentences)


@pytest.mark.parametrize(("sentences", "left"), [([["a"] * 9], 1), ([["a", "b"]], 0)])
def test_below_two_words_is_an_error(sentences: list[list[str]], left: int) -> None:
    with pytest.raises(ValueError, match=f"at least two words, this one has {left}: lower min_co"):
        Vocabulary.from_sentences(sentences, min_count=5)


def test_counts_of_another_length_are_an_error() -> None:
    with pytest.raises(ValueError, match="2 words but 3 counts"):
        Vocabulary(("a", "b"), np.array([1, 2, 3]))


def test_a_text_without_a_known_word_is_an_error() -> None:
    vocabulary = Vocabulary.from_sentences(SENTENCES, min_count=1)
    with pytest.raises(ValueError, match="no word of the vocabulary"):
        vocabulary.encode([["zebra"]])
