"""Stored studies: what is written can be read, a run that was cut off goes on, the data is held."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from llmbook import translation
from llmbook.studies import (
    associations,
    block_ladder,
    classification,
    domains,
    dual_use,
    efficiency,
    encodings,
    labels,
    language_model,
    lengths,
    memorization,
    names,
    norm_order,
    phenomena,
    plateau,
    preferences,
    prefix,
    readers,
    scaling,
    search,
    settings,
    shortcuts,
    stored,
    telling_apart,
)

STUDIES = (norm_order, block_ladder, lengths, settings, plateau, scaling, labels, names,
           phenomena, classification, readers, dual_use, prefix,
           preferences, encodings, telling_apart,
           domains, associations, shortcuts, efficiency, memorization, search)  # fmt: skip


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.NAME)
def test_the_shipped_rows_are_the_settings_and_the_text_of_today(study) -> None:
    """Changed settings, or another corpus, need new runs: the labs print these rows."""
    content = json.loads((stored.FOLDER / f"{study.NAME}.json").read_text("utf8"))
    assert content["text"] == study.text()
    assert len(content["rows"]) == len(study.SETTINGS)
    for row, wanted in zip(content["rows"], study.SETTINGS, strict=True):
        assert wanted.items() <= row.items()


def run_counting(calls: list[int]):
    def run(a: int) -> stored.Row:
        calls.append(a)
        return {"square": a * a}

    return run


def test_a_run_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    calls: list[int] = []
    settings = [{"a": 3}, {"a": 4}]
    stored.complete("s", "text", settings[:1], run_counting(calls), tmp_path)
    rows = stored.complete("s", "text", settings, run_counting(calls), tmp_path)
    assert calls == [3, 4]
    assert rows == [{"a": 3, "square": 9}, {"a": 4, "square": 16}]
    assert json.loads((tmp_path / "s.json").read_text("utf8"))["rows"] == rows


def test_rows_of_another_text_are_made_again(tmp_path: Path) -> None:
    calls: list[int] = []
    for text in ("one", "two"):
        stored.complete("s", text, [{"a": 3}], run_counting(calls), tmp_path)
    assert calls == [3, 3]


def test_the_command_runs_what_is_missing_on_the_device_it_is_told(tmp_path, monkeypatch) -> None:
    calls: list[int] = []
    threads: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    monkeypatch.setattr(stored.complete, "__defaults__", (tmp_path,))
    stored.main("s", "text", [{"a": 3}], run_counting(calls))
    assert calls == [3] and threads == [1] and (tmp_path / "s.json").is_file()
    for arguments, device in (([], "cpu"), (["--device", "meta"], "meta")):
        monkeypatch.setattr("sys.argv", ["study", *arguments])
        assert stored.device() == device


def test_select_and_a_missing_study() -> None:
    rows = [{"a": 1, "b": 2}, {"a": 1, "b": 3}]
    assert stored.select(rows, a=1, b=3) == rows[1:]
    with pytest.raises(FileNotFoundError, match=r"python -m llmbook\.studies\.nothing"):
        stored.load("nothing")


def test_reversed_strings_and_their_positions() -> None:
    random = torch.Generator().manual_seed(0)
    ids = lengths.strings(3, 2, random)
    assert torch.equal(ids[:, 4:], ids[:, :3].flip(1))
    assert (ids[:, 3] == lengths.SEPARATOR).all()
    where = lengths.places(6, True, random)
    assert (where.diff() > 0).all() and where.max() < lengths.RANGE
    assert lengths.places(3, False, random).tolist() == [0, 1, 2]


def test_each_rung_keeps_what_came_before_and_the_size() -> None:
    from llmbook.models import gpt_parameters

    first, last = block_ladder.config("GPT-2 block"), block_ladder.config("+ grouped queries")
    assert (first.norm, first.positions, first.bias) == ("layer_norm", "learned", True)
    assert (last.norm, last.positions, last.bias, last.activation, last.kv_heads) == (
        "rms_norm", "rotary", False, "swiglu", 2)  # fmt: skip
    sizes = []
    for rung in block_ladder.RUNGS:
        config = block_ladder.config(rung)
        table = config.context_length * config.d_model if config.positions == "learned" else 0
        sizes.append(gpt_parameters(config) - table)
    assert max(sizes) / min(sizes) < 1.01


def test_labelled_texts_are_balanced_and_small_subsets_are_parts_of_large_ones() -> None:
    truth = labels.texts("train")[1]
    for seed in labels.SEEDS:
        subsets = [labels.subset(n, seed) for n in labels.LABELS]
        assert [len(set(part)) for part in subsets] == list(labels.LABELS)
        assert set(subsets[0]) < set(subsets[1]) < set(subsets[2])
        counts = np.bincount(truth[subsets[0]], minlength=8)
        assert counts.max() - counts.min() == 1
    assert set(labels.subset(100, 0)) != set(labels.subset(100, 1))


@pytest.mark.parametrize("method", ["tf-idf", "minilm"])
def test_a_linear_row_of_the_classification_study_comes_out_again(method: str) -> None:
    """The third method takes a minute a seed, and is left to the command."""
    [row] = stored.select(stored.load("classification"), method=method, seed=0)
    fresh = classification.run(method, 0)
    assert fresh["temperature"] == pytest.approx(row["temperature"], abs=0.002)
    assert classification.logits(row).shape == (800, 8)
    assert np.allclose(classification.logits(fresh), classification.logits(row), atol=0.02)


def test_the_learning_rates_are_those_that_validation_chose() -> None:
    rows = stored.load(labels.NAME)
    for (method, number), rate in labels.CHOSEN.items():
        tried = stored.select(rows, method=method, labels=number, seed=0)
        assert {row["learning_rate"] for row in tried} == set(labels.RATES)
        assert max(tried, key=lambda row: row["validation"])["learning_rate"] == rate
    truth = labels.texts("test")[1]
    for row in rows:
        assert row["right"] == (np.array(list(row["predictions"]), int) == truth).sum()


def test_the_smallest_run_of_scaling_gives_its_stored_row() -> None:
    """A study's code and its stored results belong together: three seconds of one core."""
    stored_row = stored.load("scaling")[0]
    wanted = scaling.SETTINGS[0]
    found = scaling.run(**wanted)
    assert found["parameters"] == stored_row["parameters"]
    assert found["bits_per_byte"] == pytest.approx(stored_row["bits_per_byte"], abs=0.005)
    assert found["curve"][-1][1] == pytest.approx(stored_row["curve"][-1][1], abs=0.01)


class Says(torch.nn.Module):
    """The logits are a function of the ids (B, T)."""

    def __init__(self, logits) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.logits(ids)


def test_the_judge_of_the_plateau_tells_hidden_tokens_from_given_ones() -> None:
    """A model that says the same everywhere has no information; one that copies knows what is
    given and nothing that is hidden."""
    size, objective = plateau.VOCAB_SIZE, plateau.masked_tokens()
    ids = torch.arange(plateau.CONTEXT * 40) % 100
    judge = plateau.Judge(ids, objective, "cpu")
    hidden, given = int(judge.hidden.sum()), int(judge.given.sum())
    number = int(judge.chosen.sum())
    assert number == pytest.approx(0.2 * 512 * plateau.CONTEXT, rel=0.05)
    assert hidden / number == pytest.approx(0.8, abs=0.02)
    assert given / number == pytest.approx(0.1, abs=0.02)
    same = judge(Says(lambda ids: torch.zeros(*ids.shape, size)))
    assert same["hidden"] == same["loss"] == pytest.approx(np.log(size), abs=1e-3)
    assert same["information"] == 0
    copies = judge(Says(lambda ids: 30 * torch.nn.functional.one_hot(ids, size).float()))
    assert (copies["given_right"], copies["hidden_right"]) == (1, 0)
    assert copies["information"] == 0  # every hidden token looks alike
    ends = torch.arange(plateau.CONTEXT) % 2  # one answer at even places, another at odd ones
    two = judge(Says(lambda ids: 30 * torch.nn.functional.one_hot(ends, size).float()
                     .expand(len(ids), -1, -1)))  # fmt: skip
    assert two["information"] == pytest.approx(np.log(2), abs=0.01)


def test_rate_and_bits_per_byte() -> None:
    """Uniform logits cost log2(256) = 8 bits; the rate is 1/11 at step 0 of a warm-up of 10."""
    rate = language_model.linear_schedule(10, 100)
    assert rate(0) == pytest.approx(1 / 11)
    assert rate(100) == 0 and max(map(rate, range(100))) <= 1
    model = language_model.new_model(norm_order.config(True, 1), 0)
    torch.nn.init.zeros_(model.embeddings.token.weight)
    data = torch.arange(600) % 256
    assert language_model.bits_per_byte(model, data, 4) == pytest.approx(8.0, abs=1e-4)


def test_the_seed_decides_and_a_batch_is_the_same_for_two_models() -> None:
    data = torch.arange(2000) % 256
    run = {"seed": 1, "steps": 2, "learning_rate": 0.001, "warm_up": 0, "batch_size": 2}
    losses = [
        language_model.train(language_model.new_model(norm_order.config(first, 1), 5), data, **run)
        for first in (True, True, False)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_the_shipped_recipe_of_phenomena_differs_in_seed_and_pairs_alone() -> None:
    recipe = translation.RECIPES["phrases"]
    assert phenomena.recipe("shipped", recipe.pairs, recipe.training.seed) == recipe
    small = phenomena.recipe("small", "all phrases", 2)
    assert (small.model["d_model"], small.training.steps) == (phenomena.WIDTH, phenomena.STEPS)
    assert (small.pairs, small.training.seed) == ("all phrases", 2)
