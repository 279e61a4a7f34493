"""The first cell: one stable line, or what differs and the one command that mends it."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmbook import environment


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """start() writes into os.environ and the warning filters: leave no trace for other tests."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(environment.importlib, "import_module", no_plots)
    monkeypatch.setattr(environment.warnings, "filterwarnings", lambda *_: None)
    monkeypatch.setitem(sys.modules, "torch", FakeTorch())


def no_plots(name: str) -> None:
    raise ImportError(name)


class FakeTorch:
    threads: int | None = None

    def set_num_threads(self, threads: int) -> None:
        self.threads = threads


def constraints(folder: Path, *lines: str) -> Path:
    path = folder / "constraints.txt"
    path.write_text("# pins\n\n" + "\n".join(lines) + "\n", "utf8")
    return path


def test_tested_versions_are_those_of_this_platform(tmp_path: Path) -> None:
    path = constraints(tmp_path, "torch==2.13.0", "pandas==1.0", "numpy==2.4.6  # newest",
                       "scipy==1.0 ; python_full_version < '3.0'",
                       "scipy==1.17.1 ; python_full_version >= '3.0'")
    assert environment.tested_versions(path) == {
        "torch": "2.13.0", "numpy": "2.4.6", "scipy": "1.17.1"}


def test_the_book_pins_every_library_that_matters() -> None:
    assert set(environment.tested_versions()) == set(environment.LIBRARIES)


def test_local_part_of_a_version_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "2.13.0+cpu")
    assert environment.differences({"torch": "2.13.0"}) == []


def test_differences_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "gensim":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert environment.differences({"torch": "2.13.0", "gensim": "4.4.0", "numpy": "1.0"}) == [
        "torch: 1.0 here, 2.13.0 tested", "gensim: not installed here, 4.4.0 tested"]


def test_start_says_one_line_when_all_agrees(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "differences", lambda _: [])
    environment.start()
    assert capsys.readouterr() == ("Versions agree with the tested ones.\n", "")


def test_start_names_the_command_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "differences", lambda _: ["numpy: 1.0 here, 2.4.6 tested"])
    environment.start()
    out, err = capsys.readouterr()
    assert "  numpy: 1.0 here, 2.4.6 tested\n" in out
    assert out.count("python -m pip install -r requirements.txt -c constraints.txt") == 1
    assert str(environment.ROOT) in out and err == ""


def test_start_without_the_table_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "tested_versions", lambda: {})
    environment.start()
    assert "were not compared" in capsys.readouterr().out


@pytest.mark.parametrize(("asked", "threads"), [(None, "1"), ("2", "2")])
def test_threads(monkeypatch: pytest.MonkeyPatch, asked: str | None, threads: str) -> None:
    os.environ.pop("LLMBOOK_THREADS", None)
    if asked:
        os.environ["LLMBOOK_THREADS"] = asked
    environment.start()
    assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == threads
    assert sys.modules["torch"].threads == int(threads)


def test_no_network_unless_the_reader_allows_it() -> None:
    os.environ.pop("HF_HUB_OFFLINE", None)
    environment.start()
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    os.environ["HF_HUB_OFFLINE"] = "0"
    environment.start()
    assert os.environ["HF_HUB_OFFLINE"] == "0"


def test_progress_bars_are_off_only_where_outputs_are_stored() -> None:
    os.environ.pop("LLMBOOK_QUIET", None)
    os.environ.pop("TQDM_DISABLE", None)
    environment.start()
    assert "TQDM_DISABLE" not in os.environ
    os.environ["LLMBOOK_QUIET"] = "1"
    environment.start()
    assert os.environ["TQDM_DISABLE"] == "1"


def test_plots_take_the_style_of_the_book(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []

    class Plots:
        @staticmethod
        def use_style() -> None:
            used.append(True)

    monkeypatch.setattr(environment.importlib, "import_module", lambda _: Plots)
    environment.start()
    assert used == [True]


def test_a_real_start_sets_the_threads_of_torch() -> None:
    """In a process of its own, as in a lab: the variables must come before the first import."""
    try:
        importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("torch is not installed (requirements.txt)")
    script = ("from llmbook import environment; environment.start(); "
              "import torch; print(torch.get_num_threads())")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                          env=os.environ | {"LLMBOOK_THREADS": "1"}, check=True)
    assert done.stdout.splitlines()[-1] == "1"


def test_freed_memory_is_kept_where_glibc_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.keep_freed_memory() is (sys.platform == "linux")
    monkeypatch.setattr(environment.ctypes, "CDLL", lambda _: object())  # no mallopt, as elsewhere
    assert environment.keep_freed_memory() is False
    refused = type("C", (), {"mallopt": staticmethod(lambda name, value: int(name != -2))})
    monkeypatch.setattr(environment.ctypes, "CDLL", lambda _: refused)
    assert environment.keep_freed_memory() is False


def test_the_tensorflow_lab_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)
    environment.start(tensorflow=True)
    out = capsys.readouterr().out
    assert out.startswith("TensorFlow is not installed here.") and out.count("\n") == 1
    assert "`make lab-tensorflow`" in out and "Versions agree" not in out


def test_tensorflow_starts_silent_with_the_threads_of_the_lab(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A stand-in that says at its import what C++ code says: to the file, not to sys.stderr."""
    imported = {}

    def stand_in(name: str) -> None:
        os.write(2, b"noise\n")
        imported[name] = dict(os.environ)

    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(environment.importlib, "import_module", stand_in)
    monkeypatch.setattr(environment, "differences", lambda tested: [
        f"{name}: 0 here, {wanted} tested" for name, wanted in tested.items() if name == "keras"])
    os.environ["LLMBOOK_THREADS"] = "2"
    environment._start_tensorflow("2")
    assert capfd.readouterr().err == ""
    seen = imported["tensorflow"]
    assert seen["TF_NUM_INTRAOP_THREADS"] == seen["TF_NUM_INTEROP_THREADS"] == "2"
    assert seen["TF_CPP_MIN_LOG_LEVEL"] == "3" and seen["KERAS_BACKEND"] == "tensorflow"
    os.write(2, b"heard again\n")
    assert capfd.readouterr().err == "heard again\n"


def test_versions_of_tensorflow_are_compared_only_in_its_lab(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    compared = []
    monkeypatch.setattr(environment, "_start_tensorflow", lambda threads: True)
    monkeypatch.setattr(environment, "differences",
                        lambda tested: compared.append(set(tested)) or ["keras: 0 here"])
    environment.start()
    environment.start(tensorflow=True)
    assert compared[1] - compared[0] == set(environment.TENSORFLOW_LIBRARIES)
    assert environment.REPAIR in (out := capsys.readouterr().out)
    assert environment.TENSORFLOW_COMMANDS in out
