"""Models that write what a test needs, and a tokenizer of bytes, for the tests of decoding."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from llmbook.models import GPT, GPTConfig
from llmbook.tokenizers import BPETokenizer

END = 256
# Beside the 256 bytes, tokens that hold more than a character, or less.
TOKENS = {b"b\n\nc": 257, "，你".encode(): 258, "你".encode()[1:]: 259}
TOKENIZER = BPETokenizer({bytes([i]): i for i in range(256)} | TOKENS, [], {"<|end|>": END},)


def silent(config: GPTConfig) -> GPT:
    """A GPT whose blocks add nothing: the logits are output(norm(embeddings)), all weights 0."""
    model = GPT(config)
    for name, parameter in model.named_parameters():
        nn.init.constant_(parameter, 1.0 if name.endswith("norm.weight") else 0.0)
    return model.eval()


def scripted(script: list[int], vocab_size: int = 260) -> GPT:
    """Writes ``script[t]`` after the token at position t, whatever the tokens are."""
    width = len(script) + 1
    model = silent(GPTConfig(
        vocab_size=vocab_size, context_length=width, d_model=width, num_heads=1, d_hidden=1,
        num_layers=1, positions="learned", tie_embeddings=False,
    ))  # fmt: skip
    with torch.no_grad():
        model.embeddings.position.weight.copy_(torch.eye(width))
        for place, token in enumerate(script):
            model.output.weight[token, place] = 10.0
    return model


def bigram(probabilities: list[list[float]], context_length: int = 64) -> GPT:
    """After token i, token j has ``probabilities[i][j]``, exactly: a Markov chain as a GPT.

    The embeddings are unit vectors, and RMSNorm of a unit vector is √V times it.
    """
    table = torch.tensor(probabilities)
    size = len(table)
    model = silent(GPTConfig(
        vocab_size=size, context_length=context_length, d_model=size, num_heads=1, d_hidden=1,
        num_layers=1, norm="rms_norm", norm_eps=1e-12, bias=False, tie_embeddings=False,
    ))  # fmt: skip
    with torch.no_grad():
        model.embeddings.token.weight.copy_(torch.eye(size))
        model.output.weight.copy_(table.log().T / size**0.5)
    return model


def uneven(config: GPTConfig, seed: int = 1) -> GPT:
    """Weights from N(0, 0.3²), those of norms around 1; biases from N(0, 0.1²).

    With larger biases, or one matrix at both ends, one token is written again and again.
    """
    torch.manual_seed(seed)
    model = GPT(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            spread = 0.1 if name.endswith("bias") else 0.3
            parameter.normal_(1.0 if "norm.weight" in name else 0.0, spread)
    return model.eval()


def next_logits(model: GPT, ids: list[int]) -> Tensor:
    """The logits (V,) after some tokens, by the whole model, without decoding."""
    with torch.no_grad():
        return model(torch.tensor([ids]))[0, -1]
