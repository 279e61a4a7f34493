"""A tokenizer whose tokens are the single characters of its training text.

It has the methods of ``BPETokenizer`` that a model needs, so either can take the other's place.
Not here: normalization; "é" as one character and as two are different texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from operator import index
from pathlib import Path

from llmbook.corpora.cache import write_whole

UNKNOWN = "<unknown>"


class CharacterTokenizer:
    """Ids: the special tokens from 0 on, then the characters.

    ``special_tokens`` must hold "<unknown>", which stands for a character that is not among them.

    Raises:
        ValueError: if a character or a special token stands twice, or "<unknown>" is missing.
    """

    def __init__(self, characters: str, special_tokens: Sequence[str]) -> None:
        names = tuple(special_tokens)
        if UNKNOWN not in names:
            raise ValueError(f"special_tokens {names} must hold {UNKNOWN!r}")
        for what, tokens in (("character", characters), ("special token", names)):
            if len(set(tokens)) < len(tokens):
                raise ValueError(f"a {what} stands twice")
        self.characters = characters
        self.special_tokens = {name: i for i, name in enumerate(names)}
        self._id_of = {c: i for i, c in enumerate(characters, start=len(names))}
        self._names = (*names, *characters)

    @classmethod
    def of(cls, texts: Iterable[str], special_tokens: Sequence[str]) -> CharacterTokenizer:
        """The characters of some texts, in the order of their code points."""
        return cls("".join(sorted(set().union(*texts))), special_tokens)

    def __len__(self) -> int:
        """V, the special tokens included."""
        return len(self._names)

    def encode(self, text: str) -> list[int]:
        """The id of each character."""
        unknown = self.special_tokens[UNKNOWN]
        return [self._id_of.get(character, unknown) for character in text]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of some ids; special tokens show their names.

        Raises:
            ValueError: for an id that no token has.
        """
        ids = [index(i) for i in ids]
        for i in ids:
            if not 0 <= i < len(self):
                raise ValueError(f"no token has the id {i}: ids go from 0 to {len(self) - 1}")
        return "".join(self._names[i] for i in ids)

    def unknown(self, text: str) -> list[str]:
        """The characters of a text that are not tokens, each once."""
        return [c for c in dict.fromkeys(text) if c not in self._id_of]

    def save(self, path: str | Path) -> None:
        """Write JSON, whole or not at all."""
        content = {"characters": self.characters, "special_tokens": list(self.special_tokens)}
        write_whole(Path(path), json.dumps(content, ensure_ascii=False).encode())

    @classmethod
    def load(cls, path: str | Path) -> CharacterTokenizer:
        """Read what ``save`` wrote."""
        return cls(**json.loads(Path(path).read_bytes()))
