"""Our encoder with rotary positions and norms first, as Transformers' ESM (chapter 12).

Transformers' BERT cannot hold such a model: it adds learned positions and norms afterwards. ESM
can, an encoder made for proteins (``EsmForMaskedLM``): an architecture is a way to compute, and
does not know what its tokens stand for. One difference remains. Ours adds the vector of a token
type to each token, ESM has none, so it is added to the embedding of every token here; the output
layer, which must not have it, is then a matrix of its own and no longer tied.

Not here: the way back, which would have to guess the vector of the token type.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from llmbook.models.bert import BertConfig, BertForMaskedTokens
from llmbook.models.transformers_config import sizes
from llmbook.models.transformers_format import rename, write

ENCODER = {
    "embeddings.token": "embeddings.word_embeddings",
    "embeddings.norm": "embeddings.layer_norm",
    "stack.blocks.{}.attention.query": "encoder.layer.{}.attention.self.query",
    "stack.blocks.{}.attention.key": "encoder.layer.{}.attention.self.key",
    "stack.blocks.{}.attention.value": "encoder.layer.{}.attention.self.value",
    "stack.blocks.{}.attention.output": "encoder.layer.{}.attention.output.dense",
    "stack.blocks.{}.attention_norm": "encoder.layer.{}.attention.LayerNorm",
    "stack.blocks.{}.feed_forward.up": "encoder.layer.{}.intermediate.dense",
    "stack.blocks.{}.feed_forward.down": "encoder.layer.{}.output.dense",
    "stack.blocks.{}.feed_forward_norm": "encoder.layer.{}.LayerNorm",
    "stack.norm": "encoder.emb_layer_norm_after",
}
NAMES = {f"bert.{ours}": f"esm.{theirs}" for ours, theirs in ENCODER.items()} | {
    "transform": "lm_head.dense",
    "norm": "lm_head.layer_norm",
    "output": "lm_head.decoder",
}
TYPE, WORD = "bert.embeddings.token_type.weight", "esm.embeddings.word_embeddings.weight"


def to_esm(model: BertForMaskedTokens) -> dict[str, Tensor]:
    """The weights of ``model`` by their names in ``EsmForMaskedLM``, in the shapes there.

    Raises:
        ValueError: if ESM cannot do what the model does.
    """
    _check(model.config)
    state = dict(model.state_dict())
    token_type = state.pop(TYPE)  # (1, D)
    weights = {rename(name, NAMES): tensor for name, tensor in state.items()}
    weights[WORD] = weights[WORD] + token_type  # (V, D)
    weights["lm_head.bias"] = weights.pop("lm_head.decoder.bias")
    weights |= _unused(model.config)
    return {name: tensor.contiguous() for name, tensor in weights.items()}


def save_esm(model: BertForMaskedTokens, folder: str | Path, pad_id: int, mask_id: int) -> None:
    """Write ``config.json`` and ``model.safetensors`` for ``EsmForMaskedLM.from_pretrained``.

    Args:
        pad_id: id of the padding token, which ESM's config must name
        mask_id: id of the token that hides others

    Raises:
        ValueError: if ESM cannot do what the model does.
    """
    weights = to_esm(model)
    config = model.config
    settings: dict[str, Any] = {
        "model_type": "esm",
        "architectures": ["EsmForMaskedLM"],
        **sizes(config),
        "layer_norm_eps": config.norm_eps,
        "position_embedding_type": "rotary",
        "rope_theta": config.rotary_base,
        "emb_layer_norm_before": True,
        "token_dropout": False,
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.dropout,
        "pad_token_id": pad_id,
        "mask_token_id": mask_id,
        "eos_token_id": None,
        "tie_word_embeddings": False,
    }
    write(settings, weights, folder)


def _unused(config: BertConfig) -> dict[str, Tensor]:
    """What ESM expects in its file besides: the angles' speeds, and a head for proteins, all 0.

    Without them, loading reports missing weights, and nobody reads a report that always complains.
    """
    width = config.d_model // config.num_heads  # K
    speeds = 1.0 / config.rotary_base ** (torch.arange(0, width, 2).float() / width)  # (K / 2,)
    return {
        "esm.rotary_embeddings.inv_freq": speeds,
        "esm.contact_head.regression.weight": torch.zeros(1, config.num_layers * config.num_heads),
        "esm.contact_head.regression.bias": torch.zeros(1),
    }


def _check(config: BertConfig) -> None:
    wanted = {"positions": "rotary", "norm": "layer_norm", "norm_first": True, "bias": True,
              "activation": "gelu", "token_types": 1, "pooler": False,
              "kv_heads": config.num_heads}  # fmt: skip
    for name, value in wanted.items():
        found = getattr(config, name)
        if found != value:
            raise ValueError(f"ESM needs {name} {value!r}, and this model has {found!r}")
