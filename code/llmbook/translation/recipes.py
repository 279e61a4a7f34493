"""Pairs of texts to a trained translator, and the translators that ship with the book.

"phrases"  dates, numbers, money and lengths of time, but none that holds one of the four held-out
           phenomena (``corpora.localized_phrases``)
"names"    names from the CLDR and interface messages (``corpora.english_chinese``)

Either is trained on the training splits alone: "phrases" in both directions, "names" to Chinese.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from llmbook import corpora
from llmbook.corpora.sources import sha256
from llmbook.models import Seq2Seq, Seq2SeqConfig
from llmbook.tokenizers import BPETokenizer, train_bpe
from llmbook.training import History, TargetTokens, Trainer, TrainingConfig
from llmbook.translation.batches import AlikeLengths
from llmbook.translation.characters import UNKNOWN, CharacterTokenizer
from llmbook.translation.translator import END, LANGUAGES, PAD, START, Translator

TOKENS = (PAD, START, END, UNKNOWN, *(f"<{language}>" for language in LANGUAGES))
Pair = Any  # a record with ``english`` and ``chinese``


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to make one translator.

    pairs    "phrases", "all phrases" (with the phenomena), "names" (and messages), or "tatoeba",
             for which the reader names a file (``corpora.tatoeba``)
    first    only so many of the training pairs; None: all
    pieces   size of a byte-pair vocabulary; 0: single characters
    model    settings of the Seq2Seq but for its vocabulary
    """

    name: str
    pairs: str
    training: TrainingConfig
    model: Mapping[str, Any]
    first: int | None = None
    pieces: int = 0
    directions: tuple[str, ...] = LANGUAGES

    def split(self, name: str) -> list[Pair]:
        """The pairs of a split that fit the context, in both languages."""
        found = select(self.pairs, name, self.model["context_length"])
        return found[: self.first] if name == "train" else found

    def tokenizer(self) -> CharacterTokenizer | BPETokenizer:
        """Of both languages, from the training texts; pieces if the recipe says how many."""
        texts = [t for pair in self.split("train") for t in (pair.english, pair.chinese)]
        if self.pieces:
            return train_bpe(texts, self.pieces, TOKENS)
        return CharacterTokenizer.of(texts, TOKENS)

    def fingerprints(self) -> dict[str, str]:
        """Of the corpora, as their provenance gives them."""
        return {c.name: c.provenance.fingerprint for c in corpora_of(self.pairs)}

    def describe(self) -> dict[str, Any]:
        """The recipe as JSON holds it."""
        return asdict(self) | {"fingerprints": self.fingerprints()}


def corpora_of(pairs: str) -> list[corpora.Corpus]:
    if pairs == "names":
        return [corpora.english_chinese(kind) for kind in ("names", "messages")]
    if pairs == "tatoeba":
        return [corpora.tatoeba()]
    return [corpora.localized_phrases()]


def select(pairs: str, split: str, context_length: int) -> list[Pair]:
    """The pairs of a split of which both sides fit the context.

    "phrases" leaves out what holds a phenomenon; "names" leaves out of a held-out split what
    stands, in either language, in the training split.
    """
    most = context_length - 2
    found = [
        pair for corpus in corpora_of(pairs) for pair in corpus.split(split)
        if max(len(pair.english), len(pair.chinese)) <= most
    ]  # fmt: skip
    if pairs == "phrases":
        return [pair for pair in found if not pair.phenomenon]
    if pairs == "names" and split != "train":
        known = {plain(t) for p in select(pairs, "train", context_length)
                 for t in (p.english, p.chinese)}  # fmt: skip
        return [p for p in found if not {plain(p.english), plain(p.chinese)} & known]
    if pairs == "names":
        # Mixed, so that the first half is half of each kind.
        return sorted(found, key=lambda pair: sha256(pair.english.encode()))
    return found


def plain(text: str) -> str:
    """Letters and digits alone, in small letters: texts that differ in nothing else are one."""
    return "".join(filter(str.isalnum, text.casefold()))


def examples(
    pairs: Sequence[Pair], translator: Translator, directions: Sequence[str] = LANGUAGES
) -> list[dict[str, list[int]]]:
    """Each pair once for each direction, as "source" and "target" of ``TargetTokens``."""
    found = []
    for pair in pairs:
        sides = {"en": pair.english, "zh": pair.chinese}
        for to in directions:
            other = sides["zh" if to == "en" else "en"]
            found.append({"source": translator.source(other, to),
                          "target": translator.target(sides[to])})  # fmt: skip
    return found


def fit(recipe: Recipe, **options: Any) -> tuple[Translator, History]:
    """Train a translator; ``options`` go to the ``Trainer``. The seed decides its first weights."""
    tokenizer = recipe.tokenizer()
    torch.manual_seed(recipe.training.seed)
    model = Seq2Seq(Seq2SeqConfig(vocab_size=len(tokenizer), **recipe.model))
    translator = Translator(model, tokenizer)
    data = AlikeLengths(
        examples(recipe.split("train"), translator, recipe.directions),
        recipe.training.batch_size, tokenizer.special_tokens[PAD], recipe.training.seed,
    )  # fmt: skip
    trainer = Trainer(model, TargetTokens(0.1), data, recipe.training, **options)
    return translator, trainer.fit()


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="phrases",
            pairs="phrases",
            model={
                "context_length": 48, "d_model": 96, "num_heads": 4, "d_hidden": 192,
                "num_layers": 2, "dropout": 0.0, "norm_first": True,
            },
            training=TrainingConfig(
                steps=6000, batch_size=64, learning_rate=5e-3, final_rate=0.02, warm_up=200,
                weight_decay=0.0, betas=(0.9, 0.98), optimizer="muon",
            ),
        ),
        Recipe(
            name="names",
            pairs="names",
            directions=("zh",),
            model={
                "context_length": 128, "d_model": 96, "num_heads": 4, "d_hidden": 192,
                "num_layers": 2, "dropout": 0.1, "norm_first": True,
            },
            training=TrainingConfig(
                steps=3000, batch_size=32, learning_rate=3e-3, final_rate=0.02, warm_up=200,
                weight_decay=0.0, betas=(0.9, 0.98),
            ),
        ),
    )
}  # fmt: skip
