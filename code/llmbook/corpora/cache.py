"""Parsed corpora on disk, in the user's cache folder, so that a text is cleaned only once.

A cache file is one line with a format name and a sha256, then gzip-compressed JSON lines: data
only, nothing in it can be executed. `LLMBOOK_CACHE` names another folder.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs

from .records import CorpusError
from .sources import sha256

FORMAT = b"llmbook-corpus-1"


def folder() -> Path:
    """The cache folder: `LLMBOOK_CACHE`, or the operating system's folder for caches."""
    named = os.environ.get("LLMBOOK_CACHE")
    return Path(named) if named else Path(platformdirs.user_cache_dir("llmbook"))


def load_or_build(
    name: str,
    source: str,
    build: Callable[[], tuple[Sequence[Any], dict[str, Any]]],
    code: tuple[str, ...],
) -> tuple[list[Any], dict[str, Any]]:
    """Records and facts about them, from the cache if it has them, else from ``build``.

    Args:
        name: what the corpus is called.
        source: fingerprint of the files that ``build`` reads.
        build: gives JSON-like records and facts.
        code: the files of this package that decide what ``build`` gives; when one of them
            changes, what they gave before is no longer used.

    Returns:
        The records as JSON gives them back (lists for tuples), and the facts, to which
        ``"fingerprint"``, the sha256 of the records, was added.

    Raises:
        CorpusError: if the cache file is truncated or altered.

    Warns:
        UserWarning: once, if the cache folder cannot be written.
    """
    key = sha256(f"{source} {code_version(code)}".encode())[:16]
    path = folder() / f"{name}-{key}.corpus"
    try:
        return _unpack(path.read_bytes(), path)
    except OSError:
        pass  # not there yet, or not ours to read: either way the text itself is
    records, facts = build()
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    facts = {**facts, "fingerprint": sha256("\n".join(lines).encode())}
    body = "\n".join([json.dumps(facts), *lines]).encode()
    packed = gzip.compress(body, compresslevel=4, mtime=0)
    try:
        write_whole(path, FORMAT + b" " + sha256(packed).encode() + b"\n" + packed)
    except OSError as error:
        _warn_once(
            f"the cache folder {path.parent} cannot be written ({error.strerror or error}): "
            "texts are read afresh each time; set LLMBOOK_CACHE to a folder that can"
        )
    return _parse(body)


def code_version(files: tuple[str, ...]) -> str:
    """Fingerprint of some files of this package and of the Python that runs them."""
    digest = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    for name in files:
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()


def write_whole(path: Path, data: bytes) -> None:
    """Write ``path`` completely or not at all.

    The data goes to a ".partial" file beside it, which takes the name only when it is complete.

    Raises:
        OSError: if the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def _unpack(data: bytes, path: Path) -> tuple[list[Any], dict[str, Any]]:
    first_line, _, packed = data.partition(b"\n")
    if first_line != FORMAT + b" " + sha256(packed).encode():
        raise CorpusError(
            f"the cache file {path} is truncated or altered: delete it and run again, "
            "the text is then read afresh"
        )
    return _parse(gzip.decompress(packed))


def _parse(body: bytes) -> tuple[list[Any], dict[str, Any]]:
    facts, *records = json.loads(b"[" + body.replace(b"\n", b",") + b"]")
    return records, facts


@cache
def _warn_once(message: str) -> None:
    warnings.warn(message, stacklevel=4)
