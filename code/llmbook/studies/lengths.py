"""Reversing strings longer than any in training: ``python -m llmbook.studies.lengths``, half an
hour.

A GPT of two layers reads a string of up to ten letters and a separator, and writes the string
backwards. The rule does not depend on the length; does what was learned? Four position schemes,
and three of them again with positions drawn at random, in order, from a longer range (Ruoss et al.
2023): a position that long strings need has then been seen.

Shapes: ``B`` batch, ``T`` tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from llmbook.attention import causal_mask
from llmbook.models import GPT, GPTConfig
from llmbook.studies import stored
from llmbook.studies.language_model import begin_like_seq2seq, linear_schedule

NAME = "lengths"
SEEDS = (1, 2, 3)
LETTERS, SEPARATOR = 16, 16
LONGEST = 10  # in training
LENGTHS = (2, 4, 6, 8, 10, 11, 12, 14, 16, 20, 24, 30)
RANGE = 64  # of randomized positions; a string of 30 takes 60
SCHEMES = [("none", False)] + [
    (scheme, randomized)
    for randomized in (False, True)
    for scheme in ("learned", "sinusoidal", "rotary")
]
SETTINGS = [{"positions": scheme, "randomized": randomized, "seed": seed}
            for scheme, randomized in SCHEMES for seed in SEEDS]  # fmt: skip


def strings(length: int, batch: int, random: torch.Generator) -> Tensor:
    """Rows of a string, the separator and the string backwards: (B, 2 length + 1)."""
    letters = torch.randint(LETTERS, (batch, length), generator=random)
    return torch.cat((letters, torch.full((batch, 1), SEPARATOR), letters.flip(1)), dim=1)


def logits_at(model: GPT, ids: Tensor, positions: Tensor) -> Tensor:
    """Logits (B, T, V) of a GPT for ids (B, T) at the given positions (T,)."""
    x = model.embeddings(ids, positions)
    x = model.stack(x, mask=causal_mask(ids.shape[1]), positions=positions)
    return model.output(x)


def places(number: int, randomized: bool, random: torch.Generator) -> Tensor:
    """Positions 0, 1, 2, … or, randomized, as many of the range, in order."""
    if not randomized:
        return torch.arange(number)
    return torch.randperm(RANGE, generator=random)[:number].sort().values


def run(positions: str, randomized: bool, seed: int, steps: int = 5000) -> stored.Row:
    """Train and judge one model: the share of letters, and of whole strings, that are right."""
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    model = GPT(GPTConfig.gpt2(
        vocab_size=LETTERS + 1, context_length=RANGE, d_model=64, num_heads=4, num_layers=2,
        positions=positions, dropout=0.0,
    ))  # fmt: skip
    begin_like_seq2seq(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, linear_schedule(50, steps))
    for _ in range(steps):
        length = int(torch.randint(1, LONGEST + 1, (1,), generator=random))
        ids = strings(length, 64, random)
        where = places(2 * length, randomized, random)
        answers = logits_at(model, ids[:, :-1], where)[:, -length:]
        loss = F.cross_entropy(answers.flatten(0, 1), ids[:, -length:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    letters, whole = zip(*(judge(model, length, randomized) for length in LENGTHS), strict=True)
    return {"letters": letters, "strings": whole}


@torch.no_grad()
def judge(model: GPT, length: int, randomized: bool, number: int = 500) -> tuple[float, float]:
    """Share of letters and of strings that are right; greedy decoding writes the same strings,

    since it goes wrong at the first letter whose best guess, given what is right so far, is wrong.
    """
    random = torch.Generator().manual_seed(length)
    ids = strings(length, number, random)
    where = places(2 * length, randomized, random)
    right = logits_at(model, ids[:, :-1], where)[:, -length:].argmax(-1) == ids[:, -length:]
    return round(right.float().mean().item(), 3), round(right.all(1).float().mean().item(), 3)


def text() -> str:
    """What the strings are, stored with the results."""
    return f"{LETTERS} letters, up to {LONGEST} in training, positions up to {RANGE}"


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
