"""Classifiers taught where a shortcut is as good as the rule, and texts that tell the two apart.

Two tasks (chapter 10). Opinions: praise or blame, with and without a word that negates. Pairs: do
two sentences say the same, when one may have its roles exchanged. Texts are those of
``llmbook.corpora.minimal_pairs``; people and verbs of a test are none of the training.

Shapes: ``N`` texts or pairs, ``D`` = 384, MiniLM's width.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from llmbook.classify.reading import minilm_vectors, token_ids
from llmbook.corpora.minimal_pairs import (
    BLAME,
    PEOPLE,
    PRAISE,
    VERBS,
    RoleSentences,
    opinions,
    role_sentences,
)
from llmbook.models import load_minilm
from llmbook.tokenizers import minilm_tokenizer
from llmbook.training import ClassLabel, Examples, Trainer, TrainingConfig
from llmbook.tuning import Classifier

NEGATORS = ("not", "never", "hardly", "anything but", "far from")
BEFORE = ("", "very", "truly", *NEGATORS)  # what stands before the adjective
PLACES: dict[str, dict[str, Any]] = {
    "same words": {},
    "new words": {"words": 1},
    "new domain": {"subject": "appliance"},
}

ADJECTIVES = {
    place: tuple(
        word for table in (PRAISE, BLAME)
        for word in table[way.get("subject", "film")][way.get("words", 0)]
    )
    for place, way in PLACES.items()
}  # fmt: skip

KINDS = {  # which two sentences of an event, and whether they say the same
    "paraphrase": ("active", "passive", True),
    "another event": ("active", "other", False),
    "exchanged": ("active", "swapped", False),
    "exchanged, both passive": ("passive", "swapped_passive", False),
    "exchanged, in the passive": ("active", "swapped_passive", False),
    "denied": ("active", "negated", False),
    "passive first": ("passive", "active", True),
    "passive first, exchanged": ("passive", "swapped", False),
    "the same twice": ("active", "active", True),
    "with it was": ("active", "cleft", True),
    "with it was, exchanged": ("active", "swapped_cleft", False),
}
SWAPS = ("exchanged", "exchanged, both passive")
TRAININGS = {  # the kinds of pairs that a training shows as the same, and as not the same
    "other events": (("paraphrase",), ("another event",)),
    "+ exchanged": (("paraphrase",), ("another event", *SWAPS)),
    "+ exchanged passives": (
        ("paraphrase",), ("another event", *SWAPS, "exchanged, in the passive")),
    "all forms": (
        ("paraphrase", "passive first", "the same twice"),
        ("another event", *SWAPS, "exchanged, in the passive", "passive first, exchanged")),
}  # fmt: skip

Pair = tuple[str, str]


class Opinions(NamedTuple):
    """N texts, whether each praises, and whether it has a word that negates."""

    texts: list[str]
    praise: np.ndarray
    negated: np.ndarray


class Pairs(NamedTuple):
    """N pairs of sentences, and whether each pair says the same."""

    pairs: list[Pair]
    same: np.ndarray


def opinion_set(
    number: int, seed: int, before: str = "", place: str = "same words", without: Sequence[str] = ()
) -> Opinions:
    """Opinions with ``before`` in front of the adjective, and their true labels.

    Half of the adjectives are good.

    Args:
        number: even
        without: texts that must not be among them, such as those of the training

    Raises:
        ValueError: if so many are not left.
    """
    drawn = [o for o in opinions(432, seed, before=before, **PLACES[place])
             if o.text not in set(without)]  # fmt: skip
    halves = [[o.text for o in drawn if o.positive is good][: number // 2]
              for good in (True, False)]  # fmt: skip
    if sum(map(len, halves)) < number:
        raise ValueError(f"{number} opinions are not left, only {sum(map(len, halves))}")
    good, negated = np.repeat([True, False], number // 2), np.full(number, before in NEGATORS)
    return Opinions(halves[0] + halves[1], good ^ negated, negated)


def opinion_training(seed: int, negators: Sequence[str] = (), number: int = 320) -> Opinions:
    """Opinions on films: all affirmative, or half of them negated, by each negator as often."""
    parts = [opinion_set(number // 2 if negators else number, seed)]
    for i, word in enumerate(negators):
        parts.append(opinion_set(number // 2 // len(negators), seed + 100 * (i + 1), word))
    return Opinions([text for part in parts for text in part.texts],
                    *(np.concatenate([part[k] for part in parts]) for k in (1, 2)))  # fmt: skip


def vectors(texts: Sequence[str]) -> np.ndarray:
    """MiniLM's vectors (N, D) of length 1, not trained here."""
    return minilm_vectors(token_ids(texts, 64))


def count_words(training: Opinions) -> Callable[[Sequence[str]], np.ndarray]:
    """A linear classifier of word counts: texts to whether each praises, (N,)."""
    fit = make_pipeline(CountVectorizer(), LogisticRegression(C=10))
    return fit.fit(training.texts, training.praise).predict


def frozen(training: Opinions) -> Callable[[Sequence[str]], np.ndarray]:
    """A linear classifier of MiniLM's vectors."""
    fit = _linear(vectors(training.texts), training.praise)
    return lambda texts: fit.predict(vectors(texts))


def two_probes(training: Opinions) -> tuple[LogisticRegression, LogisticRegression]:
    """Two linear classifiers of MiniLM's vectors: is the adjective good, is there a negator.

    An opinion praises if exactly one of the answers is yes.
    """
    x = vectors(training.texts)
    return _linear(x, training.praise ^ training.negated), _linear(x, training.negated)


def multiplied(training: Opinions) -> Callable[[Sequence[str]], np.ndarray]:
    """The product of the two probes, each scored below 0 for no and above 0 for yes."""
    good, negated = two_probes(training)

    def praise(texts: Sequence[str]) -> np.ndarray:
        x = vectors(texts)
        return good.decision_function(x) * negated.decision_function(x) < 0

    return praise


def tuned(
    training: Opinions, seed: int, steps: int = 100
) -> tuple[Callable[[Sequence[str]], np.ndarray], list[float]]:
    """MiniLM with a head, all of it trained; and the loss of each step."""
    network, losses = fine_tune(token_ids(training.texts, 64), training.praise, seed, steps)
    return lambda texts: network.predict(token_ids(texts, 64)).numpy() == 1, losses


def pair_training(seed: int, training: str, events: int = 400) -> Pairs:
    """Of each event one pair that says the same and one that does not, the kinds in turn."""
    found = people_events(seed, events)[0]
    pairs = [pair(event, kinds[i % len(kinds)])
             for kinds in TRAININGS[training] for i, event in enumerate(found)]  # fmt: skip
    return Pairs(pairs, np.repeat([True, False], events))


def pair_test(seed: int, kind: str, events: int = 100) -> Pairs:
    """Pairs of one kind, of people and verbs that no training of this seed has."""
    found = [pair(event, kind) for event in people_events(seed, 0, events)[1]]
    return Pairs(found, np.full(events, KINDS[kind][2]))


def people_events(
    seed: int, training: int, test: int = 100
) -> tuple[list[RoleSentences], list[RoleSentences]]:
    """Events for training and for the test: 28 people and 12 verbs, and the other 12 and 6."""
    rng = random.Random(seed)
    people, verbs = rng.sample(PEOPLE, len(PEOPLE)), rng.sample(VERBS, len(VERBS))
    return (role_sentences(training, seed, people[:28], verbs[:12]),
            role_sentences(test, seed, people[28:], verbs[12:]))  # fmt: skip


def pair(event: RoleSentences, kind: str) -> Pair:
    """The two sentences of a kind."""
    first, second, _ = KINDS[kind]
    return getattr(event, first), getattr(event, second)


def overlap(pairs: Sequence[Pair]) -> np.ndarray:
    """(N, 5): words in both over words in either, words in one alone, and the two lengths."""
    rows = []
    for one, other in pairs:
        a, b = set(one.split()), set(other.split())
        rows.append([len(a & b) / len(a | b), len(a - b), len(b - a),
                     len(one.split()), len(other.split())])  # fmt: skip
    return np.array(rows, float)


def together(pairs: Sequence[Pair]) -> np.ndarray:
    """(N, 2D): of the two vectors u and v, |u - v| and u v, number by number."""
    one, other = (vectors([p[k] for p in pairs]) for k in (0, 1))
    return np.hstack([np.abs(one - other), one * other])


def detector(
    features: Callable[[Sequence[Pair]], np.ndarray], training: Pairs, C: float = 1.0
) -> Callable[[Sequence[Pair]], np.ndarray]:
    """A linear classifier of features: pairs to whether they say the same, (N,)."""
    fit = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=5000))
    fit.fit(features(training.pairs), training.same)
    return lambda pairs: fit.predict(features(pairs))


def cross_encoder(
    training: Pairs, seed: int, steps: int = 200
) -> tuple[Callable[[Sequence[Pair]], np.ndarray], list[float]]:
    """MiniLM reads both sentences in one row, all of it trained; and the loss of each step."""
    network, losses = fine_tune(_pair_ids(training.pairs), training.same, seed, steps)
    return lambda pairs: network.predict(_pair_ids(pairs)).numpy() == 1, losses


def fine_tune(
    rows: Sequence[list[int]], labels: np.ndarray, seed: int, steps: int
) -> tuple[Classifier, list[float]]:
    """All weights of MiniLM and a new head, with batches of 16; the network, and its losses."""
    config = TrainingConfig(
        steps=steps, batch_size=16, learning_rate=1e-4, final_rate=0.05, warm_up=steps // 10,
        weight_decay=0.01, betas=(0.9, 0.999), seed=seed,
    )  # fmt: skip
    examples = [{"ids": r, "label": int(y)} for r, y in zip(rows, labels, strict=True)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Classifier(load_minilm(), 2)
        trainer = Trainer(network, ClassLabel(), Examples(examples, seed=seed), config, quiet=True)
        trainer.fit()
    return network.eval(), trainer.history.losses


def _linear(x: np.ndarray, y: np.ndarray) -> LogisticRegression:
    return LogisticRegression(C=10, max_iter=2000).fit(x, y)


def _pair_ids(pairs: Sequence[Pair]) -> list[list[int]]:
    """[CLS] one [SEP] other [SEP]; a separator is the only mark of where the other begins."""
    return [minilm_tokenizer().encode_pair(*p)[0] for p in pairs]
