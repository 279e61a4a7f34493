"""The encoder-decoder transformer of 2017 (Vaswani et al. 2017; chapter 5).

Not here: training, beam search. Shapes: ``B`` batch, ``S`` source tokens, ``T`` target tokens,
``D`` model width, ``V`` vocabulary size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmbook.attention import padding_mask
from llmbook.blocks import Stack, StackCache, Trace
from llmbook.blocks.stack import causal_inputs, check_attention_mask, token_positions
from llmbook.models.embeddings import Embeddings, ModelConfig, check_ids
from llmbook.models.initialization import initialize_xavier


@dataclass(frozen=True, kw_only=True)
class Seq2SeqConfig(ModelConfig):
    """Settings of a Seq2Seq, with ``num_layers`` blocks on either side and one vocabulary.

    The defaults are the base model of the paper (table 3), post-norm as printed there.
    """

    d_model: int = 512
    num_heads: int = 8
    d_hidden: int = 2048
    norm_first: bool = False
    activation: str = "relu"
    positions: str = "sinusoidal"
    dropout: float = 0.1
    num_layers: int = 6


class Seq2Seq(nn.Module):
    """An encoder reads the source, a decoder writes the target, one token after the other.

    Source, target and output layer share one embedding, multiplied by sqrt(D) where tokens enter
    (section 3.4). Attention masks (B, S) and (B, T) are 1 for a token and 0 for padding. Weights
    start as Glorot & Bengio (2010), embeddings from N(0, 1/D).
    """

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config, scale=config.d_model**0.5)
        self.encoder = Stack(config, config.num_layers)
        self.decoder = Stack(config, config.num_layers, cross_attention=True)
        initialize_xavier(self)

    def forward(
        self,
        source: Tensor,
        target: Tensor,
        source_mask: Tensor | None = None,
        target_mask: Tensor | None = None,
    ) -> Tensor:
        """Token ids (B, S) and (B, T) to logits (B, T, V): those at t are for the target's t + 1.

        Raises:
            ValueError: for an id outside the vocabulary, or more tokens than the context holds.
        """
        return self.decode(target, self.encode(source, source_mask), source_mask, target_mask)

    def encode(
        self, source: Tensor, source_mask: Tensor | None = None, trace: Trace | None = None
    ) -> Tensor:
        """Source ids (B, S) to the memory (B, S, D) that the decoder attends to."""
        check_ids(source, self.config.vocab_size)
        if source_mask is None:
            mask, positions = None, torch.arange(source.shape[1], device=source.device)
        else:
            check_attention_mask(source_mask, source)
            mask, positions = padding_mask(source_mask), token_positions(source_mask)
        x = self.embeddings(source, positions)
        return self.encoder(x, mask=mask, positions=positions, trace=trace)

    def decode(
        self,
        target: Tensor,
        memory: Tensor,
        source_mask: Tensor | None = None,
        target_mask: Tensor | None = None,
        cache: StackCache | None = None,
        trace: Trace | None = None,
    ) -> Tensor:
        """Target ids (B, T) and the memory (B, S, D) to logits (B, T, V).

        With a cache from ``new_cache``, ``target`` and ``target_mask`` continue what it has seen;
        the memory's keys and values are computed in the first call, so one cache, one memory.
        """
        check_ids(target, self.config.vocab_size)
        mask, positions = causal_inputs(target, target_mask, cache)
        memory_mask = None if source_mask is None else padding_mask(source_mask)
        x = self.embeddings(target, positions)
        x = self.decoder(x, memory, mask, memory_mask, cache, positions, trace)
        return F.linear(x, self.embeddings.token.weight)

    def new_cache(self) -> StackCache:
        """An empty cache of the decoder, for one batch and its memory."""
        return StackCache(self.config.num_layers)

    @torch.no_grad()
    def greedy(
        self,
        source: Tensor,
        source_mask: Tensor | None = None,
        *,
        start_id: int,
        end_id: int,
        max_new_tokens: int,
    ) -> Tensor:
        """The most probable next token, again and again: source ids (B, S) to target ids (B, T).

        The result leaves out ``start_id``; a row that has ended is filled with ``end_id``. It stops
        when all rows have ended, or at ``max_new_tokens``. Call ``eval()`` first.
        """
        memory, cache = self.encode(source, source_mask), self.new_cache()
        token = source.new_full((len(source), 1), start_id)
        ended = torch.zeros_like(token, dtype=torch.bool)
        written = [token[:, :0]]
        for _ in range(max_new_tokens):
            if ended.all():
                break
            logits = self.decode(token, memory, source_mask, cache=cache)  # (B, 1, V)
            token = logits.argmax(-1).masked_fill(ended, end_id)
            ended |= token == end_id
            written.append(token)
        return torch.cat(written, dim=1)
