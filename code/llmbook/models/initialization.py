"""The random weights that training begins with; norms begin at 1 and 0 (chapter 6)."""

from __future__ import annotations

from torch import nn

RESIDUAL = ("attention.output", "feed_forward.down")  # what a layer adds comes out of these


def initialize_normal(model: nn.Module, std: float = 0.02, layers: int | None = None) -> None:
    """Weights and embeddings from N(0, std²), biases 0, as BERT and GPT-2.

    With ``layers`` = L the projections that add to the residual stream get std / sqrt(2L), so that
    the sum of 2L such terms does not grow with depth (Radford et al. 2019, section 2.3).
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            shrink = (2 * layers) ** -0.5 if layers and name.endswith(RESIDUAL) else 1.0
            nn.init.normal_(module.weight, std=std * shrink)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)


def initialize_xavier(model: nn.Module) -> None:
    """Weights uniform as Glorot & Bengio (2010), biases 0, embeddings from N(0, 1/D).

    Embeddings that are scaled by sqrt(D) then enter with variance 1, beside sines and cosines.
    """
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=module.embedding_dim**-0.5)
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
