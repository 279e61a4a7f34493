"""A class for each text: a linear layer on a model that was trained for something else.

Devlin et al. (2019), section 4, for BERT; Radford et al. (2018), section 3.2, for GPT. Chapter 7.

Not here: a training loop (``llmbook.training`` has one, with the objective ``ClassLabel``; any will
do), several labels for one text, pairs of texts.

Shapes: ``B`` batch, ``N`` texts, ``T`` tokens, ``D`` width, ``C`` classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmbook.models import GPT, Bert
from llmbook.models.initialization import initialize_normal
from llmbook.models.mode import evaluating
from llmbook.training.data import collate
from llmbook.tuning.freezing import freeze

POOLINGS = {Bert: ("mean", "cls"), GPT: ("mean", "last")}


class Classifier(nn.Module):
    """Logits of C classes from one vector of each text; the head begins as N(0, 0.02²), bias 0.

    pooling   which vector. "mean": of the tokens that are no padding. "cls", of a BERT: the first
              token's, through the pooler if there is one. "last", of a GPT: the last token's, the
              only one that has seen all others.
    dropout   rate on that vector, in training

    A layer of the encoder that the head does not read, such as the pooler beside "mean", would
    get no gradient: it is frozen here, so that nobody counts it as trained.

    Raises:
        ValueError: for fewer than two classes, or a pooling that the encoder does not have.
    """

    def __init__(
        self,
        encoder: Bert | GPT,
        num_classes: int,
        pooling: str = "mean",
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        kind = GPT if isinstance(encoder, GPT) else Bert
        if num_classes < 2:
            raise ValueError(f"num_classes ({num_classes}) must be at least 2")
        if pooling not in POOLINGS[kind]:
            raise ValueError(
                f"pooling must be one of {POOLINGS[kind]} for a {kind.__name__}, not {pooling!r}"
            )
        self.encoder = encoder
        self.num_classes = num_classes
        self.pooling = pooling
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(encoder.config.d_model, num_classes)
        initialize_normal(self.head)
        if isinstance(encoder, GPT):
            if not encoder.config.tie_embeddings:
                freeze(encoder, "output")
        elif encoder.pooler is not None and pooling != "cls":
            freeze(encoder, "pooler")

    def forward(self, ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Token ids (B, T) to logits (B, C); ``attention_mask`` (B, T), 1 for a token.

        Raises:
            ValueError: for a row that is all padding, and what the encoder refuses.
        """
        return self.head(self.dropout(self.pool(ids, attention_mask)))

    def pool(self, ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """The vector of each text, (B, D), before dropout and head."""
        read = self.encoder.hidden_states if isinstance(self.encoder, GPT) else self.encoder
        hidden = read(ids, attention_mask)  # (B, T, D)
        if self.pooling == "cls":
            return hidden[:, 0] if self.encoder.pooler is None else self.encoder.pool(hidden)
        mask = torch.ones_like(ids) if attention_mask is None else attention_mask
        return mean_pool(hidden, mask) if self.pooling == "mean" else last_token(hidden, mask)

    def predict_proba(self, texts: Sequence[Sequence[int]], batch_size: int = 32) -> Tensor:
        """Probabilities (N, C) for N lists of token ids, in their order, on the CPU.

        Dropout is off whatever the mode, which is afterwards as it was. Batches hold texts of
        like length, so that little padding is computed.

        Raises:
            ValueError: for no text, an empty one, or one that the encoder refuses.
        """
        if not texts:
            raise ValueError("there is no text to classify: give at least one list of token ids")
        for i, text in enumerate(texts):
            if len(text) == 0:
                raise ValueError(f"text {i} has no token: it needs at least one")
        device = self.head.weight.device
        result = torch.empty(len(texts), self.num_classes)
        with evaluating(self), torch.no_grad():
            for batch in by_length(texts, batch_size):
                rows = collate([{"ids": texts[i]} for i in batch])
                logits = self(rows["ids"].to(device), rows["attention_mask"].to(device))
                result[batch] = logits.softmax(-1).float().cpu()
        return result

    def predict(self, texts: Sequence[Sequence[int]], batch_size: int = 32) -> Tensor:
        """The most probable class of each text, (N,); otherwise as ``predict_proba``."""
        return self.predict_proba(texts, batch_size).argmax(-1)


def by_length(rows: Sequence[Sequence[int]], batch_size: int) -> Iterator[list[int]]:
    """The numbers of the rows in batches, so that rows of like length are together.

    Padding is computed like tokens: sorted, little of it is left. The longest come first, so a
    row that is too long for the model or for the memory fails at once and not at the end.

    Raises:
        ValueError: if ``batch_size`` is below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size ({batch_size}) must be at least 1")
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def pool_rows(
    rows: Sequence[Sequence[int]],
    pool: Callable[[Tensor, Tensor], Tensor],
    batch_size: int = 32,
    pad_id: int = 0,
) -> Tensor:
    """The vector of each of N lists of token ids at length 1, (N, D), in their order.

    Args:
        pool: token ids and their mask (B, T) to vectors (B, D)
    """
    parts: dict[int, Tensor] = {}
    with torch.no_grad():
        for places in by_length(rows, batch_size):
            batch = collate([{"ids": list(rows[i])} for i in places], pad_id)
            found = F.normalize(pool(batch["ids"], batch["attention_mask"]), dim=-1)
            parts.update(zip(places, found, strict=True))
    return torch.stack([parts[i] for i in range(len(rows))])


def mean_pool(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """Mean over the tokens that are no padding: (B, T, D) and (B, T) to (B, D).

    Source: Reimers & Gurevych (2019), section 3.

    Raises:
        ValueError: for a row that is all padding.
    """
    mask = _check_mask(attention_mask)
    total = hidden.masked_fill(~mask[..., None], 0.0).sum(1)  # (B, D)
    return total / mask.sum(1, keepdim=True)


def last_token(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """The vector of each row's last token, padding on either side: (B, T, D) to (B, D).

    Raises:
        ValueError: for a row that is all padding.
    """
    mask = _check_mask(attention_mask)
    places = torch.arange(mask.shape[1], device=mask.device)
    last = (mask * places).argmax(1)  # (B,)
    return hidden[torch.arange(len(hidden), device=mask.device), last]


def classification_loss(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy of logits (B, C) and labels (B,), which are 0 to C - 1.

    With ``label_smoothing`` = ε the target is 1 - ε + ε/C for the label and ε/C for each other
    class (Szegedy et al. 2016, section 7), as in ``F.cross_entropy``.

    Raises:
        ValueError: for a label outside the classes. (torch would leave out a label of -100 without
            a word, and stop the whole process for others on a GPU.)
    """
    if labels.shape != logits.shape[:1] or labels.is_floating_point():
        raise ValueError(
            f"labels must be one whole number for each of {len(logits)} texts, not "
            f"{labels.dtype} of shape {tuple(labels.shape)}"
        )
    num_classes = logits.shape[1]
    low, high = (int(edge) for edge in labels.aminmax())
    if low < 0 or high >= num_classes:
        raise ValueError(
            f"label {low if low < 0 else high} is outside the classes: num_classes "
            f"({num_classes}) allows 0 to {num_classes - 1}"
        )
    return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)


def _check_mask(attention_mask: Tensor) -> Tensor:
    mask = attention_mask.bool()
    empty = (~mask.any(1)).nonzero()
    if len(empty):
        raise ValueError(f"row {int(empty[0])} is all padding: a text needs at least one token")
    return mask
