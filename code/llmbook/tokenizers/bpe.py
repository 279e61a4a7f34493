"""A byte-level BPE tokenizer, GPT-2's kind: from a vocabulary and merges to ids and back.

Encoding: cut the text into pieces, take each piece as bytes, and merge neighbours, always the pair
whose merge was learned first and of those the leftmost, until no pair of neighbours is a merge.
Every string has ids, because every byte is a token; nothing is ever unknown.

Not here: training (``bpe_training``), normalization, dropout of merges, padding, truncation.
Sources: Sennrich et al. (2016), section 3.2; Radford et al. (2019), section 2.2. Chapter 2.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from operator import index
from pathlib import Path

from llmbook.tokenizers.byte_alphabet import to_visible
from llmbook.tokenizers.pretokenize import (
    GPT2_PATTERN,
    compile_pattern,
    pretokenize,
    special_pattern,
    utf8,
)
from llmbook.tokenizers.tokenizer_json import check_ids, load_bpe, loading, save_bpe

CACHED_PIECES = 2**16  # some ten megabytes


class BPETokenizer:
    """Text to token ids and back, given what training found.

    vocabulary      id of each token, all 256 single bytes among them
    merges          pairs of tokens in the order learned; each pair joined is a token
    special_tokens  id of each special token, such as ``<|endoftext|>``; no text encodes to it
                    unless ``allow_special`` says so
    pattern         what cuts a text into pieces, see ``pretokenize``

    All ids together are 0, 1, …, V - 1. Raises ``ValueError`` if something does not fit.
    """

    def __init__(
        self,
        vocabulary: Mapping[bytes, int],
        merges: Iterable[tuple[bytes, bytes]],
        special_tokens: Mapping[str, int] | None = None,
        pattern: str = GPT2_PATTERN,
    ) -> None:
        self.vocabulary = dict(vocabulary)
        self.merges = tuple((left, right) for left, right in merges)
        self.special_tokens = dict(special_tokens or {})
        self.pattern = pattern
        self._pattern = compile_pattern(pattern)
        self._special = special_pattern(self.special_tokens)
        check_ids([*self.vocabulary.values(), *self.special_tokens.values()])
        check_tokens(self.vocabulary, self.merges, self.special_tokens)
        special = {i: utf8(token) for token, i in self.special_tokens.items()}
        self._bytes_of = {i: token for token, i in self.vocabulary.items()} | special
        self._rank: dict[tuple[int, int], int] = {}
        self._merged: list[int] = []  # the token that the merge of each rank gives
        for rank, (left, right) in enumerate(self.merges):
            self._rank[self.vocabulary[left], self.vocabulary[right]] = rank
            self._merged.append(self.vocabulary[left + right])
        # Text repeats its words, so most pieces are looked up. A tuple, as the cache shares it.
        self._ids_of = lru_cache(CACHED_PIECES)(self._merge)

    def __len__(self) -> int:
        """V, the special tokens included."""
        return len(self._bytes_of)

    def __reduce__(self):
        """For pickle: the parts without the cache, so that worker processes get a small copy."""
        return type(self), (self.vocabulary, self.merges, self.special_tokens, self.pattern)

    def encode(self, text: str, allow_special: bool = False) -> list[int]:
        """The ids of a text.

        With ``allow_special`` the name of a special token in the text becomes its id. Without, it
        is text like any other: a user's message must not be able to end the document.

        Raises ``ValueError`` for half a surrogate pair, which UTF-8 cannot hold.
        """
        if not allow_special:
            return self._encode_plain(text)
        ids = []
        for place, part in enumerate(self._special.split(text)):
            ids += [self.special_tokens[part]] if place % 2 else self._encode_plain(part)
        return ids

    def encode_iterable(
        self, texts: Iterable[str], allow_special: bool = False
    ) -> Iterator[list[int]]:
        """The ids of each text in turn; only one text is in memory at a time."""
        if isinstance(texts, str):
            raise ValueError("texts is one string: give a list of strings, or an iterator of them")
        return (self.encode(text, allow_special) for text in texts)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of some ids; special tokens show their names.

        A token may end inside a character. Bytes that are no UTF-8, because ids were cut there or
        a model made them up, become U+FFFD: to show half an answer must not fail.

        Raises ``ValueError`` for an id that no token has.
        """
        return b"".join(self.tokens(ids)).decode("utf-8", errors="replace")

    def tokens(self, ids: Iterable[int]) -> list[bytes]:
        """The bytes of each id; joined, they are the bytes of the text."""
        try:
            return [self._bytes_of[i] for i in map(index, ids)]
        except KeyError as error:
            raise ValueError(
                f"no token has the id {error.args[0]}: ids go from 0 to {len(self) - 1}"
            ) from error

    def save(self, path: str | Path) -> None:
        """Write a ``tokenizer.json`` that Hugging Face's ``tokenizers`` reads, or leave the old."""
        save_bpe(path, self.vocabulary, self.merges, self.special_tokens, self.pattern)

    @classmethod
    def load(cls, path: str | Path) -> BPETokenizer:
        """Read a ``tokenizer.json`` of GPT-2's kind, ours or another's; else ``ValueError``."""
        with loading(path):
            return cls(*load_bpe(path))

    def _encode_plain(self, text: str) -> list[int]:
        ids_of = self._ids_of
        return [i for piece in pretokenize(text, self._pattern) for i in ids_of(piece)]

    def _merge(self, piece: str) -> tuple[int, ...]:
        """The ids of one piece.

        The pieces of a linked list are merged through a heap of (rank, place), so a run of n
        letters without a space takes n log n steps and not n². An entry whose tokens were merged
        with others in the meantime no longer has its rank, and is skipped.
        """
        ids: list[int | None] = [self.vocabulary[bytes([byte])] for byte in utf8(piece)]
        end = len(ids)
        after = list(range(1, end + 1))
        before = list(range(-1, end - 1))
        rank = self._rank
        heap = [(rank[pair], i) for i, pair in enumerate(pairwise(ids)) if pair in rank]
        heapq.heapify(heap)
        while heap:
            best, i = heapq.heappop(heap)
            j = after[i]
            if j == end or rank.get((ids[i], ids[j])) != best:
                continue
            ids[i], ids[j] = self._merged[best], None
            after[i] = k = after[j]
            if k < end:
                before[k] = i
            for left, right in ((before[i], i), (i, k)):
                if left >= 0 and right < end and (ids[left], ids[right]) in rank:
                    heapq.heappush(heap, (rank[ids[left], ids[right]], left))
        return tuple(i for i in ids if i is not None)


def check_tokens(
    vocabulary: Mapping[bytes, int],
    merges: tuple[tuple[bytes, bytes], ...],
    special_tokens: Mapping[str, int],
) -> None:
    """Raise ``ValueError`` unless all bytes are tokens and merges join tokens to tokens."""
    for byte in range(256):
        if bytes([byte]) not in vocabulary:
            raise ValueError(
                f"the vocabulary lacks the byte {byte:#04x}: add all 256, or a text may have no ids"
            )
    for left, right in merges:
        for token in (left, right, left + right):
            if token not in vocabulary:
                raise ValueError(
                    f"the merge of {left!r} and {right!r} needs {token!r}, which is not in the "
                    "vocabulary"
                )
    if len(set(merges)) < len(merges):
        raise ValueError("a merge stands twice: only its first place would count")
    names = {"", *map(to_visible, vocabulary)}
    for token in special_tokens:
        if token in names:
            raise ValueError(
                f"the special token {token!r} is empty or named like a token of the text: rename it"
            )
