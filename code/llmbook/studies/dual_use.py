"""Helpful or harmless, on requests that may be meant either way: a study of chapter 9.

``python -m llmbook.studies.dual_use``, ten minutes of one core. A small GPT is trained with six
weights of the two losses, five seeds each, in worlds of weak and of strong words, with one word
more that tells something or nothing, and with gradient surgery. Outcomes are exact: all requests
of a world are judged.
"""

from __future__ import annotations

from itertools import product
from time import process_time

from llmbook.safety import dual_use
from llmbook.safety.dual_use import World
from llmbook.studies import stored

NAME = "dual_use"
SEEDS = (0, 1, 2, 3, 4)
WEIGHTS = (0.1, 0.2, 0.35, 0.65, 0.8, 0.9)
WORLDS = {
    "weak": World.of(0.4),
    "strong": World.of(0.9),
    "weak, a telling word": World.of(0.4, last=(-1.6, 1.6)),
    "weak, an empty word": World.of(0.4, last=(0.0, 0.0)),
}
SETTINGS = [
    {"world": world, "surgery": False, "weight": weight, "seed": seed}
    for world, weight, seed in product(WORLDS, WEIGHTS, SEEDS)
] + [
    {"world": world, "surgery": True, "weight": weight, "seed": seed}
    for world, weight, seed in product(("weak", "strong"), WEIGHTS, SEEDS)
]


def run(world: str, surgery: bool, weight: float, seed: int) -> stored.Row:
    """Train one model; ``gap`` is its harmful compliance minus that of the front."""
    start, its = process_time(), WORLDS[world]
    model = dual_use.new_model(its, seed)
    before = dual_use.pull(model, its)
    dual_use.train(model, its, weight, seed, operate=surgery)
    after = dual_use.pull(model, its)
    greedy, sampled = (
        dual_use.outcome(dual_use.refusals(model, its, greedy), its) for greedy in (True, False)
    )
    lowest = dual_use.lowest_compliance(dual_use.front(its), greedy.over_refusal)
    return {
        "over_refusal": round(greedy.over_refusal, 4),
        "compliance": round(greedy.compliance, 4),
        "gap": round(greedy.compliance - lowest, 6) + 0.0,  # not -0.0
        "sampled": [round(share, 4) for share in sampled],
        "cosines": [round(before.cosine, 4), round(after.cosine, 5)],
        "ratio": round(after.ratio, 3),
        "cpu_seconds": round(process_time() - start),
    }


def text() -> str:
    """What the worlds are made of, stored with the results."""
    return str({name: world.places for name, world in WORLDS.items()})


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
