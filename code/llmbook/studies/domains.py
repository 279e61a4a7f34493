"""Trained in one package, tested in another: ``python -m llmbook.studies.domains``.

Does a first paragraph describe a class, a function or a module? Eleven packages, eight seeds, five
minutes of one core. The seed draws the modules and the texts. Three parts:

    packages  a classifier for each package, judged in all: accuracy, calibration
    shift     what tells texts from elsewhere apart, what that misses, and two corrections
    mixtures  the same number of labels out of one, two, five or ten other packages
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import permutations, product
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from llmbook import corpora
from llmbook.classify import TextClassifier, expected_calibration_error, fit_temperature
from llmbook.classify.reading import minilm_vectors, token_ids
from llmbook.classify.shift import (
    auroc,
    effective_number,
    importance,
    neighbour_distance,
    with_prior,
)
from llmbook.corpora import KINDS, KindText
from llmbook.corpora.docstring_kinds import PACKAGES
from llmbook.studies import stored

NAME = "domains"
SEEDS, TOKENS = range(8), 48
# C of each by accuracy on validation texts of the own package, out of 1, 3, 10, 30, 100, in three
# other draws (seeds 100 to 102).
METHODS: dict[str, dict[str, Any]] = {
    "tf-idf": {"C": 3.0}, "minilm": {"C": 3.0, "max_tokens": TOKENS},
}  # fmt: skip
SIZES = {"train": 40, "validation": 15, "test": 25}  # of each kind
POOL = 80  # of each kind, of a package from which others learn
GRID = {1: (60, 120, 240), 2: (60, 120, 240, 480), 5: (60, 120, 240, 480, 960),
        10: (60, 120, 240, 480, 960, 1920)}  # packages: numbers of labels  # fmt: skip
OWN = (60, 120)
# Seed after seed, so that MiniLM reads a text once.
SETTINGS = [
    {"part": part, "method": method, "seed": seed}
    for seed, (part, method) in product(SEEDS, (
        ("packages", "tf-idf"), ("packages", "minilm"), ("shift", "minilm"),
        ("mixtures", "tf-idf"), ("mixtures", "minilm")))
]  # fmt: skip

Texts = list[KindText]


@cache
def of_package(package: str) -> Texts:
    return [text for text in corpora.docstring_kinds() if text.package == package]


def of_kinds(texts: Sequence[KindText], number: int, lot: random.Random) -> Texts:
    """``number`` texts of each kind, the kinds taking turns."""
    columns = [lot.sample([t for t in texts if t.label == kind], number) for kind in KINDS]
    return [text for turn in zip(*columns, strict=True) for text in turn]


@cache
def modules(package: str, seed: int) -> dict[str, Texts]:
    """The modules of a package in three parts, and all texts of each part.

    Half of the modules for training, a fifth for validation, the rest for the test; those that
    have a text of their own are cut in the same way as the others, so that each part has some.
    """
    texts = of_package(package)
    with_own = sorted({text.document for text in texts if text.label == "module"})
    others = sorted({text.document for text in texts} - set(with_own))
    lot, part_of = random.Random(f"{package} {seed}"), {}
    for group in (with_own, others):
        lot.shuffle(group)
        for i, module in enumerate(group):
            at = i / len(group)
            part_of[module] = "train" if at < 0.5 else "validation" if at < 0.7 else "test"
    return {part: [t for t in texts if part_of[t.document] == part] for part in SIZES}


@cache
def parts(package: str, seed: int) -> dict[str, Texts]:
    """As many texts of each kind, ``SIZES``, out of each part of the modules."""
    lot = random.Random(f"{package} {seed} texts")
    return {part: of_kinds(texts, SIZES[part], lot)
            for part, texts in modules(package, seed).items()}  # fmt: skip


@cache
def pool(package: str, seed: int) -> Texts:
    """Texts for learning about *other* packages: whatever part their modules are in."""
    return of_kinds(of_package(package), POOL, random.Random(f"{package} {seed} pool"))


def mixture(packages: Sequence[str], number: int, seed: int) -> Texts:
    """``number`` texts out of these packages, as many of each, the beginnings of their pools."""
    each = number // len(packages)
    return [text for package in packages for text in pool(package, seed)[:each]]


def targets(texts: Sequence[KindText]) -> np.ndarray:
    """The places of their labels in ``KINDS``, (N,)."""
    return np.array([KINDS.index(text.label) for text in texts])


def strings(texts: Sequence[KindText]) -> list[str]:
    return [text.text for text in texts]


def vectors(texts: Sequence[KindText] | Sequence[str]) -> np.ndarray:
    """MiniLM's vector of each text, (N, 384)."""
    found = [t if isinstance(t, str) else t.text for t in texts]
    with quiet():
        return minilm_vectors(token_ids(found, TOKENS))


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings that a text is cut, or holds no known word."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*longer than max_tokens|.*hold nothing")
        yield


def train(method: str, texts: Sequence[KindText]) -> TextClassifier:
    """A classifier whose classes are the places in ``KINDS``."""
    with quiet():
        return TextClassifier(method, **METHODS[method]).fit(strings(texts), targets(texts))


def logits(model: TextClassifier, texts: Sequence[KindText]) -> np.ndarray:
    """(N, 3), before any temperature; a text without a known word gets equal ones."""
    with quiet():
        return model.decision_function(strings(texts))


def right(scores: np.ndarray, texts: Sequence[KindText]) -> np.ndarray:
    return scores.argmax(-1) == targets(texts)


def confidence(scores: np.ndarray) -> np.ndarray:
    return softmax(scores, axis=-1).max(-1)


def packages_part(method: str, seed: int) -> stored.Row:
    """Eleven classifiers in eleven packages.

    "right": of 75 test texts, (11 trained in, 11 tested in). "confidence" and "ece" of own and of
    other packages: as they come; with "temperature", by each one's own validation texts; with a
    "third" one, by validation texts of packages that are neither trained in nor tested in.
    """
    models = {p: train(method, parts(p, seed)["train"]) for p in PACKAGES}
    cut = {part: {p: parts(p, seed)[part] for p in PACKAGES} for part in ("validation", "test")}
    scores = {(part, a, b): logits(models[a], cut[part][b])
              for part, a, b in product(cut, PACKAGES, PACKAGES)}  # fmt: skip
    truth = {part: {p: targets(texts) for p, texts in found.items()}
             for part, found in cut.items()}  # fmt: skip

    def heat(pairs: list[tuple[str, str]]) -> float:
        """One temperature for all classifiers, by validation texts of (trained in, asked in)."""
        found = np.concatenate([scores["validation", a, b] for a, b in pairs])
        return fit_temperature(found, np.concatenate([truth["validation"][b] for _, b in pairs]))

    own = heat([(a, a) for a in PACKAGES])
    third = {c: heat([(a, b) for a, b in permutations(PACKAGES, 2) if c not in (a, b)])
             for c in PACKAGES}  # fmt: skip
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    for a, b in product(PACKAGES, PACKAGES):
        z, place = scores["test", a, b], "own" if a == b else "other"
        hit = z.argmax(1) == truth["test"][b]
        for name, t in (("as it comes", 1.0), ("own", own), ("third", third[b])):
            found.setdefault((place, name), []).append(np.stack([confidence(z / t), hit]))
    pooled = {key: np.concatenate(value, axis=1) for key, value in found.items()}
    return {
        "right": [[int((scores["test", a, b].argmax(1) == truth["test"][b]).sum())
                   for b in PACKAGES] for a in PACKAGES],
        "temperature": round(own, 3),
        "third temperatures": [round(third[b], 3) for b in PACKAGES],
        "confidence": {" ".join(k): round(float(v[0].mean()), 4) for k, v in pooled.items()},
        "ece": {" ".join(k): round(expected_calibration_error(*v), 4) for k, v in pooled.items()},
    }  # fmt: skip


def home_and_elsewhere(row: stored.Row) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy of each package's own classifier, and the mean of the ten others', (11,) each.

    Both on the texts of the same package, so that a package that is hard is hard for both.
    """
    shares = np.array(row["right"]) / (len(KINDS) * SIZES["test"])
    home = shares.diagonal()
    return home, (shares.sum(0) - home) / (len(shares) - 1)


def far_texts(number: int = 200) -> dict[str, list[str]]:
    """Sentences that describe neither class, function nor module, of four words or more."""
    lot = random.Random(0)
    found = {
        "Wikipedia": [s for article in corpora.wikipedia() for s in article.sentences],
        "news": [s for d in corpora.news() for s in corpora.sentences(d.text)],
        "film reviews": [d.text for d in corpora.movie_reviews()],
    }
    return {
        name: lot.sample([s for s in texts if len(corpora.words(s)) >= 4], number)
        if len(texts) > number else texts
        for name, texts in found.items()
    }  # fmt: skip


def natural(package: str, seed: int) -> Texts:
    """75 texts of the test modules as they come, in which most describe functions."""
    texts = modules(package, seed)["test"]
    return random.Random(f"{package} {seed} natural").sample(texts, 3 * SIZES["test"])


def natural_shares(package: str, seed: int) -> np.ndarray:
    """The shares of the kinds in all training modules, (3,)."""
    return np.bincount(targets(modules(package, seed)["train"]), minlength=3) / len(
        modules(package, seed)["train"]
    )


def shift_part(method: str, seed: int) -> stored.Row:
    """Detection, label shift and weights, with MiniLM's vectors; means over the packages.

    "auroc" of own against other texts, by score ("unsure": 1 - confidence, "far": distance).
    "flagged": shares above the score that 95 % of the own validation texts stay below.
    "errors": in other packages, ``auroc`` of right against wrong answers. "natural": own test texts
    with the shares that they come with. "weights": training texts weighted towards another package.
    """
    far = {name: vectors(texts) for name, texts in far_texts().items()}
    rows = [_shift_of(package, seed, far) for package in PACKAGES]
    return _mean(rows)


def _shift_of(package: str, seed: int, far: dict[str, np.ndarray]) -> dict[str, Any]:
    its = parts(package, seed)
    model = train("minilm", its["train"])
    known = vectors(its["train"])
    shares = natural_shares(package, seed)

    def both(x: np.ndarray) -> dict[str, np.ndarray]:
        scores = model.linear_.decision_function(x)
        return {"unsure": 1 - confidence(scores), "far": neighbour_distance(known, x)}

    others = [t for p in PACKAGES if p != package for t in parts(p, seed)["test"]]
    real = natural(package, seed)
    groups = {"own": vectors(its["test"]), "own, natural": vectors(real),
              "other packages": vectors(others), **far}  # fmt: skip
    scores = {name: both(x) for name, x in groups.items()}
    limits = {s: np.quantile(v, 0.95) for s, v in both(vectors(its["validation"])).items()}
    z = model.linear_.decision_function(groups["other packages"])
    hit = right(z, others)
    answers = model.linear_.decision_function(groups["own, natural"])
    balanced = model.linear_.decision_function(groups["own"])
    corrected = with_prior(answers, model.prior_, shares)
    row: dict[str, Any] = {"auroc": {}, "flagged": {}, "errors": {}, "missed": {}}
    for score, limit in limits.items():
        of = {name: found[score] for name, found in scores.items()}
        row["auroc"][score] = {n: auroc(of["own"], v) for n, v in of.items() if n != "own"}
        row["flagged"][score] = {n: float((v > limit).mean()) for n, v in of.items()}
        there = of["other packages"]
        row["errors"][score] = auroc(there[hit], there[~hit])
        row["missed"][score] = float((there[~hit] <= limit).mean())
    row["natural"] = {
        "functions": float(np.mean([t.label == "function" for t in real])),
        "balanced": float(right(balanced, its["test"]).mean()),
        "as it comes": float(right(answers, real).mean()),
        "corrected": float(right(corrected, real).mean()),
    }
    row["weights"] = _mean([_weighted(package, p, seed) for p in PACKAGES if p != package])
    return row


def _weighted(package: str, other: str, seed: int) -> dict[str, float]:
    """Weights from texts of the other package without their labels.

    "as many by lot": a control, about as many texts as the effective number, a third of each kind.
    """
    its, there = parts(package, seed)["train"], parts(other, seed)
    x, y = vectors(its), targets(its)
    w, apart = importance(x, vectors(there["train"]))
    new, truth = vectors(there["test"]), targets(there["test"])
    found = {"told apart": apart, "effective number": effective_number(w)}
    for name, weights in (("equal", None), ("weighted", w)):
        model = LogisticRegression(C=METHODS["minilm"]["C"], max_iter=2000)
        found[name] = float(model.fit(x, y, weights).score(new, truth))
    each = max(1, round(found["effective number"] / len(KINDS)))
    draw = np.random.default_rng(seed).choice
    lot = np.concatenate([draw(np.flatnonzero(y == k), each, False) for k in np.unique(y)])
    model = LogisticRegression(C=METHODS["minilm"]["C"], max_iter=2000)
    found["as many by lot"] = float(model.fit(x[lot], y[lot]).score(new, truth))
    return found


def _mean(rows: Sequence[Any]) -> Any:
    if isinstance(rows[0], dict):
        return {key: _mean([row[key] for row in rows]) for key in rows[0]}
    return round(float(np.mean(rows)), 4)


def chosen(package: str, number: int, seed: int) -> list[str]:
    """Other packages from which to learn about this one."""
    others = [p for p in PACKAGES if p != package]
    return random.Random(f"{package} {number} {seed} mixture").sample(others, number)


def mixtures_part(method: str, seed: int) -> stored.Row:
    """Right answers of 75, for each package: taught by others, by itself, by itself and others.

    "taught": number of packages, number of labels -> one number a package tested in. Taught by
    one, it is the mean over the ten that can be that one, and "best one" is the best of them.
    """
    taught: dict[str, list[float]] = {}
    for package in PACKAGES:
        test = parts(package, seed)["test"]

        def count(texts: Texts, test: Texts = test) -> int:
            return int(right(logits(train(method, texts), test), test).sum())

        def note(name: str, value: float) -> None:
            taught.setdefault(name, []).append(value)

        others = [p for p in PACKAGES if p != package]
        for number, sizes in GRID.items():
            for size in sizes:
                if number == 1:
                    counts = [count(mixture([p], size, seed)) for p in others]
                    note(f"best one {size}", max(counts))
                    note(f"1 {size}", round(float(np.mean(counts)), 2))
                else:
                    some = chosen(package, number, seed)
                    note(f"{number} {size}", count(mixture(some, size, seed)))
        many = mixture(others, 960, seed)
        for size in OWN:
            its = parts(package, seed)["train"][:size]
            note(f"own {size}", count(its))
            note(f"own {size} and 960", count(its + many))
    return {"taught": taught}


def run(part: str, method: str, seed: int) -> stored.Row:
    return {"packages": packages_part, "shift": shift_part, "mixtures": mixtures_part}[part](
        method, seed
    )


def text() -> str:
    """Fingerprint of what is read, stored with the results."""
    return corpora.docstring_kinds().provenance.fingerprint


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
