"""A model as a folder, in the layout of Hugging Face, made and examined offline (chapter 12).

A repository holds ``config.json``, ``model.safetensors``, ``tokenizer.json`` and a card; the cache
of the hub holds, for each repository, ``refs/main`` (a hash) and ``snapshots/<hash>/``. Not here:
the network, and the weights themselves (``llmbook.models.save_transformers``).

Shapes: ``B`` batch, ``T`` time.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

PROBE = "probe.safetensors"
T = TypeVar("T")


class Saves(Protocol):
    """A tokenizer of this book: it writes a ``tokenizer.json``."""

    def save(self, path: str | Path) -> None:
        """Write a `tokenizer.json`."""


def attempt(
    action: Callable[[], T], hide: str | Path = "", width: int = 66
) -> tuple[T | None, str]:
    """What an action gives, and "loaded"; or None, and its error in one line.

    Args:
        hide: the folder whose name becomes "…" in the line, as do addresses of the web
        width: characters of the line at most, without the type of the error
    """
    try:
        return action(), "loaded"
    except Exception as error:
        line = (str(error).splitlines() or [""])[0]
        line = line.replace(str(hide), "…") if str(hide) else line
        line = re.sub(r"'?https?://\S+", "…", line)
        return None, f"{type(error).__name__}: {textwrap.shorten(line, width, placeholder=' …')}"


def save_tokenizer(
    tokenizer: Saves, folder: str | Path, around: Sequence[str] = (), **special: Any
) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json``, which ``AutoTokenizer`` reads.

    Args:
        around: the special tokens before and after each text; none by default
        special: what Transformers should know, such as ``mask_token`` or ``model_max_length``

    Raises:
        ValueError: if ``around`` is neither empty nor two tokens of the vocabulary.
    """
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(folder / "tokenizer.json")
    theirs = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), **special)
    if around:
        ids = [(token, theirs.get_vocab().get(token)) for token in around]
        if len(ids) != 2 or any(i is None for _, i in ids):
            raise ValueError(f"around must be two tokens of the vocabulary, not {tuple(around)}")
        theirs.backend_tokenizer.post_processor = TemplateProcessing(
            single=f"{around[0]} $A {around[1]}", special_tokens=ids
        )
    theirs.save_pretrained(folder)


def save_probe(folder: str | Path, ids: Tensor, output: Tensor) -> None:
    """Write an input (B, T) and what the author's model gives for it (B, T, …)."""
    save_file(
        {"ids": ids.contiguous(), "output": output.detach().contiguous()}, Path(folder) / PROBE
    )


def probe_difference(folder: str | Path, model: nn.Module, length: int | None = None) -> float:
    """The largest difference between a model's output and the folder's probe.

    ``model`` is one of Transformers: the first thing that it gives is compared. With ``length``
    only the first so many tokens are read, which for a causal model is a shorter probe.
    """
    probe = load_file(Path(folder) / PROBE)
    with torch.no_grad():
        found = model(probe["ids"][:, :length])[0]
    return float((found - probe["output"][:, :length]).abs().max())


def with_settings(source: str | Path, target: str | Path, **changes: Any) -> Path:
    """A copy of a repository whose ``config.json`` has other settings; the copy's folder."""
    target = Path(shutil.copytree(source, target))
    settings = json.loads((target / "config.json").read_text("utf8"))
    (target / "config.json").write_text(json.dumps(settings | changes), "utf8")
    return target


def sha256(folder: str | Path) -> dict[str, str]:
    """The sha256 of each file directly in a folder, by its name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(folder).iterdir())
        if path.is_file()
    }


def commit(folder: str | Path, cache: str | Path, name: str) -> str:
    """Put a repository into a cache of the hub, as ``owner/model``; the hash, now ``main``.

    On the hub the hash is that of a git commit. Here it is the sha1 of names and contents: it has
    the same form, and it too changes with any byte.
    """
    hashes = sha256(folder)
    revision = hashlib.sha1(json.dumps(hashes).encode()).hexdigest()
    entry = Path(cache) / f"models--{name.replace('/', '--')}"
    shutil.copytree(folder, entry / "snapshots" / revision, dirs_exist_ok=True)
    (entry / "refs").mkdir(exist_ok=True)
    (entry / "refs" / "main").write_text(revision)
    return revision
