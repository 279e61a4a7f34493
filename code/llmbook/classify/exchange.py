"""What a decision owes to a name: a text twice, with one name exchanged (chapter 11).

A classifier on MiniLM's frozen vectors decides whether a sentence is about work or about home. In
its training texts people have names, and ``share`` of the texts about work have a name that is
common among men in the United States, the texts about home as many of the others. It is asked with
names that it has not met.

Not here: people. All sentences and all pairings of names with them are made up.

Shapes: ``N`` texts, ``D`` = 384 width.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from llmbook.classify.reading import minilm_vectors, token_ids
from llmbook.vectors.association import WEAT, without_direction


def _words(text: str, between: str | None = None) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(between))


WORK = _words(
    """signed the contract|wrote the annual report|met the new client|checked the accounts|
    planned the budget|repaired the machine|answered the customers|interviewed an applicant|
    presented the figures|led the meeting|ordered parts for the workshop|drove the delivery van|
    trained two apprentices|measured the building site|closed the shop at six|
    tested the new software|negotiated the price|packed goods in the warehouse|filed the tax forms|
    gave a talk at the conference""",
    "|",
)
HOME = _words(
    """cooked dinner for everyone|washed the dishes|read a story to the children|
    watered the plants in the garden|folded the laundry|baked a birthday cake|put the baby to bed|
    painted the kitchen wall|fed the cat|visited the grandparents|swept the floor|
    planned the wedding|made breakfast|helped with the homework|set the table|
    fixed the garden fence|took the children to the park|wrapped the presents|cleaned the windows|
    called the cousins""",
    "|",
)
# Names for training, chosen by us; none is in a list of Caliskan et al. (2017) that we use.
MALE = _words("James Robert Michael David Richard Thomas Daniel Mark George Edward Brian Peter")
FEMALE = _words("Mary Linda Susan Karen Nancy Betty Helen Laura Emma Alice Rachel Julia")
# Names for the test: the published lists, a pair of pronouns, and names common in India.
GROUPS = {
    "names": tuple(tuple(w.capitalize() for w in words) for words in WEAT["names"].words[:2]),
    "pronouns": (("He",), ("She",)),
    "elsewhere": (
        _words("Rahul Amit Vijay Sanjay Arjun Ravi Suresh Anil"),
        _words("Priya Anjali Sunita Kavita Lakshmi Deepa Meera Asha"),
    ),
}
PAIRS = (
    ("man", "woman"), ("boy", "girl"), ("he", "she"), ("father", "mother"), ("son", "daughter"),
    ("male", "female"), ("his", "her"), ("himself", "herself"),
)  # fmt: skip
SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
TRAINED, TEXTS, MIXED = 14, 400, 24  # actions of each kind to learn; texts; mixed test actions

Vectors = Callable[[Sequence[str]], np.ndarray]


def read(texts: Sequence[str]) -> np.ndarray:
    """MiniLM's vectors of length 1, (N, D), float64; a text is read once."""
    return minilm_vectors(token_ids(texts, 64)).astype(float)


def without(direction: np.ndarray) -> Vectors:
    """A reader whose vectors have no part along ``direction`` (D,)."""
    return lambda texts: without_direction(read(texts), direction)


@dataclass(frozen=True)
class Actions:
    """What people did: to learn from, to be tested with, and both kinds in one sentence."""

    work: tuple[str, ...]
    home: tuple[str, ...]
    test_work: tuple[str, ...]
    test_home: tuple[str, ...]
    mixed: tuple[str, ...]

    @classmethod
    def draw(cls, seed: int) -> Actions:
        """``TRAINED`` of each kind to learn; of the others each, and ``MIXED`` of their pairs."""
        lot = random.Random(f"{seed} actions")
        work, home = lot.sample(WORK, len(WORK)), lot.sample(HOME, len(HOME))
        rest = work[TRAINED:], home[TRAINED:]
        pairs = lot.sample([(a, b) for a in rest[0] for b in rest[1]], MIXED)
        mixed = [" and ".join((a, b) if i % 2 else (b, a)) for i, (a, b) in enumerate(pairs)]
        return cls(*map(tuple, (work[:TRAINED], home[:TRAINED], *rest, mixed)))


def sentence(name: str, action: str) -> str:
    return f"{name} {action}."


def training_texts(
    actions: Actions, share: float, seed: int, exchanged: bool = False
) -> tuple[list[str], list[int]]:
    """``TEXTS`` sentences, half about work (1), half about home (0).

    Args:
        share: of the sentences about work, those with a name of ``MALE``; of those about home, with
            one of ``FEMALE``
        exchanged: add each sentence again with a name of the other list

    Raises:
        ValueError: if ``share`` is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share ({share}) must be between 0 and 1")
    lot = random.Random(f"{seed} texts")
    texts, labels = [], []
    for number in range(TEXTS):
        label = number % 2
        action = lot.choice(actions.work if label else actions.home)
        usual, names = lot.random() < share, (lot.choice(MALE), lot.choice(FEMALE))
        order = names if usual == bool(label) else names[::-1]
        for name in order if exchanged else order[:1]:
            texts.append(sentence(name, action))
            labels.append(label)
    return texts, labels


def train(texts: Sequence[str], labels: Sequence[int], vectors: Vectors = read):
    """Logistic regression on the vectors; C as it comes."""
    return LogisticRegression(max_iter=2000).fit(vectors(texts), labels)


def decisions(
    model: LogisticRegression, names: Sequence[str], actions: Sequence[str], vectors: Vectors = read
) -> np.ndarray:
    """Whether each sentence is about work: (names, actions), bool."""
    texts = [sentence(name, action) for name in names for action in actions]
    return model.predict(vectors(texts)).astype(bool).reshape(len(names), len(actions))


def changed(first: np.ndarray, second: np.ndarray) -> tuple[int, int, int]:
    """Of two tables (names, actions): decisions that differ, and how.

    The number that differ, those of them where the first has work and the second home, and the
    number of all.
    """
    return int((first != second).sum()), int((first & ~second).sum()), first.size


def within(table: np.ndarray) -> tuple[int, int]:
    """The control: each name exchanged for the next of its own group. Changed, and all."""
    if len(table) < 2:
        return 0, 0
    return int((table != np.roll(table, 1, axis=0)).sum()), table.size


def difference(first: Sequence[str], second: Sequence[str]) -> np.ndarray:
    """Mean of the vectors of ``first`` minus that of ``second``, at length 1: (D,)."""
    found = read(first).mean(0) - read(second).mean(0)
    return found / np.linalg.norm(found)


def directions(actions: Actions) -> dict[str, np.ndarray]:
    """Three ways to find a direction that tells the groups apart, each (D,).

    "word pairs": eight gendered pairs of words. "pronouns": He and She with the training actions.
    "names": the training names with these actions.
    """
    learned = [*actions.work, *actions.home]

    def sentences(names: Sequence[str]) -> list[str]:
        return [sentence(name, action) for name in names for action in learned]

    return {
        "word pairs": difference([m for m, _ in PAIRS], [f for _, f in PAIRS]),
        "pronouns": difference(sentences(["He"]), sentences(["She"])),
        "names": difference(sentences(MALE), sentences(FEMALE)),
    }
