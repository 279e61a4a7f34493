"""``tokenizer.json``: what is written, what is read, and what a wrong file says."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from llmbook.tokenizers import BPETokenizer, WordPieceTokenizer, train_bpe

TEXTS = ["the cat sat on the mat", "naïve 日本語"]
END = "<|endoftext|>"
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "##ness"]


@pytest.fixture
def bpe() -> BPETokenizer:
    return train_bpe(TEXTS, 256 + 10, special_tokens=[END])


@pytest.fixture
def wordpiece() -> WordPieceTokenizer:
    return WordPieceTokenizer({token: i for i, token in enumerate(WORDS)})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokenizer.json"


def test_bpe_comes_back_as_it_was(bpe: BPETokenizer, path: Path) -> None:
    bpe.save(path)
    found = BPETokenizer.load(path)
    for part in ("vocabulary", "merges", "special_tokens", "pattern"):
        assert getattr(found, part) == getattr(bpe, part)


def test_another_pattern_comes_back(path: Path) -> None:
    made = train_bpe(TEXTS, 266, pattern=r"\p{N}|\s?\w+|\s+|.")
    made.save(path)
    assert BPETokenizer.load(path).pattern == made.pattern


def test_what_is_written_by_hand(path: Path) -> None:
    """"e" is byte 101, the space 32; " e" is the first merge and so 256, the special token 257."""
    train_bpe([" e e"], 258, special_tokens=[END]).save(path)
    data = json.loads(path.read_text("utf-8"))
    vocabulary = data["model"]["vocab"]
    assert (vocabulary["e"], vocabulary["Ġ"], vocabulary["Ġe"], vocabulary[END]) == (
        101, 32, 256, 257)
    assert len(vocabulary) == 258 and data["model"]["merges"] == [["Ġ", "e"]]
    assert [(token["id"], token["content"]) for token in data["added_tokens"]] == [(257, END)]


def test_the_layout_of_gpt2s_own_file_is_read(bpe: BPETokenizer, path: Path) -> None:
    """An older form: a merge is one string, "" for null, a ByteLevel post-processor, no flags."""
    bpe.save(path)
    data = json.loads(path.read_text("utf-8"))
    data["model"]["merges"] = [" ".join(pair) for pair in data["model"]["merges"]]
    data["model"] |= {"continuing_subword_prefix": "", "end_of_word_suffix": ""}
    for name in ("byte_fallback", "ignore_merges"):
        del data["model"][name]
    del data["pre_tokenizer"]["use_regex"]
    data["post_processor"] = data["decoder"]
    data["added_tokens"][0]["normalized"] = True
    data["truncation"] = {"max_length": 3}
    path.write_text(json.dumps(data), "utf-8")
    text = "the mat" + END
    assert BPETokenizer.load(path).encode(text, True) == bpe.encode(text, True)


def test_wordpiece_comes_back_as_it_was(wordpiece: WordPieceTokenizer, path: Path) -> None:
    wordpiece.save(path)
    found = WordPieceTokenizer.load(path)
    assert found.vocabulary == wordpiece.vocabulary
    assert found.encode("goodness [MASK]", True) == [2, 5, 6, 4, 3]


@pytest.mark.parametrize("kind", ["bpe", "wordpiece"])
def test_an_interrupted_save_leaves_the_old_file(
    kind: str, request: pytest.FixtureRequest, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_):
        raise OSError("disk full")

    path.write_text("old", "utf-8")
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        request.getfixturevalue(kind).save(path)
    assert path.read_text("utf-8") == "old" and [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize("kind", ["bpe", "wordpiece"])
def test_a_file_cut_anywhere_is_one_clear_error(
    kind: str, request: pytest.FixtureRequest, path: Path
) -> None:
    """At some 40 places, from the empty file on."""
    tokenizer = request.getfixturevalue(kind)
    tokenizer.save(path)
    whole = path.read_bytes()
    for place in range(0, len(whole) - 1, len(whole) // 40):
        path.write_bytes(whole[:place])
        with pytest.raises(ValueError, match=r"tokenizer\.json is cut short or no JSON file"):
            type(tokenizer).load(path)


def test_a_missing_file_says_its_name(path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"tokenizer\.json"):
        BPETokenizer.load(path)


def refuses(
    tokenizer: BPETokenizer | WordPieceTokenizer, path: Path, change: Callable, message: str
) -> None:
    tokenizer.save(path)
    data = json.loads(path.read_text("utf-8"))
    data = change(data) or data
    path.write_text(json.dumps(data), "utf-8")
    with pytest.raises(ValueError, match=rf"tokenizer\.json .*{message}"):
        type(tokenizer).load(path)


def put(value, *keys) -> Callable:
    """Set a place in the nested data, as in ``data["model"]["type"] = value``."""
    def change(data):
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = value
    return change


@pytest.mark.parametrize(("change", "message"), [
    (put("Unigram", "model", "type"), "type of the model is 'Unigram', and this class needs 'BPE'"),
    (put(0.1, "model", "dropout"), "dropout of the model is 0.1"),
    (put("</w>", "model", "end_of_word_suffix"), "end_of_word_suffix"),
    (put(True, "model", "byte_fallback"), "byte_fallback"),
    (put(True, "model", "ignore_merges"), "ignore_merges"),
    (put("[UNK]", "model", "unk_token"), "unk_token"),
    (put({"type": "NFC"}, "normalizer"), "normalizer of the file"),
    (put({"type": "TemplateProcessing"}, "post_processor"), "type of the post_processor"),
    (put({"type": "Metaspace"}, "pre_tokenizer"), "type of the pre_tokenizer is 'Metaspace'"),
    (put(True, "pre_tokenizer", "add_prefix_space"), "add_prefix_space"),
    (put(False, "pre_tokenizer", "use_regex"), "does not cut"),
    (put(None, "pre_tokenizer"), "missing or malformed"),
    (put(True, "added_tokens", 0, "lstrip"), r"lstrip of the token '<\|endoftext\|>'"),
    (put(True, "added_tokens", 0, "single_word"), "single_word"),
    (lambda data: data["added_tokens"].extend(data["added_tokens"]), "stands twice"),
    (put(999, "model", "vocab", "Ġt"), "is missing"),
    (put(266, "model", "vocab", "▁the"), "'▁' stands for no byte"),
    (put([["q", "zz"]], "model", "merges"), "needs b'zz'"),
    (put(["q"], "model", "merges"), "not enough values"),
    (lambda data: data["model"].pop("vocab") and None, "missing or malformed"),
    (lambda data: [data], "missing or malformed"),
])
def test_a_bpe_file_of_another_kind(
    bpe: BPETokenizer, path: Path, change: Callable, message: str
) -> None:
    refuses(bpe, path, change, message)


@pytest.mark.parametrize(("change", "message"), [
    (put("BPE", "model", "type"), "type of the model is 'BPE', and this class needs 'WordPiece'"),
    (put("@@", "model", "continuing_subword_prefix"), "continuing_subword_prefix"),
    (put(200, "model", "max_input_chars_per_word"), "max_input_chars_per_word"),
    (put(False, "normalizer", "lowercase"), "lowercase of the normalizer is False"),
    (put(False, "normalizer", "strip_accents"), "this class strips accents"),
    (put(False, "normalizer", "handle_chinese_chars"), "handle_chinese_chars"),
    (put({"type": "Whitespace"}, "pre_tokenizer"), "type of the pre_tokenizer"),
    (put(None, "normalizer"), "missing or malformed"),
    (lambda data: data["added_tokens"].pop() and None, "its special tokens are not"),
    (put(3, "added_tokens", 0, "id"), "its special tokens are not"),
    (put(6, "model", "vocab", "good"), "5 is missing"),
    (lambda data: data["model"]["vocab"].pop("[SEP]") and None, r"lacks \[SEP\]"),
])
def test_a_wordpiece_file_of_another_kind(
    wordpiece: WordPieceTokenizer, path: Path, change: Callable, message: str
) -> None:
    refuses(wordpiece, path, change, message)


def test_each_class_refuses_the_others_file(
    bpe: BPETokenizer, wordpiece: WordPieceTokenizer, path: Path
) -> None:
    bpe.save(path)
    with pytest.raises(ValueError, match="needs 'WordPiece'"):
        WordPieceTokenizer.load(path)
    wordpiece.save(path)
    with pytest.raises(ValueError, match="needs 'BPE'"):
        BPETokenizer.load(path)
