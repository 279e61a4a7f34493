"""The reference pages: tables become lists, labs name their packages, every package has a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("sphinx")

from booktools.site import reference

ROOT = Path(__file__).resolve().parents[2]


def test_a_table_of_two_columns_becomes_a_list() -> None:
    lines = ["What it is.", "", "``first``   one", "            and on", "second  two", "",
             "Not here: a  thing."]  # fmt: skip
    assert reference.rows_as_list(lines) == [
        "What it is.", "", "- ``first``: one", "  and on", "- second: two", "",
        "Not here: a  thing."]  # fmt: skip


def test_prose_and_sections_stay() -> None:
    lines = ["Text that goes on.", "", "Args:", "    x: (B, T)", "    y: in nats; see",
             "        below", "", "Raises:", "    ValueError: for nothing."]  # fmt: skip
    assert reference.rows_as_list(list(lines)) == lines


def test_what_a_lab_imports(tmp_path: Path) -> None:
    cells = ["from llmbook import environment\nenvironment.start()",
             "import numpy as np\nfrom llmbook import plots, vectors\n"
             "from llmbook.attention import (\n    causal_mask, MultiHeadAttention)\n"
             "from llmbook.studies.domains import KINDS"]  # fmt: skip
    notebook = tmp_path / "lab.ipynb"
    notebook.write_text(json.dumps({"cells": [
        {"cell_type": "code", "source": [cell]} for cell in cells
    ] + [{"cell_type": "markdown", "source": ["from llmbook.models import GPT"]}]}), "utf8")
    assert reference.used_packages(notebook) == [
        "llmbook.attention", "llmbook.environment", "llmbook.plots", "llmbook.studies",
        "llmbook.vectors"]  # fmt: skip


def test_foreign_libraries_are_those_that_are_not_pythons(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "import os, torch\nimport numpy.random\nfrom llmbook.x import y\n"
        "from sklearn.metrics import f1_score\nfrom . import b\n", "utf8")  # fmt: skip
    assert reference.foreign_libraries(tmp_path) == ["numpy", "sklearn", "torch"]


def test_every_package_has_a_page_in_the_table_of_contents() -> None:
    parts = (ROOT / "code" / "llmbook").iterdir()
    names = {p.stem for p in parts if (p / "__init__.py").is_file() or p.suffix == ".py"}
    names -= {"__init__", "checkpoints"}
    pages = {p.stem for p in (ROOT / reference.FOLDER).glob("*.md")}
    assert pages - set(reference.PAGES_OF_TEXT) == names
    toc = (ROOT / "_toc.yml").read_text("utf8")
    for name in pages:
        assert f"{reference.FOLDER}/{name}\n" in toc
        if name not in reference.PAGES_OF_TEXT:
            assert reference.module_of(f"{reference.FOLDER}/{name}") == f"llmbook.{name}"
            text = (ROOT / reference.FOLDER / f"{name}.md").read_text("utf8")
            assert text == f"# llmbook.{name}\n\n```{{api}} llmbook.{name}\n```\n"
    assert not reference.module_of("chapters/glossary")
