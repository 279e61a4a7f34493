"""The formulas for parameters and FLOPs against the models themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from llmbook.models import (
    GPT,
    Bert,
    BertConfig,
    GPTConfig,
    Seq2Seq,
    Seq2SeqConfig,
    bert_flops,
    bert_parameters,
    gpt_flops,
    gpt_parameters,
    seq2seq_flops,
    seq2seq_parameters,
)

SIZES = {"vocab_size": 31, "context_length": 12, "d_model": 24, "num_heads": 6, "num_layers": 3}
GPT2, MODERN = GPTConfig.gpt2(**SIZES), GPTConfig.modern(**SIZES)
BERT = BertConfig(**SIZES, d_hidden=40)
SEQ2SEQ = Seq2SeqConfig(**SIZES, d_hidden=40)


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def flops(model: nn.Module, *ids: torch.Tensor) -> int:
    """Counted by torch, which on a CPU knows attention only as the products it is made of."""
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model.eval()(*ids)
    return counter.get_total_flops()


@pytest.mark.parametrize("config", [
    GPT2, MODERN, replace(GPT2, tie_embeddings=False, positions="none"),
    replace(GPT2, positions="relative", max_distance=5),
    replace(GPT2, bias=False), replace(MODERN, bias=True, num_kv_heads=1, positions="learned"),
    replace(GPT2, norm_first=False, positions="sinusoidal", norm="rms_norm")])
def test_gpt(config: GPTConfig) -> None:
    model = GPT(config)
    assert gpt_parameters(config) == parameters(model)
    assert gpt_flops(config, 2, 7) == flops(model, torch.randint(31, (2, 7)))


@pytest.mark.parametrize("config", [
    BERT, replace(BERT, pooler=False, token_types=3), replace(BERT, norm_first=True, bias=False)])
def test_bert(config: BertConfig) -> None:
    model = Bert(config)
    assert bert_parameters(config) == parameters(model)
    assert bert_flops(config, 2, 7) == flops(model, torch.randint(31, (2, 7)))


@pytest.mark.parametrize("config", [
    SEQ2SEQ, replace(SEQ2SEQ, norm_first=True, positions="relative"),
    replace(SEQ2SEQ, positions="learned", activation="swiglu", num_kv_heads=2, bias=False)])
def test_seq2seq(config: Seq2SeqConfig) -> None:
    model = Seq2Seq(config)
    assert seq2seq_parameters(config) == parameters(model)
    ids = torch.randint(31, (2, 7)), torch.randint(31, (2, 5))
    assert seq2seq_flops(config, 2, 7, 5) == flops(model, *ids)


def test_known_models() -> None:
    """By their published files: GPT-2 124 439 808, BERT base 109 482 240, MiniLM-L6 22 713 216."""
    assert gpt_parameters(GPTConfig.gpt2()) == 124_439_808
    assert bert_parameters(BertConfig()) == 109_482_240
    assert bert_parameters(BertConfig(d_model=384, d_hidden=1536, num_layers=6)) == 22_713_216
