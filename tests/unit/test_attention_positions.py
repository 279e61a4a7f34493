"""Positions: the paper's formula, angles by hand, what rotation keeps, the edges."""

from __future__ import annotations

from math import cos, sin

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbook.attention import (
    LearnedPositions,
    RelativePositions,
    RotaryPositions,
    sinusoidal_positions,
)


def test_sinusoidal_positions_are_the_formula() -> None:
    """PE(pos, 2i) = sin(pos / 10000^(2i/D)), PE(pos, 2i+1) the cosine; D = 6, 40 positions."""
    expected = [[(sin, cos)[column % 2](place / 10000 ** (column // 2 * 2 / 6))
                 for column in range(6)] for place in range(40)]
    found = sinusoidal_positions(40, 6)
    torch.testing.assert_close(found, torch.tensor(expected), rtol=0, atol=1e-5)
    places = torch.tensor([[3, 0], [39, 3]])
    assert torch.equal(sinusoidal_positions(places, 6), found[places])
    assert found[0].tolist() == [0, 1, 0, 1, 0, 1]


def test_rotary_turns_column_i_with_column_i_plus_half() -> None:
    """K = 4: columns 0 and 2 turn by 1 a position, columns 1 and 3 by 10000^(-1/2) = 0.01."""
    rotary = RotaryPositions(4)
    found = rotary(torch.eye(4)[:, None], torch.tensor([3]))[:, 0]
    c, s, c_slow, s_slow = cos(3), sin(3), cos(0.03), sin(0.03)
    expected = [[c, 0, s, 0], [0, c_slow, 0, s_slow], [-s, 0, c, 0], [0, -s_slow, 0, c_slow]]
    torch.testing.assert_close(found, torch.tensor(expected))
    assert torch.equal(rotary(torch.eye(4)), rotary(torch.eye(4), torch.arange(4)))
    torch.testing.assert_close(RotaryPositions(2, base=7.0)(torch.tensor([[1.0, 0.0]] * 2))[1],
                               torch.tensor([cos(1), sin(1)]))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 1000), st.integers(0, 99))
def test_a_rotated_product_depends_on_the_distance_alone(m, n, shift, seed: int) -> None:
    """(R_m q)·(R_n k) = (R_(m+s) q)·(R_(n+s) k), lengths stay, position 0 changes nothing."""
    torch.manual_seed(seed)
    rotary = RotaryPositions(8)
    query, key = torch.randn(1, 8), torch.randn(1, 8)

    def product(*places: int) -> float:
        turned = [rotary(x, torch.tensor([p])) for x, p in zip((query, key), places, strict=True)]
        return float(turned[0] @ turned[1].T)

    assert product(m, n) == pytest.approx(product(m + shift, n + shift), abs=2e-3)
    turned = rotary(query, torch.tensor([m]))
    torch.testing.assert_close(turned.norm(), query.norm())
    assert torch.equal(rotary(query, torch.tensor([0])), query)


def test_rotary_keeps_the_type_and_is_no_weight() -> None:
    rotary = RotaryPositions(8)
    assert rotary(torch.randn(3, 8, dtype=torch.bfloat16)).dtype == torch.bfloat16
    assert not rotary.state_dict() and not list(rotary.parameters())


def test_learned_positions_end_with_the_context() -> None:
    positions = LearnedPositions(4, 3)
    assert torch.equal(positions(torch.tensor([3, 0])), positions.weight[[3, 0]])
    with pytest.raises(ValueError, match=r"position 4 is past the context: context_length \(4\) "):
        positions(torch.arange(5))


def test_relative_positions_by_hand() -> None:
    """2 heads, distances up to 2: rows 0 to 4 are for keys 2 before the query to 2 after it.

    Query at 3; keys at 0, 1, 2, 3, 5, 9: distances -3, -2, -1, 0, 2, 6 are rows 0, 0, 1, 2, 4, 4.
    """
    relative = RelativePositions(2, max_distance=2)
    relative.load_state_dict({"weight": torch.tensor([[0.0, 50], [10, 60], [20, 70], [30, 80],
                                                      [40, 90]])})  # fmt: skip
    found = relative(torch.tensor([3]), torch.tensor([0, 1, 2, 3, 5, 9]))
    assert found.tolist() == [[[0, 0, 10, 20, 40, 40]], [[50, 50, 60, 70, 90, 90]]]
    rows = relative(torch.tensor([[3, 1], [5, 5]]), torch.tensor([[0, 3, 4], [5, 6, 7]]))
    assert rows.shape == (2, 2, 2, 3)  # B, H, T, S
    assert rows[:, 0].tolist() == [[[0, 20, 30], [10, 40, 40]], [[20, 30, 40], [20, 30, 40]]]
    assert rows[1, 1].tolist() == [[70, 80, 90], [70, 80, 90]]


def test_no_distance_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"max_distance \(0\) must be at least 1"):
        RelativePositions(2, max_distance=0)


def test_an_odd_width_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"d_model \(5\) must be even"):
        sinusoidal_positions(3, 5)
    with pytest.raises(ValueError, match=r"head_width \(5\) must be even"):
        RotaryPositions(5)
