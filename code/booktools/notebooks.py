"""Run the labs and store their outputs: `python -m booktools run [LAB ...]`.

Each lab runs in a fresh kernel of this Python, in its own folder, with one thread. Its file is
replaced only when the whole lab has succeeded, and is written so that two runs give the same bytes
except for what was measured. The measurements go into `metadata["llmbook"]`.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from datetime import date
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from booktools.checks import _book, readme
from llmbook.environment import LIBRARIES, TENSORFLOW_LIBRARIES

VOLATILE = ("execution", "ExecuteTime", "collapsed", "scrolled", "vscode", "jupyter", "trusted")

# Runs inside the kernel when the lab is done. VmHWM, because ru_maxrss also counts the process that
# started the kernel; Windows has neither and stores nothing.
MEASURE = f"""
import importlib.metadata, json, platform, re, sys
found = {{"cpu_seconds": None, "peak_memory_mib": None}}
try:
    import resource
    used = resource.getrusage(resource.RUSAGE_SELF)
    others = resource.getrusage(resource.RUSAGE_CHILDREN)  # processes that the lab has started
    found["cpu_seconds"] = round(used.ru_utime + used.ru_stime
                                 + others.ru_utime + others.ru_stime, 1)
    kib = used.ru_maxrss // (1024 if sys.platform == "darwin" else 1)
    try:
        kib = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
    except OSError:
        pass
    found["peak_memory_mib"] = kib // 1024
except ImportError:
    pass
found["python"] = platform.python_version()
found["versions"] = {{
    name: importlib.metadata.version(name).partition("+")[0]
    for name, module in {LIBRARIES | TENSORFLOW_LIBRARIES!r}.items() if module in sys.modules}}
print(json.dumps(found))
"""

labs = _book.labs  # the paths of all labs, in the order of the contents page
TENSORFLOW_LABS = ("12_tools/tensorflow",)  # run in `.venv-tensorflow`, tested by test-tensorflow


def needs_tensorflow(path: Path) -> bool:
    """Whether a lab runs in the environment that has TensorFlow."""
    return f"{path.parent.name}/{path.stem}" in TENSORFLOW_LABS


class ThisPython(KernelSpecManager):
    """Whatever kernels are registered on the machine, run the Python that runs this."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "--log-level=ERROR",
                "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


def kernel_environment(threads: str = "1") -> dict[str, str]:
    """The environment of a kernel whose outputs are stored or compared."""
    environment = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}
    return environment | {
        "LLMBOOK_QUIET": "1",
        "LLMBOOK_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "PYTHONHASHSEED": "0",
    }


def run(root: Path, paths: list[str] | None = None, check: bool = False) -> int:
    """Run labs (all of `_toc.yml`, or paths, or stems such as `03_word_vectors/glove`).

    Stores the outputs unless `check`, which only tells whether the labs run. Returns 0, or 1 when
    a lab failed; the file of a lab that failed stays as it was.
    """
    root = root.resolve()
    failed = 0
    chosen = _book.labs(root) if paths is None else [find(root, path) for path in paths]
    for path in chosen:
        name = _book.relative(path, root)
        print(f"{name} ...", flush=True)
        try:
            notebook = execute(path)
        except LabError as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed += 1
            continue
        cost = notebook.metadata["llmbook"]
        print(f"{name}  {cost['wall_seconds']} s, {cost['peak_memory_mib']} MiB", flush=True)
        if not check:
            write(path, notebook)
    if not check:
        readme.rewrite(root)
    return 1 if failed else 0


def find(root: Path, name: str) -> Path:
    """The lab that a reader names by path or by `chapter/lab`."""
    for start in (Path.cwd() / name, root / name, root / "chapters" / name):
        for path in (start, start.with_name(start.name + ".ipynb")):
            if path.suffix == ".ipynb" and path.is_file():
                return path.resolve()
    known = ", ".join(f"{p.parent.name}/{p.stem}" for p in _book.labs(root)) or "none"
    raise ValueError(f"no lab {name!r}; labs of this book: {known}")


class LabError(Exception):
    """A lab that did not run to its end; the message says where and why."""


def execute(path: Path) -> nbformat.NotebookNode:
    """Run one lab from top to bottom; the notebook as it should be stored."""
    notebook = read(path)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisPython())
    client = NotebookClient(
        notebook, km=manager, timeout=None, record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    number = 0
    # In place of the time of day, which matplotlib writes into every SVG.
    environment = kernel_environment() | {"SOURCE_DATE_EPOCH": "0"}
    with client.setup_kernel(env=environment, cleanup_kc=True):
        start = time.perf_counter()
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type != "code" or not cell.source.strip():
                continue
            number += 1
            try:
                client.execute_cell(cell, index, execution_count=number)
            except CellExecutionError as error:
                raise LabError(failure(number, cell, f"{error.ename}: {error.evalue}")) from None
            except DeadKernelError:
                reason = "the kernel died (out of memory?)"
                raise LabError(failure(number, cell, reason)) from None
        wall = round(time.perf_counter() - start, 1)
        notebook.cells.append(nbformat.v4.new_code_cell(MEASURE))
        client.execute_cell(notebook.cells[-1], len(notebook.cells) - 1, store_history=False)
    found = json.loads(notebook.cells.pop().outputs[0].text)
    notebook.metadata["llmbook"] = {
        "wall_seconds": wall, "threads": 1, "executed": date.today().isoformat(), **found
    }
    return normalised(notebook)


def failure(number: int, cell: nbformat.NotebookNode, reason: str) -> str:
    """Three lines: which cell, its first line, what a traceback ends with."""
    first = cell.source.strip().splitlines()[0]
    reason = " ".join(reason.split())[:500]
    return f"cell {number} failed; nothing was stored\n  {first}\n  {reason}"


def read(path: Path) -> nbformat.NotebookNode:
    """A notebook as nbformat 4.5; cells without an id get one that depends on nothing random."""
    raw = json.loads(path.read_text("utf8"))
    seen: set[str] = set()
    for index, cell in enumerate(raw["cells"]):
        if not cell.get("id") or cell["id"] in seen:
            text = f"{path.stem} {index} {_book.joined(cell['source'])}"
            cell["id"] = hashlib.sha256(text.encode()).hexdigest()[:8]
        seen.add(cell["id"])
    raw["nbformat"], raw["nbformat_minor"] = 4, 5
    return nbformat.reads(json.dumps(raw), as_version=4)


def normalised(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Without what differs from one run, editor or machine to the next."""
    for key in set(notebook.metadata) - {"llmbook", "mystnb"}:
        del notebook.metadata[key]
    notebook.metadata.update(kernelspec=_book.KERNELSPEC, language_info=_book.LANGUAGE_INFO)
    for cell in notebook.cells:
        for key in VOLATILE:
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = merged(cell.outputs)
    return nbformat.from_dict(notebook)


def merged(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Streams cut by chance into pieces, joined again."""
    result: list[nbformat.NotebookNode] = []
    for output in outputs:
        last = result[-1] if result else {}
        if output.output_type == "stream" and last.get("name") == output.name:
            last["text"] += output.text
        else:
            result.append(output)
    return result


def write(path: Path, notebook: nbformat.NotebookNode) -> None:
    """Replace the file in one step: an interrupted write leaves the old one."""
    nbformat.validate(notebook)
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_text(nbformat.writes(notebook).rstrip("\n") + "\n", "utf8", newline="\n")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
