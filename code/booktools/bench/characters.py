"""nanoGPT's recipe for a CPU on the characters of a text: our GPT and Trainer beside plain PyTorch.

The recipe (nanoGPT, README and `config/train_shakespeare_char.py`): 4 layers, 4 heads, width 128,
context 64, no bias, no dropout; 2,000 steps of 12 windows, AdamW. Its README promises a validation
loss of 1.88 on Shakespeare, an estimate from 240 windows. The reference is written here, of torch's
modules, as one would write it.

Two bars. With the same recipe, our loss and CPU time are no worse than the reference's. And ours
with the modern block and Muon, in fewer steps, reaches 1.88 in less CPU time than the recipe takes.

CPU seconds of one process and one thread. The models take turns, `SLICE` steps each, so that the
noise of the machine meets all of them; the ratio is the median over the slices. Evaluation, on all
of the validation text, is not timed.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmbook.models import GPT, GPTConfig
from llmbook.training import NextToken, TokenWindows, Trainer, TrainingConfig

STEPS, MODERN_STEPS, SLICE, BAR = 2000, 500, 100, 1.88
DRAWN = 20 * 12  # windows that nanoGPT draws for an estimate
PLAIN, OURS, MODERN = "plain PyTorch", "ours", "ours, modern block and Muon"
CONTEXT, BATCH, WIDTH, LAYERS, HEADS = 64, 12, 128, 4, 4
WARM_UP, RATE, FINAL_RATE, BETAS, DECAY, CLIP = 100, 1e-3, 1e-4, (0.9, 0.99), 0.1, 1.0


class PlainBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(WIDTH, bias=False)
        self.query_key_value = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.projection = nn.Linear(WIDTH, WIDTH, bias=False)
        self.norm_2 = nn.LayerNorm(WIDTH, bias=False)
        self.feed_forward = nn.Sequential(
            nn.Linear(WIDTH, 4 * WIDTH, bias=False),
            nn.GELU(),
            nn.Linear(4 * WIDTH, WIDTH, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        B, T, D = x.shape
        parts = self.query_key_value(self.norm_1(x)).view(B, T, 3, HEADS, D // HEADS)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # (B, H, T, K) each
        heads = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.projection(heads.transpose(1, 2).reshape(B, T, D))
        return x + self.feed_forward(self.norm_2(x))


class PlainGPT(nn.Module):
    """Token ids (B, T) to logits (B, T, V)."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.token = nn.Embedding(vocab_size, WIDTH)
        self.position = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(PlainBlock() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        self.output = nn.Linear(WIDTH, vocab_size, bias=False)
        self.output.weight = self.token.weight
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                residual = name.endswith(("projection.weight", "feed_forward.2.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * LAYERS if residual else 1))

    def forward(self, ids: Tensor) -> Tensor:
        x = self.token(ids) + self.position(torch.arange(ids.shape[1]))
        return self.output(self.norm(self.blocks(x)))


class PlainTraining:
    """A loop for ``PlainGPT``: as ``Trainer.fit``, ``fit(until)`` goes on to that step."""

    def __init__(self, model: PlainGPT, ids: Tensor, steps: int, warm_up: int) -> None:
        self.model, self.ids, self.steps, self.warm_up = model, ids, steps, warm_up
        parameters = list(model.parameters())
        self.optimizer = torch.optim.AdamW(
            [
                {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": DECAY},
                {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
            ],
            lr=RATE,
            betas=BETAS,
        )
        self.step = 0

    def rate(self) -> float:
        if self.step < self.warm_up:
            return RATE * (self.step + 1) / (self.warm_up + 1)
        done = (self.step - self.warm_up) / (self.steps - self.warm_up)
        return FINAL_RATE + (RATE - FINAL_RATE) * (1 + math.cos(math.pi * done)) / 2

    def fit(self, until: int) -> None:
        self.model.train()
        while self.step < until:
            starts = torch.randint(len(self.ids) - CONTEXT, (BATCH, 1))
            windows = self.ids[starts + torch.arange(CONTEXT + 1)]
            for group in self.optimizer.param_groups:
                group["lr"] = self.rate()
            logits = self.model(windows[:, :-1])
            loss = F.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            self.step += 1


@dataclass
class Run:
    """A model in training, how it goes on, and what that has cost so far."""

    model: nn.Module
    fit: Callable[[int], object]
    steps: int
    seconds: list[float] = field(default_factory=list)

    def go_on(self, until: int) -> None:
        start = time.process_time()
        self.fit(until)
        self.seconds.append(time.process_time() - start)


def read(path: Path) -> tuple[Tensor, Tensor, int]:
    """Ids of the first nine tenths and of the rest, and the number of different characters.

    Raises:
        OSError, UnicodeError: if the file cannot be read.
        ValueError: if a part is shorter than one window.
    """
    text = path.read_text(encoding="utf-8")
    characters = {character: i for i, character in enumerate(sorted(set(text)))}
    ids = torch.tensor([characters[character] for character in text], dtype=torch.long)
    cut = int(0.9 * len(ids))
    if len(ids) - cut <= CONTEXT:
        raise ValueError(
            f"{path} has {len(ids)} characters: its last tenth, {len(ids) - cut}, must hold one "
            f"window of {CONTEXT + 1}"
        )
    return ids[:cut], ids[cut:], len(characters)


def make_runs(ids: Tensor, vocab_size: int, steps: int, modern_steps: int) -> dict[str, Run]:
    size = {
        "vocab_size": vocab_size, "context_length": CONTEXT, "d_model": WIDTH,
        "num_layers": LAYERS, "num_heads": HEADS,
    }  # fmt: skip
    warm_up = min(WARM_UP, steps // 10)
    recipe = TrainingConfig(
        steps=steps, batch_size=BATCH, learning_rate=RATE, final_rate=FINAL_RATE / RATE,
        warm_up=warm_up, weight_decay=DECAY, betas=BETAS, clip=CLIP,
    )  # fmt: skip
    modern_recipe = TrainingConfig(
        steps=modern_steps, batch_size=BATCH, learning_rate=4e-3, final_rate=0.05,
        warm_up=modern_steps // 20, optimizer="muon",
    )  # fmt: skip
    torch.manual_seed(0)
    plain = PlainGPT(vocab_size)
    ours = GPT(GPTConfig.gpt2(**size, activation="gelu", bias=False, dropout=0.0))
    modern = GPT(GPTConfig.modern(**size))

    def trainer(model: GPT, config: TrainingConfig) -> Trainer:
        return Trainer(model, NextToken(), TokenWindows(ids, CONTEXT + 1), config, quiet=True)

    return {
        PLAIN: Run(plain, PlainTraining(plain, ids, steps, warm_up).fit, steps),
        OURS: Run(ours, trainer(ours, recipe).fit, steps),
        MODERN: Run(modern, trainer(modern, modern_recipe).fit, modern_steps),
    }


@torch.no_grad()
def validation_losses(model: nn.Module, ids: Tensor) -> Tensor:
    """Of all windows of the validation text, side by side, each read by itself (N,).

    nanoGPT estimates their mean from windows drawn at random.
    """
    model.eval()
    end = len(ids) - (len(ids) - 1) % CONTEXT
    inputs, targets = ids[: end - 1].view(-1, CONTEXT), ids[1:end].view(-1, CONTEXT)
    return torch.cat([
        F.cross_entropy(model(read).transpose(1, 2), wanted, reduction="none").mean(1)
        for read, wanted in zip(inputs.split(64), targets.split(64), strict=True)
    ])  # fmt: skip


def compare(path: Path) -> int:
    """Train all, print losses, CPU seconds and their ratio; 1 if the bar is missed, else 0."""
    train, validation, vocab_size = read(path)
    torch.set_num_threads(1)
    runs = make_runs(train, vocab_size, STEPS, MODERN_STEPS)
    for until in range(SLICE, STEPS + SLICE, SLICE):
        names = sorted(runs, reverse=until // SLICE % 2 == 0)  # none is always the first
        for name in names:
            if until - SLICE < runs[name].steps:
                runs[name].go_on(min(until, runs[name].steps))
    print(
        f"{len(train) + len(validation):,} characters, {vocab_size} of them different; windows of "
        f"{CONTEXT}, {BATCH} a step, one thread, torch {torch.__version__}"
    )
    losses, seconds = {}, {}
    for name, run in runs.items():
        of_windows = validation_losses(run.model, validation)
        losses[name], seconds[name] = of_windows.mean().item(), sum(run.seconds)
        error = (of_windows.std() / DRAWN**0.5).item()
        parameters = sum(p.numel() for p in run.model.parameters())
        print(
            f"{name:28s} {parameters / 1e6:.2f} M parameters, {run.steps:,} steps: validation loss "
            f"{losses[name]:.3f} (+- {error:.3f} from {DRAWN} windows), {seconds[name]:.1f} CPU-s"
        )
    slices = zip(runs[OURS].seconds, runs[PLAIN].seconds, strict=True)
    ratio = statistics.median(ours / plain for ours, plain in slices)
    same = ratio <= 1 and losses[OURS] <= losses[PLAIN] + 0.01
    print(
        f"the same recipe: loss {losses[OURS]:.3f} beside {losses[PLAIN]:.3f}, CPU time "
        f"{ratio:.2f} of plain PyTorch's (bound 1.00): {'met' if same else 'MISSED'}"
    )
    share = seconds[MODERN] / seconds[PLAIN]
    reached = losses[MODERN] <= BAR and share <= 1
    print(
        f"our modern model: loss {losses[MODERN]:.3f} (bar {BAR}) in {share:.2f} of that time: "
        f"{'met' if reached else 'MISSED'}"
    )
    return int(not (same and reached))
