"""A decoder-only language model, from GPT-2 to the modern block, in one class (chapter 6).

``GPTConfig.gpt2`` is the model of Radford et al. (2019), ``GPTConfig.modern`` that of Llama 2
(Touvron et al. 2023); every setting between them can be had too.

Not here: training, sampling. Shapes: ``B`` batch, ``T`` tokens, ``D`` width, ``V`` vocabulary size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from llmbook.blocks import Stack, StackCache, Trace
from llmbook.blocks.stack import causal_inputs
from llmbook.models.embeddings import Embeddings, ModelConfig, check_ids
from llmbook.models.initialization import initialize_normal


@dataclass(frozen=True, kw_only=True)
class GPTConfig(ModelConfig):
    """Settings of a GPT; ``tie_embeddings``: the output layer is the token embedding, transposed.

    ``gpt2(...)`` and ``modern(...)`` fill in a known model; any argument overrides its setting.
    """

    tie_embeddings: bool = True

    @classmethod
    def gpt2(cls, *, d_model: int = 768, **settings: Any) -> GPTConfig:
        """GPT-2; the sizes, unless given, are those of the smallest, 124 million parameters."""
        gpt2 = {
            "vocab_size": 50257,
            "context_length": 1024,
            "num_layers": 12,
            "num_heads": 12,
            "d_hidden": 4 * d_model,
            "activation": "gelu_tanh",
            "positions": "learned",
            "dropout": 0.1,
        }
        return cls(d_model=d_model, **gpt2 | settings)

    @classmethod
    def modern(cls, *, d_model: int = 768, num_heads: int = 12, **settings: Any) -> GPTConfig:
        """RMSNorm, SwiGLU, rotary positions, grouped queries, no bias, no dropout.

        Two query heads share a head of keys where their number is even. The hidden width is 8/3 D,
        up to the next multiple of 32: three matrices then cost what two of width 4D do.
        """
        modern = {
            "vocab_size": 50257,
            "context_length": 1024,
            "num_layers": 12,
            "num_kv_heads": num_heads // 2 if num_heads % 2 == 0 else num_heads,
            "d_hidden": -(-8 * d_model // (3 * 32)) * 32,
            "norm": "rms_norm",
            "activation": "swiglu",
            "bias": False,
            "positions": "rotary",
        }
        return cls(d_model=d_model, num_heads=num_heads, **modern | settings)


class GPT(nn.Module):
    """Each token attends to itself and to those before it, and predicts the one after it.

    Initialization is GPT-2's: N(0, 0.02²), biases 0, residual projections smaller by 1 / sqrt(2L).
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config)
        self.stack = Stack(config, config.num_layers)
        self.output = nn.Linear(config.d_model, config.vocab_size, bias=False)
        if config.tie_embeddings:
            self.output.weight = self.embeddings.token.weight
        initialize_normal(self, layers=config.num_layers)

    def forward(
        self,
        ids: Tensor,
        attention_mask: Tensor | None = None,
        cache: StackCache | None = None,
        trace: Trace | None = None,
    ) -> Tensor:
        """Token ids (B, T) to logits (B, T, V): those at t are for the token at t + 1.

        Args:
            attention_mask: (B, T), 1 for a token, 0 for padding on either side; of ``ids`` alone,
                the cache remembers that of earlier tokens
            cache: from ``new_cache``; ``ids`` then continue what it has seen, and it grows
            trace: where to leave hidden states and attention maps

        Raises:
            ValueError: for an id outside the vocabulary, or more tokens than the context holds.
        """
        return self.output(self.hidden_states(ids, attention_mask, cache, trace))

    def hidden_states(
        self,
        ids: Tensor,
        attention_mask: Tensor | None = None,
        cache: StackCache | None = None,
        trace: Trace | None = None,
    ) -> Tensor:
        """As ``forward``, but what the output layer reads: (B, T, D), after the final norm."""
        check_ids(ids, self.config.vocab_size)
        mask, positions = causal_inputs(ids, attention_mask, cache)
        x = self.embeddings(ids, positions)
        return self.stack(x, mask=mask, cache=cache, positions=positions, trace=trace)

    def new_cache(self) -> StackCache:
        """An empty cache, for one batch of sequences."""
        return StackCache(self.config.num_layers)
