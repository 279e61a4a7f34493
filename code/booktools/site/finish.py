"""What is done to the finished pages: repairs, definitions of terms, a first page, and a diet."""

from __future__ import annotations

import html
import posixpath
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from bs4 import BeautifulSoup
from sphinx.application import Sphinx

# Files of the theme that no page asks for (found by logging requests): 1.5 MB of icons as a script,
# which the pages do not load (templates/static/webpack-macros.html), and what served to build them.
_UNUSED = (
    "**/*.map",
    "**/*.ttf",
    "**/*.LICENSE.txt",
    "scripts/fontawesome.js",
    "locales",
    "__pycache__",
    "__init__.py",
    "webpack-macros.html",
    "sbt-webpack-macros.html",
)

_TERM_LINK = re.compile(
    r'<a class="reference internal"(?: data-definition="[^"]*")? href="([^"#]*)#(term-[^"]+)"'
)
_FORMULA = re.compile(r'class="(?:[^"]* )?(?:math|output_area)[ "]')
_DIAGRAM = re.compile(r'(<figure class="align-default"[^>]*>\s*)(<img [^>]*src="[^"]*\.svg"[^>]*>)')
_CHINESE_TERM = re.compile(r'<dt id="([^"]*)">(?=[\u3400-\u9fff])')

_REDIRECT = """<!DOCTYPE html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="0; url={page}">
<link rel="canonical" href="{page}">
<title>{title}</title>
</head>
<body><main><h1>{title}</h1><p><a href="{page}">{page}</a></p></main></body>
</html>
"""


def repair(page: str) -> str:
    """Mend what the theme and the extensions leave inaccessible. Doing it twice changes nothing."""
    for old, new in (
        (
            '<summary><span class="toctree-toggle" role="presentation">',
            '<summary aria-label="Sections of this chapter">'
            '<span class="toctree-toggle" aria-hidden="true">',
        ),
        (
            '<div id="pst-primary-sidebar" class=',
            '<div id="pst-primary-sidebar" role="complementary" aria-label="Book" class=',
        ),
        # A label must contain the words one sees, or speech control cannot name the thing.
        ('<summary aria-label="Toggle hidden content">', "<summary>"),
        ('role="doc-biblioentry"', 'role="listitem"'),
        # The corner of a data frame heads nothing.
        ("<th></th>", "<td></td>"),
    ):
        page = page.replace(old, new)
    page = re.sub(
        r'(<button[^>]*class="[^"]*search-button-field[^"]*"[^>]*?)\s+aria-label="[^"]*"',
        r"\1",
        page,
    )
    if not _FORMULA.search(page):
        # Sphinx gives MathJax (1.3 MB) also to pages whose sub-pages have formulas.
        page = re.sub(r"\s*<script[^>]*>window\.MathJax = .*?</script>", "", page)
        page = re.sub(r'\s*<script[^>]* src="[^"]*/mathjax/[^"]*"></script>', "", page)
    # The same id in every exercise, solution and proof of a page.
    page = re.sub(r' id="(?:exercise|solution|proof)-content"', "", page)
    # On a small screen a hand-made diagram keeps its size and scrolls in its box.
    page = _DIAGRAM.sub(r'\1<div class="diagram">\2</div>', page)
    return _CHINESE_TERM.sub(r'<dt id="\1" lang="zh-Hans">', page)


def definitions(app: Sphinx) -> dict[tuple[str, str], str]:
    """The text of each glossary entry, by page and anchor, read from the page as built.

    So it is in the language of the edition without more ado.
    """
    found: dict[tuple[str, str], str] = {}
    terms = [
        (docname, anchor)
        for (kind, _), (docname, anchor) in app.env.get_domain("std").objects.items()  # type: ignore[attr-defined]
        if kind == "term"
    ]
    for docname in {docname for docname, _ in terms}:
        page = app.builder.get_target_uri(docname)
        soup = BeautifulSoup(Path(app.outdir, page).read_text("utf-8"), "html.parser")
        for anchor in [anchor for where, anchor in terms if where == docname]:
            entry = soup.find(id=anchor)
            meaning = entry.find_next_sibling("dd") if entry else None
            if meaning:
                found[page, anchor] = " ".join(meaning.get_text().split())
    return found


def define_terms(page: str, name: str, known: dict[tuple[str, str], str]) -> str:
    """Write the definition into each link to a term, where glossary.js finds it."""

    def with_definition(link: re.Match[str]) -> str:
        path, anchor = link.groups()
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
        text = known.get((target, anchor)) if path else None
        data = f' data-definition="{html.escape(text)}"' if text else ""
        return f'<a class="reference internal"{data} href="{path}#{anchor}"'

    return _TERM_LINK.sub(with_definition, page)


def _pages(folder: Path) -> Iterator[Path]:
    return (page for page in folder.rglob("*.html") if "_static" not in page.parts)


def _remove_stale(app: Sphinx, folder: Path) -> None:
    """Pages that left the table of contents stay in the output of an earlier build."""
    keep = {*app.env.found_docs, "search"}
    sources = folder / "_sources"
    stale = [page for page in _pages(folder) if _name(page, folder) not in keep]
    stale += [file for file in sources.rglob("*") if _name(file, sources) not in keep]
    for file in stale:
        if file.is_file():
            file.unlink()


def _name(file: Path, folder: Path) -> str:
    return file.relative_to(folder).with_suffix("").as_posix()


def _remove_unused(static: Path) -> None:
    for pattern in _UNUSED:
        for path in list(static.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def finish(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.name != "html":
        return
    folder = Path(app.outdir)
    _remove_stale(app, folder)
    _remove_unused(folder / "_static")
    known = definitions(app)
    for path in _pages(folder):
        page = path.read_text("utf-8")
        better = define_terms(repair(page), path.relative_to(folder).as_posix(), known)
        if better != page:
            path.write_text(better, "utf-8")
    if app.config.root_doc != "index":
        first = _REDIRECT.format(
            lang=(app.config.language or "en").replace("_", "-"),
            page=app.builder.get_target_uri(app.config.root_doc),
            title=html.escape(app.config.html_title),
        )
        (folder / "index.html").write_text(first, "utf-8")


def setup(app: Sphinx) -> None:
    # After every other extension has written its files.
    app.connect("build-finished", finish, priority=900)
