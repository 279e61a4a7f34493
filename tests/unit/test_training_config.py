"""Settings of a run, each fault in one sentence; the learning rate of each step."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from math import cos, inf, nan, pi

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbook.training import TrainingConfig, learning_rate


@pytest.mark.parametrize(("settings", "message"), [
    ({"steps": 0}, "steps (0) must be a whole number, at least 1"),
    ({"steps": 1.5}, "steps (1.5) must be a whole number, at least 1"),
    ({"batch_size": 0}, "batch_size (0) must be a whole number, at least 1"),
    ({"accumulate": True}, "accumulate (True) must be a whole number, at least 1"),
    ({"warm_up": -1}, "warm_up (-1) must be a whole number, at least 0"),
    ({"warm_up": 10}, "warm_up (10) must be below steps (10)"),
    ({"seed": -1}, "seed (-1) must be a whole number, at least 0"),
    ({"save_every": -5}, "save_every (-5) must be a whole number, at least 0"),
    ({"learning_rate": 0.0}, "learning_rate (0.0) must be above 0 and finite"),
    ({"learning_rate": nan}, "learning_rate (nan) must be above 0 and finite"),
    ({"learning_rate": inf}, "learning_rate (inf) must be above 0 and finite"),
    ({"weight_decay": -0.1}, "weight_decay (-0.1) must be at least 0 and finite"),
    ({"clip": nan}, "clip (nan) must be at least 0 and finite"),
    ({"final_rate": 1.1}, "final_rate (1.1) is a share: from 0 to 1"),
    ({"betas": (0.9, 1.0)}, "betas ((0.9, 1.0)) must be two numbers from 0 to below 1"),
    ({"betas": (0.9,)}, "betas ((0.9,)) must be two numbers from 0 to below 1"),
    ({"precision": "half"}, "precision must be one of ('float32', 'bfloat16'), not 'half'"),
    ({"optimizer": "sgd"}, "optimizer must be one of ('adamw', 'muon'), not 'sgd'"),
    ({"patience": 2}, "patience (2) counts evaluations: set evaluate_every"),
])  # fmt: skip
def test_a_wrong_setting_is_said_in_one_sentence(settings: dict, message: str) -> None:
    with pytest.raises(ValueError) as error:
        TrainingConfig(**{"steps": 10} | settings)
    assert str(error.value) == message


def test_settings_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        TrainingConfig(steps=1).steps = 2  # type: ignore[misc]


def test_the_rate_of_each_step() -> None:
    """Four steps up: 1/4, 2/4, 3/4, 1. Then six down a half cosine, to a tenth: the k-th has
    0.1 + 0.9 (1 + cos(k π / 6)) / 2, so the third of them 0.55 and the last 0.1."""
    config = TrainingConfig(steps=10, warm_up=4, learning_rate=2.0, final_rate=0.1)
    down = [0.1 + 0.9 * (1 + cos(k * pi / 6)) / 2 for k in range(1, 7)]
    expected = [0.25, 0.5, 0.75, 1.0, *down]
    assert expected[6] == pytest.approx(0.55)
    rates = [learning_rate(step, config) for step in range(10)]
    assert rates == pytest.approx([2.0 * share for share in expected], rel=1e-12)
    assert rates[-1] == pytest.approx(0.2, rel=1e-12)
    assert learning_rate(10, config) == learning_rate(99, config) == rates[-1]


def test_without_warm_up_the_first_step_is_nearly_the_highest() -> None:
    config = TrainingConfig(steps=100, learning_rate=1.0, final_rate=0.0)
    assert 0.999 < learning_rate(0, config) < 1
    assert learning_rate(99, config) == pytest.approx(0, abs=1e-15)


@given(st.integers(1, 60), st.integers(0, 59), st.floats(0, 1))
def test_the_rate_rises_then_falls_to_the_floor(steps: int, warm_up: int, floor: float) -> None:
    warm_up = min(warm_up, steps - 1)
    config = TrainingConfig(steps=steps, warm_up=warm_up, learning_rate=1.0, final_rate=floor)
    rates = [learning_rate(step, config) for step in range(steps)]
    up, down = rates[:warm_up], rates[warm_up:]
    assert up == sorted(up) and down == sorted(down, reverse=True)
    assert min(up, default=1) > 0 and max(rates) <= 1 + 1e-12
    assert not up or up[-1] == 1.0
    assert rates[-1] == pytest.approx(floor, abs=1e-12)
