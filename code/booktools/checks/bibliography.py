"""Every source is used, every citation has a source, every source says who, what, when, where."""

from __future__ import annotations

import re
from pathlib import Path

import pybtex.errors
from pybtex.database import parse_string

from booktools.checks import _book
from booktools.checks._book import Finding

FILE = "chapters/references.bib"
ENTRY = re.compile(r"^\s*@(\w+)\s*\{\s*([^,\s]+)\s*,", re.MULTILINE)
VENUES = ("journal", "booktitle", "publisher", "howpublished", "eprint", "school", "institution")


def check(root: Path) -> list[Finding]:
    path = root / FILE
    text = path.read_text("utf8") if path.is_file() else ""
    lines: dict[str, int] = {}
    findings = []
    for match in ENTRY.finditer(text):
        key, line = match.group(2), text.count("\n", 0, match.start(2)) + 1
        if key in lines:
            findings.append(Finding(FILE, line, f"{key} stands twice"))
        lines.setdefault(key, line)
    for before, after in zip(lines, list(lines)[1:], strict=False):
        if after.casefold() < before.casefold():
            findings.append(Finding(FILE, lines[after], f"{after} must stand before {before}"))
    findings += fields(text, lines)
    cited = set()
    for page in _book.pages(root):
        for prose in _book.prose(page, root):
            for offset, content in _book.roles(prose.text, r"cite(:\w+)?"):
                keys = {key.strip() for key in content.split(",")}
                cited |= keys
                for key in sorted(keys - set(lines)):
                    findings.append(prose.at(offset, f"{key} is not in {FILE}"))
    for key in sorted(set(lines) - cited):
        findings.append(Finding(FILE, lines[key], f"{key} is cited nowhere"))
    return findings


def fields(text: str, lines: dict[str, int]) -> list[Finding]:
    """What each entry lacks."""
    with pybtex.errors.capture() as errors:
        entries = parse_string(text, "bibtex").entries
    findings = [Finding(FILE, None, str(e)) for e in errors if "repeated" not in str(e)]
    for key, entry in entries.items():
        missing = [f for f in ("title", "year") if not entry.fields.get(f, "").strip()]
        missing += [] if entry.persons.get("author") else ["author"]
        if not any(entry.fields.get(f, "").strip() for f in VENUES):
            missing.append("venue (journal, booktitle, publisher, howpublished or eprint)")
        if missing:
            findings.append(Finding(FILE, lines.get(key), f"{key} lacks {', '.join(missing)}"))
    return findings
