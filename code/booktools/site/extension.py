"""The Sphinx extension of the book: one module for each thing that Jupyter Book does not do."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sphinx.application import Sphinx

from booktools.site import assets, finish, labs, numbering, reference, repository, translation


def fingerprint(folder: Path) -> str:
    """A hash of the files of this package, whatever the machine or the time."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            total.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return total.hexdigest()


def setup(app: Sphinx) -> dict[str, object]:
    for module in (assets, finish, labs, numbering, reference, repository, translation):
        module.setup(app)
    # Sphinx looks for changes in pages and settings only. As a setting, a change of the look or
    # of an extension makes it build all pages anew.
    here = fingerprint(Path(__file__).resolve().parent)
    app.add_config_value("book_site_fingerprint", here, "env", types=(str,))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
