"""Skip-gram beside gensim's on the same text, dimension and epochs; speed of counting.

CPU seconds of one process with one thread and one gensim worker; both models in one run, in turn,
because machines are noisy and only the ratio means something.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

os.environ["OMP_NUM_THREADS"] = "1"  # before torch and numpy are imported


def main(args: argparse.Namespace) -> int:
    import torch
    from gensim.models import Word2Vec

    from llmbook import corpora
    from llmbook.vectors import (
        SkipGram,
        SkipGramConfig,
        Vocabulary,
        WordVectors,
        cooccurrence,
        judge_similarity,
    )

    torch.set_num_threads(1)
    sentences = [corpora.words(s) for article in corpora.wikipedia() for s in article.sentences]
    vocabulary = Vocabulary.from_sentences(sentences, min_count=5)
    text = vocabulary.encode(sentences)
    pairs = corpora.word_similarity("wordsim353")
    tokens = sum(map(len, sentences))
    print(f"{tokens:,} words, vocabulary {len(vocabulary):,}, {args.epochs} epochs")

    for window in (5, 10):
        start = time.process_time()
        cooccurrence(text, len(vocabulary), window)
        speed = len(text) / (time.process_time() - start)
        print(f"co-occurrence, window {window:2d}: {speed / 1e6:.1f} million tokens a CPU-second")

    ours, theirs, ratios = [], [], []
    for seed in range(args.seeds):
        config = SkipGramConfig(epochs=args.epochs, seed=seed)
        model = Word2Vec(
            vector_size=config.dimension, window=config.window, negative=config.negatives,
            min_count=5, sg=1, workers=1, seed=seed, epochs=config.epochs,
        )  # fmt: skip
        model.build_vocab(sentences)
        start = time.process_time()
        model.train(sentences, total_examples=len(sentences), epochs=config.epochs)
        gensim_seconds = (time.process_time() - start) / config.epochs
        start = time.process_time()
        vectors = SkipGram(vocabulary, config).train(text)
        our_seconds = (time.process_time() - start) / config.epochs
        gensim_vectors = WordVectors(model.wv.index_to_key, model.wv.vectors)
        ours.append(judge_similarity(vectors, pairs).rho)
        theirs.append(judge_similarity(gensim_vectors, pairs).rho)
        ratios.append(our_seconds / gensim_seconds)
        print(
            f"seed {seed}: gensim ρ {theirs[-1]:.3f}, {gensim_seconds:.2f} CPU-s an epoch; "
            f"ours ρ {ours[-1]:.3f}, {our_seconds:.2f} CPU-s; ratio {ratios[-1]:.2f}",
            flush=True,
        )
    gap = statistics.mean(ours) - statistics.mean(theirs)
    ratio = statistics.median(ratios)
    print(f"mean ρ: ours minus gensim {gap:+.3f} (bound ±0.03); time ratio {ratio:.2f} (bound 2)")
    return int(abs(gap) > 0.03 or ratio > 2)
