"""Norm after the layer or before it: ``python -m llmbook.studies.norm_order``, 45 minutes.

A byte-level GPT of width 64 on the Wikipedia sample, 300 steps, with the first weights of our
Seq2Seq (Glorot & Bengio 2010), by depth, learning rate and warm-up, three seeds each.
"""

from __future__ import annotations

from itertools import product

from llmbook import corpora
from llmbook.models import GPTConfig
from llmbook.studies import stored
from llmbook.studies.language_model import (
    VOCAB_SIZE,
    bits_per_byte,
    new_model,
    train,
    wikipedia_bytes,
)

NAME = "norm_order"
SEEDS = (1, 2, 3)
DEPTHS, RATES, WARM_UPS = (2, 6, 12), (0.0003, 0.001, 0.003), (0, 100)
SETTINGS = [
    {"norm_first": norm_first, "num_layers": depth, "learning_rate": rate, "warm_up": warm_up,
     "steps": 300, "initialization": "xavier", "seed": seed}
    for depth, rate, warm_up, norm_first, seed in product(
        DEPTHS, RATES, WARM_UPS, (False, True), SEEDS)
] + [  # patience: five times the steps
    {"norm_first": norm_first, "num_layers": 12, "learning_rate": 0.0003, "warm_up": 400,
     "steps": 1500, "initialization": "xavier", "seed": seed}
    for norm_first, seed in product((False, True), SEEDS)
] + [  # GPT-2's first weights, which were smaller than Glorot's
    {"norm_first": norm_first, "num_layers": 6, "learning_rate": 0.001, "warm_up": 100,
     "steps": 300, "initialization": "gpt2", "seed": seed}
    for norm_first, seed in product((False, True), SEEDS)
]  # fmt: skip


def config(norm_first: bool, num_layers: int) -> GPTConfig:
    """The model of this study."""
    return GPTConfig.gpt2(
        vocab_size=VOCAB_SIZE, context_length=64, d_model=64, num_heads=4,
        num_layers=num_layers, norm_first=norm_first, dropout=0.0,
    )  # fmt: skip


def run(
    norm_first: bool, num_layers: int, learning_rate: float, warm_up: int, steps: int,
    initialization: str, seed: int,
) -> stored.Row:  # fmt: skip
    """Train and judge one model."""
    model = new_model(config(norm_first, num_layers), seed, initialization)
    losses = train(
        model, wikipedia_bytes("train"), seed=seed, steps=steps,
        learning_rate=learning_rate, warm_up=warm_up,
    )  # fmt: skip
    return {
        "curve": [round(sum(losses[i : i + 10]) / 10, 3) for i in range(0, steps, 10)],
        "bits_per_byte": round(bits_per_byte(model, wikipedia_bytes("validation")), 3),
    }


def text() -> str:
    """Fingerprint of what is read, stored with the results."""
    return corpora.wikipedia().provenance.fingerprint


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
