"""What each setting of skip-gram does: ``python -m llmbook.vectors.ablation``.

A quarter of an hour on one core, so its result is stored beside the shipped vectors and read by the
lab. One setting is changed at a time; two seeds each show how much of a difference is chance.
"""

from __future__ import annotations

import json

import torch

from llmbook import corpora
from llmbook.vectors import SkipGram, SkipGramConfig, judge_similarity
from llmbook.vectors.shipped import CHECKPOINTS, wikipedia_text

RESULTS = CHECKPOINTS / "ablation.json"
SEEDS = (1, 2)
CHANGES = {
    "as shipped": {},
    "no subsampling": {"subsample": 0.0},
    "strong subsampling": {"subsample": 0.0001},
    "window 2": {"window": 2},
    "window 10": {"window": 10},
    "1 negative": {"negatives": 1},
    "15 negatives": {"negatives": 15},
    "5 epochs": {"epochs": 5},
}


def load_results() -> dict[str, list[dict[str, float]]]:
    """Setting -> one record a seed, with Spearman's correlation for each set of human scores."""
    results = json.loads(RESULTS.read_text("utf-8"))
    return {name: results[name] for name in CHANGES}


def main() -> None:
    torch.set_num_threads(1)
    vocabulary, text = wikipedia_text()
    results = {"text": corpora.wikipedia().provenance.fingerprint}
    for name, change in CHANGES.items():
        rows = []
        for seed in SEEDS:
            config = SkipGramConfig(**{"epochs": 25, "seed": seed} | change)
            vectors = SkipGram(vocabulary, config).train(text)
            rows.append(
                {
                    data: round(judge_similarity(vectors, corpora.word_similarity(data)).rho, 3)
                    for data in ("wordsim353", "simlex999")
                }
            )
            print(name, rows[-1], flush=True)
        results[name] = rows
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
