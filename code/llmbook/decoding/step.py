"""One new token a row through a GPT, fast: what ``GPT.forward`` does for T = 1, and no more.

With one token a row, the arithmetic of a small model takes less time than what surrounds it: calls
of modules, checks, dropout that drops nothing, a causal mask that hides nothing, all keys copied
because one was added. Without them a token takes some two thirds of the time, or less (d_model 192,
4 layers, one thread). The tests hold the logits equal in every kind of model (chapter 8).

Shapes: ``B`` batch, ``S`` tokens so far, ``D`` width, ``H`` heads, ``G`` heads of keys and values,
``K`` head width, ``V`` vocabulary size.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmbook.attention import KeyValueCache, MultiHeadAttention, sinusoidal_positions
from llmbook.blocks import Block, FeedForward, LayerNorm, StackCache
from llmbook.models import GPT
from llmbook.models.embeddings import Embeddings

Layer = Callable[[Tensor], Tensor]


class RoomyCache(KeyValueCache):
    """A cache with room for ``capacity`` tokens from the start: to add one copies this one only."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity
        self.length = 0

    def __len__(self) -> int:
        return self.length

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Write the keys and values of T tokens, (B, G, T, K); returns those of all so far."""
        if self.key is None:
            shape = (*key.shape[:2], self.capacity, key.shape[-1])
            self.key, self.value = key.new_empty(shape), value.new_empty(shape)
        start, self.length = self.length, self.length + key.shape[-2]
        self.key[:, :, start : self.length] = key
        self.value[:, :, start : self.length] = value
        return self.key[:, :, : self.length], self.value[:, :, : self.length]


def roomy_cache(model: GPT, capacity: int) -> StackCache:
    """An empty cache of the model, with room for ``capacity`` tokens a row, padding included."""
    cache = model.new_cache()
    for block in cache.blocks:
        block.attention = RoomyCache(capacity)
    return cache


class FastStep:
    """The step for one model and one cache, made ready once, with the weights of that moment.

    Layers become plain functions of their tensors. No hook would run: see ``is_known``.
    """

    def __init__(self, model: GPT, cache: StackCache) -> None:
        config = model.config
        self.embed, self.output = model.embeddings.token.forward, _linear(model.output)
        self.norm, self.norm_first = _norm(model.stack.norm), config.norm_first
        self.place: Layer | None = None
        if config.positions == "learned":
            self.place = model.embeddings.position.weight.__getitem__
        elif config.positions == "sinusoidal":
            self.place = lambda positions: sinusoidal_positions(positions, config.d_model)
        self.blocks = [
            (
                _norm(block.attention_norm),
                _Attention(block.attention, cached.attention),
                _norm(block.feed_forward_norm),
                _feed_forward(block.feed_forward),
            )
            for block, cached in zip(model.stack.blocks, cache.blocks, strict=True)
        ]

    @staticmethod
    def is_known(model: GPT) -> bool:
        """Whether all parts of the model are those of this book, and no hook waits for a call."""
        parts = [model.embeddings, *(b for b in model.stack.blocks)]
        known = {Embeddings, Block, MultiHeadAttention}
        parts += [block.attention for block in model.stack.blocks]
        hooked = any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
        biased = model.config.positions == "relative"  # a bias of the scores is not here
        own = type(model) is GPT and {type(part) for part in parts} <= known
        return own and not hooked and not biased

    def __call__(self, ids: Tensor, positions: Tensor, mask: Tensor | None) -> Tensor:
        """The logits (B, V) after one more token in each row; the cache grows by it.

        Args:
            ids: (B,), the new tokens; neither they nor their positions are checked
            positions: (B,), where they stand, padding not counted
            mask: (B, 1, 1, S) boolean, **True = may attend**; None where there is no padding
        """
        x = self.embed(ids)  # (B, D)
        if self.place is not None:
            x = x + self.place(positions).to(x.dtype)
        for attention_norm, attend, feed_forward_norm, feed_forward in self.blocks:
            if self.norm_first:
                x = x + attend(attention_norm(x), positions, mask)
                x = x + feed_forward(feed_forward_norm(x))
            else:
                x = attention_norm(x + attend(x, positions, mask))
                x = feed_forward_norm(x + feed_forward(x))
        return self.output(self.norm(x))


class _Attention:
    """``MultiHeadAttention`` for one query a row; query, key and value come of one product."""

    def __init__(self, attention: MultiHeadAttention, cache: KeyValueCache) -> None:
        heads = attention.query.out_features // attention.head_width
        groups = heads // attention.sharing
        self.split = (heads, groups, groups)
        self.head_width = attention.head_width
        self.project = _linear(attention.query, attention.key, attention.value)
        self.rotary, self.output = attention.rotary, _linear(attention.output)
        self.cache = cache

    def __call__(self, x: Tensor, positions: Tensor, mask: Tensor | None) -> Tensor:
        projected = self.project(x).view(len(x), -1, 1, self.head_width)  # (B, H + 2G, 1, K)
        query, key, value = projected.split(self.split, dim=1)
        if self.rotary is not None:
            places = positions[:, None, None]
            query, key = self.rotary.forward(query, places), self.rotary.forward(key, places)
        key, value = self.cache.append(key, value)
        heads = F.scaled_dot_product_attention(
            query, key, value, mask, enable_gqa=self.split[0] != self.split[1]
        )
        return self.output(heads.view(x.shape))  # (B, D)


def _linear(*layers: nn.Module) -> Layer:
    """The outputs of linear layers side by side; plain ones become one product."""
    if not all(type(layer) is nn.Linear for layer in layers):  # with adapters, for example
        return lambda x: torch.cat([layer(x) for layer in layers], dim=-1)
    weights, biases = [layer.weight for layer in layers], [layer.bias for layer in layers]
    weight = weights[0] if len(layers) == 1 else torch.cat(weights)
    bias = biases[0] if len(layers) == 1 or biases[0] is None else torch.cat(biases)
    return lambda x: F.linear(x, weight, bias)


def _norm(norm: nn.Module) -> Layer:
    if type(norm) is not LayerNorm:
        return norm.forward
    shape, weight, bias, eps = norm.weight.shape, norm.weight, norm.bias, norm.eps
    return lambda x: torch.layer_norm(x, shape, weight, bias, eps)


def _feed_forward(layer: nn.Module) -> Layer:
    if type(layer) is not FeedForward:
        return layer.forward
    up, activation, down = _linear(layer.up), layer.activation, _linear(layer.down)
    return lambda x: down(activation(up(x)))
