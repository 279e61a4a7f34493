"""Seq2Seq: the scaled embedding, padding, the cache of target and memory, greedy writing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmbook.attention import sinusoidal_positions
from llmbook.models import Seq2Seq, Seq2SeqConfig, Trace

CONFIG = Seq2SeqConfig(vocab_size=30, context_length=12, d_model=16, num_heads=4, d_hidden=24,
                       num_layers=2, dropout=0.0)
CONFIGS = {
    "2017": CONFIG,
    "pre-norm": replace(CONFIG, norm_first=True),
    "learned": replace(CONFIG, positions="learned"),
    "rotary": replace(CONFIG, positions="rotary", norm="rms_norm", activation="swiglu",
                      num_kv_heads=2, bias=False, norm_first=True),
    "relative": replace(CONFIG, positions="relative", max_distance=2),
}
every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
SOURCE_MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 1, 1, 1]])


def seq2seq(config: Seq2SeqConfig) -> Seq2Seq:
    torch.manual_seed(0)
    return Seq2Seq(config).eval()


def near(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_tokens_enter_scaled_by_the_root_of_the_width() -> None:
    model, ids = seq2seq(CONFIG), torch.randint(30, (2, 5))
    entered = 16**0.5 * model.embeddings.token(ids) + sinusoidal_positions(5, 16)
    near(model.encode(ids), model.encoder(entered))
    trace = Trace()
    model.decode(ids, model.encode(ids), trace=trace)
    near(trace.hidden_states[0], entered)


def test_one_embedding_serves_source_target_and_output() -> None:
    model, ids = seq2seq(CONFIG), torch.randint(30, (2, 5))
    assert [m for m in model.modules() if isinstance(m, nn.Embedding)] == [model.embeddings.token]
    trace = Trace()
    logits = model.decode(ids, model.encode(ids), trace=trace)
    near(logits, trace.hidden_states[-1] @ model.embeddings.token.weight.T)


@every_config
def test_a_padded_source_is_each_row_alone(config: Seq2SeqConfig) -> None:
    """Rows of 5, 2 and 3 tokens, padded on the right and on the left; targets of 4."""
    model = seq2seq(config)
    source, target = torch.randint(30, (3, 5)), torch.randint(30, (3, 4))
    found = model(source, target, SOURCE_MASK)
    for row, mask in enumerate(SOURCE_MASK):
        alone = model(source[row][mask == 1][None], target[row][None])
        near(found[row], alone[0])


@every_config
@pytest.mark.parametrize("chunks", [[1] * 7, [3, 4], [1, 2, 4], [7]])
def test_cached_logits_are_the_uncached(config: Seq2SeqConfig, chunks: list[int]) -> None:
    """With padding in source and target."""
    model = seq2seq(config)
    source, target = torch.randint(30, (3, 5)), torch.randint(30, (3, 7))
    mask = torch.ones_like(target)
    mask[1, 4:], mask[2, :2] = 0, 0
    memory, cache = model.encode(source, SOURCE_MASK), model.new_cache()
    parts = zip(target.split(chunks, 1), mask.split(chunks, 1), strict=True)
    found = [model.decode(*part[:1], memory, SOURCE_MASK, part[1], cache) for part in parts]
    near(torch.cat(found, 1)[mask == 1], model(source, target, SOURCE_MASK, mask)[mask == 1])


@every_config
def test_the_decoder_sees_no_later_token_and_the_whole_source(config: Seq2SeqConfig) -> None:
    model = seq2seq(config)
    source, target = torch.randint(29, (1, 5)), torch.randint(29, (1, 6))
    expected = model(source, target)
    target[0, 3] += 1
    moved = (model(source, target) - expected).abs().amax((0, 2))
    assert (moved[:3] == 0).all() and (moved[3:] > 1e-4).all()
    expected = model(source, target)
    source[0, 4] += 1
    assert ((model(source, target) - expected).abs().amax((0, 2)) > 1e-5).all()


@every_config
def test_greedy_is_the_argmax_of_the_whole_each_time(config: Seq2SeqConfig) -> None:
    """The uncached decoder, given all that was written so far, would write the same."""
    model, source = seq2seq(config), torch.randint(30, (3, 5))
    found = model.greedy(source, SOURCE_MASK, start_id=1, end_id=-1, max_new_tokens=8)
    written = torch.ones(3, 1, dtype=torch.long)
    for _ in range(8):
        logits = model(source, written, SOURCE_MASK)
        written = torch.cat((written, logits[:, -1:].argmax(-1)), dim=1)
    assert torch.equal(found, written[:, 1:])


def test_a_row_that_ended_is_filled_and_the_last_end_stops(monkeypatch) -> None:
    """Rows write 5 5 2 | 2 | 5 2, with 2 the end: three steps, filled with 2."""
    script = iter(torch.tensor([[5, 2, 5], [5, 7, 2], [2, 7, 7], [9, 9, 9]]))
    model = seq2seq(CONFIG)
    monkeypatch.setattr(model, "decode", lambda *_, **__: F.one_hot(next(script), 30)[:, None])
    found = model.greedy(torch.randint(30, (3, 5)), start_id=1, end_id=2, max_new_tokens=9)
    assert found.tolist() == [[5, 5, 2], [2, 2, 2], [5, 2, 2]]
    assert not found.requires_grad
    assert model.greedy(torch.ones(3, 2, dtype=torch.long), start_id=1, end_id=2,
                        max_new_tokens=0).shape == (3, 0)


def test_a_sequence_can_be_learned_reversed() -> None:
    """60 steps on 8 pairs: the greedy output is the reversed source, then the end (2)."""
    torch.manual_seed(0)
    model = Seq2Seq(replace(CONFIG, norm_first=True))
    source = torch.randint(3, 30, (8, 4))
    written = torch.cat((source.flip(1), torch.full((8, 1), 2)), dim=1)
    target = F.pad(written, (1, 0), value=1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(60):
        loss = F.cross_entropy(model(source, target[:, :-1]).flatten(0, 1), written.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = model.eval().greedy(source, start_id=1, end_id=2, max_new_tokens=9)
    assert torch.equal(found, written)


def test_traces_of_encoder_and_decoder() -> None:
    model, source, target = seq2seq(CONFIG), torch.randint(30, (3, 5)), torch.randint(30, (3, 4))
    encoder, decoder = Trace(), Trace()
    memory = model.encode(source, SOURCE_MASK, encoder)
    near(memory, encoder.hidden_states[-1])
    near(model.decode(target, memory, SOURCE_MASK, trace=decoder),
         model(source, target, SOURCE_MASK))
    assert [m.shape for m in encoder.attention] == [(3, 4, 5, 5)] * 2
    assert [m.shape for m in decoder.attention] == [(3, 4, 4, 4)] * 2
    for map_ in decoder.memory:
        assert map_.shape == (3, 4, 4, 5)
        assert not map_.permute(0, 3, 1, 2)[SOURCE_MASK == 0].any()
        near(map_.sum(-1), torch.ones(3, 4, 4))


def test_first_weights_keep_the_size_of_a_vector() -> None:
    """Embeddings enter with variance 1; matrices are uniform within √(6 / (in + out))."""
    torch.manual_seed(0)
    model = Seq2Seq(replace(CONFIG, d_model=64, d_hidden=256, vocab_size=500))
    entered = 8 * model.embeddings.token.weight.detach()
    assert float(entered.std()) == pytest.approx(1, rel=0.05)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            bound = (6 / (module.in_features + module.out_features)) ** 0.5
            assert 0.98 * bound < float(module.weight.detach().abs().max()) <= bound
            assert not module.bias.any()


def test_defaults_are_the_base_model_of_the_paper() -> None:
    """Table 3: N 6, d_model 512, d_ff 2048, h 8, P_drop 0.1; post-norm, ReLU, sines."""
    config = Seq2SeqConfig(vocab_size=37000, context_length=512)
    assert (config.num_layers, config.d_model, config.d_hidden) == (6, 512, 2048)
    assert (config.num_heads, config.dropout, config.norm_first) == (8, 0.1, False)
    assert (config.activation, config.positions, config.norm) == (
        "relu", "sinusoidal", "layer_norm")


@pytest.mark.parametrize(("source", "target", "message"), [
    ([[0, 30]], [[1]], "token id 30 is outside the vocabulary"),
    ([[1]], [[0, 31]], "token id 31 is outside the vocabulary"),
    ([[1] * 13], [[1]], "position 12 is past the context"),
    ([[1]], [[1] * 13], "position 12 is past the context")])
def test_ids_that_cannot_be_are_an_error(source: list, target: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        seq2seq(CONFIG)(torch.tensor(source), torch.tensor(target))


def test_a_source_mask_of_another_shape_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"attention_mask \(3, 5\) must have the shape of the"):
        seq2seq(CONFIG).encode(torch.randint(30, (3, 4)), SOURCE_MASK)
