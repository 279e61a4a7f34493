"""A chapter's number is the number of its folder: chapters/03_word_vectors is chapter 3.

Sphinx counts the entries of a toctree, from 1 in each part. Here the count is replaced by the
folder's number, so that chapters may be written in any order and a number, once printed, stays.
"""

from __future__ import annotations

import copy
import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors.toctree import TocTreeCollector
from sphinx_external_toc.collectors import TocTreeCollectorWithStyles

_CHAPTER = re.compile(r"(?:^|/)(\d\d)_[^/]*/")


def chapter_number(docname: str) -> int | None:
    """The number in the name of the chapter folder of `docname`, or None outside the chapters."""
    match = _CHAPTER.search(docname)
    return int(match[1]) if match else None


def assign_section_numbers(self: TocTreeCollector, env: BuildEnvironment) -> list[str]:
    """Give every heading its number and return the pages whose numbers have changed."""
    before = copy.deepcopy(env.toc_secnumbers)
    TocTreeCollector.assign_section_numbers(self, env)
    for docname, numbers in env.toc_secnumbers.items():
        chapter = chapter_number(docname)
        if chapter is None:
            continue
        for anchor, number in numbers.items():
            if number:
                numbers[anchor] = (chapter, *number[1:])
        headings: list[nodes.Element] = [env.titles[docname]]
        headings += env.tocs[docname].findall(nodes.reference)
        for heading in headings:
            if heading.get("secnumber"):
                heading["secnumber"] = [chapter, *heading["secnumber"][1:]]
    return [page for page, numbers in env.toc_secnumbers.items() if numbers != before.get(page)]


def setup(app: Sphinx) -> None:
    # sphinx-external-toc counts once more on top of Sphinx, for Roman numbers and the like.
    TocTreeCollectorWithStyles.assign_section_numbers = assign_section_numbers
