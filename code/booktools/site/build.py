"""Build the website from the stored outputs of the notebooks: nothing is run or downloaded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

_JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"
_LAST_LINES = 40


class BuildError(RuntimeError):
    """The site could not be built, or not without a warning."""


def build(root: Path, *, strict: bool = True) -> Path:
    """Build `_build/html` below `root` and return the path of its `index.html`.

    With `strict`, a warning is an error. Pages that have not changed are not built again.
    Raises BuildError with the last lines that Jupyter Book wrote.
    """
    root = Path(root).resolve()
    for needed in ("_config.yml", "_toc.yml"):
        if not (root / needed).is_file():
            raise BuildError(f"{root} is not the folder of the book: it has no {needed}.")
    command = [sys.executable, "-c", _JUPYTER_BOOK, "build", str(root), "-n", "--keep-going"]
    if strict:
        command.append("-W")
    done = subprocess.run(
        command,
        cwd=root,
        env={**os.environ, "PYTHONUTF8": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    index = root / "_build" / "html" / "index.html"
    if done.returncode or not index.is_file():
        # Sphinx warns about a page only when it reads it: a second build on top of what this one
        # remembered would find nothing wrong and succeed.
        shutil.rmtree(root / "_build" / ".doctrees", ignore_errors=True)
        # When Sphinx stops before it has made this folder, the theme writes its logo to that name.
        static = index.with_name("_static")
        if static.is_file():
            static.unlink()
        raise BuildError(_explain(done.stdout))
    return index


def _explain(output: str) -> str:
    """The warnings and errors of a build, which may stand far from its end, then its end."""
    lines = [line for line in output.splitlines() if line.strip()]
    marked = [line for line in lines[:-_LAST_LINES] if "WARNING:" in line or "ERROR:" in line]
    return "\n".join([*marked[:_LAST_LINES], *lines[-_LAST_LINES:]])
