"""The byte alphabet, and what cuts a text into pieces."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbook.tokenizers import from_visible, pretokenize, to_visible
from llmbook.tokenizers.pretokenize import compile_pattern, special_pattern, utf8


def test_the_alphabet_by_hand() -> None:
    """Bytes 0 to 32 take U+0100 to U+0120, so the space is Ġ and the newline (10) is Ċ.

    Bytes 127 to 160 take the next 34, U+0121 to U+0142, and 173 the 68th: U+0100 + 67 = U+0143.
    "é" is C3 A9 in UTF-8, and Latin-1 prints those two bytes as Ã and ©.
    """
    assert to_visible(b" the\n") == "ĠtheĊ"
    assert to_visible(bytes([0, 127, 160, 173])) == "\u0100\u0121\u0142\u0143"
    assert to_visible("é".encode()) == "Ã©"
    assert from_visible("ĠÃ©") == " é".encode()


def test_the_alphabet_has_256_printable_characters() -> None:
    names = [to_visible(bytes([byte])) for byte in range(256)]
    assert len(set(names)) == 256
    assert all(len(name) == 1 and name.isprintable() and not name.isspace() for name in names)


@given(st.binary())
def test_the_alphabet_is_reversible(token: bytes) -> None:
    assert from_visible(to_visible(token)) == token


@pytest.mark.parametrize("name", ["▁the", "a b", "日"])
def test_a_character_outside_the_alphabet(name: str) -> None:
    with pytest.raises(ValueError, match="stands for no byte"):
        from_visible(name)


@pytest.mark.parametrize(("text", "pieces"), [
    ("It's 3 dogs", ["It", "'s", " 3", " dogs"]),
    ("we'LL", ["we", "'", "LL"]),  # the endings are in small letters
    ("x2 = 10.5;", ["x", "2", " =", " 10", ".", "5", ";"]),
    ("a  b", ["a", " ", " b"]),  # the last space goes with the word
    ("a\n\n  b\n", ["a", "\n\n ", " b", "\n"]),
    ("你好，世界", ["你好", "，", "世界"]),
    ("a\tb", ["a", "\t", "b"]),  # only a space joins a word
    ("", []),
])
def test_gpt2_pieces_by_hand(text: str, pieces: list[str]) -> None:
    assert pretokenize(text) == pieces


@settings(max_examples=200)
@given(st.text() | st.text("a1'. \n\tsé日\ud800"))
def test_pieces_joined_are_the_text(text: str) -> None:
    assert "".join(pretokenize(text)) == text


@pytest.mark.parametrize(("pattern", "message"), [
    (r"\w+(", "no regular expression"), (r"(\w+)|\W", r"write \(\?:…\) in place of"),
])
def test_a_wrong_pattern(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compile_pattern(pattern)


def test_a_pattern_that_skips_text() -> None:
    assert pretokenize("ab cd", r"\w+|\s+|.") == ["ab", " ", "cd"]
    with pytest.raises(ValueError, match="skips a part of the text"):
        pretokenize("ab cd", r"\w+")


def test_half_a_surrogate_pair_has_no_bytes() -> None:
    with pytest.raises(ValueError, match="half a surrogate pair"):
        utf8("a\ud83d")


def test_the_longest_special_token_wins_and_none_leaves_the_text_whole() -> None:
    text = "a<|x|><|y|>b<|x|>"
    assert special_pattern(["<|x|>", "<|x|><|y|>"]).split(text) == [
        "a", "<|x|><|y|>", "b", "<|x|>", ""]
    assert special_pattern([]).split(text) == [text]
