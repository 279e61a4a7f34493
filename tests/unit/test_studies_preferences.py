"""The rule of the preferences, what it does not see, and the variant that takes means."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from llmbook.studies import preferences, stored
from llmbook.tuning import DPO


def test_the_words_of_a_name() -> None:
    found = preferences.name_words("What does HTTPServer.get_closest do?")
    assert found == ["http", "server", "get", "closest"]


def test_the_seed_draws_the_questions_and_no_held_out_answer_was_read() -> None:
    one, other = preferences.draw("train", 50, 0), preferences.draw("train", 50, 1)
    assert one[:20] == preferences.draw("train", 20, 0) != other[:20]
    held, seen = preferences.draw("validation", 50, 0), preferences.draw("train", 10**6, 0)
    assert not {answer for _, answer in held} & {answer for _, answer in seen}


def test_each_stored_training_began_at_ln_2_and_the_leash_orders_the_wins() -> None:
    rows = stored.load(preferences.NAME)
    for row in rows:
        if row["labels"] != "none":
            assert row["first loss"] == pytest.approx(np.log(2), abs=1e-4)
            assert row["curve"][0][1:3] == [0, 0]
    wins = [np.mean([row["win"] for row in stored.select(rows, labels="rule", beta=beta)])
            for beta in preferences.BETAS]  # fmt: skip
    assert wins == sorted(wins)


class Even(torch.nn.Module):
    """Of two tokens each has the probability 1/2."""

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.zeros(*ids.shape, 2)


def test_means_are_sums_divided_by_the_tokens_that_count() -> None:
    """Two tokens against one, the reference sure of both: the sums differ by ln 2, the means not.

    So the loss of sums is -ln sigma(-ln 2) = ln 3, that of means ln 2.
    """
    batch = {"chosen": torch.tensor([[0, 1, 1]]), "chosen_mask": torch.ones(1, 3),
             "rejected": torch.tensor([[0, 1]]), "rejected_mask": torch.ones(1, 2),
             "prompt": torch.tensor([1]), "pair": torch.tensor([0])}  # fmt: skip
    means, number = preferences.MeanDPO(torch.zeros(1, 2), beta=3.0)(Even(), batch)
    sums, _ = DPO(torch.zeros(1, 2), beta=1.0)(Even(), batch)
    assert number == 1
    assert (means.item(), sums.item()) == pytest.approx((np.log(2), np.log(3)))
