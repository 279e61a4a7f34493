"""Every page opened in Chromium, over http and from disk: nothing is asked of another host, nothing
fails, nothing complains, every formula is typeset."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from booktools.checks import _browser
from booktools.checks._book import Finding, Findings

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page, Request, Response

INSIDE = ("data:", "blob:", "about:")
QUIET_MS = 300  # long enough for what a script asks for once the page has loaded
MATH = """() => [
  [...document.querySelectorAll('.math')].filter(e => !e.querySelector('mjx-container')).length,
  [...document.querySelectorAll('mjx-merror')].map(e => e.textContent.slice(0, 80)),
]"""


def check(root: Path, site: Path, browser: str) -> Findings:
    findings = Findings()
    names = _browser.pages(site)
    start = time.perf_counter()
    with _browser.launched(browser) as chromium, _browser.served(site) as http:
        for way, base in (("http", http), ("file", site.as_uri() + "/")):
            # One tab for all pages: a new one each time costs more than the page. What comes from
            # its cache is still seen as a request.
            context = chromium.new_context()
            page = context.new_page()
            faults = watched(page, base)
            for name in names:
                faults.clear()
                visit(page, base + name, faults)
                once = dict.fromkeys(faults)
                findings += [Finding(name, None, f"{way}: {fault}") for fault in once]
            context.close()
    each = (time.perf_counter() - start) / max(1, 2 * len(names))
    findings.note = f"{len(names)} pages over http and file, {each * 1000:.0f} ms each"
    return findings


def watched(page: Page, base: str) -> list[str]:
    """A list to which the page adds what goes wrong while it loads."""
    faults: list[str] = []

    def local(url: str) -> str:
        return unquote(url.removeprefix(base))

    def asked(request: Request) -> None:
        if not request.url.startswith((base, *INSIDE)):
            faults.append(f"asks another host: {request.url[:120]}")

    def failed(request: Request) -> None:
        if request.url.startswith(base):
            faults.append(f"failed: {local(request.url)} ({request.failure})")

    def answered(response: Response) -> None:
        if response.status >= 400 and response.url.startswith(base):
            faults.append(f"failed: {local(response.url)} ({response.status})")

    def said(message: ConsoleMessage) -> None:
        if message.type == "error":
            faults.append(f"console: {message.text[:200]}")

    page.on("request", asked)
    page.on("requestfailed", failed)
    page.on("response", answered)
    page.on("console", said)
    page.on("pageerror", lambda error: faults.append(f"script error: {str(error)[:200]}"))
    return faults


def visit(page: Page, address: str, faults: list[str]) -> None:
    """Open one page, let its scripts finish, look at its formulas."""
    _browser.open_page(page, address)
    page.wait_for_timeout(QUIET_MS)
    raw, errors = page.evaluate(MATH)
    if raw:
        faults.append(f"{raw} formulas are not typeset")
    faults += [f"formula error: {text}" for text in errors]
