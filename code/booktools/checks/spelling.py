"""codespell over the prose, the code and the README."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from booktools.checks import _book
from booktools.checks._book import Finding, relative

SKIPPED = "*.svg,*.bib,*.json,*.js,*.css,*.png,*.pyc,*.ipynb,*.safetensors,*.npz,*.csv"
RIGHT = "multline,nd,gage,rouge,febuary"  # of LaTeX, of the field, and one a lab misspells
LINE = re.compile(r"^(.*?):(\d+): (.*)$")


def check(root: Path) -> list[Finding]:
    findings = []
    with tempfile.TemporaryDirectory() as folder:
        # Notebooks hold pictures as text, in which codespell would find misspellings: it gets
        # their cells alone.
        for path in [p for p in _book.pages(root) if p.suffix == ".ipynb"]:
            copy = Path(folder) / (relative(path, root) + ".txt")
            copy.parent.mkdir(parents=True, exist_ok=True)
            cells = _book.read_notebook(path)["cells"]
            copy.write_text("\n\n".join(_book.joined(c["source"]) for c in cells), "utf8")
        places = [p for p in (root / "chapters", root / "code", root / "README.md") if p.exists()]
        for line in codespell(root, [*places, Path(folder)]):
            if match := LINE.match(line):
                path, number, what = match.groups()
                if Path(path).is_relative_to(folder):
                    name = Path(path).relative_to(folder).as_posix().removesuffix(".txt")
                    findings.append(Finding(name, None, what))
                else:
                    findings.append(Finding(relative(Path(path), root), int(number), what))
    return findings


def codespell(root: Path, places: list[Path]) -> list[str]:
    command = [sys.executable, "-m", "codespell_lib", "--disable-colors", "--skip", SKIPPED,
               "--ignore-words-list", RIGHT]
    done = subprocess.run([*command, *map(str, places)], cwd=root, capture_output=True, text=True,
                          encoding="utf8")
    if done.returncode not in (0, 65):  # 65: misspellings were found
        raise RuntimeError(f"codespell failed: {done.stderr.strip()}")
    return done.stdout.splitlines()
