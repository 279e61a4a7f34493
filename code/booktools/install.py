"""The `.venv` of the book: made once, brought up to date when a requirements file changes.

Standard library only: this runs before anything is installed. Three levels: "book" has what the
website needs, "all" adds what readers run and what the tests need. "tensorflow" has a folder of its
own, `.venv-tensorflow`, which holds TensorFlow alone and finds everything else in `.venv`: one lab
needs it, and it must not weigh on the others.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

LEVELS = {
    "book": "requirements-book.txt",
    "all": "requirements-test.txt",
    "tensorflow": "requirements-tensorflow.txt",
}
TENSORFLOW_ONLY = ("requirements-tensorflow.txt", "constraints-tensorflow.txt")
OLDEST = (3, 11)


class InstallError(RuntimeError):
    """Python is too old, or pip failed; the message says what to do."""


def folder_of(root: Path, level: str) -> Path:
    """The virtual environment in which a level is installed."""
    return root / (".venv-tensorflow" if level == "tensorflow" else ".venv")


def python_of(root: Path, level: str = "all") -> Path:
    """The Python of a level's environment."""
    return folder_of(root, level) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def ensure(root: Path, level: str) -> Path:
    """Install what `level` needs, unless that is done, and return the Python that has it.

    Once installed, nothing here touches the network. Raises InstallError.
    """
    if sys.version_info < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise InstallError(f"the book needs Python {wanted} or later, this is {sys.version[:6]}")
    below = [ensure(root, "all")] if level == "tensorflow" else []
    python = python_of(root, level)
    if not python.exists():
        print(f"Creating {python.parents[1].name}", flush=True)
        venv.create(python.parents[1], with_pip=True)
        _add_folders(python, root / "code", *map(_packages, below))
    if any(_stamp(root, done).is_file() for done in LEVELS if _covers(done, level)):
        return python
    print(f"Installing {LEVELS[level]} into {python.parents[1].name}", flush=True)
    files = ["-r", LEVELS[level], "-c", "constraints.txt"]
    if level == "tensorflow":
        files += ["-c", "constraints-tensorflow.txt"]
    quiet = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_PROGRESS_BAR": "off"}
    pip = [str(python), "-m", "pip", "install", "--quiet", "--quiet", *files]
    if subprocess.run(pip, cwd=root, env=quiet, check=False).returncode:
        raise InstallError("pip could not install the requirements: its message stands above")
    for old in folder_of(root, level).glob("installed-*"):
        old.unlink()
    _stamp(root, level).touch()
    return python


def kernel_of(python: Path) -> Path:
    """A folder for JUPYTER_PATH in which the kernel of every lab is this Python."""
    share = python.parents[1] / "share" / "jupyter"
    folder = share / "kernels" / "python3"
    folder.mkdir(parents=True, exist_ok=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Python 3 and TensorFlow", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec), "utf-8")
    return share


def _covers(done: str, level: str) -> bool:
    return done == level or (done == "all" and level == "book")


def _stamp(root: Path, level: str) -> Path:
    """A file whose name changes with any file that decides what is installed.

    The files of TensorFlow decide nothing in `.venv`: a change there installs nothing anew.
    """
    names = [*sorted(p.name for p in root.glob("requirements*.txt")), "constraints.txt"]
    names = [name for name in names if name not in TENSORFLOW_ONLY]
    if level == "tensorflow":
        names += TENSORFLOW_ONLY
    text = b"".join((root / name).read_bytes() for name in [*names, "pyproject.toml"])
    return folder_of(root, level) / f"installed-{level}-{hashlib.sha256(text).hexdigest()[:16]}"


def _packages(python: Path) -> Path:
    """The folder into which the pip of this Python installs."""
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True)
    return Path(found.stdout.strip())


def _add_folders(python: Path, *folders: Path) -> None:
    """Let this Python import what lies in the folders, after its own packages."""
    lines = "".join(f"{folder}\n" for folder in folders)
    (_packages(python) / "llmbook-code.pth").write_text(lines, "utf-8")
