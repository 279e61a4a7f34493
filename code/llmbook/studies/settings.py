"""Learning rate, batch and warm-up of one small GPT: ``python -m llmbook.studies.settings``.

A quarter of an hour. Every run reads the same number of bytes of documentation strings, so a larger
batch makes fewer steps. AdamW, as most descriptions of such training have it.
"""

from __future__ import annotations

from itertools import product

import torch

from llmbook.models import GPT, GPTConfig
from llmbook.studies import stored
from llmbook.studies.language_model import VOCAB_SIZE, train_on_documentation
from llmbook.studies.language_model import documentation_fingerprint as text
from llmbook.training import TrainingConfig

NAME = "settings"
CONTEXT, TOKENS = 128, 1_000_000
RATES = (0.0003, 0.001, 0.003, 0.01, 0.03)
BATCHES, SHARES = (4, 16, 64), (0.0, 0.1)
SETTINGS = [
    {"batch_size": batch, "learning_rate": rate, "warm_up_share": 0.1, "seed": 1}
    for batch, rate in product(BATCHES, RATES)
] + [  # warm-up: with the middle batch, three seeds
    {"batch_size": 16, "learning_rate": rate, "warm_up_share": share, "seed": seed}
    for rate, share, seed in product((0.003, 0.01, 0.03), SHARES, (1, 2, 3))
    if (share, seed) != (0.1, 1)
]  # fmt: skip


def config() -> GPTConfig:
    return GPTConfig.modern(
        vocab_size=VOCAB_SIZE, context_length=CONTEXT, d_model=96, num_heads=4, num_kv_heads=4,
        num_layers=2, dropout=0.0,
    )  # fmt: skip


def run(batch_size: int, learning_rate: float, warm_up_share: float, seed: int) -> stored.Row:
    """Train and judge one model."""
    torch.manual_seed(seed)
    model = GPT(config())
    steps = TOKENS // (batch_size * CONTEXT)
    settings = TrainingConfig(
        steps=steps, batch_size=batch_size, learning_rate=learning_rate, final_rate=0.05,
        warm_up=int(steps * warm_up_share), seed=seed,
    )  # fmt: skip
    return {"steps": steps, **train_on_documentation(model, settings)}


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
