"""Tokenizers on disk, as Hugging Face's ``tokenizer.json``: GPT-2's layout and BERT's.

One JSON file says how text is normalized and cut, which tokens there are, and what surrounds them.
Each of our two classes does one thing at each of these places, so reading is mostly refusing: a
file that asks for something else would load and give other ids, which is worse than an error.

``truncation`` and ``padding`` in a file are not read: how long a batch is, is the model's matter.
Not here: the layouts of Unigram (T5), of SentencePiece-like BPE (Llama 2), and of cased BERT.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llmbook.corpora.cache import write_whole
from llmbook.tokenizers.byte_alphabet import from_visible, to_visible
from llmbook.tokenizers.pretokenize import GPT2_PATTERN

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False}
BERT_NORMALIZER = {
    "type": "BertNormalizer",
    "clean_text": True,
    "handle_chinese_chars": True,
    "lowercase": True,
}
WORDPIECE = {
    "type": "WordPiece",
    "unk_token": "[UNK]",
    "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 100,
}
PLAIN_BPE = {  # GPT-2's file has none of what these name, and each would change the ids
    "type": "BPE",
    "dropout": None,
    "unk_token": None,
    "continuing_subword_prefix": None,
    "end_of_word_suffix": None,
    "byte_fallback": False,
    "ignore_merges": False,
}


def save_bpe(
    path: str | Path,
    vocabulary: Mapping[bytes, int],
    merges: Iterable[tuple[bytes, bytes]],
    special_tokens: Mapping[str, int],
    pattern: str,
) -> None:
    """Write a byte-level BPE tokenizer, whole or not at all."""
    names = {to_visible(token): i for token, i in vocabulary.items()}
    cut = BYTE_LEVEL | {"trim_offsets": True, "use_regex": pattern == GPT2_PATTERN}
    if pattern != GPT2_PATTERN:
        split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated"}
        cut = {"type": "Sequence", "pretokenizers": [split | {"invert": False}, cut]}
    pairs = [[to_visible(left), to_visible(right)] for left, right in merges]
    model = PLAIN_BPE | {"vocab": names | dict(special_tokens), "merges": pairs}
    decoder = BYTE_LEVEL | {"trim_offsets": True, "use_regex": True}
    _write(path, special_tokens, None, cut, None, decoder, model)


def save_wordpiece(
    path: str | Path, vocabulary: Mapping[str, int], special_tokens: Mapping[str, int]
) -> None:
    """Write an uncased WordPiece tokenizer that puts [CLS] and [SEP] around texts, as BERT's."""

    def special(name: str, kind: int) -> dict[str, Any]:
        return {"SpecialToken": {"id": name, "type_id": kind}}

    def text(name: str, kind: int) -> dict[str, Any]:
        return {"Sequence": {"id": name, "type_id": kind}}

    single = [special("[CLS]", 0), text("A", 0), special("[SEP]", 0)]
    around = {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, text("B", 1), special("[SEP]", 1)],
        "special_tokens": {
            name: {"id": name, "ids": [special_tokens[name]], "tokens": [name]}
            for name in ("[CLS]", "[SEP]")
        },
    }
    decoder = {"type": "WordPiece", "prefix": "##", "cleanup": True}
    normalizer = BERT_NORMALIZER | {"strip_accents": None}
    model = WORDPIECE | {"vocab": dict(vocabulary)}
    cut = {"type": "BertPreTokenizer"}
    _write(path, special_tokens, normalizer, cut, around, decoder, model)


def _write(path, special_tokens, normalizer, pre_tokenizer, post_processor, decoder, model) -> None:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    added = [
        {"id": i, "content": token} | flags | {"special": True}
        for token, i in sorted(special_tokens.items(), key=lambda item: item[1])
    ]
    data = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": post_processor,
        "decoder": decoder,
        "model": model,
    }
    write_whole(Path(path), json.dumps(data, ensure_ascii=False, indent=1).encode())


@contextmanager
def loading(path: str | Path) -> Iterator[None]:
    """Name the file in whatever goes wrong with it, as one ``ValueError``."""
    try:
        yield
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is cut short or no JSON file: get or save it again") from error
    except ValueError as error:
        raise ValueError(f"{path} cannot be loaded: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no tokenizer.json: a part is missing or malformed") from error


def load_bpe(
    path: str | Path,
) -> tuple[dict[bytes, int], list[tuple[bytes, bytes]], dict[str, int], str]:
    """Vocabulary, merges, special tokens and pattern of a byte-level BPE file."""
    data = json.loads(Path(path).read_bytes())
    model = data["model"]
    _expect(model, PLAIN_BPE, "model")
    _expect(data, {"normalizer": None}, "file")
    if data.get("post_processor"):
        _expect(data["post_processor"], {"type": "ByteLevel"}, "post_processor")
    special = _special_tokens(data)
    names = model["vocab"]
    vocabulary = {from_visible(name): i for name, i in names.items() if name not in special}
    merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
    merges = [(from_visible(left), from_visible(right)) for left, right in merges]
    return vocabulary, merges, special, _pattern(data["pre_tokenizer"])


def load_wordpiece(path: str | Path) -> tuple[dict[str, int], dict[str, int]]:
    """Vocabulary and special tokens of an uncased WordPiece file."""
    data = json.loads(Path(path).read_bytes())
    _expect(data["model"], WORDPIECE, "model")
    _expect(data["normalizer"], BERT_NORMALIZER, "normalizer")
    if data["normalizer"].get("strip_accents") is False:
        raise ValueError("strip_accents is False, and this class strips accents")
    _expect(data["pre_tokenizer"], {"type": "BertPreTokenizer"}, "pre_tokenizer")
    return data["model"]["vocab"], _special_tokens(data)


def _pattern(cut: dict[str, Any]) -> str:
    """The pattern of a pre-tokenizer: GPT-2's own, or one that a Split before it holds."""
    if cut["type"] != "Sequence":
        _expect(cut, BYTE_LEVEL, "pre_tokenizer")
        if not cut.get("use_regex", True):
            raise ValueError("the pre-tokenizer does not cut the text at all")
        return GPT2_PATTERN
    split, byte_level = cut["pretokenizers"]
    _expect(split, {"type": "Split", "behavior": "Isolated", "invert": False}, "pre_tokenizer")
    _expect(byte_level, BYTE_LEVEL | {"use_regex": False}, "pre_tokenizer")
    return split["pattern"]["Regex"]


def _special_tokens(data: dict[str, Any]) -> dict[str, int]:
    """The added tokens; they must be found anywhere, and exactly as they are spelled."""
    special: dict[str, int] = {}
    for token in data["added_tokens"]:
        name = token["content"]
        _expect(token, {"single_word": False, "lstrip": False, "rstrip": False}, f"token {name!r}")
        if name in special:
            raise ValueError(f"the special token {name!r} stands twice")
        special[name] = token["id"]
    return special


def _expect(found: dict[str, Any], wanted: dict[str, Any], where: str) -> None:
    """Raise ``ValueError`` unless ``found`` has what is wanted; absent, null, "", false are one."""
    for name, value in wanted.items():
        if (found.get(name) or None) != (value or None):
            raise ValueError(
                f"{name} of the {where} is {found.get(name)!r}, and this class needs {value!r}"
            )


def check_ids(ids: Iterable[int]) -> None:
    """Raise ``ValueError`` unless the ids are 0, 1, …, V - 1, each once."""
    ids = list(ids)
    missing = set(range(len(ids))).difference(ids)
    if missing:
        raise ValueError(
            f"{len(ids)} tokens need the ids 0 to {len(ids) - 1}, each once: {min(missing)} is "
            "missing, so an id stands twice or lies outside"
        )
