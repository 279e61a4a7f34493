"""The task of chapter 7: balanced, without the names, no module in two splits, always the same."""

from collections import Counter

import pytest

from llmbook import corpora
from llmbook.corpora.package_labels import MIN_WORDS, PACKAGES, SIZES, mask


@pytest.fixture(scope="module")
def texts():
    return corpora.package_labels()


@pytest.mark.parametrize("split", SIZES)
def test_each_split_and_each_beginning_of_it_is_balanced(texts, split: str) -> None:
    labels = [text.label for text in texts.split(split)]
    assert Counter(labels) == dict.fromkeys(PACKAGES, SIZES[split] // 8)
    assert Counter(labels[:96]) == dict.fromkeys(PACKAGES, 12)


def test_no_module_stands_in_two_splits_and_no_text_twice(texts) -> None:
    modules = [{text.document for text in texts.split(split)} for split in SIZES]
    assert not (modules[0] & modules[1] or modules[0] & modules[2] or modules[1] & modules[2])
    assert len({text.text for text in texts}) == len(texts) == sum(SIZES.values())


def test_the_texts_are_of_that_split_of_the_documentation(texts) -> None:
    for split in SIZES:
        known = {(r.id, r.package) for r in corpora.docstrings().split(split)}
        assert {(text.id, text.label) for text in texts.split(split)} <= known


def test_no_name_is_left(texts) -> None:
    """Not even inside a longer word; the words that stand for them are the only trace."""
    names = [name for name in PACKAGES if name != "scikit-learn"]
    names += ["sklearn", "scikit", "numpy", "pandas", "pyplot"]
    for text in texts:
        lower = text.text.lower()
        assert not any(name in lower for name in names), text
        assert not any(word == "mpl" or word.startswith("mpl_") for word in lower.split()), text
        assert len(corpora.words(text.text)) >= MIN_WORDS


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("See `scipy.stats.norm` and PyTorch.", "See `name` and package."),
        ("to_scipy_sparse_array(G) of scikit-learn", "package(G) of package"),
        ("An example with mpl_toolkits or _mpl.", "An example with package or package."),
        ("Use nltk_data, e.g. with 0.5 of it.", "Use package, name. with name of it."),
        ("Nothing to hide. At all.", "Nothing to hide. At all."),
    ],
)  # fmt: skip
def test_what_is_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


def test_always_the_same_and_unmasked_the_same_texts(texts) -> None:
    again = corpora.package_labels.__wrapped__()
    assert list(again) == list(texts)
    assert again.provenance == texts.provenance
    unmasked = corpora.package_labels(masked=False)
    assert [(t.id, t.label) for t in unmasked] == [(t.id, t.label) for t in texts]
    assert all(mask(u.text) == t.text for u, t in zip(unmasked, texts, strict=True))
