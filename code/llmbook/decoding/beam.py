"""Beam search: the most probable answer, as far as a few beams see (chapter 8).

Greedy takes the best token at each step and cannot take it back. Beam search follows the ``beams``
best beginnings at once (Graves 2012; Sutskever et al. 2014, section 3.2). What is scored, with
which length penalty, and when the search may stop, is as in Transformers' ``generate``.

Shapes: ``B`` batch, ``V`` vocabulary size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

import torch
from torch import Tensor

from llmbook.decoding.reading import (
    Prompts,
    Reader,
    as_lists,
    check_token,
    open_reader,
)
from llmbook.models import GPT, Seq2Seq
from llmbook.models.mode import evaluating


@dataclass(frozen=True)
class Hypothesis:
    """An answer that a beam search found.

    ids       its tokens, an end token included
    log_prob  the sum of their log probabilities
    score     log_prob / (number of tokens) ** length_penalty, what the answers are ordered by
    """

    ids: list[int]
    log_prob: float
    score: float


@torch.inference_mode()
def beam_search(
    model: GPT | Seq2Seq,
    prompts: Prompts,
    *,
    beams: int,
    max_new_tokens: int,
    length_penalty: float = 1.0,
    end_id: int | None = None,
    start_id: int | None = None,
    cached: bool = True,
) -> list[list[Hypothesis]]:
    """The ``beams`` best answers to each prompt, the best first; in a batch as alone.

    Each step looks at all continuations of all beams and takes the most probable. One that ends is
    finished: it is scored and followed no further, and those that go on fill the beams. A prompt is
    done when ``beams`` answers are finished and the best unfinished one, scored at its length so
    far, would not be among them; or when there is no room left, and then all count as finished.

    A log probability is below 0, and each token adds one: with ``length_penalty`` 0 the score is
    their sum, and short answers win; with 1 it is their mean; above 1, long answers win.

    ``max_new_tokens``, ``end_id``, ``start_id``, ``cached``, context and mode are as in
    ``generate``.

    Raises:
        ValueError: for an empty prompt, one that fills the context, or an impossible setting.
    """
    check_beams(model.config.vocab_size, beams, max_new_tokens)
    check_token(model, "end_id", end_id)
    with evaluating(model):
        reader = open_reader(model, as_lists(prompts), max_new_tokens, start_id, cached)
        return search(reader, beams, max_new_tokens, length_penalty, end_id)


def check_beams(vocab_size: int, beams: int, max_new_tokens: int) -> None:
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens ({max_new_tokens}) must be at least 1")
    if not 1 <= beams <= vocab_size // 2:
        # Of 2 · beams candidates at most half end, so that enough remain to go on.
        raise ValueError(f"beams ({beams}) must be at least 1, and at most half of the vocabulary")


def search(
    reader: Reader, beams: int, max_new_tokens: int, length_penalty: float, end_id: int | None
) -> list[list[Hypothesis]]:
    """``beam_search`` with any reader: another kind of model brings one of its own."""
    searches = [
        _Search(beams, min(max_new_tokens, room), length_penalty, end_id) for room in reader.room
    ]
    active, logits = searches, reader.start()
    while True:
        followed, first = [], 0  # rows of the reader that go on, and where a search has its own
        for one in active:
            rows = slice(first, first + len(one.beams))
            first = rows.stop
            parents = one.advance(logits[rows].float().log_softmax(-1))
            if not one.done:
                followed += [rows.start + parent for parent in parents]
        active = [one for one in active if not one.done]
        if not active:
            return [one.finished for one in searches]
        reader.select(torch.tensor(followed, device=logits.device))
        last = [ids[-1] for one in active for ids, _ in one.beams]
        logits = reader.step(torch.tensor(last, device=logits.device))


@dataclass
class _Search:
    """The search for one prompt: ``beams`` that go on, as (ids, log_prob), and finished answers."""

    width: int
    limit: int
    length_penalty: float
    end_id: int | None
    beams: list[tuple[list[int], float]] = field(default_factory=lambda: [([], 0.0)])
    finished: list[Hypothesis] = field(default_factory=list)
    done: bool = False

    def advance(self, log_probs: Tensor) -> list[int]:
        """Continue each beam by one token, given log probabilities (number of beams, V).

        Returns the number of the old beam that each new beam continues.
        """
        so_far = log_probs.new_tensor([log_prob for _, log_prob in self.beams])
        total = (log_probs + so_far[:, None]).flatten()
        best = total.topk(2 * self.width)
        going_on: list[tuple[int, list[int], float]] = []
        for rank, (log_prob, place) in enumerate(zip(*(t.tolist() for t in best), strict=True)):
            parent, token = divmod(place, log_probs.shape[1])
            ids = [*self.beams[parent][0], token]
            if token != self.end_id and len(ids) < self.limit:
                going_on.append((parent, ids, log_prob))
            elif rank < self.width:  # a lower one is there only to fill the beams
                self._finish(ids, log_prob)
        going_on = going_on[: self.width]
        self.beams = [(ids, log_prob) for _, ids, log_prob in going_on]
        self.done = not self.beams or self._best_possible() <= self._worst_finished()
        return [parent for parent, _, _ in going_on]

    def _finish(self, ids: list[int], log_prob: float) -> None:
        score = log_prob / len(ids) ** self.length_penalty
        self.finished.append(Hypothesis(ids, log_prob, score))
        self.finished = sorted(self.finished, key=lambda h: -h.score)[: self.width]

    def _best_possible(self) -> float:
        ids, log_prob = self.beams[0]
        return log_prob / len(ids) ** self.length_penalty

    def _worst_finished(self) -> float:
        return self.finished[-1].score if len(self.finished) == self.width else -inf
