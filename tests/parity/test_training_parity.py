"""Training against plain PyTorch and against Transformers."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from transformers import GPT2Config, GPT2LMHeadModel, get_scheduler
from transformers.data.data_collator import DataCollatorForLanguageModeling
from transformers.trainer_pt_utils import LabelSmoother
from transformers.trainer_pt_utils import get_parameter_names as decayed_by_transformers

from llmbook.models import GPT, GPTConfig, load_weights
from llmbook.training import (
    IGNORED,
    Examples,
    MaskedTokens,
    NextToken,
    Trainer,
    TrainingConfig,
    learning_rate,
    parameter_groups,
)
from llmbook.training.data import collate

SIZES = {"vocab_size": 30, "context_length": 16, "d_model": 16, "num_layers": 2, "num_heads": 4}
TEXT = torch.arange(400) ** 2 % 23
ROWS = [{"ids": TEXT[n : n + 2 + (n * 5) % 12].tolist()} for n in range(24)]


def gpt(seed: int = 0) -> GPT:
    torch.manual_seed(seed)
    return GPT(GPTConfig.gpt2(**SIZES, dropout=0.0))


def test_the_loop_is_the_one_that_everybody_writes() -> None:
    """Mean loss, backward, clip, AdamW with two groups, LambdaLR: in plain PyTorch."""
    config = TrainingConfig(steps=12, batch_size=6, learning_rate=0.01, final_rate=0.1, warm_up=3,
                            weight_decay=0.3, betas=(0.9, 0.95), clip=0.3)  # fmt: skip
    model = gpt()
    history = Trainer(model, NextToken(), Examples(ROWS), config, quiet=True).fit()

    plain, data = gpt(), Examples(ROWS)
    decays = [p for n, p in plain.named_parameters() if p.dim() == 2 and "embedding" not in n]
    rest = [p for n, p in plain.named_parameters() if p.dim() == 1 or "embedding" in n]
    optimizer = torch.optim.AdamW(
        [{"params": decays, "weight_decay": 0.3}, {"params": rest, "weight_decay": 0.0}],
        lr=1.0, betas=(0.9, 0.95),
    )  # fmt: skip
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: learning_rate(s, config))
    losses = []
    for _ in range(12):
        batch = data.draw(6)
        ids, mask = batch["ids"], batch["attention_mask"]
        logits = plain(ids, mask)[:, :-1]
        targets = ids[:, 1:].masked_fill(mask[:, 1:] == 0, -100)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(plain.parameters(), 0.3)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        losses.append(loss.item())
    assert min(history.norms) > 0.3  # each step was clipped
    assert history.losses == pytest.approx(losses, abs=1e-5)
    for found, expected in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)


def test_next_token_is_the_loss_of_gpt2_in_transformers() -> None:
    torch.manual_seed(0)
    settings = GPT2Config(vocab_size=30, n_positions=16, n_embd=16, n_layer=2, n_head=4,
                          bos_token_id=None, eos_token_id=None)  # fmt: skip
    theirs = GPT2LMHeadModel(settings).eval()
    ours = gpt().eval()
    load_weights(ours, theirs.state_dict())
    batch = collate(ROWS[:6])
    labels = batch["ids"].masked_fill(batch["attention_mask"] == 0, -100)
    labels[:, 0:3] = -100  # a prompt
    loss, targets = NextToken()(ours, {**batch, "labels": labels})
    expected = theirs(batch["ids"], attention_mask=batch["attention_mask"], labels=labels).loss
    assert targets == int((labels[:, 1:] != -100).sum())
    torch.testing.assert_close(loss / targets, expected, rtol=1e-5, atol=0)


def test_label_smoothing_is_that_of_transformers() -> None:
    model = gpt().train()
    batch = collate(ROWS[:6])
    prepared = NextToken().prepare(batch)
    loss, targets = NextToken(label_smoothing=0.1).loss(model, prepared)
    logits = model(prepared["ids"], prepared["attention_mask"])
    expected = LabelSmoother(0.1)({"logits": logits}, prepared["targets"].clone())
    torch.testing.assert_close(loss / targets, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("warm_up", [0, 7])
def test_the_schedule_is_that_of_transformers_one_step_on(warm_up: int) -> None:
    """Theirs begins at 0 and wastes its first step; from there on the two are one curve."""
    config = TrainingConfig(steps=40, warm_up=warm_up, learning_rate=0.5, final_rate=0.2)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule = get_scheduler("cosine_with_min_lr", optimizer, warm_up, 40, {"min_lr_rate": 0.2})
    assert schedule.get_last_lr() == [0.0 if warm_up else 0.5]
    for step in range(40):
        optimizer.step()
        schedule.step()
        assert schedule.get_last_lr()[0] == pytest.approx(learning_rate(step, config), rel=1e-9)


def test_what_decays_is_what_decays_in_transformers_but_for_embeddings() -> None:
    """Their Trainer leaves out norms and biases; nanoGPT's groups and ours, embeddings too."""
    model = gpt()
    theirs = decayed_by_transformers(model, [nn.LayerNorm, nn.Embedding], ["bias", "norm"])
    groups = parameter_groups(model)
    ours = groups["block matrices"] + groups["matrices"]
    assert sorted(ours) == sorted(set(theirs) - {"output.weight"})


class Tokenizer:
    """What the collator of Transformers needs to know."""

    mask_token, mask_token_id, pad_token, pad_token_id = "[MASK]", 2, "[PAD]", 0

    def __len__(self) -> int:
        return 1000

    def get_special_tokens_mask(self, ids, already_has_special_tokens=False) -> list[int]:
        return [int(i < 3) for i in ids]

    def convert_tokens_to_ids(self, token: str) -> int:
        return 2

    def pad(self, examples, **kwargs):
        return {"input_ids": torch.stack([torch.tensor(e["input_ids"]) for e in examples])}


def test_masking_has_the_shares_of_the_collator_of_transformers() -> None:
    """Of 320,000 tokens. They differ in one thing: theirs draws special tokens at random too."""
    ids = torch.randint(3, 1000, (2500, 128), generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    collator = DataCollatorForLanguageModeling(Tokenizer(), mlm_probability=0.15)
    masked, labels = collator.torch_mask_tokens(ids.clone(), special_tokens_mask=ids < 3)
    objective = MaskedTokens(mask_id=2, vocab_size=1000, special_ids=(0, 1, 2))
    ours = objective.prepare({"ids": ids}, torch.Generator().manual_seed(0))

    def shares(hidden: torch.Tensor, targets: torch.Tensor) -> list[float]:
        chosen = targets != IGNORED
        under_mask = (hidden == 2) & chosen
        return [float(share) for share in (
            chosen.float().mean(), under_mask.sum() / chosen.sum(),
            ((hidden == ids) & chosen).sum() / chosen.sum())]  # fmt: skip

    assert shares(ours["ids"], ours["targets"]) == pytest.approx(shares(masked, labels), abs=0.006)
