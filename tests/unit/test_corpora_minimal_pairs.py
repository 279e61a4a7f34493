"""Made sentences: they differ in what they say they differ in, and are drawn by the seed alone."""

from __future__ import annotations

import pytest

from llmbook.corpora.minimal_pairs import (
    BLAME,
    FRAMES,
    PRAISE,
    SUBJECTS,
    opinions,
    role_sentences,
)


def test_the_passive_has_the_same_roles_and_the_swapped_ones_the_other() -> None:
    for event in role_sentences(50):
        _, agent, verb, _, patient = event.active.split()
        assert event.passive == f"the {patient} was {verb} by the {agent}"
        assert event.swapped == f"the {patient} {verb} the {agent}"
        assert event.swapped_passive == f"the {agent} was {verb} by the {patient}"
        assert event.negated == f"the {agent} never {verb} the {patient}"
        assert not {agent, patient, verb} & set(event.other.split())
        assert event.cleft == f"it was the {agent} who {verb} the {patient}"
        assert event.swapped_cleft == f"it was the {patient} who {verb} the {agent}"


def test_events_differ_and_the_seed_decides() -> None:
    events = role_sentences(200, seed=3)
    assert len({event.active for event in events}) == 200
    assert events[:20] == role_sentences(20, seed=3) != role_sentences(20, seed=4)


def test_people_and_verbs_can_be_kept_apart() -> None:
    people, verbs = ("actor", "author", "baker", "banker"), ("blamed", "called")
    for event in role_sentences(24, 0, people, verbs):
        words = set(event.active.split() + event.other.split()) - {"the"}
        assert words == {*people, *verbs}
    with pytest.raises(ValueError, match="25 different"):
        role_sentences(25, 0, people, verbs)
    with pytest.raises(ValueError, match="1 different"):
        role_sentences(1, 0, people[:3], verbs)


def test_opinions_are_half_praise_and_say_so() -> None:
    found = opinions(100, seed=1, subject="appliance", words=1, before="not")
    assert len({o.text for o in found}) == 100 and sum(o.positive for o in found) == 50
    for opinion in found:
        adjectives = (PRAISE if opinion.positive else BLAME)["appliance"][1]
        assert any(f"not {word}" in opinion.text for word in adjectives)


def test_opinions_are_about_their_subject_in_all_frames_and_in_the_order_of_the_seed() -> None:
    """Six things in six frames with six adjectives: 216 of each kind is all there is."""
    found = opinions(432, subject="appliance")
    wanted = {frame.format(s=thing, n="", a=word) for frame in FRAMES
              for thing in SUBJECTS["appliance"]
              for word in (*PRAISE["appliance"][0], *BLAME["appliance"][0])}  # fmt: skip
    assert len(wanted) == 432 and {o.text for o in found} == wanted
    assert 80 < sum(o.positive for o in found[:216]) < 136
    assert found == opinions(432, subject="appliance") != opinions(432, 1, subject="appliance")
    assert [sum(o.positive for o in opinions(number)) for number in (3, 4)] == [2, 2]


def test_the_two_lists_of_adjectives_share_no_word() -> None:
    every = [word for kind in (PRAISE, BLAME) for lists in kind.values() for part in lists
             for word in part]  # fmt: skip
    assert len(set(every)) == len(every)


def test_too_many_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be made"):
        opinions(1000)
    with pytest.raises(ValueError, match="cannot be made"):
        role_sentences(10**6)
