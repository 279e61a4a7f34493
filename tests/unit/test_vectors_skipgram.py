"""Skip-gram with negative sampling: the gradient, what a batch holds, seeds, saving, bad input.

``watch`` stands in for ``batch_gradient`` and sees what each batch is made of: the vectors of word
i are filled with i, and the learning rate is too small to move them.
"""

from __future__ import annotations

import os
from dataclasses import replace
from math import exp, log
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from llmbook.vectors import EncodedText, SkipGram, SkipGramConfig, Vocabulary, skipgram

SENTENCES = [["the", "cat", "sat"], ["the", "dog", "sat", "on", "mat"]]  # six words
CONFIG = SkipGramConfig(dimension=4, epochs=3, subsample=0, batch_tokens=4, shared_negatives=8)
STILL = {"learning_rate": 1e-12, "min_learning_rate": 0.0, "dimension": 1}


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def loop_over_pairs(center, context, noise, sentence, reach, negatives):
    """Loss and gradients of negative sampling, one pair at a time, in plain Python.

    Equation 4 of Mikolov et al. (2013) for a centre u and a true context v, with k fresh negatives
    n_1..n_k, is -log σ(u·v) - Σ log σ(-u·n). Here each pair meets the P shared noise words instead,
    each with weight k/P: the expected loss is that of k draws. One term -w log σ(s x·y) has the
    gradient -w s σ(-s x·y) y for x, and the same with x for y.
    """
    loss = 0.0
    center, context, noise = (np.asarray(table, dtype=float) for table in (center, context, noise))
    gradients = [np.zeros_like(table) for table in (center, context, noise)]

    def term(i, table, place, other, sign, weight):
        nonlocal loss
        score = sign * float(center[i] @ other[place])
        loss += -weight * log(sigmoid(score))
        slope = -weight * sign * sigmoid(-score)
        gradients[0][i] += slope * other[place]
        gradients[table][place] += slope * center[i]

    for i in range(len(center)):
        for j in range(len(context)):
            if i != j and abs(i - j) <= reach[i] and sentence[i] == sentence[j]:
                term(i, 1, j, context, +1, 1.0)
                for p in range(len(noise)):
                    term(i, 2, p, noise, -1, negatives / len(noise))
    return loss, gradients


@pytest.mark.parametrize("negatives", [1, 5])
def test_gradient_and_loss_are_the_loop_over_pairs(negatives: int) -> None:
    """The six-word corpus, 8 tokens, reaches 1 to 3, a pool of 4 noise words."""
    random = torch.Generator().manual_seed(1)
    vocabulary = Vocabulary.from_sentences(SENTENCES, min_count=1)
    assert len(vocabulary) == 6
    text = vocabulary.encode(SENTENCES)
    tables = [torch.randn(6, 3, generator=random, dtype=torch.float64) for _ in range(2)]
    center, context = (table[torch.from_numpy(text.ids)] for table in tables)
    noise = tables[1][torch.tensor([0, 5, 5, 2])]
    sentence, reach = torch.from_numpy(text.sentence), torch.tensor([1, 2, 3, 1, 2, 3, 1, 2])
    inside = skipgram.window_mask(sentence, reach)
    loss, expected = loop_over_pairs(center, context, noise, sentence, reach, negatives)
    given_ = center, context, noise, inside, negatives
    assert float(skipgram.batch_loss(*given_)) == pytest.approx(loss, rel=1e-10)
    for found, wanted in zip(skipgram.batch_gradient(*given_), expected, strict=True):
        np.testing.assert_allclose(found.numpy(), wanted, atol=1e-10)


def test_one_batch_moves_the_expected_rows_by_the_expected_step() -> None:
    """Text "0 1 2 | 3", window 1, noise all word 4, one batch, learning rate 0.5.

    Centre rows 0, 1, 2 move; word 3 is alone in its sentence and has no pair. Context rows 0, 1, 2
    move as contexts and row 4 as noise. Nothing else changes by a single bit, and each change is
    -0.5 times the gradient of the loop over pairs.
    """
    vocabulary = Vocabulary(tuple("abcdef"), np.arange(6, 0, -1))
    config = SkipGramConfig(dimension=3, window=1, epochs=1, subsample=0, learning_rate=0.5,
                            shared_negatives=8)
    model = SkipGram(vocabulary, config)
    model._noise = np.array([0, 0, 0, 0, 1.0, 1.0])  # every draw is word 4
    random = torch.Generator().manual_seed(2)
    model.center, model.context = (torch.randn(6, 3, generator=random) for _ in range(2))
    before = model.center.clone(), model.context.clone()
    ids, sentence = np.array([0, 1, 2, 3]), np.array([0, 0, 0, 1])
    noise = before[1][[4] * 8]
    loss, gradients = loop_over_pairs(before[0][ids], before[1][ids], noise, sentence, [1] * 4, 5)
    model.train_epoch(EncodedText(ids, sentence))

    expected = before[0].double().numpy(), before[1].double().numpy()
    np.add.at(expected[0], ids, -0.5 * gradients[0])
    np.add.at(expected[1], ids, -0.5 * gradients[1])
    np.add.at(expected[1], [4] * 8, -0.5 * gradients[2])
    for found, wanted, old, moved in zip((model.center, model.context), expected, before,
                                         ([0, 1, 2], [0, 1, 2, 4]), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5)
        assert torch.nonzero((found != old).any(dim=1)).flatten().tolist() == moved
    assert model.losses == [pytest.approx(loss / 4, rel=1e-5)]  # pairs 01, 10, 12, 21


def test_the_first_loss_is_that_of_a_coin() -> None:
    """Contexts begin at zero, every score is 0: log 2 for the pair and for each of k negatives."""
    vocabulary = Vocabulary.from_sentences(SENTENCES, min_count=1)
    model = SkipGram(vocabulary, replace(CONFIG, batch_tokens=128, negatives=5))
    model.train_epoch(vocabulary.encode(SENTENCES))
    assert model.losses == [pytest.approx(6 * log(2), rel=1e-6)]


@st.composite
def tokens(draw, most: int = 40):
    """Sentence numbers of up to ``most`` tokens, never decreasing, and a reach for each."""
    jumps = draw(st.lists(st.sampled_from([0, 0, 0, 1, 3]), min_size=1, max_size=most))
    reach = draw(st.lists(st.integers(1, 6), min_size=len(jumps), max_size=len(jumps)))
    return np.cumsum(jumps), np.array(reach)


@settings(max_examples=50, deadline=None)
@given(tokens(20))
def test_window_mask_is_its_definition(text) -> None:
    sentence, reach = text
    mask = skipgram.window_mask(torch.from_numpy(sentence), torch.from_numpy(reach)).numpy()
    places = range(len(sentence))
    expected = [[i != j and abs(i - j) <= reach[i] and sentence[i] == sentence[j] for j in places]
                for i in places]
    np.testing.assert_array_equal(mask, expected)


@settings(max_examples=50, deadline=None)
@given(tokens(20), st.integers(1, 6))
def test_window_mask_properties(text, window: int) -> None:
    """Never itself, never across sentences; as far to the left as to the right, edges apart."""
    sentence, reach = text
    mask = skipgram.window_mask(torch.from_numpy(sentence), torch.from_numpy(reach)).numpy()
    assert not mask.diagonal().any()
    assert not mask[sentence[:, None] != sentence].any()
    for i, row in enumerate(mask):
        for step in range(1, min(i, len(row) - 1 - i) + 1):
            if sentence[i - step] == sentence[i + step]:
                assert row[i - step] == row[i + step]
    even = skipgram.window_mask(torch.from_numpy(sentence), torch.full((len(sentence),), window))
    assert torch.equal(even, even.T)  # with one reach for all, context of each other


@settings(max_examples=50, deadline=None)
@given(tokens(), st.integers(1, 12))
def test_batches_cover_the_text_once_and_begin_with_a_sentence(text, batch_tokens: int) -> None:
    """Edges rise from 0 to N; each lies on a sentence start; all but the last reach their size."""
    sentence, _ = text
    edges = skipgram.batch_edges(sentence, batch_tokens)
    assert edges[0] == 0 and edges[-1] == len(sentence) and (np.diff(edges) > 0).all()
    longest = np.unique(sentence, return_counts=True)[1].max()
    for edge in edges[1:-1]:
        assert sentence[edge] != sentence[edge - 1]
    assert (np.diff(edges) < batch_tokens + longest).all()


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    """The batches of all epochs: word numbers of centres, contexts and noise, and the mask."""
    seen: list[SimpleNamespace] = []

    def look(center, context, noise, inside, negatives):
        number = [table[:, 0].round().long().numpy() for table in (center, context, noise)]
        seen.append(SimpleNamespace(center=number[0], context=number[1], noise=number[2],
                                    inside=inside.numpy(), negatives=negatives))
        return torch.zeros_like(center), torch.zeros_like(context), torch.zeros_like(noise)

    monkeypatch.setattr(skipgram, "batch_gradient", look)
    monkeypatch.setattr(skipgram, "batch_loss", lambda *_: 0.0)
    return seen


def numbered(counts, **settings) -> SkipGram:
    """A model whose vector of word i is (i,), so that a batch shows its words."""
    vocabulary = Vocabulary(tuple(map(str, range(len(counts)))), np.array(counts))
    model = SkipGram(vocabulary, replace(CONFIG, **STILL | settings))
    model.center = torch.arange(len(counts), dtype=torch.float32)[:, None]
    model.context = model.center.clone()
    return model


def test_an_epoch_holds_each_token_once_in_whole_sentences(watch) -> None:
    """Three sentences of 1, 3 and 5 words, each word with a number of its own."""
    sentences = [[0], [1, 2, 3], [4, 5, 6, 7, 8]]
    ids = np.concatenate(sentences)
    numbered(np.ones(9, dtype=int), batch_tokens=5).train_epoch(
        EncodedText(ids, np.repeat([0, 1, 4], [1, 3, 5])))
    assert sorted(np.concatenate([batch.center for batch in watch])) == list(range(9))
    partners = {place: set(sentence) - {place} for sentence in sentences for place in sentence}
    for batch in watch:
        np.testing.assert_array_equal(batch.center, batch.context)
        row, column = np.nonzero(batch.inside)
        for i, j in zip(batch.center[row], batch.context[column], strict=True):
            assert j in partners[i] and abs(i - j) <= 5


def test_a_long_sentence_is_cut(watch) -> None:
    """103 words in batches of 10: ten tables of 10 by 10 and one of 3 by 3, no pair across."""
    text = EncodedText(np.arange(103), np.zeros(103, dtype=int))
    numbered(np.ones(103, dtype=int), batch_tokens=10).train_epoch(text)
    assert [len(batch.center) for batch in watch] == [10] * 10 + [3]
    assert np.concatenate([batch.center for batch in watch]).tolist() == list(range(103))


def test_the_order_of_sentences_changes_and_that_of_words_does_not(watch) -> None:
    text = EncodedText(np.arange(60), np.repeat(np.arange(20), 3))
    numbered(np.ones(60, dtype=int), batch_tokens=3).train_epoch(text)
    firsts = [int(batch.center[0]) for batch in watch]
    assert sorted(firsts) == list(range(0, 60, 3)) != firsts
    assert all((np.diff(batch.center) == 1).all() for batch in watch)


def test_reach_is_drawn_evenly_from_1_to_window(watch) -> None:
    """A word far from both ends has 2 r contexts; r = 1, 2, 3, 4 a quarter of the time each."""
    text = EncodedText(np.zeros(4000, dtype=int), np.zeros(4000, dtype=int))
    numbered([1, 1], window=4, batch_tokens=100).train_epoch(text)
    many = np.concatenate([batch.inside[4:-4].sum(axis=1) for batch in watch])
    values, times = np.unique(many, return_counts=True)
    assert values.tolist() == [2, 4, 6, 8] and chisquare(times).pvalue > 0.001


@pytest.mark.parametrize("power", [0.0, 0.75, 1.0])
def test_noise_follows_count_to_the_power(power: float, watch) -> None:
    """About 50 000 draws; the chi-square test against count^power does not reject it."""
    counts = np.array([1000, 300, 100, 30, 10, 5])
    text = EncodedText(np.zeros(1000, dtype=int), np.repeat(np.arange(500), 2))
    numbered(counts, noise_power=power, batch_tokens=2, shared_negatives=100).train_epoch(text)
    drawn = np.bincount(np.concatenate([batch.noise for batch in watch]), minlength=6)
    share = counts**power / (counts**power).sum()
    assert drawn.sum() == 50_000
    assert chisquare(drawn, share * drawn.sum()).pvalue > 0.001


def test_keep_probability_is_that_of_word2vec_c() -> None:
    """word2vec.c: ran = (sqrt(cn / (sample * train_words)) + 1) * (sample * train_words) / cn.

    counts 900, 90, 10 of 1000 words, sample 0.01, so sample * train_words = 10: for 900
    (√90 + 1)/90 = 0.116520…, for 90 (√9 + 1)/9 = 4/9, for 10 (1 + 1)/1 = 2, which is cut to 1.
    The paper's formula, 1 - √(t/f) dropped, would keep 0.105, 1/3 and 1.
    """
    found = skipgram.keep_probability(np.array([900, 90, 10]), 0.01)
    np.testing.assert_allclose(found, [(90**0.5 + 1) / 90, 4 / 9, 1])
    np.testing.assert_array_equal(skipgram.keep_probability(np.array([900, 1]), 0), [1, 1])


def test_subsampling_keeps_the_share_it_says(watch) -> None:
    """20 000 tokens of word 0 kept with 4/9; the standard deviation of the share is 0.0035."""
    ids = np.repeat([0, 1], [20_000, 2_000])
    model = numbered([900, 90, 10], subsample=0.1, batch_tokens=100)
    model.train_epoch(EncodedText(ids, np.arange(22_000) // 50))
    kept = np.bincount(np.concatenate([batch.center for batch in watch]))
    assert kept[0] / 20_000 == pytest.approx(4 / 9, abs=0.015)  # 900 of 1000 at 0.1: ratio 9
    assert kept[1] == 2_000


def test_the_learning_rate_falls_to_its_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two epochs of five batches: the n-th of all ten has rate 1 - n/10, and at least 0.25.

    A stand-in gradient of 1 moves word 0, which stands once in each batch, by exactly the rate.
    """
    def ones(center, context, noise, inside, negatives):
        places.append(float(center[0, 0]))
        return torch.ones_like(center), torch.zeros_like(context), torch.zeros_like(noise)

    places: list[float] = []
    monkeypatch.setattr(skipgram, "batch_gradient", ones)
    model = SkipGram(Vocabulary(("a", "b"), np.array([5, 5])), SkipGramConfig(
        dimension=1, epochs=2, subsample=0, batch_tokens=2,
        learning_rate=1, min_learning_rate=0.25))
    model.train(EncodedText(np.array([0, 1] * 5), np.repeat(np.arange(5), 2)))
    steps = -np.diff([*places, float(model.center[0, 0])])
    expected = [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.25, 0.25]
    np.testing.assert_allclose(steps, expected, atol=1e-5)


@pytest.fixture
def corpus() -> tuple[Vocabulary, EncodedText]:
    random = np.random.default_rng(0)
    sentences = [[f"w{i}" for i in random.integers(0, 12, 6)] for _ in range(20)]
    vocabulary = Vocabulary.from_sentences(sentences, min_count=1)
    return vocabulary, vocabulary.encode(sentences)


def test_the_same_seed_gives_the_same_vectors_bit_for_bit(corpus) -> None:
    vocabulary, text = corpus
    config = replace(CONFIG, subsample=0.05)
    first, second = SkipGram(vocabulary, config), SkipGram(vocabulary, config)
    np.testing.assert_array_equal(first.train(text).vectors, second.train(text).vectors)
    assert torch.equal(first.context, second.context) and first.losses == second.losses


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_each_epoch_depends_on_the_seed(epoch: int, corpus) -> None:
    """From the same vectors, one epoch with another seed ends elsewhere; so does another epoch."""
    vocabulary, text = corpus
    ends = []
    for seed, done in ((0, epoch), (1, epoch), (0, epoch), (0, epoch + 1)):
        model = SkipGram(vocabulary, replace(CONFIG, seed=seed, epochs=9, min_learning_rate=0.025))
        model.center = torch.full_like(model.center, 0.1)  # not the seed's own beginning
        model.epochs_done = done
        model.train_epoch(text)
        ends.append(model.context.clone())
    assert torch.equal(ends[0], ends[2])
    assert not torch.equal(ends[0], ends[1]) and not torch.equal(ends[0], ends[3])


def test_the_first_vectors_depend_on_the_seed_and_are_small(corpus) -> None:
    """Uniform in ±1/(2 D), as in word2vec.c; contexts at zero."""
    first, second = (SkipGram(corpus[0], replace(CONFIG, seed=seed)) for seed in (0, 1))
    assert not torch.equal(first.center, second.center)
    assert float(first.center.abs().max()) <= 0.5 / 4 and not first.context.any()


def test_saved_and_resumed_is_never_interrupted(corpus, tmp_path: Path) -> None:
    """Two epochs, saved, resumed for the third: bits and losses of three in one go."""
    vocabulary, text = corpus
    whole, part = (SkipGram(vocabulary, replace(CONFIG, subsample=0.05)) for _ in range(2))
    whole.train(text)
    part.train_epoch(text)
    part.train_epoch(text)
    part.save(tmp_path / "state")
    resumed = SkipGram.resume(tmp_path / "state")
    assert resumed.epochs_done == 2 and resumed.config == part.config
    assert resumed.vocabulary.words == vocabulary.words
    vectors = resumed.train(text)
    np.testing.assert_array_equal(vectors.vectors, whole.vectors.vectors)
    assert torch.equal(resumed.context, whole.context) and resumed.losses == whole.losses


def test_train_saves_after_each_epoch(corpus, tmp_path: Path, monkeypatch) -> None:
    saved: list[int] = []
    save = SkipGram.save
    monkeypatch.setattr(SkipGram, "save",
                        lambda self, path: (saved.append(self.epochs_done), save(self, path)))
    SkipGram(corpus[0], CONFIG).train(corpus[1], save_to=tmp_path / "state")
    assert saved == [1, 2, 3] and os.listdir(tmp_path) == ["state"]
    assert SkipGram.resume(tmp_path / "state").epochs_done == 3


def test_training_learns_and_the_loss_falls() -> None:
    """Words a0..a3 meet only each other, and so do b0..b3: neighbours come from the own group."""
    random = np.random.default_rng(0)
    sentences = [[f"{group}{i}" for i in random.integers(0, 4, 8)] for group in "ab" * 60]
    vocabulary = Vocabulary.from_sentences(sentences)
    model = SkipGram(vocabulary, replace(CONFIG, dimension=8, epochs=8, batch_tokens=8,
                                         learning_rate=0.05))
    vectors = model.train(vocabulary.encode(sentences))
    assert model.losses[-1] < 0.9 * model.losses[0]
    for word in vectors.words:
        assert {other[0] for other, _ in vectors.neighbours(word, 3)} == {word[0]}


def test_vectors_taken_before_do_not_change_with_more_training(corpus) -> None:
    """A reader keeps the vectors of epoch 1 to compare them with those of epoch 2."""
    vocabulary, text = corpus
    model = SkipGram(vocabulary, CONFIG)
    model.train_epoch(text)
    early = model.vectors
    kept = early.vectors.copy()
    model.train_epoch(text)
    model.train_epoch(text)
    np.testing.assert_array_equal(early.vectors, kept)


@pytest.mark.parametrize(("settings", "message"), [
    ({"dimension": 0}, r"dimension \(0\) must be at least 1"),
    ({"dimension": -1}, r"dimension \(-1\) must be at least 1"),
    ({"window": 0}, r"window \(0\) must be at least 1"),
    ({"negatives": 0}, r"negatives \(0\) must be at least 1"),
    ({"epochs": -2}, r"epochs \(-2\) must be at least 1"),
    ({"batch_tokens": 0}, r"batch_tokens \(0\) must be at least 1"),
    ({"shared_negatives": 0}, r"shared_negatives \(0\) must be at least 1"),
    ({"learning_rate": 0}, "learning_rate must be above 0"),
    ({"subsample": -0.1}, "subsample at least 0")])
def test_an_impossible_setting_is_an_error(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SkipGramConfig(**settings)


def test_a_text_that_subsampling_empties_is_an_error(corpus) -> None:
    vocabulary, text = corpus
    with pytest.raises(ValueError, match="nothing is left to train on: raise subsample or give"):
        SkipGram(vocabulary, replace(CONFIG, subsample=1e-12)).train(text)


def test_a_diverged_training_is_an_error(corpus) -> None:
    model = SkipGram(corpus[0], replace(CONFIG, learning_rate=1e30))
    with pytest.raises(ValueError, match="training diverged, the loss is nan a pair: lower"):
        model.train(corpus[1])


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.7, 0.999])
def test_a_truncated_state_is_an_error(share: float, corpus, tmp_path: Path) -> None:
    path = tmp_path / "state"
    SkipGram(corpus[0], CONFIG).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="state is cut short or no saved training run: train aga"):
        SkipGram.resume(path)


@pytest.mark.parametrize("stage", ["writing", "replacing"])
def test_an_interrupted_save_leaves_the_old_state_and_nothing_else(
    stage: str, corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = SkipGram(*corpus[:1], CONFIG)
    model.save(tmp_path / "state")
    old = (tmp_path / "state").read_bytes()

    def half(self: Path, data: bytes) -> None:
        with open(self, "wb") as file:
            file.write(data[: len(data) // 2])
        raise KeyboardInterrupt

    def stop(*_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(*(Path, "write_bytes", half) if stage == "writing"
                        else (os, "replace", stop))
    model.train_epoch(corpus[1])
    with pytest.raises(KeyboardInterrupt):
        model.save(tmp_path / "state")
    assert (tmp_path / "state").read_bytes() == old and os.listdir(tmp_path) == ["state"]
