"""`python -m llmbook.doctor`: what is wrong is named, with what to do; what is right is not."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from types import SimpleNamespace

import pytest

from llmbook import doctor, environment
from llmbook.corpora import CorpusError


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """As if these packages were not installed."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec",
                        lambda name, *rest: None if name in names else real(name, *rest))


def test_it_runs_as_a_command_and_says_what_it_looked_at() -> None:
    done = subprocess.run([sys.executable, "-m", "llmbook.doctor"], capture_output=True, text=True,
                          check=False)
    for name in ("Python", "Libraries", "Memory", "Disk", "Threads", "MiniLM", "Notebooks"):
        assert name in done.stdout
    assert done.returncode == int("attention" in done.stdout)
    assert not done.stderr


def test_it_needs_no_library_of_the_book() -> None:
    """In an interpreter that can import nothing but the standard library and `packaging`."""
    code = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in ("torch", "numpy", "transformers", "psutil", "safetensors", "matplotlib",
                   "jupyterlab", "ipykernel", "scipy"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Nothing())
import importlib.util
real = importlib.util.find_spec
def find_spec(name, package=None):
    try:
        return real(name, package)
    except ModuleNotFoundError:
        return None
importlib.util.find_spec = find_spec
from llmbook import doctor
text, todo = doctor.report(look() for look in doctor.LOOKED_AT)
assert "MiniLM" in text and "safetensors is missing" in text, text
assert todo
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_other_versions_come_with_the_command_that_mends_them(monkeypatch) -> None:
    monkeypatch.setattr(environment, "differences", lambda tested: ["torch: 2.0 here, 2.13 tested"])
    found = doctor.versions()
    assert found.found == "torch: 2.0 here, 2.13 tested"
    assert found.advice == environment.REPAIR
    monkeypatch.setattr(environment, "tested_versions", dict)
    assert "constraints.txt" in doctor.versions().found


@pytest.mark.parametrize(("free", "wrong"), [(2.9, True), (3.1, False)])
def test_too_little_memory(monkeypatch, free: float, wrong: bool) -> None:
    seen = SimpleNamespace(available=free * 2**30, total=8 * 2**30)
    monkeypatch.setattr("psutil.virtual_memory", lambda: seen)
    found = doctor.memory()
    assert found.found == f"{free:.1f} GiB free of 8.0"
    assert bool(found.advice) == wrong


@pytest.mark.parametrize(("free", "wrong"), [(0.9, True), (1.1, False)])
def test_a_full_disk(monkeypatch, free: float, wrong: bool) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage",
                        lambda _: SimpleNamespace(free=free * 2**30))
    assert bool(doctor.disk().advice) == wrong


@pytest.mark.parametrize(("asked", "wrong"), [("1", False), ("4", False), ("5", True),
                                              ("0", True), ("two", True)])  # fmt: skip
def test_threads(monkeypatch, asked: str, wrong: bool) -> None:
    monkeypatch.setenv("LLMBOOK_THREADS", asked)
    monkeypatch.setattr(doctor.os, "cpu_count", lambda: 4)
    assert bool(doctor.threads().advice) == wrong


def test_an_old_python(monkeypatch) -> None:
    assert not doctor.python().advice
    monkeypatch.setattr(doctor, "OLDEST", (99, 0))
    assert doctor.python().advice == "install Python 99.0 or later"


def test_altered_weights(monkeypatch) -> None:
    def altered() -> None:
        raise CorpusError("model.safetensors is not the published file")

    monkeypatch.setattr("llmbook.pretrained.minilm_folder", altered)
    assert doctor.pretrained().advice == "model.safetensors is not the published file"
    without(monkeypatch, "safetensors")
    assert doctor.pretrained().advice == environment.REPAIR


def test_a_kernel_that_is_missing(monkeypatch) -> None:
    assert not doctor.kernel().advice
    without(monkeypatch, "ipykernel")
    assert doctor.kernel().found == "ipykernel missing"


def test_the_report_counts_what_is_to_be_done() -> None:
    good, bad = doctor.Finding("A", "fine"), doctor.Finding("B", "broken", "mend it")
    assert doctor.report([good]) == ("  A             fine\nReady.", 0)
    text, todo = doctor.report([good, bad])
    assert todo == 1
    assert "! B             broken\n    -> mend it" in text
    assert text.endswith("1 of 2 need attention (marked with !).")
