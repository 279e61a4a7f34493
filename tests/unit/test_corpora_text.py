"""Words and sentences: the rules that chapter 3 counts with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbook.corpora import sentences, words
from llmbook.corpora.records import SPLITS, split_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The cat sat.", ["the", "cat", "sat"]),
        ("Plato's cave, Plato’s cave", ["plato", "cave", "plato", "cave"]),
        ("don't; o’clock; 'quoted'", ["don't", "o'clock", "quoted"]),
        ("co-op in 1984, 3rd, x² and ½", ["co", "op", "in", "rd", "x", "and"]),
        ("snake_case", ["snake", "case"]),
        ("İstanbul, Ελλάδα, naïve", ["istanbul", "ελλάδα", "naïve"]),
        ("", []),
        ("1984 — ...", []),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


@given(st.text())
def test_words_are_stable(text):
    """Counting words of counted words changes nothing; no digit, space or underscore is in one."""
    found = words(text)
    assert words(" ".join(found)) == found
    assert not any(character in "_ 0123456789.,-\n" for word in found for character in word)


@pytest.mark.parametrize(
    ("paragraph", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("J. F. Kennedy and Dr. Smith came. They left.", 2),
        ("It is in the U.S. The law says so.", 2),
        ("He cites Smith et al. (1999) and no. 7 of it.", 1),
        ("It costs 3.5 million. 1999 was good.", 2),
        ('He said "Go." Then he went.', 2),
        ("The art. Additionally, it ended.", 2),
        ("", []),
    ],
)
def test_sentences(paragraph, expected):
    found = sentences(paragraph)
    assert found == expected if isinstance(expected, list) else len(found) == expected


@given(st.text(alphabet="aB.?! \"'()1é"))
def test_sentences_lose_nothing_but_spaces(paragraph):
    assert "".join("".join(sentences(paragraph)).split()) == "".join(paragraph.split())


def test_splits_hold_the_shares_they_state():
    """10,000 ids: the standard deviation of a 10 % share is 0.003, so 0.015 is five of them."""
    drawn = [split_of(f"document {number}") for number in range(10_000)]
    for split, share in zip(SPLITS, (0.8, 0.1, 0.1), strict=True):
        assert drawn.count(split) / len(drawn) == pytest.approx(share, abs=0.015)


def test_splits_never_move():
    """md5("12") begins with c20ad4d7, 0.758 of the way; "39" with d67d8ab4, 0.838; "3" ec, 0.92."""
    assert [split_of(id) for id in ("12", "39", "3")] == ["train", "validation", "test"]
