"""A small book that passes every check, for tests that plant one fault in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from booktools.checks import _book, readme

LAB = "chapters/01_toy/lab.ipynb"
INDEX = "chapters/01_toy/index.md"
PNG = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
       "rkJggg==")
ALT = "Line chart: the loss falls from one to almost nothing within ten steps."

TOC = """format: jb-book
root: chapters/intro
parts:
  - caption: Chapters
    numbered: true
    chapters:
      - file: chapters/01_toy/index
        sections:
          - file: chapters/01_toy/lab
"""
README = f"""# A small book

{readme.BEGIN}
{readme.END}
"""
BIB = """@article{adams2001first,
  author = {Adams, Ada},
  title = {Fine Tuning and Pre-training: {A} History},
  journal = {Journal of Toys},
  year = {2001},
}

@inproceedings{brown2002second,
  author = {Brown, Bob},
  title = {Second Thoughts},
  booktitle = {Proceedings of Toys},
  year = {2002},
}
"""
PAGE = """# Toys

A toy reaches a correlation of 0.44, which is 44 % of what is possible and 12.5 points above 0.3105.
Rounded from a longer print it is 0.31; the gap is −0.25 (or $-0.25$). In `code 9.99` and in
$x = 7.77$ nothing is claimed, and neither is in section 3.25. The model has 22.7 M parameters.
Brown measured 0.987 on paper, as {cite:t}`brown2002second` say. The glued number is
{glue:text}`toy-score`. See {numref}`fig-loss`, {numref}`Figure %s <fig-drawn>` and {eq}`eq-toy`.
The title *Fine tuning and pre-training* keeps its spelling; this book writes fine-tuning.

$$
\\begin{aligned} y &= 1.23 x \\end{aligned}
$$ (eq-toy)

```{figure} figures/drawn.svg
:name: fig-drawn
:alt: Diagram: a box with an arrow that leads back to the box itself.

A box that points to itself.
```

## Objectives
Build a toy.

## Prerequisites
None.

## Time and memory
One minute.

## Labs
```{labs}
```

## Where this breaks
Everywhere.

## Summary
A toy was built.

## Exercises
```{exercise} A larger toy
:label: ex-larger
Build it.
```

## Sources
Read {cite:t}`adams2001first`.
"""


def stream(text: str, name: str = "stdout") -> dict:
    return {"output_type": "stream", "name": name, "text": text}


def code(source: str, *outputs: dict, count: int, **metadata: object) -> dict:
    return {"cell_type": "code", "id": f"cell-{count}", "metadata": metadata, "source": source,
            "execution_count": count, "outputs": list(outputs)}


def notebook() -> dict:
    figure = {"output_type": "display_data", "metadata": {},
              "data": {"image/png": PNG, "text/plain": "<Figure size 640x480 with 1 Axes>"}}
    mystnb = {"figure": {"caption": "Loss.", "name": "fig-loss"}, "image": {"alt": ALT}}
    return {
        "cells": [
            {"cell_type": "markdown", "id": "title", "metadata": {},
             "source": "# A toy\n\nThe correlation is 0.44 with a rate of 0.025."},
            code("from llmbook import environment\n\nenvironment.start()",
                 stream("Versions agree with the tested ones.\n"), count=1),
            code("rate = 0.025\nprint(correlation)",
                 stream("0.44 0.3105 -0.25 12.5\n22713216\n"), count=2,
                 compare={"rtol": 0.05}),
            code("# not compared: the time depends on the machine\nprint(seconds)",
                 stream("3.2\n"), count=3, tags=["nbval-ignore-output"]),
            code("plot()", figure, count=4, mystnb=mystnb),
        ],
        "metadata": {
            "kernelspec": _book.KERNELSPEC, "language_info": _book.LANGUAGE_INFO,
            "llmbook": {"wall_seconds": 12.3, "cpu_seconds": 10.1, "peak_memory_mib": 512,
                        "threads": 1, "python": "3.11.7", "versions": {}, "executed": "2026-01-01"},
        },
        "nbformat": 4, "nbformat_minor": 5,
    }


def make(root: Path) -> Path:
    """Write the book and return its root."""
    texts = {"_toc.yml": TOC, "README.md": README, "chapters/references.bib": BIB, INDEX: PAGE,
             "chapters/intro.md": "# Introduction\n\nHello.\n",
             LAB: json.dumps(notebook(), indent=1) + "\n"}
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf8")
    readme.rewrite(root)
    return root


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    """A fault: other text in a file. The old text must be there, or nothing would be planted."""

    def plant(root: Path) -> None:
        path = root / name
        text = path.read_text("utf8")
        assert old in text, f"{old!r} is not in {name}"
        path.write_text(text.replace(old, new, 1), "utf8")

    return plant


def add(name: str, text: str) -> Callable[[Path], None]:
    """A fault: more text at the end of a file, or a new file."""

    def plant(root: Path) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        old = path.read_text("utf8") if path.exists() else ""
        path.write_text(old + text, "utf8")

    return plant


def remove(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).unlink()


def lab(change: Callable[[list[dict], dict], object]) -> Callable[[Path], None]:
    """A fault in the lab: `change(code cells, notebook)`; cells count from 0."""

    def plant(root: Path) -> None:
        path = root / LAB
        data = json.loads(path.read_text("utf8"))
        change([c for c in data["cells"] if c["cell_type"] == "code"], data)
        path.write_text(json.dumps(data), "utf8")

    return plant
