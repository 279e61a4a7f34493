"""A reader: where on a page does the answer begin, and where does it end? (chapter 8).

Devlin et al. (2019), sections 4.2 and 4.3: BERT reads question and text as one sequence; a linear
layer gives each token a score as the first and one as the last token of the answer. A question
without an answer has both at [CLS], so the score of [CLS] is the evidence that there is none.

Not here: texts longer than the model reads, several answers. Shapes: ``B`` batch, ``T`` tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmbook.models import Bert, load_minilm
from llmbook.models.initialization import initialize_normal
from llmbook.retrieval.dense import tokenizer
from llmbook.retrieval.questions import Question
from llmbook.training import Examples, Trainer, TrainingConfig
from llmbook.training.data import collate
from llmbook.training.evaluation import evaluating
from llmbook.training.objectives import Batch, Objective
from llmbook.tuning import freeze

LONGEST_ANSWER = 40  # tokens
MAX_TOKENS = 256  # of question and text


class SpanReader(nn.Module):
    """Scores of each token as the first and as the last of the answer: (B, T) to (B, T, 2)."""

    def __init__(self, encoder: Bert) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.config.d_model, 2)
        initialize_normal(self.head)
        if encoder.pooler is not None:
            freeze(encoder, "pooler")

    def forward(self, ids: Tensor, attention_mask: Tensor, types: Tensor) -> Tensor:
        return self.head(self.encoder(ids, attention_mask, types))


class Read(NamedTuple):
    """The best span, and how much more the reader believes in it than in "no answer"."""

    answer: str
    margin: float


@dataclass(frozen=True)
class AnswerSpan(Objective):
    """Cross-entropy of the answer's first token, plus that of its last."""

    def prepare(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        return batch

    def count(self, prepared: Batch) -> int:
        return len(prepared["ids"])

    def loss(self, model: nn.Module, prepared: Batch) -> tuple[Tensor, int]:
        scores = model(prepared["ids"], prepared["attention_mask"], prepared["types"])
        scores = scores.masked_fill(prepared["attention_mask"][..., None] == 0, -1e4)
        targets = torch.stack([prepared["first"], prepared["last"]], 1)  # (B, 2)
        loss = F.cross_entropy(scores.float(), targets, reduction="sum") / 2
        return loss, self.count(prepared)


def encode_questions(questions: Sequence[Question]) -> list[dict]:
    """What the reader reads of each question, and the tokens of its answer.

    "ids", "types" (1 for the text), "first" and "last": token numbers, 0, which is [CLS], without
    an answer or if its tokens were cut off.
    """
    pairs = [(q.question, q.text) for q in questions]
    return [_encode(q, code) for q, code in zip(questions, _codes(pairs), strict=True)]


def _encode(question: Question, code) -> dict:
    first = last = 0
    if question.answer:
        end = question.start + len(question.answer)
        inside = [
            number
            for number, (low, high) in enumerate(code.offsets)
            if code.type_ids[number] and low < end and high > question.start and high > low
        ]
        first, last = (inside[0], inside[-1]) if inside else (0, 0)
    return {"ids": code.ids, "types": code.type_ids, "first": first, "last": last}


def train_reader(questions: Sequence[Question], seed: int = 0) -> SpanReader:
    """MiniLM with a new head, which has seen each question once, in batches of 16.

    Its embeddings and lower three layers stay as they are.

    Raises:
        ValueError: for fewer than 176 questions: the warm-up takes ten steps.
    """
    torch.manual_seed(seed)
    reader = SpanReader(load_minilm())
    freeze(reader.encoder, "embeddings", 0, 1, 2)
    config = TrainingConfig(
        steps=len(questions) // 16, batch_size=16, learning_rate=5e-4, warm_up=10,
        weight_decay=0.0, seed=seed)  # fmt: skip
    Trainer(reader, AnswerSpan(), Examples(encode_questions(questions), seed=seed), config).fit()
    return reader.eval()


def best_span(scores: Tensor, allowed: Tensor) -> tuple[int, int, float]:
    """First and last token of the best span, and its score minus that of [CLS].

    Args:
        scores: (T, 2); allowed: (T,), True for the tokens of the text
    """
    first = scores[:, 0].masked_fill(~allowed, -torch.inf)
    last = scores[:, 1].masked_fill(~allowed, -torch.inf)
    total = first[:, None] + last[None]  # (T, T), row: first token, column: last
    length = torch.ones_like(total).triu() - torch.ones_like(total).triu(LONGEST_ANSWER)
    total = total.masked_fill(length == 0, -torch.inf)
    place = int(total.argmax())
    i, j = divmod(place, len(scores))
    return i, j, float(total[i, j] - scores[0].sum())


def read(model: SpanReader, pairs: Sequence[tuple[str, str]], batch_size: int = 32) -> list[Read]:
    """The best span of each (question, text), however weak; the margin says how weak."""
    codes = _codes(pairs)
    found = [Read("", 0.0)] * len(pairs)
    order = sorted(range(len(codes)), key=lambda i: -len(codes[i].ids))
    with evaluating(model), torch.inference_mode():
        for start in range(0, len(order), batch_size):
            numbers = order[start : start + batch_size]
            rows = [{"ids": codes[i].ids, "types": codes[i].type_ids} for i in numbers]
            batch = collate(rows)
            scores = model(batch["ids"], batch["attention_mask"], batch["types"])
            for i, row in zip(numbers, scores, strict=True):
                found[i] = _one(row[: len(codes[i].ids)], codes[i], pairs[i][1])
    return found


def _one(scores: Tensor, code, text: str) -> Read:
    allowed = torch.tensor(code.type_ids, dtype=torch.bool)
    allowed[-1] = False  # the last [SEP]
    if not allowed.any():
        return Read("", -float("inf"))
    i, j, margin = best_span(scores, allowed)
    return Read(text[code.offsets[i][0] : code.offsets[j][1]], margin)


def _codes(pairs: Sequence[tuple[str, str]]) -> list:
    return tokenizer(MAX_TOKENS).encode_batch(list(pairs))
