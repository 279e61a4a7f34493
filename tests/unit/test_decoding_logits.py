"""What is done to logits, on numbers that can be checked by hand; order; bad settings."""

from __future__ import annotations

from math import inf, log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from llmbook.decoding import (
    Sampling,
    apply_temperature,
    keep_top_k,
    keep_top_p,
    penalize_repetition,
    seen_tokens,
)

# Token 2 has half of the probability, token 0 a quarter, tokens 1 and 3 an eighth each.
PROBABILITIES = torch.tensor([0.25, 0.125, 0.5, 0.125])
LOGITS = PROBABILITIES.log()


def kept(logits: Tensor) -> list[int]:
    return [place for place, logit in enumerate(logits.tolist()) if logit > -inf]


def test_temperature_is_a_power_of_the_probabilities() -> None:
    """At 1/2 they are squared: 1/16, 1/64, 1/4, 1/64 of 22/64, that is 4, 1, 16, 1 of 22."""
    found = apply_temperature(LOGITS, 0.5).softmax(-1)
    torch.testing.assert_close(found, torch.tensor([4.0, 1.0, 16.0, 1.0]) / 22)
    flat = apply_temperature(LOGITS, 1e6).softmax(-1)
    torch.testing.assert_close(flat, torch.full((4,), 0.25), rtol=1e-4, atol=0)


@pytest.mark.parametrize(("k", "expected"), [
    (1, [2]), (2, [0, 2]), (3, [0, 1, 2, 3]), (4, [0, 1, 2, 3]), (99, [0, 1, 2, 3])])
def test_top_k_keeps_k_and_ties_with_the_last(k: int, expected: list[int]) -> None:
    found = keep_top_k(LOGITS, k)
    assert kept(found) == expected
    assert torch.equal(found[expected], LOGITS[expected])


@pytest.mark.parametrize(("p", "expected"), [
    (0.01, [2]), (0.49, [2]), (0.51, [0, 2]), (0.74, [0, 2]), (1.0, [0, 1, 2, 3])])
def test_top_p_keeps_the_token_that_crosses_p(p: float, expected: list[int]) -> None:
    """Half is less than 0.51, so the quarter stays too; 0.5 + 0.25 reach 0.74."""
    assert kept(keep_top_p(LOGITS, p)) == expected


def test_top_p_keeps_one_token_even_of_a_sure_model() -> None:
    assert kept(keep_top_p(torch.tensor([0.0, 50.0, 0.0]), 1e-9)) == [1]


def test_top_p_keeps_two_of_three_that_are_needed() -> None:
    """0.4, 0.35, 0.25: for p = 0.7 the first two (0.75), for 0.8 all three."""
    logits = torch.tensor([0.25, 0.4, 0.35]).log()
    assert kept(keep_top_p(logits, 0.7)) == [1, 2]
    assert kept(keep_top_p(logits, 0.8)) == [0, 1, 2]


def test_functions_take_any_leading_dimensions() -> None:
    logits = torch.randn(2, 3, 7)
    rows = logits.reshape(6, 7)
    for change in (lambda x: apply_temperature(x, 0.7), lambda x: keep_top_k(x, 3),
                   lambda x: keep_top_p(x, 0.6)):
        assert torch.equal(change(logits).reshape(6, 7), torch.stack([change(r) for r in rows]))


def test_repetition_penalty_lowers_what_was_seen_and_nothing_else() -> None:
    """2 becomes 2/1.25 = 1.6, and -2 becomes -2 · 1.25 = -2.5: both go down."""
    logits = torch.tensor([[2.0, -2.0, 2.0, -2.0]])
    seen = torch.tensor([[True, True, False, False]])
    found = penalize_repetition(logits, seen, 1.25)
    torch.testing.assert_close(found, torch.tensor([[1.6, -2.5, 2.0, -2.0]]))
    assert logits.tolist() == [[2.0, -2.0, 2.0, -2.0]]


def test_padding_is_not_seen() -> None:
    ids, mask = torch.tensor([[0, 0, 3], [1, 2, 1]]), torch.tensor([[0, 0, 1], [1, 1, 1]])
    assert seen_tokens(ids, 5, mask).long().tolist() == [[0, 0, 0, 1, 0], [0, 1, 1, 0, 0]]
    assert seen_tokens(ids, 5).long().tolist() == [[1, 0, 0, 1, 0], [0, 1, 1, 0, 0]]


def test_temperature_comes_before_top_p_and_top_k_before_both_end() -> None:
    """At temperature 1/2 the halves are 16/22 = 0.727: p = 0.7 keeps one token, not two."""
    assert kept(Sampling(temperature=0.5, top_p=0.7).filter(LOGITS)) == [2]
    assert kept(keep_top_p(LOGITS, 0.7)) == [0, 2]
    # Of the two best, 2/3 and 1/3, p = 0.6 keeps one; of all four it would keep two.
    assert kept(Sampling(top_k=2, top_p=0.6).filter(LOGITS)) == [2]
    assert kept(keep_top_p(LOGITS, 0.6)) == [0, 2]


def test_sampling_without_settings_changes_nothing() -> None:
    assert torch.equal(Sampling().filter(LOGITS), LOGITS)


def test_draws_have_the_probabilities_of_the_filtered_logits() -> None:
    """20,000 draws: a share of 1/22 is off by 0.0015 (one standard deviation), of 16/22 by 0.003.

    With top_k = 2 the shares are 4/20 and 16/20, and the dropped tokens are never drawn.
    """
    generator = torch.Generator().manual_seed(0)
    rows = LOGITS.expand(20_000, 4)
    for top_k, expected in ((None, torch.tensor([4.0, 1, 16, 1]) / 22),
                            (2, torch.tensor([0.2, 0, 0.8, 0]))):
        sampling = Sampling(temperature=0.5, top_k=top_k)
        drawn = torch.bincount(sampling.draw(rows, generator), minlength=4) / 20_000
        torch.testing.assert_close(drawn, expected, rtol=0, atol=0.012)
        assert (drawn[expected == 0] == 0).all()


def test_the_generator_decides_and_the_global_one_does_not() -> None:
    rows, draws = torch.zeros(50, 9), []
    for seed, around in ((3, 0), (3, 1), (4, 0)):
        torch.manual_seed(around)
        draws.append(Sampling().draw(rows, torch.Generator().manual_seed(seed)).tolist())
    assert draws[0] == draws[1] != draws[2]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), p=st.floats(0.001, 1.0), k=st.integers(1, 12))
def test_what_stays_is_the_top_and_is_enough(seed: int, p: float, k: int) -> None:
    """Top-k: k tokens, none below a dropped one. Top-p: at least p, and not without its least."""
    logits = torch.randn(12, generator=torch.Generator().manual_seed(seed))
    probabilities = logits.double().softmax(-1)
    for found in (keep_top_k(logits, k), keep_top_p(logits, p)):
        stays = found > -inf
        assert stays.any() and torch.equal(found[stays], logits[stays])
        if not stays.all():
            assert logits[stays].min() > logits[~stays].max()
    assert len(kept(keep_top_k(logits, k))) == k
    nucleus = probabilities[keep_top_p(logits, p) > -inf]
    assert nucleus.sum() >= p - 1e-6
    assert nucleus.sum() - nucleus.min() < p + 1e-6 or len(nucleus) == 1


@pytest.mark.parametrize(("wrong", "message"), [
    ({"temperature": 0.0}, r"temperature \(0.0\) must be above 0; for the most probable token"),
    ({"temperature": -1.0}, r"temperature \(-1.0\) must be above 0"),
    ({"temperature": inf}, r"temperature \(inf\) must be above 0"),
    ({"top_k": 0}, r"top_k \(0\) must be a whole number, at least 1"),
    ({"top_k": 2.5}, r"top_k \(2.5\) must be a whole number, at least 1"),
    ({"top_p": 0.0}, r"top_p \(0.0\) must be above 0 and at most 1"),
    ({"top_p": 1.01}, r"top_p \(1.01\) must be above 0 and at most 1"),
    ({"top_p": float("nan")}, r"top_p \(nan\) must be above 0 and at most 1")])
def test_an_impossible_setting_is_an_error(wrong: dict, message: str) -> None:
    function, argument = {"temperature": (apply_temperature, "temperature"),
                          "top_k": (keep_top_k, "k"), "top_p": (keep_top_p, "p")}[next(iter(wrong))]
    for refused in (lambda: Sampling(**wrong),
                    lambda: function(LOGITS, **{argument: next(iter(wrong.values()))})):
        with pytest.raises(ValueError, match=message):
            refused()


@pytest.mark.parametrize("penalty", [0.0, -1.0, float("nan")])
def test_an_impossible_penalty_is_an_error(penalty: float) -> None:
    with pytest.raises(ValueError, match=r"repetition_penalty \(.*\) must be above 0; 1 changes n"):
        penalize_repetition(LOGITS, torch.ones(4, dtype=torch.bool), penalty)


def test_log_is_natural() -> None:
    """A guard of the table above: softmax of natural logarithms gives the probabilities back."""
    assert LOGITS[2].item() == pytest.approx(log(0.5))
    torch.testing.assert_close(LOGITS.softmax(-1), PROBABILITIES)
