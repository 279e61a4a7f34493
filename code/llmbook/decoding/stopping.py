"""When a row has ended, and what of it is shown: end token, stop sequences, whole characters.

A stop sequence is a list of ids or a string. A string is looked for in the bytes of the text, so it
is found however it is cut into tokens, and also inside one. A byte-level token may end inside a
character: its bytes wait until the character is whole (chapter 8).
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

Stop = str | Sequence[int]


class ByteTokenizer(Protocol):
    """What text needs of a tokenizer, such as ``BPETokenizer``."""

    def encode(self, text: str) -> list[int]: ...

    def tokens(self, ids: Iterable[int]) -> list[bytes]: ...


@dataclass(frozen=True)
class Written:
    """What a model wrote after one prompt.

    ids     all its tokens, an end token or stop sequence included
    reason  why it ended: "end" (token), "stop" (sequence), "length" (``max_new_tokens``), or
            "context": prompt and answer fill the context
    stop    the stop sequence that was found
    """

    ids: list[int]
    reason: str
    stop: str | tuple[int, ...] | None = None

    @property
    def answer(self) -> list[int]:
        """The tokens without end token and stop ids; a stop *string* may end inside a token."""
        if self.reason == "end":
            return self.ids[:-1]
        return self.ids[: -len(self.stop)] if isinstance(self.stop, tuple) else self.ids

    def text(self, tokenizer: ByteTokenizer) -> str:
        """The answer as text, cut before a stop string.

        Half a character at the end is left out. Bytes that are no UTF-8 elsewhere, because the
        model made them up, are U+FFFD.
        """
        return Shown(tokenizer, Stops((), None)).more(self)


class Stops:
    """Stop sequences, sorted by kind.

    Raises:
        ValueError: if one is empty, or a string comes without a tokenizer.
    """

    def __init__(self, stop: Sequence[Stop], tokenizer: ByteTokenizer | None) -> None:
        if isinstance(stop, str):
            raise ValueError(f"stop must be a list of stop sequences: [{stop!r}]")
        if not all(len(sequence) for sequence in stop):
            raise ValueError("a stop sequence is empty: it would end every text")
        self.ids = [[int(i) for i in s] for s in stop if not isinstance(s, str)]
        self.strings = [s.encode() for s in stop if isinstance(s, str)]
        if self.strings and tokenizer is None:
            raise ValueError("a stop string needs tokenizer=..., which tells the text of a token")
        self.tokenizer = tokenizer
        self.longest = max(map(len, self.strings), default=0)


class Row:
    """One row while it is written; it has ended when it has a ``reason`` (see ``Written``)."""

    def __init__(self, stops: Stops, end_id: int | None, max_new_tokens: int, room: int) -> None:
        self.stops, self.end_id = stops, end_id
        self.limit = min(max_new_tokens, room)
        self.full = "length" if max_new_tokens <= room else "context"
        self.ids: list[int] = []
        self.bytes = bytearray()  # of all tokens; kept only if there are stop strings
        self.reason: str | None = None
        self.stop: str | tuple[int, ...] | None = None

    def add(self, token: int) -> None:
        self.ids.append(token)
        self.stop = None if token == self.end_id else self._found()
        if token == self.end_id:
            self.reason = "end"
        elif self.stop is not None:
            self.reason = "stop"
        elif len(self.ids) == self.limit:
            self.reason = self.full

    def written(self) -> Written:
        return Written(self.ids, self.reason, self.stop)

    def _found(self) -> str | tuple[int, ...] | None:
        """The stop sequence that the last token completed; of strings, the first to end."""
        for ids in self.stops.ids:
            if self.ids[-len(ids) :] == ids:
                return tuple(ids)
        if not self.stops.strings:
            return None
        new = token_bytes(self.stops.tokenizer, self.ids[-1:])
        start = max(0, len(self.bytes) - self.stops.longest + 1)
        self.bytes += new
        found = [s for s in self.stops.strings if self.bytes.find(s, start) >= 0]
        # The first to end, then the longest: the answer does not depend on how text is cut.
        ends = [(self.bytes.find(s, start) + len(s), -len(s), s) for s in found]
        return min(ends)[2].decode() if ends else None


class Shown:
    """What may be shown of a row so far: no part of what may become a stop, no half character."""

    def __init__(self, tokenizer: ByteTokenizer, stops: Stops) -> None:
        self.tokenizer, self.stops = tokenizer, stops
        self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self.bytes = b""
        self.ids_read = self.bytes_shown = 0

    def more(self, row: Row | Written) -> str:
        """The text since the last call; after the row has ended, the rest of it."""
        if row.reason is None:
            ids = row.ids[: len(row.ids) - beginning(row.ids, self.stops.ids)]
        else:
            ids = row.answer if isinstance(row, Written) else row.written().answer
        self.bytes += token_bytes(self.tokenizer, ids[self.ids_read :])
        self.ids_read = len(ids)
        end = len(self.bytes)
        if row.reason is None:
            end -= beginning(self.bytes, self.stops.strings)
        elif isinstance(row.stop, str):
            end = self.bytes.index(row.stop.encode())
        start, self.bytes_shown = self.bytes_shown, end
        return self.decoder.decode(self.bytes[start:end])


def beginning(tail: Sequence, stops: Sequence[Sequence]) -> int:
    """How many items at the end of ``tail`` may be the beginning of a stop sequence."""
    return max(
        (n for stop in stops for n in range(1, len(stop)) if tail[-n:] == stop[:n]), default=0
    )


def token_bytes(tokenizer: ByteTokenizer, ids: Sequence[int]) -> bytes:
    tokens = tokenizer.tokens(ids)
    if not all(isinstance(token, bytes) for token in tokens):
        raise ValueError("text needs a byte-level tokenizer such as BPETokenizer: decode the ids")
    return b"".join(tokens)
