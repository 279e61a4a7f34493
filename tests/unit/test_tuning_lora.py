"""Adapters: nothing at first, one matrix product when merged, and by themselves on disk.

That the numbers are peft's is in ``tests/parity``.
"""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from llmbook.models import GPT, Bert, BertConfig, GPTConfig, load_transformers, save_transformers
from llmbook.tuning import (
    Classifier,
    LoRALinear,
    adapters,
    add_lora,
    freeze,
    load_adapters,
    merge_lora,
    remove_lora,
    save_adapters,
    trained_parameters,
    unmerge_lora,
)

SIZES = {"vocab_size": 30, "context_length": 12, "d_model": 16, "num_heads": 2, "num_layers": 2}
CONFIG = BertConfig(**SIZES, d_hidden=32, dropout=0.3)
IDS = torch.arange(12).view(2, 6)


def near(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def bert() -> Bert:
    torch.manual_seed(0)
    return Bert(CONFIG).eval()


def adapted(rank: int = 4, alpha: float = 6.0, dropout: float = 0.0) -> Bert:
    """A BERT with adapters that do something: B drawn anew."""
    model = bert()
    add_lora(model, rank=rank, alpha=alpha, dropout=dropout)
    with torch.no_grad():
        for adapter in adapters(model).values():
            adapter.B.normal_()
    return model


def test_the_merged_matrix_can_be_checked_by_eye() -> None:
    """A has one entry, 3 at (0, 2); B one, 5 at (1, 0); alpha / rank = 4 / 2: W grows by 30 at
    (1, 2) and nowhere else."""
    linear = nn.Linear(3, 2)
    nn.init.zeros_(linear.weight)
    layer = LoRALinear(linear, rank=2, alpha=4.0)
    assert [name for name, p in layer.named_parameters() if p.requires_grad] == ["A", "B"]
    with torch.no_grad():
        layer.A.zero_()[0, 2] = 3.0
        layer.B.zero_()[1, 0] = 5.0
    x = torch.tensor([[1.0, 10.0, 100.0]])
    near(layer(x), torch.tensor([[0.0, 3000.0]]) + linear.bias)
    layer.merge()
    assert linear.weight.tolist() == [[0.0, 0.0, 0.0], [0.0, 0.0, 30.0]]
    near(layer.eval()(x), torch.tensor([[0.0, 3000.0]]) + linear.bias)


def test_nothing_changes_at_first_and_all_gradients_but_those_of_b_are_zero() -> None:
    """B = 0, so the gradient of A, which passes through B, is 0, and that of B is not."""
    model = bert()
    before = model(IDS)
    add_lora(model)
    assert torch.equal(model(IDS), before)
    model(IDS).square().mean(1)[:, 0].sum().backward()
    for adapter in adapters(model).values():
        assert torch.equal(adapter.A.grad, torch.zeros(8, 16)) and adapter.B.grad.any()
        assert not adapter.B.any() and adapter.A.any()


def test_a_is_uniform_and_drawn_from_the_generator() -> None:
    """±1/sqrt(16): of 6 adapters of 8 x 16 numbers the largest is near 0.25, the spread 0.144."""
    first, second = bert(), bert()
    for model in (first, second):
        add_lora(model, ("query", "key", "value"), generator=torch.Generator().manual_seed(5))
    drawn = torch.cat([adapter.A.flatten() for adapter in adapters(first).values()])
    again = torch.cat([adapter.A.flatten() for adapter in adapters(second).values()])
    assert torch.equal(drawn, again) and len(drawn.unique()) > 700
    assert 0.24 < drawn.abs().max() <= 0.25 and abs(drawn.std() - 0.25 / 3**0.5) < 0.01


def test_adapters_alone_are_trained_and_the_head_of_a_classifier() -> None:
    """2 blocks x query and value x rank 8 x (16 + 16), and the head, 16 x 3 + 3."""
    model = Classifier(bert(), 3)
    add_lora(model.encoder)
    assert trained_parameters(model) == 2 * 2 * 8 * 32 + 51
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
    for _ in range(2):
        optimizer.zero_grad()
        F.cross_entropy(model(IDS), torch.tensor([0, 2])).backward()
        optimizer.step()
    moved = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {n for n in before if n.endswith((".A", ".B")) or n.startswith("head.")}


@pytest.mark.parametrize("kind", ["gpt2", "modern"])
def test_a_gpt_too(kind: str) -> None:
    """Merged and not: the same logits. In the modern block query and value differ in size."""
    torch.manual_seed(0)
    model = GPT(getattr(GPTConfig, kind)(**SIZES)).eval()
    plain = model(IDS)
    add_lora(model, ("query", "value", "down"), rank=3)
    assert len(adapters(model)) == 6
    with torch.no_grad():
        for adapter in adapters(model).values():
            adapter.B.normal_(std=0.1)
    unmerged = model(IDS)
    assert (unmerged - plain).abs().max() > 0.01
    merge_lora(model)
    near(model(IDS), unmerged)


def test_merged_and_unmerged_are_equal_and_unmerging_gives_the_weights_back() -> None:
    model = adapted()
    weights = {path: a.linear.weight.clone() for path, a in adapters(model).items()}
    unmerged = model(IDS)
    merge_lora(model)
    for path, adapter in adapters(model).items():
        assert (adapter.linear.weight - weights[path]).abs().max() > 0.1
    near(model(IDS), unmerged)
    unmerge_lora(model)
    near(model(IDS), unmerged)
    for path, adapter in adapters(model).items():
        near(adapter.linear.weight, weights[path])


def test_merging_twice_or_unmerging_what_is_not_merged_is_an_error() -> None:
    model = adapted()
    with pytest.raises(ValueError, match="this adapter is not merged"):
        unmerge_lora(model)
    merge_lora(model)
    merged = model(IDS)
    with pytest.raises(ValueError, match="merged already: a second time it would count twice"):
        merge_lora(model)
    assert torch.equal(model(IDS), merged)


def test_a_merged_adapter_is_not_trained_without_a_word() -> None:
    model = adapted().train()
    merge_lora(model)
    with pytest.raises(ValueError, match="a merged adapter gets no gradient: unmerge_lora"):
        model(IDS)
    with torch.no_grad():
        model(IDS)
    model.eval()(IDS)


def test_a_merged_state_comes_back_merged() -> None:
    """The flag is part of the state: merged weights on unmerged adapters would count twice."""
    model, other = adapted(), adapted()
    expected = model(IDS)
    merge_lora(model)
    other.load_state_dict(model.state_dict())
    near(other(IDS), expected)
    unmerge_lora(other)
    near(other(IDS), expected)


def test_dropout_acts_on_what_a_reads_in_training_only() -> None:
    """x = 1 in each of 200 columns, A and B all 1, W = 0: without dropout 200; with rate 0.5 each
    row another multiple of 2, near 200."""
    linear = nn.Linear(200, 1, bias=False)
    nn.init.zeros_(linear.weight)
    layer = LoRALinear(linear, 1, 1.0, dropout=0.5)
    nn.init.ones_(layer.A), nn.init.ones_(layer.B)
    x = torch.ones(40, 200)
    assert layer.eval()(x).unique().tolist() == [200.0]
    torch.manual_seed(0)
    found = layer.train()(x)
    assert len(found.unique()) > 5 and torch.equal(found % 2, torch.zeros(40, 1))
    assert abs(found.mean() - 200) < 10


def test_the_models_own_dropout_stays_on_unless_a_part_is_frozen() -> None:
    model = bert().train()
    add_lora(model)
    assert all(module.training for module in model.modules())
    freeze(model, "embeddings")
    assert not model.train().embeddings.dropout.training
    assert model.stack.blocks[0].dropout.training


def test_without_adapters_the_model_is_plain_again(tmp_path: Path) -> None:
    model = adapted()
    expected, names = model(IDS), bert().state_dict().keys()
    merge_lora(model)
    remove_lora(model)
    assert model.state_dict().keys() == names and not adapters(model)
    save_transformers(model, tmp_path)
    near(load_transformers(tmp_path)(IDS), expected)
    lost = adapted()
    remove_lora(lost)
    assert torch.equal(lost(IDS), bert()(IDS))


# Errors


@pytest.mark.parametrize(("settings", "message"), [
    ({"rank": 0}, r"rank \(0\) must be 1 to 16, the smaller side of the weight"),
    ({"rank": 17}, r"rank \(17\) must be 1 to 16"),
    ({"alpha": 0.0}, r"alpha \(0.0\) must be above 0"),
    ({"alpha": float("nan")}, r"alpha \(nan\) must be above 0"),
    ({"dropout": 1.0}, r"dropout \(1.0\) must be at least 0 and below 1"),
    ({"targets": ("query", "q_proj")}, "no linear layer is called 'q_proj'; there are down, key, "
                                       "output, pooler, query, up, value"),
    ({"targets": ("ery",)}, "no linear layer is called 'ery'"),
    ({"targets": ("attention",)}, "no linear layer is called 'attention'"),
    ({"targets": ()}, "targets is empty")])
def test_what_cannot_be_is_an_error_and_changes_nothing(settings: dict, message: str) -> None:
    model = bert()
    with pytest.raises(ValueError, match=message):
        add_lora(model, **settings)
    assert all(p.requires_grad for p in model.parameters()) and not adapters(model)


def test_a_rank_that_one_of_two_layers_lacks_changes_neither() -> None:
    """Grouped heads: query is 16 x 16, value 8 x 16."""
    model = GPT(GPTConfig.modern(**SIZES, num_kv_heads=1))
    with pytest.raises(ValueError, match=r"rank \(12\) must be 1 to 8"):
        add_lora(model, rank=12)
    assert all(p.requires_grad for p in model.parameters()) and not adapters(model)


def test_a_tied_weight_gets_no_adapter() -> None:
    model = GPT(GPTConfig.gpt2(**SIZES))
    with pytest.raises(ValueError, match="the weight of output is tied to another"):
        add_lora(model, ("value", "stack.blocks.0.attention.output", "output"))


def test_adapters_on_adapters_are_an_error() -> None:
    model = adapted()
    with pytest.raises(ValueError, match="the model has adapters already: remove_lora"):
        add_lora(model)


# Files


def test_adapters_come_back_and_nothing_else_is_in_the_file(tmp_path: Path) -> None:
    model, path = adapted(dropout=0.25), tmp_path / "new" / "adapters.safetensors"
    save_adapters(model, path)
    names = {f"stack.blocks.{i}.attention.{n}.{m}"
             for i in range(2) for n in ("query", "value") for m in "AB"}
    assert load_file(path).keys() == names
    assert os.listdir(path.parent) == ["adapters.safetensors"]
    assert path.stat().st_size < 4 * 2 * 2 * 4 * 32 + 2000
    back = bert()
    torch.manual_seed(7)
    load_adapters(back, path)
    drawn = torch.rand(1)
    assert torch.equal(back(IDS), model(IDS))
    first = next(iter(adapters(back).values()))
    assert (first.rank, first.alpha, first.dropout.p) == (4, 6.0, 0.25)
    assert {n for n, p in back.named_parameters() if p.requires_grad} == names
    torch.manual_seed(7)
    assert torch.equal(torch.rand(1), drawn)  # nothing was drawn from the global generator


def test_the_file_is_the_same_merged_or_not(tmp_path: Path) -> None:
    model = adapted()
    save_adapters(model, tmp_path / "one")
    merge_lora(model)
    save_adapters(model, tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_head_of_a_classifier_goes_along_where_it_is_asked_for(tmp_path: Path) -> None:
    model = Classifier(adapted(), 3).eval()
    save_adapters(model, tmp_path / "a", also=["head"])
    torch.manual_seed(1)
    back = Classifier(bert(), 3).eval()
    load_adapters(back, tmp_path / "a")
    assert torch.equal(back(IDS), model(IDS))
    assert trained_parameters(back) == 2 * 2 * 4 * 32 + 51
    with pytest.raises(ValueError, match="the model has no part 'tail' to save"):
        save_adapters(model, tmp_path / "a", also=["tail"])


def rewrite(path: Path, change) -> None:
    """The same file with other content, well-formed."""
    with safe_open(path, framework="pt") as file:
        facts = file.metadata()
    tensors = load_file(path)
    change(facts, tensors)
    save_file(tensors, path, facts)


def set_alpha(facts: dict, tensors: dict) -> None:
    facts["settings"] = facts["settings"].replace("6.0", "9.0")


def set_number(facts: dict, tensors: dict) -> None:
    next(iter(tensors.values()))[0, 0] += 1


def swap_names(facts: dict, tensors: dict) -> None:
    first, second = [name for name in tensors if name.endswith("A")][:2]
    tensors[first], tensors[second] = tensors[second], tensors[first]


def set_type(facts: dict, tensors: dict) -> None:
    name = next(iter(tensors))
    tensors[name] = tensors[name].view(torch.int32)


@pytest.mark.parametrize("change", [set_alpha, set_number, swap_names, set_type])
def test_a_tampered_file_is_refused(change, tmp_path: Path) -> None:
    save_adapters(adapted(), tmp_path / "a")
    rewrite(tmp_path / "a", change)
    model = bert()
    with pytest.raises(ValueError, match=r"is not as it was saved \(its sha256 differs\)"):
        load_adapters(model, tmp_path / "a")
    assert not adapters(model) and all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("share", [0, 0.1, 0.9])
def test_a_file_cut_short_is_refused(share: float, tmp_path: Path) -> None:
    save_adapters(adapted(), tmp_path / "a")
    whole = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="is cut short or holds no LoRA adapters"):
        load_adapters(bert(), tmp_path / "a")


@pytest.mark.parametrize("facts", [None, {"format": "pt"}, {"settings": "{"}, {"settings": "[]"},
                                   {"settings": '{"kind": "skip-gram", "sha256": ""}'}])
def test_another_safetensors_file_is_refused(facts: dict | None, tmp_path: Path) -> None:
    save_file({"weight": torch.ones(2)}, tmp_path / "a", facts)
    with pytest.raises(ValueError, match="is cut short or holds no LoRA adapters"):
        load_adapters(bert(), tmp_path / "a")
    with pytest.raises(FileNotFoundError):
        load_adapters(bert(), tmp_path / "b")


def larger(**settings) -> Bert:
    return Bert(BertConfig(**SIZES | {"d_hidden": 32} | settings))


@pytest.mark.parametrize(("make", "message"), [
    (lambda: larger(d_model=32), r"stack.blocks.0.attention.query.A is \(4, 16\) in the file, and "
                                 r"\(4, 32\) here"),
    (lambda: larger(num_layers=1), r"stack.blocks.1.attention.query.A is \(4, 16\) in the file, "
                                   "and nothing here"),
    (lambda: nn.Linear(3, 3), "nothing here"),
    (adapted, "the model has adapters already")])
def test_a_model_of_another_shape_is_refused(make, message: str, tmp_path: Path) -> None:
    save_adapters(adapted(), tmp_path / "a")
    model = make()
    before = [p.requires_grad for p in model.parameters()], model.state_dict().keys()
    with pytest.raises(ValueError, match=message):
        load_adapters(model, tmp_path / "a")
    assert ([p.requires_grad for p in model.parameters()], model.state_dict().keys()) == before


def test_a_head_of_another_shape_is_refused(tmp_path: Path) -> None:
    save_adapters(Classifier(adapted(), 3), tmp_path / "a", also=["head"])
    model = Classifier(bert(), 4)
    with pytest.raises(ValueError, match=r"head.bias is \(3,\) in the file, and \(4,\) here"):
        load_adapters(model, tmp_path / "a")
    assert not adapters(model)
    with pytest.raises(ValueError, match=r"in the file, and nothing here"):
        load_adapters(bert(), tmp_path / "a")


def test_a_model_without_adapters_has_nothing_to_save(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the model has no adapters to save"):
        save_adapters(bert(), tmp_path / "a")
    assert os.listdir(tmp_path) == []


def test_an_interrupted_save_leaves_the_old_file(tmp_path: Path, monkeypatch) -> None:
    save_adapters(adapted(), tmp_path / "a")
    old = (tmp_path / "a").read_bytes()

    def stop(*_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        save_adapters(adapted(rank=2), tmp_path / "a")
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_bytes() == old


def test_a_copy_has_adapters_of_its_own() -> None:
    model = adapted()
    other = copy.deepcopy(model)
    merge_lora(other)
    near(other(IDS), model(IDS))
    assert not any(a.merged for a in adapters(model).values())
    assert json.dumps(sorted(adapters(other))) == json.dumps(sorted(adapters(model)))
