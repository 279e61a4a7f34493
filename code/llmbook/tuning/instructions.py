"""Question and answer as one sequence, of which the answer alone is learned (chapter 7).

The objective is ``NextToken``, as in pretraining, with ``labels`` that stand where the ids stand
and are -100 where nothing is learned: on the prompt, which is given when the model is used. The end
token after the answer *is* learned, or the model would never stop.

Prompt and answer are encoded apart, and the ids joined. When the model is used, the prompt is
encoded alone, so these are the ids that it will see. Encoded together, a token may reach over the
boundary, and counting the prompt's tokens would then mask the wrong ones. The space between the
two belongs to the answer: byte-level BPE has tokens such as " yes", and a prompt that ends with a
space would have to go on without one.

Not here: padding (``llmbook.training.Examples`` does it, and learns none), the loss, conversations
of several turns, packing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from llmbook.training import IGNORED

END = "<|endoftext|>"


class Tokenizer(Protocol):
    """What is needed of a tokenizer; ``llmbook.tokenizers.BPETokenizer`` is one."""

    @property
    def special_tokens(self) -> Mapping[str, int]: ...

    def encode(self, text: str) -> list[int]: ...


def prompt_text(question: str) -> str:
    """The template of this book, up to where the model goes on.

    Example: ``prompt_text("1 + 1?") == "Question: 1 + 1?\\nAnswer:"``
    """
    return f"Question: {question.strip()}\nAnswer:"


def encode_instructions(
    tokenizer: Tokenizer,
    pairs: Iterable[tuple[str, str]],
    max_length: int | None = None,
    end: str = END,
) -> list[dict[str, list[int]]]:
    """The "ids" and "labels" of (question, answer) pairs, to be given to ``Examples``.

    The ids are prompt, answer, end token; the labels are the same, but -100 on the prompt. What is
    longer than ``max_length`` loses the end of its answer, and the end token with it: the answer
    did not end there.

    Raises:
        ValueError: for an empty question or answer, a prompt that leaves no room for a token of
            the answer, or a tokenizer without the end token.
    """
    if end not in tokenizer.special_tokens:
        raise ValueError(f"the tokenizer has no special token {end!r}, which ends an answer")
    examples = []
    for i, (question, answer) in enumerate(pairs):
        for name, text in (("question", question), ("answer", answer)):
            if not text.strip():
                raise ValueError(f"the {name} of pair {i} is empty")
        prompt = tokenizer.encode(prompt_text(question))
        learned = [*tokenizer.encode(f" {answer.strip()}"), tokenizer.special_tokens[end]]
        if max_length is not None and len(prompt) >= max_length:
            raise ValueError(
                f"the prompt of pair {i} has {len(prompt)} tokens, so max_length ({max_length}) "
                "leaves nothing of its answer: shorten the question"
            )
        ids = (prompt + learned)[:max_length]
        labels = ([IGNORED] * len(prompt) + learned)[:max_length]
        examples.append({"ids": ids, "labels": labels})
    return examples
