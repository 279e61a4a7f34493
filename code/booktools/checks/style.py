"""Words, spelling of terms, markup that the Chinese edition can follow, nothing of one machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from booktools.checks import _book
from booktools.checks._book import Finding, Prose

BANNED = re.compile(
    r"\b(obviously|trivially|powerful|cutting[- ]edge|revolutionary|game[- ]chang\w+"
    r"|delv(?:e|es|ing)|in this (?:section|chapter|lab),? (?:we|you) will|it is worth noting)\b",
    re.IGNORECASE)
TERMS = [
    (re.compile(r"\bself attention\b", re.IGNORECASE), "self-attention"),
    (re.compile(r"\bfine ?tun(?:e[sd]?|ing)\b", re.IGNORECASE), "fine-tuning, fine-tune"),
    (re.compile(r"\bpre[- ]train(?:s|ed|ing)?\b", re.IGNORECASE), "pretraining, pretrain"),
]
QUOTED = re.compile(r"(?<!\*)\*[^*\n]+\*(?!\*)|_[^_\n]+_|“[^”]+”|\"[^\"\n]+\"")
MARKUP = [
    (re.compile(r"\[\^[^\]\s]+\]"), "a footnote: they are lost in the Chinese edition"),
    (re.compile(r"^\s*[-*+] \[[ xX]\] ", re.MULTILINE), "a task list: lost in the Chinese edition"),
]
BARE_MATH = re.compile(r"\\begin\{(align|equation|gather|multline|eqnarray)\*?\}")
LABEL = re.compile(r"\$\$[ \t]*\(([\w:-]+)\)")
# In pieces, so that this file passes its own check.
MACHINE_PATH = re.compile(r"(?<![\w.:/~])/(?:home/\w+|root|tmp|work|Users/\w+)" + r"/")
REGISTRY_HOST = re.compile("|".join((
    r"\bpy" + r"pi\.(?:org|python\.org)", r"\bpython" + r"hosted\.org",
    r"\bnpm" + r"js\.(?:org|com)", r"\bregistry\.yarn" + r"pkg\.com",
    r"\b(?:conda|repo)\.ana" + r"conda\.(?:org|com)", r"\bcrates" + r"\.io",
    r"\bproxy\.go" + r"lang\.org", r"\bruby" + r"gems\.org",
)))
SKIPPED_FOLDERS = {"node_modules", "__pycache__", "_build"}
MAX_BYTES = 2_000_000  # text above it is data


def check(root: Path) -> list[Finding]:
    findings = []
    labels: dict[str, Finding] = {}
    wanted: list[tuple[str, Finding]] = []
    for page in _book.pages(root):
        for text in _book.prose(page, root):
            findings += words(text)
            findings += markup(text)
            math = _book.without_code(text.text)
            for match in LABEL.finditer(math):
                place = text.at(match.start(), f"the equation label {match.group(1)} stands twice")
                if match.group(1) in labels:
                    findings.append(place)
                labels[match.group(1)] = place
            for offset, name in _book.roles(text.text, "eq"):
                missing = text.at(offset, f"{{eq}}`{name}`: no $$ block has that label")
                wanted.append((name.strip(), missing))
    findings += [missing for name, missing in wanted if name not in labels]
    return findings + [f for path in files(root) for f in machine(path, root)]


def words(text: Prose) -> Iterator[Finding]:
    plain = _book.plain(text.text)
    for match in BANNED.finditer(plain):
        yield text.at(match.start(), f"'{match.group()}': say what it does instead")
    unquoted = QUOTED.sub(_book.blank, plain)  # titles of papers keep their spelling
    for pattern, right in TERMS:
        for match in pattern.finditer(unquoted):
            yield text.at(match.start(), f"'{match.group()}': this book writes {right}")


def markup(text: Prose) -> Iterator[Finding]:
    visible = _book.without_code(text.text)
    for pattern, why in MARKUP:
        for match in pattern.finditer(_book.without_math(visible)):
            yield text.at(match.start(), why)
    outside = _book.BLOCK_MATH.sub(_book.blank, visible)
    for match in BARE_MATH.finditer(outside):
        yield text.at(match.start(), f"bare {match.group()}: use $$ … $$ (label) with aligned")


def files(root: Path) -> Iterator[Path]:
    """Every text of the repository that a person wrote."""
    def walk(folder: Path) -> Iterator[Path]:
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                hidden = path.name.startswith(".") and path.name not in (".ci", ".github")
                made = path.name in SKIPPED_FOLDERS or path.name.endswith(".egg-info")
                if not hidden and not made and not path.is_symlink():
                    yield from walk(path)
            elif path.stat().st_size <= MAX_BYTES:
                yield path
    yield from walk(root)


def machine(path: Path, root: Path) -> Iterator[Finding]:
    """Paths of one machine (in chapters, code and tests) and hosts of registries (anywhere)."""
    try:
        text = path.read_text("utf8")
    except UnicodeDecodeError:
        return
    name = _book.relative(path, root)
    patterns = [(REGISTRY_HOST, "the host of a package registry")]
    if name.startswith(("chapters/", "code/", "tests/")):
        patterns.append((MACHINE_PATH, "a path of one machine"))
    for pattern, what in patterns:
        for match in pattern.finditer(text):
            yield Finding(name, text.count("\n", 0, match.start()) + 1, f"{what}: {match.group()}")
