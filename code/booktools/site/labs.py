"""Two tables made from what `python -m booktools run` noted in each lab.

`{labs}` in a chapter's index.md lists the labs of the chapter; its body may say, one line a lab,
what the reader does there (`word2vec: train a skip-gram on six words`). `{execution-status}` lists
every lab of the book with its time, memory, versions and date.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)
Cell = str | nodes.Node | Sequence[nodes.Node]

NOT_RUN = "not yet run"
UNKNOWN = "–"


def duration(seconds: float) -> str:
    """A time as a reader says it: `42 s`, `1 min 35 s`."""
    minutes, rest = divmod(max(round(seconds), 1), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def memory(mebibytes: float) -> str:
    """An amount of memory: `412 MiB`, `1.3 GiB`."""
    return f"{mebibytes / 1024:.1f} GiB" if mebibytes >= 1000 else f"{mebibytes:.0f} MiB"


def run_record(notebook: Path) -> dict[str, Any]:
    """What the last run noted in `notebook`; empty if it has not been run."""
    record = json.loads(notebook.read_text(encoding="utf-8"))["metadata"].get("llmbook")
    return record if isinstance(record, dict) else {}


def page_link(page: str, target: str, text: str = "") -> nodes.Node:
    """A link from `page` to `target`; without a text, of its own, in whatever language."""
    return addnodes.pending_xref(
        "",
        nodes.inline("", text or target, classes=["doc"]),
        refdomain="std",
        reftype="doc",
        reftarget=f"/{target}",
        refexplicit=bool(text),
        refdoc=page,
        refwarn=True,
    )


class LabTable(SphinxDirective):
    """Finds labs in the table of contents and lays out a table."""

    def labs(self, parent: str | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Docname and record of each lab, in the order of `_toc.yml`: all, or those of `parent`."""
        site_map = self.config.external_site_map
        for docname in site_map[parent].child_files() if parent else in_order(site_map):
            path = Path(self.env.doc2path(docname))
            if path.suffix != ".ipynb" or path.stem.startswith("assignment") or not path.is_file():
                continue
            self.env.note_dependency(str(path))
            yield docname, run_record(path)

    def link(self, docname: str) -> nodes.Node:
        return page_link(self.env.docname, docname)

    def words(self, text: str) -> nodes.paragraph:
        """A paragraph that the message catalogues see."""
        children, _ = self.state.inline_text(text, self.lineno)
        paragraph = nodes.paragraph(text, "", *children)
        paragraph.source, paragraph.line = self.get_source_info()
        return paragraph

    def table(self, head: Sequence[str], rows: Sequence[Sequence[Cell]], name: str) -> nodes.table:
        group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in head), cols=len(head))
        group += nodes.thead("", self._row([self.words(title) for title in head]))
        group += nodes.tbody("", *(self._row(row) for row in rows))
        return nodes.table("", group, classes=["labs", name, "colwidths-auto"])

    def _row(self, cells: Sequence[Cell]) -> nodes.row:
        row = nodes.row()
        for cell in cells:
            if isinstance(cell, str):
                cell = nodes.paragraph("", cell)
            elif not isinstance(cell, nodes.paragraph):
                cell = nodes.paragraph("", "", cell)
            row += nodes.entry("", cell)
        return row


class Labs(LabTable):
    """The labs of the chapter whose index.md this stands in."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        says = self._descriptions()
        rows: list[list[Cell]] = []
        for docname, record in self.labs(self.env.docname):
            row: list[Cell] = [self.link(docname)]
            said = says.pop(PurePosixPath(docname).name, "")
            row.append(self.words(said) if said else "")
            if record:
                spent = record.get("cpu_seconds") or record["wall_seconds"]
                row += [duration(spent), memory(record["peak_memory_mib"])]
            else:
                row += [self.words(NOT_RUN), UNKNOWN]
            rows.append(row)
        for unknown in says:
            logger.warning(
                "{labs} describes %r, which is no lab of this chapter in _toc.yml",
                unknown,
                location=self.get_location(),
            )
        if not rows:
            logger.warning("{labs}: this chapter has no lab", location=self.get_location())
            return []
        note = self.words("Processor time and peak memory of one run with one thread.")
        note["classes"].append("labs-note")
        return [self.table(["Lab", "What you do", "Time", "Memory"], rows, "chapter-labs"), note]

    def _descriptions(self) -> dict[str, str]:
        """`name: text` lines; an indented line continues the one before."""
        says: dict[str, str] = {}
        name = ""
        for line in self.content:
            if line[:1].isspace() and name:
                says[name] += " " + line.strip()
            elif line.strip():
                name, _, text = (part.strip() for part in line.partition(":"))
                says[name] = text
        return says


class ExecutionStatus(LabTable):
    """Every lab of the book: what its last run took, and with which versions."""

    def run(self) -> list[nodes.Node]:
        rows: list[list[Cell]] = []
        for docname, record in self.labs():
            lab = self.link(docname)
            if not record:
                rows.append([lab, self.words(NOT_RUN), *[UNKNOWN] * 4])
                continue
            versions = {"Python": record.get("python", UNKNOWN), **record.get("versions", {})}
            rows.append(
                [
                    lab,
                    str(record.get("executed", UNKNOWN)),
                    duration(record["wall_seconds"]),
                    duration(record["cpu_seconds"]) if "cpu_seconds" in record else UNKNOWN,
                    memory(record["peak_memory_mib"]),
                    ", ".join(f"{package} {version}" for package, version in versions.items()),
                ]
            )
        if not rows:
            return [self.words("No lab is in the book yet.")]
        head = ["Lab", "Date", "Time", "Processor time", "Memory", "Versions"]
        return [self.table(head, rows, "execution-status")]


def in_order(site_map: Any) -> Iterator[str]:
    """All pages as a reader meets them."""

    def below(docname: str) -> Iterator[str]:
        yield docname
        if docname in site_map:
            for child in site_map[docname].child_files():
                yield from below(child)

    yield from below(site_map.root.docname)


def setup(app: Sphinx) -> None:
    app.add_directive("labs", Labs)
    app.add_directive("execution-status", ExecutionStatus)
