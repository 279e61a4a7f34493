"""Sentences of Tatoeba in English and Chinese, from a file that the reader has: an optional corpus.

Tatoeba is a collection of sentences and translations by volunteers, published under CC BY 2.0 FR;
each line of the file names its two authors, and so does each record. Nothing is downloaded here,
and the sentences are not part of this book.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .records import Corpus, CorpusError, Provenance, count
from .sources import sha256

VARIABLE = "LLMBOOK_TATOEBA"
TESTED = "e1439be4f55aeb39f30c478aa6372dec93764475395eefbb9bce49e768a3bba2"  # 22,075 lines, 2020
LICENCE = "CC BY 2.0 FR"


class SentencePair(NamedTuple):
    """A sentence in both languages; the Chinese may be in simplified or traditional characters."""

    id: str
    english: str
    chinese: str
    attribution: str  # licence and authors, as the file gives them
    group: str

    @property
    def text(self) -> str:
        """The English side."""
        return self.english

    @property
    def document(self) -> str:
        """Pairs that share a sentence, directly or through others, stand in one split."""
        return self.group


def tatoeba(path: str | Path | None = None) -> Corpus[SentencePair]:
    """The pairs of a file with English, Chinese and attribution in each line, between tabs.

    Args:
        path: of the file; if not given, the environment variable LLMBOOK_TATOEBA names it

    Raises:
        CorpusError: if no file is named, or it cannot be read, or a line has other fields.

    Warns:
        UserWarning: if the file is not the one this book was tested with.
    """
    named = path or os.environ.get(VARIABLE)
    if not named:
        raise CorpusError(
            f"no file of Tatoeba sentences is named: set {VARIABLE} to the path of a "
            "tab-separated file with English, Chinese and attribution"
        )
    file = Path(named)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CorpusError(
            f"{file} cannot be read ({error.strerror or error}): set {VARIABLE} to the path of a "
            "tab-separated file with English, Chinese and attribution"
        ) from error
    digest = sha256(data)
    if digest != TESTED:
        warnings.warn(
            f"{file.name} is not the file this book was tested with (its sha256 differs), so "
            "what is measured on it may differ too",
            stacklevel=2,
        )
    rows = _rows(data, file.name)
    groups = _groups([row[:2] for row in rows])
    pairs = [
        SentencePair(f"tatoeba-{n:05}", *row, f"tatoeba-{group:05}")
        for n, (row, group) in enumerate(zip(rows, groups, strict=True))
    ]
    provenance = Provenance(
        package="Tatoeba",
        version="2020" if digest == TESTED else "not the tested file",
        licence=LICENCE,
        text_licence=f"{LICENCE}, the authors are in each record's attribution",
        source_files=(file.name,),
        sha256=digest,
        fingerprint=sha256(json.dumps(pairs).encode()),
        counts=count(pairs, lambda _: 1),
    )
    return Corpus("Tatoeba sentences", pairs, provenance, digest == TESTED)


def _rows(data: bytes, name: str) -> list[tuple[str, str, str]]:
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise CorpusError(f"{name} is not UTF-8 text: {error}") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) != 3 or not all(fields):
            raise CorpusError(
                f"line {number} of {name} has not the three fields English, Chinese and "
                "attribution, with a tab between them"
            )
        rows.append((fields[0], fields[1], fields[2]))
    if not rows:
        raise CorpusError(f"{name} is empty")
    return rows


def _groups(pairs: Sequence[tuple[str, str]]) -> list[int]:
    """The first pair that each pair is connected with: "Hi" has three translations, say."""
    parent = list(range(len(pairs)))

    def first(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    seen: dict[str, int] = {}
    for i, sides in enumerate(pairs):
        for side in enumerate(text.casefold() for text in sides):
            one, other = sorted((first(i), first(seen.setdefault(side, i))))
            parent[other] = one
    return [first(i) for i in range(len(pairs))]
