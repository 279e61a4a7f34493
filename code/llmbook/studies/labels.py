"""What pretraining is worth when labels are few: ``python -m llmbook.studies.labels``.

Which package is a documentation string from? 100, 500 and 2,000 labels, three seeds, which draw the
labelled texts, the first weights of what is new, and the order of the batches. Half an hour of one
core, most of it for MiniLM. Linear models choose their regularization, and our BERT its learning
rate, on the 400 validation texts: 12 runs with seed 0 try both rates, the others take ``CHOSEN``.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from time import process_time
from typing import Any

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from llmbook import corpora, vectors
from llmbook.corpora.package_labels import PACKAGES
from llmbook.evaluation import macro_f1
from llmbook.models import load_minilm
from llmbook.studies import stored
from llmbook.tokenizers import BPETokenizer, WordPieceTokenizer, minilm_tokenizer
from llmbook.training import ClassLabel, Examples, Trainer, TrainingConfig, load
from llmbook.training.data import collate
from llmbook.training.recipes import new_model
from llmbook.tuning import Classifier, add_lora, by_length, trained_parameters

NAME = "labels"
LABELS, SEEDS = (100, 500, 2000), (0, 1, 2)
CONTEXT, BATCH_SIZE = 48, 16
LINEAR = ("TF-IDF", "TF-IDF, 48 tokens", "word vectors", "BERT, frozen", "MiniLM, frozen")
OURS = ("BERT, random", "BERT, pretrained")
RATES = (3e-4, 1e-3)
CHOSEN = {
    ("BERT, random", 100): 3e-4, ("BERT, random", 500): 1e-3, ("BERT, random", 2000): 1e-3,
    ("BERT, pretrained", 100): 3e-4, ("BERT, pretrained", 500): 3e-4,
    ("BERT, pretrained", 2000): 3e-4,
}  # fmt: skip
MINILM = {"MiniLM, LoRA": 3e-3, "MiniLM, full": 1e-4}
STEPS = {"BERT": {100: 100, 500: 200, 2000: 400}, "MiniLM": {100: 70, 500: 125, 2000: 200}}
REGULARIZATIONS = (0.1, 1.0, 10.0, 100.0)


def setting(method: str, labels: int, seed: int, learning_rate: float | None) -> dict[str, Any]:
    return {"method": method, "labels": labels, "seed": seed, "learning_rate": learning_rate}


SETTINGS = [
    *(setting(m, n, s, None) for m, n, s in product(LINEAR, LABELS, SEEDS)),
    *(setting(m, n, 0, r) for n, m, r in product(LABELS, OURS, RATES)),
    *(setting(m, n, s, CHOSEN[m, n]) for n, m, s in product(LABELS, OURS, (1, 2))),
    *(setting(m, n, s, MINILM[m]) for n, m, s in product(LABELS, MINILM, SEEDS)),
]


@cache
def texts(split: str) -> tuple[list[str], np.ndarray]:
    """The texts of a split, and their labels: the places of their packages in PACKAGES."""
    records = corpora.package_labels().split(split)
    return [r.text for r in records], np.array([PACKAGES.index(r.label) for r in records])


def subset(labels: int, seed: int) -> np.ndarray:
    """Which training texts are labelled: as many of each package, up to one.

    Of one seed, the smaller subsets are parts of the larger ones.
    """
    places = np.arange(len(texts("train")[0])).reshape(-1, len(PACKAGES))  # packages take turns
    return np.random.default_rng(seed).permuted(places, axis=0).ravel()[:labels]


def shorten(ids: list[int], tokenizer: BPETokenizer | WordPieceTokenizer) -> list[int]:
    """[CLS], the first tokens of a text, [SEP]: CONTEXT at most."""
    special = tokenizer.special_tokens
    return [special["[CLS]"], *ids[: CONTEXT - 2], special["[SEP]"]]


@cache
def encoded(model: str, split: str) -> list[list[int]]:
    """The texts of a split as token ids, for "BERT", which is ours, or "MiniLM"."""
    if model == "BERT":
        bpe = load("bert")[1]
        return [shorten(bpe.encode(text), bpe) for text in texts(split)[0]]
    pieces = minilm_tokenizer()
    return [shorten(pieces.encode(text)[1:-1], pieces) for text in texts(split)[0]]


@cache
def features(method: str, split: str) -> np.ndarray:
    """A vector for each text, (N, D), that this task does not train: of its words, or a mean."""
    if method == "word vectors":
        words = vectors.shipped("skipgram")
        known = [[words.index[w] for w in corpora.words(t) if w in words] for t in texts(split)[0]]
        zero = np.zeros(words.vectors.shape[1])
        return np.array([words.unit[row].mean(0) if row else zero for row in known])
    kind = method.partition(",")[0]
    encoder = load_minilm() if kind == "MiniLM" else load("bert")[0].bert
    model, rows = Classifier(encoder, len(PACKAGES)).eval(), encoded(kind, split)
    found = np.empty((len(rows), model.encoder.config.d_model), dtype=np.float32)
    with torch.no_grad():
        for batch in by_length(rows, 32):
            inputs = collate([{"ids": rows[i]} for i in batch])
            found[batch] = model.pool(inputs["ids"], inputs["attention_mask"]).numpy()
    return found


def count_words(method: str, places: np.ndarray) -> dict[str, Any]:
    """TF-IDF of each split; which words there are, the labelled texts alone decide."""
    shown = {split: texts(split)[0] for split in ("train", "validation", "test")}
    if method != "TF-IDF":
        bpe = load("bert")[1]
        shown = {
            split: [bpe.decode(ids[1:-1]) for ids in encoded("BERT", split)] for split in shown
        }
    counter = TfidfVectorizer(sublinear_tf=True)
    train = counter.fit_transform([shown["train"][i] for i in places])
    return {"train": train} | {
        split: counter.transform(shown[split]) for split in ("validation", "test")
    }


def linear(method: str, places: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """Logistic regression on fixed features; predictions for the test, and facts."""
    if method.startswith("TF-IDF"):
        x = count_words(method, places)
    else:
        x = {split: features(method, split) for split in ("validation", "test")}
        x["train"] = features(method, "train")[places]
    labels = texts("train")[1][places]
    fits = [LogisticRegression(C=c, max_iter=2000).fit(x["train"], labels) for c in REGULARIZATIONS]
    scores = [fit.score(x["validation"], texts("validation")[1]) for fit in fits]
    best = fits[int(np.argmax(scores))]
    facts = {"C": best.C, "validation": round(max(scores), 4),
             "trained": best.coef_.size + best.intercept_.size}  # fmt: skip
    return best.predict(x["test"]), facts


def classifier(method: str, seed: int) -> Classifier:
    """The model of a method before it is fine-tuned; the seed decides what is new in it."""
    torch.manual_seed(seed)
    if method == "BERT, random":
        return Classifier(new_model(load("bert")[0].config).bert, len(PACKAGES))
    encoder = load("bert")[0].bert if method == "BERT, pretrained" else load_minilm()
    model = Classifier(encoder, len(PACKAGES))
    if method == "MiniLM, LoRA":
        add_lora(model.encoder, rank=8, alpha=16)
    return model


def tune(
    model: Classifier, kind: str, places: np.ndarray, steps: int, learning_rate: float, seed: int
) -> Trainer:
    """Train on the labelled texts: AdamW, a tenth of warm-up, then half a cosine."""
    rows, labels = encoded(kind, "train"), texts("train")[1]
    examples = [{"ids": rows[i], "label": int(labels[i])} for i in places]
    config = TrainingConfig(
        steps=steps, batch_size=BATCH_SIZE, learning_rate=learning_rate, final_rate=0.05,
        warm_up=steps // 10, weight_decay=0.01, betas=(0.9, 0.999), seed=seed,
    )  # fmt: skip
    trainer = Trainer(model, ClassLabel(), Examples(examples, seed=seed), config, quiet=True)
    trainer.fit()
    return trainer


def fine_tuned(
    method: str, places: np.ndarray, seed: int, learning_rate: float
) -> tuple[np.ndarray, dict[str, Any]]:
    """Train a network; predictions for the test, and facts."""
    kind = method.partition(",")[0]
    model = classifier(method, seed)
    trainer = tune(model, kind, places, STEPS[kind][len(places)], learning_rate, seed)
    right = model.predict(encoded(kind, "validation")).numpy() == texts("validation")[1]
    losses = trainer.history.losses[-10:]
    facts = {"validation": round(float(right.mean()), 4), "loss": round(sum(losses) / 10, 3),
             "trained": trained_parameters(model)}  # fmt: skip
    return model.predict(encoded(kind, "test")).numpy(), facts


def run(method: str, labels: int, seed: int, learning_rate: float | None) -> stored.Row:
    """One method, judged on the 800 texts of the test.

    ``predictions`` holds one digit a text, so that two methods can be compared on the same texts.
    """
    start, places = process_time(), subset(labels, seed)
    if learning_rate is None:
        predictions, facts = linear(method, places)
    else:
        predictions, facts = fine_tuned(method, places, seed, learning_rate)
    truth = texts("test")[1]
    return facts | {
        "right": int((predictions == truth).sum()),
        "macro_f1": round(macro_f1(truth, predictions, resamples=2).value, 4),
        "predictions": "".join(map(str, predictions)),
        "cpu_seconds": round(process_time() - start),
    }


def text() -> str:
    """Fingerprint of what is read, stored with the results."""
    return corpora.package_labels().provenance.fingerprint


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
