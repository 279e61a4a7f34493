"""Trained vectors: look up, search, save; and what bad input says."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbook.vectors import WordVectors, shipped

WORDS = ("man", "woman", "king", "queen", "apple", "naïve", "猫", "don't")


@pytest.fixture
def vectors() -> WordVectors:
    return WordVectors(WORDS, np.random.default_rng(0).normal(size=(8, 4)))


def test_similarity_by_hand() -> None:
    """(3, 4) and (4, 3): cosine (12 + 12) / (5 · 5) = 0.96. A zero vector has cosine 0."""
    vectors = WordVectors("abcd", np.array([[3, 4], [4, 3], [-6, -8], [0, 0]]))
    assert vectors.similarity("a", "b") == pytest.approx(0.96)
    assert vectors.similarity("a", "c") == pytest.approx(-1)
    assert vectors.similarity("a", "d") == 0


def test_neighbours_by_hand() -> None:
    """From a = (1, 0): b at 45 degrees, c at 90, d at 180; length does not matter."""
    vectors = WordVectors("abcd", np.array([[1, 0], [5, 5], [0, 9], [-1, 0]]))
    assert [word for word, _ in vectors.neighbours("a")] == ["b", "c", "d"]
    assert [score for _, score in vectors.neighbours("a")] == pytest.approx([0.5**0.5, 0, -1])
    assert [word for word, _ in vectors.neighbours("a", count=1)] == ["b"]


@pytest.mark.parametrize("method", ["3CosAdd", "3CosMul"])
def test_the_textbook_analogy(method: str) -> None:
    """Axes: royal, male, female. king - man + woman = (1, 0, 1), which is queen exactly.

    "king" is as near as can be to the target when nothing moves it, yet no query word may answer.
    """
    axes = {"man": (0, 1, 0), "woman": (0, 0, 1), "king": (1, 1, 0), "queen": (1, 0, 1),
            "apple": (-1, 0.1, 0.1)}
    vectors = WordVectors(tuple(axes), np.array(list(axes.values())))
    assert vectors.analogy("man", "king", "woman", method=method)[0][0] == "queen"
    everything = [word for word, _ in vectors.analogy("man", "king", "woman", 9, method)]
    assert sorted(everything) == ["apple", "queen"]


def test_3cosadd_score_by_hand() -> None:
    """Score of x = cos(x, b) - cos(x, a) + cos(x, c).

    With x = (1, 1)/√2, a = (-1, 0), b = (1, 0), c = (0, 1): (1 + 1 + 1)/√2 = 3/√2.
    """
    vectors = WordVectors("abcx", np.array([[-1, 0], [1, 0], [0, 1], [1, 1]]))
    assert vectors.analogy("a", "b", "c") == [("x", pytest.approx(3 / 2**0.5))]


def test_3cosmul_score_by_hand() -> None:
    """Cosines moved to 0..1: b and c (1 + 1/√2)/2, a (1 - 1/√2)/2; then b c / (a + 0.001)."""
    vectors = WordVectors("abcx", np.array([[-1, 0], [1, 0], [0, 1], [1, 1]]))
    high, low = (1 + 0.5**0.5) / 2, (1 - 0.5**0.5) / 2
    expected = high * high / (low + 0.001)
    assert vectors.analogy("a", "b", "c", method="3CosMul") == [("x", pytest.approx(expected))]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=3, max_size=3), st.integers(1, 20),
       st.sampled_from(["3CosAdd", "3CosMul"]))
def test_an_analogy_never_answers_with_a_query_word(
    query: list[str], count: int, method: str
) -> None:
    vectors = WordVectors(WORDS, np.random.default_rng(1).normal(size=(8, 3)))
    answers = vectors.analogy(*query, count=count, method=method)
    scores = [score for _, score in answers]
    assert not {word for word, _ in answers} & set(query)
    assert len(answers) == min(count, len(WORDS) - len(set(query)))
    assert scores == sorted(scores, reverse=True) and np.isfinite(scores).all()


def test_lookup(vectors: WordVectors) -> None:
    np.testing.assert_array_equal(vectors["king"], vectors.vectors[2])
    assert "king" in vectors and "cow" not in vectors and len(vectors) == 8
    np.testing.assert_allclose(np.linalg.norm(vectors.unit, axis=1), 1, rtol=1e-6)


def test_an_unknown_word_is_an_error_that_suggests(vectors: WordVectors) -> None:
    for call in (lambda: vectors["womann"], lambda: vectors.similarity("king", "womann"),
                 lambda: vectors.neighbours("Womann"), lambda: vectors.analogy("man", "a", "b")):
        with pytest.raises(KeyError, match="is not among the 8 words"):
            call()
    with pytest.raises(KeyError, match="'womann' is not among the 8 words; did you mean woman"):
        vectors["womann"]


def test_an_unknown_method_is_an_error(vectors: WordVectors) -> None:
    with pytest.raises(ValueError, match="3CosAdd or 3CosMul, not '3CosDiv'"):
        vectors.analogy("man", "king", "woman", method="3CosDiv")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_an_error(value: float) -> None:
    table = np.ones((3, 2))
    table[1, 1] = value
    with pytest.raises(ValueError, match="1 vectors hold NaN or infinity, the first is 'b'"):
        WordVectors("abc", table)


@pytest.mark.parametrize("shape", [(3, 2), (2,), (2, 2, 2)])
def test_words_and_vectors_of_different_number_are_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="2 words do not fit vectors of shape"):
        WordVectors("ab", np.ones(shape))


def test_width_zero_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"dimension \(0\) must be at least 1"):
        WordVectors("ab", np.ones((2, 0)))


def test_saved_and_loaded_is_the_same(vectors: WordVectors, tmp_path: Path) -> None:
    vectors.save(tmp_path / "v.bin")
    loaded = WordVectors.load(tmp_path / "v.bin")
    assert loaded.words == WORDS
    np.testing.assert_array_equal(loaded.vectors, vectors.vectors)
    assert os.listdir(tmp_path) == ["v.bin"]


def test_a_file_cut_anywhere_is_an_error(tmp_path: Path) -> None:
    """Cut after each of its bytes, also inside "猫" (three bytes) and inside a number."""
    path, cut = tmp_path / "v.bin", tmp_path / "cut.bin"
    WordVectors(("naïve", "猫", "b"), np.ones((3, 2))).save(path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="cut short or no word2vec file: save it again"):
            WordVectors.load(cut)


def test_a_file_of_another_kind_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "v.bin").write_bytes(b"not a header\n" + bytes(50))
    with pytest.raises(ValueError, match="no word2vec file"):
        WordVectors.load(tmp_path / "v.bin")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        WordVectors.load(tmp_path / "v.bin")


@pytest.mark.parametrize("stage", ["writing", "replacing"])
def test_an_interrupted_save_leaves_the_old_file_and_nothing_else(
    stage: str, vectors: WordVectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "v.bin"
    path.write_bytes(b"old")

    def half(self, target, binary):
        Path(target).write_bytes(b"half")
        raise KeyboardInterrupt

    def stop(*_):
        raise KeyboardInterrupt

    if stage == "writing":
        from gensim.models import KeyedVectors
        monkeypatch.setattr(KeyedVectors, "save_word2vec_format", half)
    else:
        monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        vectors.save(path)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["v.bin"]


def test_unknown_shipped_vectors_are_an_error() -> None:
    with pytest.raises(KeyError, match="'fasttext' does not ship with the book; there are"):
        shipped("fasttext")
