"""BPE training: by hand, ties, and equal to the ten-line rule on anything."""

from __future__ import annotations

import random
import weakref
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbook.tokenizers import pretokenize, train_bpe

WHOLE = r"(?s:.+)"  # no cut at all


def train_by_hand(texts: list[str], merges_wanted: int) -> list[tuple[bytes, bytes]]:
    """The rule: merge the most frequent pair everywhere, the greatest of equals, and repeat."""
    pieces = [[bytes([byte]) for byte in piece.encode()]
              for text in texts for piece in pretokenize(text)]
    merges: list[tuple[bytes, bytes]] = []
    while len(merges) < merges_wanted:
        counts = Counter(pair for piece in pieces for pair in pairwise(piece))
        if not counts:
            break
        merges.append(max(counts, key=lambda pair: (counts[pair], pair)))
        for piece in pieces:
            for i in range(len(piece)):  # what was merged is taken out, so the end moves
                if (*piece[i : i + 2],) == merges[-1]:
                    piece[i : i + 2] = [merges[-1][0] + merges[-1][1]]
    return merges


def test_the_classic_example() -> None:
    """"aaabdaaabac": aa stands 4 times (overlaps count), ab twice. Merged: Z a b d Z a b a c.

    Now (aa, a) and (a, b) stand twice each: b"aa" is greater than b"a", so aaa comes next, and
    then (aaa, b), twice. What is left stands once: aaab d aaab a c. Of (d, aaab), (aaab, d),
    (aaab, a), (a, c) the greatest is (d, aaab).
    """
    found = train_bpe(["aaabdaaabac"], 256 + 4)
    assert found.merges == ((b"a", b"a"), (b"aa", b"a"), (b"aaa", b"b"), (b"d", b"aaab"))
    assert found.tokens(found.encode("aaabdaaabac")) == [b"aaab", b"daaab", b"a", b"c"]
    assert found.encode("aaab") == [258]


@pytest.mark.parametrize(("text", "first"), [
    ("ab cd", (b"c", b"d")),  # " cd" also has (space, c), which is less
    ("ax ay", (b"a", b"y")),  # the left tokens are equal, so the right ones decide
    ("é è", (b"\xc3", b"\xa9")),  # C3 A9 and C3 A8: bytes are compared, not characters
])
def test_ties_go_to_the_greatest_pair(text: str, first: tuple[bytes, bytes]) -> None:
    assert train_bpe([text], 256 + 1).merges == (first,)


def test_a_longer_token_is_greater_than_its_beginning() -> None:
    """After "aa", the pairs (aa, a) and (a, b) stand once each, and b"aa" > b"a"."""
    assert train_bpe(["aaa", "aa", "ab"], 256 + 2).merges == ((b"a", b"a"), (b"aa", b"a"))


def test_a_merge_takes_its_pairs_from_the_counts() -> None:
    """abc 3 times, ab twice, xy twice: ab 5, bc 3, xy 2. After ab: abc 3, xy 2 and no bc at all.

    With bc still at 3 the tie with (ab, c) would go to it.
    """
    merges = train_bpe(["abc"] * 3 + ["ab"] * 2 + ["xy"] * 2, 256 + 3).merges
    assert merges == ((b"a", b"b"), (b"ab", b"c"), (b"x", b"y"))


few_letters = st.lists(st.text("ab cé", max_size=30), min_size=1, max_size=6)


@settings(max_examples=300, deadline=None)
@given(few_letters.filter(any), st.integers(0, 40))
def test_training_is_the_rule(texts: list[str], merges_wanted: int) -> None:
    """Few letters, so almost every choice is a tie. Each merge gives a token that is new."""
    tokenizer = train_bpe(texts, 256 + merges_wanted)
    assert list(tokenizer.merges) == train_by_hand(texts, merges_wanted)
    learned = [left + right for left, right in tokenizer.merges]
    expected = [*(bytes([byte]) for byte in range(256)), *learned]
    assert tokenizer.vocabulary == {token: i for i, token in enumerate(expected)}


def test_training_is_the_rule_on_a_longer_text() -> None:
    """3,000 words over a long-tailed vocabulary, 300 merges."""
    draw = random.Random(0)
    vocabulary = ["".join(draw.choices("etaoinshr", k=draw.randint(1, 9))) for _ in range(300)]
    weights = [1 / (place + 1) for place in range(300)]
    texts = [" ".join(draw.choices(vocabulary, weights, k=30)) for _ in range(100)]
    assert list(train_bpe(texts, 256 + 300).merges) == train_by_hand(texts, 300)


def test_special_tokens_come_last_and_are_not_learned_from() -> None:
    """Six merges make "hello" and " hello" of the text; "<|end|>" stands more often."""
    texts = ["hello<|end|><|end|> hello<|end|>"] * 5
    found = train_bpe(texts, 256 + 5 + 2, special_tokens=["<|end|>", "<|pad|>"])
    assert found.special_tokens == {"<|end|>": 261, "<|pad|>": 262}
    assert len(found) == 263 and b" hello" in found.vocabulary
    assert not any(b"<" in left + right or b"end" in left + right for left, right in found.merges)
    assert found.encode(" hello<|end|>", allow_special=True) == [260, 261]


def test_the_vocabulary_is_smaller_when_no_pair_is_left() -> None:
    """"abc" gives two merges, whatever is asked; the special token follows at once."""
    found = train_bpe(["abc"], 1000, special_tokens=["<|end|>"])
    assert len(found) == 256 + 2 + 1 and found.special_tokens == {"<|end|>": 258}


def test_vocab_size_may_leave_no_merge() -> None:
    found = train_bpe(["abab"], 257, special_tokens=["<|end|>"])
    assert found.merges == () and found.encode("ab") == [97, 98] and len(found) == 257


def test_another_pattern_lets_merges_cross_words() -> None:
    """In "a b a b a b" as one piece, (a, space) and (space, b) stand three times; a > space.

    Then (a space, b) three times, and ("a b", space), which no pattern of words would allow.
    """
    found = train_bpe(["a b a b a b"], 256 + 3, pattern=WHOLE)
    assert found.merges == ((b"a", b" "), (b"a ", b"b"), (b"a b", b" "))
    assert found.encode("a b a b ") == [258, 258]


def test_one_text_at_a_time_is_in_memory() -> None:
    """Each text is gone when the next but one is asked for."""
    class Text(str):  # a plain string takes no weak reference
        pass

    alive: list[weakref.ref] = []

    def texts():
        for number in range(50):
            assert sum(text() is not None for text in alive) <= 1
            text = Text(f"the cat sat {number}")
            alive.append(weakref.ref(text))
            yield text
            del text

    train_bpe(texts(), 300)
    assert len(alive) == 50


@pytest.mark.parametrize(("texts", "vocab_size", "special", "message"), [
    (["a"], 255, [], r"vocab_size \(255\) must be at least 256: 256 bytes and 0 special"),
    (["a"], 257, ["<a>", "<b>"], r"vocab_size \(257\) must be at least 258"),
    (["a"], 300, ["<a>", "<a>"], "distinct and not empty"),
    (["a"], 300, [""], "distinct and not empty"),
    ([], 300, [], "the texts are empty"),
    (["", ""], 300, [], "the texts are empty"),
    ("the cat", 300, [], "texts is one string"),
    (["\ud83d"], 300, [], "half a surrogate pair"),
])
def test_bad_input(texts, vocab_size: int, special: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train_bpe(texts, vocab_size, special)


def test_a_wrong_pattern_is_found_before_the_texts_are_read() -> None:
    def texts():
        raise AssertionError("read")
        yield ""

    with pytest.raises(ValueError, match="captures"):
        train_bpe(texts(), 300, pattern=r"(\w+)|\W+")
