"""The contract of a chapter: the sections a reader may rely on, in one order, and its labs."""

from __future__ import annotations

import re
from pathlib import Path

from booktools.checks import _book
from booktools.checks._book import Finding, relative

SECTIONS = ["Objectives", "Prerequisites", "Time and memory", "Labs", "Where this breaks",
            "Summary", "Exercises", "Sources"]
HEADING = re.compile(r"^## +(.+?)[ \t]*$", re.MULTILINE)


def check(root: Path) -> list[Finding]:
    findings: list[Finding] = []
    toc = _book.toc(root)
    for page in toc:
        if not any((root / f"{page}{suffix}").is_file() for suffix in (".md", ".ipynb")):
            findings.append(Finding("_toc.yml", None, f"{page} is listed and does not exist"))
    for page in sorted({p for p in toc if toc.count(p) > 1}):
        findings.append(Finding("_toc.yml", None, f"{page} is listed twice"))
    for path in _book.chapters(root):
        findings += labs_in_toc(path, root, toc)
        index = path / "index.md"
        if not index.is_file():
            findings.append(Finding(relative(path, root), None, "the chapter has no index.md"))
        else:
            findings += sections(index, root)
    return findings


def labs_in_toc(chapter: Path, root: Path, toc: list[str]) -> list[Finding]:
    findings = []
    for path in [chapter / "index.md", *sorted(chapter.glob("*.ipynb"))]:
        page = relative(path.with_suffix(""), root)
        if path.stem == "assignment_solution":
            if page in toc:
                findings.append(Finding("_toc.yml", None, f"{page} holds solutions: take it out"))
        elif page not in toc:
            findings.append(Finding(relative(path, root), None, "not in _toc.yml"))
    return findings


def sections(index: Path, root: Path) -> list[Finding]:
    name, text = relative(index, root), index.read_text("utf8")
    # Headings are looked for outside code; contents are read as they are written.
    found = list(HEADING.finditer(_book.without_code(text)))
    ends = [*(m.start() for m in found[1:]), len(text)]
    bodies: dict[str, tuple[int, str]] = {}
    for match, end in zip(found, ends, strict=True):
        bodies.setdefault(match.group(1).lower(), (match.start(), text[match.end():end].strip()))
    # One table may serve both, in either section.
    cost, table = (bodies.get(t, (None, ""))[1] for t in ("time and memory", "labs"))
    findings, positions = [], []
    for title in SECTIONS:
        offset, body = bodies.get(title.lower(), (None, ""))
        if offset is None:
            findings.append(Finding(name, None, f"no section '## {title}'"))
            continue
        line = text.count("\n", 0, offset) + 1
        if positions and offset < positions[-1][0]:
            findings.append(Finding(name, line, f"'{title}' stands before '{positions[-1][1]}'"))
        positions.append((offset, title))
        if title in ("Time and memory", "Labs"):
            body = f"{cost}\n{table}".strip()
        if reason := fault(title, body, index):
            findings.append(Finding(name, line, f"'{title}' {reason}"))
    return findings


def fault(title: str, body: str, index: Path) -> str | None:
    """What the text of a section lacks."""
    if not body:
        return "is empty"
    if title == "Labs" and not any(_book.directives(body, "labs")):
        if not re.search(r"^\s*\|.*\|", body, re.MULTILINE):
            return "has neither the {labs} directive nor a table"
        names = [p.name for p in sorted(index.parent.glob("*.ipynb")) if not _book.is_assignment(p)]
        missing = [n for n in names if not re.search(rf"\b{re.escape(n[:-6])}\b", body)]
        if missing:
            return f"does not name {', '.join(missing)}"
    if title == "Exercises" and not any(_book.directives(body, "exercise(-start)?")):
        return "has no {exercise}"
    if title == "Sources" and not any(_book.roles(body, r"cite(:\w+)?")):
        return "has no {cite}"
    return None
