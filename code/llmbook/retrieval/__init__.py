"""Find the page that answers, and the words on it (chapter 8).

``pages``      documentation strings as pages with titles
``words``      text to search terms; names of code are taken apart
``keywords``   BM25
``dense``      MiniLM vectors; of one question without torch
``fusion``     ranks, and several rankings made into one
``index``      all of it on disk, for ``python -m llmbook.ask``

Not here: answers in words of one's own. Nothing here imports torch when it is imported.
"""

from llmbook.retrieval.dense import QueryEncoder, embed
from llmbook.retrieval.fusion import fuse, ranks, right_ranks
from llmbook.retrieval.index import PACKAGES, Hit, Index, build, open_index
from llmbook.retrieval.keywords import Keywords
from llmbook.retrieval.pages import Page, to_pages
from llmbook.retrieval.words import name_words, terms

__all__ = [
    "PACKAGES",
    "Hit",
    "Index",
    "Keywords",
    "Page",
    "QueryEncoder",
    "build",
    "embed",
    "fuse",
    "name_words",
    "open_index",
    "ranks",
    "right_ranks",
    "terms",
    "to_pages",
]
