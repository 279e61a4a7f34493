"""Stored studies: what is written can be read, a run that was cut off goes on, the data is held."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from llmbook.studies import block_ladder, language_model, lengths, norm_order, settings, stored

STUDIES = (norm_order, block_ladder, lengths, settings)


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
