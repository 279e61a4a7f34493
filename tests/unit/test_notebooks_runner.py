"""Labs are run in a kernel of this Python and stored whole, or not at all."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import nbformat
import psutil
import pytest

from booktools import notebooks
from booktools.checks import notebooks as contract
from booktools.checks import readme

FIRST = "from llmbook import environment\n\nenvironment.start()"


def lab(path: Path, *sources: str, ids: bool = False) -> Path:
    cells = [{"cell_type": "markdown", "metadata": {}, "source": "# A lab"}]
    cells += [{"cell_type": "code", "metadata": {"collapsed": False, "tags": ["keep"]},
               "source": source, "execution_count": 9, "outputs": []} for source in sources]
    data = {"cells": cells, "metadata": {"colab": {"provenance": []}}, "nbformat": 4,
            "nbformat_minor": 4}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), "utf8")
    return path


def book(root: Path, *names: str) -> Path:
    files = "".join(f"  - file: chapters/01_toy/{name}\n" for name in names)
    (root / "_toc.yml").write_text(f"root: chapters/intro\nchapters:\n{files}", "utf8")
    (root / "README.md").write_text("<!-- labs:begin -->\n<!-- labs:end -->\n", "utf8")
    return root


def stored(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """One book, run twice: its root, and the first bytes of its lab."""
    root = book(tmp_path_factory.mktemp("book"), "lab")
    path = lab(
        root / "chapters/01_toy/lab.ipynb", FIRST,
        "import os, sys\nimport numpy\nprint(sys.executable == os.environ['PYTHON_HERE'])",
        "",
        "print('a', flush=True)\nprint('b', flush=True)\nprint(os.getcwd().endswith('01_toy'))",
        "for k in ('OMP_NUM_THREADS', 'PYTHONHASHSEED', 'LLMBOOK_QUIET'):\n"
        "    print(os.environ[k])",
    )
    (path.parent / "assignment.ipynb").write_text("{}", "utf8")
    os.environ["PYTHON_HERE"] = sys.executable
    try:
        assert notebooks.run(root) == 0
        first = path.read_bytes()
        assert notebooks.run(root, ["01_toy/lab"]) == 0
    finally:
        del os.environ["PYTHON_HERE"]
    return root, first


def test_outputs_are_stored_in_order_and_joined(done: tuple[Path, bytes]) -> None:
    cells = [c for c in stored(done[0] / "chapters/01_toy/lab.ipynb").cells
             if c.cell_type == "code"]
    assert [c.execution_count for c in cells] == [1, 2, None, 3, 4]
    texts = [[o.text for o in c.outputs] for c in cells]
    assert texts[0] == ["Versions agree with the tested ones.\n"]
    assert texts[1:] == [["True\n"], [], ["a\nb\nTrue\n"], ["1\n0\n1\n"]]


def test_measurements_are_stored(done: tuple[Path, bytes]) -> None:
    cost = stored(done[0] / "chapters/01_toy/lab.ipynb").metadata["llmbook"]
    assert set(cost) == set(contract.MEASURED)
    assert cost["threads"] == 1 and cost["wall_seconds"] > 0
    assert cost["versions"]["numpy"][0].isdigit() and "torch" not in cost["versions"]
    if sys.platform != "win32":
        assert 0 < cost["cpu_seconds"] < 60 and 20 < cost["peak_memory_mib"] < 1000


def test_stored_notebook_passes_the_check(done: tuple[Path, bytes]) -> None:
    assert contract.check(done[0]) == []


def test_running_twice_gives_the_same_file_but_for_measurements(done: tuple[Path, bytes]) -> None:
    root, first = done
    second = (root / "chapters/01_toy/lab.ipynb").read_bytes()
    assert second.endswith(b"}\n") and b"colab" not in second and b"collapsed" not in second

    def unmeasured(data: bytes) -> str:
        notebook = json.loads(data)
        for key in ("wall_seconds", "cpu_seconds", "peak_memory_mib", "executed"):
            del notebook["metadata"]["llmbook"][key]
        return json.dumps(notebook)

    assert unmeasured(first) == unmeasured(second)


def test_no_kernel_is_left_running(done: tuple[Path, bytes]) -> None:
    assert [p for p in psutil.Process().children(recursive=True) if p.status() != "zombie"] == []


def test_readme_tells_the_time(done: tuple[Path, bytes]) -> None:
    text = (done[0] / "README.md").read_text("utf8")
    assert re.search(r"\| \[A lab\]\(chapters/01_toy/lab\.ipynb\) \| \d+ s \| 0\.\d GiB \|", text)
    assert readme.check(done[0]) == []


def test_failing_lab_is_named_and_its_file_unchanged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = book(tmp_path, "bad", "good")
    bad = lab(root / "chapters/01_toy/bad.ipynb", "x = 1", "# look\nraise ValueError('no\\nway')")
    good = lab(root / "chapters/01_toy/good.ipynb", "print(1)")
    before = bad.read_bytes()
    assert notebooks.run(root) == 1
    assert capsys.readouterr().err == (
        "chapters/01_toy/bad.ipynb: cell 2 failed; nothing was stored\n  # look\n"
        "  ValueError: no way\n")
    assert bad.read_bytes() == before and len(list(bad.parent.iterdir())) == 2
    assert stored(good).cells[1].outputs[0].text == "1\n"  # the others still ran


def test_a_kernel_that_dies_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = book(tmp_path, "dead")
    path = lab(root / "chapters/01_toy/dead.ipynb", "import os; os._exit(9)")
    before = path.read_bytes()
    assert notebooks.run(root) == 1
    assert "cell 1 failed" in (err := capsys.readouterr().err) and "kernel died" in err
    assert path.read_bytes() == before


def test_check_runs_and_stores_nothing(tmp_path: Path) -> None:
    root = book(tmp_path, "lab")
    path = lab(root / "chapters/01_toy/lab.ipynb", "print(1)")
    before = path.read_bytes()
    assert notebooks.run(root, ["chapters/01_toy/lab.ipynb"], check=True) == 0
    assert path.read_bytes() == before


def test_unknown_lab_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    root = book(tmp_path, "lab")
    lab(root / "chapters/01_toy/lab.ipynb", "print(1)")
    with pytest.raises(ValueError, match="no lab '01_toy/nowhere'; labs of this book: 01_toy/lab"):
        notebooks.run(root, ["01_toy/nowhere"])


def test_missing_and_double_ids_are_mended_the_same_way_each_time(tmp_path: Path) -> None:
    path = lab(tmp_path / "lab.ipynb", "a = 1", "a = 1")
    ids = [c.id for c in notebooks.read(path).cells]
    assert len(set(ids)) == 3 and ids == [c.id for c in notebooks.read(path).cells]


def test_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lab(tmp_path / "lab.ipynb", "a = 1")
    before = path.read_bytes()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(notebooks.os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        notebooks.write(path, notebooks.normalised(notebooks.read(path)))
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_labs_that_need_tensorflow_are_known() -> None:
    """Those that import it or keras, and no other: else `make test` would fail, or test less."""
    root = Path(__file__).resolve().parents[2]
    pattern = re.compile(r"^\s*(?:import|from) (?:tensorflow|keras)\b", re.MULTILINE)
    found = set()
    for path in sorted((root / "chapters").glob("*/*.ipynb")):
        cells = json.loads(path.read_text("utf8"))["cells"]
        if any(c["cell_type"] == "code" and pattern.search("".join(c["source"])) for c in cells):
            found.add(f"{path.parent.name}/{path.stem}")
            assert notebooks.needs_tensorflow(path)
    assert found == set(notebooks.TENSORFLOW_LABS)
