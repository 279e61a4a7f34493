"""Which pages a reader of a package can reach, and which are often used (chapter 8).

Half of what is documented in a package serves the package itself. What is meant for its users is
imported by the ``__init__.py`` of some public folder, or lies in a module right below the package;
that is read from the sources, nothing is imported. Among these, the names that the examples of
the package call often are the ones that people ask about.
"""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from llmbook.corpora import Docstring
from llmbook.corpora.docstrings import source_rows
from llmbook.corpora.sources import read_unaltered
from llmbook.retrieval.pages import Page

CALL = re.compile(r"\b([A-Za-z]\w*)\(")


def exports(packages: Iterable[str]) -> tuple[dict[str, set[str]], set[str]]:
    """Names that public folders import, by folder; and modules of which they import all ("*").

    Raises:
        CorpusError: if a package is missing or a source file altered.
    """
    names: dict[str, set[str]] = defaultdict(set)
    everything: set[str] = set()
    for package in packages:
        for path, hashed in source_rows(package):
            module = path.removesuffix("/__init__.py").replace("/", ".")
            if not path.endswith("/__init__.py") or _private(module):
                continue
            names[module] |= set()
            for node in ast.walk(ast.parse(read_unaltered(package, path, hashed))):
                if isinstance(node, ast.ImportFrom):
                    if node.names[0].name == "*":
                        everything.add(_origin(module, node))
                    else:
                        names[module] |= {alias.asname or alias.name for alias in node.names}
    return dict(names), everything


def public_pages(pages: Iterable[Page], packages: Iterable[str]) -> list[Page]:
    """The pages that a user of the packages can reach, in their order.

    Raises:
        CorpusError: as :func:`exports`.
    """
    names, everything = exports(packages)

    def reached(page: Page) -> bool:
        parts = page.module.split(".")
        if page.module in names or page.module in everything:
            return True
        if len(parts) <= 2 and not _private(page.module):
            return True
        first = page.name.partition(".")[0]
        return any(first in names.get(".".join(parts[:n]), ()) for n in range(1, len(parts)))

    return [page for page in pages if reached(page)]


def usage(pages: Sequence[Page], records: Iterable[Docstring]) -> np.ndarray:
    """How much the examples use each page: log(1 + examples that call it), (N,).

    A name that several pages of a package share is shared out among them.
    """
    calls = Counter(
        (record.module.partition(".")[0], name)
        for record in records
        for name in set(CALL.findall(record.examples))
    )
    keys = [(page.package, page.name.rpartition(".")[2]) for page in pages]
    shared = Counter(keys)
    return np.log1p([calls[key] / shared[key] for key in keys]).astype(np.float32)


def _private(module: str) -> bool:
    return any(part.startswith("_") for part in module.split("."))


def _origin(module: str, node: ast.ImportFrom) -> str:
    """The module that an import in ``module``'s ``__init__.py`` imports from."""
    parts = module.split(".")
    base = parts[: len(parts) + 1 - node.level] if node.level else []
    return ".".join([*base, *filter(None, [node.module])])
