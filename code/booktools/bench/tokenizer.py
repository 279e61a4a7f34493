"""BPE training and encoding beside Hugging Face's `tokenizers`, which is written in Rust.

Both cut the same 5 MB of documentation strings with GPT-2's pattern and learn 4,096 tokens, in
turn, three times; CPU seconds of all threads, and the median of the ratios, because machines are
noisy. What lets plain Python keep up: pieces are counted once, a merge is a `str.replace` on pieces
spelled one character a token, and only pieces that held the pair are counted again; encoding looks
up whole pieces in a cache and merges only those that are new.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

os.environ["RAYON_NUM_THREADS"] = "1"  # before tokenizers is imported: one core each

BYTES, VOCAB_SIZE, ROUNDS = 5_000_000, 4_096, 3
SLOWEST_TRAINING = 3.0  # times Hugging Face's
SLOWEST_ENCODING = 1.0  # megabytes a CPU-second


def main(args: argparse.Namespace) -> int:
    from llmbook import corpora
    from llmbook.tokenizers import train_bpe

    texts, size = [], 0
    for record in corpora.docstrings():
        texts.append(record.text)
        size += len(record.text.encode())
        if size >= BYTES:
            break
    print(f"{size / 1e6:.1f} MB in {len(texts):,} texts, {VOCAB_SIZE:,} tokens")

    ratios, speeds = [], []
    for _ in range(ROUNDS):
        start = time.process_time()
        theirs = train_hugging_face(texts)
        their_seconds = time.process_time() - start
        start = time.process_time()
        ours = train_bpe(texts, VOCAB_SIZE)
        our_seconds = time.process_time() - start
        ratios.append(our_seconds / their_seconds)

        start = time.process_time()
        encoded = sum(len(ids) for ids in ours.encode_iterable(texts))
        speeds.append(size / 1e6 / (time.process_time() - start))
        start = time.process_time()
        for text in texts:
            theirs.encode(text)
        their_speed = size / 1e6 / (time.process_time() - start)
        print(
            f"training: Hugging Face {their_seconds:.2f} CPU-s, ours {our_seconds:.2f} CPU-s, "
            f"ratio {ratios[-1]:.2f}; encoding: Hugging Face {their_speed:.1f}, ours "
            f"{speeds[-1]:.1f} MB a CPU-s, {size / encoded:.2f} bytes a token",
            flush=True,
        )
    ratio, speed = statistics.median(ratios), statistics.median(speeds)
    print(f"median training ratio {ratio:.2f} (bound {SLOWEST_TRAINING:.0f}); ", end="")
    print(f"median encoding {speed:.1f} MB a CPU-second (bound {SLOWEST_ENCODING:.0f})")
    return int(ratio > SLOWEST_TRAINING or speed < SLOWEST_ENCODING)


def train_hugging_face(texts: list[str]):
    """Hugging Face's trainer on the same texts, cut in the same way, from the same 256 bytes."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
