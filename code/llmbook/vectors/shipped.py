"""The word vectors that ship with the book, and the settings that made them."""

from __future__ import annotations

from pathlib import Path

from llmbook import corpora
from llmbook.vectors.glove import GloveConfig
from llmbook.vectors.keyed import WordVectors
from llmbook.vectors.skipgram import SkipGramConfig
from llmbook.vectors.vocabulary import EncodedText, Vocabulary

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints" / "word_vectors"
RECIPES = {
    "skipgram": SkipGramConfig(epochs=25),
    "glove": GloveConfig(dimension=50, x_max=10, learning_rate=0.3, empty_cells=3.0),
}


def wikipedia_text() -> tuple[Vocabulary, EncodedText]:
    """The Wikipedia sample as integers, with its words that occur at least five times."""
    sentences = [corpora.words(s) for article in corpora.wikipedia() for s in article.sentences]
    vocabulary = Vocabulary.from_sentences(sentences, min_count=5)
    return vocabulary, vocabulary.encode(sentences)


def shipped(name: str) -> WordVectors:
    """Load "skipgram" or "glove", both trained on the Wikipedia sample.

    Raises:
        KeyError: for any other name.
    """
    if name not in RECIPES:
        raise KeyError(f"{name!r} does not ship with the book; there are {', '.join(RECIPES)}")
    return WordVectors.load(CHECKPOINTS / f"{name}.bin")
