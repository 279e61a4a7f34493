"""Co-occurrence and PPMI against loops that anyone can read; bad input."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
import scipy.sparse as sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbook.vectors import EncodedText, cooccurrence, ppmi, svd_vectors

WEIGHTS = {
    "inverse": lambda distance, window: 1 / distance,
    "linear": lambda distance, window: 1 - (distance - 1) / window,
    "flat": lambda distance, window: 1,
}
VOCAB = 5


@st.composite
def texts(draw) -> EncodedText:
    """Up to 25 words of 5 kinds in sentences, some of whose numbers are skipped."""
    ids = draw(st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=25))
    jumps = draw(st.lists(st.sampled_from([0, 0, 0, 1, 2]),
                          min_size=len(ids), max_size=len(ids)))
    return EncodedText(np.array(ids), np.cumsum(jumps))


def brute_force(text: EncodedText, window: int, weigh) -> np.ndarray:
    counts = np.zeros((VOCAB, VOCAB))
    for i in range(len(text)):
        for j in range(len(text)):
            near = 0 < abs(i - j) <= window and text.sentence[i] == text.sentence[j]
            counts[text.ids[i], text.ids[j]] += weigh(abs(i - j), window) if near else 0
    return counts


@settings(max_examples=40, deadline=None)
@given(texts(), st.integers(1, 8), st.sampled_from(list(WEIGHTS)))
def test_cooccurrence_is_the_loop_over_pairs(text: EncodedText, window: int, weight: str) -> None:
    counts = cooccurrence(text, VOCAB, window, weight).toarray()
    np.testing.assert_allclose(counts, brute_force(text, window, WEIGHTS[weight]), atol=1e-5)
    np.testing.assert_array_equal(counts, counts.T)


def test_cooccurrence_by_hand() -> None:
    """a b a | b: the pair (a, b) at distance 1 twice, (a, a) at distance 2 once in each direction.

    X(a, b) = 1 + 1, X(a, a) = 1/2 + 1/2; the second sentence has no pair.
    """
    text = EncodedText(np.array([0, 1, 0, 1]), np.array([0, 0, 0, 1]))
    counts = cooccurrence(text, 2, window=2)
    assert counts.toarray().tolist() == [[1, 2], [2, 0]]
    assert counts.dtype == np.float32


@settings(max_examples=40, deadline=None)
@given(texts(), st.integers(1, 6))
def test_linear_weight_is_the_expected_dynamic_window(text: EncodedText, window: int) -> None:
    """Word2Vec draws a reach r from 1..w. The mean count over r = 1..w of pairs within r.

    A pair at distance d lies inside for w + 1 - d of the w reaches: (w + 1 - d)/w.
    """
    reaches = range(1, window + 1)
    expected = sum(brute_force(text, reach, WEIGHTS["flat"]) for reach in reaches) / window
    counts = cooccurrence(text, VOCAB, window, "linear")
    np.testing.assert_allclose(counts.toarray(), expected, atol=1e-5)
    np.testing.assert_allclose(counts.sum(), expected.sum(), rtol=1e-5)


COUNTS = np.array([[0, 6, 2], [6, 0, 1], [2, 1, 0]], dtype=np.float32)


def brute_ppmi(counts: np.ndarray, power: float, shift: float) -> np.ndarray:
    total, context = counts.sum(), counts.sum(axis=0) ** power
    result = np.zeros_like(counts, dtype=float)
    for i, j in zip(*np.nonzero(counts), strict=True):
        joint, word = counts[i, j] / total, counts[i].sum() / total
        value = log(joint / (word * context[j] / context.sum())) - log(shift)
        result[i, j] = max(0.0, value)
    return result


def test_ppmi_by_hand() -> None:
    """Total 18, sums 8, 7, 3: PMI(0, 1) = log (6/18) / (8/18 · 7/18) = log 108/56.

    PMI(2, 0) = log (2·18)/(3·8) = log 1.5; PMI(1, 2) = log (1·18)/(7·3) = log 6/7 < 0, so 0.
    """
    found = ppmi(sparse.csr_array(COUNTS)).toarray()
    expected = [[0, log(108 / 56), log(1.5)], [log(108 / 56), 0, 0], [log(1.5), 0, 0]]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=16, max_size=16).filter(any),
       st.sampled_from([1.0, 0.75, 0.5]), st.sampled_from([1.0, 2.0, 5.0]))
def test_ppmi_is_the_loop_over_cells(cells: list[int], power: float, shift: float) -> None:
    counts = np.array(cells, dtype=np.float32).reshape(4, 4)
    found = ppmi(sparse.csr_array(counts), power, shift)
    np.testing.assert_allclose(found.toarray(), brute_ppmi(counts, power, shift), atol=2e-6)
    assert (found.data > 0).all()  # cells at zero are not stored


def test_smoothing_lowers_rare_contexts_most() -> None:
    """Contexts 2 (sum 3) and 0 (sum 8): P(2) goes up from 3/18, so PMI(0, 2) goes down."""
    plain, smooth = (ppmi(sparse.csr_array(COUNTS), power).toarray() for power in (1.0, 0.75))
    assert smooth[0, 2] < plain[0, 2] and smooth[2, 0] > plain[2, 0]


def test_shift_takes_the_log_of_the_negatives_off() -> None:
    plain, shifted = (ppmi(sparse.csr_array(COUNTS), shift=k).toarray() for k in (1.0, 1.2))
    np.testing.assert_allclose(shifted[shifted > 0], plain[shifted > 0] - log(1.2), rtol=1e-5)


def test_svd_vectors_have_the_shape_and_repeat() -> None:
    matrix = sparse.csr_array(np.random.default_rng(0).random((30, 30)))
    first, second = (svd_vectors(matrix, 4, seed=3) for _ in range(2))
    assert first.shape == (30, 4) and first.dtype == np.float32
    np.testing.assert_array_equal(first, second)


def text_of(*ids: int) -> EncodedText:
    return EncodedText(np.array(ids), np.zeros(len(ids), dtype=int))


@pytest.mark.parametrize("window", [0, -3])
def test_a_window_below_one_is_an_error(window: int) -> None:
    with pytest.raises(ValueError, match=rf"window \({window}\) must be at least 1"):
        cooccurrence(text_of(0, 1), 2, window)


def test_an_unknown_weight_is_an_error() -> None:
    with pytest.raises(ValueError, match="one of inverse, linear, flat, not 'harmonic'"):
        cooccurrence(text_of(0, 1), 2, weight="harmonic")


def test_ppmi_without_a_single_pair_is_an_error() -> None:
    lonely = EncodedText(np.array([0, 1]), np.array([0, 1]))
    with pytest.raises(ValueError, match="no two words ever stand together"):
        ppmi(cooccurrence(lonely, 2))


@pytest.mark.parametrize(("dimension", "message"), [
    (0, r"dimension \(0\) must be at least 1"), (-1, r"dimension \(-1\) must be at least 1"),
    (3, r"dimension \(3\) must be below the vocabulary \(3\)")])
def test_svd_of_an_impossible_dimension_is_an_error(dimension: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        svd_vectors(sparse.csr_array(COUNTS), dimension)
