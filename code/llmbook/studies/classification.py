"""Three ways to classify texts, three seeds: ``python -m llmbook.studies.classification``.

Which package is a documentation string from, with 500 labels? The seed draws the labelled texts and
trains what is trained. Each classifier is calibrated on the 400 validation texts and judged on the
800 of the test. Six minutes of one core, most of it for fine-tuning.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from llmbook.classify import TextClassifier
from llmbook.corpora.package_labels import PACKAGES
from llmbook.studies import stored
from llmbook.studies.labels import subset, text, texts

NAME = "classification"
LABELS, SEEDS, TOKENS = 500, (0, 1, 2), 48
# C of each by accuracy on the validation texts, out of 0.1, 1, 10 and 100, over the three seeds.
METHODS: dict[str, dict[str, Any]] = {
    "tf-idf": {"C": 10.0}, "minilm": {"C": 1.0, "max_tokens": TOKENS},
    "fine-tuned": {"max_tokens": TOKENS},
}  # fmt: skip
SETTINGS = [{"method": m, "seed": s} for m, s in product(METHODS, SEEDS)]


def training_set(seed: int) -> tuple[list[str], np.ndarray]:
    """The 500 texts that are labelled, and the names of their packages."""
    places = subset(LABELS, seed)
    all_texts, labels = texts("train")
    return [all_texts[i] for i in places], np.array(PACKAGES)[labels[places]]


def held_out(split: str) -> tuple[list[str], np.ndarray]:
    """The texts of a split, and the names of their packages."""
    found, labels = texts(split)
    return found, np.array(PACKAGES)[labels]


def run(method: str, seed: int) -> stored.Row:
    """The temperature, and the logits of the 800 test texts before it, 8 each, in hundredths."""
    model = TextClassifier(method, seed=seed, **METHODS[method]).fit(*training_set(seed))
    scores = model.decision_function(held_out("test")[0])
    model.calibrate(*held_out("validation"))
    hundredths = (100 * scores).round().astype(int).ravel().tolist()
    return {"temperature": round(model.temperature_, 4), "hundredths": hundredths}


def logits(row: stored.Row) -> np.ndarray:
    """The logits of a stored row, (800, 8)."""
    return np.array(row["hundredths"]).reshape(-1, len(PACKAGES)) / 100


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
