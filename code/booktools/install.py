"""The `.venv` of the book: made once, brought up to date when a requirements file changes.

Standard library only: this runs before anything is installed. Two levels: "book" has what the
website needs, "all" adds what readers run and what the tests need.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

LEVELS = {"book": "requirements-book.txt", "all": "requirements-test.txt"}
OLDEST = (3, 11)


class InstallError(RuntimeError):
    """Python is too old, or pip failed; the message says what to do."""


def python_of(root: Path) -> Path:
    return root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def ensure(root: Path, level: str) -> Path:
    """Install what `level` needs into `.venv`, unless that is done, and return its Python.

    Once installed, nothing here touches the network. Raises InstallError.
    """
    if sys.version_info < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise InstallError(f"the book needs Python {wanted} or later, this is {sys.version[:6]}")
    python = python_of(root)
    if not python.exists():
        print("Creating .venv", flush=True)
        venv.create(root / ".venv", with_pip=True)
        _add_code_folder(root, python)
    if any(_stamp(root, done).is_file() for done in LEVELS if _covers(done, level)):
        return python
    print(f"Installing {LEVELS[level]} into .venv", flush=True)
    files = ["-r", LEVELS[level], "-c", "constraints.txt"]
    quiet = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_PROGRESS_BAR": "off"}
    pip = [str(python), "-m", "pip", "install", "--quiet", "--quiet", *files]
    if subprocess.run(pip, cwd=root, env=quiet, check=False).returncode:
        raise InstallError("pip could not install the requirements: its message stands above")
    for old in (root / ".venv").glob("installed-*"):
        old.unlink()
    _stamp(root, level).touch()
    return python


def _covers(done: str, level: str) -> bool:
    return done == level or done == "all"


def _stamp(root: Path, level: str) -> Path:
    """A file whose name changes with any file that decides what is installed."""
    names = [*sorted(p.name for p in root.glob("requirements*.txt")), "constraints.txt"]
    text = b"".join((root / name).read_bytes() for name in [*names, "pyproject.toml"])
    return root / ".venv" / f"installed-{level}-{hashlib.sha256(text).hexdigest()[:16]}"


def _add_code_folder(root: Path, python: Path) -> None:
    """Let this Python import `llmbook` and `booktools` before anything is installed."""
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True)
    (Path(found.stdout.strip()) / "llmbook-code.pth").write_text(f"{root / 'code'}\n", "utf-8")
