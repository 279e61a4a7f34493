"""What every check reads: the contents page, chapters, labs, prose with its line numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Finding:
    """One fault, where it stands and what to do. `path` is relative to the root of the book."""

    path: str
    line: int | None
    message: str

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.message}"


class Findings(list[Finding]):
    """A list of findings with one line on what was looked at."""

    note = ""


# ------------------------------------------------------------------ files of the book
def toc(root: Path) -> list[str]:
    """Pages of `_toc.yml` in order, without suffix: `chapters/03_word_vectors/index`."""
    pages: list[str] = []

    def walk(node: object) -> None:
        if isinstance(node, dict):
            pages.extend(str(node[key]) for key in ("root", "file") if key in node)
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    path = root / "_toc.yml"
    walk(yaml.safe_load(path.read_text("utf8")) if path.is_file() else None)
    return [re.sub(r"\.(md|ipynb)$", "", page) for page in pages]


def chapters(root: Path) -> list[Path]:
    """The folders `chapters/NN_name`, in order."""
    return sorted(p for p in (root / "chapters").glob("[0-9][0-9]_*") if p.is_dir())


def is_assignment(path: Path) -> bool:
    """Assignments are made and checked by the classroom tools: they are not executed labs."""
    return path.stem in ("assignment", "assignment_solution")


def labs(root: Path) -> list[Path]:
    """The labs of the contents page, in its order."""
    found = [root / f"{page}.ipynb" for page in toc(root)]
    return [p for p in found if p.is_file() and not is_assignment(p)]


def pages(root: Path) -> list[Path]:
    """Every markdown page and notebook under chapters/, except teachers' solutions."""
    found = sorted((root / "chapters").rglob("*.md")) + sorted((root / "chapters").rglob("*.ipynb"))
    return [
        p for p in found
        if p.stem != "assignment_solution"
        and not any(part.startswith((".", "_")) for part in p.relative_to(root).parts)
    ]


def relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


# ------------------------------------------------------------------ notebooks
# What every stored notebook says about its language, whoever ran it.
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE_INFO = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}


def joined(text: str | list[str] | None) -> str:
    """Text of a notebook field, which may be stored as a list of lines."""
    return "".join(text) if isinstance(text, list) else text or ""


def read_notebook(path: Path) -> dict:
    return json.loads(path.read_text("utf8"))


def code_cells(notebook: dict) -> list[tuple[int, dict, str]]:
    """(number, cell, source) of each code cell that is not empty; numbers as Jupyter counts."""
    cells = [(c, joined(c["source"])) for c in notebook["cells"] if c["cell_type"] == "code"]
    return [(i, *pair) for i, pair in enumerate((p for p in cells if p[1].strip()), 1)]


def output_texts(cell: dict) -> Iterator[tuple[str, str]]:
    """(kind, text) of each text that a code cell stored: stream name or mime type."""
    for output in cell.get("outputs", []):
        if output["output_type"] == "stream":
            yield output["name"], joined(output["text"])
        for mime, value in output.get("data", {}).items():
            if not mime.startswith("image/") and isinstance(value, str | list):
                yield mime, joined(value)


# ------------------------------------------------------------------ prose
@dataclass(frozen=True)
class Prose:
    """Markdown of a page or of one cell of a notebook."""

    path: str
    cell: int | None  # position among all cells of a notebook, from 1
    text: str

    def at(self, offset: int, message: str) -> Finding:
        """A finding at a character of the text."""
        line = self.text.count("\n", 0, offset) + 1
        if self.cell is None:
            return Finding(self.path, line, message)
        return Finding(self.path, None, f"cell {self.cell}, line {line}: {message}")


def prose(path: Path, root: Path) -> list[Prose]:
    """The markdown of a page: one text for a file; for a notebook one for each markdown cell and
    for the caption and alt text of each figure."""
    name = relative(path, root)
    if path.suffix == ".md":
        return [Prose(name, None, path.read_text("utf8"))]
    texts = []
    for i, cell in enumerate(read_notebook(path)["cells"], 1):
        mystnb = cell["metadata"].get("mystnb", {})
        captions = (mystnb.get("figure", {}).get("caption"), mystnb.get("image", {}).get("alt"))
        if cell["cell_type"] == "markdown":
            texts.append(Prose(name, i, joined(cell["source"])))
        elif any(captions):
            texts.append(Prose(name, i, "\n\n".join(filter(None, captions))))
    return texts


# Directives whose body is not prose.
LITERAL = {"code", "code-block", "code-cell", "sourcecode", "literalinclude", "math", "raw",
           "include", "eval-rst", "toctree", "bibliography", "labs"}
FENCE = re.compile(r"^\s*(`{3,}|~{3,}|:{3,})\s*(?:\{([\w:-]+)\})?(.*)$")
OPTION = re.compile(r"^\s*:[\w-]+:( .*)?$")
ROLE = re.compile(r"\{([\w:-]+)\}(`+)(.+?)(?<!`)\2(?!`)", re.DOTALL)
ROLE_OR_CODE = re.compile(
    ROLE.pattern + r"|(?<!`)(`+)(?!`)(?:[^\n]|\n(?!\s*\n))+?(?<!`)\4(?!`)", re.DOTALL)
BLOCK_MATH = re.compile(r"\$\$.+?\$\$(?:[ \t]*\([\w:-]+\))?", re.DOTALL)
INLINE_MATH = re.compile(r"(?<![\\$])\$(?![\s$])((?:\\.|[^$\\\n]|\n(?!\s*\n))+?)(?<!\s)\$(?!\d)")
ELSEWHERE = [  # comments, link targets, bare addresses, labels
    re.compile(r"<!--.*?-->", re.DOTALL),
    re.compile(r"^%.*$", re.MULTILINE),
    re.compile(r"(?<=\])\([^()\s]+(?:\s+\"[^\"]*\")?\)"),
    re.compile(r"https?://[^\s)>\]]+"),
    re.compile(r"^\([\w:-]+\)=\s*$", re.MULTILINE),
]


def blank(match: re.Match[str]) -> str:
    """Spaces of the same length, lines kept: offsets in what remains stay true."""
    return re.sub(r"[^\n]", " ", match.group())


def is_literal(marker: str, name: str | None) -> bool:
    """A fence without a directive is code, except a colon fence, which is a plain division."""
    return name in LITERAL or (name is None and marker[0] != ":")


def without_code(text: str) -> str:
    """The text with literal blocks and options of directives blanked; roles and math remain."""
    lines, fences = [], []  # fences: (marker, body is literal)
    options = False
    for line in text.split("\n"):
        match = FENCE.match(line)
        literal = bool(fences) and fences[-1][1]
        marker = match.group(1) if match else ""
        closes = (bool(match) and bool(fences) and marker[0] == fences[-1][0][0]
                  and len(marker) >= len(fences[-1][0])
                  and not match.group(2) and not match.group(3).strip())
        if closes:
            fences.pop()
            keep, options = False, False
        elif literal:
            keep = False
        elif match:
            name, argument = match.group(2), match.group(3)
            fences.append((marker, is_literal(marker, name)))
            options = True
            title = name is not None and name not in LITERAL | {"figure", "image"}
            start = len(line) - len(argument)
            lines.append(" " * start + (argument if title else " " * len(argument)))
            continue
        else:
            options = options and bool(OPTION.match(line))
            keep = not options
        lines.append(line if keep else " " * len(line))
    # One pass over both, or the closing mark of a role would open a piece of code.
    return ROLE_OR_CODE.sub(lambda m: m.group() if m.group(1) else blank(m), "\n".join(lines))


def without_math(text: str, keep_numbers: bool = False) -> str:
    """Formulas blanked; with `keep_numbers` a formula that is one number stays, unsigned `$`."""

    def inline(match: re.Match[str]) -> str:
        number = re.fullmatch(r"[-−+]?\d[\d,.]*(?:\\?%)?", match.group(1))
        if keep_numbers and number:
            return " " + match.group(1).replace("\\", " ") + " "
        return blank(match)

    return INLINE_MATH.sub(inline, BLOCK_MATH.sub(blank, text))


def plain(text: str, keep_numbers: bool = False) -> str:
    """Only what a reader reads as words: no code, roles, math, comments, addresses, labels."""
    text = without_math(ROLE.sub(blank, without_code(text)), keep_numbers)
    for pattern in ELSEWHERE:
        text = pattern.sub(blank, text)
    return text


def roles(text: str, name: str) -> Iterator[tuple[int, str]]:
    """(offset, content) of each role such as {cite:t}`key`; `name` is a regular expression."""
    for match in ROLE.finditer(without_code(text)):
        if re.fullmatch(name, match.group(1)):
            yield match.start(), match.group(3)


@dataclass(frozen=True)
class Directive:
    name: str
    argument: str
    options: dict[str, str]
    body: str
    offset: int


def directives(text: str, name: str) -> Iterator[Directive]:
    """Every directive of a name (regular expression), at any depth, none inside literal code."""
    open_fences: list[dict] = []
    offset = 0
    for line in text.split("\n"):
        match = FENCE.match(line)
        top = open_fences[-1] if open_fences else None
        marker = match.group(1) if match else ""
        if (match and top and marker[0] == top["marker"][0] and len(marker) >= len(top["marker"])
                and not match.group(2) and not match.group(3).strip()):
            open_fences.pop()
            for fence in open_fences:
                fence["lines"].append(line)
            if top["name"] and re.fullmatch(name, top["name"]):
                yield finished(top)
        elif match and not (top and top["literal"]):
            for fence in open_fences:
                fence["lines"].append(line)
            open_fences.append({
                "marker": marker, "name": match.group(2), "argument": match.group(3).strip(),
                "lines": [], "offset": offset,
                "literal": is_literal(marker, match.group(2)),
            })
        else:
            for fence in open_fences:
                fence["lines"].append(line)
        offset += len(line) + 1


def finished(fence: dict) -> Directive:
    options: dict[str, str] = {}
    lines = fence["lines"]
    while lines and (match := re.match(r"^\s*:([\w-]+):(.*)$", lines[0])):
        options[match.group(1)] = match.group(2).strip()
        lines = lines[1:]
    body = "\n".join(lines).strip()
    return Directive(fence["name"], fence["argument"], options, body, fence["offset"])
