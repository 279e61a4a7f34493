"""What a writer of first lines owes to each of its parts: ``python -m llmbook.studies.summaries``.

A quarter of an hour of one core. One plain recipe, one seed, and what changes without the pointer,
without the pretraining of the encoder, without the name, with more text and with less, all with as
many steps. Each row holds the greedy summaries of all test pairs, so that any two rows can be
compared on the same pairs.
"""

from __future__ import annotations

from functools import cache
from time import process_time
from typing import Any

from llmbook.evaluation import rouge
from llmbook.studies import stored
from llmbook.summarization.learning import Recipe, cached, learn
from llmbook.summarization.pairs import Pair, pairs
from llmbook.summarization.reading import CachedPairs
from llmbook.summarization.writing import tidy, write

NAME = "summaries"
STEPS = 400
CHANGES: dict[str, dict[str, Any]] = {
    "plain": {},
    "no pointer": {"copying": False},
    "random encoder": {"encoder": "random"},
    "no name": {"named": False},
    "with short bodies": {"short": True},
    "a quarter of the pairs": {"share": 0.25},
    "half of the pairs": {"share": 0.5},
}
SETTINGS = [{"change": change, "seed": 0} for change in CHANGES]


def recipe(change: str, seed: int) -> Recipe:
    return Recipe(steps=STEPS, seed=seed, **CHANGES[change])


@cache
def read(encoder: str, named: bool, short: bool) -> CachedPairs:
    """All training pairs as an encoder sees them: of several runs the same."""
    whole = Recipe(steps=STEPS, encoder=encoder, named=named, short=short)
    return cached(whole, whole.pairs())


def training_data(wanted: Recipe) -> CachedPairs:
    data = read(wanted.encoder, wanted.named, wanted.short)
    every = slice(None, None, round(1 / wanted.share))
    return CachedPairs(data.sources[every], data.hidden[every], data.targets[every], wanted.seed)


@cache
def read_test(encoder: str, named: bool) -> CachedPairs:
    return cached(Recipe(steps=STEPS, encoder=encoder, named=named), pairs().test)


def run(change: str, seed: int) -> stored.Row:
    """Train one decoder and let it write the first lines of the test."""
    wanted = recipe(change, seed)
    data = training_data(wanted)
    start = process_time()
    decoder, history = learn(wanted, data=data)
    spent = process_time() - start
    test = read_test(wanted.encoder, wanted.named)
    ids = write(decoder, test.sources, test.hidden)
    lines = [tidy(row) for row in ids]
    scores = rouge(lines, [pair.summary for pair in pairs().test])
    return {
        "pairs": len(data.sources),
        "steps": wanted.steps,
        **{name: round(float(values.mean()), 4) for name, values in scores.items()},
        "loss": round(history.evaluations[-1]["loss"], 3),
        "cpu_seconds": round(spent),
        "summaries": lines,
    }


def text() -> str:
    """Fingerprint of what is read, stored with the results."""
    return pairs().fingerprint


def references() -> tuple[Pair, ...]:
    """The pairs that ``summaries`` are of, in their order."""
    return pairs().test


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
