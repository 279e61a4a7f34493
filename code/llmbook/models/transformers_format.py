"""Weights and settings under the names of Transformers, both ways: GPT-2, Llama, BERT (chapter 12).

A folder that ``save_transformers`` writes is read by ``GPT2LMHeadModel.from_pretrained(folder)``
and its like; ``load_transformers`` reads theirs. Nothing here needs Transformers itself.

Not here: Seq2Seq, which has no counterpart there; tokenizers; files in several parts.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from llmbook.models.bert import Bert, BertConfig, BertForMaskedTokens
from llmbook.models.gpt import GPT
from llmbook.models.transformers_config import from_transformers_config, to_transformers_config
from llmbook.pretrained import minilm_weights

Model = GPT | Bert | BertForMaskedTokens

# Our module: theirs. In a block's names, {} is its number.
GPT2 = {
    "embeddings.token": "transformer.wte",
    "embeddings.position": "transformer.wpe",
    "stack.blocks.{}.attention_norm": "transformer.h.{}.ln_1",
    "stack.blocks.{}.attention.query": "transformer.h.{}.attn.query",  # fused below
    "stack.blocks.{}.attention.key": "transformer.h.{}.attn.key",
    "stack.blocks.{}.attention.value": "transformer.h.{}.attn.value",
    "stack.blocks.{}.attention.output": "transformer.h.{}.attn.c_proj",
    "stack.blocks.{}.feed_forward_norm": "transformer.h.{}.ln_2",
    "stack.blocks.{}.feed_forward.up": "transformer.h.{}.mlp.c_fc",
    "stack.blocks.{}.feed_forward.down": "transformer.h.{}.mlp.c_proj",
    "stack.norm": "transformer.ln_f",
    "output": "lm_head",
}
LLAMA = {
    "embeddings.token": "model.embed_tokens",
    "stack.blocks.{}.attention_norm": "model.layers.{}.input_layernorm",
    "stack.blocks.{}.attention.query": "model.layers.{}.self_attn.q_proj",
    "stack.blocks.{}.attention.key": "model.layers.{}.self_attn.k_proj",
    "stack.blocks.{}.attention.value": "model.layers.{}.self_attn.v_proj",
    "stack.blocks.{}.attention.output": "model.layers.{}.self_attn.o_proj",
    "stack.blocks.{}.feed_forward_norm": "model.layers.{}.post_attention_layernorm",
    "stack.blocks.{}.feed_forward.gate": "model.layers.{}.mlp.gate_proj",
    "stack.blocks.{}.feed_forward.up": "model.layers.{}.mlp.up_proj",
    "stack.blocks.{}.feed_forward.down": "model.layers.{}.mlp.down_proj",
    "stack.norm": "model.norm",
    "output": "lm_head",
}
BERT = {
    "embeddings.token": "embeddings.word_embeddings",
    "embeddings.position": "embeddings.position_embeddings",
    "embeddings.token_type": "embeddings.token_type_embeddings",
    "embeddings.norm": "embeddings.LayerNorm",
    "stack.blocks.{}.attention.query": "encoder.layer.{}.attention.self.query",
    "stack.blocks.{}.attention.key": "encoder.layer.{}.attention.self.key",
    "stack.blocks.{}.attention.value": "encoder.layer.{}.attention.self.value",
    "stack.blocks.{}.attention.output": "encoder.layer.{}.attention.output.dense",
    "stack.blocks.{}.attention_norm": "encoder.layer.{}.attention.output.LayerNorm",
    "stack.blocks.{}.feed_forward.up": "encoder.layer.{}.intermediate.dense",
    "stack.blocks.{}.feed_forward.down": "encoder.layer.{}.output.dense",
    "stack.blocks.{}.feed_forward_norm": "encoder.layer.{}.output.LayerNorm",
    "pooler": "pooler.dense",
}
BERT_FOR_MASKED_TOKENS = {f"bert.{ours}": f"bert.{theirs}" for ours, theirs in BERT.items()} | {
    "transform": "cls.predictions.transform.dense",
    "norm": "cls.predictions.transform.LayerNorm",
    "output": "cls.predictions",
}
TABLES = {
    "GPT2LMHeadModel": GPT2,
    "LlamaForCausalLM": LLAMA,
    "BertModel": BERT,
    "BertForMaskedLM": BERT_FOR_MASKED_TOKENS,
}
# GPT-2 keeps these as (in, out), the transpose of nn.Linear.
TRANSPOSED = tuple(f"{name}.weight" for name in ("c_attn", "c_proj", "c_fc"))
# Constants that older versions saved among the weights, copies of tied ones, heads not asked for.
IGNORED = re.compile(r"(position_ids|inv_freq|attn\.(masked_)?bias)$|^(cls\.|lm_head)")
QUERY_KEY_VALUE = ("query", "key", "value")


def to_transformers(model: Model) -> dict[str, Tensor]:
    """The weights of ``model`` by their names in Transformers, in the shapes there; tied ones once.

    Raises:
        ValueError: if Transformers has no model with these settings.
    """
    architecture = _architecture(model)
    state = model.state_dict()
    renamed = {theirs: state[ours] for ours, theirs in _names(model, architecture).items()}
    if architecture == "GPT2LMHeadModel":
        for attention in _fused(model):
            for kind in ("weight", "bias"):
                parts = [renamed.pop(f"{attention}.{name}.{kind}") for name in QUERY_KEY_VALUE]
                renamed[f"{attention}.c_attn.{kind}"] = torch.cat(parts)
        renamed = {name: _turn(name, tensor) for name, tensor in renamed.items()}
    return {name: tensor.contiguous() for name, tensor in renamed.items()}


def load_weights(model: Model, weights: dict[str, Tensor]) -> None:
    """Fill ``model`` with weights named as in Transformers, with or without the first prefix.

    Each has the shape that it has there; what GPT-2 stores the other way round is turned.

    Raises:
        ValueError: if a weight is missing, or one is there that the model has no place for.
    """
    architecture = _architecture(model)
    weights = {_bare(name): tensor for name, tensor in weights.items()}
    if architecture == "GPT2LMHeadModel":
        weights = {name: _turn(name, tensor) for name, tensor in weights.items()}
        for attention in map(_bare, _fused(model)):
            for kind in ("weight", "bias"):
                fused = weights.pop(f"{attention}.c_attn.{kind}", None)
                if fused is not None:
                    names = [f"{attention}.{name}.{kind}" for name in QUERY_KEY_VALUE]
                    weights |= zip(names, fused.chunk(3), strict=True)
    names = {ours: _bare(theirs) for ours, theirs in _names(model, architecture).items()}
    missing = sorted(set(names.values()) - set(weights))
    surplus = sorted(set(weights) - set(names.values()))
    surplus = [name for name in surplus if not IGNORED.search(name)]
    if missing or surplus:
        raise ValueError(f"these weights do not fit: missing {missing}, without a place {surplus}")
    model.load_state_dict({ours: weights[name] for ours, name in names.items()}, strict=False)


def save_transformers(model: Model, folder: str | Path) -> None:
    """Write ``config.json`` and ``model.safetensors``; a crash leaves no file half written.

    Raises:
        ValueError: if Transformers has no model with these settings.
    """
    weights = to_transformers(model)
    settings = to_transformers_config(model.config) | {"architectures": [_architecture(model)]}
    write(settings, weights, folder)


def write(settings: dict[str, Any], weights: dict[str, Tensor], folder: str | Path) -> None:
    """Write ``config.json`` and ``model.safetensors``, each whole or not at all."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("config.json", json.dumps(settings, indent=2).encode()),
        ("model.safetensors", save(weights, metadata={"format": "pt"})),
    ):
        partial = folder / f"{name}.partial"
        try:
            partial.write_bytes(content)
            os.replace(partial, folder / name)
        finally:
            partial.unlink(missing_ok=True)


def load_transformers(folder: str | Path) -> Model:
    """The GPT-2, Llama or BERT in a folder of Transformers' format, in evaluation mode.

    Raises:
        ValueError: if a setting or a weight is not one that our models have, or a file is damaged.
    """
    folder = Path(folder)
    try:
        settings = json.loads((folder / "config.json").read_text("utf8"))
        weights = load_file(folder / "model.safetensors")
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"a file in {folder} is cut short or altered: save it again") from error
    config = from_transformers_config(settings)
    if not isinstance(config, BertConfig):
        model = GPT(config)
    elif settings.get("architectures") == ["BertForMaskedLM"]:
        model = BertForMaskedTokens(config)
    else:
        model = Bert(config)
    load_weights(model, weights)
    return model.eval()


def load_minilm() -> Bert:
    """all-MiniLM-L6-v2, verified (``llmbook.pretrained``), as our BERT in evaluation mode.

    Raises:
        CorpusError: if its files are missing or not the published ones.
    """
    model = Bert(BertConfig(d_model=384, d_hidden=1536, num_layers=6))
    load_weights(model, minilm_weights())
    return model.eval()


def _architecture(model: Model) -> str:
    kind = to_transformers_config(model.config)["model_type"]
    if isinstance(model, BertForMaskedTokens):
        return "BertForMaskedLM"
    return {"gpt2": "GPT2LMHeadModel", "llama": "LlamaForCausalLM", "bert": "BertModel"}[kind]


def _names(model: Model, architecture: str) -> dict[str, str]:
    """Our parameter's name: theirs. The output layer is left out where it is tied."""
    names = {ours: rename(ours, TABLES[architecture]) for ours in model.state_dict()}
    if architecture == "BertForMaskedLM" or getattr(model.config, "tie_embeddings", False):
        del names["output.weight"]
    return names


def rename(ours: str, table: dict[str, str]) -> str:
    """The name of a parameter by a table of modules in which ``{}`` is the number of a block."""
    module, _, kind = ours.rpartition(".")
    number = re.search(r"blocks\.(\d+)", module)
    if number is None:
        return f"{table[module]}.{kind}"
    return f"{table[module.replace(number[0], 'blocks.{}')].format(number[1])}.{kind}"


def _bare(name: str) -> str:
    return re.sub(r"^(transformer|model|bert)\.", "", name)


def _fused(model: GPT) -> list[str]:
    return [f"transformer.h.{layer}.attn" for layer in range(model.config.num_layers)]


def _turn(name: str, tensor: Tensor) -> Tensor:
    return tensor.T if name.endswith(TRANSPOSED) else tensor
