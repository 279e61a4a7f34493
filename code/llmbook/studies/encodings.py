"""Safety training in some of six encodings, over seeds: ``python -m llmbook.studies.encodings``.

A quarter of an hour of one core. In each seed names, values, weights and the order of the texts
are drawn anew. One world has the six encodings of ``llmbook.safety.encodings``; in the other, a
control, a moving script stands in the place of the script.
"""

from __future__ import annotations

from collections.abc import Sequence

from llmbook.evaluation import Score, share
from llmbook.models import GPT
from llmbook.safety.encodings import (
    ALLOWED,
    DIGITS,
    ENCODINGS,
    FORBIDDEN,
    PLAIN_ALONE,
    PRETRAINING,
    SAFETY,
    SCRIPT,
    TESTED,
    TRAINED,
    World,
    align,
    ask,
    meets_plain,
    pretrain,
    safety,
    symbol_cosines,
)
from llmbook.studies import stored
from llmbook.training import TrainingConfig

NAME = "encodings"
SEEDS = range(5)
WORLDS = {
    "six": ENCODINGS,
    "control": tuple("moving script" if e == "script" else e for e in ENCODINGS),
}
STEPS = (100, 200, 300, 400, 500, 600, PRETRAINING.steps)
SETTINGS = [{"world": world, "seed": seed} for world in WORLDS for seed in SEEDS]


def judged(model: GPT, world: World, encodings: Sequence[str]) -> stored.Row:
    """For each encoding: bad, good and unclear, of forbidden and of allowed questions."""
    return {
        "forbidden": {e: list(ask(model, world, e)) for e in encodings},
        "allowed": {e: list(ask(model, world, e, ALLOWED)) for e in encodings},
    }


def run(world: str, seed: int) -> stored.Row:
    """Pretrain, look inside, and judge the model before and after each safety training."""
    its, encodings = World.draw(seed), WORLDS[world]
    models = pretrain(its, seed, encodings, keep=STEPS)

    def safe(model: GPT, refused: Sequence[str], config: TrainingConfig = SAFETY) -> GPT:
        answered = ["plain"] if config is PLAIN_ALONE else encodings
        return align(model, safety(its, refused, answered, seed), seed, config)

    model = models[PRETRAINING.steps]
    after = {"none": model, "plain": safe(model, ["plain"]), "all": safe(model, encodings)}
    if world == "six":
        after["plain alone"] = safe(model, ["plain"], PLAIN_ALONE)
        after["all, then helpful"] = safe(after["all"], [], PLAIN_ALONE)
        after["all, then both"] = safe(after["all"], ["plain"], PLAIN_ALONE)  # its control
        for left in encodings:
            after[f"all but {left}"] = safe(model, [e for e in encodings if e != left])
    curve = []
    for step in STEPS:
        early = models[step]
        point = {"step": step, "before": {e: ask(early, its, e).bad for e in encodings}}
        if world == "six":
            late = safe(early, ["plain"])
            point["after"] = {e: list(ask(late, its, e)) for e in encodings}
        curve.append(point)
    letters = {c: SCRIPT[c] for c in sorted(set("".join(its.trained + its.tested)))}
    return {
        "meets plain": {e: meets_plain(model, its, e)[0] for e in encodings},
        "cosines": {name: [round(c, 3) for c in symbol_cosines(model, symbols)]
                    for name, symbols in (("script", letters), ("leet", DIGITS))},
        "after": {name: judged(one, its, encodings) for name, one in after.items()},
        "curve": curve,
    }  # fmt: skip


def pooled(
    rows: Sequence[stored.Row], training: str, encoding: str, outcome: int = 0,
    asked: str = "forbidden",
) -> Score:  # fmt: skip
    """Share of an outcome (0 bad, 1 good, 2 unclear) in all questions of these rows."""
    counts = [row["after"][training][asked][encoding] for row in rows]
    return share(sum(c[outcome] for c in counts), sum(map(sum, counts)))


def text() -> str:
    """What the worlds and trainings are, stored with the results."""
    return (f"{FORBIDDEN} of {TRAINED} and {TESTED} names; {PRETRAINING.steps} and {SAFETY.steps} "
            f"steps, rates {PRETRAINING.learning_rate}, {SAFETY.learning_rate} and "
            f"{PLAIN_ALONE.learning_rate}")  # fmt: skip


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
