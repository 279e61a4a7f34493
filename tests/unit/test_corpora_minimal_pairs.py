"""Made sentences: they differ in what they say they differ in, and are drawn by the seed alone."""

from __future__ import annotations

import pytest

from llmbook.corpora.minimal_pairs import BLAME, PRAISE, opinions, role_sentences


def test_the_passive_has_the_same_roles_and_the_swapped_ones_the_other() -> None:
    for event in role_sentences(50):
        _, agent, verb, _, patient = event.active.split()
        assert event.passive == f"the {patient} was {verb} by the {agent}"
        assert event.swapped == f"the {patient} {verb} the {agent}"
        assert event.swapped_passive == f"the {agent} was {verb} by the {patient}"
        assert event.negated == f"the {agent} never {verb} the {patient}"
        assert not {agent, patient, verb} & set(event.other.split())


def test_events_differ_and_the_seed_decides() -> None:
    events = role_sentences(200, seed=3)
    assert len({event.active for event in events}) == 200
    assert events[:20] == role_sentences(20, seed=3) != role_sentences(20, seed=4)


def test_opinions_are_half_praise_and_say_so() -> None:
    found = opinions(100, seed=1, subject="appliance", words=1, before="not")
    assert len({o.text for o in found}) == 100 and sum(o.positive for o in found) == 50
    for opinion in found:
        adjectives = (PRAISE if opinion.positive else BLAME)["appliance"][1]
        assert any(f"not {word}" in opinion.text for word in adjectives)


def test_the_two_lists_of_adjectives_share_no_word() -> None:
    every = [word for kind in (PRAISE, BLAME) for lists in kind.values() for part in lists
             for word in part]  # fmt: skip
    assert len(set(every)) == len(every)


def test_too_many_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be made"):
        opinions(1000)
    with pytest.raises(ValueError, match="cannot be made"):
        role_sentences(10**6)
