"""Every page opened in Chromium, over http and from disk: nothing is asked of another host, nothing
fails, nothing complains, every formula is typeset."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import unquote

from booktools.checks import _browser
from booktools.checks._book import Finding, Findings

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
            for name in names:
                context = chromium.new_context()  # nothing cached, or a request would not be seen
                try:
                    faults = visit(context.new_page(), base, name)
                finally:
                    context.close()
                findings += [Finding(name, None, f"{way}: {fault}") for fault in faults]
    each = (time.perf_counter() - start) / max(1, 2 * len(names))
    findings.note = f"{len(names)} pages over http and file, {each * 1000:.0f} ms each"
    return findings


def visit(page, base: str, name: str) -> list[str]:
    """Open one page and say what went wrong, each fault once."""
    faults: list[str] = []

    def asked(request) -> None:
        if not request.url.startswith((base, *INSIDE)):
            faults.append(f"asks another host: {request.url[:120]}")

    def failed(request) -> None:
        if request.url.startswith(base):
            faults.append(f"failed: {local(request.url)} ({request.failure})")

    def answered(response) -> None:
        if response.status >= 400 and response.url.startswith(base):
            faults.append(f"failed: {local(response.url)} ({response.status})")

    def local(url: str) -> str:
        return unquote(url.removeprefix(base))

    def said(message) -> None:
        if message.type == "error":
            faults.append(f"console: {message.text[:200]}")

    page.on("request", asked)
    page.on("requestfailed", failed)
    page.on("response", answered)
    page.on("console", said)
    page.on("pageerror", lambda error: faults.append(f"script error: {str(error)[:200]}"))
    _browser.open_page(page, base + name)
    page.wait_for_timeout(QUIET_MS)
    raw, errors = page.evaluate(MATH)
    if raw:
        faults.append(f"{raw} formulas are not typeset")
    faults += [f"formula error: {text}" for text in errors]
    return list(dict.fromkeys(faults))
