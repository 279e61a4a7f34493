"""GPT-2's byte alphabet: 256 printable characters, one for each byte, and back.

A ``tokenizer.json`` names tokens by strings, but a byte-level token is any run of bytes, whole
characters or not. GPT-2 (Radford et al. 2019, `bytes_to_unicode` in its encoder.py) shows each
byte as one visible character: a byte that Latin-1 prints keeps its character, and the other 68
(controls, space, no-break space, soft hyphen) take the characters from U+0100 on, in order. So
the space, byte 32, is "Ġ" (U+0120), and "é", bytes C3 A9, is "Ã©".

Not here: any change of text. The alphabet is for names of tokens; encoding works on bytes.
Taught in chapter 2.
"""

from __future__ import annotations

# What Latin-1 prints: "!" to "~", "¡" to "¬", "®" to "ÿ"; byte 173 between them is a soft hyphen.
_PRINTED = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
_OTHERS = [byte for byte in range(256) if byte not in _PRINTED]

CHARACTER_OF = {byte: chr(byte) for byte in _PRINTED} | {
    byte: chr(0x100 + place) for place, byte in enumerate(_OTHERS)
}
BYTE_OF = {character: byte for byte, character in CHARACTER_OF.items()}


def to_visible(token: bytes) -> str:
    """One printable character for each byte: ``to_visible(b" the") == "Ġthe"``."""
    return "".join(map(CHARACTER_OF.__getitem__, token))


def from_visible(name: str) -> bytes:
    """The bytes that ``to_visible`` showed.

    Raises ``ValueError`` for a character outside the alphabet, such as SentencePiece's "▁".
    """
    try:
        return bytes(map(BYTE_OF.__getitem__, name))
    except KeyError as error:
        raise ValueError(
            f"{name!r} is no name of a byte-level token: {error.args[0]!r} stands for no byte"
        ) from error
