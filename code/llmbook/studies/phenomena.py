"""Translating what was held out: ``python -m llmbook.studies.phenomena``, 27 minutes of one core.

A small translator of phrases (width 64), three seeds, trained without the four phenomena of
``corpora.localized_phrases`` and, as the control, with them; and the recipe of the shipped
translator (width 96, four times the steps), which has seed 0, with two more seeds and one control.
All are judged on the same test phrases, greedy, right to the last character.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import product
from time import process_time
from typing import Any

from llmbook import corpora
from llmbook.studies import stored
from llmbook.translation import LANGUAGES, RECIPES, Recipe, fit

NAME = "phenomena"
SEEDS = (0, 1, 2)
PAIRS = ("phrases", "all phrases")  # without the phenomena, with them
STEPS, WIDTH = 1500, 64
SETTINGS = [
    {"size": "small", "pairs": pairs, "seed": seed} for seed, pairs in product(SEEDS, PAIRS)
] + [
    {"size": "shipped", "pairs": pairs, "seed": seed}
    for pairs, seed in (("phrases", 1), ("phrases", 2), ("all phrases", 1))
]


def recipe(size: str, pairs: str, seed: int) -> Recipe:
    shipped = RECIPES["phrases"]
    whole = replace(shipped, pairs=pairs, training=replace(shipped.training, seed=seed))
    if size == "shipped":
        return whole
    return replace(
        whole,
        model={**whole.model, "d_model": WIDTH, "d_hidden": 2 * WIDTH},
        training=replace(whole.training, steps=STEPS),
    )


def run(size: str, pairs: str, seed: int) -> stored.Row:
    """Train and judge one translator.

    For each direction: by kind of phrase without a phenomenon, and by phenomenon, how many are
    right, and of how many.
    """
    start = process_time()
    translator, history = fit(recipe(size, pairs, seed), quiet=True)
    seconds = process_time() - start
    test = corpora.localized_phrases().split("test")
    row: dict[str, Any] = {}
    for to in LANGUAGES:
        sources = [p.english if to == "zh" else p.chinese for p in test]
        targets = [p.chinese if to == "zh" else p.english for p in test]
        tally: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for pair, found, wanted in zip(test, translator.write(sources, to), targets, strict=True):
            tally[pair.phenomenon or pair.kind][0] += found == wanted
            tally[pair.phenomenon or pair.kind][1] += 1
        row[f"to {to}"] = dict(sorted(tally.items()))
    return row | {"loss": round(sum(history.losses[-50:]) / 50, 3), "cpu_seconds": round(seconds)}


def text() -> str:
    """Fingerprint of what is read, stored with the results."""
    return corpora.localized_phrases().provenance.fingerprint


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
