"""A training step of our GPT-2 beside Transformers': forward, backward, AdamW, one thread.

With ``--text FILE``: nanoGPT's recipe on the characters of a file instead, see ``characters``.

CPU seconds of one process; the two models take turns in one run, because machines are noisy and
only the ratio of the medians means something. Both begin with the same weights and see the same
tokens, so their losses must agree, or they would not do the same work.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

VOCAB_SIZE, CONTEXT_LENGTH, BATCH_SIZE = 4096, 128, 16
WARM_UP, STEPS, BOUND = 3, 20, 1.0


def main(args: argparse.Namespace) -> int:
    if args.text is None:
        return compare_steps()
    from booktools.bench import characters

    try:
        return characters.compare(Path(args.text))
    except (OSError, ValueError) as error:
        print(f"booktools: {error}", file=sys.stderr)
        return 1


def compare_steps() -> int:
    import torch
    from torch.nn import functional as F
    from transformers import GPT2Config, GPT2LMHeadModel

    from llmbook.models import GPT, GPTConfig, load_weights

    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = GPTConfig.gpt2(
        vocab_size=VOCAB_SIZE, context_length=CONTEXT_LENGTH,
        d_model=256, num_layers=4, num_heads=4, dropout=0.0,
    )  # fmt: skip
    ours = GPT(config)
    theirs = GPT2LMHeadModel(GPT2Config(
        vocab_size=VOCAB_SIZE, n_positions=CONTEXT_LENGTH, n_embd=256, n_layer=4, n_head=4,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, use_cache=False,
        bos_token_id=None, eos_token_id=None,
    ))  # fmt: skip
    load_weights(ours, theirs.state_dict())

    def our_loss(ids: torch.Tensor) -> torch.Tensor:
        targets = F.pad(ids[:, 1:], (0, 1), value=-100)  # as Transformers: the last has no target
        return F.cross_entropy(ours(ids).view(-1, VOCAB_SIZE), targets.flatten())

    def their_loss(ids: torch.Tensor) -> torch.Tensor:
        return theirs(input_ids=ids, labels=ids).loss

    models = {"ours": (ours.train(), our_loss), "Transformers": (theirs.train(), their_loss)}
    optimizers = {
        name: torch.optim.AdamW(model.parameters(), lr=1e-3) for name, (model, _) in models.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in models}
    losses: dict[str, float] = {}
    for step in range(WARM_UP + STEPS):
        ids = torch.randint(VOCAB_SIZE, (BATCH_SIZE, CONTEXT_LENGTH))
        for name in sorted(models, reverse=step % 2 == 0):  # neither is always the first
            start = time.process_time()
            loss = models[name][1](ids)
            loss.backward()
            optimizers[name].step()
            optimizers[name].zero_grad(set_to_none=True)
            if step >= WARM_UP:
                seconds[name].append(time.process_time() - start)
            losses[name] = loss.item()
    parameters = sum(p.numel() for p in ours.parameters())
    print(f"{parameters / 1e6:.2f} million parameters, {STEPS} steps of {BATCH_SIZE} x "
          f"{CONTEXT_LENGTH} tokens, one thread, torch {torch.__version__}")  # fmt: skip
    for name, times in seconds.items():
        median, fastest = statistics.median(times), min(times)
        print(f"{name:12} {median:.3f} CPU-s a step (fastest {fastest:.3f}), "
              f"last loss {losses[name]:.4f}")  # fmt: skip
    ratio = statistics.median(seconds["ours"]) / statistics.median(seconds["Transformers"])
    same = abs(losses["ours"] - losses["Transformers"]) < 1e-3
    print(f"ratio of medians {ratio:.2f} (bound {BOUND}); losses {'agree' if same else 'differ'}")
    return int(ratio > BOUND or not same)
