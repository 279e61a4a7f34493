"""What a corpus is made of: typed records, their provenance, and the collection that holds them.

Records are named tuples: immutable, unpacked in a `for` loop, and written to the cache as the JSON
lists that they already are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar, overload

SPLITS = ("train", "validation", "test")
TRAIN_SHARE, VALIDATION_SHARE = 0.80, 0.10  # the rest, 10 %, is the test split


class CorpusError(Exception):
    """A text is missing, unreadable or not the expected one; the message says how to repair it."""


class Section(NamedTuple):
    """A part of an article; the lead, which stands before the first heading, has heading ``""``."""

    heading: str
    sentences: tuple[str, ...]


class Article(NamedTuple):
    """A Wikipedia article without its markup."""

    id: str
    title: str
    sections: tuple[Section, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """All sentences, in reading order."""
        return tuple(sentence for section in self.sections for sentence in section.sentences)

    @property
    def text(self) -> str:
        """One sentence a line, an empty line between sections; headings are left out."""
        return "\n\n".join("\n".join(section.sentences) for section in self.sections)

    @property
    def document(self) -> str:
        """What the splits keep together."""
        return self.id


class Docstring(NamedTuple):
    """One documentation string, its prose apart from what is not prose.

    ``summary`` is the first paragraph and ``body`` the paragraphs after it; ``parameters`` holds
    the parameter, return and attribute tables, ``examples`` the doctests and code blocks.
    """

    id: str  # module:qualified name
    package: str
    module: str
    name: str  # qualified inside the module; "" for the module itself
    kind: str  # "module", "class", "function" or "method"
    summary: str
    body: str
    parameters: str
    examples: str

    @property
    def text(self) -> str:
        """The prose: summary, then body."""
        return f"{self.summary}\n\n{self.body}" if self.body else self.summary

    @property
    def document(self) -> str:
        """The module, so that no module stands in two splits."""
        return self.module


class Document(NamedTuple):
    """A text with at most one label (``""``: none). ``headers`` is only filled for newsgroups."""

    id: str
    text: str
    label: str = ""
    headers: str = ""

    @property
    def document(self) -> str:
        """What the splits keep together."""
        return self.id


class WordPair(NamedTuple):
    """Two words and how similar people found them, from 0 to 10."""

    first: str
    second: str
    score: float

    @property
    def text(self) -> str:
        """Both words."""
        return f"{self.first} {self.second}"

    @property
    def document(self) -> str:
        """The pair without its order: ``(a, b)`` and ``(b, a)`` share a split."""
        return " ".join(sorted((self.first.lower(), self.second.lower())))


class Analogy(NamedTuple):
    """The question "a is to b as c is to ?", whose answer is d."""

    section: str
    a: str
    b: str
    c: str
    d: str

    @property
    def text(self) -> str:
        """The four words."""
        return f"{self.a} {self.b} {self.c} {self.d}"

    @property
    def document(self) -> str:
        """The question, so the splits cut through the sections."""
        return self.text.lower()


class Translation(NamedTuple):
    """The same thing said in English and in simplified Chinese.

    ``kind`` is what it names ("language", "message", …), ``source`` the file or data it is from.
    """

    id: str
    english: str
    chinese: str
    kind: str
    source: str

    @property
    def text(self) -> str:
        """The English side."""
        return self.english

    @property
    def document(self) -> str:
        """The English text, so that no English text stands in two splits."""
        return self.english.lower()


Record = TypeVar("Record", Article, Docstring, Document, WordPair, Analogy, Translation)


@dataclass(frozen=True)
class Provenance:
    """Where a corpus comes from, and which text exactly was read."""

    package: str  # distribution name(s)
    version: str
    licence: str  # of the package, from its own metadata
    text_licence: str  # what is known about the text itself
    source_files: tuple[str, ...]  # inside the package
    sha256: str  # of the source files
    fingerprint: str  # of the records read from them
    counts: dict[str, int]  # records, documents, sentences, words, characters
    parts: tuple[Provenance, ...] = field(default=(), repr=False)  # one a package, if several


def split_of(document: str) -> str:
    """The split of a document: 80 % train, 10 % validation, 10 % test, from the md5 of its id.

    A hash needs no stored list and no seed: a document stays where it is when others come or go.
    """
    digest = hashlib.md5(document.encode(), usedforsecurity=False).hexdigest()
    position = int(digest[:8], 16) / 16**8
    if position < TRAIN_SHARE:
        return "train"
    return "validation" if position < TRAIN_SHARE + VALIDATION_SHARE else "test"


class Corpus(Sequence, Generic[Record]):
    """Records in a fixed order, read only; iterate, index, slice, and take the length.

    Attributes:
        name: how the corpus is called in messages.
        provenance: package, version, licence, fingerprint and counts (:class:`Provenance`).
        fingerprint_matches: whether the text is the one the book was tested with.
    """

    __slots__ = ("_records", "fingerprint_matches", "name", "provenance")

    def __init__(
        self,
        name: str,
        records: Iterable[Record],
        provenance: Provenance,
        fingerprint_matches: bool = True,
    ) -> None:
        for attribute, value in (
            ("name", name),
            ("_records", tuple(records)),
            ("provenance", provenance),
            ("fingerprint_matches", fingerprint_matches),
        ):
            object.__setattr__(self, attribute, value)

    def __setattr__(self, attribute: str, value: Any) -> None:
        raise AttributeError(f"a Corpus is read only: {attribute} cannot be set")

    def __delattr__(self, attribute: str) -> None:
        raise AttributeError(f"a Corpus is read only: {attribute} cannot be deleted")

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Record, ...]: ...
    def __getitem__(self, index):
        return self._records[index]

    def __repr__(self) -> str:
        return f"<Corpus {self.name}: {len(self):,} records from {self.provenance.package}>"

    def split(self, name: str) -> tuple[Record, ...]:
        """The records of one split, in corpus order (:func:`split_of` says how they are drawn).

        Raises:
            ValueError: if ``name`` is not "train", "validation" or "test".
        """
        if name not in SPLITS:
            raise ValueError(f"split {name!r} is unknown: choose one of {', '.join(SPLITS)}")
        return tuple(record for record in self._records if split_of(record.document) == name)


def count(records: Sequence[Record], sentences: Callable[[Record], int]) -> dict[str, int]:
    """Records, documents, sentences, words and characters of a corpus."""
    from .text import words

    return {
        "records": len(records),
        "documents": len({record.document for record in records}),
        "sentences": sum(map(sentences, records)),
        "words": sum(len(words(record.text)) for record in records),
        "characters": sum(len(record.text) for record in records),
    }
