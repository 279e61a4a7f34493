"""Greedy generation with a key-value cache beside Transformers' `generate`: batch 1, one thread.

CPU seconds of one process; the two take turns, because machines are noisy and only the median of
the ratios means something. Both have the same weights and must write the same tokens.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

VOCAB_SIZE, PROMPT, NEW_TOKENS = 4096, 16, 200
WARM_UP, ROUNDS, BOUND = 1, 9, 2.0


def main(args: argparse.Namespace) -> int:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from llmbook.decoding import generate
    from llmbook.models import GPT, GPTConfig, load_weights

    torch.set_num_threads(1)
    torch.manual_seed(0)
    context = PROMPT + NEW_TOKENS
    ours = GPT(GPTConfig.gpt2(
        vocab_size=VOCAB_SIZE, context_length=context, d_model=192, num_layers=4, num_heads=4,
    ))  # fmt: skip
    theirs = GPT2LMHeadModel(GPT2Config(
        vocab_size=VOCAB_SIZE, n_positions=context, n_embd=192, n_layer=4, n_head=4,
        bos_token_id=None, eos_token_id=None,
    )).eval()  # fmt: skip
    load_weights(ours, theirs.state_dict())

    def our_tokens(ids: torch.Tensor) -> list[int]:
        return generate(ours, ids, max_new_tokens=NEW_TOKENS)[0].ids

    def their_tokens(ids: torch.Tensor) -> list[int]:
        mask = torch.ones_like(ids)
        settings = {"max_new_tokens": NEW_TOKENS, "do_sample": False, "pad_token_id": 0}
        return theirs.generate(ids, attention_mask=mask, **settings)[0, PROMPT:].tolist()

    writers = {"ours": our_tokens, "Transformers": their_tokens}
    seconds: dict[str, list[float]] = {name: [] for name in writers}
    same = True
    for turn in range(WARM_UP + ROUNDS):
        ids = torch.randint(VOCAB_SIZE, (1, PROMPT))
        written = []
        for name in sorted(writers, reverse=turn % 2 == 0):  # neither is always the first
            start = time.process_time()
            written.append(writers[name](ids))
            if turn >= WARM_UP:
                seconds[name].append(time.process_time() - start)
        same &= written[0] == written[1]
    parameters = sum(p.numel() for p in ours.parameters())
    print(f"{parameters / 1e6:.2f} million parameters, {NEW_TOKENS} tokens after {PROMPT}, "
          f"{ROUNDS} times, one thread, torch {torch.__version__}")  # fmt: skip
    for name, times in seconds.items():
        median = statistics.median(times)
        print(f"{name:12} {NEW_TOKENS / median:5.0f} tokens a CPU-second "
              f"({1000 * median / NEW_TOKENS:.2f} ms a token)")  # fmt: skip
    pairs = zip(seconds["Transformers"], seconds["ours"], strict=True)
    ratio = statistics.median(theirs / ours for theirs, ours in pairs)
    print(f"median of ratios {ratio:.2f} (bound {BOUND}); tokens {'agree' if same else 'differ'}")
    return int(ratio < BOUND or not same)
