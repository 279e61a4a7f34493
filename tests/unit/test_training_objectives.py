"""What is predicted from what, and which targets count: each loss by hand on a toy model."""

from __future__ import annotations

from math import log

import pytest
import torch
from torch import Tensor, nn

from llmbook.training import IGNORED, ClassLabel, MaskedTokens, NextToken, TargetTokens

# P(next | token), in tenths; token 3 is padding.
CHANCES = torch.tensor([[5, 3, 1, 1], [1, 2, 6, 1], [7, 1, 1, 1], [4, 2, 2, 2]]) / 10
A, B, C, PAD = range(4)


class Bigram(nn.Module):
    """Logits that depend on the token alone; it notes what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(CHANCES.log())
        self.seen: list[tuple] = []

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        self.seen.append((ids, mask))
        return self.table[ids]


def nats(*chances: float) -> float:
    return -sum(map(log, chances))


def test_next_token_by_hand() -> None:
    """a b c a, then c c a b: of each row the last token has no successor, the first no guess."""
    model = Bigram()
    ids = torch.tensor([[A, B, C, A], [C, C, A, B]])
    loss, targets = NextToken()(model, {"ids": ids})
    assert loss.item() == pytest.approx(nats(0.3, 0.6, 0.7, 0.1, 0.7, 0.3), rel=1e-6)
    assert targets == 6
    assert torch.equal(model.seen[0][0], ids[:, :-1])


def test_a_prompt_is_read_and_not_learned() -> None:
    """Of a b c a the answer is "c a": its first token is predicted from the prompt's last."""
    ids = torch.tensor([[A, B, C, A]])
    labels = torch.tensor([[IGNORED, IGNORED, C, A]])
    loss, targets = NextToken()(Bigram(), {"ids": ids, "labels": labels})
    assert loss.item() == pytest.approx(nats(0.6, 0.7), rel=1e-6)
    assert targets == 2


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_is_neither_predicted_nor_predicted_from(side: str) -> None:
    """a b, padded to four: one target. The end token may have the id of padding."""
    ids, mask = [A, B, PAD, PAD], [1, 1, 0, 0]
    if side == "left":
        ids, mask = ids[::-1], mask[::-1]
        ids[2:] = [A, B]
    batch = {"ids": torch.tensor([ids]), "attention_mask": torch.tensor([mask])}
    model = Bigram()
    loss, targets = NextToken()(model, batch)
    assert loss.item() == pytest.approx(nats(0.3), rel=1e-6)
    assert targets == 1
    assert torch.equal(model.seen[0][1], batch["attention_mask"][:, :-1])


def test_a_real_token_with_the_id_of_padding_is_learned() -> None:
    batch = {"ids": torch.tensor([[A, PAD, PAD]]), "attention_mask": torch.tensor([[1, 1, 0]])}
    loss, targets = NextToken()(Bigram(), batch)
    assert (loss.item(), targets) == (pytest.approx(nats(0.1), rel=1e-6), 1)


def test_labels_of_another_shape_are_refused() -> None:
    batch = {"ids": torch.tensor([[A, B, C]]), "labels": torch.tensor([[A, B]])}
    with pytest.raises(ValueError, match=r"labels \(1, 2\) must be as ids \(1, 3\)"):
        NextToken()(Bigram(), batch)


def test_the_loss_of_a_batch_is_the_sum_of_its_rows() -> None:
    ids = torch.randint(4, (5, 7), generator=torch.Generator().manual_seed(0))
    whole, targets = NextToken()(Bigram(), {"ids": ids})
    rows = [NextToken()(Bigram(), {"ids": row[None]}) for row in ids]
    assert targets == sum(count for _, count in rows) == 30
    assert whole.item() == pytest.approx(sum(loss.item() for loss, _ in rows), rel=1e-5)


def test_label_smoothing_in_training_alone() -> None:
    """With ε = 0.2 of V = 4 a target costs 0.8 of its own loss and 0.05 of each token's."""
    batch, model = {"ids": torch.tensor([[A, B]])}, Bigram()
    objective = NextToken(label_smoothing=0.2)
    loss, _ = objective(model.train(), batch)
    expected = 0.8 * nats(0.3) + 0.05 * nats(0.5, 0.3, 0.1, 0.1)
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    assert objective(model.eval(), batch)[0].item() == pytest.approx(nats(0.3), rel=1e-6)


@pytest.mark.parametrize("kind", [NextToken, TargetTokens, ClassLabel])
def test_a_wrong_smoothing_is_refused(kind) -> None:
    with pytest.raises(ValueError, match=r"label_smoothing \(1\) must be at least 0 and below 1"):
        kind(label_smoothing=1)


# Masked tokens: 1000 ids, of which 0, 1, 2 are special, 2 the mask.
MASK, SPECIAL, SIZE = 2, (0, 1, 2), 1000
MASKED = MaskedTokens(mask_id=MASK, vocab_size=SIZE, special_ids=SPECIAL)


def masked(ids: Tensor, seed: int = 0, objective: MaskedTokens = MASKED, **batch: Tensor):
    return objective.prepare({"ids": ids, **batch}, torch.Generator().manual_seed(seed))


def random_ids(rows: int, seed: int = 1) -> Tensor:
    return torch.randint(3, SIZE, (rows, 128), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("rate", [0.15, 0.4])
def test_a_share_is_chosen_and_split_80_10_10(rate: float) -> None:
    """Of 1,024,000 tokens; a share of n draws has the standard error √(p (1 - p) / n), so 0.001 for
    the 80 % of 153,600 chosen. Five of them are allowed: 0.81 or 0.09 lies outside."""
    ids = random_ids(8000)
    objective = MaskedTokens(mask_id=MASK, vocab_size=SIZE, special_ids=SPECIAL, rate=rate)
    found = masked(ids, objective=objective)
    chosen = found["targets"] != IGNORED
    hidden = found["ids"]

    def near(count: int, of: int, share: float) -> None:
        assert abs(count / of - share) < 5 * (share * (1 - share) / of) ** 0.5

    number = int(chosen.sum())
    near(number, ids.numel(), rate)
    near(int((hidden[chosen] == MASK).sum()), number, 0.8)
    kept, drawn = hidden[chosen] == ids[chosen], hidden[chosen] != ids[chosen]
    drawn &= hidden[chosen] != MASK
    near(int(drawn.sum()), number, 0.1 * (1 - 1 / 997))  # one of 997 draws is the token itself
    near(int(kept.sum()), number, 0.1 * (1 + 1 / 997))


def test_what_is_chosen_is_the_target_and_the_rest_stays() -> None:
    ids = random_ids(50)
    found = masked(ids)
    chosen = found["targets"] != IGNORED
    assert torch.equal(found["targets"][chosen], ids[chosen])
    assert torch.equal(found["ids"][~chosen], ids[~chosen])


def test_special_tokens_and_padding_are_never_chosen_nor_drawn() -> None:
    """Half the ids are special here, and the right half of each row is padding."""
    ids = random_ids(200) * torch.randint(2, (200, 128))
    ids[:, ::7] = 1
    special = ids < 3
    mask = (torch.arange(128) < 64).expand(200, 128).long()
    small = MaskedTokens(mask_id=2, vocab_size=5, special_ids=(0, 1, 2), rate=1.0)
    found = masked(ids.clamp(max=4), objective=small, attention_mask=mask)
    chosen = found["targets"] != IGNORED
    assert torch.equal(chosen, ~special & (mask == 1))
    assert set(found["ids"][chosen].unique().tolist()) == {2, 3, 4}
    assert torch.equal(found["ids"][~chosen], ids.clamp(max=4)[~chosen])
    assert torch.equal(found["attention_mask"], mask)


def test_random_tokens_are_uniform_over_the_ordinary_ones() -> None:
    """A tenth of 256,000 tokens over five ids: some 5,000 each, standard error 65."""
    objective = MaskedTokens(mask_id=5, vocab_size=7, special_ids=(5, 0), rate=1.0)
    found = masked(torch.full((2000, 128), 3), objective=objective)["ids"]
    counts = torch.bincount(found.flatten(), minlength=7)
    assert counts[0] == 0
    for token in (1, 2, 4, 6):
        assert abs(int(counts[token]) - 256000 / 50) < 5 * 72


def test_the_generator_decides() -> None:
    ids = random_ids(20)
    one, again, other = masked(ids, 0), masked(ids, 0), masked(ids, 1)
    assert torch.equal(one["ids"], again["ids"]) and torch.equal(one["targets"], again["targets"])
    assert not torch.equal(one["targets"], other["targets"])
    before = torch.get_rng_state()
    masked(ids)
    assert torch.equal(torch.get_rng_state(), before)


def test_masked_tokens_by_hand() -> None:
    """All of a b is chosen; the toy gives CHANCES whatever it reads, here under the mask, c."""
    objective = MaskedTokens(mask_id=C, vocab_size=4, special_ids=(C, PAD), rate=1.0)
    model = Bigram()
    prepared = {"ids": torch.tensor([[C, C]]), "targets": torch.tensor([[A, IGNORED]])}
    loss, targets = objective.loss(model, prepared)
    assert (loss.item(), targets) == (pytest.approx(nats(0.7), rel=1e-6), 1)


@pytest.mark.parametrize(("settings", "message"), [
    ({"rate": 0.0}, r"rate \(0.0\) must be above 0 and at most 1"),
    ({"rate": 1.5}, r"rate \(1.5\) must be above 0 and at most 1"),
    ({"mask_id": 7}, r"mask_id \(7\) must be one of special_ids"),
    ({"special_ids": (2, 1000)}, r"special_ids \(2, 1000\) must be some, not all, of 0 to "),
    ({"special_ids": (0, 1, 2), "vocab_size": 3}, r"must be some, not all, of 0 to vocab_size"),
])  # fmt: skip
def test_wrong_settings_of_masking(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MaskedTokens(**{"mask_id": 2, "vocab_size": 1000, "special_ids": (0, 2)} | settings)


class Copy(nn.Module):
    """An encoder-decoder whose logits are those of the target token it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(CHANCES.log())

    def forward(self, source, target, source_mask=None, target_mask=None) -> Tensor:
        self.given = source, target, source_mask, target_mask
        return self.table[target]


def test_target_tokens_are_read_one_behind() -> None:
    """<a> b c and <a> b, padded: the model reads the true tokens, up to the last but one."""
    model = Copy()
    batch = {
        "source": torch.tensor([[B, C], [C, PAD]]),
        "source_mask": torch.tensor([[1, 1], [1, 0]]),
        "target": torch.tensor([[A, B, C], [A, B, PAD]]),
        "target_mask": torch.tensor([[1, 1, 1], [1, 1, 0]]),
    }
    loss, targets = TargetTokens()(model, batch)
    assert loss.item() == pytest.approx(nats(0.3, 0.6, 0.3), rel=1e-6)
    assert targets == 3
    source, target, source_mask, target_mask = model.given
    assert torch.equal(source, batch["source"]) and torch.equal(target, batch["target"][:, :-1])
    assert torch.equal(source_mask, batch["source_mask"])
    assert torch.equal(target_mask, batch["target_mask"][:, :-1])


def test_target_tokens_without_masks() -> None:
    batch = {"source": torch.tensor([[B]]), "target": torch.tensor([[A, B, C]])}
    loss, targets = TargetTokens(label_smoothing=0.5)(Copy().eval(), batch)
    assert (loss.item(), targets) == (pytest.approx(nats(0.3, 0.6), rel=1e-6), 2)


class FirstToken(nn.Module):
    """Logits of four classes, from the first token of each text."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(CHANCES.log())

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        self.mask = mask
        return self.table[ids[:, 0]]


def test_class_label_by_hand() -> None:
    model = FirstToken()
    batch = {"ids": torch.tensor([[A, B], [C, PAD]]), "label": torch.tensor([0, 1]),
             "attention_mask": torch.tensor([[1, 1], [1, 0]])}  # fmt: skip
    loss, targets = ClassLabel()(model, batch)
    assert (loss.item(), targets) == (pytest.approx(nats(0.5, 0.1), rel=1e-6), 2)
    assert torch.equal(model.mask, batch["attention_mask"])


@pytest.mark.parametrize("label", [4, -1, -100])
def test_a_label_outside_the_classes_is_refused(label: int) -> None:
    batch = {"ids": torch.tensor([[A, B]]), "label": torch.tensor([label])}
    with pytest.raises(ValueError, match=rf"label {label} is outside the classes: the model has 4"):
        ClassLabel()(FirstToken(), batch)


@pytest.mark.parametrize("objective", [NextToken(), MASKED, TargetTokens(), ClassLabel()],
                         ids=lambda objective: type(objective).__name__)  # fmt: skip
def test_no_objective_changes_the_batch(objective) -> None:
    ids, ones = random_ids(4), torch.ones(4, 128, dtype=torch.long)
    batch = {"ids": ids, "attention_mask": ones, "labels": ids.clone(), "source": ids.clone(),
             "source_mask": ones.clone(), "target": ids.clone(), "target_mask": ones.clone(),
             "label": ids[:, 0].clone()}  # fmt: skip
    batch["attention_mask"][:, 100:] = 0
    batch["target_mask"][:, 100:] = 0
    before = {name: tensor.clone() for name, tensor in batch.items()}
    prepared = objective.prepare(batch, torch.Generator().manual_seed(0))
    for tensor in prepared.values():
        assert tensor.shape[0] == 4
    assert batch.keys() == before.keys()
    for name, tensor in batch.items():
        assert torch.equal(tensor, before[name]), name


def test_rows_without_a_target_cost_nothing() -> None:
    """As one of several processes may get: no loss, and a gradient of zeros."""
    model = Bigram()
    batch = {"ids": torch.tensor([[A, B]]), "labels": torch.tensor([[A, IGNORED]])}
    loss, targets = NextToken()(model, batch)
    loss.backward()
    assert (loss.item(), targets) == (0.0, 0)
    assert torch.equal(model.table.grad, torch.zeros(4, 4))


def test_logits_of_bfloat16_give_a_loss_of_float32() -> None:
    loss, _ = NextToken()(Bigram().bfloat16(), {"ids": torch.tensor([[A, B]])})
    assert loss.dtype == torch.float32
