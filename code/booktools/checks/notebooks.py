"""Labs are stored as they ran: in order, whole, clean; compared, unless the cell says why not."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

from booktools.checks import _book
from booktools.checks._book import Finding, code_cells, joined, output_texts, relative

MAX_LINES, MAX_COLUMNS, MAX_BYTES = 25, 79, 2**20
MAX_SECONDS, MAX_MIB, MAX_TOLERANCE = 180, 3 * 1024, 0.5
EXEMPT = "nbval-ignore-output"
REASON = re.compile(r"# not compared: \S.{9,}")
DEBRIS = re.compile(r"\r|\bit/s\b|\ds/it\b|\d%\|")
# Written in pieces, so that this file holds no such path itself.
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|tmp|work|Users|private)" + r"/|\b[A-Z]:\\")
ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")
MEASURED = ("wall_seconds", "cpu_seconds", "peak_memory_mib", "threads", "python", "versions",
            "executed")


def check(root: Path) -> list[Finding]:
    findings = []
    for path in _book.labs(root):
        name = relative(path, root)
        notebook = _book.read_notebook(path)
        messages = [*whole(path, notebook)]
        for number, cell, source in code_cells(notebook):
            faults = [*written(source), *compared(cell, source), *outputs(cell)]
            messages += [f"code cell {number}: {message}" for message in faults]
        findings += [Finding(name, None, message) for message in messages]
    return findings


def whole(path: Path, notebook: dict) -> Iterator[str]:
    """Faults of the notebook as a whole."""
    cells = code_cells(notebook)
    metadata = notebook["metadata"]
    if path.stat().st_size > MAX_BYTES:
        yield f"{path.stat().st_size / 2**20:.1f} MiB; at most 1 MiB"
    if not cells:
        yield "no code"
        return
    counts = [cell.get("execution_count") for _, cell, _ in cells]
    if counts != list(range(1, len(cells) + 1)):
        yield f"not executed in order from 1 to {len(cells)}: {counts}; `python -m booktools run`"
    if "environment.start(" not in cells[0][2]:
        yield "the first code cell does not call llmbook.environment.start()"
    if metadata.get("kernelspec") != _book.KERNELSPEC or (
            metadata.get("language_info") != _book.LANGUAGE_INFO):
        yield "kernelspec or language_info is not the book's; `python -m booktools run` sets both"
    cost = metadata.get("llmbook", {})
    missing = [key for key in MEASURED if key not in cost]
    if missing:
        yield f"metadata.llmbook lacks {', '.join(missing)}; `python -m booktools run` measures"
        return
    if cost["threads"] != 1:
        yield f"stored with {cost['threads']} threads; labs use 1"
    seconds = cost["cpu_seconds"] or cost["wall_seconds"]  # wall time also counts a busy machine
    if min(seconds, cost["wall_seconds"]) > MAX_SECONDS:
        yield f"took {seconds:.0f} s; at most {MAX_SECONDS} s"
    if (cost["peak_memory_mib"] or 0) > MAX_MIB:
        yield f"took {cost['peak_memory_mib']} MiB; at most {MAX_MIB} MiB"
    exempt = sum(EXEMPT in cell["metadata"].get("tags", []) for _, cell, _ in cells)
    if exempt * 3 > len(cells):
        yield f"{exempt} of {len(cells)} code cells are not compared; at most a third"


def written(source: str) -> Iterator[str]:
    """Faults of the code as it is printed on the page."""
    lines = source.rstrip().split("\n")
    if len(lines) > MAX_LINES:
        yield f"{len(lines)} lines; at most {MAX_LINES}: move the rest into llmbook"
    for i, line in enumerate(lines, 1):
        if len(line) > MAX_COLUMNS:
            yield f"line {i} has {len(line)} columns; at most {MAX_COLUMNS}"
    for module, name in imported(source):
        if not exists(module, name):
            yield f"imports {name} from {module}, which has no such name"


def imported(source: str) -> Iterator[tuple[str, str]]:
    """(module, name) of each import from the book's own library."""
    plain = re.sub(r"^(\s*)[%!].*", r"\1pass", source, flags=re.MULTILINE)   # not Python
    try:
        tree = ast.parse(plain)
    except SyntaxError:         # a cell that shows one
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("llmbook"):
            yield from ((node.module, alias.name) for alias in node.names)


def exists(module: str, name: str) -> bool:
    """Whether ``from module import name`` works."""
    try:
        if hasattr(importlib.import_module(module), name):
            return True
        importlib.import_module(f"{module}.{name}")
    except ModuleNotFoundError:
        return False
    return True


def compared(cell: dict, source: str) -> Iterator[str]:
    """Faults of what the cell says about its own comparison."""
    tags = cell["metadata"].get("tags", [])
    for tag in tags:
        if tag.startswith("nbval-") and tag != EXEMPT:
            yield f"tag {tag}: only {EXEMPT} is used here"
    if re.search(r"^\s*#\s*(NBVAL|PYTEST_VALIDATE)_", source, re.MULTILINE):
        yield f"an nbval comment: use the tag {EXEMPT}, which the page does not show"
    if EXEMPT in tags and not REASON.match(source):
        yield "not compared, and its first line is not '# not compared: why'"
    if "compare" not in cell["metadata"]:
        return
    compare = cell["metadata"]["compare"]
    if EXEMPT in tags:
        yield "has a tolerance and is not compared at all: choose one"
    if not isinstance(compare, dict) or not compare or not set(compare) <= {"rtol", "atol"}:
        yield f"compare must hold rtol, atol or both, not {compare!r}"
        return
    for key, value in compare.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not (
                0 <= value <= MAX_TOLERANCE):
            yield f"{key} must be a number from 0 to {MAX_TOLERANCE}, not {value!r}"


def outputs(cell: dict) -> Iterator[str]:
    """Faults of what the run left behind."""
    for output in cell.get("outputs", []):
        if output["output_type"] == "error":
            yield f"a stored error: {output.get('ename')}: {output.get('evalue')}"
        if output["output_type"] == "stream" and output["name"] == "stderr":
            first = (joined(output["text"]).strip().splitlines() or [""])[0]
            yield f"stored stderr: {first[:80]}"
    for kind, text in output_texts(cell):
        if kind == "stderr":
            continue
        for pattern, what in ((DEBRIS, "debris of a progress bar"),
                              (MACHINE_PATH, "a path of one machine"),
                              (ADDRESS, "an address in memory")):
            if match := pattern.search(text):
                yield f"{what} in the output: {text[match.start():match.start() + 40]!r}"
