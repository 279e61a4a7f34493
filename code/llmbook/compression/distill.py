"""A small encoder learns the vectors of a large one, from texts without labels (chapter 9).

The idea is that of Hinton, Vinyals & Dean (2015): learn what a large model says, not the labels.
Here it says a vector, and the loss is the distance of the directions, 1 - cosine.

Not here: logits with a temperature, and attention maps (Wang et al. 2020), from which MiniLM
itself was made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from llmbook.compression.encoders import pooled, text_vectors
from llmbook.models import Bert
from llmbook.models.mode import evaluating
from llmbook.training.data import collate


class WordPieceStudent(nn.Module):
    """A vector for each word piece, looked up, weighed and mixed: no token sees another one.

    The table is that of ``teacher`` and stays as it is; a layer of ``hidden`` units is learned on
    top. It cannot know in which order the tokens stand.
    """

    def __init__(self, teacher: Bert, hidden: int = 768) -> None:
        super().__init__()
        width = teacher.config.d_model
        self.table = nn.Embedding.from_pretrained(teacher.embeddings.token.weight.detach().clone())
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Token ids (B, T) to (B, T, D)."""
        x = self.norm(self.table(ids))
        return x + self.down(nn.functional.gelu(self.up(x)))


def distill(
    student: nn.Module,
    rows: Sequence[Sequence[int]],
    targets: Tensor,
    *,
    epochs: int,
    learning_rate: float,
    batch_size: int = 32,
    seed: int = 0,
) -> list[float]:
    """Train ``student`` on N lists of token ids and the teacher's vectors (N, D).

    Returns:
        The mean loss of each epoch, 1 - cosine.

    Raises:
        ValueError: if there is no text, or not as many targets as texts.
    """
    _check(rows, targets)

    def loss(vectors: Tensor, places: list[int]) -> Tensor:
        return 1 - (vectors * targets[places]).sum(-1).mean()

    per_epoch = -(-len(rows) // batch_size)
    losses = _train(student, [], rows, loss, epochs * per_epoch, learning_rate, batch_size, seed)
    return [sum(part) / per_epoch for part in zip(*[iter(losses)] * per_epoch, strict=True)]


def learn_labels(
    student: nn.Module,
    rows: Sequence[Sequence[int]],
    labels: Tensor,
    *,
    steps: int,
    learning_rate: float,
    batch_size: int = 32,
    seed: int = 0,
) -> nn.Linear:
    """Train ``student`` and a new head on N labels (N,), without a teacher; gives the head.

    The head reads vectors at length 1 (B, D) and gives logits (B, C). It begins with zeros and
    learns a hundred times faster, because the vectors are short.

    Raises:
        ValueError: if there is no text, or not as many labels as texts.
    """
    _check(rows, labels)
    width = text_vectors(student, rows[:1]).shape[1]
    with torch.random.fork_rng(devices=[]):
        head = nn.Linear(width, int(labels.max()) + 1)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)

    def loss(vectors: Tensor, places: list[int]) -> Tensor:
        return nn.functional.cross_entropy(head(vectors), labels[places])

    extra = [{"params": list(head.parameters()), "lr": 100 * learning_rate}]
    _train(student, extra, rows, loss, steps, learning_rate, batch_size, seed)
    return head


def _train(
    student: nn.Module,
    extra: list[dict],
    rows: Sequence[Sequence[int]],
    loss: Callable[[Tensor, list[int]], Tensor],
    steps: int,
    learning_rate: float,
    batch_size: int,
    seed: int,
) -> list[float]:
    """The loss of each step. AdamW; the rate rises over a tenth of the steps and falls to 0."""
    random = torch.Generator().manual_seed(seed)
    weights = [p for p in student.parameters() if p.requires_grad]
    groups = [{"params": weights, "lr": learning_rate}, *extra]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(10 * (step + 1) / steps, (1 - step / steps) / 0.9)
    )
    losses: list[float] = []
    with evaluating(student):  # no dropout: what is to be said is one vector
        while len(losses) < steps:
            for places in _batches(rows, batch_size, random)[: steps - len(losses)]:
                batch = collate([{"ids": list(rows[i])} for i in places])
                found = loss(pooled(student, batch["ids"], batch["attention_mask"]), places)
                optimizer.zero_grad()
                found.backward()
                optimizer.step()
                schedule.step()
                losses.append(found.item())
    return losses


def _check(rows: Sequence[Sequence[int]], targets: Tensor) -> None:
    if not rows or len(rows) != len(targets):
        raise ValueError(f"{len(targets)} targets for {len(rows)} texts")


def _batches(
    rows: Sequence[Sequence[int]], batch_size: int, random: torch.Generator
) -> list[list[int]]:
    """Texts of equal length in a new order each time, and the batches shuffled."""
    order = torch.randperm(len(rows), generator=random).tolist()
    order.sort(key=lambda i: len(rows[i]))
    starts = range(0, len(order), batch_size)
    batches = [order[start : start + batch_size] for start in starts]
    return [batches[i] for i in torch.randperm(len(batches), generator=random).tolist()]
