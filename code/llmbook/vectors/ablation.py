"""What each setting does: ``python -m llmbook.vectors.ablation [skipgram] [glove]``.

Half an hour on one core, so the results are stored beside the shipped vectors and read by the labs.
One setting is changed at a time; three seeds each show how much of a difference is chance.
"""

from __future__ import annotations

import json
import sys

import torch

from llmbook import corpora
from llmbook.vectors.counts import cooccurrence
from llmbook.vectors.glove import Glove, GloveConfig
from llmbook.vectors.judge import judge_similarity
from llmbook.vectors.shipped import CHECKPOINTS, RECIPES, wikipedia_text
from llmbook.vectors.skipgram import SkipGram, SkipGramConfig

RESULTS = CHECKPOINTS / "ablation.json"
SEEDS = (1, 2, 3)
EMPTY = {"empty_cells": RECIPES["glove"].empty_cells}
CHANGES = {
    "skipgram": {
        "as shipped": {},
        "no subsampling": {"subsample": 0.0},
        "strong subsampling": {"subsample": 0.0001},
        "window 2": {"window": 2},
        "window 10": {"window": 10},
        "1 negative": {"negatives": 1},
        "15 negatives": {"negatives": 15},
        "5 epochs": {"epochs": 5},
    },
    "glove": {
        "as published": {"epochs": 50},
        "x_max 10": {"epochs": 50, "x_max": 10},
        "rate 0.3": {"epochs": 50, "learning_rate": 0.3},
        "both": {"x_max": 10, "learning_rate": 0.3},
        "both, 4 times the epochs": {"x_max": 10, "learning_rate": 0.3, "epochs": 100},
        "both, empty cells": {"x_max": 10, "learning_rate": 0.3, **EMPTY},
        "as published, empty cells": {"epochs": 50, **EMPTY},
    },
}


def load_results(kind: str) -> dict[str, list[dict[str, float]]]:
    """Setting -> one record a seed, with Spearman's correlation for each set of human scores."""
    results = json.loads(RESULTS.read_text("utf-8"))[kind]
    return {name: results[name] for name in CHANGES[kind]}


def trainer(kind: str):
    """A function from the changed settings to word vectors."""
    vocabulary, text = wikipedia_text()
    if kind == "skipgram":
        return lambda change: SkipGram(vocabulary, SkipGramConfig(**change)).train(text)
    counts = cooccurrence(text, len(vocabulary))
    return lambda change: Glove(vocabulary, GloveConfig(dimension=50, **change)).train(counts)


def main() -> None:
    torch.set_num_threads(1)
    stored = json.loads(RESULTS.read_text("utf-8"))
    results = {"text": corpora.wikipedia().provenance.fingerprint}
    results |= {kind: stored[kind] for kind in CHANGES}
    for kind in sys.argv[1:] or CHANGES:
        train, results[kind] = trainer(kind), {}
        for name, change in CHANGES[kind].items():
            rows = results[kind][name] = []
            for seed in SEEDS:
                vectors = train({"epochs": 25, "seed": seed} | change)
                scores = {
                    data: judge_similarity(vectors, corpora.word_similarity(data)).rho
                    for data in ("wordsim353", "simlex999")
                }
                rows.append({data: round(rho, 3) for data, rho in scores.items()})
                print(kind, name, seed, scores, flush=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
