"""Numbers as 8-bit integers and one scale: x ≈ scale * integer (chapter 9).

Symmetric: 0 stays 0. The scale is that of torch's default for weights, the largest absolute value
over 127.5, so that the 256 integers from -128 to 127 are used. ``per_row`` gives each row of a
matrix its own, and an outlier then spoils its row alone.

Source of the dynamic kind, where weights are rounded once and activations at each call: the
documentation of ``torch.ao.quantization.quantize_dynamic``. torch 2.13 calls these functions
deprecated and still has them.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

LOW, HIGH = -128, 127


def quantize(x: Tensor, per_row: bool = False) -> tuple[Tensor, Tensor]:
    """Integers of the shape of ``x``, int8, and the scale: (), or (rows, 1) with ``per_row``.

    Raises:
        ValueError: for rows of something that is no matrix, or numbers that are not finite.
    """
    if per_row and x.dim() != 2:
        raise ValueError(f"per_row needs a matrix, not shape {tuple(x.shape)}")
    if not x.isfinite().all():
        raise ValueError("only finite numbers can be quantized")
    largest = x.abs().amax(1, keepdim=True) if per_row else x.abs().max()
    scale = (largest / 127.5).clamp(min=torch.finfo(torch.float32).eps)
    return (x / scale).round().clamp(LOW, HIGH).to(torch.int8), scale


def dequantize(integers: Tensor, scale: Tensor) -> Tensor:
    """The numbers that the integers stand for, float32; the scale is () or (rows, 1)."""
    return integers * scale


class Int8Embedding(nn.Module):
    """A table of V vectors as integers with a scale for each row; a lookup gives float32."""

    integers: Tensor
    scale: Tensor

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.num_embeddings = len(table)
        integers, scale = quantize(table.detach(), per_row=True)
        self.register_buffer("integers", integers)  # (V, D) int8
        self.register_buffer("scale", scale)  # (V, 1)

    def forward(self, ids: Tensor) -> Tensor:
        """(...) to (..., D)."""
        return dequantize(self.integers[ids], self.scale[ids])


def int8_linear(model: nn.Module) -> nn.Module:
    """A copy in which each ``nn.Linear`` computes with 8-bit integers, by torch.

    The weights are rounded here, one scale a matrix; what goes into a layer is rounded at each
    call, one scale a call. So the companions of a text in a batch can move its last digits.
    """
    with quiet():
        return torch.ao.quantization.quantize_dynamic(
            copy.deepcopy(model).eval(), {nn.Linear}, dtype=torch.qint8
        )


def int8_tables(model: nn.Module) -> nn.Module:
    """A copy in which each ``nn.Embedding`` is an ``Int8Embedding``."""
    result = copy.deepcopy(model)
    for parent in list(result.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.Embedding):
                setattr(parent, name, Int8Embedding(child.weight))
    return result


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings that torch's quantization will be removed."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"(?s)torch\.ao\.quantization is deprecated")
        warnings.filterwarnings("ignore", r"(?s)torch\.quantize_per_tensor, .* are deprecated")
        yield
