"""A reader's text file: texts, with labels where the file has them (chapter 13).

Three forms, told apart by looking: a CSV file with a header that names ``text`` and perhaps
``label``; lines ``label<TAB>text``; anything else is plain text, whose texts are its paragraphs, or
its lines where it has fewer than twenty paragraphs.

Not here: PDF, HTML, Word. Save such a file as plain text, in UTF-8.
"""

from __future__ import annotations

import csv
import io
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FEWEST = 20  # texts; with fewer there is nothing to compare by
FEWEST_OF_A_LABEL = 5
HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
LETTER = re.compile(r"[^\W\d_]")


class FileError(ValueError):
    """A file that cannot be used; the message is one sentence that says why."""


@dataclass(frozen=True)
class TextFile:
    """N texts, their labels or None, and what was noticed while reading."""

    texts: tuple[str, ...]
    labels: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    def sample(self, limit: int, seed: int = 0) -> TextFile:
        """At most ``limit`` texts, drawn by lot, in the order of the file."""
        if len(self) <= limit:
            return self
        places = sorted(random.Random(seed).sample(range(len(self)), limit))
        labels = self.labels and tuple(self.labels[i] for i in places)
        note = f"{limit:,} of {len(self):,} texts were drawn by lot"
        found = TextFile(tuple(self.texts[i] for i in places), labels, (*self.notes, note))
        return found if labels is None else _without_rare_labels(found)


def read(path: str | Path, column: str = "text", label: str = "label") -> TextFile:
    """The texts of a file.

    Args:
        column, label: the names of the columns of a CSV file

    Raises:
        FileError: if the file is missing, empty, no UTF-8 text, or has too few texts or labels.
    """
    path = Path(path)
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileError(f"{path.name} is not UTF-8 text: save it as plain text in UTF-8") from None
    except OSError as error:
        raise FileError(f"{path.name} cannot be read: {error.strerror or error}") from None
    if "\0" in content:
        raise FileError(f"{path.name} holds zero bytes, so it is no text file")
    if not content.strip():
        raise FileError(f"{path.name} is empty")
    content = content.replace("\r\n", "\n").replace("\r", "\n")
    if path.suffix.lower() == ".csv":
        found = _table(content, path.name, column, label)
    else:
        found = _tabbed(content) or _plain(content)
    if len(found) < FEWEST:
        raise FileError(f"{path.name} has {len(found)} texts: at least {FEWEST} are needed")
    return found


def script(texts: Sequence[str]) -> str:
    """Which letters the texts are written in: "98 % Latin, 2 % Han letters"."""
    everything = "".join(texts)
    letters = len(LETTER.findall(everything))
    han, latin = len(HAN.findall(everything)), len(LATIN.findall(everything))
    shares = {"Latin": latin, "Han": han, "other": max(letters - han - latin, 0)}
    if not letters:
        return "no letters"
    named = [f"{round(100 * n / letters)} % {name}" for name, n in sorted(
        shares.items(), key=lambda item: -item[1]) if n / letters >= 0.005]  # fmt: skip
    return ", ".join(named) + " letters"


def _table(content: str, name: str, column: str, label: str) -> TextFile:
    csv.field_size_limit(2**30)
    rows = csv.DictReader(io.StringIO(content))
    header = [field or "" for field in rows.fieldnames or ()]
    if column not in header:
        raise FileError(f"{name} has no column {column!r}; its header names {', '.join(header)}")
    pairs = [((row[column] or "").strip(), (row.get(label) or "").strip()) for row in rows]
    pairs = [(text, its) for text, its in pairs if text]
    if label not in header:
        return TextFile(tuple(text for text, _ in pairs), None,
                        (f"no column {label!r}: read as texts without labels",))  # fmt: skip
    texts = [(text, its) for text, its in pairs if its]
    notes = () if len(texts) == len(pairs) else (
        f"{len(pairs) - len(texts)} rows without a label were left out",)  # fmt: skip
    return _labelled(texts, notes, name)


def _tabbed(content: str) -> TextFile | None:
    lines = [line for line in content.split("\n") if line.strip()]
    pairs = [tuple(map(str.strip, line.split("\t", 1))) for line in lines if "\t" in line]
    pairs = [pair for pair in pairs if all(pair)]
    if len(pairs) < max(0.9 * len(lines), 1):
        return None
    if not _are_labels([label for label, _ in pairs]):
        note = "the first column differs in most lines, so it was not taken for labels"
        return TextFile(tuple(" ".join(line.split()) for line in lines), None, (note,))
    notes = () if len(pairs) == len(lines) else (
        f"{len(lines) - len(pairs)} lines without a tab were left out",)  # fmt: skip
    return _labelled([(text, label) for label, text in pairs], notes, "the file")


def _plain(content: str) -> TextFile:
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", content) if part.strip()]
    if len(paragraphs) >= FEWEST:
        return TextFile(tuple(paragraphs), None, ("plain text, cut into paragraphs",))
    lines = [line.strip() for line in content.split("\n") if line.strip()]
    return TextFile(tuple(lines), None, ("plain text, cut into lines",))


def _are_labels(labels: Sequence[str]) -> bool:
    """A label stands at five texts at least, on average."""
    return len(set(labels)) * FEWEST_OF_A_LABEL <= len(labels)


def _labelled(pairs: list[tuple[str, str]], notes: tuple[str, ...], name: str) -> TextFile:
    if pairs and not _are_labels([label for _, label in pairs]):
        raise FileError(f"{name} has {len({its for _, its in pairs})} different labels for "
                        f"{len(pairs)} texts: that is hardly a label")  # fmt: skip
    file = TextFile(tuple(t for t, _ in pairs), tuple(label for _, label in pairs), notes)
    file = _without_rare_labels(file)
    if len(set(file.labels or ())) < 2:
        raise FileError(f"{name} has fewer than two labels with {FEWEST_OF_A_LABEL} texts each")
    return file


def _without_rare_labels(file: TextFile) -> TextFile:
    counts = Counter(file.labels)
    rare = {label for label, n in counts.items() if n < FEWEST_OF_A_LABEL}
    if not rare:
        return file
    kept = [(t, y) for t, y in zip(file.texts, file.labels or (), strict=True) if y not in rare]
    note = (f"labels with fewer than {FEWEST_OF_A_LABEL} texts were left out: "
            f"{', '.join(sorted(rare)[:5])}")  # fmt: skip
    return TextFile(tuple(t for t, _ in kept), tuple(y for _, y in kept), (*file.notes, note))
