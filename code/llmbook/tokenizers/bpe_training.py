"""Learn byte-pair merges from texts (Gage 1994; Sennrich et al. 2016, on bytes as in GPT-2).

The rule is ten lines long (the tests hold them): count all pairs of neighbouring tokens, merge the
most frequent one everywhere, repeat. Three things make it fast without changing what it learns:

- a piece that stands a thousand times in the text is kept once, with its count;
- after a merge only the pieces that held the pair are counted again;
- the most frequent pair comes from a heap whose entries may be out of date: an entry is compared
  with the true count when it is taken out, and put back if it is too high.

A piece is a string with one character for each token: ``chr(id)``. So a pair is a string of two
characters, and a merge, left to right without overlaps, is ``str.replace``.

Ties: the highest count wins, then the greatest pair of byte strings, as in Sennrich's own program.
Hugging Face's trainer takes the pair of smallest ids instead, so it learns other merges from ties.

Not here: a minimum count, several processes. Taught in chapter 2.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from operator import add

from tqdm.auto import tqdm

from llmbook.tokenizers.bpe import BPETokenizer
from llmbook.tokenizers.pretokenize import (
    GPT2_PATTERN,
    compile_pattern,
    pretokenize,
    special_pattern,
    utf8,
)


def train_bpe(
    texts: Iterable[str],
    vocab_size: int,
    special_tokens: Iterable[str] = (),
    pattern: str = GPT2_PATTERN,
) -> BPETokenizer:
    """A tokenizer of ``vocab_size`` tokens: 256 bytes, then merges, then the special tokens.

    Ids 0 to 255 are the bytes themselves, the special tokens come last in the order given. The
    vocabulary is smaller if no pair is left to merge. ``texts`` is gone through once, and only
    its distinct pieces are kept, so it may be larger than memory. Special tokens inside a text
    separate, and are not learned from.

    Raises ``ValueError`` for a ``vocab_size`` below 256 plus the special tokens, a special token
    that is empty or stands twice, a wrong pattern, and texts that are empty or one string.
    """
    special_tokens = tuple(special_tokens)
    smallest = 256 + len(special_tokens)
    if vocab_size < smallest:
        raise ValueError(
            f"vocab_size ({vocab_size}) must be at least {smallest}: 256 bytes and "
            f"{len(special_tokens)} special tokens"
        )
    if len(set(special_tokens)) < len(special_tokens) or "" in special_tokens:
        raise ValueError(f"special tokens must be distinct and not empty: {special_tokens}")
    counts = count_pieces(texts, special_tokens, pattern)
    vocabulary, merges = learn_merges(counts, vocab_size - len(special_tokens))
    special = {token: len(vocabulary) + place for place, token in enumerate(special_tokens)}
    return BPETokenizer(vocabulary, merges, special, pattern)


def count_pieces(texts: Iterable[str], special_tokens: Iterable[str], pattern: str) -> Counter[str]:
    """How often each piece of the texts stands there."""
    if isinstance(texts, str):
        raise ValueError("texts is one string: give a list of strings, or an iterator of them")
    compiled, special = compile_pattern(pattern), special_pattern(special_tokens)
    counts: Counter[str] = Counter()
    for text in tqdm(texts, desc="counting pieces", unit="text", leave=False):
        for part in special.split(text)[::2]:
            counts.update(pretokenize(part, compiled))
    if not counts:
        raise ValueError("the texts are empty: give some text, and an iterator only once")
    return counts


def learn_merges(
    piece_counts: Mapping[str, int], vocab_size: int
) -> tuple[dict[bytes, int], list[tuple[bytes, bytes]]]:
    """The vocabulary, special tokens apart, and the merges in the order learned.

    ``piece_counts`` holds the distinct pieces of the text and how often each stands there.
    """
    pairs = PairQueue(piece_counts)
    merges = []
    for _ in tqdm(range(256, vocab_size), desc="merging", unit="token", leave=False):
        pair = pairs.most_frequent()
        if pair is None:
            break
        merges.append(pairs.merge(pair))
    return {token: i for i, token in enumerate(pairs.tokens)}, merges


class PairQueue:
    """Pieces as strings of one character a token, and all pairs of neighbours by frequency.

    tokens   the bytes of each id; a merge appends one, for no two merges give the same bytes
    count    of each pair, in the whole text; overlapping pairs count, so "aaa" has "aa" twice
    where    the pieces that hold a pair, or did before another merge
    heap     (-count, order of the pair, pair), the first to be merged first; see ``most_frequent``
    """

    def __init__(self, piece_counts: Mapping[str, int]) -> None:
        self.tokens = [bytes([byte]) for byte in range(256)]
        self.order = list(map(descending, self.tokens))
        self.pieces = [utf8(piece).decode("latin-1") for piece in piece_counts]  # byte b as chr(b)
        self.times = list(piece_counts.values())
        self.count: dict[str, int] = defaultdict(int)
        self.where: dict[str, set[int]] = defaultdict(set)
        for place, piece in enumerate(self.pieces):
            for pair in neighbours(piece):
                self.count[pair] += self.times[place]
                self.where[pair].add(place)
        self.heap = list(map(self.entry, self.count))
        heapq.heapify(self.heap)

    def entry(self, pair: str) -> tuple[int, str, str]:
        left, right = map(ord, pair)
        return -self.count[pair], self.order[left] + self.order[right], pair

    def most_frequent(self) -> str | None:
        """Take the pair to merge from the heap; None if no two tokens are neighbours any more.

        Each pair has an entry with its count or more, since ``merge`` enters pairs that grow. So a
        first entry that is right is the greatest, and one that is too high can be put back lower.
        """
        while self.heap:
            negative_count, _, pair = heapq.heappop(self.heap)
            if -negative_count == self.count[pair] > 0:
                return pair
            if -negative_count > self.count[pair] > 0:
                heapq.heappush(self.heap, self.entry(pair))
        return None

    def merge(self, pair: str) -> tuple[bytes, bytes]:
        """Put a new token in place of the pair, everywhere; give the bytes of the two."""
        left, right = (self.tokens[ord(character)] for character in pair)
        token = chr(len(self.tokens))
        self.tokens.append(left + right)
        self.order.append(descending(left + right))
        grown = set()
        for place in self.where.pop(pair):
            old, times = self.pieces[place], self.times[place]
            self.pieces[place] = new = old.replace(pair, token)
            if new == old:
                continue
            for other in neighbours(old):
                self.count[other] -= times
            for other in neighbours(new):
                self.count[other] += times
                if token in other:
                    self.where[other].add(place)
                    grown.add(other)
        for other in grown:
            heapq.heappush(self.heap, self.entry(other))
        return left, right


def neighbours(piece: str) -> Iterator[str]:
    """All pairs of neighbouring tokens: "abc" has "ab" and "bc"."""
    return map(add, piece, piece[1:])


def descending(token: bytes) -> str:
    """A string that sorts before that of each smaller token, and ends where the token ends."""
    return "".join(chr(255 - byte) for byte in token) + chr(256)
