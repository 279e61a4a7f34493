"""Shortcuts, their repair and what the repair creates: ``python -m llmbook.studies.shortcuts``.

The two tasks of ``llmbook.classify.shortcuts``. A seed draws the texts, the people and verbs that
are kept for the test, and what is trained. Forty minutes of one core, most for networks that read
pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from time import process_time
from typing import Any

import numpy as np

from llmbook.classify import shortcuts
from llmbook.classify.shortcuts import BEFORE, KINDS, PLACES
from llmbook.evaluation import Score, mean_score
from llmbook.studies import stored

NAME = "shortcuts"
SEEDS, TESTED = range(5), 100
NEGATORS = {"affirmative": (), "with not": ("not",), "with two": ("not", "anything but")}
Tallies = list[list[list[int]]]  # places, adjectives, right and all
LINEAR: dict[str, Callable[..., Any]] = {
    "words": shortcuts.count_words, "frozen": shortcuts.frozen, "two probes": shortcuts.multiplied
}  # fmt: skip


def setting(
    task: str, training: str, method: str, seed: int, examples: int, steps: int
) -> stored.Row:
    return {"task": task, "training": training, "method": method, "examples": examples,
            "steps": steps, "seed": seed}  # fmt: skip


OPINIONS = [
    ("affirmative", "words", 0), ("affirmative", "frozen", 0), ("affirmative", "tuned", 100),
    ("with not", "words", 0), ("with not", "frozen", 0), ("with not", "two probes", 0),
    ("with not", "tuned", 100), ("with two", "tuned", 100),
]  # fmt: skip
PAIRS = [
    *((t, m, 400, 0) for t, m in product(shortcuts.TRAININGS, ("overlap", "frozen"))),
    ("other events", "cross-encoder", 400, 200), ("+ exchanged", "cross-encoder", 400, 200),
    ("+ exchanged passives", "cross-encoder", 400, 200),
    ("+ exchanged passives", "cross-encoder", 1600, 600),
    ("+ exchanged passives", "frozen", 1600, 0),
    ("all forms", "cross-encoder", 1600, 800),
]  # fmt: skip
SETTINGS = [
    *(setting("opinions", t, m, s, 320, n) for (t, m, n), s in product(OPINIONS, SEEDS)),
    *(setting("pairs", t, m, s, 2 * e, n) for (t, m, e, n), s in product(PAIRS, SEEDS)),
]


def run(
    task: str, training: str, method: str, examples: int, steps: int, seed: int
) -> stored.Row:  # fmt: skip
    """Right answers for each kind of text; and the mean loss of each 25 steps."""
    start = process_time()
    if task == "opinions":
        found, losses = opinions(training, method, steps, seed)
    else:
        found, losses = pairs(training, method, examples // 2, steps, seed)
    more = {"read as negated": read_as_negated(seed)} if method == "two probes" else {}
    parts = [losses[i : i + 25] for i in range(0, len(losses), 25)]
    return {"right": found, **more, "losses": [round(float(np.mean(part)), 3) for part in parts],
            "cpu_seconds": round(process_time() - start)}  # fmt: skip


def opinions(
    training: str, method: str, steps: int, seed: int
) -> tuple[dict[str, Tallies], list[float]]:
    """By what stands before the adjective and by place, for each adjective: right, and all."""
    learned = shortcuts.opinion_training(seed, NEGATORS[training])
    if method == "tuned":
        predict, losses = shortcuts.tuned(learned, seed, steps)
    else:
        predict, losses = LINEAR[method](learned), []
    return judge_opinions(predict, learned, seed), losses


def judge_opinions(
    predict: Callable[..., np.ndarray], learned: shortcuts.Opinions, seed: int
) -> dict[str, Tallies]:
    found: dict[str, Tallies] = {word: [] for word in BEFORE}
    for before, place in product(BEFORE, PLACES):
        test = shortcuts.opinion_set(TESTED, seed + 1000, before, place, learned.texts)
        right = predict(test.texts) == test.praise
        tally = {word: [0, 0] for word in shortcuts.ADJECTIVES[place]}
        for said, is_right in zip(test.texts, right, strict=True):
            [word] = tally.keys() & set(said.split())
            tally[word][0] += int(is_right)
            tally[word][1] += 1
        found[before].append(list(tally.values()))
    return found


def read_as_negated(seed: int) -> dict[str, int]:
    """Of 100 opinions on films with each word before the adjective, in the words of the training,
    those that the probe for "not" takes for negated."""
    learned = shortcuts.opinion_training(seed, ("not",))
    probe = shortcuts.two_probes(learned)[1]
    tests = {word: shortcuts.opinion_set(TESTED, seed + 1000, word, without=learned.texts)
             for word in BEFORE}  # fmt: skip
    return {word: int(probe.predict(shortcuts.vectors(test.texts)).sum())
            for word, test in tests.items()}  # fmt: skip


def pairs(
    training: str, method: str, events: int, steps: int, seed: int
) -> tuple[dict[str, int], list[float]]:
    """Right of 100 pairs of each kind."""
    learned, losses = shortcuts.pair_training(seed, training, events), []
    if method == "cross-encoder":
        predict, losses = shortcuts.cross_encoder(learned, seed, steps)
    else:
        features = shortcuts.overlap if method == "overlap" else shortcuts.together
        predict = shortcuts.detector(features, learned)
    return judge_pairs(predict, seed), losses


def judge_pairs(predict: Callable[..., np.ndarray], seed: int) -> dict[str, int]:
    found = {}
    for kind in KINDS:
        test = shortcuts.pair_test(seed, kind, TESTED)
        found[kind] = int((predict(test.pairs) == test.same).sum())
    return found


def right_pairs(rows: list[stored.Row], kind: str) -> float:
    """Share of right answers to a kind of pairs, in the tests of these rows.

    Without an interval: runs can differ by all of their pairs, so look at the rows.
    """
    return sum(row["right"][kind] for row in rows) / (TESTED * len(rows))


def right_opinions(rows: list[stored.Row], before: str, place: str) -> Score:
    """Share of right opinions, in the tests of these rows.

    The tests of all seeds have the same 12 adjectives: the interval draws adjectives.
    """
    at = list(PLACES).index(place)
    tallies = np.array([row["right"][before][at] for row in rows]).sum(0)  # (12, 2)
    values = [v for right, all_ in tallies for v in [1] * right + [0] * (all_ - right)]
    return mean_score(values, np.repeat(np.arange(len(tallies)), tallies[:, 1]).tolist())


def text() -> str:
    """What the texts and trainings are, stored with the results."""
    return f"{', '.join(BEFORE[1:])}; {', '.join(KINDS)}; {', '.join(shortcuts.TRAININGS)}"


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
