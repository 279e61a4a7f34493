"""BERT: an encoder that reads in both directions (Devlin et al. 2019; chapter 6).

``Bert`` gives a vector for each token, ``BertForMaskedTokens`` guesses the tokens that were hidden
from it. Not here: next-sentence prediction, masking, training. Shapes: ``B`` batch, ``T`` tokens,
``D`` width, ``V`` vocabulary size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmbook.attention import padding_mask
from llmbook.blocks import Stack, Trace
from llmbook.blocks.block import make_norm
from llmbook.blocks.stack import check_attention_mask
from llmbook.models.embeddings import Embeddings, ModelConfig, check_ids
from llmbook.models.initialization import initialize_normal


@dataclass(frozen=True, kw_only=True)
class BertConfig(ModelConfig):
    """Settings of a BERT; the defaults are those of BERT base, uncased.

    token_types  sequences that a row may hold, told apart by an embedding each
    pooler       whether ``pool`` has its layer
    """

    d_model: int = 768
    num_heads: int = 12
    d_hidden: int = 3072
    norm_eps: float = 1e-12
    norm_first: bool = False
    positions: str = "learned"
    dropout: float = 0.1
    vocab_size: int = 30522
    context_length: int = 512
    num_layers: int = 12
    token_types: int = 2
    pooler: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.token_types < 1:
            raise ValueError(f"token_types ({self.token_types}) must be at least 1")


class BertEmbeddings(Embeddings):
    """Token, position and token-type vectors, summed and normalized."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.token_type = nn.Embedding(config.token_types, config.d_model)
        self.norm = make_norm(config)

    def forward(self, ids: Tensor, positions: Tensor, token_types: Tensor) -> Tensor:
        last, known = int(token_types.max()), self.token_type.num_embeddings
        if last >= known:
            raise ValueError(
                f"token type {last} is outside: token_types ({known}) allows 0 to {known - 1}"
            )
        x = self.sum(ids, positions) + self.token_type(token_types)
        return self.dropout(self.norm(x))


class Bert(nn.Module):
    """Each token attends to all tokens that are no padding. Initialization: N(0, 0.02²)."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = BertEmbeddings(config)
        self.stack = Stack(config, config.num_layers)
        self.pooler = nn.Linear(config.d_model, config.d_model) if config.pooler else None
        initialize_normal(self)

    def forward(
        self,
        ids: Tensor,
        attention_mask: Tensor | None = None,
        token_types: Tensor | None = None,
        trace: Trace | None = None,
    ) -> Tensor:
        """Token ids (B, T) to hidden states (B, T, D).

        Args:
            attention_mask: (B, T), 1 for a token and 0 for padding. Positions count from the left
                edge, as in Transformers, so pad on the right.
            token_types: (B, T), the sequence that each token belongs to; all 0 if None
            trace: where to leave the hidden states of all layers and the attention maps

        Raises:
            ValueError: for an id outside the vocabulary, or more tokens than the context holds.
        """
        check_ids(ids, self.config.vocab_size)
        mask = None
        if attention_mask is not None:
            check_attention_mask(attention_mask, ids)
            mask = padding_mask(attention_mask)
        if token_types is None:
            token_types = torch.zeros_like(ids)
        positions = torch.arange(ids.shape[1], device=ids.device)
        x = self.embeddings(ids, positions, token_types)
        return self.stack(x, mask=mask, positions=positions, trace=trace)

    def pool(self, hidden: Tensor) -> Tensor:
        """tanh of a linear layer on the first token, [CLS]: (B, T, D) to (B, D).

        Raises:
            ValueError: if the model was made without a pooler.
        """
        if self.pooler is None:
            raise ValueError("this BERT was made without a pooler: BertConfig(pooler=True)")
        return torch.tanh(self.pooler(hidden[:, 0]))


class BertForMaskedTokens(nn.Module):
    """A BERT and the layers that turn its hidden states into logits over the vocabulary.

    The output layer is the token embedding, transposed, with a bias of its own.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.bert = Bert(config)
        self.transform = nn.Linear(config.d_model, config.d_model)
        self.norm = make_norm(config)
        self.output = nn.Linear(config.d_model, config.vocab_size)
        self.output.weight = self.bert.embeddings.token.weight
        initialize_normal(self)

    def forward(
        self,
        ids: Tensor,
        attention_mask: Tensor | None = None,
        token_types: Tensor | None = None,
    ) -> Tensor:
        """Token ids (B, T), some hidden by [MASK], to logits (B, T, V) of the tokens *there*."""
        hidden = self.bert(ids, attention_mask, token_types)
        return self.output(self.norm(F.gelu(self.transform(hidden))))
