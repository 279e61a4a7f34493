"""A task with the same labels in eleven packages: what does this first paragraph describe?

A class, a function or a module: the syntax of the source says which, in every package in the same
way, while the writing differs from package to package. Made for chapter 10, where a classifier
learns in one package and is tested in another.

Not here: methods as a label of their own; they count as functions.
"""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cache
from typing import NamedTuple

from .docstrings import docstrings
from .records import Corpus, Provenance, count
from .sources import sha256
from .text import sentences, words

KINDS = ("class", "function", "module")
# Those of the documentation strings with enough texts of each kind, in enough files.
PACKAGES = (
    "fonttools", "ipython", "matplotlib", "nltk", "scikit-learn", "scipy", "sphinx", "sqlalchemy",
    "sympy", "torch", "transformers",
)  # fmt: skip
MIN_WORDS, MIN_TEXTS, MIN_MODULES = 4, 90, 60


class KindText(NamedTuple):
    """The first paragraph of a documentation string; ``label`` is one of ``KINDS``."""

    id: str  # as Docstring
    text: str
    label: str
    package: str

    @property
    def document(self) -> str:
        """The module, so that no module stands in two splits."""
        return self.id.partition(":")[0]


@cache
def docstring_kinds() -> Corpus[KindText]:
    """First paragraphs of four words or more of ``PACKAGES``, each with its kind.

    Order: as :func:`docstrings`. No text occurs twice: the first is kept.

    Warns, raises: as :func:`docstrings`.
    """
    source = docstrings()
    found = [text for text in read_kinds() if text.package in PACKAGES]
    return Corpus(
        "docstring kinds",
        found,
        Provenance(
            package=", ".join(PACKAGES),
            version=source.provenance.version,
            licence=source.provenance.licence,
            text_licence=source.provenance.text_licence,
            source_files=source.provenance.source_files,
            sha256=source.provenance.sha256,
            fingerprint=sha256(json.dumps(found).encode()),
            counts=count(found, lambda record: len(sentences(record.text))),
            parts=source.provenance.parts,
        ),
        source.fingerprint_matches,
    )


def read_kinds() -> list[KindText]:
    """The texts of all packages of :func:`docstrings`, large and small."""
    found: dict[str, KindText] = {}
    for record in docstrings():
        kind = "function" if record.kind == "method" else record.kind
        if len(words(record.summary)) >= MIN_WORDS:
            text = KindText(record.id, record.summary, kind, record.package)
            found.setdefault(record.summary, text)
    return list(found.values())


def large_enough(texts: list[KindText]) -> tuple[str, ...]:
    """The packages with ``MIN_TEXTS`` of each kind, in ``MIN_MODULES`` each."""
    ids: dict[tuple[str, str], list[str]] = defaultdict(list)
    for text in texts:
        ids[text.package, text.label].append(text.document)

    def enough(package: str) -> bool:
        modules = [ids[package, kind] for kind in KINDS]
        return all(len(m) >= MIN_TEXTS and len(set(m)) >= MIN_MODULES for m in modules)

    return tuple(filter(enough, dict.fromkeys(text.package for text in texts)))
