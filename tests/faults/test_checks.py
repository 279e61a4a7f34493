"""Every check passes on a clean small book and finds a fault planted in it."""

from __future__ import annotations

import http.server
import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path

import minibook
import pytest
from minibook import INDEX, LAB, add, lab, remove, replace

from booktools import checks
from booktools.checks import _browser

SOURCE = [name for name, module in checks.CHECKS.items()
          if module in checks.SOURCE
          and (name != "spelling" or importlib.util.find_spec("codespell_lib"))]


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return minibook.make(tmp_path)


def found(book: Path, name: str) -> list[str]:
    return [str(finding) for finding in checks.run(book, [name]).findings[name]]


@pytest.mark.parametrize("name", SOURCE)
def test_clean_book_passes(book: Path, name: str) -> None:
    assert found(book, name) == []


def tags(cell: int, *names: str):
    return lab(lambda cells, _: cells[cell]["metadata"].update(tags=list(names)))


def source(cell: int, text: str):
    return lab(lambda cells, _: cells[cell].update(source=text))


def output(cell: int, text: str, name: str = "stdout"):
    return lab(lambda cells, _: cells[cell].update(outputs=[minibook.stream(text, name)]))


def compare(value: object):
    return lab(lambda cells, _: cells[1]["metadata"].update(compare=value))


def cost(**values: object):
    return lab(lambda _, data: data["metadata"]["llmbook"].update(values))


def mystnb(part: str, **values: object):
    return lab(lambda cells, _: cells[3]["metadata"]["mystnb"][part].update(values))


def exporting(line: str, module: str, name: str = "f"):
    """A package that exports a name of its module `a`."""
    def plant(book: Path) -> None:
        add("code/llmbook/toys/__init__.py", f'{line}\n__all__ = ["{name}"]\n')(book)
        add("code/llmbook/toys/a.py", module)(book)

    return plant


def prose(text: str):
    """A sentence at the end of the summary."""
    return replace(INDEX, "A toy was built.", f"A toy was built. {text}")


# Parts of forbidden strings, so that this file does not hold them itself.
HOME, REGISTRY = "/" + "home/ada/", "py" + "pi.org"

FAULTS = [
    # contract
    ("contract", replace(INDEX, "## Objectives\n", "## Aims\n"), "no section '## Objectives'"),
    ("contract", replace(INDEX, "## Where this breaks\nEverywhere.\n", ""), "Where this breaks"),
    ("contract", replace(INDEX, "## Labs\n```{labs}\n```", "## Labs\nOne."), "'Labs' has neither"),
    ("contract", replace(INDEX, "```{labs}\n```", "| Lab |\n|---|\n| some |"),
     "does not name lab.ipynb"),
    ("contract", replace(INDEX, "A toy was built.\n", ""), "'Summary' is empty"),
    ("contract", replace(INDEX, "{exercise}", "{note}"), "'Exercises' has no {exercise}"),
    ("contract", replace(INDEX, "Read {cite:t}`adams2001first`.", "None."), "'Sources' has no"),
    ("contract", replace(INDEX, "## Objectives\nBuild a toy.\n\n## Prerequisites\nNone.\n",
                         "## Prerequisites\nNone.\n\n## Objectives\nBuild a toy.\n"),
     f"{INDEX}:21: 'Prerequisites' stands before 'Objectives'"),
    ("contract", add("_toc.yml", "          - file: chapters/01_toy/nowhere\n"), "does not exist"),
    ("contract", replace("_toc.yml", "          - file: chapters/01_toy/lab\n", ""),
     f"{LAB}: not in _toc.yml"),
    ("contract", add("chapters/01_toy/assignment.ipynb", '{"cells": []}'), "not in _toc.yml"),
    ("contract", add("_toc.yml", "          - file: chapters/01_toy/assignment_solution\n"),
     "not exist"),
    ("contract", remove(INDEX), "has no index.md"),
    # notebooks
    ("notebooks", lab(lambda c, _: c[2].update(execution_count=7)), "not executed in order"),
    ("notebooks", lab(lambda c, _: c[2].update(execution_count=None)), "not executed in order"),
    ("notebooks", lab(lambda c, _: c[1]["outputs"].append(
        {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []})),
     "stored error: ValueError"),
    ("notebooks", output(1, "Warning: old\n", "stderr"), "stored stderr: Warning: old"),
    ("notebooks", output(1, "50%|#####     | 1/2\n"), "debris"),
    ("notebooks", output(1, "1\r2\n"), "debris"),
    ("notebooks", output(1, "12.5it/s\n".replace("it", " it")), "debris"),
    ("notebooks", output(1, f"saved {HOME}model.bin\n"), "path of one machine"),
    ("notebooks", output(1, "read C:\\Users\\ada\n"), "path of one machine"),
    ("notebooks", output(1, "<Model object at 0x7f12ab34cd56>\n"), "address in memory"),
    ("notebooks", source(1, "\n".join(["x = 1"] * 26)), "26 lines"),
    ("notebooks", source(1, "x = " + "1" * 76), "80 columns"),
    ("notebooks", source(2, "print(seconds)"), "not '# not compared: why'"),
    ("notebooks", source(2, "# not compared:\nprint(seconds)"), "not '# not compared: why'"),
    ("notebooks", source(2, "# NBVAL_IGNORE_OUTPUT\nprint(1)"), "an nbval comment"),
    ("notebooks", source(1, "from llmbook.tuning import accuracy"), "which has no such name"),
    ("notebooks", source(1, "from llmbook.gone import freeze"), "imports freeze from llmbook.gone"),
    ("notebooks", tags(0, "nbval-skip"), "tag nbval-skip"),
    ("notebooks", lab(lambda c, _: [cell["metadata"].update(tags=["nbval-ignore-output"])
                                    for cell in c]), "4 of 4 code cells are not compared"),
    ("notebooks", compare({"rtol": 0.6}), "rtol must be a number from 0 to 0.5"),
    ("notebooks", compare({"rtol": "5%"}), "rtol must be a number"),
    ("notebooks", compare({"relative": 0.1}), "compare must hold"),
    ("notebooks", compare(0.1), "compare must hold"),
    ("notebooks", tags(1, "nbval-ignore-output"), "choose one"),
    ("notebooks", source(0, "import numpy"), "does not call llmbook.environment"),
    ("notebooks", lab(lambda _, d: d["metadata"].pop("llmbook")), "metadata.llmbook lacks"),
    ("notebooks", cost(threads=2), "stored with 2 threads"),
    ("notebooks", cost(wall_seconds=400.0, cpu_seconds=300.0), "took 300 s"),
    ("notebooks", cost(peak_memory_mib=4000), "took 4000 MiB"),
    ("notebooks", lab(lambda _, d: d["metadata"]["kernelspec"].update(name="my-env")),
     "kernelspec"),
    ("notebooks", output(1, "x" * 1_100_000), "at most 1 MiB"),
    # figures
    ("figures", mystnb("figure", caption=""), "no mystnb.figure.caption"),
    ("figures", mystnb("figure", name=None), "no mystnb.figure.name"),
    ("figures", mystnb("image", alt=""), "no alt text"),
    ("figures", mystnb("image", alt="A chart."), "says too little"),
    ("figures", mystnb("image", alt="../../_build/jupyter_execute/1234567890abcdef1234567890.png"),
     "is a file name"),
    ("figures", lab(lambda c, _: c[3]["metadata"]["mystnb"]["figure"].update(
        caption=minibook.ALT)), "repeats the caption"),
    ("figures", lab(lambda c, _: c[3]["metadata"].pop("mystnb")), "no alt text"),
    ("figures", lab(lambda c, _: c[3]["outputs"].append(c[3]["outputs"][0])), "one figure a cell"),
    ("figures", mystnb("figure", name="loss"), "must begin with fig-"),
    ("figures", mystnb("figure", name="fig-drawn"), "used twice"),
    ("figures", replace(INDEX, ":name: fig-drawn\n", ""), f"{INDEX}:14: {{figure}}"),
    ("figures", replace(INDEX, "\nA box that points to itself.\n", ""), "no caption"),
    ("figures", replace(INDEX, "```{figure}", "```{image}"), "use {figure}"),
    ("figures", replace(INDEX, "See {numref}`fig-loss`, ", "See "), "fig-loss is never referred"),
    ("figures", prose(f"![{minibook.ALT}](a.png)"), "neither caption nor name"),
    # numbers
    ("numbers", prose("It reaches 0.45."), f"{INDEX}:38: 0.45 stands in no output"),
    ("numbers", prose("It reaches 0.440."), "0.440"),  # more precise than what was printed
    ("numbers", prose("It reaches -0.44."), "-0.44"),
    ("numbers", prose("It changes by −0.26."), "−0.26"),
    ("numbers", prose("It is 43 % of it."), "43 %"),
    ("numbers", prose("It is 43.9% of it."), "43.9%"),
    ("numbers", prose("It is 2.5x faster."), "2.5"),
    ("numbers", prose("It is 0.4 ± 0.06."), "0.06"),
    ("numbers", prose("It has 22.8 M parameters."), "22.8 M"),
    ("numbers", prose("It has 1,234.5 of them."), "1,234.5"),
    ("numbers", prose("It falls to $0.91$."), "0.91"),
    ("numbers", prose("Rounded, 0.32."), "0.32"),  # 0.3105 is 0.31
    ("numbers", prose("Up to 0.44–0.77."), "0.77"),
    ("numbers", prose("See {cite}`brown2002second`. It reaches 0.98."), "0.98"),
    ("numbers", prose("\n\n```{admonition} A score of 0.68\nIt reached 0.69.\n```\n"), "0.68"),
    ("numbers", prose("\n\n```{admonition} A score\nIt reached 0.69.\n```\n"), "0.69"),
    ("numbers", prose("\n\n| a | 0.67 |\n|---|---|\n| b | 1 |\n"), "0.67"),
    ("numbers", mystnb("figure", caption="It falls to 0.88."), f"{LAB}: cell 5, line 1: 0.88"),
    ("numbers", lab(lambda _, d: d["cells"][0].update(source="# A toy\n\nIt is 0.99.")),
     f"{LAB}: cell 1, line 3: 0.99"),
    # bibliography
    ("bibliography", replace(INDEX, "{cite:t}`adams2001first`", "{cite:t}`adams1999`"),
     "adams1999 is not in"),
    ("bibliography", replace(INDEX, "{cite:t}`adams2001first`", "Adams"), "cited nowhere"),
    ("bibliography", replace("chapters/references.bib", "  year = {2002},\n", ""), "lacks year"),
    ("bibliography", replace("chapters/references.bib", "  journal = {Journal of Toys},\n", ""),
     "lacks venue"),
    ("bibliography", replace("chapters/references.bib", "  author = {Adams, Ada},\n", ""),
     "lacks author"),
    ("bibliography", replace("chapters/references.bib", "{brown2002second", "{adams2001first"),
     "stands twice"),
    ("bibliography", replace("chapters/references.bib", "{adams2001first", "{zadams2001"),
     "must stand before"),
    # style
    ("style", prose("This is obviously a powerful toy."), f"{INDEX}:38: 'obviously'"),
    ("style", prose("In this section, we will play."), "In this section"),
    ("style", prose("We use self attention."), "self-attention"),
    ("style", prose("We use finetuning."), "fine-tuning"),
    ("style", prose("We use fine tuning."), "fine-tuning"),
    ("style", prose("A pre-trained toy."), "pretraining"),
    ("style", prose("A toy[^1]."), "footnote"),
    ("style", prose("\n\n- [ ] a task\n"), "task list"),
    ("style", prose("\n\n\\begin{align}\nx &= 1\n\\end{align}\n"), "bare \\begin{align}"),
    ("style", prose("See {eq}`eq-nowhere`."), "no $$ block has that label"),
    ("style", prose("\n\n$$\nx\n$$ (eq-toy)\n"), "stands twice"),
    ("style", prose(f"Look into {HOME}books."), "path of one machine"),
    ("style", add("code/tool.py", f'PATH = "{HOME}x"\n'), "code/tool.py:1: a path of one machine"),
    ("style", add("Makefile", f"all:\n\tcurl https://{REGISTRY}/simple\n"),
     "Makefile:2: the host of a package registry"),
    # readme
    ("readme", cost(cpu_seconds=55.0), "README.md:3: the table of labs"),
    ("readme", replace("README.md", "<!-- labs:end -->", ""), "no table of labs"),
    ("readme", remove("README.md"), "README.md is missing"),
    # docstrings
    ("docstrings", add("code/llmbook/toy.py", "def f(x):\n    return x\n"),
     "code/llmbook/toy.py:1: f has no docstring"),
    ("docstrings", add("code/llmbook/toy.py", "class A:\n    def f(self):\n        return 1\n"),
     "code/llmbook/toy.py:2: A.f has no docstring"),
    ("docstrings", add("code/llmbook/toy.py",
                       'def f(x):\n    """Half of x."""\n    raise ValueError(x)\n'),
     "f raises ValueError"),
    ("docstrings",
     add("code/llmbook/toy.py", 'def f(x: Tensor):\n    """Half of x (see below)."""\n'),
     "f takes or gives a tensor"),
    ("docstrings", exporting("from llmbook.toys.a import f\n", "def f(x):\n    return x\n"),
     "code/llmbook/toys/a.py:1: f has no docstring"),
]
TYPO = "recie" + "ve"
TYPO_IS_TESTED = "spelling" in SOURCE
if TYPO_IS_TESTED:
    FAULTS += [
        ("spelling", prose(f"You {TYPO} it."), f"{INDEX}:38: {TYPO}"),
        ("spelling", lab(lambda _, d: d["cells"][0].update(source=f"# We {TYPO}")), LAB),
        ("spelling", add("code/tool.py", f"# {TYPO}\n"), "code/tool.py:1"),
    ]


@pytest.mark.parametrize(
    ("name", "plant", "expected"), FAULTS, ids=[f"{f[0]}-{i}" for i, f in enumerate(FAULTS)])
def test_planted_fault_is_found(book: Path, name: str, plant, expected: str) -> None:
    plant(book)
    messages = found(book, name)
    assert any(expected in message for message in messages), messages


RIGHT = [
    'def f(x: Tensor):\n    """Half of x (B, T)."""\n',
    'def f(x: Tensor):\n    """Half of x, of any shape."""\n',
    'def f(x):\n    """Half.\n\n    Raises:\n        ValueError: always.\n    """\n'
    "    raise ValueError(x)\n",
    "def _f(x):\n    return x\n",
    'def f(x):\n    """Half."""\n    def inner():\n        raise ValueError(x)\n',
]


@pytest.mark.parametrize("source", RIGHT)
def test_what_a_docstring_need_not_say(book: Path, source: str) -> None:
    add("code/llmbook/toy.py", source)(book)
    exporting("from llmbook.toys.a import A\n", "A = 1\ndef hidden(x):\n    return x\n", "A")(book)
    assert found(book, "docstrings") == []


PASSES = [
    prose("It is 44% and 0.44 and .44 apart."),
    prose("See [the page](https://example.org/1.25/x.html) and version 3.7 of it."),
    prose("As {cite}`brown2002second` e.g. found in 2.75 of 3.85 cases, it works."),
    prose("Licence CC BY 4.0, Python 3.11, GPT-3.5, 1.2.3."),
    prose("\n\n```python\nx = 9.87\n```\n\n% 3.33\n"),
    prose("The 95 % bootstrap interval."),
    prose("`a` is {cite}`brown2002second` and `7.65` too, {term}`toy`."),
]


@pytest.mark.parametrize("plant", PASSES)
def test_what_is_no_claim_passes(book: Path, plant) -> None:
    plant(book)
    assert found(book, "numbers") == []


def test_one_table_may_serve_time_and_labs(book: Path) -> None:
    replace(INDEX, "One minute.\n", "")(book)
    assert found(book, "contract") == []


def test_solution_in_the_contents_page_is_found(book: Path) -> None:
    add("chapters/01_toy/assignment_solution.ipynb", '{"cells": []}')(book)
    assert found(book, "contract") == []
    add("_toc.yml", "          - file: chapters/01_toy/assignment_solution\n")(book)
    assert any("holds solutions" in message for message in found(book, "contract"))


# ------------------------------------------------------------------ the report
def test_report_says_what_was_skipped_and_why(book: Path) -> None:
    report = checks.run(book, ["contract", "links", "axe"])
    text = str(report)
    assert report.ok
    assert "contract      ok" in text
    assert "links         SKIPPED: the website is not built" in text


def test_without_chromium_checks_are_skipped_by_name(book: Path, monkeypatch) -> None:
    site(book)
    monkeypatch.setenv("LLMBOOK_CHROMIUM", str(book / "nowhere"))
    report = checks.run(book, ["links", "requests", "axe"])
    reason = "SKIPPED: chromium is not installed (Debian: apt-get install chromium)"
    assert f"requests      {reason}" in str(report)
    assert f"axe           {reason}" in str(report)
    assert report.ok and "links" in report.findings


def test_unknown_check_is_refused(book: Path) -> None:
    with pytest.raises(ValueError, match="no check spelin"):
        checks.run(book, ["spelin"])


# ------------------------------------------------------------------ the website
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<style>body {{ color: #111; background: #fff }}
@media (prefers-color-scheme: dark) {{ body {{ color: #eee; background: #111 }}
a {{ color: #9cf }} }}</style>
</head><body><main><article><h1 id="top">{title}</h1>
<p><a href="{link}">the other page</a> and <a href="https://example.org/">a source</a></p>
<p><img src="{up}_static/dot.png" alt="A dot, black on white, one pixel wide" width="9"></p>
<!-- body --></article></main></body></html>
"""


def site(book: Path) -> Path:
    """A hand-written website of the small book."""
    root = book / "_build" / "html"
    pages = {"index": ("Book", "chapters/intro.html", ""),
             "chapters/intro": ("Introduction", "01_toy/index.html#top", "../"),
             "chapters/01_toy/index": ("Toys", "lab.html", "../../"),
             "chapters/01_toy/lab": ("A toy", "../intro.html", "../../")}
    for name, (title, link, up) in pages.items():
        path = root / f"{name}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PAGE.format(title=title, link=link, up=up), "utf8")
    (root / "_static").mkdir()
    (root / "_static" / "dot.png").write_bytes(__import__("base64").b64decode(minibook.PNG))
    return root


INTRO = "_build/html/chapters/intro.html"


def body(html: str):
    return replace(INTRO, "<!-- body -->", html)


SITE_FAULTS = [
    ("links", body('<a href="nowhere.html">x</a>'), "broken link: nowhere.html"),
    ("links", body('<a href="01_toy/index.html#none">x</a>'), "no such anchor"),
    ("links", body('<a href="#none">x</a>'), "no such anchor: #none"),
    ("links", body('<a href="/index.html">x</a>'), "begins with /"),
    ("links", body('<a href="../../../README.md">x</a>'), "leaves the website"),
    ("links", body('<p id="top">x</p>'), "id top stands 2 times"),
    ("links", body('<img src="../_static/dot.png">'), "no real alt text"),
    ("links", body('<img src="../_static/dot.png" alt="">'), "empty alt text"),
    ("links", body('<img src="../_static/dot.png" alt="../_images/dot.png">'), "no real alt text"),
    ("links", body('<script src="https://example.org/x.js"></script>'), "asks another host"),
    ("links", body('<link rel="stylesheet" href="//example.org/x.css">'), "asks another host"),
    ("links", body('<img src="https://example.org/x.png" alt="A remote picture">'), "another host"),
    ("links", add("_build/html/chapters/01_toy/assignment_solution.html", "<p>42</p>"),
     "published, and not in _toc.yml"),
    ("links", replace("_build/html/index.html", "<title>",
                      '<meta http-equiv="Refresh" content="0; url=gone.html"><title>'),
     "broken link: gone.html"),
]


def test_clean_website_passes_links(book: Path) -> None:
    site(book)
    findings = checks.run(book, ["links"]).findings["links"]
    assert findings == []
    assert findings.note == "4 pages, 8 local links, 4 to other sites"


@pytest.mark.parametrize(("name", "plant", "expected"), SITE_FAULTS)
def test_fault_of_the_website_is_found(book: Path, name: str, plant, expected: str) -> None:
    site(book)
    plant(book)
    messages = found(book, name)
    assert any(expected in message for message in messages), messages


needs_chromium = pytest.mark.skipif(
    not _browser.find() or not importlib.util.find_spec("axe_playwright_python"),
    reason="chromium or playwright is not installed (Debian: apt-get install chromium)")


@pytest.fixture
def other_host() -> Iterator[str]:
    """Another server of this machine: nothing real is asked."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _browser.Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@needs_chromium
def test_clean_website_passes_in_the_browser(book: Path) -> None:
    site(book)
    report = checks.run(book, ["requests", "axe"])
    assert report.findings == {"requests": [], "axe": []}
    assert report.findings["axe"].note.startswith("4 pages in 3 modes")


# One page a fault: starting Chromium costs more than the rest.
@needs_chromium
def test_requests_and_errors_are_found(book: Path, other_host: str) -> None:
    root = site(book)
    math = ('<script>window.MathJax = {startup: {promise: Promise.resolve()}}</script>'
            '<span class="math">x</span><span class="math"><mjx-container>'
            '<mjx-merror>Undefined control</mjx-merror></mjx-container></span>')
    planted = {
        "index": f'<script>fetch("{other_host}/x.json").catch(e => 0)</script>',
        "chapters/intro": '<img src="gone.png" alt="A picture that is not there any more">',
        "chapters/01_toy/index": '<script>console.error("oh no"); undefinedFunction()</script>',
        "chapters/01_toy/lab": math,
    }
    for name, html in planted.items():
        replace(f"_build/html/{name}.html", "<!-- body -->", html)(book)
    assert root.is_dir()
    messages = found(book, "requests")
    for way in ("http", "file"):
        for expected in (
            f"index.html: {way}: asks another host: {other_host}/x.json",
            f"chapters/intro.html: {way}: failed: ",
            f"chapters/01_toy/index.html: {way}: console: oh no",
            f"chapters/01_toy/index.html: {way}: script error: undefinedFunction",
            f"chapters/01_toy/lab.html: {way}: 1 formulas are not typeset",
            f"chapters/01_toy/lab.html: {way}: formula error: Undefined control",
        ):
            assert any(expected in message for message in messages), (expected, messages)


@needs_chromium
def test_accessibility_faults_are_found(book: Path) -> None:
    site(book)
    planted = {
        "index": '<button></button>',
        "chapters/intro": '<p style="width: 600px">wide</p>',
        "chapters/01_toy/index": '<p style="color: #777">seen in light, not in dark</p>'
                                 .replace("#777", "#555"),
        "chapters/01_toy/lab": '<p style="color: #ddd; background: #fff">pale</p>',
    }
    for name, html in planted.items():
        replace(f"_build/html/{name}.html", "<!-- body -->", html)(book)
    messages = found(book, "axe")
    for expected in (
        "index.html: light: button-name",
        "index.html: dark: button-name",
        "index.html: 375 px: button-name",
        "chapters/intro.html: 375 px: the page scrolls sideways",
        "chapters/01_toy/index.html: dark: color-contrast",
        "chapters/01_toy/lab.html: light: color-contrast",
    ):
        assert any(expected in message for message in messages), (expected, messages)
    assert not any("01_toy/index.html: light" in message for message in messages)


def test_every_check_has_a_planted_fault() -> None:
    in_browser = {"requests", "axe"}  # the three tests above
    planted = {name for name, _, _ in FAULTS + SITE_FAULTS} | in_browser
    assert planted == set(checks.CHECKS) - (set() if TYPO_IS_TESTED else {"spelling"})
