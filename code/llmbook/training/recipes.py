"""The models that ship with the book: text, tokenizer, model and training of each (chapter 6).

The text is the documentation strings of the installed packages and the sample of Wikipedia, their
training splits; nothing of the other splits is seen by the tokenizer or the model.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from llmbook import corpora
from llmbook.models import GPT, BertConfig, BertForMaskedTokens, GPTConfig
from llmbook.tokenizers import BPETokenizer, train_bpe
from llmbook.training.config import TrainingConfig
from llmbook.training.data import TokenWindows
from llmbook.training.evaluation import HeldOut
from llmbook.training.objectives import MaskedTokens, NextToken, Objective

END = "<|endoftext|>"
CORPORA = {"documentation": corpora.docstrings, "Wikipedia": corpora.wikipedia}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to make one model.

    texts           names of the corpora whose training splits are the text
    first           only so many records of each corpus and split; 0: all
    special_tokens  they come last in the vocabulary
    around          the special tokens before and after each document; "": none
    mask_rate       share of tokens to hide; 0: a model that predicts the next token
    quick_look      every n-th window of a held-out text is looked at during training
    """

    name: str
    model: GPTConfig | BertConfig
    training: TrainingConfig
    texts: tuple[str, ...] = ("documentation", "Wikipedia")
    first: int = 0
    special_tokens: tuple[str, ...] = (END,)
    around: tuple[str, str] = ("", END)
    mask_rate: float = 0.0
    quick_look: int = 1

    def documents(self, text: str, split: str) -> list[str]:
        """The documents of one corpus and split, in its order: neighbours share their module."""
        records = CORPORA[text]().split(split)
        return [record.text for record in records[: self.first or None]]

    def fingerprints(self) -> dict[str, str]:
        """Of the corpora, as their provenance gives them."""
        return {text: CORPORA[text]().provenance.fingerprint for text in self.texts}


class Ingredients:
    """What a recipe takes: tokenizer, model, data and held-out texts, made when they are needed."""

    def __init__(self, recipe: Recipe, tokenizer: BPETokenizer | None = None) -> None:
        self.recipe = recipe
        if tokenizer is not None:
            self.tokenizer = tokenizer

    @cached_property
    def tokenizer(self) -> BPETokenizer:
        """Byte-level BPE, trained on the training text."""
        texts = (t for name in self.recipe.texts for t in self.recipe.documents(name, "train"))
        size = self.recipe.model.vocab_size
        tokenizer = train_bpe(texts, size, self.recipe.special_tokens)
        if len(tokenizer) != size:
            raise ValueError(
                f"the text gives {len(tokenizer)} tokens, and vocab_size is {size}: take more text"
            )
        return tokenizer

    def encode(self, documents: list[str]) -> Tensor:
        """All documents as one row of ids (N,), with the special tokens around each."""
        before, after = (
            [self.tokenizer.special_tokens[token]] if token else [] for token in self.recipe.around
        )
        ids = list(after)  # the first document, too, begins after the end of another
        for document in documents:
            ids += before + self.tokenizer.encode(document) + after
        return torch.tensor(ids, dtype=torch.int32)

    def token_bytes(self) -> Tensor:
        """How many bytes of text each id stands for (V,), special tokens 0."""
        lengths = [len(token) for token in self.tokenizer.tokens(range(len(self.tokenizer)))]
        for i in self.tokenizer.special_tokens.values():
            lengths[i] = 0
        return torch.tensor(lengths)

    def objective(self) -> Objective:
        if not self.recipe.mask_rate:
            return NextToken()
        special = self.tokenizer.special_tokens
        return MaskedTokens(
            mask_id=special["[MASK]"],
            vocab_size=len(self.tokenizer),
            special_ids=tuple(special.values()),
            rate=self.recipe.mask_rate,
        )

    def model(self) -> nn.Module:
        """A model with its first weights, which the seed of the training decides."""
        torch.manual_seed(self.recipe.training.seed)
        return new_model(self.recipe.model)

    def data(self) -> TokenWindows:
        documents = [t for name in self.recipe.texts for t in self.recipe.documents(name, "train")]
        return TokenWindows(self.encode(documents), self.window, self.recipe.training.seed)

    @property
    def window(self) -> int:
        context = self.recipe.model.context_length
        return context if self.recipe.mask_rate else context + 1

    def held_out(self, split: str = "validation", whole: bool = False) -> dict[str, HeldOut]:
        """Each held-out text, named as its corpus.

        ``whole``: all of it, each token read after at least half a context. Otherwise a part, in
        windows that each begin anew, which is what training can afford to look at.
        """
        masked = bool(self.recipe.mask_rate)
        shared = 0 if masked else 1
        if whole and not masked:
            shared = self.recipe.model.context_length // 2
        return {
            name: HeldOut.windows(
                self.encode(self.recipe.documents(name, split)),
                self.window,
                shared=shared,
                token_bytes=None if masked else self.token_bytes(),
                every=1 if whole else self.recipe.quick_look,
            )
            for name in self.recipe.texts
        }


def new_model(config: GPTConfig | BertConfig) -> nn.Module:
    return GPT(config) if isinstance(config, GPTConfig) else BertForMaskedTokens(config)


def describe(recipe: Recipe) -> dict[str, Any]:
    """The recipe as JSON holds it."""
    return asdict(recipe) | {"fingerprints": recipe.fingerprints()}


BERT_TOKENS = ("[PAD]", "[MASK]", "[CLS]", "[SEP]")
RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="gpt",
            model=GPTConfig.modern(
                vocab_size=4096, context_length=256, d_model=256, num_layers=4, num_heads=4,
                dropout=0.1,
            ),
            training=TrainingConfig(
                steps=6400, batch_size=32, learning_rate=4e-3, final_rate=0.05, warm_up=200,
                precision="bfloat16", optimizer="muon", evaluate_every=500, save_every=200,
            ),
            quick_look=8,
        ),
        Recipe(
            name="bert",
            model=BertConfig(
                vocab_size=4096, context_length=128, d_model=192, num_layers=4, num_heads=4,
                d_hidden=768, norm_first=True, norm_eps=1e-5, positions="rotary",
                token_types=1, pooler=False, dropout=0.0,
            ),
            training=TrainingConfig(
                steps=6400, batch_size=64, learning_rate=3e-3, final_rate=0.05, warm_up=200,
                precision="bfloat16", optimizer="muon", evaluate_every=500, save_every=200,
            ),
            special_tokens=BERT_TOKENS,
            around=("[CLS]", "[SEP]"),
            mask_rate=0.2,
            quick_look=4,
        ),
        Recipe(
            name="tiny",
            model=GPTConfig.modern(
                vocab_size=512, context_length=32, d_model=48, num_layers=2, num_heads=4
            ),
            training=TrainingConfig(
                steps=200, batch_size=16, learning_rate=4e-3, final_rate=0.1, warm_up=20,
                evaluate_every=100, save_every=100,
            ),
            texts=("documentation",),
            first=600,
            quick_look=4,
        ),
    )
}  # fmt: skip
