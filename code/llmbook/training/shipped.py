"""A finished model as a folder that ships with the book, and how it is loaded.

``model.safetensors`` (float16: half the size of float32), ``config.json``, ``tokenizer.json`` and
``recipe.json``: corpora with their fingerprints, command, versions, loss curve, CPU seconds, and
the sha256 of each file.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_tensors
from torch import nn

from llmbook.models import BertConfig, GPTConfig
from llmbook.tokenizers import BPETokenizer
from llmbook.training.checkpoints import load_weights, pack, weights
from llmbook.training.errors import CheckpointError
from llmbook.training.folders import read_folder, write_folder
from llmbook.training.recipes import RECIPES, new_model

FOLDER = Path(__file__).parents[1] / "checkpoints"
CONFIGS = {"GPTConfig": GPTConfig, "BertConfig": BertConfig}
HALF = torch.float16  # ten bits of fraction; bfloat16 has seven, and its range is not needed


def ship(folder: Path, model: nn.Module, tokenizer: BPETokenizer, facts: dict[str, Any]) -> None:
    """Write a finished model and what there is to say about it.

    Raises:
        CheckpointError: if the folder cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = folder.with_name(f"{folder.name}.tokenizer")
    try:
        tokenizer.save(scratch)
        files = {
            "model.safetensors": pack({n: t.to(HALF) for n, t in weights(model).items()}),
            "config.json": json.dumps(
                {"class": type(model.config).__name__, **asdict(model.config)}, indent=1
            ).encode(),
            "tokenizer.json": scratch.read_bytes(),
        }
    finally:
        scratch.unlink(missing_ok=True)
    write_folder(folder, files, facts, "recipe.json")


def load(name: str | Path) -> tuple[nn.Module, BPETokenizer]:
    """The shipped model of a recipe, or the one in a folder, in evaluation mode; its tokenizer.

    Raises:
        CheckpointError: if it is not there, or a file is missing, cut short or altered.
    """
    folder = find(name)
    files, _ = read_folder(folder, "recipe.json")
    settings = json.loads(files["config.json"])
    model = new_model(CONFIGS[settings.pop("class")](**settings))
    tensors = load_tensors(files["model.safetensors"])
    load_weights(model, {n: t.float() for n, t in tensors.items()}, folder)
    return model.eval(), BPETokenizer.load(folder / "tokenizer.json")


def load_facts(name: str | Path) -> dict[str, Any]:
    """What ``recipe.json`` says: recipe, command, versions, curve, evaluations, CPU seconds."""
    return read_folder(find(name), "recipe.json")[1]


def find(name: str | Path) -> Path:
    if isinstance(name, Path):
        return name
    if name not in RECIPES:
        known = ", ".join(RECIPES)
        raise CheckpointError(f"{name!r} does not ship with the book; there are {known}")
    folder = FOLDER / name
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is missing: run `python -m llmbook.training {name}`")
    return folder
