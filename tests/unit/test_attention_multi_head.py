"""Many heads: which columns a head reads, both paths, memory, caches, shared key heads, errors."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from llmbook.attention import (
    KeyValueCache,
    MultiHeadAttention,
    RelativePositions,
    RotaryPositions,
    causal_mask,
    padding_mask,
    scaled_dot_product_attention,
)


def attention(**settings) -> MultiHeadAttention:
    torch.manual_seed(0)
    return MultiHeadAttention(12, 6, **settings).eval()


def relative(max_distance: int = 3) -> RelativePositions:
    """A bias for 6 heads, from N(0, 1): far from the small one that training begins with."""
    torch.manual_seed(1)
    return RelativePositions(6, max_distance)


def near(found, expected) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_weights_given_as_plain_tensors() -> None:
    """D = 4, H = 2. All weights are identities, but head 1 (columns 2, 3) has keys of zero.

    Head 0 is the formula on columns 0 and 1; head 1 averages columns 2 and 3 evenly.
    """
    ours = MultiHeadAttention(4, 2, bias=False)
    identity = torch.eye(4)
    ours.load_state_dict({"query.weight": identity, "value.weight": identity,
                          "key.weight": torch.diag(torch.tensor([1.0, 1, 0, 0])),
                          "output.weight": identity})
    x = torch.tensor([[[1.0, 2, 3, 4], [2, 0, 5, 1], [0, 1, 1, 1]]])
    first, map_ = scaled_dot_product_attention(x[0, :, :2], x[0, :, :2], x[0, :, :2])
    for readable in (True, False):
        output, weights = ours(x, return_weights=readable)
        near(output[0, :, :2], first)
        near(output[0, :, 2:], torch.tensor([[3.0, 2.0]] * 3))
    weights = ours(x, return_weights=True)[1]
    near(weights[0, 0], map_)
    near(weights[0, 1], torch.full((3, 3), 1 / 3))


@pytest.mark.parametrize("positions", [{"rotary": RotaryPositions(2)}, {"relative": relative()}],
                         ids=lambda positions: next(iter(positions)))  # fmt: skip
def test_both_paths_agree_on_output_and_gradients(positions: dict) -> None:
    """With a mask in which some query sees nothing, with shared key heads."""
    ours = attention(num_kv_heads=2, **positions)
    x = torch.randn(3, 5, 12, requires_grad=True)
    mask = causal_mask(5) & padding_mask(torch.tensor([[1] * 5, [0, 0, 1, 1, 1], [0] * 5]))
    results = []
    for readable in (True, False):
        output, weights = ours(x, mask=mask, return_weights=readable)
        assert (weights is None) is not readable
        results.append((output, *torch.autograd.grad(
            output.square().sum(), [x, *ours.parameters()])))
    for slow, fast in zip(*results, strict=True):
        assert fast.isfinite().all()
        torch.testing.assert_close(slow, fast, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("leading", [(), (2,), (2, 3)])
def test_any_leading_dimensions(leading: tuple[int, ...]) -> None:
    x = torch.randn(*leading, 5, 12)
    output, weights = attention()(x, mask=causal_mask(5), return_weights=True)
    assert output.shape == x.shape and weights.shape == (*leading, 6, 5, 5)


def test_key_heads_are_shared_by_neighbours() -> None:
    """6 heads on 2 key heads = 6 heads whose key and value weights are 000111 of the two."""
    grouped, full = attention(num_kv_heads=2), attention()
    state = grouped.state_dict()
    for name in ("key.weight", "key.bias", "value.weight", "value.bias"):
        state[name] = state[name].unflatten(0, (2, 2))[[0, 0, 0, 1, 1, 1]].flatten(0, 1)
    full.load_state_dict(state)
    x = torch.randn(2, 5, 12)
    for readable in (True, False):
        near(grouped(x, return_weights=readable)[0], full(x)[0])
    near(grouped(x, return_weights=True)[1], full(x, return_weights=True)[1])


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(6)))
def test_without_mask_and_positions_attention_is_permutation_equivariant(order) -> None:
    """Tokens in another order give the outputs in that order: attention alone knows no order."""
    ours, x = attention(), torch.randn(2, 6, 12)
    near(ours(x[:, order])[0], ours(x)[0][:, order])


def test_rotary_positions_break_the_symmetry_and_turn_no_values() -> None:
    """Equal tokens at any place: all weights differ by place, yet each average is one value."""
    ours, order = attention(rotary=RotaryPositions(2)), torch.tensor([3, 1, 0, 2])
    x = torch.randn(2, 4, 12)
    assert (ours(x[:, order])[0] - ours(x)[0][:, order]).abs().max() > 1e-3
    same = x[:, :1].expand(2, 4, 12)
    output, weights = ours(same, return_weights=True)
    near(output, ours.output(ours.value(same)))
    assert weights.std() > 1e-4


def test_rotary_positions_shift_freely_and_follow_their_row() -> None:
    """Only distances count: 5, 6, 7 is as good as 0, 1, 2; 0, 2, 4 is not."""
    ours, x = attention(rotary=RotaryPositions(2)), torch.randn(2, 3, 12)
    expected = ours(x)[0]
    near(ours(x, positions=torch.tensor([5, 6, 7]))[0], expected)
    positions = torch.tensor([[0, 1, 2], [0, 2, 4]])
    found = ours(x, positions=positions)[0]
    near(found[0], expected[0])
    assert (found[1] - expected[1]).abs().max() > 1e-3
    near(found[1], ours(x[1:], positions=positions[1])[0][0])


def test_relative_positions_add_to_the_scores_what_belongs_to_the_distance() -> None:
    """softmax(q·k / √2 + b), b for the clipped distance key - query; 7 tokens, clipped at 3."""
    ours, x = attention(relative=relative()), torch.randn(2, 7, 12)
    mask = padding_mask(torch.tensor([7, 4]))
    query, key, value = (layer(x).view(2, 7, 6, 2) for layer in (ours.query, ours.key, ours.value))
    scores = torch.einsum("bthk,bshk->bhts", query, key) / 2**0.5
    for t in range(7):
        for s in range(7):
            scores[:, :, t, s] += ours.relative.weight[min(max(s - t, -3), 3) + 3]
    weights = scores.masked_fill(~mask, -torch.inf).softmax(-1)
    expected = ours.output(torch.einsum("bhts,bshk->bthk", weights, value).flatten(2))
    for readable in (True, False):
        output, found = ours(x, mask=mask, return_weights=readable)
        near(output, expected)
        if readable:
            near(found, weights)


def test_relative_positions_follow_their_row_and_not_the_memory() -> None:
    ours, x, memory = attention(relative=relative()), torch.randn(2, 3, 12), torch.randn(2, 5, 12)
    expected = ours(x)[0]
    near(ours(x, positions=torch.tensor([5, 6, 7]))[0], expected)
    found = ours(x, positions=torch.tensor([[0, 1, 2], [0, 2, 4]]))[0]
    near(found[0], expected[0])
    assert (found[1] - expected[1]).abs().max() > 1e-3
    near(ours(x, memory)[0], attention()(x, memory)[0])


def test_a_relative_bias_is_cast_with_the_rest() -> None:
    """In half precision and under autocast, on both paths, with and without a mask."""
    ours, x = attention(relative=relative()), torch.randn(2, 5, 12)
    expected = ours(x, mask=causal_mask(5))[0]
    for readable in (True, False):
        with torch.autocast("cpu", torch.bfloat16):
            found = ours(x, mask=causal_mask(5), return_weights=readable)[0]
            assert ours(x, return_weights=readable)[0].dtype == torch.bfloat16
        torch.testing.assert_close(found.float(), expected, rtol=0, atol=0.05)
    halves = attention(relative=relative()).bfloat16()
    found = halves(x.bfloat16(), mask=causal_mask(5))[0]
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=0.05)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.sampled_from("-rb"),
       st.sampled_from([1, 6]))  # fmt: skip
def test_chunks_with_a_cache_are_the_whole(chunks: list[int], scheme: str, kv_heads: int) -> None:
    """Without positions, with rotary ones, with a relative bias."""
    positions = {"-": {}, "r": {"rotary": RotaryPositions(2)}, "b": {"relative": relative()}}
    ours = attention(num_kv_heads=kv_heads, **positions[scheme])
    x, cache = torch.randn(2, sum(chunks), 12), KeyValueCache()
    expected = ours(x, mask=causal_mask(sum(chunks)))[0]
    found = []
    for chunk in x.split(chunks, dim=1):
        mask = causal_mask(chunk.shape[1], len(cache) + chunk.shape[1])
        found.append(ours(chunk, mask=mask, cache=cache)[0])
    near(torch.cat(found, 1), expected)
    assert len(cache) == sum(chunks) and cache.key.shape == (2, kv_heads, sum(chunks), 2)


def test_memory_keys_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, x, memory = attention(), torch.randn(2, 4, 12), torch.randn(2, 7, 12)
    expected = ours(x, memory)[0]
    cache, calls = KeyValueCache(), []
    forward = nn.Linear.forward

    def count(self: nn.Linear, given: torch.Tensor) -> torch.Tensor:
        calls.append(self)
        return forward(self, given)

    monkeypatch.setattr(nn.Linear, "forward", count)
    found = [ours(x[:, t : t + 1], memory, cache=cache)[0] for t in range(4)]
    near(torch.cat(found, 1), expected)
    assert calls.count(ours.key) == calls.count(ours.value) == 1 and len(cache) == 7


def test_selected_rows_of_a_cache() -> None:
    cache = KeyValueCache()
    cache.select(torch.tensor([0]))
    assert len(cache) == 0
    key, value = torch.randn(3, 2, 4, 5), torch.randn(3, 2, 4, 5)
    cache.append(key, value)
    cache.select(torch.tensor([2, 2, 0]))
    assert torch.equal(cache.key, key[[2, 2, 0]]) and torch.equal(cache.value, value[[2, 2, 0]])
    assert cache.positions is None
    cache.append_positions(torch.tensor([[0, 1], [0, 0], [5, 6]]))
    cache.select(torch.tensor([2, 0]))
    assert cache.append_positions(torch.tensor([[7], [2]])).tolist() == [[5, 6, 7], [0, 1, 2]]


def test_dropout_acts_in_training_only_on_both_paths() -> None:
    ours, x = attention(dropout=0.5), torch.randn(2, 5, 12)
    expected = attention()(x)[0]
    for readable in (True, False):
        near(ours.eval()(x, return_weights=readable)[0], expected)
        first, second = (ours.train()(x, return_weights=readable)[0] for _ in range(2))
        assert (first - second).abs().max() > 1e-3


@pytest.mark.parametrize(("arguments", "message"), [
    ({"d_model": 10, "num_heads": 3}, r"d_model \(10\) must be divisible by num_heads \(3\)"),
    ({"d_model": 0, "num_heads": 3}, r"d_model \(0\) must be divisible by num_heads \(3\)"),
    ({"d_model": 8, "num_heads": 0}, r"num_heads \(0\) must be at least 1"),
    ({"d_model": 8, "num_heads": 4, "num_kv_heads": 3},
     r"num_heads \(4\) must be divisible by num_kv_heads \(3\)"),
    ({"d_model": 8, "num_heads": 4, "num_kv_heads": 0}, r"num_kv_heads \(0\) must be at least 1")])
def test_heads_that_do_not_fit_are_an_error(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention(**arguments)


def test_masks_that_would_be_misread_are_an_error() -> None:
    ours, x = attention(), torch.randn(6, 5, 12)  # B = H: a (B, T, S) mask would fit the heads
    with pytest.raises(ValueError, match=r"needs a head dimension: \(B, 1, T, S\)"):
        ours(x, mask=torch.ones(6, 5, 5, dtype=torch.bool))
    with pytest.raises(ValueError, match="mask must be boolean"):
        ours(x, mask=torch.zeros(5, 5))
