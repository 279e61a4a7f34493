"""Encoder and decoder together: from documentation to a first line; the shipped model (chapter 8).

Shapes: ``S`` source tokens, ``T`` tokens of the summary.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_tensors
from torch import Tensor

from llmbook.models.pointer import PointerConfig, PointerDecoder
from llmbook.summarization.learning import encoder_of, new_decoder
from llmbook.summarization.reading import CachedPairs, hidden_states, source_ids
from llmbook.summarization.writing import tidy, write
from llmbook.tokenizers import minilm_tokenizer
from llmbook.training.checkpoints import load_weights, pack, weights
from llmbook.training.errors import CheckpointError
from llmbook.training.folders import read_folder, write_folder

FOLDER = Path(__file__).parents[1] / "checkpoints" / "summarization"
HALF = torch.float16


@dataclass(frozen=True)
class Traced:
    """How one summary came about, for its T tokens, the end token included.

    source  S tokens of the source; ``copied`` (T, S) the pointer's weights on them
    gate    (T,), the probability to generate and not to copy
    part    (T,), how much of the probability of the token that was written comes from copying
    """

    source: list[str]
    summary: list[str]
    copied: Tensor
    gate: Tensor
    part: Tensor


class Summarizer:
    """Writes the first line of a documentation string from its name and its body."""

    def __init__(self, decoder: PointerDecoder, named: bool = True) -> None:
        self.encoder = encoder_of("MiniLM")
        self.decoder = decoder.eval()
        self.named = named

    def __call__(
        self,
        texts: Sequence[tuple[str, str]],
        beams: int = 1,
        length_penalty: float = 1.0,
    ) -> list[str]:
        """A summary for each (name, body); either may be empty, not both.

        Greedy, unless told otherwise: on the validation packages four beams were no better.

        Warns:
            UserWarning: if a text is cut because it is too long.

        Raises:
            ValueError: if there is nothing to read, or for a number of beams that cannot be.
        """
        sources = self.sources(texts, warn=True)
        hidden = hidden_states(self.encoder, sources)
        ids = write(self.decoder, sources, hidden, beams=beams, length_penalty=length_penalty)
        return [tidy(row) for row in ids]

    def sources(self, texts: Sequence[tuple[str, str]], warn: bool = False) -> list[list[int]]:
        """Token ids of each (name, body)."""
        if isinstance(texts, str) or not all(len(text) == 2 for text in texts):
            raise ValueError("give a list of (name, body), such as [('add', 'It adds ...')]")
        rows = []
        for number, (name, body) in enumerate(texts):
            row = source_ids(name if self.named else "", body, warn=warn)
            if len(row) < 3:  # [CLS] and [SEP] alone
                raise ValueError(f"text {number} is empty: there is nothing to summarize")
            rows.append(row)
        return rows

    @torch.inference_mode()
    def trace(self, name: str, body: str) -> Traced:
        """Write greedily, and keep the pointer's weights and the gate."""
        [source] = self.sources([(name, body)])
        hidden = hidden_states(self.encoder, [source])
        [ids] = write(self.decoder, [source], hidden)
        special = minilm_tokenizer().special_tokens
        batch = CachedPairs([source], hidden, [[special["[CLS]"], *ids]]).collate([0])
        read = self.decoder.read(batch["source"], batch["hidden"], batch["source_mask"])
        mixture = self.decoder.mix(batch["target"], read)
        written = torch.tensor([*ids, special["[SEP]"]])
        whole = self.decoder.probabilities(mixture, read)[0].gather(1, written[:, None])[:, 0]
        same = written[:, None] == batch["source"]  # (T, S)
        copied, gate = mixture.copied[0], mixture.gate[0]
        part = (1 - gate) * (copied * same).sum(1) / whole
        pieces = minilm_tokenizer()
        return Traced(pieces.tokens(source), pieces.tokens(written.tolist()), copied, gate, part)


def ship(folder: Path, decoder: PointerDecoder, named: bool, facts: dict[str, Any]) -> None:
    """Write what was trained, in float16; word vectors and encoder are MiniLM's, and not in it.

    Raises:
        CheckpointError: if the folder cannot be written.
    """
    tensors = {name: tensor.to(HALF) for name, tensor in weights(decoder).items()}
    tensors["written"] = decoder.written.to(torch.int32)
    settings = {"class": "PointerConfig", "named": named, **asdict(decoder.config)}
    files = {
        "model.safetensors": pack(tensors),
        "config.json": json.dumps(settings, indent=1).encode(),
    }
    write_folder(folder, files, facts, "recipe.json")


def shipped(folder: Path = FOLDER) -> Summarizer:
    """The summarizer that ships with the book.

    Raises:
        CheckpointError: if it is not there, or a file is missing, cut short or altered.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is missing: run `python -m llmbook.summarization`")
    files, _ = read_folder(folder, "recipe.json")
    settings = json.loads(files["config.json"])
    named = settings.pop("named")
    settings.pop("class")
    tensors = load_tensors(files["model.safetensors"])
    decoder = new_decoder(PointerConfig(**settings), tensors.pop("written").long())
    load_weights(decoder, {name: tensor.float() for name, tensor in tensors.items()}, folder)
    return Summarizer(decoder, named)


def shipped_facts(folder: Path = FOLDER) -> dict[str, Any]:
    """What its ``recipe.json`` says: command, versions, fingerprints, curve, CPU seconds."""
    return read_folder(folder, "recipe.json")[1]
