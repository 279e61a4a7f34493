"""The attention formula and its masks: numbers by hand, properties, gradients, bad input."""

from __future__ import annotations

from math import log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from llmbook.attention import causal_mask, padding_mask, scaled_dot_product_attention


def test_one_query_two_keys_by_hand() -> None:
    """K = 4, so the scale is 1/2. The query (2, 0, 0, 0) meets (log 3, 0, 0, 0) and 0.

    Scores: 2 log 3 / 2 = log 3 and 0; weights 3/4 and 1/4; values 8 and 4 give 6 + 1 = 7. With
    scale 1 the scores are log 9 and 0, the weights 9/10 and 1/10, the output 7.6.
    """
    query, key = torch.zeros(1, 4), torch.zeros(2, 4)
    query[0, 0], key[0, 0] = 2, log(3)
    value = torch.tensor([[8.0], [4.0]])
    output, weights = scaled_dot_product_attention(query, key, value)
    torch.testing.assert_close(weights, torch.tensor([[0.75, 0.25]]))
    torch.testing.assert_close(output, torch.tensor([[7.0]]))
    output, _ = scaled_dot_product_attention(query, key, value, scale=1.0)
    torch.testing.assert_close(output, torch.tensor([[7.6]]))


def test_true_means_may_attend() -> None:
    """The only key allowed gets the weight 1, and its value is the output."""
    query, key, value = torch.randn(3, 4), torch.randn(3, 4), torch.randn(3, 2)
    mask = torch.eye(3, dtype=torch.bool)
    output, weights = scaled_dot_product_attention(query, key, value, mask)
    assert torch.equal(weights, torch.eye(3)) and torch.equal(output, value)


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled:UserWarning")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_query_that_sees_nothing_gets_zeros_and_finite_gradients(dtype: torch.dtype) -> None:
    query, key, value = (torch.randn(2, 3, 4, dtype=dtype, requires_grad=True) for _ in range(3))
    mask = torch.ones(3, 3, dtype=torch.bool)
    mask[1] = False
    with torch.autograd.detect_anomaly(check_nan=True):
        output, weights = scaled_dot_product_attention(query, key, value, mask)
        output.square().sum().backward()
    assert not output[:, 1].any() and not weights[:, 1].any()
    assert output[:, [0, 2]].all()
    for tensor in (query, key, value):
        assert tensor.grad.isfinite().all() and tensor.grad.any()
    assert not query.grad[:, 1].any()


def test_gradient_is_that_of_finite_differences() -> None:
    """float64, two heads, a mask in which one query sees nothing."""
    torch.manual_seed(0)
    tensors = [torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    mask = torch.tensor([[True, False, True], [False, False, False], [True, True, True]])
    assert torch.autograd.gradcheck(
        lambda *given: scaled_dot_product_attention(*given, mask), tensors)


sizes = st.integers(1, 5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 3), max_size=3), sizes, sizes, sizes, sizes, st.integers(0, 99))
def test_shapes_and_properties(leading, t, s, k, width, seed: int) -> None:
    """Rows of weights sum to 1, or to 0 where nothing is allowed; a masked key changes nothing."""
    torch.manual_seed(seed)
    query, key = torch.randn(*leading, t, k), torch.randn(*leading, s, k)
    value, mask = torch.randn(*leading, s, width), torch.rand(t, s) < 0.5
    output, weights = scaled_dot_product_attention(query, key, value, mask)
    assert output.shape == (*leading, t, width) and weights.shape == (*leading, t, s)
    assert not weights[..., ~mask].any() and (weights >= 0).all()
    torch.testing.assert_close(weights.sum(-1), mask.any(-1).float().expand(*leading, t))
    unseen = ~mask.any(0)
    key[..., unseen, :], value[..., unseen, :] = 1e6, -1e6
    assert torch.equal(scaled_dot_product_attention(query, key, value, mask)[0], output)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(5)), st.integers(0, 99))
def test_keys_in_another_order_change_nothing_and_queries_move_along(order, seed: int) -> None:
    torch.manual_seed(seed)
    query, key, value = torch.randn(5, 4), torch.randn(5, 4), torch.randn(5, 3)
    output, weights = scaled_dot_product_attention(query, key, value)
    moved, moved_weights = scaled_dot_product_attention(query[order], key, value)
    torch.testing.assert_close(moved, output[order])
    torch.testing.assert_close(moved_weights, weights[order])
    moved, moved_weights = scaled_dot_product_attention(query, key[order], value[order])
    torch.testing.assert_close(moved, output)
    torch.testing.assert_close(moved_weights, weights[:, order])


def test_dropout_drops_weights_and_not_those_returned() -> None:
    """Rate 1/2, values 1: each output is a sum of kept weights, doubled; the map stays whole."""
    query, key, value = torch.randn(100, 4), torch.randn(50, 4), torch.ones(50, 1)
    dropout = nn.Dropout(0.5)
    output, weights = scaled_dot_product_attention(query, key, value, dropout=dropout)
    assert output.std() > 0.05 and float(output.mean()) == pytest.approx(1, abs=0.1)
    torch.testing.assert_close(weights.sum(-1), torch.ones(100))
    output, _ = scaled_dot_product_attention(query, key, value, dropout=dropout.eval())
    torch.testing.assert_close(output, torch.ones(100, 1))


def test_a_mask_of_numbers_is_an_error() -> None:
    x = torch.randn(3, 4)
    with pytest.raises(ValueError, match=r"mask must be boolean, True = may attend, not torch.flo"):
        scaled_dot_product_attention(x, x, x, torch.zeros(3, 3))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 7), st.integers(0, 5))
def test_causal_mask_is_its_definition(num_queries: int, past: int) -> None:
    """Query i is token past + i and sees the tokens 0 to past + i."""
    mask = causal_mask(num_queries, past + num_queries)
    assert mask.dtype == torch.bool
    assert mask.tolist() == [[j <= past + i for j in range(past + num_queries)]
                             for i in range(num_queries)]
    if past == 0:
        assert torch.equal(causal_mask(num_queries), mask)


def test_one_new_query_sees_the_whole_cache() -> None:
    assert causal_mask(1, 6).tolist() == [[True] * 6]
    with pytest.raises(ValueError, match="3 queries cannot be the last of 2 keys"):
        causal_mask(3, 2)


def test_padding_mask_from_lengths_and_from_an_attention_mask() -> None:
    """Lengths 3 and 1, S = 3; the mask of the tokenizer may pad on the left."""
    mask = padding_mask(torch.tensor([3, 1]))
    assert mask.shape == (2, 1, 1, 3)
    assert mask[:, 0, 0].tolist() == [[True, True, True], [True, False, False]]
    mask = padding_mask(torch.tensor([[1, 1, 1], [0, 0, 1]]))
    assert mask[:, 0, 0].tolist() == [[True, True, True], [False, False, True]]
    with pytest.raises(ValueError, match=r"give lengths \(B,\) or an attention mask \(B, S\)"):
        padding_mask(torch.ones(2, 1, 3))
