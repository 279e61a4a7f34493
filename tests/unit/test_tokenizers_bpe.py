"""Byte-level BPE: ids by hand and by the slow rule, special tokens, cut characters, bad input."""

from __future__ import annotations

import copy
import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbook.tokenizers import BPETokenizer, bpe, train_bpe

BYTES = {bytes([byte]): byte for byte in range(256)}
TEXTS = ["the cat sat on the mat, the cats sat", "naïve 日本 日本語 日", "aaaa aaa aa a", "🙂🙂 🙃"]
END = "<|endoftext|>"
valid_text = st.text(st.characters(exclude_categories=["Cs"]))


def tokenizer_of(*merges: str, special: dict[str, int] | None = None) -> BPETokenizer:
    """A tokenizer with the bytes and these merges, "a b" for b"a" and b"b"; ids from 256 on."""
    pairs = [tuple(part.encode() for part in merge.split()) for merge in merges]
    joined = {left + right: 256 + place for place, (left, right) in enumerate(pairs)}
    return BPETokenizer(BYTES | joined, pairs, special)


@pytest.fixture(scope="module")
def trained() -> BPETokenizer:
    return train_bpe(TEXTS, 280, special_tokens=[END])


def spelled(tokenizer: BPETokenizer, text: str) -> str:
    return " ".join(token.decode() for token in tokenizer.tokens(tokenizer.encode(text)))


@pytest.mark.parametrize(("merges", "text", "tokens"), [
    (["a b", "ab c"], "abc", "abc"),
    (["b c", "a b"], "abc", "a bc"),  # b c was learned first, and leaves no a b
    (["a b", "b c"], "abc", "ab c"),
    (["a a"], "aaa", "aa a"),  # from the left
    (["a a", "aa a"], "aaaaa", "aa aaa"),  # aa aa a, and then the only aa a
    (["a b", "c d", "ab cd"], "xabcdab", "x abcd ab"),
    (["a b"], "ba", "b a"),
])
def test_tokens_by_hand(merges: list[str], text: str, tokens: str) -> None:
    assert spelled(tokenizer_of(*merges), text) == tokens


def test_ids_by_hand() -> None:
    """"é" is the bytes C3 A9 = 195 169, "b" is 98, and "ab" was learned first, so it is 256."""
    assert tokenizer_of("a b").encode("éabb") == [195, 169, 256, 98]


def test_no_merge_crosses_a_piece() -> None:
    """The pieces of "a b" are "a" and " b"; of "ab1", "ab" and "1"."""
    assert spelled(tokenizer_of("a b", "ab 1"), "ab1") == "ab 1"


def one_merge_at_a_time(tokenizer: BPETokenizer, word: str) -> list[bytes]:
    """The rule of the module's docstring, word for word, in n² steps."""
    rank = {pair: place for place, pair in enumerate(tokenizer.merges)}
    tokens = [bytes([byte]) for byte in word.encode()]
    while ranked := [(rank[pair], i) for i, pair in enumerate(pairwise(tokens)) if pair in rank]:
        i = min(ranked)[1]
        tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
    return tokens


def merge_after_merge(tokenizer: BPETokenizer, word: str) -> list[bytes]:
    """What training did to the word: each merge in the order learned, from left to right."""
    tokens = [bytes([byte]) for byte in word.encode()]
    for left, right in tokenizer.merges:
        i = 0
        while i + 1 < len(tokens):
            if (tokens[i], tokens[i + 1]) == (left, right):
                tokens[i : i + 2] = [left + right]
            i += 1
    return tokens


words = st.text("abc", min_size=1, max_size=40)


@settings(max_examples=100, deadline=None)
@given(st.lists(words, min_size=1, max_size=4), words)
def test_a_word_is_encoded_by_the_slow_rule_and_as_in_training(texts: list[str], word: str) -> None:
    tokenizer = train_bpe(texts, 256 + 15)
    found = tokenizer.tokens(tokenizer.encode(word))
    assert found == one_merge_at_a_time(tokenizer, word) == merge_after_merge(tokenizer, word)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["a b", "b a", "a a", "ab a", "a ba", "aa b", "b ab", "aba b"]),
                unique=True), st.text("ab", max_size=25))
def test_merges_that_no_training_gives_follow_the_slow_rule(merges: list[str], word: str) -> None:
    """Here "aba" may come of "ab a" and of "a ba", so a merge may make way for one before it."""
    parts = {part.encode() for merge in ["a b", *merges] for part in merge.split()}
    joined = {merge.replace(" ", "").encode() for merge in merges}
    tokens = sorted((parts | joined) - BYTES.keys())
    vocabulary = BYTES | {token: 256 + i for i, token in enumerate(tokens)}
    pairs = [tuple(part.encode() for part in merge.split()) for merge in merges]
    tokenizer = BPETokenizer(vocabulary, pairs)
    assert tokenizer.tokens(tokenizer.encode(word)) == one_merge_at_a_time(tokenizer, word)


def test_a_long_word_takes_n_log_n_steps() -> None:
    """2^17 letters in one piece, eight merges that double: tokens of 2^8 letters. n² would hang."""
    doubling = [f"{'a' * 2**k} {'a' * 2**k}" for k in range(8)]
    assert tokenizer_of(*doubling).encode("a" * 2**17) == [256 + 7] * 2**9


@settings(max_examples=200, deadline=None)
@given(valid_text | st.text("the cat日本🙂<|endoftext>"), st.booleans())
def test_decoding_gives_the_text_back(trained: BPETokenizer, text: str, special: bool) -> None:
    ids = trained.encode(text, allow_special=special)
    assert trained.decode(ids) == text
    assert b"".join(trained.tokens(ids)) == text.encode()


def test_half_a_surrogate_pair_is_one_clear_error(trained: BPETokenizer) -> None:
    for text in ("\ud83d", "fine \ude42 not"):
        with pytest.raises(ValueError, match="half a surrogate pair"):
            trained.encode(text)


def test_a_cut_character_decodes_to_the_replacement_character() -> None:
    """"日" is E6 97 A5. Its first two bytes are one U+FFFD, and a lone last byte is another."""
    plain = tokenizer_of()
    assert plain.decode([0xE6, 0x97]) == "\ufffd"
    assert plain.decode([0xA5, ord("a")]) == "\ufffda"
    assert plain.decode([0xE6, 0x97, 0xA5]) == "日"


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 279)))
def test_any_ids_decode(trained: BPETokenizer, ids: list[int]) -> None:
    assert isinstance(trained.decode(ids), str)


@pytest.mark.parametrize("bad", [-1, 280, 10**9])
def test_an_id_outside_the_vocabulary(trained: BPETokenizer, bad: int) -> None:
    assert len(trained) == 280
    with pytest.raises(ValueError, match=f"no token has the id {bad}: ids go from 0 to 279"):
        trained.decode([97, bad])


def test_ids_may_be_of_torch_or_numpy(trained: BPETokenizer) -> None:
    ids = trained.encode("the cat")
    assert trained.decode(torch.tensor(ids)) == trained.decode(np.array(ids)) == "the cat"


def test_special_tokens_by_hand() -> None:
    """With ``allow_special`` the name is one id; without it, thirteen bytes of text."""
    tokenizer = tokenizer_of("a b", special={END: 257})
    assert tokenizer.encode(f"ab{END}ab", allow_special=True) == [256, 257, 256]
    assert tokenizer.encode(f"ab{END}ab") == [256, *END.encode(), 256]
    assert tokenizer.decode([256, 257]) == f"ab{END}"
    assert tokenizer.tokens([257]) == [END.encode()]
    assert tokenizer.encode(END + END, allow_special=True) == [257, 257]


def test_without_special_tokens_allowing_them_changes_nothing() -> None:
    assert tokenizer_of("a b").encode("ab|", allow_special=True) == [256, ord("|")]


def test_texts_stream(trained: BPETokenizer) -> None:
    """The second text is not asked for before the first has its ids."""
    asked = []

    def texts():
        for text in TEXTS:
            asked.append(text)
            yield text + END

    stream = trained.encode_iterable(texts(), allow_special=True)
    assert asked == []
    assert next(stream) == trained.encode(TEXTS[0] + END, allow_special=True)
    assert asked == TEXTS[:1]
    assert list(stream) == [trained.encode(text + END, allow_special=True) for text in TEXTS[1:]]


def test_changing_a_result_does_not_change_the_next() -> None:
    tokenizer = tokenizer_of("a b")
    for _ in range(3):
        ids = tokenizer.encode("ab")
        assert ids == [256]
        ids.append(1)


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four pieces are kept; twenty-six go through, three times, and all have the right ids."""
    monkeypatch.setattr(bpe, "CACHED_PIECES", 4)
    tokenizer = tokenizer_of()
    for letter in "abcdefghijklmnopqrstuvwxyz" * 3:
        assert tokenizer.encode(letter) == [ord(letter)]
    assert tokenizer._ids_of.cache_info().currsize == 4


def test_a_copy_encodes_the_same(trained: BPETokenizer) -> None:
    for twin in (pickle.loads(pickle.dumps(trained)), copy.deepcopy(trained)):
        assert twin.encode(TEXTS[0] + END, True) == trained.encode(TEXTS[0] + END, True)


@pytest.mark.parametrize(("vocabulary", "merges", "special", "message"), [
    ({b"a": 0}, [], {}, "lacks the byte 0x00"),
    (BYTES | {b"ab": 257}, [], {}, "257 tokens need the ids 0 to 256, each once: 256 is missing"),
    (BYTES | {b"ab": 255}, [], {}, "256 is missing"),
    (BYTES | {b"ab": 256}, [], {END: 256}, "257 is missing"),
    (BYTES, [(b"a", b"b")], {}, "the merge of b'a' and b'b' needs b'ab', which is not in"),
    (BYTES | {b"abc": 256}, [(b"ab", b"c")], {}, "needs b'ab'"),
    (BYTES | {b"ab": 256}, [(b"a", b"b")] * 2, {}, "a merge stands twice"),
    (BYTES, [], {"": 256}, "'' is empty or named like a token"),
    (BYTES | {b" a": 256}, [(b" ", b"a")], {"Ġa": 257}, "'Ġa' is empty or named like a token"),
])
def test_parts_that_do_not_fit(vocabulary, merges, special, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BPETokenizer(vocabulary, merges, special)


def test_one_string_is_no_list_of_texts(trained: BPETokenizer) -> None:
    with pytest.raises(ValueError, match="texts is one string"):
        trained.encode_iterable("the cat")
