"""What decays and what does not, each weight once; Muon for the matrices inside blocks."""

from __future__ import annotations

from itertools import chain

import pytest
import torch
from torch import nn

from llmbook.models import (
    GPT,
    BertConfig,
    BertForMaskedTokens,
    GPTConfig,
    Seq2Seq,
    Seq2SeqConfig,
)
from llmbook.training import TrainingConfig, make_optimizers, parameter_groups

SIZES = {"vocab_size": 30, "context_length": 12, "d_model": 16, "num_layers": 2, "num_heads": 4}
BERT = {**SIZES, "d_hidden": 32, "token_types": 2}
MODELS = {
    "gpt2": GPT(GPTConfig.gpt2(**SIZES)),
    "modern": GPT(GPTConfig.modern(**SIZES, tie_embeddings=False)),
    "bert": BertForMaskedTokens(BertConfig(**BERT)),
    "seq2seq": Seq2Seq(Seq2SeqConfig(**{**SIZES, "d_hidden": 32})),
}
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def one_step(model: nn.Module, gradient: float = 0.0, **settings) -> dict[str, torch.Tensor]:
    """The weights before, after one step with this gradient everywhere; rate 0.5."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    config = TrainingConfig(steps=1, learning_rate=0.5, **settings)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, gradient)
    for optimizer in make_optimizers(model, config):
        optimizer.step()
    return before


def test_the_groups_of_a_gpt() -> None:
    groups = parameter_groups(MODELS["gpt2"])
    block = [
        f"stack.blocks.{layer}.{part}.weight"
        for layer in range(2)
        for part in ("attention.query", "attention.key", "attention.value", "attention.output",
                     "feed_forward.up", "feed_forward.down")
    ]  # fmt: skip
    assert sorted(groups["block matrices"]) == sorted(block)
    assert groups["matrices"] == []
    assert {"embeddings.token.weight", "embeddings.position.weight", "stack.norm.weight",
            "stack.blocks.0.attention.query.bias"} <= set(groups["rest"])  # fmt: skip


def test_the_groups_of_the_others() -> None:
    assert parameter_groups(MODELS["modern"])["matrices"] == ["output.weight"]
    bert = parameter_groups(MODELS["bert"])
    assert bert["matrices"] == ["bert.pooler.weight", "transform.weight"]
    assert {"bert.embeddings.token.weight", "bert.embeddings.token_type.weight",
            "output.bias"} <= set(bert["rest"])  # fmt: skip
    assert "output.weight" not in chain(*bert.values())  # tied: it is the token embedding
    seq2seq = parameter_groups(MODELS["seq2seq"])
    assert "decoder.blocks.1.memory_attention.query.weight" in seq2seq["block matrices"]
    assert seq2seq["matrices"] == []


def test_relative_positions_do_not_decay() -> None:
    """The table of distances and heads is a matrix in a block, and no map."""
    config = BertConfig(**BERT, positions="relative")
    groups = parameter_groups(BertForMaskedTokens(config))
    tables = [name for names in groups.values() for name in names if "relative" in name]
    assert tables and set(tables) <= set(groups["rest"])


@every_model
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_each_trained_tensor_is_in_one_group_of_one_optimizer(model: nn.Module, optimizer) -> None:
    optimizers = make_optimizers(model, TrainingConfig(steps=1, optimizer=optimizer))
    held = [id(p) for o in optimizers for group in o.param_groups for p in group["params"]]
    assert sorted(held) == sorted({id(p) for p in model.parameters()})


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_without_a_gradient_matrices_shrink_and_the_rest_stays(optimizer: str) -> None:
    """One step of rate 0.5 and decay 0.2 multiplies a matrix by 1 - 0.1, once."""
    model = GPT(GPTConfig.gpt2(**SIZES, tie_embeddings=False))
    decays = {name for kind in ("block matrices", "matrices")
              for name in parameter_groups(model)[kind]}  # fmt: skip
    assert "output.weight" in decays
    before = one_step(model, weight_decay=0.2, optimizer=optimizer)
    for name, parameter in model.named_parameters():
        expected = before[name] * (0.9 if name in decays else 1.0)
        torch.testing.assert_close(parameter.detach(), expected, rtol=1e-6, atol=1e-9)


def test_a_tied_matrix_decays_once() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    before = one_step(model, weight_decay=0.2)
    torch.testing.assert_close(model[1].weight.detach(), before["0.weight"] * 0.9)


def test_frozen_parameters_are_left_out() -> None:
    model = GPT(GPTConfig.gpt2(**SIZES))
    model.embeddings.requires_grad_(False)
    names = list(chain(*parameter_groups(model).values()))
    assert names and not [name for name in names if name.startswith("embeddings")]
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="no parameter requires a gradient: there is nothing"):
        make_optimizers(model, TrainingConfig(steps=1))


def test_muon_takes_the_matrices_of_blocks_alone() -> None:
    model = MODELS["modern"]
    adamw, muon = make_optimizers(model, TrainingConfig(steps=1, optimizer="muon"))
    assert isinstance(adamw, torch.optim.AdamW) and isinstance(muon, torch.optim.Muon)
    names = {id(p): name for name, p in model.named_parameters()}
    held = [names[id(p)] for group in muon.param_groups for p in group["params"]]
    assert sorted(held) == sorted(parameter_groups(model)["block matrices"])


def test_an_update_of_muon_is_orthogonal_and_as_large_as_adams() -> None:
    """Its singular values are near 0.2 √16 times the rate: Newton-Schulz stops at 0.7 to 1.2."""
    model = GPT(GPTConfig.modern(**SIZES))
    name = "stack.blocks.0.attention.query.weight"
    weight = dict(model.named_parameters())[name]
    torch.manual_seed(0)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    before = weight.detach().clone()
    settings = {"learning_rate": 0.5, "weight_decay": 0.0, "optimizer": "muon"}
    for optimizer in make_optimizers(model, TrainingConfig(steps=1, **settings)):
        optimizer.step()
    singular = torch.linalg.svdvals(before - weight.detach()) / (0.5 * 0.2 * 16**0.5)
    assert singular.min() > 0.5 and singular.max() < 1.3


def test_the_settings_arrive() -> None:
    config = TrainingConfig(steps=1, learning_rate=0.3, betas=(0.8, 0.7), weight_decay=0.4)
    (adamw,) = make_optimizers(MODELS["gpt2"], config)
    assert [group["weight_decay"] for group in adamw.param_groups] == [0.4, 0.0]
    assert all(group["lr"] == 0.3 and group["betas"] == (0.8, 0.7)
               for group in adamw.param_groups)  # fmt: skip
