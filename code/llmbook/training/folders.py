"""A folder on disk that is whole or not there, and that says if somebody changed it.

``write_folder`` writes beside the place, waits for the disk, and renames. The facts, one JSON file
in it, hold the sha256 of each other file and of themselves. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from llmbook.training.errors import CheckpointError

PARTIAL, OLD = ".partial-", ".old-"


def write_folder(
    folder: Path, files: Mapping[str, bytes], facts: Mapping[str, Any], facts_name: str
) -> None:
    """Write ``files`` and the facts into ``folder``; one that is there is replaced.

    Raises:
        CheckpointError: if the disk is full or refuses; what was there before is untouched.
    """
    partial = folder.with_name(PARTIAL + folder.name)
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, content in files.items():
            write_synced(partial / name, content)
        hashes = {name: sha256(content) for name, content in files.items()}
        whole = {**facts, "sha256": hashes}
        whole["sha256"] = hashes | {facts_name: sha256(canonical(whole))}
        write_synced(partial / facts_name, json.dumps(whole, indent=1).encode())
        sync(partial)
        old = folder.with_name(OLD + folder.name)
        if folder.exists():
            os.rename(folder, old)
        os.rename(partial, folder)
        sync(folder.parent)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise CheckpointError(
            f"{folder} could not be written ({error.strerror or error}): make room, or name "
            "another folder; what was saved before is whole"
        ) from error


def read_folder(folder: Path, facts_name: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The files and the facts of a folder, every byte as it was written.

    Raises:
        CheckpointError: if a file is missing, cut short or altered; it is named.
    """
    try:
        facts = json.loads((folder / facts_name).read_bytes())
        hashes = facts["sha256"]
        own = hashes.pop(facts_name)
        altered = sha256(canonical(facts)) != own
    except OSError as error:
        raise CheckpointError(
            f"{folder / facts_name} cannot be read ({error.strerror or error})"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError):
        altered, hashes, facts = True, {}, {}
    if altered:
        raise CheckpointError(f"{folder / facts_name} is cut short or was altered: do not use it")
    files = {}
    for name, expected in hashes.items():
        try:
            files[name] = (folder / name).read_bytes()
        except OSError as error:
            raise CheckpointError(
                f"{folder / name} cannot be read ({error.strerror or error})"
            ) from error
        if sha256(files[name]) != expected:
            raise CheckpointError(f"{folder / name} is cut short or was altered: do not use it")
    return files, facts


def write_synced(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync(folder: Path) -> None:
    """Have the names in a folder on the disk too, where the system knows how (Windows does not)."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def canonical(facts: Mapping[str, Any]) -> bytes:
    return json.dumps(facts, sort_keys=True).encode()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
