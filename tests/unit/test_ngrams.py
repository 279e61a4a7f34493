"""Counting models: a toy by hand, a slow reference, sums of 1, documents kept apart, bad input."""

from __future__ import annotations

from collections import Counter
from math import log2

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbook.ngrams import AddOne, KneserNey, NGramModel
from llmbook.ngrams.kneser_ney import FALLBACK, estimate_discount
from llmbook.ngrams.table import Table, pack

NEW, YORK, BIG, END = 0, 1, 2, 3
TOY = [[NEW, YORK], [NEW, YORK], [BIG, NEW, YORK]]
SETTINGS = {"vocab_size": 4, "end_id": END}


def model(kind: type[NGramModel], order: int, **settings) -> NGramModel:
    return kind(TOY, **SETTINGS, order=order, **settings)


def test_add_one_by_hand() -> None:
    """7 tokens and 3 ends: NEW 3, YORK 3, BIG 1, END 3 of 10; after NEW always YORK, 3."""
    assert model(AddOne, 1).probabilities() == pytest.approx(np.array([4, 4, 2, 4]) / 14)
    assert model(AddOne, 2).probabilities([NEW]) == pytest.approx(np.array([1, 4, 1, 1]) / 7)


def test_kneser_ney_by_hand() -> None:
    """Bigrams, discount 1/2 in both orders.

    Distinct pairs: END-NEW, NEW-YORK, YORK-END, END-BIG, BIG-NEW. So NEW follows two tokens, YORK
    only one, though both stand three times in the text; and order 1 is (2, 1, 1, 1) of 5:
    P(w) = (c - 1/2 + 1/2 · 4 · 1/4) / 5 = c / 5. After NEW: (3 - 1/2 + 1/2 · 1 · P(w)) / 3 for
    YORK and 1/6 · P(w) for the others. At the start of a document NEW has 2, BIG 1 of 3.
    """
    kneser_ney = model(KneserNey, 2, discounts=(0.5, 0.5))
    one = np.array([2, 1, 1, 1]) / 5
    assert kneser_ney.probabilities([NEW]) == pytest.approx(
        np.array([0, 2.5, 0, 0]) / 3 + one / 6
    )
    assert kneser_ney.probabilities([]) == pytest.approx(
        np.array([1.5, 0, 0.5, 0]) / 3 + one / 3
    )
    assert [table.counts.tolist() for table in kneser_ney.tables] == [[2, 1, 1, 1], [3, 3, 1, 2, 1]]


def test_a_token_never_seen_gets_the_share_of_order_0() -> None:
    """V = 5, token 4 never seen: 1/2 · 4 / 5 · 1/5 in order 1; without that discount, nothing."""
    documents = {"documents": TOY, "vocab_size": 5, "end_id": END, "order": 2}
    assert KneserNey(**documents, discounts=(0.5, 0)).probabilities([4])[4] == pytest.approx(0.08)
    nothing = KneserNey(**documents, discounts=(0, 0.5))
    assert nothing.probabilities([NEW])[4] == 0
    assert nothing.bits([4]) == float("inf")


def slow_kneser_ney(documents, vocab_size: int, end: int, discounts):
    """The same by dictionaries of tuples, written from the formula; returns P(token, context)."""
    order = len(discounts)
    counts = [Counter() for _ in range(order + 1)]
    for document in documents:
        padded = [end] * (order - 1) + list(document) + [end]
        for i in range(order - 1, len(padded)):
            counts[order][tuple(padded[i - order + 1 : i + 1])] += 1
    for k in range(order - 1, 0, -1):
        before: dict[tuple, set] = {}
        for first, *rest in counts[k + 1]:
            before.setdefault(tuple(rest), set()).add(first)
        counts[k] = Counter({ngram: len(tokens) for ngram, tokens in before.items()})

    def probability(token: int, context: tuple, k: int) -> float:
        if k == 0:
            return 1 / vocab_size
        context = context[len(context) - k + 1 :]
        lower = probability(token, context, k - 1)
        after = {ngram: n for ngram, n in counts[k].items() if ngram[:-1] == context}
        if not after:
            return lower
        d = discounts[k - 1]
        kept = max(after.get((*context, token), 0) - d, 0)
        return (kept + d * len(after) * lower) / sum(after.values())

    return lambda token, context: probability(token, (end,) * order + tuple(context), order)


documents = st.lists(st.lists(st.integers(0, 4), max_size=8), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(documents, st.integers(1, 5), st.lists(st.integers(0, 5), max_size=6), st.data())
def test_every_probability_is_the_slow_formulas(texts, order: int, context, data) -> None:
    """V = 7, end 6, token 5 never seen; contexts seen and unseen, shorter and longer than needed.

    In each the probabilities of all tokens sum to 1, and so they do with add-one.
    """
    discounts = data.draw(st.lists(st.floats(0, 1), min_size=order, max_size=order))
    given = {"documents": texts, "vocab_size": 7, "end_id": 6, "order": order}
    fast = KneserNey(**given, discounts=discounts)
    slow = slow_kneser_ney(texts, 7, 6, discounts)
    contexts = [context, *(text[: len(text) // 2] for text in texts)]
    for tokens in contexts:
        expected = [slow(token, tokens) for token in range(7)]
        assert fast.probabilities(tokens) == pytest.approx(expected, abs=1e-12)
        for kind in (fast, AddOne(**given), KneserNey(**given)):
            assert kind.probabilities(tokens).sum() == pytest.approx(1, abs=1e-12)


def random_documents(vocab_size: int, number: int) -> list[np.ndarray]:
    """Zipf-like tokens below V - 1, so that some are frequent and many are never seen."""
    random = np.random.default_rng(0)
    lengths = random.integers(0, 60, number)
    return [random.zipf(1.3, length) % (vocab_size - 1) for length in lengths]


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_probabilities_of_a_large_vocabulary_sum_to_one(order: int) -> None:
    """V = 4,096, 500 documents: 60 bits at order 5; and a bigram's counts are add-one's."""
    texts = random_documents(4096, 500)
    found = KneserNey(texts, vocab_size=4096, end_id=4095, order=order)
    assert all(0 < discount < 1 for discount in found.discounts)
    for context in ([], texts[1][:7], texts[2], [4000, 4001, 4002, 4003], [texts[1][0], 4000]):
        probabilities = found.probabilities(context)
        assert probabilities.min() > 0
        assert probabilities.sum() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("kind", [AddOne, KneserNey])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_bits_are_those_of_each_token_after_those_before_it(kind, order: int) -> None:
    """The end is a token to be paid for too; an empty document costs its end alone."""
    texts = random_documents(50, 30)
    found = kind(texts, vocab_size=50, end_id=49, order=order)
    text = list(texts[3])
    steps = [found.probabilities(text[:i])[token] for i, token in enumerate([*text, 49])]
    assert found.log2_probs(text) == pytest.approx(np.log2(steps))
    assert found.bits(text) == pytest.approx(-sum(map(log2, steps)))
    assert found.bits([]) == pytest.approx(-log2(found.probabilities([])[49]))
    both = found.bits_per_byte([text, []], num_bytes=10)
    assert both == pytest.approx((found.bits(text) + found.bits([])) / 10)


def test_all_documents_together_have_probability_one() -> None:
    """Tokens 0 and end 1: of all documents 0…0 with up to 400 tokens, hardly a share is missing."""
    found = KneserNey([[0, 0], [0], []], vocab_size=2, end_id=1, order=3)
    assert sum(2 ** -found.bits([0] * length) for length in range(400)) == pytest.approx(1)


@pytest.mark.parametrize("kind", [AddOne, KneserNey])
def test_no_context_reaches_into_the_document_before(kind) -> None:
    """In another order the documents give the same model; each one's start is the same context."""
    texts = random_documents(50, 30)
    found, turned = (kind(t, vocab_size=50, end_id=49, order=4) for t in (texts, texts[::-1]))
    for text in texts[:5]:
        assert np.array_equal(found.log2_probs(text), turned.log2_probs(text))
    assert np.array_equal(found.probabilities([]), turned.probabilities([]))


def test_only_the_last_tokens_count() -> None:
    found = KneserNey(random_documents(50, 30), vocab_size=50, end_id=49, order=3)
    assert np.array_equal(found.probabilities([7, 8, 1, 2]), found.probabilities([9, 1, 2]))
    assert not np.array_equal(found.probabilities([1]), found.probabilities([9, 1]))


@pytest.mark.parametrize(("counts", "discount"), [
    ([1, 1, 1, 2, 2, 5], 3 / 7), ([1, 2], 1 / 3), ([1, 1], FALLBACK), ([2, 3], FALLBACK)])
def test_the_discount_is_n1_over_n1_plus_twice_n2(counts: list[int], discount: float) -> None:
    assert estimate_discount(np.array(counts)) == pytest.approx(discount)


def test_each_order_has_the_discount_of_its_own_counts() -> None:
    found = KneserNey(random_documents(50, 200), vocab_size=50, end_id=49, order=3)
    assert found.discounts == [estimate_discount(table.counts) for table in found.tables]
    assert len(set(found.discounts)) == 3


def test_a_table_counts_what_it_was_given() -> None:
    """V = 10: 12 three times, 15 and 30 once."""
    table = Table(np.array([12, 30, 12, 15, 12]), 10)
    assert table.count(np.array([12, 15, 30, 13, 99, 0])).tolist() == [3, 1, 1, 0, 0, 0]
    together, different = table.context(np.array([19, 10, 35, 42, 0]))
    assert together.tolist() == [4, 4, 1, 0, 0] and different.tolist() == [2, 2, 1, 0, 0]
    assert pack(np.array([1, 2]), 3, 10, 9).tolist() == [991, 912, 129]


def test_samples_have_the_models_distribution() -> None:
    """First tokens of 3,000 documents: chi-square of 3 degrees of freedom below 16.3 (0.001)."""
    found = model(KneserNey, 2)
    generator = torch.Generator().manual_seed(0)
    first = [(found.sample(generator, max_new_tokens=1) or [END])[0] for _ in range(3000)]
    expected = 3000 * found.probabilities([])
    observed = np.bincount(first, minlength=4)
    assert ((observed - expected) ** 2 / expected).sum() < 16.3


def test_a_sample_goes_on_from_its_context_and_stops() -> None:
    """Without discounts the model repeats its text: after NEW comes YORK, then the end."""
    found = model(KneserNey, 2, discounts=(0, 0))
    generator = torch.Generator().manual_seed(0)
    assert found.sample(generator, [BIG, NEW]) == [YORK]
    assert found.sample(generator, [BIG], max_new_tokens=1) == [NEW]
    seeded = [model(KneserNey, 1).sample(torch.Generator().manual_seed(5)) for _ in range(2)]
    assert seeded[0] == seeded[1]


@pytest.mark.parametrize(("given", "message"), [
    ({"order": 0}, r"order \(0\) must be at least 1"),
    ({"order": 6, "vocab_size": 4096}, r"fit in 63 bits: vocab_size \(4096\) allows no order \(6"),
    ({"order": 21, "vocab_size": 8}, r"fit in 63 bits: vocab_size \(8\)"),  # 2^63 exactly
    ({"end_id": 4}, r"end_id \(4\) is outside the vocabulary: 0 to 3"),
    ({"documents": []}, "there is no document to count"),
    ({"documents": [0, 1]}, "a document must be a list of token ids, and documents a list of them"),
    ({"documents": [[0.5]]}, "a document must be a list of token ids"),
    ({"documents": [[0, 4]]}, r"token id 4 is outside the vocabulary: vocab_size \(4\) allows 0"),
    ({"documents": [[-1]]}, r"token id -1 is outside the vocabulary"),
    ({"documents": [[0, END]]}, r"a document holds the end token \(3\): leave it out"),
    ({"discounts": (0.5,)}, r"1 discounts do not fit order \(2\)"),
    ({"discounts": (0.5, 1.5)}, r"discounts \(0.5, 1.5\) must be from 0 to 1")])
def test_what_cannot_be_counted_is_an_error(given: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KneserNey(**{"documents": TOY, **SETTINGS, "order": 2, **given})


def test_tokens_that_cannot_be_judged_are_an_error() -> None:
    found = model(KneserNey, 2)
    with pytest.raises(ValueError, match="token id 4 is outside the vocabulary"):
        found.bits([4])
    with pytest.raises(ValueError, match="holds the end token"):
        found.probabilities([END])
    with pytest.raises(ValueError, match=r"num_bytes \(0\) must be at least 1"):
        found.bits_per_byte([[0]], 0)
