"""Gradient conflict while an assistant learns what to refuse: a study of chapter 9.

``python -m llmbook.studies.telling_apart``, seven minutes of one core. Safety training of the toy
assistant is stopped again and again, and the gradients of two losses are compared on fresh
requests without directives: to refuse the one kind, and to answer the other. Five pretrained
models, two orders of the data each, and three tasks:

    new    the forbidden topic has to be told apart from the others
    twins  nothing tells them apart: the refused requests are about the other topics, too
    known  told apart already: an assistant that refuses learns to refuse in other words
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from hashlib import sha256
from itertools import product
from time import process_time

import torch

from llmbook.models import GPT
from llmbook.models.mode import evaluating
from llmbook.safety import assistant
from llmbook.safety.assistant import ALLOWED, FORBIDDEN, OPENERS, REFUSAL, SAFETY, VALUES, Pairs
from llmbook.safety.conflict import cosine, gradient
from llmbook.safety.texts import Texts
from llmbook.studies import stored
from llmbook.training import NextToken, Trainer

NAME = "telling_apart"
TASKS = ("new", "twins", "known")
MODELS, ORDERS = (0, 1, 2, 3, 4), (0, 1)
STEPS = (0, 5, 10, 15, 20, 30, 40, 60, 80, 100, 150, 200)
OTHER_WORDS = "i can not ."
PROBES, ASKED = 256, 100  # requests of each kind for a gradient, and for a share
SETTINGS = [
    {"task": task, "model": model, "order": order}
    for model, task, order in product(MODELS, TASKS, ORDERS)
]


def refusal(task: str) -> str:
    return OTHER_WORDS if task == "known" else REFUSAL


def topic_of(task: str, lot: random.Random) -> str:
    """The topic of a request that is to be refused."""
    return lot.choice(ALLOWED) if task == "twins" else FORBIDDEN


def training(task: str, seed: int) -> Pairs:
    """The assistant's safety data, with the topics and the words of this task."""
    lot = random.Random(2000 + seed)
    return [
        (given.replace(FORBIDDEN, topic_of(task, lot)), refusal(task))
        if reply == REFUSAL
        else (given, reply)
        for given, reply in assistant.safety(seed)
    ]


def probes(task: str) -> tuple[Pairs, Pairs]:
    """Requests without directives, the same for each model: to be answered, and to be refused."""
    lot = random.Random(3000)
    help_, safe = [], []
    for _ in range(PROBES):
        value, topic = lot.choice(VALUES), lot.choice(ALLOWED)
        reply = assistant.answer(lot.choice(OPENERS), topic, value)
        help_.append((assistant.request(lot, value, topic), reply))
        topic = topic_of(task, lot)
        safe.append((assistant.request(lot, lot.choice(VALUES), topic), refusal(task)))
    return help_, safe


def texts(pairs: Pairs, seed: int = 0) -> Texts:
    """Pairs as examples, of which the reply is learned."""
    return Texts(assistant.examples(pairs), seed=seed)


def mean_loss(model: GPT, pairs: Pairs) -> torch.Tensor:
    """Mean of -log p over the words of all replies."""
    total, number = NextToken()(model, texts(pairs).draw(len(pairs)))
    return total / number


def refused(model: GPT, pairs: Pairs) -> int:
    """How many of the first ``ASKED`` are refused, in whichever words."""
    found = assistant.replies(model, [given for given, _ in pairs[:ASKED]])
    return sum(OTHER_WORDS in reply for reply in found)


@cache
def start(task: str, model: int) -> GPT:
    """What safety training begins with; "known" begins where "new" ends."""
    if task == "known":
        return assistant.align(start("new", model), training("new", model), model)
    return assistant.pretrain(model)


def follow(
    model: GPT, task: str, order: int, data_seed: int, steps: Sequence[int] = STEPS
) -> stored.Row:
    """Train a copy of ``model``, and look at it after each of ``steps``.

    "cosine" of the gradients of the two losses, "over_refusal" and "refused" of ``ASKED``.
    """
    tuned = GPT(model.config)
    tuned.load_state_dict(model.state_dict())
    data = texts(training(task, data_seed), order)
    config = replace(SAFETY, warm_up=SAFETY.steps // 10, seed=order)  # as ``assistant.align``
    trainer = Trainer(tuned, NextToken(), data, config, quiet=True)
    help_, safe = probes(task)
    found: stored.Row = {"cosine": [], "over_refusal": [], "refused": []}
    for step in steps:
        trainer.fit(until=step)
        with evaluating(tuned):
            two = (gradient(mean_loss(tuned, pairs), tuned) for pairs in (help_, safe))
            found["cosine"].append(round(cosine(*two), 3))
        found["over_refusal"].append(refused(tuned, help_))
        found["refused"].append(refused(tuned, safe))
    return found


def run(task: str, model: int, order: int) -> stored.Row:
    began = process_time()
    found = follow(start(task, model), task, order, data_seed=10 * model + order)
    return found | {"cpu_seconds": round(process_time() - began)}


def text() -> str:
    """A fingerprint of what the assistant reads and how it is trained, stored with the results."""
    read = (assistant.pretraining(0, number=200), training("new", 0)[:200], probes("new"))
    return sha256(repr((read, assistant.PRETRAINING, SAFETY)).encode()).hexdigest()


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
