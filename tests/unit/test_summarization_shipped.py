"""What ships: the decoder of chapter 8 and the rows of its study, both of the text of today."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from llmbook.studies import stored, summaries
from llmbook.summarization.__main__ import RECIPE, main
from llmbook.summarization.learning import Recipe
from llmbook.summarization.pairs import pairs
from llmbook.summarization.summarizer import FOLDER, shipped, shipped_facts


def test_the_shipped_decoder_is_that_of_the_recipe_and_of_the_text_of_today() -> None:
    facts = shipped_facts()
    assert facts["recipe"] == asdict(RECIPE)
    assert facts["command"] == "python -m llmbook.summarization"
    assert facts["fingerprints"]["pairs"] == pairs().fingerprint
    assert facts["packages"] == {k: list(v) for k, v in pairs().packages.items()}


def test_the_shipped_decoder_fits_its_room_and_writes() -> None:
    assert (FOLDER / "model.safetensors").stat().st_size < 4_000_000
    writer = shipped()
    assert sum(p.numel() for p in writer.decoder.parameters()) == shipped_facts()["parameters"]
    [line] = writer([("mean", "It computes the average of all numbers in an array.")])
    assert 2 <= len(line.split()) <= 20 and line.endswith(".")


def test_the_stored_rows_are_the_settings_and_the_text_of_today() -> None:
    content = json.loads((stored.FOLDER / f"{summaries.NAME}.json").read_text("utf8"))
    assert content["text"] == summaries.text()
    assert len(content["rows"]) == len(summaries.SETTINGS)
    for row, wanted in zip(content["rows"], summaries.SETTINGS, strict=True):
        assert wanted.items() <= row.items()
        assert len(row["summaries"]) == len(pairs().test)
        assert row["steps"] == summaries.STEPS


def test_each_change_changes_one_thing() -> None:
    plain = asdict(summaries.recipe("plain", 0))
    assert plain == asdict(Recipe(steps=summaries.STEPS))
    for change in summaries.CHANGES:
        other = asdict(summaries.recipe(change, 0))
        assert sum(plain[k] != other[k] for k in plain) == (change != "plain")


def test_the_command_says_what_is_wrong_in_one_line(capsys: pytest.CaptureFixture) -> None:
    assert main(["--steps", "0"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
