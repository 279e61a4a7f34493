"""Files in Transformers' format: what does not fit is an error, what is half written leaves none.

That Transformers itself reads and writes them is in ``tests/parity``.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from llmbook.models import (
    GPT,
    Bert,
    BertConfig,
    BertForMaskedTokens,
    GPTConfig,
    load_transformers,
    load_weights,
    save_transformers,
    to_transformers,
)

SIZES = {"vocab_size": 31, "context_length": 12, "d_model": 24, "num_heads": 6, "num_layers": 2}
GPT2, MODERN = GPTConfig.gpt2(**SIZES, dropout=0.25), GPTConfig.modern(**SIZES, rotary_base=500.0)
BERT = BertConfig(**SIZES, d_hidden=40, token_types=3)
MODELS = {
    "gpt2": lambda: GPT(GPT2),
    "gpt2, not tied": lambda: GPT(replace(GPT2, tie_embeddings=False)),
    "llama": lambda: GPT(MODERN),
    "bert": lambda: Bert(BERT),
    "masked bert": lambda: BertForMaskedTokens(replace(BERT, pooler=False)),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_model_comes_back_as_it_was(make, tmp_path: Path) -> None:
    model = make().eval()
    save_transformers(model, tmp_path / "new")
    back = load_transformers(tmp_path / "new")
    assert back.config == model.config and type(back) is type(model) and not back.training
    state = back.state_dict()
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert sorted(os.listdir(tmp_path / "new")) == ["config.json", "model.safetensors"]


def test_names_of_gpt2_and_its_fused_transposed_weights(tmp_path: Path) -> None:
    """c_attn is (D, 3D): query, key, value side by side, each the transpose of nn.Linear's."""
    model = GPT(GPT2)
    save_transformers(model, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    attention = model.stack.blocks[1].attention
    parts = weights["transformer.h.1.attn.c_attn.weight"].split(24, dim=1)
    for part, name in zip(parts, ("query", "key", "value"), strict=True):
        assert torch.equal(part.T, getattr(attention, name).weight)
    assert weights["transformer.h.0.mlp.c_fc.weight"].shape == (24, 96)
    assert "lm_head.weight" not in weights


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_old_names_are_read(make) -> None:
    """Without the first prefix, and with the constants that older versions saved."""
    model, back = make(), make()
    weights = {re.sub("^(transformer|model|bert)[.]", "", name): tensor
               for name, tensor in to_transformers(model).items()}
    extra = ("h.0.attn.bias", "h.0.attn.masked_bias", "embeddings.position_ids",
             "layers.0.self_attn.rotary_emb.inv_freq")
    load_weights(back, weights | {name: torch.ones(2) for name in extra})
    state = back.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_weights_that_do_not_fit_are_an_error(make) -> None:
    model = make()
    weights = to_transformers(model)
    for name in (next(iter(weights)), list(weights)[5], list(weights)[-1]):
        fewer = {key: tensor for key, tensor in weights.items() if key != name}
        with pytest.raises(ValueError, match=r"do not fit: missing \['"):
            load_weights(model, fewer)
    with pytest.raises(ValueError, match=r"missing \[\], without a place \['extra.w'\]"):
        load_weights(model, weights | {"extra.w": torch.ones(1)})


@pytest.mark.parametrize("make", [
    lambda: GPT(replace(GPT2, positions="none")), lambda: GPT(replace(MODERN, bias=True)),
    lambda: GPT(replace(GPT2, num_kv_heads=2)), lambda: GPT(replace(GPT2, activation="swiglu")),
    lambda: Bert(replace(BERT, norm_first=True)), lambda: Bert(replace(BERT, num_kv_heads=1))])
def test_a_model_that_transformers_lacks_is_not_saved(make, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Transformers has no such model: it needs"):
        save_transformers(make(), tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("name", "settings", "message"), [
    ("gpt2", {"model_type": "t5"}, "model_type must be one of .* not 't5'"),
    ("gpt2", {"activation_function": "silu"}, "activation must be one of .* not 'silu'"),
    ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "layer_idx must be False for our gpt2"),
    ("llama", {"attention_bias": True}, "attention_bias must be False for our llama, not True"),
    ("llama", {"head_dim": 8}, r"head_dim must be hidden_size / heads \(4\)"),
    ("llama", {"rope_parameters": {"rope_type": "llama3"}}, "rope_type must be 'default'"),
    ("llama", {"rope_scaling": {"factor": 2.0}}, "rope_scaling must be None for our llama"),
    ("bert", {"position_embedding_type": "relative_key"}, "position_embedding_type must be 'absol"),
    ("bert", {"is_decoder": True}, "is_decoder must be False for our bert, not True")])
def test_settings_that_ours_lack_are_an_error(name, settings, message, tmp_path: Path) -> None:
    save_transformers(MODELS[name](), tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    with pytest.raises(ValueError, match=message):
        load_transformers(tmp_path)


def test_a_config_of_an_older_version_is_read(tmp_path: Path) -> None:
    """Llama's base stood beside the other settings; what is left out has Transformers' default."""
    save_transformers(GPT(MODERN), tmp_path)
    path = tmp_path / "config.json"
    settings = json.loads(path.read_text())
    del settings["rope_parameters"], settings["attention_dropout"]
    path.write_text(json.dumps(settings | {"rope_theta": 500.0, "rope_scaling": None}))
    assert load_transformers(tmp_path).config == MODERN


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_file_cut_short_is_an_error(name: str, share: float, tmp_path: Path) -> None:
    save_transformers(GPT(GPT2), tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="is cut short or altered: save it again"):
        load_transformers(tmp_path)


def test_an_interrupted_save_leaves_the_old_files(tmp_path: Path, monkeypatch) -> None:
    save_transformers(GPT(GPT2), tmp_path)
    old = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}

    def stop(*_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        save_transformers(GPT(GPT2), tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == old
