"""What happens to the logits before a token is drawn: small functions on (..., V) (chapter 6).

They compose in the order of Transformers, which is that of ``Sampling``: repetition penalty,
temperature, top-k, top-p. The order matters: a temperature after top-p would change how many tokens
the p covers. A token that is dropped gets the logit -inf, so its probability is exactly 0.

Shapes: ``B`` batch, ``T`` tokens, ``V`` vocabulary size.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor


def penalize_repetition(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Make tokens that were seen less probable (Keskar et al. 2019, section 4.1).

    A positive logit is divided by the penalty and a negative one multiplied: both go down. (The
    paper divides either; a negative logit would then go up.)

    Args:
        logits: (..., V)
        seen: (..., V) boolean, from ``seen_tokens``
        penalty: 1 changes nothing, the paper takes 1.2; below 1, repetition is encouraged

    Raises:
        ValueError: if the penalty is not above 0.
    """
    check_penalty(penalty)
    lowered = torch.where(logits < 0, logits * penalty, logits / penalty)
    return torch.where(seen, lowered, logits)


def seen_tokens(ids: Tensor, vocab_size: int, attention_mask: Tensor | None = None) -> Tensor:
    """Which tokens of the vocabulary stand in each row: ids (B, T) to (B, V) boolean.

    Padding, where ``attention_mask`` (B, T) is 0, is not seen.
    """
    real = torch.ones_like(ids) if attention_mask is None else attention_mask.to(ids.dtype)
    counts = torch.zeros(len(ids), vocab_size, dtype=ids.dtype, device=ids.device)
    return counts.scatter_add_(1, ids, real) > 0


def apply_temperature(logits: Tensor, temperature: float) -> Tensor:
    """Divide by the temperature: below 1 the probable gets more probable, towards greedy at 0.

    Raises:
        ValueError: if the temperature is not above 0.
    """
    check_temperature(temperature)
    return logits / temperature


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """Drop all but the k largest logits (Fan et al. 2018, section 5.4); ties with the k-th stay.

    Raises:
        ValueError: if k is below 1.
    """
    check_top_k(k)
    kth = logits.topk(min(k, logits.shape[-1])).values[..., -1:]
    return logits.masked_fill(logits < kth, -inf)


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """Nucleus sampling: keep the fewest tokens that together have the probability p or more.

    Seen from the other end: the least probable tokens are dropped, as long as together they have
    at most 1 - p. The token that crosses p is so kept; if it were dropped, a token of probability
    0.95 would leave nothing for p = 0.9. Holtzman et al. (2020), section 3.1.

    Raises:
        ValueError: if p is not above 0 and at most 1.
    """
    check_top_p(p)
    ascending, order = logits.sort(dim=-1)
    dropped = ascending.softmax(-1).cumsum(-1) <= 1 - p
    dropped[..., -1] = False  # rounding may bring the whole sum to 1 - p, for a tiny p
    return logits.masked_fill(dropped.scatter(-1, order, dropped), -inf)


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How to draw the next token; ``generate`` without it is greedy.

    temperature  above 0; 1 takes the model's own probabilities
    top_k        draw from the k most probable tokens; all if None
    top_p        draw from the most probable tokens that together have p; all if None
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        if self.top_k is not None:
            check_top_k(self.top_k)
        if self.top_p is not None:
            check_top_p(self.top_p)

    def filter(self, logits: Tensor) -> Tensor:
        """Temperature, then top-k, then top-p: logits (..., V) to logits (..., V)."""
        if self.temperature != 1:
            logits = apply_temperature(logits, self.temperature)
        if self.top_k is not None:
            logits = keep_top_k(logits, self.top_k)
        if self.top_p is not None:
            logits = keep_top_p(logits, self.top_p)
        return logits

    def draw(self, logits: Tensor, generator: torch.Generator) -> Tensor:
        """One token of each row: logits (B, V) to ids (B,), drawn from softmax(filter(logits))."""
        probabilities = self.filter(logits).softmax(-1)
        return torch.multinomial(probabilities, 1, generator=generator)[:, 0]


def check_penalty(penalty: float) -> None:
    if not 0 < penalty < inf:
        raise ValueError(f"repetition_penalty ({penalty}) must be above 0; 1 changes nothing")


def check_temperature(temperature: float) -> None:
    if not 0 < temperature < inf:
        raise ValueError(
            f"temperature ({temperature}) must be above 0; for the most probable token "
            "leave the sampling out"
        )


def check_top_k(k: int) -> None:
    if k < 1 or k != int(k):
        raise ValueError(f"top_k ({k}) must be a whole number, at least 1")


def check_top_p(p: float) -> None:
    if not 0 < p <= 1:
        raise ValueError(f"top_p ({p}) must be above 0 and at most 1")
