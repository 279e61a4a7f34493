"""Pages to be searched: the documentation of functions, classes and methods (chapter 8).

A page is one documentation string under the name that a reader calls. Private names (``_helper``,
``__init__``) are no pages, because nobody asks for them; modules are none either.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from llmbook.corpora import Docstring, sentences
from llmbook.retrieval.words import name_words


class Page(NamedTuple):
    """A documentation string, to be found and read."""

    package: str  # as it is imported: "sklearn"
    name: str  # qualified inside its module: "Axes.hist"
    module: str
    summary: str
    body: str
    parameters: str

    @property
    def title(self) -> str:
        """What the page is called: ``"numpy: stack"``.

        The module is left out: many functions live in a private module and are imported from
        another place, which the text does not tell.
        """
        return f"{self.package}: {self.name}"

    @property
    def short(self) -> str:
        """What an embedding is made of: the words of the title, then the prose."""
        words = " ".join([self.package, *name_words(self.name)])
        return f"{words}. {self.summary} {self.body}".strip()

    @property
    def whole(self) -> str:
        """What keywords are searched in: title, module, prose and parameters."""
        return " ".join(
            [self.package, self.name, self.module, self.summary, self.body, self.parameters]
        )

    @property
    def passages(self) -> list[str]:
        """The sentences of the prose, then one passage for each entry of the parameters."""
        prose = [self.summary, *self.body.split("\n\n")]
        found = [sentence for part in prose for sentence in sentences(part)]
        return found + [" ".join(entry.split()) for entry in self.parameters.split("\n\n") if entry]


def to_pages(records: Iterable[Docstring]) -> list[Page]:
    """The pages of documentation strings, in their order."""
    found = []
    for record in records:
        if record.kind == "module" or any(part[:1] == "_" for part in record.name.split(".")):
            continue
        package = record.module.partition(".")[0]
        found.append(Page(package, record.name, record.module, record.summary, record.body,
                          record.parameters))  # fmt: skip
    return found
