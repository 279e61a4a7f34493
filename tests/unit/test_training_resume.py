"""A run on disk: resumed bit for bit, written whole or not at all, refused when it does not fit."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from llmbook.models import GPT, BertConfig, BertForMaskedTokens, GPTConfig
from llmbook.training import (
    CheckpointError,
    Examples,
    HeldOut,
    History,
    MaskedTokens,
    NextToken,
    TokenWindows,
    Trainer,
    TrainingConfig,
    folders,
)
from llmbook.training.checkpoints import latest_checkpoint, load_checkpoint

SIZES = {"vocab_size": 30, "context_length": 8, "d_model": 16, "num_layers": 2, "num_heads": 4}
TEXT = torch.arange(300) ** 2 % 23
ROWS = [{"ids": TEXT[n : n + 2 + (n * 5) % 7].tolist()} for n in range(11)]
CONFIG = TrainingConfig(steps=8, batch_size=3, accumulate=2, learning_rate=0.01, warm_up=2,
                        evaluate_every=3, save_every=2)  # fmt: skip


def make(kind: str, directory: Path | None, config: TrainingConfig = CONFIG) -> Trainer:
    """A run with dropout on: "gpt" on windows, "examples" in epochs, "bert" with masks."""
    torch.manual_seed(0)
    held_out = {"text": HeldOut.windows(TEXT[:60], 8)}
    if kind == "bert":
        model: nn.Module = BertForMaskedTokens(BertConfig(**SIZES, d_hidden=32, dropout=0.2))
        objective = MaskedTokens(mask_id=29, vocab_size=30, special_ids=(29,), rate=0.3)
        data: TokenWindows | Examples = TokenWindows(TEXT, 8)
    else:
        model, objective = GPT(GPTConfig.gpt2(**SIZES, dropout=0.2)), NextToken()
        data = TokenWindows(TEXT, 9) if kind == "gpt" else Examples(ROWS)
    return Trainer(model, objective, data, config, evaluate=held_out, directory=directory,
                   quiet=True)  # fmt: skip


def weights(run: Trainer) -> Tensor:
    return nn.utils.parameters_to_vector(run.model.parameters()).detach()


def same(found: History, expected: History) -> None:
    assert found.losses == expected.losses
    assert found.norms == expected.norms
    assert found.evaluations == expected.evaluations
    assert found.targets == expected.targets


@pytest.mark.parametrize(("kind", "optimizer"), [
    ("gpt", "adamw"), ("examples", "adamw"), ("bert", "muon")])  # fmt: skip
def test_a_run_that_was_stopped_anywhere_goes_on_bit_for_bit(
    kind: str, optimizer: str, tmp_path: Path
) -> None:
    config = replace(CONFIG, optimizer=optimizer, save_every=0)
    whole = make(kind, None, config)
    expected = whole.fit()
    assert len(set(expected.losses)) == 8
    for stop in (1, 2, 3, 5, 7):
        directory = tmp_path / str(stop)
        make(kind, directory, config).fit(until=stop)
        torch.manual_seed(stop)  # a new process would have its generators anywhere
        resumed = make(kind, directory, config)
        same(resumed.fit(resume=True), expected)
        assert torch.equal(weights(resumed), weights(whole))


def test_a_finished_run_resumes_to_itself(tmp_path: Path) -> None:
    run = make("gpt", tmp_path)
    expected = run.fit()
    before = sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*"))
    resumed = make("gpt", tmp_path)
    same(resumed.fit(resume=True), expected)
    assert torch.equal(weights(resumed), weights(run))
    assert sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*")) == before


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
from pathlib import Path
from llmbook.training import folders
from test_training_resume import make

write = folders.write_synced
def die_inside(path, content):
    if path.name == sys.argv[3] and "000006" in str(path):
        write(path, content[: len(content) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, content)
folders.write_synced = die_inside
make("bert", Path(sys.argv[2])).fit()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL on Windows")
def test_a_process_killed_while_saving_goes_on_bit_for_bit(tmp_path: Path) -> None:
    """kill -9 halfway through the optimizer's file of step 6: the checkpoint of step 4 is whole."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(tmp_path),
                   "optimizer.safetensors"]  # fmt: skip
        run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert run.returncode == -signal.SIGKILL, run.stderr
        names = sorted(path.name for path in tmp_path.iterdir())
        assert names == [".partial-checkpoint-000006", "checkpoint-000004"]
        resumed = make("bert", tmp_path)
        history = resumed.fit(resume=True)
        whole = make("bert", None)
        same(history, whole.fit())
        assert torch.equal(weights(resumed), weights(whole))
        assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000008"]
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("file", ["model", "optimizer", "checkpoint.json", "rename"])
def test_a_crash_while_saving_leaves_the_checkpoint_before(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("gpt", tmp_path).fit(until=4)

    class Killed(BaseException):
        """What no handler of errors sees, as a kill."""

    write = folders.write_synced

    def write_half(path: Path, content: bytes) -> None:
        if path.name.startswith(file):
            write(path, content[: len(content) // 2])
            raise Killed
        write(path, content)

    def no_rename(*paths) -> None:
        raise Killed

    monkeypatch.setattr(folders, "write_synced", write_half)
    if file == "rename":
        monkeypatch.setattr(os, "rename", no_rename)
    run = make("gpt", tmp_path)
    with pytest.raises(Killed):
        run.fit(resume=True)
    monkeypatch.undo()
    assert latest_checkpoint(tmp_path).name == "checkpoint-000004"
    same(make("gpt", tmp_path).fit(resume=True), make("gpt", None).fit())


@pytest.mark.parametrize("file", ["model.safetensors", "checkpoint.json"])
def test_a_full_disk_leaves_the_checkpoint_before(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("gpt", tmp_path).fit(until=4)
    write = folders.write_synced

    def full(path: Path, content: bytes) -> None:
        if path.name == file:
            write(path, content[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, content)

    monkeypatch.setattr(folders, "write_synced", full)
    with pytest.raises(CheckpointError) as error:
        make("gpt", tmp_path).fit(resume=True)
    monkeypatch.undo()
    folder = tmp_path / "checkpoint-000006"
    assert str(error.value) == (
        f"{folder} could not be written (No space left on device): make "
        "room, or name another folder; what was saved before is whole"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000004"]
    same(make("gpt", tmp_path).fit(resume=True), make("gpt", None).fit())


def test_the_old_checkpoint_goes_after_the_new_one_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("gpt", tmp_path).fit(until=4)
    seen, rename = [], os.rename

    def watch(source: Path, target: Path) -> None:
        assert (tmp_path / "checkpoint-000004" / "checkpoint.json").is_file()
        assert (source / "checkpoint.json").is_file() and not Path(target).exists()
        seen.append(Path(target).name)
        rename(source, target)

    monkeypatch.setattr(os, "rename", watch)
    make("gpt", tmp_path).fit(until=6, resume=True)
    assert seen == ["checkpoint-000006"]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000006"]


def test_each_file_is_on_the_disk_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, sync, rename = [], os.fsync, os.rename

    def note(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        sync(handle)

    def watch(source: Path, target: Path) -> None:
        wanted = {path.stat().st_ino for path in source.iterdir()} | {source.stat().st_ino}
        assert wanted <= set(synced)
        rename(source, target)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "rename", watch)
    make("gpt", tmp_path).fit(until=1)
    assert tmp_path.stat().st_ino in synced


FILES = ("model.safetensors", "optimizer.safetensors", "generators.safetensors", "checkpoint.json")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("run")
    make("gpt", directory).fit(until=4)
    return directory


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", ["altered", "cut short", "missing"])
def test_a_damaged_file_is_refused_and_named(
    name: str, harm: str, saved: Path, tmp_path: Path
) -> None:
    directory = shutil.copytree(saved, tmp_path / "copy")
    path = directory / "checkpoint-000004" / name
    content = bytearray(path.read_bytes())
    if harm == "missing":
        path.unlink()
    elif harm == "cut short":
        path.write_bytes(content[:-7])
    else:  # the last digit of the file, which in JSON is one of a hash
        place = max(i for i, byte in enumerate(content) if chr(byte).isdigit())
        content[place] = ord("1") if content[place] == ord("0") else ord("0")
        path.write_bytes(content)
    run = make("gpt", directory)
    before = weights(run).clone()
    with pytest.raises(CheckpointError) as error:
        run.fit(resume=True)
    message = str(error.value)
    assert str(path) in message and "\n" not in message
    assert ("cannot be read" if harm == "missing" else "is cut short or was altered") in message
    assert torch.equal(weights(run), before)


def test_an_altered_fact_is_refused(saved: Path, tmp_path: Path) -> None:
    directory = shutil.copytree(saved, tmp_path / "copy")
    path = directory / "checkpoint-000004" / "checkpoint.json"
    facts = json.loads(path.read_text("utf8"))
    facts["history"]["losses"][0] -= 0.5
    path.write_text(json.dumps(facts), "utf8")
    with pytest.raises(CheckpointError, match=r"checkpoint\.json is cut short or was altered"):
        make("gpt", directory).fit(resume=True)


@pytest.mark.parametrize(("change", "said"), [
    ({"learning_rate": 0.02}, "config.learning_rate was 0.01 there and is 0.02 here"),
    ({"steps": 9}, "config.steps was 8 there and is 9 here"),
    ({"betas": (0.9, 0.99)}, "config.betas was [0.9, 0.95] there and is [0.9, 0.99] here"),
    ({"seed": 5}, "config.seed was 0 there and is 5 here"),
])  # fmt: skip
def test_another_config_is_refused_and_named(change: dict, said: str, saved: Path) -> None:
    with pytest.raises(CheckpointError) as error:
        make("gpt", saved, replace(CONFIG, **change)).fit(resume=True)
    assert str(error.value) == f"{saved / 'checkpoint-000004'} is of another run: {said}"


def test_save_every_may_change(saved: Path, tmp_path: Path) -> None:
    directory = shutil.copytree(saved, tmp_path / "copy")
    run = make("gpt", directory, replace(CONFIG, save_every=0))
    same(run.fit(resume=True), make("gpt", None).fit())


def other(model: nn.Module | None = None, objective=None, data=None):
    def build(directory: Path) -> Trainer:
        run = make("gpt", directory)
        return Trainer(model or run.model, objective or run.objective, data or run.data, CONFIG,
                       evaluate=run.held_out, directory=directory, quiet=True)  # fmt: skip

    return build


class Unnamed(nn.Module):
    """A model without settings of its own: its weights alone tell what it is."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Embedding(30, width)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.layer(ids) @ self.layer.weight.T


@pytest.mark.parametrize(("build", "said"), [
    (other(GPT(GPTConfig.gpt2(**SIZES | {"num_layers": 3}, dropout=0.2))),
     "model_config.num_layers was 2 there and is 3 here"),
    (other(GPT(GPTConfig.gpt2(**SIZES, dropout=0.3))),
     "model_config.dropout was 0.2 there and is 0.3 here"),
    (other(objective=NextToken(label_smoothing=0.1)),
     "objective was NextToken(label_smoothing=0.0) there and is NextToken(label_smoothing=0.1)"),
    (other(data=TokenWindows(TEXT + 1, 9)), "the training data is not that of the checkpoint"),
    (other(Unnamed(4)), "model was GPT there and is Unnamed here"),
])  # fmt: skip
def test_another_model_objective_or_text_is_refused(build, said: str, saved: Path) -> None:
    with pytest.raises(CheckpointError, match="checkpoint-000004 is of another run") as error:
        build(saved).fit(resume=True)
    assert said in str(error.value)


def test_weights_of_another_shape_are_refused_and_named(tmp_path: Path) -> None:
    other(Unnamed(4))(tmp_path).fit(until=1)
    with pytest.raises(CheckpointError) as error:
        other(Unnamed(5))(tmp_path).fit(resume=True)
    folder = tmp_path / "checkpoint-000001"
    assert str(error.value) == (f"{folder} is of another model: layer.weight is of shape (30, 4) "
                                "there and of shape (30, 5) here")  # fmt: skip


def test_a_directory_in_use_is_not_written_over(saved: Path) -> None:
    with pytest.raises(CheckpointError, match="checkpoint-000004 is there already: resume it, or"):
        make("gpt", saved).fit()


def test_a_run_may_begin_with_no_step_at_all(tmp_path: Path) -> None:
    run = make("gpt", tmp_path)
    assert run.fit(until=0).losses == []
    same(run.fit(), make("gpt", None).fit())


def test_nothing_to_resume(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "none"):
        with pytest.raises(CheckpointError, match="holds no checkpoint: begin without resume"):
            make("gpt", directory).fit(resume=True)


def test_the_newest_checkpoint_has_the_highest_number(tmp_path: Path) -> None:
    for name in ("checkpoint-999999", "checkpoint-1000000", ".partial-checkpoint-2000000", "other"):
        (tmp_path / name).mkdir()
    assert latest_checkpoint(tmp_path).name == "checkpoint-1000000"


def test_other_threads_are_said(saved: Path, tmp_path: Path, monkeypatch) -> None:
    directory = shutil.copytree(saved, tmp_path / "copy")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    with pytest.warns(UserWarning, match="goes on with 7: sums round differently"):
        make("gpt", directory).fit(resume=True)


def test_a_checkpoint_is_safetensors_and_json_and_holds_tied_weights_once(saved: Path) -> None:
    folder = saved / "checkpoint-000004"
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    tensors, facts = load_checkpoint(folder)
    assert "embeddings.token.weight" in tensors["model"]
    assert "output.weight" not in tensors["model"]
    assert set(facts["sha256"]) == set(FILES) - {"checkpoint.json"}
    assert {name.rpartition("/")[2] for name in tensors["optimizer"]} == {
        "step", "exp_avg", "exp_avg_sq"}  # fmt: skip


def test_the_best_weights_are_in_the_checkpoint(tmp_path: Path) -> None:
    config = replace(CONFIG, evaluate_every=1, patience=8)
    make("gpt", tmp_path, config).fit(until=3)
    tensors, _ = load_checkpoint(latest_checkpoint(tmp_path))
    assert tensors["best"].keys() == tensors["model"].keys()
