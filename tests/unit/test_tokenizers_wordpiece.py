"""WordPiece: words by hand, longest match, special tokens, pairs, bad input."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbook.tokenizers import WordPieceTokenizer, split_words

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]  # ids 0 to 4
TOKENS = [*SPECIAL, "un", "aff", "able", "##aff", "##able", "##a", "##ffable", "good", "[", "]",
          "mask", "x", "##x"]


@pytest.fixture
def tokenizer() -> WordPieceTokenizer:
    return WordPieceTokenizer({token: i for i, token in enumerate(TOKENS)})


@pytest.mark.parametrize(("text", "words"), [
    ("Café, 你好!", ["cafe", ",", "你", "好", "!"]),
    ("e\u0301 É ü Ł", ["e", "e", "u", "ł"]),  # the stroke of Ł is no mark of its own
    ("İstanbul", ["istanbul"]),  # I with a dot above, the dot is a mark
    ("ΟΔΟΣ", ["οδοσ"]),
    ("tab\tnew\r\nline\u3000wide\u00a0nbsp", ["tab", "new", "line", "wide", "nbsp"]),
    ("a\x00b\x07c\u200dd\ufeffe\ufffdf", ["abcdef"]),  # controls, format characters, U+FFFD
    ("a\uffffb", ["a\uffffb"]),  # no character, and no control either: [UNK], not nothing
    ("\U0002b820\U0002b821", ["\U0002b820", "\U0002b821"]),  # rare Chinese, extension E
    ("ひらがな カタカナ", ["ひらかな", "カタカナ"]),  # kana stay together; the voice mark goes
    ("豈 x", ["豈", "x"]),  # a compatibility character (U+F900) becomes its plain form, U+8C48
    ("don't—stop", ["don", "'", "t", "—", "stop"]),
    ("a$b €5 x^2 ~", ["a", "$", "b", "€5", "x", "^", "2", "~"]),  # € is a symbol outside ASCII
    ("\ud83d", []),
    ("", []),
])
def test_words_by_hand(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_words_of_words_are_the_same(text: str) -> None:
    words = split_words(text)
    assert split_words(" ".join(words)) == words
    assert not any(word != word.strip() or not word for word in words)


@pytest.mark.parametrize(("text", "tokens"), [
    ("unaffable", ["un", "##aff", "##able"]),  # not "##a ##ffable": the longest first
    ("UNABLE", ["un", "##able"]),
    ("able", ["able"]),
    ("affable", ["aff", "##able"]),
    ("affun", ["[UNK]"]),  # "un" begins words only, so the whole word is unknown
    ("good unxyz good", ["good", "[UNK]", "good"]),
    ("unaun", ["[UNK]"]),
    ("x" * 100, ["x", *["##x"] * 99]),
    ("x" * 101, ["[UNK]"]),
])
def test_longest_match_by_hand(tokenizer: WordPieceTokenizer, text: str, tokens) -> None:
    assert tokenizer.tokens(tokenizer.encode(text)) == ["[CLS]", *tokens, "[SEP]"]


def test_greed_is_not_search(tokenizer: WordPieceTokenizer) -> None:
    """After "un", "##aff" is taken, and "##x" is no end of "##able": no way back to "##a"."""
    assert tokenizer.encode("unaffx") == [2, 5, 8, 17, 3]
    assert tokenizer.encode("unaffab") == [2, 1, 3]


def test_ids_of_a_text_and_a_pair_by_hand(tokenizer: WordPieceTokenizer) -> None:
    assert tokenizer.encode("good") == [2, 12, 3]
    assert tokenizer.encode("") == [2, 3]
    ids, types = tokenizer.encode_pair("good", "unable good")
    assert ids == [2, 12, 3, 5, 9, 12, 3]
    assert types == [0, 0, 0, 1, 1, 1, 1]


def test_special_tokens_in_a_text(tokenizer: WordPieceTokenizer) -> None:
    """Only the exact spelling, and only if asked for; "[mask]" is always text."""
    assert tokenizer.encode("good [MASK]", allow_special=True) == [2, 12, 4, 3]
    assert tokenizer.encode("good[MASK]good", allow_special=True) == [2, 12, 4, 12, 3]
    as_text = [2, 12, *map(TOKENS.index, ["[", "mask", "]"]), 3]
    assert tokenizer.encode("good [MASK]") == as_text
    assert tokenizer.encode("good [mask]", allow_special=True) == as_text
    assert tokenizer.encode_pair("[MASK]", "[MASK]", True) == ([2, 4, 3, 4, 3], [0, 0, 0, 1, 1])


def test_decoding_joins_words_with_spaces(tokenizer: WordPieceTokenizer) -> None:
    assert tokenizer.decode(tokenizer.encode("Unaffable   GOOD")) == "[CLS] unaffable good [SEP]"
    assert tokenizer.decode([8]) == "##aff"  # a word cut in the middle shows where
    assert tokenizer.decode([]) == ""


@pytest.mark.parametrize("bad", [-1, len(TOKENS)])
def test_an_id_outside_the_vocabulary(tokenizer: WordPieceTokenizer, bad: int) -> None:
    with pytest.raises(ValueError, match=f"no token has the id {bad}: ids go from 0 to 17"):
        tokenizer.decode([bad])


def test_a_changed_result_and_a_copy(tokenizer: WordPieceTokenizer) -> None:
    tokenizer.encode("good").append(1)
    assert tokenizer.encode("good") == [2, 12, 3]
    for twin in (pickle.loads(pickle.dumps(tokenizer)), copy.deepcopy(tokenizer)):
        assert twin.encode("unaffable") == tokenizer.encode("unaffable")


@pytest.mark.parametrize(("vocabulary", "message"), [
    ({"a": 0}, r"lacks \[PAD\], \[UNK\], \[CLS\], \[SEP\], \[MASK\], which BERT needs"),
    ({token: i for i, token in enumerate(SPECIAL[:-1])}, r"lacks \[MASK\], which"),
    ({token: i + 1 for i, token in enumerate(SPECIAL)}, "0 is missing"),
    ({token: i for i, token in enumerate(SPECIAL)} | {"a": 4}, "5 is missing"),
])
def test_a_vocabulary_that_does_not_fit(vocabulary: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WordPieceTokenizer(vocabulary)
