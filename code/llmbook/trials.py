"""A task that trains in a tenth of a second, to search hyperparameters on (chapter 13).

Which package is a documentation string from? MiniLM is frozen; a network with one hidden layer
learns from its vectors. No module has texts in two of the three parts, so that the test set is
as strange as the validation set.

Not here: a search. The lab writes one by hand, and takes the others from Optuna.
"""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from llmbook import corpora
from llmbook.classify.reading import token_ids
from llmbook.compression import lean_minilm, text_vectors
from llmbook.corpora.package_labels import PACKAGES

TOKENS = 48
# Texts of each of the eight packages, and the share of the modules that they are drawn from.
PARTS = {"train": (50, 0.3), "validation": (40, 0.2), "test": (125, 0.5)}
OPTIMIZERS = ("adam", "sgd")


class Part(NamedTuple):
    """Vectors of N texts at length 1, (N, 384), and the place of each package, (N,)."""

    vectors: Tensor
    labels: Tensor


Task = dict[str, Part]


@cache
def package_task() -> Task:
    """400 texts to train on, 320 to validate, 1,000 to test; fourteen seconds of one core."""
    records = list(corpora.package_labels())
    labels = np.array([PACKAGES.index(r.label) for r in records])
    modules = np.array([r.document for r in records])
    lot, names = random.Random("trials"), sorted(set(modules))
    lot.shuffle(names)
    task, start = {}, 0.0
    for part, (number, share) in PARTS.items():
        first, last = (round(x * len(names)) for x in (start, start + share))
        inside, start = np.isin(modules, names[first:last]), start + share
        places = [
            place
            for k in range(len(PACKAGES))
            for place in lot.sample(np.flatnonzero(inside & (labels == k)).tolist(), number)
        ]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*longer than max_tokens")
            rows = token_ids([records[i].text for i in places], TOKENS)
        task[part] = Part(text_vectors(lean_minilm(), rows), torch.from_numpy(labels[places]))
    return task


@dataclass(frozen=True)
class Trial:
    """One configuration. The learning rate is that of the first step, unless there is a warm-up.

    ``warm_up`` is the share of the steps in which the rate rises; then, with ``decay``, it falls
    along half a cosine to zero. ``seed`` draws the weights, the order of the texts and the dropout.

    Raises:
        ValueError: for an unknown optimizer, or a number outside its range.
    """

    learning_rate: float
    optimizer: str = "adam"
    weight_decay: float = 0.0
    dropout: float = 0.0
    width: int = 64
    epochs: int = 12
    batch_size: int = 32
    warm_up: float = 0.0
    decay: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer {self.optimizer!r} is none of {', '.join(OPTIMIZERS)}")
        if self.learning_rate <= 0 or self.weight_decay < 0:
            raise ValueError("learning_rate must be above 0, weight_decay at least 0")
        if not (0 <= self.dropout < 1 and 0 <= self.warm_up < 1):
            raise ValueError("dropout and warm_up must be at least 0 and below 1")
        if min(self.width, self.epochs, self.batch_size) < 1:
            raise ValueError("width, epochs and batch_size must be at least 1")


class Result(NamedTuple):
    """What a trial found: accuracies after each epoch on the validation set, and after the last.

    ``right`` and ``test_right`` say of each validation and test text whether the answer is right.
    ``losses`` are those of the steps.
    """

    curve: list[float]
    validation: float
    test: float
    right: np.ndarray
    test_right: np.ndarray
    losses: list[float]


def rate_factor(step: int, steps: int, warm_up: float = 0.0, decay: bool = True) -> float:
    """The share of the learning rate in a step, 0 to ``steps`` - 1: rises to 1, then falls."""
    rising = round(steps * warm_up)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / (steps - rising))) if decay else 1.0


def new_network(trial: Trial, inputs: int, classes: int) -> nn.Sequential:
    """Vectors (B, D) to logits (B, C): one hidden layer of ReLUs, dropout before and after it."""
    return nn.Sequential(
        nn.Dropout(trial.dropout), nn.Linear(inputs, trial.width), nn.ReLU(),
        nn.Dropout(trial.dropout), nn.Linear(trial.width, classes),
    )  # fmt: skip


def new_optimizer(trial: Trial, network: nn.Module) -> torch.optim.Optimizer:
    """AdamW, or gradient descent with momentum 0.9."""
    usual = {"lr": trial.learning_rate, "weight_decay": trial.weight_decay}
    if trial.optimizer == "sgd":
        return torch.optim.SGD(network.parameters(), momentum=0.9, **usual)
    return torch.optim.AdamW(network.parameters(), **usual, foreach=True)


class _Training:
    """A network, its optimizer and the texts; the random numbers are the caller's."""

    def __init__(self, trial: Trial, part: Part) -> None:
        self.trial, self.labels = trial, part.labels
        self.vectors = scaled(part.vectors)
        classes = int(self.labels.max()) + 1
        self.network = new_network(trial, self.vectors.shape[1], classes)
        self.optimizer = new_optimizer(trial, self.network)

    def batches(self) -> tuple[Tensor, ...]:
        """The places of the texts in a new order, in batches: one epoch."""
        return torch.randperm(len(self.labels)).split(self.trial.batch_size)

    def step(self, places: Tensor, rate: float) -> float:
        """One update; the loss before it."""
        logits = self.network(self.vectors[places])
        loss = nn.functional.cross_entropy(logits, self.labels[places])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.step()
        return loss.item()


def run(trial: Trial, task: Task, report: Callable[[int, float], None] | None = None) -> Result:
    """Train and judge one network.

    Args:
        report: called after each epoch with its number, from 1, and the accuracy on the validation
            set; it may raise an exception to end the trial
    """
    losses, curve = [], []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(trial.seed)
        training = _Training(trial, task["train"])
        steps = trial.epochs * -(-len(training.labels) // trial.batch_size)
        for epoch in range(1, trial.epochs + 1):
            training.network.train()
            for places in training.batches():
                factor = rate_factor(len(losses), steps, trial.warm_up, trial.decay)
                losses.append(training.step(places, trial.learning_rate * factor))
            curve.append(float(judge(training.network, task["validation"]).mean()))
            if report:
                report(epoch, curve[-1])
    right, test_right = (judge(training.network, task[part]) for part in ("validation", "test"))
    return Result(curve, curve[-1], float(test_right.mean()), right, test_right, losses)


def judge(network: nn.Module, part: Part) -> np.ndarray:
    """Whether the answer to each text is right, (N,)."""
    network.eval()
    with torch.no_grad():
        return (network(scaled(part.vectors)).argmax(1) == part.labels).numpy()


def scaled(vectors: Tensor) -> Tensor:
    """Vectors of length 1, (N, D), made so long that a number in them is about 1 in size."""
    return vectors * math.sqrt(vectors.shape[1])


def range_test(
    trial: Trial, task: Task, lowest: float, highest: float, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Learning-rate range test: the rates of the steps, and the losses (both (steps,)).

    The rate rises exponentially from ``lowest`` to ``highest`` in one training run; the batches
    begin anew when the texts are used up. Smith (2017), section 3.3, where it rises linearly.
    """
    rates, losses = np.geomspace(lowest, highest, steps), []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(trial.seed)
        training = _Training(trial, task["train"])
        while len(losses) < steps:
            for places in training.batches()[: steps - len(losses)]:
                losses.append(training.step(places, float(rates[len(losses)])))
    return rates, np.array(losses)
