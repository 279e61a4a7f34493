"""Is this computer ready for the book? ``python -m llmbook.doctor`` says, and what to do if not.

It looks at Python, the versions of the libraries, memory, cores and threads, the pretrained model,
the shipped checkpoints and the Jupyter kernel. It changes nothing, asks nobody and needs no
library of the book to be installed: what is missing is a finding, not an error.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from llmbook import environment

OLDEST = (3, 11)
MEMORY = 3.0  # GiB that the largest lab may take
DISK = 1.0  # GiB for the website and what labs write into temporary folders


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    name    what it is
    found   what was found, in a few words
    advice  what to do; empty if nothing needs to be done
    """

    name: str
    found: str
    advice: str = ""

    def __str__(self) -> str:
        mark = "!" if self.advice else " "
        return f"{mark} {self.name:14s}{self.found}" + f"\n    -> {self.advice}" * bool(self.advice)


def python() -> Finding:
    """The interpreter, and whether it is that of a virtual environment."""
    where = "a virtual environment" if sys.prefix != sys.base_prefix else "no virtual environment"
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {where}"
    advice = f"install Python {'.'.join(map(str, OLDEST))} or later"
    return Finding("Python", found, advice * (sys.version_info < OLDEST))


def versions() -> Finding:
    """The libraries that numbers depend on, beside the versions that the book was tested with."""
    tested = environment.tested_versions()
    if not tested:
        advice = "run this from a clone of the book's repository, installed by `make`"
        return Finding("Libraries", "not compared: the book's constraints.txt is missing", advice)
    other = environment.differences(tested)
    found = "; ".join(other) if other else f"all {len(tested)} are the tested ones"
    return Finding("Libraries", found, environment.REPAIR * bool(other))


def memory() -> Finding:
    """What is free of this computer's memory, in GiB."""
    if importlib.util.find_spec("psutil") is None:
        return Finding("Memory", "not measured: psutil is not installed")
    import psutil

    seen = psutil.virtual_memory()
    free, total = seen.available / 2**30, seen.total / 2**30
    advice = f"close other programs: a lab takes up to {MEMORY:.0f} GiB" * (free < MEMORY)
    return Finding("Memory", f"{free:.1f} GiB free of {total:.1f}", advice)


def disk() -> Finding:
    """What is free where temporary files go, in GiB."""
    free = shutil.disk_usage(os.path.realpath(environment.ROOT)).free / 2**30
    return Finding("Disk", f"{free:.1f} GiB free", f"free {DISK:.0f} GiB" * (free < DISK))


def threads() -> Finding:
    """Cores, and how many threads a lab uses: one, unless LLMBOOK_THREADS says more."""
    asked = os.environ.get("LLMBOOK_THREADS", "1")
    advice = ""
    if not asked.isdigit() or int(asked) < 1:
        advice = "set LLMBOOK_THREADS to a whole number, or remove it"
    elif int(asked) > (os.cpu_count() or 1):
        advice = "more threads than cores make a lab slower: remove LLMBOOK_THREADS"
    return Finding("Threads", f"{asked} of {os.cpu_count()} cores", advice)


def pretrained() -> Finding:
    """MiniLM's weights, compared with the published file."""
    if importlib.util.find_spec("safetensors") is None:
        return Finding("MiniLM", "not looked for: safetensors is missing", environment.REPAIR)
    from llmbook.corpora import CorpusError
    from llmbook.pretrained import minilm_folder

    try:
        minilm_folder()
    except CorpusError as error:
        return Finding("MiniLM", "not found, or altered", str(error))
    return Finding("MiniLM", "there, and equal to the published file")


def kernel() -> Finding:
    """Whether JupyterLab can run the labs with this Python."""
    missing = [n for n in ("jupyterlab", "ipykernel") if importlib.util.find_spec(n) is None]
    found = f"{' and '.join(missing)} missing" if missing else "JupyterLab runs with this Python"
    return Finding("Notebooks", found, environment.REPAIR * bool(missing))


LOOKED_AT: tuple[Callable[[], Finding], ...] = (
    python, versions, memory, disk, threads, pretrained, kernel
)  # fmt: skip


def report(findings: Iterable[Finding]) -> tuple[str, int]:
    """The lines to print, and how many findings need something to be done."""
    found = list(findings)
    todo = sum(bool(one.advice) for one in found)
    end = "Ready." if not todo else f"{todo} of {len(found)} need attention (marked with !)."
    return "\n".join([*map(str, found), end]), todo


def main() -> int:
    """Print the report; 0 if nothing needs to be done, else 1."""
    text, todo = report(look() for look in LOOKED_AT)
    print(text)
    return int(todo > 0)


if __name__ == "__main__":
    sys.exit(main())
