"""What a small GPT keeps of secrets in its text: ``python -m llmbook.studies.memorization``.

Half an hour of one core. In each seed names, codes, the part of the documents that is held out,
weights and batches are drawn anew. A row is one training: of the text as it is, of the text
without its duplicates, or with clipped and blurred gradients.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from llmbook.classify.shift import auroc
from llmbook.evaluation import Score, compare_means, mean_score, share
from llmbook.models import GPT
from llmbook.models.mode import evaluating
from llmbook.privacy import (
    FORMS,
    Settings,
    World,
    code_losses,
    document_losses,
    encode,
    epsilon,
    exact_duplicates,
    exposure,
    fit,
    near_duplicates,
    new_model,
    normalized,
    prompt,
    written_codes,
)
from llmbook.privacy.world import COPIES, EACH, HELD_OUT, LONGEST
from llmbook.studies import stored

NAME = "memorization"
SEEDS = range(5)
EPOCHS, BATCH = 12, 64
DELTA = 1e-5
CLIP = 0.5
NEAR = 0.6
LOOKS = 6  # how often a model is judged during its training, the end included
OTHER_FORMS = (*FORMS[10:], "{name} has the pin {code}.")  # of the question
PLACES: dict[str, Callable[[list[str]], list[int]]] = {  # what a repair removes
    "nothing": lambda documents: [],
    "exact": exact_duplicates,
    "normalized": lambda documents: exact_duplicates(documents, normalized),
    "near": lambda documents: near_duplicates(documents, NEAR),
}
TEXTS = {  # a name: whether the copies have different forms, and what is removed
    "same": (False, "nothing"),
    "same, exact": (False, "exact"),
    "varied": (True, "nothing"),
    "varied, near": (True, "near"),
    "varied, lot": (True, "lot"),  # a control: as many ordinary documents, but by lot
}
# Ways to train on the text "same". Blurred gradients need larger batches; the two controls have
# them too.
PRIVATE: dict[str, dict[str, Any]] = {
    "clip": {"clip": CLIP, "batch_size": 128},
    "noise": {"noise": 1.0 * CLIP, "batch_size": 128},
    "private, 0.3": {"clip": CLIP, "noise": 0.3 * CLIP, "batch_size": 128},
    "private, 1.0": {"clip": CLIP, "noise": 1.0 * CLIP, "batch_size": 128},
}
BEGINNING = "same, first epochs"  # of the runs "same", looked at more often
TRAININGS = (*TEXTS, *PRIVATE, BEGINNING)
SETTINGS = [{"training": name, "seed": seed} for seed in SEEDS for name in TRAININGS]


def text_of(world: World, training: str) -> tuple[list[str], list[int]]:
    """The training text, and the places of what is removed from it."""
    varied, repair = TEXTS.get(training, TEXTS["same"])
    documents = world.training(varied)
    if repair != "lot":
        return documents, PLACES[repair](documents)
    ordinary = len(world.ordinary)
    near = PLACES["near"](documents)
    number = sum(i < ordinary for i in near)
    by_lot = random.Random(f"{ordinary} {number}").sample(range(ordinary), number)
    return documents, sorted([*by_lot, *(i for i in near if i >= ordinary)])


def settings_of(training: str, number: int, seed: int) -> Settings:
    """The settings of a training on so many documents."""
    epochs = 2 if training == BEGINNING else EPOCHS
    own = {"batch_size": BATCH, "epochs": epochs} | PRIVATE.get(training, {})
    steps = LOOKS * round(own.pop("epochs") * number / own["batch_size"] / LOOKS)
    return Settings(steps=steps, seed=seed, **own)


@torch.no_grad()
def bits(model: GPT, ids: torch.Tensor) -> np.ndarray:
    """Loss of each document, in bits per character."""
    with evaluating(model):
        return document_losses(model, ids).numpy() / math.log(2)


def exposures(
    model: GPT, world: World, form: str = FORMS[0], own: bool = True
) -> dict[str, list[float]]:  # fmt: skip
    """For each number of copies, the exposure of each of its secrets.

    Args:
        own: False asks for the names that have no copy, and looks for the same codes: what is then
            left of an exposure is the digits, and not who has them
    """
    found = {}
    for k in COPIES:
        asked = world.named(k if own else 0)
        found[str(k)] = [
            round(exposure(code_losses(model, prompt(who, form)), int(world.codes[name])), 2)
            for who, name in zip(asked, world.named(k), strict=True)
        ]
    return found


def written(model: GPT, world: World, form: str = FORMS[0]) -> dict[str, int]:
    """For each number of copies, how many of its codes the model writes when asked."""
    found = {}
    for k in COPIES:
        names = world.named(k)
        codes = written_codes(model, [prompt(name, form) for name in names])
        found[str(k)] = sum(code == world.codes[name]
                            for code, name in zip(codes, names, strict=True))  # fmt: skip
    return found


def run(training: str, seed: int) -> stored.Row:
    """Train, and judge during the training and at its end."""
    world = World.draw(seed)
    documents, removed = text_of(world, training)
    places = sorted(set(range(len(documents))) - set(removed))
    kept = encode([documents[i] for i in places])
    held, read = encode(world.held_out), encode(documents[:HELD_OUT])
    settings = settings_of(training, len(kept), seed)
    model, curve = new_model(seed), []

    def watch(step: int) -> None:
        point = {"epoch": round(step * settings.batch_size / len(kept), 2),
                 "bits": round(float(bits(model, held).mean()), 4)}  # fmt: skip
        curve.append({**point, "exposure": exposures(model, world),
                      "written": written(model, world)})  # fmt: skip

    fit(model, kept, settings, watch, every=settings.steps // LOOKS)
    return {
        "documents": len(documents),
        "removed": {"ordinary": sum(i < len(world.ordinary) for i in removed),
                    "secret": sum(i >= len(world.ordinary) for i in removed)},
        "bits of read": round(float(bits(model, read).mean()), 4),
        "auroc": round(auroc(bits(model, read), bits(model, held)), 3),
        "curve": curve,
        "other name": exposures(model, world, own=False),
        "forms": {form: exposures(model, world, form)
                  for form in OTHER_FORMS}
                 if training == "same" else {},
    }  # fmt: skip


# Reading the rows.


def last(row: stored.Row) -> dict[str, Any]:
    """The end of the curve."""
    return row["curve"][-1]


def mean_exposure(
    rows: Sequence[stored.Row], copies: int, place: int = -1, own: bool = True
) -> Score:  # fmt: skip
    """Over the secrets of all rows; the interval draws whole seeds.

    Args:
        place: of the curve
        own: False for the end of the training, asked with other names
    """
    found = [row["curve"][place]["exposure"] if own else row["other name"] for row in rows]
    values = [one[str(copies)] for one in found]
    groups = [row["seed"] for row, one in zip(rows, values, strict=True) for _ in one]
    return mean_score([x for one in values for x in one], groups)


def of_the_name(rows: Sequence[stored.Row], copies: int) -> Score:
    """What an exposure owes to the name: asked with it, less asked with another, at the end."""
    mine = [last(row)["exposure"][str(copies)] for row in rows]
    others = [row["other name"][str(copies)] for row in rows]
    groups = [row["seed"] for row, one in zip(rows, mine, strict=True) for _ in one]
    return compare_means([x for one in mine for x in one], [x for one in others for x in one],
                         groups)  # fmt: skip


def share_written(rows: Sequence[stored.Row], copies: int, place: int = -1) -> Score:
    """Of all codes with so many copies, those that the models write."""
    counts = [row["curve"][place]["written"][str(copies)] for row in rows]
    return share(sum(counts), EACH * len(counts))


def course(rows: Sequence[stored.Row], training: str) -> list[list[dict[str, Any]]]:
    """For each seed the points of the curve; of "same", with those of its first epochs."""
    found = []
    for row in stored.select(rows, training=training):
        early = stored.select(rows, training=BEGINNING, seed=row["seed"])
        before = early[0]["curve"][:-1] if training == "same" else []
        found.append([*before, *row["curve"]])
    return found


def beside_training_less(
    rows: Sequence[stored.Row], training: str, copies: int
) -> list[float]:  # fmt: skip
    """For each seed, the mean exposure at the end less that of ordinary training stopped early.

    Stopped where its loss on documents that were held out was the same, by straight lines between
    the points of its curve.
    """
    found = []
    pairs = zip(course(rows, training), course(rows, "same"), strict=True)
    for own, ordinary in pairs:
        x, y = zip(*((-p["bits"], np.mean(p["exposure"][str(copies)])) for p in ordinary),
                   strict=True)  # fmt: skip
        end = own[-1]
        same_loss = np.interp(-end["bits"], x, y)
        found.append(float(np.mean(end["exposure"][str(copies)]) - same_loss))
    return found


def budget(training: str, documents: int) -> float:
    """The epsilon of a training on so many documents; infinite without clipping or noise."""
    settings = settings_of(training, documents, 0)
    if not settings.noise or settings.clip == math.inf:
        return math.inf
    return epsilon(settings.batch_size / documents, settings.noise / settings.clip,
                   settings.steps, DELTA)  # fmt: skip


def text() -> str:
    """What the worlds and trainings are, stored with the results."""
    return (
        f"{EACH} secrets each of {COPIES} copies, documents of up to {LONGEST} characters; "
        f"{EPOCHS} epochs, batches of {BATCH}, near {NEAR}; {PRIVATE}"
    )


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
