"""Results of a study: one row for each run, its settings and what was measured."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

FOLDER = Path(__file__).parents[1] / "checkpoints" / "studies"

Row = dict[str, Any]


def device() -> str:
    """Torch's name of the device, from ``--device``; "cpu" if it is not given."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu", help="torch's name of it; cpu if not given")
    return parser.parse_args().device


def load(name: str) -> list[Row]:
    """The stored rows of a study.

    Raises:
        FileNotFoundError: if it has not been run; the message says how.
    """
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `python -m llmbook.studies.{name}`")
    return json.loads(path.read_text("utf8"))["rows"]


def select(rows: Iterable[Row], **settings: Any) -> list[Row]:
    """The rows with these settings, in their order."""
    return [row for row in rows if all(row[key] == value for key, value in settings.items())]


def complete(
    name: str, text: str, settings: list[Row], run: Callable[..., Row], folder: Path = FOLDER
) -> list[Row]:
    """Run what is missing, write after each run, and return the rows in the order of settings.

    Args:
        text: fingerprint of the data; rows that were made from other data are made again
        run: gives what it measured, from one of ``settings``
    """
    path = folder / f"{name}.json"
    known: list[Row] = []
    if path.is_file():
        stored = json.loads(path.read_text("utf8"))
        known = stored["rows"] if stored["text"] == text else []
    rows = []
    for i, wanted in enumerate(settings):
        found = select((row for row in known if wanted.keys() <= row.keys()), **wanted)
        row = found[0] if found else {**wanted, **run(**wanted)}
        rows.append(row)
        if not found:
            shown = {k: v for k, v in row.items() if not isinstance(v, list) and len(str(v)) < 80}
            print(f"{i + 1} of {len(settings)}:", shown, flush=True)
            later = [r for w in settings[i + 1 :] for r in known if w.items() <= r.items()]
            _write(path, {"text": text, "rows": rows + later})
    _write(path, {"text": text, "rows": rows})
    return rows


def main(name: str, text: str, settings: list[Row], run: Callable[..., Row]) -> None:
    """The command of a study: everything that is missing, on one thread."""
    torch.set_num_threads(1)
    complete(name, text, settings, run)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(row) for row in content["rows"])
    partial = path.with_suffix(".partial")
    head = f'{{"text": {json.dumps(content["text"])}, "rows": ['
    partial.write_text(f"{head}\n{lines}\n]}}\n", "utf8")
    os.replace(partial, path)
