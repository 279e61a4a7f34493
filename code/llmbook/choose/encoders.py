"""Frozen models that turn a text into a vector, and what is to be known before one is chosen.

``word_vectors``, ``ours`` and ``minilm`` are on the reader's disk; ``local_folder`` takes any
encoder of Hugging Face that is.

Not here: a download, code that comes with a model, weights in a pickle.

Shapes: ``N`` texts, ``D`` width of a model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch

from llmbook import corpora
from llmbook.choose.files import FileError
from llmbook.pretrained import minilm_folder
from llmbook.tuning import Classifier, mean_pool, pool_rows
from llmbook.vectors.shipped import CHECKPOINTS, shipped

MAX_TOKENS = 128  # what each network reads of a text
BATCH = 32
LOOKED_AT = 2000  # characters of a text; the rest is beyond MAX_TOKENS in any case
OWN = "MIT; CC BY-SA"  # code and weights; Wikipedia, whose text went in


@dataclass(frozen=True)
class Reading:
    """How a model reads some texts.

    unknown   share of their characters, spaces apart, that it takes for an unknown token
    tokens    tokens a character; above 1 it reads bytes; not a number where it counts words
    cut       share of the texts of which it reads the beginning only
    frozen    whether this stays so, however many texts there are to learn from
    """

    unknown: float
    tokens: float
    cut: float = 0.0
    frozen: bool = True


@dataclass(frozen=True)
class Encoder:
    """A frozen model: N texts to vectors (N, D), and how it reads N texts.

    ms   processor milliseconds a text, where they were measured before; None: to be measured
    """

    name: str
    licence: str
    megabytes: float
    vectors: Callable[[Sequence[str]], np.ndarray]
    reading: Callable[[Sequence[str]], Reading]
    ms: float | None = None


def standard() -> list[Encoder]:
    """The four that come with the book.

    Raises:
        CorpusError: if MiniLM's files are missing or altered.
    """
    return [word_vectors(), ours("bert"), ours("gpt"), minilm()]


@cache
def word_vectors() -> Encoder:
    """The mean of our skip-gram vectors (chapter 3); a text without a known word gets zeros."""
    words = shipped("skipgram")

    def encode(texts: Sequence[str]) -> np.ndarray:
        found = np.zeros((len(texts), words.vectors.shape[1]), dtype=np.float32)
        for i, text in enumerate(texts):
            known = [words.index[word] for word in corpora.words(text) if word in words]
            if known:
                found[i] = words.unit[known].mean(0)
        return found

    def reading(texts: Sequence[str]) -> Reading:
        split = [word for text in texts for word in corpora.words(text)]
        letters = sum(map(len, split))
        unknown = sum(len(word) for word in split if word not in words)
        return Reading(unknown / max(letters, 1) if letters else 1.0,
                       len(split) / max(sum(map(len, texts)), 1))  # fmt: skip

    size = (CHECKPOINTS / "skipgram.bin").stat().st_size
    return Encoder("our word vectors", OWN, size / 1e6, encode, reading)


@cache
def ours(name: str) -> Encoder:
    """Our "bert" or "gpt" of chapter 6: the mean of its last hidden states."""
    from llmbook.training import load
    from llmbook.training.shipped import find

    model, tokenizer = load(name)
    pool = Classifier(model.bert if name == "bert" else model, 2).eval().pool
    special = tokenizer.special_tokens
    around = ("[CLS]", "[SEP]") if name == "bert" else ("<|endoftext|>", None)
    first, last = special[around[0]], special.get(around[1])

    def ids(text: str) -> list[int]:
        own = tokenizer.encode(text[:LOOKED_AT])[: MAX_TOKENS - 2]
        return [first, *own, *([] if last is None else [last])]

    def encode(texts: Sequence[str]) -> np.ndarray:
        return _pooled([ids(text) for text in texts], pool)

    def reading(texts: Sequence[str]) -> Reading:
        shown = [text[:LOOKED_AT] for text in texts]
        lengths = [len(tokenizer.encode(text)) for text in shown]
        cut = sum(n > MAX_TOKENS - 2 for n in lengths) / max(len(lengths), 1)
        return Reading(0.0, sum(lengths) / max(sum(map(len, shown)), 1), cut)

    return Encoder(f"our {name.upper()}", OWN, _megabytes(find(name)), encode, reading)


@cache
def minilm() -> Encoder:
    """MiniLM, trained for sentences (Reimers & Gurevych 2019): mean, length 1."""
    from llmbook.models import load_minilm
    from llmbook.retrieval import embed
    from llmbook.retrieval.dense import tokenizer

    folder, model = minilm_folder(), load_minilm()
    encode = partial(embed, max_tokens=MAX_TOKENS, batch_size=BATCH, model=model)
    reading = partial(_wordpiece_reading, tokenizer(100_000))
    return Encoder("MiniLM", card_licence(folder), _megabytes(folder), encode, reading)


def local_folder(path: str | Path) -> Encoder:
    """Any encoder of Hugging Face in a folder: ``config.json``, safetensors, a fast tokenizer.

    Its vectors are means over the tokens. Nothing is downloaded, no code of the folder is run and
    no pickle is opened.

    Raises:
        FileError: if the folder cannot be used; the message says what is missing.
    """
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    folder = Path(path)
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise FileError(f"the folder {folder.name} has no {name}: it is no model that can be "
                            "used here")  # fmt: skip
    if not list(folder.glob("*.safetensors")):
        raise FileError(f"the folder {folder.name} has no safetensors file; weights in a pickle "
                        "can run code and are not opened")  # fmt: skip
    safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **safe)
        model = AutoModel.from_pretrained(folder, use_safetensors=True, **safe).eval()
    except Exception as error:  # whatever is wrong in a stranger's folder
        reason = str(error).strip().partition("\n")[0][:200]
        raise FileError(f"the folder {folder.name} cannot be loaded: {reason}") from error
    if model.config.is_encoder_decoder or tokenizer.backend_tokenizer is None:
        raise FileError(f"the folder {folder.name} holds no encoder with a fast tokenizer")
    pieces = tokenizer.backend_tokenizer
    pieces.no_truncation()
    pieces.no_padding()
    pad = tokenizer.pad_token_id or 0
    limit = min(MAX_TOKENS, getattr(model.config, "max_position_embeddings", MAX_TOKENS))

    def pool(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return mean_pool(model(ids, attention_mask=mask).last_hidden_state, mask)

    def encode(texts: Sequence[str]) -> np.ndarray:
        cut = tokenizer(list(texts), truncation=True, max_length=limit)["input_ids"]
        return _pooled(cut, pool, pad)

    def reading(texts: Sequence[str]) -> Reading:
        pieces.no_truncation()
        return _wordpiece_reading(pieces, texts, tokenizer.unk_token, limit)

    return Encoder(folder.name, card_licence(folder), _megabytes(folder), encode, reading)


def remembered(encoder: Encoder, texts: Sequence[str]) -> Encoder:
    """The same, with the vectors of these texts at hand, and the time that they took."""
    start = process_time()
    known = dict(zip(texts, encoder.vectors(texts), strict=True))
    ms = 1000 * (process_time() - start) / len(texts)
    return replace(encoder, vectors=lambda some: np.stack([known[text] for text in some]), ms=ms)


def card_licence(folder: Path) -> str:
    """The licence that the head of a folder's model card names."""
    card = folder / "README.md"
    head = card.read_text("utf8", errors="replace")[:3000] if card.is_file() else ""
    found = re.search(r"^license:\s*['\"]?([\w.\-]+)", head, re.MULTILINE)
    return found[1] if found else "not stated"


def _wordpiece_reading(
    tokenizer: Any, texts: Sequence[str], unknown: str | None = "[UNK]", limit: int = MAX_TOKENS
) -> Reading:
    """By the places that each token has in its text."""
    missed = characters = tokens = cut = 0
    for text, code in zip(texts, tokenizer.encode_batch(list(texts)), strict=True):
        own = [i for i, special in enumerate(code.special_tokens_mask) if not special or
               code.tokens[i] == unknown]  # fmt: skip
        tokens += len(own)
        cut += len(code.ids) > limit
        characters += len("".join(text.split()))
        for i in own:
            if code.tokens[i] == unknown:
                start, end = code.offsets[i]
                missed += len("".join(text[start:end].split()))
    return Reading(missed / max(characters, 1), tokens / max(sum(map(len, texts)), 1),
                   cut / max(len(texts), 1))  # fmt: skip


def _pooled(rows: Sequence[Sequence[int]], pool: Callable, pad: int = 0) -> np.ndarray:
    """Vectors of lists of token ids, (N, D), at length 1; an empty text gets zeros."""
    places = [i for i, row in enumerate(rows) if len(row)]
    if not places:
        return np.zeros((len(rows), 1), np.float32)
    read = pool_rows([rows[i] for i in places], pool, BATCH, pad).numpy()
    found = np.zeros((len(rows), read.shape[1]), np.float32)
    found[places] = read
    return found


def _megabytes(folder: Path) -> float:
    """Weights and tokenizer of a folder."""
    files = [*folder.glob("*.safetensors"), *folder.glob("tokenizer.json")]
    return sum(path.stat().st_size for path in files) / 1e6
