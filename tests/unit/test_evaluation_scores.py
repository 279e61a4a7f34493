"""Shares, means by group, and the metrics of texts: by hand and against their libraries."""

from __future__ import annotations

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu import corpus_bleu, corpus_chrf, sentence_chrf
from sacrebleu.metrics import BLEU, CHRF

from llmbook.evaluation import (
    Score,
    bleu,
    chrf,
    chrf_each,
    compare_means,
    mean_score,
    rouge,
    share,
)

ENGLISH = ["the cat sat on the mat", "a list of words", "nothing in common"]
WRITTEN = ["the cat lay on the mat", "a list of words", "qq"]


def test_nothing_of_ten_may_still_be_a_quarter() -> None:
    """Wilson: 0 of 10 has the upper end z² / (n + z²) = 3.8415 / 13.8415."""
    score = share(0, 10)
    assert (score.value, score.low) == (0.0, 0.0)
    assert score.high == pytest.approx(3.8415 / 13.8415, abs=1e-4)


@pytest.mark.parametrize("numbers", [(-1, 10), (11, 10), (0, 0)])
def test_what_is_no_share(numbers: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="is no share"):
        share(*numbers)


def test_a_mean_without_groups_has_the_interval_of_the_normal_approximation() -> None:
    values = np.random.default_rng(0).normal(3, 1, 400)
    score = mean_score(values, resamples=4000)
    assert score.value == pytest.approx(values.mean())
    assert score.low == pytest.approx(values.mean() - 1.96 * values.std() / 20, abs=0.01)
    assert score.high == pytest.approx(values.mean() + 1.96 * values.std() / 20, abs=0.01)


def test_copies_in_one_group_do_not_narrow_the_interval() -> None:
    """Each of 40 values stands ten times: as 400 texts they look sure, as 40 documents not."""
    values = np.random.default_rng(0).normal(size=40)
    copies, groups = np.repeat(values, 10), np.repeat(np.arange(40), 10).tolist()
    alone, together = mean_score(values), mean_score(copies, groups)
    assert (together.value, together.low, together.high) == pytest.approx(
        (alone.value, alone.low, alone.high))
    blind = mean_score(copies)
    assert blind.high - blind.low < 0.4 * (alone.high - alone.low)


def test_groups_of_unlike_size_keep_the_mean_over_texts() -> None:
    assert mean_score([1, 1, 1, 5], ["a", "a", "a", "b"]).value == 2.0


def test_a_group_is_drawn_with_its_size() -> None:
    """All values 2, groups of 1 to 5: each resample has the mean 2, if sums and sizes go along."""
    groups = [g for g in "abcde" for _ in range(ord(g) - 96)]
    assert mean_score([2.0] * 15, groups) == Score(2.0, 2.0, 2.0)


def test_a_difference_is_drawn_by_group() -> None:
    values, groups = np.random.default_rng(0).normal(size=20), np.repeat(np.arange(20), 5).tolist()
    copies = np.repeat(values, 5)
    assert compare_means(copies, copies * 0, groups) == mean_score(copies, groups)
    assert compare_means(copies, copies * 0) != mean_score(copies, groups)


def test_a_paired_difference_is_surer_than_two_means() -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(size=200)
    first, second = hard + 0.1 + rng.normal(size=200) * 0.01, hard
    difference = compare_means(first, second)
    assert difference.low > 0.09 and difference.high < 0.11
    assert mean_score(first).low < mean_score(second).high
    assert compare_means(first, first) == Score(0.0, 0.0, 0.0)


@pytest.mark.parametrize(("values", "groups"), [([1.0], None), ([], None), ([[1, 2]], None),
                                                ([1, 2], ["a"]), ([1, 2], ["a", "a"])])
def test_too_little_for_an_interval(values: list, groups: list | None) -> None:
    with pytest.raises(ValueError, match=r"interval needs two|groups for"):
        mean_score(values, groups)


def test_values_of_other_texts_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="not values of the same texts"):
        compare_means([1, 2, 3], [1, 2])


def test_rouge_by_hand() -> None:
    """5 of 6 words are shared, 3 of 5 pairs ("the cat", "on the", "the mat"), in one order 5."""
    found = rouge(WRITTEN, ENGLISH)
    assert found["rouge1"] == pytest.approx([5 / 6, 1, 0])
    assert found["rouge2"] == pytest.approx([3 / 5, 1, 0])
    assert found["rougeL"] == pytest.approx([5 / 6, 1, 0])


def test_rouge_does_not_change_prediction_and_reference() -> None:
    """F1 is symmetric, so the order shows in precision alone; here it is rouge-score's F1."""
    scorer = RougeScorer(["rouge2"])
    predicted, reference = "a b c d", "a b"
    assert rouge([predicted], [reference])["rouge2"][0] == pytest.approx(
        scorer.score(reference, predicted)["rouge2"].fmeasure)


def test_corpus_metrics_are_those_of_sacrebleu() -> None:
    assert bleu(WRITTEN, ENGLISH).value == pytest.approx(corpus_bleu(WRITTEN, [ENGLISH]).score)
    assert chrf(WRITTEN, ENGLISH).value == pytest.approx(corpus_chrf(WRITTEN, [ENGLISH]).score)
    assert chrf_each(WRITTEN, ENGLISH) == pytest.approx(
        [float(sentence_chrf(p, [r]).score) for p, r in zip(WRITTEN, ENGLISH, strict=True)])


def test_chrf_asks_more_for_what_is_missing_than_for_what_is_too_much() -> None:
    """Recall weighs more than precision in it, so the order of the two arguments matters."""
    assert chrf_each(["abcdefgh"], ["abcd"])[0] > chrf_each(["abcd"], ["abcdefgh"])[0]


def test_the_tokenizer_decides_about_chinese() -> None:
    """Without one a Chinese sentence is one word, and one wrong sign makes it wrong as a whole."""
    written, reference = ["我昨天去了北京大学"], ["我今天去了北京大学"]
    assert bleu(written, reference, "zh").value > 50
    assert bleu(written, reference, "13a").value == 0


def test_an_interval_of_a_corpus_metric_holds_its_value_and_narrows() -> None:
    rng = np.random.default_rng(0)
    words = np.array(list("abcdefgh"))

    def width(n: int) -> float:
        references = [" ".join(rng.choice(words, 8)) for _ in range(n)]
        written = [" ".join(rng.choice(words, 3)) + r[5:] for r in references]
        score = chrf(written, references, resamples=200)
        assert score.low < score.value < score.high
        return score.high - score.low

    assert width(400) < 0.5 * width(20)


def test_the_interval_is_about_that_of_sacrebleu() -> None:
    """Where its own bootstrap works: texts of which none scores 0."""
    rng = np.random.default_rng(1)
    references = [" ".join(rng.choice(list("abcdefgh"), 9)) for _ in range(60)]
    written = [r[:-2 * int(rng.integers(1, 5))] + " x y" for r in references]
    for measure, metric in ((bleu, BLEU()), (chrf, CHRF())):
        score = measure(written, references)
        theirs = metric.corpus_score(written, [references], n_bootstrap=1000)
        assert score.low == pytest.approx(theirs._mean - theirs._ci, abs=0.4)
        assert score.high == pytest.approx(theirs._mean + theirs._ci, abs=0.4)
        assert score.high - score.low > 0.5


@pytest.mark.parametrize("metric", [rouge, bleu, chrf, chrf_each])
def test_texts_that_do_not_pair(metric) -> None:
    with pytest.raises(ValueError, match="2 predictions for 1 references"):
        metric(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="0 predictions for 0 references"):
        metric([], [])
