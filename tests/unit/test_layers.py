"""An import never points up: each module of the library imports only what stands below it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import llmbook

PACKAGE = Path(llmbook.__file__).parent
ORDER = ("measure", "footprint", "hub", "machines", "evaluation", "corpora", "pretrained",
         "tokenizers", "ngrams", "vectors", "attention", "blocks", "models", "decoding", "training",
         "tuning", "compression", "safety", "privacy", "classify", "summarization", "translation",
         "retrieval", "ask", "choose", "trials", "studies", "plots", "doctor")
# low to high; environment stands beside
TOP = {"doctor": {"environment"}}  # what stands beside may be used by what looks at it
# Allowed inside a function only.
LAZY = {"environment": {"plots"}, "training": {"environment", "plots"}}


def imports(source: str, module: str, is_package: bool) -> Iterator[tuple[str, bool]]:
    """Each module that ``source`` imports from the library, and whether at the top level.

    ``import_module("llmbook.plots")`` is an import too. A relative import is resolved: in
    ``llmbook.pretrained``, ``from .corpora import x`` is ``llmbook.corpora``.
    """
    base = module.split(".") if is_package else module.split(".")[:-1]
    tree = ast.parse(source)
    lazy = {inner for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
            for inner in ast.walk(node)}
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = base[: len(base) + 1 - node.level] if node.level else []
            start = ".".join([*parents, *filter(None, [node.module])])
            names = [f"{start}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and "import" in ast.unparse(node.func):
            names = [str(text.value) for text in node.args if isinstance(text, ast.Constant)]
        yield from ((name, node not in lazy) for name in names if name.split(".")[0] == "llmbook")


def layer(module: str) -> str:
    """``llmbook.vectors.keyed`` -> ``vectors``; the package itself is the empty string."""
    return [*module.split("."), ""][1]


def upward(source: str, module: str, is_package: bool = False) -> list[str]:
    """The imports of ``module`` that the order forbids."""
    own = layer(module)
    wrong = []
    for name, at_top in imports(source, module, is_package):
        target = layer(name)
        if target == own:
            continue
        below = ORDER[: ORDER.index(own)] if own in ORDER else ()
        allowed = target in {*below, *TOP.get(own, ())} or (
            target in LAZY.get(own, ()) and not at_top)
        if not allowed:
            wrong.append(f"{module} imports {name}")
    return wrong


def library() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


def test_no_import_points_up() -> None:
    found = [line for module, path in library()
             for line in upward(path.read_text("utf8"), module, path.name == "__init__.py")]
    assert found == []


def test_every_module_has_its_place_in_the_order() -> None:
    """A new part of the library is added to ORDER, or nothing would check its imports."""
    assert {layer(module) for module, _ in library()} - {""} == {*ORDER, *LAZY}


@pytest.mark.parametrize(("module", "line"), [
    ("llmbook.corpora.text", "from llmbook.vectors import WordVectors"),
    ("llmbook.corpora.text", "from ..vectors.keyed import WordVectors"),
    ("llmbook.corpora.text", "import llmbook.pretrained"),
    ("llmbook.corpora.text", "def f():\n    from llmbook import plots"),
    ("llmbook.vectors.keyed", "import importlib\nimportlib.import_module('llmbook.plots')"),
    ("llmbook.vectors.keyed", "from llmbook import plots"),
    ("llmbook.pretrained", "from .vectors import SkipGram"),
    ("llmbook.environment", "import llmbook.plots"),
    ("llmbook.environment", "def f():\n    import llmbook.vectors"),
])
def test_a_planted_upward_import_is_found(module: str, line: str) -> None:
    assert len(upward(line, module)) == 1


@pytest.mark.parametrize(("module", "line"), [
    ("llmbook.vectors.shipped", "from llmbook import corpora"),
    ("llmbook.vectors.keyed", "from .state import save_state"),
    ("llmbook.pretrained", "from .corpora import CorpusError"),
    ("llmbook.plots", "from llmbook.vectors import WordVectors"),
    ("llmbook.environment", "def f():\n    importlib.import_module('llmbook.plots')"),
    ("llmbook.corpora.text", "import json\nfrom . import records"),
])
def test_a_downward_import_is_allowed(module: str, line: str) -> None:
    assert upward(line, module) == []
