"""Questions whose answers stand in documentation, made by rule from its tables (chapter 8).

A table of parameters says of each its type, what it means, often its default. Each of these is a
question, and the answer is a span of the table's text. The text that a reader model gets has no
line breaks and no indentation: what the rule went by is gone. Two kinds have no answer: a parameter
that the page does not have, and the default of one for which none is stated.

Read are numpydoc's tables ("axis : int" at the left edge) and Google's ("    axis (int): ...").
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from llmbook.corpora import Docstring, sentences

KINDS = ("meaning", "type", "default")
# Of each kind, the wording of training and one that training never shows.
WORDINGS = {
    "meaning": ("What does the parameter {p} of {name} mean?", "Explain {p} in {name}."),
    "type": ("What is the type of {p} in {name}?", "What may I pass to {name} as {p}?"),
    "default": ("What is the default of {p} in {name}?",
                "Which value does {name} take if I leave out {p}?"),
}  # fmt: skip
NUMPYDOC = re.compile(r"^(\w+) ?: (\S.*)$")
GOOGLE = re.compile(r"^ {0,4}(\w+) \((.+?)\): ?(.*)$")
DEFAULT = re.compile(
    r"\b[Dd]efaults?(?: value)?(?: is| to|:|=| ?= )? ?(`{0,2}['\"]?[-\w.]+['\"]?`{0,2})"
)
_NO_VALUE = """
is to the a an value values of if it for and or this behavior will
"""
NO_VALUE = frozenset(_NO_VALUE.split())
LONGEST = 50  # words of a table


class Question(NamedTuple):
    """A question, the text that may answer it, and the answer: a span of that text, or ``""``."""

    question: str
    text: str
    answer: str
    start: int  # of the answer, in characters; 0 without one
    kind: str
    module: str
    reworded: str  # the same question in the wording that training never shows


class Entry(NamedTuple):
    """A row of a table of parameters; each field on one line."""

    parameter: str
    type: str
    meaning: str


def entries(parameters: str) -> list[Entry]:
    """The rows of a table of parameters, in its order; none if it is of another form."""
    found: list[list[str]] = []
    for line in parameters.split("\n"):
        head = NUMPYDOC.match(line)
        if head:
            found.append([head[1], head[2], ""])
        elif head := GOOGLE.match(line):
            found.append([head[1], head[2], head[3]])
        elif found and line.startswith("  "):
            found[-1][2] += " " + line.strip()
        elif line.strip():
            found.append(["", "", ""])  # what follows belongs to no row that we can read
    return [Entry(name, kind, " ".join(text.split())) for name, kind, text in found if name]


def ask(record: Docstring, rng: random.Random, other: str) -> list[Question]:
    """Questions about one page: of each kind one that has an answer, and one that has none.

    Args:
        other: a parameter that may be missing on this page; not used if it stands there
    """
    text = " ".join(record.parameters.split())
    rows = entries(record.parameters)
    name = record.name
    if not 12 <= len(text.split()) <= LONGEST or len(rows) < 2:
        return []
    found = []

    def add(kind: str, parameter: str, answer: str, start: int) -> None:
        usual, unusual = (w.format(p=parameter, name=name) for w in WORDINGS[kind])
        found.append(Question(usual, text, answer, start, kind, record.module, unusual))

    spans = [span for row in rows for span in _spans(row, text)]
    for kind in KINDS:
        if chosen := [span for span in spans if span[0] == kind]:
            add(*rng.choice(chosen))
    silent = [row for row in rows if "default" not in f"{row.type} {row.meaning}".lower()]
    if silent and rng.random() < 0.5:
        add("default", rng.choice(silent).parameter, "", 0)
    elif other not in re.findall(r"\w+", text):
        add(rng.choice(KINDS), other, "", 0)
    return found


def make_questions(records: Iterable[Docstring], seed: int = 0) -> list[Question]:
    """Questions about all pages that have a table; no text and question twice."""
    rng = random.Random(seed)
    kept = [record for record in records if "__" not in record.name]
    names = [row.parameter for record in kept for row in entries(record.parameters)]
    found = [q for record in kept for q in ask(record, rng, rng.choice(names))]
    return list({(q.question, q.text): q for q in found}.values())


def draw(records: Iterable[Docstring], number: int, seed: int = 0) -> list[Question]:
    """``number`` of the questions about these pages, in an order drawn by ``seed``; or all."""
    found = make_questions(records)
    random.Random(seed).shuffle(found)
    return found[:number]


def _spans(row: Entry, text: str) -> Sequence[tuple[str, str, str, int]]:
    """(kind, parameter, answer, start) of what one row can be asked."""
    place = re.search(rf"(?<!\w){row.parameter} ?[:(]", text)
    if place is None:
        return []
    found = []
    begin = place.start()
    kind = re.split(r",? \*?(?:optional|default)|, *default|=", row.type)[0].strip(" ,`")
    meaning = (sentences(row.meaning) or [""])[0]
    whole = text[begin : begin + len(row.parameter) + len(row.type) + len(row.meaning) + 5]
    value = DEFAULT.search(whole)
    answers = [("meaning", meaning if len(meaning.split()) > 2 else ""), ("type", kind)]
    for name, answer in answers:
        start = text.find(answer, begin + len(row.parameter)) if answer else -1
        if 0 <= start < begin + len(whole):
            found.append((name, row.parameter, answer, start))
    if value and (answer := value[1].strip(".`'\"")) and answer.lower() not in NO_VALUE:
        start = text.index(answer, begin + value.start(1))
        found.append(("default", row.parameter, answer, start))
    return found
