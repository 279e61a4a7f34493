"""An index of pages on disk: keywords and vectors, built once, then opened in a moment (chapter 8).

One safetensors file in the user's cache folder, written whole or not at all. Its name holds a
fingerprint of what it was made from (the packages' files, MiniLM, this code), so an index of
other versions is simply not found; a sha256 inside it finds damage. Nothing is ever unpickled.

Not here: adding or removing pages, approximate search. 20,000 vectors are compared in a few
milliseconds; ten million would need more.

Shapes: ``N`` pages, ``D`` width.
"""

from __future__ import annotations

import hashlib
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from llmbook.corpora import CorpusError, docstrings
from llmbook.corpora.cache import folder, write_whole
from llmbook.corpora.docstrings import source_rows
from llmbook.pretrained import SHA256
from llmbook.retrieval.dense import embed
from llmbook.retrieval.keywords import Keywords
from llmbook.retrieval.pages import Page, to_pages
from llmbook.retrieval.public import public_pages, usage

# What readers of this book ask about; the other packages serve programs rather than people.
_PACKAGES = """
numpy scipy matplotlib scikit-learn torch networkx nltk sympy sqlalchemy gensim transformers
beautifulsoup4 mpmath joblib
"""
PACKAGES = tuple(_PACKAGES.split())
MAX_TOKENS = 32  # of a page that are embedded: with 64, the details drown what it is about
CODE = ("dense.py", "index.py", "keywords.py", "pages.py", "public.py", "words.py")
FORMAT = "llmbook-pages-1"
# Found on 24 questions that are not those of ``llmbook.ask.questions``.
KEYWORDS, USAGE = 0.2, 0.03
CUT = 6000  # characters of a page's parameters that are kept


class Hit(NamedTuple):
    """A page that was found, how near its vector is, and the score that it was found by."""

    page: Page
    cosine: float
    score: float


class Index:
    """N pages that can be searched by vectors and words together.

    The score of a page is its cosine, plus ``KEYWORDS`` times its BM25 as a part of the best one,
    plus ``USAGE`` times its usage. Fusion of ranks does worse here: a reader's question shares few
    words with the right page, and a poor ranking then counts as much as a good one.
    """

    def __init__(
        self, pages: Sequence[Page], keywords: Keywords, vectors: np.ndarray, usage: np.ndarray
    ) -> None:
        if not len(pages) == len(vectors) == len(usage) > 0:
            raise ValueError(f"{len(vectors)} vectors for {len(pages)} pages, at least one of each")
        self.pages, self.keywords, self.vectors, self.usage = pages, keywords, vectors, usage

    def search(self, question: str, vector: np.ndarray, top: int = 3) -> list[Hit]:
        """The best pages, the best first.

        Args:
            vector: (D,), the embedding of the question, of length 1
        """
        cosines = self.vectors @ vector
        words = self.keywords.scores(question)
        scores = cosines + KEYWORDS * words / max(words.max(), 1e-9) + USAGE * self.usage
        best = np.argsort(-scores, kind="stable")[:top]
        return [Hit(self.pages[i], float(cosines[i]), float(scores[i])) for i in best]

    def to_bytes(self) -> bytes:
        """The index as one safetensors file with its own sha256."""
        from safetensors.numpy import save

        lines = [json.dumps(page, ensure_ascii=False).encode() for page in self.pages]
        arrays = self.keywords.arrays() | {
            "pages": np.frombuffer(b"".join(lines), dtype=np.uint8),
            "ends": np.cumsum([len(line) for line in lines]),
            "vectors": self.vectors.astype(np.float16),
            "usage": self.usage,
        }
        return save(arrays, {"format": FORMAT, "sha256": _digest(arrays)})

    @classmethod
    def read(cls, path: Path) -> Index:
        """The index in a file.

        Raises:
            ValueError: if the file is cut short, altered, or no index.
            OSError: if it cannot be read.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                facts = file.metadata() or {}
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise ValueError(f"{path} is cut short or no index") from error
        if facts.get("format") != FORMAT or facts["sha256"] != _digest(arrays):
            raise ValueError(f"{path} is not as it was written")
        pages = _Pages(arrays["pages"].tobytes(), arrays["ends"])
        vectors = arrays["vectors"].astype(np.float32)
        return cls(pages, Keywords.of(arrays), vectors, arrays["usage"])


class _Pages(Sequence):
    """Pages as bytes; one is parsed when it is looked at, because most never are."""

    def __init__(self, text: bytes, ends: np.ndarray) -> None:
        self.text, self.ends = text, ends

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, number):
        start = self.ends[number - 1] if number else 0
        return Page(*json.loads(self.text[start : self.ends[number]]))


def build(pages: Sequence[Page], used: np.ndarray | None = None, progress: str = "") -> Index:
    """An index of pages.

    Args:
        used: (N,), the usage of each page; 0 if None
        progress: what a progress bar says; none if empty

    Raises:
        CorpusError: if MiniLM's files are missing or altered.
        ValueError: if there is no page.
    """
    kept = [page._replace(parameters=page.parameters[:CUT]) for page in pages]
    if not kept:
        raise ValueError("there is no page to index")
    used = np.zeros(len(kept), dtype=np.float32) if used is None else used
    vectors = embed([page.short for page in kept], MAX_TOKENS, progress=progress)
    return Index(kept, Keywords([page.whole for page in kept]), vectors, used)


def open_index(
    packages: tuple[str, ...] = PACKAGES,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
    progress: bool = True,
) -> Index:
    """The index of these packages' pages, from the cache folder, or built and stored there.

    What a reader should know (that it takes minutes, that a damaged file is replaced, that the
    folder cannot be written) is given to ``say``, a sentence at a time.

    Raises:
        CorpusError: if a package or MiniLM is missing or altered.
    """
    path = folder() / f"pages-{fingerprint(packages)}.safetensors"
    try:
        return Index.read(path)
    except FileNotFoundError:
        say(f"Indexing the documentation of {len(packages)} packages, once; "
            "this takes some minutes.")  # fmt: skip
    except ValueError:
        say("The index was damaged; it is built again.")
    except OSError as error:
        say(f"The index {path} cannot be read ({error.strerror or error}); it is built again.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other versions than the book's are welcome here
        records = docstrings(packages)
    pages = public_pages(to_pages(records), packages)
    if not pages:
        raise CorpusError(f"the packages {', '.join(packages)} have no documented function")
    index = build(pages, usage(pages, records), "pages" if progress else "")
    try:
        write_whole(path, index.to_bytes())
    except OSError as error:
        say(
            f"The folder {path.parent} cannot be written ({error.strerror or error}), so the "
            "next question will build the index again; LLMBOOK_CACHE names another folder."
        )
    return index


def fingerprint(packages: tuple[str, ...]) -> str:
    """Of everything that an index is made from.

    Raises:
        CorpusError: if a package is missing.
    """
    digest = hashlib.sha256(json.dumps([FORMAT, MAX_TOKENS, CUT, sorted(SHA256.items())]).encode())
    for package in packages:
        digest.update(json.dumps([package, source_rows(package)]).encode())
    for name in CODE:
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()[:16]


def _digest(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
