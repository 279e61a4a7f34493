"""Each model that ships has a card, and what the card says of size, command and score is true."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors import safe_open

import llmbook

CHECKPOINTS = Path(llmbook.__file__).parent / "checkpoints"
MODELS = sorted({path.parent for kind in ("*.safetensors", "*.bin")
                 for path in CHECKPOINTS.rglob(kind)})  # fmt: skip
FIELDS = ("Model", "Size", "Made by", "Text", "Licence of the text", "Measured", "Meant for",
          "Not for", "Known faults", "Who is in the text")  # fmt: skip


def card(folder: Path) -> dict[str, str]:
    """The fields of a card, in their order."""
    lines = (folder / "README.md").read_text("utf8").splitlines()
    assert lines[0] == f"# {folder.name}"
    assert lines[2:4] == ["| Field | What it says |", "|:--|:--|"]
    return dict(line.strip("| ").split(" | ") for line in lines[4:])


def parameters(folder: Path) -> int:
    """How many numbers were trained. The summarizer's file holds a list of words too: as told."""
    told = json.loads((folder / "recipe.json").read_text("utf8")).get("parameters")
    with safe_open(folder / "model.safetensors", "pt") as weights:
        return told or sum(weights.get_tensor(key).numel() for key in weights.keys())  # noqa: SIM118


def scores(folder: Path) -> list[str]:
    """What the recipe says about held-out text, as a card writes it."""
    recipe = json.loads((folder / "recipe.json").read_text("utf8"))
    if folder.name.startswith("translator"):
        return [f"{right:,} of {asked:,}" for right, asked in
                recipe["validation, float16"].values()]  # fmt: skip
    if folder.name == "summarization":
        return [f"{recipe['evaluations'][-1]['loss']:.3f} nats"]
    found = [found for name, found in recipe["validation"].items() if "float32" in name]
    return [f"{it['bits_per_byte'] or it['loss']:.3f}" for it in found]


def test_every_shipped_model_is_here() -> None:
    assert {folder.name for folder in MODELS} == {
        "bert", "gpt", "summarization", "tiny", "translator-names", "translator-phrases",
        "word_vectors"}  # fmt: skip


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_a_card_has_every_field(folder: Path) -> None:
    assert tuple(card(folder)) == FIELDS
    assert all(card(folder).values())


@pytest.mark.parametrize("folder", [f for f in MODELS if f.name != "word_vectors"],
                         ids=lambda folder: folder.name)  # fmt: skip
def test_size_command_and_scores_are_those_of_the_files(folder: Path) -> None:
    fields = card(folder)
    assert fields["Size"].startswith(f"{parameters(folder):,} ")
    command = json.loads((folder / "recipe.json").read_text("utf8"))["command"]
    assert f"`{command}`" in fields["Made by"]
    for score in scores(folder):
        assert score in fields["Measured"]


def test_the_tables_of_word_vectors_are_as_large_as_their_card_says() -> None:
    fields = card(CHECKPOINTS / "word_vectors")
    for name, said in (("skipgram", "(skip-gram)"), ("glove", "(GloVe)")):
        with (CHECKPOINTS / "word_vectors" / f"{name}.bin").open("rb") as file:
            words, width = map(int, file.readline().split())
        assert fields["Size"].startswith(f"{words:,} words")
        assert f"{width} numbers {said}" in fields["Size"]


def test_the_page_of_cards_shows_each() -> None:
    page = CHECKPOINTS.parents[2] / "chapters" / "11_ethics_and_outlook" / "model_cards.md"
    text = page.read_text("utf8")
    for folder in MODELS:
        assert f"checkpoints/{folder.name}/README.md" in text
