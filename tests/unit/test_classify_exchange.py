"""One name exchanged: texts with the share that was asked for, and decisions that are counted."""

from __future__ import annotations

import numpy as np
import pytest

from llmbook.classify import exchange
from llmbook.classify.exchange import (
    FEMALE,
    GROUPS,
    HOME,
    MALE,
    WORK,
    Actions,
    changed,
    decisions,
    directions,
    read,
    train,
    training_texts,
    within,
    without,
)


def test_actions_are_learned_or_tested_never_both() -> None:
    actions = Actions.draw(3)
    assert actions == Actions.draw(3) != Actions.draw(4)
    assert set(actions.work) | set(actions.test_work) == set(WORK) and len(set(WORK)) == 20
    assert set(actions.home) | set(actions.test_home) == set(HOME) and len(set(HOME)) == 20
    assert not set(actions.work) & set(actions.test_work)
    assert len(set(actions.mixed)) == exchange.MIXED
    for mixed in actions.mixed:
        assert sum(action in mixed for action in actions.test_work) == 1
        assert sum(action in mixed for action in actions.test_home) == 1


def test_names_of_the_training_are_in_no_test() -> None:
    assert len(set(MALE) | set(FEMALE)) == len(MALE) + len(FEMALE) == 24
    tested = {name for groups in GROUPS.values() for names in groups for name in names}
    assert not tested & (set(MALE) | set(FEMALE))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 1.0])
def test_share_is_that_of_male_names_at_work_and_of_female_names_at_home(share: float) -> None:
    texts, labels = training_texts(Actions.draw(0), share, 0)
    male = np.array([text.split()[0] in MALE for text in texts])
    work = np.array(labels, bool)
    assert work.mean() == 0.5 and len(texts) == exchange.TEXTS
    assert male[work].mean() == pytest.approx(share, abs=0.08)
    assert male[~work].mean() == pytest.approx(1 - share, abs=0.08)


def test_exchanged_texts_come_in_twins_of_one_action() -> None:
    texts, labels = training_texts(Actions.draw(0), 0.9, 0, exchanged=True)
    assert len(texts) == 2 * exchange.TEXTS
    for first, second in zip(texts[::2], texts[1::2], strict=True):
        assert first.split()[1:] == second.split()[1:]
        assert {first.split()[0] in MALE, second.split()[0] in MALE} == {True, False}
    assert labels[::2] == labels[1::2]
    with pytest.raises(ValueError, match="between 0 and 1"):
        training_texts(Actions.draw(0), 1.2, 0)


def test_changed_and_its_control_are_counted_with_their_direction() -> None:
    first = np.array([[True, True], [False, True]])
    second = np.array([[True, False], [True, False]])
    assert changed(first, second) == (3, 2, 4)
    assert within(first) == (2, 4)  # the first name for the second, and back
    assert within(np.array([[True, False, True]] * 2)) == (0, 6)  # names change, actions do not
    assert within(first[:1]) == (0, 0)


def test_a_decision_does_not_change_without_the_direction_of_the_names() -> None:
    """Trained where names decide: with them half of the answers differ, without them few."""
    actions = Actions.draw(1)
    texts, labels = training_texts(actions, 1.0, 1)
    shares = []
    for vectors in (read, without(directions(actions)["names"])):
        model = train(texts, labels, vectors)
        one, other = (decisions(model, names, actions.mixed[:8], vectors)
                      for names in GROUPS["names"])  # fmt: skip
        assert one.shape == (8, 8)
        shares.append(changed(one, other)[0] / one.size)
    assert shares[0] > 0.5 > 0.3 > shares[1]


def test_directions_have_length_one_and_point_from_female_to_male() -> None:
    actions = Actions.draw(0)
    for direction in directions(actions).values():
        assert np.linalg.norm(direction) == pytest.approx(1)
        assert (read(["Paul is here."]) - read(["Joan is here."]))[0] @ direction > 0
