"""The reference of `llmbook`: its docstrings as pages, and links between them and the labs.

`{api} llmbook.attention` shows a package: its public names with their docstrings, and the labs
that import from it. `{api-index}` lists the pages. Each lab gets a line at its end with the
packages that it uses. The website is built without torch, so autodoc sees stand-ins for all
foreign libraries.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.ext.autodoc.mock import _MockObject
from sphinx.util.inspect import stringify_signature

from booktools.site.labs import LabTable, in_order, page_link

CODE = Path(__file__).resolve().parents[2]
PACKAGE = "llmbook"
FOLDER = "chapters/reference"
# `word      what it is`, a table in a docstring; reStructuredText would run its lines together.
_ROW = re.compile(r"^(\s*)(``[^`]+``|\w+(?:, \w+)*)\s{2,}(\S.*)$")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf8"))


def source(module: str) -> Path:
    """The file of a module or package: `llmbook.plots`, `llmbook.attention`."""
    path = CODE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def foreign_libraries(folder: Path = CODE / PACKAGE) -> list[str]:
    """The top-level names of everything that `llmbook` imports and Python does not bring."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return sorted(found - sys.stdlib_module_names - {PACKAGE})


def used_packages(notebook: Path) -> list[str]:
    """What a lab imports from: `llmbook.attention`, `llmbook.plots`."""
    cells = json.loads(notebook.read_text("utf8"))["cells"]
    found = set()
    for cell in cells:
        lines = "".join(cell["source"]) if cell["cell_type"] == "code" else ""
        for module, names in re.findall(r"^from (llmbook[\w.]*) import ([^(\n]+|\([^)]*\))", lines,
                                        re.MULTILINE):  # fmt: skip
            parts = module.split(".")
            if len(parts) > 1:
                found.add(".".join(parts[:2]))
            else:
                found |= {f"{PACKAGE}.{name}" for name in re.findall(r"\w+", names)}
    return sorted(found)


def rows_as_list(lines: list[str]) -> list[str]:
    """A docstring in which each row of a table of two columns has become an item of a list."""
    out: list[str] = []
    indent = None  # of the table that we are in
    for line in lines:
        row = _ROW.match(line)
        if row:
            if indent is None and out and out[-1].strip():
                out.append("")
            indent = row[1]
            out.append(f"{indent}- {row[2]}: {row[3]}")
        elif indent is not None and line.strip() and line.startswith(indent + "  "):
            out.append(f"{indent}  {line.strip()}")
        else:
            if indent is not None and line.strip():
                out.append("")
            indent = None
            out.append(line)
    return out


class Api(LabTable):
    """One module or package."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        module = self.arguments[0]
        self.env.note_dependency(str(source(module)))
        for path in source(module).parent.glob("*.py") if source(module).stem == "__init__" else ():
            self.env.note_dependency(str(path))
        text = ["```{eval-rst}", f".. automodule:: {module}", "   :members:", "```"]
        holder = nodes.container()
        self.state.nested_parse(StringList(text, self.env.docname), self.content_offset, holder)
        return [*holder.children, *self._labs(module)]

    def _labs(self, module: str) -> Iterator[nodes.Node]:
        found = [docname for docname, _ in self.labs()
                 if module in used_packages(Path(self.env.doc2path(docname)))]  # fmt: skip
        if found:
            yield nodes.rubric("", "Labs that use it")
            items = (nodes.list_item("", nodes.paragraph("", "", self.link(d))) for d in found)
            yield nodes.bullet_list("", *items, classes=["api-labs"])


class ApiIndex(LabTable):
    """All reference pages, each with the first line of its docstring."""

    def run(self) -> list[nodes.Node]:
        rows = []
        for docname in in_order(self.config.external_site_map):
            module = module_of(docname)
            if module:
                says = (ast.get_docstring(tree(source(module))) or "").partition("\n")[0]
                rows.append([self.link(docname), self.words(says)])
        return [self.table(["Package", "What it has"], rows, "api-index")]


def module_of(docname: str) -> str:
    """`llmbook.attention` of its reference page; empty for any other page."""
    folder, _, name = docname.rpartition("/")
    return f"{PACKAGE}.{name}" if folder == FOLDER and name not in PAGES_OF_TEXT else ""


PAGES_OF_TEXT = ("index", "troubleshooting")


def link_lab(app: Sphinx, doctree: nodes.document) -> None:
    """Name at the end of a lab the packages that it uses."""
    docname = app.env.docname
    path = Path(app.env.doc2path(docname))
    site_map = app.config.external_site_map
    if path.suffix != ".ipynb" or not doctree.children:
        return
    pages = {module_of(name): name for name in in_order(site_map) if module_of(name)}
    used = [module for module in used_packages(path) if module in pages]
    if not used:
        return
    paragraph = nodes.paragraph("", "The code of this lab, with its documentation: ",
                                classes=["lab-api"])  # fmt: skip
    for i, module in enumerate(used):
        if i:
            paragraph += nodes.Text(", ")
        paragraph += page_link(docname, pages[module], module)
    paragraph += nodes.Text(".")
    section = next(iter(doctree.findall(nodes.section)), doctree)
    section += paragraph


def skip(app: Sphinx, what: str, name: str, obj: Any, skipped: bool, options: Any) -> bool | None:
    """Leave out fields of named tuples, which repeat their name, and names of another package."""
    if str(getattr(obj, "__doc__", "")).startswith("Alias for field number"):
        return True
    home, page = getattr(obj, "__module__", None) or "", app.env.temp_data.get("autodoc:module", "")
    foreign = what == "module" and not f"{home}.".startswith(f"{page}.")
    return True if foreign and home.startswith(PACKAGE) else None


def own_signature(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, given: str, returns: str
) -> tuple[str, str] | None:
    """Of a class, the arguments of its own `__init__`; a stand-in above it would hide them."""
    if what != "class" or "__init__" not in vars(obj) or "args: Any" not in (given or ""):
        return None
    signature = inspect.signature(obj.__init__)
    kept = list(signature.parameters.values())[1:]
    shown = signature.replace(parameters=kept, return_annotation=inspect.Signature.empty)
    return stringify_signature(shown), ""


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = rows_as_list(lines)


def configure(app: Sphinx, config: Config) -> None:
    config.autodoc_mock_imports = [n for n in foreign_libraries() if n not in sys.modules]
    config.autodoc_member_order = "bysource"
    config.autodoc_preserve_defaults = True
    config.napoleon_numpy_docstring = False
    config.add_module_names = False
    config.toc_object_entries = False
    config.nitpick_ignore_regex = [*config.nitpick_ignore_regex, ("py:.*", ".*")]


def setup(app: Sphinx) -> None:
    if str(CODE) not in sys.path:
        sys.path.insert(0, str(CODE))
    # Module level has unions such as `Sequence[int] | Tensor`, and the stand-ins know no `|`.
    _MockObject.__or__ = _MockObject.__ror__ = lambda self, other: Any  # type: ignore[attr-defined]
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    app.add_directive("api", Api)
    app.add_directive("api-index", ApiIndex)
    app.connect("config-inited", configure)
    app.connect("doctree-read", link_lab)
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-signature", own_signature)
    app.connect("autodoc-process-docstring", process, priority=400)
