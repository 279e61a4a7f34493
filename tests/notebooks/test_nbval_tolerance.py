"""The tolerance of a cell, in real runs of nbval and in its single rule."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from booktools.nbval_tolerance import disagreement, tolerance

SVG = "from IPython.display import SVG, display\ndisplay(SVG('<svg xmlns=\"{}\"/>'))".format(
    "http" + "://www.w3.org/2000/svg")
HTML = "from IPython.display import HTML, display\ndisplay(HTML('<b>0.47</b>'))"
TEN_PERCENT = {"rtol": 0.1}

# Cell -> (what it prints or its source, stored text, tolerance, whether it must pass).
CELLS: dict[str, tuple[str, str, object, bool]] = {
    "inside": ("0.47 at 1.09", "0.44 at 1.00", TEN_PERCENT, True),
    "on the edge": ("1.1", "1.0", TEN_PERCENT, True),
    "just outside": ("1.1001", "1.0", TEN_PERCENT, False),
    "just outside, below": ("0.8999", "1.0", TEN_PERCENT, False),
    "one of many outside": ("1.0 2.0 3.4", "1.0 2.0 3.0", TEN_PERCENT, False),
    "changed text": ("score 1.0", "value 1.0", TEN_PERCENT, False),
    "text with the same number": ("a 1.0 b", "a 1.0 c", TEN_PERCENT, False),
    "one number more": ("1.0 1.0", "1.0", TEN_PERCENT, False),
    "strict without metadata": ("1.001", "1.000", None, False),
    "strict and the same": ("1.000", "1.000", None, True),
    "nothing came": ("", "1.0", TEN_PERCENT, False),
    "nothing stored": ("1.0", "", TEN_PERCENT, False),
    "nan and nan": ("loss nan", "loss nan", TEN_PERCENT, True),
    "nan for a number": ("nan", "1.0", TEN_PERCENT, False),
    "a number for nan": ("1.0", "nan", TEN_PERCENT, False),
    "inf": ("inf", "inf", TEN_PERCENT, True),
    "minus inf for inf": ("-inf", "inf", TEN_PERCENT, False),
    "count inside": ("109 words", "100 words", TEN_PERCENT, True),
    "count outside": ("111 words", "100 words", TEN_PERCENT, False),
    "sign": ("-1.0", "1.0", TEN_PERCENT, False),
    "percent": ("43.5%", "42.0%", TEN_PERCENT, True),
    "atol around zero": ("-0.01", "0.00", {"atol": 0.02}, True),
    "atol exceeded": ("-0.03", "0.00", {"atol": 0.02}, False),
    "meaningless tolerance": ("1.0", "1.0", {"relative": 0.1}, False),
    "tolerance as text": ("1.0", "1.0", {"rtol": "10%"}, False),
}


def code(source: str, outputs: list[dict], compare: object = None) -> dict:
    metadata = {} if compare is None else {"compare": compare}
    return {"cell_type": "code", "metadata": metadata, "source": source, "execution_count": 1,
            "outputs": outputs}


def printed(text: str) -> list[dict]:
    stream = {"output_type": "stream", "name": "stdout", "text": f"{text}\n"}
    return [stream] if text else []


def shown(text: str, **data: str) -> list[dict]:
    mimes = {mime.replace("_", "/"): value for mime, value in data.items()}
    return [{"output_type": "display_data", "metadata": {},
             "data": {**mimes, "text/plain": text}}]


def run(folder: Path, cells: list[dict], **environment: str) -> list[str | None]:
    """The message of each cell that failed, None for each that passed."""
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    path = folder / "lab.ipynb"
    path.write_text(json.dumps(notebook), "utf8")
    report = folder / "report.xml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--nbval", "-p", "booktools.nbval_tolerance",
         "-p", "no:cacheprovider", f"--junitxml={report}", str(path)],
        cwd=folder, capture_output=True, text=True, env=os.environ | environment,
    )
    assert report.is_file(), done.stdout + done.stderr
    cases = list(ElementTree.parse(report).iter("testcase"))
    assert len(cases) == len(cells), done.stdout
    failures = [case.find("failure") for case in cases]
    return [None if failure is None else failure.text or "failed" for failure in failures]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    cells = {
        name: code(f"print({new!r})" if new else "pass", printed(old), compare)
        for name, (new, old, compare, _) in CELLS.items()
    }
    svg = {"image/svg+xml": "<svg>other bytes</svg>",
           "text/plain": "<IPython.core.display.SVG object>"}
    figure = [{"output_type": "display_data", "metadata": {}, "data": svg}]
    plain = shown("<IPython.core.display.SVG object>")
    cells |= {
        "figure with other bytes": code(SVG, figure),
        "figure where none was": code(SVG, plain),
        "no figure where one was": code("print(1)", [*printed("1"), *figure]),
        "html inside": code(HTML, shown("<IPython.core.display.HTML object>",
                                        text_html="<b>0.44</b>"), TEN_PERCENT),
        "html outside": code(HTML, shown("<IPython.core.display.HTML object>",
                                         text_html="<b>0.40</b>"), TEN_PERCENT),
        "result inside": code("0.47", [{"output_type": "execute_result", "metadata": {},
                                        "execution_count": 1, "data": {"text/plain": "0.44"}}],
                              TEN_PERCENT),
        "this python": code("import os, sys\nprint(sys.executable == os.environ['PYTHON_HERE'])",
                            printed("True")),
        "one thread, quiet": code(
            "print(*(os.environ[k] for k in ('OMP_NUM_THREADS', 'LLMBOOK_THREADS', "
            "'LLMBOOK_QUIET', 'PYTHONHASHSEED')))", printed("1 1 1 0")),
    }
    folder = tmp_path_factory.mktemp("book")
    messages = run(folder, list(cells.values()), PYTHON_HERE=sys.executable, LLMBOOK_THREADS="1")
    return dict(zip(cells, messages, strict=True))


PASSING = {name: passes for name, (*_, passes) in CELLS.items()} | {
    "figure with other bytes": True,
    "figure where none was": False,
    "no figure where one was": False,
    "html inside": True,
    "html outside": False,
    "result inside": True,
    "this python": True,
    "one thread, quiet": True,
}


@pytest.mark.parametrize(("name", "passes"), PASSING.items())
def test_cell(results: dict[str, str | None], name: str, passes: bool) -> None:
    assert (results[name] is None) == passes, results[name]


def test_every_cell_is_judged(results: dict[str, str | None]) -> None:
    assert set(results) == set(PASSING)


def test_message_names_the_number_and_the_tolerance(results: dict[str, str | None]) -> None:
    assert "number 3: 3.0 is stored, 3.4 came (rtol 0.1, atol 0)" in results["one of many outside"]
    assert "1 numbers are stored, 2 came" in results["one number more"]
    assert '"compare" must look like' in results["meaningless tolerance"]


def test_threads_can_be_set_from_outside(tmp_path: Path) -> None:
    source = "import os\nprint(os.environ['OMP_NUM_THREADS'], os.environ['LLMBOOK_THREADS'])"
    assert run(tmp_path, [code(source, printed("2 2"))], LLMBOOK_THREADS="2") == [None]


@pytest.mark.parametrize(("stored", "fresh"), [
    ("  9.99 x", " 10.01 x"),                 # padding is part of a number
    ("[ 0.01 -0.02]", "[-0.01 -0.02]"),
    ("1,234,567 words", "1,234,570 words"),
    ("1.5e-05", "1.500001e-05"),
    ("−0.25", "-0.25"),
    ("44%", "44%"),
])
def test_agrees(stored: str, fresh: str) -> None:
    assert disagreement(stored, fresh, 0.01, 0.025) is None


@pytest.mark.parametrize(("stored", "fresh"), [
    ("word2vec 1.0", "word3vec 1.0"),         # a digit inside a word is text
    ("torch 2.13.0", "torch 2.14.0"),         # so is a version
    ("1.0\n", "1.0"),
    ("a b", "a  b"),
    ("1.5e-05", "1.5e-04"),
    ("nan", "-1"),
    ("banana", "bananas"),
])
def test_disagrees(stored: str, fresh: str) -> None:
    assert disagreement(stored, fresh, 0.5, 0) is not None


@pytest.mark.parametrize("compare", [{}, None, 0.1, {"rtol": -1}, {"rtol": True}, {"x": 1}])
def test_meaningless_tolerance_is_refused(compare: object) -> None:
    with pytest.raises(ValueError, match="must look like"):
        tolerance(compare)
