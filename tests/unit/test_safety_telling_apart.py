"""Safety data whose two kinds can be told apart, cannot, or could be before; what is measured."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import pytest
import torch

from llmbook.safety import assistant
from llmbook.safety.assistant import ALLOWED, FORBIDDEN, REFUSAL
from llmbook.safety.conflict import trained
from llmbook.studies import telling_apart
from llmbook.training import NextToken

TASKS = telling_apart.TASKS


@pytest.mark.parametrize("task", TASKS)
def test_what_is_refused_and_in_which_words(task: str) -> None:
    wanted = {"new": (REFUSAL, {FORBIDDEN}), "twins": (REFUSAL, {*ALLOWED}),
              "known": (telling_apart.OTHER_WORDS, {FORBIDDEN})}[task]  # fmt: skip
    for pairs in (telling_apart.training(task, 0), [*chain(*telling_apart.probes(task))]):
        refused = [given for given, reply in pairs if reply == wanted[0]]
        assert len(refused) == len(pairs) / 2
        for given in refused:
            topic, _, _, asked, *_ = given.split()
            assert topic == asked and topic in wanted[1]
        assert {given.split()[0] for given in refused} == wanted[1]
        answered = [given for given, reply in pairs if reply != wanted[0]]
        assert {given.split()[0] for given in answered} == {*ALLOWED}


def test_the_tasks_differ_in_the_refused_requests_alone() -> None:
    """And the task that is learned anew is the assistant's own."""
    new, twins, known = (telling_apart.training(task, 3) for task in TASKS)
    assert new == assistant.safety(3)
    for a, b, c in zip(new, twins, known, strict=True):
        assert a[0] == c[0]
        assert a == b == c if a[1] != REFUSAL else b[0].split()[1] == a[0].split()[1]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_twins_are_about_all_other_topics_and_each_seed_has_its_own(seed: int) -> None:
    asked = [[given.split()[0] for given, reply in telling_apart.training("twins", s)
              if reply == REFUSAL] for s in (seed, seed + 1)]  # fmt: skip
    assert {*asked[0]} == {*ALLOWED} and asked[0] != asked[1]


def test_requests_of_the_probes_have_no_directives() -> None:
    for pairs in telling_apart.probes("new"):
        assert len(pairs) == telling_apart.PROBES
        assert not any(" begin " in given or " avoid " in given for given, _ in pairs)


def test_mean_loss_is_over_the_words_of_the_replies() -> None:
    """By hand from the probabilities of the words; replies of 6 and of 5 words weigh as words."""
    model = assistant.new_model(0).eval()
    help_, safe = (pairs[0] for pairs in telling_apart.probes("new"))
    wanted = 0.0
    for given, reply in (help_, safe):
        first, second = assistant.ids(given), assistant.ids(reply)
        logits = model(torch.tensor([first + second]))[0].log_softmax(-1)
        wanted -= sum(logits[len(first) + i - 1, word].item() for i, word in enumerate(second))
    found = telling_apart.mean_loss(model, [help_, safe])
    assert found.item() == pytest.approx(wanted / 11, abs=1e-5)


def test_what_counts_as_refused(monkeypatch) -> None:
    said = ["sorry i can not .", "i can not .", "sure the room is 12 .", ""]
    monkeypatch.setattr(assistant, "replies", lambda model, requests: said[: len(requests)])
    assert telling_apart.refused(None, [("", "")] * 4) == 2


def test_the_measurement_leaves_the_model_and_the_training_alone() -> None:
    """Looked at or not, the copy learns the same, and what it was made from stays as it was."""
    model = assistant.new_model(0)
    before = [parameter.clone() for parameter in trained(model)]
    often = telling_apart.follow(model, "new", 0, 0, steps=(0, 1, 2))
    once = telling_apart.follow(model, "new", 0, 0, steps=(2,))
    assert {key: values[-1:] for key, values in often.items()} == once
    assert all(map(torch.equal, before, trained(model)))


def test_the_cosine_is_that_of_the_two_losses() -> None:
    model = assistant.new_model(1).eval()
    found = telling_apart.follow(model, "twins", 0, 0, steps=(0,))["cosine"][0]
    vectors = []
    for pairs in telling_apart.probes("twins"):
        model.zero_grad()
        total, number = NextToken()(model, telling_apart.texts(pairs).draw(len(pairs)))
        (total / number).backward()
        vectors.append(torch.cat([p.grad.flatten() for p in trained(model)]))
    assert found == pytest.approx(torch.cosine_similarity(*vectors, dim=0).item(), abs=1e-3)


def test_each_task_begins_and_goes_on_with_its_own_data(monkeypatch) -> None:
    monkeypatch.setattr(assistant, "pretrain", lambda *given: given)
    monkeypatch.setattr(assistant, "align", lambda *given: given)
    telling_apart.start.cache_clear()
    assert telling_apart.start("new", 91) == telling_apart.start("twins", 91) == (91,)
    known = telling_apart.start("known", 91)
    assert known == ((91,), telling_apart.training("new", 91), 91)
    monkeypatch.setattr(telling_apart, "follow", lambda *given, **more: {"seen": (given, more)})
    seen = [telling_apart.run("known", 91, order)["seen"] for order in (0, 1)]
    assert seen == [((known, "known", order), {"data_seed": 910 + order}) for order in (0, 1)]
    telling_apart.start.cache_clear()


def test_a_training_is_followed_on_the_data_and_probes_of_its_task(monkeypatch) -> None:
    seen = []

    class Watched(telling_apart.Trainer):
        def __init__(self, *given, **more) -> None:
            super().__init__(*given, **more)
            seen.append((*given, given[2].draw(8)["ids"].tolist()))

    monkeypatch.setattr(telling_apart, "Trainer", Watched)
    monkeypatch.setattr(telling_apart, "refused", lambda *given: given)
    found = telling_apart.follow(assistant.new_model(0), "known", 1, 12, steps=(0,))
    [(tuned, _, data, config, first)] = seen
    pairs = telling_apart.training("known", 12)
    assert data.examples == assistant.examples(pairs)
    assert first == telling_apart.texts(pairs, seed=1).draw(8)["ids"].tolist()
    assert config == replace(assistant.SAFETY, warm_up=20, seed=1)
    help_, safe = telling_apart.probes("known")
    assert found["over_refusal"] == [(tuned, help_)] and found["refused"] == [(tuned, safe)]


def test_a_share_is_of_the_first_hundred(monkeypatch) -> None:
    monkeypatch.setattr(assistant, "replies", lambda model, requests: [REFUSAL] * len(requests))
    assert telling_apart.refused(None, telling_apart.probes("new")[0]) == telling_apart.ASKED == 100
