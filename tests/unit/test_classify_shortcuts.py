"""Shortcuts: true labels, tests apart from trainings, what each kind of classifier can express."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from llmbook.classify import shortcuts
from llmbook.classify.shortcuts import KINDS, TRAININGS, Opinions, Pairs
from llmbook.corpora.minimal_pairs import BLAME, PRAISE
from llmbook.studies import shortcuts as study
from llmbook.studies import stored

GOOD = {word for lists in PRAISE.values() for part in lists for word in part}
BAD = {word for lists in BLAME.values() for part in lists for word in part}


def says(text: str) -> tuple[str, str, str, bool]:
    """Who, what, whom, and whether it is denied."""
    words = text.split()
    if words[:2] == ["it", "was"]:
        words = [*words[2:4], *words[5:]]
    denied = "never" in words
    words = [word for word in words if word not in ("the", "never")]
    if "by" in words:
        whom, _, what, _, who = words
    else:
        who, what, whom = words
    return who, what, whom, denied


def test_each_kind_of_pair_says_the_same_where_it_is_said_to() -> None:
    for kind, (_, _, same) in KINDS.items():
        test = shortcuts.pair_test(0, kind, 20)
        assert [says(one) == says(other) for one, other in test.pairs] == [same] * 20
        assert test.same.tolist() == [same] * 20


def test_a_training_of_pairs_is_half_right_and_takes_its_kinds_in_turn() -> None:
    for training, (right, wrong) in TRAININGS.items():
        found = shortcuts.pair_training(1, training, 60)
        assert [says(one) == says(other) for one, other in found.pairs] == found.same.tolist()
        assert found.same.sum() == 60 == len(found.pairs) / 2
        assert all(KINDS[kind][2] for kind in right) and not any(KINDS[kind][2] for kind in wrong)
        for k in range(len(wrong)):
            first, second, _ = KINDS[wrong[k]]
            event = shortcuts.people_events(1, 60)[0][k]
            assert found.pairs[60 + k] == (getattr(event, first), getattr(event, second))


def test_people_and_verbs_of_a_test_are_not_those_of_its_training() -> None:
    training, test = shortcuts.people_events(3, 400)
    words = [{w for e in part for w in says(e.active)[:3] + says(e.other)[:3]}
             for part in (training, test)]  # fmt: skip
    assert not words[0] & words[1]
    assert [len(part) for part in words] == [40, 18]
    assert training != shortcuts.people_events(4, 400)[0]


def true_label(text: str) -> tuple[bool, bool]:
    words = set(text.split())
    negated = any(f" {word} " in f" {text} " for word in shortcuts.NEGATORS)
    assert bool(words & GOOD) != bool(words & BAD)
    return bool(words & GOOD) != negated, negated


@pytest.mark.parametrize("negators", [(), ("not",), ("not", "anything but")])
def test_labels_of_opinions_are_true_and_neither_word_nor_negator_tells_them(negators) -> None:
    found = shortcuts.opinion_training(2, negators)
    assert [true_label(text) for text in found.texts] == list(
        zip(found.praise, found.negated, strict=True)
    )
    assert len(set(found.texts)) == 320 and found.praise.sum() == 160
    assert found.negated.sum() == (160 if negators else 0)
    for word in negators:
        with_it = [f" {word} " in text for text in found.texts]
        assert sum(with_it) == 160 // len(negators)
        assert found.praise[with_it].mean() == 0.5


def test_a_test_of_opinions_has_none_of_the_training() -> None:
    training = shortcuts.opinion_training(0)
    test = shortcuts.opinion_set(100, 1000, without=training.texts)
    assert not set(test.texts) & set(training.texts)
    for place, words in shortcuts.ADJECTIVES.items():
        found = shortcuts.opinion_set(100, 0, "very", place).texts
        assert all(set(text.split()) & set(words) for text in found)
    with pytest.raises(ValueError, match="only 112"):
        shortcuts.opinion_set(114, 1000, without=training.texts)


def square(texts: list[str]) -> np.ndarray:
    """(N, 2): good or bad, and negated or not, each -1 or 1."""
    labels = np.array([true_label(text) for text in texts])
    return 2.0 * np.stack([labels[:, 0] ^ labels[:, 1], labels[:, 1]], 1) - 1


def test_a_plane_does_not_divide_the_square_and_a_product_does(monkeypatch) -> None:
    monkeypatch.setattr(shortcuts, "vectors", square)
    training = shortcuts.opinion_training(0, ("not",))
    for fit, most in ((shortcuts.frozen, 0.75), (shortcuts.multiplied, 1.0)):
        right = (fit(training)(training.texts) == training.praise).mean()
        assert right <= most
    assert right == 1
    assert (shortcuts.count_words(training)(training.texts) == training.praise).mean() < 0.75


def test_words_alone_cannot_tell_a_passive_from_an_exchanged_one() -> None:
    kinds = ("paraphrase", "exchanged, in the passive")
    right, wrong = (shortcuts.overlap(shortcuts.pair_test(0, kind).pairs) for kind in kinds)
    assert (right == wrong).all() and right.shape == (100, 5)
    [row] = shortcuts.overlap([("a b c", "b c d e")])
    assert row.tolist() == [2 / 5, 1, 2, 3, 4]


def test_features_of_a_pair_have_no_order_and_a_repeated_one_no_difference() -> None:
    one, other = "the chef thanked the waiter", "the king watched the poet"
    there, back, twice = shortcuts.together([(one, other), (other, one), (one, one)])
    assert np.allclose(there, back) and there.shape == (768,)
    assert not twice[:384].any() and twice[384:].sum() == pytest.approx(1, abs=1e-5)


def test_fine_tuning_trains_everything_by_its_seed_and_nothing_else_is_drawn() -> None:
    training = Pairs([("a b", "b a"), ("a b", "c d")], np.array([True, False]))
    rows, state = shortcuts._pair_ids(training.pairs), torch.get_rng_state()
    assert [row.count(102) for row in rows] == [2, 2]
    networks = [shortcuts.fine_tune(rows, training.same, seed, 2) for seed in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), state)
    losses = [found[1] for found in networks]
    assert losses[0] == losses[1] != losses[2] and len(losses[0]) == 2
    before = shortcuts.load_minilm().state_dict()
    after = networks[0][0].encoder.state_dict()
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert {"stack.blocks.0", "stack.blocks.5"} <= {".".join(n.split(".")[:3]) for n in changed}
    assert not networks[0][0].training


@pytest.mark.parametrize(("task", "method"), [("opinions", "words"), ("pairs", "overlap")])
def test_a_linear_row_of_the_study_comes_out_again(task: str, method: str) -> None:
    for row in stored.select(stored.load("shortcuts"), task=task, method=method, seed=0):
        settings = {key: row[key] for key in study.SETTINGS[0]}
        assert study.run(**settings)["right"] == row["right"]


def test_the_interval_of_opinions_draws_adjectives_and_not_sentences() -> None:
    """Two adjectives always right and two always wrong: by adjective 0 to 1 is possible."""
    tallies = [[[n, 10] for n in (10, 10, 0, 0)]]
    rows = [{"right": {"not": tallies}}] * 5
    score = study.right_opinions(rows, "not", "same words")
    assert score.value == 0.5 and score.high - score.low > 0.8
    pairs = [{"right": {"denied": n}} for n in (100, 0)]
    assert study.right_pairs(pairs, "denied") == 0.5


def test_settings_are_one_of_each() -> None:
    keys = [tuple(row.items()) for row in study.SETTINGS]
    assert len(set(keys)) == len(keys)
    assert {row["seed"] for row in study.SETTINGS} == set(range(5))
    for training, method in product(TRAININGS, ("overlap", "frozen")):
        assert stored.select(study.SETTINGS, training=training, method=method)
    assert Opinions._fields == ("texts", "praise", "negated")
