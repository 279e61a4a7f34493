"""The tokenizer of the pretrained MiniLM, read once."""

from __future__ import annotations

from functools import cache

from llmbook.pretrained import minilm_folder
from llmbook.tokenizers.wordpiece import WordPieceTokenizer


@cache
def minilm_tokenizer() -> WordPieceTokenizer:
    """MiniLM's own, from its verified ``tokenizer.json``.

    Raises:
        CorpusError: if MiniLM is not on the disk, or its files are not the published ones.
    """
    return WordPieceTokenizer.load(minilm_folder() / "tokenizer.json")
