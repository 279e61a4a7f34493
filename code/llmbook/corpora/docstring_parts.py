"""Take a documentation string apart: summary, body, parameter tables, examples.

It reads the three ways in which such tables are written (numpydoc's underlined titles, Google's
"Args:", Sphinx's ":param x:"), doctests, code blocks, and the few marks of reStructuredText and
Markdown that stand inside sentences. It is no reStructuredText parser: paragraphs that do not read
as sentences (tables, formulas, menus of names) are left out rather than understood.
"""

from __future__ import annotations

import re
from typing import NamedTuple

PARAMETER_TITLES = frozenset(
    """parameters|other parameters|args|arguments|keyword args|keyword arguments|keywords|params|
    returns|return|return value|yields|yield|receives|raises|raise|warns|warnings|attributes|
    class attributes|methods|inputs|input|outputs|output|shape|properties|options|
    optional arguments|required arguments|positional arguments|params|parameter""".replace(
        "\n    ", ""
    ).split("|")
)
EXAMPLE_TITLES = frozenset(
    "examples|example|usage|example usage|usage example|usage examples|sample usage".split("|")
)
LEFT_OUT_TITLES = frozenset(
    "references|reference|see also|sources|literature|links|seealso".split("|")
)
# Directives whose indented content is prose like the text around them.
PROSE_DIRECTIVES = frozenset("note warning tip important caution attention hint".split())

TITLE = re.compile(r"\s*(?:\*\*|#+\s*)?([A-Za-z][A-Za-z ]*?)\s*(?::?\*\*|::?)?\s*$")
UNDERLINE = re.compile(r"\s*([-=~^*\"])\1{2,}\s*$")
FIELD = re.compile(r"\s*(?::\w[^:`]*:(?:\s|$)|@(?:param|return|type|raise)\w*\b)")
DIRECTIVE = re.compile(r"\s*\.\.\s+([\w:-]+)::\s*(.*)$")
COMMENT = re.compile(r"\s*\.\.(?:\s|$)")
FENCE = re.compile(r"\s*(?:```|~~~)")
BULLET = re.compile(r"\s*(?:[-*+•]|\(?\d{1,2}[.)])\s+(?=\S)")
RULE = re.compile(r"\s*[-=~+|*_#][-=~+|\s*_#]*$")

ROLE = re.compile(r":[\w:+.-]+:`(?:[^`<]*?\s*<)?[~!.]*([^`<>]*)>?`")
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

    The summary is the first paragraph that reads as prose, if nothing but signatures and
    titles stand before it; the body the prose after it, one paragraph a line block.
    """
    prose, parameters, examples = _sort_lines(docstring.expandtabs().split("\n"))
    paragraphs = [paragraph for paragraph in _paragraphs(prose) if reads_as_prose(paragraph)]
    summary, *body = paragraphs or [""]
    return Parts(summary, "\n\n".join(body), _joined(parameters), _joined(examples))


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
    text = ROLE.sub(r"\1", paragraph)
    text = NAMED_LINK.sub(r"\1", text)
    text = MARKDOWN_LINK.sub(r"\1", text)
    text = LITERAL.sub(lambda match: match[1] or match[2], text)
    text = FOOTNOTE.sub("", STRONG.sub(r"\2", text))
    return re.sub(r"\s+", " ", text).strip()


def _sort_lines(lines: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Each line to prose, parameters or examples; lines that are none of them are dropped."""
    prose: list[str] = []
    parameters: list[str] = []
    examples: list[str] = []
    dropped: list[str] = []
    section, section_indent = prose, -1  # -1: an underlined title, whose section has no indent
    block: list[str] | None = None  # where an indented block goes
    block_indent = 0
    fenced = False
    position = 0
    while position < len(lines):
        line = lines[position]
        following = lines[position + 1] if position + 1 < len(lines) else ""
        position += 1
        indent = len(line) - len(line.lstrip())
        if FENCE.match(line):
            fenced = not fenced
            prose.append("")
            continue
        if fenced:
            examples.append(line)
            continue
        if not line.strip():
            for part in (prose, parameters, examples):
                part.append("")
            continue
        if block is not None:
            if indent > block_indent:
                block.append(line)
                continue
            block = None
        if section_indent >= 0 and indent <= section_indent:
            section, section_indent = prose, -1
        title = TITLE.match(line)
        if title and UNDERLINE.match(following):
            section, section_indent = _part(title[1], prose, parameters, examples, dropped), -1
            prose.append("")
            position += 1
            continue
        if title and line.rstrip().endswith((":", "**")):
            part = _part(title[1], None, parameters, examples, dropped)
            if part is not None:
                section, section_indent = part, indent
                prose.append("")
                continue
        if line.lstrip().startswith((">>>", "In [")):
            prose.append("")
            examples.append(line)
            while position < len(lines) and lines[position].strip():
                examples.append(lines[position])
                position += 1
            continue
        if section is not prose:
            section.append(line)
            continue
        if FIELD.match(line):
            parameters.append(line)
            block, block_indent = parameters, indent
            continue
        directive = DIRECTIVE.match(line)
        if directive:
            prose.append("")
            if directive[1] in PROSE_DIRECTIVES:
                if directive[2]:
                    prose.append(directive[2])
                continue
            is_code = directive[1] in ("code-block", "code", "sourcecode", "testcode", "doctest")
            block, block_indent = (examples if is_code else dropped), indent
            continue
        if COMMENT.match(line):
            block, block_indent = dropped, indent
            continue
        if line.rstrip().endswith("::"):
            prose.append(line.rstrip()[:-1])
            block, block_indent = examples, indent
            continue
        prose.append(line)
    return prose, parameters, examples


def _part(title: str, other, parameters, examples, dropped):
    """Where the lines below a title go; ``other`` if the title is no known one."""
    title = title.strip().lower()
    if title in PARAMETER_TITLES:
        return parameters
    if title in EXAMPLE_TITLES:
        return examples
    return dropped if title in LEFT_OUT_TITLES else other


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
