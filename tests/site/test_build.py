"""The site builds without a warning and has in it what it promises."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from booktools.site import finish, labs, numbering, repository
from booktools.site.build import BuildError, build

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium")


def pages(site: Path) -> list[Path]:
    return [page for page in site.rglob("*.html") if "_static" not in page.parts]


def soup(page: Path) -> BeautifulSoup:
    return BeautifulSoup(page.read_text("utf-8"), "html.parser")


# ---------- the book itself ----------


def test_first_page_leads_into_the_book(site: Path) -> None:
    first = soup(site / "index.html")
    target = first.find("meta", attrs={"http-equiv": "refresh"})["content"].split("url=")[1]
    assert (site / target).is_file()
    assert first.html["lang"] == "en"
    assert first.title.string


def test_a_second_build_writes_no_page_and_is_quick(site: Path) -> None:
    before = {page: page.stat().st_mtime_ns for page in pages(site) if page.name != "index.html"}
    start = time.perf_counter()
    build(ROOT)
    assert time.perf_counter() - start < 30
    assert {page: page.stat().st_mtime_ns for page in before} == before


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """The cheap half of the check in a browser (booktools.checks)."""
    for page in pages(site):
        for tag, attribute in (("script", "src"), ("link", "href"), ("img", "src")):
            for element in soup(page).find_all(tag, attrs={attribute: True}):
                assert not re.match(r"(https?:)?//", element[attribute]), (page, element)


def test_mathjax_is_complete_and_small(site: Path) -> None:
    mathjax = site / "_static" / "mathjax"
    assert (mathjax / "tex-chtml-full.js").is_file()
    assert len(list(mathjax.rglob("*.woff"))) >= 20
    assert sum(file.stat().st_size for file in mathjax.rglob("*.*")) < 2_000_000


def test_only_pages_with_formulas_load_mathjax(site: Path) -> None:
    for page in pages(site):
        text = page.read_text("utf-8")
        formula = soup(page).select_one(".math, .output_area")
        assert ("tex-chtml-full.js" in text) == bool(formula), page


def test_every_term_carries_its_definition(site: Path) -> None:
    terms = [
        (page, term)
        for page in pages(site)
        for term in soup(page).select("a.reference.internal:has(> .std-term)")
        if "#" in term["href"] and not term["href"].startswith("#")
    ]
    assert terms
    for page, term in terms:
        assert len(term.get("data-definition", "")) > 20, (page, term)


def test_chinese_names_of_terms_are_marked_as_chinese(site: Path) -> None:
    names = soup(site / "chapters" / "glossary.html").select("dl.glossary dt")
    chinese = [name for name in names if re.match(r"[\u3400-\u9fff]", name.get_text())]
    assert chinese
    assert all(name.get("lang") == "zh-Hans" for name in chinese)
    assert not any(name.get("lang") for name in names if name not in chinese)


def test_solutions_are_not_published(site: Path) -> None:
    assert not list(site.rglob("*assignment_solution*"))


def test_ids_are_unique(site: Path) -> None:
    for page in pages(site):
        ids = [element["id"] for element in soup(page).find_all(id=True)]
        assert sorted(ids) == sorted(set(ids)), page


@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
def test_definition_opens_stays_and_closes(site: Path) -> None:
    """WCAG 1.4.13: hover and focus open it, the pointer may rest on it, Escape closes it."""
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        page.goto((site / "chapters" / "intro.html").as_uri())
        term, box = page.locator("a[data-definition]").first, page.locator("#term-box")
        expect(box).to_be_hidden()

        term.hover()
        expect(box).to_have_text(term.get_attribute("data-definition"))
        expect(term).to_have_attribute("aria-describedby", "term-box")
        box.hover()
        page.wait_for_timeout(600)
        expect(box).to_be_visible()
        page.keyboard.press("Escape")
        expect(box).to_be_hidden()

        term.focus()
        expect(box).to_be_visible()
        page.keyboard.press("Tab")
        expect(box).to_be_hidden()

        term.hover()
        expect(box).to_be_visible()
        page.mouse.move(0, 0)
        expect(box).to_be_hidden()
        browser.close()


# ---------- a small book, to see the site change ----------

RECORD = {
    "wall_seconds": 95.2,
    "cpu_seconds": 90.1,
    "peak_memory_mib": 1331,
    "threads": 1,
    "python": "3.11.7",
    "versions": {"torch": "2.13.0"},
    "executed": "2026-11-23",
}
TOC = """\
format: jb-book
root: chapters/intro
parts:
  - caption: Foundations of it
    numbered: true
    chapters:
      - file: chapters/03_third/index
        sections: [{file: chapters/03_third/done}, {file: chapters/03_third/undone}]
  - caption: Later
    numbered: true
    chapters: [{file: chapters/07_seventh/index}]
  - caption: Back matter
    chapters: [{file: chapters/glossary}, {file: chapters/execution}]
"""
PAGES = {
    "intro.md": "# A small book\n\nA {term}`token <token>`.\n",
    "03_third/index.md": (
        "# Third\n\n## Labs\n\n```{labs}\ndone: what one **does**\n```\n\n"
        "$$\na = b\n$$ (eq-small)\n\n"
        "```{exercise} A title to translate\n:label: ex-small\nCount.\n```\n"
    ),
    "07_seventh/index.md": (
        "# Seventh\n\n## Section\n\nSee {eq}`eq-small` and {numref}`ex-small`.\n"
    ),
    "glossary.md": (
        '# Glossary\n\n```{glossary}\ntoken\n词元\n  A unit of "text" as it is read.\n```\n'
    ),
    "execution.md": "# Execution\n\n```{execution-status}\n```\n",
    "references.bib": "",
}


def notebook(title: str, record: dict[str, object] | None) -> str:
    source = f"# {title}\n\n## Part"
    cells = [{"cell_type": "markdown", "metadata": {}, "id": "title", "source": source}]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    if record:
        metadata["llmbook"] = record
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book of two chapters with the settings and the extension of the real one, built once."""
    root = tmp_path_factory.mktemp("small")
    shutil.copy(ROOT / "_config.yml", root)
    shutil.copytree(ROOT / "code" / "booktools" / "site", root / "code" / "booktools" / "site")
    (root / "code" / "booktools" / "__init__.py").touch()
    (root / "_toc.yml").write_text(TOC, "utf-8")
    for name, text in PAGES.items():
        path = root / "chapters" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    third = root / "chapters" / "03_third"
    (third / "done.ipynb").write_text(notebook("Done lab", RECORD), "utf-8")
    (third / "undone.ipynb").write_text(notebook("Undone lab", None), "utf-8")
    (third / "assignment_solution.ipynb").write_text(notebook("Secret", None), "utf-8")
    build(root)
    return root


def output(root: Path, page: str) -> BeautifulSoup:
    return soup(root / "_build" / "html" / "chapters" / page)


def cells(table: BeautifulSoup) -> list[list[str]]:
    return [[cell.get_text(" ", strip=True) for cell in row("td")] for row in table.tbody("tr")]


def test_labs_are_listed_with_time_and_memory(small: Path) -> None:
    table = output(small, "03_third/index.html").select_one("table.chapter-labs")
    assert cells(table) == [
        ["Done lab", "what one does", "1 min 30 s", "1.3 GiB"],
        ["Undone lab", "", "not yet run", "–"],
    ]
    assert [link["href"] for link in table("a")] == ["done.html", "undone.html"]


def test_execution_status_lists_every_lab(small: Path) -> None:
    done, undone = cells(output(small, "execution.html").select_one("table.execution-status"))
    assert done == [
        "Done lab",
        "2026-11-23",
        "1 min 35 s",
        "1 min 30 s",
        "1.3 GiB",
        "Python 3.11.7, torch 2.13.0",
    ]
    assert undone[:2] == ["Undone lab", "not yet run"]


def test_numbers_come_from_the_folders(small: Path) -> None:
    third, seventh = (output(small, f"{name}/index.html") for name in ("03_third", "07_seventh"))
    assert third.article.h1.select_one(".section-number").string.strip() == "3."
    assert third.select_one(".eqno").get_text().startswith("(3.1)")
    assert seventh.article.h1.select_one(".section-number").string.strip() == "7."
    assert seventh.article.h2.select_one(".section-number") is None
    labs = [output(small, f"03_third/{name}.html").article for name in ("done", "undone")]
    numbers = [
        [heading.select_one(".section-number").string.strip() for heading in lab(["h1", "h2"])]
        for lab in labs
    ]
    assert numbers == [["3.1.", "3.1.1."], ["3.2.", "3.2.1."]]
    text = seventh.article.get_text()
    assert "(3.1)" in text
    assert "Exercise 3.1" in text
    sidebar = [link.get_text(strip=True) for link in seventh.select("#pst-primary-sidebar li > a")]
    assert "7. Seventh" in sidebar


def test_a_term_may_have_a_quotation_mark_in_its_definition(small: Path) -> None:
    term = output(small, "intro.html").select_one("a[data-definition]")
    assert term["data-definition"] == "A unit of “text” as it is read."


def test_unlisted_pages_are_not_published(small: Path) -> None:
    built = small / "_build" / "html"
    assert not [file for file in built.rglob("*") if "assignment_solution" in file.name]
    assert not [p for p in pages(built) if "Secret" in p.read_text("utf-8")]


def test_launch_buttons_wait_for_a_real_address(small: Path) -> None:
    config = small / "_config.yml"
    placeholder = config.read_text("utf-8")
    lab = output(small, "03_third/done.html")
    assert "OWNER" in placeholder
    assert not lab.select('a[href*="mybinder"], a[href*="colab"], a[href*="github"]')
    assert lab.select_one('a[href$="_sources/chapters/03_third/done.ipynb"]')
    config.write_text(placeholder.replace("/OWNER/", "/someone/"), "utf-8")
    try:
        build(small)
        links = [link["href"] for link in output(small, "03_third/done.html")("a", href=True)]
    finally:
        config.write_text(placeholder, "utf-8")
    where = "someone/llms-you-can-run"
    path = "chapters/03_third/done.ipynb"
    assert f"https://mybinder.org/v2/gh/{where}/main?urlpath=lab/tree/{path}" in links
    assert f"https://colab.research.google.com/github/{where}/blob/main/{path}" in links
    assert f"https://github.com/{where}" in links


def test_a_warning_fails_the_build_each_time(small: Path) -> None:
    page = small / "chapters" / "07_seventh" / "index.md"
    good = page.read_text("utf-8")
    page.write_text(good + "\n{doc}`no-such-page`\n", "utf-8")
    try:
        for _ in range(2):  # Sphinx alone would pass the second time, on what it remembers
            with pytest.raises(BuildError, match="no-such-page"):
                build(small)
        assert build(small, strict=False).is_file()
    finally:
        page.write_text(good, "utf-8")
    build(small)


def test_a_new_run_of_a_lab_reaches_the_tables(small: Path) -> None:
    lab = small / "chapters" / "03_third" / "undone.ipynb"
    lab.write_text(notebook("Undone lab", {**RECORD, "cpu_seconds": 7.4}), "utf-8")
    build(small)
    assert cells(output(small, "03_third/index.html").select_one("table"))[1][2] == "7 s"
    assert cells(output(small, "execution.html").select_one("table"))[1][3] == "7 s"


def test_a_page_that_leaves_the_contents_leaves_the_site(small: Path) -> None:
    toc = small / "_toc.yml"
    toc.write_text(TOC.replace(", {file: chapters/03_third/undone}", ""), "utf-8")
    build(small)
    assert not list((small / "_build" / "html").rglob("undone*"))
    assert "Undone" not in output(small, "03_third/index.html").get_text()


def test_what_readers_read_can_be_translated(small: Path) -> None:
    script = "from jupyter_book.cli.main import main; main()"
    out = small / "gettext"
    arguments = ["--builder", "custom", "--custom-builder", "gettext", "--path-output", str(out)]
    subprocess.run(
        [sys.executable, "-c", script, "build", str(small), *arguments],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    catalogues = out / "_build" / "gettext" / "chapters"
    messages = "".join(path.read_text("utf-8") for path in catalogues.rglob("*.pot"))
    for wanted in (
        "Foundations of it",
        "A unit of",
        "A title to translate",
        "what one **does**",
        "Processor time and peak memory of one run",
    ):
        assert wanted in messages


def test_a_folder_that_is_no_book_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"no _config\.yml"):
        build(tmp_path)


# ---------- parts ----------


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 s"), (42.4, "42 s"), (59.6, "1 min 0 s"), (95, "1 min 35 s")]
)
def test_duration(seconds: float, said: str) -> None:
    assert labs.duration(seconds) == said


@pytest.mark.parametrize(("mebibytes", "said"), [(412, "412 MiB"), (1331, "1.3 GiB")])
def test_memory(mebibytes: float, said: str) -> None:
    assert labs.memory(mebibytes) == said


@pytest.mark.parametrize(
    ("docname", "number"),
    [("chapters/03_word_vectors/index", 3), ("chapters/13_faq/a/b", 13), ("chapters/intro", None)],
)
def test_chapter_number(docname: str, number: int | None) -> None:
    assert numbering.chapter_number(docname) == number


@pytest.mark.parametrize(
    ("url", "real"),
    [
        ("https://github.com/someone/book", True),
        ("https://github.com/OWNER/book", False),
        ("https://github.com/someone", False),
        ("", False),
    ],
)
def test_is_real(url: str, real: bool) -> None:
    assert repository.is_real(url) is real


def test_repairs_and_definitions_change_nothing_the_second_time() -> None:
    page = (
        '<dt id="term-0">词元</dt><table><th></th></table>'
        '<a class="reference internal" href="../glossary.html#term-token">'
        '<span class="xref std std-term">token</span></a>'
        '<figure class="align-default" id="f"><img alt="A drawing." src="../_images/d.svg" />'
    )
    known = {("chapters/glossary.html", "term-token"): 'a "unit" & more'}

    def finished(text: str) -> str:
        return finish.define_terms(finish.repair(text), "chapters/03_x/index.html", known)

    once = finished(page)
    assert 'data-definition="a &quot;unit&quot; &amp; more"' in once
    assert '<dt id="term-0" lang="zh-Hans">' in once
    assert "<th></th>" not in once
    assert '<div class="diagram"><img alt="A drawing." src="../_images/d.svg" /></div>' in once
    assert finished(once) == once
