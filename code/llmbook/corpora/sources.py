"""Find a file inside an installed package without importing the package, and verify it."""

from __future__ import annotations

import base64
import csv
import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

from .records import CorpusError
from .tested import VERSIONS

NO_NOTICE = "no notice about this text in the package"


def sha256(data: bytes) -> str:
    """Hexadecimal sha256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def repair_command(package: str) -> str:
    """The command that installs the tested version of ``package`` afresh."""
    version = VERSIONS.get(package)
    wanted = f"{package}=={version}" if version else package
    return f"python -m pip install --force-reinstall --no-deps {wanted}"


@cache
def distribution(package: str) -> metadata.Distribution:
    """The metadata of an installed package.

    Raises:
        CorpusError: if it is not installed.
    """
    try:
        return metadata.distribution(package)
    except metadata.PackageNotFoundError:
        version = VERSIONS.get(package)
        wanted = f"{package}=={version}" if version else package
        raise CorpusError(
            f"the package {package}, which holds this text, is not installed: "
            f"run `python -m pip install {wanted}`"
        ) from None


def licence(package: str) -> str:
    """The licence that the package states in its metadata, in its own words."""
    stated = distribution(package).metadata
    for name in ("License-Expression", "License"):
        text = (stated.get(name) or "").strip()
        if text and "\n" not in text:
            return text
    classifiers = [
        line.split("::")[-1].strip()
        for line in stated.get_all("Classifier", [])
        if line.startswith("License ::")
    ]
    if classifiers:
        return ", ".join(classifiers)
    files = ", ".join(stated.get_all("License-File", []))
    return f"see {files} in the package" if files else "not stated in the package's metadata"


def read_verified(package: str, path: str, expected: str) -> bytes:
    """The bytes of a file whose sha256 this book knows.

    ``path`` is relative to the folder in which packages are installed.

    Raises:
        CorpusError: if the package or the file is missing, unreadable, or not the expected one.
    """
    data = _read(package, path)
    if sha256(data) != expected:
        raise CorpusError(
            f"{path} of the package {package} is not the file this book was tested with "
            f"(its sha256 differs): run `{repair_command(package)}`"
        )
    return data


def recorded_hashes(package: str) -> dict[str, str]:
    """The files of a package by path, sorted, with the hashes that its installer recorded.

    Raises:
        CorpusError: if the package is missing or its installer left no hashes.
    """
    record = distribution(package).read_text("RECORD") or ""
    rows = {row[0]: row[1] for row in csv.reader(record.splitlines()) if len(row) == 3 and row[1]}
    if not rows:
        raise CorpusError(
            f"the package {package} was installed without a list of its files and their sha256: "
            f"run `{repair_command(package)}`"
        )
    return dict(sorted(rows.items()))


def read_unaltered(package: str, path: str, recorded: str) -> bytes:
    """The bytes of a file, if they are what was installed.

    Raises:
        CorpusError: if the file is missing, unreadable, or was altered after its installation.
    """
    data = _read(package, path)
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    if recorded != f"sha256={digest}":
        raise CorpusError(
            f"{path} of the package {package} was altered after its installation: "
            f"run `{repair_command(package)}`"
        )
    return data


def _read(package: str, path: str) -> bytes:
    try:
        return Path(str(distribution(package).locate_file(path))).read_bytes()
    except OSError as error:
        raise CorpusError(
            f"{path} of the package {package} cannot be read ({error.strerror or error}): "
            f"run `{repair_command(package)}`"
        ) from error
