"""Pairs: names as words, packages held out, copies left out; baselines; names without support."""

from __future__ import annotations

import hashlib

import pytest

from llmbook.summarization import baselines as bl
from llmbook.summarization.faithfulness import common_words, unsupported
from llmbook.summarization.pairs import (
    LARGE,
    TEST_PAIRS,
    VALIDATION_PAIRS,
    Pair,
    held_out_packages,
    name_words,
    pairs,
    shingles,
    without_copies,
)

BODY = "one two three four five six seven eight nine ten eleven twelve"
PAIR = Pair("m:f", "p", "DataFrame.to_csv", "It writes a file. The file is a table.", "Write it.")


@pytest.mark.parametrize(("name", "expected"), [
    ("DataFrame.to_csv", "data frame to csv"), ("__init__", "init"), ("HTMLParser", "html parser"),
    ("poly2leg", "poly 2 leg"), ("getFDValue", "get fd value"), ("", ""), ("x", "x"),
])
def test_a_name_becomes_words(name: str, expected: str) -> None:
    assert " ".join(name_words(name)) == expected


def test_held_out_packages_come_in_the_order_of_their_hashes() -> None:
    names = [f"p{i}" for i in range(20)]
    large, *order = sorted(names, key=lambda name: hashlib.md5(name.encode()).hexdigest())
    found = held_out_packages(dict.fromkeys(names, 150) | {large: LARGE + 1})
    assert found["test"] + found["validation"] == tuple(order[:8])
    assert len(found["test"]) == 6  # 6 * 150 = 900, the first that is 800 or more


def test_too_few_packages_are_refused() -> None:
    with pytest.raises(ValueError, match="validation"):
        held_out_packages({"a": 400, "b": 400, "c": 10})


def test_the_packages_of_the_splits_are_disjoint_and_large_enough() -> None:
    found = pairs()
    splits = {name: {p.package for p in getattr(found, name)} for name in found.packages}
    assert all(splits[name] == set(found.packages[name]) for name in splits)
    assert sum(map(len, splits.values())) == len(set().union(*splits.values()))
    assert len(found.test) >= TEST_PAIRS and len(found.validation) >= VALIDATION_PAIRS
    assert {p.package for p in found.short} <= splits["train"]
    assert all(4 <= len(p.summary.split()) <= 20 and p.summary[-1] == "." for p in found.test)
    assert all(len(p.body.split()) >= 15 for p in found.test + found.train)


def test_no_training_pair_is_a_copy_of_a_held_out_one() -> None:
    found = pairs()
    held_out = found.test + found.validation
    assert without_copies(found.train + found.short, held_out)[1] == {
        "same first line": 0, "same body": 0}
    assert set(found.left_out) == {"same first line", "same body"}


def test_copies_are_found_by_line_and_by_body() -> None:
    held_out = [Pair("a", "p", "f", BODY, "Return the mean value.")]
    line = Pair("b", "q", "g", "other", "return the MEAN value")
    body = Pair("c", "q", "g", BODY.replace("twelve", "twenty"), "Say no more.")
    inside = Pair("d", "q", "g", " ".join(BODY.split()[:7]), "A part of it.")
    other = Pair("e", "q", "g", "one two three five four six", "Another one.")
    empty = Pair("f", "q", "g", "", "It has no body.")
    kept, left = without_copies([line, body, inside, other, empty], held_out)
    assert [pair.id for pair in kept] == ["e", "f"]
    assert left == {"same first line": 1, "same body": 2}


def test_shingles() -> None:
    assert shingles("A b c d e f") == {tuple("abcde"), tuple("bcdef")}
    assert shingles("a b") == {("a", "b")}
    assert shingles("") == set()


def test_baselines_by_hand() -> None:
    assert bl.first_sentence(PAIR) == "It writes a file."
    assert bl.first_words(PAIR, 3) == "It writes a"
    assert bl.identifier(PAIR) == "data frame to csv"
    assert bl.stuffed_identifier(PAIR) == "data frame to csv the a of"
    assert bl.best_sentence(PAIR._replace(summary="A table is the file.")) == (
        "The file is a table.")
    empty = PAIR._replace(body="")
    assert bl.first_sentence(empty) == bl.best_sentence(empty) == bl.first_words(empty) == ""


def test_the_nearest_pair_is_the_one_that_shares_words() -> None:
    train = [Pair("1", "p", "mean", "average of numbers", "Mean."),
             Pair("2", "p", "plot", "draw a curve", "Draw.")]
    asked = [PAIR._replace(name="curve", body="a curve to draw"),
             PAIR._replace(name="average", body="numbers")]
    assert bl.nearest(train, asked) == ["Draw.", "Mean."]
    with pytest.raises(ValueError, match="training pairs"):
        bl.nearest([], asked)


def test_common_words_stand_in_enough_lines() -> None:
    lines = ["Return the mean mean."] * 4 + ["return it", "the end"]
    assert common_words(lines, 5) == {"return", "the"}


@pytest.mark.parametrize(("summary", "source", "expected"), [
    ("Return the axis.", "nothing", ["axis"]),  # not common
    ("Return the axes_2.", "the axis", ["axes_2"]),  # a name, by its form
    ("Return the files.", "a file", []),  # but for the s
    ("Return the csv.", "read_csv writes", []),  # inside a longer word
    ("Return x1 and x1.", "", ["and", "x1", "x1"]),
    ("", "source", []),
])
def test_rare_words_without_support(summary: str, source: str, expected: list[str]) -> None:
    found = unsupported(summary, source, frozenset({"return", "the"}))
    assert sorted(found) == expected
