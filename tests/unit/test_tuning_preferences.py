"""The loss of a pair by hand, the sum over exactly the answer, a reference that stands still."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from llmbook.models import GPT, GPTConfig
from llmbook.tokenizers import BPETokenizer, train_bpe
from llmbook.training import Examples, HeldOut, Trainer, TrainingConfig, evaluate
from llmbook.training.data import collate
from llmbook.tuning import encode_instructions
from llmbook.tuning.preferences import (
    DPO,
    Preference,
    both_sides,
    bradley_terry_loss,
    dpo_loss,
    encode_preferences,
    reference_log_probs,
    sequence_log_probs,
)

END = "<|endoftext|>"
PAIRS = [Preference("Two?", "yes", "no no no"), Preference("One or two?", "no no", "yes")]


@pytest.fixture(scope="module")
def tokenizer() -> BPETokenizer:
    text = "Question: Answer: yes no " * 20
    return train_bpe([text], vocab_size=290, special_tokens=[END])


def model(dropout: float = 0.0, seed: int = 0) -> GPT:
    torch.manual_seed(seed)
    return GPT(GPTConfig.gpt2(vocab_size=290, context_length=64, d_model=16, num_layers=2,
                              num_heads=2, dropout=dropout))  # fmt: skip


class Fixed(nn.Module):
    """Gives token v the probability 2 to the -(v + 1), whatever it reads; v of 0, 1, 2, 3."""

    def forward(self, ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        logits = torch.tensor([0.5, 0.25, 0.125, 0.125]).log()
        return logits.expand(*ids.shape, 4)


def test_the_log_probability_is_the_sum_over_the_answer_alone() -> None:
    """Answer 1, 2 after the prompt 3, 0: log 1/4 + log 1/8 = -5 log 2. A mean would be -2.5."""
    ids = torch.tensor([[3, 0, 1, 2], [3, 0, 0, 0]])
    labels = torch.tensor([[-100, -100, 1, 2], [-100, -100, 0, -100]])
    found = sequence_log_probs(Fixed(), ids, labels)
    assert found.tolist() == pytest.approx([-5 * math.log(2), -math.log(2)])


def test_a_label_is_read_one_place_earlier() -> None:
    """The model says after token v, with certainty, v + 1."""

    def counts(ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return 50.0 * nn.functional.one_hot((ids + 1) % 4, 4)

    ids = torch.tensor([[0, 1, 2, 3]])
    labels = torch.tensor([[-100, -100, 2, 3]])
    assert sequence_log_probs(counts, ids, labels).item() == pytest.approx(0, abs=1e-6)


def test_bad_labels_are_refused() -> None:
    ids = torch.tensor([[0, 1]])
    with pytest.raises(ValueError, match="first token"):
        sequence_log_probs(Fixed(), ids, ids)
    with pytest.raises(ValueError, match="must be as ids"):
        sequence_log_probs(Fixed(), ids, ids[:, :1])


def test_the_loss_of_three_pairs_by_hand() -> None:
    """Differences of the log-ratios: 0, 1 + 2 = 3 and -2 - 2 = -4; times beta = 1/2.

    -log sigmoid(x) = log(1 + e^-x), with x = 0, 1.5 and -2.
    """
    reference = torch.tensor([[-5.0, -9.0], [-5.0, -6.0], [-4.0, -8.0]])
    policy = reference + torch.tensor([[1.0, 1.0], [1.0, -2.0], [-2.0, 2.0]])
    wanted = [math.log(2), math.log(1 + math.exp(-1.5)), math.log(1 + math.exp(2))]
    assert dpo_loss(policy, reference, 0.5).tolist() == pytest.approx(wanted)


def test_bradley_terry_is_the_share_of_wins() -> None:
    """Rewards log 3 and 0: the first wins 3 of 4."""
    loss = bradley_terry_loss(torch.tensor([math.log(3.0)]), torch.zeros(1))
    assert math.exp(-loss.item()) == pytest.approx(0.75)


def test_the_gradient_is_weighted_by_how_wrong_the_pair_is() -> None:
    """Rafailov et al. (2023), the gradient of section 4: beta * sigmoid(-margin), up and down."""
    policy = torch.tensor([[0.0, 0.0], [3.0, -3.0]], requires_grad=True)
    dpo_loss(policy, torch.zeros(2, 2), 0.5).sum().backward()
    weights = [0.5 * 0.5, 0.5 / (1 + math.exp(3))]
    assert policy.grad[:, 0].tolist() == pytest.approx([-w for w in weights])
    assert policy.grad[:, 1].tolist() == pytest.approx(weights)


def test_pairs_are_encoded_as_instructions_are(tokenizer: BPETokenizer) -> None:
    examples = encode_preferences(tokenizer, PAIRS)
    rows = both_sides(collate(examples))
    for side, column in (("chosen", 0), ("rejected", 1)):
        alone = encode_instructions(tokenizer, [(p.question, getattr(p, side)) for p in PAIRS])
        for pair, wanted in enumerate(alone):
            place, length = pair + 2 * column, len(wanted["ids"])
            assert rows["ids"][place, :length].tolist() == wanted["ids"]
            assert rows["labels"][place, :length].tolist() == wanted["labels"]
            assert (rows["labels"][place, length:] == -100).all()
            assert rows["attention_mask"][place].sum() == length
    with pytest.raises(ValueError, match="answer of pair 0 is empty"):
        encode_preferences(tokenizer, [Preference("Two?", " ", "no")])


def test_the_reference_is_that_of_each_pair_alone(tokenizer: BPETokenizer) -> None:
    """Padding, batches and dropout change nothing."""
    gpt, examples = model(dropout=0.5), encode_preferences(tokenizer, PAIRS * 2)
    gpt.train()
    found = reference_log_probs(gpt, examples, batch_size=3)
    assert gpt.training
    gpt.eval()
    for row, example in zip(found, examples, strict=True):
        for column, side in enumerate(("chosen", "rejected")):
            ids = torch.tensor([example[side]])
            labels = ids.clone()
            labels[:, : example["prompt"]] = -100
            alone = sequence_log_probs(gpt, ids, labels)
            assert row[column].item() == pytest.approx(alone.item(), abs=1e-4)


def test_the_mask_of_a_token_is_its_own() -> None:
    """Of the ids that the model reads, the last being a target alone; padding on either side."""
    seen = []

    def watched(ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        seen.append((ids.tolist(), mask.tolist()))
        return Fixed()(ids)

    mask = torch.tensor([[0, 1, 1, 1], [1, 1, 1, 0]])
    ids = torch.tensor([[0, 3, 2, 1], [3, 2, 1, 0]])
    sequence_log_probs(watched, ids, torch.full((2, 4), -100), mask)
    assert seen == [([[0, 3, 2], [3, 2, 1]], [[0, 1, 1], [1, 1, 1]])]


def test_a_token_0_in_an_answer_counts() -> None:
    """0 is what pads too; the mask alone tells the two apart."""
    rows = both_sides(collate([{"chosen": [5, 0, 7], "rejected": [5, 0], "prompt": 1, "pair": 0}]))
    assert rows["labels"].tolist() == [[-100, 0, 7], [-100, 0, -100]]
    assert rows["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]


def test_training_begins_at_ln_2_in_spite_of_dropout_and_learns_the_pairs(tokenizer) -> None:
    gpt, examples = model(dropout=0.3), encode_preferences(tokenizer, PAIRS * 8)
    reference = reference_log_probs(gpt, examples)
    objective = DPO(reference, beta=0.5)
    config = TrainingConfig(steps=20, batch_size=8, learning_rate=3e-3, weight_decay=0.0)
    history = Trainer(gpt, objective, Examples(examples), config, quiet=True).fit()
    assert history.losses[0] == pytest.approx(math.log(2), abs=1e-5)
    assert history.losses[-1] < 0.3
    moved = reference_log_probs(gpt, examples) - reference
    assert (moved[:, 0] > moved[:, 1]).all()
    found = evaluate(gpt, objective, HeldOut.examples(examples, batch_size=5))
    assert found.targets == 16
    assert found.loss == pytest.approx(dpo_loss(reference + moved, reference, 0.5).mean().item(),
                                       rel=1e-3)  # fmt: skip


def test_each_pair_meets_its_own_reference(tokenizer: BPETokenizer) -> None:
    """Drawn in another order, a model against itself still has the loss ln 2 in every pair."""
    gpt, examples = model(), encode_preferences(tokenizer, PAIRS * 4)
    objective = DPO(reference_log_probs(gpt, examples))
    assert objective.beta == 0.1
    loss, number = objective(gpt, Examples(examples, seed=3).draw(8))
    assert number == 8
    assert loss.item() == pytest.approx(8 * math.log(2), abs=1e-4)


@pytest.mark.parametrize("beta", [0.0, -1.0, float("inf")])
def test_an_impossible_beta_is_refused(beta: float) -> None:
    with pytest.raises(ValueError, match="beta"):
        DPO(torch.zeros(1, 2), beta)
    with pytest.raises(ValueError, match="beta"):
        dpo_loss(torch.zeros(1, 2), torch.zeros(1, 2), beta)


def test_a_reference_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(N, 2\)"):
        DPO(torch.zeros(4))
