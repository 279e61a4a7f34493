"""Every figure can be named, found, and heard by a reader who does not see it."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from booktools.checks import _book
from booktools.checks._book import Finding, code_cells, relative

MIN_ALT = 40
FILE_NAME = re.compile(r"\.(png|svg|jpe?g|gif|webp)$", re.IGNORECASE)
MARKDOWN_IMAGE = re.compile(r"!\[([^\]]*)\]\([^)]+\)")


def check(root: Path) -> list[Finding]:
    findings: list[Finding] = []
    names: dict[str, list[Finding]] = defaultdict(list)  # name -> where, to find a second use
    folders = _book.chapters(root)
    for path in _book.pages(root):
        strict = path.parent in folders
        found = in_notebook(path, root) if path.suffix == ".ipynb" else []
        found += in_prose(path, root, strict)
        for name, place, faults in found:
            findings += [Finding(place.path, place.line, f"{place.message}: {f}") for f in faults]
            if name:
                names[name].append(place)
    for name, places in sorted(names.items()):
        if not name.startswith("fig-"):
            where = places[0]
            findings.append(Finding(where.path, where.line, f"name {name} must begin with fig-"))
        for again in places[1:]:
            findings.append(Finding(again.path, again.line, f"the name {name} is used twice"))
    for folder in folders:
        used = set(references(folder, root))
        for name, places in sorted(names.items()):
            place = places[0]
            if Path(place.path).parent.name == folder.name and name not in used:
                message = f"{name} is never referred to by {{numref}} in its chapter"
                findings.append(Finding(place.path, place.line, message))
    return findings


Figure = tuple[str | None, Finding, list[str]]  # name, place, what is wrong


def in_notebook(path: Path, root: Path) -> list[Figure]:
    found: list[Figure] = []
    if _book.is_assignment(path):
        return found
    for number, cell, _ in code_cells(_book.read_notebook(path)):
        images = sum(
            any(m in ("image/png", "image/svg+xml", "image/jpeg") for m in output.get("data", {}))
            for output in cell.get("outputs", [])
        )
        if not images:
            continue
        mystnb = cell["metadata"].get("mystnb", {})
        figure, alt = mystnb.get("figure", {}), mystnb.get("image", {}).get("alt", "")
        caption, name = figure.get("caption", ""), figure.get("name")
        faults = [] if caption.strip() else ["no mystnb.figure.caption"]
        faults += [] if name else ["no mystnb.figure.name"]
        faults += alt_faults(alt, caption)
        if images > 1:
            faults.append(f"{images} images share one caption and name: one figure a cell")
        found.append((name, Finding(relative(path, root), None, f"code cell {number}"), faults))
    return found


def in_prose(path: Path, root: Path, strict: bool) -> list[Figure]:
    found: list[Figure] = []
    for text in _book.prose(path, root):
        for item in _book.directives(text.text, "figure|image"):
            place = text.at(item.offset, f"{{{item.name}}} {item.argument}")
            caption, name = item.body, item.options.get("name")
            faults = alt_faults(item.options.get("alt", ""), caption)
            if strict:
                faults += [] if name else ["no :name:"]
                if item.name == "image":
                    faults.append("an {image} has no caption: use {figure}")
                elif not caption:
                    faults.append("no caption")
            found.append((name, place, faults))
        for match in MARKDOWN_IMAGE.finditer(_book.without_code(text.text)):
            faults = alt_faults(match.group(1), "")
            if strict:
                faults.append("has neither caption nor name: use {figure}")
            found.append((None, text.at(match.start(), "image"), faults))
    return found


def alt_faults(alt: str, caption: str) -> list[str]:
    alt = " ".join(alt.split())
    if not alt:
        return ["no alt text"]
    if FILE_NAME.search(alt):
        return [f"the alt text is a file name: {alt}"]
    if len(alt) < MIN_ALT:
        return [f"the alt text says too little ({len(alt)} characters, at least {MIN_ALT})"]
    if alt.casefold() == " ".join(caption.split()).casefold():
        return ["the alt text repeats the caption: say what the figure shows"]
    return []


def references(folder: Path, root: Path) -> list[str]:
    """Names in the {numref} roles of a chapter's pages and labs."""
    found = []
    for path in [*sorted(folder.glob("*.md")), *sorted(folder.glob("*.ipynb"))]:
        for text in _book.prose(path, root):
            for _, content in _book.roles(text.text, "numref"):
                found.append(re.sub(r".*<(.+)>$", r"\1", content.strip(), flags=re.DOTALL))
    return found
