"""Our configs as Transformers' ``config.json``, and back; what one side lacks is an error.

Transformers has several dropout rates where we have one: the one of the residual connections is
read (Llama has none there, so that of the attention weights).
"""

from __future__ import annotations

from typing import Any

from llmbook.models.bert import BertConfig
from llmbook.models.gpt import GPTConfig

ACTIVATIONS = {"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu": "gelu",
               "relu": "relu"}  # fmt: skip
THEIRS = {"gelu_tanh": "gelu_new", "gelu": "gelu", "relu": "relu"}
SHAPES = {  # positions, norm, norm_first, gated feed-forward, bias
    "gpt2": ("learned", "layer_norm", True, False, True),
    "llama": ("rotary", "rms_norm", True, True, False),
    "bert": ("learned", "layer_norm", False, False, True),
}
# Settings that change what a model computes, with the only value that ours does.
FIXED: dict[str, dict[str, Any]] = {
    "gpt2": {"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False,
             "add_cross_attention": False},
    "llama": {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False,
              "rope_scaling": None},
    "bert": {"is_decoder": False, "add_cross_attention": False,
             "position_embedding_type": "absolute"},
}  # fmt: skip


def to_transformers_config(config: GPTConfig | BertConfig) -> dict[str, Any]:
    """The settings as ``config.json`` of GPT-2, Llama or BERT.

    Raises:
        ValueError: if none of the three can do what the config says.
    """
    kind = _kind(config)
    if kind == "gpt2":
        return {
            "model_type": "gpt2",
            "vocab_size": config.vocab_size,
            "n_positions": config.context_length,
            "n_embd": config.d_model,
            "n_layer": config.num_layers,
            "n_head": config.num_heads,
            "n_inner": config.d_hidden,
            "activation_function": THEIRS[config.activation],
            "layer_norm_epsilon": config.norm_eps,
            "resid_pdrop": config.dropout,
            "embd_pdrop": config.dropout,
            "attn_pdrop": config.dropout,
            "tie_word_embeddings": config.tie_embeddings,
            "bos_token_id": None,  # else 50256, whatever the vocabulary
            "eos_token_id": None,
        }
    shared = {"model_type": kind} | sizes(config)
    if kind == "llama":
        return shared | {
            "num_key_value_heads": config.kv_heads,
            "hidden_act": "silu",
            "rms_norm_eps": config.norm_eps,
            "rope_parameters": {"rope_type": "default", "rope_theta": config.rotary_base},
            "attention_dropout": config.dropout,
            "tie_word_embeddings": config.tie_embeddings,
            "bos_token_id": None,
            "eos_token_id": None,
        }
    return shared | {
        "hidden_act": THEIRS[config.activation],
        "layer_norm_eps": config.norm_eps,
        "type_vocab_size": config.token_types,
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.dropout,
    }


def sizes(config: GPTConfig | BertConfig) -> dict[str, int]:
    """The sizes by the names that BERT, Llama and ESM have for them."""
    return {
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.context_length,
        "hidden_size": config.d_model,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "intermediate_size": config.d_hidden,
    }


def from_transformers_config(settings: dict[str, Any]) -> GPTConfig | BertConfig:
    """Our config from the content of a ``config.json``.

    Raises:
        ValueError: for another model, or a setting that ours does not have.
    """
    kind = settings.get("model_type")
    if kind not in SHAPES:
        raise ValueError(f"model_type must be one of {tuple(SHAPES)}, not {kind!r}")
    for name, value in FIXED[kind].items():
        if settings.get(name, value) != value:
            raise ValueError(f"{name} must be {value!r} for our {kind}, not {settings[name]!r}")
    if kind == "gpt2":
        return GPTConfig.gpt2(
            vocab_size=settings["vocab_size"],
            context_length=settings["n_positions"],
            d_model=settings["n_embd"],
            num_layers=settings["n_layer"],
            num_heads=settings["n_head"],
            d_hidden=settings.get("n_inner") or 4 * settings["n_embd"],
            activation=_activation(settings.get("activation_function", "gelu_new")),
            norm_eps=settings.get("layer_norm_epsilon", 1e-5),
            dropout=settings.get("resid_pdrop", 0.1),
            tie_embeddings=settings.get("tie_word_embeddings", True),
        )
    shared = {
        "vocab_size": settings["vocab_size"],
        "context_length": settings["max_position_embeddings"],
        "d_model": settings["hidden_size"],
        "num_layers": settings["num_hidden_layers"],
        "num_heads": settings["num_attention_heads"],
        "d_hidden": settings["intermediate_size"],
    }
    if kind == "llama":
        rope = settings.get("rope_parameters") or {}
        if rope.get("rope_type", "default") != "default":
            raise ValueError(f"rope_type must be 'default', not {rope['rope_type']!r}")
        config = GPTConfig.modern(
            num_kv_heads=settings.get("num_key_value_heads"),
            norm_eps=settings["rms_norm_eps"],
            rotary_base=rope.get("rope_theta", settings.get("rope_theta", 10000.0)),
            dropout=settings.get("attention_dropout", 0.0),
            tie_embeddings=settings.get("tie_word_embeddings", False),
            **shared,
        )
        if (settings.get("head_dim") or config.head_width) != config.head_width:
            raise ValueError(f"head_dim must be hidden_size / heads ({config.head_width})")
        return config
    return BertConfig(
        activation=_activation(settings.get("hidden_act", "gelu")),
        norm_eps=settings.get("layer_norm_eps", 1e-12),
        token_types=settings["type_vocab_size"],
        dropout=settings.get("hidden_dropout_prob", 0.1),
        pooler=settings.get("architectures") != ["BertForMaskedLM"],
        **shared,
    )


def _kind(config: GPTConfig | BertConfig) -> str:
    gated = config.activation == "swiglu"
    shape = (config.positions, config.norm, config.norm_first, gated, config.bias)
    kinds = ("bert",) if isinstance(config, BertConfig) else ("gpt2", "llama")
    for kind in kinds:
        grouped = config.kv_heads != config.num_heads
        if SHAPES[kind] == shape and not (grouped and kind != "llama"):
            return kind
    raise ValueError(
        "Transformers has no such model: it needs "
        + " or ".join(
            f"{kind}'s (positions, norm, norm_first, gated, bias) = {SHAPES[kind]}"
            for kind in kinds
        )
        + f", not {shape}"
    )


def _activation(theirs: str) -> str:
    if theirs not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {tuple(ACTIVATIONS)}, not {theirs!r}")
    return ACTIVATIONS[theirs]
