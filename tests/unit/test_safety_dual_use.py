"""Dual-use requests: the front by hand and by scikit-learn, losses, training, gradient surgery."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_curve
from torch.nn import functional as F

from llmbook.safety import dual_use
from llmbook.safety.conflict import cosine, gradient, set_gradient, surgery, trained
from llmbook.safety.dual_use import World
from llmbook.studies import dual_use as study
from llmbook.training import make_optimizers

LOG3 = math.log(3)
TWO = World(((-LOG3, LOG3),) * 2)  # two words, each three times as frequent in its own intent


class Table(torch.nn.Module):
    """Two replies whose log-odds are a parameter for each request of ``TWO``."""

    def __init__(self, logit) -> None:
        super().__init__()
        self.logit = torch.nn.Parameter(torch.as_tensor(logit, dtype=torch.float))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        logit = self.logit[2 * ids[:, 0] + ids[:, 1]]
        return torch.stack((torch.zeros_like(logit), logit), -1)[:, None]


def test_two_words_by_hand() -> None:
    """P(word 1 | harmful) = 3/4: the requests 00, 01, 10, 11 have 1, 3, 3, 9 sixteenths."""
    assert TWO.requests.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert np.allclose(TWO.harmful * 16, [1, 3, 3, 9])
    assert np.allclose(TWO.harmless * 16, [9, 3, 3, 1])
    assert np.allclose(TWO.log_odds, np.log(TWO.harmful / TWO.harmless))
    corners = dual_use.front(TWO) * 16
    assert np.allclose(corners, [[0, 16], [1, 7], [7, 1], [16, 0]])
    assert dual_use.lowest_compliance(corners / 16, 4 / 16) == pytest.approx(4 / 16)


@pytest.mark.parametrize("world", [World.of(0.4, 3), World.of(0.9, 2, last=(-1.6, 1.6))])
def test_a_world_is_two_distributions_whose_ratio_is_the_log_odds(world: World) -> None:
    for share in (world.harmless, world.harmful):
        assert share.sum() == pytest.approx(1)
    assert np.allclose(world.harmful / world.harmless, np.exp(world.log_odds))
    for harmful, exact in ((False, world.harmless), (True, world.harmful)):
        drawn = world.draw(40_000, harmful, torch.Generator().manual_seed(0))
        keys = {tuple(row): i for i, row in enumerate(world.requests.tolist())}
        counts = np.bincount([keys[tuple(row)] for row in drawn.tolist()], minlength=len(exact))
        assert np.abs(counts / 40_000 - exact).max() < 0.01


def test_a_last_word_is_a_word_of_its_own() -> None:
    world = World.of(0.4, 2, last=(-1.6, 1.6))
    assert world.vocab_size == 7 and world.first_ids == [0, 0, 5]
    assert set(world.requests[:, 2].tolist()) == {5, 6}
    with pytest.raises(ValueError, match="not symmetric"):
        World(((-1.0, 2.0),))


def test_the_front_is_scikit_learns_roc_curve_upside_down() -> None:
    world = World.of(0.4, 4)
    intent = np.repeat([0, 1], len(world.requests))
    false, true, _ = roc_curve(
        intent, np.tile(world.log_odds.round(9), 2), drop_intermediate=False,
        sample_weight=np.concatenate((world.harmless, world.harmful)),
    )  # fmt: skip
    assert np.allclose(dual_use.front(world), np.stack((false, 1 - true), 1))


def test_no_policy_lies_below_the_front() -> None:
    """All 16 that decide, and some that throw a coin."""
    corners = dual_use.front(TWO)
    coins = np.random.default_rng(0).random((50, 4))
    for policy in [*product((0, 1), repeat=4), *coins]:
        found = dual_use.outcome(np.array(policy), TWO)
        assert found.compliance >= dual_use.lowest_compliance(corners, found.over_refusal) - 1e-12
    assert dual_use.outcome(np.zeros(4), TWO) == pytest.approx((0, 1))
    assert dual_use.outcome(np.ones(4), TWO) == pytest.approx((1, 0))


@pytest.mark.parametrize("weight", [0.05, 0.3, 0.65, 0.95])
def test_the_best_policy_has_the_cost_of_the_cheapest_corner(weight: float) -> None:
    world = World.of(0.4, 4)
    cheapest = min((1 - weight) * x + weight * y for x, y in dual_use.front(world))
    assert dual_use.best(world, weight).cost(weight) == pytest.approx(cheapest)


def test_a_telling_word_moves_the_front_and_an_empty_one_does_not() -> None:
    plain, telling, empty = (
        World.of(0.4, 4, last) for last in ((), (-1.6, 1.6), (0.0, 0.0))
    )  # fmt: skip
    for over_refusal in (0.05, 0.2, 0.5):
        least, better, same = (
            dual_use.lowest_compliance(dual_use.front(world), over_refusal)
            for world in (plain, telling, empty)
        )
        assert better < 0.8 * least and same == pytest.approx(least)


def test_losses_are_cross_entropies_of_two_replies_and_the_exact_ones_their_means() -> None:
    model = dual_use.new_model(TWO, 0)
    harmless, harmful = TWO.requests[:3], TWO.requests[1:]
    for loss, ids, reply in zip(
        dual_use.losses(model, harmless, harmful), (harmless, harmful), (0, 1), strict=True
    ):
        wanted = F.cross_entropy(model(ids)[:, -1, -2:], torch.full((3,), reply))
        assert torch.isclose(loss, wanted)
    exact = dual_use.exact_losses(model, TWO)
    ninths = [torch.tensor([n for n, k in enumerate(counts) for _ in range(k)])
              for counts in ((9, 3, 3, 1), (1, 3, 3, 9))]  # fmt: skip
    drawn = dual_use.losses(model, *(TWO.requests[rows] for rows in ninths))
    assert torch.allclose(torch.stack(exact), torch.stack(drawn))


@pytest.mark.parametrize("weight", [0.2, 0.5, 0.7])
def test_where_the_weighted_loss_is_lowest_the_gradients_are_opposed(weight: float) -> None:
    """The best log-odds are w + log(weight / (1 - weight)); the lengths are as these weights."""
    found = dual_use.pull(Table(TWO.log_odds - dual_use.threshold(weight)), TWO)
    assert found.cosine == pytest.approx(-1, abs=1e-6)
    assert found.ratio == pytest.approx(weight / (1 - weight), rel=1e-5)
    start = dual_use.pull(Table(np.zeros(4)), TWO)
    assert start.cosine == pytest.approx(-36 / 100)  # -(9·1 + 3·3 + 3·3 + 1·9) / (81+9+9+1)


def test_refusals_follow_the_logit() -> None:
    model = Table([-1.0, -0.1, 0.1, 2.0])
    assert dual_use.refusals(model, TWO).tolist() == [0, 0, 1, 1]
    sampled = dual_use.refusals(model, TWO, greedy=False)
    assert np.allclose(sampled, 1 / (1 + np.exp([1, 0.1, -0.1, -2])))


@pytest.mark.parametrize(("weight", "corner"), [(0.25, (1, 7)), (0.75, (7, 1))])
def test_training_finds_the_corner_of_its_weight(weight: float, corner: tuple[int, int]) -> None:
    model = dual_use.new_model(TWO, 0)
    dual_use.train(model, TWO, weight, seed=0, steps=60)
    found = dual_use.outcome(dual_use.refusals(model, TWO), TWO)
    assert np.allclose(np.array(found) * 16, corner)


def test_a_training_is_drawn_by_its_seed_and_slows_down(monkeypatch) -> None:
    """The rate rises for 20 steps to 3/1000, and ends near a hundredth of that."""
    weights, found, rates = [], [], []
    monkeypatch.setattr(dual_use, "make_optimizers", lambda *given: found.append(
        make_optimizers(*given)) or found[-1])  # fmt: skip
    for seed in (0, 0, 1):
        model, seen = dual_use.new_model(TWO, 0), []
        dual_use.train(model, TWO, 0.5, seed, steps=40, batch_size=4, watch=seen.append)
        weights.append(model.embeddings.token.weight)
        assert seen == list(range(41))
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    first, other = (dual_use.new_model(TWO, seed).embeddings.token.weight for seed in (0, 1))
    assert not torch.equal(first, other)

    def rate(step: int) -> None:
        rates.append(found[-1][0].param_groups[0]["lr"])

    dual_use.train(dual_use.new_model(TWO, 0), TWO, 0.5, 0, steps=40, batch_size=4, watch=rate)
    assert rates[1:21] == sorted(rates[1:21]) and rates[21:] == sorted(rates[21:], reverse=True)
    assert max(rates[1:]) == pytest.approx(3e-3, rel=0.06) and rates[-1] < 1e-4


def test_requests_are_drawn_from_the_generator() -> None:
    one, again, other = (TWO.draw(50, True, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_surgery_takes_off_what_points_against_the_other() -> None:
    """(1, 0) and (-1, 1): the dot product is -1; (1, 0) + (-1, 1)/2 and (-1, 1) + (1, 0)."""
    one, other = torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 1.0])
    assert torch.allclose(surgery(one, other), torch.tensor([0.5, 0.5]) + torch.tensor([0.0, 1.0]))
    assert torch.allclose(surgery(one, one + other), 2 * one + other)
    assert torch.allclose(surgery(one, -3 * one), torch.zeros(2))


def test_surgery_of_nearly_opposed_gradients_forgets_their_lengths() -> None:
    """For -cos = k: unit vectors times (|a| + k|b|) and (|b| + k|a|), nearly the same factor."""
    random = torch.Generator().manual_seed(0)
    a = torch.randn(50, generator=random, dtype=torch.float64)
    b = -9 * a + torch.randn(50, generator=random, dtype=torch.float64)
    k, long, short = -cosine(a, b), b.norm(), a.norm()
    wanted = (short + k * long) * a / short + (long + k * short) * b / long
    assert torch.allclose(surgery(a, b), wanted)


def test_gradients_as_one_vector() -> None:
    model = dual_use.new_model(TWO, 0)
    model.embeddings.token.weight.requires_grad_(False)
    help_, safe = dual_use.exact_losses(model, TWO)
    vectors = gradient(help_, model), gradient(safe, model)
    (help_ + 2 * safe).backward()
    found = torch.cat([p.grad.flatten() for p in trained(model)])
    assert torch.allclose(found, vectors[0] + 2 * vectors[1], atol=1e-6)
    set_gradient(model, vectors[0])
    assert torch.equal(torch.cat([p.grad.flatten() for p in trained(model)]), vectors[0])
    assert cosine(*vectors) == pytest.approx(
        (vectors[0] @ vectors[1] / vectors[0].norm() / vectors[1].norm()).item(), abs=1e-5
    )


def test_training_with_surgery_ends_elsewhere() -> None:
    ends = []
    for operate in (False, True):
        model = dual_use.new_model(TWO, 0)
        dual_use.train(model, TWO, 0.1, seed=0, steps=60, operate=operate)
        ends.append(dual_use.outcome(dual_use.refusals(model, TWO, greedy=False), TWO))
    assert ends[1].over_refusal > ends[0].over_refusal + 0.02


def test_a_row_of_the_study_is_of_one_training_with_its_seed_and_method(monkeypatch) -> None:
    """A few steps in a small world leave a policy off the front, so that its gap is above 0."""
    world, train = World.of(0.4, 3), dual_use.train

    def few(*given, **more) -> None:
        train(*given, **more, steps=21)

    monkeypatch.setattr(dual_use, "train", few)
    monkeypatch.setitem(study.WORLDS, "small", world)
    row = study.run("small", surgery=True, weight=0.4, seed=3)
    model = dual_use.new_model(world, 3)
    before = dual_use.pull(model, world)
    train(model, world, 0.4, 3, steps=21, operate=True)
    after = dual_use.pull(model, world)
    greedy = dual_use.outcome(dual_use.refusals(model, world), world)
    sampled = dual_use.outcome(dual_use.refusals(model, world, greedy=False), world)
    lowest = np.interp(greedy.over_refusal, *dual_use.front(world).T)
    assert row["gap"] == pytest.approx(greedy.compliance - lowest, abs=1e-5) and row["gap"] > 0.01
    assert [row["over_refusal"], row["compliance"]] == pytest.approx(greedy, abs=1e-4)
    assert row["sampled"] == pytest.approx(sampled, abs=1e-4)
    assert row["cosines"] == pytest.approx([before.cosine, after.cosine], abs=1e-4)
    assert row["ratio"] == pytest.approx(after.ratio, abs=1e-3)


def test_a_parameter_that_a_loss_does_not_depend_on_has_gradient_zero() -> None:
    model = torch.nn.ParameterList([torch.ones(2), torch.ones(3)])
    assert gradient(model[1].sum(), model).tolist() == [0, 0, 1, 1, 1]
