"""Shorter answers, by direct preference optimization: ``python -m llmbook.studies.preferences``.

Five seeds, each of the leash's strengths, labels drawn by coin, means in place of sums, three
times the steps; half an hour of one core. The seed draws questions, tuning, answers and order.

The shipped GPT is tuned to instructions first, as in chapter 7: that is the reference. It answers
new training questions twice, and the shorter answer is preferred. So the preference is a rule
that can be computed, and what it does not see can be measured: ``judge``.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from time import process_time

import numpy as np
import torch
from torch import Tensor, nn

from llmbook import corpora
from llmbook.decoding import Sampling, Written, generate
from llmbook.models import GPT
from llmbook.models.mode import evaluating
from llmbook.studies import stored
from llmbook.studies.language_model import documentation_fingerprint as text
from llmbook.training import (
    IGNORED,
    Examples,
    HeldOut,
    NextToken,
    Trainer,
    TrainingConfig,
    evaluate,
    load,
)
from llmbook.training.data import collate
from llmbook.training.objectives import Batch
from llmbook.training.recipes import END
from llmbook.tuning import best_of_kl, encode_instructions, prompt_text
from llmbook.tuning.preferences import (
    DPO,
    Preference,
    bradley_terry_loss,
    encode_preferences,
    pair_log_probs,
    reference_log_probs,
    sequence_log_probs,
)

NAME = "preferences"
SEEDS = (0, 1, 2, 3, 4)
BETAS = (3.0, 1.0, 0.3, 0.1, 0.03)
STEPS, EVERY, BATCH, LONGEST = 36, 9, 16, 40
TUNED_ON, PAIRS_FROM, HELD_OUT = 960, 640, 200  # questions
DRAWN = 5  # answers of the reference to each held-out question, for best of n
RUNS = [("none", 0.0), *(("rule", beta) for beta in BETAS), ("coin", 0.1), ("means", 1.0),
        ("three epochs", 0.1)]  # fmt: skip
SETTINGS = [
    {"labels": labels, "beta": beta, "seed": seed} for seed in SEEDS for labels, beta in RUNS
]
Question = tuple[str, str]  # and its answer


class MeanDPO(DPO):
    """``DPO`` with the mean over the tokens of an answer where the paper has the sum."""

    def prepare(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        prepared = super().prepare(batch, generator)
        lengths = (prepared["labels"] != IGNORED).sum(1).view(2, -1).T  # (B, 2)
        return {**prepared, "lengths": lengths}

    def loss(self, model: nn.Module, prepared: Batch) -> tuple[Tensor, int]:
        with evaluating(model):
            policy = pair_log_probs(model, prepared)
        moved = (policy - prepared["reference"]) / prepared["lengths"]
        return bradley_terry_loss(*(self.beta * moved).unbind(1)).sum(), len(moved)


@dataclass(frozen=True)
class Judged:
    """Answers to the held-out questions, one each, and what is known of them.

    win       1, 1/2 or 0: shorter than the reference's own answer, as long, longer (N,)
    length    tokens, the end token included (N,)
    kl        log p(answer) under the model minus that under the reference, in nats (N,)
    names     whether a word of the function's name stands in the answer (N,)
    scant     whether it has fewer than three words (N,)
    truth     loss of the people's own answers, in nats a token
    """

    texts: list[str]
    win: np.ndarray
    length: np.ndarray
    kl: np.ndarray
    names: np.ndarray
    scant: np.ndarray
    truth: float


def draw(split: str, number: int, seed: int) -> list[Question]:
    """What does NAME do? and the first sentence of its documentation; as in chapter 7."""
    docs = corpora.docstrings()
    seen = {r.summary for r in docs.split("train")} if split != "train" else ()
    rows = [
        record
        for record in docs.split(split)
        if record.kind in ("function", "method")
        and not record.name.split(".")[-1].startswith("__")
        and 4 <= len(record.summary.split()) <= 16
        and record.summary not in seen
    ]
    random.Random(seed).shuffle(rows)
    return [(f"What does {r.name} do?", r.summary) for r in rows[:number]]


def words(text: str) -> list[str]:
    return re.findall("[a-z]{3,}", text.lower())


def name_words(question: str) -> list[str]:
    name = question.removeprefix("What does ").removesuffix(" do?")
    return words(" ".join(re.findall("[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)))


class Lab:
    """What all runs of one seed share: the reference, the pairs, the held-out questions."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.reference, self.tokenizer = load("gpt")
        self.end = self.tokenizer.special_tokens[END]
        drawn = draw("train", TUNED_ON + PAIRS_FROM, seed)
        examples = encode_instructions(self.tokenizer, drawn[:TUNED_ON])
        self._train(self.reference, NextToken(), examples, 80, 5e-4, 12)
        self.preferences = self.prefer([q for q, _ in drawn[TUNED_ON:]], 0)
        self.examples = encode_preferences(self.tokenizer, self.preferences)
        self.log_probs = reference_log_probs(self.reference, self.examples)
        held = draw("validation", HELD_OUT, seed)
        self.questions = [q for q, _ in held]
        self.truths = HeldOut.examples(encode_instructions(self.tokenizer, held))
        self.held_pairs = encode_preferences(self.tokenizer, self.prefer(self.questions[:100], 1))
        self.held_log_probs = reference_log_probs(self.reference, self.held_pairs)
        self.drawn = self.answers(self.reference, self.questions, DRAWN, 2)
        self.own = [len(row[0].ids) for row in self.drawn]

    def _train(
        self, model: GPT, objective: NextToken | DPO, examples: Sequence, steps: int, rate: float,
        batch: int,
    ) -> Trainer:  # fmt: skip
        config = TrainingConfig(
            steps=steps, batch_size=batch, learning_rate=rate, warm_up=steps // 8,
            weight_decay=0.0, seed=self.seed,
        )  # fmt: skip
        trainer = Trainer(model, objective, Examples(examples, seed=self.seed), config, quiet=True)
        if isinstance(objective, NextToken):
            trainer.fit()
            model.eval()
        return trainer

    def answers(
        self, model: GPT, questions: Sequence[str], number: int, stream: int
    ) -> list[list[Written]]:
        """``number`` answers to each question, drawn at temperature 1."""
        prompts = [self.tokenizer.encode(prompt_text(q)) for q in questions for _ in range(number)]
        generator = torch.Generator().manual_seed(1000 * stream + self.seed)
        written = []
        for i in range(0, len(prompts), 256):
            written += generate(
                model, prompts[i : i + 256], max_new_tokens=LONGEST, end_id=self.end,
                sampling=Sampling(), generator=generator,
            )  # fmt: skip
        return [written[i : i + number] for i in range(0, len(written), number)]

    def prefer(self, questions: Sequence[str], stream: int) -> list[Preference]:
        """Two answers of the reference to each question, the shorter preferred.

        Left out are pairs of the same length, and those with an answer that did not end or says
        nothing: no empty answer is ever preferred.
        """
        pairs = []
        for question, two in zip(
            questions, self.answers(self.reference, questions, 2, stream), strict=True
        ):
            short, long = sorted(two, key=lambda written: len(written.ids))
            texts = [w.text(self.tokenizer) for w in (short, long)]
            ended = short.reason == long.reason == "end"
            if ended and all(map(words, texts)) and len(short.ids) < len(long.ids):
                pairs.append(Preference(question, *texts))
        return pairs

    def prepare(self, labels: str, beta: float, steps: int) -> Trainer:
        """A trainer of a copy of the reference, which has not yet made a step."""
        examples, reference = self.examples, self.log_probs
        if labels == "coin":
            coin = random.Random(self.seed)
            swapped = [coin.random() >= 0.5 for _ in examples]
            examples = [
                {**e, "chosen": e["rejected"], "rejected": e["chosen"]} if other else e
                for e, other in zip(examples, swapped, strict=True)
            ]
            reference = torch.where(torch.tensor(swapped)[:, None], reference.flip(1), reference)
        objective = (MeanDPO if labels == "means" else DPO)(reference, beta)
        model = copy.deepcopy(self.reference)
        return self._train(model, objective, examples, steps, 2e-4, BATCH)

    def moved(self, model: GPT) -> Tensor:
        """By how much the held-out pairs' log-probabilities have changed (N, 2)."""
        return reference_log_probs(model, self.held_pairs) - self.held_log_probs

    def optimize(
        self, labels: str = "rule", beta: float = 0.1, steps: int = STEPS
    ) -> tuple[GPT, list[list[float]], list[float]]:
        """Train; returns the model, a curve of [step, chosen, rejected, accuracy], the losses.

        The curve is of held-out pairs: the mean change of the log-probabilities, and the share
        of pairs whose chosen answer has gained more.
        """
        trainer = self.prepare(labels, beta, steps)
        curve = []
        for step in range(0, steps + 1, EVERY):
            if step:
                trainer.fit(until=step)
            moved = self.moved(trainer.model)
            right = (moved[:, 0] > moved[:, 1]).float().mean()
            curve.append([step, *(round(x.item(), 3) for x in (*moved.mean(0), right))])
        return trainer.model.eval(), curve, trainer.history.losses

    @torch.no_grad()
    def own_log_probs(self, model: GPT, written: Sequence[Written]) -> np.ndarray:
        """Of one answer to each held-out question, its own tokens (N,)."""
        rows = []
        for question, answer in zip(self.questions, written, strict=True):
            prompt = self.tokenizer.encode(prompt_text(question))
            ids = prompt + answer.ids
            rows.append({"ids": ids, "labels": [IGNORED] * len(prompt) + answer.ids})
        batches = [collate(rows[i : i + 32]) for i in range(0, len(rows), 32)]
        return torch.cat(
            [sequence_log_probs(model, b["ids"], b["labels"], b["attention_mask"])
             for b in batches]
        ).numpy()  # fmt: skip

    def judge(self, model: GPT, written: Sequence[Written] | None = None) -> Judged:
        """Draw one answer to each held-out question (or take these) and look at it."""
        if written is None:
            written = [row[0] for row in self.answers(model, self.questions, 1, 3)]
        length, own = np.array([len(w.ids) for w in written]), np.array(self.own)
        texts = [w.text(self.tokenizer) for w in written]
        return Judged(
            texts=texts,
            win=(length < own) + 0.5 * (length == own),
            length=length,
            kl=self.own_log_probs(model, written) - self.own_log_probs(self.reference, written),
            names=np.array([bool({*words(t)} & {*name_words(q)})
                            for t, q in zip(texts, self.questions, strict=True)]),
            scant=np.array([len(t.split()) < 3 for t in texts]),
            truth=evaluate(model, NextToken(), self.truths).loss,
        )  # fmt: skip

    def cut(self, judged: Judged) -> int:
        """Of the reference's answers, cut to the lengths of those judged, how many have a name.

        A control for length: of the reference's answers to a question the first that is as long is
        taken, or the longest.
        """
        number = 0
        for question, row, length in zip(self.questions, self.drawn, judged.length, strict=True):
            whole = next(
                (w for w in row if len(w.ids) >= length), max(row, key=lambda w: len(w.ids))
            )
            kept = [i for i in whole.ids[: length - 1] if i != self.end]
            text = self.tokenizer.decode(kept)
            number += bool({*words(text)} & {*name_words(question)})
        return number

    def best_of(self, number: int) -> Judged:
        """The shortest of ``number`` answers of the reference that say something.

        Its draws are others than those that it is compared with.
        """

        def best(row: list[Written]) -> Written:
            some = [w for w in row if words(w.text(self.tokenizer))] or row
            return min(some, key=lambda w: len(w.ids))

        return self.judge(self.reference, [best(row[1 : number + 1]) for row in self.drawn])


@lru_cache(1)
def lab(seed: int) -> Lab:
    return Lab(seed)


def summary(judged: Judged) -> stored.Row:
    number = len(judged.texts)
    return {
        "win": round(float(judged.win.mean()), 4),
        "length": round(float(judged.length.mean()), 3),
        "kl": round(float(judged.kl.mean()), 3),
        "names": [int(judged.names.sum()), number],
        "scant": [int(judged.scant.sum()), number],
        "truth": round(judged.truth, 4),
        "different": len(set(judged.texts)),
    }


def run(labels: str, beta: float, seed: int) -> stored.Row:
    """Train and judge; "none" is the reference itself, and the best of 4 of its answers.

    The "kl" of the best of 4 is the formula's, an upper bound.
    """
    its, start = lab(seed), process_time()
    if labels == "none":
        return {
            **summary(judged := its.judge(its.reference)),
            "names, cut": [its.cut(judged), len(judged.texts)],
            "best of 4": {**summary(its.best_of(4)), "kl": round(best_of_kl(4), 3)},
            "pairs": len(its.preferences),
        }
    steps = 3 * STEPS if labels == "three epochs" else STEPS
    model, curve, losses = its.optimize(labels, beta, steps)
    judged = its.judge(model)
    return {
        **summary(judged),
        "names, cut": [its.cut(judged), len(judged.texts)],
        "first loss": round(losses[0], 5),
        "curve": curve,
        "cpu_seconds": round(process_time() - start),
    }


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
