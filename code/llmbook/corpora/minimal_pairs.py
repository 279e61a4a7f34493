"""Sentences made from word lists; they differ in one respect: who does what, or if it is denied.

Two kinds, for chapters 1 and 10. Role sentences: "the chef thanked the waiter", said again in the
passive, with the two exchanged, and so on. Opinions: "the film was superb", and with a negator
"the film was not superb". Real text has few such pairs, and never all of one; that is why these are
made. They are simple, and say nothing about sentences of other shapes.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

_PEOPLE = """
actor author baker banker barber butcher captain carpenter chef clerk coach dancer dentist doctor
driver editor engineer farmer guard judge king lawyer manager mayor nurse officer painter pilot poet
porter priest sailor singer soldier student tailor teacher thief waiter writer
"""
_VERBS = """
admired blamed called followed greeted helped hired ignored interviewed invited praised pushed
questioned rescued thanked visited warned watched
"""
PEOPLE, VERBS = tuple(_PEOPLE.split()), tuple(_VERBS.split())

SUBJECTS = {
    "film": ("the film", "the plot", "the acting", "the story", "the ending", "the dialogue"),
    "appliance": ("the toaster", "the kettle", "the fan", "the lamp", "the mixer", "the heater"),
}
PRAISE = {
    "film": (("superb", "moving", "brilliant", "gripping", "charming", "clever"),
             ("delightful", "wonderful", "touching", "excellent", "witty", "memorable")),
    "appliance": (("reliable", "handy", "sturdy", "efficient", "quiet", "practical"),
                  ("dependable", "useful", "robust", "fast", "silent", "convenient")),
}  # fmt: skip
BLAME = {
    "film": (("dreadful", "boring", "stupid", "tedious", "annoying", "silly"),
             ("awful", "terrible", "dull", "lousy", "clumsy", "forgettable")),
    "appliance": (("faulty", "useless", "flimsy", "wasteful", "noisy", "impractical"),
                  ("unreliable", "broken", "fragile", "slow", "loud", "awkward")),
}  # fmt: skip
FRAMES = ("{s} was {n}{a}", "i found that {s} was {n}{a}", "we all thought {s} was {n}{a}",
          "in my opinion {s} was {n}{a}", "{s} was {n}{a} from the first day",
          "my sister said {s} was {n}{a}")  # fmt: skip


class RoleSentences(NamedTuple):
    """One event in several sentences. ``active``, ``passive`` and ``cleft`` say the same."""

    active: str  # the chef thanked the waiter
    passive: str  # the waiter was thanked by the chef
    swapped: str  # the waiter thanked the chef
    swapped_passive: str  # the chef was thanked by the waiter
    negated: str  # the chef never thanked the waiter
    other: str  # of two other people, with another verb
    cleft: str  # it was the chef who thanked the waiter
    swapped_cleft: str  # it was the waiter who thanked the chef


class Opinion(NamedTuple):
    """A sentence that praises or blames something."""

    text: str
    positive: bool


def role_sentences(
    number: int,
    seed: int = 0,
    people: Sequence[str] = PEOPLE,
    verbs: Sequence[str] = VERBS,
) -> list[RoleSentences]:
    """``number`` different events; four of the people and two of the verbs are drawn for each.

    Raises:
        ValueError: if so many different events cannot be made.
    """
    if number > len(verbs) * len(people) * (len(people) - 1) or len(people) < 4 or len(verbs) < 2:
        raise ValueError(f"{number} different events cannot be made")
    rng = random.Random(seed)
    found: dict[tuple[str, ...], RoleSentences] = {}
    while len(found) < number:
        first, second, third, fourth = rng.sample(people, 4)
        verb, another = rng.sample(verbs, 2)
        found[first, verb, second] = RoleSentences(
            f"the {first} {verb} the {second}",
            f"the {second} was {verb} by the {first}",
            f"the {second} {verb} the {first}",
            f"the {first} was {verb} by the {second}",
            f"the {first} never {verb} the {second}",
            f"the {third} {another} the {fourth}",
            f"it was the {first} who {verb} the {second}",
            f"it was the {second} who {verb} the {first}",
        )
    return list(found.values())


def opinions(
    number: int, seed: int = 0, subject: str = "film", words: int = 0, before: str = ""
) -> list[Opinion]:
    """Different opinions, half of them praise, in drawn order.

    Args:
        subject: "film" or "appliance"
        words: 0 or 1, which of two lists of adjectives; they share none
        before: what stands before the adjective, such as "very" or "not". The label says what the
            adjective says *without* it: whoever negates turns it around.

    Raises:
        ValueError: if so many different opinions cannot be made.
    """
    rng = random.Random(seed)
    found = []
    for positive, lists in ((True, PRAISE), (False, BLAME)):
        texts = [frame.format(s=thing, a=word, n=f"{before} " if before else "")
                 for frame in FRAMES for thing in SUBJECTS[subject]
                 for word in lists[subject][words]]  # fmt: skip
        wanted = number // 2 + (number % 2 if positive else 0)
        if wanted > len(texts):
            raise ValueError(f"{number} different opinions cannot be made")
        found += [Opinion(text, positive) for text in rng.sample(texts, wanted)]
    rng.shuffle(found)
    return found
