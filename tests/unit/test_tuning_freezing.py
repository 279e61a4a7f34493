"""What is frozen does not move, nor drop out; what is not, does both."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from llmbook.models import GPT, Bert, BertConfig, GPTConfig
from llmbook.models.mode import evaluating
from llmbook.tuning import Classifier, freeze, trained_parameters, unfreeze

SIZES = {"vocab_size": 30, "context_length": 12, "d_model": 16, "num_heads": 2, "num_layers": 3}
IDS = torch.arange(12).view(2, 6)
LABELS = torch.tensor([0, 1])


def classifier() -> Classifier:
    torch.manual_seed(0)
    return Classifier(Bert(BertConfig(**SIZES, d_hidden=32, dropout=0.3, pooler=False)), 2)


def changed(model: nn.Module, steps: int = 2) -> set[str]:
    """The names of the parameters that training moves; weight decay moves zero gradients too."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(IDS), LABELS).backward()
        optimizer.step()
    return {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}


def names(model: nn.Module, *starts: str) -> set[str]:
    return {name for name, _ in model.named_parameters() if name.startswith(starts)}


EMBEDDINGS, BLOCKS = "encoder.embeddings.", "encoder.stack.blocks."


@pytest.mark.parametrize(("parts", "frozen"), [
    (("encoder",), ("encoder.",)),
    (("embeddings",), (EMBEDDINGS,)),
    ((0, 2), (f"{BLOCKS}0.", f"{BLOCKS}2.")),
    (("embeddings", 0, 1), (EMBEDDINGS, f"{BLOCKS}0.", f"{BLOCKS}1.")),
    (("attention",), tuple(f"{BLOCKS}{i}.attention." for i in range(3))),
    (("attention.query",), tuple(f"{BLOCKS}{i}.attention.query." for i in range(3))),
    (("head",), ("head.",))])
def test_what_is_frozen_stays_and_the_rest_is_trained(parts: tuple, frozen: tuple) -> None:
    """A key's bias moves by weight decay alone, from 0: it stays 0, as softmax does not see it."""
    model = classifier()
    freeze(model, *parts)
    fixed = names(model, *frozen)
    assert fixed and not changed(model) & fixed
    moving = names(model, "") - fixed
    assert moving - changed(model) <= {f"{BLOCKS}{i}.attention.key.bias" for i in range(3)}
    total = sum(p.numel() for p in model.parameters())
    at_rest = sum(p.numel() for name, p in model.named_parameters() if name in fixed)
    assert trained_parameters(model) == total - at_rest


def test_no_part_is_the_whole_model() -> None:
    model = classifier()
    freeze(model)
    assert trained_parameters(model) == 0
    unfreeze(model)
    assert trained_parameters(model) == sum(p.numel() for p in model.parameters())


def test_a_part_of_a_frozen_part_can_be_trained() -> None:
    """The last block of a frozen encoder, its dropout included, and nothing before it."""
    model = classifier()
    freeze(model, "encoder")
    unfreeze(model, 2)
    assert changed(model) >= names(model, f"{BLOCKS}2.feed_forward", "head")
    assert not changed(model) & (names(model, "encoder.") - names(model, f"{BLOCKS}2."))
    blocks = model.encoder.stack.blocks
    assert [block.dropout.training for block in blocks] == [False, False, True]
    assert [block.attention.training for block in blocks] == [False, False, True]


def test_a_frozen_part_is_a_fixed_function_in_training() -> None:
    """Same vectors each time after ``train()``; unfrozen, or without ``freeze``, never the same."""
    model = classifier().train()
    assert not torch.equal(model.pool(IDS), model.pool(IDS))
    freeze(model, "encoder")
    assert torch.equal(model.pool(IDS), model.pool(IDS))
    model.train()
    fixed = model.pool(IDS)
    assert torch.equal(model.pool(IDS), fixed) and model.dropout.training
    assert torch.equal(copy.deepcopy(model).train().pool(IDS), fixed)
    unfreeze(model, "encoder")
    assert not torch.equal(model.pool(IDS), model.pool(IDS))


def test_a_copy_is_unfrozen_by_itself() -> None:
    model = classifier()
    freeze(model, "encoder")
    other = copy.deepcopy(model)
    unfreeze(other, "encoder")
    other.train()
    assert other.encoder.stack.blocks[0].dropout.training
    assert not model.train().encoder.stack.blocks[0].dropout.training


def test_unfreezing_in_evaluation_mode_leaves_dropout_off() -> None:
    model = classifier()
    freeze(model, "encoder")
    model.eval()
    unfreeze(model, "encoder")
    assert not any(module.training for module in model.modules())


def test_a_gradient_that_waits_is_forgotten() -> None:
    """Frozen between backward and step: the optimizer must not take that step."""
    model = classifier()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    F.cross_entropy(model(IDS), LABELS).backward()
    before = model.encoder.embeddings.token.weight.clone()
    freeze(model, "encoder")
    optimizer.step()
    assert torch.equal(model.encoder.embeddings.token.weight, before)


def test_a_tied_weight_is_frozen_and_counted_once() -> None:
    """30 x 16 weights are embedding and output layer of a GPT at once."""
    model = GPT(GPTConfig.gpt2(**SIZES))
    total = sum(p.numel() for p in model.parameters())
    freeze(model, "output")
    assert trained_parameters(model) == total - 30 * 16
    assert not model.embeddings.token.weight.requires_grad


def test_a_name_is_the_nearest_to_the_top() -> None:
    """"output" of a classifier on a GPT is the GPT's, not that of the attention in each block."""
    model = Classifier(GPT(GPTConfig.gpt2(**SIZES, tie_embeddings=False)), 2)
    freeze(model, "output", "up")
    assert {name for name, p in model.named_parameters() if not p.requires_grad} == {
        "encoder.output.weight", *(f"{BLOCKS}{i}.feed_forward.up.{kind}"
                                   for i in range(3) for kind in ("weight", "bias"))}


@pytest.mark.parametrize(("part", "message"), [
    ("bert", "the model has no part 'bert'; at the top it has encoder, dropout, head"),
    ("", "the model has no part ''"), ("ead", "the model has no part 'ead'"),
    (3, "block 3 is outside: the model has blocks 0 to 2"),
    (-1, "block -1 is outside: the model has blocks 0 to 2")])
@pytest.mark.parametrize("change", [freeze, unfreeze])
def test_a_part_that_is_not_there_is_an_error_and_changes_nothing(change, part, message) -> None:
    model = classifier()
    if change is unfreeze:
        freeze(model)
    before = [p.requires_grad for p in model.parameters()]
    with pytest.raises(ValueError, match=message):
        change(model, "head", part)
    assert [p.requires_grad for p in model.parameters()] == before


def test_blocks_need_a_list_of_them() -> None:
    with pytest.raises(ValueError, match="this model has no list of blocks"):
        freeze(nn.Linear(2, 2), 0)


def test_evaluating_restores_a_frozen_part_as_it_was() -> None:
    model = classifier().train()
    freeze(model, 1)
    before = [module.training for module in model.modules()]
    with evaluating(model):
        assert not any(module.training for module in model.modules())
    assert [module.training for module in model.modules()] == before
