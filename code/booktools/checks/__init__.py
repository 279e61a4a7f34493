"""Checks that can fail: `python -m booktools check [NAME ...]`.

A check of the source is a function `(root) -> findings`; a check of the website is
`(root, site) -> findings`, and one that opens pages in a browser also takes the browser. Each
stands in a module of its name, and in tests/faults/ a planted fault proves that it can fail.
"""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass, field
from pathlib import Path

from booktools.checks import (
    _browser,
    axe,
    bibliography,
    contract,
    docstrings,
    figures,
    links,
    notebooks,
    numbers,
    readme,
    requests,
    spelling,
    style,
)
from booktools.checks._book import Finding

__all__ = ["CHECKS", "Finding", "Report", "run"]

SOURCE = (contract, notebooks, figures, numbers, bibliography, style, spelling, readme,
          docstrings)  # fmt: skip
SITE = (links,)
BROWSER = (requests, axe)
CHECKS = {m.__name__.rpartition(".")[2]: m for m in (*SOURCE, *SITE, *BROWSER)}


@dataclass
class Report:
    """Findings of each check that ran, and the reason of each that did not."""

    findings: dict[str, list[Finding]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing was found; a skipped check is said, and does not fail the run."""
        return not any(self.findings.values())

    def __str__(self) -> str:
        width = max(map(len, CHECKS)) + 2
        lines = []
        for name in CHECKS:
            if name in self.skipped:
                lines.append(f"{name:{width}}SKIPPED: {self.skipped[name]}")
            elif name in self.findings:
                found = self.findings[name]
                result = f"FAILED: {len(found)} found" if found else "ok"
                note = getattr(found, "note", "")
                about = ", ".join(filter(None, (note, f"{self.seconds[name]:.1f} s")))
                lines += [f"{name:{width}}{result} ({about})", *(f"  {f}" for f in found)]
        return "\n".join(lines)


def run(
    root: Path,
    names: list[str] | None = None,
    site: Path | None = None,
    browser: str | None = "auto",
) -> Report:
    """Run checks by name (default: all) and report.

    `site` is the built website (default `_build/html`); `browser` is the path of Chromium, "auto"
    to look for it, or None to skip the checks that need it.
    """
    root = root.resolve()
    site = (site or root / "_build" / "html").resolve()
    unknown = [name for name in names or [] if name not in CHECKS]
    if unknown:
        raise ValueError(f"no check {', '.join(unknown)}; there are {', '.join(CHECKS)}")
    if browser == "auto":
        browser = _browser.find()
    report = Report()
    for name, module in CHECKS.items():
        if names is not None and name not in names:
            continue
        if reason := missing(module, site, browser):
            report.skipped[name] = reason
            continue
        start = time.perf_counter()
        if module in BROWSER:
            report.findings[name] = module.check(root, site, browser)
        elif module in SITE:
            report.findings[name] = module.check(root, site)
        else:
            report.findings[name] = module.check(root)
        report.seconds[name] = time.perf_counter() - start
    return report


def missing(module: object, site: Path, browser: str | None) -> str | None:
    """Why a check cannot run here."""
    if module is spelling and not importlib.util.find_spec("codespell_lib"):
        return "codespell is not installed (requirements-test.txt)"
    if module in (*SITE, *BROWSER) and not (site / "index.html").is_file():
        return "the website is not built (python -m booktools book)"
    if module in BROWSER and not browser:
        return "chromium is not installed (Debian: apt-get install chromium)"
    if module in BROWSER and not importlib.util.find_spec("axe_playwright_python"):
        return "playwright is not installed (requirements-test.txt)"
    return None
