"""The rule of the preferences, what it does not see, and the variant that takes means."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from llmbook.studies import preferences, stored
from llmbook.training import IGNORED, HeldOut, NextToken
from llmbook.tuning import DPO
from llmbook.tuning.preferences import Preference


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
    """Of two tokens each has the probability 1/2; while it trains, the first has 2/3."""

    def __init__(self) -> None:
        super().__init__()
        self.even = torch.nn.Parameter(torch.zeros(2))

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        logits = self.even + self.training * torch.tensor([np.log(2), 0.0])
        return logits.expand(*ids.shape, 2)


def test_means_are_sums_divided_by_the_tokens_that_count() -> None:
    """Two tokens of 1/2 each, to which the reference gave 1/16, against one, to which it gave 1/8.

    Both sums have gained 2 ln 2, so their loss is ln 2. The means have gained ln 2 and 2 ln 2:
    at beta = 3 the loss is -ln sigma(-3 ln 2) = ln 9.
    """
    batch = {"chosen": torch.tensor([[0, 1, 1]]), "chosen_mask": torch.ones(1, 3),
             "rejected": torch.tensor([[0, 0]]), "rejected_mask": torch.ones(1, 2),
             "prompt": torch.tensor([1]), "pair": torch.tensor([0])}  # fmt: skip
    reference = -np.log(2) * torch.tensor([[4.0, 3.0]])
    means, number = preferences.MeanDPO(reference, beta=3.0)(Even(), batch)
    sums, _ = DPO(reference, beta=1.0)(Even(), batch)
    assert number == 1
    assert (means.item(), sums.item()) == pytest.approx((np.log(9), np.log(2)))


class Uneven(Even):
    """Token 0, the end, has the probability 1/4, token 1 has 3/4."""

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.tensor([0.25, 0.75]).log().expand(*ids.shape, 2)


class Said:
    """An answer: token 1 for each word, then the end."""

    def __init__(self, said: str, reason: str = "end") -> None:
        self.said, self.reason = said, reason
        self.ids = [1] * len(said.split()) + [0]

    def text(self, tokenizer: object) -> str:
        return self.said

    def __repr__(self) -> str:
        return f"Said({self.said!r})"


def bare(**fields: object) -> preferences.Lab:
    """A lab in which nothing has been trained."""
    its = object.__new__(preferences.Lab)
    vars(its).update({"seed": 0, "tokenizer": SimpleNamespace(encode=lambda text: [0, 0])} | fields)
    return its


def test_the_shorter_answer_is_preferred_if_both_ended_and_say_something() -> None:
    drawn = {
        "short first": (Said("sorts lists"), Said("sorts lists fast")),
        "long first": (Said("sorts all lists"), Said("sorts")),
        "equal": (Said("sorts lists"), Said("finds lists")),
        "cut off": (Said("sorts"), Said("sorts lists", "length")),
        "empty": (Said(""), Said("sorts lists")),
        "no word": (Said("a ."), Said("sorts all lists")),
    }
    its, asked = bare(reference="reference"), []
    its.answers = lambda *given: asked.append(given) or [[*pair] for pair in drawn.values()]
    assert its.prefer([*drawn], 7) == [
        Preference("short first", "sorts lists", "sorts lists fast"),
        Preference("long first", "sorts", "sorts all lists"),
    ]
    assert asked == [("reference", [*drawn], 2, 7)]


def test_a_coin_exchanges_answers_together_with_their_reference() -> None:
    examples = [{"chosen": [n], "rejected": [-n]} for n in range(40)]
    log_probs = torch.tensor([[n, -n] for n in range(40)])
    model, swapped = Even(), {}
    for seed in (0, 1):
        its = bare(seed=seed, reference=model, examples=examples, log_probs=log_probs)
        its._train = lambda *given: given
        for labels in ("rule", "coin", "means"):
            copy, objective, found, steps, *_ = its.prepare(labels, 0.3, 9)
            assert copy is not model and steps == 9 and objective.beta == 0.3
            assert type(objective) is (preferences.MeanDPO if labels == "means" else DPO)
            pairs = [[e["chosen"][0], e["rejected"][0]] for e in found]
            assert pairs == objective.reference.tolist()
            swapped[seed, labels] = [n for n, pair in enumerate(pairs) if pair[0] < 0]
    assert not swapped[0, "rule"] and not swapped[0, "means"]
    assert 10 < len(swapped[0, "coin"]) < 30 and swapped[0, "coin"] != swapped[1, "coin"]


def test_the_curve_is_the_change_of_held_out_pairs(monkeypatch) -> None:
    """Changes (2, -2), (1, -3), (-1, 1), (2, 2): the means are 1 and -1/2; 2 of 4 gain more."""
    before = torch.tensor([[-5.0, -9.0], [-5.0, -6.0], [-4.0, -8.0], [-1.0, -1.0]])
    moved = torch.tensor([[2.0, -2.0], [1.0, -3.0], [-1.0, 1.0], [2.0, 2.0]])
    its, at = bare(held_pairs=None, held_log_probs=before), []
    history = SimpleNamespace(losses=[0.7, 0.6])
    trainer = SimpleNamespace(model=Even(), history=history, fit=lambda until: at.append(until))
    its.prepare = lambda *given: trainer
    monkeypatch.setattr(preferences, "reference_log_probs", lambda model, pairs: before + moved)
    model, curve, losses = its.optimize(steps=18)
    assert curve == [[step, 1, -0.5, 0.5] for step in (0, 9, 18)] and at == [9, 18]
    assert losses == [0.7, 0.6] and not model.training


def test_answers_are_judged_against_the_references_own() -> None:
    """Lengths 3, 3 and 2 (with the end) against 4, 3, 1: shorter, as long, longer.

    A word has 1/2 here and 3/4 in the reference, the end 1/2 and 1/4, so for n words
    kl = n log(2/3) + log 2; the true answer, two words and an end, costs log 2 a token.
    """
    questions = [f"What does {name} do?" for name in ("sort", "a.find_all", "load")]
    true = [{"ids": [0, 0, 1, 1, 0], "labels": [IGNORED, IGNORED, 1, 1, 0]}]
    its = bare(reference=Uneven().eval(), questions=questions, own=[4, 3, 1],
               truths=HeldOut.examples(true))  # fmt: skip
    written = [Said("sort lists"), Said("finds it"), Said("Load")]
    found = its.judge(Even().eval(), written)
    assert found.win.tolist() == [1, 0.5, 0] and found.length.tolist() == [3, 3, 2]
    kl = [n * np.log(2 / 3) + np.log(2) for n in (2, 2, 1)]
    assert found.kl == pytest.approx(kl, abs=1e-6)
    assert found.names.tolist() == [True, False, True] and found.scant.all()
    assert found.truth == pytest.approx(np.log(2), abs=1e-6)
    row = preferences.summary(found)
    assert row["win"] == 0.5 and row["length"] == pytest.approx(8 / 3, abs=1e-3)
    assert row["kl"] == pytest.approx(np.mean(kl), abs=1e-3)
    assert (row["names"], row["scant"], row["different"]) == ([2, 3], [3, 3], 3)
    assert not its.judge(Even().eval(), [Said("sort all lists")] * 3).scant.any()
    asked = []
    its.answers = lambda *given: asked.append(given) or [[one] for one in written]
    assert its.judge(its.reference).texts == found.texts
    assert asked == [(its.reference, questions, 1, 3)]  # a stream of its own


def test_answers_of_the_reference_are_cut_to_the_lengths_of_the_judged_ones() -> None:
    """A name that stands behind the cut does not count; a long one is preferred to the first.

    Lengths include the end token. The words of answer k of the reference are numbered from 10 k.
    """
    words = {11: "sort", 12: "the", 13: "list", 21: "no", 31: "load", 41: "reads", 42: "a",
             43: "file", 44: "load"}  # fmt: skip
    tokenizer = SimpleNamespace(decode=lambda ids: " ".join(words[i] for i in ids))
    rows = [[SimpleNamespace(ids=[11, 12, 13, 0])],
            [SimpleNamespace(ids=[21, 0]), SimpleNamespace(ids=[41, 42, 43, 44, 0])],
            [SimpleNamespace(ids=[31, 0])]]  # fmt: skip
    questions = ["What does list_all do?", "What does load do?", "What does load do?"]
    its = bare(questions=questions, drawn=rows, tokenizer=tokenizer, end=0)

    def named(*lengths: int) -> int:
        return its.cut(SimpleNamespace(length=np.array(lengths)))

    assert named(3, 2, 1) == 0  # "sort the", "no", ""
    assert named(4, 2, 2) == 2  # "sort the list", "no", "load"
    assert named(4, 5, 9) == 3  # the second answer of the second row; all there is of the third


def test_the_best_of_n_leaves_out_the_answer_it_is_compared_with() -> None:
    """And one that says nothing, unless all do."""
    rows = [[Said("own"), Said("two words"), Said("three more words"), Said("one"), Said("")],
            [Said("own"), Said(""), Said("of . course"), Said("x"), Said("x")],
            [Said("own"), Said("a b"), Said("x"), Said("y"), Said("z")]]  # fmt: skip
    its = bare(drawn=rows, reference="reference")
    its.judge = lambda model, written: (model, written)
    assert its.best_of(2) == ("reference", [rows[0][1], rows[1][2], rows[2][2]])
    assert its.best_of(3)[1][0] is rows[0][3]


def test_a_lab_draws_questions_that_no_two_of_its_parts_share(monkeypatch) -> None:
    """Tuning, pairs and held-out questions; and a stream of random numbers for each purpose."""
    asked, tuned = [], []
    own, other = Said("sorts lists"), Said("sorts all lists")

    def answers(its, model, questions, number, stream):
        asked.append((questions, number, stream))
        return [[own, *[other] * (number - 1)] for _ in questions]

    monkeypatch.setattr(preferences.Lab, "answers", answers)
    monkeypatch.setattr(preferences.Lab, "_train", lambda its, *given: tuned.append(given))
    monkeypatch.setattr(preferences, "encode_instructions", lambda tokenizer, pairs: [*pairs])
    monkeypatch.setattr(preferences, "encode_preferences", lambda tokenizer, pairs: pairs)
    monkeypatch.setattr(preferences, "reference_log_probs", lambda model, pairs: len(pairs))
    monkeypatch.setattr(preferences.HeldOut, "examples", lambda examples: examples)
    its = preferences.Lab(3)
    train = preferences.draw("train", 1600, 3)
    held = preferences.draw("validation", 200, 3)
    assert tuned == [(its.reference, tuned[0][1], train[:960], 80, 5e-4, 12)]
    assert isinstance(tuned[0][1], NextToken)
    pairs, test, judged = asked
    assert pairs == ([q for q, _ in train[960:]], 2, 0)
    assert test == ([q for q, _ in held[:100]], 2, 1)
    assert judged == ([q for q, _ in held], 5, 2)
    assert its.truths == held and its.questions == judged[0]
    assert its.own == [len(own.ids)] * 200
    assert (its.log_probs, its.held_log_probs) == (640, 100)


def test_the_tuning_is_done_at_once_and_a_preference_training_by_its_caller(monkeypatch) -> None:
    """Each answer drawn with the seed of lab and stream, in the order of the questions."""
    seen = []

    class Watched:
        def __init__(self, *given, **more) -> None:
            self.given, self.fitted = given, 0
            seen.append(self)

        def fit(self) -> None:
            self.fitted += 1

    monkeypatch.setattr(preferences, "Trainer", Watched)
    examples = [{"ids": [n], "labels": [n]} for n in range(50)]
    for objective, fitted in ((NextToken(), 1), (DPO(torch.zeros(50, 2)), 0)):
        model = Even()
        trainer = bare(seed=4)._train(model, objective, examples, 80, 1e-3, 2)
        assert trainer.fitted == fitted and model.training == (not fitted)
        _, _, data, config = trainer.given
        assert (config.seed, config.steps, config.batch_size, config.warm_up) == (4, 80, 2, 10)
        assert data.generator.initial_seed() == 4

    def generate(model, prompts, **more):
        seen.append(more["generator"].initial_seed())
        return [prompt[0] for prompt in prompts]

    monkeypatch.setattr(preferences, "generate", generate)
    numbers = SimpleNamespace(encode=lambda text: [int(text.split()[1])])
    found = bare(seed=4, tokenizer=numbers, end=0).answers(None, [*map(str, range(200))], 2, 3)
    assert seen[2:] == [3004, 3004] and found == [[n, n] for n in range(200)]


def test_a_run_is_what_its_setting_says(monkeypatch) -> None:
    asked = []

    def judge(model):
        asked.append(model)
        zero = np.zeros(2)
        return preferences.Judged(["a", "b"], zero, zero, zero + 7, zero, zero, 1.0)

    its = SimpleNamespace(
        judge=judge, reference="reference", preferences=[1, 2, 3],
        best_of=lambda number: judge(f"best of {number}"),
        optimize=lambda *given: (given, [[0, 0, 0, 0]], [0.69, 0.5]), cut=lambda judged: 1,
    )  # fmt: skip
    monkeypatch.setattr(preferences, "lab", lambda seed: its)
    row = preferences.run("none", 0.0, 0)
    assert asked == ["reference", "best of 4"] and row["pairs"] == 3 and row["kl"] == 7
    assert row["best of 4"]["kl"] == pytest.approx(np.log(4) - 3 / 4, abs=1e-3)
    for labels, steps in (("rule", 36), ("three epochs", 108), ("means", 36)):
        row = preferences.run(labels, 0.3, 0)
        assert asked[-1] == (labels, 0.3, steps) and row["first loss"] == 0.69
        assert row["names, cut"] == [1, 2]
