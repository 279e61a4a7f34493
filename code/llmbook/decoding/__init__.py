"""From logits to text: how a model writes, one token after the other (chapters 6 and 8).

``logits``    temperature, top-k, top-p, repetition penalty, and their order: ``Sampling``
``generate``  greedy or sampled, for prompts of any lengths at once; ``stream`` tells text at once
``beam``      the most probable answers, by beam search
``stopping``  end token, stop sequences, and text that never shows half a character
``reading``   prompts and tokens into a GPT or a Seq2Seq, with a key-value cache or without
``step``      one token through a GPT, fast

Not here: beam search that samples, n-gram blocking, speculative decoding, stop sequences in a beam
search. Shapes: ``B`` batch, ``T`` tokens, ``V`` vocabulary size.
"""

from llmbook.decoding.beam import Hypothesis, beam_search
from llmbook.decoding.generate import generate, stream
from llmbook.decoding.logits import (
    Sampling,
    apply_temperature,
    keep_top_k,
    keep_top_p,
    penalize_repetition,
    seen_tokens,
)
from llmbook.decoding.stopping import Written

__all__ = [
    "Hypothesis",
    "Sampling",
    "Written",
    "apply_temperature",
    "beam_search",
    "generate",
    "keep_top_k",
    "keep_top_p",
    "penalize_repetition",
    "seen_tokens",
    "stream",
]
