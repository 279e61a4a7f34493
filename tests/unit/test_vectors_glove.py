"""GloVe against equations 8 and 9 written as loops; seeds, saving, empty cells, bad input."""

from __future__ import annotations

from dataclasses import replace
from math import log, sqrt
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sparse

from llmbook.vectors import Glove, GloveConfig, Vocabulary
from llmbook.vectors.glove import cell_weight

COUNTS = np.array([[2, 8, 0, 1], [8, 0, 3, 0], [0, 3, 0, 0.5], [1, 0, 0.5, 0]], dtype=np.float32)
VOCABULARY = Vocabulary(tuple("abcd"), np.array([9, 8, 4, 2]))
CONFIG = GloveConfig(dimension=3, epochs=4, x_max=4)


def counts() -> sparse.csr_array:
    return sparse.csr_array(COUNTS)


def set_off(config: GloveConfig = CONFIG) -> Glove:
    """A model with every vector and bias away from zero, so that no term hides."""
    model = Glove(VOCABULARY, config)
    model.table = np.random.default_rng(1).normal(size=model.table.shape).astype(np.float32)
    return model


def weight_by_hand(x: float, config: GloveConfig) -> float:
    """Equation 9: (x / x_max)^α below x_max, 1 from there on."""
    return (x / config.x_max) ** config.power if x < config.x_max else 1.0


def dense(table: np.ndarray, config: GloveConfig) -> tuple[float, np.ndarray]:
    """J of equation 8 over the cells with X > 0, and half its gradient, cell by cell.

    For one cell, J = f e², e = w·c + b + d - log X: dJ/dw = 2 f e c, dJ/dc = 2 f e w and
    dJ/db = dJ/dd = 2 f e. The factor 2 is left to the learning rate, as in GloVe's own program.
    """
    table, loss = table.astype(float), 0.0
    gradient = np.zeros_like(table)
    for i, j in zip(*np.nonzero(COUNTS), strict=True):
        word, context = table[0, i], table[1, j]
        error = sum(word[:-1] * context[:-1]) + word[-1] + context[-1] - log(COUNTS[i, j])
        pull = weight_by_hand(float(COUNTS[i, j]), config) * error
        loss += pull * error
        gradient[0, i] += [*(pull * context[:-1]), pull]
        gradient[1, j] += [*(pull * word[:-1]), pull]
    return loss, gradient


def test_cell_weight_by_hand() -> None:
    """x_max 100, α 3/4: 1 → 10^-1.5 = 0.0316, 16 → 8/10^1.5, 81 → 27/10^1.5, 100 and above → 1."""
    found = cell_weight(np.array([1, 16, 81, 100, 5000], dtype=np.float32), 100, 0.75)
    np.testing.assert_allclose(found, [10**-1.5, 8 / 10**1.5, 27 / 10**1.5, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(cell_weight(np.array([25.0]), 100, 0.5), [0.5], rtol=1e-6)


def test_the_default_settings_are_the_paper_s() -> None:
    """Section 4.2: x_max 100, α 3/4, initial learning rate 0.05."""
    config = GloveConfig()
    assert (config.x_max, config.power, config.learning_rate) == (100, 0.75, 0.05)


def test_loss_and_two_adagrad_steps_are_the_dense_formula() -> None:
    """AdaGrad: S += g², then step = rate · g / √S, S beginning at 1. One batch an epoch.

    Two epochs, so the second step divides by √(1 + g1² + g2²); biases take part like any column.
    """
    model = set_off(replace(CONFIG, epochs=2))
    table, squares = model.table.astype(float), np.ones_like(model.table, dtype=float)
    losses = []
    for _ in range(2):
        loss, gradient = dense(table, model.config)
        losses.append(loss / np.count_nonzero(COUNTS))
        squares += gradient**2
        table -= 0.05 * gradient / np.sqrt(squares)
    model.train(counts())
    np.testing.assert_allclose(model.losses, losses, rtol=1e-5)
    np.testing.assert_allclose(model.table, table, atol=1e-5)
    np.testing.assert_allclose(model.squares, squares, rtol=1e-4)


def test_one_cell_by_hand() -> None:
    """X(a, b) = 1, x_max 1, D 1; w = 2, c = 3, b = d = 0.5: e = 6 + 1 - log 1 = 7, J = 49.

    Word a: g = 7 · 3 = 21, step 0.05 · 21/√442; context b: g = 7 · 2 = 14, step 0.05 · 14/√197;
    each bias: g = 7, step 0.05 · 7/√50. The other rows stay.
    """
    model = Glove(Vocabulary(("a", "b"), np.array([1, 1])),
                  GloveConfig(dimension=1, epochs=1, x_max=1))
    model.table = np.array([[[2, 0.5], [7, 7]], [[7, 7], [3, 0.5]]], dtype=np.float32)
    vectors = model.train(sparse.coo_array(([1.0], ([0], [1])), shape=(2, 2)))
    assert model.losses == [pytest.approx(49)]
    bias = 0.5 - 0.05 * 7 / sqrt(50)
    expected = [[[2 - 0.05 * 21 / sqrt(442), bias], [7, 7]],
                [[7, 7], [3 - 0.05 * 14 / sqrt(197), bias]]]
    np.testing.assert_allclose(model.table, expected, rtol=1e-6)
    np.testing.assert_allclose(vectors.vectors[:, 0],
                               [expected[0][0][0] + 7, 7 + expected[1][1][0]], rtol=1e-6)


def test_the_result_is_the_sum_without_biases() -> None:
    model = set_off()
    np.testing.assert_array_equal(model.vectors.vectors,
                                  model.table[0, :, :3] + model.table[1, :, :3])


def test_the_loss_falls() -> None:
    """4 words in 3 dimensions fit 9 cells almost exactly."""
    model = Glove(VOCABULARY, replace(CONFIG, epochs=300, learning_rate=0.2))
    model.train(counts())
    assert model.losses[-1] < 0.01 * model.losses[0]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[np.ndarray, ...]]:
    """The cells of each batch, in place of a step."""
    seen: list[tuple[np.ndarray, ...]] = []
    monkeypatch.setattr(Glove, "_step", lambda self, *cells: seen.append(cells) or 0.0)
    return seen


def test_an_epoch_holds_each_cell_once(steps) -> None:
    """9 cells in batches of 4: 4, 4 and 1."""
    Glove(VOCABULARY, replace(CONFIG, batch_cells=4, epochs=1)).train(counts())
    assert [len(x) for _, _, x in steps] == [4, 4, 1]
    found = np.zeros_like(COUNTS)
    for i, j, x in steps:
        np.add.at(found, (i, j), x)
    np.testing.assert_array_equal(found, COUNTS)


def test_empty_cells_join_each_batch(steps) -> None:
    """A share of 1.5 adds int(1.5 · 4) = 6 cells to the first batches and int(1.5) = 1 to the last,

    each as if counted 0.25 times, drawn from all 16 cells.
    """
    config = replace(CONFIG, batch_cells=4, empty_cells=1.5, empty_count=0.25, epochs=40)
    Glove(VOCABULARY, config).train(counts())
    assert [len(x) for _, _, x in steps[:3]] == [10, 10, 2]
    drawn = set()
    for (i, j, x), real in zip(steps, [4, 4, 1] * 40, strict=True):
        assert len(i) == len(j) == len(x)
        np.testing.assert_array_equal(x[:real], COUNTS[i[:real], j[:real]])
        assert (x[real:] == 0.25).all()
        drawn |= set(zip(i[real:].tolist(), j[real:].tolist(), strict=True))
    assert {(0, 2), (1, 1), (1, 3), (2, 0), (2, 2), (3, 1), (3, 3)} <= drawn
    assert all(0 <= i < 4 and 0 <= j < 4 for i, j in drawn)


def test_empty_cells_push_pairs_that_never_occur_apart() -> None:
    """Cell (b, d) is empty: with empty cells its prediction falls towards log 0.1."""
    without, with_ = (Glove(VOCABULARY, replace(CONFIG, epochs=200, empty_cells=share))
                      for share in (0.0, 3.0))
    predictions = []
    for model in (without, with_):
        model.train(counts())
        word, context = model.table
        predictions.append(word[1, :-1] @ context[3, :-1] + word[1, -1] + context[3, -1])
    assert predictions[1] < predictions[0] - 0.2


SMALL = replace(CONFIG, batch_cells=4, empty_cells=1.0)


def test_the_same_seed_gives_the_same_vectors_bit_for_bit() -> None:
    first, second = Glove(VOCABULARY, SMALL), Glove(VOCABULARY, SMALL)
    np.testing.assert_array_equal(first.train(counts()).vectors, second.train(counts()).vectors)
    assert first.losses == second.losses


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_each_epoch_depends_on_the_seed(epoch: int, steps) -> None:
    """Another seed, or another epoch, gives the cells in another order."""
    for seed, done in ((0, epoch), (1, epoch), (0, epoch), (0, epoch + 1)):
        model = Glove(VOCABULARY, replace(CONFIG, seed=seed, epochs=done + 1, batch_cells=1))
        model.losses = [0.0] * done
        model.train(counts())
    orders = [[int(i[0]) * 4 + int(j[0]) for i, j, _ in steps[k : k + 9]] for k in (0, 9, 18, 27)]
    assert orders[0] == orders[2] and orders[0] != orders[1] and orders[0] != orders[3]


def test_the_first_vectors_depend_on_the_seed() -> None:
    first, second = (Glove(VOCABULARY, replace(CONFIG, seed=seed)).table for seed in (0, 1))
    assert not np.array_equal(first, second)
    assert np.abs(first).max() <= 0.5 / 3 and not first[:, :, -1].any()


def test_saved_and_resumed_is_never_interrupted(tmp_path: Path) -> None:
    """Two epochs, saved, resumed for the other two: the same bits as four in one go."""
    whole = Glove(VOCABULARY, SMALL)
    whole.train(counts())
    part = Glove(VOCABULARY, SMALL)
    for epoch in range(2):
        part.losses.append(part._epoch(counts().tocoo(), epoch))
    part.save(tmp_path / "state")
    resumed = Glove.resume(tmp_path / "state")
    assert len(resumed.losses) == 2 and resumed.config == SMALL
    resumed.train(counts(), save_to=tmp_path / "state")
    for model in (resumed, Glove.resume(tmp_path / "state")):
        np.testing.assert_array_equal(model.table, whole.table)
        np.testing.assert_array_equal(model.squares, whole.squares)
        assert model.losses == whole.losses


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.7, 0.999])
def test_a_truncated_state_is_an_error(share: float, tmp_path: Path) -> None:
    path = tmp_path / "state"
    Glove(VOCABULARY, CONFIG).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="state is cut short or no saved training run"):
        Glove.resume(path)


@pytest.mark.parametrize(("settings", "message"), [
    ({"dimension": 0}, r"dimension \(0\) must be at least 1"),
    ({"dimension": -1}, r"dimension \(-1\) must be at least 1"),
    ({"epochs": 0}, r"epochs \(0\) must be above 0"),
    ({"batch_cells": 0}, r"batch_cells \(0\) must be above 0"),
    ({"x_max": 0}, r"x_max \(0\) must be above 0"),
    ({"learning_rate": float("nan")}, r"learning_rate \(nan\) must be above 0"),
    ({"empty_count": 0}, r"empty_count \(0\) must be above 0"),
    ({"empty_cells": -1}, r"empty_cells \(-1\) must be at least 0")])
def test_an_impossible_setting_is_an_error(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GloveConfig(**settings)


@pytest.mark.parametrize(("matrix", "message"), [
    (np.ones((3, 3)), r"counts of shape \(3, 3\) do not fit 4 words"),
    (np.ones((4, 3)), r"counts of shape \(4, 3\) do not fit 4 words"),
    (np.zeros((4, 4)), "at least one cell, and no cell at or below zero"),
    (-COUNTS, "at least one cell, and no cell at or below zero")])
def test_counts_that_do_not_fit_are_an_error(matrix: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Glove(VOCABULARY, CONFIG).train(sparse.csr_array(matrix))


def test_a_diverged_training_is_an_error() -> None:
    model = Glove(VOCABULARY, replace(CONFIG, epochs=1))
    model.table[:] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity"):
        model.train(counts())
