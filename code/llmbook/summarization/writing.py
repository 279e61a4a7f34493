"""A summary from a trained decoder: greedy or by beam search (chapter 8).

Shapes: ``B`` batch, ``S`` source tokens, ``T`` target tokens, ``V`` vocabulary size.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from llmbook.decoding.beam import Hypothesis, check_beams, search
from llmbook.models.mode import evaluating
from llmbook.models.pointer import Mixture, PointerDecoder
from llmbook.summarization.reading import CachedPairs
from llmbook.tokenizers import minilm_tokenizer

BEFORE = re.compile(r"\s+([.,;:!?%)\]])")
AFTER = re.compile(r"([(\[])\s+")
TIGHT = re.compile(r"(?<=\w)\s*([-_/'])\s*(?=\w)")


class PointerReader:
    """Sources into a ``PointerDecoder``; what comes back are log probabilities (B, V).

    See ``llmbook.decoding.reading``. Never written: what is in ``never``, and a token that would
    make a run of three tokens stand twice (Paulus et al. 2018, section 2.5).
    """

    def __init__(
        self, model: PointerDecoder, batch: dict[str, Tensor], never: Sequence[int], start_id: int,
        cached: bool = True,
    ) -> None:  # fmt: skip
        self.model, self.never = model, list(never)
        self.source = model.read(batch["source"], batch["hidden"], batch["source_mask"])
        count = len(batch["source"])
        self.room = [model.config.context_length] * count
        self.ids = batch["source"].new_full((count, 1), start_id)
        self.cache = model.new_cache() if cached else None
        self.mixture: Mixture | None = None  # of the last step

    def start(self) -> Tensor:
        return self._read(self.ids)

    def step(self, tokens: Tensor) -> Tensor:
        self.ids = torch.cat((self.ids, tokens[:, None]), dim=1)
        return self._read(self.ids if self.cache is None else self.ids[:, -1:])

    def select(self, rows: Tensor) -> None:
        self.source = type(self.source)(*(part[rows] for part in self.source))
        self.ids = self.ids[rows]
        if self.cache is not None:
            self.cache.select(rows)

    def _read(self, ids: Tensor) -> Tensor:
        self.mixture = self.model.mix(ids, self.source, self.cache)
        last = Mixture(*(part[:, -1:] for part in self.mixture))
        chances = self.model.probabilities(last, self.source)[:, 0]
        chances[:, self.never] = 0
        for row, tokens in enumerate(self.ids.tolist()):
            chances[row, repeating(tokens)] = 0
        return chances.clamp(min=1e-30).log()


def repeating(tokens: Sequence[int]) -> list[int]:
    """What would make the last three tokens a run that stood before."""
    last = list(tokens[-2:])
    return [tokens[i + 2] for i in range(len(tokens) - 2) if list(tokens[i : i + 2]) == last]


@torch.inference_mode()
def write(
    model: PointerDecoder,
    sources: Sequence[list[int]],
    hidden: Sequence[Tensor],
    *,
    beams: int = 1,
    length_penalty: float = 1.0,
    batch_size: int = 32,
    max_new_tokens: int = 30,
    cached: bool = True,
) -> list[list[int]]:
    """Token ids of the best summary of each source, in their order; without the end token.

    With one beam it is greedy: the most probable token, again and again.

    Raises:
        ValueError: for a number of beams that cannot be.
    """
    found = hypotheses(model, sources, hidden, beams, length_penalty, batch_size, max_new_tokens,
                       cached)  # fmt: skip
    end = minilm_tokenizer().special_tokens["[SEP]"]
    best = [found_of[0].ids for found_of in found]
    return [ids[:-1] if ids[-1] == end else ids for ids in best]


@torch.inference_mode()
def hypotheses(
    model: PointerDecoder,
    sources: Sequence[list[int]],
    hidden: Sequence[Tensor],
    beams: int,
    length_penalty: float = 1.0,
    batch_size: int = 32,
    max_new_tokens: int = 30,
    cached: bool = True,
) -> list[list[Hypothesis]]:
    """The ``beams`` best summaries of each source, the best first, as ``decoding.beam_search``."""
    check_beams(model.config.vocab_size, beams, max_new_tokens)
    special = minilm_tokenizer().special_tokens
    never = [i for token, i in special.items() if token != "[SEP]"]
    data = CachedPairs(sources, hidden, [[0]] * len(sources))
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    found: list[list[Hypothesis]] = [[] for _ in sources]
    with evaluating(model):
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            reader = PointerReader(model, data.collate(chosen), never, special["[CLS]"], cached)
            # One beam and no length penalty: what goes on is never better than what has ended.
            penalty = length_penalty if beams > 1 else 0.0
            results = search(reader, beams, max_new_tokens, penalty, special["[SEP]"])
            for i, result in zip(chosen, results, strict=True):
                found[i] = result
    return found


def tidy(ids: Sequence[int]) -> str:
    """Token ids as text: no space before a full stop, a capital letter at the beginning."""
    text = TIGHT.sub(r"\1", AFTER.sub(r"\1", BEFORE.sub(r"\1", minilm_tokenizer().decode(ids))))
    return text[:1].upper() + text[1:]
