"""The look of the site (static/, templates/) and MathJax, all served from the site itself."""

from __future__ import annotations

import shutil
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError

HERE = Path(__file__).resolve().parent
_MATHJAX = "sphinx-mathjax-offline"


def add_folders(app: Sphinx, config: Config) -> None:
    # Not in _config.yml: Jupyter Book puts every script and style sheet below a folder that is
    # listed there into every page.
    config.html_static_path.append(str(HERE / "static"))
    config.templates_path.append(str(HERE / "templates"))


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Copy the one script and the fonts that the pages need: 1.7 of the package's 15 MB."""
    if exception or app.builder.format != "html":
        return
    try:
        packaged = files(_MATHJAX) or []
    except PackageNotFoundError:
        packaged = []
    wanted = [
        file
        for file in packaged
        if file.name == "tex-chtml-full.js" or file.match("chtml/fonts/woff-v2/*.woff")
    ]
    if not wanted:
        raise ExtensionError(
            f"MathJax is missing: install {_MATHJAX}, which requirements-book.txt names."
        )
    for file in wanted:
        parts = file.parts[file.parts.index("mathjax") :]
        target = Path(app.outdir, "_static", *parts)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), target)


def setup(app: Sphinx) -> None:
    app.connect("config-inited", add_folders)
    app.connect("build-finished", copy_mathjax)
    app.add_css_file("book.css", priority=900)
    app.add_js_file("glossary.js", loading_method="defer")
    app.add_js_file("scroll-focus.js", loading_method="defer")
