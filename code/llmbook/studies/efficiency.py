"""What smaller models cost in accuracy: ``python -m llmbook.studies.efficiency``.

Which package is a documentation string from? MiniLM is frozen, made smaller in several ways, and a
logistic regression on its vectors learns from 600 labels. The seed draws which modules are learned
from and which are asked about, and trains the students. Five seeds, about twenty minutes of one
core. Time and bytes are not here: the lab measures them.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from torch import nn

from llmbook import corpora
from llmbook.classify.reading import token_ids
from llmbook.compression import (
    WordPieceStudent,
    distill,
    int8_linear,
    int8_tables,
    layer_vectors,
    lean_minilm,
    learn_labels,
    prune_linear,
    shallow,
    text_vectors,
)
from llmbook.corpora.package_labels import PACKAGES
from llmbook.studies import stored

NAME = "efficiency"
SEEDS, TOKENS = range(5), 48
LABELS, TESTED = 75, 100  # of each package
UNLABELLED, EPOCHS = 4000, 4
MIN_WORDS = 8
SHARES = (0.3, 0.5, 0.7, 0.9)
SETTINGS = [{"seed": seed} for seed in SEEDS]
STUDENTS = ("one block", "word pieces")
RATES = {"one block": 3e-4, "word pieces": 1e-3}
# Of each logistic regression, the best of ``accuracies``; a variant that is not named has 1.
C = {"tf-idf": 10.0, "0 layers": 10.0, "1 layers": 30.0, "2 layers": 10.0, "3 layers": 10.0,
     "4 layers": 10.0, "5 layers": 10.0, "pruned 30%": 3.0, "pruned 50%": 3.0, "pruned 70%": 3.0,
     "pruned 90%": 10.0, "word pieces": 3.0}  # fmt: skip


class Split(NamedTuple):
    """Places of the texts in ``texts()``: 600 to learn from, 800 to be asked about."""

    train: np.ndarray
    test: np.ndarray


@cache
def texts() -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """3,200 texts, the place of the package of each in ``PACKAGES``, and the module of each."""
    records = list(corpora.package_labels())
    labels = np.array([PACKAGES.index(r.label) for r in records])
    return tuple(r.text for r in records), labels, np.array([r.document for r in records])


def text() -> str:
    """Fingerprint of the texts."""
    return corpora.package_labels().provenance.fingerprint


@cache
def rows() -> list[list[int]]:
    """The texts as MiniLM reads them."""
    return read(texts()[0])


def read(found: Sequence[str]) -> list[list[int]]:
    """Token ids, 48 at most."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*longer than max_tokens")
        return token_ids(found, TOKENS)


@cache
def unlabelled() -> list[list[int]]:
    """Documentation strings of modules that have no text among ``texts()``, as token ids."""
    all_texts, _, modules = texts()
    known, labelled = set(all_texts), set(modules)
    found = sorted({
        record.text for record in corpora.docstrings()
        if record.document not in labelled and record.text not in known
        and len(corpora.words(record.text)) >= MIN_WORDS
    })  # fmt: skip
    return read(random.Random("unlabelled").sample(found, UNLABELLED))


def split(seed: int) -> Split:
    """Half of the modules to learn from, half to be asked about; as many texts of each package."""
    _, labels, modules = texts()
    lot, names = random.Random(f"{seed} modules"), sorted(set(modules))
    lot.shuffle(names)
    learned = np.isin(modules, names[: len(names) // 2])
    parts = []
    for inside, number in ((learned, LABELS), (~learned, TESTED)):
        of_package = [np.flatnonzero(inside & (labels == k)) for k in range(len(PACKAGES))]
        parts.append(np.concatenate([lot.sample(places.tolist(), number) for places in of_package]))
    return Split(*map(np.sort, parts))


@cache
def teacher():
    return lean_minilm()


@cache
def lessons() -> torch.Tensor:
    """What MiniLM says of the unlabelled texts, (4000, 384)."""
    return text_vectors(teacher(), unlabelled())


def new_student(kind: str, seed: int) -> nn.Module:
    """A student before it learns; its table of word pieces is MiniLM's and stays as it is.

    "one block": MiniLM's embeddings and first block. "word pieces": a layer on each word piece.
    """
    if kind == "one block":
        student = shallow(teacher(), 1)
        student.embeddings.requires_grad_(False)
        return student
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return WordPieceStudent(teacher())


def taught(kind: str, seed: int) -> tuple[nn.Module, list[float]]:
    """A student that has learned the teacher's vectors, without any label; its losses."""
    student = new_student(kind, seed)
    losses = distill(student, unlabelled(), lessons(), epochs=EPOCHS, learning_rate=RATES[kind],
                     seed=seed)  # fmt: skip
    return student, losses


def steps() -> int:
    """Updates of a student's weights."""
    return EPOCHS * -(-UNLABELLED // 32)


def on_labels(kind: str, seed: int) -> np.ndarray:
    """The control: the same student learns the 600 labels, by as many updates; its answers."""
    student, places = new_student(kind, seed), split(seed)
    labels = torch.from_numpy(texts()[1])[places.train]
    head = learn_labels(student, [rows()[i] for i in places.train], labels, steps=steps(),
                        learning_rate=RATES[kind], seed=seed)  # fmt: skip
    vectors = text_vectors(student, [rows()[i] for i in places.test])
    return head(vectors).argmax(-1).detach().numpy()


# Each way to make MiniLM smaller that trains nothing.
FROZEN: dict[str, Callable[[], nn.Module]] = {
    "int8": lambda: int8_linear(teacher()),
    "int8 and table": lambda: int8_tables(int8_linear(teacher())),
    **{f"pruned {share:.0%}": lambda share=share: prune_linear(teacher(), share)
       for share in SHARES},
}  # fmt: skip


@cache
def frozen_vectors() -> dict[str, np.ndarray]:
    """Of each variant that trains nothing, the vectors of all texts, (3200, 384)."""
    layers = layer_vectors(teacher(), rows()).numpy()
    found = {f"{k} layers": layers[k] for k in range(len(layers) - 1)}
    found["full"] = layers[-1]
    return found | {name: text_vectors(make(), rows()).numpy() for name, make in FROZEN.items()}


def answers(x: np.ndarray, places: Split, c: float) -> np.ndarray:
    """A logistic regression on the vectors of all texts, its answers to the test texts, (800,)."""
    model = LogisticRegression(C=c, max_iter=2000).fit(x[places.train], texts()[1][places.train])
    return model.predict(x[places.test])


def usual(name: str) -> float:
    """``C`` of a variant; integers in place of floats do not change it."""
    return C.get(name.removesuffix(", int8 and table"), 1.0)


def counted(places: Split, c: float = C["tf-idf"]) -> np.ndarray:
    """The baseline: words counted in the whole texts."""
    train, test = ([texts()[0][i] for i in part] for part in places)
    counter = TfidfVectorizer(sublinear_tf=True)
    model = LogisticRegression(C=c, max_iter=2000)
    model.fit(counter.fit_transform(train), texts()[1][places.train])
    return model.predict(counter.transform(test))


def accuracies(x: np.ndarray | None) -> dict[float, float]:
    """How ``C`` is chosen: mean accuracy in three other splits, by C; ``None``: counted words."""
    found = {}
    for c in (0.3, 1.0, 3.0, 10.0, 30.0):
        shares = []
        for seed in (100, 101, 102):
            places = split(seed)
            said = counted(places, c) if x is None else answers(x, places, c)
            shares.append((said == texts()[1][places.test]).mean())
        found[c] = round(float(np.mean(shares)), 4)
    return found


def run(seed: int) -> stored.Row:
    """The answers of all variants to the 800 test texts, a digit each; cosines to the full model.

    "answers": the place of the package. "cosine": of a variant's vectors and the full model's, mean
    over the test texts. "losses": 1 - cosine of each epoch of a student.
    """
    places = split(seed)
    vectors = dict(frozen_vectors())
    losses = {}
    for kind in STUDENTS:
        student, losses[kind] = taught(kind, seed)
        small = int8_tables(int8_linear(student))
        vectors[kind] = text_vectors(student, rows()).numpy()
        vectors[f"{kind}, int8 and table"] = text_vectors(small, rows()).numpy()
    said = {"tf-idf": counted(places)}
    said |= {name: answers(x, places, usual(name)) for name, x in vectors.items()}
    said |= {f"{kind}, labels alone": on_labels(kind, seed) for kind in STUDENTS}
    full = vectors["full"][places.test]
    return {
        "answers": {name: "".join(map(str, found)) for name, found in said.items()},
        "cosine": {name: round(float((x[places.test] * full).sum(1).mean()), 4)
                   for name, x in vectors.items()},
        "losses": {kind: [round(x, 4) for x in found] for kind, found in losses.items()},
    }  # fmt: skip


def given(row: stored.Row, name: str) -> np.ndarray:
    """The answers of a variant in a stored row, (800,)."""
    return np.array(list(row["answers"][name]), int)


def right(row: stored.Row, name: str) -> np.ndarray:
    """Whether each of them is right, (800,)."""
    return given(row, name) == texts()[1][split(row["seed"]).test]


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
