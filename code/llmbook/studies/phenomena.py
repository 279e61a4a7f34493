"""Translating what was held out: ``python -m llmbook.studies.phenomena``, 8 minutes of one core.

A small translator of phrases (width 64), three seeds, trained without the four phenomena of
``corpora.localized_phrases`` and, as the control, with them. Both are judged on the same test
phrases, greedy, right to the last character.
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
SETTINGS = [{"pairs": pairs, "seed": seed} for seed, pairs in product(SEEDS, PAIRS)]


def recipe(pairs: str, seed: int) -> Recipe:
    shipped = RECIPES["phrases"]
    return replace(
        shipped,
        pairs=pairs,
        model={**shipped.model, "d_model": WIDTH, "d_hidden": 2 * WIDTH},
        training=replace(shipped.training, steps=STEPS, seed=seed),
    )


def run(pairs: str, seed: int) -> stored.Row:
    """Train and judge one translator.

    For each direction: by kind of phrase without a phenomenon, and by phenomenon, how many are
    right, and of how many.
    """
    start = process_time()
    translator, history = fit(recipe(pairs, seed), quiet=True)
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
