"""Cut a text into pieces that no merge may cross: GPT-2's pattern, and special tokens.

Without this step "dog.", "dog!" and "dog?" would become three tokens. The pattern (Radford et al.
2019, section 2.2 and `encoder.py`) needs Unicode classes such as ``\\p{L}``, which the standard
library's ``re`` lacks; the package ``regex`` has them. The pieces joined are the text, always.

Not here: normalization. "é" as one character and "e" with an accent stay different texts.
Taught in chapter 2.
"""

from __future__ import annotations

from collections.abc import Iterable

import regex

# In order: English endings ('s, 't, …); letters, digits, or other signs, with at most one space
# before them; a run of spaces without its last one, if a word follows; any other run of spaces.
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def compile_pattern(pattern: str) -> regex.Pattern:
    """The compiled pattern; ``ValueError`` if it is no regular expression or captures groups."""
    try:
        compiled = regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"the pattern {pattern!r} is no regular expression: {error}") from error
    if compiled.groups:
        raise ValueError(f"the pattern {pattern!r} captures: write (?:…) in place of (…)")
    return compiled


def pretokenize(text: str, pattern: str | regex.Pattern = GPT2_PATTERN) -> list[str]:
    """The pieces of a text, in order.

    Example: ``pretokenize("It's 3 dogs") == ["It", "'s", " 3", " dogs"]``

    Raises ``ValueError`` if the pattern skips a part of the text, which would then be lost.
    """
    pieces = regex.findall(pattern, text)
    if sum(map(len, pieces)) != len(text):
        raise ValueError(
            r"the pattern skips a part of the text: let it match everything, with |\s+|. at its end"
        )
    return pieces


def utf8(piece: str) -> bytes:
    """The bytes of a piece; ``ValueError`` for half a surrogate pair, which has none in UTF-8."""
    try:
        return piece.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{piece!r} holds half a surrogate pair, so it is no Unicode text: read its source "
            "again with the right encoding, or with errors='replace'"
        ) from error


def special_pattern(special_tokens: Iterable[str]) -> regex.Pattern:
    """A pattern whose ``split`` gives text, special token, text, …, text; the longest token wins.

    Without special tokens it matches nothing, and ``split`` gives the text whole.
    """
    longest_first = sorted(special_tokens, key=len, reverse=True)
    either = "|".join(map(regex.escape, longest_first)) or "(?!)"
    return regex.compile(f"({either})")
