"""GPT: causality, padding and cache in every position scheme, first weights, traces, bad input."""

from __future__ import annotations

from dataclasses import replace
from math import log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from llmbook.models import GPT, GPTConfig, Trace

SIZES = {"vocab_size": 30, "context_length": 12, "d_model": 16, "num_layers": 2, "num_heads": 4}
GPT2 = GPTConfig.gpt2(**SIZES, dropout=0.0)
MODERN = GPTConfig.modern(**SIZES, tie_embeddings=False)
CONFIGS = {
    "gpt2": GPT2,
    "modern": MODERN,
    "sinusoidal": replace(GPT2, positions="sinusoidal"),
    "none": replace(GPT2, positions="none"),
    "relative": replace(GPT2, positions="relative", max_distance=3),
    "modern with learned positions": replace(MODERN, positions="learned", norm_first=False),
}
every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


def gpt(config: GPTConfig) -> GPT:
    """Weights from N(0, 0.3²), far from the small first ones: attention is uneven."""
    torch.manual_seed(0)
    model = GPT(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if "norm.weight" in name else 0.0, 0.3)
    return model.eval()


def near(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@every_config
def test_logits_see_no_later_token(config: GPTConfig) -> None:
    """A change of token 4 changes the logits at 4, 5, 6 and none before."""
    model, ids = gpt(config), torch.randint(30, (2, 7))
    changed = ids.clone()
    changed[:, 4] = (ids[:, 4] + 1) % 30
    moved = (model(ids) - model(changed)).abs().amax((0, 2))
    assert (moved[:4] == 0).all() and (moved[4:] > 1e-4).all()


@every_config
@settings(max_examples=15, deadline=None)
@given(chunks=st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_cached_logits_are_the_uncached(config: GPTConfig, chunks: list[int]) -> None:
    model, ids, cache = gpt(config), torch.randint(30, (2, sum(chunks))), None
    cache = model.new_cache()
    found = torch.cat([model(part, cache=cache) for part in ids.split(chunks, dim=1)], dim=1)
    near(found, model(ids))
    assert len(cache) == sum(chunks)


LENGTHS = (7, 4, 1)


def padded(rows: list[Tensor], side: str) -> tuple[Tensor, Tensor]:
    """Rows of different lengths as ids (B, T) and attention mask (B, T); padding has id 29."""
    width = max(map(len, rows))
    edges = [(0, width - len(row)) if side == "right" else (width - len(row), 0) for row in rows]
    ids = [F.pad(row, edge, value=29) for row, edge in zip(rows, edges, strict=True)]
    mask = [F.pad(torch.ones_like(row), edge) for row, edge in zip(rows, edges, strict=True)]
    return torch.stack(ids), torch.stack(mask)


@every_config
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("chunks", [[10], [7, 3], [7, 1, 1, 1], [1] * 10, [3, 2, 5]],
                         ids=lambda chunks: "+".join(map(str, chunks)))
def test_a_padded_batch_is_each_row_alone(config: GPTConfig, side: str, chunks) -> None:
    """Prompts of 7, 4 and 1 tokens, padded to 7, then 3 more tokens each; any chunks, with a cache.

    With padding on the right the three tokens follow the padding, and must not notice it.
    """
    model = gpt(config)
    prompts = [torch.randint(29, (length,)) for length in LENGTHS]
    more = torch.randint(29, (3, 3))
    ids, mask = padded(prompts, side)
    ids, mask = torch.cat((ids, more), 1), torch.cat((mask, torch.ones_like(more)), 1)
    cache = model.new_cache()
    parts = zip(ids.split(chunks, 1), mask.split(chunks, 1), strict=True)
    found = torch.cat([model(part, given, cache) for part, given in parts], dim=1)
    near(found[mask == 1], model(ids, mask)[mask == 1])
    for row, prompt in enumerate(prompts):
        alone = model(torch.cat((prompt, more[row]))[None])[0]
        near(found[row][mask[row] == 1], alone)


def test_a_mask_may_come_late_or_stop() -> None:
    """Tokens without a mask count as real, before and after those with one."""
    model, ids = gpt(GPT2), torch.randint(29, (2, 6))
    middle = torch.tensor([[1, 1], [1, 0]])
    mask = torch.cat((torch.ones(2, 2), middle, torch.ones(2, 2)), dim=1)
    cache = model.new_cache()
    found = [model(ids[:, :2], None, cache), model(ids[:, 2:4], middle, cache),
             model(ids[:, 4:], None, cache)]
    near(torch.cat(found, 1)[mask == 1], model(ids, mask)[mask == 1])


def test_selected_rows_go_on() -> None:
    """Rows 2, 0, 0 of a padded batch, as a beam search would keep them."""
    model, more = gpt(MODERN), torch.randint(29, (3, 2))
    ids, mask = padded([torch.randint(29, (length,)) for length in LENGTHS], "left")
    cache, rows = model.new_cache(), torch.tensor([2, 0, 0])
    model(ids, mask, cache)
    cache.select(rows)
    whole = torch.cat((ids[rows], more), 1), torch.cat((mask[rows], torch.ones_like(more)), 1)
    near(model(more, cache=cache), model(*whole)[:, -2:])


def test_a_row_of_padding_alone_is_finite_forwards_and_backwards() -> None:
    model, ids = gpt(GPT2).train(), torch.randint(30, (2, 5))
    logits = model(ids, torch.tensor([[1] * 5, [0] * 5]))
    logits.square().mean().backward()
    assert logits.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@every_config
def test_a_trace_changes_nothing_and_holds_all(config: GPTConfig) -> None:
    model, ids, trace = gpt(config), torch.randint(30, (2, 7)), Trace()
    near(model(ids, trace=trace), model(ids))
    assert len(trace.attention) == 2 and len(trace.hidden_states) == 3 and not trace.memory
    for map_ in trace.attention:
        assert map_.shape == (2, 4, 7, 7) and not map_.triu(1).any()
        near(map_.sum(-1), torch.ones(2, 4, 7))
    near(model.output(trace.hidden_states[-1]), model(ids))
    near(model.hidden_states(ids), trace.hidden_states[-1])


def test_dropout_acts_in_training_only() -> None:
    """At embeddings, attention weights and both additions; in evaluation exactly as rate 0."""
    model, ids = gpt(replace(GPT2, dropout=0.5)), torch.randint(30, (2, 7))
    cache, trace = model.new_cache(), Trace()
    assert torch.equal(model(ids), gpt(GPT2)(ids))
    near(model(ids, cache=cache), model(ids, trace=trace))
    assert not torch.equal(model.train()(ids), model(ids))
    assert [m.p for m in model.modules() if isinstance(m, nn.Dropout)] == [0.5] * 5


def test_first_weights_are_gpt2s() -> None:
    """N(0, 0.02²); what ends a branch 0.02 / √(2 · 8) = 0.005; biases 0; the loss is log V.

    A standard deviation from n draws is off by its 1/√(2n): for 64 x 64 by 1 %.
    """
    torch.manual_seed(0)
    model = GPT(replace(GPT2, d_model=64, d_hidden=256, num_layers=8, vocab_size=300))
    for name, parameter in model.named_parameters():
        if "norm" in name:
            assert (parameter == (1.0 if name.endswith("weight") else 0.0)).all(), name
        elif name.endswith("bias"):
            assert not parameter.any(), name
        else:
            ends = name.endswith(("attention.output.weight", "feed_forward.down.weight"))
            expected = 0.005 if ends else 0.02
            assert float(parameter.std().detach()) == pytest.approx(expected, rel=0.08), name
    ids = torch.randint(300, (8, 12))
    loss = F.cross_entropy(model(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    assert loss.item() == pytest.approx(log(300), abs=0.1)


def test_tied_embeddings_are_one_tensor() -> None:
    tied, untied = GPT(GPT2), GPT(MODERN)
    assert tied.output.weight is tied.embeddings.token.weight
    assert untied.output.weight is not untied.embeddings.token.weight


def test_a_batch_can_be_learned_by_heart() -> None:
    """A cycle of 5 tokens, 40 steps of AdamW: each flavour brings the loss below 0.1."""
    ids = torch.arange(12)[None] % 5
    for config in (GPT2, MODERN):
        torch.manual_seed(0)
        model = GPT(config)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
        for _ in range(40):
            loss = F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert loss.item() < 0.1


def test_flavours_are_what_they_say() -> None:
    """GPT-2 as its smallest file says, and what the modern block has in its place."""
    config = GPTConfig.gpt2()
    assert (config.vocab_size, config.context_length, config.d_model, config.num_layers,
            config.num_heads, config.d_hidden) == (50257, 1024, 768, 12, 12, 3072)
    assert (config.norm_first, config.norm_eps, config.bias, config.tie_embeddings) == (
        True, 1e-5, True, True)
    modern = GPTConfig.modern(d_model=256, num_heads=4)
    assert (modern.norm, modern.activation, modern.positions, modern.bias, modern.dropout) == (
        "rms_norm", "swiglu", "rotary", False, 0.0)
    assert (modern.kv_heads, modern.d_hidden) == (2, 704)  # 8/3 · 256 = 682.7, up to 22 · 32
    assert GPTConfig.modern(d_model=192, num_heads=3).kv_heads == 3
    assert GPTConfig.modern(d_model=192, num_heads=3).d_hidden == 512  # 8/3 · 192, exactly
    assert GPTConfig.gpt2(d_model=24, d_hidden=7).d_hidden == 7


@pytest.mark.parametrize(("ids", "message"), [
    ([[0, 30]], r"token id 30 is outside the vocabulary: vocab_size \(30\) allows 0 to 29"),
    ([[-1, 3]], "token id -1 is outside the vocabulary"),
    ([1, 2], r"token ids must have shape \(B, T\), not \(2,\)"),
    ([[]], r"token ids must have shape \(B, T\), not \(1, 0\)"),
    ([[1] * 13], r"position 12 is past the context: context_length \(12\) allows 0 to 11")])
@every_config
def test_ids_that_cannot_be_are_an_error(config: GPTConfig, ids: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GPT(config)(torch.tensor(ids, dtype=torch.long))


def test_a_cache_past_the_context_is_an_error_and_padding_does_not_count() -> None:
    model, cache = gpt(GPT2), None
    cache = model.new_cache()
    model(torch.zeros(1, 12, dtype=torch.long), cache=cache)
    with pytest.raises(ValueError, match="position 12 is past the context"):
        model(torch.zeros(1, 1, dtype=torch.long), cache=cache)
    ids = torch.zeros(1, 20, dtype=torch.long)
    near(model(ids, (torch.arange(20) >= 8).long()[None])[:, 8:], model(ids[:, 8:]))


def test_a_refused_call_leaves_the_cache_as_it_was() -> None:
    """Past the context, and outside the vocabulary; then two tokens that fit go on."""
    model, ids = gpt(GPT2), torch.randint(29, (2, 12))
    mask = torch.ones_like(ids)
    mask[0, :3] = 0
    cache = model.new_cache()
    model(ids[:, :10], mask[:, :10], cache)
    for refused in (torch.zeros(2, 9, dtype=torch.long), torch.full((2, 1), 30)):
        with pytest.raises(ValueError, match=r"is past the context|is outside the vocabulary"):
            model(refused, cache=cache)
    near(model(ids[:, 10:], cache=cache), model(ids, mask)[:, 10:])


def test_an_attention_mask_of_another_shape_is_an_error() -> None:
    """The habit of other libraries, a mask over cached and new tokens, is refused, not misread."""
    model, cache = gpt(GPT2), None
    cache = model.new_cache()
    model(torch.zeros(1, 3, dtype=torch.long), cache=cache)
    with pytest.raises(ValueError, match=r"attention_mask \(1, 4\) must have the shape of the tok"):
        model(torch.zeros(1, 1, dtype=torch.long), torch.ones(1, 4), cache)


@pytest.mark.parametrize(("settings", "message"), [
    ({"d_model": 18}, r"d_model \(18\) must be divisible by num_heads \(4\)"),
    ({"vocab_size": 0}, r"vocab_size \(0\) must be at least 1"),
    ({"context_length": 0}, r"context_length \(0\) must be at least 1"),
    ({"num_layers": 0}, r"num_layers \(0\) must be at least 1"),
    ({"d_model": 12, "positions": "rotary"}, r"d_model / num_heads \(3\) must be even for rotary"),
    ({"d_model": 9, "num_heads": 3, "positions": "sinusoidal"}, r"d_model \(9\) must be even")])
def test_an_impossible_setting_is_an_error(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(GPT2, **settings)
