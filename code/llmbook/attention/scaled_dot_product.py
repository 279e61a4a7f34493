"""Scaled dot-product attention, to be read (Vaswani et al. 2017, section 3.2.1; chapter 4).

T queries look at S keys; whatever dimensions stand before (batch, heads) are carried along. The
same numbers, faster and without the weights: ``torch.nn.functional.scaled_dot_product_attention``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    *,
    bias: Tensor | None = None,
    scale: float | None = None,
    dropout: nn.Dropout | None = None,
) -> tuple[Tensor, Tensor]:
    """softmax(query key^T · scale + bias) value, and the weights of that average.

    Args:
        query: (..., T, K)
        key: (..., S, K)
        value: (..., S, any width)
        mask: boolean, broadcast to (..., T, S), **True = may attend**; a query that may attend to
            nothing gets zeros, and zero weights
        bias: broadcast to (..., T, S), 0 unless given
        scale: 1 / sqrt(K) unless told
        dropout: drops weights in the average, never in the weights that are returned

    Returns:
        The output (..., T, width of value) and the weights (..., T, S); a row of weights sums to 1.

    Raises:
        ValueError: if the mask is not boolean.
    """
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = query @ key.transpose(-2, -1) * scale  # (..., T, S)
    if bias is not None:
        scores = scores + bias
    if mask is None:
        weights = scores.softmax(-1)
    else:
        check_mask(mask)
        # The lowest finite number, not -inf: softmax makes NaN of a row that is -inf throughout.
        weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1)
        weights = weights.masked_fill(~mask, 0.0)
    averaged = weights if dropout is None else dropout(weights)
    return averaged @ value, weights


def check_mask(mask: Tensor) -> None:
    # A mask of 0.0 and -inf, to be added, is common elsewhere and would here mean its opposite.
    if mask.dtype != torch.bool:
        raise ValueError(f"mask must be boolean, True = may attend, not {mask.dtype}")
