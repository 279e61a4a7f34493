"""Who may attend to whom. In every mask **True = may attend**, as in torch's attention; masks
combine with ``&`` (chapter 4).

Shapes: ``B`` batch, ``T`` queries, ``S`` keys.
"""

from __future__ import annotations

import torch
from torch import Tensor


def causal_mask(
    num_queries: int, num_keys: int | None = None, device: torch.device | None = None
) -> Tensor:
    """(T, S) boolean, True = may attend: each query sees its own key and those before it.

    The corner lies at the bottom right, because with a cache the T queries are the *last* of the S
    tokens: one new query sees all keys. (``is_causal=True`` of torch's function lays the corner at
    the top left, where that query would see the first key only.)

    Raises:
        ValueError: if there are fewer keys than queries.
    """
    num_keys = num_queries if num_keys is None else num_keys
    if num_keys < num_queries:
        raise ValueError(f"{num_queries} queries cannot be the last of {num_keys} keys")
    every = torch.ones(num_queries, num_keys, dtype=torch.bool, device=device)
    return every.tril(num_keys - num_queries)


def padding_mask(tokens: Tensor) -> Tensor:
    """(B, 1, 1, S) boolean, True = may attend: no query sees padding, in no head.

    Args:
        tokens: an attention mask (B, S) as tokenizers make it, 1 for a token and 0 for padding on
            either side; or the lengths (B,) of sequences padded on the right, S the longest

    Raises:
        ValueError: if ``tokens`` has another number of dimensions.
    """
    if tokens.dim() == 1:
        tokens = torch.arange(int(tokens.max()), device=tokens.device) < tokens[:, None]
    if tokens.dim() != 2:
        raise ValueError(f"give lengths (B,) or an attention mask (B, S), not {tokens.shape}")
    return tokens.bool()[:, None, None, :]
