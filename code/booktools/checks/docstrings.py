"""Every public name of `llmbook` says what it takes and gives, with shapes, and what it raises.

Public is what a package lists in `__all__`, what a module beside the packages defines without an
underscore, and the methods of such classes. The sources are read, not imported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from booktools.checks._book import Finding, relative

TENSORS = re.compile(r"\b(Tensor|ndarray|ArrayLike|NDArray)\b")
# (B, T), (..., K), (N,), (): a shape. A mere "(see below)" has no comma and no capital alone.
_SIDE = r"(?:\.\.\.|[A-Za-z0-9_ +*/-]+)?"
SHAPE = re.compile(rf"\({_SIDE}(?:,{_SIDE})+\)|\([A-Z0-9]\)|\(\)|\b(?:scalar|shapes?|one number)\b",
                   re.IGNORECASE)  # fmt: skip
Function = ast.FunctionDef | ast.AsyncFunctionDef


def check(root: Path) -> list[Finding]:
    package = root / "code" / "llmbook"
    findings, seen = [], set()
    for path, node, module in public(package):
        if (path, node.name) in seen:
            continue
        seen.add((path, node.name))
        findings += [Finding(relative(path, root), line, what)
                     for line, what in faults(node, module)]  # fmt: skip
    return findings


def public(package: Path) -> Iterator[tuple[Path, ast.ClassDef | Function, ast.Module]]:
    """Each public class or function, with the module that defines it."""
    for path in sorted(package.glob("*.py")):
        if path.name not in ("__init__.py", "__main__.py"):
            tree = ast.parse(path.read_text("utf8"))
            for node in definitions(tree):
                if not node.name.startswith("_"):
                    yield path, node, tree
    for start in sorted(package.glob("*/__init__.py")):
        for name in exported(ast.parse(start.read_text("utf8"))):
            if found := origin(package, start, name):
                yield found


def definitions(tree: ast.Module) -> Iterator[ast.ClassDef | Function]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | Function):
            yield node


def exported(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return []


def origin(
    package: Path, path: Path, name: str
) -> tuple[Path, ast.ClassDef | Function, ast.Module] | None:
    """Where a name is defined, through any number of imports; None for a constant."""
    tree = ast.parse(path.read_text("utf8"))
    for node in definitions(tree):
        if node.name == name:
            return path, node, tree
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("llmbook."):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    inner = package.joinpath(*node.module.split(".")[1:])
                    inner = inner / "__init__.py" if inner.is_dir() else inner.with_suffix(".py")
                    return origin(package, inner, alias.name)
    return None


def faults(node: ast.ClassDef | Function, module: ast.Module) -> Iterator[tuple[int, str]]:
    """The line and the fault of a public name, and of the public methods of a class."""
    about = ast.get_docstring(module) or ""
    if isinstance(node, Function):
        yield from of_function(node, node.name, about)
        return
    own = ast.get_docstring(node)
    if not own:
        yield node.lineno, f"{node.name} has no docstring"
    for method in node.body:
        if isinstance(method, Function) and not method.name.startswith("_"):
            yield from of_function(method, f"{node.name}.{method.name}", about + (own or ""))


def of_function(node: Function, name: str, around: str) -> Iterator[tuple[int, str]]:
    own = ast.get_docstring(node)
    if not own:
        if not any(ast.unparse(d).endswith(("overload", ".setter")) for d in node.decorator_list):
            yield node.lineno, f"{name} has no docstring"
        return
    for error in sorted(raised(node)):
        if error not in own + around:
            yield node.lineno, f"{name} raises {error}, and its docstring does not say so"
    signature = ast.unparse(node.args) + (ast.unparse(node.returns) if node.returns else "")
    if TENSORS.search(signature) and not SHAPE.search(own + around):
        yield node.lineno, f"{name} takes or gives a tensor, and its docstring has no shape"


def raised(node: Function) -> set[str]:
    """The errors that the function itself raises."""
    found, todo = set(), list(node.body)
    while todo:
        inner = todo.pop()
        if isinstance(inner, Function | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(inner, ast.Raise) and inner.exc is not None:
            error = inner.exc.func if isinstance(inner.exc, ast.Call) else inner.exc
            name = ast.unparse(error).rpartition(".")[2]
            if name[:1].isupper() and name not in ("NotImplementedError", "StopIteration"):
                found.add(name)
        todo += ast.iter_child_nodes(inner)
    return found
