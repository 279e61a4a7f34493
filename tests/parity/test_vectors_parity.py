"""Word vectors against oracles: autograd, gensim, SciPy, and expectations over the draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sparse
import torch
from gensim.models import KeyedVectors, Word2Vec
from scipy.sparse.linalg import svds
from scipy.stats import spearmanr

from llmbook.corpora import Analogy
from llmbook.corpora import WordPair as Pair
from llmbook.vectors import (
    SkipGramConfig,
    Vocabulary,
    WordVectors,
    judge_analogies,
    judge_similarity,
    skipgram,
    svd_vectors,
)
from llmbook.vectors.judge import spearman

WORDS = ("man", "woman", "king", "queen", "prince", "princess", "boy", "girl", "naïve", "café",
         "猫", "don't")


@pytest.fixture
def vectors() -> WordVectors:
    return WordVectors(WORDS, np.random.default_rng(3).normal(size=(len(WORDS), 5)))


# Skip-gram


@pytest.mark.parametrize("negatives", [1, 5])
def test_gradient_is_autograd_of_the_loss(negatives: int) -> None:
    """30 tokens in 3 sentences, 10 noise words, float64: equal to 1e-6 and far below."""
    random = torch.Generator().manual_seed(0)
    tables = [torch.randn(size, 8, generator=random, dtype=torch.float64, requires_grad=True)
              for size in (30, 30, 10)]
    sentence, reach = torch.arange(30) // 10, torch.randint(1, 6, (30,), generator=random)
    inside = skipgram.window_mask(sentence, reach)
    loss = skipgram.batch_loss(*tables, inside, negatives)
    expected = torch.autograd.grad(loss, tables)
    found = skipgram.batch_gradient(*(table.detach() for table in tables), inside, negatives)
    for mine, oracle in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, oracle, rtol=0, atol=1e-6)


def test_shared_noise_has_the_expected_loss_of_fresh_draws() -> None:
    """One pair with k fresh negatives costs -log σ(u·v) - k E[log σ(-u·n)], n drawn from q.

    Over 4000 pools of P = 4 words, the mean loss of a batch comes near; the standard error is
    some 0.5 % of it.
    """
    random = torch.Generator().manual_seed(1)
    center, context = (torch.randn(4, 3, generator=random) for _ in range(2))
    words, share = torch.randn(6, 3, generator=random), torch.tensor([.4, .2, .2, .1, .05, .05])
    inside = skipgram.window_mask(torch.zeros(4), torch.tensor([1, 2, 1, 3]))
    pools = torch.multinomial(share, 4000 * 4, replacement=True, generator=random).view(-1, 4)
    mean = np.mean([float(skipgram.batch_loss(center, context, words[pool], inside, 5))
                    for pool in pools])
    log_sigmoid = torch.nn.functional.logsigmoid
    fresh = -log_sigmoid(center @ context.T) - 5 * (log_sigmoid(-center @ words.T) @ share)[:, None]
    assert mean == pytest.approx(float((fresh * inside).sum()), rel=0.02)


@pytest.mark.parametrize("sample", [0.001, 0.05])
def test_keep_probability_is_gensims(sample: float) -> None:
    """gensim stores the probability of each word as a share of 2^32 - 1, in ``sample_int``."""
    random = np.random.default_rng(0)
    sentences = [[f"w{min(int(i), 30)}" for i in random.zipf(1.5, 20)] for _ in range(50)]
    oracle = Word2Vec(vector_size=2, min_count=1, sample=sample)
    oracle.build_vocab(sentences)
    vocabulary = Vocabulary.from_sentences(sentences, min_count=1)
    found = skipgram.keep_probability(vocabulary.counts, sample)
    expected = [oracle.wv.get_vecattr(word, "sample_int") / (2**32 - 1)
                for word in vocabulary.words]
    assert set(vocabulary.words) == set(oracle.wv.index_to_key) and min(expected) < 0.9
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_default_settings_are_gensims() -> None:
    oracle, config = Word2Vec(), SkipGramConfig()
    assert (config.dimension, config.window, config.negatives, config.epochs) == (
        oracle.vector_size, oracle.window, oracle.negative, oracle.epochs)
    assert (config.learning_rate, config.min_learning_rate, config.subsample) == (
        oracle.alpha, oracle.min_alpha, oracle.sample)
    assert config.noise_power == oracle.ns_exponent


def test_vocabulary_is_gensims() -> None:
    sentences = [["b", "a", "b", "c"], ["a", "b"], ["d"]]
    oracle = Word2Vec(min_count=2, vector_size=2)
    oracle.build_vocab(sentences)
    vocabulary = Vocabulary.from_sentences(sentences, min_count=2)
    assert list(vocabulary.words) == oracle.wv.index_to_key == ["b", "a"]
    assert vocabulary.counts.tolist() == [oracle.wv.get_vecattr(w, "count") for w in ("b", "a")]


# Counts


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_svd_vectors_are_scipys(power: float) -> None:
    """Rank 5 of a 60 x 60 matrix; signs and rotations cancel in W W^T = U S^2p U^T."""
    random = np.random.default_rng(0)
    left, right = random.normal(size=(2, 60, 12))
    matrix = (left * 0.6 ** np.arange(12)) @ right.T  # the spectrum falls, as that of a text
    found = svd_vectors(sparse.csr_array(matrix), 5, power).astype(float)
    oracle, singular, _ = svds(matrix, 5)
    gram = (oracle * singular ** (2 * power)) @ oracle.T
    np.testing.assert_allclose(found @ found.T, gram, atol=1e-4 * np.abs(gram).max())
    lengths = np.linalg.norm(found, axis=0)
    np.testing.assert_allclose(lengths, np.sort(singular)[::-1] ** power, rtol=1e-4)


# Trained vectors


def test_similarity_and_neighbours_are_gensims(vectors: WordVectors) -> None:
    oracle = vectors.to_gensim()
    for first in WORDS:
        for second in WORDS:
            assert vectors.similarity(first, second) == pytest.approx(
                float(oracle.similarity(first, second)), abs=1e-6)
        assert_same(vectors.neighbours(first, 20), oracle.most_similar(first, topn=11))


def assert_same(found: list[tuple[str, float]], expected: list[tuple[str, float]]) -> None:
    assert [word for word, _ in found] == [word for word, _ in expected]
    np.testing.assert_allclose([s for _, s in found], [s for _, s in expected], atol=1e-5)


QUERIES = [("man", "king", "woman"), ("boy", "prince", "girl"), ("猫", "café", "naïve")]


@pytest.mark.parametrize("query", QUERIES)
def test_3cosadd_is_gensims(query: tuple[str, str, str], vectors: WordVectors) -> None:
    """gensim takes the cosine to the mean of (b, -a, c): our score over the length of b - a + c."""
    a, b, c = query
    unit = [vectors.unit[vectors.position(word)] for word in query]
    length = np.linalg.norm(unit[1] - unit[0] + unit[2])
    found = [(word, score / length) for word, score in vectors.analogy(a, b, c, 9)]
    assert_same(found, vectors.to_gensim().most_similar([b, c], [a], topn=9))


@pytest.mark.filterwarnings("ignore:Call to deprecated:DeprecationWarning")  # inside gensim
@pytest.mark.parametrize("query", QUERIES)
def test_3cosmul_is_gensims(query: tuple[str, str, str], vectors: WordVectors) -> None:
    """gensim adds 1e-6 to the divisor where Levy & Goldberg add 0.001: the order is the same."""
    a, b, c = query
    found = vectors.analogy(a, b, c, 9, "3CosMul")
    oracle = vectors.to_gensim().most_similar_cosmul([b, c], [a], topn=9)
    assert [word for word, _ in found] == [word for word, _ in oracle]
    away = {word: (1 + vectors.similarity(word, a)) / 2 for word in WORDS}
    expected = [(word, score * (away[word] + 1e-6) / (away[word] + 0.001))
                for word, score in oracle]
    assert_same(found, expected)


def test_our_file_is_read_by_gensim(vectors: WordVectors, tmp_path: Path) -> None:
    vectors.save(tmp_path / "v.bin")
    oracle = KeyedVectors.load_word2vec_format(tmp_path / "v.bin", binary=True)
    assert tuple(oracle.index_to_key) == WORDS
    np.testing.assert_array_equal(oracle.vectors, vectors.vectors)


def test_gensims_file_is_read_by_us(vectors: WordVectors, tmp_path: Path) -> None:
    vectors.to_gensim().save_word2vec_format(tmp_path / "v.bin", binary=True)
    found = WordVectors.load(tmp_path / "v.bin")
    assert found.words == WORDS
    np.testing.assert_array_equal(found.vectors, vectors.vectors)


# Judging


@pytest.mark.parametrize("values", [2, 5, 1000])
def test_spearman_is_scipys_with_and_without_ties(values: int) -> None:
    """50 draws of 2, 5 or 1000 different values: many ties, some, hardly any."""
    random = np.random.default_rng(values)
    first, second = random.integers(0, values, (2, 6, 50))
    expected = [spearmanr(x, y).statistic for x, y in zip(first, second, strict=True)]
    np.testing.assert_allclose(spearman(first, second), expected, atol=1e-12)
    np.testing.assert_allclose(spearman(first.T, second.T, axis=0), expected, atol=1e-12)


def test_word_similarity_is_gensims(vectors: WordVectors, tmp_path: Path) -> None:
    """All 78 pairs of 13 words, some in capitals, "ZEBRA" unknown: 12 are left out.

    gensim reports the share of unknown pairs in percent. No pair is there twice, nor a word with
    itself: such cosines are equal only up to rounding, and would be ties in one program alone.
    """
    random = np.random.default_rng(5)
    words = [*WORDS, "zebra"]
    pairs = [Pair(first.upper(), second, round(random.random() * 10, 1))
             for i, first in enumerate(words) for second in words[:i]]
    lines = ("\t".join(map(str, pair)) for pair in pairs)
    (tmp_path / "pairs.tsv").write_text("\n".join(lines) + "\n", "utf8")
    oracle = vectors.to_gensim().evaluate_word_pairs(tmp_path / "pairs.tsv")
    found = judge_similarity(vectors, pairs, resamples=20)
    assert found.rho == pytest.approx(oracle[1].statistic, abs=1e-9)
    assert 100 * (1 - found.covered / found.total) == pytest.approx(oracle[2])
    assert (found.covered, found.total) == (66, 78)


def test_analogies_are_gensims(vectors: WordVectors, tmp_path: Path) -> None:
    """400 random questions in two sections, some words in capitals, some unknown.

    gensim leaves unknown ones out and compares without case, as we do; its lists give the numbers.
    """
    random = np.random.default_rng(6)
    words = [*WORDS[:8], "Queen", "zebra"]
    questions = [Analogy(f"part {i // 200}", *random.choice(words, 4, replace=False))
                 for i in range(400)]
    lines = []
    for part in ("part 0", "part 1"):
        lines += [f": {part}", *(" ".join(q[1:]) for q in questions if q.section == part)]
    (tmp_path / "questions.txt").write_text("\n".join(lines) + "\n", "utf8")
    accuracy, sections = vectors.to_gensim().evaluate_word_analogies(tmp_path / "questions.txt")
    found = judge_analogies(vectors, questions, resamples=20)
    assert found.accuracy == pytest.approx(accuracy) and 0.02 < accuracy < 0.98
    assert found.sections == {
        part["section"]: (len(part["correct"]), len(part["correct"]) + len(part["incorrect"]))
        for part in sections[:-1]}
    assert found.covered == sum(covered for _, covered in found.sections.values()) < 400
