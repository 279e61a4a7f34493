"""The documentation strings of the packages that this book runs on: technical English.

They are read from the installed sources as text; no package is imported. Their text changes with
the versions, so a difference from the tested fingerprint is said, in one warning.
"""

from __future__ import annotations

import ast
import gc
import json
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from . import cache as disk
from .docstring_parts import take_apart
from .records import Corpus, Docstring, Provenance, count
from .sources import distribution, licence, read_unaltered, recorded_hashes, sha256
from .tested import DOCSTRING_FINGERPRINTS, VERSIONS
from .text import sentences

# Folders and files that hold tests, other people's code, or what a program wrote.
_SKIPPED_NAMES = """
tests test testing _testing conftest.py _vendor vendored externals _external array_api_compat
array_api_extra version.py _version.py __config__.py serialized_patterns
"""
SKIPPED_NAMES = frozenset(_SKIPPED_NAMES.split())
# Hundreds of models whose descriptions repeat one another with another name, and a compiler's
# insides: a third of all source, for a tenth of its prose.
SKIPPED_FOLDERS = ("transformers/models/", "torch/_inductor/")
CODE = ("docstrings.py", "docstring_parts.py", "records.py", "text.py")
GENERATED = b"automatically generated from"  # near the top of a file


@cache
def docstrings(packages: tuple[str, ...] = tuple(DOCSTRING_FINGERPRINTS)) -> Corpus[Docstring]:
    """Documentation strings of installed packages, prose apart from tables and examples.

    No two records hold the same prose: the first is kept. Order: by package, file, and place in
    the file. Splits: by module, so that no module stands in two splits.

    Args:
        packages: distribution names; by default those the book was tested with.

    Warns:
        UserWarning: if a package's text is not the tested one; ``fingerprint_matches`` is then
            False, and numbers computed from the text may differ from the book's.

    Raises:
        CorpusError: if a package is missing or a source file was altered after its installation,
            or if the cache file is damaged.
    """
    recorded = {package: source_rows(package) for package in packages}
    sources = {package: sha256(json.dumps(rows).encode()) for package, rows in recorded.items()}
    source = sha256(json.dumps(sources).encode())

    def build():
        # Syntax trees are large and have no cycles: looking for some costs a seventh of the time.
        gc.disable()
        try:
            return read_all()
        finally:
            gc.enable()

    def read_all():
        records, parts, seen = [], {}, set()
        for package in packages:
            found = list(read_package(package, recorded[package]))
            kept = []
            for record in found:
                prose = (record.summary, record.body)
                if prose not in seen:
                    seen.add(prose)
                    kept.append(record)
            records.extend(kept)
            counts = count(kept, _count_sentences)
            parts[package] = {"fingerprint": _fingerprint(found), "counts": counts}
        totals = {
            name: sum(part["counts"][name] for part in parts.values())
            for name in next(iter(parts.values()))["counts"]
        }
        return records, {"counts": totals, "parts": parts}

    records, facts = disk.load_or_build("docstrings", source, build, CODE)
    parts = tuple(
        Provenance(
            package=package,
            version=distribution(package).version,
            licence=licence(package),
            text_licence="as the package",
            source_files=tuple(path for path, _ in recorded[package]),
            sha256=sources[package],
            fingerprint=facts["parts"][package]["fingerprint"],
            counts=facts["parts"][package]["counts"],
        )
        for package in packages
    )
    provenance = Provenance(
        package=", ".join(packages),
        version=", ".join(part.version for part in parts),
        licence="each package's own: see parts",
        text_licence="each package's own: see parts",
        source_files=tuple(file for part in parts for file in part.source_files),
        sha256=source,
        fingerprint=facts["fingerprint"],
        counts=facts["counts"],
        parts=parts,
    )
    matches = _say_differences(parts)
    return Corpus("docstrings", (Docstring(*values) for values in records), provenance, matches)


def source_rows(package: str) -> list[tuple[str, str]]:
    """(path, hash) of the source files to read, sorted by path.

    Raises:
        CorpusError: if the package is missing or its installer left no hashes.
    """
    return [
        (path, hashed)
        for path, hashed in recorded_hashes(package).items()
        if path.endswith(".py")
        and "/" in path
        and not path.startswith(("..", *SKIPPED_FOLDERS))
        and SKIPPED_NAMES.isdisjoint(path.split("/"))
        and not path.rpartition("/")[2].startswith("test_")
    ]


def read_package(package: str, rows: Sequence[tuple[str, str]]) -> Iterator[Docstring]:
    """The documentation strings of the files in ``rows`` that hold any prose.

    Raises:
        CorpusError: if a file is missing, unreadable, or not the one that was installed.
    """
    for path, hashed in rows:
        data = read_unaltered(package, path, hashed)
        if GENERATED in data[:2000] or (b'"""' not in data and b"'''" not in data):
            continue
        module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        yield from read_module(package, module, data)


def read_module(package: str, module: str, source: bytes) -> Iterator[Docstring]:
    """The documentation strings of one module's source, in its order; none is executed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in other people's strings
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            return  # a template, or syntax of a later Python
    numbers: dict[str, int] = {}
    for name, kind, docstring in _walk(tree, "", "module"):
        parts = take_apart(docstring)
        if not parts.summary:
            continue
        # Overloads and definitions under `if` share a qualified name.
        numbers[name] = numbers.get(name, 0) + 1
        number = f"#{numbers[name]}" if numbers[name] > 1 else ""
        yield Docstring(f"{module}:{name}{number}", package, module, name, kind, *parts)


def _walk(node: ast.AST, name: str, kind: str) -> Iterator[tuple[str, str, str]]:
    """(qualified name, kind, documentation string) of a node and of what it defines.

    What a function defines inside itself is left out: no reader of the package can reach it.
    """
    if kind and (docstring := ast.get_docstring(node)):
        yield name, kind, docstring
    prefix = f"{name}." if name else ""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _walk(child, prefix + child.name, "class")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            if docstring := ast.get_docstring(child):
                inside_class = isinstance(node, ast.ClassDef) or kind == "class"
                yield prefix + child.name, "method" if inside_class else "function", docstring
        elif isinstance(child, ast.If | ast.Try):
            yield from _walk(child, name, "")


def _fingerprint(records: Sequence[Any]) -> str:
    """Of the text, not of the files: line ends and build dates do not change it."""
    return sha256(json.dumps(records).encode())[:16]


def _count_sentences(record: Docstring) -> int:
    return sum(len(sentences(paragraph)) for paragraph in record.text.split("\n\n"))


def _say_differences(parts: Sequence[Provenance]) -> bool:
    """Warn about packages whose text is not the tested one; True if there are none."""
    different = [
        part for part in parts if part.fingerprint != DOCSTRING_FINGERPRINTS.get(part.package)
    ]
    if different:
        installed = ", ".join(f"{part.package} {part.version}" for part in different)
        wanted = " ".join(
            f"{part.package}=={VERSIONS[part.package]}"
            for part in different
            if part.package in VERSIONS
        )
        warnings.warn(
            f"the documentation strings of {installed} are not those this book was tested with, "
            f"so numbers computed from them may differ; "
            f"`python -m pip install {wanted}` gives the tested ones",
            stacklevel=3,
        )
    return not different
