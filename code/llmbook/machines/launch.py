"""Commands that belong together, such as the launchers of two machines, run on this one.

All talk over the loopback interface. Whatever happens, no process is left: each command leads a
group of its own, and the group is ended with it. For Linux and macOS.

Not here: other machines.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

FROM_LAUNCHERS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


class LaunchError(RuntimeError):
    """A command failed, or took too long."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(
    *commands: Sequence[str],
    folder: str | Path,
    threads: int = 1,
    timeout: float = 240,
    environments: Sequence[Mapping[str, str]] = (),
) -> list[str]:
    """Run commands side by side in ``folder``; what each of them printed.

    Their temporary files and their settings of Accelerate lie in ``folder`` too, so that neither
    the reader's are read nor anything is left behind.

    Args:
        threads: of torch and numpy in each process
        timeout: seconds for all commands together
        environments: variables of each command, on top of those of this process

    Raises:
        LaunchError: with the last line that a failed command wrote, once all have been ended.
    """
    folder = Path(folder).resolve()
    common = {name: value for name, value in os.environ.items() if name not in FROM_LAUNCHERS} | {
        "GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo",
        "OMP_NUM_THREADS": str(threads),
        "TMPDIR": str(folder),
        "HF_HOME": str(folder / "settings"),
        "PYTHONWARNINGS": "ignore",
    }
    own = [*environments, *({} for _ in commands)]
    started: list[subprocess.Popen[str]] = []
    with ExitStack() as stack:
        files = [
            tuple(stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(2))
            for _ in commands
        ]
        try:
            for command, (out, err), more in zip(commands, files, own, strict=False):
                started.append(subprocess.Popen(
                    list(command), cwd=folder, env=common | more, text=True, stdout=out,
                    stderr=err, stdin=subprocess.DEVNULL, start_new_session=True,
                ))  # fmt: skip
            codes = _wait(started, timeout)
        finally:
            for process in started:
                _end(process)
        texts = [tuple(map(_text, pair)) for pair in files]
    for code, (out_text, err_text) in zip(codes, texts, strict=True):
        if code:
            raise LaunchError(_last_line(err_text or out_text, folder, code))
    return [out_text for out_text, _ in texts]


def _wait(started: Sequence[subprocess.Popen[str]], timeout: float) -> list[int | None]:
    """Until all are done, or one has failed: the others, None, would wait for it."""
    end = time.monotonic() + timeout
    while None in (codes := [process.poll() for process in started]):
        if any(codes):
            break
        if time.monotonic() > end:
            raise LaunchError(f"not done after {timeout:g} seconds")
        time.sleep(0.05)
    return codes


def _end(process: subprocess.Popen[str]) -> None:
    """End a command's whole group, itself included."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _text(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _last_line(text: str, folder: Path, code: int) -> str:
    """The last line that names an error, without the folder's name."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "Error: " in line and "CalledProcessError" not in line]
    last = (errors or lines or [f"exit status {code}"])[-1]
    return last.replace(str(folder), "…")
