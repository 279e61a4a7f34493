"""Kinds of documentation strings in eleven packages, and the study that uses them."""

from __future__ import annotations

import numpy as np
import pytest

from llmbook import corpora
from llmbook.corpora import docstring_kinds
from llmbook.corpora.docstring_kinds import PACKAGES, large_enough, read_kinds
from llmbook.studies import domains, stored


def test_the_packages_are_those_that_are_large_enough() -> None:
    texts = read_kinds()
    assert large_enough(texts) == PACKAGES
    assert len({text.text for text in texts}) == len(texts)


def test_the_label_is_what_the_syntax_says() -> None:
    kinds = docstring_kinds()
    known = {record.id: record for record in corpora.docstrings()}
    assert {text.label for text in kinds} == set(corpora.KINDS)
    for text in kinds[::97]:
        record = known[text.id]
        wanted = "function" if record.kind in ("function", "method") else record.kind
        assert (text.label, text.text, text.package) == (wanted, record.summary, record.package)
        assert text.document == record.module
        assert len(corpora.words(text.text)) >= 4


def test_no_module_stands_in_two_parts_and_kinds_are_balanced() -> None:
    for package in PACKAGES:
        cut = domains.parts(package, 3)
        found = {part: {t.document for t in texts} for part, texts in cut.items()}
        assert not found["train"] & found["test"] and not found["train"] & found["validation"]
        assert not found["validation"] & found["test"]
        for part, texts in cut.items():
            assert np.bincount(domains.targets(texts)).tolist() == [domains.SIZES[part]] * 3
    assert domains.parts("scipy", 3) != domains.parts("scipy", 4)


@pytest.mark.parametrize("number", [1, 2, 5, 10])
def test_a_mixture_has_as_many_labels_of_each_package_and_kind(number: int) -> None:
    chosen = domains.chosen("torch", number, 0)
    assert "torch" not in chosen and len(set(chosen)) == number
    for size in domains.GRID[number]:
        texts = domains.mixture(chosen, size, 0)
        assert len(texts) == len({t.id for t in texts}) == size
        assert {sum(t.package == p for t in texts) for p in chosen} == {size // number}
        counts = np.bincount(domains.targets(texts))
        assert counts.max() - counts.min() <= number
    first, last = (domains.mixture(chosen, domains.GRID[number][i], 0) for i in (0, -1))
    assert {t.id for t in first} <= {t.id for t in last}


def test_natural_shares_are_of_training_modules() -> None:
    shares = domains.natural_shares("torch", 0)
    assert shares.sum() == pytest.approx(1) and shares.argmax() == 1
    test = {t.document for t in domains.modules("torch", 0)["test"]}
    assert {t.document for t in domains.natural("torch", 0)} <= test


def test_a_row_of_word_counts_comes_out_again() -> None:
    """A second; the rows of MiniLM are left to the command, and to the lab."""
    [row] = stored.select(stored.load("domains"), part="packages", method="tf-idf", seed=2)
    fresh = domains.run("packages", "tf-idf", 2)
    assert np.abs(np.array(fresh["right"]) - np.array(row["right"])).max() <= 1
    assert fresh["temperature"] == pytest.approx(row["temperature"], abs=0.005)
    assert fresh["third temperatures"] == pytest.approx(row["third temperatures"], abs=0.005)
    assert fresh["ece"] == pytest.approx(row["ece"], abs=0.005)
    assert set(fresh["confidence"]) == {
        f"{place} {t}" for place in ("own", "other") for t in ("as it comes", "own", "third")
    }


def test_home_is_the_diagonal_and_elsewhere_the_rest_of_the_column() -> None:
    """All 75 right at home; of others 0, 1, ..., 10 trained in, minus the own one."""
    number = len(PACKAGES)
    right = np.repeat(np.arange(number)[:, None], number, axis=1)
    np.fill_diagonal(right, 75)
    home, elsewhere = domains.home_and_elsewhere({"right": right.tolist()})
    assert (home == 1).all()
    wanted = [(sum(range(number)) - i) / (number - 1) / 75 for i in range(number)]
    assert np.allclose(elsewhere, wanted)


def test_an_embedded_row_agrees_with_the_shipped_one() -> None:
    """The first classifier of a seed with MiniLM: its column at home, a second of reading."""
    [row] = stored.select(stored.load("domains"), part="packages", method="minilm", seed=0)
    cut = domains.parts("fonttools", 0)
    model = domains.train("minilm", cut["train"])
    found = domains.right(domains.logits(model, cut["test"]), cut["test"]).sum()
    assert abs(found - row["right"][0][0]) <= 1


def test_far_texts_are_sentences_from_elsewhere() -> None:
    far = domains.far_texts()
    assert {name: len(texts) for name, texts in far.items()} == {
        "Wikipedia": 200, "news": 200, "film reviews": 200}  # fmt: skip
    assert far == domains.far_texts()
