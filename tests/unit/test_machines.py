"""Processes started and ended, tokens read once by all readers, bytes counted."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.data import DataLoader

from llmbook.machines import (
    FileWindows,
    LaunchError,
    TokenFile,
    TokenStream,
    count_sent,
    free_port,
    run,
    saved_bytes,
    step_bytes,
    write_tokens,
)

posix = pytest.mark.skipif(sys.platform == "win32", reason="groups of processes are POSIX")


def python(source: str) -> tuple[str, ...]:
    return sys.executable, "-S", "-c", source


@posix
def test_commands_run_side_by_side_each_with_its_variables(tmp_path: Path) -> None:
    """The first waits for a file that the second writes."""
    wait = (
        "import os, time\nend = time.time() + 20\n"
        "while not os.path.exists('there') and time.time() < end: time.sleep(0.02)\n"
        "print(os.environ['NAME'], os.path.exists('there'), os.environ['OMP_NUM_THREADS'])"
    )
    write = "import os; open('there', 'w').close(); print(os.environ['NAME'])"
    found = run(python(wait), python(write), folder=tmp_path, threads=3,
                environments=[{"NAME": "a"}, {"NAME": "b"}])  # fmt: skip
    assert found == ["a True 3\n", "b\n"]


@posix
def test_settings_of_another_launcher_do_not_reach_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "7")
    source = "import os; print(os.environ.get('WORLD_SIZE'), os.environ['TMPDIR'])"
    assert run(python(source), folder=tmp_path) == [f"None {tmp_path.resolve()}\n"]


@posix
def test_one_that_fails_ends_all_and_names_no_folder(tmp_path: Path) -> None:
    sleep = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])\n"
        "open('pids', 'w').write(f'{os.getpid()} {child.pid}'); time.sleep(60)"
    )
    fail = (
        "import os, time\nwhile not os.path.exists('pids'): time.sleep(0.02)\n"
        "time.sleep(0.3); raise ValueError('in ' + os.getcwd())"
    )
    with pytest.raises(LaunchError, match=r"^ValueError: in …$"):
        run(python(sleep), python(fail), folder=tmp_path, timeout=30)
    for pid in map(int, (tmp_path / "pids").read_text().split()):
        assert ended(pid)


@posix
def test_one_that_is_killed_has_failed(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="exit status -9"):
        run(python("import os; os.kill(os.getpid(), 9)"), folder=tmp_path)


def ended(pid: int) -> bool:
    """Whether a process is gone, or a zombie that its new parent has not yet collected."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat")
            if state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


@posix
def test_too_long(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match=r"not done after 0\.5 seconds"):
        run(python("import time; time.sleep(60)"), folder=tmp_path, timeout=0.5)


def test_a_free_port_can_be_listened_on() -> None:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    """Eleven windows of three tokens and a target."""
    return TokenFile(write_tokens(tmp_path / "tokens", torch.arange(34) * 7), stride=3)


def test_windows_overlap_by_their_target(file: TokenFile) -> None:
    assert len(file) == 11
    assert file[2].tolist() == [42, 49, 56, 63] and file[2].dtype == torch.int64
    assert file[10].tolist()[-1] == 33 * 7
    with pytest.raises(IndexError):
        file[11]


def test_ids_must_fit_and_fill_a_window(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too far for uint8"):
        write_tokens(tmp_path / "t", [0, 256], "uint8")
    with pytest.raises(ValueError, match="3 tokens are fewer than one window of 4"):
        TokenFile(write_tokens(tmp_path / "t", [1, 2, 3]), stride=3)


def test_a_part_of_the_windows_keeps_their_numbers(file: TokenFile) -> None:
    part = FileWindows(file, 4, 7)
    assert len(part) == 3
    assert part[1]["index"].item() == 5 and torch.equal(part[1]["ids"], file[5])


def read(file: TokenFile, count: int = 1, workers: int = 0, **settings) -> list[int]:
    found = []
    for rank in range(count):
        stream = TokenStream(file, rank=rank, count=count, seed=1, **settings)
        for batch in DataLoader(stream, 2, num_workers=workers):
            assert torch.equal(batch["ids"][0], file[batch["index"][0].item()])
            found += batch["index"].tolist()
    return found


@pytest.mark.parametrize(("count", "workers"), [(1, 0), (1, 2), (3, 0), (2, 2)])
def test_all_readers_together_read_each_window_once(
    file: TokenFile, count: int, workers: int
) -> None:
    assert sorted(read(file, count, workers)) == list(range(11))


def test_a_stopped_epoch_goes_on_with_other_readers(file: TokenFile) -> None:
    order = TokenStream(file, seed=1).order().tolist()
    assert read(file) == order != list(range(11))
    assert sorted(read(file, count=2, begin=4)) == sorted(order[4:])
    assert read(file, epoch=1) != order
    with pytest.raises(ValueError, match=r"rank \(2\) must be from 0 to below count \(2\)"):
        TokenStream(file, rank=2, count=2)


def test_bytes_of_a_step() -> None:
    """10 parameters: 80 bytes of moments, 40 of gradients, 40 of weights; over 4 processes."""
    assert [step_bytes(10, 4, stage) for stage in range(4)] == [160, 100, 70, 40]
    assert step_bytes(10) == 160
    with pytest.raises(ValueError, match="not 4"):
        step_bytes(10, 4, 4)


def test_saved_bytes_are_those_of_inputs_and_results() -> None:
    """relu keeps its result (2, 3), the second layer reads that same tensor; the first keeps x."""
    model = nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 1))
    assert saved_bytes(model, lambda: model(torch.randn(2, 5))) == 4 * (2 * 5 + 2 * 3)
    with FakeTensorMode():
        model = nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 1))
        assert saved_bytes(model, lambda: model(torch.randn(2, 5))) == 4 * (2 * 5 + 2 * 3)


def test_one_process_sends_nothing() -> None:
    assert count_sent(nn.Linear(2, 2)) == []


@posix
def test_two_processes_send_their_gradients_and_average_them(tmp_path: Path) -> None:
    source = (
        "import os, torch\n"
        "from torch import distributed, nn\n"
        "from llmbook.machines import count_sent\n"
        "distributed.init_process_group('gloo')\n"
        "model = nn.parallel.DistributedDataParallel(nn.Linear(3, 2))\n"
        "sent = count_sent(model)\n"
        "rank = int(os.environ['RANK'])\n"
        "model(torch.full((1, 3), 1.0 + rank)).sum().backward()\n"
        "if rank == 0: print(sent, model.module.weight.grad[0, 0].item())\n"
        "distributed.destroy_process_group()\n"
    )
    (tmp_path / "two.py").write_text(source)
    printed, = run((sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2",
                    "--master-addr=127.0.0.1", f"--master-port={free_port()}", "two.py"),
                   folder=tmp_path)  # fmt: skip
    assert printed == "[32] 1.5\n"  # 4 bytes times 8 parameters; inputs 1 and 2


def test_a_mapped_file_is_not_copied_into_memory(tmp_path: Path) -> None:
    import tracemalloc

    path = write_tokens(tmp_path / "t", np.zeros(1_000_000, dtype=int))
    tracemalloc.start()
    TokenFile(path, stride=100)[5000]
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()
