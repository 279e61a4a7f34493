"""Norms, feed-forward layers, the order inside a block, stacks and their cache; settings."""

from __future__ import annotations

from dataclasses import replace
from math import erf, exp, sqrt, tanh

import pytest
import torch
from torch import nn

from llmbook.attention import causal_mask
from llmbook.blocks import (
    Block,
    BlockConfig,
    FeedForward,
    LayerNorm,
    RMSNorm,
    Stack,
    StackCache,
    SwiGLU,
    Trace,
    layer_norm,
)

CONFIG = BlockConfig(d_model=12, num_heads=3, d_hidden=20, norm_eps=1e-3)


def near(found, expected) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def redraw(model: nn.Module) -> nn.Module:
    """All parameters from N(0, 0.3²), evaluation mode."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.3)
    return model.eval()


def test_layer_norm_by_hand() -> None:
    """(1, 3): mean 2, variance ((-1)² + 1²) / 2 = 1, eps 3, root 2: -1/2 and 1/2.

    Unbiased the variance would be 2 and the root √5; with eps outside the root 1 + 3 = 4.
    Times (10, 20), plus (0, 1): -5 and 11.
    """
    x, weight, bias = torch.tensor([1.0, 3.0]), torch.tensor([10.0, 20.0]), torch.tensor([0.0, 1.0])
    assert layer_norm(x, weight, bias, 3.0).tolist() == [-5, 11]
    assert layer_norm(x, weight, None, 3.0).tolist() == [-5, 10]
    module = LayerNorm(2, eps=3.0)
    module.load_state_dict({"weight": weight, "bias": bias})
    assert module(x).tolist() == [-5, 11]
    assert LayerNorm(2, bias=False).bias is None


def test_rms_norm_by_hand() -> None:
    """(1, 7): mean square 25, eps 11, root 6; times (12, 6): 2 and 7."""
    module = RMSNorm(2, eps=11.0)
    module.load_state_dict({"weight": torch.tensor([12.0, 6.0])})
    near(module(torch.tensor([1.0, 7.0])), torch.tensor([2.0, 7.0]))


@pytest.mark.parametrize("make", [LayerNorm, RMSNorm])
def test_what_a_norm_forgets(make: type[nn.Module]) -> None:
    """Both forget the length of a vector; LayerNorm forgets its mean as well."""
    norm, x = make(64), torch.randn(3, 64) * 10
    assert norm.eps == 1e-5
    near(norm(x), norm(5 * x))
    moved = float((norm(x + 3) - norm(x)).abs().max().detach())
    assert moved < 1e-5 if make is LayerNorm else moved > 0.1


def test_layer_norm_has_the_gradient_of_finite_differences() -> None:
    torch.manual_seed(0)
    x, weight, bias = (torch.randn(*shape, dtype=torch.float64, requires_grad=True)
                       for shape in ((3, 4), (4,), (4,)))
    assert torch.autograd.gradcheck(lambda *given: layer_norm(*given, 1e-5), (x, weight, bias))


@pytest.mark.parametrize(("name", "function"), [
    ("relu", lambda x: max(x, 0.0)),
    ("gelu", lambda x: x * (1 + erf(x / sqrt(2))) / 2),
    ("gelu_tanh", lambda x: x * (1 + tanh(0.7978845608 * (x + 0.044715 * x**3))) / 2)])
def test_activations_are_their_formulas(name: str, function) -> None:
    """At 2x + 0.2 = -2.8 the two GELUs differ by 5e-4: the test is closer than that."""
    ours = FeedForward(1, 1, name)
    ours.load_state_dict({"up.weight": torch.tensor([[2.0]]), "up.bias": torch.tensor([0.2]),
                          "down.weight": torch.tensor([[10.0]]), "down.bias": torch.tensor([1.0])})
    for x in (-1.5, -0.2, 0.3, 1.0):
        expected = 10 * function(2 * x + 0.2) + 1
        assert ours(torch.tensor([x])).item() == pytest.approx(expected, abs=1e-5)


def test_swiglu_by_hand() -> None:
    """gate 2, up 3, down 5, x = 1: 5 · silu(2) · 3, with silu(2) = 2 / (1 + e^-2)."""
    ours = SwiGLU(1, 1)
    ours.load_state_dict({f"{name}.weight": torch.tensor([[value]])
                          for name, value in (("gate", 2.0), ("up", 3.0), ("down", 5.0))})
    assert ours(torch.tensor([1.0])).item() == pytest.approx(5 * 3 * 2 / (1 + exp(-2)))


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("cross", [True, False])
def test_the_order_inside_a_block(norm_first: bool, cross: bool) -> None:
    """Pre-norm x + f(norm(x)), post-norm norm(x + f(x)): attention, memory, feed-forward."""
    block = redraw(Block(replace(CONFIG, norm_first=norm_first), cross))
    x, memory, mask = torch.randn(2, 5, 12), torch.randn(2, 4, 12), causal_mask(5)
    layers = [(lambda x: block.attention(x, mask=mask)[0], block.attention_norm)]
    if cross:
        layers.append((lambda x: block.memory_attention(x, memory)[0], block.memory_norm))
    layers.append((block.feed_forward, block.feed_forward_norm))
    expected = x
    for layer, norm in layers:
        if norm_first:
            expected = expected + layer(norm(expected))
        else:
            expected = norm(expected + layer(expected))
    near(block(x, memory if cross else None, mask), expected)


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_block_that_adds_nothing_keeps_its_input(norm_first: bool) -> None:
    """With its last projections 0 a pre-norm block is the identity, a post-norm one two norms."""
    block = redraw(Block(replace(CONFIG, norm_first=norm_first)))
    for layer in (block.attention.output, block.feed_forward.down):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    x = torch.randn(2, 5, 12)
    near(block(x), x if norm_first else block.feed_forward_norm(block.attention_norm(x)))


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_stack_ends_with_a_norm(norm_first: bool) -> None:
    """After pre-norm blocks one of its own, after post-norm blocks that of the last block."""
    stack = redraw(Stack(replace(CONFIG, norm_first=norm_first), 3))
    x = expected = torch.randn(2, 5, 12)
    for block in stack.blocks:
        expected = block(expected)
    near(stack(x), stack.norm(expected) if norm_first else expected)
    assert bool(list(stack.norm.parameters())) is norm_first


def test_settings_reach_their_places() -> None:
    block = Block(replace(CONFIG, norm="rms_norm", activation="swiglu", bias=False, num_kv_heads=1,
                          norm_eps=0.01, positions="rotary", rotary_base=7.0, dropout=0.25), True)
    assert not [name for name, _ in block.named_parameters() if name.endswith("bias")]
    norms = [module for module in block.modules() if isinstance(module, RMSNorm)]
    assert [norm.eps for norm in norms] == [0.01] * 3
    assert [m.p for m in block.modules() if isinstance(m, nn.Dropout)] == [0.25] * 3
    assert block.attention.key.out_features == 4 and isinstance(block.feed_forward, SwiGLU)
    torch.testing.assert_close(block.attention.rotary.frequencies, 1 / 7 ** torch.tensor([0, 0.5]))
    assert block.memory_attention.rotary is None
    biased = Block(replace(CONFIG, positions="relative", max_distance=5), True)
    assert biased.attention.relative.weight.shape == (11, 3)
    assert biased.attention.rotary is None and biased.memory_attention.relative is None
    plain = Block(CONFIG)
    assert plain.attention.rotary is None and plain.attention.relative is None
    assert plain.memory_attention is None
    assert isinstance(plain.attention_norm, LayerNorm) and plain.attention_norm.eps == 1e-3


def test_dropout_acts_in_training_only() -> None:
    """In evaluation, exactly as rate 0; in training, with everything dropped but x, x itself."""
    block, x = redraw(Block(replace(CONFIG, dropout=0.5))), torch.randn(2, 5, 12)
    assert torch.equal(block(x), redraw(Block(CONFIG))(x))
    assert not torch.equal(block.train()(x), block(x))
    block.dropout.p = 1.0
    near(block(x), x)


def test_a_trace_holds_what_passed() -> None:
    stack = redraw(Stack(CONFIG, 2, cross_attention=True))
    x, memory, mask, trace = torch.randn(2, 5, 12), torch.randn(2, 4, 12), causal_mask(5), Trace()
    found = stack(x, memory, mask, trace=trace)
    near(found, stack(x, memory, mask))
    first = stack.blocks[0](x, memory, mask)
    near(torch.stack(trace.hidden_states), torch.stack([x, first, found]))
    assert [map_.shape for map_ in trace.attention] == [(2, 3, 5, 5)] * 2
    assert [map_.shape for map_ in trace.memory] == [(2, 3, 5, 4)] * 2
    for map_ in (*trace.attention, *trace.memory):
        near(map_.sum(-1), torch.ones(2, 3, 5))
    assert not trace.attention[1][..., ~mask].any()


def test_a_stack_in_chunks_is_the_whole_stack() -> None:
    """With cross-attention; afterwards rows 1, 1, 0 of the batch go on from the same cache."""
    stack, cache = redraw(Stack(CONFIG, 2, cross_attention=True)), StackCache(2)
    x, memory = torch.randn(2, 6, 12), torch.randn(2, 4, 12)
    expected = stack(x, memory, causal_mask(6))
    found = []
    for part in x[:, :5].split([2, 1, 2], dim=1):
        mask = causal_mask(part.shape[1], len(cache) + part.shape[1])
        found.append(stack(part, memory, mask, cache=cache))
    near(torch.cat(found, dim=1), expected[:, :5])
    rows = torch.tensor([1, 1, 0])
    cache.select(rows)
    near(stack(x[rows, 5:], memory[rows], causal_mask(1, 6), cache=cache), expected[rows, 5:])


def test_cross_attention_without_a_memory_is_an_error() -> None:
    with pytest.raises(ValueError, match="a block with cross-attention needs a memory"):
        Block(CONFIG, cross_attention=True)(torch.randn(2, 5, 12))


@pytest.mark.parametrize(("settings", "message"), [
    ({"d_model": 10}, r"d_model \(10\) must be divisible by num_heads \(3\)"),
    ({"num_kv_heads": 2}, r"num_heads \(3\) must be divisible by num_kv_heads \(2\)"),
    ({"d_hidden": 0}, r"d_hidden \(0\) must be at least 1"),
    ({"max_distance": 0}, r"max_distance \(0\) must be at least 1"),
    ({"dropout": 1.0}, r"dropout \(1.0\) must be at least 0 and below 1"),
    ({"dropout": -0.1}, r"dropout \(-0.1\) must be at least 0"),
    ({"norm": "batch_norm"}, r"norm must be one of .*, not 'batch_norm'"),
    ({"activation": "swish"}, r"activation must be one of \('relu', .*\), not 'swish'"),
    ({"positions": "alibi"}, r"positions must be one of .*, not 'alibi'"),
    ({"norm_eps": 0.0}, r"norm_eps \(0.0\) must be above 0"),
    ({"d_model": 9, "positions": "rotary"}, r"d_model / num_heads \(3\) must be even for rotary")])
def test_an_impossible_setting_is_an_error(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **settings)
