"""Names and messages, by amount of data and by token: ``python -m llmbook.studies.names``.

All of the training pairs as characters and as byte-pair tokens, and a quarter of them as
characters, three seeds; ten minutes of one core. Every run takes the same number of steps, and
pairs of up to 62 characters. Judged on the test names and messages, English to Chinese, greedy.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from time import process_time

from llmbook.evaluation import bleu, chrf
from llmbook.studies import stored
from llmbook.translation import RECIPES, Recipe, all_words_seen, fit, placeholders

NAME = "names"
SEEDS = (0, 1, 2)
PIECES = {"characters": 0, "byte pairs": 1500}
STEPS, CONTEXT = 1500, 64
SETTINGS = [
    {"tokens": tokens, "share": share, "seed": seed}
    for (tokens, share), seed in product(
        (("characters", 1.0), ("byte pairs", 1.0), ("characters", 0.25)), SEEDS
    )
]


def recipe(tokens: str, share: float, seed: int) -> Recipe:
    shipped = RECIPES["names"]
    whole = replace(shipped, model={**shipped.model, "context_length": CONTEXT})
    return replace(
        whole,
        pieces=PIECES[tokens],
        first=round(share * len(whole.split("train"))),
        training=replace(shipped.training, steps=STEPS, seed=seed),
    )


def run(tokens: str, share: float, seed: int) -> stored.Row:
    """Train and judge one translator.

    Names are right or not, those whose English words all stand in the *whole* training split (so
    the same names for each share) apart from the others; of messages, those that keep their
    placeholders.
    """
    start = process_time()
    its = recipe(tokens, share, seed)
    translator, history = fit(its, quiet=True)
    seconds = process_time() - start
    test = its.split("test")
    names = [p for p in test if p.kind != "message"]
    messages = [p for p in test if p.kind == "message"]
    written = {kind: translator.write([p.english for p in pairs], "zh")
               for kind, pairs in (("names", names), ("messages", messages))}  # fmt: skip
    seen = all_words_seen([p.english for p in names], replace(its, first=None).split("train"))
    right = [found == p.chinese for found, p in zip(written["names"], names, strict=True)]
    held = [(placeholders(found), placeholders(p.english))
            for found, p in zip(written["messages"], messages, strict=True)]  # fmt: skip
    wanted = [p.chinese for p in messages]
    return {
        "seen words": [sum(r for r, s in zip(right, seen, strict=True) if s), sum(seen)],
        "an unseen word": [
            sum(r for r, s in zip(right, seen, strict=True) if not s), len(seen) - sum(seen),
        ],
        "names chrF": round(chrf(written["names"], [p.chinese for p in names], 2).value, 1),
        "messages chrF": round(chrf(written["messages"], wanted, 2).value, 1),
        "messages BLEU": round(bleu(written["messages"], wanted, "zh", 2).value, 1),
        "placeholders kept": [sum(f == w for f, w in held if w), sum(bool(w) for _, w in held)],
        "loss": round(sum(history.losses[-50:]) / 50, 3),
        "cpu_seconds": round(seconds),
    }  # fmt: skip


def text() -> str:
    """Fingerprints of what is read, stored with the results."""
    return " ".join(RECIPES["names"].fingerprints().values())


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
