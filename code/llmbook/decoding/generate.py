"""Greedy and sampled writing, for one prompt or many at once (chapters 6 and 8).

Shapes: ``B`` batch, ``V`` vocabulary size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import torch

from llmbook.decoding.logits import Sampling, check_penalty, penalize_repetition, seen_tokens
from llmbook.decoding.reading import Prompts, as_lists, check_token, open_reader
from llmbook.decoding.stopping import ByteTokenizer, Row, Shown, Stop, Stops, Written
from llmbook.models import GPT, Seq2Seq
from llmbook.models.mode import evaluating


def generate(
    model: GPT | Seq2Seq,
    prompts: Prompts,
    *,
    max_new_tokens: int,
    sampling: Sampling | None = None,
    generator: torch.Generator | None = None,
    repetition_penalty: float = 1.0,
    end_id: int | None = None,
    stop: Sequence[Stop] = (),
    tokenizer: ByteTokenizer | None = None,
    start_id: int | None = None,
    cached: bool = True,
) -> list[Written]:
    """What the model writes after each prompt, the prompts not included.

    Each step penalizes repetition, then takes the most probable token, or with ``sampling`` draws
    one. A row that has ended leaves the batch; the others go on. Greedy, a prompt in a batch gets
    the answer that it gets alone; sampled, it gets other draws of the same generator.

    A row ends when prompt and answer together fill the context: nothing is forgotten to make room.
    The model is in evaluation mode meanwhile, and in its own again afterwards.

    Args:
        prompts: lists of token ids, of any lengths; sources, if the model is a Seq2Seq
        sampling: None is greedy
        generator: what sampling draws from: ``torch.Generator().manual_seed(0)``
        repetition_penalty: of what stands in prompt or answer, not in a source; 1 changes nothing
        end_id: the token that ends an answer
        stop: sequences that end an answer: lists of ids, or strings, which need the ``tokenizer``
        start_id: the token that a target begins with; for a Seq2Seq, and only for it
        cached: False computes all tokens anew for each; the answer is the same

    Raises:
        ValueError: for an empty prompt, one that fills the context, or an impossible setting.
    """
    stops = Stops(stop, tokenizer)
    settings = (max_new_tokens, sampling, generator, repetition_penalty, end_id, start_id, cached)
    rows: list[Row] = []
    for rows in _write(model, as_lists(prompts), stops, *settings):  # noqa: B007
        pass
    return [row.written() for row in rows]


def stream(
    model: GPT,
    tokenizer: ByteTokenizer,
    prompt: str,
    *,
    max_new_tokens: int,
    sampling: Sampling | None = None,
    generator: torch.Generator | None = None,
    repetition_penalty: float = 1.0,
    end_id: int | None = None,
    stop: Sequence[Stop] = (),
    cached: bool = True,
) -> Iterator[str]:
    """The text that follows the prompt, piece by piece: as ``generate``, joined as ``text`` of it.

    A piece comes as soon as it is sure: it never ends inside a character, and holds nothing of a
    stop sequence. Until the last piece, or ``close()``, the model stays in evaluation mode.

    Raises:
        ValueError: as ``generate``, when the first piece is asked for.
    """
    stops = Stops(stop, tokenizer)
    settings = (max_new_tokens, sampling, generator, repetition_penalty, end_id, None, cached)
    shown = Shown(tokenizer, stops)
    for (row,) in _write(model, [tokenizer.encode(prompt)], stops, *settings):
        piece = shown.more(row)
        if piece:
            yield piece


@torch.inference_mode()  # only Python's numbers leave it
def _write(
    model: GPT | Seq2Seq,
    prompts: list[list[int]],
    stops: Stops,
    max_new_tokens: int,
    sampling: Sampling | None,
    generator: torch.Generator | None,
    repetition_penalty: float,
    end_id: int | None,
    start_id: int | None,
    cached: bool,
) -> Iterator[list[Row]]:
    """All rows, after each step."""
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens ({max_new_tokens}) must be at least 1")
    if sampling is not None and generator is None:
        raise ValueError("sampling needs generator=torch.Generator().manual_seed(...) to draw from")
    check_penalty(repetition_penalty)
    check_token(model, "end_id", end_id)
    for token in chain(*stops.ids):
        check_token(model, "stop", token)
    with evaluating(model):
        reader = open_reader(model, prompts, max_new_tokens, start_id, cached)
        rows = [Row(stops, end_id, max_new_tokens, room) for room in reader.room]
        active, logits, seen = rows, reader.start().float(), None
        if repetition_penalty != 1:
            seen = seen_tokens(reader.ids, model.config.vocab_size, reader.mask)
        while True:
            if seen is not None:
                logits = penalize_repetition(logits, seen, repetition_penalty)
            tokens = sampling.draw(logits, generator) if sampling else logits.argmax(-1)  # (B,)
            for row, token in zip(active, tokens.tolist(), strict=True):
                row.add(token)
            yield rows
            kept = [place for place, row in enumerate(active) if row.reason is None]
            if not kept:
                return
            if seen is not None:
                seen.scatter_(1, tokens[:, None], True)
            if len(kept) < len(active):
                active, chosen = [active[place] for place in kept], tokens.new_tensor(kept)
                tokens = tokens[chosen]
                reader.select(chosen)
                seen = None if seen is None else seen[chosen]
            logits = reader.step(tokens).float()
