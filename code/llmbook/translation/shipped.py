"""A finished translator as a folder that ships with the book, and how it is loaded.

``model.safetensors`` (float16), ``config.json``, ``tokenizer.json`` and ``recipe.json``, which
holds the pairs with their fingerprint, the command, versions, loss curve, evaluation, CPU seconds,
and the sha256 of each file: as ``llmbook.training.shipped``, for a Seq2Seq and its tokenizer.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.torch import load as load_tensors

from llmbook.models import Seq2Seq, Seq2SeqConfig
from llmbook.tokenizers import BPETokenizer
from llmbook.training import CheckpointError
from llmbook.training.checkpoints import load_weights, pack, weights
from llmbook.training.folders import read_folder, write_folder
from llmbook.training.shipped import FOLDER, HALF
from llmbook.translation.characters import CharacterTokenizer
from llmbook.translation.recipes import RECIPES
from llmbook.translation.translator import Translator

PREFIX = "translator-"


def ship(folder: Path, translator: Translator, facts: dict[str, Any]) -> None:
    """Write a finished translator and what there is to say about it.

    Raises:
        CheckpointError: if the folder cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = folder.with_name(f"{folder.name}.tokenizer")
    try:
        translator.tokenizer.save(scratch)
        tensors = {name: t.to(HALF) for name, t in weights(translator.model).items()}
        files = {
            "model.safetensors": pack(tensors),
            "config.json": json.dumps(asdict(translator.model.config), indent=1).encode(),
            "tokenizer.json": scratch.read_bytes(),
        }
    finally:
        scratch.unlink(missing_ok=True)
    write_folder(folder, files, facts, "recipe.json")


def load(name: str | Path) -> Translator:
    """The shipped translator of a recipe, or the one in a folder, ready to translate.

    Raises:
        CheckpointError: if it is not there, or a file is missing, cut short or altered.
    """
    folder = find(name)
    files, facts = read_folder(folder, "recipe.json")
    model = Seq2Seq(Seq2SeqConfig(**json.loads(files["config.json"])))
    tensors = load_tensors(files["model.safetensors"])
    load_weights(model, {n: t.float() for n, t in tensors.items()}, folder)
    kind = BPETokenizer if facts["recipe"]["pieces"] else CharacterTokenizer
    return Translator(model.eval(), kind.load(folder / "tokenizer.json"))


def load_facts(name: str | Path) -> dict[str, Any]:
    """What ``recipe.json`` says: recipe, command, versions, curve, evaluation, CPU seconds."""
    return read_folder(find(name), "recipe.json")[1]


def find(name: str | Path) -> Path:
    if isinstance(name, Path):
        return name
    if name not in RECIPES:
        known = ", ".join(RECIPES)
        raise CheckpointError(f"translator {name!r} does not ship with the book; there are {known}")
    folder = FOLDER / f"{PREFIX}{name}"
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is missing: run `python -m llmbook.translation {name}`")
    return folder
