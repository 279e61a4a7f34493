"""A chapter's number is that of its folder; its labs count from 1, so the second is 3.2.

Sphinx counts the entries of a toctree, from 1 in each part, and puts the labs of a chapter behind
the sections of its index page. Here a chapter takes its folder's number, so that chapters may be
written in any order and a number, once printed, stays; the sections of an index page go without.
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
        start = _start(docname, env, chapter)
        for anchor, number in numbers.items():
            numbers[anchor] = start + number[len(start):] if _shown(docname, number) else None
        headings: list[nodes.Element] = [env.titles[docname]]
        headings += env.tocs[docname].findall(nodes.reference)
        for heading in headings:
            number = heading.get("secnumber")
            if _shown(docname, number):
                heading["secnumber"] = [*start, *number[len(start):]]
            elif number:
                del heading["secnumber"]
    return [page for page, numbers in env.toc_secnumbers.items() if numbers != before.get(page)]


def _start(docname: str, env: BuildEnvironment, chapter: int) -> tuple[int, ...]:
    """What every number of a page begins with: (3,) on the index of chapter 3, (3, 2) in lab 2."""
    siblings = env.toctree_includes.get(docname.rpartition("/")[0] + "/index", [])
    return (chapter, siblings.index(docname) + 1) if docname in siblings else (chapter,)


def _shown(docname: str, number: tuple[int, ...] | list[int] | None) -> bool:
    return bool(number) and (not docname.endswith("/index") or len(number) == 1)


def setup(app: Sphinx) -> None:
    # sphinx-external-toc counts once more on top of Sphinx, for Roman numbers and the like.
    TocTreeCollectorWithStyles.assign_section_numbers = assign_section_numbers
