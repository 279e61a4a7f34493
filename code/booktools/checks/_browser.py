"""Chromium for the checks that open pages, and a server on this machine for them to open."""

from __future__ import annotations

import functools
import http.server
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from booktools.checks import links

if TYPE_CHECKING:  # playwright comes with requirements-test.txt only
    from playwright.sync_api import Browser, Page

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Formulas are typeset after the page has loaded; two frames later the layout stands.
SETTLED = """async () => {
  if (window.MathJax && MathJax.startup && MathJax.startup.promise) await MathJax.startup.promise;
  if (document.fonts) await document.fonts.ready;
  await new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)));
}"""


def find() -> str | None:
    """Path of Chromium: $LLMBOOK_CHROMIUM, else Debian's, else one on the path."""
    named = os.environ.get("LLMBOOK_CHROMIUM")
    if named:
        return named if Path(named).is_file() else None
    debian = "/usr/bin/chromium"
    return debian if Path(debian).is_file() else next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def launched(executable: str) -> Iterator[Browser]:
    """A browser with a profile of its own, closed at the end."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}

    def log_message(self, *_: object) -> None:
        """A request is not news."""


@contextmanager
def served(site: Path) -> Iterator[str]:
    """The address under which the folder is served, on this machine alone."""
    handler = functools.partial(Quiet, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def pages(site: Path) -> list[str]:
    """Pages to open. One that only sends the reader on is left to the check of links."""
    refresh = re.compile(r"http-equiv=[\"']?refresh", re.IGNORECASE)
    return [p.relative_to(site).as_posix() for p in links.pages(site)
            if not refresh.search(p.read_text("utf8"))]


def open_page(page: Page, address: str) -> None:
    page.goto(address, wait_until="load", timeout=60_000)
    page.evaluate(SETTLED)
