"""Two processes, started by torchrun and joined by Accelerate, against one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from llmbook.models import GPT, GPTConfig
from llmbook.training import Examples, HeldOut, NextToken, Trainer, TrainingConfig

SIZES = {"vocab_size": 30, "context_length": 16, "d_model": 16, "num_layers": 2, "num_heads": 4}
TEXT = torch.arange(400) ** 2 % 23
ROWS = [{"ids": TEXT[n : n + 2 + (n * 5) % 12].tolist()} for n in range(24)]

SCRIPT = """
import json, sys, warnings
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from test_training_processes import runs
results = runs(Path(sys.argv[2]))
if results is not None:
    Path(sys.argv[3]).write_text(json.dumps(results))
"""


def runs(directory: Path) -> dict | None:
    """Losses, norms and evaluations, and with dropout a run that was stopped and resumed."""
    held_out = {"text": HeldOut.windows(TEXT[:100], 9, batch_size=2)}

    def make(dropout: float = 0.0, where: Path | None = None, **settings) -> Trainer:
        torch.manual_seed(0)
        model = GPT(GPTConfig.gpt2(**SIZES, dropout=dropout))
        defaults = {"steps": 6, "batch_size": 6, "accumulate": 2, "clip": 0.5,
                    "learning_rate": 0.01, "evaluate_every": 3}  # fmt: skip
        config = TrainingConfig(**defaults | settings)
        return Trainer(model, NextToken(), Examples(ROWS), config, evaluate=held_out,
                       directory=where, quiet=True)  # fmt: skip

    run = make()
    history = run.fit()
    found = {
        "losses": history.losses,
        "norms": history.norms,
        "targets": history.targets,
        "evaluations": [row["loss"] for row in history.evaluations],
        "odd": make(batch_size=3).fit().losses,  # rows that do not divide among two
        "whole": make(0.3).fit().losses,
        "processes": run.processes.count,
    }
    make(0.3, directory).fit(until=3)
    seed = torch.tensor([torch.initial_seed()])
    found["seeds"] = run.processes.gather(seed).flatten().tolist()
    found["resumed"] = make(0.3, directory).fit(resume=True).losses
    return found if run.processes.rank == 0 else None


@pytest.mark.skipif(sys.platform == "win32", reason="gloo and torchrun are for Linux and macOS")
def test_two_processes_are_one(tmp_path: Path) -> None:
    """The same script, started once by Python and once by torchrun with two processes.

    Six texts of unequal length, three on each side: a mean of two means would weigh them wrongly.
    """
    pytest.importorskip("accelerate")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node=2", "--master-addr=127.0.0.1",
                f"--master-port={port}"]  # fmt: skip
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, "utf8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    result = tmp_path / "two.json"
    arguments = [str(script), str(Path(__file__).parent), str(tmp_path / "run"), str(result)]
    done = subprocess.run([sys.executable, *torchrun, *arguments], env=environment, timeout=240,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    two, one = json.loads(result.read_text("utf8")), runs(tmp_path / "one")
    assert (one["processes"], two["processes"]) == (1, 2)
    assert two["targets"] == one["targets"]
    for name in ("losses", "norms", "evaluations", "odd"):
        assert two[name] == pytest.approx(one[name], abs=1e-5), name
    assert (one["seeds"], two["seeds"]) == ([0], [0, 1])  # each drops other units
    assert two["resumed"] == two["whole"] and one["resumed"] == one["whole"]
