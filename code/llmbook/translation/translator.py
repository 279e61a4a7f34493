"""Text in, text out: a Seq2Seq that translates between English and Chinese.

One model for both directions: the first token of a source says into which language ("<zh>"), as
Johnson et al. (2017) do for many languages.

Shapes: ``S`` source tokens, ``T`` target tokens, ``V`` vocabulary size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from llmbook.decoding import beam_search, generate
from llmbook.models import Seq2Seq
from llmbook.tokenizers import BPETokenizer
from llmbook.translation.characters import CharacterTokenizer

LANGUAGES = ("en", "zh")
PAD, START, END = "<pad>", "<start>", "<end>"
BATCH = 128  # texts that are translated at once


@dataclass(frozen=True)
class Answer:
    """A translation, and the sum of the log probabilities of its tokens, the end included."""

    text: str
    log_prob: float


class Translator:
    """A model and its tokenizer, whose special tokens are ``recipes.TOKENS``."""

    def __init__(self, model: Seq2Seq, tokenizer: CharacterTokenizer | BPETokenizer) -> None:
        self.model, self.tokenizer = model, tokenizer
        special = tokenizer.special_tokens
        self.start_id, self.end_id = special[START], special[END]

    def translate(self, texts: Sequence[str], to: str = "zh", beams: int = 1) -> list[str]:
        """The translation of each text; with one beam the most probable token at each step.

        Raises:
            ValueError: for a text that is empty, too long, or in characters never seen.
        """
        for text in texts:
            self.check(text)
        if beams == 1:
            return self.write(texts, to)
        return [answers[0].text for answers in self.search(texts, to, beams)]

    def check(self, text: str) -> None:
        """Raise ``ValueError`` if this model cannot read the text; the message says why."""
        most = self.model.config.context_length - 2  # direction and end
        if not text.strip():
            raise ValueError("the text is empty: give a phrase to translate")
        if isinstance(self.tokenizer, CharacterTokenizer):
            unknown = self.tokenizer.unknown(text)
            if unknown:
                shown = ", ".join(map(repr, unknown[:3])) + (", …" if len(unknown) > 3 else "")
                raise ValueError(f"the translator has never seen {shown}: it would only guess")
        length = len(self.tokenizer.encode(text))
        if length > most:
            raise ValueError(
                f"the text has {length:,} tokens, and this translator reads at most {most}: "
                "give it one phrase"
            )

    def source(self, text: str, to: str) -> list[int]:
        """What the encoder reads: the language to write, the text, the end.

        Raises:
            ValueError: if ``to`` is neither "en" nor "zh".
        """
        if to not in LANGUAGES:
            raise ValueError(f"to {to!r} is unknown: choose one of {', '.join(LANGUAGES)}")
        direction = self.tokenizer.special_tokens[f"<{to}>"]
        return [direction, *self.tokenizer.encode(text), self.end_id]

    def target(self, text: str) -> list[int]:
        """What the decoder is trained to write: the start, the text, the end."""
        return [self.start_id, *self.tokenizer.encode(text), self.end_id]

    def write(self, texts: Sequence[str], to: str) -> list[str]:
        """Greedy translations, of texts that are not checked."""
        found: dict[int, str] = {}
        for rows in self._batches(texts):
            written = generate(
                self.model, [self.source(texts[i], to) for i in rows],
                max_new_tokens=self.model.config.context_length,
                start_id=self.start_id, end_id=self.end_id,
            )  # fmt: skip
            found |= {i: self._text(w.ids) for i, w in zip(rows, written, strict=True)}
        return [found[i] for i in range(len(texts))]

    def search(
        self, texts: Sequence[str], to: str, beams: int, length_penalty: float = 0.0
    ) -> list[list[Answer]]:
        """The best ``beams`` answers to each text, not checked, the most probable first.

        ``length_penalty`` is that of ``beam_search``: with 0 the log probability decides.
        """
        found: dict[int, list[Answer]] = {}
        for rows in self._batches(texts):
            searched = beam_search(
                self.model, [self.source(texts[i], to) for i in rows],
                beams=beams, max_new_tokens=self.model.config.context_length,
                length_penalty=length_penalty, start_id=self.start_id, end_id=self.end_id,
            )  # fmt: skip
            for i, hypotheses in zip(rows, searched, strict=True):
                found[i] = [Answer(self._text(h.ids), h.log_prob) for h in hypotheses]
        return [found[i] for i in range(len(texts))]

    @torch.no_grad()
    def log_prob(self, source: str, answer: str, to: str) -> float:
        """Sum of the log probabilities of the answer's tokens, its end included.

        Raises:
            ValueError: if source or answer is longer than the context.
        """
        self.model.eval()
        target = torch.tensor([self.target(answer)])  # (1, T + 1)
        logits = self.model(torch.tensor([self.source(source, to)]), target[:, :-1])  # (1, T, V)
        return float(logits.log_softmax(-1).gather(2, target[:, 1:, None]).sum())

    def _batches(self, texts: Sequence[str]) -> list[list[int]]:
        """Numbers of the texts, the short ones together: less is padded."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        return [order[i : i + BATCH] for i in range(0, len(order), BATCH)]

    def _text(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(i for i in ids if i != self.end_id)
