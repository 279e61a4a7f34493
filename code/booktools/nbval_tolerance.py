"""A pytest plugin beside nbval: numbers of a cell may move by as much as the cell says.

    pytest --nbval -p booktools.nbval_tolerance chapters

A cell with metadata `"compare": {"rtol": 0.05, "atol": 0}` passes when the text of each output
is the stored text, except that a number may differ by at most `atol + rtol * |stored|`. The two
texts must hold the same number of numbers. Spaces in front of a number are padding and may differ,
as `f"{x:6.2f}"` makes them. NaN equals NaN only, an infinity the same infinity only.

A cell without that metadata stays strict. In every cell an image is compared by being there and
by its type, not by its bytes: two builds of matplotlib draw the same curve in other bytes.
"""

from __future__ import annotations

import math
import os
import re

import pytest
from nbval.plugin import IPyNbCell, NbCellError

from booktools.notebooks import kernel_environment

# Not inside a word ("word2vec") nor a version ("2.13.0"); thousands may be grouped by commas.
NUMBER = re.compile(
    r"[ ]*(?<![\w.])("
    r"[-+−]?(?:(?>\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?>\.\d*)?|\.\d+)(?>(?:[eE][-+−]?\d+)?)(?!\.?\d)"
    r"|[-+−]?(?:nan|NaN|inf|Infinity)\b)"
)


def numbers_and_rest(text: str) -> tuple[list[str], str]:
    """The numbers as they are written, and the text with a mark in place of each."""
    return NUMBER.findall(text), NUMBER.sub("\0", text)


def value(token: str) -> float:
    return float(token.replace(",", "").replace("−", "-"))


def close(stored: float, fresh: float, rtol: float, atol: float) -> bool:
    if not (math.isfinite(stored) and math.isfinite(fresh)):
        return stored == fresh or (math.isnan(stored) and math.isnan(fresh))
    # The last digits of the bound itself are noise: 0.05 * 0.6 is a little below 0.03.
    return abs(fresh - stored) <= (atol + rtol * abs(stored)) * (1 + 1e-9) + 1e-15


def disagreement(stored: str, fresh: str, rtol: float, atol: float) -> str | None:
    """Why the fresh text does not agree with the stored one; None when it does."""
    (old, old_rest), (new, new_rest) = numbers_and_rest(stored), numbers_and_rest(fresh)
    if len(old) != len(new):
        return f"{len(old)} numbers are stored, {len(new)} came"
    if old_rest != new_rest:
        return "the text around the numbers differs"
    for position, (a, b) in enumerate(zip(old, new, strict=True), 1):
        if not close(value(a), value(b), rtol, atol):
            return f"number {position}: {a} is stored, {b} came (rtol {rtol}, atol {atol})"
    return None


def tolerance(compare: object) -> tuple[float, float]:
    """(rtol, atol) of a cell's metadata; ValueError when it is not understood."""
    names = {"rtol", "atol"}
    if not isinstance(compare, dict) or not compare or not set(compare) <= names or not all(
        isinstance(v, int | float) and not isinstance(v, bool) and v >= 0 for v in compare.values()
    ):
        raise ValueError(f'"compare" must look like {{"rtol": 0.05, "atol": 0}}, not {compare!r}')
    return compare.get("rtol", 0), compare.get("atol", 0)


def without_images(outputs: list) -> list:
    """Outputs in which the bytes of each image are replaced by the word that one is there."""
    result = []
    for output in outputs:
        if "data" in output:
            data = {mime: "an image" if mime.startswith("image/") else content
                    for mime, content in output["data"].items()}
            output = type(output)({**output, "data": data})
        result.append(output)
    return result


def accepted(fresh: list, stored: list, rtol: float, atol: float) -> tuple[list, list[str]]:
    """Fresh outputs with each text that agrees replaced by the stored one, and what disagrees."""
    result, faults = [], []
    for i, output in enumerate(fresh):
        twin = stored[i] if i < len(stored) else {}
        output = type(output)(output)
        pairs = [(output, "text", twin)] if "text" in output else []
        if "data" in output:
            output["data"] = type(output["data"])(output["data"])
            pairs += [(output["data"], mime, twin.get("data", {})) for mime in output["data"]]
        for holder, key, old in pairs:
            if isinstance(holder[key], str) and isinstance(old.get(key), str):
                reason = disagreement(old[key], holder[key], rtol, atol)
                if reason is None:
                    holder[key] = old[key]
                else:
                    faults.append(f"{key}: {reason}")
        result.append(output)
    return result, faults


class Cell(IPyNbCell):
    """nbval's cell, with tolerance and images by presence."""

    def compare_outputs(self, test: list, ref: list, skip_compare: tuple | None = None) -> bool:
        skip = skip_compare or self.parent.skip_compare
        skip = tuple(key for key in skip if not key.startswith("image/"))
        test, ref = without_images(test), without_images(ref)
        faults: list[str] = []
        if "compare" in self.cell.metadata:
            try:
                rtol, atol = tolerance(self.cell.metadata["compare"])
            except ValueError as error:
                raise NbCellError(self.cell_num, str(error), self.cell.source) from None
            test, faults = accepted(test, ref, rtol, atol)
        same = super().compare_outputs(test, ref, skip_compare=skip)
        self.comparison_traceback += faults
        return same


def pytest_configure(config: pytest.Config) -> None:
    """This Python as the kernel, in the environment in which the outputs were stored."""
    if config.option.nbval or config.option.nbval_lax:
        config.option.nbval_current_env = True
        os.environ.pop("MPLBACKEND", None)
        os.environ.update(kernel_environment(os.environ.get("LLMBOOK_THREADS", "1")))


def pytest_itemcollected(item: pytest.Item) -> None:
    if isinstance(item, IPyNbCell):
        item.__class__ = Cell
        item.output_timeout = 60  # seconds; nbval's 5 are short on a busy machine
