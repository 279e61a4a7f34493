"""Texts that are already on the reader's disk, as typed records that say where they come from.

Each function gives a :class:`Corpus`: records in a fixed order, split by document into train
(80 %), validation (10 %) and test (10 %) through the md5 of the document's id, with a provenance
(package, version, licence, sha256, counts). Texts are read out of installed packages, verified,
cleaned, and cached in the user's cache folder.

What it is not: no downloader (nothing here touches the network), no loader of other people's
pickles (nothing is ever unpickled), and no copy of the texts: they stay in the packages.
"""

from .docstring_kinds import KINDS, KindText, docstring_kinds
from .docstrings import docstrings
from .evaluation_sets import analogies, word_similarity
from .gensim_texts import movie_reviews, news, newsgroups
from .localized_dates import LocalizedDate, localized_dates
from .localized_phrases import PHENOMENA, LocalizedPhrase, localized_phrases
from .package_labels import package_labels
from .parallel import english_chinese
from .records import (
    SPLITS,
    Analogy,
    Article,
    Corpus,
    CorpusError,
    Docstring,
    Document,
    Provenance,
    Section,
    Translation,
    WordPair,
)
from .tatoeba import SentencePair, tatoeba
from .text import sentences, words
from .wikipedia import wikipedia

__all__ = [
    "KINDS",
    "PHENOMENA",
    "SPLITS",
    "Analogy",
    "Article",
    "Corpus",
    "CorpusError",
    "Docstring",
    "Document",
    "KindText",
    "LocalizedDate",
    "LocalizedPhrase",
    "Provenance",
    "Section",
    "SentencePair",
    "Translation",
    "WordPair",
    "analogies",
    "docstring_kinds",
    "docstrings",
    "english_chinese",
    "localized_dates",
    "localized_phrases",
    "movie_reviews",
    "news",
    "newsgroups",
    "package_labels",
    "sentences",
    "tatoeba",
    "wikipedia",
    "word_similarity",
    "words",
]
