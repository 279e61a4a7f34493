"""From the block of GPT-2 to the modern one: ``python -m llmbook.studies.block_ladder``, an hour.

A byte-level GPT of four layers and width 96 on the Wikipedia sample. Each rung keeps the changes of
those before it. The number of parameters stays the same within one in a hundred, but for the
position vectors, which are gone from the fourth rung on: a gated layer gets two thirds of the
hidden width, and what grouped queries save goes into the hidden width.
"""

from __future__ import annotations

from itertools import product
from typing import Any

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

NAME = "block_ladder"
SEEDS = (1, 2, 3, 4)
CHANGES: dict[str, dict[str, Any]] = {
    "GPT-2 block": {},
    "+ no bias": {"bias": False},
    "+ RMSNorm": {"norm": "rms_norm"},
    "+ SwiGLU": {"activation": "swiglu", "d_hidden": 256},
    "+ rotary": {"positions": "rotary"},
    "+ grouped queries": {"num_kv_heads": 2, "d_hidden": 288},
}
RUNGS = tuple(CHANGES)
RATE, ENDS = 0.003, (RUNGS[0], RUNGS[-1])
SETTINGS = [{"rung": rung, "learning_rate": RATE, "seed": seed}
            for seed, rung in product(SEEDS, RUNGS)] + [
    # Is the order of the two ends a matter of the learning rate?
    {"rung": rung, "learning_rate": rate, "seed": 1}
    for rung, rate in product(ENDS, (0.0015, 0.006))
]  # fmt: skip


def config(rung: str, **settings: Any) -> GPTConfig:
    """The model of a rung: the changes up to and with it."""
    changes = {}
    for name in RUNGS[: RUNGS.index(rung) + 1]:
        changes |= CHANGES[name]
    base = {
        "vocab_size": VOCAB_SIZE, "context_length": 128, "d_model": 96, "num_heads": 4,
        "num_layers": 4, "dropout": 0.0,
    }  # fmt: skip
    return GPTConfig.gpt2(**base | changes | settings)


def run(rung: str, learning_rate: float, seed: int, steps: int = 800) -> stored.Row:
    """Train and judge one model."""
    model = new_model(config(rung), seed)
    losses = train(
        model, wikipedia_bytes("train"), seed=seed, steps=steps,
        learning_rate=learning_rate, warm_up=50,
    )  # fmt: skip
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "curve": [round(sum(losses[i : i + 20]) / 20, 3) for i in range(0, steps, 20)],
        "bits_per_byte": round(bits_per_byte(model, wikipedia_bytes("validation")), 4),
    }


def text() -> str:
    """Fingerprint of what is read, stored with the results."""
    return corpora.wikipedia().provenance.fingerprint


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
