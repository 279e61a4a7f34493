"""The small task for searches: schedules, range test, one trial, and the three searches."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from llmbook import trials
from llmbook.studies import search, stored
from llmbook.trials import Part, Trial, range_test, rate_factor, run


@pytest.fixture(scope="module")
def task() -> trials.Task:
    """Three directions and a little noise: learned in a few steps."""
    random = torch.Generator().manual_seed(0)
    made = {}
    for name, number in (("train", 20), ("validation", 10), ("test", 10)):
        labels = torch.arange(3).repeat_interleave(number)
        vectors = torch.eye(3, 12)[labels] + 0.1 * torch.randn(3 * number, 12, generator=random)
        made[name] = Part(nn_normal(vectors), labels)
    return made


def nn_normal(vectors: torch.Tensor) -> torch.Tensor:
    return vectors / vectors.norm(dim=1, keepdim=True)


def test_the_rate_rises_and_falls() -> None:
    found = [rate_factor(step, 10, 0.2) for step in range(10)]
    assert found[:3] == [0.5, 1.0, 1.0]
    assert found[6] == pytest.approx(0.5) and found == [*found[:2], *sorted(found[2:])[::-1]]
    assert found[-1] == pytest.approx(0.5 * (1 + math.cos(math.pi * 7 / 8)))
    assert {rate_factor(step, 10, decay=False) for step in range(10)} == {1.0}


def test_a_trial_learns_and_its_seed_decides(task: trials.Task) -> None:
    state = torch.get_rng_state()
    seen: list[tuple[int, float]] = []
    one = run(Trial(0.01, epochs=4), task, lambda *found: seen.append(found))
    assert torch.equal(torch.get_rng_state(), state)
    assert seen == list(enumerate(one.curve, 1)) and one.curve[-1] == one.validation
    assert one.validation == one.right.mean() > 0.9
    assert one.test == one.test_right.mean() > 0.9
    assert len(one.losses) == 4 * 2 and one.losses[-1] < one.losses[0]
    assert run(Trial(0.01, epochs=4), task).losses == one.losses
    assert run(Trial(0.01, epochs=4, seed=1), task).losses != one.losses


@pytest.mark.parametrize("optimizer", trials.OPTIMIZERS)
def test_the_schedule_reaches_the_optimizer(task: trials.Task, optimizer: str, monkeypatch) -> None:
    rates: list[float] = []
    step = trials._Training.step

    def spying(training, places, rate):
        rates.append(rate)
        loss = step(training, places, rate)
        assert training.optimizer.param_groups[0]["lr"] == rate
        return loss

    monkeypatch.setattr(trials._Training, "step", spying)
    run(Trial(0.02, optimizer, epochs=2, warm_up=0.5), task)
    assert rates == pytest.approx([0.01, 0.02, 0.02, 0.01])


def test_dropout_is_off_when_it_is_judged(task: trials.Task) -> None:
    network = trials.new_network(Trial(0.01, dropout=0.9), 12, 3)
    assert (trials.judge(network, task["test"]) == trials.judge(network, task["test"])).all()


def test_the_range_test_rises_by_a_factor_and_does_not_end_early(task: trials.Task) -> None:
    rates, losses = range_test(Trial(1.0), task, 1e-4, 1e-1, 7)
    assert len(losses) == 7 and rates == pytest.approx(np.geomspace(1e-4, 1e-1, 7))
    assert losses[0] == pytest.approx(math.log(3), abs=0.5)


@pytest.mark.parametrize(
    "wrong",
    [{"optimizer": "lion"}, {"learning_rate": 0.0}, {"dropout": 1.0}, {"warm_up": 1.0},
     {"width": 0}, {"weight_decay": -1.0}],
)  # fmt: skip
def test_a_wrong_trial_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Trial(**{"learning_rate": 0.1, **wrong})


def test_no_module_is_in_two_parts_and_the_parts_are_balanced(monkeypatch) -> None:
    parts = []
    monkeypatch.setattr(trials, "text_vectors", lambda _, rows: torch.zeros(len(rows), 2))
    monkeypatch.setattr(trials, "lean_minilm", lambda: None)
    records = {r.text: r for r in trials.corpora.package_labels()}
    monkeypatch.setattr(trials, "token_ids", lambda texts, _: parts.append(texts) or texts)
    task = trials.package_task.__wrapped__()
    for (name, part), texts in zip(task.items(), parts, strict=True):
        assert torch.bincount(part.labels).tolist() == [trials.PARTS[name][0]] * 8
        assert [trials.PACKAGES[k] for k in part.labels] == [records[t].label for t in texts]
    modules = [{records[t].document for t in texts} for texts in parts]
    assert not (modules[0] & modules[1] or modules[0] & modules[2] or modules[1] & modules[2])


def asked(method: str, number: int, seed: int) -> list[dict]:
    found: list[dict] = []

    def score(config: dict) -> float:
        found.append(config)
        return -abs(math.log10(config["learning_rate"]) + 2)

    search.search(method, number, seed, score)
    return found


def test_the_searches_ask_for_what_they_should() -> None:
    for budget in search.BUDGETS:
        grid = asked("grid", budget, 0)
        assert len({tuple(c.values()) for c in grid}) == budget
        assert asked("grid", budget, 1) == grid
    random, tpe = asked("random", 20, 3), asked("TPE", 20, 3)
    assert random[:10] == tpe[:10] and random[10:] != tpe[10:]
    assert asked("random", 20, 4)[0] != random[0]
    rates = [c["learning_rate"] for seed in range(20) for c in asked("random", 9, seed)]
    assert 0.4 < np.mean(np.array(rates) < 0.01) < 0.6  # half of the powers of ten
    away = [
        np.mean(
            [
                abs(math.log10(c["learning_rate"]) + 2)
                for seed in range(5)
                for c in asked(method, 36, seed)[10:]
            ]
        )
        for method in ("random", "TPE")
    ]
    assert away[1] < away[0] / 1.5


def test_what_is_right_comes_back_from_its_digits() -> None:
    for row in stored.load(search.NAME)[::7]:
        right = search.right(row)
        assert right.shape == (row["trials"], 320)
        assert right.mean(axis=1) == pytest.approx(row["validation"], abs=1e-4)
