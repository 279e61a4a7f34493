"""A small language model of bytes, trained on Wikipedia or documentation, judged in bits per byte.

Bytes, because then no tokenizer stands between two models that are compared. A seed fixes the
first weights and the order of the batches, so models with the same seed read the same text.

Shapes: ``B`` batch, ``T`` bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmbook import corpora
from llmbook.models import GPT, GPTConfig
from llmbook.models.initialization import initialize_xavier
from llmbook.training import HeldOut, NextToken, TokenWindows, Trainer, TrainingConfig

VOCAB_SIZE = 256


def wikipedia_bytes(split: str) -> Tensor:
    """The articles of a split as one row of bytes, int64."""
    text = "\n\n".join(article.text for article in corpora.wikipedia().split(split))
    return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8).long()


def docstring_bytes(split: str) -> Tensor:
    """The documents of a split as one row of bytes, a zero byte between two, int64."""
    text = "\0".join(record.text for record in corpora.docstrings().split(split))
    return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8).long()


def documentation_fingerprint() -> str:
    """Of the documentation strings: what a study of them stores with its rows."""
    return corpora.docstrings().provenance.fingerprint


def train_on_documentation(model: GPT, settings: TrainingConfig) -> dict[str, Any]:
    """Train a GPT of bytes on documentation strings; its held-out loss, curve and CPU seconds.

    The seed of the settings decides the batches too.
    """
    window = model.config.context_length + 1
    held_out = HeldOut.windows(
        docstring_bytes("validation"), window,
        token_bytes=torch.ones(VOCAB_SIZE, dtype=torch.long), every=16,
    )  # fmt: skip
    trainer = Trainer(
        model, NextToken(), TokenWindows(docstring_bytes("train"), window, settings.seed),
        settings, evaluate={"documentation": held_out}, quiet=True,
    )  # fmt: skip
    history = trainer.fit()
    found = history.curve("documentation")[-1][1]
    width = max(1, settings.steps // 40)
    return {
        "bits_per_byte": round(found.bits_per_byte, 4),
        "curve": [[step, round(loss, 3)] for step, loss in history.smooth(width)],
        "cpu_seconds": round(history.cpu_seconds),
    }


def new_model(config: GPTConfig, seed: int, initialization: str = "gpt2") -> GPT:
    """A GPT with GPT-2's first weights, or, for "xavier", with those of our Seq2Seq."""
    torch.manual_seed(seed)
    model = GPT(config)
    if initialization == "xavier":
        begin_like_seq2seq(model)
    return model


def begin_like_seq2seq(model: GPT) -> None:
    """Give a GPT the first weights of our Seq2Seq, and its scale of token vectors."""
    width = model.config.d_model
    initialize_xavier(model)
    # Where the output layer is tied, it came later and drew over the embedding.
    nn.init.normal_(model.embeddings.token.weight, std=width**-0.5)
    model.embeddings.scale = width**0.5


def train(
    model: GPT,
    data: Tensor,
    *,
    seed: int,
    steps: int,
    learning_rate: float,
    warm_up: int,
    batch_size: int = 16,
) -> list[float]:
    """AdamW, rate rising over ``warm_up`` steps and falling to 0, gradients clipped to norm 1.

    Returns the loss of each step, in nats.
    """
    length = model.config.context_length
    random = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.95))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, linear_schedule(warm_up, steps))
    losses = []
    for _ in range(steps):
        starts = torch.randint(len(data) - length, (batch_size,), generator=random)
        windows = torch.stack([data[i : i + length + 1] for i in starts])  # (B, T + 1)
        logits = model(windows[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        losses.append(loss.item())
    return losses


def linear_schedule(warm_up: int, steps: int) -> Callable[[int], float]:
    """Factor of the learning rate: up to 1 in ``warm_up`` steps, down to 0 in ``steps``."""
    return lambda step: min((step + 1) / (warm_up + 1), 1 - step / steps)


@torch.no_grad()
def bits_per_byte(model: GPT, data: Tensor, windows: int = 256) -> float:
    """Mean loss over evenly spaced windows, in bits; each window begins without context."""
    length = model.config.context_length
    starts = torch.linspace(0, len(data) - length - 1, windows).long()
    rows = torch.stack([data[i : i + length + 1] for i in starts])  # (windows, T + 1)
    nats = [
        F.cross_entropy(model(part[:, :-1]).flatten(0, 1), part[:, 1:].flatten()).item() * len(part)
        for part in rows.split(32)
    ]
    return sum(nats) / windows / math.log(2)
