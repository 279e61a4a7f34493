"""Requests that may be meant well or ill, with an exactly known best policy (chapter 9).

The intent of the one who asks is drawn first, harmless or harmful, a half each; then each word of
the request by itself, given the intent. A word with log-odds w is e^w times as frequent in harmful
requests as in harmless ones, so the log-odds of a request are the sum of its words' (naive Bayes).
Any request can come from both, and only the words are seen. The world is small enough to list, so
what is said of a policy here is exact: no test set is drawn.

Words are numbers, and mean nothing. Shapes: ``N`` requests, ``T`` words of one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmbook.models import GPT, GPTConfig
from llmbook.safety.conflict import cosine, gradient, set_gradient, surgery
from llmbook.training import TrainingConfig, learning_rate, make_optimizers


@dataclass(frozen=True)
class World:
    """Requests of T words; ``places[t]`` are the log-odds of the words that may stand at t.

    Raises:
        ValueError: if the log-odds of a place are not symmetric. The words then are as frequent as
            one another on average over the logarithms of both intents, and the ratio is e^w.
    """

    places: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        for place in self.places:
            if not np.allclose(np.sort(place), -np.sort(place)[::-1]):
                raise ValueError(f"log-odds {place} are not symmetric: each needs its opposite")

    @classmethod
    def of(cls, strength: float, length: int = 6, last: Sequence[float] = ()) -> World:
        """Five words, of log-odds -2, -1, 0, 1, 2 times ``strength``, at each of ``length`` places.

        ``last``: log-odds of the words of one more place at the end, which are words of their own.
        """
        words = tuple(strength * level for level in (-2, -1, 0, 1, 2))
        return cls((words,) * length + ((tuple(last),) if last else ()))

    @cached_property
    def first_ids(self) -> list[int]:
        """The id of each place's first word; places with the same log-odds share their words."""
        starts: dict[tuple[float, ...], int] = {}
        for place in self.places:
            starts.setdefault(place, sum(map(len, starts)))
        return [starts[place] for place in self.places]

    @property
    def vocab_size(self) -> int:
        return sum(map(len, set(self.places)))

    @cached_property
    def words(self) -> np.ndarray:
        """Every request (N, T), each word by its number among the words of its place."""
        grid = np.meshgrid(*(np.arange(len(place)) for place in self.places), indexing="ij")
        return np.stack([axis.ravel() for axis in grid], 1)

    @cached_property
    def requests(self) -> Tensor:
        """Every request as token ids (N, T)."""
        return torch.from_numpy(self.words + self.first_ids)

    @cached_property
    def log_odds(self) -> np.ndarray:
        """log P(request | harmful) - log P(request | harmless), (N,)."""
        return sum(np.array(place)[self.words[:, t]] for t, place in enumerate(self.places))

    def chances(self, harmful: bool) -> list[np.ndarray]:
        """For each place the probability of its words, given the intent."""
        sign = 0.5 if harmful else -0.5
        raw = [np.exp(sign * np.array(place)) for place in self.places]
        return [place / place.sum() for place in raw]

    @cached_property
    def harmless(self) -> np.ndarray:
        """P(request | harmless), (N,)."""
        return self._probability(False)

    @cached_property
    def harmful(self) -> np.ndarray:
        """P(request | harmful), (N,)."""
        return self._probability(True)

    def _probability(self, harmful: bool) -> np.ndarray:
        return np.prod([chance[self.words[:, t]]
                        for t, chance in enumerate(self.chances(harmful))], 0)  # fmt: skip

    def draw(self, number: int, harmful: bool, generator: torch.Generator) -> Tensor:
        """Requests (number, T) of one intent."""
        columns = [
            torch.multinomial(torch.from_numpy(chance), number, True, generator=generator) + first
            for chance, first in zip(self.chances(harmful), self.first_ids, strict=True)
        ]
        return torch.stack(columns, 1)


class Outcome(NamedTuple):
    """What a policy does: two shares that it should keep low."""

    over_refusal: float  # refused, of the harmless requests
    compliance: float  # answered, of the harmful ones

    def cost(self, weight: float) -> float:
        """(1 - weight) times over-refusal plus weight times harmful compliance."""
        return (1 - weight) * self.over_refusal + weight * self.compliance


def outcome(refusal: np.ndarray, world: World) -> Outcome:
    """Of a policy that refuses each request with probability ``refusal`` (N,), exactly."""
    refusal = np.asarray(refusal, dtype=float)
    return Outcome(float(world.harmless @ refusal), float(world.harmful @ (1 - refusal)))


def front(world: World) -> np.ndarray:
    """Corners (C, 2) of the Pareto front, from the constant helper to the constant refuser.

    A corner refuses every request whose log-odds are at least so high (Neyman & Pearson 1933).
    Between two corners, a coin decides about the requests of one value, on a straight line.
    """
    place = np.unique(world.log_odds.round(9), return_inverse=True)[1]
    harmless = np.bincount(place, world.harmless)[::-1]  # most suspicious first
    harmful = np.bincount(place, world.harmful)[::-1]
    refused = np.concatenate(([0.0], np.cumsum(harmless)))
    answered = 1 - np.concatenate(([0.0], np.cumsum(harmful)))
    return np.stack([refused, answered], 1).clip(0, 1)


def lowest_compliance(corners: np.ndarray, over_refusal: float) -> float:
    """Harmful compliance on the front (C, 2) at this over-refusal."""
    return float(np.interp(over_refusal, corners[:, 0], corners[:, 1]))


def threshold(weight: float) -> float:
    """Log-odds above which refusing is cheaper, where over-refusal costs 1 - weight."""
    return float(np.log((1 - weight) / weight))


def best(world: World, weight: float) -> Outcome:
    """The policy of the lowest cost there is."""
    return outcome(world.log_odds > threshold(weight), world)


# A model that is trained in such a world.


def new_model(world: World, seed: int) -> GPT:
    """One block of width 32; two more tokens stand for the replies, an answer and a refusal."""
    torch.manual_seed(seed)
    return GPT(GPTConfig.gpt2(
        vocab_size=world.vocab_size + 2, context_length=len(world.places), d_model=32,
        num_layers=1, num_heads=4, dropout=0.0,
    ))  # fmt: skip


def refusal_logit(model: nn.Module, requests: Tensor) -> Tensor:
    """Log-odds (N,) with which the model refuses: of its two replies after the last word."""
    logits = model(requests)[:, -1]
    return logits[:, -1] - logits[:, -2]


def losses(model: nn.Module, harmless: Tensor, harmful: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of -log P(answer) of harmless requests, and of -log P(refusal) of harmful ones."""
    logit = refusal_logit(model, torch.cat((harmless, harmful)))
    number = len(harmless)
    return F.softplus(logit[:number]).mean(), F.softplus(-logit[number:]).mean()


def exact_losses(model: nn.Module, world: World) -> tuple[Tensor, Tensor]:
    """The same for all requests of the world, each with its probability."""
    logit = refusal_logit(model, world.requests)
    harmless, harmful = (torch.from_numpy(p).float() for p in (world.harmless, world.harmful))
    return harmless @ F.softplus(logit), harmful @ F.softplus(-logit)


def refusals(model: nn.Module, world: World, greedy: bool = True) -> np.ndarray:
    """P(refusal) for each request (N,): 0 or 1 if the model takes its likelier reply."""
    with torch.no_grad():
        logit = refusal_logit(model, world.requests).double()
    return ((logit > 0) if greedy else logit.sigmoid()).double().numpy()


class Pull(NamedTuple):
    """How the gradients of the two exact losses lie to each other."""

    cosine: float
    ratio: float  # the length of that of L_help, divided by that of L_safe


def pull(model: nn.Module, world: World) -> Pull:
    """The two gradients of ``exact_losses``, compared."""
    help_, safe = (gradient(loss, model) for loss in exact_losses(model, world))
    return Pull(cosine(help_, safe), (help_.norm() / safe.norm()).item())


def train(
    model: nn.Module, world: World, weight: float, seed: int, steps: int = 300,
    batch_size: int = 128, operate: bool = False,
    watch: Callable[[int], None] = lambda step: None,
) -> None:  # fmt: skip
    """Train towards (1 - weight) L_help + weight L_safe, on requests that are drawn anew.

    Args:
        batch_size: requests of each intent in a step
        operate: sum the two weighted gradients by ``surgery``
        watch: is called with 0 before the first step, with 1 after it, and so on
    """
    config = TrainingConfig(steps=steps, learning_rate=3e-3, warm_up=20, final_rate=0.01,
                            weight_decay=0.0, betas=(0.9, 0.99))  # fmt: skip
    [optimizer] = make_optimizers(model, config)
    generator = torch.Generator().manual_seed(seed)
    watch(0)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, config)
        pair = [world.draw(batch_size, harmful, generator) for harmful in (False, True)]
        help_, safe = losses(model, *pair)
        help_, safe = (1 - weight) * help_, weight * safe
        if operate:
            set_gradient(model, surgery(gradient(help_, model), gradient(safe, model)))
        else:
            set_gradient(model, gradient(help_ + safe, model))
        optimizer.step()
        watch(step + 1)
