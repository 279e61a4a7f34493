"""Take a documentation string apart: summary, body, parameter tables, examples.

It reads the three ways in which such tables are written (numpydoc's underlined titles, Google's
"Args:", Sphinx's ":param x:"), doctests, code blocks, and the few marks of reStructuredText and
Markdown that stand inside sentences. It is no reStructuredText parser: paragraphs that do not read
as sentences (tables, formulas, menus of names) are left out rather than understood.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_PARAMETER_TITLES = """
parameters; parameter; other parameters; params; args; arguments; keyword args; keyword arguments;
keywords; optional arguments; required arguments; positional arguments; options; input; inputs;
output; outputs; returns; return; return value; yields; yield; receives; raises; raise; warns;
warnings; attributes; class attributes; methods; properties; shape
"""
PARAMETER_TITLES = frozenset(title.strip() for title in _PARAMETER_TITLES.split(";"))
EXAMPLE_TITLES = frozenset(
    {"example", "examples", "usage", "example usage", "usage example", "usage examples"}
)
LEFT_OUT_TITLES = frozenset(
    {"reference", "references", "see also", "seealso", "sources", "literature", "links"}
)
# Directives whose indented content is prose like the text around them.
PROSE_DIRECTIVES = frozenset(
    {"note", "warning", "tip", "important", "caution", "attention", "hint"}
)
CODE_DIRECTIVES = frozenset({"code", "code-block", "sourcecode", "testcode", "doctest"})

TITLE = re.compile(r"\s*(?:\*\*|#+\s*)?([A-Za-z][A-Za-z ]*?)\s*(?::?\*\*|::?)?\s*$")
UNDERLINE = re.compile(r"\s*([-=~^*\"])\1{2,}\s*$")
FIELD = re.compile(r"\s*(?::\w[^:`]*:(?:\s|$)|@(?:param|return|type|raise)\w*\b)")
DIRECTIVE = re.compile(r"\s*\.\.\s+([\w:-]+)::\s*(.*)$")
COMMENT = re.compile(r"\s*\.\.(?:\s|$)")
FENCE = re.compile(r"\s*(?:```|~~~)")
BULLET = re.compile(r"\s*(?:[-*+•]|\(?\d{1,2}[.)])\s+(?=\S)")
RULE = re.compile(r"\s*[-=~+|*_#][-=~+|\s*_#]*$")

ROLE = re.compile(r":[\w:+.-]+:`(?:[^`<]*?\s*<)?([^`<>]*)>?`")
NAMED_LINK = re.compile(r"`([^`<>]+?)\s*<[^`<>]*>`_{0,2}")
MARKDOWN_LINK = re.compile(r"!?\[([^\]\[]+)\]\((?:https?:|#|\.|/)[^()\s]*\)")
LITERAL = re.compile(r"``(.+?)``|`([^`]+)`_{0,2}")
STRONG = re.compile(r"(?<![\w*])(\*\*?)(?=\S)([^*\n]+?)(?<=\S)\1(?![\w*])")
FOOTNOTE = re.compile(r"\s?\[[\d#*]+\]_")
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w*\}|\{\{|\|\w+\||\\[a-zA-Z]{2,}|\$")
URL = re.compile(r"<?\bhttps?://\S+")
SENTENCE_END = re.compile(r"[.!?:][\"')\]]*$")


class Parts(NamedTuple):
    """The four parts of a documentation string; each may be empty."""

    summary: str
    body: str
    parameters: str
    examples: str


def take_apart(docstring: str) -> Parts:
    """The parts of a documentation string whose indentation was already removed.

    The summary is the first paragraph that reads as prose, the body those after it, each on one
    line, with an empty line between them.
    """
    sorter = _Sorter(docstring.expandtabs().split("\n"))
    sorter.sort()
    paragraphs = [paragraph for paragraph in _paragraphs(sorter.prose) if reads_as_prose(paragraph)]
    summary, *body = paragraphs or [""]
    return Parts(summary, "\n\n".join(body), _joined(sorter.parameters), _joined(sorter.examples))


def reads_as_prose(paragraph: str) -> bool:
    """Whether a paragraph consists of sentences: letters and spaces, ended by a full stop.

    A first line without its full stop ("Return the mean") is what many authors write, so a short
    paragraph that starts like a sentence passes as well.
    """
    if PLACEHOLDER.search(paragraph) or "\ufffd" in paragraph:
        return False
    plain = [word for word in paragraph.split() if word.strip("\"'(),.;:!?-").isalpha()]
    if len(plain) < 2 or len(plain) < 0.6 * len(paragraph.split()):
        return False
    if SENTENCE_END.search(paragraph):
        return len(plain) >= 3 or paragraph.endswith(".")
    return paragraph[0].isupper() and 3 <= len(plain) <= 20


def without_inline_markup(paragraph: str) -> str:
    """The words of a paragraph without roles, links, quotes of code and emphasis."""
    text = ROLE.sub(lambda match: _shown_name(match[1]), paragraph)
    text = NAMED_LINK.sub(r"\1", text)
    text = MARKDOWN_LINK.sub(r"\1", text)
    text = LITERAL.sub(lambda match: match[1] or _shown_name(match[2]), text)
    text = FOOTNOTE.sub("", STRONG.sub(r"\2", text))
    return re.sub(r"\s+", " ", text).strip()


def _shown_name(target: str) -> str:
    """What Sphinx shows of a cross-reference: with a "~", the last part alone."""
    return target.rpartition(".")[2] if target.startswith("~") else target.lstrip("!.")


class _Sorter:
    """Sends each line to prose, parameters or examples; what is none of them is dropped.

    Each method looks at one line, takes it if it is of its kind, and says whether it did; the
    first that takes a line decides.
    """

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.position = 0  # of the line after the one that is looked at
        self.prose: list[str] = []
        self.parameters: list[str] = []
        self.examples: list[str] = []
        self.dropped: list[str] = []
        self.section, self.section_indent = self.prose, -1  # -1: only another title ends it
        self.block: list[str] | None = None  # where the lines indented deeper go
        self.block_indent = 0
        self.fenced = False

    def sort(self) -> None:
        kinds = (self.fence, self.blank, self.indented, self.title, self.doctest)
        kinds += (self.in_section, self.field, self.directive, self.code_follows)
        while self.position < len(self.lines):
            line = self.lines[self.position]
            self.position += 1
            if not any(takes(line, _indent(line)) for takes in kinds):
                self.prose.append(line)

    def fence(self, line: str, indent: int) -> bool:
        if FENCE.match(line):
            self.fenced = not self.fenced
            self.prose.append("")
            return True
        if self.fenced:
            self.examples.append(line)
        return self.fenced

    def blank(self, line: str, indent: int) -> bool:
        if not line.strip():
            for part in (self.prose, self.parameters, self.examples):
                part.append("")
        return not line.strip()

    def indented(self, line: str, indent: int) -> bool:
        if self.block is not None and indent > self.block_indent:
            self.block.append(line)
            return True
        self.block = None
        if 0 <= indent <= self.section_indent:
            self.section, self.section_indent = self.prose, -1
        return False

    def title(self, line: str, indent: int) -> bool:
        title = TITLE.match(line)
        if title is None:
            return False
        part = self.part(title[1].strip().lower())
        following = self.lines[self.position] if self.position < len(self.lines) else ""
        if UNDERLINE.match(following):
            self.section, self.section_indent = self.prose if part is None else part, -1
            self.position += 1
        elif part is not None and line.rstrip().endswith((":", "**")):
            self.section, self.section_indent = part, indent
        else:
            return False
        self.prose.append("")
        return True

    def part(self, title: str) -> list[str] | None:
        """Where the lines below a title go; None if the title is no known one."""
        if title in PARAMETER_TITLES:
            return self.parameters
        if title in EXAMPLE_TITLES:
            return self.examples
        return self.dropped if title in LEFT_OUT_TITLES else None

    def doctest(self, line: str, indent: int) -> bool:
        if not line.lstrip().startswith((">>>", "In [")):
            return False
        self.prose.append("")
        self.examples.append(line)
        while self.position < len(self.lines) and self.lines[self.position].strip():
            self.examples.append(self.lines[self.position])
            self.position += 1
        return True

    def in_section(self, line: str, indent: int) -> bool:
        if self.section is not self.prose:
            self.section.append(line)
        return self.section is not self.prose

    def field(self, line: str, indent: int) -> bool:
        if not FIELD.match(line):
            return False
        self.parameters.append(line)
        self.block, self.block_indent = self.parameters, indent
        return True

    def directive(self, line: str, indent: int) -> bool:
        directive = DIRECTIVE.match(line)
        if directive and directive[1] in PROSE_DIRECTIVES:
            self.prose += ["", directive[2]]
            return True
        if directive:
            self.prose.append("")
            self.block = self.examples if directive[1] in CODE_DIRECTIVES else self.dropped
        elif COMMENT.match(line):
            self.block = self.dropped
        self.block_indent = indent
        return self.block is not None

    def code_follows(self, line: str, indent: int) -> bool:
        if not line.rstrip().endswith("::"):
            return False
        self.prose.append(line.rstrip()[:-1])
        self.block, self.block_indent = self.examples, indent
        return True


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _paragraphs(lines: list[str]) -> list[str]:
    """Paragraphs of prose, each on one line; a list entry is a paragraph of its own."""
    found: list[list[str]] = [[]]
    for line in lines:
        bullet = BULLET.match(line)
        if not line.strip() or bullet or RULE.match(line):
            found.append([])
        if line.strip() and not RULE.match(line):
            found[-1].append(line[bullet.end() :] if bullet else line)
    paragraphs = (URL.sub("", without_inline_markup(" ".join(part))) for part in found if part)
    return [paragraph for paragraph in paragraphs if paragraph]


def _joined(lines: list[str]) -> str:
    """Lines as they stand, without runs of empty ones."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
