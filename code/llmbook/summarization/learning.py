"""How a decoder is trained on frozen hidden states: the shipped one, and variants of it.

Chapter 8; ``python -m llmbook.summarization`` trains and ships, ``llmbook.studies.summaries`` asks
what each part is worth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from llmbook.models import Bert, load_minilm
from llmbook.models.pointer import PointerConfig, PointerDecoder
from llmbook.summarization.objective import PointedTokens
from llmbook.summarization.pairs import Pair, pairs
from llmbook.summarization.reading import (
    CachedPairs,
    hidden_states,
    rows_of,
    vectors_of,
)
from llmbook.tokenizers import minilm_tokenizer
from llmbook.training import HeldOut, History, Trainer, TrainingConfig


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a decoder learns from, and how.

    named      whether a source begins with the name of what is documented
    short      whether pairs with a short body, or none, are trained on too
    share      of the training pairs, every 1/share-th
    encoder    "MiniLM", or "random": the same network before any training
    copying    whether there is a pointer
    frequent   G, the tokens that can be generated
    dropout    of the decoder
    precision  of training, and of the encoder there; summaries are written in float32
    """

    steps: int
    named: bool = True
    short: bool = False
    share: float = 1.0
    encoder: str = "MiniLM"
    copying: bool = True
    frequent: int = 4000
    dropout: float = 0.2
    learning_rate: float = 4e-3
    precision: str = "bfloat16"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.encoder not in ("MiniLM", "random"):
            raise ValueError(f"encoder must be MiniLM or random, not {self.encoder!r}")
        if not 0 < self.share <= 1:
            raise ValueError(f"share ({self.share}) must be above 0 and at most 1")
        self.training()  # checks its numbers now, and not after minutes of reading

    def training(self) -> TrainingConfig:
        return TrainingConfig(
            steps=self.steps, batch_size=32, learning_rate=self.learning_rate, final_rate=0.02,
            warm_up=self.steps // 20, precision=self.precision, optimizer="muon", seed=self.seed,
            evaluate_every=max(1, self.steps // 8),
        )  # fmt: skip

    def pairs(self) -> list[Pair]:
        """What is trained on."""
        known = pairs()
        chosen = list(known.train[:: round(1 / self.share)])
        return chosen + list(known.short) if self.short else chosen


@cache
def encoder_of(kind: str) -> Bert:
    """MiniLM, or the same architecture with its first, random weights."""
    trained = load_minilm()
    if kind == "MiniLM":
        return trained
    torch.manual_seed(0)
    return Bert(trained.config).eval()


def frequent_tokens(targets: Sequence[Sequence[int]], most: int) -> Tensor:
    """The ``most`` token ids that occur in most targets, in order of id; [SEP] is always one."""
    special = minilm_tokenizer().special_tokens
    counts = Counter(i for target in targets for i in set(target))
    for i in special.values():
        counts.pop(i, None)
    chosen = [i for i, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    return torch.tensor(sorted([special["[SEP]"], *chosen[: most - 1]]))


def new_decoder(config: PointerConfig, written: Tensor) -> PointerDecoder:
    """A decoder that shares MiniLM's word vectors; torch's seed decides its weights."""
    special = torch.tensor(sorted(minilm_tokenizer().special_tokens.values()))
    return PointerDecoder(config, vectors_of(encoder_of("MiniLM")), written, special)


def cached(recipe: Recipe, chosen: Sequence[Pair], seed: int = 0) -> CachedPairs:
    """Pairs, read by the recipe's encoder."""
    sources, targets = rows_of(chosen, recipe.named)
    hidden = hidden_states(encoder_of(recipe.encoder), sources, recipe.precision)
    return CachedPairs(sources, hidden, targets, seed)


def held_out(data: CachedPairs, batch_size: int = 48) -> HeldOut:
    """All pairs of ``data``, in their order."""
    order = range(len(data.sources))
    return HeldOut(tuple(data.collate(order[i : i + batch_size])
                         for i in range(0, len(order), batch_size)))  # fmt: skip


def trainer(
    decoder: PointerDecoder, data: CachedPairs, recipe: Recipe, check: HeldOut | None = None,
    quiet: bool = True,
) -> Trainer:  # fmt: skip
    """The book's loop, ready to train a decoder on pairs; ``check`` is looked at now and then."""
    objective = PointedTokens(decoder.written, decoder.special, recipe.copying)
    evaluate = {"held-out packages": check} if check else {}
    return Trainer(decoder, objective, data, recipe.training(), evaluate=evaluate, quiet=quiet)


def learn(
    recipe: Recipe, quiet: bool = True, data: CachedPairs | None = None
) -> tuple[PointerDecoder, History]:
    """Train one decoder, in evaluation mode when it comes back; ``data`` if it is read already."""
    if data is None:
        data = cached(recipe, recipe.pairs(), recipe.seed)
    written = frequent_tokens(data.targets, recipe.frequent)
    torch.manual_seed(recipe.seed)
    decoder = new_decoder(PointerConfig(copying=recipe.copying, dropout=recipe.dropout), written)
    check = held_out(cached(recipe, pairs().validation))
    history = trainer(decoder, data, recipe, check, quiet).fit()
    return decoder.eval(), history
