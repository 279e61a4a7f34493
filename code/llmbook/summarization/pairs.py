"""Documentation and its first line: pairs to learn from, and whole packages to be judged on.

A pair is clean if its first line is a sentence of 4 to 20 words that ends in a full stop. Those
with a body of 15 words or more make the task. Packages are held out, in the order of the md5 of
their names: first for the test, then for validation; the large ones stay for training.

Chapter 8. Not here: the parsing of documentation strings (``llmbook.corpora.docstrings``).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from llmbook import corpora
from llmbook.corpora import words

LEAST_BODY, SUMMARY_WORDS = 15, range(4, 21)
LARGE = 400  # pairs; a package with more is never held out
TEST_PAIRS, VALIDATION_PAIRS = 800, 300  # at least so many
SHINGLE, ALIKE = 5, 0.5  # words of a shingle; share of shingles from which texts count as copies

PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


class Pair(NamedTuple):
    """What a person wrote first, and the rest of the documentation string."""

    id: str
    package: str
    name: str  # qualified, inside its module
    body: str
    summary: str

    @property
    def identifier(self) -> str:
        """The name as words: "DataFrame.to_csv" gives "data frame to csv"."""
        return " ".join(name_words(self.name))


@dataclass(frozen=True)
class Pairs:
    """The pairs of three splits.

    short        pairs of the training packages with a body too short for the task
    packages     names of the packages of each split
    left_out     training pairs left out because a held-out one is nearly the same, by reason
    fingerprint  sha256 of all of it
    """

    train: tuple[Pair, ...]
    validation: tuple[Pair, ...]
    test: tuple[Pair, ...]
    short: tuple[Pair, ...]
    packages: dict[str, tuple[str, ...]]
    left_out: dict[str, int]
    fingerprint: str


def name_words(name: str) -> list[str]:
    """The words of an identifier in small letters, cut at dots, underscores and capitals."""
    return [part.lower() for part in PART.findall(name)]


def held_out_packages(sizes: dict[str, int]) -> dict[str, tuple[str, ...]]:
    """Packages for the test and for validation, from the number of pairs of each package.

    In the order of the md5 of their names, those of at most ``LARGE`` pairs: for the test until it
    has ``TEST_PAIRS``, then for validation until that has ``VALIDATION_PAIRS``.
    """
    order = sorted(sizes, key=lambda name: hashlib.md5(name.encode()).hexdigest())
    small = iter([name for name in order if sizes[name] <= LARGE])
    found: dict[str, tuple[str, ...]] = {}
    for split, least in (("test", TEST_PAIRS), ("validation", VALIDATION_PAIRS)):
        chosen: list[str] = []
        while sum(sizes[name] for name in chosen) < least:
            name = next(small, None)
            if name is None:
                raise ValueError(f"too few pairs in small packages for the {split} split")
            chosen.append(name)
        found[split] = tuple(chosen)
    return found


@cache
def pairs() -> Pairs:
    """All clean pairs of the installed packages' documentation.

    Warns, raises: as ``corpora.docstrings``.
    """
    clean, short = [], []
    for record in corpora.docstrings():
        count = len(record.summary.split())
        if not record.name or not record.summary.endswith(".") or count not in SUMMARY_WORDS:
            continue
        pair = Pair(record.id, record.package, record.name,
                    " ".join(record.body.split()), " ".join(record.summary.split()))  # fmt: skip
        (clean if len(pair.body.split()) >= LEAST_BODY else short).append(pair)
    packages = held_out_packages(dict(Counter(pair.package for pair in clean)))
    split_of = {name: split for split, names in packages.items() for name in names}
    parts: dict[str, list[Pair]] = {"train": [], "validation": [], "test": []}
    for pair in clean:
        parts[split_of.get(pair.package, "train")].append(pair)
    packages["train"] = tuple(dict.fromkeys(pair.package for pair in parts["train"]))
    held_out = parts["validation"] + parts["test"]
    parts["train"], left_out = without_copies(parts["train"], held_out)
    short = [pair for pair in short if pair.package not in split_of]
    short, _ = without_copies(short, held_out)
    digest = hashlib.sha256(json.dumps([parts, short]).encode()).hexdigest()
    return Pairs(**{split: tuple(found) for split, found in parts.items()}, short=tuple(short),
                 packages=packages, left_out=left_out, fingerprint=digest)  # fmt: skip


def without_copies(
    candidates: Iterable[Pair], held_out: Sequence[Pair]
) -> tuple[list[Pair], dict[str, int]]:
    """The candidates that are not nearly the same as a held-out pair, and why others left.

    One leaves if its first line has the same words as a held-out one ("same first line"), or if
    the shingles of its body, runs of five words, overlap with a held-out body's by half or more of
    the smaller ("same body").
    """
    lines = {tuple(words(pair.summary)) for pair in held_out}
    owners: dict[tuple[str, ...], list[int]] = {}
    sizes = []
    for i, pair in enumerate(held_out):
        found = shingles(pair.body)
        sizes.append(len(found))
        for shingle in found:
            owners.setdefault(shingle, []).append(i)
    kept, left = [], Counter({"same first line": 0, "same body": 0})
    for pair in candidates:
        if tuple(words(pair.summary)) in lines:
            left["same first line"] += 1
            continue
        own = shingles(pair.body)
        shared = Counter(i for shingle in own for i in owners.get(shingle, ()))
        if any(n >= ALIKE * min(len(own), sizes[i]) for i, n in shared.items()):
            left["same body"] += 1
            continue
        kept.append(pair)
    return kept, dict(left)


def shingles(text: str) -> set[tuple[str, ...]]:
    """Runs of ``SHINGLE`` words of a text; the whole text if it is shorter."""
    found = words(text)
    if not found:
        return set()
    return {tuple(found[i : i + SHINGLE]) for i in range(max(1, len(found) - SHINGLE + 1))}
