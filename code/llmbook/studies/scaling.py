"""Loss against size and data: ``python -m llmbook.studies.scaling``, about an hour of one core.

Modern blocks on the bytes of the documentation strings. Each run has a schedule of its own, which
ends where its data ends: a longer run cut short would look worse than it is (Hoffmann et al. 2022,
section 2 and appendix B). The learning rate falls as the width grows; some runs have one rate for
all sizes.
"""

from __future__ import annotations

from functools import partial
from itertools import product

import torch

from llmbook.models import GPT, GPTConfig
from llmbook.studies import stored
from llmbook.studies.language_model import VOCAB_SIZE, train_on_documentation
from llmbook.studies.language_model import documentation_fingerprint as text
from llmbook.training import TrainingConfig

NAME = "scaling"
SHAPES = {  # (width, layers): from the smallest to the one that is only predicted
    "8 k": (32, 1),
    "25 k": (48, 1),
    "100 k": (64, 2),
    "345 k": (96, 3),
    "790 k": (128, 4),
    "1.8 M": (192, 4),
}
TOKENS = (250_000, 500_000, 1_000_000, 2_000_000, 4_000_000)
CONTEXT, BATCH_SIZE = 128, 16
ONE_RATE = 0.03


def rate_for(shape: str) -> float:
    """2 by the width: found by trying four rates at each size, on half a million bytes."""
    return round(2 / SHAPES[shape][0], 4)


def setting(shape: str, tokens: int, seed: int = 1) -> stored.Row:
    return {"shape": shape, "tokens": tokens, "rate": rate_for(shape), "seed": seed}


FITTED = [*SHAPES][:-1]
LAST = setting("1.8 M", 8_000_000)
SETTINGS = [
    *(setting(shape, tokens) for shape, tokens in product(FITTED, TOKENS)),
    # how far two runs differ that differ by the seed alone
    *(setting("100 k", 1_000_000, seed) for seed in (2, 3, 4)),
    *(setting(shape, 2_000_000) | {"rate": ONE_RATE} for shape in FITTED),
    LAST,
]


def config(shape: str) -> GPTConfig:
    width, layers = SHAPES[shape]
    return GPTConfig.modern(
        vocab_size=VOCAB_SIZE, context_length=CONTEXT, d_model=width, num_heads=4,
        num_kv_heads=4, num_layers=layers, dropout=0.0,
    )  # fmt: skip


def run(shape: str, tokens: int, rate: float, seed: int, device: str = "cpu") -> stored.Row:
    """Train and judge one model; ``parameters`` without token vectors, as Kaplan et al. count."""
    torch.manual_seed(seed)
    model = GPT(config(shape)).to(device)
    steps = tokens // (BATCH_SIZE * CONTEXT)
    settings = TrainingConfig(
        steps=steps, batch_size=BATCH_SIZE, learning_rate=rate, final_rate=0.05,
        warm_up=steps // 10, optimizer="muon", seed=seed,
    )  # fmt: skip
    embeddings = model.embeddings.token.weight.numel()
    parameters = sum(p.numel() for p in model.parameters()) - embeddings
    return {"parameters": parameters, **train_on_documentation(model, settings)}


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, partial(run, device=stored.device()))
