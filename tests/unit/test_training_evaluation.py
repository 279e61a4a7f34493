"""Held-out losses: every token once, dropout off, bits per byte by hand; the record of a run."""

from __future__ import annotations

from math import e, log, log2

import matplotlib
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from llmbook.models import GPT, GPTConfig
from llmbook.training import (
    Evaluation,
    HeldOut,
    History,
    MaskedTokens,
    NextToken,
    evaluate,
)

matplotlib.use("Agg")

SIZES = {"vocab_size": 30, "context_length": 8, "d_model": 16, "num_layers": 1, "num_heads": 2}


class Uniform(nn.Module):
    """As unsure as can be among 16 tokens: 4 bits each."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(16))

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        assert not torch.is_grad_enabled()
        return self.weight.expand(*ids.shape, 16)


def gpt(dropout: float = 0.0) -> GPT:
    torch.manual_seed(0)
    return GPT(GPTConfig.gpt2(**SIZES, dropout=dropout))


def test_bits_per_byte_by_hand() -> None:
    """11 tokens of 0, 1, 2 or 3 bytes; the first is only read. Ten targets of 4 bits stand for
    3 + 2 + 1 + 0 + ... bytes; token 0 is the end of a document and no byte of its text."""
    ids = torch.tensor([3, 3, 2, 1, 0, 3, 2, 1, 0, 1, 1])
    held_out = HeldOut.windows(ids, 4, token_bytes=torch.tensor([0, 1, 2, 3] + [9] * 12))
    text_bytes = 3 + 2 + 1 + 0 + 3 + 2 + 1 + 0 + 1 + 1
    found = evaluate(Uniform(), NextToken(), held_out)
    assert (found.targets, found.text_bytes) == (10, text_bytes)
    assert found.loss == pytest.approx(log(16), rel=1e-6)
    assert found.perplexity == pytest.approx(16, rel=1e-6)
    assert found.bits_per_byte == pytest.approx(10 * 4 / text_bytes, rel=1e-6)


def test_without_a_text_there_are_no_bits_per_byte() -> None:
    found = Evaluation(1.0, 5)
    assert found.bits_per_byte is None and found.perplexity == e


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 40), st.integers(2, 9), st.integers(1, 8), st.integers(1, 4))
def test_each_token_but_the_first_is_a_target_once(
    number: int, length: int, shared: int, batch_size: int
) -> None:
    """Ids are places, so the targets tell which tokens are predicted, and from how many."""
    shared = min(shared, length - 1)
    held_out = HeldOut.windows(torch.arange(number), length, shared=shared, batch_size=batch_size)
    seen = []
    for batch in held_out.batches:
        assert batch["ids"].shape[0] <= batch_size and batch["ids"].shape[1] <= length
        prepared = NextToken().prepare(batch)
        assert prepared["ids"].shape[1] < length or length == 1
        for inputs, targets in zip(prepared["ids"], prepared["targets"], strict=True):
            assert torch.equal(inputs[1:], inputs[:-1] + 1)
            for place in targets[targets >= 0].tolist():
                seen.append(place)
                read = place - int(inputs[0])  # tokens before it in its window
                assert read >= min(shared, place)
    assert sorted(seen) == list(range(1, number))


@given(st.integers(2, 40), st.integers(2, 9))
def test_windows_for_masked_tokens_share_none(number: int, length: int) -> None:
    held_out = HeldOut.windows(torch.arange(number), length, shared=0)
    ids = torch.cat([batch["ids"].flatten() for batch in held_out.batches])
    assert sorted(ids.tolist()) == list(range(number))


def test_a_quick_look_takes_every_third_window() -> None:
    held_out = HeldOut.windows(torch.arange(101), 11, every=3, batch_size=100)
    assert held_out.batches[0]["ids"][:, 0].tolist() == [0, 30, 60, 90]


def test_windows_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="the text has 1 tokens, fewer than one window of 2"):
        HeldOut.windows([1], 9)
    with pytest.raises(ValueError, match=r"shared \(9\) must be at least 0 and below length \(9\)"):
        HeldOut.windows(range(20), 9, shared=9)


def test_batches_do_not_matter() -> None:
    """21 tokens, in windows one by one, or in two batches of unequal size: the mean of means would
    differ."""
    ids, model = torch.randint(30, (21,), generator=torch.Generator().manual_seed(2)), gpt()
    one, two = (
        evaluate(model, NextToken(), HeldOut.windows(ids, 6, batch_size=size)) for size in (1, 3)
    )
    assert one.loss == pytest.approx(two.loss, rel=1e-5) and one.targets == two.targets == 20


def test_examples_in_their_order() -> None:
    held_out = HeldOut.examples([{"ids": [n], "label": n} for n in range(5)], batch_size=2)
    assert [batch["label"].tolist() for batch in held_out.batches] == [[0, 1], [2, 3], [4]]
    assert held_out.text_bytes is None


def test_dropout_is_off_and_each_mode_comes_back() -> None:
    """The model of rate 0.5 is that of rate 0; a frozen part keeps its evaluation mode."""
    ids = torch.randint(30, (40,), generator=torch.Generator().manual_seed(2))
    held_out = HeldOut.windows(ids, 9)
    model = gpt(0.5).train()
    model.embeddings.eval()
    modes = [module.training for module in model.modules()]
    found = evaluate(model, NextToken(), held_out)
    assert found == evaluate(gpt(0.0), NextToken(), held_out)
    assert [module.training for module in model.modules()] == modes
    assert len(set(modes)) == 2


def test_the_mode_comes_back_after_an_error() -> None:
    model = gpt().train()
    with pytest.raises(ValueError, match="outside the vocabulary"):
        evaluate(model, NextToken(), HeldOut.windows([99, 1], 2))
    assert model.training


def test_no_gradient_and_no_generator_is_touched() -> None:
    model, before = gpt(0.5), torch.get_rng_state()
    evaluate(model, NextToken(), HeldOut.windows(range(20), 9))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_masks_are_the_same_each_time_and_differ_between_batches() -> None:
    objective = MaskedTokens(mask_id=29, vocab_size=30, special_ids=(29,), rate=0.3)
    held_out = HeldOut.windows(torch.arange(64) % 4, 8, shared=0, batch_size=4)
    model = gpt()
    one, two = (evaluate(model, objective, held_out) for _ in range(2))
    assert one == two and 10 < one.targets < 35
    generator = torch.Generator().manual_seed(0)
    prepared = [objective.prepare(batch, generator) for batch in held_out.batches]
    assert not torch.equal(prepared[0]["targets"], prepared[1]["targets"])
    assert one.targets == sum(map(objective.count, prepared))


def test_bfloat16_is_near() -> None:
    ids = torch.randint(30, (200,), generator=torch.Generator().manual_seed(2))
    held_out, model = HeldOut.windows(ids, 9), gpt()
    exact, near = (evaluate(model, NextToken(), held_out, precision=p).loss
                   for p in ("float32", "bfloat16"))  # fmt: skip
    assert exact != near and exact == pytest.approx(near, rel=0.01)


def test_held_out_data_without_a_target() -> None:
    with pytest.raises(ValueError, match="the held-out data has no target to predict"):
        evaluate(gpt(), NextToken(), HeldOut(()))


# The record.


def record() -> History:
    history = History(losses=[4.0, 3.0, 2.0, 1.0, 0.5], norms=[1.0] * 5, targets=50)
    for step, loss in ((1, 3.0), (2, 2.0), (3, 2.5), (4, 2.2)):
        history.note(step, "text", Evaluation(loss, 10, 30))
        history.note(step, "other", Evaluation(9 - loss, 10))
    return history


def test_a_curve_and_how_long_it_has_not_improved() -> None:
    history = record()
    assert [(step, found.loss) for step, found in history.curve("text")] == [
        (1, 3.0), (2, 2.0), (3, 2.5), (4, 2.2)]  # fmt: skip
    assert history.curve("text")[0][1].bits_per_byte == pytest.approx(3.0 * 10 / 30 * log2(e))
    assert history.stale("text") == 2 and history.stale("other") == 3
    assert history.stale("none") == 0
    history.note(5, "text", Evaluation(1.9, 10, 30))
    assert history.stale("text") == 0


def test_an_equal_loss_is_no_improvement() -> None:
    history = History()
    for step in range(3):
        history.note(step, "text", Evaluation(2.0, 10))
    assert history.stale("text") == 2


def test_smooth_is_a_mean_of_all() -> None:
    assert record().smooth(2) == [(2, 3.5), (4, 1.5), (5, 0.5)]
    assert History().smooth(3) == []


def test_a_record_comes_back_from_json(tmp_path) -> None:
    history = record()
    history.losses[0] = 0.1 + 0.2
    history.save(tmp_path / "history.json")
    assert History.load(tmp_path / "history.json") == history


def test_a_record_plots_itself() -> None:
    axes = record().plot()
    lines = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert lines["training"] == [[1, 4], [2, 3], [3, 2], [4, 1], [5, 0.5]]
    assert lines["text"] == [[1, 3], [2, 2], [3, 2.5], [4, 2.2]]
    assert axes.get_xlabel() == "step" and axes.get_ylabel() == "loss (nats per token)"
    matplotlib.pyplot.close(axes.figure)
