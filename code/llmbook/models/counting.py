"""How many parameters a model has, and what a forward pass costs, by formula (chapter 6).

A multiplication and an addition are two floating point operations (FLOPs). Only matrix products
are counted, as in Kaplan et al. (2020), section 2.1: norms, softmax and activations are far less.

Shapes: ``B`` batch, ``T`` tokens, ``S`` tokens attended to, ``D`` model width, ``V`` vocabulary.
"""

from __future__ import annotations

from llmbook.blocks import BlockConfig
from llmbook.models.bert import BertConfig
from llmbook.models.embeddings import ModelConfig
from llmbook.models.gpt import GPTConfig
from llmbook.models.seq2seq import Seq2SeqConfig


def gpt_parameters(config: GPTConfig) -> int:
    """Parameters of ``GPT(config)``; a tied output layer is counted once."""
    output = 0 if config.tie_embeddings else config.vocab_size * config.d_model
    return _embeddings(config) + _stack(config) + output


def bert_parameters(config: BertConfig) -> int:
    """Parameters of ``Bert(config)``."""
    width = config.d_model
    pooler = width * width + width if config.pooler else 0
    entrance = _embeddings(config) + config.token_types * width + _norm(config)
    return entrance + _stack(config) + pooler


def seq2seq_parameters(config: Seq2SeqConfig) -> int:
    """Parameters of ``Seq2Seq(config)``."""
    decoder = _stack(config) + config.num_layers * (_attention(config) + _norm(config))
    return _embeddings(config) + _stack(config) + decoder


def gpt_flops(config: GPTConfig, batch: int, length: int) -> int:
    """FLOPs of the forward pass on (B, T) ids, all T x T scores counted, though half are masked."""
    output = 2 * length * config.d_model * config.vocab_size
    return batch * (_stack_flops(config, length) + output)


def bert_flops(config: BertConfig, batch: int, length: int) -> int:
    """FLOPs of the forward pass on (B, T) ids, to the hidden states."""
    return batch * _stack_flops(config, length)


def seq2seq_flops(config: Seq2SeqConfig, batch: int, source: int, target: int) -> int:
    """FLOPs of the forward pass on ids (B, S) and (B, T)."""
    output = 2 * target * config.d_model * config.vocab_size
    cross = config.num_layers * _attention_flops(config, target, source)
    return batch * (_stack_flops(config, source) + _stack_flops(config, target) + cross + output)


def _embeddings(config: ModelConfig) -> int:
    positions = config.context_length if config.positions == "learned" else 0
    return (config.vocab_size + positions) * config.d_model


def _stack(config: ModelConfig) -> int:
    block = _attention(config) + _feed_forward(config) + 2 * _norm(config)
    if config.positions == "relative":
        block += config.num_heads * (2 * config.max_distance + 1)
    return config.num_layers * block + (_norm(config) if config.norm_first else 0)


def _attention(config: BlockConfig) -> int:
    """Query and output are D x D; key and value are D x (their heads times the head width)."""
    width, kv_width = config.d_model, config.kv_heads * config.head_width
    bias = 2 * width + 2 * kv_width if config.bias else 0
    return 2 * width * width + 2 * width * kv_width + bias


def _feed_forward(config: BlockConfig) -> int:
    widenings = 2 if config.activation == "swiglu" else 1
    bias = widenings * config.d_hidden + config.d_model if config.bias else 0
    return (widenings + 1) * config.d_model * config.d_hidden + bias


def _norm(config: BlockConfig) -> int:
    has_bias = config.norm == "layer_norm" and config.bias
    return config.d_model * (2 if has_bias else 1)


def _stack_flops(config: ModelConfig, length: int) -> int:
    matrices = 3 if config.activation == "swiglu" else 2
    feed_forward = 2 * length * matrices * config.d_model * config.d_hidden
    return config.num_layers * (_attention_flops(config, length, length) + feed_forward)


def _attention_flops(config: BlockConfig, queries: int, keys: int) -> int:
    """Projections of T queries and S keys, then T x S scores and as many weighted values."""
    width, kv_width = config.d_model, config.kv_heads * config.head_width
    projections = 2 * queries * 2 * width * width + 2 * keys * 2 * width * kv_width
    return projections + 2 * 2 * queries * keys * width
