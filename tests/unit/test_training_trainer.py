"""The loop: accumulated batches are one, clipping, evaluation, early stop, and what stops it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from llmbook.models import GPT, BertConfig, BertForMaskedTokens, GPTConfig, Seq2Seq, Seq2SeqConfig
from llmbook.training import (
    CheckpointError,
    ClassLabel,
    Examples,
    HeldOut,
    MaskedTokens,
    NextToken,
    TargetTokens,
    TokenWindows,
    Trainer,
    TrainingConfig,
    TrainingError,
    evaluate,
)
from llmbook.training.checkpoints import latest_checkpoint, load_checkpoint

SIZES = {"vocab_size": 30, "context_length": 16, "d_model": 16, "num_layers": 2, "num_heads": 4}
TEXT = torch.arange(400) ** 2 % 23  # a pattern that can be learned
# Texts of 2 to 13 tokens, so batches differ in their number of targets.
UNEQUAL = [{"ids": TEXT[n : n + 2 + (n * 5) % 12].tolist()} for n in range(24)]


def gpt(seed: int = 0, **settings) -> GPT:
    torch.manual_seed(seed)
    return GPT(GPTConfig.gpt2(**SIZES | {"dropout": 0.0} | settings))


def config(**settings) -> TrainingConfig:
    return TrainingConfig(**{"steps": 6, "batch_size": 4, "learning_rate": 0.01} | settings)


def trainer(model: nn.Module | None = None, data=None, **settings) -> Trainer:
    more = {name: settings.pop(name) for name in ("evaluate", "directory") if name in settings}
    model = gpt() if model is None else model
    data = TokenWindows(TEXT, 17) if data is None else data
    return Trainer(model, NextToken(), data, config(**settings), quiet=True, **more)


def weights(model: nn.Module) -> Tensor:
    return nn.utils.parameters_to_vector(model.parameters()).detach()


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_accumulated_batches_are_one_large_batch(optimizer: str) -> None:
    """6 x 2 and 3 x 4 texts of unequal length: a mean of means would weigh them wrongly."""
    runs = []
    for batch_size, accumulate in ((12, 1), (2, 6), (4, 3)):
        model = gpt()
        run = trainer(model, Examples(UNEQUAL), batch_size=batch_size, accumulate=accumulate,
                      optimizer=optimizer)  # fmt: skip
        runs.append((run.fit(), weights(model)))
    for history, found in runs[1:]:
        assert history.losses == pytest.approx(runs[0][0].losses, abs=2e-5)
        assert history.norms == pytest.approx(runs[0][0].norms, rel=1e-3)
        assert history.targets == runs[0][0].targets
        torch.testing.assert_close(found, runs[0][1], rtol=0, atol=2e-3 if optimizer == "muon" else
                                   2e-4)  # fmt: skip


def test_the_loss_is_the_mean_over_all_targets() -> None:
    """At step 0 the weights are the first ones, so the loss is that of an evaluation."""
    model = gpt()
    rows = [{**row} for row in UNEQUAL]
    expected = evaluate(model, NextToken(), HeldOut.examples(rows, batch_size=5))
    history = trainer(model, Examples(rows), batch_size=8, accumulate=3, steps=1).fit()
    assert history.losses[0] == pytest.approx(expected.loss, rel=1e-5)
    assert history.targets == expected.targets


def test_the_gradient_is_clipped_before_the_update(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the optimizer sees has norm 0.1; the history has the norm that it had."""
    run = trainer(clip=0.1, steps=3)
    (optimizer,) = run.optimizers
    seen, step = [], optimizer.step

    def watch() -> None:
        gradients = [p.grad for p in run.model.parameters() if p.grad is not None]
        seen.append(torch.cat([gradient.flatten() for gradient in gradients]).norm().item())
        step()

    monkeypatch.setattr(optimizer, "step", watch)
    history = run.fit()
    assert seen == pytest.approx([0.1] * 3, rel=1e-4)
    assert min(history.norms) > 0.2


def test_clip_0_clips_nothing() -> None:
    free, wide = (trainer(clip=clip).fit() for clip in (0.0, 1e9))
    assert free.losses == wide.losses


def test_each_step_has_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all groups of all optimizers: 1/2, 1, then down to a tenth in four steps."""
    run = trainer(optimizer="muon", warm_up=2, final_rate=0.1, learning_rate=0.01)
    rates: list[set[float]] = []
    for optimizer in run.optimizers:
        step = optimizer.step
        monkeypatch.setattr(optimizer, "step", lambda o=optimizer, step=step: (
            rates.append({group["lr"] for group in o.param_groups}), step()))  # fmt: skip
    run.fit()
    expected = [0.005, 0.01, 0.01 * (0.1 + 0.9 * (1 + 2**-0.5) / 2), 0.0055]
    assert [min(found) for found in rates[:8:2]] == pytest.approx(expected)
    assert min(rates[-1]) == pytest.approx(0.001)
    assert all(len(found) == 1 for found in rates) and rates[::2] == rates[1::2]


def test_a_pattern_is_learned_and_the_record_says_so() -> None:
    held_out = {"text": HeldOut.windows(TEXT, 17)}
    history = trainer(steps=60, evaluate_every=20, evaluate=held_out, warm_up=5).fit()
    curve = history.curve("text")
    assert [step for step, _ in curve] == [20, 40, 60]
    assert curve[-1][1].loss < 0.7 * history.losses[0]
    assert len(history.losses) == len(history.norms) == 60
    assert history.targets == 60 * 4 * 16 and history.cpu_seconds > 0


def test_without_evaluate_every_only_the_end_is_evaluated() -> None:
    held_out = {"one": HeldOut.windows(TEXT, 17), "two": HeldOut.windows(TEXT[:50], 17)}
    history = trainer(evaluate=held_out).fit()
    assert [(row["step"], row["name"]) for row in history.evaluations] == [(6, "one"), (6, "two")]


def test_bfloat16_stays_near_and_keeps_weights_in_float32() -> None:
    exact, model = trainer().fit(), gpt()
    near = trainer(model, precision="bfloat16").fit()
    assert exact.losses != near.losses
    assert exact.losses == pytest.approx(near.losses, rel=0.02)
    assert weights(model).dtype == torch.float32


def test_the_seed_decides_and_dropout_follows_it() -> None:
    runs = [trainer(gpt(dropout=0.3), seed=seed).fit().losses for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_the_seed_decides_what_is_masked() -> None:
    objective = MaskedTokens(mask_id=29, vocab_size=30, special_ids=(29,), rate=0.3)
    losses = [
        Trainer(gpt(), objective, TokenWindows(TEXT, 16), config(seed=seed), quiet=True)
        .fit()
        .losses
        for seed in (1, 1, 2)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_training_in_parts_is_training() -> None:
    run, whole = trainer(gpt(dropout=0.3)), trainer(gpt(dropout=0.3)).fit()
    assert len(run.fit(until=2).losses) == run.step == 2
    assert run.fit(until=2).losses == whole.losses[:2]
    assert run.fit().losses == whole.losses
    assert run.fit().losses == whole.losses  # the end is the end


def test_training_mode_in_training_and_evaluation_in_between() -> None:
    """The loss of dropout 0.5 differs from that without; the evaluations of the two agree at a
    rate that moves nothing."""
    held_out = {"text": HeldOut.windows(TEXT, 17)}
    settings = {"learning_rate": 1e-30, "weight_decay": 0.0, "evaluate_every": 1, "steps": 3}
    runs = [trainer(gpt(dropout=rate).eval(), evaluate=held_out, **settings).fit()
            for rate in (0.0, 0.5)]  # fmt: skip
    losses = [[found.loss for _, found in run.curve("text")] for run in runs]
    assert losses[0] == losses[1]
    assert all(abs(a - b) > 1e-5 for a, b in zip(runs[0].losses, runs[1].losses, strict=True))


# Early stop.


def overfit(**settings) -> tuple[GPT, Trainer]:
    """Four texts to learn by heart, and a held-out one that has nothing to do with them."""
    model = gpt()
    other = torch.randint(30, (200,), generator=torch.Generator().manual_seed(4))
    held_out = {"other": HeldOut.windows(other, 17)}
    run = trainer(model, Examples(UNEQUAL[:4]), steps=40, evaluate_every=2, evaluate=held_out,
                  learning_rate=0.02, **settings)  # fmt: skip
    return model, run


def test_patience_stops_and_gives_back_the_best_weights() -> None:
    model, run = overfit(patience=3)
    history = run.fit()
    losses = [found.loss for _, found in history.curve("other")]
    best = losses.index(min(losses))
    assert len(losses) == best + 4 and run.step == 2 * len(losses) < 40
    found = evaluate(model, NextToken(), run.held_out["other"])
    assert found.loss == min(losses)


def test_without_patience_the_last_weights_stay() -> None:
    model, run = overfit()
    history = run.fit()
    assert run.step == 40
    found = evaluate(model, NextToken(), run.held_out["other"])
    assert found.loss == history.curve("other")[-1][1].loss > history.curve("other")[0][1].loss


def test_a_stopped_run_that_is_resumed_stays_stopped(tmp_path: Path) -> None:
    model, run = overfit(patience=3, directory=tmp_path)
    history = run.fit()
    again, resumed = overfit(patience=3, directory=tmp_path)
    assert resumed.fit(resume=True) == history
    assert torch.equal(weights(again), weights(model))


# Every model of the book.


def test_a_bert_learns_masked_tokens() -> None:
    torch.manual_seed(0)
    bert = BertForMaskedTokens(BertConfig(**SIZES, d_hidden=32, dropout=0.0))
    objective = MaskedTokens(mask_id=29, vocab_size=30, special_ids=(29,), rate=0.3)
    run = Trainer(bert, objective, TokenWindows(TEXT, 16), config(steps=40), quiet=True)
    losses = run.fit().losses
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])


def test_a_seq2seq_learns_to_copy() -> None:
    torch.manual_seed(0)
    model = Seq2Seq(Seq2SeqConfig(**SIZES, d_hidden=32, dropout=0.0))
    rows = [{"source": [5 + n % 3] * (2 + n % 4), "target": [1] + [5 + n % 3] * (1 + n % 4) + [2]}
            for n in range(20)]  # fmt: skip
    run = Trainer(model, TargetTokens(0.1), Examples(rows), config(steps=40), quiet=True)
    losses = run.fit().losses
    assert losses[-1] < 0.5 * losses[0]


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(30, 8), nn.Linear(8, 3)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.head((self.embedding(ids) * mask[..., None]).sum(1))


def test_a_classifier_learns() -> None:
    torch.manual_seed(0)
    rows = [{"ids": [n % 3] * (1 + n % 4), "label": n % 3} for n in range(20)]
    run = Trainer(Classifier(), ClassLabel(), Examples(rows), config(steps=60), quiet=True)
    losses = run.fit().losses
    assert losses[-1] < 0.5 * losses[0]


def test_a_label_outside_the_classes_stops_it() -> None:
    run = Trainer(Classifier(), ClassLabel(), Examples([{"ids": [1], "label": 3}]), config())
    with pytest.raises(ValueError, match="label 3 is outside the classes: the model has 3, 0 to 2"):
        run.fit()


# What stops a run.


class Bad(nn.Module):
    """A GPT whose logits turn bad at one call: ``spoil`` makes of them what it likes."""

    def __init__(self, at: int, spoil) -> None:
        super().__init__()
        self.gpt, self.at, self.spoil, self.calls = gpt(), at, spoil, 0

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        self.calls += 1
        logits = self.gpt(ids, mask)
        return self.spoil(logits) if self.calls == self.at + 1 else logits


class InfiniteGradient(torch.autograd.Function):
    @staticmethod
    def forward(context, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        return gradient / 0


@pytest.mark.parametrize(("spoil", "said"), [
    (lambda logits: logits * float("nan"), "the loss is nan"),
    (lambda logits: logits - torch.tensor(float("inf")), "the loss is nan"),
    (lambda logits: logits.masked_fill(torch.arange(30) < 29, -float("inf")), "the loss is inf"),
    (InfiniteGradient.apply, "the norm of its gradient (nan|inf)"),
])  # fmt: skip
def test_a_loss_or_gradient_that_is_not_finite(spoil, said: str, tmp_path: Path) -> None:
    """Step 5 fails: it is named, the weights are those of step 4, the checkpoint of 4 is whole."""
    model = Bad(5, spoil)
    run = trainer(model, steps=20, save_every=2, directory=tmp_path)
    with pytest.raises(TrainingError, match="step 5: ") as error:
        run.fit()
    assert re.search(said, str(error.value))
    assert "checkpoint-000004 is whole: lower learning_rate" in str(error.value)
    assert weights(model).isfinite().all() and len(run.history.losses) == 5
    tensors, facts = load_checkpoint(latest_checkpoint(tmp_path))
    assert facts["step"] == 4 and len(facts["history"]["losses"]) == 4
    assert all(tensor.isfinite().all() for tensor in tensors["model"].values())


def test_a_bad_first_step_keeps_the_checkpoint_of_the_start(tmp_path: Path) -> None:
    run = trainer(Bad(0, lambda logits: logits * float("nan")), directory=tmp_path)
    with pytest.raises(TrainingError, match=r"step 0: .*checkpoint-000000 is whole"):
        run.fit()
    assert load_checkpoint(latest_checkpoint(tmp_path))[1]["step"] == 0


def test_a_step_without_a_target() -> None:
    rows = [{"ids": [1, 2, 3], "labels": [-100] * 3}] * 4
    with pytest.raises(TrainingError, match="step 0 has no target to learn: use larger batches"):
        trainer(data=Examples(rows)).fit()


def test_patience_needs_something_to_judge_by() -> None:
    with pytest.raises(ValueError, match="patience needs held-out data"):
        trainer(patience=1, evaluate_every=1)


def test_several_processes_without_accelerate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(TrainingError, match="2 processes were started, and they need Accelerate"):
        trainer()


def test_one_process_needs_no_accelerate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setitem(sys.modules, "accelerate", None)
    assert len(trainer(steps=1).fit().losses) == 1


def test_nothing_is_written_without_a_directory(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    trainer(save_every=1).fit()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(CheckpointError, match="nothing to resume: name the directory"):
        trainer().fit(resume=True)


def test_the_bar_is_quiet_when_asked_to_be(capsys) -> None:
    trainer(steps=2).fit()
    assert capsys.readouterr().err == ""
    Trainer(gpt(), NextToken(), TokenWindows(TEXT, 17), config(steps=2)).fit()
    assert "0/2" in capsys.readouterr().err or os.environ.get("TQDM_DISABLE")
