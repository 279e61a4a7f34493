"""Prose that cannot lie: a decimal in a chapter was printed by a run of that chapter, or is cited.

A decimal or a percentage passes when
- an output of a lab of the chapter prints it, or prints a longer number that rounds to it;
- it is a number in the code of a lab of the chapter (a parameter);
- its sentence carries a citation, whose source then answers for it;
- it is glued, inside code, or part of a formula (then it is not prose; a formula that is nothing
  but a number is prose).
A sign must be the same. "22.7 M" may stand for a printed 22713216, "44 %" for 44% or 0.44.
Whole numbers are not checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from pathlib import Path

from booktools.checks import _book
from booktools.checks._book import Finding, Prose, code_cells, output_texts

DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
EXPONENT = r"(?:[eE][-+−]?\d+)?"
# Not the tail of a word, a version or a longer number: "GPT-3.5", "v1.2", "1.2.3", "/4.0".
START = r"(?<![\w.,/])(?<![A-Za-z][-‐])"
PRINTED = re.compile(rf"(?<![\w.])([-−]?)((?:{DIGITS})(?:\.\d+)?|\.\d+)({EXPONENT})(\s?%)?")
IN_PROSE = re.compile(
    rf"{START}((?<![\w)\d])[-−])?(?:({DIGITS}\.\d+{EXPONENT})(?![\w.]*\.\d)(?!\d)\s?(%)?"
    rf"|({DIGITS})\s?(%))(?:\s?(k|K|M|G|B|T|thousand|million|billion|trillion)\b)?"
)
SCALES = {"k": 3, "K": 3, "thousand": 3, "M": 6, "million": 6, "G": 9, "B": 9, "billion": 9,
          "T": 12, "trillion": 12}
# A number after one of these names a place or a version, and measures nothing; before "interval"
# it names a level.
NAMED = re.compile(
    r"\b(sections?|chapters?|figures?|tables?|equations?|theorems?|appendix|exercises?|lab|part|page"
    r"|versions?|python|pytorch|torch|transformers|gensim|numpy|tensorflow|mathjax|CC[ -]BY(-SA)?)"
    r"[\s(]+(?:[\d.]+(?:,| and| to|[-–])\s*)?$", re.IGNORECASE)
LEVEL = re.compile(r"\s*(?:bootstrap\s+|confidence\s+)*(?:interval|confidence|quantile|percentile)")
SENTENCE_END = re.compile(
    r"(?<!al\.)(?<!e\.g\.)(?<!i\.e\.)(?<!vs\.)(?<!cf\.)(?<!Fig\.)(?<=[.!?])[\"')\]*]*\s+"
    r"|\n\s*\n|\n(?=\s*(?:[-*+]|\d+\.|\||#|:::|```)\s?)"
)


@dataclass(frozen=True)
class Number:
    """A number as it was written: 0.440 knows that it has three decimals."""

    value: Decimal
    decimals: int
    percent: bool = False

    @classmethod
    def read(cls, sign: str | None, digits: str, percent: bool) -> Number:
        value = Decimal(digits.replace(",", "").replace("−", "-"))
        decimals = max(0, -int(value.as_tuple().exponent))
        return cls(-value if sign else value, decimals, percent)

    def rounds_to(self, other: Number, shift: int = 0) -> bool:
        """Whether this times 10**shift, printed with the other's decimals, is the other."""
        if self.decimals - shift < other.decimals:
            return False  # the other would be more precise than what was printed
        step = Decimal(1).scaleb(-other.decimals)
        value = self.value.scaleb(shift)
        if abs(value) >= Decimal(10) ** 20:
            return False
        ways = (ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_HALF_DOWN)
        return any(value.quantize(step, way) == other.value for way in ways)


def check(root: Path) -> list[Finding]:
    findings = []
    for folder in _book.chapters(root):
        known = list(set(printed(folder)))
        for path in [*sorted(folder.glob("*.md")), *sorted(folder.glob("*.ipynb"))]:
            if _book.is_assignment(path):
                continue
            for text in _book.prose(path, root):
                for offset, shown, number, scale in in_prose(text):
                    if not any(supports(k, number, scale) for k in known):
                        message = (f"{shown} stands in no output of this chapter; print it, glue "
                                   "it, cite its source in the sentence, or take it out")
                        findings.append(text.at(offset, message))
    return findings


def printed(folder: Path) -> Iterator[Number]:
    """Every number in the outputs and in the code of a chapter's labs."""
    for path in sorted(folder.glob("*.ipynb")):
        if _book.is_assignment(path):
            continue
        for _, cell, source in code_cells(_book.read_notebook(path)):
            texts = [source]
            for kind, text in output_texts(cell):
                if kind == "text/html":
                    text = re.sub(r"<style.*?</style>|<[^>]+>", " ", text, flags=re.DOTALL)
                if kind != "stderr":
                    texts.append(text)
            for text in texts:
                text = re.sub(r"(?<=\d)_(?=\d)", "", text)  # 10_000
                for sign, digits, exponent, percent in PRINTED.findall(text):
                    yield Number.read(sign, digits + exponent, bool(percent))


def in_prose(text: Prose) -> Iterator[tuple[int, str, Number, int]]:
    """(offset, as written, number, power of ten) of each decimal or percentage to be supported."""
    words = _book.plain(text.text, keep_numbers=True)
    # Headings are titles; the rest of the line is blanked so that offsets stay true.
    words = re.sub(r"^#+ .*$", _book.blank, words, flags=re.MULTILINE)
    for match in IN_PROSE.finditer(words):
        sign, decimal, percent, whole, whole_percent, scale = match.groups()
        before = words[max(0, match.start() - 40):match.start()]
        if NAMED.search(before) or LEVEL.match(words, match.end()):
            continue
        if cited(text.text, match.start()):
            continue
        number = Number.read(sign, decimal or whole, bool(percent or whole_percent))
        yield match.start(), match.group().strip(), number, SCALES.get(scale or "", 0)


def cited(text: str, offset: int) -> bool:
    """Whether the sentence (or row of a table, or list item) around the offset carries {cite}."""
    ends = [m.end() for m in SENTENCE_END.finditer(text)]
    start = max((e for e in ends if e <= offset), default=0)
    end = min((e for e in ends if e > offset), default=len(text))
    return "{cite" in text[start:end]


def supports(known: Number, number: Number, scale: int) -> bool:
    """Whether a printed number answers for one in prose."""
    if scale and known.rounds_to(number, shift=-scale):
        return True
    if number.percent and not known.percent:
        # A share printed as 0.44, or a column of percentages without the sign, which must have
        # decimals: a whole number is too easily found by chance.
        return known.rounds_to(number, 2) or (known.decimals > 0 < number.decimals
                                              and known.rounds_to(number))
    if known.percent and not number.percent:
        return known.rounds_to(number, -2)
    return known.rounds_to(number)
