"""A refusal, the ways around it, and the repairs, over seeds: ``python -m llmbook.studies.prefix``.

Ten minutes of one core. In each of eight seeds a small GPT is pretrained, and twice more with
directives that decide nothing: in the control they stand in refused requests, too, in the second
control they do not. Each then gets one safety training after the
other, always from the pretrained model, and is asked for the forbidden value in all ways.
"""

from __future__ import annotations

import random
from functools import lru_cache
from time import process_time
from typing import Any

from llmbook.models import GPT
from llmbook.safety import assistant
from llmbook.studies import stored

NAME = "prefix"
SEEDS = range(8)
ADVERSARIAL = (1, 2, 6)  # openers in the adversarial data
DIRECTED = {"directed": 0.5}  # requests for other topics have directives, too
TRAININGS: dict[str, dict[str, Any]] = {
    "none": {"steps": 0},
    "safety": {},
    "20 steps": {"steps": 20},
    "600 steps": {"steps": 600},
    "share 0.1": {"refused": 0.1},
    "share 0.9": {"refused": 0.9},
    "adversarial 2, alone": {"openers": 2},
    **{f"adversarial {number}": {"openers": number, **DIRECTED} for number in ADVERSARIAL},
    "deep": {"deep": True},
    "directed answers": DIRECTED,
    "control, none": {"steps": 0, "followed": False},
    "control": {"followed": False},
    "second control": {"followed": False, "apart": True},
    "control, directed answers": {"followed": False, **DIRECTED},
}
SETTINGS = [{"seed": seed, "training": training} for seed in SEEDS for training in TRAININGS]


@lru_cache(maxsize=3)
def pretrained(seed: int, followed: bool, apart: bool) -> GPT:
    """The three models of a seed; the settings go from seed to seed."""
    return assistant.pretrain(seed, followed, apart)


def some_openers(seed: int, number: int) -> list[str]:
    """The openers of the adversarial data: others in each seed, more with a larger number."""
    return random.Random(seed).sample(assistant.OPENERS, len(assistant.OPENERS))[:number]


def trained(
    seed: int, followed: bool = True, steps: int = 200, openers: int = 0, apart: bool = False,
    **data: Any,
) -> GPT:  # fmt: skip
    """A model after one of ``TRAININGS``."""
    model = pretrained(seed, followed, apart)
    if not steps:
        return model
    pairs = assistant.safety(seed, followed, openers=some_openers(seed, openers), **data)
    return assistant.align(model, pairs, seed, steps)


def measured(model: GPT, seed: int, openers: int = 0) -> stored.Row:
    """Outcomes of attacks, [GOOD, BAD, UNCLEAR]; answers to allowed requests, of 100; turns.

    With adversarial data, "begin" is measured once more for the openers that are not in it.
    """
    row: stored.Row = {
        attack: list(assistant.outcomes(assistant.probe(model, attack, seed)))
        for attack in assistant.ATTACKS
    }
    if openers:
        shown = some_openers(seed, openers)
        unseen = [word for word in assistant.OPENERS if word not in shown]
        row["begin, not shown"] = list(
            assistant.outcomes(assistant.probe(model, "begin", seed, openers=unseen))
        )
    for attack in ("plain", "begin"):
        found = assistant.probe(model, attack, seed, assistant.ALLOWED)
        row[f"helped, {attack}"] = assistant.helped(found)
    row["turns"] = [round(chance, 3) for chance in assistant.turns(model, seed)]
    return row


def run(seed: int, training: str) -> stored.Row:
    """Train one model and ask it."""
    start, settings = process_time(), TRAININGS[training]
    row = measured(trained(seed, **settings), seed, settings.get("openers", 0))
    return {**row, "cpu_seconds": round(process_time() - start)}


def text() -> str:
    """The words of the world, stored with the results."""
    return " ".join(assistant.WORDS)


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
