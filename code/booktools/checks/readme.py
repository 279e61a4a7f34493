"""The table of labs in README.md tells what the labs really took."""

from __future__ import annotations

import re
from pathlib import Path

from booktools.checks import _book
from booktools.checks._book import Finding

BEGIN, END = "<!-- labs:begin -->", "<!-- labs:end -->"


def table(root: Path) -> str:
    """One row a lab: chapter, lab, time and memory of the run that is stored."""
    rows = ["| Chapter | Lab | Time | Memory |", "|---|---|---:|---:|"]
    previous = None
    for path in _book.labs(root):
        notebook = _book.read_notebook(path)
        texts = [_book.joined(c["source"]) for c in notebook["cells"]]
        chapter = ""
        if path.parent != previous:
            index = path.parent / "index.md"
            name = heading([index.read_text("utf8")] if index.is_file() else [], path.parent.name)
            number = path.parent.name.partition("_")[0].lstrip("0")
            chapter = f"[{number} {name}]({_book.relative(index, root)})"
            previous = path.parent
        cost = notebook["metadata"].get("llmbook", {})
        lab = f"[{heading(texts, path.stem)}]({_book.relative(path, root)})"
        rows.append(f"| {chapter} | {lab} | {seconds(cost)} | {memory(cost)} |")
    return "\n".join(rows)


def heading(texts: list[str], default: str) -> str:
    """The first level-one heading."""
    found = re.search(r"^# +(.+?)\s*$", "\n".join(texts), re.MULTILINE)
    return found.group(1) if found else default


def seconds(cost: dict) -> str:
    """Processor time: the clock also counts what else the machine did."""
    spent = cost.get("cpu_seconds") or cost.get("wall_seconds")
    return "not run" if spent is None else f"{max(1, round(spent))} s"


def memory(cost: dict) -> str:
    mib = cost.get("peak_memory_mib")
    return "-" if mib is None else f"{mib / 1024:.1f} GiB"


def rewrite(root: Path) -> None:
    """Put the table between the markers of README.md, if it has them."""
    path = root / "README.md"
    if not path.is_file():
        return
    old = path.read_text("utf8")
    new = re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n{table(root)}\n{END}", old,
                 flags=re.DOTALL)
    if new != old:
        path.write_text(new, "utf8", newline="\n")


def check(root: Path) -> list[Finding]:
    path = root / "README.md"
    if not path.is_file():
        return [Finding("README.md", None, "README.md is missing")]
    text = path.read_text("utf8")
    match = re.search(f"{BEGIN}\n(.*?)\n?{END}", text, re.DOTALL)
    if not match:
        return [Finding("README.md", None, f"no table of labs between {BEGIN} and {END}")]
    if match.group(1).strip() != table(root):
        line = text.count("\n", 0, match.start()) + 1
        message = "the table of labs is not what the labs took; `python -m booktools run` writes it"
        return [Finding("README.md", line, message)]
    return []
