"""Skip-gram with negative sampling (Mikolov et al. 2013), one matrix product a batch.

A batch is a run of whole sentences. Its words, as centres, meet its words, as contexts, in one
(T, T) table of scores; a mask says which pairs lie inside a window. All centres of a batch share
one sample of noise words, each weighted so that the expected loss is that of ``negatives`` fresh
draws a pair (the sharing is due to Ji et al. 2016). The gradient is written out below and checked
in the tests against autograd, and against a loop over pairs.

Not here: hierarchical softmax, CBOW, several threads. T tokens of a batch, P noise words, D width.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from llmbook.vectors.keyed import WordVectors, check_dimension, check_seed
from llmbook.vectors.state import load_state, save_state
from llmbook.vectors.vocabulary import EncodedText, Vocabulary


@dataclass(frozen=True)
class SkipGramConfig:
    """Settings of skip-gram; the defaults are gensim's, but for the last two.

    subsample        a word of relative frequency f is kept with probability
                     min(1, (sqrt(f/t) + 1) t/f), t = subsample, as in word2vec.c (the paper's
                     formula differs a little); 0 keeps every word
    noise_power      noise words are drawn in proportion to count ** noise_power
    batch_tokens     a batch ends with the sentence that reaches this many tokens; the steps of its
                     pairs are summed, so a vocabulary below a thousand words needs a small batch
    shared_negatives noise words that a batch shares
    """

    dimension: int = 100
    window: int = 5
    negatives: int = 5
    epochs: int = 5
    learning_rate: float = 0.025
    min_learning_rate: float = 0.0001
    subsample: float = 0.001
    noise_power: float = 0.75
    seed: int = 0
    batch_tokens: int = 128
    shared_negatives: int = 64

    def __post_init__(self) -> None:
        check_dimension(self.dimension)
        for name in ("window", "negatives", "epochs", "batch_tokens", "shared_negatives"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} ({getattr(self, name)}) must be at least 1")
        if not self.learning_rate > 0 or not self.subsample >= 0:
            raise ValueError("learning_rate must be above 0 and subsample at least 0")
        check_seed(self.seed)


def batch_gradient(
    center: torch.Tensor,  # (T, D)
    context: torch.Tensor,  # (T, D)
    noise: torch.Tensor,  # (P, D)
    inside: torch.Tensor,  # (T, T) boolean, True = the column is a context of the row
    negatives: int,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of ``batch_loss`` for centres, contexts and noise, shapes as given.

    d/dx of -log sigmoid(x) is -sigmoid(-x), so a true pair pulls with sigmoid(-score) and a noise
    word pushes with sigmoid(score).
    """
    noise_weight = inside.sum(1, keepdim=True) * (negatives / len(noise))  # (T, 1)
    pull = torch.sigmoid(-(center @ context.T)) * inside  # (T, T)
    push = torch.sigmoid(center @ noise.T) * noise_weight  # (T, P)
    return push @ noise - pull @ context, -(pull.T @ center), push.T @ center


def batch_loss(
    center: torch.Tensor,
    context: torch.Tensor,
    noise: torch.Tensor,
    inside: torch.Tensor,
    negatives: int,
) -> torch.Tensor:
    """The negative-sampling loss of a batch, summed over its pairs (equation 4 of the paper)."""
    log_sigmoid = torch.nn.functional.logsigmoid
    noise_weight = inside.sum(1, keepdim=True) * (negatives / len(noise))
    true_pairs = log_sigmoid(center @ context.T) * inside
    noise_pairs = log_sigmoid(-(center @ noise.T)) * noise_weight
    return -(true_pairs.sum() + noise_pairs.sum())


class SkipGram:
    """Trains ``center`` and ``context`` vectors, each (V, D); the centre vectors are the result.

    One epoch uses one random generator, made from (seed, epoch), so a run that was saved after an
    epoch and resumed gives the same vectors, bit for bit, as a run that was not interrupted.
    """

    def __init__(self, vocabulary: Vocabulary, config: SkipGramConfig | None = None) -> None:
        self.vocabulary = vocabulary
        self.config = config = config or SkipGramConfig()
        generator = torch.Generator().manual_seed(config.seed)
        shape = (len(vocabulary), config.dimension)
        self.center = (torch.rand(shape, generator=generator) - 0.5) / config.dimension
        self.context = torch.zeros(shape)
        self.epochs_done = 0
        self.losses: list[float] = []  # mean loss per pair, one number an epoch
        weight = np.cumsum(vocabulary.counts**config.noise_power)
        self._noise = weight / weight[-1]  # ends at 1 exactly, so that no draw falls behind it
        self._keep = keep_probability(vocabulary.counts, config.subsample)

    @property
    def vectors(self) -> WordVectors:
        """The vectors of the words as centers, (V, D)."""
        return WordVectors(self.vocabulary.words, self.center.numpy().copy())

    def train(self, text: EncodedText, save_to: str | Path | None = None) -> WordVectors:
        """Run the epochs that are still to do; with ``save_to``, save after each."""
        while self.epochs_done < self.config.epochs:
            self.train_epoch(text)
            if save_to is not None:
                self.save(save_to)
        return self.vectors

    def train_epoch(self, text: EncodedText) -> None:
        """Go through the text once; the learning rate falls as if ``config.epochs`` were run.

        Raises:
            ValueError: if the text was encoded by another vocabulary, or nothing of it is left to
                train on.
        """
        config = self.config
        text.check(len(self.vocabulary))
        random = np.random.default_rng([config.seed, self.epochs_done])
        ids, sentence = self._sample(text, random)
        reach = random.integers(1, config.window + 1, len(ids))  # a window of 1..window each
        edges = batch_edges(sentence, config.batch_tokens)
        noise = random.random((len(edges), config.shared_negatives))
        noise = torch.from_numpy(np.searchsorted(self._noise, noise))
        ids, sentence, reach = map(torch.from_numpy, (ids, sentence, reach))
        loss = pairs = 0.0
        batches = tqdm(pairwise(edges), total=len(edges) - 1, unit="batch", leave=False)
        batches.set_description(f"epoch {self.epochs_done + 1} of {config.epochs}")
        for number, (start, stop) in enumerate(batches):
            here = slice(start, stop)
            inside = window_mask(sentence[here], reach[here])
            rows = ids[here], ids[here], noise[number]
            given = self.center[rows[0]], self.context[rows[1]], self.context[rows[2]]
            gradients = batch_gradient(*given, inside, config.negatives)
            step = -self._learning_rate(start / len(ids))
            self.center.index_add_(0, rows[0], gradients[0], alpha=step)
            self.context.index_add_(0, rows[1], gradients[1], alpha=step)
            self.context.index_add_(0, rows[2], gradients[2], alpha=step)
            if number % 16 == 0:  # the loss is watched on a sixteenth of the batches
                loss += float(batch_loss(*given, inside, config.negatives))
                pairs += float(inside.sum())
        if pairs == 0:
            raise ValueError("no two words stand in one window: give sentences of several words")
        self.epochs_done += 1
        self.losses.append(loss / pairs)
        if not self.losses[-1] < 10 * (1 + config.negatives):  # it starts at (1 + k) log 2
            raise ValueError(
                f"training diverged, the loss is {self.losses[-1]:.3g} a pair: lower "
                "learning_rate, or batch_tokens for a small vocabulary"
            )

    def _sample(self, text: EncodedText, random: np.random.Generator):
        """Drop frequent words at random, put the sentences in a random order, cut long ones."""
        kept = random.random(len(text)) < self._keep[text.ids]
        ids, sentence = text.ids[kept], text.sentence[kept]
        if len(ids) < 2:
            raise ValueError("nothing is left to train on: raise subsample or give more text")
        order = random.permutation(sentence[-1] + 1)[sentence]
        order = np.argsort(order, kind="stable")
        ids, sentence = ids[order], sentence[order]
        first = np.r_[True, sentence[1:] != sentence[:-1]]
        place = np.arange(len(ids)) - np.flatnonzero(first)[np.cumsum(first) - 1]
        first |= place % self.config.batch_tokens == 0  # the (T, T) table stays small
        return ids, np.cumsum(first)

    def _learning_rate(self, done: float) -> float:
        done = (self.epochs_done + done) / self.config.epochs
        return max(self.config.learning_rate * (1 - done), self.config.min_learning_rate)

    def save(self, path: str | Path) -> None:
        """Write vectors, settings and progress to one safetensors file, or leave the old one."""
        arrays = {"center": self.center.numpy(), "context": self.context.numpy()}
        arrays["counts"] = self.vocabulary.counts
        facts = {"kind": "skip-gram", "config": asdict(self.config)}
        facts["words"] = self.vocabulary.words
        save_state(path, arrays, facts | {"losses": self.losses})

    @classmethod
    def resume(cls, path: str | Path) -> SkipGram:
        """Read what ``save`` wrote; ``train`` goes on from there."""
        arrays, facts = load_state(path, "skip-gram")
        vocabulary = Vocabulary(tuple(facts["words"]), arrays["counts"])
        model = cls(vocabulary, SkipGramConfig(**facts["config"]))
        model.center = torch.from_numpy(arrays["center"])
        model.context = torch.from_numpy(arrays["context"])
        model.losses, model.epochs_done = facts["losses"], len(facts["losses"])
        return model


def keep_probability(counts: np.ndarray, subsample: float) -> np.ndarray:
    """Probability that an occurrence of each word survives subsampling, shape (V,)."""
    if subsample == 0:
        return np.ones(len(counts))
    ratio = counts / counts.sum() / subsample
    return np.minimum(1.0, (np.sqrt(ratio) + 1) / ratio)


def window_mask(sentence: torch.Tensor, reach: torch.Tensor) -> torch.Tensor:
    """(T, T) boolean, True where the column lies in the row's window and sentence, not itself."""
    place = torch.arange(len(sentence))
    distance = (place[:, None] - place).abs()
    same = sentence[:, None] == sentence
    return (distance > 0) & (distance <= reach[:, None]) & same


def batch_edges(sentence: np.ndarray, batch_tokens: int) -> np.ndarray:
    """Where batches begin and end: the first sentence start at or after each ``batch_tokens``."""
    starts = np.flatnonzero(np.r_[True, sentence[1:] != sentence[:-1]])
    wanted = np.searchsorted(starts, np.arange(0, len(sentence), batch_tokens))
    inner = starts[np.unique(wanted[wanted < len(starts)])]
    return np.r_[inner, len(sentence)]
