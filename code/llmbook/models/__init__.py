"""Whole models, each made of the same blocks (chapters 5 and 6).

``embeddings``           token ids to vectors with positions; settings that all models share
``seq2seq``              the encoder-decoder of 2017
``gpt``                  decoder only: GPT-2, the modern block, and all between
``bert``                 encoder only, with and without a head for masked tokens
``pointer``              a decoder that writes or copies, on a frozen encoder (chapter 8)
``initialization``       the random weights that training begins with
``counting``             parameters and forward FLOPs by formula
``transformers_format``  save for and load from Transformers; MiniLM with its real weights
``transformers_config``  the same for settings
``esm_format``           our encoder with rotary positions as Transformers' ESM, one way

Not here: training (``llmbook.training``), sampling and beams (``llmbook.decoding``).
"""

from llmbook.blocks import StackCache, Trace
from llmbook.models.bert import Bert, BertConfig, BertForMaskedTokens
from llmbook.models.counting import (
    bert_flops,
    bert_parameters,
    gpt_flops,
    gpt_parameters,
    seq2seq_flops,
    seq2seq_parameters,
)
from llmbook.models.esm_format import save_esm, to_esm
from llmbook.models.gpt import GPT, GPTConfig
from llmbook.models.seq2seq import Seq2Seq, Seq2SeqConfig
from llmbook.models.transformers_format import (
    load_minilm,
    load_transformers,
    load_weights,
    save_transformers,
    to_transformers,
)

__all__ = [
    "GPT",
    "Bert",
    "BertConfig",
    "BertForMaskedTokens",
    "GPTConfig",
    "Seq2Seq",
    "Seq2SeqConfig",
    "StackCache",
    "Trace",
    "bert_flops",
    "bert_parameters",
    "gpt_flops",
    "gpt_parameters",
    "load_minilm",
    "load_transformers",
    "load_weights",
    "save_esm",
    "save_transformers",
    "seq2seq_flops",
    "seq2seq_parameters",
    "to_esm",
    "to_transformers",
]
