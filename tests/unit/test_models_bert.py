"""BERT: both directions, padding, token types, the pooler, the head for masked tokens, errors."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from llmbook.models import Bert, BertConfig, BertForMaskedTokens, Trace

CONFIG = BertConfig(vocab_size=30, context_length=12, d_model=16, num_heads=4, d_hidden=24,
                    num_layers=2, dropout=0.5)


def bert(**settings) -> Bert:
    torch.manual_seed(0)
    return Bert(replace(CONFIG, **settings)).eval()


def near(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_every_token_sees_every_other() -> None:
    model, ids = bert(), torch.randint(29, (1, 6))
    expected = model(ids)
    ids[0, 3] += 1
    assert ((model(ids) - expected).abs().amax((0, 2)) > 1e-5).all()


@pytest.mark.parametrize("positions", ["learned", "relative"])
def test_a_padded_row_is_the_row_alone(positions: str) -> None:
    model, ids = bert(positions=positions, max_distance=3), torch.randint(30, (3, 7))
    lengths = torch.tensor([7, 4, 1])
    mask = (torch.arange(7) < lengths[:, None]).long()
    found = model(ids, mask)
    for row, length in enumerate(lengths):
        near(found[row, :length], model(ids[row : row + 1, :length])[0])


def test_without_positions_it_reads_a_bag_of_tokens() -> None:
    """Tokens in another order give the same vectors in that order; with positions they do not."""
    ids, order = torch.randint(30, (2, 6)), torch.tensor([3, 1, 5, 0, 2, 4])
    for positions, equivariant in (("none", True), ("learned", False), ("sinusoidal", False),
                                   ("rotary", False), ("relative", False)):
        model = bert(positions=positions)
        with torch.no_grad():  # far from the small first weights, where attention is all but even
            for parameter in model.parameters():
                parameter.normal_(0, 0.4)
        moved = (model(ids[:, order]) - model(ids)[:, order]).abs().max().item()
        assert moved < 1e-5 if equivariant else moved > 1e-3


def test_token_types_are_zeros_unless_given() -> None:
    model, ids = bert(), torch.randint(30, (2, 6))
    assert torch.equal(model(ids), model(ids, token_types=torch.zeros_like(ids)))
    assert (model(ids) - model(ids, token_types=torch.ones_like(ids))).abs().max() > 1e-4


def test_the_entrance_is_summed_and_normalized() -> None:
    """The first hidden state of a trace: LayerNorm(token + position + type), eps 1e-12."""
    model, ids, trace = bert(), torch.randint(30, (2, 6)), Trace()
    types = torch.tensor([[0, 0, 0, 1, 1, 1]] * 2)
    model(ids, token_types=types, trace=trace)
    entrance = model.embeddings
    summed = entrance.token.weight[ids] + entrance.position.weight[:6] + entrance.token_type(types)
    near(trace.hidden_states[0], F.layer_norm(summed, (16,), eps=1e-12))
    assert len(trace.hidden_states) == 3 and len(trace.attention) == 2


def test_the_pooler_reads_the_first_token() -> None:
    model, hidden = bert(), torch.randn(2, 6, 16)
    near(model.pool(hidden), torch.tanh(model.pooler(hidden[:, 0])))
    with pytest.raises(ValueError, match=r"made without a pooler: BertConfig\(pooler=True\)"):
        bert(pooler=False).pool(hidden)


def test_dropout_acts_in_training_only() -> None:
    model, ids = bert(), torch.randint(30, (2, 6))
    assert torch.equal(model(ids), bert(dropout=0.0)(ids))
    assert not torch.equal(model.train()(ids), model(ids))


def test_hidden_tokens_can_be_guessed_after_training() -> None:
    """A cycle of 5 tokens, one of 10 hidden by id 29: after 60 steps the loss is below 0.1."""
    torch.manual_seed(0)
    model = BertForMaskedTokens(replace(CONFIG, dropout=0.0))
    assert model.output.weight is model.bert.embeddings.token.weight
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    ids = (torch.arange(10) + torch.arange(10)[:, None]) % 5
    hidden = torch.eye(10, dtype=torch.bool)
    for _ in range(60):
        loss = F.cross_entropy(model(ids.masked_fill(hidden, 29))[hidden], ids[hidden])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


def test_defaults_are_bert_base() -> None:
    config = BertConfig()
    assert (config.vocab_size, config.context_length, config.d_model, config.num_layers,
            config.num_heads, config.d_hidden) == (30522, 512, 768, 12, 12, 3072)
    assert (config.norm_first, config.norm_eps, config.activation) == (False, 1e-12, "gelu")


@pytest.mark.parametrize(("ids", "types", "message"), [
    ([[30]], None, "token id 30 is outside the vocabulary"),
    ([[1]], [[2]], r"token type 2 is outside: token_types \(2\) allows 0 to 1"),
    ([[1] * 13], None, "position 12 is past the context")])
def test_ids_that_cannot_be_are_an_error(ids: list, types: list | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bert()(torch.tensor(ids), token_types=None if types is None else torch.tensor(types))


def test_an_attention_mask_of_another_shape_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"attention_mask \(2, 5\) must have the shape of the"):
        bert()(torch.randint(30, (2, 6)), torch.ones(2, 5))


def test_no_token_types_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"token_types \(0\) must be at least 1"):
        replace(CONFIG, token_types=0)
