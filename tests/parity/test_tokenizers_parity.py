"""Tokenizers against Hugging Face's ``tokenizers``: the same ids from the same file, both ways.

``regex``, Python and ``tokenizers`` each carry their own tables of Unicode characters. Random text
is therefore drawn from characters that Unicode 3.2 (2002) had: what is newer may be a letter to one
and nothing to another. Four of these changed their class later, and ``tokenizers`` has the old one:
a sign that became a symbol (U+166D) and three letters or marks (U+1734, U+1885, U+1886).
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from tokenizers import decoders as hf_decoders

from llmbook import corpora
from llmbook.pretrained import minilm_folder
from llmbook.tokenizers import (
    BPETokenizer,
    WordPieceTokenizer,
    from_visible,
    pretokenize,
    split_words,
    to_visible,
    train_bpe,
)

END = "<|endoftext|>"
# Family of four by joiners, flag, skin tone, keycap; a letter of two code points; a lone accent.
EMOJI = ["👨‍👩‍👧‍👦 🇨🇳👍🏽 2️⃣", "e\u0301\u0301 \u0301x", "🙂🙂\u00a0🙂\u3000。", "\r\n\t  x \n\n y  "]
OLD = [chr(code) for code in range(0x110000) if code not in (0x166D, 0x1734, 0x1885, 0x1886)
       and unicodedata.ucd_3_2_0.category(chr(code)) not in ("Cn", "Cs")]
old_text = st.text(st.sampled_from(OLD) | st.sampled_from("abcé 日,'\n[]1"), max_size=40)


@pytest.fixture(scope="module")
def articles() -> list[str]:
    return [article.text for article in corpora.wikipedia()]


@pytest.fixture(scope="module")
def chinese() -> list[str]:
    return [pair.chinese for kind in ("names", "messages")
            for pair in corpora.english_chinese(kind)]


# BPE


@pytest.fixture(scope="module")
def ours(articles: list[str], chinese: list[str]) -> BPETokenizer:
    """2,000 tokens from a tenth of the articles and all Chinese, two special tokens."""
    return train_bpe([*articles[::10], *chinese], 2000, special_tokens=[END, "<|end|>"])


@pytest.fixture(scope="module")
def theirs(ours: BPETokenizer, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("bpe") / "tokenizer.json"
    ours.save(path)
    return Tokenizer.from_file(str(path))


def test_the_byte_alphabet_is_theirs() -> None:
    names = [to_visible(bytes([byte])) for byte in range(256)]
    assert sorted(names) == sorted(pre_tokenizers.ByteLevel.alphabet())


def their_pieces(text: str) -> list[str]:
    cut = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(text)
    return [from_visible(name).decode() for name, _ in cut]


@settings(max_examples=300, deadline=None)
@given(old_text)
def test_pieces_are_theirs(text: str) -> None:
    assert pretokenize(text) == their_pieces(text)


def test_every_old_character_is_cut_as_theirs() -> None:
    """In one text: each between letters, between digits, and after two spaces."""
    text = "".join(f"a{character}b 1{character}2  {character}" for character in OLD)
    assert pretokenize(text) == their_pieces(text)


def test_bpe_ids_are_theirs(ours, theirs, articles, chinese) -> None:
    """Wikipedia, all Chinese, emoji; the vocabulary is the same, id for id."""
    names = {to_visible(token): i for token, i in ours.vocabulary.items()}
    assert theirs.get_vocab() == names | ours.special_tokens
    for text in [*articles, *chinese, *EMOJI]:
        ids = ours.encode(text)
        assert ids == theirs.encode(text).ids
        assert ours.decode(ids) == text == theirs.decode(ids)


@settings(max_examples=300, deadline=None)
@given(old_text)
def test_bpe_ids_of_any_text_are_theirs(ours, theirs, text: str) -> None:
    assert ours.encode(text) == theirs.encode(text).ids


@pytest.mark.parametrize("text", [END, f"a{END}{END} b", f" {END} <|end|>x<|end|", "<|endo", ""])
def test_special_tokens_are_theirs(ours, theirs, text: str) -> None:
    """They always turn the name of a special token into its id; we do on request."""
    ids = ours.encode(text, allow_special=True)
    assert ids == theirs.encode(text).ids
    assert ours.decode(ids) == text == theirs.decode(ids, skip_special_tokens=False)


def test_cut_characters_are_theirs(ours, theirs) -> None:
    """Every prefix of the ids of a text of long characters, and every suffix."""
    ids = ours.encode("日本語 🙂 é ሴ\U0001f9ff")
    for place in range(len(ids)):
        assert ours.decode(ids[:place]) == theirs.decode(ids[:place])
        assert ours.decode(ids[place:]) == theirs.decode(ids[place:])


@pytest.fixture(scope="module")
def trained_by_them(articles: list[str]) -> Tokenizer:
    """As their own users train: special tokens come first, then the bytes in their order."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = hf_decoders.ByteLevel()
    tokenizer.train_from_iterator(articles[:10], trainers.BpeTrainer(
        vocab_size=600, special_tokens=[END, "<|pad|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tokenizer


def test_their_file_gives_their_ids(trained_by_them, articles, chinese, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    trained_by_them.save(str(path))
    loaded = BPETokenizer.load(path)
    assert loaded.special_tokens == {END: 0, "<|pad|>": 1} and len(loaded) == 600
    for text in [*articles[:20], *chinese[::10], *EMOJI, f"a{END}<|pad|> b"]:
        ids = loaded.encode(text, allow_special=True)
        assert ids == trained_by_them.encode(text).ids
        assert loaded.decode(ids) == text
    loaded.save(path)
    again = Tokenizer.from_file(str(path))
    assert again.get_vocab() == trained_by_them.get_vocab()
    assert again.encode(f"a{END} {articles[0]}").ids == loaded.encode(f"a{END} {articles[0]}", True)


def test_their_trainer_follows_our_rule_but_for_ties(trained_by_them, articles) -> None:
    """The rule on the first article, slowly, with their tie-break: the pair of smallest ids.

    The first 60 merges, so that a chapter may say how the two differ, and in nothing else.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    text = articles[0][:3000]
    tokenizer.train_from_iterator([text], trainers.BpeTrainer(
        vocab_size=256 + 60, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False))
    names = sorted(map(to_visible, (bytes([byte]) for byte in range(256))))
    ids = {name: i for i, name in enumerate(names)}
    pieces = [list(to_visible(piece.encode())) for piece in pretokenize(text)]
    merges: list[list[str]] = []
    for _ in range(60):
        counts = Counter(pair for piece in pieces for pair in pairwise(piece))
        left, right = min(counts, key=lambda pair: (-counts[pair], ids[pair[0]], ids[pair[1]]))
        merges.append([left, right])
        ids[left + right] = len(ids)
        for piece in pieces:
            for i in range(len(piece)):
                if piece[i : i + 2] == [left, right]:
                    piece[i : i + 2] = [left + right]
    assert json.loads(tokenizer.to_str())["model"]["merges"] == merges
    mine = [[*map(to_visible, pair)] for pair in train_bpe([text], 256 + 60).merges]
    assert mine != merges  # a tie came up, and went the other way


def test_a_pattern_of_ones_own_is_kept_in_the_file(articles, tmp_path: Path) -> None:
    """GPT-4's idea to cut numbers into groups of three digits, as a Split before ByteLevel."""
    pattern = r"\p{N}{1,3}| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+"
    path = tmp_path / "tokenizer.json"
    made = train_bpe(articles[:5], 500, pattern=pattern)
    made.save(path)
    oracle = Tokenizer.from_file(str(path))
    for text in [*articles[:10], *EMOJI, "year 123456789 it's"]:
        assert made.encode(text) == oracle.encode(text).ids == BPETokenizer.load(path).encode(text)


# WordPiece


@pytest.fixture(scope="module")
def bert() -> WordPieceTokenizer:
    return WordPieceTokenizer.load(minilm_folder() / "tokenizer.json")


@pytest.fixture(scope="module")
def bert_oracle() -> Tokenizer:
    """MiniLM's file asks for 128 tokens, cut or padded; that is turned off."""
    tokenizer = Tokenizer.from_file(str(minilm_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def test_wordpiece_ids_are_theirs(bert, bert_oracle, articles, chinese) -> None:
    assert len(bert) == 30_522 and bert.vocabulary == bert_oracle.get_vocab()
    for text in [*articles, *chinese, *EMOJI, "x" * 100, "x" * 101, "[MASK] [mask]"]:
        ids = bert.encode(text, allow_special=True)
        assert ids == bert_oracle.encode(text).ids
        assert bert.tokens(ids) == bert_oracle.encode(text).tokens


@settings(max_examples=300, deadline=None)
@given(old_text, old_text)
def test_wordpiece_pairs_of_any_texts_are_theirs(bert, bert_oracle, first, second) -> None:
    oracle = bert_oracle.encode(first, second)
    assert bert.encode_pair(first, second, allow_special=True) == (oracle.ids, oracle.type_ids)


def test_every_old_character_makes_the_words_of_theirs(bert_oracle) -> None:
    """Each between two letters; private use, controls and all kinds of spaces included."""
    normalize = bert_oracle.normalizer.normalize_str
    cut = bert_oracle.pre_tokenizer.pre_tokenize_str
    wrong = [character for character in OLD
             if split_words(f"a{character}b")
             != [word for word, _ in cut(normalize(f"a{character}b"))]]
    assert wrong == []


def test_our_wordpiece_file_gives_the_same_ids(bert, bert_oracle, articles, tmp_path) -> None:
    path = tmp_path / "tokenizer.json"
    bert.save(path)
    again = Tokenizer.from_file(str(path))
    assert again.get_vocab() == bert_oracle.get_vocab()
    for text in [*articles[:10], *EMOJI, "the [MASK] of France"]:
        assert again.encode(text).ids == bert_oracle.encode(text).ids
    pair = again.encode("How old are you?", "I am 6.")
    assert (pair.ids, pair.type_ids) == bert.encode_pair("How old are you?", "I am 6.")
    assert WordPieceTokenizer.load(path).vocabulary == bert.vocabulary
