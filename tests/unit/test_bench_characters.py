"""The bench on the characters of a text: it trains what it says, and says what is wrong."""

import argparse

import pytest
import torch

from booktools.bench import characters, gpt

TEXT = "to be or not to be, that is the question: " * 40


@pytest.fixture
def short(monkeypatch, tmp_path):
    """Six steps for the recipe and three for the modern model, in slices of four."""
    monkeypatch.setattr(characters, "STEPS", 6)
    monkeypatch.setattr(characters, "MODERN_STEPS", 3)
    monkeypatch.setattr(characters, "SLICE", 4)
    path = tmp_path / "text.txt"
    path.write_text(TEXT, "utf-8")
    return path


def bench(path) -> int:
    return gpt.main(argparse.Namespace(text=str(path)))


def test_it_trains_all_three_to_their_last_step_and_misses_the_bar(short, capsys):
    assert bench(short) == 1  # six steps do not reach 1.88
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1,680 characters, 15 of them different")
    assert [line.split("  ")[0] for line in lines[1:4]] == [
        "plain PyTorch", "ours", "ours, modern block and Muon"
    ]  # fmt: skip
    assert ["6 steps" in line for line in lines[1:4]] == [True, True, False]
    assert lines[-1].endswith("MISSED")


def test_both_models_of_the_recipe_compute_the_same():
    """The same weights in both give the same logits: it is one model, written twice."""
    runs = characters.make_runs(torch.arange(16).repeat(20), 16, 6, 3)
    plain, ours = runs["plain PyTorch"].model, runs["ours"].model
    state = ours.state_dict()
    names = {
        "token.weight": "embeddings.token.weight", "norm.weight": "stack.norm.weight",
        "output.weight": "output.weight", "position.weight": "embeddings.position.weight",
    }  # fmt: skip
    copied = {name: state[source] for name, source in names.items()}
    parts = {"norm_1": "attention_norm", "norm_2": "feed_forward_norm",
             "projection": "attention.output", "feed_forward.0": "feed_forward.up",
             "feed_forward.2": "feed_forward.down"}  # fmt: skip
    for i in range(characters.LAYERS):
        own = {n.removeprefix(f"stack.blocks.{i}."): t for n, t in state.items()}
        for name, source in parts.items():
            copied[f"blocks.{i}.{name}.weight"] = own[f"{source}.weight"]
        joined = [own[f"attention.{part}.weight"] for part in ("query", "key", "value")]
        copied[f"blocks.{i}.query_key_value.weight"] = torch.cat(joined)
    plain.load_state_dict(copied)
    ids = torch.randint(16, (2, characters.CONTEXT), generator=torch.Generator().manual_seed(0))
    assert torch.allclose(plain(ids), ours(ids), atol=1e-5)


def test_the_bar_is_the_loss_and_the_time(short, capsys, monkeypatch):
    """Losses of 1.5 and equal seconds meet both; a bar of 1.4, or slower slices, do not."""
    monkeypatch.setattr(characters, "validation_losses", lambda *_: torch.full((3,), 1.5))
    monkeypatch.setattr(characters.Run, "go_on", lambda run, until: run.seconds.append(1.0))
    assert bench(short) == 0
    assert capsys.readouterr().out.count(": met\n") == 2
    monkeypatch.setattr(characters, "BAR", 1.4)
    assert bench(short) == 1
    monkeypatch.setattr(characters, "BAR", 1.88)

    def slower(run, until):
        run.seconds.append(1.0 + isinstance(run.model, characters.GPT))

    monkeypatch.setattr(characters.Run, "go_on", slower)
    assert bench(short) == 1
    assert capsys.readouterr().out.count("MISSED") == 2  # the modern one has half as many slices


@pytest.mark.parametrize("length", [0, 60, 640])
def test_a_text_shorter_than_a_window_is_one_sentence(tmp_path, capsys, length):
    path = tmp_path / "short.txt"
    path.write_text("a" * length, "utf-8")
    assert bench(path) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert f"{path} has {length} characters" in said.err and "one window of 65" in said.err


def test_a_file_that_is_not_there_is_one_sentence(tmp_path, capsys):
    assert bench(tmp_path / "none.txt") == 1
    assert "none.txt" in capsys.readouterr().err
