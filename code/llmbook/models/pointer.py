"""A decoder that writes a word of its own or copies one from the source (See et al. 2017).

The pointer-generator of See, Liu & Manning (2017), section 2.2, with transformer blocks in place of
an LSTM, a pointer apart from the cross-attention, and a gate that reads state and context only
(theirs: the input too). The encoder is not in here: it is frozen, and what the decoder reads are
its hidden states, computed once. Word vectors are the encoder's too, and frozen, so that a decoder
is small: only what is trained belongs to it. Taught in chapter 8.

Not here: the coverage of section 2.3, training, beams.

Shapes: ``B`` batch, ``S`` source tokens, ``T`` target tokens, ``D`` model width, ``E`` width of the
encoder, ``V`` vocabulary size, ``G`` tokens that can be written without copying.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmbook.attention import padding_mask
from llmbook.blocks import Stack, StackCache
from llmbook.blocks.stack import causal_inputs
from llmbook.models.embeddings import ModelConfig, check_ids
from llmbook.models.initialization import initialize_normal


@dataclass(frozen=True, kw_only=True)
class PointerConfig(ModelConfig):
    """Settings of a ``PointerDecoder``.

    d_source   E, width of the hidden states and of the word vectors
    d_pointer  width of the query and the keys that choose what to copy
    copying    False: no pointer, every token is generated; for comparison
    """

    d_model: int = 256
    num_heads: int = 4
    d_hidden: int = 512
    positions: str = "rotary"
    dropout: float = 0.1
    vocab_size: int = 30522
    context_length: int = 40
    num_layers: int = 2
    d_source: int = 384
    d_pointer: int = 64
    copying: bool = True


class Source(NamedTuple):
    """What the decoder reads of a batch of sources; made by ``PointerDecoder.read``."""

    memory: Tensor  # (B, S, D), what cross-attention reads
    keys: Tensor  # (B, S, P), what the pointer compares with
    ids: Tensor  # (B, S), which tokens a copy is of
    mask: Tensor  # (B, S) boolean, False for padding
    copyable: Tensor  # (B, S) boolean, False for padding and special tokens


class Mixture(NamedTuple):
    """The two distributions at each target position, and the gate between them."""

    generated: Tensor  # (B, T, G) log probabilities of the tokens in ``written``
    copied: Tensor  # (B, T, S) weights on the source tokens, sum 1 (0 if nothing can be copied)
    gate: Tensor  # (B, T), the probability to generate


class PointerDecoder(nn.Module):
    """Blocks with cross-attention, a softmax over few frequent tokens, and a pointer.

    Args:
        vectors: (V, E), the encoder's word vectors; not trained, and not saved with the decoder
        written: (G,), the token ids that can be generated; any other has to be copied
        special: ids that are never copied
    """

    def __init__(
        self, config: PointerConfig, vectors: Tensor, written: Tensor, special: Tensor
    ) -> None:
        super().__init__()
        if vectors.shape != (config.vocab_size, config.d_source):
            raise ValueError(
                f"vectors {tuple(vectors.shape)} must have shape (vocab_size, d_source) = "
                f"({config.vocab_size}, {config.d_source})"
            )
        if len(written) == 0 or len(torch.unique(written)) < len(written):
            raise ValueError("written must be token ids, at least one, and each of them once")
        self.config = config
        self.register_buffer("vectors", vectors.detach().clone(), persistent=False)
        self.register_buffer("written", written.long(), persistent=False)
        self.register_buffer("special", special.long(), persistent=False)
        place = torch.full((config.vocab_size,), -1)
        place[written] = torch.arange(len(written))
        self.register_buffer("place", place, persistent=False)  # (V,), in ``written``, or -1
        d, e = config.d_model, config.d_source
        self.enter = nn.Linear(e, d)  # of word vectors, in the source as in the target
        self.enter_hidden = nn.Linear(e, d, bias=False)
        self.memory_norm = nn.LayerNorm(d)
        self.dropout = nn.Dropout(config.dropout)
        self.stack = Stack(config, config.num_layers, cross_attention=True)
        self.leave = nn.Linear(d, e)
        self.bias = nn.Parameter(torch.zeros(len(written)))
        if config.copying:
            self.query = nn.Linear(d, config.d_pointer)
            self.key = nn.Linear(d, config.d_pointer, bias=False)
            self.gate = nn.Linear(2 * d, 1)
        initialize_normal(self, layers=config.num_layers)
        # Word vectors of MiniLM are short (about 1.2): the first projection may not make them less.
        for layer in (self.enter, self.enter_hidden, self.leave):
            nn.init.normal_(layer.weight, std=e**-0.5)

    def read(self, ids: Tensor, hidden: Tensor, mask: Tensor) -> Source:
        """Source ids (B, S), the encoder's hidden states (B, S, E) and mask (B, S), 1 for a token.

        The word vector is added to the hidden state: a pointer needs to know which token stands
        there, and the upper layers of an encoder no longer say so clearly.
        """
        check_ids(ids, self.config.vocab_size)
        if hidden.shape != (*ids.shape, self.config.d_source) or mask.shape != ids.shape:
            raise ValueError(
                f"ids {tuple(ids.shape)}, hidden states {tuple(hidden.shape)} and mask "
                f"{tuple(mask.shape)} must be (B, S), (B, S, {self.config.d_source}) and (B, S)"
            )
        mask = mask.bool()
        memory = self.enter(self.vectors[ids]) + self.enter_hidden(hidden)
        memory = self.dropout(self.memory_norm(memory))
        keys = self.key(memory) if self.config.copying else memory[..., :0]
        copyable = mask & ~torch.isin(ids, self.special)
        return Source(memory, keys, ids, mask, copyable)

    def mix(self, target: Tensor, source: Source, cache: StackCache | None = None) -> Mixture:
        """Target ids (B, T) so far to what comes next after each; a cache as in ``Seq2Seq``."""
        check_ids(target, self.config.vocab_size)
        mask, positions = causal_inputs(target, None, cache)
        if int(positions.max()) >= self.config.context_length:
            raise ValueError(
                f"the target has {int(positions.max()) + 1} tokens: context_length "
                f"({self.config.context_length}) allows no more"
            )
        x = self.dropout(self.enter(self.vectors[target]))
        x = self.stack(x, source.memory, mask, padding_mask(source.mask), cache, positions)
        logits = F.linear(self.leave(x), self.vectors[self.written], self.bias)  # (B, T, G)
        generated = logits.float().log_softmax(-1)
        if not self.config.copying:
            nothing = generated.new_zeros(*target.shape, source.ids.shape[1])
            return Mixture(generated, nothing, generated.new_ones(target.shape))
        scores = self.query(x) @ source.keys.mT / self.config.d_pointer**0.5  # (B, T, S)
        allowed = source.copyable[:, None]
        scores = scores.float().masked_fill(~allowed, torch.finfo(torch.float32).min)
        copied = scores.softmax(-1) * allowed  # all 0 where there is nothing to copy
        context = copied.to(source.memory.dtype) @ source.memory  # (B, T, D)
        gate = self.gate(torch.cat((x, context), dim=-1)).float().sigmoid()[..., 0]
        gate = torch.where(source.copyable.any(1)[:, None], gate, 1.0)
        return Mixture(generated, copied, gate)

    def probabilities(self, mixture: Mixture, source: Source) -> Tensor:
        """(B, T, V): gate times generated, plus (1 - gate) times the weights of equal tokens.

        Equation 9 of See et al. (2017); each row sums to 1.
        """
        whole = mixture.generated.new_zeros(*mixture.gate.shape, self.config.vocab_size)
        whole[..., self.written] = mixture.gate[..., None] * mixture.generated.exp()
        ids = source.ids[:, None].expand_as(mixture.copied)
        return whole.scatter_add(-1, ids, (1 - mixture.gate)[..., None] * mixture.copied)

    def log_likelihood(self, mixture: Mixture, source: Source, next_ids: Tensor) -> Tensor:
        """(B, T): the log probability of each next token (B, T), without the (B, T, V) of all.

        A token that can neither be generated nor copied has probability 0, and here ``-inf``.
        """
        place = self.place[next_ids]
        own = mixture.generated.gather(-1, place.clamp(min=0)[..., None])[..., 0]
        own = own + mixture.gate.log()
        own = own.masked_fill(place < 0, -torch.inf)
        if not self.config.copying:
            return own
        same = next_ids[..., None] == source.ids[:, None]  # (B, T, S)
        copy = (mixture.copied * same).sum(-1)
        copy = ((1 - mixture.gate) * copy).clamp(min=1e-30).log()
        copy = copy.masked_fill(~(same & source.copyable[:, None]).any(-1), -torch.inf)
        return torch.logaddexp(own, copy)

    def new_cache(self) -> StackCache:
        """An empty cache, for one batch and its source."""
        return StackCache(self.config.num_layers)
