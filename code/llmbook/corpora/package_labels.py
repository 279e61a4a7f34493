"""A classification task from the documentation strings: which package is this text from?

Eight packages, as many texts of each. The names that would give the answer away are masked. Made
for chapter 7, where a classifier learns from 100, 500 or 2,000 labels.

Not here: a benchmark that others know. Its numbers can be compared with each other only.
"""

from __future__ import annotations

import json
import random
import re
from functools import cache

from .docstrings import docstrings
from .records import Corpus, Document, Provenance, count
from .sources import sha256
from .text import sentences, words

PACKAGES = (
    "matplotlib", "networkx", "nltk", "scikit-learn", "scipy", "sqlalchemy", "sympy", "torch",
)  # fmt: skip
SIZES = {"train": 2000, "validation": 400, "test": 800}
MIN_WORDS = 8
# Names of packages, also inside a longer word such as to_scipy_sparse_array; "mpl" stands inside
# "example" and counts only where a word, or a part of one, begins.
NAMES = "matplotlib networkx nltk scikit-learn scikit sklearn scipy sqlalchemy sympy torch pyplot"
OTHERS = "numpy pandas"
NAME = re.compile(
    rf"\w*(?:{'|'.join((NAMES + ' ' + OTHERS).split())})\w*|(?<![^\W_])_*mpl\w*", re.IGNORECASE
)
DOTTED = re.compile(r"\w+(?:\.\w+)+(?:\(\))?")  # such as scipy.stats.norm(), and 0.5


class PackageText(Document):
    """A documentation string without names; ``label`` is its package."""

    __slots__ = ()

    @property
    def document(self) -> str:
        """The module, so that no module stands in two splits."""
        return self.id.partition(":")[0]


@cache
def package_labels(masked: bool = True) -> Corpus[Document]:
    """Texts of eight packages: 2,000 to train on, 400 for validation, 800 for the test.

    Each split has as many texts of each package, of eight words or more, drawn at random from
    that split of :func:`docstrings`, in an order in which the packages take turns: the first 8 n
    texts hold n of each. No text occurs twice.

    Args:
        masked: package names become "package", dotted names "name". ``False`` leaves both in, to
            show how much they give away; the texts are the same ones.

    Warns, raises: as :func:`docstrings`.
    """
    source = docstrings()
    chosen: list[PackageText] = []
    seen: set[str] = set()
    for split, size in SIZES.items():
        records = source.split(split)
        columns = []
        for package in PACKAGES:
            column: list[PackageText] = []
            candidates = [record for record in records if record.package == package]
            random.Random(f"{split} {package}").shuffle(candidates)
            for record in candidates:
                if len(column) == size // len(PACKAGES):
                    break
                text = mask(record.text)
                if text not in seen and len(words(text)) >= MIN_WORDS:
                    seen.add(text)
                    shown = text if masked else record.text
                    column.append(PackageText(record.id, shown, package))
            columns.append(column)
        chosen += [text for turn in zip(*columns, strict=True) for text in turn]
    return Corpus(
        "package labels",
        chosen,
        Provenance(
            package=source.provenance.package,
            version=source.provenance.version,
            licence=source.provenance.licence,
            text_licence=source.provenance.text_licence,
            source_files=source.provenance.source_files,
            sha256=source.provenance.sha256,
            fingerprint=sha256(json.dumps(chosen).encode()),
            counts=count(chosen, lambda document: len(sentences(document.text))),
            parts=source.provenance.parts,
        ),
        source.fingerprint_matches,
    )


def mask(text: str) -> str:
    """The text with "name" for each dotted name, and "package" for the name of a package."""
    return NAME.sub("package", DOTTED.sub("name", text))
